"""Two lists, which rows are the same person's, and how right that is where the truth is known.

For public linkage sets: the same normal forms, tiers and fuzzy pass as a trace, on any two files. Nothing is kept:
the key is made for the run. List B takes the place of a registry of one dataset.
"""

import csv
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sekisho.trace.fuzzy import PARTS, fuzzy_pairs
from sekisho.trace.intake import Listing
from sekisho.trace.lookup import fingerprinted
from sekisho.trace.match import TIERS, match
from sekisho.trace.parts import EXACT, Lines

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Links:
    """Row `a[i]` of the first list is row `b[i]` of the second, by tier `tier[i]`; -1: by the fuzzy pass."""

    a: Ints
    b: Ints
    tier: Ints


@dataclass(frozen=True, slots=True)
class Score:
    """Against the truth: pairs that are right, that are wrong, and true pairs that were not found."""

    right: int
    wrong: int
    missed: int

    @property
    def precision(self) -> float:
        return self.right / max(self.right + self.wrong, 1)

    @property
    def recall(self) -> float:
        return self.right / max(self.right + self.missed, 1)


def link(first: Listing, second: Listing) -> Links:
    """Each row of the first list with at most one of the second. Raises Fault NO_COLUMNS."""
    key = os.urandom(32)
    rows, lines = fingerprinted(first, key)
    records, theirs = fingerprinted(second, key)
    columns: dict[str, pa.Array] = {"rec": pa.array(records.astype(np.int32))}
    pairs = match(rows, lines, pa.table(columns | {part: pa.array(theirs[part]) for part in EXACT}))
    # Only what is unambiguous: one record for the row, in its tier, and no weak tier.
    weak = np.array([tier.weak for tier in TIERS])[pairs.tier]
    alone = (np.bincount(pairs.row, minlength=first.rows) == 1)[pairs.row] & ~weak
    a, b, tier = pairs.row[alone], pairs.rec[alone], pairs.tier[alone].astype(np.int64)
    left, free = ~np.isin(rows, a), ~np.isin(records, b)
    more = fuzzy_pairs(rows[left], _some(lines, left), records[free], _some(theirs, free))
    return Links(
        np.concatenate([a, more[0]]),
        np.concatenate([b, more[1]]),
        np.concatenate([tier, np.full(len(more[0]), -1)]),
    )


def score(links: Links, truth: Mapping[str, str], ids_a: list[str], ids_b: list[str]) -> Score:
    """`truth` is id in the first list -> id in the second."""
    there = set(ids_b)
    true = {one: other for one, other in truth.items() if other in there}
    right = sum(
        true.get(ids_a[a]) == ids_b[b] for a, b in zip(links.a.tolist(), links.b.tolist(), strict=True)
    )
    return Score(right, len(links.a) - right, len(true) - right)


def read_truth(path: Path) -> dict[str, str]:
    """A CSV file with two columns, the id in the first list and in the second; a heading is harmless."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return {row[0].strip(): row[1].strip() for row in csv.reader(file) if len(row) >= 2}


def _some(lines: Lines, which: npt.NDArray[np.bool_]) -> Lines:
    return {part: lines[part][which] for part in PARTS}
