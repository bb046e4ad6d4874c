"""The end of a contract: locked at once, a task once, red until the client has countersigned."""

from datetime import date, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from register.register_examples import TABLES, fill, take_in_by_two
from sekisho.faults import Fault
from sekisho.ledger import Ledger
from sekisho.register.erasure import (
    ERASE_DAYS,
    Due,
    EraseTask,
    certify,
    countersign,
    erasures_due,
    read_tasks,
    sweep,
)
from sekisho.register.facts import ErasureCountersigned
from sekisho.register.parties import Colour, Contract, Hop, Parties
from sekisho.register.periods import parse_period
from sekisho.register.standing import LockedDataset, standing
from sekisho.register.tables_io import RegisterTables

ENDED = date(2023, 1, 31)
AFTER = date(2023, 2, 1)
LATE = ENDED + timedelta(days=ERASE_DAYS + 1)


async def tasks(ledger: Ledger, on: date) -> dict[tuple[str, str], EraseTask]:
    async with ledger.read() as connection:
        found = await read_tasks(connection, on)
    return {(task.asked.dataset, task.asked.party): task for task in found}


async def test_a_task_opens_once_for_each_party_that_holds_the_data(ledger: Ledger) -> None:
    await fill(ledger)
    assert await sweep(ledger, ENDED) == ()
    async with ledger.read() as connection:
        assert isinstance(await standing(connection, "list", AFTER), LockedDataset)
    # h2's own contract goes on, but what it passes on has lost its ground.
    opened = await sweep(ledger, AFTER)
    assert [(one.fact, one.about) for one in opened] == [("register.erase_task_opened", name) for name in
                                                         ("list", "list", "old")]  # fmt: skip
    assert await sweep(ledger, AFTER) == ()
    assert await sweep(ledger, LATE) == ()
    found = await tasks(ledger, AFTER)
    assert set(found) == {("list", "call"), ("list", "data"), ("old", "call")}
    assert all(
        task.opened and task.colour is Colour.RED and not task.overdue(AFTER) for task in found.values()
    )
    assert all(task.overdue(LATE) for task in found.values())


async def test_a_task_is_red_also_when_nobody_ran_the_sweep(ledger: Ledger) -> None:
    await fill(ledger)
    task = (await tasks(ledger, LATE))["list", "data"]
    assert (task.opened, task.colour, task.overdue(LATE)) == (None, Colour.RED, True)


async def test_only_the_clients_countersignature_turns_it_green(ledger: Ledger) -> None:
    await fill(ledger)
    with pytest.raises(Fault, match="SEK-REG-153"):
        await certify(ledger, "list", party="data", by="sato", on=ENDED, method="消去", certificate=b"")
    await sweep(ledger, AFTER)
    paper = "消去証明書".encode()
    certified = await certify(
        ledger, "list", party="data", by="sato", on=AFTER, method="暗号鍵の破棄", certificate=paper
    )
    task = (await tasks(ledger, LATE))["list", "data"]
    assert task.colour is Colour.RED
    assert task.overdue(LATE)
    assert task.certificate is not None
    assert await ledger.content(task.certificate.certificate) == paper
    shown = certified.leaf_hash.hex()

    async def sign(by: str, organisation: str, certified: str = shown, party: str = "data") -> None:
        await countersign(
            ledger, "list", party=party, certified=certified, by=by, organisation=organisation, on=AFTER
        )

    for by, organisation, hashed, party, code in (
        ("mitsu", "call", shown, "data", "151"),
        ("mitsu", "data", shown, "data", "151"),
        ("sato", "farm", shown, "data", "155"),
        ("mitsu", "farm", "00", "data", "154"),
        ("mitsu", "farm", shown, "call", "154"),
        ("mitsu", "farm", shown, "farm", "153"),
    ):
        with pytest.raises(Fault, match=f"SEK-REG-{code}"):
            await sign(by, organisation, hashed, party)
    assert (await tasks(ledger, LATE))["list", "data"].colour is Colour.RED
    await sign("mitsu", "farm")
    task = (await tasks(ledger, LATE))["list", "data"]
    assert (task.colour, task.overdue(LATE)) == (Colour.GREEN, False)
    assert (await tasks(ledger, LATE))["list", "call"].colour is Colour.RED
    # A certificate put in its place is not the one that the client accepted.
    await certify(ledger, "list", party="data", by="sato", on=AFTER, method="上書き", certificate=b"2")
    assert (await tasks(ledger, LATE))["list", "data"].colour is Colour.RED


@pytest.mark.parametrize(("by", "organisation"), [("sato", "farm"), ("mitsu", "data")])
async def test_a_fact_that_bypasses_the_check_closes_nothing(
    ledger: Ledger, by: str, organisation: str
) -> None:
    await fill(ledger)
    certified = await certify(
        ledger, "list", party="data", by="sato", on=AFTER, method="消去", certificate=b""
    )
    fact = ErasureCountersigned(
        dataset="list",
        party="data",
        ended=ENDED,
        certified=certified.leaf_hash.hex(),
        organisation=organisation,
    )
    await ledger.record(fact, by=by, about="list")
    assert (await tasks(ledger, AFTER))["list", "data"].colour is Colour.RED


async def test_a_renewed_contract_takes_the_task_back(ledger: Ledger) -> None:
    await fill(ledger)
    await sweep(ledger, AFTER)
    renewed = Contract("c3", "h1", "業務委託契約", parse_period("2023年3月~2023年6月"))
    await take_in_by_two(ledger, RegisterTables(Parties(contracts=(renewed,))))
    assert await tasks(ledger, AFTER) == {}
    assert len(await sweep(ledger, date(2023, 7, 1))) == 3


def due(*hops: tuple[str, str, str, str], on: date = date(2020, 1, 1)) -> dict[str, date]:
    """party -> end, for hops (id, giver, receiver, period) of one client "a"."""
    parties = Parties(
        hops=tuple(Hop(name, "a", giver, to, frozenset({"d"}), date(2010, 1, 1)) for name, giver, to, _ in hops),
        contracts=tuple(Contract(f"c-{name}", name, "", parse_period(period)) for name, _, _, period in hops),
    )  # fmt: skip
    return {one.party: one.ended for one in erasures_due(parties, on)}


def test_the_end_of_a_chain_is_that_of_its_first_hop_to_end() -> None:
    one, two, forever = "2016年", "2018年", "2016年~"
    ends = {"2016年": date(2016, 12, 31), "2018年": date(2018, 12, 31)}
    assert due(("h1", "a", "b", one), ("h2", "b", "c", two)) == {"b": ends[one], "c": ends[one]}
    assert due(("h1", "a", "b", two), ("h2", "b", "c", one)) == {"b": ends[two], "c": ends[one]}
    assert due(("h1", "a", "b", one), ("h2", "a", "c", two), ("h3", "b", "c", forever))["c"] == ends[two]
    assert due(("h1", "a", "b", forever), ("h2", "b", "c", one)) == {"c": ends[one]}
    assert due(("h1", "a", "b", "不明")) == {}
    assert due(("h1", "a", "b", "2015年度、2017年度")) == {"b": date(2018, 3, 31)}
    assert due(("h1", "a", "b", one), on=ends[one]) == {}
    assert due(("h1", "x", "b", one)) == {}  # not the client's data to pass on


@given(
    st.lists(
        st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd"), st.sampled_from(["2016年", "2017年", "2016年~"])),
        max_size=7,
    )
)  # fmt: skip
def test_nobody_keeps_data_longer_than_who_gave_it(hops: list[tuple[str, str, str]]) -> None:
    listed = [(f"h{place}", *hop) for place, hop in enumerate(hops)]
    found = due(*listed)
    last = {"2016年": date(2016, 12, 31), "2017年": date(2017, 12, 31), "2016年~": date.max}
    for party, ended in found.items():
        assert party != "a"
        through = [min(found.get(giver, date.max), last[period]) for _, giver, receiver, period in listed
                   if receiver == party and (giver == "a" or _reached(listed, giver))]  # fmt: skip
        assert ended == max(through)


def _reached(hops: list[tuple[str, str, str, str]], party: str) -> bool:
    reached = {"a"}
    for _ in hops:
        reached |= {receiver for _, giver, receiver, _ in hops if giver in reached}
    return party in reached


def test_the_day_of_the_alarm() -> None:
    assert Due("d", "a", "b", ENDED).due == date(2023, 3, 2)
    assert msgspec.structs.replace(TABLES.parties.contracts[0]).period.last() == ENDED
