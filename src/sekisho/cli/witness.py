"""`sekisho witness`: run a witness for somebody's log, as a client organisation does.

The folder holds the witness's private key (`witness.key`) and its record of what it cosigned (`cosigned/`). Both
belong together: a key whose record is lost could be made to cosign two histories, and must be given up.
"""

import socket
from pathlib import Path

import click

from sekisho.evidence.note import COSIGNATURE, NoteSigner, parse_key
from sekisho.evidence.witness import Witness, WitnessStore
from sekisho.faults import preferred_language

_FOLDER = click.option(
    "--folder", required=True, type=click.Path(path_type=Path), help="Where the key and the record are kept."
)
_NAME = click.option(
    "--name", metavar="NAME", help="The witness's name, for a new key, e.g. witness.example/w1."
)


@click.group()
def witness() -> None:
    """Cosign the checkpoints of logs, so that nobody can rewrite them unseen."""


@witness.command()
@_FOLDER
@_NAME
def key(folder: Path, name: str | None) -> None:
    """Print the witness's public key; make the key first if there is none."""
    click.echo(_signer(folder, name).key)


@witness.command()
@_FOLDER
@_NAME
@click.option(
    "--listen", default="127.0.0.1:7380", show_default=True, metavar="HOST:PORT", help="Port 0: any free."
)
@click.option(
    "--log", "logs", multiple=True, required=True, metavar="VKEY", help="A log to cosign. Repeatable."
)
def serve(folder: Path, name: str | None, listen: str, logs: tuple[str, ...]) -> None:
    """Answer tlog-witness requests until Ctrl-C."""
    from sekisho.witness.server import serve as serve_witness  # its web server takes long to import

    host, _, port = listen.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise click.BadParameter("HOST:PORT", param_hint="--listen")
    signer = _signer(folder, name)
    answering = Witness(WitnessStore(folder / "cosigned"), signer, [parse_key(text) for text in logs])
    host = host.removeprefix("[").removesuffix("]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, int(port)), family=family)
    except OSError as error:
        raise click.ClickException(f"{listen}: {error.strerror}") from error
    with listener:
        url = f"http://{listen.rpartition(':')[0]}:{listener.getsockname()[1]}"
        if preferred_language() == "ja":
            click.echo(f"立会人 {signer.key} が {url} で待ち受けています。")
        else:
            click.echo(f"Witness {signer.key} answers at {url}")
        serve_witness(answering, listener)


def _signer(folder: Path, name: str | None) -> NoteSigner:
    path = folder / "witness.key"
    if name is None and not path.exists():
        raise click.UsageError(f"{path} does not exist: give --name to make a new key")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return NoteSigner.read(path) if name is None else NoteSigner.load(path, name, COSIGNATURE)
