"""The one pipe of every interactive text session, whatever stands at its two ends.

    upstream -> ControlFilter -> TextMeter -> Recorder.output -> terminal
    terminal -> Recorder.input -> upstream

Nothing is sent to the terminal before it is metered (within a durable lease) and with the recorder. Each end is read
only as fast as the other one takes: `drain` waits there. Whatever fails, ends the session: the recorder, the ledger,
the meter; and from outside, `end`.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from functools import partial
from typing import Final, Protocol

import structlog

from sekisho.faults import Fault
from sekisho.gate.budget import Meter
from sekisho.ledger import Fact, Ledger, Recorded
from sekisho.relay import faults as relay_faults
from sekisho.relay.admission import Admission, Totals
from sekisho.relay.facts import ChannelRefused
from sekisho.relay.terminal import faults
from sekisho.relay.terminal.controls import ControlFilter
from sekisho.relay.terminal.facts import TerminalOutput
from sekisho.relay.terminal.scan import TextMeter
from sekisho.relay.terminal.volume import Day, Volume

TERMINAL_FAILED: Final = "relay.terminal_failed"  # a log event
_log: Final = structlog.get_logger()
_TELL_SECONDS: Final = 1.0
_LAST_WORDS_SECONDS: Final = 2.0
IDLE_SECONDS: Final = 30 * 60.0


class Terminal(Protocol):
    """Where a person sits. Bytes in and out; owned by the event loop's thread."""

    async def read(self) -> bytes:
        """What came since the last call; waits for some; empty at the end."""
        ...

    def write(self, data: bytes) -> None:
        """Send; what comes after the end is dropped."""
        ...

    async def drain(self) -> None:
        """Return when more may be written, or when the end has come."""
        ...

    def close(self) -> None:
        """Idempotent; `read` returns the end afterwards."""
        ...


class Upstream(Terminal, Protocol):
    """What runs in it: a shell on a target, or in a sandbox."""

    def resize(self, width: int, height: int) -> None: ...


class Recorder(Protocol):
    """See `relay.record`."""

    def output(self, data: bytes) -> None: ...
    def input(self, data: bytes) -> None: ...
    def resized(self, width: int, height: int) -> None: ...
    def mark(self, label: str) -> None: ...
    async def wait_failed(self) -> Fault: ...


class TerminalSession:
    """Made for one admission; `run` once. Opening and closing the recording is its owner's."""

    def __init__(
        self,
        admission: Admission,
        recorder: Recorder,
        ledger: Ledger,
        *,
        subject_key: bytes,
        siblings: Callable[[], Iterable[Meter]],
        day: Day,
        width: int = 80,
        height: int = 24,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._admission = admission
        self._recorder = recorder
        self._ledger = ledger
        self._filter = ControlFilter()
        self._meter = TextMeter(
            admission, self._durable, subject_key, siblings, unread=day.unread, width=width, height=height
        )
        self._volume = Volume(admission, day)
        self._upstream: Upstream | None = None
        self._removed: set[str] = set()
        self._ended: asyncio.Future[tuple[Fault | None, str]] = asyncio.get_running_loop().create_future()
        self._idle_seconds = idle_seconds
        self._idle: asyncio.TimerHandle | None = None
        self._active = time.monotonic()
        self._last: asyncio.Future[Recorded] | None = None
        # What is not told yet.
        self._timer: asyncio.TimerHandle | None = None
        self._bytes = self._lines = 0
        self._told_rows = self._told_persons = self._told_encoded = 0

    async def run(self, upstream: Upstream, terminal: Terminal) -> Totals:
        """Pass bytes until an end; what it amounted to. Both ends are closed, and what was shown is in the ledger's
        hands, on return."""
        self._upstream = upstream
        loop = asyncio.get_running_loop()
        left = self._admission.grant.closes / 1e6 - time.time()
        closing = loop.call_later(max(0.0, left), self._window_closed)
        self._look_idle()
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._run_one(partial(self._show, upstream, terminal))),
                    group.create_task(self._run_one(partial(self._type, terminal, upstream))),
                    group.create_task(self._run_one(self._recorder_failing)),
                ]
                fault, reason = await asyncio.shield(self._ended)
                for task in tasks:
                    task.cancel()
            if fault is not None:
                await self._last_words(fault, terminal)
            self._tell_rest()
            return Totals(reason, 0, self._volume.bytes)
        finally:
            closing.cancel()
            if self._idle is not None:
                self._idle.cancel()
            upstream.close()
            terminal.close()
            await self._settle()

    def end(self, fault: Fault | None, reason: str) -> None:
        """End the session, telling the person why; idempotent."""
        if not self._ended.done():
            self._ended.set_result((fault, reason))

    def resized(self, width: int, height: int) -> None:
        """The person's terminal has another size now."""
        try:
            self._recorder.resized(width, height)
        except Fault as fault:
            self.end(fault, "recorder")
            return
        self._meter.resized(width, height)
        if self._upstream is not None:
            self._upstream.resize(width, height)

    # -- the two directions -------------------------------------------------------------------------------------

    async def _run_one(self, work: Callable[[], Coroutine[None, None, None]]) -> None:
        """One of the session's tasks: what it raises ends the session, not the door."""
        try:
            await work()
        except Fault as fault:
            self.end(fault, _REASONS.get(fault.code, "recorder" if "RECD" in fault.code else "refused"))
        except (OSError, TimeoutError):
            self.end(None, "connection")
        except Exception:
            _log.exception(TERMINAL_FAILED, session=self._admission.session)
            self.end(Fault(relay_faults.SESSION_ENDED, reason="a mistake of the checkpoint"), "mistake")

    async def _show(self, upstream: Upstream, terminal: Terminal) -> None:
        while data := await upstream.read():
            self._active = time.monotonic()
            clean, removed = self._filter.feed(data)
            for kind in removed:
                self._refused(kind)
            if clean:
                await self._show_clean(clean, terminal)
        self.end(None, "target")

    async def _show_clean(self, clean: bytes, terminal: Terminal) -> None:
        """Meter, record, send: in this order. What goes over the limit is cut behind the last whole line within it."""
        try:
            await self._meter.spend(clean)
        except Fault:
            if fitting := self._meter.fitting:
                self._send(fitting, terminal)
            raise
        self._send(clean, terminal)
        await terminal.drain()

    def _send(self, clean: bytes, terminal: Terminal) -> None:
        self._bytes += len(clean)
        self._lines += clean.count(b"\n")
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_TELL_SECONDS, self._tell)
        self._recorder.output(clean)
        terminal.write(clean)

    async def _type(self, terminal: Terminal, upstream: Upstream) -> None:
        while data := await terminal.read():
            self._active = time.monotonic()
            self._recorder.input(data)
            upstream.write(data)
            await upstream.drain()
        self.end(None, "client")

    async def _recorder_failing(self) -> None:
        fault = await self._recorder.wait_failed()
        if self._ledger.fault is not None:
            raise Fault(relay_faults.LEDGER_DOWN) from fault
        raise fault

    async def _last_words(self, fault: Fault, terminal: Terminal) -> None:
        """The sentence that says why: ours, so neither scanned nor spent. It is shown even when nothing records it."""
        words = f"\r\n\x1b[0m{fault.code}: {fault.sentence(self._admission.language)}\r\n".encode()
        with suppress(Fault):
            self._recorder.output(words)
        terminal.write(words)
        with suppress(TimeoutError, OSError):
            async with asyncio.timeout(_LAST_WORDS_SECONDS):
                await terminal.drain()

    # -- what is recorded ---------------------------------------------------------------------------------------

    def _refused(self, kind: str) -> None:
        """Record, once per session and kind, that a control string was removed."""
        if kind not in self._removed:
            self._removed.add(kind)
            self._recorder.mark(f"removed: {kind}")
            self._soon(ChannelRefused(session=self._admission.session, channel=f"terminal-{kind}", code=""))

    def _tell(self) -> None:
        """Record what was shown since the last time."""
        self._timer = None
        meter, grant = self._admission.meter, self._admission.grant
        output = TerminalOutput(
            session=self._admission.session,
            ticket=grant.ticket,
            organisation=grant.organisation,
            bytes=self._bytes,
            lines=self._lines,
            rows=meter.rows - self._told_rows,
            persons=meter.persons - self._told_persons,
            encoded=self._meter.encoded - self._told_encoded,
            sightings=dict(sorted(self._meter.sightings.items())),
        )
        self._bytes = self._lines = 0
        self._told_rows, self._told_persons = meter.rows, meter.persons
        self._told_encoded = self._meter.encoded
        if output.sightings:
            self._recorded_mark("persons")
        self._meter.sightings.clear()
        self._soon(output)
        raised: list[Fact] = list(self._volume.add(output))
        if encoded := self._volume.encoded(self._meter.encoded):
            raised.append(encoded)
        for fact in raised:
            self._recorded_mark("alert")
            self._soon(fact)

    def _recorded_mark(self, label: str) -> None:
        try:
            self._recorder.mark(label)
        except Fault as fault:
            self.end(fault, "recorder")

    async def _durable(self, fact: Fact) -> None:
        try:
            await self._ledger.record(fact, by=self._admission.grant.person, about=self._admission.session)
        except Fault as fault:
            raise Fault(relay_faults.LEDGER_DOWN) from fault

    def _soon(self, fact: Fact) -> None:
        try:
            future = self._ledger.record_soon(
                fact, by=self._admission.grant.person, about=self._admission.session
            )
        except Fault:
            self.end(Fault(relay_faults.LEDGER_DOWN), "ledger")
            return
        self._last = future
        future.add_done_callback(self._soon_done)

    def _soon_done(self, done: "asyncio.Future[Recorded]") -> None:
        if done.cancelled() or done.exception() is not None:
            self.end(Fault(relay_faults.LEDGER_DOWN), "ledger")

    def _tell_rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._tell()

    async def _settle(self) -> None:
        """The rest of the output is a fact, too; return when the ledger has it all, or has failed."""
        self._tell_rest()
        if self._last is not None:
            await asyncio.wait([self._last])

    # -- time ---------------------------------------------------------------------------------------------------

    def _look_idle(self) -> None:
        left = self._active + self._idle_seconds - time.monotonic()
        if left <= 0:
            self.end(Fault(faults.IDLE, minutes=round(self._idle_seconds / 60)), "idle")
        else:
            self._idle = asyncio.get_running_loop().call_later(left, self._look_idle)

    def _window_closed(self) -> None:
        self.end(Fault(relay_faults.SESSION_ENDED, reason="the ticket's window is over"), "window")


_REASONS: Final = {
    faults.OVER_LIMIT.code: "limit",
    faults.LINES_OVER_LIMIT.code: "limit",
    relay_faults.LEDGER_DOWN.code: "ledger",
}
