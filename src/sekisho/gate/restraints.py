"""Restraints: for a bounded time a person needs a second approval for each ticket, or has a smaller budget.

The watch imposes one when an alert says so by policy; it takes nothing away for good. It ends by itself, or when one
person asks for its end and another one agrees. The door reads it from facts that the published log confirms, and its
imposition is one of the facts that cannot be deleted unnoticed (`gate.state.RESTRICTING`).
"""

from dataclasses import dataclass
from typing import Final, Literal

import msgspec
from sqlalchemy import select

from sekisho.faults import Fault
from sekisho.gate import faults
from sekisho.gate.duties import DUTIES, Act, Actor, Part, tied
from sekisho.gate.facts import (
    Limits,
    RestraintImposed,
    RestraintLiftAsked,
    RestraintLifted,
    SecondApproval,
)
from sekisho.gate.standing import Confirms
from sekisho.gate.tables import restraints
from sekisho.ledger import Connection, Ledger, Recorded
from sekisho.people.accounts import require_person
from sekisho.people.consent import require_role, require_second
from sekisho.people.roles import CONSENTING

RestraintKind = Literal["approval", "budget"]
IMPOSED: Final = "gate.restraint_imposed"
_NAMES: Final = (IMPOSED, "gate.restraint_lift_asked", "gate.restraint_lifted")
_SECOND: Final = "gate.second_approval_given"
_MOST_FACTS: Final = 1_000  # of one person; the gate refuses rather than overlook one
LONGEST_HOURS: Final = 31 * 24
_HOUR: Final = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Restraint:
    """`name` is the leaf hash (hex) of its imposition; `percent` of a budget stays. `until` in microseconds."""

    name: str
    person: str
    kind: str
    percent: int
    until: int


@dataclass(frozen=True, slots=True)
class OpenRestraint:
    """A restraint in force, for a page: `lift` is the ask that waits for its second person, or ""."""

    restraint: Restraint
    alert: str
    reason: str
    lift: str
    lift_asked_by: str


def about(person: str) -> str:
    """What the facts of a person's restraints are about: not the person, so that one look finds them all."""
    return f"{person}:restraint"


def cut(limits: Limits, percent: int) -> Limits:
    """So much of each limit; one person and row at least, so that the worker is told of a limit, not of a fault."""
    return Limits(
        **{name: max(1, value * percent // 100) for name, value in msgspec.structs.asdict(limits).items()}
    )


def may_second(actor: Actor, requester: Actor, first: frozenset[str]) -> bool:
    """Whether this human can be the second to approve: a role that consents or approves, free of the requester's
    chain of command, and none of those who approved first."""
    approving = {role for role, cell in DUTIES[Act.TICKET].items() if Part.APPROVE in cell} | CONSENTING
    holds = any(one.role in approving for one in actor.held)
    return holds and actor.human not in first and not tied(actor, requester)


async def read_restraints(ledger: Ledger, confirms: Confirms, person: str) -> tuple[Restraint, ...]:
    """Those of a human that were not lifted, expired ones too. Raises Fault NOT_IN_THE_LOG."""
    facts = await ledger.facts(0, _MOST_FACTS, names=_NAMES, about=about(person))
    found: dict[str, Restraint] = {}
    asked: dict[str, tuple[str, str]] = {}
    for recorded in facts:
        if not await confirms(recorded):
            raise Fault(faults.NOT_IN_THE_LOG, ticket=recorded.about)
        name = recorded.leaf_hash.hex()
        match recorded.typed():
            case RestraintImposed() as fact:
                found[name] = Restraint(name, fact.person, fact.kind, fact.percent, fact.until)
            case RestraintLiftAsked() as fact:
                asked[name] = fact.restraint, recorded.by
            case RestraintLifted() as fact if fact.request in asked:
                restraint, by = asked[fact.request]
                if recorded.by not in (by, person):
                    found.pop(restraint, None)
    if len(facts) == _MOST_FACTS:
        raise Fault(faults.NOT_IN_THE_LOG, ticket=about(person))
    return tuple(found.values())


async def read_second(
    ledger: Ledger, confirms: Confirms, ticket: str, request: str
) -> dict[str, frozenset[str]]:
    """Restraint -> the accounts that gave this very request the second approval for it. Raises Fault NOT_IN_THE_LOG."""
    found: dict[str, frozenset[str]] = {}
    for recorded in await ledger.facts(0, _MOST_FACTS, names=[_SECOND], about=ticket):
        if not await confirms(recorded):
            raise Fault(faults.NOT_IN_THE_LOG, ticket=ticket)
        fact = recorded.typed()
        if isinstance(fact, SecondApproval) and (fact.approver, fact.request) == (recorded.by, request):
            found[fact.restraint] = found.get(fact.restraint, frozenset()) | {fact.approver}
    return found


async def impose(
    ledger: Ledger,
    person: str,
    kind: RestraintKind,
    *,
    hours: int,
    percent: int = 100,
    reason: str,
    alert: str,
    now: int,
    by: str,
) -> Recorded:
    """Restrain a human for so many hours; in doubt, let it be done. `now` in microseconds since 1970.

    Raises Fault NO_SUCH_PERSON."""
    async with ledger.read() as connection:
        await require_person(connection, person)
    imposed = RestraintImposed(
        person=person,
        kind=kind,
        percent=percent,
        until=now + min(hours, LONGEST_HOURS) * _HOUR,
        reason=reason,
        alert=alert,
    )
    return await ledger.record(imposed, by=by, about=about(person))


async def ask_lift(ledger: Ledger, restraint: str, *, reason: str, by: str) -> Recorded:
    """Ask that a restraint end before its time. Raises Fault NO_RESTRAINT, NEEDS_ROLE, SECOND_PERSON."""
    async with ledger.read() as connection:
        found = await find_restraint(connection, restraint)
        require_second(found.restraint.person, by, "")
        await require_role(connection, by, CONSENTING)
    asked = RestraintLiftAsked(restraint=restraint, person=found.restraint.person, reason=reason)
    return await ledger.record(asked, by=by, about=about(found.restraint.person))


async def lift(ledger: Ledger, restraint: str, *, by: str) -> Recorded:
    """A second person agrees, and the restraint ends. Raises Fault NO_RESTRAINT, SECOND_PERSON, NEEDS_ROLE."""
    async with ledger.read() as connection:
        found = await find_restraint(connection, restraint)
        if not found.lift:
            raise Fault(faults.NO_RESTRAINT, restraint=restraint[:12])
        require_second(found.restraint.person, by, found.lift_asked_by)
        await require_role(connection, by, CONSENTING)
    lifted = RestraintLifted(request=found.lift, restraint=restraint, person=found.restraint.person)
    return await ledger.record(lifted, by=by, about=about(found.restraint.person))


async def find_restraint(connection: Connection, name: str) -> OpenRestraint:
    """Raises Fault NO_RESTRAINT when there is none that was not lifted."""
    query = select(restraints).where(restraints.c.restraint == name, restraints.c.lifted.is_(False))
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise Fault(faults.NO_RESTRAINT, restraint=name[:12])
    return _open(row)


async def list_restraints(connection: Connection, now: int) -> list[OpenRestraint]:
    """Those in force, for a page."""
    query = select(restraints).where(restraints.c.lifted.is_(False), restraints.c.until > now)
    return [_open(row) for row in await connection.execute(query.order_by(restraints.c.until))]


def _open(row: object) -> OpenRestraint:
    return OpenRestraint(
        Restraint(row.restraint, row.person, row.kind, row.percent, row.until),  # type: ignore[attr-defined]
        row.alert,  # type: ignore[attr-defined]
        row.reason,  # type: ignore[attr-defined]
        row.lift,  # type: ignore[attr-defined]
        row.lift_asked_by,  # type: ignore[attr-defined]
    )
