"""Correlations: each kind with what fulfils it and what comes near."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from sekisho.watch.sigma import correlation
from sekisho.watch.sigma.loading import Library
from sekisho.watch.sigma.ruleset import Ruleset
from watch_sigma.sigma_under_test import event

BASE = """
title: Login failed
name: failed
logsource: {product: test}
detection: {s: {kind: failed}, condition: s}
---
title: Login
name: login
logsource: {product: test}
detection: {s: {kind: login}, condition: s}
---
title: Export
name: export
logsource: {product: test}
detection: {s: {kind: export}, condition: s}
"""
SECOND = 1_000_000


def ruleset(tmp_path: Path, correlation: str, more: str = "") -> Ruleset:
    (tmp_path / "rules.yml").write_text(f"{BASE}\n---\ntitle: C\nname: c\ncorrelation: {correlation}\n{more}")
    library = Library((tmp_path,))
    rules = library.load()
    assert not library.mistakes, library.mistakes
    return rules


def spoke(rules: Ruleset, *seen: tuple[int, str, dict[str, Any]]) -> list[tuple[str, int, float]]:
    """(rule, second, observed) of what is said."""
    found = []
    for ref, (second, kind, more) in enumerate(seen, 1):
        matches = rules.feed(event({"kind": kind, **more}, at=second * SECOND, ref=ref))
        found += [(match.rule.name, match.at // SECOND, match.observed) for match in matches]
    assert not rules.stumbled
    return found


def failed(*seconds: int, **more: Any) -> list[tuple[int, str, dict[str, Any]]]:
    return [(second, "failed", more) for second in seconds]


def test_events_are_counted_in_a_window_and_by_group(tmp_path: Path) -> None:
    rules = ruleset(
        tmp_path,
        "{type: event_count, rules: [failed], group-by: [who], timespan: 10s, condition: {gte: 3}}",
    )
    assert spoke(rules, *failed(1, 2, who="a"), *failed(3, who="b"), *failed(12, who="a")) == []
    assert spoke(rules, *failed(30, 31, 32, who="a")) == [("c", 32, 3)]
    # Still true: silent until a whole span has passed.
    assert spoke(rules, *failed(*range(33, 42), who="a")) == []
    assert spoke(rules, *failed(42, who="a")) == [("c", 42, 10)]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [("gt: 2", [3]), ("eq: 2", [2]), ("lt: 2", [1]), ("lte: 1", [1]), ("neq: 1", [2])],
)
def test_every_operator(tmp_path: Path, condition: str, expected: list[int]) -> None:
    rules = ruleset(
        tmp_path, f"{{type: event_count, rules: failed, timespan: 1h, condition: {{{condition}}}}}"
    )
    assert [observed for _, _, observed in spoke(rules, *failed(1, 2, 3))] == expected


def test_different_values_are_counted(tmp_path: Path) -> None:
    rules = ruleset(
        tmp_path,
        "{type: value_count, rules: [failed], group-by: [ip], timespan: 10s, condition: {gte: 3, field: who}}",
    )
    same = [(second, "failed", {"ip": "x", "who": "a"}) for second in range(5)]
    assert spoke(rules, *same, (5, "failed", {"ip": "x"}), (6, "failed", {"ip": "x", "who": "b"})) == []
    assert spoke(rules, (7, "failed", {"ip": "x", "who": "c"})) == [("c", 7, 3)]
    assert (
        spoke(rules, (20, "failed", {"ip": "x", "who": "d"}), (21, "failed", {"ip": "x", "who": "e"})) == []
    )


@pytest.mark.parametrize(
    ("kind", "condition", "values", "expected"),
    [
        ("value_sum", "gt: 100, field: n", [40, 60, 1], 101),
        ("value_sum", "gt: 100, field: n", [40, 60, "x"], None),
        ("value_avg", "gte: 50, field: n", [40, 60], 50),
        ("value_avg", "gte: 51, field: n", [40, 60], None),
        ("value_median", "gte: 50, field: n", [1, 50, 9000], 50),
        ("value_median", "gt: 50, field: n", [1, 2, 9000], None),
        ("value_percentile", "gte: 90, field: n, percentile: 90", [1, 2, 3, 4, 5, 6, 7, 8, 90, 91], 90),
        ("value_percentile", "gte: 90, field: n, percentile: 80", [1, 2, 3, 4, 5, 6, 7, 8, 9, 91], None),
    ],
)
def test_numbers(tmp_path: Path, kind: str, condition: str, values: list[Any], expected: Any) -> None:
    rules = ruleset(tmp_path, f"{{type: {kind}, rules: [export], timespan: 1h, condition: {{{condition}}}}}")
    seen = [(second, "export", {"n": value}) for second, value in enumerate(values)]
    said = [observed for _, _, observed in spoke(rules, *seen)]
    if expected is None:
        assert not said
    else:
        assert expected in said


def test_all_rules_in_a_window(tmp_path: Path) -> None:
    rules = ruleset(
        tmp_path, "{type: temporal, rules: [failed, login, export], group-by: [who], timespan: 10s}"
    )
    one = {"who": "a"}
    assert spoke(rules, (1, "export", one), (2, "failed", one), (3, "login", {"who": "b"})) == []
    assert spoke(rules, (12, "login", one)) == []  # the first two are too old
    assert spoke(rules, (13, "export", one), (14, "failed", one)) == [("c", 14, 3)]


def test_in_order(tmp_path: Path) -> None:
    rules = ruleset(
        tmp_path, "{type: temporal_ordered, rules: [failed, login, export], group-by: [who], timespan: 10s}"
    )
    one = {"who": "a"}
    assert spoke(rules, (1, "export", one), (2, "login", one), (3, "failed", one)) == []
    assert spoke(rules, (4, "login", one), (5, "export", one)) == [("c", 5, 3)]
    assert spoke(rules, (20, "failed", one), (21, "login", one), (31, "export", one)) == []


def test_one_event_is_not_two_steps(tmp_path: Path) -> None:
    second = "---\ntitle: Also\nname: also\nlogsource: {product: test}\ndetection: {s: {kind: login}, condition: s}\n"
    rules = ruleset(tmp_path, "{type: temporal_ordered, rules: [login, also], timespan: 10s}", second)
    assert spoke(rules, (1, "login", {})) == []
    assert spoke(rules, (2, "login", {})) == [("c", 2, 2)]


@pytest.mark.parametrize(
    ("kind", "condition", "kinds", "expected"),
    [
        ("temporal", "failed and not login", ["failed"], True),
        ("temporal", "failed and not login", ["login", "failed"], False),
        ("temporal", "failed and (login or export)", ["export", "failed"], True),
        ("temporal", "failed and (login or export)", ["export", "login"], False),
        ("temporal_ordered", "failed and (login or export)", ["failed", "export"], True),
        ("temporal_ordered", "failed and (login or export)", ["export", "failed"], False),
        ("temporal_ordered", "failed and export and not login", ["failed", "export"], True),
        ("temporal_ordered", "failed and export and not login", ["login", "failed", "export"], False),
    ],
)
def test_boolean_conditions(
    tmp_path: Path, kind: str, condition: str, kinds: list[str], expected: bool
) -> None:
    rules = ruleset(tmp_path, f"{{type: {kind}, timespan: 1h, condition: '{condition}'}}")
    assert bool(spoke(rules, *((n, one, {}) for n, one in enumerate(kinds)))) is expected


def test_aliases_join_fields_of_other_names(tmp_path: Path) -> None:
    rules = ruleset(
        tmp_path,
        "{type: temporal, rules: [login, export], group-by: [who], timespan: 1h, "
        "aliases: {who: {login: user, export: actor}}}",
    )
    assert spoke(rules, (1, "login", {"user": "a"}), (2, "export", {"actor": "b"})) == []
    assert spoke(rules, (3, "export", {"actor": "a"})) == [("c", 3, 2)]


def test_correlations_of_correlations(tmp_path: Path) -> None:
    more = "---\ntitle: D\nname: d\n"
    more += "correlation: {type: temporal_ordered, rules: [c, login], group-by: [who], timespan: 1h}\n"
    rules = ruleset(
        tmp_path,
        "{type: event_count, rules: [failed], group-by: [who], timespan: 1h, condition: {gte: 2}}",
        more,
    )
    one = {"who": "a"}
    assert spoke(rules, *failed(1, 2, who="a"), (3, "login", {"who": "b"})) == []  # c only feeds d
    assert spoke(rules, (4, "login", one)) == [("d", 4, 2)]


def test_generate_lets_the_rules_speak_too(tmp_path: Path) -> None:
    rules = ruleset(
        tmp_path, "{type: event_count, rules: [failed], generate: true, timespan: 1h, condition: {gte: 2}}"
    )
    assert [name for name, _, _ in spoke(rules, *failed(1, 2))] == ["failed", "failed", "c"]


def test_memory_is_bounded_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(correlation, "MOST", 100)
    rules = ruleset(
        tmp_path, "{type: event_count, rules: [failed], group-by: [who], timespan: 1h, condition: {gte: 3}}"
    )
    spoke(rules, *((1, "failed", {"who": str(n)}) for n in range(250)))
    (kept,) = [rule.correlation for rule in rules.rules if rule.correlation]
    assert kept.windows.kept == sum(len(one) for g in kept.windows.groups.values() for one in g.seen) == 100
    assert rules.let_go == {"c": 150}


def test_a_flood_in_one_group_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(correlation, "MOST_OF_A_RULE", 50)
    rules = ruleset(tmp_path, "{type: temporal, rules: [failed, login], timespan: 1h}")
    spoke(rules, *failed(*range(200)))
    (kept,) = [rule.correlation for rule in rules.rules if rule.correlation]
    assert kept.windows.kept == 50
    assert spoke(rules, (201, "login", {})) == [("c", 201, 2)]


def test_a_restart_changes_nothing(tmp_path: Path) -> None:
    text = (
        "{type: value_count, rules: [failed], group-by: [ip], timespan: 1h, condition: {gte: 3, field: who}}"
    )
    seen = [(n, "failed", {"ip": "x", "who": str(n % 4)}) for n in range(6)]
    through = ruleset(tmp_path, text)
    said = spoke(through, *seen)
    first = ruleset(tmp_path, text)
    before = spoke(first, *seen[:2])
    kept = msgspec.msgpack.encode(first.dump())
    second = ruleset(tmp_path, text)
    second.load(msgspec.msgpack.decode(kept))
    after = spoke(second, *seen[2:])
    assert before + after == said == [("c", 2, 3)]
    assert [one.dump()["windows"].groups.keys() for one in _correlations(second)] == [
        one.dump()["windows"].groups.keys() for one in _correlations(through)
    ]


def _correlations(rules: Ruleset) -> list[correlation.Correlation]:
    return [rule.correlation for rule in rules.rules if rule.correlation]
