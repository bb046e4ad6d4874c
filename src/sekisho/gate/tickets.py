"""A ticket's life: requested, approved by others, closed; and how it is read, held against the published log.

The `tickets` table is for lists and screens. What opens a door is read from the facts, and each of these is
held against the tiles: whoever edits the database, facts and projections alike, has not edited the published
log, and opens nothing. What a ticket may be is asked of the duty matrix twice: when somebody acts here, and again
at the door.
"""

from collections.abc import Collection
from typing import Final, Literal, Protocol

from sekisho.faults import Fault
from sekisho.gate import faults
from sekisho.gate.decide import Ticket, act_of, approved
from sekisho.gate.duties import DUTIES, Case, Part, commands, may
from sekisho.gate.facts import (
    BreakGlassOpened,
    SecondApproval,
    TicketApproved,
    TicketClosed,
    TicketRequested,
)
from sekisho.gate.policies import read_policy
from sekisho.gate.policy import Policy
from sekisho.gate.refusal import Refusal
from sekisho.gate.restraints import find_restraint, may_second
from sekisho.gate.standing import Confirms, Standing, read_standing
from sekisho.ledger import Ledger, Recorded

_NAMES: Final = (
    "gate.ticket_requested",
    "gate.break_glass_opened",
    "gate.ticket_approved",
    "gate.ticket_closed",
)
_MOST_FACTS: Final = 1_000  # of one ticket; more than this is no ticket any more, and opens nothing
Ending = Literal["done", "withdrawn", "declined", "revoked"]


class PublishedLog(Protocol):
    async def confirms(self, recorded: Recorded) -> bool:
        """Whether the published log has exactly this leaf at this index; waits for publication if need be."""
        ...

    async def restrictions(self, abouts: Collection[str]) -> frozenset[int]:
        """The indices of every published fact about these ids of the kinds in `state.RESTRICTING`."""
        ...


async def read_ticket(
    ledger: Ledger, confirms: Confirms | None, name: str, *, until: int | None = None
) -> Ticket | None:
    """The ticket of this name, or None. Raises Fault NOT_IN_THE_LOG when a fact of it is not the published one.

    `until` (microseconds since 1970) leaves later facts out. Without `confirms` nothing is held against the log:
    good for a screen, never for a door.
    """
    requested: TicketRequested | None = None
    request_hash = ""
    approvers: list[str] = []
    closed = broken_glass = False
    facts = await ledger.facts(0, _MOST_FACTS, names=_NAMES, about=name)
    if len(facts) == _MOST_FACTS:
        raise Fault(faults.NOT_IN_THE_LOG, ticket=name)
    for recorded in facts:
        if until is not None and recorded.at.timestamp() * 1e6 > until:
            break
        if confirms is not None and not await confirms(recorded):
            raise Fault(faults.NOT_IN_THE_LOG, ticket=name)
        match recorded.typed():
            case TicketRequested() as fact if requested is None and recorded.by == fact.person:
                requested, request_hash = fact, recorded.leaf_hash.hex()
            case BreakGlassOpened() as fact if requested is None and recorded.by == fact.asked.person:
                requested, request_hash, broken_glass = fact.asked, recorded.leaf_hash.hex(), True
            case TicketApproved() as fact if fact.request == request_hash and recorded.by == fact.approver:
                approvers.append(fact.approver)
            case TicketClosed():
                closed = True
    return Ticket(requested, tuple(approvers), closed, broken_glass, request_hash) if requested else None


async def request_ticket(ledger: Ledger, asked: TicketRequested) -> Recorded:
    """Ask for a ticket. Raises Fault BAD_TICKET, or why this person may not ask; the ledger refuses a name twice."""
    check_ticket(asked)
    policy = (await read_policy(ledger)).policy
    requester = await require_standing(ledger, asked.person)
    answer = may(act_of(asked, policy), Part.REQUEST, requester.actor, Case(asked.organisation))
    if isinstance(answer, Refusal):
        raise answer.fault()
    return await ledger.record(asked, by=asked.person, about=asked.ticket)


def check_ticket(asked: TicketRequested) -> None:
    """Raises Fault BAD_TICKET."""
    texts = {name: getattr(asked, name) for name in ("organisation", "dataset", "target", "door", "purpose")}
    wrong = [name for name, text in texts.items() if not text.strip()]
    if not asked.ticket or "." in asked.ticket or len(asked.ticket) > 64:
        wrong.append("ticket")
    if not asked.opens < asked.closes:
        wrong.append("window")
    if not asked.limits.sensible():
        wrong.append("limits")
    bulk = asked.bulk
    if bulk is not None and not bulk.limits.sensible():
        wrong.append("bulk")
    shown = (*asked.unmask, *(bulk.unmask if bulk else ()))
    if any(not unmask.reason.strip() or not unmask.item for unmask in shown):
        wrong.append("unmask")
    if wrong:
        raise Fault(faults.BAD_TICKET, ticket=asked.ticket, fields=", ".join(wrong))


async def approve_ticket(ledger: Ledger, name: str, approver: str, *, seen: str | None = None) -> Recorded:
    """Approve the request whose leaf hash (hex) the approver has `seen`, or the one that stands (None).

    Raises Fault NO_TICKET, TICKET_CLOSED, REQUEST_CHANGED, SELF_APPROVAL, or why else this person may not."""
    ticket = await _open_ticket(ledger, name)
    if ticket.broken_glass:  # nobody's approval makes it anything else
        raise Fault(faults.NO_TICKET, ticket=name)
    asked = ticket.requested
    if seen is not None and seen != ticket.request:
        raise Fault(faults.REQUEST_CHANGED, ticket=name)
    policy = (await read_policy(ledger)).policy
    case = await _case(ledger, asked, ticket, policy)
    actor = (await require_standing(ledger, approver)).actor
    requester = case.doings[0].actor
    if actor.human == requester.human or commands(requester, actor):
        raise Fault(faults.SELF_APPROVAL, approver=approver, ticket=name)
    answer = may(act_of(asked, policy), Part.APPROVE, actor, case)
    if isinstance(answer, Refusal):
        raise answer.fault()
    given = TicketApproved(ticket=name, approver=approver, request=ticket.request)
    return await ledger.record(given, by=approver, about=name)


async def approve_second(ledger: Ledger, restraint: str, ticket: str, *, by: str) -> Recorded:
    """Agree, as a second human, that a ticket of a restrained person opens its door.

    Raises Fault NO_RESTRAINT, NO_TICKET, NOT_SECOND."""
    async with ledger.read() as connection:
        found = await find_restraint(connection, restraint)
    named = await read_ticket(ledger, None, ticket)
    if named is None or named.closed:
        raise Fault(faults.NO_TICKET, ticket=ticket)
    requester = (await require_standing(ledger, named.requested.person)).actor
    if requester.human != found.restraint.person or found.restraint.kind != "approval":
        raise Fault(faults.NO_RESTRAINT, restraint=restraint[:12])
    first = set()
    for name in named.approvers:
        if (standing := await read_standing(ledger, name)) is not None:
            first.add(standing.actor.human)
    actor = (await require_standing(ledger, by)).actor
    if not may_second(actor, requester, frozenset(first)):
        raise Fault(faults.NOT_SECOND, person=by, ticket=ticket)
    given = SecondApproval(ticket=ticket, approver=by, restraint=restraint, request=named.request)
    return await ledger.record(given, by=by, about=ticket)


async def close_ticket(ledger: Ledger, name: str, *, by: str, reason: str, how: Ending = "done") -> Recorded:
    """Close a ticket: who asked is done or withdraws, who may approve declines or revokes. For ever.

    An emergency access waits for nobody, so it is done or revoked, and its review stays due."""
    ticket = await _open_ticket(ledger, name)
    asked = ticket.requested
    who = (await require_standing(ledger, by)).actor
    requester = await require_standing(ledger, asked.person)
    own = how in ("done", "withdrawn")
    act = act_of(asked, (await read_policy(ledger)).policy)
    approving = {role for role, cell in DUTIES[act].items() if Part.APPROVE in cell}
    allowed = (
        who.human == requester.actor.human
        if own
        else any(one.role in approving and one.organisation in ("", asked.organisation) for one in who.held)
    )
    if not allowed or (ticket.broken_glass and how in ("withdrawn", "declined")):
        raise Fault(faults.NOT_YOUR_DUTY, person=by, act=act, part=how)
    return await ledger.record(TicketClosed(ticket=name, reason=reason, how=how), by=by, about=name)


async def require_standing(ledger: Ledger, account: str) -> Standing:
    """Raises Fault STATE_UNKNOWN when there is no such account."""
    standing = await read_standing(ledger, account)
    if standing is None:
        raise Fault(faults.STATE_UNKNOWN, part="person")
    return standing


async def _open_ticket(ledger: Ledger, name: str) -> Ticket:
    ticket = await read_ticket(ledger, None, name)
    if ticket is None:
        raise Fault(faults.NO_TICKET, ticket=name)
    if ticket.closed:
        raise Fault(faults.TICKET_CLOSED, ticket=name)
    return ticket


async def _case(ledger: Ledger, asked: TicketRequested, ticket: Ticket, policy: Policy) -> Case:
    requester = await require_standing(ledger, asked.person)
    approvers = [await require_standing(ledger, approver) for approver in ticket.approvers]
    return approved(asked, policy, requester.actor, [standing.actor for standing in approvers])
