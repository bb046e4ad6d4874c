"""How many persons a list concerns: lower, best, upper, and the rule of each. Rows are not persons.

lower   rows found by telling parts, counted as one person where they share a telephone number, or name and
        address: a household with one telephone counts once
best    the same rows, counted as one person where name and telephone number, name and address, or name and date
        of birth agree, or where they lead to the same record
upper   every row that could be ours, also by a shared telephone alone, exact repetitions counted once
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from sekisho.trace.attribution import Attribution
from sekisho.trace.match import TIERS
from sekisho.trace.parts import EXACT, Lines

Ints = npt.NDArray[np.int64]

RULES: Final = {
    "lower": (("phone",), ("name", "spot"), ("kana", "spot")),
    "best": (("name", "phone"), ("name", "spot"), ("name", "birth"), ("kana", "phone"), ("kana", "spot")),
}
_ROUNDS: Final = 12


@dataclass(frozen=True, slots=True)
class Counts:
    lower: int
    best: int
    upper: int


def count_persons(row_of_line: Ints, lines: Lines, found: Attribution) -> tuple[Counts, dict[str, Counts]]:
    """The persons of all rows that are ours, and of each organisation's. Somebody who is a customer of two
    organisations counts for each, and once in all; so the parts may add up to more than the whole."""
    weak = np.array([tier.weak for tier in TIERS])[found.pairs.tier]
    telling = np.zeros(found.rows, bool)
    telling[found.pairs.row[~weak]] = True
    possible = np.zeros(found.rows, bool)
    possible[found.pairs.row] = True
    keys = {rule: [_mixed(lines, parts) for parts in sets] for rule, sets in RULES.items()}
    # Rows that lead to one record are one person, whatever else they say.
    single = np.bincount(found.pairs.row, minlength=found.rows) == 1
    lone = single[found.pairs.row] & ~weak
    labels = {
        rule: _together(found.rows, row_of_line, sets, (found.pairs.row[lone], found.pairs.rec[lone]))
        for rule, sets in keys.items()
    }
    whole = np.zeros(found.rows, np.uint64)
    np.add.at(whole, row_of_line, _mixed(lines, EXACT))
    every = _counts(labels, whole, telling, possible)
    each = {
        name: _counts(
            labels,
            whole,
            telling & (found.organisation_of_row == number),
            possible & (found.organisation_of_row == number),
        )
        for number, name in enumerate(found.organisations)
        if (found.organisation_of_row == number).any()
    }
    return every, each


def _counts(
    labels: dict[str, Ints],
    whole: npt.NDArray[np.uint64],
    telling: npt.NDArray[np.bool_],
    possible: npt.NDArray[np.bool_],
) -> Counts:
    best = len(np.unique(labels["best"][telling]))
    upper = len(np.unique(whole[possible]))
    return Counts(min(len(np.unique(labels["lower"][telling])), best), best, max(best, upper))


def _mixed(lines: Lines, parts: Sequence[str]) -> npt.NDArray[np.uint64]:
    """One number for the parts together; 0 where one is missing (unless all parts are asked for)."""
    mixed = np.zeros(len(lines["name"]), np.uint64)
    missing = np.zeros(len(mixed), bool)
    for part in parts:
        mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0x9E3779B97F4A7C15) + lines[part].view(
            np.uint64
        )
        missing |= lines[part] == 0
    if len(parts) < len(EXACT):
        mixed[missing] = 0
    return mixed


def _together(
    rows: int, row_of_line: Ints, keys: Sequence[npt.NDArray[np.uint64]], records: tuple[Ints, Ints]
) -> Ints:
    """The same label for rows that share a key, or a record, directly or through others."""
    labels = np.arange(rows)
    shared: list[tuple[Ints, Ints]] = []
    for key in keys:
        some = key != 0
        _, group = np.unique(key[some], return_inverse=True)
        shared.append((row_of_line[some], group))
    shared.append((records[0], np.unique(records[1], return_inverse=True)[1]))
    for _ in range(_ROUNDS):  # chains longer than this stay apart: one person more, never one less
        before = labels
        for row, group in shared:
            if len(row):
                lowest = np.full(int(group.max()) + 1, rows)
                np.minimum.at(lowest, group, labels[row])
                labels = labels.copy()
                np.minimum.at(labels, row, lowest[group])
        labels = labels[labels]
        if bool((labels == before).all()):
            break
    return labels
