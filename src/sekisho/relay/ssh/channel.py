"""A session channel of a client: a shell in a terminal is opened; everything else is answered with a sentence.

What is refused is accepted in form, for only so can a sentence reach whoever asked: it goes to standard error, the
exit status is 1, and nothing is ever started. A request that asyncssh would serve or pass over in silence is named in
`Channel`, which asyncssh finds by name (`_process_<request>_request`); what has no name there is unknown, and recorded.
"""

from collections.abc import Callable
from typing import Any, Final, Protocol

import asyncssh
from asyncssh.channel import SSHServerChannel
from asyncssh.misc import TermModes, TermSize

from sekisho.faults import Fault
from sekisho.relay.ssh.ends import ChannelEnd

REFUSED_STATUS: Final = 1
# Every OpenSSH of a distribution sends these unasked; they are ignored without a record.
_HARMLESS: Final = ("LANG", "LC_", "TERM", "COLORTERM", "NO_COLOR")


class Host(Protocol):
    """What a session channel needs of its connection."""

    def refused(self, channel: str) -> Fault:
        """Record that this was asked for; the fault that says so."""
        ...

    def words(self, fault: Fault) -> bytes:
        """The fault's sentence in the person's language, as a line."""
        ...

    def notices(self) -> list[bytes]:
        """Sentences of refusals that the protocol cannot carry, for the next terminal."""
        ...

    def begin_shell(self, session: "ClientSession") -> None:
        """A shell in a terminal was asked for."""
        ...


class ClientSession(ChannelEnd, asyncssh.SSHServerSession[bytes]):
    """The client's side of one session channel: a `Terminal`, once a shell was asked for."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._host = host
        self._shell: asyncssh.SSHServerChannel[bytes] | None = None
        self._refusal: Fault | None = None
        self.on_resize: Callable[[int, int], None] | None = None
        self.status: Callable[[], int] = lambda: 255
        self.term = ""
        self.size = (80, 24)

    # -- asyncssh -----------------------------------------------------------------------------------------------

    def connection_made(self, chan: "asyncssh.SSHServerChannel[bytes]") -> None:
        self._shell = chan
        self.attached(chan)

    def pty_requested(self, term_type: str, term_size: TermSize, term_modes: TermModes) -> bool:
        self.term = term_type[:64] or "dumb"
        self.size = (term_size[0], term_size[1])
        return True

    def terminal_size_changed(self, width: int, height: int, pixwidth: int, pixheight: int) -> None:
        self.size = (width, height)
        if self.on_resize is not None:
            self.on_resize(width, height)

    def shell_requested(self) -> bool:
        if not self.term:
            # It is what `ssh host < script` and a tunnel through cat ask for.
            self._refusal = self._host.refused("a shell without a terminal")
        return True

    def exec_requested(self, command: str) -> bool:
        self._refusal = self._host.refused("a command in place of a shell (exec, scp -O, rsync)")
        return True

    def subsystem_requested(self, subsystem: str) -> bool:
        known = subsystem if subsystem in ("sftp", "netconf") else "other"
        self._refusal = self._host.refused(f"the subsystem {known} (sftp, scp)")
        return True

    def session_started(self) -> None:
        if self._refusal is not None:
            self.refuse(self._refusal)
            return
        for line in self._host.notices():
            self.write(line)
        self._host.begin_shell(self)

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        if self._refusal is None:
            self._inbox.put(data)

    def eof_received(self) -> bool:
        return True  # the shell goes on until it ends by itself, as with OpenSSH

    # -- relay.terminal.session.Terminal ------------------------------------------------------------------------

    def close(self) -> None:
        if self._shell is not None and not self._shell.is_closing():
            self._shell.exit(self.status())
        self._inbox.end()

    # -- the door -----------------------------------------------------------------------------------------------

    def refuse(self, fault: Fault) -> None:
        """Say why nothing was opened, and end the channel."""
        if self._shell is not None and not self._shell.is_closing():
            words = self._host.words(fault)
            if self.term:
                self._shell.write(words)
            else:
                self._shell.write_stderr(words)
            self._shell.exit(REFUSED_STATUS)
        self._inbox.end()


class Channel(SSHServerChannel[bytes]):
    """A session channel that tells what was asked of it."""

    host: Host

    def _process_x11_req_request(self, packet: Any) -> bool:
        self.host.refused("X11 forwarding")
        return False

    def _process_auth_agent_req_at_openssh_dot_com_request(self, packet: Any) -> bool:  # type: ignore[override]
        self.host.refused("agent forwarding")
        return False

    def _process_env_request(self, packet: Any) -> bool:
        name = packet.get_string().decode("ascii", "replace")
        if not name.startswith(_HARMLESS):
            self.host.refused("environment variables")
        return False

    def _process_eow_at_openssh_dot_com_request(self, packet: Any) -> bool:
        return False  # the client reads no more of a stream (OpenSSH, PROTOCOL 2.1): nothing follows from it here

    def __getattr__(self, name: str) -> Any:
        # Only looked for when there is no such method: a request that nobody here knows (RFC 4254 5.4).
        if name.startswith("_process_") and name.endswith("_request"):
            self.host.refused("an unknown request on a session")
        raise AttributeError(name)
