"""The SSH door: listening, who is connected, and the one sequence of a session.

    client logged in, shell in a terminal asked for -> `admission` -> recording -> target -> `TerminalSession`

Each session channel is an admission of its own, also the second one on a connection (ControlMaster). Sessions are
tasks of the door's task group; connections are asyncssh's.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Final

import asyncssh
import structlog

from sekisho.faults import Fault, Language
from sekisho.gate.budget import subject_key
from sekisho.gate.tickets import PublishedLog
from sekisho.ledger import Ledger, Recorded
from sekisho.people.accounts import find_holder
from sekisho.people.identity import Authenticated
from sekisho.people.login import LoginDesk
from sekisho.people.ssh_keys import KeyHolder, find_key_holder
from sekisho.people.tables import find_language
from sekisho.people.throttle import record_failure
from sekisho.relay import faults as relay_faults
from sekisho.relay.admission import Admission, Admissions, Totals
from sekisho.relay.record.recordings import Recording, Recordings
from sekisho.relay.ssh.authority import TargetAuthority
from sekisho.relay.ssh.channel import ClientSession
from sekisho.relay.ssh.client import Client, Connection
from sekisho.relay.ssh.ends import open_shell
from sekisho.relay.ssh.facts import SshChannelRefused
from sekisho.relay.ssh.faults import KEY_VOID
from sekisho.relay.ssh.target import CLIENT_CIPHERS, MACS
from sekisho.relay.terminal.session import IDLE_SECONDS, TerminalSession
from sekisho.relay.terminal.volume import Volumes

DOOR: Final = "ssh"
SESSION_FAILED: Final = "relay.ssh_session_failed"  # a log event
_log: Final = structlog.get_logger()
_LOG_IN_SECONDS: Final = 60.0  # a person types a password and a code
_SHUTDOWN_SECONDS: Final = 10.0
_LINGER_SECONDS: Final = 2.0
_MOST_STARTING: Final = 100  # connections that have not logged in
_MOST_OF_ADDRESS: Final = 256  # an office shares an address
_SIGNATURES: Final = (
    "ssh-ed25519", "sk-ssh-ed25519@openssh.com", "ecdsa-sha2-nistp256", "sk-ecdsa-sha2-nistp256@openssh.com",
    "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "rsa-sha2-512", "rsa-sha2-256",
)  # fmt: skip


@dataclass(slots=True, eq=False)
class _Live:
    """A session from its admission on. `shut` also reaches one that is still being opened."""

    admission: Admission
    session: TerminalSession | None = None
    ended: tuple[Fault, str] | None = None

    def shut(self, fault: Fault, reason: str) -> None:
        self.ended = self.ended or (fault, reason)
        if self.session is not None:
            self.session.end(fault, reason)


class SshDoor:
    """Made once per listening address; `serve` runs until cancelled. Owned by the event loop's thread."""

    def __init__(
        self,
        admissions: Admissions,
        ledger: Ledger,
        published: PublishedLog,
        login: LoginDesk,
        recordings: Recordings,
        authority: TargetAuthority,
        host_key: asyncssh.SSHKey,
        subject_secret: bytes,
        *,
        volumes: Volumes | None = None,
        most_sessions: int = 1000,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._admissions = admissions
        self._ledger = ledger
        self._published = published
        self._login = login
        self._recordings = recordings
        self._authority = authority
        self._host_key = host_key
        self._subject_secret = subject_secret
        self._volumes = volumes or Volumes(ledger)
        self._most_sessions = most_sessions
        self._idle_seconds = idle_seconds
        self._clients: set[Client] = set()
        self._open: dict[str, _Live] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._group: asyncio.TaskGroup | None = None
        self._failed = False
        self.address: asyncio.Future[tuple[str, int]] = asyncio.get_running_loop().create_future()

    async def serve(self, host: str, port: int) -> None:
        """Listen, and serve until cancelled. `address` tells the port when 0 was asked for. Raises OSError."""
        loop = asyncio.get_running_loop()
        options = await asyncssh.SSHServerConnectionOptions.construct(
            server_factory=lambda: Client(self),
            server_host_keys=[self._host_key],
            config=None,
            server_version="Sekisho",
            encoding=None,
            line_editor=False,
            allow_scp=False,
            agent_forwarding=False,
            x11_forwarding=False,
            gss_host=None,
            gss_kex=False,
            gss_auth=False,
            host_based_auth=False,
            password_auth=False,
            x509_trusted_certs=None,
            encryption_algs=list(CLIENT_CIPHERS),
            mac_algs=list(MACS),
            compression_algs=["none"],
            signature_algs=list(_SIGNATURES),
            login_timeout=_LOG_IN_SECONDS,
            keepalive_interval=30,
            keepalive_count_max=4,
        )
        async with asyncio.TaskGroup() as group:
            self._group = group
            server = await loop.create_server(lambda: Connection(loop, options), host, port)
            try:
                self.address.set_result(server.sockets[0].getsockname()[:2])
                failed = await self._ledger.wait_failed()
                # Fail closed: what cannot be recorded does not pass.
                self._failed = True
                self.end_all(Fault(relay_faults.LEDGER_DOWN), "ledger")
                raise failed
            finally:
                self._failed = True
                server.close()
                self.end_all(Fault(relay_faults.SESSION_ENDED, reason="shutdown"), "shutdown")
                if self._tasks:  # they close what they opened, and record it; only then is the rest cancelled
                    await asyncio.wait(self._tasks, timeout=_SHUTDOWN_SECONDS)
                for client in list(self._clients):
                    client.close()

    # -- relay.endings.Door -------------------------------------------------------------------------------------

    def end_all(
        self, fault: Fault, reason: str, *, person: str | None = None, ticket: str | None = None
    ) -> int:
        """End the sessions of a person, of a ticket, or all; the number ended."""
        ended = 0
        for live in list(self._open.values()):
            grant = live.admission.grant
            if person in (None, grant.person) and ticket in (None, grant.ticket):
                live.shut(fault, reason)
                ended += 1
        for client in list(self._clients):
            if person in (None, client.account) and ticket in (None, client.ticket) and not client.sessions:
                client.close()
        return ended

    def end_session(self, session: str, fault: Fault, reason: str) -> bool:
        """End one session; False when it is not open at this door."""
        live = self._open.get(session)
        if live is not None:
            live.shut(fault, reason)
        return live is not None

    # -- client.Desk --------------------------------------------------------------------------------------------

    async def key_holder(self, account: str, key: bytes) -> KeyHolder | None:
        return await find_key_holder(
            self._ledger, account, key, self._published.confirms, self._published.restrictions
        )

    async def verify(self, account: str, password: str, code: str, peer: str) -> Authenticated:
        return await self._login.verify(person=account, password=password, code=code, peer=_host_of(peer))

    async def language_of(self, account: str) -> Language:
        async with self._ledger.read() as connection:
            return await find_language(connection, account)

    def opened(self, client: Client) -> bool:
        """Whether one more connection is taken."""
        mine = sum(_host_of(one.peer) == _host_of(client.peer) for one in self._clients)
        starting = sum(one.who is None for one in self._clients)
        if self._failed or mine >= _MOST_OF_ADDRESS or starting >= _MOST_STARTING:
            return False
        self._clients.add(client)
        return True

    def gone(self, client: Client) -> None:
        self._clients.discard(client)

    def record_refusal(self, client: Client, channel: str, fault: Fault) -> None:
        refused = SshChannelRefused(
            person=client.account, ticket=client.ticket, peer=client.peer, channel=channel, code=fault.code
        )
        self._record(refused, by=client.account or "sekisho", about=client.ticket or "ssh")

    def record_failure(self, client: Client) -> None:
        self._spawn(self._record_failure(client.account, client.peer))

    def begin_shell(self, client: Client, session: ClientSession) -> None:
        client.sessions += 1
        self._spawn(self._session(client, session))

    # -- one session --------------------------------------------------------------------------------------------

    async def _session(self, client: Client, session: ClientSession) -> None:
        try:
            await self._serve_session(client, session)
        except Fault as fault:
            session.refuse(fault)
        except Exception:
            # A mistake of ours ends this session, not the door: the others go on.
            _log.exception(SESSION_FAILED, peer=client.peer)
        finally:
            session.close()
            client.sessions -= 1
            client.left_alone()

    async def _serve_session(self, client: Client, session: ClientSession) -> None:
        if client.who is None or self._failed:
            raise Fault(relay_faults.LEDGER_DOWN)
        if len(self._open) >= self._most_sessions:
            raise Fault(relay_faults.BUSY, limit=self._most_sessions)
        if not await client.still_good():
            raise Fault(KEY_VOID, key=client.how)
        entrant = await self._admissions.entrant(client.who, client.ticket)
        told = f"{client.version} {client.how}"
        admission = await self._admissions.admit(
            entrant, door=DOOR, peer=client.peer, tls=client.cipher, client=told
        )
        live = _Live(admission)
        self._open[admission.session] = live
        totals = Totals("refused", 0, 0)
        try:
            # Now that whoever ends sessions finds this one: what ended between the decision and this line?
            await self._admissions.decide_again(admission)
            totals = await self._recorded(live, session)
        finally:
            del self._open[admission.session]
            await self._admissions.leave(admission, totals)

    async def _recorded(self, live: _Live, session: ClientSession) -> Totals:
        admission = live.admission
        width, height = session.size
        recording = await self._recordings.open(
            admission.session,
            person=admission.grant.person,
            ticket=admission.grant.ticket,
            organisation=admission.grant.organisation,
            kind=DOOR,
            title=admission.grant.target,
            width=width,
            height=height,
        )
        try:
            return await self._run(live, session, recording)
        finally:
            await _close(recording)

    async def _run(self, live: _Live, session: ClientSession, recording: Recording) -> Totals:
        admission = live.admission
        width, height = session.size
        terminal = TerminalSession(
            admission,
            recording,
            self._ledger,
            subject_key=subject_key(self._subject_secret, admission.grant.organisation),
            siblings=lambda: self._admissions.book.siblings(admission.meter),
            day=await self._volumes.of(admission.grant.person),
            width=width,
            height=height,
            idle_seconds=self._idle_seconds,
        )
        live.session = terminal
        if live.ended is not None:
            terminal.end(*live.ended)
        session.on_resize = terminal.resized
        shell = await open_shell(
            admission, width, height, authority=self._authority, ledger=self._ledger, term=session.term
        )
        try:
            session.status = lambda: shell.status
            return await terminal.run(shell, session)
        finally:
            await shell.closed_within(_LINGER_SECONDS)

    # -- facts --------------------------------------------------------------------------------------------------

    def _record(self, fact: SshChannelRefused, *, by: str, about: str) -> None:
        try:
            future = self._ledger.record_soon(fact, by=by, about=about)
        except Fault:
            return  # the ledger has failed: `serve` ends everything
        future.add_done_callback(_taken)

    async def _record_failure(self, account: str, peer: str) -> None:
        async with self._ledger.read() as connection:
            holder = await find_holder(connection, account)
        try:
            await record_failure(
                self._ledger, account=account if holder else "", peer=_host_of(peer), reason="ssh"
            )
        except Fault as fault:
            _log.error(SESSION_FAILED, peer=peer, code=fault.code)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        if self._group is None:
            raise RuntimeError("the door does not serve")
        task = self._group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _close(recording: Recording) -> None:
    try:
        await recording.close()
    except Fault as fault:
        # The session has ended for it already; the next start recovers the recording.
        _log.error(SESSION_FAILED, recording=recording.recording, code=fault.code)


def _taken(done: "asyncio.Future[Recorded]") -> None:
    if not done.cancelled():
        done.exception()


def _host_of(peer: str) -> str:
    """ "192.0.2.7" of "192.0.2.7:51234"."""
    return peer.rpartition(":")[0]
