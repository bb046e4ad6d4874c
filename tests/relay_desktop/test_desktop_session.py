"""The pipe of a desktop without a desktop: what passes, what is recorded, and what ends it."""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from rfb_under_test import Viewer
from sekisho.faults import Fault
from sekisho.gate.budget import Meter
from sekisho.relay.admission import Totals
from sekisho.relay.desktop import imprint
from sekisho.relay.desktop.mark import Mark
from sekisho.relay.desktop.picture import Picture
from sekisho.relay.desktop.reel import ReelReader
from sekisho.relay.desktop.screen import HEIGHT, WIDTH
from sekisho.relay.desktop.session import TITLE, DesktopSession, mark_text
from sekisho.relay.facts import ChannelRefused
from sekisho.relay.faults import LEDGER_DOWN, SESSION_ENDED
from sekisho.relay.record.faults import RECORDER_FAILED
from sekisho.relay.terminal.faults import IDLE
from sekisho.wire.rfb.faults import NOT_RFB, UNKNOWN_MESSAGE
from terminal_under_test import Pipe, admission

VERSION = b"RFB 003.008\n"
INIT = VERSION + b"\x01\x01" + bytes(4) + struct.pack("!HH16xI", WIDTH, HEIGHT, 0)
SECRET = "秘密".encode()
KEY = b"key"


NOW = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)


class Server(Pipe):
    """The X server, with the titles of its windows."""

    def __init__(self) -> None:
        super().__init__()
        self.named: Sequence[str] = ()

    async def titles(self) -> AsyncIterator[str]:
        for title in self.named:
            yield title


class Page(Pipe):
    """The browser; whenever it gets pixels, it looks whether these were recorded by then."""

    def __init__(self, recorder: "Recorder") -> None:
        super().__init__()
        self.faults: list[Fault] = []
        self._recorder = recorder
        self.seen = Viewer()

    def write(self, data: bytes) -> None:
        super().write(data)
        if data[:1] == b"\0" and not self.closed:  # an update, or the end of the handshake
            self.seen.feed(bytes(self.written[self._fed :]))
            self._fed = len(self.written)
            if self.seen.updates:
                assert bytes(self.seen.picture) == self._recorder.shown()

    _fed = 0

    def refused(self, fault: Fault) -> None:
        self.faults.append(fault)


@dataclass
class Recorder:
    out: list[bytes] = field(default_factory=list)
    typed: bytearray = field(default_factory=bytearray)
    marks: list[str] = field(default_factory=list)
    failed: "asyncio.Future[Fault]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def output(self, data: bytes) -> None:
        if self.failed.done():
            raise self.failed.result()
        self.out.append(data)

    def shown(self) -> bytes:
        """What a browser sees of everything that was recorded."""
        reel, session = ReelReader(WIDTH, HEIGHT), admission(cast(Meter, None)).session
        signs = imprint.drawn(KEY, session, WIDTH, HEIGHT)
        mark = Mark(WIDTH, HEIGHT, mark_text("sato", NOW, session), signs)
        picture = Picture(WIDTH, HEIGHT, mark)
        for piece in self.out:
            picture.apply(reel.feed(piece))
        return mark.draw(picture.content, 0, 0).tobytes()

    def when_watched(self, call: Callable[[], None]) -> None:
        self.watch = call

    def input(self, data: bytes) -> None:
        self.typed += data

    def resized(self, width: int, height: int) -> None: ...

    def mark(self, label: str) -> None:
        self.marks.append(label)

    async def wait_failed(self) -> Fault:
        return await asyncio.shield(self.failed)


@dataclass
class Ledger:
    facts: list[Any] = field(default_factory=list)
    fault: Fault | None = None

    def record_soon(self, fact: Any, *, by: str, about: str) -> "asyncio.Future[None]":
        if self.fault is not None:
            raise self.fault
        self.facts.append(fact)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done


async def until(there: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not there():  # noqa: ASYNC110 (nothing tells of it)
            await asyncio.sleep(0.005)


@dataclass
class Running:
    session: DesktopSession
    page: Page
    server: Server
    recorder: Recorder
    ledger: Ledger
    task: "asyncio.Task[Totals]"

    async def until(self, pipe: Pipe, wanted: bytes) -> None:
        await until(lambda: wanted in pipe.written)

    async def ended(self) -> Totals:
        async with asyncio.timeout(5):
            return await self.task


@asynccontextmanager
async def running(titles: Sequence[str] = (), **changes: Any) -> AsyncIterator[Running]:
    recorder, ledger, server = Recorder(), Ledger(), Server()
    page = Page(recorder)
    server.named = titles
    session = DesktopSession(
        admission(cast(Meter, None)), recorder, cast(Any, ledger), KEY, now=lambda: NOW, **changes
    )
    async with asyncio.TaskGroup() as group:
        task = group.create_task(session.run(server, page))
        yield Running(session, page, server, recorder, ledger, task)
        session.end(None, "test")


def rectangle(colour: bytes = b"\x30\x20") -> bytes:
    return struct.pack("!BxHHHHHi", 0, 1, 10, 20, 4, 3, 0) + colour * 12


async def test_pixels_are_marked_recorded_and_sent_and_keys_go_in() -> None:
    async with running() as one:
        one.server.put(INIT)
        one.page.put(Viewer.HELLO + Viewer.ask(changes=False))
        await one.until(one.page, b"batch")
        await until(lambda: one.page.seen.updates == 1)
        one.page.put(Viewer.ask(changes=True))
        one.server.put(rectangle())
        await until(lambda: one.page.seen.updates == 2)
        keys = b"".join(
            struct.pack("!BB2xI", 4, down, key)
            for key in (0xFFE1, 0x41, 0x0100_79D8, 0xFF0D, 0xFFBE)
            for down in (1, 0)
        )
        one.page.put(keys + struct.pack("!BBHH", 5, 1, 7, 8))
        await one.until(one.server, struct.pack("!BBHH", 5, 1, 7, 8))
        assert keys + struct.pack("!BBHH", 5, 1, 7, 8) in one.server.written
        assert bytes(one.recorder.typed).decode() == "A秘\r<ffbe>"
        # Whoever begins to watch is told everything that is on the screen.
        before = len(one.recorder.out)
        one.recorder.watch()
        late = Recorder(out=one.recorder.out[before:])
        assert late.shown() == one.recorder.shown()
        one.session.end(None, "test")
        totals = await one.ended()
        seen = Viewer()
        seen.feed(bytes(one.page.written))
        assert (seen.width, seen.height) == (WIDTH, HEIGHT)
        assert bytes(seen.picture) == one.recorder.shown()
        at = (20 * WIDTH + 10) * 3
        assert bytes(seen.picture[at : at + 3]) in (b"\x42\x08\x82", b"\x42\x08\x86")
        assert totals.reason == "test"
        assert totals.bytes > 0


async def test_titles_of_windows_are_marks_of_the_recording() -> None:
    async with running(["psql 氏名", "editor"]) as one:
        await until(lambda: len(one.recorder.marks) == 2)
        assert one.recorder.marks == [f"{TITLE}psql 氏名", f"{TITLE}editor"]


async def test_the_clipboard_passes_in_neither_direction() -> None:
    async with running() as one:
        one.server.put(INIT + struct.pack("!B3xI", 3, len(SECRET)) + SECRET)
        one.page.put(Viewer.HELLO + struct.pack("!B3xI", 6, len(SECRET)) + SECRET)
        one.page.put(struct.pack("!BB2xI", 4, 1, 0x61))
        await one.until(one.server, struct.pack("!BB2xI", 4, 1, 0x61))
        assert SECRET not in one.server.written + one.page.written
        assert one.recorder.marks == ["removed: clipboard"]
        assert one.ledger.facts == [ChannelRefused(session="s-1", channel="desktop-clipboard", code="")]


@pytest.mark.parametrize(
    ("browser", "server", "kind"),
    [
        (Viewer.HELLO + b"\xfb" + bytes(30), INIT, UNKNOWN_MESSAGE),
        (Viewer.HELLO, INIT + b"\xfa", UNKNOWN_MESSAGE),
        (Viewer.HELLO, INIT + struct.pack("!BxHHHHHi", 0, 1, WIDTH, 0, 1, 1, 0), NOT_RFB),
        (b"GET / HTTP/1.1\r\n", INIT, NOT_RFB),
    ],
)
async def test_what_no_desktop_needs_ends_the_session(browser: bytes, server: bytes, kind: object) -> None:
    async with running() as one:
        one.server.put(server)
        one.page.put(browser)
        assert (await one.ended()).reason == "refused"
        assert [fault.kind for fault in one.page.faults] == [kind]
        assert one.page.closed
        assert one.server.closed


async def test_nothing_is_shown_when_the_recorder_has_failed() -> None:
    async with running() as one:
        one.server.put(INIT)
        one.recorder.failed.set_result(Fault(RECORDER_FAILED, reason="full"))
        one.page.put(Viewer.HELLO + Viewer.ask(changes=False))
        assert (await one.ended()).reason == "recorder"
        assert b"\0\0\0\x01" not in bytes(one.page.written)[60:]


async def test_it_ends_with_the_ledger() -> None:
    async with running() as one:
        one.ledger.fault = Fault(LEDGER_DOWN)
        one.server.put(INIT + struct.pack("!B3xI", 3, 0))
        assert (await one.ended()).reason == "ledger"
        assert one.page.faults[0].kind is LEDGER_DOWN


async def test_it_ends_when_nobody_types_although_the_screen_goes_on() -> None:
    async with running(idle_seconds=0.2) as one:
        one.server.put(INIT + rectangle())
        assert (await one.ended()).reason == "idle"
        assert one.page.faults[0].kind is IDLE


async def test_it_ends_from_outside_with_the_reason_told() -> None:
    async with running() as one:
        one.session.end(Fault(SESSION_ENDED, reason="frozen"), "people.frozen")
        assert (await one.ended()).reason == "people.frozen"
        assert one.page.faults[0].kind is SESSION_ENDED
