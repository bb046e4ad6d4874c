"""2. Everything beyond tickets, added up since the start, with a small allowance a day and no expiry (CUSUM)."""

from typing import Final

from sekisho.watch.detector import Detector, Finding, Head, Memory, Words, by_human
from sekisho.watch.known import Known
from sekisho.watch.observation import Observation

ALLOWANCE: Final = 1.5  # persons a day that honest work goes over its tickets
ALARM: Final = 60.0  # persons


class Excess(Memory):
    """`total` is the CUSUM; it falls by the allowance on days of work, never with time alone."""

    total: float = 0.0
    day: int = 0
    days: int = 0  # days on which it rose since it was last zero
    since: int = 0
    said: int = 0  # doublings of the alarm that were told


def look(excess: Excess, o: Observation, known: Known) -> Finding | None:
    ticket = known.ticket
    over = o.persons if ticket is None else min(known.fresh, ticket.used - ticket.expected)
    if known.day != excess.day:
        excess.total = max(0.0, excess.total - ALLOWANCE)
        excess.day = known.day
        if excess.total == 0.0:
            excess.days, excess.since, excess.said = 0, known.day, 0
        if over > 0:
            excess.days += 1
    if over <= 0 or (not known.tickets_used and o.kind != "takeout"):
        return None
    excess.total += over
    steps = int(excess.total / ALARM).bit_length()
    if steps <= excess.said:
        return None
    excess.said = steps
    # On one day it may be one large job gone wrong; on many days it is a habit.
    score = 2.0 + 0.5 * steps + min(2.0, 0.35 * excess.days)
    days = known.day - excess.since + 1
    return Finding(score, excess.total, ALARM, {"persons": round(excess.total), "days": days})


DETECTOR: Final = Detector(
    number=2,
    name="takeout_cusum",
    head=Head.TICKET,
    kinds=("read", "pull", "takeout"),
    window="since it was last zero, no expiry",
    memory=Excess,
    key=by_human,
    reason=Words(
        "Thirty rows a day beyond the tickets are nothing on any day, and a list after some years.",
        "チケットを毎日30件だけ超えても、その日は目立ちません。数年で名簿になります。",
    ),
    finding=Words(
        "{human} went over tickets by {persons} persons in {days} days, more than slips explain.",
        "{human} はこの {days} 日間でチケットの範囲を合計 {persons} 人超えました。うっかりでは説明できません。",
    ),
    look=look,
)
