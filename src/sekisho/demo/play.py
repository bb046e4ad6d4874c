"""`sekisho demo`: the call centre, the checkpoint before it, two witnesses, and the acts."""

import asyncio
import signal
import sys
import tempfile
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Final

import click

from sekisho.demo import callcentre
from sekisho.demo.act_desktop import ActDesktop
from sekisho.demo.act_one import ActOne, RunningWitness, witness_of
from sekisho.demo.act_ssh import ActSsh, batch_server
from sekisho.demo.act_takeout import ActTakeout
from sekisho.demo.act_trace import ActTrace
from sekisho.demo.callcentre import CallCentre
from sekisho.demo.cast import cast_app
from sekisho.demo.population import load, organisations
from sekisho.demo.servers import postgres_server
from sekisho.demo.stage import Stage
from sekisho.evidence.note import NoteSigner
from sekisho.faults import Language
from sekisho.service.service import LOG, LOG_KEY, Service, create_state, running
from sekisho.service.settings import Settings
from sekisho.service.settings import Witness as WitnessSetting
from sekisho.service.web import serving

ORIGIN: Final = "sekisho.example/demo"


async def play(
    *, persons: int, once: bool, language: Language, postgres_port: int = 0, console_port: int = 0
) -> bool:
    """Play the acts; whether every step ended as it should. Without `once` it then waits for Ctrl-C."""
    stage = Stage(language)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with asyncio.TaskGroup() as group:
        show = group.create_task(_show(stage, persons, once, stopped, postgres_port, console_port))
        interrupt = group.create_task(stopped.wait())
        await asyncio.wait([show, interrupt], return_when=asyncio.FIRST_COMPLETED)
        interrupt.cancel()
        if not show.done():
            show.cancel()
            with suppress(asyncio.CancelledError):
                await show
    return not stage.failed


async def _show(
    stage: Stage, persons: int, once: bool, stopped: asyncio.Event, postgres_port: int, console_port: int
) -> None:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sekisho-demo-")))
        centre = await _call_centre(stage, stack, persons)
        state = folder / "checkpoint"
        state.mkdir(mode=0o700)
        signer = NoteSigner.load(state / LOG_KEY, ORIGIN)
        names = (f"{centre.organisations[0].id}.example/witness", "auditor.example/witness")
        witnesses = [
            await stack.enter_async_context(witness_of(n, folder / n.split(".")[0], signer)) for n in names
        ]
        create_state(state, _settings(witnesses, postgres_port, console_port))
        batch = await asyncio.to_thread(stack.enter_context, batch_server(state))
        service = await stack.enter_async_context(running(state))
        totp_secrets = await callcentre.register(service.ledger, centre, stage.language)
        act = ActOne(stage, service, centre, totp_secrets[callcentre.WORKER], witnesses)
        await act.play()
        await ActSsh(stage, service, centre.organisations[0], batch, folder).play()
        await ActDesktop(stage, service, centre).play(act.log_in)
        await ActTakeout(stage, service, centre.organisations[0], folder).play()
        await ActTrace(stage, service, centre.organisations[3], totp_secrets, act.log_in).play()
        if once:
            _addresses(stage, service, witnesses, ("", ""), "")
            return
        # Something for the approver to decide: a name in clear, for another client.
        await callcentre.ask_ticket(service.ledger, "T-0003", centre.organisations[2], unmask=("name",))
        players = callcentre.cast_of(centre.organisations[0])
        roles = cast_app(players, totp_secrets, _console(service), stage.language)
        host, port = await stack.enter_async_context(serving(roles, "127.0.0.1", 0, None))
        _addresses(stage, service, witnesses, await act.log_in("T-0001"), f"http://{host}:{port}/")
        await stopped.wait()


def _settings(witnesses: list[RunningWitness], postgres_port: int, console_port: int) -> Settings:
    return Settings(
        origin=ORIGIN,
        postgres_listen=f"127.0.0.1:{postgres_port}",
        console_listen=f"127.0.0.1:{console_port}",
        ssh_listen="127.0.0.1:0",
        witnesses=tuple(WitnessSetting(url=w.url, key=str(w.signer.key)) for w in witnesses),
        quorum=len(witnesses),
        bypass_seconds=1.0,  # so that the step around the checkpoint need not wait
    )


async def _call_centre(stage: Stage, stack: AsyncExitStack, persons: int) -> CallCentre:
    clients = organisations(persons)
    stage.say("Starting a PostgreSQL server …", "PostgreSQL サーバーを起動しています …")
    server = await asyncio.to_thread(stack.enter_context, postgres_server(tls=True))
    label = stage.text(
        f"{len(clients)} invented client organisations, {persons:,} persons",
        f"架空の委託元 {len(clients)} 団体、{persons:,} 人",
    )
    progress = click.progressbar(length=persons, label=label, file=sys.stderr)
    with progress as bar:
        await load(server.dsn(), clients, progress=lambda done, _: bar.update(min(done, persons) - bar.pos))
    return CallCentre(server, clients, await callcentre.make_maintenance_role(server))


def _console(service: Service) -> str:
    """By the name in its certificate that passkeys can belong to."""
    return f"https://localhost:{service.console[1]}/"


def _addresses(
    stage: Stage, service: Service, witnesses: list[RunningWitness], login: tuple[str, str], roles: str
) -> None:
    host, port = service.postgres
    console = _console(service)
    if stage.failed:
        stage.heading(f"{len(stage.failed)} steps went wrong", f"{len(stage.failed)} 件が想定外でした")
    else:
        stage.heading("Every step ended as it should.", "すべて想定どおりに終わりました。")
    rows = [
        (stage.text("console", "コンソール"), console),
        (stage.text("published log", "公開ログ"), f"{console}log/checkpoint"),
        (
            stage.text("verify it", "検証する"),
            f"sekisho verify {service.state / LOG} --log-key '{service.log_key}'",
        ),
        *((stage.text("witness", "立会人"), f"{w.url}  {w.signer.key}") for w in witnesses),
    ]
    if roles:
        rows.insert(1, (stage.text("who to be there", "コンソールの人々"), roles))
    if login[0]:
        command = (
            f"PGPASSWORD={login[1]} psql 'host={host} port={port} user={login[0]} dbname={callcentre.TARGET} "
            f"sslmode=verify-full sslrootcert={service.state / 'tls' / 'ca.pem'}'"
        )
        rows.append((stage.text("the door, for ten minutes", "入口 (10分間有効)"), command))
        rows.append((stage.text("stop", "終了"), "Ctrl-C"))
    stage.table(rows)
