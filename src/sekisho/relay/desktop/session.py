"""The one pipe of a desktop session. Keys and pointer go in; pixels are recorded, marked, and only then sent.

What the browser says is parsed, and said anew to the X server; what the X server says becomes pixels here, and these
are compressed anew. So no byte of either side reaches the other. Whatever fails ends the session; the desktop itself
stays for a while (`relay.workspace`), and another session takes it up.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import UTC, datetime
from typing import Final, Protocol

import structlog

from sekisho.faults import Fault
from sekisho.ledger import Ledger, Recorded
from sekisho.relay import faults as relay_faults
from sekisho.relay.admission import Admission, Totals
from sekisho.relay.desktop import imprint
from sekisho.relay.desktop.faults import NOT_STARTED
from sekisho.relay.desktop.mark import Mark
from sekisho.relay.desktop.reel import ReelWriter
from sekisho.relay.desktop.screen import HEIGHT, WIDTH
from sekisho.relay.desktop.shown import Shown
from sekisho.relay.facts import ChannelRefused
from sekisho.relay.terminal import faults as terminal_faults
from sekisho.relay.terminal.session import IDLE_SECONDS, Recorder, Terminal, Upstream
from sekisho.wire.rfb.messages import Asked, Copied, Dropped, Key, Opened, Pixels, Pointer, Updated
from sekisho.wire.rfb.updates import Change
from sekisho.wire.rfb.viewer import ViewerSide

DESKTOP_FAILED: Final = "relay.desktop_failed"  # a log event
_log: Final = structlog.get_logger()
_WHOLE_BYTES: Final = 1 << 20  # of a recording, behind which a replay finds the next place to start from
_WHOLE_SECONDS: Final = 300.0
_TITLE_SECONDS: Final = 0.5  # between two titles that are recorded
TITLE: Final = "title: "  # how a mark of the recording that is a window's title begins
_WHOLE: Final = (0, 0, WIDTH, HEIGHT)
_NAMED: Final = {0xFF0D: "\r", 0xFF8D: "\r", 0xFF08: "\x7f", 0xFF09: "\t", 0xFF1B: "\x1b"}
_MODIFIERS: Final = range(0xFFE1, 0xFFEF)


class Viewer(Terminal, Protocol):
    """The browser: besides pixels, it is told why there are no more."""

    def refused(self, fault: Fault) -> None: ...


class Titled(Upstream, Protocol):
    """The X server: besides its pixels, it tells whose window has the keyboard."""

    def titles(self) -> AsyncIterator[str]: ...


class Reeled(Recorder, Protocol):
    """A recording that asks for the whole picture when somebody begins to watch."""

    def when_watched(self, call: Callable[[], None]) -> None: ...


class DesktopSession:
    """Made for one admission; `run` once. Opening and closing the recording is its owner's."""

    def __init__(
        self,
        admission: Admission,
        recorder: Reeled,
        ledger: Ledger,
        mark_key: bytes,
        *,
        idle_seconds: float = IDLE_SECONDS,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._admission = admission
        self._recorder = recorder
        self._ledger = ledger
        self._idle_seconds = idle_seconds
        text = mark_text(admission.grant.person, now(), admission.session)
        signs = imprint.drawn(mark_key, admission.session, WIDTH, HEIGHT)
        self._shown = Shown(WIDTH, HEIGHT, Mark(WIDTH, HEIGHT, text, signs), admission.grant.target)
        self._reel = ReelWriter()
        self._whole_at = time.monotonic()
        self._batch: list[Change] = []
        self._whole_due = self._updated = False
        self._server = ViewerSide()
        self._active = time.monotonic()
        self._sent = 0
        self._dropped: set[str] = set()
        self._ended: asyncio.Future[tuple[Fault | None, str]] = asyncio.get_running_loop().create_future()

    async def run(self, upstream: Titled, terminal: Viewer) -> Totals:
        """Pass keys and pixels until an end; both ends are closed on return."""
        loop = asyncio.get_running_loop()
        left = self._admission.grant.closes / 1e6 - time.time()
        closing = loop.call_later(max(0.0, left), self._window_closed)
        try:
            self._recorder.when_watched(self._record_whole)
            terminal.write(Shown.greeting())
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._run_one(work))
                    for work in (
                        lambda: self._look(upstream),
                        lambda: self._type(terminal, upstream),
                        lambda: self._show(upstream, terminal),
                        lambda: self._name(upstream),
                        self._recorder_failing,
                        self._look_idle,
                    )
                ]
                fault, reason = await asyncio.shield(self._ended)
                for task in tasks:
                    task.cancel()
            if fault is not None:
                terminal.refused(fault)
            return Totals(reason, 0, self._sent)
        finally:
            closing.cancel()
            upstream.close()
            terminal.close()

    def end(self, fault: Fault | None, reason: str) -> None:
        """End the session, telling the person why; idempotent."""
        if not self._ended.done():
            self._ended.set_result((fault, reason))

    def resized(self, width: int, height: int) -> None:
        """A desktop has one size."""

    # -- the two directions -------------------------------------------------------------------------------------

    async def _run_one(self, work: Callable[[], Coroutine[None, None, None]]) -> None:
        """One of the session's tasks: what it raises ends the session, not the door."""
        try:
            await work()
        except Fault as fault:
            ledger = fault.kind is relay_faults.LEDGER_DOWN
            self.end(fault, "ledger" if ledger else "recorder" if "RECD" in fault.code else "refused")
        except (OSError, TimeoutError):
            self.end(None, "connection")
        except Exception:
            _log.exception(DESKTOP_FAILED, session=self._admission.session)
            self.end(Fault(relay_faults.SESSION_ENDED, reason="a mistake of the checkpoint"), "mistake")

    async def _look(self, upstream: Upstream) -> None:
        """The X server's pixels."""
        while data := await upstream.read():
            events, answers = self._server.feed(data)
            upstream.write(answers)
            for event in events:
                match event:
                    case Opened(width, height):
                        if (width, height) != (WIDTH, HEIGHT):
                            raise Fault(NOT_STARTED, reason="its size is another")
                        upstream.write(self._server.ask(Asked(False, *_WHOLE)))
                    case Pixels() | Copied():
                        self._batch.append(event)
                    case Updated():
                        self._updated = True
                        self._take()
                    case Dropped():
                        self._drop(event)
        self.end(None, "target")

    def _take(self) -> None:
        """What the X server told in one update: with the operating system before anything of it is shown."""
        changes, self._batch = self._batch, []
        for piece in self._reel.changes(changes):
            self._recorder.output(piece)
        self._shown.apply(changes)
        if self._reel.since > _WHOLE_BYTES or time.monotonic() > self._whole_at + _WHOLE_SECONDS:
            self._record_whole()

    def _record_whole(self) -> None:
        """A place from which a replay can start, and a live view does."""
        self._whole_due = self._shown.telling  # else what came meanwhile would be missing in it
        if self._whole_due:
            return
        self._whole_at = time.monotonic()
        for piece in self._reel.whole(self._shown.picture.content):
            self._recorder.output(piece)

    async def _name(self, upstream: Titled) -> None:
        """The titles of the windows that had the keyboard, for the recording's track."""
        async for title in upstream.titles():
            self._recorder.mark(TITLE + title)
            await asyncio.sleep(_TITLE_SECONDS)

    async def _type(self, terminal: Terminal, upstream: Upstream) -> None:
        """The person's keys and pointer."""
        while data := await terminal.read():
            events, answers = self._shown.heard(data)
            if answers:
                terminal.write(answers)
            for event in events:
                match event:
                    case Key() | Pointer():
                        self._active = time.monotonic()
                        if typed := _typed(event):
                            self._recorder.input(typed)
                        upstream.write(self._server.type(event))
                    case Dropped():
                        self._drop(event)
                    case Opened():
                        pass
            await upstream.drain()
        self.end(None, "client")

    async def _show(self, upstream: Upstream, terminal: Terminal) -> None:
        """What changed, when the browser asks for it: marked and sent, and less often where that is much."""
        shown = self._shown
        while True:
            while not (self._updated or shown.wanted):
                shown.wake.clear()
                await shown.wake.wait()
            begun, rest = time.monotonic(), 0.0
            if shown.wanted:
                told, rest = await shown.tell()
                terminal.write(told)
                self._sent += len(told)
                if self._whole_due:
                    self._record_whole()
                await terminal.drain()
            if self._updated and shown.settled:
                # Only now: the X server tells nothing that has no place to go yet.
                self._updated = False
                upstream.write(self._server.ask(Asked(True, *_WHOLE)))
            elif not shown.asked:
                shown.wake.clear()
                await shown.wake.wait()
            await asyncio.sleep(max(0.0, begun + rest - time.monotonic()))

    def _drop(self, dropped: Dropped) -> None:
        """Record, once per session and kind, that something was not passed on."""
        if dropped.what not in self._dropped:
            self._dropped.add(dropped.what)
            self._recorder.mark(f"removed: {dropped.what}")
            fact = ChannelRefused(session=self._admission.session, channel=f"desktop-{dropped.what}", code="")
            try:
                told = self._ledger.record_soon(
                    fact, by=self._admission.grant.person, about=self._admission.session
                )
            except Fault as fault:
                raise Fault(relay_faults.LEDGER_DOWN) from fault
            told.add_done_callback(self._told)

    def _told(self, done: "asyncio.Future[Recorded]") -> None:
        if done.cancelled() or done.exception() is not None:
            self.end(Fault(relay_faults.LEDGER_DOWN), "ledger")

    # -- what ends it -------------------------------------------------------------------------------------------

    async def _recorder_failing(self) -> None:
        fault = await self._recorder.wait_failed()
        if self._ledger.fault is not None:
            raise Fault(relay_faults.LEDGER_DOWN) from fault
        raise fault

    async def _look_idle(self) -> None:
        """A desktop is idle when nobody types or points: its clock may tick."""
        left = self._idle_seconds
        while left > 0:
            await asyncio.sleep(left)
            left = self._active + self._idle_seconds - time.monotonic()
        self.end(Fault(terminal_faults.IDLE, minutes=round(self._idle_seconds / 60)), "idle")

    def _window_closed(self) -> None:
        self.end(Fault(relay_faults.SESSION_ENDED, reason="the ticket's window is over"), "window")


def mark_text(who: str, at: datetime, where: str) -> str:
    """What is read in the picture."""
    return f"{who}  {at:%Y-%m-%d %H:%M} UTC  {where}"


def _typed(event: Key | Pointer) -> bytes:
    """What a key writes, for the text track of the recording; nothing for a pointer, or a key let go."""
    if isinstance(event, Pointer) or not event.down or event.keysym in _MODIFIERS:
        return b""
    if named := _NAMED.get(event.keysym):
        return named.encode()
    # X keysyms: Latin-1 stands for itself, and Unicode behind 0x01000000.
    point = event.keysym - 0x0100_0000 if event.keysym >= 0x0100_0000 else event.keysym
    if 0x20 <= point <= 0xFF or (
        point != event.keysym and point <= 0x10FFFF and not 0xD800 <= point < 0xE000
    ):
        return chr(point).encode()
    return f"<{event.keysym:x}>".encode()
