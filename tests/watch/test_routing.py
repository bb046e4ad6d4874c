"""Whoever the alarm is about is not the one who hears of it: held over many made-up houses."""

from hypothesis import given, settings
from hypothesis import strategies as st

from sekisho.gate.duties import Actor, tied
from sekisho.people.facts import HeldRole
from sekisho.people.roles import Role
from sekisho.watch.routing import Listener, route

NAMES = ("ab", "cd", "ef", "gh", "ij", "kl")


@st.composite
def houses(draw: st.DrawFn) -> list[Listener]:
    people = []
    for name in NAMES:
        held = draw(st.frozensets(st.sampled_from(list(Role)), max_size=2))
        roles = frozenset(HeldRole(role, draw(st.sampled_from(["", "minato"]))) for role in held)
        above = draw(st.frozensets(st.sampled_from([one for one in NAMES if one != name]), max_size=2))
        actor = Actor(name, name, draw(st.sampled_from(["operator", "lead"])), roles, above)
        people.append(Listener(actor, draw(st.sampled_from(["", "team", "office"]))))
    return people


@given(houses(), st.sampled_from(NAMES), st.integers(0, 3))
@settings(max_examples=80, deadline=None)
def test_never_the_subject_nor_his_chain_and_always_one_from_outside(
    people: list[Listener], name: str, level: int
) -> None:
    subject = next(one for one in people if one.actor.human == name)
    routed = route(people, [subject.actor], {subject.unit} - {""}, "minato", level)
    told = [one for one in people if one.actor.human in routed.to]
    assert name not in routed.to
    assert not any(tied(one.actor, subject.actor) for one in told)
    if not routed.short:
        assert any(not one.unit or one.unit != subject.unit for one in told)


@given(houses(), st.sampled_from(NAMES))
@settings(max_examples=40, deadline=None)
def test_a_higher_step_drops_nobody(people: list[Listener], name: str) -> None:
    subject = next(one for one in people if one.actor.human == name)
    units = {subject.unit} - {""}
    steps = [set(route(people, [subject.actor], units, "minato", level).to) for level in range(3)]
    assert steps[0] <= steps[1] <= steps[2]


def test_a_client_of_another_organisation_hears_nothing() -> None:
    subject = Actor("sato", "sato", "operator", frozenset({HeldRole(Role.WORKER)}))
    client = Actor("tani", "tani", "minato", frozenset({HeldRole(Role.CLIENT, "minato")}))
    other = Actor("ueda", "ueda", "aoba", frozenset({HeldRole(Role.CLIENT, "aoba")}))
    routed = route([Listener(client), Listener(other)], [subject], set(), "minato", 2)
    assert routed.to == ("tani",)
    assert route([Listener(other)], [subject], set(), "minato", 2).short
