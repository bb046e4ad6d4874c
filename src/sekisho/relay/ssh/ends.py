"""SSH channels as the two ends of a terminal session.

asyncssh calls back with data; a session reads. Between them stands a bounded buffer: beyond `_UNREAD` bytes the
channel is paused, and its window closes.
"""

import asyncio
from typing import Final

import asyncssh
from asyncssh.channel import SSHChannel

from sekisho.faults import Fault
from sekisho.ledger import Ledger
from sekisho.relay.admission import Admission
from sekisho.relay.faults import TARGET_DOWN
from sekisho.relay.ssh.authority import TargetAuthority
from sekisho.relay.ssh.target import open_target

_UNREAD: Final = 256 << 10
_AT_ONCE: Final = 128 << 10  # of one session before the others have their turn: about 2 ms
WRITE_HIGH: Final = 128 << 10


class Inbox:
    """What came on a channel and was not read yet. Owned by the event loop's thread."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self._over = False
        self._paused = False
        self._waiter: asyncio.Future[None] | None = None
        self._channel: SSHChannel[bytes] | None = None

    def attach(self, channel: "SSHChannel[bytes]") -> None:
        self._channel = channel

    def put(self, data: bytes) -> None:
        self._pieces.append(data)
        self._size += len(data)
        if self._size > _UNREAD and not self._paused and self._channel is not None:
            self._paused = True
            self._channel.pause_reading()
        self._wake()

    def end(self) -> None:
        self._over = True
        self._wake()

    async def get(self) -> bytes:
        """Some of what came since the last call; empty at the end."""
        if self._pieces:
            await asyncio.sleep(0)
        while not self._pieces and not self._over:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces = [data[_AT_ONCE:]] if len(data) > _AT_ONCE else []
        data = data[:_AT_ONCE]
        self._size -= len(data)
        if self._paused and self._size <= _AT_ONCE and self._channel is not None:
            self._paused = False
            self._channel.resume_reading()
        return data

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Outlet:
    """Whether a channel takes more."""

    def __init__(self) -> None:
        self._full: asyncio.Future[None] | None = None

    def pause(self) -> None:
        if self._full is None:
            self._full = asyncio.get_running_loop().create_future()

    def resume(self) -> None:
        if self._full is not None:
            if not self._full.done():
                self._full.set_result(None)
            self._full = None

    async def drain(self) -> None:
        if self._full is not None:
            await asyncio.shield(self._full)


class ChannelEnd:
    """What both ends are: a channel that is read as fast as a session takes it, and written as fast as it goes on.

    Stands before asyncssh's session class among the bases: what that calls back is answered here."""

    def __init__(self) -> None:
        self._inbox = Inbox()
        self._outlet = Outlet()
        self._channel: SSHChannel[bytes] | None = None

    def attached(self, channel: "SSHChannel[bytes]") -> None:
        self._channel = channel
        channel.set_write_buffer_limits(high=WRITE_HIGH)
        self._inbox.attach(channel)

    def connection_lost(self, exc: Exception | None) -> None:
        self._inbox.end()
        self._outlet.resume()

    def pause_writing(self) -> None:
        self._outlet.pause()

    def resume_writing(self) -> None:
        self._outlet.resume()

    # -- relay.terminal.session.Terminal ------------------------------------------------------------------------

    async def read(self) -> bytes:
        return await self._inbox.get()

    def write(self, data: bytes) -> None:
        if self._channel is not None and not self._channel.is_closing():
            self._channel.write(data)

    async def drain(self) -> None:
        await self._outlet.drain()


async def open_shell(
    admission: Admission,
    width: int,
    height: int,
    *,
    authority: TargetAuthority,
    ledger: Ledger,
    term: str = "xterm-256color",
) -> "TargetShell":
    """A shell on the target of an admitted session. Raises Fault TARGET_DOWN, or HOST_KEY_REFUSED."""
    connection = await open_target(admission, authority, ledger)
    shell = TargetShell(connection)
    try:
        await connection.create_session(
            lambda: shell, term_type=term, term_size=(width, height), encoding=None, request_pty="force"
        )
    except BaseException as error:
        connection.abort()
        if isinstance(error, asyncssh.Error | OSError):
            name = type(error).__name__
            raise Fault(TARGET_DOWN, target=admission.grant.target, reason=name) from error
        raise
    return shell


class TargetShell(ChannelEnd, asyncssh.SSHClientSession[bytes]):
    """A shell in a terminal on a target: an `Upstream`. Made by `open_shell`."""

    def __init__(self, connection: asyncssh.SSHClientConnection) -> None:
        super().__init__()
        self._connection = connection
        self._shell: asyncssh.SSHClientChannel[bytes] | None = None
        self.status = 255  # what `ssh` itself exits with when a connection breaks

    # -- asyncssh -----------------------------------------------------------------------------------------------

    def connection_made(self, chan: "asyncssh.SSHClientChannel[bytes]") -> None:
        self._shell = chan
        self.attached(chan)

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        self._inbox.put(data)

    def exit_status_received(self, status: int) -> None:
        self.status = status

    def eof_received(self) -> bool:
        return False

    # -- relay.terminal.session.Upstream ------------------------------------------------------------------------

    def resize(self, width: int, height: int) -> None:
        if self._shell is not None and not self._shell.is_closing():
            self._shell.change_terminal_size(width, height)

    def close(self) -> None:
        self._connection.close()

    async def closed_within(self, seconds: float) -> None:
        """Return when the connection is gone; after `seconds` it is not waited for."""
        self._connection.close()
        try:
            async with asyncio.timeout(seconds):
                await self._connection.wait_closed()
        except TimeoutError:
            self._connection.abort()
