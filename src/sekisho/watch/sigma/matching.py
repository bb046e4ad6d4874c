"""A rule's value and the function that holds it against an event.

Text is compared without regard to case unless the rule says `cased`; `*` and `?` are wildcards; numbers and truth
values compare as their text. Regular expressions are RE2's: their time is linear, so that no rule can hold the watch
up, and what RE2 cannot do (looking ahead, references back) is refused when the rule is loaded. A field with several
values matches when one of them does.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

from sigma.exceptions import SigmaValueError
from sigma.policy import default_policy
from sigma.types import (
    CompareOperators,
    Placeholder,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SigmaTimestampPart,
    SigmaType,
    SpecialChars,
    TimestampPart,
)

from sekisho.watch.sigma.event import Event, Value, text_of

Test = Callable[[Event], bool]
TextTest = Callable[[str], bool]
_MANY: Final = SpecialChars.WILDCARD_MULTI


class Shape:
    """A string value, taken apart: `how` is "is", "starts", "ends", "contains", "any" or "glob"; `text` what of it."""

    __slots__ = ("cased", "how", "test", "text")

    def __init__(self, value: SigmaString) -> None:
        self.cased = isinstance(value, SigmaCasedString)
        parts = [part if self.cased or not isinstance(part, str) else part.lower() for part in value.s]
        if any(isinstance(part, Placeholder) for part in parts):
            raise SigmaValueError(f"There are no values for the placeholder in '{value}'")
        texts = [part for part in parts if isinstance(part, str)]
        self.text = texts[0] if len(texts) == 1 else ""
        match [part if part is _MANY else isinstance(part, str) for part in parts]:
            case [] | [True]:
                self.how = "is"
            case [True, many] if many is _MANY:
                self.how = "starts"
            case [many, True] if many is _MANY:
                self.how = "ends"
            case [many, True, more] if many is _MANY and more is _MANY:
                self.how = "contains"
            case [many] if many is _MANY:
                self.how = "any"
            case _:
                self.how = "glob"
        self.test: TextTest = self._make(parts)

    def _make(self, parts: Sequence[object]) -> TextTest:
        text = self.text
        if self.how == "is":
            return lambda value: value == text
        if self.how == "starts":
            return lambda value: value.startswith(text)
        if self.how == "ends":
            return lambda value: value.endswith(text)
        if self.how == "contains":
            return lambda value: text in value
        if self.how == "any":
            return lambda value: True
        full = glob(parts).fullmatch
        return lambda value: full(value) is not None


def glob(parts: Iterable[object]) -> re.Pattern[str]:
    """Each stretch between two `*` is taken where it first fits and not tried again, which is enough, and linear."""
    stretches = [""]
    for part in parts:
        if part is _MANY:
            stretches.append("")
        else:
            stretches[-1] += re.escape(part) if isinstance(part, str) else "."
    first, *rest = stretches
    if not rest:
        return re.compile(first, re.DOTALL)
    *middle, last = rest
    return re.compile(first + "".join(f"(?>.*?{one})" for one in middle if one) + ".*" + last, re.DOTALL)


def any_text(field: str, shapes: Sequence[Shape]) -> Test:
    """Whether a field has one of these texts; alternatives of one sort are one test."""
    folded = [shape for shape in shapes if not shape.cased]
    tests: list[TextTest] = []
    if exact := frozenset(shape.text for shape in folded if shape.how == "is"):
        tests.append(exact.__contains__)
    if starts := tuple(shape.text for shape in folded if shape.how == "starts"):
        tests.append(lambda value: value.startswith(starts))
    if ends := tuple(shape.text for shape in folded if shape.how == "ends"):
        tests.append(lambda value: value.endswith(ends))
    tests += [shape.test for shape in folded if shape.how not in ("is", "starts", "ends", "contains")]
    if parts := tuple(shape.text for shape in folded if shape.how == "contains"):
        tests.append(_contains_any(parts))
    test = either(tests)
    cased = either([shape.test for shape in shapes if shape.cased])

    def matches(event: Event) -> bool:
        value = event.folded[field]
        if value is None:
            return False
        if isinstance(value, str):
            return test(value)
        return any(test(one) for one in value)

    def matches_cased(event: Event) -> bool:
        return any(cased(one) for one in texts_of(event.fields.get(field)))

    if len(folded) == len(shapes):
        return matches
    if not folded:
        return matches_cased
    return lambda event: matches(event) or matches_cased(event)


def _contains_any(parts: tuple[str, ...]) -> TextTest:
    if len(parts) == 1:
        part = parts[0]
        return lambda value: part in value

    def test(value: str) -> bool:
        for part in parts:  # noqa: SIM110 (a generator costs three times as much)
            if part in value:
                return True
        return False

    return test


def either(tests: Sequence[TextTest]) -> TextTest:
    if len(tests) == 1:
        return tests[0]
    return lambda value: any(test(value) for test in tests)


def texts_of(value: Value) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, tuple):
        return tuple(text_of(one) for one in value if one is not None)
    return (text_of(value),)


def numbers_of(value: Value) -> list[float]:
    """What of a field's values is a number. A truth value is none."""
    found: list[float] = []
    for one in value if isinstance(value, tuple) else (value,):
        if isinstance(one, (int, float)) and not isinstance(one, bool):
            found.append(one)
        elif isinstance(one, str) and len(one) < 64:
            try:
                number = float(one)
            except ValueError:
                continue
            if number - number == 0.0:  # neither infinite nor "nan"
                found.append(number)
    return found


def moment(value: Value, zone: timezone) -> datetime | None:
    """A point in time as the house's clock shows it: ISO 8601, or seconds, milliseconds or microseconds since 1970."""
    if isinstance(value, str):
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            numbers = numbers_of(value)
            return moment(numbers[0], zone) if numbers else None
        return found.replace(tzinfo=zone) if found.tzinfo is None else found.astimezone(zone)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    scale = 1.0 if abs(value) < 1e11 else 1e3 if abs(value) < 1e14 else 1e6
    try:
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=value / scale)).astimezone(zone)
    except OverflowError:
        return None


_PARTS: Final[dict[TimestampPart, Callable[[datetime], int]]] = {
    TimestampPart.MINUTE: lambda at: at.minute,
    TimestampPart.HOUR: lambda at: at.hour,
    TimestampPart.DAY: lambda at: at.day,
    TimestampPart.WEEK: lambda at: at.isocalendar().week,
    TimestampPart.MONTH: lambda at: at.month,
    TimestampPart.YEAR: lambda at: at.year,
}
_COMPARED: Final[dict[CompareOperators, Callable[[float, float], bool]]] = {
    CompareOperators.LT: lambda value, bound: value < bound,
    CompareOperators.LTE: lambda value, bound: value <= bound,
    CompareOperators.GT: lambda value, bound: value > bound,
    CompareOperators.GTE: lambda value, bound: value >= bound,
    CompareOperators.NEQ: lambda value, bound: value != bound,
}


def part_of_time(field: str, part: TimestampPart, zone: timezone, holds: Callable[[int], bool]) -> Test:
    take = _PARTS[part]

    def matches(event: Event) -> bool:
        value = event.fields.get(field)
        found = (moment(one, zone) for one in (value if isinstance(value, tuple) else (value,)))
        return any(at is not None and holds(take(at)) for at in found)

    return matches


@lru_cache(maxsize=4_096)
def _within(network: IPv4Network | IPv6Network, address: str) -> bool:
    try:
        found = ip_address(address.strip())
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None and network.version == 4:
        return found.ipv4_mapped in network
    return found in network


def _refers(field: str, value: SigmaFieldReference) -> Test:
    def holds(mine: str, other: str) -> bool:
        if value.starts_with and value.ends_with:
            return other in mine
        if value.starts_with:
            return mine.startswith(other)
        return mine.endswith(other) if value.ends_with else mine == other

    def matches(event: Event) -> bool:
        mine, other = event.folded[field], event.folded[value.field]
        if mine is None or other is None:
            return False
        others = (other,) if isinstance(other, str) else other
        return any(holds(one, two) for one in ((mine,) if isinstance(mine, str) else mine) for two in others)

    return matches


def shape_of(value: SigmaType) -> Shape | None:
    """Of a value that is compared as text; None of every other."""
    if isinstance(value, SigmaString):
        return Shape(value)
    if isinstance(value, SigmaBool):
        return Shape(SigmaString(str(value.boolean)))
    if isinstance(value, SigmaNumber) and not isinstance(value, SigmaTimestampPart):
        return Shape(SigmaString(text_of(value.number)))
    return None


def field_test(field: str, value: SigmaType, zone: timezone) -> Test:
    """The test of one value. Raises SigmaValueError for a kind of value that is not known here."""
    if (shape := shape_of(value)) is not None:
        return any_text(field, [shape])
    if isinstance(value, SigmaExpansion):
        tests = [field_test(field, one, zone) for one in value.values]
        return lambda event: any(test(event) for test in tests)
    if isinstance(value, SigmaNull):
        return lambda event: event.fields.get(field) is None
    if isinstance(value, SigmaExists):
        wanted = value.exists
        return lambda event: (field in event.fields) is wanted
    if isinstance(value, SigmaTimestampPart):
        number = value.number
        return part_of_time(field, value.timestamp_part, zone, lambda found: found == number)
    if isinstance(value, SigmaCompareExpression):
        bound, compare = value.number.number, _COMPARED[value.op]
        if isinstance(value.number, SigmaTimestampPart):
            return part_of_time(field, value.number.timestamp_part, zone, lambda found: compare(found, bound))
        return lambda event: any(compare(one, bound) for one in numbers_of(event.fields.get(field)))
    if isinstance(value, SigmaCIDRExpression):
        network = value.network
        return lambda event: any(_within(network, one) for one in texts_of(event.fields.get(field)))
    if isinstance(value, SigmaRegularExpression):
        search = _expression(value)
        return lambda event: any(search(one) for one in texts_of(event.fields.get(field)))
    if isinstance(value, SigmaFieldReference):
        return _refers(field, value)
    raise SigmaValueError(f"A value of the kind {type(value).__name__} is not known here")


def keyword_test(value: SigmaType) -> Test:
    """A value without a field: somewhere in any of the event's values."""
    if isinstance(value, SigmaExpansion):
        tests = [keyword_test(one) for one in value.values]
        return lambda event: any(test(event) for test in tests)
    test: TextTest
    cased = True
    if isinstance(value, SigmaRegularExpression):
        test = _expression(value)
    elif (shape := shape_of(value)) is not None:
        text = SigmaCasedString() if shape.cased else SigmaString()
        original = value.s if isinstance(value, SigmaString) else [shape.text]
        text.s = [_MANY, *(part for part in original), _MANY]
        text.s = [
            part for n, part in enumerate(text.s) if part is not _MANY or n == 0 or text.s[n - 1] is not _MANY
        ]
        test, cased = Shape(text).test, shape.cased
    else:
        raise SigmaValueError(f"A value of the kind {type(value).__name__} needs a field")

    def matches(event: Event) -> bool:
        for field, value in event.fields.items():
            if cased:
                if any(test(one) for one in texts_of(value)):
                    return True
                continue
            folded = event.folded[field]
            if folded is not None and (
                test(folded) if isinstance(folded, str) else any(test(one) for one in folded)
            ):
                return True
        return False

    return matches


def _expression(value: SigmaRegularExpression) -> TextTest:
    if value.contains_placeholder():
        raise SigmaValueError(f"There are no values for the placeholder in '{value.regexp}'")
    flags = 0
    for flag in value.flags:
        flags |= value.sigma_to_python_flags[flag]
    engine = default_policy.regex_engine
    try:
        search = engine.compile(str(value.regexp), flags).search
    except engine.error as error:
        raise SigmaValueError(f"The expression '{value.regexp}' is not one of RE2: {error}") from error
    return lambda text: search(text) is not None
