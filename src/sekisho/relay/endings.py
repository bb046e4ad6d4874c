"""What ends live sessions from outside, at every door: a freeze, a leaving, a restraint, the end of a ticket."""

from collections.abc import Sequence
from typing import Final, Protocol

from sekisho.faults import Fault
from sekisho.gate.facts import RestraintImposed, TicketClosed
from sekisho.gate.restraints import IMPOSED as RESTRAINED
from sekisho.ledger import Ledger, Recorded
from sekisho.ledger.subscriptions import follow
from sekisho.people.accounts import accounts_of
from sekisho.people.freeze import watch_frozen
from sekisho.relay.faults import SESSION_ENDED

CLOSED: Final = "gate.ticket_closed"


class Door(Protocol):
    """What every door can do from outside a session."""

    def end_all(
        self, fault: Fault, reason: str, *, person: str | None = None, ticket: str | None = None
    ) -> int:
        """End the sessions of a person, of a ticket, or all; the number ended."""
        ...

    def end_session(self, session: str, fault: Fault, reason: str) -> bool:
        """End one live session; False when this door does not hold it."""
        ...


async def end_of_persons(ledger: Ledger, doors: Sequence[Door]) -> None:
    """Who is frozen or has left is at no door any more. Runs until the ledger closes; raises its Fault."""

    async def ended(accounts: frozenset[str], recorded: Recorded) -> None:
        fault = Fault(SESSION_ENDED, reason=recorded.fact)
        for door in doors:
            for account in accounts:
                door.end_all(fault, recorded.fact, person=account)

    await watch_frozen(ledger, ended)


async def end_of_tickets(ledger: Ledger, doors: Sequence[Door]) -> None:
    """What a closed ticket opened is shut. Runs until the ledger closes; raises its Fault."""
    async for recorded in follow(ledger, [CLOSED]):
        fact = recorded.typed()
        if isinstance(fact, TicketClosed):
            fault = Fault(SESSION_ENDED, reason=f"{CLOSED}: {fact.how}")
            for door in doors:
                door.end_all(fault, CLOSED, ticket=fact.ticket)


async def end_of_restrained(ledger: Ledger, doors: Sequence[Door]) -> None:
    """Who is restrained begins anew, under the restraint. Runs until the ledger closes; raises its Fault."""
    async for recorded in follow(ledger, [RESTRAINED]):
        fact = recorded.typed()
        if isinstance(fact, RestraintImposed):
            async with ledger.read() as connection:
                accounts = await accounts_of(connection, fact.person)
            fault = Fault(SESSION_ENDED, reason=f"{RESTRAINED}: {fact.kind}")
            for door in doors:
                for account in accounts:
                    door.end_all(fault, RESTRAINED, person=account)
