"""How an act is shown: what was asked, what the checkpoint did, and the index of the fact that says so."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import click

from sekisho.faults import Language

_WIDTH = 100


@dataclass
class Stage:
    """Prints the steps of an act and remembers which did not end as they should."""

    language: Language
    failed: list[str] = field(default_factory=list)
    _number: int = 0

    def say(self, en: str, ja: str) -> None:
        click.echo(self.text(en, ja))

    def text(self, en: str, ja: str) -> str:
        return ja if self.language == "ja" else en

    def heading(self, en: str, ja: str) -> None:
        click.echo()
        click.secho(self.text(en, ja), bold=True)

    def step(self, title: tuple[str, str], asked: str, answer: str, *, fact: int | None, ok: bool) -> None:
        """One step: `asked` is what was typed, `answer` what came back, `fact` the index of its fact."""
        self._number += 1
        mark = click.style("✓", fg="green") if ok else click.style("✗", fg="red", bold=True)
        click.echo()
        click.echo(f"{mark} {click.style(f'{self._number}. {self.text(*title)}', bold=True)}")
        click.echo(f"    {click.style('$', dim=True)} {_short(asked)}")
        for line in answer.strip().splitlines()[:6]:
            click.echo(f"      {_short(line)}")
        if fact is not None:
            label = self.text("fact", "事実")
            click.secho(f"    → {label} #{fact}", fg="cyan")
        if not ok:
            self.failed.append(self.text(*title))
            click.secho(
                f"    {self.text('THIS SHOULD NOT HAVE HAPPENED', '想定外の結果です')}", fg="red", bold=True
            )

    def table(self, rows: Sequence[tuple[str, str]]) -> None:
        width = max(_cells(name) for name, _ in rows)
        for name, value in rows:
            click.echo(f"  {name}{' ' * (width - _cells(name))}  {value}")


def _cells(text: str) -> int:
    """Columns on a terminal: Japanese characters take two."""
    return sum(2 if ord(character) > 0x2E7F else 1 for character in text)


def _short(line: str) -> str:
    return line if len(line) <= 3 * _WIDTH else line[: 3 * _WIDTH] + " …"
