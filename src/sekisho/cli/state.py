"""`sekisho state rebuild [--check]`: the tables are what the facts say, or are made so.

Exit status 0: equal (or rebuilt). 1: differences, each named. Everything that was not compared is printed.
"""

import asyncio
import importlib
import importlib.util
import json
import pkgutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click

import sekisho
from sekisho.faults import Language, preferred_language
from sekisho.ledger.rebuild import Difference, Progress, check
from sekisho.ledger.rebuild import rebuild as rebuild_tables

_SHOWN: Final = 60  # characters of a value on the screen

_SENTENCES: Final[dict[str, dict[Language, str]]] = {
    "cell": {
        "en": "{table} {key}: {column} is {live}, should be {should}",
        "ja": "{table} {key}: {column} が {live} になっています。正しくは {should} です",
    },
    "missing": {
        "en": "{table} {key}: the row is missing",
        "ja": "{table} {key}: 行がありません",
    },
    "extra": {
        "en": "{table} {key}: no fact accounts for this row",
        "ja": "{table} {key}: この行の根拠となる事実がありません",
    },
    "unknown_table": {
        "en": "Not compared: the table {name} is not declared by this version.",
        "ja": "未照合: 表 {name} はこの版では宣言されていません。",
    },
    "unknown_fact": {
        "en": "Not applied: {count} facts {name}, which this version does not know.",
        "ja": "未適用: この版が知らない事実 {name} が {count} 件あります。",
    },
    "equal": {
        "en": "{tables} tables are what {facts} facts say.",
        "ja": "{tables} 個の表は {facts} 件の事実のとおりです。",
    },
    "different": {
        "en": "{differences} differences in {tables} tables over {facts} facts. Nothing was changed. Keep a copy of "
        "the database as evidence before `sekisho state rebuild`.",
        "ja": "{facts} 件の事実に対し、{tables} 個の表に {differences} 件の相違があります。何も変更していません。"
        "`sekisho state rebuild` の前にデータベースの写しを証拠として保全してください。",
    },
    "rebuilt": {
        "en": "The tables were rebuilt from the facts.",
        "ja": "事実から表を再構築しました。",
    },
}


@click.group()
def state() -> None:
    """The tables that follow from the facts."""


@state.command()
@click.option(
    "--ledger", "url", required=True, envvar="SEKISHO_LEDGER", help="sqlite:///PATH or postgresql://…"
)
@click.option("--check", "only_check", is_flag=True, help="Compare only, and name each difference.")
@click.option(
    "--from-tiles",
    "folder",
    type=click.Path(path_type=Path),
    help="With --check: trust the facts of this published log, and compare the database's with them.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per difference.")
def rebuild(url: str, only_check: bool, folder: Path | None, as_json: bool) -> None:
    """Recompute every table from the facts; without --check, put the result in place of the tables."""
    load_declarations()
    if not only_check:
        if folder is not None:
            raise click.UsageError("--from-tiles goes with --check")
        rebuild_tables(url)
        _say("rebuilt")
        return

    def found(difference: Difference) -> None:
        if as_json:
            click.echo(json.dumps(asdict(difference), default=_shown, ensure_ascii=False))
            return
        kind = "cell" if difference.column else ("missing" if difference.live is None else "extra")
        key = ", ".join(f"{name}={value}" for name, value in difference.key.items())
        values = asdict(difference) | {
            "key": key,
            "live": _shown(difference.live),
            "should": _shown(difference.should),
        }
        _say(kind, **values)

    with _progress() as progress:
        checked = asyncio.run(check(url, found, folder=folder, progress=progress))
    for name in checked.unknown_tables:
        _say("unknown_table", error=True, name=name)
    for name, count in sorted(checked.unknown_facts.items()):
        _say("unknown_fact", error=True, name=name, count=count)
    values = {"facts": checked.facts, "tables": checked.tables, "differences": checked.differences}
    _say("different" if checked.differences else "equal", error=as_json, **values)
    if checked.differences:
        sys.exit(1)


def load_declarations() -> None:
    """Import each room's tables, facts and projections."""
    for room in pkgutil.iter_modules(sekisho.__path__):
        name = f"sekisho.{room.name}.tables"
        if room.ispkg and importlib.util.find_spec(name) is not None:
            importlib.import_module(name)


@contextmanager
def _progress() -> Iterator[Progress]:
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    with click.progressbar(length=1, file=sys.stderr) as bar:

        def show(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        yield show


def _say(sentence: str, *, error: bool = False, **values: object) -> None:
    click.echo(_SENTENCES[sentence][preferred_language()].format(**values), err=error)


def _shown(value: Any) -> str:
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
