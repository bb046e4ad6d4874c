"""A list's way through: read, fingerprinted, matched, attributed, counted. What `sekisho trace run` does."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyroaring import BitMap

from sekisho.trace.attribution import Attribution, attribute
from sekisho.trace.canaries import Hits, Planted, hits_of
from sekisho.trace.fuzzy import PARTS, fuzzy_pairs
from sekisho.trace.intake import Listing, batches
from sekisho.trace.match import TIERS, match, parts_present
from sekisho.trace.parts import Lines, fingerprint, joined
from sekisho.trace.persons import Counts, count_persons
from sekisho.trace.registry import Loaded, Registry

Progress = Callable[[str, float], None]
"""Told a step's name and how much of it is done, 0 to 1."""
_MOST_SHOWN: Final = 400
_SMALL: Final = 20_000  # rows that one process has read before a second one has started


@dataclass(frozen=True, slots=True)
class Shown:
    """A session that was shown records which are in the list: how many of them."""

    session: str
    dataset: str
    records: int
    hits: int


@dataclass(frozen=True, slots=True)
class Traced:
    """The answer, and what it was made from. `parts` are those that the list has."""

    listing: Listing
    attribution: Attribution
    counts: Counts
    counts_of: Mapping[str, Counts]
    parts: tuple[str, ...]
    unresolved: int  # numbers that sessions were shown and that no indexed record has
    erased: tuple[str, ...]  # datasets that could not be examined
    organisation_of: Mapping[str, str]  # of each dataset that was examined
    fuzzy: Mapping[str, int]  # organisation -> rows that only the fuzzy pass found
    shown: tuple[Shown, ...]
    canaries: tuple[Hits, ...]


def trace(
    listing: Listing,
    registry: Registry,
    loaded: Loaded,
    *,
    copies: Sequence[Planted] = (),
    processes: int | None = None,
    progress: Progress = lambda step, done: None,
) -> Traced:
    """Look a list up. `copies` are those with canaries. Raises Fault NO_COLUMNS."""
    key = registry.fingerprint_key
    row_of_line, lines = fingerprinted(listing, key, processes=processes, progress=progress)
    return look_up(listing, row_of_line, lines, registry, loaded, copies=copies, progress=progress)


def fingerprinted(
    listing: Listing,
    key: bytes,
    *,
    processes: int | None = None,
    progress: Progress = lambda step, done: None,
) -> tuple[npt.NDArray[np.int64], Lines]:
    """The lines of a list, and the row of each."""
    rows: list[npt.NDArray[np.int64]] = []

    def ahead() -> Iterator[pa.RecordBatch]:
        for numbers, batch in batches(listing):
            rows.append(numbers)
            yield batch

    found: list[Lines] = []
    for one in fingerprint(key, ahead(), processes=1 if listing.rows <= _SMALL else processes):
        found.append(one)
        progress("fingerprints", min(float(rows[len(found) - 1][-1] + 1) / max(listing.rows, 1), 1.0))
    return np.concatenate(rows) if rows else np.zeros(0, np.int64), joined(found)


def look_up(
    listing: Listing,
    row_of_line: npt.NDArray[np.int64],
    lines: Lines,
    registry: Registry,
    loaded: Loaded,
    *,
    copies: Sequence[Planted] = (),
    progress: Progress = lambda step, done: None,
) -> Traced:
    """What the lines of a list say, with nothing but their parts at hand."""
    progress("records", 0.0)
    pairs = match(row_of_line, lines, loaded.lines)
    progress("sessions", 0.0)
    area = np.zeros(int(loaded.bases[-1]), np.int64)
    area[loaded.lines.column("rec").to_numpy()] = loaded.lines.column("area").to_numpy()
    attribution = attribute(pairs, listing.rows, loaded, area=area)
    progress("persons", 0.0)
    every, each = count_persons(row_of_line, lines, attribution)
    fuzzy = _fuzzy(row_of_line, lines, attribution, registry, loaded)
    progress("persons", 1.0)
    unresolved = sum(passed.unresolved for sessions in loaded.sessions.values() for passed in sessions)
    organisation_of = dict(zip(loaded.names, loaded.organisations, strict=True))
    return Traced(
        listing,
        attribution,
        every,
        each,
        parts_present(lines),
        unresolved,
        loaded.erased,
        organisation_of,
        fuzzy,
        _shown(attribution, loaded),
        hits_of(copies, row_of_line, lines, registry.fingerprint_key),
    )


def _shown(found: Attribution, loaded: Loaded) -> tuple[Shown, ...]:
    """Of each session how many of its records are in the list, the most first: what a picture is drawn from."""
    every = []
    telling = np.array([not tier.weak for tier in TIERS])[found.pairs.tier]
    for number, name in enumerate(loaded.names):
        start, stop = loaded.bases[number], loaded.bases[number + 1]
        mine = found.pairs.rec[telling & (found.pairs.rec >= start) & (found.pairs.rec < stop)] - start
        hit = BitMap(np.unique(mine).astype(np.uint32))
        every += [
            Shown(passed.session, name, passed.records, hits)
            for passed in loaded.sessions[name]
            if (hits := BitMap.deserialize(passed.bitmap).intersection_cardinality(hit))
        ]
    return tuple(sorted(every, key=lambda one: (-one.hits, one.session))[:_MOST_SHOWN])


def _fuzzy(
    row_of_line: npt.NDArray[np.int64],
    lines: Lines,
    found: Attribution,
    registry: Registry,
    loaded: Loaded,
) -> dict[str, int]:
    """Rows that nothing else found, among the records of accepted sessions that no row has."""
    left = found.organisation_of_row[row_of_line] == -1
    rows = row_of_line[left]
    counts: dict[str, int] = {}
    taken = np.zeros(found.rows, bool)
    for number, name in enumerate(loaded.names):
        accepted = {one.session for one in found.fits[name].findings}
        if not accepted or not len(rows):
            continue
        shown = BitMap.union(
            *(
                BitMap.deserialize(passed.bitmap)
                for passed in loaded.sessions[name]
                if passed.session in accepted
            )
        )
        start, stop = loaded.bases[number], loaded.bases[number + 1]
        hit = found.pairs.rec[(found.pairs.rec >= start) & (found.pairs.rec < stop)] - start
        shown -= BitMap(hit.astype(np.uint32))
        table = registry.loose(name)
        records = table.column("rec").to_numpy().astype(np.int64)
        wanted = np.zeros(int(stop - start), bool)
        wanted[np.asarray(shown.to_array(), np.int64)] = True
        some = wanted[records]
        free = ~taken[rows]
        pairs = fuzzy_pairs(
            rows[free],
            {part: lines[part][left][free] for part in PARTS},
            records[some],
            {part: table.column(part).to_numpy()[some] for part in PARTS},
        )
        new = np.unique(pairs[0])
        taken[new] = True
        organisation = loaded.organisations[number]
        if len(new):
            counts[organisation] = counts.get(organisation, 0) + len(new)
    return counts
