"""One running checkpoint.

Opened in this order, closed in reverse: ledger -> publisher -> login desk and admissions -> PostgreSQL door ->
console. A part that cannot start as configured stops the start; when the ledger fails, everything ends.
"""

import asyncio
import secrets
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import httpx2
import structlog

from sekisho.console.app import console_app, remembering
from sekisho.console.house import SCOPES, House
from sekisho.evidence.note import NoteSigner, VerifierKey, parse_key
from sekisho.evidence.policy import Policy
from sekisho.faults import Fault
from sekisho.gate.decide import JST, WORKSPACE
from sekisho.ledger import KeyRing, Ledger, Publisher
from sekisho.ledger.publisher import Answers, Prove
from sekisho.notify.addresses import parse_address
from sekisho.notify.channels import Channels
from sekisho.notify.notices import Notices
from sekisho.notify.outbox import Outbox
from sekisho.people.api_tokens import ApiTokens
from sekisho.people.challenges import Challenges
from sekisho.people.links import LinkDesk
from sekisho.people.login import LoginDesk
from sekisho.people.openid import OpenIdDesk
from sekisho.people.passkeys import PasskeyDesk
from sekisho.people.sessions import Sessions
from sekisho.people.throttle import Throttle
from sekisho.register.erasure import sweep
from sekisho.relay.admission import Admissions
from sekisho.relay.browser import BrowserDoor
from sekisho.relay.endings import end_of_persons, end_of_restrained, end_of_tickets
from sekisho.relay.postgres.door import PostgresDoor, ServerTls
from sekisho.relay.postgres.sensor import Sensor
from sekisho.relay.record.reading import recover
from sekisho.relay.record.recordings import Recordings
from sekisho.relay.ssh.authority import TargetAuthority, load_key
from sekisho.relay.ssh.door import DOOR as SSH_DOOR
from sekisho.relay.ssh.door import SshDoor
from sekisho.relay.ssh.ends import open_shell
from sekisho.relay.ssh.target import open_target
from sekisho.relay.terminal.volume import Volumes
from sekisho.relay.workspace.rooms import Workspaces
from sekisho.service.certificates import Certificates, write_private
from sekisho.service.faults import CANNOT_LISTEN, STATE_EXISTS
from sekisho.service.openid import providers
from sekisho.service.published import LogFolder
from sekisho.service.settings import SETTINGS_FILE, Settings, read_settings, split_address, write_settings
from sekisho.service.watch_process import Orders
from sekisho.service.watching import Watching
from sekisho.service.web import bound, serving
from sekisho.takeout.asking import Counter
from sekisho.takeout.channels import Deliveries
from sekisho.takeout.custody import raise_overdue
from sekisho.takeout.desk import TakeoutDesk
from sekisho.takeout.links import Links
from sekisho.takeout.marking import master_key
from sekisho.takeout.packages import Packages
from sekisho.takeout.signatures import Relying
from sekisho.takeout.telling import tell as tell_of_takeouts
from sekisho.takeout.whose import Fingerprints
from sekisho.trace.desk import TraceDesk
from sekisho.trace.release import KeyDesk
from sekisho.watch.ending import end_of_responses
from sekisho.watch.export.exporter import Exporter
from sekisho.watch.ingest.intake import Intake
from sekisho.watch.ingest.listener import SyslogListener
from sekisho.watch.telling import telling as telling_of
from sekisho.watch.watcher import Watcher
from sekisho.witness.client import WitnessClient, collect
from sekisho.witness.faults import CONTRADICTED, WITNESS_AHEAD

LOG: Final = "log"
LOG_KEY: Final = "log.key"
DATABASE: Final = "ledger.sqlite"
KEYS: Final = "keys"
WORKSPACES: Final = "workspaces"
RECORDINGS: Final = "recordings"
TLS: Final = "tls"
WATCH: Final = "watch"
TAKEOUTS: Final = "takeouts"
DELIVERIES: Final = "deliveries"
TRACE: Final = "trace"
TRACE_KEYS: Final = "trace-keys"
TRACE_LISTS: Final = "trace-lists"
SSH: Final = "ssh"
SSH_HOST_KEY: Final = "ssh/host_ed25519"
SSH_AUTHORITY: Final = "ssh/authority"
_SWITCH_SECONDS: Final = 0.5e-3
_CLOSE_SECONDS: Final = 5.0
DOOR_SECRET: Final = "door.secret"  # noqa: S105 (a file's name)


ALARM: Final = "service.alarm"  # a log event
_log: Final = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Service:
    """A checkpoint that runs. Addresses are (host, port) as they really are."""

    state: Path
    settings: Settings
    ledger: Ledger
    publisher: Publisher
    door: PostgresDoor
    browser: BrowserDoor
    rooms: Workspaces
    counter: Counter
    deliveries: Deliveries
    parcels: Links
    takeouts: TakeoutDesk
    packages: Packages
    traces: TraceDesk
    recordings: Recordings
    log_key: VerifierKey
    postgres: tuple[str, int]
    console: tuple[str, int]
    ssh: tuple[str, int] | None
    ssh_door: SshDoor | None
    syslog: tuple[str, int] | None = None
    watching: Watching | None = None  # None: in this process


def create_state(state: Path, settings: Settings) -> VerifierKey:
    """Make a state folder with its keys; the log's public key. Raises Fault STATE_EXISTS."""
    if (state / SETTINGS_FILE).exists():
        raise Fault(STATE_EXISTS, path=state)
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    signer = NoteSigner.load(state / LOG_KEY, settings.origin)
    write_settings(state, settings)
    return signer.key


@asynccontextmanager
async def open_ledger(state: Path, settings: Settings) -> AsyncIterator[Ledger]:
    """The ledger of a state folder, for a service or for a command beside it."""
    ledger = await Ledger.open(ledger_url(state, settings), keys=KeyRing(state / KEYS))
    try:
        yield ledger
    finally:
        await ledger.close()


def ledger_url(state: Path, settings: Settings) -> str:
    return f"sqlite:///{state / DATABASE}" if settings.ledger == "sqlite" else settings.ledger


@asynccontextmanager
async def running(
    state: Path, *, publish_seconds: float = 1.0, watch_apart: bool = True
) -> AsyncIterator[Service]:
    """Run the checkpoint of a state folder while the block runs; it publishes about every `publish_seconds`.

    `watch_apart` False keeps the watch in this process: for tests that start many checkpoints.
    Raises Fault when a part cannot start."""
    # The doors give up the interpreter at every system call; the ledger's writer would keep it for 5 ms each time.
    sys.setswitchinterval(_SWITCH_SECONDS)
    settings = read_settings(state)
    signer = NoteSigner.load(state / LOG_KEY, settings.origin)
    certificates = Certificates(state / TLS, settings.names)
    secret = secret_of(state)
    async with (
        open_ledger(state, settings) as ledger,
        httpx2.AsyncClient() as http,
        providers(ledger, state, settings.openid) as openid,
    ):
        policy, cosigner = _witnesses(settings, signer.key, http)
        publisher = Publisher(
            ledger,
            state / LOG,
            signer,
            policy=policy,
            cosigner=cosigner,
            interval=publish_seconds,
            fatal=(CONTRADICTED, WITNESS_AHEAD),
        )
        published = LogFolder(ledger, state / LOG, signer.key)
        admissions = Admissions(ledger, published, secret)
        recordings = Recordings(ledger, state / RECORDINGS)
        await recover(ledger, state / RECORDINGS)
        volumes = Volumes(ledger)
        browser = BrowserDoor(admissions, ledger, secret, recordings, volumes)
        quota = settings.workspace_quota_mib << 20
        memory = settings.workspace_memory_mib << 20
        rooms = Workspaces(
            ledger, admissions, state / WORKSPACES, secret, volumes, quota=quota, memory=memory
        )
        browser.openers[WORKSPACE] = rooms.terminal
        browser.desktop = rooms.desktop
        tls = ServerTls(certificates.server_context(), certificates.server_der())
        door = PostgresDoor(admissions, ledger, secret, tls=tls if settings.postgres_tls else None)
        host, port = split_address(settings.console_listen)
        listening = bound(host, port)
        house = _house(
            ledger,
            state,
            signer.key,
            published,
            door,
            browser,
            rooms,
            recordings,
            secret,
            settings,
            listening.getsockname()[1],
            openid,
        )
        ssh_door = None
        if settings.ssh_listen:
            (state / SSH).mkdir(exist_ok=True, mode=0o700)
            authority = TargetAuthority(load_key(state / SSH_AUTHORITY), bind_source=settings.ssh_bind_source)
            ssh_door = SshDoor(
                admissions,
                ledger,
                published,
                house.login,
                recordings,
                authority,
                load_key(state / SSH_HOST_KEY),
                secret,
                volumes=volumes,
            )
            rooms.opener = partial(open_target, authority=authority, ledger=ledger)
            browser.openers[SSH_DOOR] = partial(open_shell, authority=authority, ledger=ledger)
            house = replace(house, doors=(*house.doors, ssh_door))
        intake = Intake(ledger, secret)
        exporters = [Exporter(ledger, export, settings.origin) for export in settings.watch.exports]
        house = replace(house, intake=intake, exports=tuple(one.standing for one in exporters))
        outbox = Outbox(
            ledger,
            house.notices,
            Channels(settings.notify.smtp, http),
            house=[parse_address(alarm) for alarm in settings.notify.alarms],
            console=house.url,
            origin=settings.origin,
        )
        app = console_app(house)
        async with (
            asyncio.TaskGroup() as group,
            serving(app, host, port, certificates, listening=listening) as console,
        ):
            publisher.on_alarm(lambda fault: _log.error(ALARM, code=fault.code, reason=fault.sentence("en")))
            publishing = group.create_task(_publish(publisher))
            sweeping = group.create_task(_sweep_hourly(ledger))
            watching = [
                group.create_task(watch(ledger, house.doors))
                for watch in (end_of_persons, end_of_restrained, end_of_tickets, end_of_responses)
            ]
            if settings.bypass_seconds > 0:
                sensor = Sensor(ledger, seconds=settings.bypass_seconds, expected=settings.bypass_expected)
                watching.append(group.create_task(sensor.run()))
            telling = group.create_task(outbox.run())
            watched = _watch(ledger, state, settings, house.notices) if watch_apart else None
            watching.append(
                group.create_task(
                    watched.run() if watched else _watch_here(ledger, state, settings, house.notices)
                )
            )
            postgres = group.create_task(_listen(door.serve, settings.postgres_listen))
            listened = [postgres]
            if ssh_door is not None:
                listened.append(group.create_task(_listen(ssh_door.serve, settings.ssh_listen)))
            syslog = None
            if settings.watch.syslog_listen:
                syslog = SyslogListener(intake, certificates.server, certificates.key)
                listened.append(group.create_task(_listen(syslog.serve, settings.watch.syslog_listen)))
            watching.append(group.create_task(tell_of_takeouts(ledger, house.notices)))
            watching.append(group.create_task(house.counter.run()))
            watching.append(group.create_task(_watch_custody(ledger)))
            watching.append(group.create_task(house.traces.run()))
            watching += [group.create_task(one.run()) for one in exporters]
            housing = group.create_task(rooms.run())
            try:
                yield Service(
                    state=state,
                    settings=settings,
                    ledger=ledger,
                    publisher=publisher,
                    door=door,
                    browser=browser,
                    rooms=rooms,
                    counter=house.counter,
                    deliveries=house.deliveries,
                    parcels=house.parcels,
                    takeouts=house.takeouts,
                    packages=house.packages,
                    traces=house.traces,
                    recordings=recordings,
                    log_key=signer.key,
                    postgres=await _first(door.address, postgres),
                    ssh=await _first(ssh_door.address, listened[1]) if ssh_door is not None else None,
                    ssh_door=ssh_door,
                    syslog=await _first(syslog.address, listened[-1]) if syslog is not None else None,
                    console=console,
                    watching=watched,
                )
            finally:
                house.closing.set()
                for task in (ending := [*watching, sweeping, telling, *listened]):
                    task.cancel()
                await asyncio.wait(ending)
                await browser.close(_CLOSE_SECONDS)
                housing.cancel()  # after the terminals: what they saved is written back
                await asyncio.wait([housing])
                publisher.stop()  # publishes what the closing sessions recorded
                await asyncio.wait([publishing])


async def _publish(publisher: Publisher) -> None:
    """Publish until told to stop. A history that contradicts itself ends the checkpoint: nothing more may pass."""
    await publisher.run()
    if publisher.stopped is not None:
        raise publisher.stopped


async def _sweep_hourly(ledger: Ledger) -> None:
    """Record the erasures that ended contracts have made due; the locks themselves need no sweep."""
    while True:
        await sweep(ledger, datetime.now(JST).date())
        await asyncio.sleep(3600)


async def _watch_custody(ledger: Ledger) -> None:
    while True:
        await raise_overdue(ledger, datetime.now(UTC))
        await asyncio.sleep(60)


async def _first(address: "asyncio.Future[tuple[str, int]]", task: "asyncio.Task[None]") -> tuple[str, int]:
    """The address, unless the task that makes it fails first."""
    waited: list[asyncio.Future[object]] = [address, task]  # type: ignore[list-item]
    await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
    if not address.done():
        task.result()
    return await address


def _watch(ledger: Ledger, state: Path, settings: Settings, notices: Notices) -> Watching:
    orders = Orders(
        ledger=ledger_url(state, settings),
        keys=str(state / KEYS),
        folder=str(state / WATCH),
        watch=settings.watch,
        house=len(settings.notify.alarms),
        logs=structlog.is_configured(),
    )
    return Watching(ledger, notices, orders)


async def _watch_here(ledger: Ledger, state: Path, settings: Settings, notices: Notices) -> None:
    await Watcher(ledger, state / WATCH, telling_of(notices), settings.watch).run()


async def _listen(serve: Callable[[str, int], Awaitable[None]], address: str) -> None:
    try:
        await serve(*split_address(address))
    except OSError as error:
        raise Fault(CANNOT_LISTEN, address=address, reason=error.strerror) from error


def relying_of(settings: Settings, port: int) -> Relying:
    """A passkey belongs to a host name, never to an address (WebAuthn 5.1.2): the first name of the settings that is
    one."""
    hosts = [name for name in settings.names if not name.replace(".", "").isdigit() and ":" not in name] or [
        "localhost"
    ]
    return Relying(hosts[0], [f"https://{name}{'' if port == 443 else f':{port}'}" for name in hosts])


def _house(
    ledger: Ledger,
    state: Path,
    key: VerifierKey,
    published: LogFolder,
    door: PostgresDoor,
    browser: BrowserDoor,
    rooms: Workspaces,
    recordings: Recordings,
    secret: bytes,
    settings: Settings,
    port: int,
    openid: Callable[[str, Throttle], tuple[OpenIdDesk, ...]],
) -> House:
    """What the console is given."""
    throttle = Throttle(time.time)
    relying = relying_of(settings, port)
    takeouts = TakeoutDesk(ledger, state / LOG, key, relying)
    packages = Packages(state / TAKEOUTS)
    traces = TraceDesk(
        ledger, state / TRACE, state / TRACE_LISTS, KeyDesk(ledger, state / TRACE_KEYS), secret=secret
    )
    keys = Path(settings.takeout_trace_keys) if settings.takeout_trace_keys else None
    deliveries = Deliveries(ledger, takeouts, packages, state / DELIVERIES)
    counter = Counter(
        ledger, takeouts, packages, rooms, Fingerprints(state / TRACE, keys), master_key(state / TAKEOUTS)
    )
    return House(
        ledger=ledger,
        log=state / LOG,
        key=key,
        confirms=remembering(published.confirms),
        login=LoginDesk(ledger, secret, throttle=throttle),
        passkeys=PasskeyDesk(ledger, rp_id=relying.rp_id, origins=relying.origins, throttle=throttle),
        links=LinkDesk(ledger, throttle=throttle),
        sessions=Sessions(ledger),
        tokens=ApiTokens(ledger, SCOPES),
        unconfirmed=Challenges(time.time),
        notices=Notices(ledger, house=len(settings.notify.alarms)),
        url=relying.origins[0],
        openid=openid(relying.origins[0], throttle),
        browser=browser,
        recordings=recordings,
        rooms=rooms,
        takeouts=takeouts,
        packages=packages,
        counter=counter,
        deliveries=deliveries,
        parcels=Links(deliveries, throttle),
        traces=traces,
        doors=(door, browser, rooms, counter),
    )


def _witnesses(
    settings: Settings, log: VerifierKey, http: httpx2.AsyncClient
) -> tuple[Policy | None, Callable[[bytes, Prove], Awaitable[Answers]] | None]:
    if not settings.witnesses:
        return None, None
    keys = [parse_key(witness.key) for witness in settings.witnesses]
    clients = [
        WitnessClient(http, witness.url, key) for witness, key in zip(settings.witnesses, keys, strict=True)
    ]

    def ask(note: bytes, prove: Prove) -> Awaitable[Answers]:
        return collect(clients, note, prove)

    return Policy.of_keys([log], keys, settings.quorum), ask


def secret_of(state: Path) -> bytes:
    """The 32 bytes from which door tokens, tokens of log sources and subject numbers are derived; made when first
    asked for."""
    path = state / DOOR_SECRET
    if not path.exists():
        write_private(path, secrets.token_bytes(32))
    return path.read_bytes()
