"""Recordings as they are written: nothing reaches a terminal that is not with the operating system before.

    output()   seal -> write(2) -> return; only then does the caller send
    about a second after something was written: fdatasync, the hash of what the file holds, `record.segment`
    close()    the last segment, then `record.closed`

After a SIGKILL at any point the file holds every frame of which a byte was sent, and perhaps one that was not. After a
loss of power it holds at least what the last `record.segment` says; a fact never claims bytes that the disk has not.

One process writes a recording, under a lock on the file. All of it belongs to the event loop's thread, but for
`_settle`, which works on what is written already and changes no more.
"""

import asyncio
import fcntl
import hashlib
import os
import secrets
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from sekisho.faults import Fault
from sekisho.ledger import Ledger, Recorded
from sekisho.relay.record.facts import RecordClosed, RecordOpened, RecordSegment
from sekisho.relay.record.faults import FELL_BEHIND, RECORDER_FAILED, RECORDING_OVER
from sekisho.relay.record.frames import LARGEST, Opener, Sealer, header_of
from sekisho.wire.asciicast.cast import Code, Event

SUFFIX: Final = ".rec"
_SEGMENT_SECONDS: Final = 1.0
_READ: Final = 1 << 20
_MARK_EVERY: Final = 64 << 10  # bytes between two places from which a late watcher can begin
_HISTORY: Final = 512 << 10  # bytes of the file that a late watcher is shown
_BEHIND: Final = 8 << 20  # bytes that may wait for a watcher


class Recordings:
    """The recordings of one process, in one folder. `now` dates them; times inside come from the monotonic clock."""

    def __init__(
        self, ledger: Ledger, folder: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.ledger: Final = ledger
        self.folder: Final = folder
        self.now: Final = now
        self._open: dict[str, Recording] = {}
        ledger.on_failure(self._ledger_failed)

    async def open(
        self,
        admission_session: str,
        *,
        person: str,
        ticket: str,
        organisation: str,
        kind: str,
        title: str,
        width: int,
        height: int,
    ) -> "Recording":
        """Begin a recording; its first fact is durable on return. `title` stands in the log: no personal data of
        subjects in it. Raises Fault RECORDER_FAILED, or the ledger's."""
        recording = f"r-{secrets.token_hex(8)}"
        key = secrets.token_bytes(32)
        sealed = self.ledger.vault.seal(organisation, key)
        opened = RecordOpened(
            recording=recording,
            session=admission_session,
            person=person,
            ticket=ticket,
            organisation=organisation,
            kind=kind,
            title=title,
            width=width,
            height=height,
            key=sealed.commitment,
        )
        # A crash here leaves a file that no fact knows: nothing passed, and `record verify` names it.
        descriptor = _create(self.folder, recording)
        try:
            await self.ledger.record(opened, by=person, about=recording, parts=[sealed])
        except BaseException:
            os.close(descriptor)
            path_of(self.folder, recording).unlink(missing_ok=True)
            raise
        made = Recording(self, opened, descriptor, Sealer(key, recording), key)
        self._open[recording] = made
        if self.ledger.fault is not None:
            made.fail(self.ledger.fault)
        return made

    def find(self, recording: str) -> "Recording | None":
        """A recording that is being written by this process."""
        return self._open.get(recording)

    def forget(self, recording: str) -> None:
        self._open.pop(recording, None)

    def _ledger_failed(self, fault: Fault) -> None:
        for one in list(self._open.values()):
            one.fail(fault)


def path_of(folder: Path, recording: str) -> Path:
    return folder / f"{recording}{SUFFIX}"


def _create(folder: Path, recording: str) -> int:
    try:
        descriptor = os.open(
            path_of(folder, recording), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600
        )
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _write(descriptor, header_of(recording))
            directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        except BaseException:
            os.close(descriptor)
            raise
    except OSError as error:
        raise Fault(RECORDER_FAILED, reason=error.strerror or str(error)) from error
    return descriptor


def _write(descriptor: int, data: bytes) -> None:
    written = os.write(descriptor, data)
    while written < len(data):  # a disk that fills up takes a part first
        data = data[written:]
        written = os.write(descriptor, data)


class Recording:
    """One recording while it is written. Made by `Recordings.open`."""

    def __init__(
        self, owner: Recordings, opened: RecordOpened, descriptor: int, sealer: Sealer, key: bytes
    ) -> None:
        self.opened: Final = opened
        self.width, self.height = opened.width, opened.height
        self._owner = owner
        self._descriptor = descriptor
        self._sealer = sealer
        self._key = key
        self._loop = asyncio.get_running_loop()
        self._started = time.monotonic_ns()
        self._fault: Fault | None = None
        self._failed: asyncio.Future[Fault] = self._loop.create_future()
        self._closed = self._over = False
        self._length = self._settled = len(header_of(opened.recording))
        self._chain = hashlib.sha256(header_of(opened.recording)).digest()
        self._segments = 0
        self._timer: asyncio.TimerHandle | None = None
        self._settling: asyncio.Future[bytes] | None = None
        self._facts: deque[asyncio.Future[Recorded]] = deque()
        self._marks: list[tuple[int, int]] = [(self._length, 0)]
        self._watchers: set[Watcher] = set()
        self._when_watched: Callable[[], None] = lambda: None

    @property
    def recording(self) -> str:
        return self.opened.recording

    # -- what happens -----------------------------------------------------------------------------------------

    def output(self, data: bytes) -> None:
        """What the terminal is about to receive: with the operating system on return. Raises Fault; then nothing of
        it may be sent."""
        self._append("o", data)

    def input(self, data: bytes) -> None:
        """What the terminal sent, before it goes on. Raises Fault."""
        self._append("i", data)

    def resized(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._append("r", f"{width}x{height}".encode())

    def mark(self, label: str) -> None:
        """A place to jump to in a replay."""
        self._append("m", label.encode())

    def _append(self, code: Code, data: bytes) -> None:
        if self._fault is not None:
            raise self._fault
        if self._closed:
            raise Fault(RECORDING_OVER, recording=self.recording)
        at = (time.monotonic_ns() - self._started) // 1000
        for start in range(0, len(data), LARGEST) if len(data) > LARGEST else (0,):
            piece = data[start : start + LARGEST] if len(data) > LARGEST else data
            frame = self._sealer.seal(at, code, piece)
            try:
                _write(self._descriptor, frame)
            except OSError as error:
                fault = Fault(RECORDER_FAILED, reason=error.strerror or str(error))
                # What was written of this frame is cut off: the file ends where the last whole one does.
                with suppress(OSError):
                    os.ftruncate(self._descriptor, self._length)
                self._sealer.frames -= 1
                self.fail(fault)
                raise fault from error
            self._length += len(frame)
            if self._length - self._marks[-1][0] >= _MARK_EVERY:
                self._marks.append((self._length, self._sealer.frames))
        if self._timer is None:
            self._timer = self._loop.call_later(_SEGMENT_SECONDS, self._settle_soon)
        if self._watchers:
            event = Event(at, code, data)
            for watcher in list(self._watchers):
                watcher.offer(event)

    # -- segments ---------------------------------------------------------------------------------------------

    def _settle_soon(self) -> None:
        self._timer = None
        while self._facts and self._facts[0].done():
            self._facts.popleft()
        if self._settling is None and self._fault is None:
            self._begin_segment()

    def _begin_segment(self) -> None:
        """What the file holds since the last segment becomes one, on a thread: a disk may take its time."""
        end = self._length
        settling = self._loop.run_in_executor(
            None, _settle, self._descriptor, self._chain, self._settled, end
        )
        self._settling = settling
        settling.add_done_callback(lambda done: self._segment_settled(done, end))

    def _segment_settled(self, done: "asyncio.Future[bytes]", end: int) -> None:
        self._settling = None
        if self._over:
            return
        if done.cancelled() or (error := done.exception()) is not None:
            reason = "cancelled" if done.cancelled() else str(error)
            self.fail(Fault(RECORDER_FAILED, reason=reason))
            return
        self._chain = done.result()
        fact = RecordSegment(
            recording=self.recording,
            index=self._segments,
            offset=self._settled,
            length=end - self._settled,
            chain=self._chain.hex(),
        )
        self._segments += 1
        self._settled = end
        try:
            recording = self._owner.ledger.record_soon(
                fact, by="sekisho", about=self.recording, urgent=self._closed
            )
        except Fault as fault:
            self.fail(fault)
            return
        recording.add_done_callback(self._segment_recorded)
        self._facts.append(recording)

    def _segment_recorded(self, done: "asyncio.Future[Recorded]") -> None:
        if not done.cancelled() and isinstance(error := done.exception(), Fault):
            self.fail(error)

    # -- the end ----------------------------------------------------------------------------------------------

    def fail(self, fault: Fault) -> None:
        """The recorder cannot go on: from now on `output` raises, and `wait_failed` returns. The first fault stays."""
        if self._fault is None:
            self._fault = fault
            self._failed.set_result(fault)

    async def wait_failed(self) -> Fault:
        """Return when the recorder, the disk or the ledger has failed: the session must end."""
        return await asyncio.shield(self._failed)

    async def close(self) -> None:
        """Make the rest a segment, then record the end; both durable on return. Idempotent. Raises Fault when that
        cannot be recorded: the next start recovers the recording."""
        if self._closed:
            return
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        elapsed = (time.monotonic_ns() - self._started) // 1_000_000
        try:
            await self._quiet()
            if self._settled < self._length and self._readable():
                self._begin_segment()
                await self._quiet()
            if self._settled < self._length:
                # Its facts would contradict the file; recovery will say what is there.
                raise self._fault or Fault(RECORDER_FAILED, reason="the last segment")
            closed = RecordClosed(
                recording=self.recording,
                events=self._sealer.frames,
                length=self._length,
                milliseconds=elapsed,
                chain=self._chain.hex(),
                code=self._fault.code if self._fault else "",
            )
            await self._owner.ledger.record(closed, by="sekisho", about=self.recording)
        finally:
            self._owner.forget(self.recording)
            for watcher in list(self._watchers):
                watcher.end(None)
            self._over = True
            if self._settling is None:
                os.close(self._descriptor)
            else:  # cancelled meanwhile: the thread still reads the file
                self._settling.add_done_callback(lambda _: os.close(self._descriptor))

    def _readable(self) -> bool:
        """Whether a last segment makes sense: a full disk still holds what was written before."""
        return self._fault is None or self._fault.kind is RECORDER_FAILED

    async def _quiet(self) -> None:
        if self._settling is not None:
            await asyncio.wait([self._settling])

    # -- live view --------------------------------------------------------------------------------------------

    def watch(self) -> "Watcher":
        """Everything from now on: `with recording.watch() as watcher: async for event in watcher`."""
        watcher = Watcher(self._watchers, over=self._closed)
        if not self._closed:
            with suppress(Fault):  # the recorder's, which ends the session by itself
                self._when_watched()
        return watcher

    def when_watched(self, call: Callable[[], None]) -> None:
        """Call this when somebody begins to watch: a picture is told as a whole again then."""
        self._when_watched = call

    def history(self) -> list[Event]:
        """The newest events up to now, about half a megabyte of file: what a late watcher is shown first."""
        place = next((one for one in self._marks if self._length - one[0] <= _HISTORY), self._marks[-1])
        opener = Opener(self._key, self.recording, first=place[1], offset=place[0])
        return list(opener.feed(os.pread(self._descriptor, self._length - place[0], place[0])))


def _settle(descriptor: int, chain: bytes, start: int, end: int) -> bytes:
    """Bring the file to the disk; the chain over what it holds between two places. Raises OSError."""
    digest = hashlib.sha256(chain)
    while start < end:
        if not (piece := os.pread(descriptor, min(_READ, end - start), start)):
            raise OSError(0, "the file is shorter than what was written")
        digest.update(piece)
        start += len(piece)
    os.fdatasync(descriptor)
    return digest.digest()


class Watcher:
    """A live view. A view that falls behind ends with a Fault FELL_BEHIND; the session is never held up for it."""

    def __init__(self, among: "set[Watcher]", *, over: bool) -> None:
        self._among = among
        self._events: deque[Event] = deque()
        self._size = 0
        self._over = over
        self._fault: Fault | None = None
        self._wake = asyncio.Event()
        if not over:
            among.add(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end(None)

    def offer(self, event: Event) -> None:
        self._size += len(event.data)
        if self._size > _BEHIND:
            self._events.clear()
            self.end(Fault(FELL_BEHIND))
            return
        self._events.append(event)
        self._wake.set()

    def end(self, fault: Fault | None) -> None:
        self._among.discard(self)
        self._over = True
        self._fault = self._fault or fault
        self._wake.set()

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        while not self._events:
            if self._fault is not None:
                raise self._fault
            if self._over:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
        event = self._events.popleft()
        self._size -= len(event.data)
        return event
