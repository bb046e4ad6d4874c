"""The kill switch: one person pulls it, two others together may undo it, and live sessions hear of it at once."""

from collections.abc import Awaitable, Callable
from typing import Final

from sqlalchemy import select

from sekisho.faults import Fault
from sekisho.ledger import Connection, Ledger, Recorded
from sekisho.ledger.subscriptions import follow
from sekisho.people import faults
from sekisho.people.accounts import accounts_of, require_person
from sekisho.people.consent import read_ask, require_role, require_second
from sekisho.people.facts import PersonFrozen, PersonLeft, PersonUnfrozen, UnfreezeAsked
from sekisho.people.roles import CONSENTING
from sekisho.people.tables import persons

_ENDS: Final = ("people.person_frozen", "people.person_left")

OnFrozen = Callable[[frozenset[str], Recorded], Awaitable[None]]


async def freeze(ledger: Ledger, person: str, *, reason: str, by: str) -> Recorded:
    """Freeze a person now. Whether `by` may pull the switch is the caller's to ask: in doubt, let it be pulled.

    Raises Fault NO_SUCH_PERSON."""
    async with ledger.read() as connection:
        await require_person(connection, person)
    return await ledger.record(PersonFrozen(person=person, reason=reason), by=by, about=person)


async def ask_unfreeze(ledger: Ledger, person: str, *, reason: str, by: str) -> Recorded:
    """Ask that the freeze in force be ended. Raises Fault NOT_FROZEN, NEEDS_ROLE, SECOND_PERSON."""
    require_second(person, by, "")
    async with ledger.read() as connection:
        await require_role(connection, by, CONSENTING)
        frozen = await _freeze_of(connection, person)
    asked = UnfreezeAsked(person=person, freeze=frozen, reason=reason)
    return await ledger.record(asked, by=by, about=person)


async def unfreeze(ledger: Ledger, request: str, *, by: str) -> Recorded:
    """A second person agrees, and the freeze ends; what was open before stays ended.

    Raises Fault NOT_OPEN, SECOND_PERSON, NEEDS_ROLE, NOT_FROZEN (also when the person was frozen anew since)."""
    asked, recorded = await read_ask(ledger, request, UnfreezeAsked)
    require_second(asked.person, by, recorded.by)
    async with ledger.read() as connection:
        await require_role(connection, by, CONSENTING)
        if await _freeze_of(connection, asked.person) != asked.freeze:
            raise Fault(faults.NOT_FROZEN, person=asked.person)
    unfrozen = PersonUnfrozen(person=asked.person, request=request)
    return await ledger.record(unfrozen, by=by, about=asked.person)


async def _freeze_of(connection: Connection, person: str) -> str:
    found = await connection.scalar(select(persons.c.frozen).where(persons.c.person == person))
    if not found:
        raise Fault(faults.NOT_FROZEN, person=person)
    return str(found)


async def watch_frozen(ledger: Ledger, on_frozen: OnFrozen) -> None:
    """Call `on_frozen(accounts of the human, the fact)` for each freeze or leaving from now on, until the ledger
    closes. Run it in the TaskGroup of whoever holds live sessions: each process watches for itself.

    What opens after the fact is refused by the decision that opens it; a session that is being opened in the same
    instant is ended by its holder, who must enter it in its list before asking for the decision.
    Raises the ledger's Fault when it fails.
    """
    async for recorded in follow(ledger, _ENDS):
        fact = recorded.typed()
        if isinstance(fact, PersonFrozen | PersonLeft):
            async with ledger.read() as connection:
                mine = await accounts_of(connection, fact.person)
            await on_frozen(frozenset(mine), recorded)
