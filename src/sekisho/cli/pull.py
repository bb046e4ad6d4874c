"""`sekisho pull`: a query's result into the ticket's workspace, from anywhere, with the user and password of `sekisho login`."""

import json
import ssl
from pathlib import Path
from typing import Any

import click
import httpx2

from sekisho.cli.faults import NO_ANSWER, NOT_PULLED
from sekisho.faults import Fault, preferred_language


@click.command()
@click.argument("query")
@click.option("--to", required=True, metavar="NAME", help="The file's name in the workspace.")
@click.option("--checkpoint", required=True, metavar="URL", help="The console's address, https://HOST:PORT.")
@click.option(
    "--ca", type=click.Path(exists=True, path_type=Path), help="The checkpoint's ca.pem, if it is its own."
)
@click.option("--user", required=True, help="As `sekisho login` printed it: PERSON.TICKET.")
@click.option(
    "--password", prompt=True, hide_input=True, envvar="PGPASSWORD", help="As it printed it; asked for when not given."
)
@click.option("--target", required=True)
def pull(query: str, to: str, checkpoint: str, ca: Path | None, user: str, password: str, target: str) -> None:
    """Pull a query's result into the ticket's workspace; nothing of it comes here.

    When this command is interrupted the pull goes on. After a cut, run it again: it begins anew, and whom the first try
    counted is not counted twice."""
    context = ssl.create_default_context(cafile=str(ca) if ca else None)
    last: dict[str, Any] = {}
    try:
        with (
            httpx2.Client(verify=context, timeout=httpx2.Timeout(15, read=60)) as http,
            http.stream(
                "POST",
                f"{checkpoint.rstrip('/')}/api/workspace/pull",
                json={"target": target, "query": query, "to": to},
                auth=(user, password),
                headers={"accept-language": preferred_language()},
            ) as answer,
        ):
            for line in answer.iter_lines():
                last = json.loads(line)
                if "rows" in last:
                    _show(last)
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
        raise Fault(NO_ANSWER, url=checkpoint, reason=str(error) or type(error).__name__) from error
    click.echo(err=True)
    if not last.get("done"):
        raise Fault(NOT_PULLED, reason=last.get("message", f"HTTP {answer.status_code}"))
    click.echo(f"{last['file']}  {last['rows']:,} rows  {last['persons']:,} persons  {last['bytes']:,} bytes")
    click.echo(f"sha256 {last['sha256']}")


def _show(line: dict[str, Any]) -> None:
    """How far it is: nobody can say how much is still to come, so no share of a whole is claimed."""
    width = min(30, len(str(line["bytes"])) * 3)
    text = f"{line['rows']:>12,} rows {line['persons']:>12,} persons {line['bytes']:>15,} bytes"
    click.echo(f"\r[{'#' * width:<30}]{text}", nl=False, err=True)
