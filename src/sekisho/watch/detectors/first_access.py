"""8. The first time ever: a client, table, terminal, tool or medium that this human never used, nor any peer."""

from typing import Final
from zlib import crc32

from sekisho.watch.detector import Detector, Finding, Head, Memory, Value, Words, by_human
from sekisho.watch.known import Known
from sekisho.watch.observation import Observation
from sekisho.watch.tails import rarity

LEARNING_DAYS: Final = 20  # of a human's own: everything is new at first
_MARK: Final = 3  # bytes
KNOWN_TO_ALL: Final = 8_192
MOST: Final = 96  # things remembered of a human; the oldest make room, and may be new again after years


class Things(Memory):
    """`seen` are 24-bit hashes of (kind of thing, thing) in the order of their first use: of 96 things known, a new one
    is taken for a known one once in 175,000 times. `new` and `days` give the rate of news."""

    seen: bytes = b""
    days: int = 0
    new: float = 0.0
    last: int = 0


def look(things: Things, o: Observation, known: Known) -> Finding | None:
    if known.day != things.last:
        things.last = known.day
        things.days += 1
        things.new *= 0.98
    best: tuple[str, str, int] | None = None
    for kind, thing in _things(o):
        if not thing:
            continue
        place = crc32(f"{kind}:{thing}".encode())
        mark = (place & 0xFFFFFF).to_bytes(_MARK, "big")
        if _stands(mark, things.seen):
            continue
        things.seen = things.seen[-_MARK * (MOST - 1) :] + mark
        things.new += 1
        users = 0
        if kind in ("terminal", "medium"):
            users = known.things.get(place, 0)
            if users or len(known.things) < KNOWN_TO_ALL:
                known.things[place] = users + 1
        if best is None:
            best = kind, thing, users
    if best is None or things.days <= LEARNING_DAYS:
        return None
    # How often this human meets something new at all, in decayed days of about fifty.
    score = rarity(things.new - 1, min(things.days, 50.0))
    kind, thing, users = best
    # What peers use as well is nothing strange; a terminal or medium that nobody ever used is.
    if kind in ("terminal", "medium"):
        score += 1.0 if not users else 0.3
    values: dict[str, Value] = {"kind": kind, "thing": thing[:80], "days": things.days}
    return Finding(score, 1, things.new / min(things.days, 50.0), values)


def _stands(mark: bytes, seen: bytes) -> bool:
    at = seen.find(mark)
    while at >= 0 and at % _MARK:  # across two of them
        at = seen.find(mark, at + 1)
    return at >= 0


def _things(o: Observation) -> tuple[tuple[str, str], ...]:
    match o.kind:
        case "logon":
            return (("terminal", o.place), ("tool", o.tool), ("client", o.client), ("target", o.target))
        case "device" | "media":
            return (("medium", o.target),)
        case _:
            return tuple([("table", table) for table in o.tables])


DETECTOR: Final = Detector(
    number=8,
    name="first_access",
    head=Head.PLACE,
    kinds=("logon", "read", "device", "media"),
    window="lifetime",
    memory=Things,
    key=by_human,
    reason=Words(
        "Work repeats itself. What somebody touches for the first time after months deserves a look.",
        "業務は繰り返しです。何か月もたって初めて触れたものは確認に値します。",
    ),
    finding=Words(
        "{human} used {kind} {thing} for the first time in {days} days of work.",
        "{human} は {days} 日の業務で初めて {kind} {thing} を使いました。",
    ),
    look=look,
)
