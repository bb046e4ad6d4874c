"""A ticket as its facts tell it, checked against the published log.

The `tickets` table is for lists and screens. What opens a door is read from the facts, and each of these is
held against the tiles: whoever edits the database, facts and projections alike, has not edited the published
log, and opens nothing.
"""

from typing import Protocol

from sekisho.faults import Fault
from sekisho.gate import faults
from sekisho.gate.decide import Ticket, may_approve
from sekisho.gate.facts import TicketApproved, TicketClosed, TicketRequested
from sekisho.ledger import Ledger, Recorded


class PublishedLog(Protocol):
    async def confirms(self, recorded: Recorded) -> bool:
        """Whether the published log has exactly this leaf at this index; waits for publication if need be."""
        ...


async def read_ticket(ledger: Ledger, published: PublishedLog, name: str) -> Ticket | None:
    """The ticket of this name, or None. Raises Fault NOT_IN_THE_LOG when a fact of it is not the published one."""
    requested: TicketRequested | None = None
    request_hash = ""
    approvers: set[str] = set()
    closed = False
    kinds = ["gate.ticket_requested", "gate.ticket_approved", "gate.ticket_closed"]
    for recorded in await ledger.facts(0, 1000, names=kinds, about=name):
        if not await published.confirms(recorded):
            raise Fault(faults.NOT_IN_THE_LOG, ticket=name)
        match recorded.typed():
            case TicketRequested() as fact if (
                requested is None
            ):  # a second request of the same name changes nothing
                requested, request_hash = fact, recorded.leaf_hash.hex()
            case TicketApproved() as fact if fact.request == request_hash and recorded.by == fact.approver:
                approvers.add(fact.approver)
            case TicketClosed():
                closed = True
    return Ticket(requested, frozenset(approvers), closed) if requested else None


async def approve_ticket(ledger: Ledger, name: str, approver: str, managers: dict[str, str]) -> Recorded:
    """Record an approval of the ticket's request as it stands. Raises Fault NO_TICKET or SELF_APPROVAL."""
    requests = await ledger.facts(0, 1, names=["gate.ticket_requested"], about=name)
    fact = requests[0].typed() if requests else None
    if not isinstance(fact, TicketRequested):
        raise Fault(faults.NO_TICKET, ticket=name)
    if not may_approve(fact.person, approver, managers):
        raise Fault(faults.SELF_APPROVAL, approver=approver, ticket=name)
    approved = TicketApproved(ticket=name, approver=approver, request=requests[0].leaf_hash.hex())
    return await ledger.record(approved, by=approver, about=name)
