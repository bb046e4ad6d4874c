"""Values and modifiers: for each what it matches, and what comes near."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sigma.exceptions import SigmaError
from sigma.modifiers import modifier_mapping
from sigma.types import SigmaString, SpecialChars

from sekisho.watch.sigma.compile import _need, literal_of
from sekisho.watch.sigma.matching import Shape, glob
from sekisho.watch.sigma.ruleset import _finders
from watch_sigma.sigma_under_test import compiled, event, item, matches

CASES: list[tuple[str, Any, Any, bool]] = [
    # plain text, numbers, truth, null
    ("f", "Cmd.exe", "cmd.EXE", True),
    ("f", "cmd.exe", "xcmd.exe", False),
    ("f", 4624, "4624", True),
    ("f", "4624", 4624, True),
    ("f", 4624, 4624.0, True),
    ("f", 4624, 46240, False),
    ("f", True, True, True),
    ("f", True, "true", True),
    ("f", True, 1, False),
    ("f", None, None, True),
    ("f", None, "", False),
    ("f", "", "", True),
    ("f", "", "x", False),
    # several values, of the rule and of the event
    ("f", ["a", "b"], "B", True),
    ("f", ["a", "b"], "c", False),
    ("f", "b", ["a", "B"], True),
    ("f", "c", ["a", "b"], False),
    # wildcards and what is none
    ("f", "a*c", "abbbc", True),
    ("f", "a*c", "abbbcd", False),
    ("f", "a?c", "abc", True),
    ("f", "a?c", "ac", False),
    ("f", "*a*b*", "xxaxxbxx", True),
    ("f", "*a*b*", "xxbxxaxx", False),
    ("f", "a*", "line\nbreak", False),
    ("f", "l*k", "line\nbreak", True),
    ("f", "*", "", True),
    ("f", "*", None, False),
    ("f", "?*", "", False),
    ("f", r"a\*c", "a*c", True),
    ("f", r"a\*c", "abc", False),
    ("f", r"C:\\*\x", r"C:\dir\x", True),
    ("f", r"C:\dir", r"c:\DIR", True),
    ("f", r"a\?c", "a?c", True),
    ("f", r"a\?c", "abc", False),
    ("f", "a.c", "abc", False),
    # contains, startswith, endswith, all
    ("f|contains", "bc", "aBCd", True),
    ("f|contains", "bc", "b c", False),
    ("f|contains", "b?d", "abcde", True),
    ("f|startswith", "ab", "ABc", True),
    ("f|startswith", "ab", "cab", False),
    ("f|endswith", r"\cmd.exe", r"C:\Windows\CMD.exe", True),
    ("f|endswith", r"\cmd.exe", r"C:\Windows\xcmd.exe", False),
    ("f|contains|all", ["a", "b"], "b and a", True),
    ("f|contains|all", ["a", "b"], "only a", False),
    ("f|all", ["*a*", "*b*"], ["xa", "xb"], True),
    # cased
    ("f|cased", "Abc", "Abc", True),
    ("f|cased", "Abc", "abc", False),
    ("f|contains|cased", "Bc", "aBcd", True),
    ("f|contains|cased", "Bc", "abcd", False),
    # neq
    ("f|neq", "a", "b", True),
    ("f|neq", "a", "A", False),
    # regular expressions and their flags
    ("f|re", "^a[0-9]+$", "a12", True),
    ("f|re", "^a[0-9]+$", "A12", False),
    ("f|re", "b+", "abba", True),
    ("f|re|i", "^a[0-9]+$", "A12", True),
    ("f|re|ignorecase", "^a$", "A", True),
    ("f|re", "a.c", "a\nc", False),
    ("f|re|s", "a.c", "a\nc", True),
    ("f|re|dotall", "a.c", "a\nc", True),
    ("f|re", "^b$", "a\nb", False),
    ("f|re|m", "^b$", "a\nb", True),
    ("f|re|multiline", "^b$", "a\nb", True),
    # addresses
    ("f|cidr", "10.0.0.0/8", "10.200.3.4", True),
    ("f|cidr", "10.0.0.0/8", "11.0.0.1", False),
    ("f|cidr", "10.0.0.0/8", "::ffff:10.1.1.1", True),
    ("f|cidr", "2001:db8::/32", "2001:db8:1::1", True),
    ("f|cidr", "2001:db8::/32", "2001:db9::1", False),
    ("f|cidr", "10.0.0.0/8", "no address", False),
    # numbers
    ("f|gt", 5, 6, True),
    ("f|gt", 5, 5, False),
    ("f|gte", 5, "5", True),
    ("f|gte", 5, 4.9, False),
    ("f|lt", 5, 4.5, True),
    ("f|lt", 5, 5, False),
    ("f|lte", 5, 5, True),
    ("f|lte", 5, 6, False),
    ("f|lt", 5, "many", False),
    ("f|lt", 5, True, False),
    ("f|lt", 5, None, False),
    ("f|lt", 5, "nan", False),
    # time, by the clock of the house (nine hours ahead of UTC)
    ("f|hour", 9, "2026-04-06T00:30:00Z", True),
    ("f|hour", 0, "2026-04-06T00:30:00Z", False),
    ("f|hour", 9, "2026-04-06 09:30:00", True),
    ("f|minute", 30, "2026-04-06T00:30:00.5Z", True),
    ("f|minute", 31, "2026-04-06T00:30:00Z", False),
    ("f|day", 7, "2026-04-06T15:00:00Z", True),
    ("f|day", 6, "2026-04-06T15:00:00Z", False),
    ("f|week", 15, "2026-04-06T00:00:00Z", True),
    ("f|week", 16, "2026-04-06T00:00:00Z", False),
    ("f|month", 4, 1775433600, True),
    ("f|month", 5, 1775433600000, False),
    ("f|year", 2026, 1775433600000000, True),
    ("f|year", 2025, "2026-04-06", False),
    ("f|hour|gte", 22, "2026-04-06T13:30:00Z", True),
    ("f|hour|gte", 22, "2026-04-06T12:30:00Z", False),
    ("f|hour", 9, "no time", False),
    # encodings
    ("f|base64", "foobar", base64.b64encode(b"foobar").decode(), True),
    ("f|base64", "foobar", base64.b64encode(b"foobaz").decode(), False),
    ("f|base64offset|contains", "secret", base64.b64encode(b"x secret y").decode(), True),
    ("f|base64offset|contains", "secret", base64.b64encode(b"xy secret y").decode(), True),
    ("f|base64offset|contains", "secret", base64.b64encode(b"x sacred y").decode(), False),
    ("f|wide|base64offset|contains", "ping", base64.b64encode("a ping".encode("utf-16le")).decode(), True),
    ("f|wide|base64offset|contains", "ping", base64.b64encode(b"a ping").decode(), False),
    ("f|utf16|base64", "ab", base64.b64encode("ab".encode("utf-16")).decode(), True),
    ("f|utf16|base64", "ab", base64.b64encode(b"ab").decode(), False),
    ("f|utf16be|base64", "ab", base64.b64encode("ab".encode("utf-16be")).decode(), True),
    ("f|utf16be|base64", "ab", base64.b64encode("ab".encode("utf-16le")).decode(), False),
    ("f|windash|contains", " -enc", "x /enc y", True),
    ("f|windash|contains", " -enc", "x \u2013enc y", True),
    ("f|windash|contains", " -enc", "x +enc y", False),
    ("f|windash|contains|all", [" -a", " -b"], "x /a /b", True),
    ("f|windash|contains|all", [" -a", " -b"], "x /a /c", False),
]


@pytest.mark.parametrize(("key", "value", "found", "expected"), CASES)
def test_a_value_matches(key: str, value: Any, found: Any, expected: bool) -> None:
    assert item(key, value, {"f": found}) is expected


def test_every_modifier_of_the_parser_is_tried() -> None:
    tried = {name for key, *_ in CASES for name in key.split("|")[1:]}
    assert set(modifier_mapping) - tried == {"exists", "fieldref", "expand"}  # below


def test_exists_asks_for_the_field_not_for_its_value() -> None:
    assert item("f|exists", True, {"f": None})
    assert not item("f|exists", True, {"g": 1})
    assert item("f|exists", False, {"g": 1})
    assert item("f", None, {"g": 1})


def test_a_field_is_compared_with_another() -> None:
    assert item("f|fieldref", "g", {"f": "Sato", "g": "sato"})
    assert not item("f|fieldref", "g", {"f": "sato", "g": "mori"})
    assert not item("f|fieldref", "g", {"f": "sato"})
    assert item("f|fieldref|startswith", "g", {"f": "sato-admin", "g": "sato"})
    assert item("f|fieldref|endswith", "g", {"f": "x-sato", "g": "sato"})
    assert item("f|fieldref|contains", "g", {"f": "x-sato-y", "g": "sato"})
    assert not item("f|fieldref|startswith", "g", {"f": "x-sato", "g": "sato"})


def test_placeholders_are_filled_or_the_rule_is_refused() -> None:
    admins = {"admins": ["root", "adm*n"]}
    assert item("f|expand", "%admins%", {"f": "ROOT"}, admins)
    assert not item("f|expand", "%admins%", {"f": "user"}, admins)
    assert item("f|expand", "%admins%", {"f": "adm*n"}, admins)
    assert not item("f|expand", "%admins%", {"f": "admin"}, admins)  # a placeholder's value is text
    assert item("f|contains|expand", "x%admins%", {"f": "a xroot b"}, admins)
    assert item("f|re|expand", "^%admins%$", {"f": "adm*n"}, admins)
    assert not item("f|re|expand", "^%admins%$", {"f": "admmn"}, admins)
    with pytest.raises(SigmaError, match="%admins%"):
        item("f|expand", "%admins%", {"f": "root"})


def test_nested_fields_have_dotted_names() -> None:
    record = {"a": {"b": [{"c": 1}, {"c": 2}]}, "d": [1, [2, 3]], "e": []}
    assert item("a.b.c", 2, record)
    assert not item("a.b.c", 3, record)
    assert item("d", 3, record)
    assert item("e|exists", True, record)


def test_keywords_are_looked_for_in_every_value() -> None:
    rule = "{k: ['evil word', 42], condition: k}"
    assert matches(rule, {"a": "x", "b": {"c": "an Evil WORD here"}})
    assert matches(rule, {"a": ["x", 1425]})
    assert not matches(rule, {"a": "evil", "b": "word"})
    assert matches("{k: {'|all': ['one', 'two']}, condition: k}", {"a": "one", "b": "two"})
    assert not matches("{k: {'|all': ['one', 'two']}, condition: k}", {"a": "one"})
    assert matches("{k: ['a*c'], condition: k}", {"a": "xxabcxx"})
    assert matches("{k: {'|re': 'a[0-9]'}, condition: k}", {"a": "xa1"})
    assert not matches("{k: {'|cased': 'Evil'}, condition: k}", {"a": "evil"})


def test_what_the_linear_engine_cannot_do_is_refused() -> None:
    for expression in (r"(a)\1", "(?=a)b", "(?<!x)a"):
        with pytest.raises(SigmaError):
            item("f|re", expression, {"f": "a"})


@given(
    st.lists(st.sampled_from(["a", "b", "ab", SpecialChars.WILDCARD_MULTI, SpecialChars.WILDCARD_SINGLE])),
    st.text("ab", max_size=12),
)
def test_a_glob_is_what_backtracking_says(parts: list[Any], text: str) -> None:
    def slow(rest: list[Any], left: str) -> bool:
        if not rest:
            return not left
        head, *more = rest
        if head is SpecialChars.WILDCARD_MULTI:
            return any(slow(more, left[n:]) for n in range(len(left) + 1))
        if head is SpecialChars.WILDCARD_SINGLE:
            return bool(left) and slow(more, left[1:])
        return left.startswith(head) and slow(more, left[len(head) :])

    assert (glob(parts).fullmatch(text) is not None) is slow(parts, text)


@given(st.text(r"ab\/", max_size=8), st.text(r"ab\/", max_size=8))
def test_what_is_needed_holds_whenever_the_rule_matches(pattern: str, text: str) -> None:
    from sekisho.watch.sigma.compile import tail_of

    value = SigmaString.from_str(pattern) if pattern else SigmaString()
    shape = Shape(SpecialChars.WILDCARD_MULTI + value)
    need = _need("f", shape)
    if shape.test(text) and need.how == "tail":
        assert tail_of(text) == need.text


@pytest.mark.parametrize(
    ("expression", "literal"),
    [
        (r"tool12\s+[a-z]{3,}\d+", "tool12"),
        (r"^abc?def", "def"),
        (r"colou?r", "colo"),
        (r"C:\\Temp\\x\.exe$", r"c:\temp\x.exe"),
        (r"(foo|bar)bazz+q", "bazz"),
        (r"abc|def", ""),
        (r"a(?i)bcdef", ""),
        (r"\x41bcdef", ""),
        (r"[]x|y]quux", "quux"),
        (r"abc{2}def", "def"),
        (r"ab*cde(f)", "cde"),
        (r"Σαβγδ", ""),
        (r"\wabcd\b", "abcd"),
    ],
)
def test_the_text_that_an_expression_cannot_do_without(expression: str, literal: str) -> None:
    assert literal_of(expression) == literal


_PIECES = st.sampled_from(
    [
        "ab",
        "c",
        "Xy",
        r"\.",
        r"\\",
        r"\d",
        "[a-c|]",
        "[^]q]",
        "(ab|c)",
        "(?:xyz)",
        "a{2,3}",
        "b*",
        "c+",
        "d?",
        ".",
        " ",
    ]
)


@given(st.lists(_PIECES, min_size=1, max_size=7).map("".join), st.data())
def test_that_text_stands_in_whatever_is_found(expression: str, data: st.DataObject) -> None:
    text = data.draw(st.from_regex(expression, alphabet=st.characters(codec="ascii")))
    assert literal_of(expression) in text.lower()


@given(
    st.lists(st.text("ab\\.*あ", min_size=1, max_size=4), unique=True, max_size=250),
    st.text("ab\\.*あ", max_size=30),
)
def test_many_texts_are_found_at_once(texts: list[str], value: str) -> None:
    found = {
        place
        for find, places in _finders({text: [n] for n, text in enumerate(texts)})
        for number in find(value) or ()
        for place in places[number]
    }
    assert found == {n for n, text in enumerate(texts) if text in value}


def test_the_needs_of_a_condition() -> None:
    one = compiled(r"{a: {x: 1, y|endswith: '\cmd.exe'}, b: {z|contains: q}, condition: a and not b}")
    assert one.needs is not None
    assert {need.how for need in one.needs} <= {"is", "tail"}
    assert compiled("{a: {x: null}, b: {y: 1}, condition: a or b}").needs is None
    assert compiled("{a: {x: 1}, condition: not a}").needs is None
    assert one.test(event({"x": 1, "y": r"c:\cmd.exe"}))
