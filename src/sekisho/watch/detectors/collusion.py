"""19. Two who serve each other: reciprocal approvals, self-approval, request and approval from one terminal."""

from typing import Final

from sekisho.watch.detector import Detector, Finding, Head, Memory, Value, Words
from sekisho.watch.known import BULK, Known
from sekisho.watch.observation import Observation

EACH: Final = 4  # approvals in either direction within a year
DAYS: Final = 365


class Pair(Memory):
    """Approvals by the first and by the second of the pair (in order of name), since a day."""

    since: int = 0
    first: int = 0
    second: int = 0
    bulk: int = 0
    said: str = ""


def pair(o: Observation, known: Known) -> str:
    asker = known.ticket.human if known.ticket is not None else known.accounts.get(o.other, o.other)
    return "|".join(sorted((known.human, asker)))


def look(memory: Pair, o: Observation, known: Known) -> Finding | None:
    ticket = known.ticket
    if ticket is None or o.what == "declined":
        return None
    if known.day - memory.since > DAYS:
        memory.since, memory.first, memory.second, memory.bulk, memory.said = known.day, 0, 0, 0, ""
    asker = ticket.human
    values: dict[str, Value] = {"asker": asker, "ticket": o.ticket}
    if asker == known.human:
        return Finding(6.0, 1, 0, {**values, "sign": "self"}, certain=True)
    if known.human < asker:
        memory.first += 1
    else:
        memory.second += 1
    memory.bulk += ticket.expected > BULK
    if o.place and o.place == ticket.place and memory.said != "terminal":
        memory.said = "terminal"
        return Finding(4.0, 1, 0, {**values, "sign": "terminal"})
    if min(memory.first, memory.second) >= EACH and not memory.said:
        memory.said = "reciprocity"
        score = 2.8 + (0.7 if memory.bulk else 0.0)
        return Finding(score, min(memory.first, memory.second), 0, {**values, "sign": "reciprocity"})
    return None


DETECTOR: Final = Detector(
    number=19,
    name="collusion",
    head=Head.CONSENT,
    kinds=("approval",),
    window="365 d",
    memory=Pair,
    key=pair,
    reason=Words(
        "Four eyes see nothing when both pairs want the same.",
        "二人の目も、二人が同じことを望めば何も見ません。",
    ),
    finding=Words(
        "{human} approved {asker}'s ticket {ticket}; sign: {sign}.",
        "{human} が {asker} のチケット {ticket} を承認しました。兆候: {sign}。",
    ),
    look=look,
)
