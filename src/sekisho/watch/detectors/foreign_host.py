"""11. An account at a terminal that is another human's."""

from typing import Final

import msgspec

from sekisho.watch.detector import Detector, Finding, Head, Memory, Value, Words, by_place
from sekisho.watch.known import Known
from sekisho.watch.observation import Observation

OWNED: Final = 0.8  # of a terminal's days
LEAST: Final = 8  # days
_MOST: Final = 12  # humans remembered of a terminal


class Terminal(Memory):
    """Days on which each human logged on here; `last` is the latest day of each."""

    days: dict[str, int] = msgspec.field(default_factory=dict)
    last: dict[str, int] = msgspec.field(default_factory=dict)


def look(terminal: Terminal, o: Observation, known: Known) -> Finding | None:
    human, days = known.human, terminal.days
    if not o.place or not human or terminal.last.get(human) == known.day:
        return None
    terminal.last[human] = known.day
    total = sum(days.values())
    mine = days.get(human, 0)
    days[human] = mine + 1
    if len(days) > _MOST:
        least = min(days, key=lambda name: (days[name], terminal.last[name], name))
        del days[least], terminal.last[least]
    if total < LEAST:
        return None
    owner = max(sorted(days), key=days.__getitem__)
    if owner == human or days[owner] < OWNED * total or mine >= 3:
        return None
    score = 2.2 + min(1.3, 0.2 * total.bit_length()) - 0.5 * mine
    values: dict[str, Value] = {"place": o.place, "owner": owner, "days": days[owner], "mine": mine}
    return Finding(score, mine + 1, 0, values)


DETECTOR: Final = Detector(
    number=11,
    name="foreign_host",
    head=Head.PLACE,
    kinds=("logon",),
    window="the log-on, against the terminal's whole past",
    memory=Terminal,
    key=by_place,
    reason=Words(
        "Who borrows a colleague's terminal or account borrows the colleague's name.",
        "同僚の端末やアカウントを借りる人は、同僚の名前を借りています。",
    ),
    finding=Words(
        "{human} logged on at {place}, which is {owner}'s ({days} days; {human} was there {mine} times before).",
        "{human} が {owner} の端末 {place} でログオンしました ({owner} は {days} 日使用、{human} は過去 {mine} 回)。",
    ),
    look=look,
)
