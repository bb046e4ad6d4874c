"""Nobody changes the policy alone, and what is in force is a function of the facts."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.gate_examples import House, appoint, asked, forge
from sekisho.faults import Fault, FaultKind
from sekisho.gate import faults
from sekisho.gate.decide import AccessRequest, decide
from sekisho.gate.facts import PolicyApproved, PolicyProposed
from sekisho.gate.policies import ABOUT, approve_policy, propose_policy, read_policy
from sekisho.gate.policy import BUILT_IN, Approval, InForce, Policy, Proposal, in_force
from sekisho.gate.refusal import Refusal
from sekisho.gate.state import gather
from sekisho.gate.tickets import approve_ticket, request_ticket
from sekisho.ledger import Ledger
from sekisho.people.facts import PersonLeft
from sekisho.people.roles import Role

CLOSED = Policy(doors=())
HUMANS = {"mori": "mori", "mori2": "mori", "ono": "ono"}


def test_a_second_account_of_the_proposer_approves_nothing() -> None:
    proposal = Proposal("aa", BUILT_IN, "mori", CLOSED)
    for approver in ("mori", "mori2", "unknown"):
        assert in_force([proposal, Approval("aa", approver)], HUMANS) == InForce(Policy(), BUILT_IN)
    assert in_force([proposal, Approval("aa", "ono")], HUMANS) == InForce(CLOSED, "aa")
    assert in_force([Approval("aa", "ono"), proposal], HUMANS) == InForce(Policy(), BUILT_IN)


def test_an_old_proposal_approved_late_undoes_nothing() -> None:
    old, new = Proposal("aa", BUILT_IN, "mori", Policy()), Proposal("bb", BUILT_IN, "mori", CLOSED)
    steps: list[Proposal | Approval] = [old, new, Approval("bb", "ono"), Approval("aa", "ono")]
    assert in_force(steps, HUMANS) == InForce(CLOSED, "bb")


@given(
    st.lists(
        st.one_of(
            st.builds(
                Proposal,
                st.sampled_from(["aa", "bb", "cc"]),
                st.sampled_from([BUILT_IN, "aa", "bb", "cc"]),
                st.sampled_from(list(HUMANS)),
                st.sampled_from([CLOSED, Policy(hours=(8, 20)), Policy(hours=(20, 8))]),
            ),
            st.builds(Approval, st.sampled_from(["aa", "bb", "cc", "dd"]), st.sampled_from([*HUMANS, "x"])),
        ),
        max_size=12,
    )
)
def test_what_is_in_force_was_asked_by_one_human_and_approved_by_another(
    steps: list[Proposal | Approval],
) -> None:
    now = in_force(steps, HUMANS)
    assert now.policy.mistakes() == ()
    if now.request == BUILT_IN:
        assert now.policy == Policy()
        return
    pairs = {
        (HUMANS[one.proposer], HUMANS.get(other.approver))
        for one in steps
        if isinstance(one, Proposal) and (one.request, one.policy) == (now.request, now.policy)
        for other in steps
        if isinstance(other, Approval) and other.request == one.request
    }
    assert any(other is not None and one != other for one, other in pairs)


@pytest.mark.parametrize(
    "changes",
    [
        {"hours": (20, 8)},
        {"hours": (0, 25)},
        {"longest_hours": 0},
        {"review_hours": 0},
        {"review_hours": 73},
        {"break_glass_minutes": 0},
        {"bulk_persons": -1},
        {"largest": msgspec.structs.replace(Policy().break_glass, day_rows=-1)},
    ],
)
async def test_nonsense_is_not_even_proposed(ledger: Ledger, changes: dict[str, object]) -> None:
    with pytest.raises(Fault) as refused:
        await propose_policy(ledger, "P-1", Policy(**changes), by="mori", reason="x")  # type: ignore[arg-type]
    assert refused.value.kind is faults.BAD_POLICY


async def refused_by(ledger: Ledger, approver: str) -> FaultKind:
    with pytest.raises(Fault) as refused:
        await approve_policy(ledger, "P-1", by=approver)
    return refused.value.kind


async def test_a_proposal_is_approved_by_the_privacy_officer_and_closes_doors(house: House) -> None:
    ledger = house.ledger
    await request_ticket(ledger, asked())
    await approve_ticket(ledger, "T-0001", "mori")
    with pytest.raises(Fault) as refused:
        await propose_policy(ledger, "P-0", CLOSED, by="kanri", reason="alone")
    assert refused.value.kind is faults.NOT_YOUR_DUTY
    await propose_policy(ledger, "P-1", CLOSED, by="mori", reason="incident")
    for approver in ("mori", "hara", "kanri", "sato"):
        assert await refused_by(ledger, approver) is faults.NOT_YOUR_DUTY
    assert (await read_policy(ledger)).request == BUILT_IN
    given = await approve_policy(ledger, "P-1", by="ono")
    assert (await read_policy(ledger, house.published.confirms)).policy == CLOSED
    request = AccessRequest("sato", "T-0001", "callcentre", "postgres", asked().opens)
    answer = decide(request, await gather(ledger, house.published, request))
    assert isinstance(answer, Refusal)
    assert answer.kind is faults.DOOR_NOT_ALLOWED
    assert await refused_by(ledger, "ono") is faults.POLICY_CHANGED
    before = int(given.at.timestamp() * 1e6) - 1
    assert (await read_policy(ledger, until=before)).request == BUILT_IN


async def test_one_human_with_both_roles_does_not_suffice(ledger: Ledger) -> None:
    await appoint(ledger, "ono", Role.PROCESSOR_MANAGER)
    await propose_policy(ledger, "P-1", CLOSED, by="ono", reason="x")
    assert await refused_by(ledger, "ono") is faults.ONE_CHAIN


async def test_the_policy_stays_when_its_approver_leaves(ledger: Ledger) -> None:
    await propose_policy(ledger, "P-1", CLOSED, by="mori", reason="x")
    given = await approve_policy(ledger, "P-1", by="ono")
    left = PersonLeft(
        person="ono",
        last_day=given.at.date(),
        reason="end of contract",
        roles=(),
        passkeys=(),
        sessions=(),
        api_tokens=(),
        door_tokens=(),
    )
    await ledger.record(left, by="kanri", about="ono")
    assert (await read_policy(ledger)).policy == CLOSED


async def test_forged_policy_facts(house: House) -> None:
    ledger = house.ledger
    proposed = await propose_policy(ledger, "P-1", CLOSED, by="mori", reason="x")
    approved = await approve_policy(ledger, "P-1", by="ono")
    # Facts of the ledger, but by one human alone, or in another's name.
    loose = PolicyProposed(
        proposal="P-2", proposer="mori", policy=Policy(), replaces=proposed.leaf_hash.hex(), reason="x"
    )
    second = await forge(ledger, loose, by="mori", about=ABOUT)
    for approver, by in (("mori", "mori"), ("ono", "mori")):
        given = PolicyApproved(proposal="P-2", approver=approver, request=second.leaf_hash.hex())
        await forge(ledger, given, by=by, about=ABOUT)
    assert (await read_policy(ledger, house.published.confirms)).policy == CLOSED
    # An edit of the database: found against the published log.
    leaf = proposed.leaf.replace(b'"doors":[]', b'"doors":["postgres"]')
    assert await house.published.confirms(approved)
    house.tamper("UPDATE facts SET leaf = ? WHERE seq = ?", leaf, proposed.seq)
    with pytest.raises(Fault) as refused:
        await read_policy(ledger, house.published.confirms)
    assert refused.value.kind is faults.POLICY_NOT_IN_THE_LOG
