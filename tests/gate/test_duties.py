"""The duty matrix, and the rules that no cell of it can loosen."""

from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sekisho.gate import faults
from sekisho.gate.duties import (
    DECIDING,
    DUTIES,
    Act,
    Actor,
    Allowed,
    Case,
    Doing,
    Part,
    commands,
    may,
    missing,
)
from sekisho.gate.refusal import Refusal
from sekisho.people.facts import HeldRole
from sekisho.people.roles import Role

CLIENT = "minato"

# -- random organisations ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Organisation:
    """Accounts of humans with any managers (loops too), any employers and any roles."""

    actors: tuple[Actor, ...]
    managers: dict[str, str]

    def chain(self, human: str) -> set[str]:
        """Everybody above, walked independently of the product."""
        found: set[str] = set()
        at = self.managers[human]
        while at and at not in found:
            found.add(at)
            at = self.managers[at]
        return found - {human}


@st.composite
def organisations(draw: st.DrawFn) -> Organisation:
    humans = [f"h{n}" for n in range(draw(st.integers(2, 7)))]
    managers = {human: draw(st.sampled_from(["", *humans])) for human in humans}
    bare = Organisation((), managers)
    actors = []
    for human in humans:
        employer = draw(st.sampled_from(["operator", "lead", "agency", "outside"]))
        roles = draw(st.lists(st.sampled_from(list(Role)), max_size=3))
        scopes = st.sampled_from(["", CLIENT, "aoba"])
        held = frozenset(HeldRole(role, draw(scopes)) for role in roles)
        above = frozenset(bare.chain(human))
        actors += [
            Actor(f"{human}-{n}", human, employer, held, above) for n in range(draw(st.integers(1, 2)))
        ]
    return Organisation(tuple(actors), managers)


@settings(max_examples=400, deadline=None)
@given(organisations(), st.sampled_from(list(Act)), st.booleans(), st.booleans(), st.data())
def test_no_act_has_one_human_or_one_chain_as_requester_approver_and_reviewer(
    organisation: Organisation, act: Act, above_limit: bool, has_subject: bool, data: st.DataObject
) -> None:
    subjects = (data.draw(st.sampled_from(organisation.actors)),) if has_subject else ()
    case = Case(CLIENT, "operator", (), subjects, above_limit)
    attempts = st.tuples(st.sampled_from(sorted(DECIDING)), st.sampled_from(organisation.actors))
    for part, actor in data.draw(st.lists(attempts, max_size=25)):
        answer = may(act, part, actor, case)
        if isinstance(answer, Allowed):
            assert part in DUTIES[act][answer.role]
            case = replace(case, doings=(*case.doings, answer.doing()))
    if act is Act.SUSPICION:  # anybody may speak up, about anybody, as often as needed
        return
    humans = [doing.actor.human for doing in case.doings]
    assert len(humans) == len(set(humans))
    assert not {subject.human for subject in subjects} & set(humans)
    for one in case.doings:
        for other in case.doings:
            if one is other:
                continue
            below = one.actor.human in organisation.chain(other.actor.human)  # one commands other
            if Part.CHECK in (one.part, other.part) or one.part is other.part is Part.APPROVE:
                assert not below
            if one.part in (Part.REQUEST, Part.EXECUTE) and other.part is Part.APPROVE:
                assert not below
    asked = {d.actor.employer for d in case.doings if d.part is Part.REQUEST}
    approved = {d.actor.employer for d in case.doings if d.part is Part.APPROVE}
    # A request comes before its approvals; then one approver is paid by somebody else.
    asked_first = [d.part is Part.REQUEST for d in case.doings] == [True] + [False] * (len(case.doings) - 1)
    if above_limit and approved and not missing(act, case) and asked_first:
        assert approved - asked


@settings(max_examples=200, deadline=None)
@given(organisations(), st.sampled_from(list(Act)), st.sampled_from(list(Part)), st.data())
def test_may_is_total_and_never_allows_what_no_cell_holds(
    organisation: Organisation, act: Act, part: Part, data: st.DataObject
) -> None:
    actor = data.draw(st.sampled_from(organisation.actors))
    doings = tuple(
        Doing(*pair)
        for pair in data.draw(
            st.lists(st.tuples(st.sampled_from(list(Part)), st.sampled_from(organisation.actors)), max_size=4)
        )
    )
    answer = may(act, part, actor, Case(CLIENT, "operator", doings))
    if isinstance(answer, Refusal):
        for language in ("en", "ja"):
            assert answer.fault().sentence(language)
    else:
        held = {one.role for one in actor.held if one.organisation in ("", CLIENT)}
        assert answer.role in held
        assert part in DUTIES[act][answer.role]


# -- one example for each rule: each fails when its rule is switched off --------------------------------------


def actor(
    name: str, *roles: Role, employer: str = "operator", above: tuple[str, ...] = (), human: str = ""
) -> Actor:
    held = frozenset(HeldRole(role, CLIENT if role is Role.CLIENT else "") for role in roles)
    return Actor(name, human or name, employer, held, frozenset(above))


WORKER = actor("sato", Role.WORKER, above=("mori",))
MANAGER = actor("mori", Role.OPERATOR_MANAGER)
LEAD = actor("hara", Role.PROCESSOR_MANAGER, employer="lead")
AUDITOR = actor("kido", Role.AUDITOR, employer="outside")
OFFICER = actor("ono", Role.PRIVACY_OFFICER, employer="lead")
ADMINISTRATOR = actor("kanri", Role.ADMINISTRATOR)
CUSTOMER = actor("tani", Role.CLIENT, employer=CLIENT)


def after(*doings: Doing, **changes: object) -> Case:
    return replace(Case(CLIENT, "operator", doings), **changes)  # type: ignore[arg-type]


def refused(answer: Allowed | Refusal) -> str:
    assert isinstance(answer, Refusal)
    return answer.kind.code


ASKED = Doing(Part.REQUEST, WORKER, Role.WORKER)


def test_a_manager_approves_what_a_worker_asked() -> None:
    answer = may(Act.TICKET, Part.APPROVE, MANAGER, after(ASKED))
    assert isinstance(answer, Allowed)
    assert answer.role is Role.OPERATOR_MANAGER
    assert missing(Act.TICKET, after(ASKED)) == (Role.OPERATOR_MANAGER,)
    assert missing(Act.TICKET, after(ASKED, answer.doing())) == ()


def test_only_may_can_allow() -> None:
    with pytest.raises(TypeError):
        Allowed(Act.TICKET, Part.APPROVE, MANAGER, Role.OPERATOR_MANAGER, frozenset(), object())


@pytest.mark.parametrize("role", list(Role))
def test_nobody_edits_the_log(role: Role) -> None:
    for part in Part:
        assert refused(may(Act.LOG_EDIT, part, actor("x", role), Case(CLIENT))) == faults.NOT_YOUR_DUTY.code


def test_an_administrator_sees_no_session_and_no_log() -> None:
    for act in (Act.SESSION, Act.LOG_KEEP, Act.TICKET, Act.INVESTIGATION):
        assert refused(may(act, Part.VIEW, ADMINISTRATOR, Case(CLIENT))) == faults.NOT_YOUR_DUTY.code


def test_a_second_account_of_the_requester_approves_nothing() -> None:
    second = replace(actor("sato2", Role.OPERATOR_MANAGER), human="sato")
    assert refused(may(Act.TICKET, Part.APPROVE, second, after(ASKED))) == faults.ONE_CHAIN.code


def test_whom_the_requester_commands_approves_nothing() -> None:
    below = actor("kato", Role.OPERATOR_MANAGER, above=("sato", "mori"))
    assert refused(may(Act.TICKET, Part.APPROVE, below, after(ASKED))) == faults.ONE_CHAIN.code


def test_two_approvers_stand_in_no_chain_and_approve_once() -> None:
    first = Doing(Part.APPROVE, MANAGER, Role.OPERATOR_MANAGER)
    under = replace(LEAD, above=frozenset({"mori"}))
    assert refused(may(Act.BULK_PULL, Part.APPROVE, under, after(ASKED, first))) == faults.ONE_CHAIN.code
    other = actor("wada", Role.OPERATOR_MANAGER)
    assert (
        refused(may(Act.BULK_PULL, Part.APPROVE, other, after(ASKED, first))) == faults.APPROVED_ALREADY.code
    )
    assert isinstance(may(Act.BULK_PULL, Part.APPROVE, LEAD, after(ASKED, first)), Allowed)


def test_above_the_limit_one_approver_has_another_employer() -> None:
    first = Doing(Part.APPROVE, MANAGER, Role.OPERATOR_MANAGER)
    same = replace(LEAD, employer="operator")
    large = after(ASKED, first, above_limit=True)
    assert refused(may(Act.BULK_PULL, Part.APPROVE, same, large)) == faults.OTHER_EMPLOYER.code
    assert isinstance(may(Act.BULK_PULL, Part.APPROVE, LEAD, large), Allowed)


def test_above_the_limit_the_client_approves_a_carry_out() -> None:
    assert Role.CLIENT in missing(Act.CARRY_OUT, after(ASKED, above_limit=True))
    assert Role.CLIENT not in missing(Act.CARRY_OUT, after(ASKED))
    assert refused(may(Act.CARRY_OUT, Part.APPROVE, CUSTOMER, after(ASKED))) == faults.NOT_YOUR_DUTY.code
    assert isinstance(may(Act.CARRY_OUT, Part.APPROVE, CUSTOMER, after(ASKED, above_limit=True)), Allowed)


def test_a_check_is_outside_every_chain_and_every_employer_concerned() -> None:
    case = after(ASKED, Doing(Part.APPROVE, MANAGER, Role.OPERATOR_MANAGER))
    assert isinstance(may(Act.TICKET, Part.CHECK, AUDITOR, case), Allowed)
    over = replace(WORKER, above=frozenset({"mori", "kido"}))
    assert (
        refused(may(Act.TICKET, Part.CHECK, AUDITOR, after(Doing(Part.REQUEST, over))))
        == faults.ONE_CHAIN.code
    )
    inside = replace(AUDITOR, employer="operator")
    assert refused(may(Act.TICKET, Part.CHECK, inside, case)) == faults.NOT_OUTSIDE.code


def test_the_line_manager_does_not_review_a_break_glass() -> None:
    broken = after(Doing(Part.EXECUTE, WORKER, Role.WORKER))
    assert refused(may(Act.BREAK_GLASS, Part.CHECK, MANAGER, broken)) == faults.ONE_CHAIN.code
    assert isinstance(may(Act.BREAK_GLASS, Part.CHECK, LEAD, broken), Allowed)


def test_nobody_acknowledges_an_alarm_about_himself_or_the_own_chain() -> None:
    about_manager = after(subjects=(MANAGER,))
    about_worker = after(subjects=(WORKER,))
    assert (
        refused(may(Act.ALARM_ACKNOWLEDGE, Part.EXECUTE, MANAGER, about_manager))
        == faults.ABOUT_YOURSELF.code
    )
    assert (
        refused(may(Act.ALARM_ACKNOWLEDGE, Part.EXECUTE, MANAGER, about_worker)) == faults.ABOUT_YOURSELF.code
    )
    assert isinstance(may(Act.ALARM_ACKNOWLEDGE, Part.EXECUTE, LEAD, about_worker), Allowed)


def test_anybody_opens_a_suspicion_even_about_the_own_manager() -> None:
    for role in Role:
        who = actor("x", role, employer="operator", above=("mori",))
        assert isinstance(may(Act.SUSPICION, Part.REQUEST, who, after(subjects=(MANAGER,))), Allowed)


def test_an_investigator_of_a_party_concerned_is_refused() -> None:
    inside = actor("abe", Role.INVESTIGATOR, employer="operator")
    assert refused(may(Act.INVESTIGATION, Part.EXECUTE, inside, after())) == faults.NOT_OUTSIDE.code
    assert refused(may(Act.INVESTIGATION, Part.EXECUTE, MANAGER, after())) == faults.NOT_YOUR_DUTY.code


def test_a_review_is_of_the_own_organisation_and_not_of_own_acts() -> None:
    elsewhere = replace(MANAGER, employer="lead")
    assert refused(may(Act.PERIODIC_REVIEW, Part.EXECUTE, elsewhere, after())) == faults.NOT_YOUR_DUTY.code
    assert isinstance(may(Act.PERIODIC_REVIEW, Part.EXECUTE, MANAGER, after()), Allowed)
    own = after(subjects=(MANAGER,))
    assert refused(may(Act.PERIODIC_REVIEW, Part.EXECUTE, MANAGER, own)) == faults.ABOUT_YOURSELF.code


def test_a_medium_is_listed_only_after_every_approval() -> None:
    asked = Doing(Part.REQUEST, MANAGER, Role.OPERATOR_MANAGER)
    one = Doing(Part.APPROVE, LEAD, Role.PROCESSOR_MANAGER)
    two = Doing(Part.APPROVE, OFFICER, Role.PRIVACY_OFFICER)
    assert (
        refused(may(Act.MEDIA_LIST, Part.EXECUTE, ADMINISTRATOR, after(asked, one)))
        == faults.NOT_YET_APPROVED.code
    )
    assert isinstance(may(Act.MEDIA_LIST, Part.EXECUTE, ADMINISTRATOR, after(asked, one, two)), Allowed)


def test_a_custodian_with_business_does_nothing_at_all() -> None:
    both = actor("x", Role.LOG_CUSTODIAN, Role.WORKER)
    assert refused(may(Act.LOG_KEEP, Part.EXECUTE, both, Case(CLIENT))) == faults.ROLES_CLASH.code


def test_a_role_for_one_client_is_none_for_another() -> None:
    elsewhere = Actor("x", "x", "operator", frozenset({HeldRole(Role.WORKER, "aoba")}))
    assert refused(may(Act.TICKET, Part.REQUEST, elsewhere, Case(CLIENT))) == faults.NOT_YOUR_DUTY.code
    everywhere = Actor("x", "x", CLIENT, frozenset({HeldRole(Role.CLIENT, "")}))
    assert refused(may(Act.SESSION, Part.VIEW, everywhere, Case(CLIENT))) == faults.NOT_YOUR_DUTY.code


def test_a_client_sees_the_digest_and_an_investigator_only_under_a_hold() -> None:
    answer = may(Act.SESSION, Part.VIEW, CUSTOMER, Case(CLIENT))
    assert isinstance(answer, Allowed)
    assert answer.notes == {"digest"}
    investigator = actor("abe", Role.INVESTIGATOR, employer="outside")
    assert refused(may(Act.SESSION, Part.VIEW, investigator, Case(CLIENT))) == faults.NOT_YOUR_DUTY.code
    assert isinstance(may(Act.SESSION, Part.VIEW, investigator, Case(CLIENT, on_hold=True)), Allowed)


def test_command_is_not_mutual() -> None:
    assert commands(MANAGER, WORKER)
    assert not commands(WORKER, MANAGER)
