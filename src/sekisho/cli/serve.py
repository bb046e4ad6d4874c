"""`sekisho init` and `sekisho serve`: a checkpoint's state folder, and the checkpoint."""

import asyncio
import signal
from pathlib import Path

import click
import msgspec

from sekisho.faults import Fault, preferred_language
from sekisho.relay.workspace.faults import UNBOUNDED
from sekisho.relay.workspace.share import shares
from sekisho.service.logs import configure_logs
from sekisho.service.loop import run
from sekisho.service.service import create_state, running
from sekisho.service.settings import Settings, Witness

_STATE = click.option(
    "--state", required=True, type=click.Path(path_type=Path), help="The checkpoint's state folder."
)


@click.command()
@_STATE
@click.option("--origin", required=True, help="The log's name for ever, such as checkpoint.example/log.")
@click.option("--ledger", default="sqlite", show_default=True, help='"sqlite", or a postgresql:// URL.')
@click.option(
    "--name", "names", multiple=True, help="A host name or address of this machine, for its certificate."
)
@click.option("--witness", "witnesses", multiple=True, metavar="URL VKEY", nargs=2, help="Repeatable.")
@click.option("--quorum", default=0, help="How many witnesses must cosign.")
def init(
    state: Path,
    origin: str,
    ledger: str,
    names: tuple[str, ...],
    witnesses: tuple[tuple[str, str], ...],
    quorum: int,
) -> None:
    """Make a state folder with its keys, and print the log's public key."""
    settings = Settings(
        origin=origin,
        ledger=ledger,
        witnesses=tuple(Witness(url=url, key=key) for url, key in witnesses),
        quorum=quorum,
    )
    if names:
        settings = msgspec.structs.replace(settings, names=(*names, *settings.names))
    key = create_state(state, settings)
    click.echo(str(key))


@click.command()
@_STATE
def serve(state: Path) -> None:
    """Run the checkpoint of a state folder until Ctrl-C."""
    configure_logs()
    run(_serve(state))


async def _serve(state: Path) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with running(state) as service:
        host, port = service.postgres
        console = "{}:{}".format(*service.console)
        if preferred_language() == "ja":
            click.echo(f"PostgreSQL の入口は {host}:{port}、コンソールは https://{console}/ です。")
        else:
            click.echo(f"The PostgreSQL door is {host}:{port}, the console https://{console}/")
        if service.ssh is not None:
            ssh = "{}:{}".format(*service.ssh)
            click.echo(
                f"SSH の入口は {ssh} です。" if preferred_language() == "ja" else f"The SSH door is {ssh}"
            )
        if lacking := shares().lacking:
            fault = Fault(UNBOUNDED, what=", ".join(lacking))
            click.echo(f"{fault.code}: {fault.sentence(preferred_language())}", err=True)
        await stopped.wait()
