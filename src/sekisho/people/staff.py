"""While somebody works here: another unit or manager, trainings, rules; what is due, and who alone holds a role."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from sqlalchemy import select

from sekisho.faults import Fault
from sekisho.ledger import Connection, Ledger, Recorded
from sekisho.people import faults
from sekisho.people.accounts import require_active, require_person
from sekisho.people.consent import require_second
from sekisho.people.facts import PersonMoved, RotationDue, RuleAttested, TrainingCompleted
from sekisho.people.identity import Authenticated
from sekisho.people.roles import Role
from sekisho.people.tables import persons, qualifications, roles_held

# After so many years on one privilege another person should take it over: ten years of copying went unseen where
# nobody ever took over.
ROTATION_YEARS: Final = 5


@dataclass(frozen=True, slots=True)
class Tenure:
    person: str
    role: str
    organisation: str
    since: date
    years: int


@dataclass(frozen=True, slots=True)
class SoleHolder:
    """One person holds a role for an organisation alone: nobody could notice, and nobody could take over."""

    person: str
    role: str
    organisation: str


@dataclass(frozen=True, slots=True)
class Expiry:
    """`kind` is "training" or "rule"; `until` its last day, which may be past."""

    person: str
    kind: str
    name: str
    until: date


async def move_person(ledger: Ledger, moved: PersonMoved, *, by: str) -> Recorded:
    """Raises Fault NO_SUCH_PERSON or NOT_ACTIVE."""
    async with ledger.read() as connection:
        await require_active(connection, moved.person)
        if moved.manager:
            await require_person(connection, moved.manager)
    return await ledger.record(moved, by=by, about=moved.person)


async def record_training(ledger: Ledger, completed: TrainingCompleted, *, by: str) -> Recorded:
    """Somebody else says that the person was trained. Raises Fault SECOND_PERSON, BAD_DATES, NOT_ACTIVE."""
    require_second(completed.person, by, "")
    _check_dates(completed.course, completed.on, completed.until)
    async with ledger.read() as connection:
        await require_active(connection, completed.person)
    return await ledger.record(completed, by=by, about=completed.person)


async def attest_rule(
    ledger: Ledger, who: Authenticated, *, rule: str, text: str, on: date, until: date
) -> Recorded:
    """The person itself attests; `text` is the SHA-256 (hex) of what was shown. Raises Fault ONLY_ENROLLING,
    BAD_DATES."""
    if who.enrolling:
        raise Fault(faults.ONLY_ENROLLING)
    _check_dates(rule, on, until)
    attested = RuleAttested(person=who.person, rule=rule, text=text, on=on, until=until)
    return await ledger.record(attested, by=who.person, about=who.person)


def _check_dates(name: str, on: date, until: date) -> None:
    if until < on:
        raise Fault(faults.BAD_DATES, name=name, on=on, until=until)


async def find_expiring(connection: Connection, on: date, *, within: timedelta) -> list[Expiry]:
    """Trainings and attestations of active persons that end within this time, or have ended; soonest first."""
    query = (
        select(qualifications)
        .join(persons, persons.c.person == qualifications.c.person)
        .where(persons.c.left.is_(None), qualifications.c.until <= (on + within).isoformat())
        .order_by(qualifications.c.until, qualifications.c.person, qualifications.c.name)
    )
    rows = await connection.execute(query)
    return [Expiry(row.person, row.kind, row.name, date.fromisoformat(row.until)) for row in rows]


async def find_long_tenures(connection: Connection, on: date, *, years: int = ROTATION_YEARS) -> list[Tenure]:
    """Who has held a role for that many full years; longest first."""
    query = (
        select(roles_held)
        .join(persons, persons.c.person == roles_held.c.person)
        .where(persons.c.left.is_(None))
        .order_by(roles_held.c.since, roles_held.c.person, roles_held.c.role)
    )
    found = []
    for row in await connection.execute(query):
        since = date.fromisoformat(row.since)
        full = on.year - since.year - ((on.month, on.day) < (since.month, since.day))
        if full >= years:
            found.append(Tenure(row.person, row.role, row.organisation, since, full))
    return found


async def sweep_tenures(ledger: Ledger, on: date, *, years: int = ROTATION_YEARS) -> list[Recorded]:
    """Raise a rotation task for each long tenure, once per grant."""
    async with ledger.read() as connection:
        found = await find_long_tenures(connection, on, years=years)
        query = select(roles_held.c.person, roles_held.c.role, roles_held.c.organisation)
        raised = {tuple(row) for row in await connection.execute(query.where(roles_held.c.rotation_due))}
    due = [one for one in found if (one.person, one.role, one.organisation) not in raised]
    return [
        await ledger.record(
            RotationDue(
                person=one.person,
                role=Role(one.role),
                organisation=one.organisation,
                since=one.since,
                years=one.years,
            ),
            by="sekisho",
            about=one.person,
        )
        for one in due
    ]


async def find_sole_holders(connection: Connection) -> list[SoleHolder]:
    """Roles that a single active person holds for an organisation (or for the house)."""
    query = (
        select(roles_held.c.person, roles_held.c.role, roles_held.c.organisation)
        .join(persons, persons.c.person == roles_held.c.person)
        .where(persons.c.left.is_(None))
        .order_by(roles_held.c.role, roles_held.c.organisation)
    )
    holders: dict[tuple[str, str], list[str]] = {}
    for row in await connection.execute(query):
        holders.setdefault((row.role, row.organisation), []).append(row.person)
    return [
        SoleHolder(found[0], role, organisation)
        for (role, organisation), found in holders.items()
        if len(found) == 1
    ]
