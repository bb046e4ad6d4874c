"""Contract periods as people write them: the words are kept, and read into closed, open or listed intervals.

A period is a list of intervals; an interval ends at points; a point is a day, a month, a calendar year or a
fiscal year (April to March). Nothing finer than what was written is invented: "2018年8月" is the whole month.
A calendar year beside a fiscal year ("2016年、2017年度") is read as written, and the doubt is kept with it.
"""

import calendar
import re
from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from typing import Final, Literal, NamedTuple

import msgspec

from sekisho.faults import Fault
from sekisho.register.faults import PERIOD_UNREADABLE


class Doubt(StrEnum):
    """Why a person should look at a reading again."""

    MIXED_YEARS = "mixed_years"  # 2015年~2019年度: is the first one a fiscal year as well?
    DOUBLED_WORD = "doubled_word"  # 2017年年度
    ERA_BOUNDS = "era_bounds"  # 平成32年 was a usual way to write 2020 before the era ended


class Standing(StrEnum):
    """Where a day stands towards a period. Only WITHIN permits anything: UNKNOWN is not WITHIN."""

    BEFORE = "before"
    WITHIN = "within"
    BETWEEN = "between"
    AFTER = "after"
    UNKNOWN = "unknown"


class Era(NamedTuple):
    name: str
    letter: str
    first: date
    last: date


ERAS: Final = (
    Era("明治", "M", date(1868, 10, 23), date(1912, 7, 29)),
    Era("大正", "T", date(1912, 7, 30), date(1926, 12, 24)),
    Era("昭和", "S", date(1926, 12, 25), date(1989, 1, 7)),
    Era("平成", "H", date(1989, 1, 8), date(2019, 4, 30)),
    Era("令和", "R", date(2019, 5, 1), date.max),
)
_ERA_BY_WORD: Final = {word: era for era in ERAS for word in (era.name, era.letter)}


class Point(msgspec.Struct, frozen=True):
    """A day, a month, a calendar year, or (fiscal) the year from 1 April to 31 March."""

    year: int
    month: int | None = None
    day: int | None = None
    fiscal: bool = False

    def first(self) -> date:
        if self.fiscal:
            return date(self.year, 4, 1)
        return date(self.year, self.month or 1, self.day or 1)

    def last(self) -> date:
        if self.fiscal:
            return date(self.year + 1, 3, 31)
        month = self.month or 12
        return date(self.year, month, self.day or calendar.monthrange(self.year, month)[1])


class Interval(msgspec.Struct, frozen=True):
    """From the first day of `start` to the last day of `end`; None is open on that side."""

    start: Point | None
    end: Point | None

    def first(self) -> date | None:
        return self.start.first() if self.start else None

    def last(self) -> date | None:
        return self.end.last() if self.end else None

    def contains(self, day: date) -> bool:
        first, last = self.first(), self.last()
        return (first is None or first <= day) and (last is None or day <= last)


class Period(msgspec.Struct, frozen=True):
    """`raw` is what was written; no interval means that no period is known."""

    raw: str
    intervals: tuple[Interval, ...] = ()
    doubts: tuple[Doubt, ...] = ()

    def first(self) -> date | None:
        """The earliest day, or None when it is open or unknown."""
        days = [interval.first() for interval in self.intervals]
        return min((day for day in days if day), default=None) if None not in days else None

    def last(self) -> date | None:
        """The latest day, or None when it is open or unknown."""
        days = [interval.last() for interval in self.intervals]
        return max((day for day in days if day), default=None) if None not in days else None

    def standing(self, on: date) -> Standing:
        if not self.intervals:
            return Standing.UNKNOWN
        if any(interval.contains(on) for interval in self.intervals):
            return Standing.WITHIN
        first, last = self.first(), self.last()
        if first is not None and on < first:
            return Standing.BEFORE
        if last is not None and on > last:
            return Standing.AFTER
        return Standing.BETWEEN

    def contains(self, on: date) -> bool:
        return self.standing(on) is Standing.WITHIN

    def ended(self, on: date) -> bool:
        """Whether the last interval is over. An unknown period never says so: ask `contains` to permit."""
        return self.standing(on) is Standing.AFTER


UNKNOWN_WORDS: Final = frozenset({"", "不明", "記載なし", "記載無し", "なし", "無し", "-", "—", "unknown"})

# Each replacement keeps its length, so that a position in the folded text is a position in the raw text.
FOLDED: Final = str.maketrans("０１２３４５６７８９〜～，．／（）：＋\u3000", "0123456789~~,./():+ ")

_POINT: Final = re.compile(
    r"""
    (?:(?P<era>明治|大正|昭和|平成|令和|[MTSHR](?=\s*[\d元]))\s*)?
    (?:
        (?P<year>元|\d{1,4})\s*(?:(?P<fiscal>(?P<doubled>年)?年度)
            |年(?:\s*(?P<month>\d{1,2})\s*月(?:\s*(?P<day>\d{1,2})\s*日)?)?)
      | (?P<plain_year>\d{1,4})(?P<mark>[-/.])(?P<plain_month>\d{1,2})(?:(?P=mark)(?P<plain_day>\d{1,2}))?(?!\d)
      | (?P<same_month>\d{1,2})\s*月(?:\s*(?P<same_month_day>\d{1,2})\s*日)?
      | (?P<same_day>\d{1,2})\s*日(?!間)
      | (?P<bare>\d{4})(?=\s*(?:[,、・~]\s*\d{4}\s*)+(?P<bare_unit>年度|年))
    )
    """,
    re.VERBOSE,
)
_SPACE: Final = re.compile(r"\s*")
_RANGE: Final = re.compile(r"\s*(?:~|から)\s*")
_UNTIL: Final = re.compile(r"\s*まで")
_SINCE: Final = re.compile(r"\s*(?:以降|以後)")
_NOW: Final = re.compile(r"\s*現在")
_LIST: Final = re.compile(r"\s*(?:[、,・]|および|及び)\s*")


class _Reader:
    """One pass over a folded text; `position` stands behind the last thing that was understood."""

    def __init__(self, text: str, position: int) -> None:
        self.text = text
        self.position = position
        self.intervals: list[Interval] = []
        self.doubts: list[Doubt] = []
        self._before: Point | None = None  # what "12月28日" or "16年" leaves out is taken from here
        self._era: Era | None = None

    def read(self) -> None:
        understood = self.position
        while (interval := self._interval()) is not None:
            self.intervals.append(interval)
            understood = self.position
            if not self._take(_LIST):
                break
        self.position = understood
        points = [point for interval in self.intervals for point in (interval.start, interval.end) if point]
        if any(point.fiscal for point in points) and any(
            not point.fiscal and point.month is None for point in points
        ):
            self._doubt(Doubt.MIXED_YEARS)

    def _interval(self) -> Interval | None:
        if self._take(_RANGE):
            end = self._point()
            return Interval(None, end) if end else None
        start = self._point()
        if start is None:
            return None
        if self._take(_RANGE):
            if self._take(_NOW):
                return Interval(start, None)
            end = self._point()
            if end is None:
                return Interval(start, None)
            if end.last() < start.first():
                return None
            self._take(_UNTIL)
            return Interval(start, end)
        if self._take(_UNTIL):
            return Interval(None, start)
        if self._take(_SINCE):
            return Interval(start, None)
        return Interval(start, start)

    def _point(self) -> Point | None:
        found = _POINT.match(self.text, self.position)
        if found is None:
            return None
        try:
            point = self._read_point(found)
            point.first(), point.last()
        except ValueError:  # no such day, or nothing to take the year from
            return None
        self.position = found.end()
        self._before = point
        return point

    def _read_point(self, found: re.Match[str]) -> Point:
        part = found.group
        if (bare := part("bare")) is not None:
            return Point(int(bare), fiscal=part("bare_unit") == "年度")
        if (month := part("same_month")) is not None:
            return Point(self._known().year, int(month), _number(part("same_month_day")))
        if (day := part("same_day")) is not None:
            known = self._known()
            if known.month is None:
                raise ValueError("a day without a month")
            return Point(known.year, known.month, int(day))
        if part("doubled"):
            self._doubt(Doubt.DOUBLED_WORD)
        point = Point(
            self._year(part("era"), part("year") or part("plain_year")),
            _number(part("month") or part("plain_month")),
            _number(part("day") or part("plain_day")),
            fiscal=part("fiscal") is not None,
        )
        if self._era is not None and (point.last() < self._era.first or point.first() > self._era.last):
            self._doubt(Doubt.ERA_BOUNDS)
        return point

    def _year(self, era_word: str | None, written: str) -> int:
        number = 1 if written == "元" else int(written)
        if era_word:
            self._era = _ERA_BY_WORD[era_word]
        elif len(written) == 4:
            self._era = None
        if self._era is not None:
            if not 1 <= number <= 99:
                raise ValueError("no such year of an era")
            return self._era.first.year + number - 1
        if len(written) == 4:
            return number
        if len(written) == 2:  # 2014年~16年
            return self._known().year // 100 * 100 + number
        raise ValueError("a year of one or three digits, and no era")

    def _known(self) -> Point:
        if self._before is None:
            raise ValueError("nothing before it to take the year from")
        return self._before

    def _take(self, pattern: re.Pattern[str]) -> bool:
        if found := pattern.match(self.text, self.position):
            self.position = found.end()
            return True
        return False

    def _doubt(self, doubt: Doubt) -> None:
        if doubt not in self.doubts:
            self.doubts.append(doubt)


def _number(written: str | None) -> int | None:
    return None if written is None else int(written)


def _read_at(raw: str, start: int) -> tuple[Period, int]:
    reader = _Reader(raw.translate(FOLDED), start)
    reader.read()
    return Period(
        raw[start : reader.position], tuple(reader.intervals), tuple(reader.doubts)
    ), reader.position


def parse_period(raw: str) -> Period:
    """Read a whole cell. Raises Fault when any part of it is not understood; "不明" is understood."""
    if raw.strip() in UNKNOWN_WORDS:
        return Period(raw)
    start = len(raw) - len(raw.lstrip())
    period, stop = _read_at(raw, start)
    if not period.intervals or raw[stop:].strip():
        raise Fault(PERIOD_UNREADABLE, text=raw)
    return Period(raw, period.intervals, period.doubts)


def leading_period(text: str) -> Period | None:
    """The period that `text` begins with: "平成30年度電話による…業務" -> 平成30年度."""
    period, _ = _read_at(text, 0)
    return period if period.intervals else None


def trailing_period(text: str) -> Period | None:
    """The longest period that `text` ends with: "…業務 2016年2月~2023年1月" -> 2016年2月~2023年1月."""
    folded = text.translate(FOLDED)
    for found in re.finditer(r"(?<![\d元])(?:[~\d]|明治|大正|昭和|平成|令和|[MTSHR]\d)", folded):
        period, stop = _read_at(text, found.start())
        if period.intervals and stop == len(text):
            return period
    return None


def era_of(day: date) -> Era:
    """Raises ValueError before the first era that is known here (1868-10-23)."""
    for era in reversed(ERAS):
        if day >= era.first:
            return era
    raise ValueError(f"{day.isoformat()} is before {ERAS[0].name}")


def format_point(point: Point, style: Literal["western", "wareki"] = "western") -> str:
    """2019年度, or 令和元年度. A year with two eras takes the later one, as offices do."""
    if style == "wareki":
        era = era_of(date(point.year, 12, 31) if point.month is None else point.last())
        number = point.year - era.first.year + 1
        year = era.name + ("元" if number == 1 else str(number))
    else:
        year = f"{point.year:04d}"
    if point.fiscal:
        return f"{year}年度"
    month = f"{point.month}月" if point.month else ""
    day = f"{point.day}日" if point.day else ""
    return f"{year}年{month}{day}"


def format_intervals(intervals: Iterable[Interval], style: Literal["western", "wareki"] = "western") -> str:
    """The canonical words; `parse_period` reads them back to equal intervals."""
    return "、".join(_format_interval(interval, style) for interval in intervals) or "不明"


def _format_interval(interval: Interval, style: Literal["western", "wareki"]) -> str:
    start = format_point(interval.start, style) if interval.start else ""
    end = format_point(interval.end, style) if interval.end else ""
    if start and start == end:
        return start
    return f"{start}~{end}" if start else f"{end}まで"
