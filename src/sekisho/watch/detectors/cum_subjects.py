"""1. Persons of one client, by one human, in a day, 30 days, a year and ever: persons, not bytes."""

from typing import Final

from sekisho.watch.detector import Detector, Finding, Head, Memory, Value, Words, by_human_and_client
from sekisho.watch.known import Known
from sekisho.watch.observation import Observation
from sekisho.watch.sketch import Sketch
from sekisho.watch.tails import ratio_surprise
from sekisho.watch.windows import Windows

# Persons beyond what approved tickets stand for, by window, from which on it is said. Each doubling is said again.
LEVELS: Final = {"day": 300, "30 days": 1_000, "year": 4_000, "lifetime": 12_000}


class Seen(Memory):
    """`lifetime` counts every person ever, `plain` those that no ticket covers; `said` is up to which doubling each
    window was told. What most pairs of human and client never need is not there until it is."""

    lifetime: int = 0
    plain: Windows | None = None
    sketch: Sketch | None = None
    said: list[int] | None = None


def look(seen: Seen, o: Observation, known: Known) -> Finding | None:
    amount = known.fresh
    if o.subjects:
        sketch = seen.sketch = seen.sketch or Sketch()
        before = sketch.count()
        for subject in o.subjects:
            sketch.add(subject)
        amount = max(0, sketch.count() - before)
    if not amount or not o.client:
        return None
    seen.lifetime += amount
    if metered := known.metered.get(known.pair):
        seen.lifetime = min(seen.lifetime, metered)
    ticket = known.ticket
    if ticket is not None and ticket.approved:
        if ticket.used <= ticket.expected:
            return None
        amount = min(amount, ticket.used - ticket.expected)
    plain = seen.plain = seen.plain or Windows()
    plain.add(known.day, amount)
    if plain.lifetime < LEVELS["day"]:
        return None  # nothing can be new below the lowest level
    return _told(seen, plain, known.day)


def _told(seen: Seen, plain: Windows, day: int) -> Finding | None:
    told = seen.said = seen.said or [0, 0, 0, 0]
    sums = (plain.day(day), plain.month(day), plain.year(day), plain.lifetime)
    best: tuple[float, str, int, int] | None = None
    for place, ((window, level), total) in enumerate(zip(LEVELS.items(), sums, strict=True)):
        steps = (total // level).bit_length()
        if steps <= told[place]:
            if place < 3:  # what left the window may come back, and is told again
                told[place] = steps if steps < told[place] - 1 else told[place]
            continue
        told[place] = steps
        score = 2.5 + ratio_surprise(2 * total, level, per_doubling=0.8)
        if best is None or score > best[0]:
            best = score, window, total, level
    if best is None:
        return None
    score, window, total, level = best
    values: dict[str, Value] = {
        "persons": total,
        "window": window,
        "lifetime": seen.lifetime,
        "level": level,
    }
    return Finding(min(score, 8.0), total, level, values)


DETECTOR: Final = Detector(
    number=1,
    name="cum_subjects",
    head=Head.VOLUME,
    kinds=("read", "pull", "takeout"),
    window="1 d, 30 d, 365 d, lifetime",
    memory=Seen,
    key=by_human_and_client,
    reason=Words(
        "Ten years of small amounts are a large one; no window of days ever sees it.",
        "少量でも十年続けば大量になります。短い集計期間では決して見えません。",
    ),
    finding=Words(
        "{human} saw {persons} persons of {client} within {window} beyond what tickets stand for (level {level}); "
        "{lifetime} in all.",
        "{human} は {client} の {persons} 人分を、チケットの範囲を超えて見ました (期間 {window}、水準 {level})。"
        "累計は {lifetime} 人です。",
    ),
    look=look,
)
