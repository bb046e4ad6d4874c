"""Rules about several events: how many, how many different, which ones and in which order, within a window of time.

With each event the window is the time span up to it, for each group by itself. A correlation speaks when its
condition becomes true, and again when it is still true a whole span later: a thousand events more are not a thousand
alarms. Conditions with "less than" are judged with each event too: what never comes is not seen here.

What is kept is bounded: the newest `MOST_OF_A_RULE` events of each rule in a group, `MOST` in all groups together.
Where that is not enough, the group that was quiet longest is let go, and `let_go` counts it: it is said, never silent.
"""

from collections.abc import Callable, Collection
from typing import Any, Final

import msgspec
from sigma.correlations import (
    CorrelationConditionAND,
    CorrelationConditionItem,
    CorrelationConditionNOT,
    CorrelationConditionOR,
    SigmaCorrelationConditionOperator,
    SigmaCorrelationRule,
    SigmaCorrelationType,
    SigmaExtendedCorrelationCondition,
    SigmaRuleReference,
)
from sigma.exceptions import SigmaCorrelationConditionError

from sekisho.watch.sigma.event import Event, text_of
from sekisho.watch.sigma.matching import numbers_of

MOST_OF_A_RULE: Final = 10_000
MOST: Final = 200_000
_REFS: Final = 20
_Op = SigmaCorrelationConditionOperator
_Type = SigmaCorrelationType
_COMPARED: Final[dict[_Op, Callable[[float, float], bool]]] = {
    _Op.LT: lambda value, bound: value < bound,
    _Op.LTE: lambda value, bound: value <= bound,
    _Op.GT: lambda value, bound: value > bound,
    _Op.GTE: lambda value, bound: value >= bound,
    _Op.EQ: lambda value, bound: value == bound,
    _Op.NEQ: lambda value, bound: value != bound,
}
_ORDERED: Final = frozenset({_Type.TEMPORAL_ORDERED})
_TEMPORAL: Final = frozenset({_Type.TEMPORAL, _Type.TEMPORAL_ORDERED})
_NUMERIC: Final = frozenset({_Type.VALUE_SUM, _Type.VALUE_AVG, _Type.VALUE_PERCENTILE, _Type.VALUE_MEDIAN})


class Seen(msgspec.Struct, array_like=True, gc=False):
    """One event of a rule. `tick` counts events: two in one microsecond still have an order."""

    at: int
    tick: int
    ref: int
    value: str | int | float | None = None


class Group(msgspec.Struct, array_like=True):
    """`seen` by the rule's place in the correlation. `spoke`: when it last did, while the condition still holds."""

    seen: list[list[Seen]]
    counts: dict[str, int] = {}
    spoke: int = 0
    total: int | float = 0  # of the numbers seen, kept up so that a sum costs the same however many there are


class Windows(msgspec.Struct):
    """What a correlation remembers; the group that was quiet longest comes first."""

    groups: dict[str, Group] = {}
    kept: int = 0
    let_go: int = 0


class Correlated(msgspec.Struct, frozen=True):
    """`group` maps the names of group-by to their values; `observed` is what was held against the condition."""

    group: dict[str, str]
    observed: float
    refs: tuple[int, ...]


class Correlation:
    """`parts` are the names of the rules that it is about, in order. Raises SigmaError where it is not understood."""

    def __init__(self, rule: SigmaCorrelationRule, name_of: Callable[[SigmaRuleReference], str]) -> None:
        self.parts: Final = tuple(name_of(reference) for reference in rule.referenced_rules)
        self.windows = Windows()
        self._type: Final = rule.type
        self._span: Final = rule.timespan.seconds * 1_000_000
        self._group_by: Final = tuple(rule.group_by or ())
        self._fields: Final = [self._fields_of(rule, one) for one in rule.referenced_rules]
        self._tree: CorrelationConditionItem | SigmaRuleReference | None = None
        self._places: Final = {one.reference: n for n, one in enumerate(rule.referenced_rules)}
        self._tick = 0
        condition = rule.condition
        self._value_fields: tuple[str, ...] = ()
        self._percentile = 50
        if isinstance(condition, SigmaExtendedCorrelationCondition):
            self._tree = condition.parsed
            self._op, self._bound = _Op.GTE, 1.0
            return
        self._op, self._bound = condition.op, float(condition.count)
        if condition.fieldref is not None:
            one = condition.fieldref
            self._value_fields = (one,) if isinstance(one, str) else tuple(one)
        self._check(condition.percentile)

    def _check(self, percentile: int | None) -> None:
        kind = self._type
        if kind in (_Type.EVENT_COUNT, _Type.VALUE_COUNT) and self._bound >= MOST_OF_A_RULE:
            raise SigmaCorrelationConditionError(
                f"A count of {self._bound:.0f} is more than is kept ({MOST_OF_A_RULE})"
            )
        if kind in _ORDERED and (self._op is not _Op.GTE or self._bound != len(self.parts)):
            raise SigmaCorrelationConditionError("An ordered correlation needs all of its rules")
        if kind is _Type.VALUE_PERCENTILE:
            if percentile is None or not 0 < percentile <= 100:
                raise SigmaCorrelationConditionError("A percentile needs `percentile`, between 1 and 100")
            self._percentile = percentile
        if kind in _NUMERIC and len(self._value_fields) != 1:
            raise SigmaCorrelationConditionError("Numbers are taken from one field")

    def _fields_of(self, rule: SigmaCorrelationRule, reference: SigmaRuleReference) -> tuple[str, ...]:
        """The event's field for each name of group-by: an alias says which it is for this rule."""
        found = []
        for name in self._group_by:
            alias = rule.aliases.aliases.get(name)
            mapping = {one.reference: field for one, field in alias.mapping.items()} if alias else {}
            if alias and reference.reference not in mapping:
                raise SigmaCorrelationConditionError(
                    f"The alias {name} does not say which field it is for the rule {reference.reference}"
                )
            found.append(mapping.get(reference.reference, name))
        return tuple(found)

    def feed(self, event: Event, matched: Collection[int]) -> Correlated | None:
        """Take in an event that the rules at these places matched. A field of group-by that it lacks is empty."""
        self._tick += 1
        spoken: Correlated | None = None
        groups: dict[tuple[str, ...], list[int]] = {}
        for place in sorted(matched):
            key = tuple(_one_text(event.fields.get(field)) for field in self._fields[place])
            groups.setdefault(key, []).append(place)
        for key, places in groups.items():
            spoken = self._feed_group(key, places, event) or spoken
        return spoken

    def _feed_group(self, key: tuple[str, ...], places: list[int], event: Event) -> Correlated | None:
        windows = self.windows
        name = msgspec.json.encode(key).decode()
        group = windows.groups.pop(name, None) or Group([[] for _ in self.parts])
        windows.groups[name] = group  # the newest is last
        last = max((seen[-1].at for seen in group.seen if seen), default=0)
        at = max(event.at, last)  # a late event counts as of now
        added = False
        for place in places:
            added |= self._add(group, place, Seen(at, self._tick, event.ref), event)
        self._prune(group, at - self._span)
        if windows.kept > MOST:
            self._let_go(name)
        if not added:
            return None
        observed = self._observe(group)
        if observed is None or not _COMPARED[self._op](observed, self._bound):
            group.spoke = 0
            return None
        if group.spoke and at - group.spoke < self._span:
            return None
        group.spoke = at
        newest = sorted((seen for rule in group.seen for seen in rule[-_REFS:]), key=lambda one: one.tick)
        refs = tuple(dict.fromkeys(seen.ref for seen in newest[-_REFS:]))
        return Correlated(dict(zip(self._group_by, key, strict=True)), observed, refs)

    def _add(self, group: Group, place: int, seen: Seen, event: Event) -> bool:
        """Whether the event counts: one without the field that is counted does not. A list of numbers is their sum."""
        if self._type is _Type.VALUE_COUNT:
            values = [event.fields.get(field) for field in self._value_fields]
            if any(value is None for value in values):
                return False
            seen.value = msgspec.json.encode([_one_text(value) for value in values]).decode()
            group.counts[seen.value] = group.counts.get(seen.value, 0) + 1
        elif self._type in _NUMERIC:
            numbers = numbers_of(event.fields.get(self._value_fields[0]))
            if not numbers:
                return False
            seen.value = numbers[0] if len(numbers) == 1 else sum(numbers)
            group.total += seen.value
        group.seen[place].append(seen)
        self.windows.kept += 1
        return True

    def _prune(self, group: Group, before: int) -> None:
        for seen in group.seen:
            gone = max(0, len(seen) - MOST_OF_A_RULE)
            while gone < len(seen) and seen[gone].at <= before:
                gone += 1
            if gone:
                for one in seen[:gone]:
                    self._uncount(group, one)
                del seen[:gone]
                self.windows.kept -= gone
        if not any(group.seen):
            group.total = 0  # what rounding left behind ends with the window

    def _uncount(self, group: Group, one: Seen) -> None:
        if isinstance(one.value, str):
            group.counts[one.value] -= 1
            if not group.counts[one.value]:
                del group.counts[one.value]
        elif one.value is not None:
            group.total -= one.value

    def _let_go(self, present: str) -> None:
        windows = self.windows
        while windows.kept > MOST and len(windows.groups) > 1:
            oldest = next(iter(windows.groups))
            if oldest == present:
                return
            windows.kept -= sum(len(seen) for seen in windows.groups.pop(oldest).seen)
            windows.let_go += 1

    def _observe(self, group: Group) -> float | None:
        if self._type is _Type.EVENT_COUNT:
            return len(group.seen[0]) if len(group.seen) == 1 else sum(map(len, group.seen))
        if self._type is _Type.VALUE_COUNT:
            return len(group.counts)
        if self._tree is not None:
            after = _fit(self._tree, -1, self._ticks(group), ordered=self._type in _ORDERED)
            return None if after is None else 1.0
        if self._type is _Type.TEMPORAL:
            return sum(1 for seen in group.seen if seen)
        if self._type is _Type.TEMPORAL_ORDERED:
            tick: int | None = -1
            for seen in group.seen:
                tick = _next(seen, tick)
                if tick is None:
                    return None
            return len(group.seen)
        return self._number(group)

    def _ticks(self, group: Group) -> dict[str, list[Seen]]:
        return {name: group.seen[place] for name, place in self._places.items()}

    def _number(self, group: Group) -> float | None:
        if self._type is _Type.VALUE_SUM:
            return group.total
        if self._type is _Type.VALUE_AVG:
            return group.total / sum(map(len, group.seen))
        values = [one.value for seen in group.seen for one in seen if isinstance(one.value, (int, float))]
        if not values:
            return None
        values.sort()
        if self._type is _Type.VALUE_MEDIAN:
            middle = len(values) // 2
            return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2
        # The nearest rank: always a value that was there.
        return values[max(0, -(-self._percentile * len(values) // 100) - 1)]

    def dump(self) -> dict[str, Any]:
        return {"windows": self.windows, "tick": self._tick}

    def load(self, dumped: dict[str, Any]) -> None:
        """Raises msgspec.ValidationError for what is none, or is of a correlation with other rules."""
        windows = msgspec.convert(dumped["windows"], Windows)
        if any(len(group.seen) != len(self.parts) for group in windows.groups.values()):
            raise msgspec.ValidationError("another number of rules")
        self.windows, self._tick = windows, int(dumped["tick"])


def _one_text(value: Any) -> str:
    if value is None:
        return ""
    return "\n".join(map(text_of, value)) if isinstance(value, tuple) else text_of(value)


def _next(seen: list[Seen], after: int | None) -> int | None:
    """The tick of the first event later than `after`; one event is not two steps."""
    if after is None:
        return None
    return next((one.tick for one in seen if one.tick > after), None)


def _fit(
    node: CorrelationConditionItem | SigmaRuleReference,
    after: int,
    seen: dict[str, list[Seen]],
    *,
    ordered: bool,
) -> int | None:
    """The tick at which the condition is fulfilled, None where it is not. Ordered: each part of an "and" comes after
    the one before it."""
    if isinstance(node, SigmaRuleReference):
        return _next(seen[node.reference], after if ordered else -1)
    if isinstance(node, CorrelationConditionNOT):
        return None if _fit(node.args[0], -1, seen, ordered=ordered) is not None else after
    if isinstance(node, CorrelationConditionOR):
        found = [_fit(arg, after, seen, ordered=ordered) for arg in node.args]
        return min((tick for tick in found if tick is not None), default=None)
    if isinstance(node, CorrelationConditionAND):
        for arg in node.args:
            tick = _fit(arg, after, seen, ordered=ordered)
            if tick is None:
                return None
            after = max(after, tick) if ordered else after
        return after
    raise SigmaCorrelationConditionError(f"A condition of the kind {type(node).__name__} is not known here")
