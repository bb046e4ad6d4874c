"""A rule's condition: one function of an event, and what must hold before it is worth calling.

pySigma reads the grammar; its tree of and, or, not and values becomes nested functions here. `Need` is a necessary
condition that costs one look into a dictionary: of the hundreds of rules of a log source, an event meets a few.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import timezone
from typing import Final, Literal, NamedTuple

from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.exceptions import SigmaConditionError, SigmaValueError
from sigma.rule import SigmaRule
from sigma.types import (
    Placeholder,
    SigmaExists,
    SigmaExpansion,
    SigmaNull,
    SigmaRegularExpression,
    SigmaString,
    SigmaType,
)

from sekisho.watch.sigma.event import Event
from sekisho.watch.sigma.matching import Shape, Test, any_text, field_test, keyword_test, shape_of

Placeholders = Mapping[str, Sequence[str]]


class Need(NamedTuple):
    """`how` "is": the field has exactly this text; "tail": what follows its last slash is this; "part": it has this in
    it; "has": it is there."""

    field: str
    how: Literal["is", "tail", "part", "has"]
    text: str = ""


# None: nothing is known to be needed, so the rule is always called. Otherwise one of these must hold.
Needs = frozenset[Need] | None
_COST: Final = {"is": 1, "tail": 1, "part": 5, "has": 50}
_SHORTEST: Final = 3
# An escape, a class, a count, or one character.
_PIECES: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{[\d,]*\}|.", re.DOTALL)
_ITSELF: Final = re.compile(r"\\\W|[^\\\[\](){}.^$|?*+]")


class Compiled(NamedTuple):
    test: Test
    needs: Needs


def compile_rule(rule: SigmaRule, placeholders: Placeholders, zone: timezone) -> Compiled:
    """Any one of the rule's conditions. Raises SigmaError, saying what of the rule is not understood."""
    conditions = []
    for condition in rule.detection.parsed_condition:
        tree = condition.parsed
        if tree is None:
            raise SigmaConditionError("The condition says nothing")
        conditions.append(_compile(tree, placeholders, zone))
    return _any(conditions)


def tail_of(text: str) -> str:
    return text[max(text.rfind("\\"), text.rfind("/")) + 1 :]


def _compile(node: object, placeholders: Placeholders, zone: timezone) -> Compiled:
    if isinstance(node, ConditionAND):
        return _all([_compile(arg, placeholders, zone) for arg in node.args])
    if isinstance(node, ConditionOR):
        return _alternatives(node, placeholders, zone)
    if isinstance(node, ConditionNOT):
        inner = _compile(node.args[0], placeholders, zone).test
        return Compiled(lambda event: not inner(event), None)
    if isinstance(node, ConditionFieldEqualsValueExpression):
        return _any([_leaf(node.field, one, zone) for one in _filled(node.value, placeholders)])
    if isinstance(node, ConditionValueExpression):
        tests = [Compiled(keyword_test(one), None) for one in _filled(node.value, placeholders)]
        return _any(tests)
    raise SigmaConditionError(f"A condition of the kind {type(node).__name__} is not known here")


def _alternatives(node: ConditionOR, placeholders: Placeholders, zone: timezone) -> Compiled:
    """Texts of one field are put together: twenty of them cost little more than one."""
    shapes: dict[str, list[Shape]] = {}
    others: list[Compiled] = []
    for arg in node.args:
        if not isinstance(arg, ConditionFieldEqualsValueExpression):
            others.append(_compile(arg, placeholders, zone))
            continue
        for value in _filled(arg.value, placeholders):
            for one in value.values if isinstance(value, SigmaExpansion) else [value]:
                shape = shape_of(one)
                if shape is None:
                    others.append(_leaf(arg.field, one, zone))
                else:
                    shapes.setdefault(arg.field, []).append(shape)
    return _any([*(_texts(field, found) for field, found in shapes.items()), *others])


def _leaf(field: str, value: SigmaType, zone: timezone) -> Compiled:
    found = [shape_of(one) for one in (value.values if isinstance(value, SigmaExpansion) else [value])]
    shapes = [shape for shape in found if shape is not None]
    if shapes and len(shapes) == len(found):
        return _texts(field, shapes)
    absent = isinstance(value, (SigmaNull, SigmaExists))
    test = field_test(field, value, zone)
    if isinstance(value, SigmaRegularExpression) and (text := literal_of(str(value.regexp))):
        return Compiled(test, frozenset({Need(field, "part", text)}))
    return Compiled(test, None if absent else frozenset({Need(field, "has")}))


def literal_of(expression: str) -> str:
    """The longest text that stands in whatever the expression finds, in lower case; "" when none is certain.

    Of what stands outside groups, classes and alternatives only, and of ASCII, whose lower case depends on nothing."""
    if "(?" in expression.replace("(?:", "").replace("(?P<", ""):
        return ""  # (?i) changes what follows
    runs, depth = [""], 0
    for piece in _PIECES.findall(expression):
        itself = _ITSELF.fullmatch(piece) is not None
        if (depth == 0 and piece == "|") or (piece[0] == "\\" and not itself and piece[1] not in "wWdDsSbB"):
            return ""  # an alternative; \x41, \Q…\E, whose characters do not mean themselves
        depth += {"(": 1, ")": -1}.get(piece, 0)
        if depth == 0 and itself:
            runs[-1] += piece[-1]
        else:
            if depth == 0 and piece[0] in "*?{":
                runs[-1] = runs[-1][:-1]  # what stands before it may be absent
            runs.append("")
    found = max(runs, key=len)
    return found.lower() if len(found) >= _SHORTEST and found.isascii() else ""


def _texts(field: str, shapes: list[Shape]) -> Compiled:
    return Compiled(any_text(field, shapes), frozenset(_need(field, shape) for shape in shapes))


def _need(field: str, shape: Shape) -> Need:
    if shape.how == "is":
        return Need(field, "is", shape.text.lower())
    if shape.how == "ends" and ("\\" in shape.text or "/" in shape.text):
        return Need(field, "tail", tail_of(shape.text.lower()))
    if shape.text and not shape.cased and shape.how in ("starts", "ends", "contains"):
        return Need(field, "part", shape.text)
    return Need(field, "has")


def _all(parts: list[Compiled]) -> Compiled:
    if len(parts) == 1:
        return parts[0]
    needed = [part.needs for part in parts if part.needs is not None]
    needs = min(needed, key=_worth, default=None)
    first, second, *rest = (part.test for part in parts)
    if not rest:
        return Compiled(lambda event: first(event) and second(event), needs)
    tests = tuple(part.test for part in parts)

    def every(event: Event) -> bool:
        for test in tests:  # noqa: SIM110 (a generator costs three times as much)
            if not test(event):
                return False
        return True

    return Compiled(every, needs)


def _worth(needs: frozenset[Need]) -> tuple[int, int]:
    """The cheapest to look for, and among those the one that is met least: a longer text."""
    return sum(_COST[need.how] for need in needs), -min(len(need.text) for need in needs)


def _any(parts: list[Compiled]) -> Compiled:
    if len(parts) == 1:
        return parts[0]
    needs: set[Need] = set()
    for part in parts:
        needs |= part.needs or set()
    tests = tuple(part.test for part in parts)

    def some(event: Event) -> bool:
        for test in tests:  # noqa: SIM110 (a generator costs three times as much)
            if test(event):
                return True
        return False

    return Compiled(some, None if any(part.needs is None for part in parts) else frozenset(needs))


def _filled(value: SigmaType, placeholders: Placeholders) -> list[SigmaType]:
    """The value with its placeholders replaced; several values are alternatives. Raises for an unknown placeholder."""
    if isinstance(value, SigmaExpansion):
        return [SigmaExpansion([one for inner in value.values for one in _filled(inner, placeholders)])]
    if not isinstance(value, (SigmaString, SigmaRegularExpression)) or not value.contains_placeholder():
        return [value]

    def values_of(placeholder: Placeholder) -> list[str]:
        if placeholder.name not in placeholders:
            raise SigmaValueError(
                f"There are no values for the placeholder %{placeholder.name}%: add them to placeholders.yml"
            )
        return list(placeholders[placeholder.name])

    if isinstance(value, SigmaRegularExpression):
        return list(value.replace_placeholders(lambda one: iter(_literal(text) for text in values_of(one))))
    return list(value.replace_placeholders(lambda one: iter(values_of(one))))


def _literal(text: str) -> SigmaString:
    """As part of a regular expression it stands for itself."""
    escaped = "".join(c if c.isalnum() or c in "_ " or ord(c) > 127 else f"\\{c}" for c in text)
    return SigmaString(escaped, escape=False)
