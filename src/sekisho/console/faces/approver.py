"""What waits for approval, beside what that person usually asks; every ticket; reviews of emergency accesses."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal

from fastapi import Depends, Form, Query
from fastapi.responses import RedirectResponse
from pydantic import BaseModel
from sqlalchemy import select

from sekisho.console import faults
from sekisho.console.access import OPEN_TO, Needs, Page, require
from sekisho.console.faces.worker import read_budgets
from sekisho.console.facts import LogRead
from sekisho.console.house import House
from sekisho.console.lines import (
    PAGE,
    Budget,
    FactLine,
    Organisation,
    Reveal,
    SessionLine,
    Someone,
    TicketLine,
    fact_lines,
    of_organisations,
    read_names,
    read_requests,
    read_sessions,
    read_tickets,
    reveals,
    session_query,
)
from sekisho.console.pages import Face, back_to
from sekisho.console.viewer import ActorDep, HouseDep, Viewer
from sekisho.faults import Fault
from sekisho.gate.break_glass import break_glass_standing, review_break_glass
from sekisho.gate.decide import act_of, approved
from sekisho.gate.duties import Actor, Part, may, missing
from sekisho.gate.facts import TicketRequested
from sekisho.gate.habits import Habits, compare, read_habits
from sekisho.gate.policies import read_policy
from sekisho.gate.policy import Policy
from sekisho.gate.refusal import Refusal
from sekisho.gate.tables import tickets
from sekisho.gate.tickets import approve_ticket, close_ticket, read_ticket, require_standing
from sekisho.ledger import Connection
from sekisho.relay.tables import sessions
from sekisho.relay.workspace.tables import pulls

face: Final = Face("tickets")
_Approver = Annotated[Viewer, Depends(Needs("tickets", Page.QUEUE))]
_Onlooker = Annotated[Viewer, Depends(Needs("tickets", Page.TICKETS))]
_Reviewer = Annotated[Viewer, Depends(Needs("tickets", Page.REVIEWS))]
_TICKET_FACTS: Final = (
    "gate.ticket_requested",
    "gate.break_glass_opened",
    "gate.ticket_approved",
    "gate.ticket_closed",
    "gate.break_glass_reviewed",
)


class Usual(BaseModel):
    """What this person asked in the year before, over all client organisations, and then used: medians and extremes.

    `items` are those ever shown in clear."""

    tickets: int
    median_persons: int
    largest_persons: int
    used: int
    median_hours: float
    longest_hours: float
    items: list[str]
    emergencies: int


class Waiting(BaseModel):
    """A ticket that waits. `odd` names what is beyond the person's habits: first, persons, hours,
    item, dataset. `request` is the hash of the request that an approval names."""

    line: TicketLine
    request: str
    hours: float
    reasons: list[Reveal]
    usual: Usual
    odd: list[str]
    employer: str
    missing: list[str]
    refusal: str | None


class QueueView(BaseModel):
    """What waits for the viewer's approval, oldest first; then what waits for somebody else's."""

    waiting: list[Waiting]
    others: int


@face.shows("/queue", "queue.html")
async def read_queue(house: HouseDep, viewer: _Approver) -> QueueView:
    """What waits for approval. Each request is held against the duty matrix: only what the viewer may decide."""
    now = house.now()
    at = int(now.timestamp() * 1e6)
    query = of_organisations(
        select(tickets)
        .where(tickets.c.closed.is_(False), tickets.c.closes > at, tickets.c.broken_glass.is_(False))
        .order_by(tickets.c.requested),
        tickets.c.organisation,
        viewer.organisations(*OPEN_TO[Page.QUEUE]),
    )
    policy = (await read_policy(house.ledger)).policy
    if policy.bulk_persons is None:  # one approval is enough, but for a bulk allowance
        query = query.where((tickets.c.approver == "") | (tickets.c.bulk > 0))
    async with house.ledger.read() as connection:
        lines = await read_tickets(connection, query.limit(PAGE), now)
    people = _People(house)
    found = [await _waiting(people, viewer, line, policy) for line in lines]
    open_ = [one for one in found if one is not None]
    mine = [one for one in open_ if one.refusal is None]
    return QueueView(waiting=mine, others=len(open_) - len(mine))


class _People:
    """The persons of one queue, each read once: many requests are of few persons."""

    def __init__(self, house: House) -> None:
        self.house = house
        self._actors: dict[str, Actor] = {}
        self._habits: dict[str, Habits] = {}

    async def actor(self, account: str) -> Actor:
        if account not in self._actors:
            self._actors[account] = (await require_standing(self.house.ledger, account)).actor
        return self._actors[account]

    async def habits(self, account: str) -> Habits:
        if account not in self._habits:
            self._habits[account] = await _usual(self.house, account)
        return self._habits[account]


async def _waiting(people: _People, viewer: Viewer, line: TicketLine, policy: Policy) -> Waiting | None:
    """None when every approval is there."""
    ticket = await read_ticket(people.house.ledger, None, line.ticket)
    if ticket is None:
        return None
    asked = ticket.requested
    requester = await people.actor(asked.person)
    approvers = [await people.actor(one) for one in ticket.approvers]
    case = approved(asked, policy, requester, approvers)
    act = act_of(asked, policy)
    wanting = missing(act, case)
    if not wanting:
        return None
    answer = may(act, Part.APPROVE, viewer.actor, case)
    habits = await people.habits(asked.person)
    return Waiting(
        line=line,
        request=ticket.request,
        hours=round((line.closes - line.opens) / timedelta(hours=1), 1),
        reasons=reveals(asked),
        usual=_said(habits),
        odd=_odd(asked, habits),
        employer=requester.employer,
        missing=list(wanting),
        refusal=answer.fault().sentence(viewer.language) if isinstance(answer, Refusal) else None,
    )


async def _usual(house: House, person: str) -> Habits:
    async with house.ledger.read() as connection:
        return await read_habits(connection, person, int(house.now().timestamp() * 1e6))


def _said(habits: Habits) -> Usual:
    return Usual(
        tickets=habits.tickets,
        median_persons=habits.median_persons,
        largest_persons=habits.largest_persons,
        used=habits.used,
        median_hours=round(habits.median_hours, 1),
        longest_hours=round(habits.longest_hours, 1),
        items=sorted(habits.unmasked),
        emergencies=habits.emergencies,
    )


def _odd(asked: TicketRequested, habits: Habits) -> list[str]:
    """What of this request is beyond the person's habits: first, persons, hours, item, dataset."""
    beyond = compare(asked, habits)
    odd = {
        "first": beyond.first,
        "persons": beyond.more_persons,
        "hours": beyond.longer,
        "item": bool(beyond.new_items),
        "dataset": beyond.new_dataset,
    }
    return [name for name, is_odd in odd.items() if is_odd]


Reason = Annotated[str, Form(max_length=500)]


@face.pages.post("/queue/{ticket}")
async def decide_on_ticket(
    house: HouseDep,
    viewer: ActorDep,
    ticket: str,
    decision: Annotated[Literal["approve", "decline"], Form()],
    seen: Annotated[str, Form(max_length=64)],
    reason: Reason = "",
) -> RedirectResponse:
    """Approve or decline. The gate asks the duty matrix again, of the facts as they are now."""
    require(Page.QUEUE, viewer)
    if decision == "approve":
        await approve_ticket(house.ledger, ticket, viewer.account, seen=seen)
    elif not reason.strip():
        raise Fault(faults.BAD_INPUT, reason="reason")
    else:
        await close_ticket(house.ledger, ticket, by=viewer.account, reason=reason.strip(), how="declined")
    return back_to("/queue")


class TicketsView(BaseModel):
    """Tickets, newest first; `next` is where to go on."""

    tickets: list[TicketLine]
    next: datetime | None


@face.shows("/tickets", "tickets.html")
async def read_all_tickets(
    house: HouseDep, viewer: _Onlooker, before: Annotated[datetime | None, Query()] = None
) -> TicketsView:
    """Every ticket of the client organisations for which the viewer holds a role."""
    query = of_organisations(
        select(tickets).order_by(tickets.c.requested.desc()),
        tickets.c.organisation,
        viewer.organisations(*OPEN_TO[Page.TICKETS]),
    )
    if before is not None and before.tzinfo is not None:
        query = query.where(tickets.c.requested < before)
    async with house.ledger.read() as connection:
        lines = await read_tickets(connection, query.limit(PAGE), house.now())
    return TicketsView(tickets=lines, next=lines[-1].requested if len(lines) == PAGE else None)


class PulledLine(BaseModel):
    """Something that was pulled into the ticket's workspace: "query" or "file"; "complete" or "cut"."""

    at: datetime
    source: str
    rows: int
    persons: int
    bytes: int
    outcome: str


async def _pulled(connection: Connection, ticket: str) -> list[PulledLine]:
    query = select(pulls).where(pulls.c.ticket == ticket).order_by(pulls.c.seq.desc()).limit(PAGE)
    return [
        PulledLine(
            at=row.at,
            source=row.source,
            rows=row.rows,
            persons=row.persons,
            bytes=row.bytes,
            outcome=row.outcome,
        )
        for row in await connection.execute(query)
    ]


class TicketView(BaseModel):
    """One ticket: what was asked, what is spent, its sessions, and its lines in the log."""

    line: TicketLine
    reasons: list[Reveal]
    budgets: list[Budget]
    sessions: list[SessionLine]
    pulls: list[PulledLine]
    facts: list[FactLine]
    usual: Usual


@face.shows("/tickets/{ticket}", "ticket.html")
async def read_one_ticket(house: HouseDep, viewer: _Onlooker, ticket: str) -> TicketView:
    """One ticket and everything recorded of it. The reading is recorded first."""
    query = of_organisations(
        select(tickets).where(tickets.c.ticket == ticket),
        tickets.c.organisation,
        viewer.organisations(*OPEN_TO[Page.TICKETS]),
    )
    async with house.ledger.read() as connection:
        lines = await read_tickets(connection, query, house.now())
        if not lines:
            raise Fault(faults.NOT_FOUND, what=ticket[:64])
        of_ticket = session_query().where(sessions.c.ticket == ticket).limit(PAGE)
        done = await read_sessions(connection, of_ticket)
        asked = (await read_requests(connection, [ticket])).get(ticket)
        pulled = await _pulled(connection, ticket)
    await house.ledger.record(
        LogRead(view="ticket", filter={"ticket": ticket}), by=viewer.person, about=ticket
    )
    usual = await _usual(house, lines[0].person.id)
    facts = await house.ledger.facts(0, PAGE, names=_TICKET_FACTS, about=ticket)
    return TicketView(
        line=lines[0],
        reasons=reveals(asked) if asked else [],
        budgets=(await read_budgets(house, lines))[ticket],
        sessions=done,
        pulls=pulled,
        facts=await fact_lines(house.ledger, facts),
        usual=_said(usual),
    )


class EmergencyLine(BaseModel):
    """An emergency access and how its review stands: due, overdue, justified or unjustified."""

    ticket: str
    person: Someone
    organisation: Organisation
    dataset: str
    reason: str
    opened: datetime
    review_by: datetime
    reviewers: list[Someone]
    review: str
    red: bool


class ReviewsView(BaseModel):
    """Emergency accesses, newest first."""

    emergencies: list[EmergencyLine]


@face.shows("/reviews", "reviews.html")
async def read_reviews(house: HouseDep, viewer: _Reviewer) -> ReviewsView:
    """Emergency accesses, and what their reviewers found."""
    allowed = viewer.organisations(*OPEN_TO[Page.REVIEWS])
    found = await read_emergencies(house)
    return ReviewsView(
        emergencies=[one for one in found if allowed is None or one.organisation.id in allowed][:PAGE]
    )


async def read_emergencies(house: House, organisation: str | None = None) -> list[EmergencyLine]:
    now = int(house.now().timestamp() * 1e6)
    async with house.ledger.read() as connection:
        rows = await break_glass_standing(connection, now, organisation=organisation)
        people = {row.person for row in rows} | {one for row in rows for one in row.reviewers}
        names = await read_names(connection, people, {row.organisation for row in rows})
    return [
        EmergencyLine(
            ticket=row.ticket,
            person=names.someone(row.person),
            organisation=names.organisation(row.organisation),
            dataset=row.dataset,
            reason=row.reason,
            opened=datetime.fromtimestamp(row.opened / 1e6, UTC),
            review_by=datetime.fromtimestamp(row.review_by / 1e6, UTC),
            reviewers=[names.someone(one) for one in row.reviewers],
            review=row.review,
            red=row.red,
        )
        for row in rows
    ]


@face.pages.post("/reviews/{ticket}")
async def review(
    house: HouseDep,
    viewer: ActorDep,
    ticket: str,
    finding: Annotated[Literal["justified", "unjustified"], Form()],
    note: Annotated[str, Form(min_length=1, max_length=1000)],
) -> RedirectResponse:
    require(Page.REVIEWS, viewer)
    await review_break_glass(
        house.ledger, ticket, by=viewer.account, justified=finding == "justified", note=note
    )
    return back_to("/reviews")
