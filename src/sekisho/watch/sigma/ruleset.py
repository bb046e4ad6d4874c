"""Rules together: an event goes to the rules of its log source, and to those only that it could meet.

Each rule is called by itself. One that fails on an event is named in `stumbled`, and the others run; none ends the
search for another. What correlations remember is here too, and can be written down and read back.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import re2  # type: ignore[import-untyped]
from sigma.exceptions import SigmaError

from sekisho.watch.sigma.compile import Compiled, tail_of
from sekisho.watch.sigma.correlation import Correlation
from sekisho.watch.sigma.event import Event, Source

_PLANS: Final = 1_000
_STUMBLED: Final = 1_000
_AT_ONCE: Final = 100
_AUTOMATON_BYTES: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class Rule:
    """`name` is its name, or else its id, or else its title; `digest` of its text. `level` is one of Sigma's five.
    `silent`: it only feeds a correlation of its own file. `words` are title and description, by language."""

    name: str
    level: str
    words: Mapping[str, tuple[str, str]]
    path: str
    line: int
    digest: str
    silent: bool = False
    source: Source = field(default_factory=Source)
    compiled: Compiled | None = None
    correlation: Correlation | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """`observed` is 1 for a plain rule, for a correlation what it counted. `refs` are the events' places."""

    rule: Rule
    at: int
    ref: int
    event: Event
    observed: float = 1.0
    refs: tuple[int, ...] = ()


class _Needed:
    """Of one field: the places of the rules that need this text, this tail, this part, or that it is there."""

    __slots__ = ("exact", "parts", "tails", "there")

    def __init__(self) -> None:
        self.exact: dict[str, list[int]] = {}
        self.tails: dict[str, list[int]] = {}
        self.parts: dict[str, list[int]] = {}
        self.there: list[int] = []


# (what finds them, the rules of each); None is none of them.
_Finders = tuple[tuple[Callable[[str], list[int] | None], list[list[int]]], ...]


def _finders(
    parts: Mapping[str, list[int]],
) -> _Finders:
    """Which of many texts stand in a value, found in one pass by an automaton (RE2's sets), so many texts at a time:
    an automaton that outgrew its memory would find nothing, and no rule may fall silent."""
    found = []
    texts = list(parts.items())
    for start in range(0, len(texts), _AT_ONCE):
        some = texts[start : start + _AT_ONCE]
        options = re2.Options()
        options.max_mem = _AUTOMATON_BYTES
        several = re2.Set.SearchSet(options)
        for text, _ in some:
            several.Add(re2.escape(text))
        several.Compile()
        found.append((several.Match, [places for _, places in some]))
    return tuple(found)


class _Plan:
    """The rules of one log source, by what they need."""

    def __init__(self, rules: list[Rule]) -> None:
        self.always: list[int] = []
        self.rules: Final = [(rule, rule.compiled.test) for rule in rules if rule.compiled is not None]
        fields: dict[str, _Needed] = {}
        for place, (rule, _) in enumerate(self.rules):
            needs = rule.compiled.needs if rule.compiled is not None else None
            if needs is None:
                self.always.append(place)
                continue
            for need in needs:
                needed = fields.setdefault(need.field, _Needed())
                if need.how == "has":
                    needed.there.append(place)
                else:
                    by_text = {"is": needed.exact, "tail": needed.tails, "part": needed.parts}[need.how]
                    by_text.setdefault(need.text, []).append(place)
        self.items: Final = tuple(
            (name, one.exact, one.tails, _finders(one.parts), one.there) for name, one in fields.items()
        )

    def candidates(self, event: Event) -> list[int]:
        """In the order of the rules, so that the same events give the same matches in the same order."""
        found = set(self.always)
        for name, exact, tails, parts, there in self.items:
            if name not in event.fields:
                continue
            value = event.folded[name]
            if value is None:
                continue
            found.update(there)
            for one in (value,) if isinstance(value, str) else value:
                if exact and one in exact:
                    found.update(exact[one])
                if tails and (places := tails.get(tail_of(one))):
                    found.update(places)
                for find, places_of in parts:
                    for number in find(one) or ():
                        found.update(places_of[number])
        return sorted(found)


class Ruleset:
    """`stumbled` maps a rule's name to how often it failed on an event, and why the last time."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        """Correlations must come after the rules that they are about (`in_order`)."""
        self.rules: Final = tuple(rules)
        self.stumbled: dict[str, tuple[int, str]] = {}
        self._plans: dict[Source, _Plan] = {}
        self._correlated: Final = [rule for rule in self.rules if rule.correlation is not None]
        self._fed: dict[str, list[tuple[int, int]]] = {}
        for index, rule in enumerate(self._correlated):
            if rule.correlation is not None:
                for place, part in enumerate(rule.correlation.parts):
                    self._fed.setdefault(part, []).append((index, place))

    def feed(self, event: Event) -> list[Match]:
        """What the event completes. Silent rules are not in it."""
        plan = self._plan(event.source)
        matches: list[Match] = []
        waiting: dict[int, set[int]] = {}
        for place in plan.candidates(event):
            rule, test = plan.rules[place]
            try:
                if not test(event):
                    continue
            except Exception as error:  # a rule's mistake is the rule's: it is named, and the others run
                self._stumble(rule, error)
                continue
            if not rule.silent:
                matches.append(Match(rule, event.at, event.ref, event, refs=(event.ref,)))
            for index, part in self._fed.get(rule.name, ()):
                waiting.setdefault(index, set()).add(part)
        if waiting:
            self._correlate(event, waiting, matches)
        return matches

    def _correlate(self, event: Event, waiting: dict[int, set[int]], matches: list[Match]) -> None:
        events: dict[int, Event] = {}
        while waiting:
            index = min(waiting)
            places = waiting.pop(index)
            rule = self._correlated[index]
            if rule.correlation is None:
                continue
            try:
                spoken = rule.correlation.feed(events.get(index, event), places)
            except Exception as error:  # as above
                self._stumble(rule, error)
                continue
            if spoken is None:
                continue
            said = Event({**event.fields, **spoken.group}, event.source, event.at, event.ref)
            if not rule.silent:
                matches.append(Match(rule, event.at, event.ref, said, spoken.observed, spoken.refs))
            for later, part in self._fed.get(rule.name, ()):
                waiting.setdefault(later, set()).add(part)
                events[later] = said

    def _stumble(self, rule: Rule, error: Exception) -> None:
        if rule.name in self.stumbled or len(self.stumbled) < _STUMBLED:
            times = self.stumbled.get(rule.name, (0, ""))[0]
            self.stumbled[rule.name] = (times + 1, f"{type(error).__name__}: {error}")

    def routes(self, source: Source) -> bool:
        """Whether any rule is about this log source."""
        return bool(self._plan(source).rules)

    def _plan(self, source: Source) -> _Plan:
        plan = self._plans.get(source)
        if plan is None:
            if len(self._plans) >= _PLANS:  # foreign logs name their sources themselves
                self._plans.clear()
            plan = self._plans[source] = _Plan([rule for rule in self.rules if _routed(rule, source)])
        return plan

    @property
    def let_go(self) -> dict[str, int]:
        """How many groups each correlation had to forget because its memory was full."""
        return {
            rule.name: rule.correlation.windows.let_go
            for rule in self._correlated
            if rule.correlation is not None and rule.correlation.windows.let_go
        }

    def dump(self) -> dict[str, Any]:
        """What the correlations remember, each under the digest of its text."""
        return {rule.digest: rule.correlation.dump() for rule in self._correlated if rule.correlation}

    def load(self, dumped: Mapping[str, Any]) -> None:
        """Go on where `dump` was, as far as the correlations are the same; a changed one begins anew."""
        for rule in self._correlated:
            if rule.correlation is not None and rule.digest in dumped:
                try:
                    rule.correlation.load(dumped[rule.digest])
                except (msgspec.ValidationError, KeyError, TypeError, ValueError):
                    continue


def _routed(rule: Rule, source: Source) -> bool:
    mine = rule.source
    return (
        rule.compiled is not None
        and mine.product in ("", source.product)
        and mine.service in ("", source.service)
        and mine.category in ("", source.category)
    )


def in_order(rules: Iterable[Rule]) -> tuple[list[Rule], list[tuple[Rule, SigmaError]]]:
    """The rules, each correlation after those that it is about; and those that lack one, or go in a circle."""
    ordered = [rule for rule in rules if rule.correlation is None]
    left = [rule for rule in rules if rule.correlation is not None]
    placed = {rule.name for rule in ordered}
    while left:
        ready = [rule for rule in left if rule.correlation and set(rule.correlation.parts) <= placed]
        if not ready:
            break
        ordered += ready
        placed |= {rule.name for rule in ready}
        left = [rule for rule in left if rule.name not in placed]
    wrong = "It is about a rule that is missing or was refused, or about itself in a circle"
    return ordered, [(rule, SigmaError(wrong)) for rule in left]
