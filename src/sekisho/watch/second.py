"""A second opinion: half-space trees (Tan, Ting, Liu 2011) over each human's days, for rankings. It raises nothing:
`python -m bench.second` shows that in a house of four it adds nothing to the heads for as many false alarms again.

Trees that are grown before anything is seen cut the space of days in halves; how many earlier days fell into a day's
cell, weighed by how small the cell is, says how usual the day is. No label, no distance, a fixed amount of memory. It
cannot say why, which an alarm of ours must: so it may rank (`sekisho watch replay --ranking --second`), never accuse.
"""

from collections.abc import Sequence
from math import log1p
from random import Random
from typing import Final

from sekisho.watch.observation import Observation

TREES: Final = 25
DEPTH: Final = 8
WINDOW: Final = 250  # human-days after which what was learnt becomes the reference
_LEAST: Final = 5  # days in a cell below which nothing more is to be told apart
# What a day is, and what is about the most of it: persons, lookups, the largest, clients, odd hours, asked, take-outs,
# media, files, what went outside.
_MOST: Final = (5_000.0, 40.0, 5_000.0, 25.0, 10.0, 5_000.0, 5_000.0, 20.0, 100.0, 50.0)

_WORK: Final = frozenset({"logon", "read", "file", "device", "media", "mail", "web", "command"})


class Day:
    """What a human did on one day, added up."""

    def __init__(self) -> None:
        self.persons = self.reads = self.largest = self.odd = self.asked = self.taken = 0
        self.media = self.files = self.outside = 0
        self.clients: set[str] = set()

    def add(self, o: Observation, hour: int) -> None:
        """`hour` of the day where the work is done."""
        if o.kind == "read":
            self.persons += o.persons
            self.reads += 1
            self.largest = max(self.largest, o.persons)
            self.clients.add(o.client)
        self.odd += o.kind in _WORK and (hour < 8 or hour > 18)
        self.asked += max(0, o.expected) if o.kind == "ticket" else 0
        self.taken += o.persons if o.kind == "takeout" else 0
        self.media += o.kind in ("device", "media")
        self.files += o.kind in ("file", "archive", "delete")
        self.outside += o.kind in ("mail", "web") and o.what in ("outside", "upload")

    def point(self) -> tuple[float, ...]:
        """Each figure on a logarithmic scale from 0 to 1."""
        work = (self.persons, self.reads, self.largest, len(self.clients), self.odd, self.asked, self.taken)
        figures = (*work, self.media, self.files, self.outside)
        scaled = zip(figures, _MOST, strict=True)
        return tuple(min(1.0, log1p(figure) / log1p(most)) for figure, most in scaled)


class SecondOpinion:
    """Give it every observation in order; `close` at the end of a day says how unusual each human's was."""

    def __init__(self, zone: int) -> None:
        self._zone = zone
        self._trees = HalfSpaceTrees()
        self._days: dict[str, Day] = {}

    def add(self, o: Observation, human: str) -> None:
        if human and o.kind not in ("person", "account", "beat", "lease"):
            hour = (o.at // 1_000_000 + self._zone) // 3_600 % 24
            self._days.setdefault(human, Day()).add(o, hour)

    def close(self) -> dict[str, float]:
        days, self._days = self._days, {}
        scores = {}
        for human, day in sorted(days.items()):
            point = day.point()
            scores[human] = self._trees.score(point)
            self._trees.learn(point)
        return scores


class HalfSpaceTrees:
    """`score` of a point, then `learn` it: the higher, the more unusual. The same points give the same scores."""

    def __init__(self, seed: int = 1) -> None:
        random = Random(seed)  # noqa: S311 (the same trees at every start; nothing is kept secret)
        self._trees = [_cuts(random) for _ in range(TREES)]
        self._reference = [[0] * (2 << DEPTH) for _ in range(TREES)]
        self._latest = [[0] * (2 << DEPTH) for _ in range(TREES)]
        self._learnt = 0

    def score(self, point: Sequence[float]) -> float:
        """0 is the most usual there is; nothing is told before a window of days was seen."""
        if self._learnt < WINDOW:
            return 0.0
        mass = 0.0
        for cuts, counts in zip(self._trees, self._reference, strict=True):
            node, depth = 1, 0
            while depth < DEPTH and counts[node] > _LEAST:
                feature, cut = cuts[node]
                node, depth = 2 * node + (point[feature] >= cut), depth + 1
            mass += counts[node] * 2**depth
        return 1.0 - min(1.0, mass / TREES / (WINDOW * 2**DEPTH))

    def learn(self, point: Sequence[float]) -> None:
        for cuts, counts in zip(self._trees, self._latest, strict=True):
            node = 1
            for _ in range(DEPTH):
                counts[node] += 1
                feature, cut = cuts[node]
                node = 2 * node + (point[feature] >= cut)
            counts[node] += 1
        self._learnt += 1
        if self._learnt % WINDOW == 0:
            self._reference, self._latest = self._latest, [[0] * (2 << DEPTH) for _ in range(TREES)]


def _cuts(random: Random) -> list[tuple[int, float]]:
    """(feature, value) of each inner node; the work range of each feature is drawn as the paper has it."""
    ranges = []
    for _ in _MOST:
        middle = random.random()
        reach = 2 * max(middle, 1 - middle)
        ranges.append((middle - reach, middle + reach))
    cuts = [(0, 0.0)] * (2 << DEPTH)

    def grow(node: int, bounds: list[tuple[float, float]]) -> None:
        if node >= 1 << DEPTH:
            return
        feature = random.randrange(len(bounds))
        low, high = bounds[feature]
        cut = (low + high) / 2
        cuts[node] = feature, cut
        for side, part in ((0, (low, cut)), (1, (cut, high))):
            grow(2 * node + side, [*bounds[:feature], part, *bounds[feature + 1 :]])

    grow(1, ranges)
    return cuts
