"""7. Today against one's own last weeks: a decayed gamma-Poisson rate for each kind of act."""

from typing import Final

import msgspec

from sekisho.watch.detector import Detector, Finding, Head, Memory, Words, by_human
from sekisho.watch.known import BULK, Known
from sekisho.watch.observation import Observation
from sekisho.watch.tails import count_surprise

HALF_LIFE: Final = 45  # days
_FADE: Final = 0.5 ** (1 / HALF_LIFE)
PRIOR_DAYS: Final = 5.0
# What a day of a kind usually holds, before anything is known of the human; and how far days of it scatter.
USUAL: Final = {"read": (40.0, 2.0), "command": (200.0, 1.0)}
OTHERWISE: Final = (6.0, 1.5)


class Rates(Memory):
    """By kind: [decayed sum, decayed days, the last day of it, that day's count, told half bits, alarm level]."""

    kinds: dict[str, list[float]] = msgspec.field(default_factory=dict)


def look(rates: Rates, o: Observation, known: Known) -> Finding | None:
    kind = o.kind
    if kind == "read":
        amount = o.persons
        if not amount or (known.ticket is not None and known.ticket.expected > BULK and known.covered()):
            return None  # a list that was ordered and approved is judged by its ticket
    else:
        amount = 1
    rate = rates.kinds.get(kind)
    if rate is None:
        mean = USUAL.get(kind, OTHERWISE)[0]
        rate = rates.kinds[kind] = [mean * PRIOR_DAYS, PRIOR_DAYS, float(known.day), 0.0, 0.0, 0.0]
        rate[5] = _level(rate, kind)
    elif rate[2] != known.day:
        _close(rate, known.day)
        rate[5] = _level(rate, kind)
    rate[3] += amount
    if rate[3] < rate[5]:
        return None
    mean = rate[0] / rate[1]
    score = count_surprise(rate[3], mean, USUAL.get(kind, OTHERWISE)[1])
    if int(score * 2) <= rate[4]:
        return None
    rate[4] = float(int(score * 2))
    return Finding(score, rate[3], mean, {"count": int(rate[3]), "kind": kind, "usual": round(mean, 1)})


def _close(rate: list[float], day: int) -> None:
    """Take the finished day into the rate; days without any count as such, but a long absence is no habit of rest."""
    passed = min(int(day - rate[2]), 14)
    # What was told as an alarm enters no further than the level: an alarm must not teach its own excuse.
    rate[0] = (rate[0] + min(rate[3], rate[5])) * _FADE**passed
    rate[1] = rate[1] * _FADE**passed + 1.0
    rate[2], rate[3], rate[4] = float(day), 0.0, 0.0


def _level(rate: list[float], kind: str) -> float:
    """The count from which on a day says anything: below it, nothing has to be computed."""
    mean, shape = rate[0] / rate[1], USUAL.get(kind, OTHERWISE)[1]
    level = max(3.0, 2 * mean)
    while count_surprise(level, mean, shape) < 1.0:
        level *= 1.25
    return level


DETECTOR: Final = Detector(
    number=7,
    name="export_burst",
    head=Head.VOLUME,
    kinds=("read", "takeout", "file", "device", "media", "mail", "print", "command"),
    window="day, against about 45 d of one's own",
    memory=Rates,
    key=by_human,
    reason=Words(
        "A day far above one's own usual ones has a cause, and somebody should know it.",
        "本人のふだんを大きく上回る日には理由があり、誰かがそれを知っているべきです。",
    ),
    finding=Words(
        "{human}: {count} ({kind}) today, where {usual} a day are usual.",
        "{human}: 本日 {count} 件 ({kind})。ふだんは1日 {usual} 件です。",
    ),
    look=look,
)
