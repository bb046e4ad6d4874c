"""Whatever the organisation and whoever signs: what is let through was signed by humans who may stand together."""

from datetime import UTC, date, datetime
from functools import cache

import asyncssh
from asyncssh.sshsig import create_sshsig
from hypothesis import event, given, settings
from hypothesis import strategies as st

from sekisho.evidence.merkle import leaf_hash
from sekisho.gate.facts import PolicyApproved, PolicyProposed
from sekisho.gate.policy import Policy
from sekisho.ledger import Commitment, Fact
from sekisho.ledger.leaf import complete_leaf, encode_tail, stamp
from sekisho.people.facts import AccountAdded, PersonAdded, RoleAsked, RoleGranted, SshKeyAdded
from sekisho.people.roles import Role
from sekisho.people.ssh_keys import key_name, read_public_key
from sekisho.takeout.canonical import digest, document
from sekisho.takeout.facts import RecipientApproved, RecipientProposed, TakeoutApproved, TakeoutRequested
from sekisho.takeout.history import History
from sekisho.takeout.judge import verify_release
from sekisho.takeout.signatures import NAMESPACE, Relying

NOW = 1_795_230_000_000_000
SINCE = date(2020, 4, 1)
HUMANS = tuple(f"h{number}" for number in range(6))
ACCOUNTS = (*HUMANS, "h0-night", "h1-night")
ROLES = (Role.OPERATOR_MANAGER, Role.PROCESSOR_MANAGER, Role.CLIENT)


@cache
def key_of(account: str) -> asyncssh.SSHKey:
    return asyncssh.generate_private_key("ssh-ed25519", comment=account)


class Log:
    def __init__(self) -> None:
        self.leaves: list[bytes] = []

    def add(self, fact: Fact, *, by: str, about: str) -> str:
        kind, tail = encode_tail(fact, by=by, about=about)
        seq = len(self.leaves)
        self.leaves.append(complete_leaf(seq, kind, stamp(NOW + seq), tail))
        return leaf_hash(self.leaves[-1]).hex()

    def appoint(self, person: str, role: Role, organisation: str) -> None:
        asked = RoleAsked(person=person, role=role, organisation=organisation, since=SINCE, reason="x")
        request = self.add(asked, by="kanri", about=person)
        granted = RoleGranted(
            person=person, role=role, organisation=organisation, since=SINCE, request=request
        )
        self.add(granted, by="kanri2", about=person)

    def found_house(self, policy: Policy, organisations: tuple[str, ...]) -> None:
        """Two who put a policy into force, and three who registered a recipient."""
        for person, role in (
            ("x0", Role.OPERATOR_MANAGER),
            ("x1", Role.PROCESSOR_MANAGER),
            ("x2", Role.PRIVACY_OFFICER),
        ):
            added = PersonAdded(person=person, name=person, employer=person, manager="", language="en")
            self.add(added, by="kanri", about=person)
            self.appoint(person, role, "")
        asked = PolicyProposed(proposal="P", proposer="x0", policy=policy, replaces="", reason="x")
        request = self.add(asked, by="x0", about="policy")
        given = PolicyApproved(proposal="P", approver="x2", request=request)
        self.add(given, by="x2", about="policy")
        to = RecipientProposed(recipient="r", name="x", key="", organisations=organisations, reason="x")
        request = self.add(to, by="x0", about="r")
        for person in ("x1", "x2"):
            agreed = RecipientApproved(recipient="r", approver=person, request=request)
            self.add(agreed, by=person, about="r")

    def give_key(self, account: str, person: str) -> None:
        line, _, blob = read_public_key(key_of(account).export_public_key().decode())
        added = SshKeyAdded(key=key_name(blob), person=account, public_key=line, label="")
        self.add(added, by=person, about=key_name(blob))


PEOPLE = st.fixed_dictionaries(
    {
        human: st.tuples(
            st.sampled_from(["", "", "", "", *HUMANS]),  # manager
            st.sampled_from(["operator", "lead"]),
            st.lists(st.sampled_from(ROLES), min_size=1, max_size=2, unique=True),
        )
        for human in HUMANS
    }
)


@settings(max_examples=150)
@given(
    PEOPLE,
    st.permutations(ACCOUNTS) | st.lists(st.sampled_from(ACCOUNTS), max_size=7),
    st.sampled_from([50, 500, 5_000]),
    st.builds(
        Policy,
        takeout_client_above=st.sampled_from([40, 1_000, 10_000]),
        takeout_employers_above=st.sampled_from([40, 100, 10_000]),
        takeout_strangers=st.sampled_from([0, 0, 10_000]),
        takeout_largest=st.sampled_from([None, None, 400]),
    ),
    st.booleans(),
)
def test_what_is_let_through_was_signed_by_humans_who_may_stand_together(
    people: dict[str, tuple[str, str, list[Role]]],
    signers: list[str],
    persons: int,
    policy: Policy,
    known: bool,
) -> None:
    log = Log()
    log.found_house(policy, ("minato",) if known else ("aoba",))
    for human, (manager, employer, roles) in people.items():
        boss = manager if manager != human else ""
        added = PersonAdded(person=human, name=human, employer=employer, manager=boss, language="en")
        log.add(added, by="kanri", about=human)
        for role in roles:
            log.appoint(human, role, "minato" if role is Role.CLIENT else "")
        log.give_key(human, human)
    log.appoint("h0", Role.WORKER, "")
    for human in ("h0", "h1"):
        account = AccountAdded(account=f"{human}-night", person=human, reason="x")
        log.add(account, by="kanri", about=f"{human}-night")
        log.give_key(f"{human}-night", human)
    asked = TakeoutRequested(
        takeout="O-1", person="h0", ticket="", organisations=("minato",), purpose="x", basis="x", recipient="x",
        recipient_key="", channel="page", medium="page", rows=persons, persons=persons, cards=0, numbers=0,
        items=(), stated=persons, expires=NOW + 10**9, returns=NOW + 2 * 10**9, content=Commitment("11" * 32),
        package="22" * 32, holdings=(),
    )  # fmt: skip
    log.add(asked, by="h0", about="O-1")
    for signer in signers:
        key = key_of(signer)
        _, _, blob = read_public_key(key.export_public_key().decode())
        made = TakeoutApproved(
            takeout="O-1", approver=signer, digest=digest(asked).hex(), method="ssh", key=key_name(blob),
            signature=create_sshsig(key, document(asked), namespace=NAMESPACE).decode(), share="",
        )  # fmt: skip
        log.add(made, by=signer, about="O-1")
    now = datetime.fromtimestamp(NOW / 1e6 + 60, UTC)
    verdict = verify_release(History(log.leaves), "O-1", Relying(""), now=now)
    event(f"let through: {verdict.ok}")
    if not verdict.ok:
        return

    def above(human: str) -> set[str]:
        found: set[str] = set()
        manager = people[human][0]
        while manager and manager not in found and manager != human:
            found.add(manager)
            manager = people[manager][0] if people[manager][0] != manager else ""
        return found

    counted = [one.actor.human for case in verdict.cases for one in case.doings[1:]]
    assert len(counted) == len(set(counted)) >= (3 if persons > policy.takeout_client_above else 2)
    assert known or persons <= policy.takeout_strangers
    assert policy.takeout_largest is None or persons <= policy.takeout_largest
    assert "h0" not in counted
    assert set(counted) <= {signer.removesuffix("-night") for signer in signers}
    for one in counted:
        assert "h0" not in above(one)
        assert not any(other in above(one) for other in counted)
    if persons > policy.takeout_employers_above:
        assert len({people[one][1] for one in counted}) > 1
    if persons > policy.takeout_client_above:
        assert any(Role.CLIENT in people[one][2] for one in counted)
