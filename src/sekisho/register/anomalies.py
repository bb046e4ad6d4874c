"""What does not add up in a table of affected organisations, by itself or against what other sources claim.

One slip raises one anomaly: a count that is both above the total and oddly written is told once. Nothing is
corrected and nothing is left out; an anomaly is a question for the source.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import msgspec

from sekisho.faults import FaultKind, Language
from sekisho.register import faults
from sekisho.register.affected import AffectedRow, AffectedTable
from sekisho.register.counts import CountCell
from sekisho.register.periods import Period


class ClaimedWindow(msgspec.Struct, frozen=True):
    """When data left, as one source says it for one organisation."""

    organisation: str
    source: str
    window: Period


class NamedBody(msgspec.Struct, frozen=True):
    """An organisation that a source names as affected."""

    organisation: str
    source: str


class Claims(msgspec.Struct, frozen=True):
    """What is claimed of the whole case. Whatever is left out is not compared."""

    total: CountCell | None = None
    attributed: CountCell | None = None
    cards: CountCell | None = None
    windows: tuple[ClaimedWindow, ...] = ()
    named: tuple[NamedBody, ...] = ()


@dataclass(frozen=True)
class Anomaly:
    """`row` is the place in the table (from 0), None when it concerns the table as a whole."""

    kind: FaultKind
    row: int | None
    values: Mapping[str, object]

    def sentence(self, language: Language) -> str:
        return self.kind.sentence(language, dict(self.values))


_CARDS: Final = "card"
_COUNTED_REMARK: Final = re.compile(r"([\d,]{1,15})件")


def anomalies(table: AffectedTable, claims: Claims) -> list[Anomaly]:
    """Every anomaly, rows first, in the order of the table."""
    found = [anomaly for place, row in enumerate(table.rows) for anomaly in _of_row(place, row, claims)]
    return [*found, *_of_table(table, claims)]


def _of_row(place: int, row: AffectedRow, claims: Claims) -> Iterator[Anomaly]:
    name = row.organisation.body.name
    yield from _implausible(place, row, claims)
    for items in row.items:
        for item in items.duplicates:
            yield Anomaly(faults.DUPLICATE_ITEM, place, {"organisation": name, "item": item})
    yield from _before_contract(place, row, claims)
    counts = row.counts
    if counts.addends and counts.parts:
        stated = sum(count.low for count in counts.addends)
        total = sum(part.count.low for part in counts.parts)
        if abs(stated - total) > _tolerance(counts):
            yield Anomaly(
                faults.PARTS_AND_SUM,
                place,
                {"organisation": name, "what": "件数", "stated": stated, "total": total},
            )


def _before_contract(place: int, row: AffectedRow, claims: Claims) -> Iterator[Anomaly]:
    """Data that left after a contract had ended is no slip, but before the first contract there was none."""
    periods = [business.period for business in row.businesses if business.period.intervals]
    starts = [(first, period.raw) for period in periods if (first := period.first())]
    if not starts or len(starts) < len(periods):  # an open or unknown beginning contradicts nothing
        return
    first, raw = min(starts)
    name = row.organisation.body.name
    for claim in claims.windows:
        began = claim.window.first()
        if claim.organisation == name and began is not None and began < first:
            yield Anomaly(
                faults.LEAK_BEFORE_CONTRACT,
                place,
                {"organisation": name, "source": claim.source, "window": claim.window.raw, "period": raw},
            )


def _implausible(place: int, row: AffectedRow, claims: Claims) -> Iterator[Anomaly]:
    value = row.counts.total()
    total = claims.total.total() if claims.total else None
    likely = plausible_total(row.counts)
    values = {"organisation": row.organisation.body.name, "text": row.counts.raw}
    if value is not None and total is not None and value > total:
        yield Anomaly(faults.ROW_ABOVE_TOTAL, place, {**values, "total": total})
    elif likely != value:
        yield Anomaly(faults.IMPLAUSIBLE_MYRIAD, place, {**values, "likely": likely})


def plausible_total(counts: CountCell) -> int | None:
    """The cell's total with each impossible 万 left out: what it would be if it is a slip. Never stored."""
    value = counts.total()
    stated = counts.addends or tuple(part.count for part in counts.parts)
    for count in stated:
        if value is not None and count.without_myriad is not None:
            value += count.without_myriad - count.high
    return value


def _tolerance(counts: CountCell) -> Fraction:
    """Each rounded figure may be off by half of its last digit."""
    stated = (*counts.addends, *(part.count for part in counts.parts))
    return sum((count.tolerance for count in stated), Fraction(0))


def _of_table(table: AffectedTable, claims: Claims) -> Iterator[Anomaly]:
    counted = [row.counts for row in table.rows if row.counts.stated]
    total = sum(plausible_total(counts) or 0 for counts in counted)
    if claims.attributed is not None and (stated := claims.attributed.total()) is not None:
        slack = sum((_tolerance(counts) for counts in (*counted, claims.attributed)), Fraction(0))
        if abs(total - stated) > slack:
            yield Anomaly(
                faults.ROWS_AND_TOTAL,
                None,
                {"rows": len(counted), "total": total, "stated": stated, "units": _units(counted)},
            )
    if claims.cards is not None and (stated := claims.cards.total()) is not None:
        cards = sum(_cards(row) for row in table.rows)
        if cards != stated:
            values = {"organisation": table.source, "what": "クレジットカード情報", "stated": stated}
            yield Anomaly(faults.PARTS_AND_SUM, None, values | {"total": cards})
    present = {name for row in table.rows for name in _names(row)}
    for body in claims.named:
        if body.organisation not in present:
            yield Anomaly(
                faults.NAMED_ELSEWHERE, None, {"organisation": body.organisation, "source": body.source}
            )


def _units(counted: list[CountCell]) -> str:
    kinds = {count.unit.value for cell in counted for count in (*cell.addends, *cell.beside)}
    if any(cell.duplicates for cell in counted):
        kinds.add("重複")
    return "・".join(sorted(kinds))


def _cards(row: AffectedRow) -> int:
    """クレジットカード情報(67件): the persons of the row whose card is among the data."""
    return sum(
        int(counted[1].replace(",", ""))
        for items in row.items
        for named in items.named
        if named.item.id == _CARDS and (counted := _COUNTED_REMARK.fullmatch(named.remark))
    )


_PREFECTURE: Final = re.compile(r"(?P<prefecture>.{2,3}?[都道府県])(?P<body>.+[市区町村])")


def _names(row: AffectedRow) -> Iterator[str]:
    """The row's organisation, also without its prefecture, and every member body."""
    name = row.organisation.body.name
    yield name
    if municipality := _PREFECTURE.fullmatch(name):
        yield municipality["body"]
    for member in row.organisation.members:
        yield member.name
