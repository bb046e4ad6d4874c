"""How a person stands, from the facts about that person: what the gate decides on.

The tables are for lists and screens. The gate reads the facts and may hold each against the published log, as it
does for a ticket: whoever edits the database has not edited the published log, and gains no role by it. What this
does not find by itself is a fact that was deleted from the database before it was published (a freeze, say): the
publisher stops on the gap, and `sekisho verify` names it.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from sekisho.faults import Fault
from sekisho.ledger import Ledger, Recorded
from sekisho.people import facts as f
from sekisho.people import faults
from sekisho.people.facts import HeldRole
from sekisho.people.roles import Role

_ACCOUNT: Final = "people.account_added"
_NAMES: Final = (
    "people.person_added",
    "people.person_moved",
    "people.person_frozen",
    "people.unfreeze_asked",
    "people.person_unfrozen",
    "people.person_left",
    "people.person_returned",
    "people.first_link_made",
    "people.role_asked",
    "people.role_granted",
    "people.role_revoked",
    "people.training_completed",
    "people.rule_attested",
)
_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class PersonStanding:
    """A human at one moment. `training` and `rules` map a name to the last day on which it counts."""

    person: str
    employer: str
    agency: str
    manager: str
    left: bool
    frozen: bool
    roles: Mapping[HeldRole, date]  # since when
    training: Mapping[str, date]
    rules: Mapping[str, date]

    @property
    def active(self) -> bool:
        return not self.left and not self.frozen

    def holds(self, role: Role, organisation: str = "") -> bool:
        """Whether the role is held for this organisation, or for the whole house."""
        return self.active and (
            HeldRole(role, organisation) in self.roles or HeldRole(role, "") in self.roles
        )

    def lacking(self, courses: Collection[str], rules: Collection[str], on: date) -> tuple[str, ...]:
        """The courses and rules that do not count on this day: missing, or expired."""
        courses_missing = (name for name in courses if self.training.get(name, date.min) < on)
        rules_missing = (name for name in rules if self.rules.get(name, date.min) < on)
        return (*courses_missing, *rules_missing)


async def read_standing(
    ledger: Ledger, account: str, *, confirms: Callable[[Recorded], Awaitable[bool]] | None = None
) -> PersonStanding | None:
    """The human behind an account, or None when there is none.

    `confirms` tells whether the published log has exactly this fact; Fault NOT_IN_THE_LOG when it has not.
    """
    person, recorded = account, await ledger.facts(0, 1, names=[_ACCOUNT], about=account)
    for added in recorded:
        fact = added.typed()
        if isinstance(fact, f.AccountAdded):
            person = fact.person
    page = await ledger.facts(0, _PAGE, names=_NAMES, about=person)
    recorded += page
    while len(page) == _PAGE:
        page = await ledger.facts(page[-1].seq + 1, _PAGE, names=_NAMES, about=person)
        recorded += page
    if confirms is not None:
        for one in recorded:
            if not await confirms(one):
                raise Fault(faults.NOT_IN_THE_LOG, person=account)
    return standing_of(recorded)


def standing_of(facts: Iterable[Recorded]) -> PersonStanding | None:
    """Fold the facts about one human, in order. A fact that lacks the second person it needs changes nothing."""
    fold = _Fold()
    for recorded in facts:
        fold.take(recorded)
    return fold.result()


@dataclass(slots=True)
class _Fold:
    added: f.PersonAdded | f.PersonReturned | f.PersonMoved | None = None
    left: bool = False
    freeze: str = ""
    roles: dict[HeldRole, date] = field(default_factory=dict)
    training: dict[str, date] = field(default_factory=dict)
    rules: dict[str, date] = field(default_factory=dict)
    # leaf hash -> the asking fact and who asked
    asked: dict[str, tuple[f.RoleAsked | f.UnfreezeAsked | f.FirstLinkMade, str]] = field(
        default_factory=dict
    )

    def take(self, recorded: Recorded) -> None:
        match recorded.typed():
            case f.PersonAdded() as fact if self.added is None:
                self.added = fact
            case f.PersonMoved() | f.PersonReturned() as fact:
                self.added = fact
                if isinstance(fact, f.PersonReturned):
                    self.left = False
            case f.PersonLeft():
                self.left = True
                self.roles.clear()
            case f.PersonFrozen():
                self.freeze = recorded.leaf_hash.hex()
            case (f.RoleAsked() | f.UnfreezeAsked() | f.FirstLinkMade()) as fact:
                self.asked[recorded.leaf_hash.hex()] = (fact, recorded.by)
            case f.PersonUnfrozen() as fact:
                ask, by = self.asked.get(fact.request, (None, ""))
                if isinstance(ask, f.UnfreezeAsked) and ask.freeze == self.freeze and by != recorded.by:
                    self.freeze = ""
            case f.RoleGranted() as fact if self._was_asked(fact, recorded):
                self.roles[HeldRole(fact.role, fact.organisation)] = fact.since
            case f.RoleRevoked() as fact:
                self.roles.pop(HeldRole(fact.role, fact.organisation), None)
            case f.TrainingCompleted() as fact if recorded.by != fact.person:
                self.training[fact.course] = fact.until
            case f.RuleAttested() as fact if recorded.by == fact.person:
                self.rules[fact.rule] = fact.until
            case _:
                pass

    def _was_asked(self, granted: f.RoleGranted, recorded: Recorded) -> bool:
        ask, by = self.asked.get(granted.request, (None, ""))
        if isinstance(ask, f.FirstLinkMade):
            return granted.role is Role.ADMINISTRATOR and recorded.by == granted.person
        if not isinstance(ask, f.RoleAsked):
            return False
        same = (ask.person, ask.role, ask.organisation, ask.since) == (
            granted.person,
            granted.role,
            granted.organisation,
            granted.since,
        )
        return same and recorded.by not in (by, granted.person)

    def result(self) -> PersonStanding | None:
        if self.added is None:
            return None
        return PersonStanding(
            person=self.added.person,
            employer=self.added.employer,
            agency=self.added.agency,
            manager=self.added.manager,
            left=self.left,
            frozen=self.freeze != "",
            roles=self.roles,
            training=self.training,
            rules=self.rules,
        )
