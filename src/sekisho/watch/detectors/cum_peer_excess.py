"""3. More persons for the same work than the other few who do it: for each ticket, over 30 and 365 days."""

from collections.abc import Iterator
from math import log2
from typing import Final

import msgspec

from sekisho.watch.detector import Detector, Finding, Head, Memory, Value, Words, by_human
from sekisho.watch.known import BULK, Known
from sekisho.watch.observation import DAY, Observation
from sekisho.watch.tails import count_surprise, share_surprise
from sekisho.watch.windows import Windows

SHAPE: Final = 18.0  # what a ticket needs differs between honest workers by about a quarter
SHAPE_ALONE: Final = 7.0  # … and by more where there are no tickets, and a day of work is the unit
ENOUGH: Final = 3  # colleagues, for the middle one of them to be usual
LEAST: Final = 8  # tickets (or days without tickets) before anybody is compared
CAP: Final = 120  # persons: one unusual ticket is not a habit
# The largest lookup of a day, in half octaves. What more than `COMMON` of the colleagues' days have says nothing. One's
# own days are held against theirs of the next smaller size: what honest work needs differs by about so much.
BINS: Final = 20
COMMON: Final = 0.6
DAYS: Final = 22  # of work, about a month
COLLEAGUES: Final = 20  # days of theirs, before they say what is rare
_FADED: Final = 400  # days of work; then the older half counts for half


class Work(Memory):
    """Persons of lookups, and how many tickets (or days, where there are none) they were for.

    `counted` is how much of the present ticket has entered, `last` the day of the latest lookup, `largest` what the
    largest one of that day was. `sizes` counts finished days by the size of their largest lookup, `recent` is that
    size of each of the latest ones."""

    persons: Windows = msgspec.field(default_factory=Windows)
    units: Windows = msgspec.field(default_factory=Windows)
    unit: str = ""
    counted: int = 0
    last: int = 0
    said: int = 0
    largest: int = 0
    sizes: list[int] = msgspec.field(default_factory=lambda: [0] * BINS)
    recent: bytes = b""


def look(work: Work, o: Observation, known: Known) -> Finding | None:
    ticket = known.ticket
    if ticket is not None and ticket.expected > BULK:
        return None  # a list that was ordered is no lookup
    if known.day != work.last:
        _close(work)
        work.last = known.day
    unit = o.ticket or str(known.day)
    if unit != work.unit:
        work.unit, work.counted = unit, 0
        work.units.add(known.day, 1)
    amount = min(o.persons, CAP - work.counted)
    if amount > 0:
        work.counted += amount
        work.persons.add(known.day, amount)
        work.largest = max(work.largest, work.counted)
    return None


def _close(work: Work) -> None:
    """Take the finished day in, if it had lookups."""
    if not work.largest:
        return
    size = min(BINS - 1, int(2 * log2(work.largest)))
    work.sizes[size] += 1
    if sum(work.sizes) > _FADED:
        work.sizes = [count // 2 for count in work.sizes]
    work.recent = work.recent[1 - DAYS :] + bytes([size])
    work.largest = 0


def sweep(memories: dict[str, Work], now: int, known: Known) -> Iterator[tuple[str, Finding]]:
    day = (now // 1_000_000 + known.zone) // (DAY // 1_000_000)
    shape = SHAPE if known.tickets_used else SHAPE_ALONE
    figures = {
        human: (
            (work.persons.month(day), work.units.month(day)),
            (work.persons.year(day), work.units.year(day)),
        )
        for human, work in sorted(memories.items())
    }
    for work in memories.values():
        if work.last < day:
            _close(work)
    for human, mine in figures.items():
        work = memories[human]
        if work.last < day - 1:
            continue
        peers = [peer for peer in known.peers(human) if peer in figures]
        score, window, count, mean = 0.0, 30, mine[0][0], 0.0
        for place, days in enumerate((30, 365)):
            persons, units = mine[place]
            worked = sum(figures[peer][place][1] for peer in peers)
            if units < LEAST or worked < LEAST:
                continue
            # One colleague's odd month must not hide another's: the middle one counts, where there are enough.
            usual = _usual([figures[peer][place] for peer in peers]) * units
            surprise = count_surprise(persons, usual, shape)
            if surprise > score or not mean:
                score, window, count, mean = surprise, days, persons, usual
        habit, often, seldom = _habit(work, [memories[peer] for peer in peers])
        best = max(score, habit)
        steps = int(best * 2)
        if best < 1.5 or steps <= work.said:
            work.said = min(work.said, steps + 1)
            continue
        work.said = steps
        values: dict[str, Value] = {
            "persons": count,
            "window": window,
            "usual": round(mean),
            "peers": len(peers),
            "often": often,
            "of": len(work.recent),
            "seldom": round(seldom, 1),
        }
        observed, expected = (count, mean) if score >= habit else (often, seldom)
        yield human, Finding(best, observed, expected, values, human=human)


def _habit(work: Work, others: list[Work]) -> tuple[float, int, float]:
    """How surprising it is that the largest lookup of the latest days was so often so large: (−log10 of a bound on the
    chance, on how many days, on how many it would be usual). Work has small days and large ones, for a colleague as
    well; who adds a little to one lookup every day has no small days any more."""
    days = [sum(each) for each in zip(*(other.sizes for other in others), strict=True)]
    total, own = sum(days), len(work.recent)
    best, above = (0.0, 0, 0.0), 0
    if total < COLLEAGUES or own < LEAST:
        return best
    for size in range(BINS - 1, 0, -1):
        above += days[size]
        share = (above + 1) / (total + 2)
        if share > COMMON:
            break
        often = sum(one > size for one in work.recent)
        surprise = share_surprise(often, own, share)
        if surprise > best[0]:
            best = surprise, often, share * own
    return best


def _usual(others: list[tuple[int, int]]) -> float:
    """Persons for each unit: of three who have done enough to say so the middle one, else the mean of all."""
    rates = sorted(persons / units for persons, units in others if units >= LEAST)
    if len(rates) >= ENOUGH:
        return rates[len(rates) // 2]
    return sum(persons for persons, _ in others) / max(1, sum(units for _, units in others))


DETECTOR: Final = Detector(
    number=3,
    name="cum_peer_excess",
    head=Head.STYLE,
    kinds=("read",),
    window="30 d, 365 d",
    memory=Work,
    key=by_human,
    reason=Words(
        "Who takes from the first day has no honest history of his own; the colleagues beside him have.",
        "初日から持ち出す人には比較すべき正常な履歴がありません。同僚にはあります。",
    ),
    finding=Words(
        "{human} saw {persons} persons in lookups within {window} days; {peers} colleagues would have seen about "
        "{usual} for as many tickets. On {often} of the last {of} days of work the largest lookup was of a size that "
        "colleagues' lookups rarely have; {seldom} such days would be usual.",
        "{human} は {window} 日間の照会で {persons} 人分を閲覧。同僚 {peers} 人なら同数のチケットで約 {usual} 人です。"
        "直近 {of} 日の業務のうち {often} 日で、最大の照会が同僚ではまれな規模でした (ふだんなら {seldom} 日)。",
    ),
    look=look,
    sweep=sweep,
)
