"""One row of a published table of affected organisations: five cells as people write them, read without loss.

The cells: the organisation (with the nth report, marks and member bodies), the count, the data items (with the
businesses and their contract periods), what is said about a leak, and how it came to light. Every structure
keeps the text that it was read from; `AffectedRow.cells` gives the five cells back to the letter.
"""

import re
from collections.abc import Iterator
from datetime import date
from typing import Final

import msgspec

from sekisho.faults import Fault
from sekisho.register.counts import Count, CountCell, parse_counts
from sekisho.register.faults import ITEMS_UNREADABLE, ORGANISATION_UNREADABLE
from sekisho.register.found import Found, parse_found
from sekisho.register.leak_status import LeakStatement, parse_leak_status
from sekisho.register.periods import FOLDED, Period, leading_period, parse_period, trailing_period
from sekisho.text.items import ItemList, parse_items


class Cells(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The row as it is published."""

    org: str
    count: str
    items: str
    leak: str
    found: str


class Body(msgspec.Struct, frozen=True):
    """A name with the reports that it carries: 第2報 is 2. The first report has no mark."""

    name: str
    reports: tuple[int, ...] = ()


class Organisation(msgspec.Struct, frozen=True):
    raw: str
    body: Body
    suspended_from_bids: bool = False  # 指名停止措置
    members_heading: str = ""
    members: tuple[Body, ...] = ()


class Business(msgspec.Struct, frozen=True):
    """What was entrusted. `count` is set where the count cell states one for this business."""

    raw: str
    name: str
    period: Period
    reentrusted: bool
    items: ItemList
    count: Count | None = None


class AffectedRow(msgspec.Struct, frozen=True):
    """`items` is every list of items of the row; a row with several lists has one for each business."""

    organisation: Organisation
    counts: CountCell
    items_raw: str
    items: tuple[ItemList, ...]
    businesses: tuple[Business, ...]
    leak: LeakStatement
    found: Found

    def cells(self) -> Cells:
        return Cells(self.organisation.raw, self.counts.raw, self.items_raw, self.leak.raw, self.found.raw)


class AffectedTable(msgspec.Struct, frozen=True):
    """A table as one source published it on one day. A later one is another table: nothing is overwritten."""

    source: str
    as_of: date
    rows: tuple[AffectedRow, ...]


_HEADING: Final = re.compile(r"\s(?P<heading>[^\s:()]+)\s*:\s*(?P<members>.+)", re.DOTALL)
_REPORT: Final = re.compile(r"第(\d{1,2})報")
_SUSPENDED: Final = "指名停止措置"
_LABELLED: Final = re.compile(
    r"\s*(?P<label>[^\s:()、]+):(?P<items>[^:]*?)\((?P<period>[^():]*?)(?P<re>再)?委託\)"
)
_ENTRUSTED: Final = re.compile(r"(?P<what>.*?)を?(?P<re>再)?委託", re.DOTALL)


def read_row(cells: Cells) -> AffectedRow:
    """Raises Fault, naming the cell, when a part of it is not understood; nothing is guessed."""
    counts = parse_counts(cells.count)
    items, businesses = _read_items(cells.items, {part.label: part.count for part in counts.parts})
    return AffectedRow(
        organisation=_read_organisation(cells.org),
        counts=counts,
        items_raw=cells.items,
        items=items,
        businesses=businesses,
        leak=parse_leak_status(cells.leak),
        found=parse_found(cells.found),
    )


def _read_organisation(raw: str) -> Organisation:
    text = raw.translate(FOLDED)
    heading = _HEADING.search(text)
    body, suspended = _read_body(raw, text[: heading.start()] if heading else text)
    members: list[Body] = []
    if heading:
        for member in heading["members"].split("、"):
            name, member_suspended = _read_body(raw, member)
            if member_suspended:
                raise Fault(ORGANISATION_UNREADABLE, text=raw, rest=member)
            members.append(name)
    return Organisation(raw, body, suspended, heading["heading"] if heading else "", tuple(members))


def _read_body(raw: str, text: str) -> tuple[Body, bool]:
    name, bracket, marks = text.partition("(")
    reports: list[int] = []
    suspended = False
    for mark in re.findall(r"\(([^()]*)\)\s*|(.+)", bracket + marks):
        if report := _REPORT.fullmatch(mark[0]):
            reports.append(int(report[1]))
        elif mark[0] == _SUSPENDED:
            suspended = True
        else:
            raise Fault(ORGANISATION_UNREADABLE, text=raw, rest="".join(mark))
    if not name.strip():
        raise Fault(ORGANISATION_UNREADABLE, text=raw, rest=text)
    return Body(name.strip(), tuple(reports)), suspended


def _read_items(raw: str, counts: dict[str, Count]) -> tuple[tuple[ItemList, ...], tuple[Business, ...]]:
    """Either "items (businesses)" for the whole row, or "business:items(period)" once for each business."""
    text = raw.translate(FOLDED)
    opening = _last_bracket(raw, text)
    labelled = list(_labelled(text))
    if labelled:
        found = tuple(
            Business(
                raw=raw[match.start("label") : match.end()],
                name=match["label"],
                period=parse_period(match["period"]),
                reentrusted=match["re"] is not None,
                items=parse_items(raw[match.start("items") : match.end("items")]),
                count=counts.get(match["label"]),
            )
            for match in labelled
        )
        return tuple(business.items for business in found), found
    if opening is None or not text.rstrip().endswith("委託)"):
        return (parse_items(raw),), ()
    items = parse_items(raw[:opening])
    inside = raw[opening + 1 : len(text.rstrip()) - 1]
    pieces = re.split(r"(?<=委託)、", inside)
    return (items,), tuple(_read_business(piece, items, counts) for piece in pieces)


def _labelled(text: str) -> Iterator[re.Match[str]]:
    """The businesses of a cell that consists of nothing else."""
    matches = []
    position = 0
    while match := _LABELLED.match(text, position):
        matches.append(match)
        position = match.end()
    if not text[position:].strip():
        yield from matches


def _read_business(raw: str, items: ItemList, counts: dict[str, Count]) -> Business:
    """特定健診業務 2017年度委託: the name, the period behind it, and whether it was entrusted once more."""
    found = _ENTRUSTED.fullmatch(raw)
    what = found["what"] if found else raw
    period = trailing_period(what)
    name = what.removesuffix(period.raw).strip() if period else what.strip()
    return Business(
        raw=raw,
        name=name,
        # 平成30年度電話による…業務: a name that begins with its year has no other period.
        period=period or leading_period(name) or Period(""),
        reentrusted=found is not None and found["re"] is not None,
        items=items,
        count=counts.get(name),
    )


def _last_bracket(raw: str, text: str) -> int | None:
    """Where the last outermost bracket opens. Raises Fault when the brackets of the cell do not match."""
    depth = 0
    opening: int | None = None
    for position, character in enumerate(text):
        if character == "(":
            if depth == 0:
                opening = position
            depth += 1
        elif character == ")":
            depth -= 1
            if depth < 0:
                break
    if depth != 0:
        raise Fault(ITEMS_UNREADABLE, text=raw)
    return opening
