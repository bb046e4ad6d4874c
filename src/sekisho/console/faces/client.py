"""The client organisation's portal: who touched our data, when, why, how many persons, under whose contract.

A client sees its own organisation's lines and nothing else. Each line leads to its proof.
"""

import asyncio
from collections import defaultdict
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import Depends, Form, Query
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel
from sqlalchemy import func, select

from sekisho.console import faults
from sekisho.console.access import Needs, Page, require
from sekisho.console.faces.approver import EmergencyLine, read_emergencies
from sekisho.console.faces.auditor import published_size
from sekisho.console.faces.live import STATEMENTS, StatementLine, newest, statement_line
from sekisho.console.facts import LogRead, ProofTaken
from sekisho.console.house import House
from sekisho.console.lines import (
    PAGE,
    Organisation,
    Reveal,
    SessionLine,
    Someone,
    TicketLine,
    lines_of,
    read_names,
    read_requests,
    read_sessions,
    read_tickets,
    reveals,
    session_query,
)
from sekisho.console.pages import Face, back_to
from sekisho.console.tables import refusals
from sekisho.console.viewer import ActorDep, HouseDep, Viewer
from sekisho.console.words import day_bounds, day_in_japan
from sekisho.evidence.folder import read_file
from sekisho.evidence.log import CHECKPOINT
from sekisho.evidence.proof import make_bundle
from sekisho.faults import Fault
from sekisho.gate.tables import tickets
from sekisho.ledger import Connection
from sekisho.people.roles import Role
from sekisho.people.tables import accounts, persons
from sekisho.register.approval import approve_hop
from sekisho.register.erasure import countersign, read_tasks
from sekisho.register.records import read_datasets, read_parties
from sekisho.register.standing import LockedDataset, dataset_oversight, standing
from sekisho.register.tables import entrustments
from sekisho.relay.tables import sessions

face: Final = Face("portal")
_Viewer = Annotated[Viewer, Depends(Needs("portal", Page.PORTAL))]


class Touch(BaseModel):
    """A session that touched our data. `opened_line` and `closed_line` are its lines in the log."""

    session: SessionLine
    employer: str
    opened_line: int | None
    closed_line: int | None


class PortalView(BaseModel):
    """Sessions on our data, newest first; persons and rows of today and of the last 30 days (Japan)."""

    organisation: Organisation
    organisations: list[Organisation]
    touches: list[Touch]
    open: int
    persons_today: int
    rows_today: int
    persons_month: int
    overdue: int
    next: datetime | None


Which = Annotated[str, Query(max_length=64)]


def own(viewer: Viewer, organisation: str) -> str:
    """The organisation to show: the one asked for, or the first that the viewer is a client of.

    Raises Fault NOT_FOUND for one that is not the viewer's."""
    held = sorted(viewer.organisations(Role.CLIENT) or ())
    if organisation and organisation not in held:
        raise Fault(faults.NOT_FOUND, what=organisation[:64])
    if not held:
        raise Fault(faults.NOT_FOUND, what="organisation")
    return organisation or held[0]


async def _read(house: House, viewer: Viewer, view: str, organisation: str, **also: str) -> None:
    """Record the reading of one's own lines, before they are shown."""
    read = LogRead(view=view, filter={"organisation": organisation, **also})
    await house.ledger.record(read, by=viewer.person, about=organisation)


@face.shows("/portal", "portal.html")
async def read_portal(
    house: HouseDep,
    viewer: _Viewer,
    organisation: Which = "",
    before: datetime | None = None,
) -> PortalView:
    """Who touched our data. The reading is recorded first."""
    mine = own(viewer, organisation)
    await _read(house, viewer, "portal", mine)
    now = house.now()
    today, _ = day_bounds(day_in_japan(now))
    query = session_query().where(sessions.c.organisation == mine).limit(PAGE)
    if before is not None and before.tzinfo is not None:
        query = query.where(sessions.c.opened < before)
    async with house.ledger.read() as connection:
        lines = await read_sessions(connection, query)
        places = await lines_of(connection, lines)
        held = sorted(viewer.organisations(Role.CLIENT) or ())
        names = await read_names(connection, (), held)
        employers = await read_employers(connection, {line.person.id for line in lines})
        sums = await _sums(connection, mine, today)
        overdue = sum(
            task.overdue(day_in_japan(now)) for task in await read_tasks(connection, day_in_japan(now), mine)
        )
    return PortalView(
        organisation=names.organisation(mine),
        organisations=[names.organisation(one) for one in held],
        touches=[
            Touch(
                session=line,
                employer=employers.get(line.person.id, ""),
                opened_line=places[line.session][0],
                closed_line=places[line.session][1],
            )
            for line in lines
        ],
        open=sums[0],
        persons_today=sums[1],
        rows_today=sums[2],
        persons_month=sums[3],
        overdue=overdue,
        next=lines[-1].opened if len(lines) == PAGE else None,
    )


async def _sums(connection: Connection, organisation: str, today: datetime) -> tuple[int, int, int, int]:
    """Sessions open now; persons and rows shown since `today` began; persons of 30 days. A person who was seen in two
    sessions counts twice. One look at the sessions of a month, and at those that are open."""
    month = sessions.c.opened >= today - timedelta(days=29)
    of_today = sessions.c.opened >= today
    query = select(
        func.count().filter(sessions.c.closed.is_(None)),
        func.sum(sessions.c.persons).filter(of_today),
        func.sum(sessions.c.rows).filter(of_today),
        func.sum(sessions.c.persons).filter(month),
    ).where(sessions.c.organisation == organisation, month | sessions.c.closed.is_(None))
    row: Any = (await connection.execute(query)).one()
    return int(row[0]), int(row[1] or 0), int(row[2] or 0), int(row[3] or 0)


async def read_employers(connection: Connection, people: set[str]) -> dict[str, str]:
    """Account -> who employs the human behind it."""
    if not people:
        return {}
    query = select(accounts.c.account, persons.c.employer, persons.c.agency).join(
        persons, persons.c.person == accounts.c.person
    )
    rows = await connection.execute(query.where(accounts.c.account.in_(people)))
    return {row.account: f"{row.agency} → {row.employer}" if row.agency else row.employer for row in rows}


class TouchView(BaseModel):
    """One session on our data: under which ticket, whose contracts, and each statement with its line in the log."""

    session: SessionLine
    employer: str
    ticket: TicketLine | None
    approved_at: datetime | None
    unmask: list[Reveal]
    contracts: list[str]
    statements: list[StatementLine]
    lines: list[int]


@face.shows("/portal/sessions/{session}", "touch.html")
async def read_touch(house: HouseDep, viewer: _Viewer, session: str) -> TouchView:
    """One session that touched our data. The reading is recorded first."""
    query = session_query().where(
        sessions.c.session == session,
        sessions.c.organisation.in_(sorted(viewer.organisations(Role.CLIENT) or ())),
    )
    async with house.ledger.read() as connection:
        found = await read_sessions(connection, query)
        if not found:
            raise Fault(faults.NOT_FOUND, what=session[:64])
        line = found[0]
        employers = await read_employers(connection, {line.person.id})
        ticket = await read_tickets(
            connection, select(tickets).where(tickets.c.ticket == line.ticket), house.now()
        )
        stands = await standing(connection, line.dataset, day_in_japan(line.opened))
        parties = await read_parties(connection, line.organisation.id)
        asked = (await read_requests(connection, [line.ticket])).get(line.ticket)
    await _read(house, viewer, "portal.session", line.organisation.id, session=session)
    approvals = await house.ledger.facts(0, 1, names=["gate.ticket_approved"], about=line.ticket)
    hops = [] if isinstance(stands, LockedDataset) else list(stands.chain.hops)
    facts = await newest(house, session, (*STATEMENTS, "relay.session_opened", "relay.session_closed"))
    shown = [said[0] for said in map(statement_line, facts) if said is not None]
    return TouchView(
        session=line,
        employer=employers.get(line.person.id, ""),
        ticket=ticket[0] if ticket else None,
        approved_at=approvals[0].at if approvals else None,
        unmask=reveals(asked) if asked else [],
        contracts=[
            f"{parties.name(hop.giver)} → {parties.name(hop.receiver)}: "
            + ", ".join(one.kind for one in parties.contracts if one.hop == hop.id)
            for hop in hops
        ],
        statements=shown,
        lines=sorted(one.seq for one in facts),
    )


@face.pages.get("/portal/sessions/{session}/evidence")
async def take_evidence(house: HouseDep, viewer: _Viewer, session: str) -> Response:
    """A bundle of this session's published lines with their proofs, for `sekisho verify`."""
    view = await read_touch(house, viewer, session)
    note = read_file(house.log / CHECKPOINT)
    published = [line for line in view.lines if note is not None and line < published_size(house)]
    if note is None or not published:
        raise Fault(faults.NOT_PUBLISHED, seq=view.lines[0] if view.lines else 0)
    bundle = await asyncio.to_thread(lambda: make_bundle(house.log, tuple(published), note))
    for line in published:
        await house.ledger.record(ProofTaken(line=line), by=viewer.person, about=session)
    name = f'attachment; filename="{session}.sekisho.zip"'
    return Response(bundle, media_type="application/zip", headers={"content-disposition": name})


class DigestLine(BaseModel):
    """One worker's day on our data."""

    person: Someone
    employer: str
    purposes: list[str]
    sessions: int
    statements: int
    rows: int
    persons: int


class DigestView(BaseModel):
    """One day (Japan) on our data. `refused` counts what was refused, cut or stopped."""

    organisation: Organisation
    day: date
    yesterday: date
    tomorrow: date | None
    lines: list[DigestLine]
    tickets: list[TicketLine]
    sessions: int
    rows: int
    persons: int
    refused: int


@face.shows("/portal/digest", "digest.html")
async def read_digest(
    house: HouseDep, viewer: _Viewer, organisation: Which = "", day: date | None = None
) -> DigestView:
    """A day on our data, by worker. The reading is recorded first."""
    mine = own(viewer, organisation)
    today = day_in_japan(house.now())
    shown = min(day or today, today)
    await _read(house, viewer, "portal.digest", mine, day=shown.isoformat())
    since, until = day_bounds(shown)
    micros = [int(at.timestamp() * 1e6) for at in (since, until)]
    async with house.ledger.read() as connection:
        of_day = (
            (sessions.c.organisation == mine) & (sessions.c.opened >= since) & (sessions.c.opened < until)
        )
        worked = (
            select(
                sessions.c.person,
                func.count().label("sessions"),
                func.sum(sessions.c.statements).label("statements"),
                func.sum(sessions.c.rows).label("rows"),
                func.sum(sessions.c.persons).label("persons"),
            )
            .where(of_day)
            .group_by(sessions.c.person)
            .order_by(sessions.c.person)
        )
        found = (await connection.execute(worked)).all()
        why = (
            select(sessions.c.person, tickets.c.purpose)
            .join(tickets, tickets.c.ticket == sessions.c.ticket)
            .where(of_day)
            .distinct()
        )
        purposes: defaultdict[str, list[str]] = defaultdict(list)
        for row in await connection.execute(why):
            purposes[row.person].append(row.purpose)
        valid = select(tickets).where(
            tickets.c.organisation == mine, tickets.c.opens < micros[1], tickets.c.closes > micros[0]
        )
        asked = await read_tickets(connection, valid.order_by(tickets.c.opens).limit(200), house.now())
        employers = await read_employers(connection, {row.person for row in found})
        names = await read_names(connection, {row.person for row in found}, {mine})
        refused = await connection.scalar(
            select(func.count()).where(
                refusals.c.organisation == mine, refusals.c.at >= since, refusals.c.at < until
            )
        )
    lines = [
        DigestLine(
            person=names.someone(row.person),
            employer=employers.get(row.person, ""),
            purposes=sorted(purposes[row.person]),
            sessions=row.sessions,
            statements=int(row.statements),
            rows=int(row.rows),
            persons=int(row.persons),
        )
        for row in found
    ]
    return DigestView(
        organisation=names.organisation(mine),
        day=shown,
        yesterday=shown - timedelta(days=1),
        tomorrow=shown + timedelta(days=1) if shown < today else None,
        lines=lines,
        tickets=asked,
        sessions=sum(line.sessions for line in lines),
        rows=sum(line.rows for line in lines),
        persons=sum(line.persons for line in lines),
        refused=refused or 0,
    )


class DatasetDuty(BaseModel):
    """A dataset of ours and how it stands today: open, or locked and why; red until supervision is in force."""

    dataset: str
    name: str
    locked: bool
    reasons: list[str]
    supervised: bool


class EraseDuty(BaseModel):
    """Data that a party must erase. `certified` is its word, `countersigned` ours."""

    dataset: str
    party: Organisation
    ended: date
    due: date
    certified: date | None
    method: str
    certificate: str
    countersigned: datetime | None
    overdue: bool


class HopDuty(BaseModel):
    """A passing-on of our data that waits for our approval; `entrustment` is the hash of what is asked."""

    hop: str
    giver: str
    receiver: str
    datasets: list[str]
    began: date
    entrustment: str


class DutiesView(BaseModel):
    """What is overdue or open towards one client organisation."""

    organisation: Organisation
    emergencies: list[EmergencyLine]
    datasets: list[DatasetDuty]
    erasures: list[EraseDuty]
    hops: list[HopDuty]


@face.shows("/portal/duties", "duties.html")
async def read_duties(house: HouseDep, viewer: _Viewer, organisation: Which = "") -> DutiesView:
    """How our datasets stand, what must be erased, what waits for us. The reading is recorded first."""
    mine = own(viewer, organisation)
    await _read(house, viewer, "portal.duties", mine)
    today = day_in_japan(house.now())
    async with house.ledger.read() as connection:
        names = await read_names(connection, (), {mine})
        parties = await read_parties(connection, mine)
        datasets = []
        for described in await read_datasets(connection, mine):
            stands = await standing(connection, described.id, today)
            seen = await dataset_oversight(connection, described.id, today)
            reasons = stands.reasons if isinstance(stands, LockedDataset) else ()
            datasets.append(
                DatasetDuty(
                    dataset=described.id,
                    name=described.name,
                    locked=isinstance(stands, LockedDataset),
                    reasons=[reason.sentence(viewer.language) for reason in reasons],
                    supervised=seen is not None and seen.colour == "green",
                )
            )
        tasks = await read_tasks(connection, today, mine)
        asked = {
            row.hop: row.leaf_hash
            for row in await connection.execute(select(entrustments).where(entrustments.c.client == mine))
        }
        parties_named = await read_names(connection, (), {task.asked.party for task in tasks})
    own_hands = parties.acting_for(mine)
    return DutiesView(
        organisation=names.organisation(mine),
        emergencies=await read_emergencies(house, mine),
        datasets=datasets,
        erasures=[
            EraseDuty(
                dataset=task.asked.dataset,
                party=parties_named.organisation(task.asked.party),
                ended=task.asked.ended,
                due=task.asked.due,
                certified=task.certificate.on if task.certificate else None,
                method=task.certificate.method if task.certificate else "",
                certificate=task.certificate.leaf_hash if task.certificate else "",
                countersigned=task.countersigned.at if task.countersigned else None,
                overdue=task.overdue(today),
            )
            for task in tasks
        ],
        hops=[
            HopDuty(
                hop=hop.id,
                giver=parties.name(hop.giver),
                receiver=parties.name(hop.receiver),
                datasets=sorted(hop.datasets),
                began=hop.began,
                entrustment=asked[hop.id],
            )
            for hop in parties.hops
            if hop.approval is None and hop.giver not in own_hands
        ],
    )


Short = Annotated[str, Form(max_length=128)]


@face.pages.post("/portal/duties/hops")
async def approve(
    house: HouseDep, viewer: ActorDep, organisation: Short, hop: Short, entrustment: Short
) -> RedirectResponse:
    require(Page.PORTAL, viewer)
    mine = own(viewer, organisation)
    await approve_hop(house.ledger, hop, entrustment=entrustment, by=viewer.person, organisation=mine)
    return back_to(f"/portal/duties?organisation={mine}")


@face.pages.post("/portal/duties/erasures")
async def countersign_erasure(
    house: HouseDep, viewer: ActorDep, organisation: Short, dataset: Short, party: Short, certified: Short
) -> RedirectResponse:
    require(Page.PORTAL, viewer)
    mine = own(viewer, organisation)
    await countersign(
        house.ledger,
        dataset,
        party=party,
        certified=certified,
        by=viewer.person,
        organisation=mine,
        on=day_in_japan(house.now()),
    )
    return back_to(f"/portal/duties?organisation={mine}")
