"""15. A medium that is not registered, or one that is written to after persons were read."""

from typing import Final

from sekisho.watch.detector import Detector, Finding, Head, Memory, Value, Words, by_human
from sekisho.watch.known import Known
from sekisho.watch.observation import DAY, Observation
from sekisho.watch.tails import rarity

LEAST: Final = 10  # persons


class Media(Memory):
    """Days with a medium among days of work; `read` is when persons were last read, and how many that day."""

    days: int = 0
    with_medium: float = 0.0
    day: int = 0
    medium_day: int = 0
    read: int = 0
    persons: int = 0


def look(media: Media, o: Observation, known: Known) -> Finding | None:
    if known.day != media.day:
        media.day, media.persons = known.day, 0
        media.days += 1
        media.with_medium *= 0.98
    if o.kind in ("read", "pull"):
        if o.persons:
            media.read = o.at
            media.persons += o.persons
        return None
    if o.kind == "logon":
        return None
    rare = rarity(media.with_medium, min(media.days, 50))
    first_today = media.medium_day != known.day
    if first_today:
        media.medium_day = known.day
        media.with_medium += 1
    after_read = media.persons >= LEAST and o.at - media.read < DAY
    if o.what == "unregistered":
        return _found(4.0 + (1.0 if after_read else 0.0), o, media)
    if o.kind == "media" and after_read:
        return _found(3.0 + rare, o, media)
    # Without a register of media, only how unusual it is for this human can tell.
    if first_today and rare >= 1.0:
        return _found(rare + 0.6, o, media)
    return None


def _found(score: float, o: Observation, media: Media) -> Finding:
    values: dict[str, Value] = {
        "medium": o.target or "?",
        "place": o.place or "?",
        "persons": media.persons,
        "state": o.what or "-",
    }
    return Finding(min(score, 6.0), 1, 0, values)


DETECTOR: Final = Detector(
    number=15,
    name="removable_media",
    head=Head.CHAIN,
    kinds=("device", "media", "read", "pull", "logon"),
    window="the event, after reads of 24 h",
    memory=Media,
    key=by_human,
    reason=Words(
        "A stick in a pocket passes every other control.",
        "ポケットのUSBメモリは、他のすべての対策をすり抜けます。",
    ),
    finding=Words(
        "{human} used the medium {medium} ({state}) at {place}, after reading {persons} persons that day.",
        "{human} は {place} で媒体 {medium} ({state}) を使いました。当日は {persons} 人分を見ています。",
    ),
    look=look,
)
