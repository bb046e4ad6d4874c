"""20. What is missing: a silent source, a hole in the record, a clock that jumped, a collector switched off."""

from collections.abc import Iterator
from typing import Final

from sekisho.watch.detector import Detector, Finding, Head, Memory, Value, Words
from sekisho.watch.known import Known
from sekisho.watch.observation import HOUR, Observation

LEAST_BEATS: Final = 5
# What the record itself says about a contradiction is no matter of chance.
CERTAIN: Final = ("mismatch", "stopped", "audit_off", "hole", "bypass", "blind", "skipped")
# … and what a source says of itself while it is alive: it left numbers out, or its clock is ahead.
ALIVE: Final = ("skipped", "ahead")


class Source(Memory):
    """A source that reports: its last sign, and the longest pause between two that was usual, or that was `stated`."""

    last: int = 0
    beats: int = 0
    pause: int = 0
    silent: bool = False
    stated: int = 0


def source(o: Observation, known: Known) -> str:
    return o.target


def look(memory: Source, o: Observation, known: Known) -> Finding | None:
    if o.what == "sees":
        return None  # a sensor that works again
    if o.kind == "gap" and o.what not in ALIVE:
        return _gap(o)
    if o.what == "ended":  # a source that was taken away is not silent
        memory.last, memory.beats, memory.stated = o.at, 0, 0
        return None
    if o.until:
        memory.stated = o.until - o.at
    if memory.last:
        # The usual pause follows longer ones at once and shorter ones slowly.
        pause = o.at - memory.last
        memory.pause = max(pause, memory.pause - memory.pause // 50) if not memory.silent else memory.pause
    memory.last, memory.silent = o.at, False
    memory.beats += 1
    return _gap(o) if o.kind == "gap" else None


def _gap(o: Observation) -> Finding:
    sure = o.what in CERTAIN
    values: dict[str, Value] = {"source": o.target, "sign": o.what, "hours": 0}
    return Finding(6.0 if sure else 3.2, 1, 0, values, certain=sure)


def sweep(memories: dict[str, Source], now: int, known: Known) -> Iterator[tuple[str, Finding]]:
    for name, memory in sorted(memories.items()):
        usual = memory.stated or (max(HOUR, 3 * memory.pause) if memory.beats >= LEAST_BEATS else 0)
        if memory.silent or not usual or now - memory.last < usual:
            continue
        memory.silent = True
        hours = (now - memory.last) // HOUR
        values: dict[str, Value] = {"source": name, "sign": "silent", "hours": hours}
        yield name, Finding(4.0, hours, usual / HOUR, values, certain=True)


DETECTOR: Final = Detector(
    number=20,
    name="log_gap",
    head=Head.EVIDENCE,
    kinds=("gap", "beat"),
    window="the pause that was stated for the source, or three usual ones, at least an hour",
    memory=Source,
    key=source,
    reason=Words(
        "Silence is how a sensor looks that somebody has switched off.",
        "止められたセンサーは、ただ静かになります。",
    ),
    finding=Words(
        "{source}: {sign}, for {hours} hours.",
        "{source}: {sign} ({hours} 時間)。",
    ),
    look=look,
    sweep=sweep,
    hourly=True,
)
