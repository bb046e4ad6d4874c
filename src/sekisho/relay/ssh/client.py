"""One client's connection: how its person logs in, and what is refused on it.

    key        offered -> `people.ssh_keys` finds it in the published log -> asyncssh verifies the signature -> proof
    password   keyboard-interactive: password and one-time code -> `people.login` -> proof

Only session channels are opened, and on them only shells (`channel.py`). Every other channel and global request is
refused and recorded; asyncssh finds the handlers of a connection by name (`_process_<kind>_open`,
`_process_<request>_global_request`), so what has no name there is unknown, and recorded as such.
"""

import asyncio
from typing import Any, Final, Protocol

import asyncssh
import structlog
from asyncssh.auth import KbdIntChallenge, KbdIntResponse
from asyncssh.constants import MSG_IGNORE

from sekisho.faults import Fault, Language
from sekisho.people import faults as people_faults
from sekisho.people.identity import Authenticated
from sekisho.people.ssh_keys import KeyHolder
from sekisho.people.tokens import split_login
from sekisho.relay.ssh.channel import Channel, ClientSession
from sekisho.relay.ssh.faults import CHANNEL_REFUSED

_MOST_TRIES: Final = 8  # keys and passwords in one connection; OpenSSH allows six of each kind
_WITHOUT_SESSION_SECONDS: Final = 60.0
CLIENT_FAILED: Final = "relay.ssh_client_failed"  # a log event
_log: Final = structlog.get_logger()


class Desk(Protocol):
    """What a connection asks of its door."""

    async def key_holder(self, account: str, key: bytes) -> KeyHolder | None: ...
    async def verify(self, account: str, password: str, code: str, peer: str) -> Authenticated: ...
    async def language_of(self, account: str) -> Language: ...
    def opened(self, client: "Client") -> bool: ...
    def gone(self, client: "Client") -> None: ...
    def record_refusal(self, client: "Client", channel: str, fault: Fault) -> None: ...
    def record_failure(self, client: "Client") -> None: ...
    def begin_shell(self, client: "Client", session: ClientSession) -> None: ...


class Client(asyncssh.SSHServer):
    """asyncssh's callbacks for one connection. Owned by the event loop's thread."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._connection: Connection | None = None
        self._holder: tuple[str, KeyHolder] | None = None  # login name, and whose key was found good for it
        self._blob = b""
        self._tries = 0
        self._refused: set[str] = set()
        self._notices: list[Fault] = []
        self._alone: asyncio.TimerHandle | None = None
        self.account = self.ticket = self.peer = ""
        self.who: Authenticated | None = None
        self.how = ""
        self.language: Language = "en"
        self.sessions = 0  # that run
        self.no_more_sessions = False

    @property
    def cipher(self) -> str:
        """ "SSH-2.0 aes128-gcm@openssh.com"."""
        return f"SSH-2.0 {self._extra('send_cipher')}"

    @property
    def version(self) -> str:
        return str(self._extra("client_version"))[:64]

    def close(self) -> None:
        if self._connection is not None:
            self._connection.disconnect(asyncssh.DISC_BY_APPLICATION, "closed by the checkpoint")

    def left_alone(self) -> None:
        """No session runs: whoever only holds the connection open loses it."""
        if self._alone is not None:
            self._alone.cancel()
        if not self.sessions:
            self._alone = asyncio.get_running_loop().call_later(_WITHOUT_SESSION_SECONDS, self._close_alone)

    def _close_alone(self) -> None:
        if not self.sessions:
            self.close()

    def _extra(self, name: str) -> Any:
        return self._connection.get_extra_info(name, "") if self._connection is not None else ""

    # -- the connection -----------------------------------------------------------------------------------------

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        if not isinstance(conn, Connection):
            raise TypeError("a door's connections are its own")
        self._connection = conn
        conn.client = self
        address = conn.get_extra_info("peername")
        self.peer = f"{address[0]}:{address[1]}" if isinstance(address, tuple) else ""
        if not self._desk.opened(self):
            conn.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._alone is not None:
            self._alone.cancel()
        if self.who is None and self._tries:
            self._desk.record_failure(self)
        self._desk.gone(self)
        if isinstance(exc, Exception) and not isinstance(exc, OSError | asyncssh.Error):
            _log.error(CLIENT_FAILED, peer=self.peer, kind=type(exc).__name__)

    # -- log-in -------------------------------------------------------------------------------------------------

    def begin_auth(self, username: str) -> bool:
        names = split_login(username)
        self.account, self.ticket = names or ("", "")
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    async def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        """Whether this key may log in; asyncssh asks again with the signature, and verifies that itself."""
        if (
            self._holder is not None
            and self._holder[0] == username
            and self._holder[1].is_of(key.public_data)
        ):
            return True
        self._try()
        holder = await self._desk.key_holder(self.account, key.public_data) if self.account else None
        self._holder = (username, holder) if holder else None
        self._blob = key.public_data
        return holder is not None

    async def still_good(self) -> bool:
        """Whether the key that logged in would log in now: a connection can outlive it."""
        return self.how == "password" or await self._desk.key_holder(self.account, self._blob) is not None

    def password_auth_supported(self) -> bool:
        return False

    def kbdint_auth_supported(self) -> bool:
        return True

    def get_kbdint_challenge(self, username: str, lang: str, submethods: str) -> KbdIntChallenge:
        self._try()
        self._holder = None
        return "", "", "", [("Password: ", False), ("One-time code: ", False)]

    async def validate_kbdint_response(self, username: str, responses: KbdIntResponse) -> KbdIntChallenge:
        if len(responses) != 2:
            return False
        try:
            self.who = await self._desk.verify(self.account, responses[0], responses[1].strip(), self.peer)
        except Fault as fault:
            if fault.kind in (people_faults.LOGIN_REFUSED, people_faults.TOO_MANY_FAILURES):
                return False
            raise asyncssh.DisconnectError(asyncssh.DISC_BY_APPLICATION, fault.code) from fault
        self.how = "password"
        return True

    async def auth_completed(self) -> None:
        if self.who is None and self._holder is not None:
            login, holder = self._holder
            if login == self._extra("username"):
                self.who = holder.proven(self.peer)
                self.how = holder.key
        if self.who is None or self.who.account != self.account:
            # Not reached while asyncssh does what it says.
            raise asyncssh.DisconnectError(asyncssh.DISC_NO_MORE_AUTH_METHODS_AVAILABLE, "not logged in")
        self.language = await self._desk.language_of(self.account)
        self.left_alone()

    def _try(self) -> None:
        self._tries += 1
        if self._tries > _MOST_TRIES:
            raise asyncssh.DisconnectError(
                asyncssh.DISC_NO_MORE_AUTH_METHODS_AVAILABLE, "Too many authentication failures"
            )

    # -- what may be opened -------------------------------------------------------------------------------------

    def session_requested(self) -> "tuple[Channel, ClientSession]":
        if self._connection is None or self.who is None or self.no_more_sessions:
            raise self._open_refused("a further session")
        session = ClientSession(self)
        channel = self._connection.create_server_channel()
        channel.host = self
        return channel, session

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:
        raise self._open_refused("local forwarding (-L, -D, -W, -J)")

    def unix_connection_requested(self, dest_path: str) -> bool:
        raise self._open_refused("local forwarding to a socket (-L)")

    def tun_requested(self, unit: int | None) -> bool:
        raise self._open_refused("a tunnel device (-w)")

    def tap_requested(self, unit: int | None) -> bool:
        raise self._open_refused("a tunnel device (-w)")

    def server_requested(self, listen_host: str, listen_port: int) -> bool:
        self._notice("remote forwarding (-R)")
        return False

    def unix_server_requested(self, listen_path: str) -> bool:
        self._notice("remote forwarding of a socket (-R)")
        return False

    def _open_refused(self, what: str) -> asyncssh.ChannelOpenError:
        # In English: OpenSSH prints the reason of a refused channel with every other character escaped.
        fault = self.refused(what)
        return asyncssh.ChannelOpenError(
            asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, f"{fault.code}: {fault.sentence('en')}"
        )

    def _notice(self, what: str) -> None:
        fault = self.refused(what)
        if len(self._notices) < 8:
            self._notices.append(fault)

    # -- channel.Host -------------------------------------------------------------------------------------------

    def refused(self, channel: str) -> Fault:
        fault = Fault(CHANNEL_REFUSED, what=channel, ticket=self.ticket)
        if channel not in self._refused and len(self._refused) < 32:
            self._refused.add(channel)
            self._desk.record_refusal(self, channel, fault)
        return fault

    def words(self, fault: Fault) -> bytes:
        return f"{fault.code}: {fault.sentence(self.language)}\r\n".encode()

    def notices(self) -> list[bytes]:
        waiting, self._notices = self._notices, []
        return [self.words(fault) for fault in waiting]

    def begin_shell(self, session: ClientSession) -> None:
        self._desk.begin_shell(self, session)


class Connection(asyncssh.SSHServerConnection):
    """A connection that tells what was asked of it, beside what `asyncssh.SSHServer` is told."""

    client: Client

    def create_server_channel(
        self, encoding: str | None = None, errors: str = "strict", window: int = 0, max_pktsize: int = 0
    ) -> Channel:
        return Channel(
            self, self._loop, True, False, False, 0, 0, None, errors, self._window, self._max_pktsize
        )

    def send_packet(self, pkttype: int, *args: bytes, handler: Any = None) -> None:
        # asyncssh sends an empty message before each one, with a system call of its own, against an attack on CBC
        # (RFC 4251 9.3.1). The door's ciphers are all authenticated ones.
        if pkttype != MSG_IGNORE:
            super().send_packet(pkttype, *args, handler=handler)

    def _process_no_more_sessions_at_openssh_dot_com_global_request(self, packet: Any) -> None:
        # OpenSSH, PROTOCOL 2.2: a client that will ask for no other session says so, and is held to it.
        self.client.no_more_sessions = True
        self._report_global_response(True)

    def __getattr__(self, name: str) -> Any:
        # Only looked for when there is no such method: a channel or request that nobody here knows (RFC 4254 4, 5.1).
        if name.startswith("_process_") and name.endswith(("_open", "_global_request")):
            self.__dict__["client"].refused(
                "an unknown channel" if name.endswith("_open") else "an unknown global request"
            )
        raise AttributeError(name)
