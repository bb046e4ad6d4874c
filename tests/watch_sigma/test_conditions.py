"""The grammar of conditions, held against Python's own."""

import itertools

import pytest
from sigma.exceptions import SigmaError

from watch_sigma.sigma_under_test import matches

NAMES = ("sel_a", "sel_b", "filter_c")
DETECTIONS = "sel_a: {a: 1}, sel_b: {b: 1}, filter_c: {c: 1}"


@pytest.mark.parametrize(
    ("condition", "python"),
    [
        ("sel_a", "a"),
        ("not sel_a", "not a"),
        ("sel_a and sel_b", "a and b"),
        ("sel_a or sel_b and filter_c", "a or (b and c)"),
        ("(sel_a or sel_b) and filter_c", "(a or b) and c"),
        ("sel_a and not filter_c", "a and not c"),
        ("not (sel_a or sel_b)", "not (a or b)"),
        ("not sel_a and not sel_b or filter_c", "(not a and not b) or c"),
        ("1 of sel_*", "a or b"),
        ("any of sel_*", "a or b"),
        ("all of sel_*", "a and b"),
        ("1 of them", "a or b or c"),
        ("all of them", "a and b and c"),
        ("1 of sel_* and not 1 of filter_*", "(a or b) and not c"),
        ("all of sel_* and not filter_c", "a and b and not c"),
        ("sel_a and (sel_b or not filter_c)", "a and (b or not c)"),
    ],
)
def test_a_condition_says_what_python_says(condition: str, python: str) -> None:
    for a, b, c in itertools.product((0, 1), repeat=3):
        said = matches(f"{{{DETECTIONS}, condition: '{condition}'}}", {"a": a, "b": b, "c": c})
        assert said is bool(eval(python, {}, {"a": a, "b": b, "c": c})), (a, b, c)  # noqa: S307


def test_several_conditions_are_alternatives() -> None:
    rule = f"{{{DETECTIONS}, condition: [sel_a, 'sel_b and filter_c']}}"
    assert matches(rule, {"a": 1})
    assert matches(rule, {"b": 1, "c": 1})
    assert not matches(rule, {"b": 1})


def test_a_list_of_maps_is_alternatives_and_a_map_is_not() -> None:
    rule = "{s: [{a: 1, b: 1}, {c: 1}], condition: s}"
    assert matches(rule, {"c": 1})
    assert matches(rule, {"a": 1, "b": 1})
    assert not matches(rule, {"a": 1})


@pytest.mark.parametrize(
    "condition",
    [
        "sel_a | count() > 5",
        "sel_a | near sel_b",
        "sel_a and",
        "missing",
        "1 of nothing_*",
        "2 of sel_*",
        "(sel_a",
        "",
    ],
)
def test_what_is_no_condition_is_refused(condition: str) -> None:
    with pytest.raises(SigmaError) as refused:
        matches(f"{{{DETECTIONS}, condition: '{condition}'}}", {"a": 1})
    if "|" in condition:
        assert "correlations" in str(refused.value)
