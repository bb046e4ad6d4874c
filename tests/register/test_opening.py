"""What opens more takes two persons: a longer contract, a wider hop, another federation."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from register.register_examples import DAY, TABLES, fill, take_in_by_two
from sekisho.faults import Fault
from sekisho.ledger import Ledger, Recorded
from sekisho.register import faults
from sekisho.register.changes import agree
from sekisho.register.facts import ContractAdded, EntrustmentsProposed
from sekisho.register.intake import take_in
from sekisho.register.opening import differences, opens, parts_of
from sekisho.register.parties import Approval, Clause, Contract, Hop, LegalPerson, Parties, Tie, TieKind
from sekisho.register.periods import Interval, Period, Point, parse_period
from sekisho.register.records import read_parties
from sekisho.register.standing import LockedDataset, standing
from sekisho.register.tables_io import RegisterTables

AFTER = date(2024, 1, 10)  # c1 ended in January 2023


def of(**parts: Any) -> RegisterTables:
    return RegisterTables(Parties(**parts))


H1, H2 = TABLES.parties.hops
C1, C2 = TABLES.parties.contracts
LONGER = msgspec.structs.replace(C1, period=parse_period("2016年2月~"))


async def locked(ledger: Ledger, on: date) -> bool:
    async with ledger.read() as connection:
        return isinstance(await standing(connection, "list", on), LockedDataset)


async def proposal_in(recorded: tuple[Recorded, ...]) -> str:
    [one] = [one for one in recorded if one.fact == "register.entrustments_proposed"]
    return one.leaf_hash.hex()


async def test_one_person_prolongs_no_contract(ledger: Ledger) -> None:
    await fill(ledger)
    assert await locked(ledger, AFTER)
    proposal = await proposal_in(await take_in(ledger, of(contracts=(LONGER,)), by="kanri", file="console"))
    assert await locked(ledger, AFTER), "a proposal opens nothing"
    with pytest.raises(Fault) as refused:
        await agree(ledger, proposal, by="kanri")
    assert refused.value.kind is faults.SECOND_PERSON
    assert await locked(ledger, AFTER)
    recorded = await agree(ledger, proposal, by="fuku")
    assert isinstance(recorded.typed(), ContractAdded)
    assert not await locked(ledger, AFTER)
    with pytest.raises(Fault) as again:
        await agree(ledger, proposal, by="fuku")
    assert again.value.kind is faults.NO_SUCH_PROPOSAL


async def test_a_proposal_is_void_when_the_contract_has_changed_since(ledger: Ledger) -> None:
    await fill(ledger)
    proposal = await proposal_in(await take_in(ledger, of(contracts=(LONGER,)), by="kanri"))
    ended = msgspec.structs.replace(C1, period=parse_period("2016年2月~2020年1月"))
    recorded = await take_in(ledger, of(contracts=(ended,)), by="kanri")
    assert [one.fact for one in recorded] == ["register.tables_taken_in", "register.contract_added"]
    assert await locked(ledger, DAY), "what ends sooner is one person's"
    with pytest.raises(Fault) as refused:
        await agree(ledger, proposal, by="fuku")
    assert refused.value.kind is faults.NO_SUCH_PROPOSAL


@dataclass(frozen=True)
class Change:
    tables: RegisterTables
    waits: bool


CHANGES = {
    "another period": Change(of(contracts=(LONGER,)), True),
    "a shorter period": Change(
        of(contracts=(msgspec.structs.replace(C2, period=parse_period("2017年1月~2018年")),)), False
    ),
    "a lost clause": Change(
        of(contracts=(msgspec.structs.replace(C1, clauses=frozenset({Clause.AUDIT})),)), True
    ),
    "another clause": Change(of(contracts=(msgspec.structs.replace(C2, clauses=frozenset(Clause)),)), False),
    "a contract of another hop": Change(of(contracts=(msgspec.structs.replace(C2, hop="h1"),)), True),
    "a new contract": Change(of(contracts=(Contract("c9", "h1", "覚書", parse_period("2030年")),)), True),
    "a new hop": Change(of(hops=(Hop("h9", "farm", "call", "union", frozenset({"old"}), DAY),)), True),
    "one more dataset": Change(
        of(hops=(msgspec.structs.replace(H2, datasets=frozenset({"list", "old"})),)), True
    ),
    "one dataset less": Change(of(hops=(msgspec.structs.replace(H1, datasets=frozenset({"old"})),)), False),
    "an earlier beginning": Change(of(hops=(msgspec.structs.replace(H2, began=date(2015, 1, 1)),)), True),
    "an approval on paper": Change(
        of(hops=(msgspec.structs.replace(H1, approval=Approval("farm", date(2016, 1, 1))),)), True
    ),
    "another receiver": Change(of(hops=(msgspec.structs.replace(H2, receiver="union"),)), True),
    "a federation": Change(of(ties=(Tie(TieKind.FEDERATION_OF, "call", "farm"),)), True),
    "a parent": Change(of(ties=(Tie(TieKind.PARENT_OF, "call", "data"),)), False),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_what_opens_more_waits_and_what_does_not_is_recorded(ledger: Ledger, change: Change) -> None:
    await fill(ledger)
    facts = [one.fact for one in await take_in(ledger, change.tables, by="kanri")][1:]
    assert len(facts) == 1
    assert (facts == ["register.entrustments_proposed"]) is change.waits
    async with ledger.read() as connection:
        held = await read_parties(connection)
    if change.waits:
        assert held == TABLES.parties
    await take_in_by_two(ledger, change.tables)


async def test_a_large_file_waits_in_proposals_that_fit_into_leaves(ledger: Ledger) -> None:
    persons = tuple(LegalPerson(f"p{n}", f"会社{n}") for n in range(400))
    hops = tuple(Hop(f"n{n}", "farm", "farm", f"p{n}", frozenset({"list"}), DAY) for n in range(400))
    always = parse_period("2016年2月~")
    contracts = tuple(
        Contract(f"k{n}", f"n{n}", "業務委託契約", always, frozenset(Clause)) for n in range(400)
    )
    await fill(ledger)
    recorded = await take_in(
        ledger, of(persons=persons, hops=hops, contracts=contracts), by="kanri", file="big"
    )
    proposals = [one.typed() for one in recorded if one.fact == "register.entrustments_proposed"]
    waiting = [part for one in proposals if isinstance(one, EntrustmentsProposed) for part in parts_of(one)]
    assert len(proposals) > 1
    assert len(waiting) == 800
    await take_in_by_two(ledger, of(persons=persons, hops=hops, contracts=contracts))
    for one in recorded:
        if one.fact == "register.entrustments_proposed":
            await agree(ledger, one.leaf_hash.hex(), by="fuku")
    async with ledger.read() as connection:
        held = await read_parties(connection)
    assert (len(held.hops), len(held.contracts)) == (402, 402)


async def test_the_second_person_sees_what_stands_and_what_would(ledger: Ledger, tmp_path: Path) -> None:
    await fill(ledger)
    fewer = msgspec.structs.replace(LONGER, clauses=frozenset(Clause) - {Clause.AUDIT})
    wider = msgspec.structs.replace(H2, datasets=frozenset({"list", "old"}))
    recorded = await take_in(ledger, of(hops=(wider,), contracts=(fewer,)), by="kanri")
    proposal = recorded[-1].typed()
    assert isinstance(proposal, EntrustmentsProposed)
    async with ledger.read() as connection:
        said = differences(await read_parties(connection), proposal)
    assert said == [
        "h2: call → data [list] 2016-02-01 ⇒ call → data [list, old] 2016-02-01 (farm 2016-01-09)",
        "c1: h1 2016年2月~2023年1月 ⇒ h1 2016年2月~ −audit",
    ]


POINTS = st.builds(Point, st.integers(2015, 2030), st.none() | st.integers(1, 12))
INTERVALS = st.builds(Interval, st.none() | POINTS, st.none() | POINTS)
PERIODS = st.builds(Period, st.just("x"), st.lists(INTERVALS, max_size=3).map(tuple))


@given(PERIODS, PERIODS, st.dates(date(2010, 1, 1), date(2035, 1, 1)))
def test_no_day_comes_into_a_contract_without_a_second_person(old: Period, new: Period, day: date) -> None:
    held = Parties(contracts=(Contract("c", "h", "x", old),))
    fact = ContractAdded(contract="c", hop="h", kind="x", period=new, clauses=())

    def holds(period: Period) -> bool:
        return any(interval.contains(day) for interval in period.intervals)

    if holds(new) and not holds(old):
        assert opens(held, fact)
