"""Published counts: "約1万7,500件", "延1,909件(1,074人分)", "133,655件+29,173件", kept as written and read.

件, 人, 延べ and 名寄せ後 are different things and are never converted into each other. A count that a cell states
beside its own (the persons behind the records) is kept beside it, not instead of it.
"""

import re
from enum import StrEnum
from fractions import Fraction
from typing import Final

import msgspec

from sekisho.faults import Fault
from sekisho.register.faults import COUNT_UNREADABLE
from sekisho.register.periods import FOLDED


class Unit(StrEnum):
    RECORDS = "件"
    PERSONS = "人"
    CUMULATIVE = "延べ"
    MERGED = "名寄せ後"


class Count(msgspec.Struct, frozen=True):
    """`low` equals `high` unless a range is written. `step` is the place of the last digit that was given."""

    raw: str
    low: int
    high: int
    unit: Unit
    approximate: bool = False
    at_most: bool = False
    step: int = 1
    merged_by: str | None = None  # 電話番号での名寄せで1万件: the rule by which records became persons
    without_myriad: int | None = None  # set when 万 follows 10,000 or more, which nobody writes on purpose

    @property
    def tolerance(self) -> Fraction:
        """How far the true number may lie from `low`, when all that is known is that it was rounded."""
        return Fraction(self.step, 2) if self.approximate else Fraction(0)


class Part(msgspec.Struct, frozen=True):
    """The count of one brand or one business."""

    label: str
    count: Count


class CountCell(msgspec.Struct, frozen=True):
    """One cell. `addends` are joined by +; `beside` are other ways to count the same rows."""

    raw: str
    addends: tuple[Count, ...] = ()
    parts: tuple[Part, ...] = ()
    beside: tuple[Count, ...] = ()
    duplicates: bool = False  # the cell says that it holds duplicates; False says nothing
    includes: tuple[str, ...] = ()  # 死亡者, 転出者
    under_investigation: bool = False

    @property
    def stated(self) -> bool:
        return bool(self.addends or self.parts)

    def total(self) -> int | None:
        """The stated count, or else the sum of the parts; the upper end of a range; None when none is stated."""
        counts = self.addends or tuple(part.count for part in self.parts)
        return sum(count.high for count in counts) if counts else None


_DIGITS: Final = r"\d[\d,]{0,14}(?:\.\d{1,4})?"
_NUMBER: Final = rf"(?:{_DIGITS}億)?(?:{_DIGITS}万)?(?:{_DIGITS}千)?(?:{_DIGITS})?"
_COUNT: Final = re.compile(
    rf"""
    (?P<at_most>最大)?\s*(?P<cumulative>延べ|のべ|延)?\s*(?P<approximate>約|およそ)?\s*
    (?=\d)(?P<low>{_NUMBER})(?:\s*(?P<unit_low>件|人)?\s*~\s*約?(?=\d)(?P<high>{_NUMBER}))?
    \s*(?P<unit>件|人分|人|名)
    """,
    re.VERBOSE,
)
_ADDEND: Final = re.compile(rf"\s*\+{_COUNT.pattern}", re.VERBOSE)
_PLACE: Final = re.compile(rf"({_DIGITS})([億万千]?)")
_VALUE_OF: Final = {"億": 100_000_000, "万": 10_000, "千": 1_000, "": 1}
_BRACKET: Final = re.compile(r"\(([^()]*)\)")
_LABEL: Final = re.compile(r"(?P<label>[^\s:()+]+)(?:\s*:\s*|\s+)")
_BREAKDOWN: Final = re.compile(r"内訳\s*:?\s*")
_MERGED: Final = re.compile(r"(?P<rule>.+?)での名寄せで")
_INCLUDES: Final = re.compile(r"(?P<who>.+?)(?:を)?(?:含む|含みます)")
_NOT_STATED: Final = re.compile(r"(?:記載なし|記載無し|不明|未記載|)\s*(?:\(?(?P<why>調査中)\)?)?")
_DUPLICATES: Final = frozenset({"重複含む", "重複あり", "重複有り", "重複を含む"})


def parse_counts(raw: str) -> CountCell:
    """Raises Fault when any part of the cell is not understood."""
    text = raw.translate(FOLDED).strip()
    if none := _NOT_STATED.fullmatch(text):
        return CountCell(raw, under_investigation=none["why"] is not None)
    offset = len(raw) - len(raw.lstrip())
    addends: list[Count] = []
    parts: list[Part] = []
    beside: list[Count] = []
    includes: list[str] = []
    duplicates = False
    position = 0

    while position < len(text):
        if text[position].isspace():
            position += 1
        elif found := _BREAKDOWN.match(text, position):
            position = found.end()
        elif found := _COUNT.match(text, position):
            if addends:
                break  # two counts with nothing between them say nothing about how they belong together
            addends.append(_count(found))
            position = found.end()
            while found := _ADDEND.match(text, position):
                addends.append(_count(found))
                position = found.end()
        elif found := _BRACKET.match(text, position):
            note = found[1].strip()
            if note in _DUPLICATES:
                duplicates = True
            elif (inner := _beside(note)) is not None:
                beside.append(inner)
            elif who := _INCLUDES.fullmatch(note):
                includes.extend(who["who"].split("、"))
            else:
                break
            position = found.end()
        elif (found := _LABEL.match(text, position)) and (counted := _COUNT.match(text, found.end())):
            parts.append(Part(found["label"], _count(counted)))
            position = counted.end()
        else:
            break
    if position < len(text) or not (addends or parts):
        raise Fault(COUNT_UNREADABLE, text=raw, rest=raw[offset + position :])
    return CountCell(raw, tuple(addends), tuple(parts), tuple(beside), duplicates, tuple(includes))


def _beside(note: str) -> Count | None:
    """電話番号での名寄せで1万件 and 1,074人分: the same rows, counted in another way."""
    if merged := _MERGED.match(note):
        found = _COUNT.fullmatch(note, merged.end())
        return _count(found, merged_by=merged["rule"]) if found else None
    found = _COUNT.fullmatch(note)
    return _count(found) if found else None


def _count(found: re.Match[str], merged_by: str | None = None) -> Count:
    low, step, without_myriad = _number(found["low"])
    high = _number(found["high"])[0] if found["high"] else low
    approximate = found["approximate"] is not None
    if approximate and step == 1:
        # 約2,400: the zeros at the end are not digits that anybody counted.
        while low and low % (step * 10) == 0:
            step *= 10
    if merged_by is not None:
        unit = Unit.MERGED
    elif found["cumulative"]:
        unit = Unit.CUMULATIVE
    else:
        unit = Unit.RECORDS if found["unit"] == "件" else Unit.PERSONS
    return Count(
        raw=found[0].strip(),
        low=low,
        high=high,
        unit=unit,
        approximate=approximate,
        at_most=found["at_most"] is not None,
        step=step,
        merged_by=merged_by,
        without_myriad=without_myriad,
    )


def _number(written: str) -> tuple[int, int, int | None]:
    """The value, the place of its last written digit, and the value without a 万 that cannot be meant."""
    value, step = Fraction(0), 1
    without_myriad: int | None = None
    for digits, word in _PLACE.findall(written):
        number = Fraction(digits.replace(",", ""))
        value += number * _VALUE_OF[word]
        decimals = len(digits.partition(".")[2])
        step = max(1, _VALUE_OF[word] // 10**decimals)
        if word == "万" and number >= 10_000:  # 100,000,000 is written 1億
            without_myriad = int(number)
    return int(value), step, without_myriad


def format_count(count: Count) -> str:
    """The canonical words: 最大延べ約483,000件. `parse_counts` reads them back to the same value and unit."""
    if count.unit is Unit.MERGED:
        return f"{count.merged_by}での名寄せで{_digits(count)}件"
    cumulative = "延べ" if count.unit is Unit.CUMULATIVE else ""
    unit = "人" if count.unit is Unit.PERSONS else "件"
    return f"{'最大' if count.at_most else ''}{cumulative}{_digits(count)}{unit}"


def _digits(count: Count) -> str:
    numbers = f"{count.low:,}" if count.low == count.high else f"{count.low:,}~{count.high:,}"
    return ("約" if count.approximate else "") + numbers
