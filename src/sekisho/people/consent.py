"""What one person asks and a second one must agree to; and how a role comes and goes.

An ask is known by the leaf hash of its fact: who agrees has seen exactly this text, and another one is not agreed
to. Both are counted as humans: `by` is a person id here, never a second account.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from sqlalchemy import select

from sekisho.faults import Fault
from sekisho.ledger import Connection, Fact, Ledger, Recorded
from sekisho.people import faults
from sekisho.people.accounts import require_active
from sekisho.people.facts import HeldRole, RoleAsked, RoleGranted, RoleRevoked
from sekisho.people.roles import Role, compatible
from sekisho.people.tables import asks, persons, roles_held

AnyAsk = TypeVar("AnyAsk", bound=Fact)


@dataclass(frozen=True, slots=True)
class OpenAsk:
    """An ask that waits for its second person, for a list on a screen."""

    request: str
    act: str
    person: str
    asked_by: str
    role: str
    organisation: str
    reason: str


async def find_roles(connection: Connection, person: str) -> dict[HeldRole, date]:
    """The roles of a person, and since when; for lists and for who may consent (the gate reads `standing`)."""
    rows = await connection.execute(select(roles_held).where(roles_held.c.person == person))
    return {HeldRole(Role(row.role), row.organisation): date.fromisoformat(row.since) for row in rows}


async def find_holding(connection: Connection, role: Role) -> tuple[str, ...]:
    """The active persons who hold a role, whatever the organisation."""
    query = (
        select(roles_held.c.person)
        .join(persons, persons.c.person == roles_held.c.person)
        .where(roles_held.c.role == role.value, persons.c.left.is_(None), persons.c.frozen == "")
        .distinct()
        .order_by(roles_held.c.person)
    )
    return tuple(await connection.scalars(query))


async def require_role(connection: Connection, by: str, wanted: Collection[Role]) -> frozenset[Role]:
    """Those of the wanted roles that an active person holds. Raises Fault NO_SUCH_PERSON, NOT_ACTIVE, NEEDS_ROLE."""
    await require_active(connection, by)
    held = frozenset(one.role for one in await find_roles(connection, by)) & frozenset(wanted)
    if not held:
        raise Fault(faults.NEEDS_ROLE, by=by, roles=", ".join(sorted(wanted)))
    return held


async def find_open_asks(connection: Connection) -> list[OpenAsk]:
    """What waits for a second person, oldest first."""
    rows = await connection.execute(select(asks).where(asks.c.agreed.is_(None)).order_by(asks.c.seq))
    return [
        OpenAsk(row.request, row.act, row.person, row.asked_by, row.role, row.organisation, row.reason)
        for row in rows
    ]


async def read_ask(ledger: Ledger, request: str, kind: type[AnyAsk]) -> tuple[AnyAsk, Recorded]:
    """The ask of this leaf hash that nobody agreed to yet. Raises Fault NOT_OPEN.

    The row only says where the fact is; what was asked is read from the fact, whose bytes must have this hash."""
    async with ledger.read() as connection:
        query = select(asks.c.seq).where(asks.c.request == request, asks.c.agreed.is_(None))
        seq = await connection.scalar(query)
    found = await ledger.facts(seq, 1) if seq is not None else []
    if not found or found[0].leaf_hash.hex() != request:
        raise Fault(faults.NOT_OPEN, request=request)
    fact = found[0].typed()
    if not isinstance(fact, kind):
        raise Fault(faults.NOT_OPEN, request=request)
    return fact, found[0]


def require_second(person: str, by: str, first: str) -> None:
    """Raises Fault SECOND_PERSON unless `by` is a human of its own: neither the asker nor whom it is about."""
    if by in (first, person):
        raise Fault(faults.SECOND_PERSON, person=person, by=by)


async def ask_role(
    ledger: Ledger, *, person: str, role: Role, organisation: str, since: date, reason: str, by: str
) -> Recorded:
    """An administrator asks that a person be given a role; another one must confirm it (`grant_role`).

    Raises Fault NEEDS_ROLE, SECOND_PERSON (for oneself), NOT_ACTIVE, NO_SUCH_PERSON, ROLES_EXCLUDE."""
    async with ledger.read() as connection:
        await require_role(connection, by, {Role.ADMINISTRATOR})
        require_second(person, by, "")
        await require_active(connection, person)
        await require_compatible(connection, person, role)
    asked = RoleAsked(person=person, role=role, organisation=organisation, since=since, reason=reason)
    return await ledger.record(asked, by=by, about=person)


async def grant_role(ledger: Ledger, request: str, *, by: str) -> Recorded:
    """A second administrator confirms what the first one asked: the role is held from here on.

    Raises Fault NOT_OPEN, SECOND_PERSON, NEEDS_ROLE, NOT_ACTIVE, ROLES_EXCLUDE."""
    asked, recorded = await read_ask(ledger, request, RoleAsked)
    require_second(asked.person, by, recorded.by)
    async with ledger.read() as connection:
        await require_role(connection, by, {Role.ADMINISTRATOR})
        await require_active(connection, asked.person)
        await require_compatible(connection, asked.person, asked.role)
    granted = RoleGranted(
        person=asked.person,
        role=asked.role,
        organisation=asked.organisation,
        since=asked.since,
        request=request,
    )
    return await ledger.record(granted, by=by, about=asked.person)


async def revoke_role(
    ledger: Ledger, *, person: str, role: Role, organisation: str, reason: str, by: str
) -> Recorded:
    """Take a role away; one administrator is enough for less. Raises Fault NEEDS_ROLE, NOT_ACTIVE."""
    async with ledger.read() as connection:
        await require_role(connection, by, {Role.ADMINISTRATOR})
    revoked = RoleRevoked(person=person, role=role, organisation=organisation, reason=reason)
    return await ledger.record(revoked, by=by, about=person)


async def require_compatible(connection: Connection, person: str, role: Role) -> None:
    for held in await find_roles(connection, person):
        if not compatible(held.role, role):
            raise Fault(faults.ROLES_EXCLUDE, person=person, held=held.role.value, wanted=role.value)
