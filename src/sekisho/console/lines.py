"""What several faces show: names, tickets, sessions and facts, as they stand in the tables."""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from typing import Any, Final, Literal

import msgspec
from pydantic import BaseModel
from sqlalchemy import Row, Select, case, select

from sekisho.gate.facts import BreakGlassOpened, TicketRequested
from sekisho.gate.tables import tickets
from sekisho.ledger import Connection, Ledger, Recorded
from sekisho.ledger.leaf import read_leaf
from sekisho.ledger.tables import FACTS
from sekisho.people.tables import accounts, persons
from sekisho.register.tables import organisations
from sekisho.relay.tables import sessions

PAGE: Final = 50


class Someone(BaseModel):
    """A person: id and name."""

    id: str
    name: str


class Organisation(BaseModel):
    """An organisation; `name_en` may be empty."""

    id: str
    name: str
    name_en: str

    def said(self, language: str) -> str:
        return self.name if language == "ja" else self.name_en or self.name


class Names:
    """Names of what one page shows, read at once."""

    def __init__(self, people: dict[str, str], houses: dict[str, tuple[str, str]]) -> None:
        self._people = people
        self._houses = houses

    def someone(self, person: str) -> Someone:
        return Someone(id=person, name=self._people.get(person, person))

    def organisation(self, organisation: str) -> Organisation:
        name, name_en = self._houses.get(organisation, (organisation, organisation))
        return Organisation(id=organisation, name=name, name_en=name_en)


async def read_names(connection: Connection, people: Iterable[str] = (), houses: Iterable[str] = ()) -> Names:
    ids, wanted = set(people), set(houses)
    found: dict[str, str] = {}
    if ids:
        query = select(accounts.c.account, persons.c.name).join(
            persons, persons.c.person == accounts.c.person
        )
        found = {
            row.account: row.name
            for row in await connection.execute(query.where(accounts.c.account.in_(ids)))
        }
    named: dict[str, tuple[str, str]] = {}
    if wanted:
        rows = await connection.execute(select(organisations).where(organisations.c.organisation.in_(wanted)))
        named = {row.organisation: (row.name, row.name_en) for row in rows}
    return Names(found, named)


TicketState = Literal["waiting", "approved", "open", "expired", "closed", "refused"]


class TicketLine(BaseModel):
    """`persons` is the budget, `bulk` that of the workspace (0: none); `unmask` the data items shown in clear;
    `emergency` one that nobody had to approve."""

    ticket: str
    state: TicketState
    emergency: bool
    persons: int
    bulk: int
    unmask: list[str]
    requested: datetime
    person: Someone
    organisation: Organisation
    dataset: str
    target: str
    door: str
    purpose: str
    opens: datetime
    closes: datetime
    approver: Someone | None


class Budget(BaseModel):
    """What may pass and what has. `scope`: session, day, ticket or client."""

    scope: str
    persons: int
    persons_limit: int
    rows: int
    rows_limit: int


class Reveal(BaseModel):
    """A data item that is shown in clear, and why; `bulk` tells that it is so in the files of the workspace."""

    item: str
    reason: str
    bulk: bool = False


def reveals(asked: TicketRequested) -> list[Reveal]:
    """Everything that a ticket shows in clear, anywhere."""
    inside = asked.bulk.unmask if asked.bulk else ()
    return [
        *(Reveal(item=one.item, reason=one.reason) for one in asked.unmask),
        *(Reveal(item=one.item, reason=one.reason, bulk=True) for one in inside),
    ]


def state_of(row: Row[Any], now: datetime) -> TicketState:
    at = int(now.timestamp() * 1e6)
    if row.closed:
        return "refused" if row.ending == "declined" else "closed"
    if at >= row.closes:
        return "expired"
    if not row.approver and not row.broken_glass:
        return "waiting"
    return "open" if at >= row.opens else "approved"


async def read_tickets(connection: Connection, query: Select[Any], now: datetime) -> list[TicketLine]:
    rows = list(await connection.execute(query))
    who = {row.person for row in rows} | {row.approver for row in rows}
    names = await read_names(connection, who, {row.organisation for row in rows})
    return [
        TicketLine(
            ticket=row.ticket,
            state=state_of(row, now),
            emergency=row.broken_glass,
            persons=row.persons,
            bulk=row.bulk,
            unmask=row.unmask.split(),
            requested=row.requested,
            person=names.someone(row.person),
            organisation=names.organisation(row.organisation),
            dataset=row.dataset,
            target=row.target,
            door=row.door,
            purpose=row.purpose,
            opens=datetime.fromtimestamp(row.opens / 1e6, UTC),
            closes=datetime.fromtimestamp(row.closes / 1e6, UTC),
            approver=names.someone(row.approver) if row.approver else None,
        )
        for row in rows
    ]


def of_organisations(query: Select[Any], column: Any, allowed: Collection[str] | None) -> Select[Any]:
    """Only what belongs to these client organisations; None for all."""
    return query if allowed is None else query.where(column.in_(list(allowed)))


class SessionLine(BaseModel):
    """`closed` is null while the session is open; then the figures are those so far."""

    session: str
    person: Someone
    ticket: str
    organisation: Organisation
    dataset: str
    target: str
    door: str
    purpose: str
    peer: str
    client: str
    opened: datetime
    closed: datetime | None
    reason: str
    statements: int
    rows: int
    persons: int
    bytes: int


def session_query() -> Select[Any]:
    return (
        select(sessions, tickets.c.purpose)
        .outerjoin(tickets, tickets.c.ticket == sessions.c.ticket)
        .order_by(sessions.c.opened.desc())
    )


async def read_sessions(connection: Connection, query: Select[Any]) -> list[SessionLine]:
    rows = list(await connection.execute(query))
    names = await read_names(connection, {row.person for row in rows}, {row.organisation for row in rows})
    return [
        SessionLine(
            session=row.session,
            person=names.someone(row.person),
            ticket=row.ticket,
            organisation=names.organisation(row.organisation),
            dataset=row.dataset,
            target=row.target,
            door=row.door,
            purpose=row.purpose or "",
            peer=row.peer,
            client=row.client,
            opened=row.opened,
            closed=row.closed,
            reason=row.reason,
            statements=row.statements,
            rows=row.rows,
            persons=row.persons,
            bytes=row.bytes,
        )
        for row in rows
    ]


class FactLine(BaseModel):
    """A line of the log. `data` is the fact as recorded; `leaf_hash` the RFC 6962 hash of the line (hex)."""

    seq: int
    at: datetime
    fact: str
    by: Someone
    about: str
    data: dict[str, Any]
    leaf_hash: str


async def fact_lines(ledger: Ledger, found: list[Recorded]) -> list[FactLine]:
    async with ledger.read() as connection:
        names = await read_names(connection, {one.by for one in found})
    return [
        FactLine(
            seq=one.seq,
            at=one.at,
            fact=one.fact,
            by=names.someone(one.by),
            about=one.about,
            data=msgspec.json.decode(one.leaf)["data"],
            leaf_hash=one.leaf_hash.hex(),
        )
        for one in found
    ]


async def lines_of(
    connection: Connection, shown: Collection[SessionLine]
) -> dict[str, tuple[int | None, int | None]]:
    """Where the opening and the closing of each session stand in the log.

    A session may have many lines: the opening is looked for from the first one on, the closing from the last one."""
    if not shown:
        return {}
    of_session = select(FACTS.c.seq).where(FACTS.c.about == sessions.c.session).limit(1)
    opened = of_session.where(FACTS.c.fact == "relay.session_opened").order_by(FACTS.c.seq)
    closed = of_session.where(FACTS.c.fact == "relay.session_closed").order_by(FACTS.c.seq.desc())
    query = select(
        sessions.c.session,
        opened.scalar_subquery().label("opened_line"),
        case((sessions.c.closed.is_not(None), closed.scalar_subquery())).label("closed_line"),
    ).where(sessions.c.session.in_([line.session for line in shown]))
    return {row.session: (row.opened_line, row.closed_line) for row in await connection.execute(query)}


async def read_requests(connection: Connection, names: Collection[str]) -> dict[str, TicketRequested]:
    """What was asked for under these tickets, as their facts tell it; also by breaking the glass."""
    if not names:
        return {}
    kinds = ("gate.ticket_requested", "gate.break_glass_opened")
    query = select(FACTS.c.leaf).where(FACTS.c.about.in_(list(names)), FACTS.c.fact.in_(kinds))
    found: dict[str, TicketRequested] = {}
    for leaf in await connection.scalars(query.order_by(FACTS.c.seq)):
        fact = read_leaf(leaf).typed()
        asked = fact.asked if isinstance(fact, BreakGlassOpened) else fact
        if isinstance(asked, TicketRequested):
            found.setdefault(asked.ticket, asked)
    return found
