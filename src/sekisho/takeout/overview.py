"""What an approver must see beside a request: where it differs from what is inside, and from what was asked before."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from sekisho.ledger import Connection
from sekisho.takeout.facts import TakeoutRequested
from sekisho.takeout.tables import takeouts


@dataclass(frozen=True, slots=True)
class Difference:
    """`kind`: "more_persons", "fewer_persons" (than spoken of), "items" (there and not spoken of), "cards", "numbers",
    "unknown" (rows of nobody who is known, or persons beyond those who were pulled)."""

    kind: str
    count: int = 0
    items: tuple[str, ...] = ()


def differences(asked: TakeoutRequested) -> list[Difference]:
    """What was said against what is there."""
    beyond = asked.persons - asked.stated
    unspoken = tuple(item for item in asked.items if item not in asked.stated_items)
    found = [
        Difference("more_persons", beyond) if beyond > 0 else None,
        Difference("fewer_persons", -beyond) if beyond < 0 else None,
        Difference("items", len(unspoken), unspoken) if unspoken else None,
        Difference("cards", asked.cards) if asked.cards else None,
        Difference("numbers", asked.numbers) if asked.numbers else None,
        Difference("unknown", asked.unknown) if asked.unknown else None,
    ]
    return [one for one in found if one is not None]


@dataclass(frozen=True, slots=True)
class Before:
    """Requests before this one, of the same requester or to the same recipient: how many, how many of them were
    released or declined, and for how many persons."""

    requests: int
    released: int
    declined: int
    median: int
    largest: int
    last: datetime | None


@dataclass(frozen=True, slots=True)
class Earlier:
    """`odd` names what is beyond anything before: "first_recipient", "first_requester", "larger_recipient",
    "larger_requester"."""

    recipient: Before
    requester: Before
    odd: tuple[str, ...]


async def read_earlier(connection: Connection, asked: TakeoutRequested, at: datetime) -> Earlier:
    columns = select(
        takeouts.c.person,
        takeouts.c.recipient,
        takeouts.c.persons,
        takeouts.c.state,
        takeouts.c.requested,
    )
    query = columns.where(
        takeouts.c.takeout != asked.takeout,
        takeouts.c.requested <= at,
        (takeouts.c.person == asked.person) | (takeouts.c.recipient == asked.recipient),
    )
    rows = (await connection.execute(query)).all()
    recipient = _before([one for one in rows if one.recipient == asked.recipient])
    requester = _before([one for one in rows if one.person == asked.person])
    odd = []
    for name, found in (("recipient", recipient), ("requester", requester)):
        if not found.requests:
            odd.append(f"first_{name}")
        elif asked.persons > found.largest:
            odd.append(f"larger_{name}")
    return Earlier(recipient, requester, tuple(odd))


def _before(rows: Sequence[Row[Any]]) -> Before:
    persons = [int(one.persons) for one in rows]
    states = [str(one.state) for one in rows]
    return Before(
        requests=len(rows),
        released=states.count("released"),
        declined=states.count("declined"),
        median=int(statistics.median(persons)) if persons else 0,
        largest=max(persons, default=0),
        last=max((one.requested for one in rows), default=None),
    )
