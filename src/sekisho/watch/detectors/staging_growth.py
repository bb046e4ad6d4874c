"""14. A heap that grows: files with persons on a maintenance PC that nobody purges."""

from collections.abc import Iterator
from typing import Final

from sekisho.watch.detector import Detector, Finding, Head, Memory, Value, Words, by_place
from sekisho.watch.known import Known
from sekisho.watch.observation import DAY, Observation

PERSONS: Final = 1_000
KEPT_DAYS: Final = 7


class Heap(Memory):
    """What lies at a place: persons and files since it was last empty."""

    persons: int = 0
    files: int = 0
    since: int = 0
    human: str = ""
    said: int = 0


def look(heap: Heap, o: Observation, known: Known) -> Finding | None:
    if o.kind == "delete":
        heap.files = max(0, heap.files - 1)
        heap.persons = max(0, heap.persons - o.persons) if heap.files else 0
    elif o.persons:
        if not heap.files:
            heap.since, heap.said = o.at, 0
        heap.files += 1
        heap.persons += o.persons
        heap.human = known.human
    return None


def sweep(memories: dict[str, Heap], now: int, known: Known) -> Iterator[tuple[str, Finding]]:
    for place, heap in sorted(memories.items()):
        days = (now - heap.since) // DAY
        steps = (heap.persons // PERSONS).bit_length()
        if not heap.files or days < KEPT_DAYS or steps <= heap.said:
            continue
        heap.said = steps
        values: dict[str, Value] = {
            "place": place,
            "persons": heap.persons,
            "files": heap.files,
            "days": days,
        }
        yield place, Finding(2.5 + 0.5 * steps, heap.persons, PERSONS, values, human=heap.human)


DETECTOR: Final = Detector(
    number=14,
    name="staging_growth",
    head=Head.CHAIN,
    kinds=("file", "pull", "delete"),
    window="7 d to 90 d, since the place was last empty",
    memory=Heap,
    key=by_place,
    reason=Words(
        "Before it goes out it is gathered; a maintenance PC needs no list for a week.",
        "持ち出しの前には集積があります。保守用PCに名簿を1週間置く必要はありません。",
    ),
    finding=Words(
        "{persons} persons in {files} files have lain at {place} for {days} days; {human} put the last one there.",
        "{place} に {persons} 人分 ({files} ファイル) が {days} 日間残っています。最後に置いたのは {human} です。",
    ),
    look=look,
    sweep=sweep,
)
