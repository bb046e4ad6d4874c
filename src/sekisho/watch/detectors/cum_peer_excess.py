"""3. More persons for the same work than the other few who do it: for each ticket, over 30 and 365 days."""

from collections.abc import Iterator
from typing import Final

import msgspec

from sekisho.watch.detector import Detector, Finding, Head, Memory, Value, Words, by_human
from sekisho.watch.known import BULK, Known
from sekisho.watch.observation import DAY, Observation
from sekisho.watch.tails import count_surprise
from sekisho.watch.windows import Windows

SHAPE: Final = 18.0  # what a ticket needs differs between honest workers by about a quarter
SHAPE_ALONE: Final = 7.0  # … and by more where there are no tickets, and a day of work is the unit
ENOUGH: Final = 3  # colleagues, for the middle one of them to be usual
LEAST: Final = 8  # tickets (or days without tickets) before anybody is compared
CAP: Final = 120  # persons: one unusual ticket is not a habit


class Work(Memory):
    """Persons of lookups, and how many tickets (or days, where there are none) they were for.

    `counted` is how much of the present ticket has entered, `last` the day of the latest lookup."""

    persons: Windows = msgspec.field(default_factory=Windows)
    units: Windows = msgspec.field(default_factory=Windows)
    unit: str = ""
    counted: int = 0
    last: int = 0
    said: int = 0


def look(work: Work, o: Observation, known: Known) -> Finding | None:
    ticket = known.ticket
    if ticket is not None and ticket.expected > BULK:
        return None  # a list that was ordered is no lookup
    work.last = known.day
    unit = o.ticket or str(known.day)
    if unit != work.unit:
        work.unit, work.counted = unit, 0
        work.units.add(known.day, 1)
    amount = min(o.persons, CAP - work.counted)
    if amount > 0:
        work.counted += amount
        work.persons.add(known.day, amount)
    return None


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
    for human, mine in figures.items():
        work = memories[human]
        if work.last < day - 1:
            continue
        others = [figures[peer] for peer in known.peers(human) if peer in figures]
        score, window, count, mean = 0.0, 30, 0, 0.0
        for place, days in enumerate((30, 365)):
            persons, units = mine[place]
            worked = sum(other[place][1] for other in others)
            if units < LEAST or worked < LEAST:
                continue
            # One colleague's odd month must not hide another's: the middle one counts, where there are enough.
            usual = _usual([other[place] for other in others]) * units
            surprise = count_surprise(persons, usual, shape)
            if surprise > score:
                score, window, count, mean = surprise, days, persons, usual
        steps = int(score * 2)
        if score < 1.5 or steps <= work.said:
            work.said = min(work.said, steps + 1)
            continue
        work.said = steps
        values: dict[str, Value] = {
            "persons": count,
            "window": window,
            "usual": round(mean),
            "peers": len(others),
        }
        yield human, Finding(score, count, mean, values, human=human)


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
        "{usual} for as many tickets.",
        "{human} は {window} 日間の照会で {persons} 人分を閲覧。同僚 {peers} 人なら同数のチケットで約 {usual} 人です。",
    ),
    look=look,
    sweep=sweep,
)
