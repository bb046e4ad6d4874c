"""How an organisation came to know: "10月16日、12月12日報告受領し判明", with the days as far as they are written."""

import re
from datetime import date
from enum import StrEnum
from typing import Final

import msgspec

from sekisho.faults import Fault
from sekisho.register.faults import FOUND_UNREADABLE
from sekisho.register.periods import FOLDED, Point


class Way(StrEnum):
    REPORT_RECEIVED = "report_received"
    OWN_CHECK = "own_check"
    NOT_STATED = "not_stated"


class Day(msgspec.Struct, frozen=True):
    """A day of a year that the table does not write, or (day None) a month."""

    month: int
    day: int | None = None

    def not_after(self, as_of: date) -> Point:
        """The latest such day that a table of this date can speak of. Raises ValueError when there is none."""
        point = Point(as_of.year, self.month, self.day)
        return point if point.first() <= as_of else Point(as_of.year - 1, self.month, self.day)


class Found(msgspec.Struct, frozen=True):
    raw: str
    way: Way
    days: tuple[Day, ...] = ()


_FOUND: Final = re.compile(r"(?P<days>(?:\d{1,2}月(?:\d{1,2}日)?[、,]?)*)に?\s*(?P<way>.+)")
_DAY: Final = re.compile(r"(\d{1,2})月(?:(\d{1,2})日)?")
_WAYS: Final = {
    "報告受領し判明": Way.REPORT_RECEIVED,
    "報告受領で判明": Way.REPORT_RECEIVED,
    "確認し判明": Way.OWN_CHECK,
    "記載なし": Way.NOT_STATED,
    "記載無し": Way.NOT_STATED,
}
_LEAP_YEAR: Final = 2000  # a year in which every written day of the year exists


def parse_found(raw: str) -> Found:
    """Raises Fault when the words, or a day of no year, are not understood."""
    found = _FOUND.fullmatch(raw.translate(FOLDED).strip())
    way = _WAYS.get(found["way"]) if found else None
    if found is None or way is None:
        raise Fault(FOUND_UNREADABLE, text=raw)
    days = tuple(Day(int(month), int(day) if day else None) for month, day in _DAY.findall(found["days"]))
    for day in days:
        try:
            date(_LEAP_YEAR, day.month, day.day or 1)
        except ValueError:
            raise Fault(FOUND_UNREADABLE, text=raw) from None
    return Found(raw, way, days)
