"""From candidate records to an answer: sessions, client organisations, and what stays open. Pure.

Records that several rows could be, and rows that could be several records, are settled between the datasets: where
sessions are accepted, a row belongs to the record that the fit expects to be hit, and its other candidates are no
longer hits of their datasets; then those are fitted again. Without an accepted session such a row stays ambiguous.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyroaring import BitMap

from sekisho.trace.match import MOST_RECORDS, TIERS, Pairs
from sekisho.trace.registry import Loaded
from sekisho.trace.sessions import Bools, Dataset, Fit, Floats, Ints, Strata, fit

_WEAK: Final = np.array([tier.weak for tier in TIERS])
_SETTLING_ROUNDS: Final = 4
_CLOSE: Final = 0.2  # a candidate whose odds are this share of the best one's stays a candidate
_AGES: Final = 20
_FEWEST: Final = 200  # records of a stratum, before its rate says anything


class Verdict(StrEnum):
    PASSED = "passed"  # consistent with at least one session
    NOT_HERE = "not_here"  # it did not pass here, as far as what was examined goes
    UNDECIDED = "undecided"  # too few rows, or the records are ours and no session stands out


@dataclass(frozen=True, slots=True)
class Share:
    """One client organisation's part of the list: rows by how sure they are, and distinct records."""

    organisation: str
    rows: int
    weak_rows: int
    records: int


@dataclass(frozen=True, slots=True)
class Attribution:
    verdict: Verdict
    fits: Mapping[str, Fit]
    shares: tuple[Share, ...]
    rows: int
    own: int  # rows that are ours: one organisation's
    ambiguous: int  # ours, but of two organisations or more
    weak: int  # rows that only a weak tier found
    foreign: int  # rows that nothing found
    sessions_examined: int
    pairs: Pairs  # what was settled; weak candidates included
    organisation_of_row: npt.NDArray[np.int32]  # index into `organisations`; -1 foreign, -2 ambiguous
    organisations: tuple[str, ...]


def attribute(
    pairs: Pairs, rows: int, loaded: Loaded, *, area: Ints | None = None, seed: int = 0
) -> Attribution:
    """Attribute a list of `rows` rows. `area[rec]` is any number that records of one area share, 0 if unknown."""
    pairs = _telling(pairs)
    strong = ~_WEAK[pairs.tier]
    only_weak = not strong.any()
    used = np.ones(len(pairs.row), bool) if only_weak else strong
    dataset_of = np.searchsorted(loaded.bases, pairs.rec, side="right") - 1
    bitmaps = [
        [BitMap.deserialize(passed.bitmap) for passed in loaded.sessions[name]] for name in loaded.names
    ]
    examined = sum(map(len, bitmaps))
    strata_of = _strata(loaded, area)
    kept = used.copy()
    fits: dict[str, Fit] = {}
    made_for: dict[str, bytes] = {}
    for settling in range(_SETTLING_ROUNDS):
        hit = np.zeros(int(loaded.bases[-1]), bool)
        hit[pairs.rec[kept]] = True
        # What like records are hit at without a session: among those that no session showed at all, and once sessions
        # stand out, among all that these did not show.
        unexplained = _unexplained(loaded, fits, bitmaps)
        rates = [_rates(of_record, hit, unexplained) for of_record in strata_of]
        changed = settling < 1
        for number, name in enumerate(loaded.names):
            start, stop = int(loaded.bases[number]), int(loaded.bases[number + 1])
            own = hit[start:stop]
            mark = hashlib.sha256(np.packbits(own).tobytes()).digest()
            if made_for.get(name) == mark and not (fits[name].findings or fits[name].rejected):
                continue
            made_for[name] = mark
            strata = tuple(
                Strata(of_record[start:stop], rate) for of_record, rate in zip(strata_of, rates, strict=True)
            )
            names = [passed.session for passed in loaded.sessions[name]]
            before = fits.get(name)
            data = Dataset(stop - start, own, names, bitmaps[number], strata)
            fits[name] = fit(data, examined, seed, before)
            changed = changed or before is None or _accepted(before) != _accepted(fits[name])
        settled = _settled(pairs, used, dataset_of, loaded, fits)
        if not changed and bool((settled == kept).all()):
            break
        kept = settled
    return _summed(pairs, kept, only_weak, rows, dataset_of, loaded, fits, examined)


def _accepted(fitted: Fit) -> tuple[str, ...]:
    return tuple(one.session for one in fitted.findings)


def _telling(pairs: Pairs) -> Pairs:
    """Without rows that fit too many records to tell anything."""
    count = np.bincount(pairs.row) if len(pairs.row) else np.zeros(0, np.int64)
    few = count[pairs.row] <= MOST_RECORDS if len(pairs.row) else np.zeros(0, bool)
    return Pairs(pairs.row[few], pairs.rec[few], pairs.tier[few])


def _strata(loaded: Loaded, area: Ints | None) -> list[npt.NDArray[np.int32]]:
    """Records alike: of the same age (their place among the dataset's ids, which grow with time), of the same area."""
    ages = np.concatenate(
        [
            (np.arange(size) * _AGES // max(size, 1)).astype(np.int32)
            for size in np.diff(loaded.bases).tolist()
        ]
        or [np.zeros(0, np.int32)]
    )
    found = [ages]
    if area is not None:
        found.append(pa.array(area).dictionary_encode().indices.to_numpy().astype(np.int32))
    return found


def _unexplained(loaded: Loaded, fits: Mapping[str, Fit], bitmaps: Sequence[Sequence[BitMap]]) -> Bools:
    """The records that no accepted session showed; before there are any fits, that no session showed."""
    left = np.ones(int(loaded.bases[-1]), bool)
    for number, name in enumerate(loaded.names):
        accepted = set(_accepted(fits[name])) if name in fits else set()
        for passed, bitmap in zip(loaded.sessions[name], bitmaps[number], strict=True):
            if not fits or passed.session in accepted:
                left[loaded.bases[number] + np.asarray(bitmap.to_array(), np.int64)] = False
    return left


def _rates(of_record: npt.NDArray[np.int32], hit: Bools, unexplained: Bools) -> Floats:
    """The hit rate of each stratum over all datasets; NaN where too few records say so."""
    strata = int(of_record.max()) + 1 if len(of_record) else 0
    size = np.bincount(of_record[unexplained], minlength=strata)
    hits = np.bincount(of_record[unexplained & hit], minlength=strata)
    return np.where(size >= _FEWEST, hits / np.maximum(size, 1), np.nan)


def _settled(pairs: Pairs, used: Bools, dataset_of: Ints, loaded: Loaded, fits: Mapping[str, Fit]) -> Bools:
    """Which candidates stay: of each row those that the fits expect (nearly) as much as the best one."""
    if not any(one.findings for one in fits.values()):
        return used
    odds = np.zeros(len(pairs.row))
    for number, name in enumerate(loaded.names):
        mine = dataset_of == number
        rate = np.minimum(fits[name].rate(pairs.rec[mine] - loaded.bases[number]), 1 - 1e-6)
        odds[mine] = rate / (1 - rate)
    best = np.zeros(int(pairs.row.max()) + 1) if len(pairs.row) else np.zeros(0)
    np.maximum.at(best, pairs.row[used], odds[used])
    kept: Bools = used & (odds >= _CLOSE * best[pairs.row])
    return kept


def _summed(
    pairs: Pairs,
    kept: Bools,
    only_weak: bool,
    rows: int,
    dataset_of: Ints,
    loaded: Loaded,
    fits: Mapping[str, Fit],
    examined: int,
) -> Attribution:
    organisations = tuple(dict.fromkeys(loaded.organisations))
    index = np.array([organisations.index(one) for one in loaded.organisations] or [0], np.int32)
    organisation = index[dataset_of]
    weak = _WEAK[pairs.tier]
    found = np.zeros(rows, bool)
    found[pairs.row] = True
    # One organisation when lowest and highest candidate agree; weak candidates count only where nothing else is.
    counted = kept | weak
    lowest = np.full(rows, np.iinfo(np.int32).max, np.int32)
    highest = np.full(rows, -1, np.int32)
    np.minimum.at(lowest, pairs.row[counted], organisation[counted])
    np.maximum.at(highest, pairs.row[counted], organisation[counted])
    of_row = np.where(found, np.where(lowest == highest, highest, -2), -1).astype(np.int32)
    weak_row = np.zeros(rows, bool)
    weak_row[pairs.row[weak]] = True
    shares = []
    for number, name in enumerate(organisations):
        mine = of_row == number
        records = np.unique(pairs.rec[counted & ~weak & mine[pairs.row] & (organisation == number)])
        share = Share(name, int((mine & ~weak_row).sum()), int((mine & weak_row).sum()), len(records))
        if share.rows or share.weak_rows:
            shares.append(share)
    own = int(((of_row >= 0) & ~weak_row).sum())
    ambiguous = int(((of_row == -2) & ~weak_row).sum())
    return Attribution(
        verdict=_verdict(fits, own + ambiguous, rows, only_weak),
        fits=fits,
        shares=tuple(sorted(shares, key=lambda one: (-one.rows, one.organisation))),
        rows=rows,
        own=own,
        ambiguous=ambiguous,
        weak=int(weak_row.sum()),
        foreign=int((~found).sum()),
        sessions_examined=examined,
        pairs=Pairs(pairs.row[counted], pairs.rec[counted], pairs.tier[counted]),
        organisation_of_row=of_row,
        organisations=organisations,
    )


def _verdict(fits: Mapping[str, Fit], ours: int, rows: int, only_weak: bool) -> Verdict:
    if any(one.findings for one in fits.values()):
        return Verdict.PASSED
    weak = any(lead.why == "weak" for one in fits.values() for lead in one.rejected)
    if weak or only_weak or (ours and rows < 100):
        return Verdict.UNDECIDED
    return Verdict.NOT_HERE
