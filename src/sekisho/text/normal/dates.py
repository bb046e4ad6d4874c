"""Dates as Japanese data write them: Western and era years, eight digits, spreadsheet serial numbers."""

import re
from datetime import date, timedelta
from typing import Final

from sekisho.text.normal.fold import KANJI_NUMERALS, fold, kanji_number

# First and last day. 1912-07-30 and 1926-12-25 belong to both eras. Before 1873-01-01 (明治6年) Japan counted
# by a lunisolar calendar: 明治5年 and earlier have no date that this table could give.
ERAS: Final[dict[str, tuple[int, date, date]]] = {
    "明治": (1867, date(1873, 1, 1), date(1912, 7, 30)),
    "大正": (1911, date(1912, 7, 30), date(1926, 12, 25)),
    "昭和": (1925, date(1926, 12, 25), date(1989, 1, 7)),
    "平成": (1988, date(1989, 1, 8), date(2019, 4, 30)),
    "令和": (2018, date(2019, 5, 1), date.max),
}
_ERA_OF: Final = {name: name for name in ERAS} | dict(zip("MTSHR明大昭平令", [*ERAS, *ERAS], strict=True))
_ERA_CODES: Final = dict(zip("12345", ERAS, strict=True))  # 和暦 as seven digits, common in public files

_NUMBER: Final = rf"(?:[0-9]{{1,2}}|[{KANJI_NUMERALS}]{{1,3}})"
_ERA: Final = re.compile(
    rf"(?P<era>明治|大正|昭和|平成|令和|[MTSHR明大昭平令])\.?\s*(?P<year>元|{_NUMBER})\s*[年./-]\s*"
    rf"(?P<month>{_NUMBER})\s*[月./-]\s*(?P<day>{_NUMBER})\s*日?"
)
_ERA_DIGITS: Final = re.compile(
    r"(?P<era>[MTSHR12345])(?P<year>[0-9]{2})(?P<month>[0-9]{2})(?P<day>[0-9]{2})"
)
_WESTERN: Final = re.compile(
    rf"(?P<year>[0-9]{{4}}|[{KANJI_NUMERALS}]{{4,7}})\s*[年./-]\s*(?P<month>{_NUMBER})\s*[月./-]\s*"
    rf"(?P<day>{_NUMBER})\s*日?(?:[ T][0-9:.]+(?:Z|[+-][0-9:]+)?)?"
)
_EIGHT_DIGITS: Final = re.compile(r"(?P<year>[0-9]{4})(?P<month>[0-9]{2})(?P<day>[0-9]{2})")
_WEEKDAY: Final = re.compile(r"\s*\([日月火水木金土]\)$")

_SERIAL_EPOCH: Final = date(
    1899, 12, 30
)  # right from serial 61 on: the 1900 system counts a 29 February 1900
_SERIALS: Final = range(
    10_000, 60_000
)  # 1927-05-18 to 2064-04-08; fewer digits are more often something else


def normal_date(text: str) -> date | None:
    """The day that a text names, or None: not a date, an impossible one, or one that two readings fit.

    >>> [str(normal_date(d)) for d in ("1984-03-01", "1984/3/1 0:00:00", "１９８４年３月１日（木）", "30742")]
    ['1984-03-01', '1984-03-01', '1984-03-01', '1984-03-01']
    >>> [str(normal_date(d)) for d in ("昭和59年3月1日", "S59.3.1", "昭和五十九年三月一日", "3590301")]
    ['1984-03-01', '1984-03-01', '1984-03-01', '1984-03-01']
    >>> [str(normal_date(d)) for d in ("平成元年1月8日", "平成十年十月十日", "令和元年5月1日", "㍻31.4.30")]
    ['1989-01-08', '1998-10-10', '2019-05-01', '2019-04-30']
    >>> [normal_date(d) for d in ("平成元年1月7日", "明治5年1月1日", "2023-02-29", "84/3/1", "3/1/1984")]
    [None, None, None, None, None]
    """
    folded = _WEEKDAY.sub("", fold(text)).upper()
    if match := _ERA.fullmatch(folded) or _ERA_DIGITS.fullmatch(folded):
        era = _ERA_OF.get(match["era"]) or _ERA_CODES[match["era"]]
        offset, first, last = ERAS[era]
        year = 1 if match["year"] == "元" else _number(match["year"])
        found = _day(offset + year if year else 0, _number(match["month"]), _number(match["day"]))
        return found if found is not None and first <= found <= last else None
    if match := _WESTERN.fullmatch(folded) or _EIGHT_DIGITS.fullmatch(folded):
        found = _day(_number(match["year"]), _number(match["month"]), _number(match["day"]))
        return found if found is not None and found.year >= 1873 else None
    serial = folded.removesuffix(".0")
    if len(serial) == 5 and serial.isascii() and serial.isdigit() and int(serial) in _SERIALS:
        return _SERIAL_EPOCH + timedelta(days=int(serial))
    return None


def _number(text: str) -> int:
    return int(text) if text.isascii() else kanji_number(text) or 0


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
