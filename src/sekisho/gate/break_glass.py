"""Emergency access: works at once, is loud, and must be reviewed by two others in time.

It needs nobody's consent, so it is kept small (the policy's budget and window, nothing unmasked), it is a fact of
its own, the alarm is called as soon as that fact is durable, and the client sees it red until two persons outside
the worker's chain of command have looked at it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlalchemy import select

from sekisho.faults import Fault
from sekisho.gate import faults
from sekisho.gate.duties import Act, Case, Doing, Part, may
from sekisho.gate.facts import BreakGlassOpened, BreakGlassReviewed, TicketRequested
from sekisho.gate.policies import read_policy
from sekisho.gate.refusal import Refusal
from sekisho.gate.tables import break_glass_reviews, break_glasses
from sekisho.gate.tickets import check_ticket, require_standing
from sekisho.ledger import Connection, Ledger, Recorded

REVIEWERS: Final = 2
Alarm = Callable[[BreakGlassOpened, Recorded], Awaitable[None]]


async def break_glass(ledger: Ledger, asked: TicketRequested, alarm: Alarm) -> Recorded:
    """Open an emergency access; `alarm` is called once its fact is durable, and its failure does not undo it.

    Raises Fault BAD_TICKET, GLASS_TOO_LARGE, GLASS_UNREVIEWED, or why this person may not."""
    check_ticket(asked)
    policy = (await read_policy(ledger)).policy
    longest = policy.break_glass_minutes * 60_000_000
    if asked.unmask or asked.closes - asked.opens > longest or not asked.limits.within(policy.break_glass):
        raise Fault(faults.GLASS_TOO_LARGE, ticket=asked.ticket)
    worker = (await require_standing(ledger, asked.person)).actor
    answer = may(Act.BREAK_GLASS, Part.EXECUTE, worker, Case(asked.organisation))
    if isinstance(answer, Refusal):
        raise answer.fault()
    async with ledger.read() as connection:
        for earlier in await break_glass_standing(connection, asked.opens, person=asked.person):
            if earlier.review is Review.OVERDUE:
                raise Fault(faults.GLASS_UNREVIEWED, person=asked.person, ticket=earlier.ticket)
    opened = BreakGlassOpened(asked=asked, review_by=asked.opens + policy.review_hours * 3_600_000_000)
    recorded = await ledger.record(opened, by=asked.person, about=asked.ticket)
    await alarm(opened, recorded)
    return recorded


async def review_break_glass(ledger: Ledger, ticket: str, *, by: str, justified: bool, note: str) -> Recorded:
    """Record what a reviewer found. Raises Fault NOT_REVIEWABLE, or why this person may not review it."""
    facts = await ledger.facts(
        0, 1_000, names=["gate.break_glass_opened", "gate.break_glass_reviewed"], about=ticket
    )
    opened = facts[0].typed() if facts else None
    if not isinstance(opened, BreakGlassOpened):
        raise Fault(faults.NOT_REVIEWABLE, ticket=ticket)
    doings = [Doing(Part.EXECUTE, (await require_standing(ledger, opened.asked.person)).actor)]
    for recorded in facts[1:]:
        earlier = recorded.typed()
        if isinstance(earlier, BreakGlassReviewed):
            doings.append(Doing(Part.CHECK, (await require_standing(ledger, earlier.reviewer)).actor))
    reviewer = (await require_standing(ledger, by)).actor
    answer = may(Act.BREAK_GLASS, Part.CHECK, reviewer, Case(opened.asked.organisation, doings=tuple(doings)))
    if isinstance(answer, Refusal):
        raise answer.fault()
    reviewed = BreakGlassReviewed(
        ticket=ticket, reviewer=by, opening=facts[0].leaf_hash.hex(), justified=justified, note=note
    )
    return await ledger.record(reviewed, by=by, about=ticket)


class Review(StrEnum):
    DUE = "due"
    OVERDUE = "overdue"  # red at the client
    JUSTIFIED = "justified"
    UNJUSTIFIED = "unjustified"  # reviewed, and one of the reviewers objects: red too


@dataclass(frozen=True, slots=True)
class BreakGlassStanding:
    """`opened` and `review_by` in microseconds since 1970, UTC."""

    ticket: str
    person: str
    organisation: str
    dataset: str
    reason: str
    opened: int
    review_by: int
    reviewers: tuple[str, ...]
    review: Review

    @property
    def red(self) -> bool:
        return self.review in (Review.OVERDUE, Review.UNJUSTIFIED)


async def break_glass_standing(
    connection: Connection, now: int, *, organisation: str | None = None, person: str | None = None
) -> list[BreakGlassStanding]:
    """Every emergency access, newest first, and how its review stands at `now` (microseconds since 1970).

    One that was reviewed in time stays as reviewed; a review that came late turns it from overdue to reviewed,
    and the dates of both remain in the facts."""
    query = select(break_glasses).order_by(break_glasses.c.opened.desc())
    reviews = select(break_glass_reviews)
    if organisation is not None:
        query = query.where(break_glasses.c.organisation == organisation)
    if person is not None:
        query = query.where(break_glasses.c.person == person)
    by_ticket: dict[str, list[tuple[str, bool]]] = {}
    for row in await connection.execute(reviews):
        by_ticket.setdefault(row.ticket, []).append((row.reviewer, row.justified))
    found = []
    for row in await connection.execute(query):
        given = by_ticket.get(row.ticket, [])
        if any(not justified for _, justified in given):
            review = Review.UNJUSTIFIED
        elif len(given) >= REVIEWERS:
            review = Review.JUSTIFIED
        else:
            review = Review.OVERDUE if now >= row.review_by else Review.DUE
        found.append(
            BreakGlassStanding(
                ticket=row.ticket,
                person=row.person,
                organisation=row.organisation,
                dataset=row.dataset,
                reason=row.reason,
                opened=row.opened,
                review_by=row.review_by,
                reviewers=tuple(reviewer for reviewer, _ in given),
                review=review,
            )
        )
    return found
