"""Terminals over WebSockets: who may open one, and its two directions.

A browser sends the session's cookie with every WebSocket and asks no page for leave (RFC 6455 10.2). So the guard
refuses another origin, and a socket opens only for a pass that a page of the same session asked for with its form
token: one pass, one socket, for one purpose, within half a minute.

Binary messages are the terminal's bytes. Text messages are JSON: the window's size from the browser; what was opened,
why it ended, or a fault, to it.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec
from fastapi import WebSocket, WebSocketDisconnect

from sekisho.console import faults
from sekisho.console.house import House, SocketPass
from sekisho.console.viewer import Viewer, find_viewer
from sekisho.faults import Fault
from sekisho.relay.admission import Admission
from sekisho.relay.record.recordings import Recording

PASS_SECONDS: Final = 30.0
LARGEST_MESSAGE: Final = 64 << 10
_FIRST_SECONDS: Final = 10.0
_HIGH: Final = 256 << 10  # bytes on their way, in each direction
_LAST_SECONDS: Final = 2.0
_Columns = Annotated[int, msgspec.Meta(ge=2, le=1000)]
_Lines = Annotated[int, msgspec.Meta(ge=2, le=500)]


class _Hello(msgspec.Struct, forbid_unknown_fields=True):
    socket_pass: str = msgspec.field(name="pass")
    width: _Columns
    height: _Lines


class _Size(msgspec.Struct, forbid_unknown_fields=True):
    width: _Columns
    height: _Lines


@dataclass(frozen=True, slots=True)
class Visit:
    """A socket that is open, for whom, and the size of its window."""

    viewer: Viewer
    width: int
    height: int


def give_pass(house: House, viewer: Viewer, purpose: str) -> str:
    """What the page's script hands over in its first message."""
    return house.passes.put(SocketPass(viewer.session, purpose, time.monotonic() + PASS_SECONDS))


async def admit(socket: WebSocket, house: House, purpose: str) -> Visit | None:
    """Who opened the socket, or None after it was closed: the reason was told."""
    viewer = await find_viewer(socket, house)
    if viewer is None or viewer.who is None or viewer.who.enrolling:
        await socket.close(1008)  # before it is accepted: the browser sees 403
        return None
    await socket.accept()
    try:
        async with asyncio.timeout(_FIRST_SECONDS):
            first = await socket.receive()
        hello = msgspec.json.decode(first.get("text") or b"", type=_Hello)
    except (TimeoutError, msgspec.DecodeError):
        await refuse(socket, viewer, Fault(faults.NO_PASS))
        return None
    given = house.passes.take(hello.socket_pass)
    if (
        given is None
        or given.session != viewer.session
        or given.purpose != purpose
        or time.monotonic() >= given.until
    ):
        await refuse(socket, viewer, Fault(faults.NO_PASS))
        return None
    return Visit(viewer, hello.width, hello.height)


async def refuse(socket: WebSocket, viewer: Viewer, fault: Fault) -> None:
    with suppress(RuntimeError):  # it may be closed already
        await socket.send_text(_told(fault, viewer))
        await socket.close(1008)


def _told(fault: Fault, viewer: Viewer) -> str:
    return msgspec.json.encode({"code": fault.code, "fault": fault.sentence(viewer.language)}).decode()


class SocketTerminal:
    """One WebSocket as a `relay.terminal.session.Terminal`. Owned by the event loop's thread; each of the four events
    has one task that waits for it."""

    def __init__(self, socket: WebSocket, viewer: Viewer) -> None:
        self._socket = socket
        self._viewer = viewer
        self._typed: deque[bytes] = deque()
        self._typed_size = 0
        self._shown: deque[bytes | str] = deque()
        self._shown_size = 0
        self._closed = self._over = False  # the session is over; so is what is told of it
        self._to_read, self._to_send = asyncio.Event(), asyncio.Event()
        self._taken, self._sent = asyncio.Event(), asyncio.Event()
        self._resized: Callable[[int, int], None] | None = None
        self._on_close: Callable[[], None] = lambda: None
        self._on_said: Callable[[bytes], None] | None = None

    # -- for the session --------------------------------------------------------------------------------------------

    async def read(self) -> bytes:
        while not self._typed and not self._closed:
            self._to_read.clear()
            await self._to_read.wait()
        data = b"".join(self._typed)
        self._typed.clear()
        self._typed_size = 0
        self._taken.set()
        return data

    def write(self, data: bytes) -> None:
        if not self._closed:
            self._shown.append(data)
            self._shown_size += len(data)
            self._to_send.set()

    async def drain(self) -> None:
        while self._shown_size > _HIGH and not self._closed:
            self._sent.clear()
            await self._sent.wait()

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._on_close()
        for event in (self._to_read, self._to_send, self._taken, self._sent):
            event.set()

    def when_closed(self, call: Callable[[], None]) -> None:
        """Call this once when the browser is gone or the end has come."""
        self._on_close = call
        if self._closed:
            call()

    def when_said(self, call: Callable[[bytes], None]) -> None:
        """Give this each text message, instead of taking it for the window's size; DecodeError ends the socket."""
        self._on_said = call

    def opened(self, admission: Admission, recording: Recording, resized: Callable[[int, int], None]) -> None:
        self._resized = resized
        self.tell(opened=admission.session, recording=recording.recording)

    def tell(self, **said: Any) -> None:
        """Something that is not the terminal's; also after the end, as long as the socket is open."""
        self._shown.append(msgspec.json.encode(said).decode())
        self._to_send.set()

    def refused(self, fault: Fault) -> None:
        self._shown.append(_told(fault, self._viewer))
        self._to_send.set()

    # -- the socket's two tasks -------------------------------------------------------------------------------------

    async def run(self, serve: Awaitable[None]) -> None:
        """Pass messages while `serve` runs; then send what is left, and close the socket."""
        async with asyncio.TaskGroup() as group:
            receiving = group.create_task(self._receive())
            sending = group.create_task(self._send())
            try:
                await serve
            except Fault as fault:
                self.refused(fault)
            finally:
                self.close()
                self._over = True
                self._to_send.set()
                receiving.cancel()
                await asyncio.wait([sending], timeout=_LAST_SECONDS)
                sending.cancel()
                with suppress(RuntimeError, OSError, WebSocketDisconnect):
                    await self._socket.close(1000)

    async def _receive(self) -> None:
        while not self._closed:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                break
            if (data := message.get("bytes")) is not None:
                self._typed.append(data)
                self._typed_size += len(data)
                self._to_read.set()
                while self._typed_size > _HIGH and not self._closed:
                    self._taken.clear()
                    await self._taken.wait()
                continue
            said = (message.get("text") or "").encode()
            try:
                if self._on_said is not None:
                    self._on_said(said)
                    continue
                size = msgspec.json.decode(said, type=_Size)
            except msgspec.DecodeError:
                self.refused(Fault(faults.BAD_INPUT, reason="message"))
                break
            if self._resized is not None:
                self._resized(size.width, size.height)
        self.close()

    async def _send(self) -> None:
        while True:
            while not self._shown:
                if self._over:
                    return
                self._to_send.clear()
                await self._to_send.wait()
            said = self._shown.popleft()
            try:
                if isinstance(said, str):
                    await self._socket.send_text(said)
                else:
                    await self._socket.send_bytes(said)
                    self._shown_size -= len(said)
                    self._sent.set()
            except (RuntimeError, OSError, WebSocketDisconnect):  # the browser is gone
                self.close()
                return
