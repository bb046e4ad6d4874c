"""Who hears of an alarm. Pure: people in, names out.

Never only its subject, the subject's chain of command, or another account of the same human; always one person at
least outside the subject's unit. Whoever may not acknowledge it (`gate.duties`) is not asked to.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from sekisho.gate.duties import Act, Actor, Allowed, Case, Part, may, tied
from sekisho.people.roles import Role

# Who is told at once, and who more when nobody has acknowledged it at the first, second, … hour of the clock.
LEVELS: Final[tuple[frozenset[Role], ...]] = (
    frozenset({Role.OPERATOR_MANAGER, Role.PROCESSOR_MANAGER, Role.PRIVACY_OFFICER}),
    frozenset({Role.AUDITOR, Role.PRIVACY_OFFICER, Role.PROCESSOR_MANAGER}),
    frozenset({Role.AUDITOR, Role.CLIENT, Role.PRIVACY_OFFICER}),
)
# Who is told when nobody of those is left who is free of the matter.
LAST: Final = frozenset({Role.AUDITOR, Role.INVESTIGATOR, Role.ADMINISTRATOR, Role.CLIENT})


@dataclass(frozen=True, slots=True)
class Listener:
    """Somebody who could be told: as the duty matrix sees this human, and the unit he works in."""

    actor: Actor
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Routed:
    """`to` are humans. `short`: not even one free person outside the unit exists; the house's own addresses must do."""

    to: tuple[str, ...]
    short: bool


def route(
    listeners: Iterable[Listener],
    subjects: Collection[Actor],
    units: Collection[str],
    organisation: str,
    level: int,
) -> Routed:
    """Whom to tell of an alarm about `subjects`, who work in `units`, at this level of the clock."""
    free = [one for one in listeners if not any(tied(one.actor, subject) for subject in subjects)]
    to: set[str] = set()
    short = True
    wanted: frozenset[Role] = frozenset()
    for roles in LEVELS[: min(level, len(LEVELS) - 1) + 1]:
        wanted |= roles
        told = [one for one in free if _holds(one.actor, wanted, organisation)]
        if not any(_outside(one, units) for one in told):
            told += [one for one in free if _holds(one.actor, LAST, organisation)]
        short = not any(_outside(one, units) for one in told)
        to |= {one.actor.human for one in told}  # a higher step drops nobody
    return Routed(tuple(sorted(to)), short)


def _outside(listener: Listener, units: Collection[str]) -> bool:
    return not listener.unit or listener.unit not in units


def _holds(actor: Actor, roles: frozenset[Role], organisation: str) -> bool:
    """Holds one of the roles for this client organisation, or for the whole house (a client never does)."""
    return any(
        held.role in roles
        and (held.organisation == organisation or (not held.organisation and held.role is not Role.CLIENT))
        for held in actor.held
    )


def may_acknowledge(actor: Actor, subjects: tuple[Actor, ...], organisation: str) -> bool:
    employer = subjects[0].employer if subjects else ""
    case = Case(organisation, employer=employer, subjects=subjects)
    return isinstance(may(Act.ALARM_ACKNOWLEDGE, Part.EXECUTE, actor, case), Allowed)
