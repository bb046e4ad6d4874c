"""The agency's list against ours."""

import contextlib
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from people.people_examples import START, add
from sekisho.faults import Fault
from sekisho.ledger import Ledger
from sekisho.people.facts import HeadcountDifference, HeadcountKind, HeadcountReconciled
from sekisho.people.headcount import (
    Listed,
    Overdue,
    compare,
    find_differences,
    find_overdue,
    read_list,
    reconcile,
)
from sekisho.people.leaving import leave

AGENCY = "Example Staffing"
DAY = date(2026, 11, 1)


@pytest.fixture
async def staffed(house: Ledger) -> Ledger:
    for person in ("sato", "ito", "kato", "abe"):
        await add(house, person, agency=AGENCY, started=START)
    await leave(house, "abe", last_day=DAY, reason="contract ended", by="mori")
    return house


async def test_a_mismatch_is_raised_at_the_next_reconciliation(staffed: Ledger) -> None:
    content = (
        "担当者ID,氏名,開始日\nsato,佐藤,2008/06/01\nito,伊藤,2009-06-01\nabe,阿部,\nwada,和田,\n".encode(
            "cp932"
        )
    )
    recorded = await reconcile(staffed, AGENCY, content, as_of=DAY, by="hogo")
    fact = recorded.typed()
    assert isinstance(fact, HeadcountReconciled)
    assert (fact.listed, fact.ours) == (4, 3)
    differences = (
        HeadcountDifference(kind=HeadcountKind.LEFT_HERE, person="abe"),
        HeadcountDifference(kind=HeadcountKind.STARTED, person="ito", listed="2009-06-01", ours="2008-06-01"),
        HeadcountDifference(kind=HeadcountKind.ONLY_HERE, person="kato", ours="2008-06-01"),
        HeadcountDifference(kind=HeadcountKind.ONLY_AGENCY, person="wada"),
    )
    assert fact.differences == differences
    async with staffed.read() as connection:
        assert await find_differences(connection) == {AGENCY: differences}
    # The list itself, with the names of people who are not ours, is a confidential part.
    assert await staffed.content(fact.content) == content
    assert "和田".encode() not in recorded.leaf
    corrected = b"person\nsato\nito\nkato\n"
    await reconcile(staffed, AGENCY, corrected, as_of=DAY, by="hogo")
    async with staffed.read() as connection:
        assert await find_differences(connection) == {}


async def test_an_agency_that_is_late_is_overdue(staffed: Ledger) -> None:
    async with staffed.read() as connection:
        assert await find_overdue(connection, DAY) == [Overdue(AGENCY, None, 3)]
    await reconcile(staffed, AGENCY, b"person\nsato\nito\nkato\n", as_of=DAY, by="hogo")
    async with staffed.read() as connection:
        assert await find_overdue(connection, date(2026, 12, 6)) == []
        assert await find_overdue(connection, date(2026, 12, 7)) == [Overdue(AGENCY, DAY, 3)]


@pytest.mark.parametrize(
    ("content", "row"),
    [
        (b"", 1),
        (b"name\nsato\n", 1),
        (b"person,person\nsato,ito\n", 1),
        (b"person,started\nsato,2008-06-01\nito,soon\n", 3),
        (b"person,started\nsato,2008-06-01\nsato,2008-06-01\n", 3),
        (b"person,started\nsato\n", 2),
        (b"person,started\n,2008-06-01\n", 2),
        (b'person\n"sato\n', 0),
        (b"person\n\x81\xff\n", 0),
        (b"x" * (4 * 1024 * 1024 + 1), 0),
    ],
)
async def test_a_list_that_cannot_be_read_changes_nothing(staffed: Ledger, content: bytes, row: int) -> None:
    with pytest.raises(Fault, match="SEK-PEOP-022") as caught:
        await reconcile(staffed, AGENCY, content, as_of=DAY, by="hogo")
    assert caught.value.values["row"] == row
    assert not await staffed.facts(0, 9, names=["people.headcount_reconciled"])


@given(st.binary(max_size=200))
def test_any_bytes_are_a_list_or_a_fault(content: bytes) -> None:
    with contextlib.suppress(Fault):
        read_list(AGENCY, b"person,started\n" + content)


people = st.sampled_from(["sato", "ito", "kato", "abe", "wada"])
days = st.sampled_from(["", "2008-06-01", "2009-06-01"])


@given(st.dictionaries(people, days), st.dictionaries(people, days), st.frozensets(people))
def test_each_person_differs_once_or_not_at_all(
    theirs: dict[str, str], ours: dict[str, str], left: frozenset[str]
) -> None:
    listed = [Listed(one, date.fromisoformat(day) if day else None) for one, day in theirs.items()]
    found = {one.person: one.kind for one in compare(listed, ours, left)}
    assert {
        one for one, kind in found.items() if kind is HeadcountKind.ONLY_HERE
    } == ours.keys() - theirs.keys()
    unknown = (HeadcountKind.ONLY_AGENCY, HeadcountKind.LEFT_HERE)
    assert {one for one, kind in found.items() if kind in unknown} == theirs.keys() - ours.keys()
    assert compare([Listed(one, None) for one in ours], ours, left) == ()
