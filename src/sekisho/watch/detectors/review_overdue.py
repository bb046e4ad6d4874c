"""23. Nobody looked: reviews that stopped, alerts without acknowledgement, inspections like clockwork."""

from collections.abc import Iterator
from math import log2
from typing import Final

import msgspec

from sekisho.watch.detector import Detector, Finding, Head, Memory, Value, Words
from sekisho.watch.known import Known
from sekisho.watch.observation import DAY, Observation

DAYS: Final = 35  # a monthly review, and some days
SURPRISE_LEAST: Final = 6  # inspections before their moments are judged


class Reviews(Memory):
    """A kind of review: when it was last done, and the (weekday, hour) of the latest ones."""

    last: int = 0
    done: int = 0
    moments: list[int] = msgspec.field(default_factory=list)
    said: int = 0
    said_regular: int = 0


def kind(o: Observation, known: Known) -> str:
    return o.what or "review"


def look(reviews: Reviews, o: Observation, known: Known) -> Finding | None:
    reviews.last, reviews.said = o.at, 0
    reviews.done += 1
    if o.what != "surprise":
        return None
    reviews.moments = [*reviews.moments[-23:], (known.day + 3) % 7 * 24 + known.slot % 24]
    count = len(reviews.moments)
    if count < SURPRISE_LEAST or reviews.done < 2 * reviews.said_regular:
        return None
    shares = [reviews.moments.count(moment) / count for moment in sorted(set(reviews.moments))]
    entropy = -sum(share * log2(share) for share in shares)
    if entropy > 0.5 * log2(count):
        return None
    reviews.said_regular = reviews.done
    values: dict[str, Value] = {"what": o.what, "days": 0, "bits": round(entropy, 2)}
    return Finding(2.8, entropy, log2(count), values)


def sweep(memories: dict[str, Reviews], now: int, known: Known) -> Iterator[tuple[str, Finding]]:
    for name, reviews in sorted(memories.items()):
        days = (now - reviews.last) // DAY
        months = days // DAYS
        if months <= reviews.said:
            continue
        reviews.said = months
        values: dict[str, Value] = {"what": name, "days": days, "bits": "-"}
        yield name, Finding(3.5, days, DAYS, values, certain=True)


DETECTOR: Final = Detector(
    number=23,
    name="review_overdue",
    head=Head.CONSENT,
    kinds=("review",),
    window="35 d; 24 inspections",
    memory=Reviews,
    key=kind,
    reason=Words(
        "The logs of ten years were there. Nobody looked.",
        "十年分のログはありました。誰も見ていなかったのです。",
    ),
    finding=Words(
        "{what}: not done for {days} days, or at foreseeable moments ({bits} bits).",
        "{what}: {days} 日間行われていないか、時期が予測可能です ({bits} ビット)。",
    ),
    look=look,
    sweep=sweep,
)
