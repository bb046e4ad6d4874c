"""What a log says of people at one moment, from its leaves alone: who was who, in which role, with which keys.

Offline there is no database. The fold of `people.standing` is the one that the gate uses; here it is given the facts
before a leaf, so that an approval is judged by what held when it was given.
"""

from collections.abc import Iterable
from typing import Final

from sekisho.gate.duties import Actor
from sekisho.gate.facts import PolicyApproved, PolicyProposed
from sekisho.gate.policy import Approval, Policy, Proposal, in_force
from sekisho.gate.standing import Standing
from sekisho.ledger import Recorded
from sekisho.ledger.leaf import read_recorded
from sekisho.people import facts as people
from sekisho.people.standing import standing_of

# What else than people's and take-outs' facts says, nobody here asks.
NAMES: Final = (
    "people.person_added",
    "people.account_added",
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
    "people.enrolment_used",
    "people.ssh_key_added",
    "people.ssh_key_revoked",
    "people.passkey_added",
    "people.passkey_removed",
)
# What was in force, and to whom data may go.
HOUSE_NAMES: Final = (
    "gate.policy_proposed",
    "gate.policy_approved",
    "takeout.recipient_proposed",
    "takeout.recipient_approved",
    "takeout.recipient_removed",
)
TAKEOUT_NAMES: Final = (
    "takeout.requested",
    "takeout.approved",
    "takeout.shared",
    "takeout.closed",
    "takeout.released",
)
_HEADS: Final = (b',"fact":"people.', b',"fact":"takeout.', b',"fact":"gate.policy_')
_END: Final = 1 << 62
_LONGEST_HEAD: Final = 64  # a leaf begins with its index of at most 20 digits
_VOIDING: Final = (people.PersonLeft, people.PersonReturned, people.EnrolmentUsed)


class History:
    """Leaves of the log, in order; others than people's and take-outs' may be left out."""

    def __init__(self, leaves: Iterable[bytes]) -> None:
        self._people: dict[str, list[Recorded]] = {}
        self._takeouts: dict[str, list[Recorded]] = {}
        self._house: list[Recorded] = []
        self.size = 0
        for leaf in leaves:
            self.size += 1
            head = leaf[:_LONGEST_HEAD]
            if not any(wanted in head for wanted in _HEADS):
                continue
            recorded, _ = read_recorded(leaf)
            if recorded.fact in TAKEOUT_NAMES:
                self._takeouts.setdefault(recorded.about, []).append(recorded)
            elif recorded.fact in NAMES:
                self._people.setdefault(recorded.about, []).append(recorded)
            elif recorded.fact in HOUSE_NAMES:
                self._house.append(recorded)

    def of_takeout(self, takeout: str) -> list[Recorded]:
        return self._takeouts.get(takeout, [])

    def of_recipient(self, recipient: str, before: int) -> list[Recorded]:
        return [one for one in self._house if one.about == recipient and one.seq < before]

    def recipients(self) -> list[str]:
        """Every name under which a recipient was ever proposed."""
        named = [one.about for one in self._house if one.fact == "takeout.recipient_proposed"]
        return list(dict.fromkeys(named))

    def policy(self, before: int) -> Policy:
        """The policy in force just before a leaf, by the fold that the gate uses."""
        steps: list[Proposal | Approval] = []
        humans: dict[str, str] = {}
        for recorded in self._house:
            if recorded.seq >= before:
                break
            match recorded.typed():
                case PolicyProposed() as fact if recorded.by == fact.proposer:
                    steps.append(
                        Proposal(recorded.leaf_hash.hex(), fact.replaces, fact.proposer, fact.policy)
                    )
                case PolicyApproved() as fact if recorded.by == fact.approver:
                    steps.append(Approval(fact.request, fact.approver))
                case _:
                    continue
            human = self._human(recorded.by, before)
            if standing_of(self._until(human, before)) is not None:
                humans[recorded.by] = human
        return in_force(steps, humans).policy

    def actor(self, account: str, before: int) -> Actor | None:
        """Who this account was just before the leaf of this index; None when there was no such account."""
        human = self._human(account, before)
        standing = standing_of(self._until(human, before))
        if standing is None:
            return None
        above: set[str] = set()
        manager = standing.manager
        while manager and manager not in above and manager != human:
            above.add(manager)
            found = standing_of(self._until(manager, before))
            manager = found.manager if found else ""
        return Standing(account, standing, frozenset(above)).actor

    def ssh_key(self, key: str, account: str, before: int) -> str | None:
        """The public key of this name, if the account had it then: added by its own person, not revoked, not voided."""
        added: people.SshKeyAdded | None = None
        for recorded in self._until(key, before):
            match recorded.typed():
                case people.SshKeyAdded() as fact if (
                    added is None and fact.key == key and fact.person == account
                ):
                    added = fact if self._honoured(recorded, account, before) else None
                case people.SshKeyRevoked():
                    return None
        return added.public_key if added else None

    def ssh_keys(self) -> list[tuple[str, str, str]]:
        """(name, account, public key) of every SSH key that signs now."""
        found = []
        for name, recorded in list(self._people.items()):
            added = next(
                (one for one in map(Recorded.typed, recorded) if isinstance(one, people.SshKeyAdded)), None
            )
            if added is not None and (key := self.ssh_key(name, added.person, _END)) is not None:
                found.append((name, added.person, key))
        return found

    def passkey(self, credential: str, account: str, before: int) -> str | None:
        """The public key (COSE, base64url) of a passkey, if the account had it then."""
        found: str | None = None
        for recorded in self._until(account, before):
            match recorded.typed():
                case people.PasskeyAdded() as fact if (
                    fact.credential == credential and fact.person == account
                ):
                    found = fact.public_key if self._honoured(recorded, account, before) else None
                case people.PasskeyRemoved() as fact if fact.credential == credential:
                    found = None
        return found

    def _human(self, account: str, before: int) -> str:
        for recorded in self._until(account, before):
            fact = recorded.typed()
            if isinstance(fact, people.AccountAdded) and fact.account == account:
                return fact.person
        return account

    def _honoured(self, added: Recorded, account: str, before: int) -> bool:
        """Whether the authenticator was set by its own person, and after the person's last voiding."""
        human = self._human(account, before)
        last = [recorded for recorded in self._until(human, before) if isinstance(recorded.typed(), _VOIDING)]
        return added.by == human and all(recorded.seq < added.seq for recorded in last)

    def _until(self, about: str, before: int) -> list[Recorded]:
        return [recorded for recorded in self._people.get(about, ()) if recorded.seq < before]
