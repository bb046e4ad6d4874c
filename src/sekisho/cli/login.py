"""`sekisho login`: password and one-time code for a door token, over HTTPS to the checkpoint."""

import ssl
from pathlib import Path

import click
import httpx2

from sekisho.cli.faults import NO_ANSWER, NOT_LET_IN
from sekisho.faults import Fault, preferred_language


@click.command()
@click.option("--checkpoint", required=True, metavar="URL", help="The console's address, https://HOST:PORT.")
@click.option(
    "--ca", type=click.Path(exists=True, path_type=Path), help="The checkpoint's ca.pem, if it is its own."
)
@click.option("--person", required=True, help="Your person id.")
@click.option("--ticket", required=True)
@click.option("--target", required=True)
@click.option(
    "--password", prompt=True, hide_input=True, envvar="SEKISHO_PASSWORD", help="Asked for when not given."
)
@click.option("--code", prompt=True, help="The six digits of your authenticator.")
@click.option("--host", help="The door's host, for the line to paste; the console's otherwise.")
@click.option("--port", default=6432, show_default=True, help="The door's port, for the line to paste.")
def login(
    checkpoint: str, ca: Path | None, person: str, ticket: str, target: str, password: str, code: str,
    host: str | None, port: int,
) -> None:  # fmt: skip
    """Get user and password for a client such as psql, good for ten minutes."""
    context = ssl.create_default_context(cafile=str(ca) if ca else None)
    asked = {"person": person, "password": password, "code": code, "ticket": ticket, "target": target}
    try:
        with httpx2.Client(verify=context, timeout=15) as http:
            answer = http.post(
                f"{checkpoint.rstrip('/')}/api/login",
                json=asked,
                headers={"accept-language": preferred_language()},
            )
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
        raise Fault(NO_ANSWER, url=checkpoint, reason=str(error) or type(error).__name__) from error
    if answer.status_code != 200:
        try:
            reason = answer.json()["message"]
        except (ValueError, KeyError, TypeError):
            reason = f"HTTP {answer.status_code}"
        raise Fault(NOT_LET_IN, reason=reason)
    token = answer.json()
    door = host or httpx2.URL(checkpoint).host
    certificate = f" sslmode=verify-full sslrootcert={ca.resolve()}" if ca else " sslmode=verify-full"
    click.echo(f"user      {token['user']}")
    click.echo(f"password  {token['password']}")
    click.echo(
        f"PGPASSWORD={token['password']} psql 'host={door} port={port} user={token['user']} "
        f"dbname={token['target']}{certificate}'"
    )
