"""A folder of rules: what is wrong is named by file and line, the others run, and changes are taken in live."""

from pathlib import Path

import pytest

from sekisho.watch.sigma.event import Source
from sekisho.watch.sigma.loading import Library
from sekisho.watch.sigma.ruleset import Ruleset
from watch_sigma.sigma_under_test import event

GOOD = """title: Good
id: 6a9d1d3e-6d5b-4f0c-9a52-000000000001
level: high
logsource:
  product: test
  service: web
detection:
  s:
    a: 1
  condition: s
"""


def rule(title: str, detection: str = "{s: {a: 1}, condition: s}", logsource: str = "{product: test}") -> str:
    return f"title: {title}\nlogsource: {logsource}\ndetection: {detection}\n"


def correlation(kind: str, rules: str, span: str) -> str:
    """Its `type` is in its fourth line."""
    return (
        f"---\ntitle: C\ncorrelation:\n  type: {kind}\n  rules: {rules}\n  timespan: {span}\n"
        "  condition: {gte: 1}\n"
    )


def names(rules: Ruleset, record: dict[str, object], product: str = "test", **source: str) -> list[str]:
    return [match.rule.words["en"][0] for match in rules.feed(event(record, product, 0, 0, **source))]


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("title: x\nlogsource: {product: a\n", 3, "YAML"),
        ("- a\n- b\n", 1, "map"),
        (GOOD.replace("    a: 1", "    b: 2\n    a|nosuch: 1"), 10, "nosuch"),
        (GOOD.replace("    a: 1", "    b: 2\n    a|re: '(['"), 10, "expression"),
        (GOOD.replace("    a: 1", "    b: 2\n    a|cidr: 10.0.0.1/8"), 10, "CIDR"),
        (GOOD.replace("    a: 1", "    b: 2\n    a|expand: '%who%'"), 10, "%who%"),
        (GOOD.replace("condition: s", "condition: s and t"), 10, "not defined"),
        (GOOD.replace("condition: s", "condition: s | count() > 3"), 10, "pipe"),
        (GOOD.replace("level: high", "level: loud"), 3, "loud"),
        (GOOD.replace("6a9d", "zz"), 2, "identifier"),
        (GOOD.replace("  product: test\n  service: web\n", "  {}\n"), 4, "empty"),
        (GOOD + correlation("event_count", "nosuch", "1h"), 15, "nosuch"),
        (GOOD + correlation("event_count", "x", "1q"), 16, "1q"),
        (GOOD + correlation("nothing", "x", "1h"), 14, "nothing"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_by_line_and_the_others_run(
    tmp_path: Path, text: str, line: int, reason: str
) -> None:
    (tmp_path / "a.yml").write_text(text)
    (tmp_path / "b.yml").write_text(rule("other"))
    library = Library((tmp_path,))
    rules = library.load()
    assert [mistake.line for mistake in library.mistakes] == [line], library.mistakes
    assert str(library.mistakes[0]).startswith(f"{tmp_path / 'a.yml'}:{line}: ")
    assert reason in library.mistakes[0].reason
    assert "other" in names(rules, {"a": 1})


def test_a_change_is_seen_and_a_slip_keeps_the_former_rules(tmp_path: Path) -> None:
    path = tmp_path / "a.yml"
    path.write_text(rule("first"))
    library = Library((tmp_path,))
    assert library.changed()
    assert names(library.load(), {"a": 1}) == ["first"]
    assert not library.changed()
    path.write_text(rule("second one"))
    assert library.changed()
    assert names(library.load(), {"a": 1}) == ["second one"]
    path.write_text(rule("third, broken").replace("condition: s", "condition: t"))
    assert library.changed()
    assert names(library.load(), {"a": 1}) == ["second one"]
    assert library.mistakes
    (tmp_path / "b.yml").write_text(rule("beside"))
    assert names(library.load(), {"a": 1}) == ["second one", "beside"]
    path.unlink()
    assert library.changed()
    assert names(library.load(), {"a": 1}) == ["beside"]
    assert not library.mistakes


def test_of_a_new_file_the_good_rules_are_taken(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(
        f"{rule('one')}---\n{rule('two', '{s: {a: 1}, condition: t}')}---\n{rule('three')}"
    )
    library = Library((tmp_path,))
    assert names(library.load(), {"a": 1}) == ["one", "three"]
    assert [mistake.line for mistake in library.mistakes] == [7]


def test_correlations_keep_what_they_saw_when_another_file_changes(tmp_path: Path) -> None:
    text = (
        rule("base")
        + "---\ntitle: C\ncorrelation: {type: event_count, rules: base, timespan: 1h, condition: {gte: 2}}\n"
    )
    (tmp_path / "a.yml").write_text(text.replace("title: base", "title: base\nname: base"))
    library = Library((tmp_path,))
    rules = library.load()
    assert names(rules, {"a": 1}) == []
    (tmp_path / "b.yml").write_text(rule("beside", "{s: {b: 1}, condition: s}"))
    again = library.load()
    again.load(rules.dump())
    assert names(again, {"a": 1}) == ["C"]


def test_rules_are_routed_by_every_word_that_they_say(tmp_path: Path) -> None:
    for name, source in {
        "product": "{product: Windows}",
        "service": "{product: windows, service: security}",
        "category": "{category: process_creation}",
        "other": "{product: linux}",
    }.items():
        (tmp_path / f"{name}.yml").write_text(rule(name, logsource=source))
    rules = Library((tmp_path,)).load()
    assert names(rules, {"a": 1}, "windows", service="Security") == ["product", "service"]
    assert names(rules, {"a": 1}, "windows", category="process_creation") == ["category", "product"]
    assert names(rules, {"a": 1}, "linux") == ["other"]
    assert not rules.routes(Source("macos"))


def test_a_rule_that_fails_is_named_and_the_others_run(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(f"{rule('a')}---\n{rule('b')}---\n{rule('c')}")
    rules = Library((tmp_path,)).load()

    def broken(_: object) -> bool:
        raise RuntimeError("no")

    plan = rules._plan(Source("test"))
    plan.rules[1] = (plan.rules[1][0], broken)
    assert names(rules, {"a": 1}) == ["a", "c"]
    assert names(rules, {"a": 1}) == ["a", "c"]
    assert rules.stumbled == {"b": (2, "RuntimeError: no")}


def test_no_rule_hides_another_of_the_same_name(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(GOOD)
    (tmp_path / "b.yml").write_text(GOOD.replace("title: Good", "title: Stolen").replace("a: 1", "a: never"))
    library = Library((tmp_path,))
    assert names(library.load(), {"a": 1}, service="web") == ["Good"]
    (mistake,) = library.mistakes
    assert mistake.path.endswith("b.yml")
    assert "a.yml:1" in mistake.reason


def test_a_correlation_silences_rules_of_its_own_file_only(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(rule("base").replace("title: base", "title: base\nname: base"))
    (tmp_path / "b.yml").write_text(
        "title: C\ncorrelation: {type: event_count, rules: base, timespan: 1h, condition: {gte: 50}}\n"
    )
    assert names(Library((tmp_path,)).load(), {"a": 1}) == ["base"]


def test_correlations_in_a_circle_are_refused(tmp_path: Path) -> None:
    one, two = (
        correlation("event_count", other, "1h").replace("title: C", f"title: {name}\nname: {name}")
        for name, other in ("xy", "yx")
    )
    (tmp_path / "a.yml").write_text(one + two)
    library = Library((tmp_path,))
    assert not library.load().rules
    assert [mistake.line for mistake in library.mistakes] == [2, 10]


def test_global_parts_filters_and_placeholders(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(
        "action: global\ntitle: shared\nlogsource: {product: test}\n---\n"
        "name: one\ndetection: {s: {'a|expand': '%who%'}, condition: s}\n---\n"
        "name: two\ndetection: {s: {b: 1}, condition: s}\n"
    )
    (tmp_path / "f.yml").write_text(
        "title: f\nlogsource: {product: test}\nfilter: {rules: [one], selection: {c: 1}, condition: not selection}\n"
    )
    (tmp_path / "placeholders.yml").write_text("who: [x, y]\n")
    library = Library((tmp_path,))
    rules = library.load()
    assert not library.mistakes
    assert len(names(rules, {"a": "y", "b": 1})) == 2
    assert len(names(rules, {"a": "y", "c": 1})) == 0
    (tmp_path / "placeholders.yml").write_text("who: [zed]\n")
    assert library.changed()
    assert len(names(library.load(), {"a": "zed"})) == 1


def test_alias_bombs_and_large_files_are_refused(tmp_path: Path) -> None:
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(9)
    )
    (tmp_path / "bomb.yml").write_text(rule("x") + bomb)
    (tmp_path / "large.yml").write_text("#" * (1 << 20) + "\n" + rule("y"))
    (tmp_path / "good.yml").write_text(rule("good"))
    library = Library((tmp_path,))
    assert names(library.load(), {"a": 1}) == ["good"]
    assert len(library.mistakes) == 2
