"""Whoever edits the database opens no dataset: the standing is read from facts that the published log confirms."""

import sqlite3
from datetime import date
from pathlib import Path

import msgspec
import pytest

from register.register_examples import DAY, TABLES, fill, take_in_by_two
from sekisho.faults import Fault
from sekisho.ledger import Ledger, Recorded
from sekisho.register.access import Access
from sekisho.register.approval import approve_hop
from sekisho.register.attested import attested_standing
from sekisho.register.catalogue import find_target
from sekisho.register.changes import agree, change_target
from sekisho.register.facts import TargetAdded
from sekisho.register.parties import Contract, Hop, Parties
from sekisho.register.periods import parse_period
from sekisho.register.records import read_tables
from sekisho.register.standing import LockedDataset, OpenDataset, standing
from sekisho.register.tables import entrustments
from sekisho.register.tables_io import RegisterTables

AFTER = date(2023, 2, 1)


class Log:
    """A published log: what was recorded up to the moment at which it was published."""

    def __init__(self) -> None:
        self.leaves: dict[int, bytes] = {}

    async def publish(self, ledger: Ledger) -> None:
        self.leaves = {one.seq: one.leaf for one in await ledger.facts(0, 10_000)}

    async def confirms(self, recorded: Recorded) -> bool:
        return self.leaves.get(recorded.seq) == recorded.leaf


@pytest.fixture
async def log(ledger: Ledger) -> Log:
    await fill(ledger)
    published = Log()
    await published.publish(ledger)
    return published


def edit(tmp_path: Path, *statements: str) -> None:
    with sqlite3.connect(tmp_path / "ledger.db") as database:
        for statement in statements:
            assert database.execute(statement).rowcount > 0
    database.close()


async def both(ledger: Ledger, log: Log, on: date = DAY, dataset: str = "list") -> list[list[str]]:
    """What locks the dataset: by the tables, and by the published log."""
    async with ledger.read() as connection:
        by_tables = await standing(connection, dataset, on)
    by_log = await attested_standing(ledger, dataset, on, log.confirms)
    return [
        [fault.code for fault in found.reasons] if isinstance(found, LockedDataset) else []
        for found in (by_tables, by_log)
    ]


async def test_unforged_tables_and_the_log_say_the_same(ledger: Ledger, log: Log) -> None:
    for on in (date(2015, 1, 1), DAY, AFTER):
        for dataset in ("list", "old", "nothing"):
            by_tables, by_log = await both(ledger, log, on, dataset)
            assert by_tables == by_log
    found = await attested_standing(ledger, "list", DAY, log.confirms)
    assert isinstance(found, OpenDataset)
    async with ledger.read() as connection:
        assert await standing(connection, "list", DAY) == found


async def test_approvals_read_from_the_log_are_those_of_the_tables(ledger: Ledger, log: Log) -> None:
    future = date(2200, 1, 1)
    hop = msgspec.structs.replace(TABLES.parties.hops[1], approval=None, began=future)
    always = tuple(
        msgspec.structs.replace(one, period=parse_period("2016年~")) for one in TABLES.parties.contracts
    )
    await take_in_by_two(ledger, RegisterTables(Parties(hops=(hop,), contracts=always)))
    await log.publish(ledger)
    assert await both(ledger, log, future) == [["SEK-REG-142"], ["SEK-REG-142"]]
    async with ledger.read() as connection:
        query = entrustments.select().with_only_columns(entrustments.c.leaf_hash)
        shown = await connection.scalar(query.where(entrustments.c.hop == "h2"))
    await approve_hop(ledger, "h2", entrustment=str(shown), by="mitsu", organisation="union")
    await log.publish(ledger)
    assert await both(ledger, log, future) == [[], []]
    wider = msgspec.structs.replace(hop, datasets=frozenset({"list", "old"}))
    await take_in_by_two(ledger, RegisterTables(Parties(hops=(wider,))))
    await log.publish(ledger)
    assert await both(ledger, log, future) == [["SEK-REG-142"], ["SEK-REG-142"]]


async def test_a_prolonged_contract_in_the_tables_opens_nothing(
    ledger: Ledger, log: Log, tmp_path: Path
) -> None:
    assert await both(ledger, log, AFTER) == [["SEK-REG-143"], ["SEK-REG-143"]]
    edit(tmp_path, "UPDATE contracts SET period = (SELECT period FROM contracts WHERE contract = 'c2')")
    assert await both(ledger, log, AFTER) == [[], ["SEK-REG-143"]]


async def test_an_operator_hop_or_approval_in_the_tables_opens_nothing(
    ledger: Ledger, log: Log, tmp_path: Path
) -> None:
    edit(
        tmp_path,
        "UPDATE targets SET operator = 'others'",
        "INSERT INTO entrustments SELECT 'h9', client, giver, 'others', datasets, began, '', '', '' "
        "FROM entrustments WHERE hop = 'h1'",
        "INSERT INTO contracts SELECT 'c9', 'h9', kind, period, clauses FROM contracts WHERE contract = 'c1'",
    )
    by_tables = await both(ledger, log)
    assert by_tables == [[], []]  # open to whom? the log still says: to the operator that was recorded
    found = await attested_standing(ledger, "list", DAY, log.confirms)
    assert isinstance(found, OpenDataset)
    assert found.chain.reach.party == "data"
    assert [hop.id for hop in found.chain.hops] == ["h1", "h2"]


async def test_an_edited_fact_is_told(ledger: Ledger, log: Log, tmp_path: Path) -> None:
    edit(tmp_path, "UPDATE facts SET leaf = CAST(replace(CAST(leaf AS TEXT), '2023', '2029') AS BLOB) "
         "WHERE fact = 'register.contract_added' AND about = 'c1'")  # fmt: skip
    with pytest.raises(Fault, match="SEK-REG-148"):
        await attested_standing(ledger, "list", AFTER, log.confirms)


async def test_a_fact_that_was_never_published_is_told(ledger: Ledger, log: Log) -> None:
    longer = Contract("c1", "h1", "業務委託契約", parse_period("2016年2月~2030年1月"))
    await take_in_by_two(ledger, RegisterTables(Parties(contracts=(longer,))))
    with pytest.raises(Fault, match="SEK-REG-148"):
        await attested_standing(ledger, "list", AFTER, log.confirms)
    await log.publish(ledger)
    assert await both(ledger, log, AFTER) == [[], []]


async def test_a_row_beside_the_leaf_does_not_date_an_approval_back(
    ledger: Ledger, log: Log, tmp_path: Path
) -> None:
    hop: Hop = msgspec.structs.replace(TABLES.parties.hops[1], approval=None)
    await take_in_by_two(ledger, RegisterTables(Parties(hops=(hop,))))
    async with ledger.read() as connection:
        query = entrustments.select().with_only_columns(entrustments.c.leaf_hash)
        shown = await connection.scalar(query.where(entrustments.c.hop == "h2"))
        assert (await read_tables(connection)).parties.hops[1].approval is None
    await approve_hop(ledger, "h2", entrustment=str(shown), by="mitsu", organisation="farm")
    await log.publish(ledger)
    edit(tmp_path, "UPDATE hop_approvals SET approved_on = '2016-01-09'",
         "UPDATE facts SET at = 1400000000000000 WHERE fact = 'register.hop_approved'")  # fmt: skip
    assert await both(ledger, log) == [[], ["SEK-REG-142"]]


async def test_an_access_policy_is_loosened_by_two_only(ledger: Ledger, log: Log) -> None:
    """The program asks for the second person; here somebody records past it."""

    async def access() -> Access:
        await log.publish(ledger)
        found = await attested_standing(ledger, "list", DAY, log.confirms)
        assert isinstance(found, OpenDataset)
        return found.access

    async with ledger.read() as connection:
        held = await find_target(connection, "db1")
    assert held is not None
    text = TargetAdded(**{**{name: getattr(held, name) for name in held.__slots__}, "access": "text"})

    async def record(fact: TargetAdded, by: str) -> None:
        await ledger.record(fact, by=by, about="db1")

    assert await access() is Access.PIXELS
    await record(text, "kanri")
    assert await access() is Access.PIXELS  # and the table says otherwise: it is for screens
    proposed = await change_target(ledger, msgspec.structs.replace(text, port=9), by="kanri", reason="-")
    other = proposed.leaf_hash.hex()
    await record(msgspec.structs.replace(text, proposal=other), "hogo")  # another change than was proposed
    assert await access() is Access.PIXELS
    await record(msgspec.structs.replace(text, access="pixels"), "kanri")
    proposal = (await change_target(ledger, text, by="kanri", reason="no desktop there")).leaf_hash.hex()
    agreed = msgspec.structs.replace(text, proposal=proposal)
    await record(agreed, "kanri")  # by who proposed it
    assert await access() is Access.PIXELS
    held_now = msgspec.structs.replace(text, access="pixels", port=5433)
    await record(held_now, "kanri")
    proposal = (await change_target(ledger, text, by="kanri", reason="no desktop there")).leaf_hash.hex()
    await agree(ledger, proposal, by="hogo")
    assert await access() is Access.TEXT
    await change_target(ledger, msgspec.structs.replace(text, access="masked-text"), by="kanri", reason="-")
    assert await access() is Access.MASKED_TEXT  # less takes one
    await record(agreed, "hogo")  # what two once agreed to is spent
    assert await access() is Access.MASKED_TEXT
