"""The pipe of a terminal session, with both ends in memory and a real ledger: order, limits, ends."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from sekisho.faults import Fault
from sekisho.gate.budget import Account, Meter, Scope
from sekisho.ledger import Commitment, KeyRing, Ledger
from sekisho.relay.admission import Totals
from sekisho.relay.faults import SESSION_ENDED
from sekisho.relay.record.faults import RECORDER_FAILED
from sekisho.relay.terminal import session as module
from sekisho.relay.terminal.encoded import FREE
from sekisho.relay.terminal.facts import TerminalOutput
from sekisho.relay.terminal.session import TerminalSession
from sekisho.relay.terminal.volume import Day, Volumes
from sekisho.relay.workspace.facts import Looked
from terminal_under_test import Pipe, admission


class Tape:
    """A recorder in memory; `before` is called with what is about to be recorded as output."""

    def __init__(self) -> None:
        self.said: list[tuple[str, bytes]] = []
        self.failed: asyncio.Future[Fault] = asyncio.get_running_loop().create_future()
        self.before: Callable[[bytes], None] = lambda _: None

    def output(self, data: bytes) -> None:
        self.before(data)
        if self.failed.done():
            raise self.failed.result()
        self.said.append(("o", data))

    def input(self, data: bytes) -> None:
        self.said.append(("i", data))

    def resized(self, width: int, height: int) -> None:
        self.said.append(("r", f"{width}x{height}".encode()))

    def mark(self, label: str) -> None:
        self.said.append(("m", label.encode()))

    async def wait_failed(self) -> Fault:
        return await asyncio.shield(self.failed)


class Scene:
    """A session that runs."""

    def __init__(self, ledger: Ledger, persons: int = 1000, idle: float = 60.0) -> None:
        self.ledger = ledger
        self.tape, self.target, self.terminal = Tape(), Pipe(), Pipe()
        self.meter = Meter((Account(Scope.SESSION, "session:s-1", persons, 1000),))
        self.day = Day("today", 0, 0)
        self.session = TerminalSession(
            admission(self.meter),
            self.tape,
            ledger,
            subject_key=b"k" * 32,
            siblings=lambda: (),
            day=self.day,
            idle_seconds=idle,
        )

    async def until(self, text: bytes, pipe: Pipe | None = None) -> None:
        async with asyncio.timeout(10):
            while text not in (pipe or self.terminal).written:  # noqa: ASYNC110 (some turns of the loop)
                await asyncio.sleep(0)

    async def told(self, name: str) -> int:
        return len(await self.ledger.facts(0, 1000, names=[name]))


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    opened = await Ledger.open(f"sqlite:///{tmp_path / 'l.sqlite'}", keys=KeyRing(tmp_path / "keys"))
    try:
        yield opened
    finally:
        await opened.close()


@contextlib.asynccontextmanager
async def running(scene: Scene) -> AsyncIterator[asyncio.Task[Totals]]:
    async with asyncio.TaskGroup() as group:
        yield group.create_task(scene.session.run(scene.target, scene.terminal))
        scene.session.end(None, "test")


async def test_bytes_pass_both_ways_and_are_recorded_first(ledger: Ledger) -> None:
    scene = Scene(ledger)
    scene.tape.before = lambda data: assert_unseen(scene, data)
    async with running(scene) as task:
        scene.target.put(b"prompt$ ")
        await scene.until(b"prompt$ ")
        scene.terminal.put(b"ls\n")
        await scene.until(b"ls\n", scene.target)
        scene.session.resized(132, 43)
        scene.target.put(b"")
        totals = await task
    assert totals.reason == "target"
    assert totals.bytes == len(b"prompt$ ")
    assert scene.tape.said == [("o", b"prompt$ "), ("i", b"ls\n"), ("r", b"132x43")]
    assert scene.target.sizes == [(132, 43)]
    assert scene.target.closed
    assert scene.terminal.closed
    assert await scene.told("relay.terminal_output") == 1


def assert_unseen(scene: Scene, data: bytes) -> None:
    assert data not in bytes(scene.terminal.written)


async def test_what_the_recorder_did_not_take_is_not_sent(ledger: Ledger) -> None:
    scene = Scene(ledger)
    async with running(scene) as task:
        scene.target.put(b"first")
        await scene.until(b"first")
        scene.tape.failed.set_result(Fault(RECORDER_FAILED, reason="full"))
        scene.target.put(b"second")
        totals = await task
    assert totals.reason == "recorder"
    assert b"second" not in scene.terminal.written
    assert b"SEK-RECD-001" in scene.terminal.written


async def test_up_to_the_limit_whole_lines_pass_and_nothing_more(ledger: Ledger) -> None:
    scene = Scene(ledger, persons=3)
    async with running(scene) as task:
        scene.target.put(b"090-1234-0001\r\n090-1234-0002\r\n")
        await scene.until(b"0002")
        scene.target.put("".join(f"090-1234-{i:04}\r\n" for i in range(3, 9)).encode())
        totals = await task
    assert totals.reason == "limit"
    shown, _, said = bytes(scene.terminal.written).partition(b"0003\r\n")
    assert shown.endswith(b"0002\r\n090-1234-")
    assert said.startswith(b"\r\n\x1b[0mSEK-SCRN-001")
    assert scene.meter.persons == 3
    assert b"".join(data for code, data in scene.tape.said if code == "o") == bytes(scene.terminal.written)
    assert totals.bytes == 3 * len(b"090-1234-0001\r\n")


async def test_a_slow_terminal_holds_the_target_back(ledger: Ledger) -> None:
    scene = Scene(ledger)
    takes = asyncio.Event()
    scene.terminal.drain = takes.wait  # type: ignore[method-assign, assignment]
    async with running(scene) as task:
        scene.target.put(b"one")
        scene.target.put(b"two")
        await scene.until(b"one")
        for _ in range(20):
            await asyncio.sleep(0)
        assert b"two" not in scene.terminal.written
        takes.set()
        await scene.until(b"two")
        scene.target.put(b"")
        await task


async def test_idle_sessions_end_and_busy_ones_do_not(ledger: Ledger) -> None:
    scene = Scene(ledger, idle=0.2)
    async with running(scene) as task:
        for _ in range(4):
            scene.target.put(b"x")
            await asyncio.sleep(0.1)
            assert not task.done()
        totals = await task
    assert totals.reason == "idle"
    assert b"SEK-SCRN-003" in scene.terminal.written


async def test_it_ends_from_outside_with_a_sentence(ledger: Ledger) -> None:
    scene = Scene(ledger)
    async with running(scene) as task:
        scene.session.end(Fault(SESSION_ENDED, reason="frozen"), "frozen")
        totals = await task
    assert totals.reason == "frozen"
    assert b"SEK-RLAY-013" in scene.terminal.written


async def test_a_mistake_of_ours_ends_the_session_only(ledger: Ledger) -> None:
    scene = Scene(ledger)

    def broken(_: bytes) -> None:
        raise RuntimeError("a mistake")

    scene.tape.before = broken
    async with running(scene) as task:
        scene.target.put(b"never shown")
        async with asyncio.timeout(5):
            await asyncio.wait([scene.session._ended])
        scene.tape.before = lambda _: None
        totals = await task
    assert totals.reason == "mistake"
    assert b"never shown" not in scene.terminal.written


async def test_volume_and_encodings_are_raised(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TELL_SECONDS", 0.05)
    scene = Scene(ledger)
    scene.day.bytes = scene.day.raise_at - 1000
    async with running(scene) as task:
        scene.target.put(b"an ordinary line of a log\r\n" * 200_000)
        await scene.until(b"line of a log")
        scene.target.put(b"c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTAxMjM0NTY3ODkw\r\n" * 60)
        scene.target.put(b"")
        await task
    raised = [
        recorded.typed() for recorded in await ledger.facts(0, 100, names=["relay.terminal_volume_high"])
    ]
    assert {getattr(one, "scope", "") for one in raised} == {"session", "day"}
    assert await scene.told("relay.terminal_encoded") == 1
    assert scene.meter.persons > 5


async def test_what_nobody_could_read_is_remembered_over_a_restart(ledger: Ledger) -> None:
    shown = TerminalOutput(
        session="s-1", ticket="T-1", organisation="kita", bytes=1500, lines=1, rows=0, persons=0, encoded=FREE,
        sightings={},
    )  # fmt: skip
    await ledger.record(shown, by="sato", about="s-1")
    looked = Looked(
        ticket="T-1", person="sato", session="s-2", first=1, lines=1, persons=0, content=Commitment("0" * 64),
        encoded=150,
    )  # fmt: skip
    await ledger.record(looked, by="sato", about="T-1")
    [first, *_] = await ledger.facts(0, 1)
    at = first.at
    unread = (await Volumes(ledger, now=lambda: at).of("sato")).unread  # as a checkpoint that starts anew
    assert unread.characters == FREE + 150
    assert unread.take(49) == 0  # one person is counted for the first 150
    assert unread.take(1) == 1
    assert (await Volumes(ledger, now=lambda: at).of("suzuki")).unread.characters == 0
    tomorrow = Volumes(ledger, now=lambda: at + timedelta(days=1))
    assert (await tomorrow.of("sato")).unread.characters == 0
