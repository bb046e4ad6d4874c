"""3. More persons for the same work than the other few who do it: persons for each ticket, over 30 and 365 days."""

from collections.abc import Iterator
from typing import Final

import msgspec

from sekisho.watch.detector import Detector, Finding, Head, Memory, Value, Words, by_human
from sekisho.watch.known import BULK, Known
from sekisho.watch.observation import DAY, Observation
from sekisho.watch.tails import count_surprise
from sekisho.watch.windows import Windows

SHAPE: Final = 9.0  # honest workers of one team differ by about a third
LEAST_DAYS: Final = 8  # of work, before anybody is compared
PRIOR: Final = 5.0  # tickets' worth of the team's mean that stand in for what a peer has not done yet


class Work(Memory):
    """Persons of lookups (a bulk job counts no further than `BULK`), and days with lookups."""

    persons: Windows = msgspec.field(default_factory=Windows)
    days: Windows = msgspec.field(default_factory=Windows)
    last: int = 0
    said: int = 0


def look(work: Work, o: Observation, known: Known) -> Finding | None:
    ticket = known.ticket
    if ticket is not None and ticket.expected > BULK:
        return None  # a list that was ordered is no lookup
    amount = min(o.persons, BULK)
    if known.day != work.last:
        work.last = known.day
        work.days.add(known.day, 1)
    if amount:
        work.persons.add(known.day, amount)
    return None


def sweep(memories: dict[str, Work], now: int, known: Known) -> Iterator[tuple[str, Finding]]:
    day = (now // 1_000_000 + known.zone) // (DAY // 1_000_000)
    figures = {
        human: (work.persons.month(day), work.days.month(day), work.persons.year(day), work.days.year(day))
        for human, work in sorted(memories.items())
    }
    for human, (month, month_days, year, year_days) in figures.items():
        work = memories[human]
        if month_days < LEAST_DAYS or work.last < day - 1:
            continue
        others = [figures[peer] for peer in known.peers(human) if peer in figures]
        worked = sum(other[1] for other in others)
        if worked < LEAST_DAYS:
            continue
        rate = sum(other[0] for other in others) / worked
        score, window, count, mean = (
            count_surprise(month, rate * month_days, SHAPE),
            30,
            month,
            rate * month_days,
        )
        long_worked = sum(other[3] for other in others)
        long_rate = sum(other[2] for other in others) / max(1, long_worked)
        long_score = count_surprise(year, long_rate * year_days, SHAPE)
        if long_score > score and year_days > 60:
            score, window, count, mean = long_score, 365, year, long_rate * year_days
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
        "{usual} in as many days of work.",
        "{human} は {window} 日間の照会で {persons} 人分を見ました。同僚 {peers} 人なら同じ日数で約 {usual} 人です。",
    ),
    look=look,
    sweep=sweep,
)
