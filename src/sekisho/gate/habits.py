"""What a person usually asks, beside what is asked now: for the eyes of the approver.

Counted from the tickets of the past year that were approved; nothing here decides.
"""

from collections import Counter
from dataclasses import dataclass
from statistics import median
from typing import Final

from sqlalchemy import func, select

from sekisho.gate.facts import TicketRequested
from sekisho.gate.tables import budget_use, tickets
from sekisho.ledger import Connection

YEAR: Final = 365 * 86_400_000_000
_MOST_TICKETS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Habits:
    """Of the approved tickets of one person in the year before `until`. Hours are of the windows; `used` is the
    median of persons that such a ticket really spent; `unmasked` counts the tickets that showed an item."""

    person: str
    tickets: int
    median_persons: int
    largest_persons: int
    used: int
    median_hours: float
    longest_hours: float
    unmasked: dict[str, int]
    datasets: dict[str, int]
    emergencies: int


@dataclass(frozen=True, slots=True)
class Unusual:
    """What of a request is beyond the person's habits; all False when there is nothing to compare with but `first`."""

    first: bool
    more_persons: bool
    longer: bool
    new_items: tuple[str, ...]
    new_dataset: bool


async def read_habits(connection: Connection, person: str, until: int) -> Habits:
    """`until` in microseconds since 1970: tickets whose windows opened in the year before."""
    mine = (tickets.c.person == person) & (tickets.c.opens < until) & (tickets.c.opens >= until - YEAR)
    query = (
        select(tickets, budget_use.c.persons.label("used"))
        .outerjoin(budget_use, budget_use.c.account == "ticket:" + tickets.c.ticket)
        .where(mine, tickets.c.approver != "")
        .order_by(tickets.c.opens.desc())
        .limit(_MOST_TICKETS)
    )
    rows = list(await connection.execute(query))
    broken = select(func.count()).select_from(tickets).where(mine, tickets.c.broken_glass)
    hours = [(row.closes - row.opens) / 3_600_000_000 for row in rows]
    asked = [row.persons for row in rows]
    return Habits(
        person=person,
        tickets=len(rows),
        median_persons=int(median(asked)) if asked else 0,
        largest_persons=max(asked, default=0),
        used=int(median([row.used or 0 for row in rows])) if rows else 0,
        median_hours=median(hours) if hours else 0.0,
        longest_hours=max(hours, default=0.0),
        unmasked=dict(Counter(item for row in rows for item in row.unmask.split())),
        datasets=dict(Counter(row.dataset for row in rows)),
        emergencies=await connection.scalar(broken) or 0,
    )


def compare(asked: TicketRequested, habits: Habits) -> Unusual:
    """Pure: what stands out of this request."""
    first = habits.tickets == 0
    most = max(asked.limits.ticket_persons, asked.bulk.limits.ticket_persons if asked.bulk else 0)
    shown = (*asked.unmask, *(asked.bulk.unmask if asked.bulk else ()))
    return Unusual(
        first=first,
        more_persons=not first and most > habits.largest_persons,
        longer=not first and (asked.closes - asked.opens) / 3_600_000_000 > habits.longest_hours,
        new_items=()
        if first
        else tuple(unmask.item for unmask in shown if unmask.item not in habits.unmasked),
        new_dataset=not first and asked.dataset not in habits.datasets,
    )
