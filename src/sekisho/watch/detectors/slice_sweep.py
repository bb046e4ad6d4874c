"""5. Slices that tile a table: ranges of keys end to end, or page after page of one size."""

from typing import Final

import msgspec

from sekisho.watch.detector import Detector, Finding, Head, Memory, Words, by_human_and_client
from sekisho.watch.known import BULK, Known
from sekisho.watch.observation import Observation

DAYS: Final = 90
PAGES: Final = 8  # pages of one size in a row of ninety days
LEAST: Final = 50  # persons on a page
_SIZES: Final = 12  # page sizes remembered


class Ranges(Memory):
    """`ends` are where the last ranges ended."""

    ends: list[int] = msgspec.field(default_factory=list)
    tiles: int = 0
    since: int = 0
    said: int = 0


class Slices(Memory):
    """`sizes` maps a page's rows to [first day, pages, persons]. Neither is there until it is needed."""

    ranges: Ranges | None = None
    sizes: dict[int, list[int]] | None = None


def look(slices: Slices, o: Observation, known: Known) -> Finding | None:
    if o.high > o.low:
        ranges = slices.ranges = slices.ranges or Ranges()
        return _range(ranges, o, known)
    if (
        o.persons < LEAST
        or o.persons != o.rows
        or (known.ticket is not None and known.ticket.expected > BULK)
    ):
        return None
    sizes = slices.sizes = {} if slices.sizes is None else slices.sizes
    day = known.day
    page = sizes.get(o.rows)
    if page is None or page[0] <= day - DAYS:
        if len(sizes) >= _SIZES and o.rows not in sizes:
            del sizes[min(sizes, key=lambda size: (sizes[size][1], sizes[size][0], size))]
        sizes[o.rows] = [day, 1, o.persons]
        return None
    page[1] += 1
    page[2] += o.persons
    if page[1] < PAGES or page[1] & (page[1] - 1):  # told at 8, 16, 32, …
        return None
    return _found(page[1], page[2], o.rows, day - page[0] + 1)


def _range(slices: Ranges, o: Observation, known: Known) -> Finding | None:
    if slices.since <= known.day - DAYS:
        slices.tiles, slices.since, slices.said = 0, known.day, 0
    slack = max(1, (o.high - o.low) // 50)
    if any(abs(o.low - end) <= slack for end in slices.ends):
        slices.tiles += 1
    slices.ends = [*slices.ends[-7:], o.high]
    if slices.tiles < PAGES - 3 or slices.tiles <= 2 * slices.said:
        return None
    slices.said = slices.tiles
    return _found(
        slices.tiles + 1, (slices.tiles + 1) * o.persons, o.high - o.low, known.day - slices.since + 1
    )


def _found(pages: int, persons: int, size: int, days: int) -> Finding:
    score = 2.5 + 0.5 * (pages // PAGES).bit_length() + (1.0 if persons > 5_000 else 0.0)
    return Finding(score, pages, PAGES, {"pages": pages, "persons": persons, "size": size, "days": days})


DETECTOR: Final = Detector(
    number=5,
    name="slice_sweep",
    head=Head.CHAIN,
    kinds=("read",),
    window="90 d",
    memory=Slices,
    key=by_human_and_client,
    reason=Words(
        "Nobody's work needs a table page by page; a copy does.",
        "業務で表を端から順に読む必要はありません。複製には必要です。",
    ),
    finding=Words(
        "{human} read {pages} adjoining slices of {size} of {client}'s data in {days} days: about {persons} persons.",
        "{human} は {days} 日間に {client} のデータを {size} 件ずつ {pages} 回続けて読みました: 約 {persons} 人。",
    ),
    look=look,
)
