"""What a client needs of us for its own report to an authority, as JSON: who touched which data when, for whom they
work, how many persons, and the lines of the log behind it, each with its proof.

Everything here can be worked out again from `lines` alone, without asking this checkpoint.
"""

import asyncio
from datetime import date, datetime, timedelta
from typing import Annotated, Final

from fastapi import Depends, Query, Response
from pydantic import BaseModel
from sqlalchemy import select

from sekisho.console import faults
from sekisho.console.access import Needs, Page
from sekisho.console.faces.client import Which, own
from sekisho.console.facts import LogRead
from sekisho.console.house import House
from sekisho.console.lines import Organisation, Someone, lines_of, read_names, read_sessions, session_query
from sekisho.console.pages import Face
from sekisho.console.viewer import HouseDep, Viewer
from sekisho.console.words import day_bounds, day_in_japan
from sekisho.evidence.checkpoint import open_checkpoint
from sekisho.evidence.folder import read_file
from sekisho.evidence.log import CHECKPOINT
from sekisho.evidence.proof import prove
from sekisho.evidence.tiles import TileReader
from sekisho.faults import Fault
from sekisho.ledger.tables import FACTS
from sekisho.people.tables import accounts, persons
from sekisho.register.records import read_datasets
from sekisho.relay.tables import sessions

face: Final = Face("portal")
_Viewer = Annotated[Viewer, Depends(Needs("portal", Page.PORTAL))]
_MOST: Final = 200  # sessions of one answer
_LONGEST: Final = timedelta(days=366)
_TICKET: Final = (
    "gate.ticket_requested",
    "gate.ticket_approved",
    "gate.break_glass_opened",
    "gate.break_glass_reviewed",
)


class Toucher(BaseModel):
    """A human as registered today: `agency` lends to `employer`, or is ""."""

    person: Someone
    employer: str
    agency: str
    unit: str


class ReportedSession(BaseModel):
    """`persons` and `rows` were shown; `responsible_unit` is the dataset's. `lines` are those of the session's opening
    and end and of its ticket."""

    session: str
    who: Toucher
    ticket: str
    purpose: str
    dataset: str
    responsible_unit: str
    opened: datetime
    closed: datetime | None
    persons: int
    rows: int
    statements: int
    lines: list[int]


class ProvenLine(BaseModel):
    """`leaf` is the line byte for byte, `proof` its tlog-proof (C2SP) with the log's signed checkpoint."""

    line: int
    leaf: str
    proof: str


class Extract(BaseModel):
    """Sessions on one client's data from `since` to `until` (days in Japan, both included), oldest first. A person who
    was shown in two sessions counts twice in `persons`. `unproven` lines are recorded and not published yet. `next` is
    where the next answer goes on, null where this is all."""

    organisation: Organisation
    since: date
    until: date
    made: datetime
    log_key: str
    sessions: list[ReportedSession]
    persons: int
    rows: int
    lines: list[ProvenLine]
    unproven: list[int]
    next: datetime | None


async def read_extract(
    house: HouseDep,
    viewer: _Viewer,
    organisation: Which = "",
    since: date | None = None,
    until: date | None = None,
    after: Annotated[datetime | None, Query(description="`next` of the answer before")] = None,
) -> Extract:
    """What touched our data in a span of days (the last 31 unless said), for our own report, with proofs. The reading
    is recorded first."""
    mine = own(viewer, organisation)
    last = min(until or day_in_japan(house.now()), day_in_japan(house.now()))
    first = since or last - timedelta(days=30)
    if not timedelta(0) <= last - first <= _LONGEST or (after is not None and after.tzinfo is None):
        raise Fault(faults.BAD_INPUT, reason="since, until, after")
    about = {"organisation": mine, "since": first.isoformat(), "until": last.isoformat()}
    await house.ledger.record(LogRead(view="portal.extract", filter=about), by=viewer.person, about=mine)
    start, end = day_bounds(first)[0], day_bounds(last)[1]
    query = session_query().where(
        sessions.c.organisation == mine, sessions.c.opened >= start, sessions.c.opened < end
    )
    if after is not None:
        query = query.where(sessions.c.opened > after)
    query = query.order_by(None).order_by(sessions.c.opened).limit(_MOST)
    async with house.ledger.read() as connection:
        found = await read_sessions(connection, query)
        places = await lines_of(connection, found)
        names = await read_names(connection, (), {mine})
        units = {one.id: one.responsible_unit for one in await read_datasets(connection, mine)}
        employed = select(accounts.c.account, persons.c.employer, persons.c.agency, persons.c.unit).join(
            persons, persons.c.person == accounts.c.person
        )
        people = {
            row.account: row
            for row in await connection.execute(
                employed.where(accounts.c.account.in_({line.person.id for line in found}))
            )
        }
        of_tickets = select(FACTS.c.about, FACTS.c.seq).where(
            FACTS.c.about.in_({line.ticket for line in found}), FACTS.c.fact.in_(_TICKET)
        )
        asked: dict[str, list[int]] = {}
        for row in await connection.execute(of_tickets.order_by(FACTS.c.seq)):
            asked.setdefault(row.about, []).append(row.seq)
    told = []
    for line in found:
        known = people.get(line.person.id)
        behind = [seq for seq in places[line.session] if seq is not None]
        told.append(
            ReportedSession(
                session=line.session,
                who=Toucher(
                    person=line.person,
                    employer=known.employer if known else "",
                    agency=known.agency if known else "",
                    unit=known.unit if known else "",
                ),
                ticket=line.ticket,
                purpose=line.purpose,
                dataset=line.dataset,
                responsible_unit=units.get(line.dataset, ""),
                opened=line.opened,
                closed=line.closed,
                persons=line.persons,
                rows=line.rows,
                statements=line.statements,
                lines=sorted({*behind, *asked.get(line.ticket, ())}),
            )
        )
    wanted = sorted({seq for one in told for seq in one.lines})
    proven = await asyncio.to_thread(_proven, house, wanted)
    return Extract(
        organisation=names.organisation(mine),
        since=first,
        until=last,
        made=house.now(),
        log_key=str(house.key),
        sessions=told,
        persons=sum(one.persons for one in told),
        rows=sum(one.rows for one in told),
        lines=proven,
        unproven=wanted[len(proven) :],
        next=found[-1].opened if len(found) == _MOST else None,
    )


def _proven(house: House, lines: list[int]) -> list[ProvenLine]:
    """Those of the lines (ascending) that the newest checkpoint covers."""
    note = read_file(house.log / CHECKPOINT)
    if note is None:
        return []
    size = open_checkpoint(note, house.key).size
    reader = TileReader(house.log, size)
    return [
        ProvenLine(
            line=line,
            leaf=reader.entry(line).decode(),
            proof=prove(house.log, line, note).encode().decode(),
        )
        for line in lines
        if line < size
    ]


face.api.get("/portal/extract", operation_id="read_extract")(read_extract)


@face.pages.get("/portal/extract")
async def take_extract(extract: Annotated[Extract, Depends(read_extract)]) -> Response:
    """The same, as a file to keep."""
    name = f"{extract.organisation.id}-{extract.since}-{extract.until}.sekisho.json"
    return Response(
        extract.model_dump_json(indent=2),
        media_type="application/json",
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )
