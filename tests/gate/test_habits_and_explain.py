"""What an approver is shown beside a request, and why somebody could or could not."""

import msgspec

from gate.gate_examples import HOUR, NOON, House, appoint, asked, emergency
from sekisho.gate import faults
from sekisho.gate.break_glass import break_glass
from sekisho.gate.explain import Explanation, explain
from sekisho.gate.facts import BreakGlassOpened, BudgetLeased, BudgetSettled, Unmask
from sekisho.gate.habits import YEAR, Habits, Unusual, compare, read_habits
from sekisho.gate.tickets import approve_ticket, request_ticket
from sekisho.ledger import Ledger, Recorded
from sekisho.people.facts import PersonFrozen
from sekisho.people.roles import Role

NOTHING_UNUSUAL = Unusual(first=False, more_persons=False, longer=False, new_items=(), new_dataset=False)


async def habits(ledger: Ledger, until: int = NOON + 50 * HOUR) -> Habits:
    async with ledger.read() as connection:
        return await read_habits(connection, "sato", until)


async def quiet(opened: BreakGlassOpened, recorded: Recorded) -> None:
    pass


async def test_habits_are_counted_from_approved_tickets_of_the_year(ledger: Ledger) -> None:
    assert compare(asked(), await habits(ledger)).first
    for number, persons, hours in ((1, 10, 1), (2, 30, 2), (3, 80, 3)):
        name = f"T-{number}"
        limits = msgspec.structs.replace(asked().limits, ticket_persons=persons)
        await request_ticket(ledger, asked(name, limits=limits, closes=NOON + hours * HOUR))
        await approve_ticket(ledger, name, "mori")
        account = f"ticket:{name}"
        lease = BudgetLeased(session="s", leased={account: (100, 100)})
        await ledger.record(lease, by="sekisho", about="s")
        back = BudgetSettled(session="s", given_back={account: (100 - number, 0)})
        await ledger.record(back, by="sekisho", about="s")
    await request_ticket(ledger, asked("T-4"))  # never approved
    await break_glass(ledger, emergency(), quiet)
    found = await habits(ledger)
    assert (found.tickets, found.median_persons, found.largest_persons, found.used) == (3, 30, 80, 2)
    assert (found.median_hours, found.longest_hours, found.emergencies) == (2.0, 3.0, 1)
    assert (found.unmasked, found.datasets) == ({"phone": 3}, {"minato-customers": 3})
    assert (await habits(ledger, NOON + YEAR + 1)).tickets == 0
    smaller = msgspec.structs.replace(asked().limits, ticket_persons=80)
    assert compare(asked(limits=smaller), found) == NOTHING_UNUSUAL
    more = asked(closes=NOON + 4 * HOUR, dataset="aoba", unmask=(Unmask(item="name", reason="to see it"),))
    assert compare(more, found) == Unusual(
        first=False, more_persons=True, longer=True, new_items=("name",), new_dataset=True
    )


def failing(one: Explanation) -> list[str]:
    return [verdict.rule.name for verdict in one.verdicts if verdict.refusal]


async def test_could_she_and_why(house: House) -> None:
    ledger = house.ledger
    await request_ticket(ledger, asked())
    [waiting] = await explain(ledger, house.published, "sato", "minato", NOON)
    assert not waiting.could
    assert failing(waiting) == ["approval"]
    given = await approve_ticket(ledger, "T-0001", "mori")
    for what in ("T-0001", "minato-customers", "minato", "callcentre"):
        [one] = await explain(ledger, house.published, "sato", what, NOON)
        assert one.could
        assert failing(one) == []
    await ledger.record(PersonFrozen(person="sato", reason="odd hours"), by="mori", about="sato")
    [late] = await explain(ledger, house.published, "sato", "T-0001", NOON + 3 * HOUR)
    assert failing(late) == ["frozen", "role", "window"]
    for verdict in late.verdicts:
        assert verdict.sentence("en")
        assert verdict.sentence("ja")
    before = int(given.at.timestamp() * 1e6) - 1
    [past] = await explain(ledger, house.published, "sato", "T-0001", before, past=True)
    assert "approval" in failing(past)


async def test_another_persons_ticket_and_no_ticket_at_all(house: House) -> None:
    await request_ticket(house.ledger, asked())
    await approve_ticket(house.ledger, "T-0001", "mori")
    [other] = await explain(house.ledger, house.published, "kato", "T-0001", NOON)
    assert not other.could
    assert failing(other)[0] == "ticket"
    [none] = await explain(house.ledger, house.published, "sato", "aoba", NOON)
    assert (none.known, none.could) == (False, False)
    assert failing(none) == ["ticket"]
    assert none.answer == none.verdicts[0].refusal


async def test_what_cannot_be_read_is_said(house: House) -> None:
    await request_ticket(house.ledger, asked())
    given = await approve_ticket(house.ledger, "T-0001", "mori")
    assert await house.published.confirms(given)
    house.tamper("UPDATE facts SET leaf = ? WHERE seq = ?", given.leaf.replace(b"mori", b"kato"), given.seq)
    [one] = await explain(house.ledger, house.published, "sato", "T-0001", NOON)
    assert not one.could
    assert one.verdicts == ()
    assert one.unreadable is not None
    assert one.unreadable.kind is faults.NOT_IN_THE_LOG


async def test_an_emergency_is_marked(house: House) -> None:
    await break_glass(house.ledger, emergency(), quiet)
    await appoint(house.ledger, "sato", Role.WORKER)  # held twice over is held
    [one] = await explain(house.ledger, house.published, "sato", "B-0001", NOON)
    assert one.could
    assert one.broken_glass
