"""A list's way through: read, fingerprinted, matched, attributed, counted. What `sekisho trace run` does."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sekisho.trace.attribution import Attribution, attribute
from sekisho.trace.intake import Listing, batches
from sekisho.trace.match import match, parts_present
from sekisho.trace.parts import Lines, fingerprint, joined
from sekisho.trace.persons import Counts, count_persons
from sekisho.trace.registry import Loaded

Progress = Callable[[str, float], None]
"""Told a step's name and how much of it is done, 0 to 1."""
_SMALL: Final = 20_000  # rows that one process has read before a second one has started


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


def trace(
    listing: Listing,
    key: bytes,
    loaded: Loaded,
    *,
    processes: int | None = None,
    progress: Progress = lambda step, done: None,
) -> Traced:
    """Look a list up. Raises Fault NO_COLUMNS."""
    row_of_line, lines = fingerprinted(listing, key, processes=processes, progress=progress)
    return look_up(listing, row_of_line, lines, loaded, progress=progress)


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
    loaded: Loaded,
    *,
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
    progress("persons", 1.0)
    unresolved = sum(passed.unresolved for sessions in loaded.sessions.values() for passed in sessions)
    organisation_of = dict(zip(loaded.names, loaded.organisations, strict=True))
    return Traced(
        listing, attribution, every, each, parts_present(lines), unresolved, loaded.erased, organisation_of
    )
