"""Recording, reading, refusing: one suite over both databases."""

import asyncio
import itertools

from sqlalchemy import select

from ledger.ledger_examples import VISITS, RoomOpened, Visited
from sekisho.evidence.merkle import leaf_hash
from sekisho.faults import Fault
from sekisho.ledger import Erased, Ledger, Recorded


async def test_a_fact_is_recorded_with_its_projection(ledger: Ledger) -> None:
    recorded = await ledger.record(Visited(rows=3), by="p-sato", about="s-1")
    assert recorded.seq == 0
    assert recorded.leaf.startswith(b'{"seq":0,"fact":"test.visited","v":1,"at":"20')
    assert recorded.leaf.endswith(b'Z","by":"p-sato","about":"s-1","data":{"rows":3,"text":null}}')
    assert recorded.leaf_hash == leaf_hash(recorded.leaf)
    assert await ledger.facts(0, 10) == [recorded]
    assert recorded.typed() == Visited(rows=3)
    async with ledger.read() as connection:
        assert [tuple(row) for row in await connection.execute(select(VISITS))] == [("p-sato", 1, 3)]


async def test_many_writers_get_contiguous_indices_and_exact_sums(ledger: Ledger) -> None:
    async def write(person: int) -> list[int]:
        return [(await ledger.record(Visited(rows=n), by=f"p-{person}", about="s-1")).seq for n in range(20)]

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(write(person)) for person in range(32)]
    assert sorted(seq for task in tasks for seq in task.result()) == list(range(640))
    facts = await ledger.facts(0, 1000)
    assert [recorded.seq for recorded in facts] == list(range(640))
    assert all(a.at <= b.at for a, b in itertools.pairwise(facts))
    async with ledger.read() as connection:
        rows = [tuple(row) for row in await connection.execute(select(VISITS))]
    assert sorted(rows) == sorted((f"p-{person}", 20, 190) for person in range(32))


async def test_a_fact_that_contradicts_is_refused_alone(ledger: Ledger) -> None:
    futures = [
        ledger.record_soon(RoomOpened(name=f"room {n}"), by="p-sato", about=f"r-{n % 10}") for n in range(15)
    ]
    outcomes = await asyncio.gather(*futures, return_exceptions=True)
    assert sum(isinstance(outcome, Recorded) for outcome in outcomes) == 10
    refused = [outcome for outcome in outcomes if isinstance(outcome, Fault)]
    assert {fault.code for fault in refused} == {"SEK-LEDG-006"}
    assert len(refused) == 5
    assert await ledger.size() == 10


async def test_a_part_is_sealed_read_and_erased(ledger: Ledger) -> None:
    sealed = ledger.vault.seal("c-01", b"SELECT secret")
    recorded = await ledger.record(
        Visited(rows=1, text=sealed.commitment), by="p-sato", about="s-1", parts=[sealed]
    )
    assert b"secret" not in recorded.leaf
    assert await ledger.content(sealed.commitment) == b"SELECT secret"
    erased = await ledger.erase(sealed.commitment, by="p-suzuki", reason="asked by the client")
    assert await ledger.content(sealed.commitment) == Erased(erased.at, "p-suzuki")


async def test_what_is_not_urgent_waits_for_company_and_goes_with_it(ledger: Ledger) -> None:
    patient = [ledger.record_soon(Visited(rows=n), by="p", about="s", urgent=False) for n in range(3)]
    pressing = await ledger.record(Visited(rows=9), by="p", about="s")
    assert pressing.seq == 3
    assert all(future.done() for future in patient)
    alone = ledger.record_soon(Visited(rows=1), by="p", about="s", urgent=False)
    assert (await alone).seq == 4
