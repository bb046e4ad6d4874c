"""`sekisho pull` and `sekisho workspace`: the ticket's workspace from anywhere, with the user and password of `sekisho
login`. Nothing but progress, names and masked pages comes here."""

import json
import ssl
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import httpx2

from sekisho.cli.faults import NO_ANSWER
from sekisho.faults import Fault, preferred_language
from sekisho.relay.workspace.faults import ANSWERED


@dataclass(frozen=True, slots=True)
class _Line:
    """The way to a checkpoint's console."""

    checkpoint: str
    ca: Path | None
    user: str
    password: str
    target: str

    @contextmanager
    def asking(
        self, what: str, *, room: str = "workspace", **order: object
    ) -> Iterator[Iterator[dict[str, Any]]]:
        """The answer, line by line. Raises Fault NO_ANSWER, ANSWERED."""
        context = ssl.create_default_context(cafile=str(self.ca) if self.ca else None)
        url = f"{self.checkpoint.rstrip('/')}/api/{room}/{what}"
        headers = {"accept-language": preferred_language()}
        try:
            with (
                httpx2.Client(verify=context, timeout=httpx2.Timeout(15, read=60)) as http,
                http.stream(
                    "POST",
                    url,
                    json={"target": self.target, **order},
                    auth=(self.user, self.password),
                    headers=headers,
                ) as answer,
            ):
                yield (_read(line, answer.status_code) for line in answer.iter_lines())
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
            reason = str(error) or type(error).__name__
            raise Fault(NO_ANSWER, url=self.checkpoint, reason=reason) from error


def _read(line: str, status: int) -> dict[str, Any]:
    said = json.loads(line)
    if not isinstance(said, dict):
        raise ValueError("no line of an answer")
    if "message" in said or status != 200:
        raise Fault(ANSWERED, reason=said.get("message", f"HTTP {status}"))
    return said


def _on_the_line(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--target", required=True),
        click.option(
            "--password",
            prompt=True,
            hide_input=True,
            envvar="PGPASSWORD",
            help="Of `sekisho login`; asked for.",
        ),
        click.option("--user", required=True, help="As `sekisho login` printed it: PERSON.TICKET."),
        click.option(
            "--ca",
            type=click.Path(exists=True, path_type=Path),
            help="The checkpoint's ca.pem, if it is its own.",
        ),
        click.option(
            "--checkpoint", required=True, metavar="URL", help="The console's address, https://HOST:PORT."
        ),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("query", default="")
@click.option("--file", default="", metavar="PATH", help="A text file of the SSH target, in place of QUERY.")
@click.option("--to", required=True, metavar="NAME", help="The file's name in the workspace.")
@_on_the_line
def pull(query: str, file: str, to: str, **line: Any) -> None:
    """Pull a query's result, or a remote file, into the ticket's workspace; nothing of it comes here.

    When this command is interrupted the pull goes on. After a cut, run it again: a query begins anew, a file goes on
    where it stopped, and whom the first try counted is not counted twice."""
    if bool(query) == bool(file):
        raise click.UsageError("give one of QUERY and --file")
    with _Line(**line).asking("pull", query=query, file=file, to=to) as lines:
        for said in lines:
            # Nobody can say how much is still to come, so no share of a whole is claimed.
            bar = "#" * min(30, 3 * len(str(said["bytes"])))
            figures = f"{said['rows']:>11,} rows {said['persons']:>11,} persons {said['bytes']:>14,} bytes"
            click.echo(f"\r[{bar:<30}] {figures}", nl=False, err=True)
            if said.get("done"):
                click.echo(err=True)
                click.echo(f"{said['file']}  sha256 {said['sha256']}")


@click.group()
def workspace() -> None:
    """Look at what lies in a ticket's workspace."""


@workspace.command("list")
@_on_the_line
def list_files(**line: Any) -> None:
    """Names, sizes and hashes of the files."""
    with _Line(**line).asking("files") as lines:
        for said in lines:
            click.echo(f"{said['size']:>14,}  {said['sha256'][:16]}  {said['name']}")


@workspace.command("look")
@click.argument("name")
@click.option("--page", default=1, show_default=True, type=click.IntRange(1))
@_on_the_line
def look(name: str, page: int, **line: Any) -> None:
    """One page of a file, masked. That it is looked at is recorded, and whoever it shows is counted."""
    with _Line(**line).asking("look", name=name, page=page) as lines:
        for said in lines:
            rows = ([said["head"]] if said["head"] else []) + said["rows"]
            widths = [max(map(_width, column)) for column in zip(*rows, strict=True)] if rows else []
            for row in rows:
                cells = (cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True))
                click.echo("  ".join(cells).rstrip())
            click.echo(f"-- {page}/{said['pages']}", err=True)


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(one) in "WFA" else 1 for one in text)
