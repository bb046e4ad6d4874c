"""`decide` is total: any request and any state end in a Grant or a Refusal, and a Grant only where every rule holds."""

from dataclasses import replace
from datetime import date
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gate.gate_examples import HOUR, NOON, SINCE, STAFF, asked, emergency
from sekisho.faults import Fault, FaultKind
from sekisho.gate import faults
from sekisho.gate.decide import RULES, AccessRequest, Grant, State, Ticket, decide
from sekisho.gate.facts import Bulk, Limits, Unmask
from sekisho.gate.policy import Policy
from sekisho.gate.refusal import Refusal
from sekisho.gate.standing import Standing
from sekisho.people.facts import HeldRole
from sekisho.people.roles import Role
from sekisho.people.standing import PersonStanding
from sekisho.register.access import Access
from sekisho.register.faults import NOT_DESCRIBED
from sekisho.register.inventory import Sensitivity
from sekisho.register.parties import ClearChain, Reach
from sekisho.register.standing import LockedDataset, OpenDataset

DAY = date(2026, 11, 21)
REACH = Reach("operator", "minato", "minato-customers")
OPEN = OpenDataset("minato-customers", "minato", DAY, ClearChain(REACH, DAY, ()), access=Access.TEXT)
LOCKED = LockedDataset("minato-customers", DAY, (Fault(NOT_DESCRIBED, dataset="minato-customers"),))


def standing(name: str, **changes: Any) -> Standing:
    staff = STAFF[name]
    values: dict[str, Any] = {
        "person": name,
        "employer": staff.employer,
        "agency": "",
        "manager": staff.manager,
        "left": False,
        "frozen": False,
        "roles": {HeldRole(staff.role, staff.organisation): SINCE},
        "training": {},
        "rules": {},
    }
    above = frozenset({"sato", "mori"}) if name == "kato" else frozenset(filter(None, [staff.manager]))
    return Standing(name, PersonStanding(**{**values, **changes}), above)


def state(*approvers: str, **changes: Any) -> State:
    ticket = Ticket(changes.pop("asked", asked()), approvers, changes.pop("closed", False))
    stand = {name: standing(name) for name in approvers}
    return replace(State(ticket, Policy(), standing("sato"), OPEN, stand), **changes)


REQUEST = AccessRequest("sato", "T-0001", "callcentre", "postgres", NOON)
GOOD = state("mori")


def refused(request: AccessRequest, found: State) -> FaultKind:
    answer = decide(request, found)
    assert isinstance(answer, Refusal)
    for language in ("en", "ja"):
        assert answer.fault().sentence(language)
    return answer.kind


def test_everything_in_order_is_granted_as_asked() -> None:
    grant = decide(REQUEST, GOOD)
    assert isinstance(grant, Grant)
    ticket = asked()
    assert (grant.person, grant.limits, grant.closes) == ("sato", ticket.limits, ticket.closes)
    assert grant.unmask == {"phone"}
    assert not grant.broken_glass


def test_only_decide_makes_a_grant() -> None:
    grant = decide(REQUEST, GOOD)
    assert isinstance(grant, Grant)
    with pytest.raises(TypeError):
        replace(grant, mint=object())


@pytest.mark.parametrize("part", ["ticket", "policy", "person", "dataset"])
def test_what_is_unknown_is_refused(part: str) -> None:
    expected = faults.NO_TICKET if part == "ticket" else faults.STATE_UNKNOWN
    nothing: dict[str, Any] = {part: None}
    assert refused(REQUEST, replace(GOOD, **nothing)) is expected


def test_an_approver_who_is_unknown_or_left_or_frozen_or_without_the_role_approves_nothing() -> None:
    assert refused(REQUEST, state()) is faults.NOT_APPROVED
    assert refused(REQUEST, replace(GOOD, approvers={})) is faults.NOT_APPROVED
    worker = {HeldRole(Role.WORKER): SINCE}
    changed: list[dict[str, Any]] = [{"left": True}, {"frozen": True}, {"roles": {}}, {"roles": worker}]
    for changes in changed:
        stand = {"mori": standing("mori", **changes)}
        assert refused(REQUEST, replace(GOOD, approvers=stand)) is faults.NOT_APPROVED


def test_who_asks_and_who_stands_below_and_a_second_account_approve_nothing() -> None:
    manager_too = {HeldRole(Role.WORKER): SINCE, HeldRole(Role.OPERATOR_MANAGER): SINCE}
    oneself = replace(state("sato"), person=standing("sato", roles=manager_too))
    oneself = replace(oneself, approvers={"sato": standing("sato", roles=manager_too)})
    assert refused(REQUEST, oneself) is faults.NOT_APPROVED
    assert refused(REQUEST, state("kato")) is faults.NOT_APPROVED
    second = replace(standing("mori", person="sato"), account="sato2")
    assert refused(REQUEST, replace(GOOD, approvers={"mori": second})) is faults.NOT_APPROVED


def test_a_role_that_was_revoked_closes_the_door() -> None:
    assert refused(REQUEST, replace(GOOD, person=standing("sato", roles={}))) is faults.NOT_YOUR_DUTY
    elsewhere = {HeldRole(Role.WORKER, "aoba"): SINCE}
    assert refused(REQUEST, replace(GOOD, person=standing("sato", roles=elsewhere))) is faults.NOT_YOUR_DUTY


def test_who_left_or_is_frozen_is_told_so() -> None:
    left = standing("sato", left=True)
    assert refused(REQUEST, replace(GOOD, person=left)) is faults.PERSON_NOT_ACTIVE
    frozen = standing("sato", frozen=True)
    assert refused(REQUEST, replace(GOOD, person=frozen)) is faults.PERSON_FROZEN


def test_training_and_attestation_count_to_their_last_day() -> None:
    policy = Policy(courses=("privacy",), rules=("no-media",))
    for training, rules, good in (
        ({}, {}, False),
        ({"privacy": DAY}, {"no-media": date(2026, 11, 20)}, False),
        ({"privacy": date(2026, 11, 20)}, {"no-media": DAY}, False),
        ({"privacy": DAY}, {"no-media": DAY}, True),
    ):
        found = replace(GOOD, policy=policy, person=standing("sato", training=training, rules=rules))
        answer = decide(REQUEST, found)
        assert isinstance(answer, Grant) if good else refused(REQUEST, found) is faults.NOT_TRAINED


def test_a_locked_dataset_tells_the_registers_own_reason() -> None:
    assert refused(REQUEST, replace(GOOD, dataset=LOCKED)) is NOT_DESCRIBED
    assert (
        refused(REQUEST, replace(GOOD, dataset=LockedDataset("minato-customers", DAY, ())))
        is faults.STATE_UNKNOWN
    )
    assert refused(REQUEST, replace(GOOD, dataset=replace(OPEN, dataset="other"))) is faults.STATE_UNKNOWN


def test_window_target_door_and_closing() -> None:
    assert refused(replace(REQUEST, at=NOON - 1), GOOD) is faults.OUTSIDE_WINDOW
    assert refused(replace(REQUEST, at=NOON + 2 * HOUR), GOOD) is faults.OUTSIDE_WINDOW
    assert refused(replace(REQUEST, target="other"), GOOD) is faults.OTHER_TARGET
    assert refused(replace(REQUEST, door="ssh"), GOOD) is faults.OTHER_TARGET
    assert refused(REQUEST, state("mori", closed=True)) is faults.TICKET_CLOSED
    assert refused(replace(REQUEST, person="kato"), GOOD) is faults.NO_TICKET


def test_what_the_policy_bounds() -> None:
    def under(**changes: Any) -> State:
        return replace(GOOD, policy=Policy(**changes))

    less = msgspec.structs.replace(asked().limits, day_rows=499)
    assert refused(REQUEST, under(doors=("ssh",))) is faults.DOOR_NOT_ALLOWED
    assert refused(REQUEST, under(hours=(13, 20))) is faults.OUTSIDE_HOURS
    assert refused(REQUEST, under(hours=(8, 12))) is faults.OUTSIDE_HOURS
    assert isinstance(decide(REQUEST, under(hours=(12, 13))), Grant)
    assert refused(REQUEST, under(largest=less)) is faults.ABOVE_POLICY
    assert isinstance(decide(REQUEST, under(largest=asked().limits)), Grant)
    assert refused(REQUEST, under(longest_hours=1)) is faults.ABOVE_POLICY
    refusing = decide(REQUEST, under(unknown_lineage="refuse"))
    assert isinstance(refusing, Grant)
    assert refusing.unknown_lineage == "refuse"


@pytest.mark.parametrize(
    ("sensitivity", "caps", "opens"),
    [
        (Sensitivity.ORDINARY, {"sensitive_persons": 1, "special_persons": 1}, True),
        (Sensitivity.SENSITIVE, {"sensitive_persons": 100, "special_persons": 1}, True),
        (Sensitivity.SENSITIVE, {"sensitive_persons": 99}, False),
        (Sensitivity.SPECIAL, {"special_persons": 100}, True),
        (Sensitivity.SPECIAL, {"special_persons": 99}, False),
        (Sensitivity.SPECIAL, {"sensitive_persons": 99, "special_persons": 1000}, False),
    ],
)
def test_more_sensitive_data_has_lower_caps(
    sensitivity: Sensitivity, caps: dict[str, Any], opens: bool
) -> None:
    found = replace(GOOD, policy=Policy(**caps), dataset=replace(OPEN, sensitivity=sensitivity))
    if opens:
        assert isinstance(decide(REQUEST, found), Grant)
    else:
        assert refused(REQUEST, found) is faults.ABOVE_SENSITIVITY


def test_what_was_never_graded_counts_as_special() -> None:
    assert refused(REQUEST, replace(GOOD, policy=Policy(special_persons=99))) is faults.ABOVE_SENSITIVITY
    assert Policy(sensitive_persons=0, special_persons=-1).mistakes() == (
        "sensitive_persons",
        "special_persons",
    )


def test_a_bulk_allowance_counts_towards_the_cap() -> None:
    policy = Policy(doors=("postgres", "workspace"), largest_bulk=BULK.limits, special_persons=10_099)
    found = state("mori", "hara", asked=asked(bulk=BULK), policy=policy)
    assert refused(REQUEST, found) is faults.ABOVE_SENSITIVITY
    enough = replace(found, policy=msgspec.structs.replace(policy, special_persons=10_100))
    assert isinstance(decide(REQUEST, enough), Grant)


def test_a_bulk_request_needs_two_approvers_of_two_employers() -> None:
    bulk = Policy(bulk_persons=99)
    assert refused(REQUEST, replace(GOOD, policy=bulk)) is faults.NOT_APPROVED
    assert isinstance(decide(REQUEST, state("mori", "hara", policy=bulk)), Grant)
    same = {"mori": standing("mori"), "hara": standing("hara", employer="operator")}
    found = state("mori", "hara", policy=bulk, approvers=same)
    assert refused(REQUEST, found) is faults.NOT_APPROVED


BULK = Bulk(
    limits=Limits(**dict.fromkeys(Limits.__struct_fields__, 10_000)),
    unmask=(Unmask(item="name", reason="letters are to be printed"),),
)


def test_a_bulk_allowance_opens_the_inner_door_and_widens_nothing_else() -> None:
    policy = Policy(doors=("postgres", "workspace"), largest_bulk=BULK.limits)
    found = state("mori", "hara", asked=asked(bulk=BULK), policy=policy)
    inner = decide(replace(REQUEST, door="inner"), found)
    assert isinstance(inner, Grant)
    assert (inner.door, inner.limits, inner.unmask) == ("inner", BULK.limits, frozenset({"name"}))
    for door in ("postgres", "workspace"):  # what a terminal is shown stays small and masked
        outer = decide(replace(REQUEST, door=door), found)
        assert isinstance(outer, Grant)
        assert (outer.door, outer.limits, outer.unmask) == (door, asked().limits, frozenset({"phone"}))
    assert refused(replace(REQUEST, door="ssh"), found) is faults.OTHER_TARGET
    assert refused(replace(REQUEST, door="inner"), GOOD) is faults.OTHER_TARGET


def test_a_bulk_allowance_needs_the_policy_and_two_approvals() -> None:
    request = replace(REQUEST, door="inner")
    wide = Policy(doors=("postgres", "workspace"), largest_bulk=BULK.limits)
    less = msgspec.structs.replace(BULK.limits, day_rows=9_999)
    both = state("mori", "hara", asked=asked(bulk=BULK), policy=wide)
    assert isinstance(decide(request, both), Grant)
    assert refused(request, state("mori", asked=asked(bulk=BULK), policy=wide)) is faults.NOT_APPROVED
    shut = Policy(doors=("postgres",), largest_bulk=BULK.limits)
    assert refused(request, replace(both, policy=shut)) is faults.DOOR_NOT_ALLOWED
    assert (
        refused(request, replace(both, policy=Policy(doors=("postgres", "workspace"))))
        is faults.BULK_ABOVE_POLICY
    )
    assert (
        refused(request, replace(both, policy=msgspec.structs.replace(wide, largest_bulk=less)))
        is faults.BULK_ABOVE_POLICY
    )


def test_a_broken_glass_is_small_or_nothing() -> None:
    request = replace(REQUEST, ticket="B-0001")

    def broken(**changes: Any) -> State:
        return replace(GOOD, ticket=Ticket(emergency(**changes), (), False, True))

    grant = decide(request, broken())
    assert isinstance(grant, Grant)
    assert grant.broken_glass
    assert refused(request, broken(closes=NOON + 2 * HOUR)) is faults.GLASS_TOO_LARGE
    assert refused(request, broken(limits=asked().limits)) is faults.GLASS_TOO_LARGE
    assert refused(request, broken(unmask=asked().unmask)) is faults.GLASS_TOO_LARGE
    assert refused(request, broken(bulk=BULK)) is faults.GLASS_TOO_LARGE
    # Emergencies keep no hours; a locked dataset stays locked, and who left stays out.
    assert isinstance(decide(request, replace(broken(), policy=Policy(hours=(0, 1)))), Grant)
    assert refused(request, replace(broken(), dataset=LOCKED)) is NOT_DESCRIBED
    assert isinstance(decide(request, replace(broken(), person=standing("sato", left=True))), Refusal)


# -- totality -------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(list(STAFF))


@st.composite
def states(draw: st.DrawFn) -> State:
    def changed(name: str) -> Standing:
        flags = draw(st.fixed_dictionaries({}, optional={"left": st.booleans(), "frozen": st.booleans()}))
        return standing(name, **flags)

    approvers = tuple(draw(st.lists(NAMES, max_size=3)))
    broken = draw(st.booleans())
    ticket = Ticket((emergency if broken else asked)("T-0001"), approvers, draw(st.booleans()), broken)
    policy = Policy(
        doors=draw(st.sampled_from([("postgres",), ("ssh",)])),
        hours=draw(st.sampled_from([(0, 24), (8, 12)])),
        bulk_persons=draw(st.sampled_from([None, 0])),
        courses=draw(st.sampled_from([(), ("privacy",)])),
    )
    known = {name: changed(name) for name in approvers if draw(st.booleans())}
    return State(
        draw(st.sampled_from([None, ticket, ticket])),
        draw(st.sampled_from([None, policy, policy])),
        draw(st.sampled_from([None, changed("sato"), standing("sato")])),
        draw(st.sampled_from([None, LOCKED, OPEN, OPEN])),
        known,
    )


@settings(max_examples=300, deadline=None)
@given(states(), st.sampled_from(["sato", "kato", "nobody"]), st.integers(NOON - HOUR, NOON + 3 * HOUR))
def test_decide_is_total_and_grants_only_what_no_rule_refuses(found: State, person: str, at: int) -> None:
    request = replace(REQUEST, person=person, at=at)
    answer = decide(request, found)
    refusals = [refusal for rule in RULES if (refusal := rule.refuses(request, found)) is not None]
    if isinstance(answer, Refusal):
        assert answer == refusals[0]
        assert answer.fault().sentence("ja")
        return
    assert refusals == []
    assert found.ticket is not None
    assert not found.ticket.closed
    assert found.person is not None
    assert found.person.human.active
    assert found.dataset is OPEN
    assert NOON <= at < found.ticket.requested.closes
    if not answer.broken_glass:
        assert "mori" in found.ticket.approvers
        assert found.approvers["mori"].human.active
