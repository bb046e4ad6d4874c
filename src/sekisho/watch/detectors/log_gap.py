"""20. What is missing: a silent source, a hole in the record, a clock that jumped, a collector switched off."""

from collections.abc import Iterator
from typing import Final

from sekisho.watch.detector import Detector, Finding, Head, Memory, Value, Words
from sekisho.watch.known import Known
from sekisho.watch.observation import HOUR, Observation

LEAST_BEATS: Final = 5
# What the record itself says about a contradiction is no matter of chance.
CERTAIN: Final = ("mismatch", "stopped", "audit_off", "hole", "bypass", "blind")


class Source(Memory):
    """A source that reports: its last sign, and the longest pause between two that was usual."""

    last: int = 0
    beats: int = 0
    pause: int = 0
    silent: bool = False


def source(o: Observation, known: Known) -> str:
    return o.target


def look(memory: Source, o: Observation, known: Known) -> Finding | None:
    if o.what == "sees":
        return None  # a sensor that works again
    if o.kind == "gap":
        values: dict[str, Value] = {"source": o.target, "sign": o.what, "hours": 0}
        sure = o.what in CERTAIN
        return Finding(6.0 if sure else 3.2, 1, 0, values, certain=sure)
    if memory.last:
        # The usual pause follows longer ones at once and shorter ones slowly.
        pause = o.at - memory.last
        memory.pause = max(pause, memory.pause - memory.pause // 50) if not memory.silent else memory.pause
    memory.last, memory.silent = o.at, False
    memory.beats += 1
    return None


def sweep(memories: dict[str, Source], now: int, known: Known) -> Iterator[tuple[str, Finding]]:
    for name, memory in sorted(memories.items()):
        if memory.silent or memory.beats < LEAST_BEATS or now - memory.last < max(HOUR, 3 * memory.pause):
            continue
        memory.silent = True
        hours = (now - memory.last) // HOUR
        values: dict[str, Value] = {"source": name, "sign": "silent", "hours": hours}
        yield name, Finding(4.0, hours, memory.pause / HOUR, values, certain=True)


DETECTOR: Final = Detector(
    number=20,
    name="log_gap",
    head=Head.EVIDENCE,
    kinds=("gap", "beat"),
    window="three usual pauses of the source, at least an hour",
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
