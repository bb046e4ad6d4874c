"""Subscriptions remember how far they came."""

import asyncio

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.exc import SQLAlchemyError

from ledger.ledger_examples import RoomOpened, Visited
from sekisho.ledger import KeyRing, Ledger, Recorded
from sekisho.ledger.tables import FACTS, OFFSETS


async def take(ledger: Ledger, count: int, *, ack: bool, name: str = "watch") -> list[Recorded]:
    taken: list[Recorded] = []
    subscription = ledger.subscribe(name, names=["test.visited"])
    async for recorded in subscription:
        taken.append(recorded)
        if ack:
            await subscription.ack(recorded)
        if len(taken) == count:
            break
    return taken


async def test_what_was_not_acknowledged_comes_again(url: str, keys: KeyRing) -> None:
    async with await Ledger.open(url, keys=keys) as ledger:
        for n in range(4):
            await ledger.record(Visited(rows=n), by="p", about="s")
            await ledger.record(RoomOpened(name="x"), by="p", about=f"r-{n}")
        assert [one.seq for one in await take(ledger, 2, ack=True)] == [0, 2]
        assert [one.seq for one in await take(ledger, 2, ack=False)] == [4, 6]
    async with await Ledger.open(url, keys=keys) as ledger:
        assert [one.seq for one in await take(ledger, 1, ack=True)] == [4]
        assert [one.seq for one in await take(ledger, 4, ack=True, name="another")] == [0, 2, 4, 6]


async def test_new_facts_arrive_also_from_another_process(url: str, keys: KeyRing) -> None:
    async with (
        await Ledger.open(url, keys=keys) as ledger,
        await Ledger.open(url, keys=keys) as other,
        asyncio.TaskGroup() as group,
    ):
        taking = group.create_task(take(ledger, 2, ack=True))
        await asyncio.sleep(0.05)
        await ledger.record(Visited(rows=1), by="p", about="s")
        await other.record(Visited(rows=2), by="p", about="s")
        assert [one.seq for one in await taking] == [0, 1]


async def test_a_subscription_ends_with_its_ledger(ledger: Ledger) -> None:
    async with asyncio.TaskGroup() as group:
        taking = group.create_task(take(ledger, 1, ack=True))
        await asyncio.sleep(0.02)
        await ledger.close()
    assert taking.result() == []


async def test_reading_cannot_write(ledger: Ledger) -> None:
    async with ledger.read() as connection:
        with pytest.raises(Exception, match=r"readonly|read-only") as caught:
            await connection.execute(insert(OFFSETS).values(name="x", next_seq=1))
    assert not isinstance(caught.value, SQLAlchemyError)
    assert await ledger.offset("x") == 0


async def test_one_read_is_one_snapshot(ledger: Ledger) -> None:
    async with ledger.read() as connection:
        assert await connection.scalar(select(func.count()).select_from(FACTS)) == 0
        await ledger.record(Visited(rows=1), by="p", about="s")
        assert await connection.scalar(select(func.count()).select_from(FACTS)) == 0
    assert await ledger.size() == 1
