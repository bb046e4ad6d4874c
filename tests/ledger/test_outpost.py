"""A ledger held by one process and used by another: here both are in one, with a socket between them."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import msgspec
import pytest

from ledger.ledger_examples import RoomOpened, Visited
from sekisho.faults import Fault
from sekisho.ledger import KeyRing, Ledger
from sekisho.ledger.faults import CLOSED, NOT_FROM_HERE, REFUSED
from sekisho.ledger.outpost import Outpost, Write, framed, hold

NAMES = frozenset({"test.visited", "test.room_opened"})
Joined = Callable[..., AbstractAsyncContextManager[Outpost]]


@pytest.fixture
def joined(ledger: Ledger, url: str, keys: KeyRing) -> Joined:
    """An outpost of the ledger; `waits` collects what the holder learns of it."""

    @asynccontextmanager
    async def join(waits: list[bool] | None = None, names: frozenset[str] = NAMES) -> AsyncIterator[Outpost]:
        ours, theirs = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=ours)
        told = (waits if waits is not None else []).append
        async with asyncio.TaskGroup() as group:
            holding = group.create_task(hold(ledger, reader, writer, names=names, on_message=told))
            outpost = Outpost(url, keys, *await asyncio.open_connection(sock=theirs))
            answers = group.create_task(outpost.run())
            yield outpost
            await outpost.close()
            assert await holding
            writer.close()
            await answers

    return join


async def test_what_an_outpost_records_is_recorded_by_the_holder(ledger: Ledger, joined: Joined) -> None:
    async with joined() as outpost:
        sealed = outpost.vault.seal("minato", "秘密".encode())
        fact = Visited(rows=3, text=sealed.commitment)
        recorded = await outpost.record(fact, by="p-sato", about="s-1", parts=[sealed])
        assert [recorded] == await ledger.facts(0, 10)
        assert recorded.typed() == fact
        assert await ledger.content(sealed.commitment) == "秘密".encode()
        assert await outpost.facts(0, 10) == [recorded]


async def test_order_is_kept_and_many_are_under_way(ledger: Ledger, joined: Joined) -> None:
    async with joined() as outpost:
        futures = [outpost.record_soon(Visited(rows=n), by="p-sato", about=f"s-{n}") for n in range(200)]
        assert [(await future).seq for future in futures] == list(range(200))
    assert [one.about for one in await ledger.facts(0, 300)] == [f"s-{n}" for n in range(200)]


async def test_a_refusal_is_a_refusal_there_too(ledger: Ledger, joined: Joined) -> None:
    async with joined() as outpost:
        await ledger.record(RoomOpened(name="a"), by="p-sato", about="r-1")
        with pytest.raises(Fault) as refused:
            await outpost.record(RoomOpened(name="b"), by="p-sato", about="r-1")
        assert refused.value.kind is REFUSED


async def test_only_what_the_holder_allows_is_recorded(ledger: Ledger, joined: Joined) -> None:
    async with joined(names=frozenset({"test.room_opened"})) as outpost:
        with pytest.raises(Fault) as refused:
            await outpost.record(Visited(rows=1), by="p-sato", about="s-1")
        assert refused.value.kind is NOT_FROM_HERE
    assert await ledger.size() == 0


async def test_it_hears_of_facts_without_asking_again(ledger: Ledger, joined: Joined) -> None:
    waits: list[bool] = []
    async with joined(waits) as outpost, asyncio.timeout(20):
        await outpost.wait_beyond(0, 0.01)  # in vain
        waiting = asyncio.gather(*(outpost.wait_beyond(0) for _ in range(2)))
        await asyncio.sleep(0)
        await ledger.record(Visited(rows=1), by="p-sato", about="s-1")
        await waiting
        assert waits == [True, False]  # the one question stood, and was answered once
        await outpost.wait_beyond(0)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await outpost.wait_beyond(1)


async def test_the_end_of_the_holder_is_the_end_of_the_ledger(
    ledger: Ledger, url: str, keys: KeyRing
) -> None:
    ours, theirs = socket.socketpair()
    outpost = Outpost(url, keys, *await asyncio.open_connection(sock=theirs))
    async with asyncio.TaskGroup() as group, asyncio.timeout(20):
        answers = group.create_task(outpost.run())
        lost = outpost.record_soon(Visited(rows=1), by="p-sato", about="s-1")
        waiting = group.create_task(outpost.wait_beyond(0))
        await asyncio.sleep(0)
        ours.close()
        await answers
        await waiting
        with pytest.raises(Fault) as fault:
            await lost
        assert fault.value.kind is CLOSED
    assert outpost.closing
    with pytest.raises(Fault):
        outpost.record_soon(Visited(rows=1), by="p-sato", about="s-1")
    await outpost.close()


async def test_nothing_but_facts(ledger: Ledger, joined: Joined) -> None:
    async with joined() as outpost:
        with pytest.raises(TypeError):
            await outpost.erase_owner("minato", by="p-sato", reason="over")


@pytest.mark.parametrize(
    "said",
    [
        b"\x00\x00\x00\x01\xc1",  # no msgpack
        b"\xff\xff\xff\xff",  # longer than any message
        b"\x00\x00\x00\x05\x81\xa4type",  # cut off within
    ],
)
async def test_what_makes_no_sense_ends_it(ledger: Ledger, said: bytes) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        reader, writer = await asyncio.open_connection(sock=ours)
        theirs.sendall(said)
        async with asyncio.timeout(20):
            assert not await hold(ledger, reader, writer, names=NAMES)
        writer.close()


async def test_a_fact_that_its_declaration_refuses_ends_it(ledger: Ledger) -> None:
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=ours)
    wrong = Write(1, "test.visited", 1, b'{"rows":"many"}', "p-sato", "s-1", (), True)
    with theirs:
        theirs.sendall(framed(msgspec.msgpack.encode(wrong)))
        async with asyncio.timeout(20):
            assert not await hold(ledger, reader, writer, names=NAMES)
    writer.close()
    assert await ledger.size() == 0
