"""Several processes on one database, and the ledger's time."""

import asyncio
import multiprocessing
from pathlib import Path

from sqlalchemy import func, select

from ledger.ledger_examples import VISITS, Visited
from ledger.several_writers import EACH, WRITERS, write
from sekisho.ledger import KeyRing, Ledger
from sekisho.ledger.facts import ClockJumped
from sekisho.ledger.leaf import read_leaf


async def test_indices_are_contiguous_over_processes(url: str, tmp_path: Path, keys: KeyRing) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=write, args=(url, tmp_path / "keys")) for _ in range(WRITERS)]
    for process in processes:
        process.start()
    for process in processes:
        await asyncio.to_thread(process.join)
        assert process.exitcode == 0
    async with await Ledger.open(url, keys=keys) as ledger:
        facts = await ledger.facts(0, 10_000)
        assert [one.seq for one in facts] == list(range(WRITERS * EACH))
        assert [read_leaf(one.leaf).seq for one in facts] == list(range(WRITERS * EACH))
        assert sorted(one.at for one in facts) == [one.at for one in facts]
        async with ledger.read() as connection:
            assert await connection.scalar(select(func.sum(VISITS.c.visits))) == WRITERS * EACH


class SetClock:
    """A clock whose wall part somebody turns."""

    def __init__(self) -> None:
        self.wall_us = 1_900_000_000_000_000
        self.steady_us = 5_000_000

    def wall(self) -> int:
        return self.wall_us

    def steady(self) -> int:
        return self.steady_us

    def passes(self, seconds: float, *, wall_jump: float = 0) -> None:
        self.steady_us += int(seconds * 1e6)
        self.wall_us += int((seconds + wall_jump) * 1e6)


async def test_time_never_decreases_and_does_not_follow_a_jump(url: str, keys: KeyRing) -> None:
    clock = SetClock()
    start = clock.wall_us
    seconds: list[float] = []

    async def record(ledger: Ledger) -> None:
        recorded = await ledger.record(Visited(rows=1), by="p-sato", about="s-1")
        seconds.append(recorded.at.timestamp() - start / 1e6)

    async with await Ledger.open(url, keys=keys, clock=clock) as ledger:
        await record(ledger)
        clock.passes(1)
        await record(ledger)
        clock.passes(1, wall_jump=-3)  # an adjustment: time holds until the wall clock has caught up
        await record(ledger)
        clock.passes(3)
        await record(ledger)
        clock.passes(1, wall_jump=3600)  # a jump: not followed
        await record(ledger)
        clock.passes(1)
        await record(ledger)
        clock.passes(1, wall_jump=-3600)  # and back
        await record(ledger)
        assert [round(each, 3) for each in seconds] == [0, 1, 1, 2, 3, 4, 5]
        jumps = [one.typed() for one in await ledger.facts(0, 100, names=["ledger.clock_jumped"])]
        assert [one.jump_us for one in jumps if isinstance(one, ClockJumped)] == [
            3_600_000_000,
            -3_600_000_000,
        ]
    clock.wall_us -= 86_400_000_000  # set back while nothing ran
    async with await Ledger.open(url, keys=keys, clock=clock) as ledger:
        await record(ledger)
        clock.passes(2)
        await record(ledger)
        assert [round(each, 3) for each in seconds[-2:]] == [5, 7]
        assert len(await ledger.facts(0, 100, names=["ledger.clock_jumped"])) == 3
