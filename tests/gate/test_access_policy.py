"""Which doors a target's access policy leaves open, and who says so: tables of it, and facts before the gate."""

from dataclasses import replace

import pytest

from gate.gate_examples import asked
from gate.test_decide import BULK, OPEN, REQUEST, refused, state
from sekisho.gate import faults
from sekisho.gate.decide import Grant, State, decide
from sekisho.gate.policy import Policy
from sekisho.register.access import Access, access_of, loosens
from sekisho.register.facts import ColumnEntry, TableEntry

DOORS = ("postgres", "workspace", "desktop", "look", "upload", "inner")


def under(access: Access) -> State:
    policy = Policy(largest_bulk=BULK.limits)
    found = state("mori", "hara", asked=asked(bulk=BULK), policy=policy)
    return replace(found, dataset=replace(OPEN, access=access))


@pytest.mark.parametrize(
    ("access", "opened"),
    [
        (Access.PIXELS, {"desktop", "upload", "inner"}),
        (Access.MASKED_TEXT, {"desktop", "upload", "inner", "look", "postgres"}),
        (Access.TEXT, set(DOORS)),
    ],
)
def test_the_policy_chooses_the_doors(access: Access, opened: set[str]) -> None:
    found = under(access)
    requests = {door: replace(REQUEST, door=door) for door in DOORS}
    grants = {door for door in DOORS if isinstance(decide(requests[door], found), Grant)}
    assert grants == opened
    expected = faults.PIXELS_ONLY if access is Access.PIXELS else faults.MASKED_ONLY
    assert {refused(requests[door], found) for door in set(DOORS) - opened} <= {expected}


def test_a_door_that_nobody_thought_of_brings_text() -> None:
    found = state("mori", asked=asked(door="new"), policy=Policy(doors=("new",)))
    request = replace(REQUEST, door="new")
    assert isinstance(decide(request, found), Grant)
    for access in (Access.PIXELS, Access.MASKED_TEXT):
        assert not isinstance(decide(request, replace(found, dataset=replace(OPEN, access=access))), Grant)


def test_masked_text_shows_nothing_in_clear_and_pixels_may() -> None:
    def shown(access: Access, door: str) -> frozenset[str]:
        grant = decide(replace(REQUEST, door=door), under(access))
        assert isinstance(grant, Grant)
        return grant.unmask

    assert shown(Access.MASKED_TEXT, "postgres") == set()
    assert shown(Access.MASKED_TEXT, "look") == set()
    assert shown(Access.TEXT, "postgres") == {"phone"}
    assert shown(Access.PIXELS, "inner") == shown(Access.MASKED_TEXT, "inner") == {"name"}


def test_no_desktop_where_the_house_wants_none() -> None:
    found = under(Access.PIXELS)
    found = replace(found, policy=Policy(largest_bulk=BULK.limits, desktops=False))
    assert refused(replace(REQUEST, door="desktop"), found) is faults.DOOR_NOT_ALLOWED


def test_without_a_word_it_is_pixels_unless_nothing_tells_of_a_person() -> None:
    stock = TableEntry(schema="s", name="stock", metered=False, columns=(ColumnEntry(name="colour"),))
    staff = TableEntry(
        schema="s",
        name="staff",
        metered=False,
        columns=(ColumnEntry(name="n", item="name", personal=True),),
    )
    metered = TableEntry(schema="s", name="calls", columns=(ColumnEntry(name="length"),))
    assert access_of("", "postgres", [stock]) is Access.TEXT
    for tables in ([], [stock, staff], [stock, metered]):
        assert access_of("", "postgres", tables) is Access.PIXELS
    assert access_of("", "ssh", [stock]) is Access.PIXELS
    assert access_of("text", "ssh", []) is Access.TEXT
    for drawing in ("rdp", "vnc"):
        assert access_of("text", drawing, [stock]) is Access.PIXELS
    assert access_of("everything", "postgres", [stock]) is Access.PIXELS


def test_what_is_looser() -> None:
    order = ("pixels", "", "masked-text", "text")
    for place, before in enumerate(order):
        assert [loosens(before, after) for after in order] == [other > place for other in range(4)]
