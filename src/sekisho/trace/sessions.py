"""Which sessions a list is consistent with: set-wise likelihood ratios that explain each other away. Pure.

One dataset at a time. Record i is in the list ("hit") with probability 1 - (1-b) Π (1-f_j) over the sessions j that
showed it: each session that leaked brought a share f_j of its records, and b is the background, the rate at which
records are hit for any other reason (a common source, chance, another client's leak of the same persons).

What misleads here, and what is done about it:
- Counting matches, or the share of a session that is in the list, accuses every session that overlaps a leaked one.
  So sessions are taken in one by one, the best first, and what those explain no longer speaks for others; each must
  keep its likelihood ratio when all are refitted together, and must have hits of its own, where no other showed them.
- A list that came from elsewhere is not spread evenly (regions, recent customers): a ratio in the thousands against
  an even background says nothing. So a session's share must be `LIFT` times the background: of its dataset, and of
  records like its own (same area, same age) that no accepted session showed, in all datasets.
- Rows are not independent: intervals come from resampling blocks of neighbouring records.

A ratio compares explanations of the list. It says "consistent with session X", never who did what.

Over six hundred lines: one model, and the judgements on it that must be read together.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from pyroaring import BitMap

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

LIFT: Final = 5.0
PRIOR_ODDS: Final = 1_000  # a ratio must be this often the number of sessions examined
TIE: Final = 3.0  # log10: less than 1000 to 1 between two sessions is a tie
MOST_ACCEPTED: Final = 60  # of one dataset
_FRACTIONS: Final = np.concatenate([np.geomspace(1e-5, 0.02, 24), np.linspace(0.03, 0.999, 40)])
_ROUNDS: Final = 400
_BLOCKS: Final = 40
_LEADS: Final = 5
_RIVALS: Final = 4
_INSIDE: Final = 0.15  # a fraction that others' persons, who are customers here too, do not make
_PEAK: Final = 4.0  # standard deviations
_SWAPS: Final = 5
_MOST_RIVALS: Final = 40
_OWN: Final = 5  # hits expected where no other accepted session could have made them
_RESAMPLES: Final = 200
_TINY: Final = 1e-12
_LN10: Final = float(np.log(10))


@dataclass(frozen=True, slots=True)
class Finding:
    """A session that the list is consistent with. `fraction` of its records is fitted to have leaked, with a 95 %
    interval; `own_hits` of `own_records` were shown by no other accepted session. `ties` explain the list as well."""

    session: str
    log10_lr: float
    lift: float
    fraction: float
    low: float
    high: float
    records: int
    hits: int
    own_records: int
    own_hits: int
    rival: str = ""
    rival_log10_lr: float = 0.0
    ties: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rejected:
    """A session that looked like one and is none. `why`: "lift" (no more than like records elsewhere), "own" (others
    explain its hits) or "weak" (the list says too little)."""

    session: str
    log10_lr: float
    lift: float
    records: int
    hits: int
    why: str


@dataclass(frozen=True, slots=True)
class Lead:
    """Where to look when nothing is certain: a session that fits better than chance, by too little."""

    session: str
    log10_lr: float
    records: int
    hits: int


@dataclass(frozen=True, slots=True)
class Fit:
    """What came out for one dataset. `expected[c]` is the fitted rate of the records with `cell == c`."""

    findings: tuple[Finding, ...]
    rejected: tuple[Rejected, ...]
    leads: tuple[Lead, ...]
    background: float
    hits: int
    records: int
    cell: npt.NDArray[np.int32]
    expected: Floats
    causes: tuple["_Cause", ...]

    def rate(self, records: Ints) -> Floats:
        """The fitted probability of a hit, by record."""
        found: Floats = self.expected[self.cell[records]]
        return found


@dataclass(frozen=True, slots=True)
class Strata:
    """How often records like these are hit where no session explains it: stratum of each record of the dataset, and
    the hit rate of each stratum over all datasets (NaN: too few to say)."""

    of_record: npt.NDArray[np.int32]
    rates: Floats


@dataclass(slots=True)
class Dataset:
    """A dataset's records, hits and sessions. `shown` are bitmaps of record ids."""

    records: int
    hit: Bools
    names: Sequence[str]
    shown: Sequence[BitMap]
    strata: tuple[Strata, ...] = ()
    _members: dict[int, Ints] = field(default_factory=dict)

    def members(self, number: int) -> Ints:
        if (found := self._members.get(number)) is None:
            found = np.asarray(self.shown[number].to_array(), np.int64)
            if len(self._members) < 64:
                self._members[number] = found
        return found


class _Cause(NamedTuple):
    """A session, and the run of its records, in the order of their ids, that is fitted with one fraction: a download
    that was copied up to the middle is a run."""

    number: int
    start: int
    stop: int


class _Model:
    """The accepted sessions of a dataset, its records divided into cells that the same of them showed."""

    def __init__(
        self,
        data: Dataset,
        accepted: tuple[_Cause, ...],
        cell: npt.NDArray[np.int32],
        patterns: Bools,
        counted: tuple[Floats, Floats] | None = None,
    ) -> None:
        self.data = data
        self.accepted = accepted
        self.cell, self.patterns = (
            cell,
            patterns,
        )  # patterns[c, p]: did accepted[p] show the records of cell c
        self.size: Floats
        self.hits: Floats
        self.size, self.hits = counted or (
            np.bincount(cell, minlength=len(patterns)).astype(float),
            np.bincount(cell[data.hit], minlength=len(patterns)).astype(float),
        )
        self.rivals: dict[
            _Cause, list[tuple[float, str, _Cause]]
        ] = {}  # once found, of each accepted session
        self.rates = self._fitted()  # of the background, then of each accepted session
        self.expected = self._expected(self.rates)

    @classmethod
    def empty(cls, data: Dataset) -> "_Model":
        return cls(data, (), np.zeros(data.records, np.int32), np.zeros((1, 0), bool))

    def plus(self, cause: _Cause, *, only_likelihood: bool = False) -> "_Model":
        """With one session more, all fitted anew: its records leave their cells for new ones behind the old. Where only
        the likelihood is asked for, the records' cells (megabytes) stay those of before."""
        members = self.data.members(cause.number)[cause.start : cause.stop]
        cells, count = self.cell[members], len(self.patterns)
        size = np.bincount(cells, minlength=count).astype(float)
        hits = np.bincount(cells[self.data.hit[members]], minlength=count).astype(float)
        there = np.flatnonzero(size)
        counted = (
            np.concatenate([self.size - size, size[there]]),
            np.concatenate([self.hits - hits, hits[there]]),
        )
        patterns = np.vstack(
            [
                np.column_stack([self.patterns, np.zeros(count, bool)]),
                np.column_stack([self.patterns[there], np.ones(len(there), bool)]),
            ]
        )
        cell = self.cell
        if not only_likelihood:
            renamed = np.zeros(count, np.int32)
            renamed[there] = np.arange(count, count + len(there), dtype=np.int32)
            cell = cell.copy()
            cell[members] = renamed[cells]
        return _Model(self.data, (*self.accepted, cause), cell, patterns, counted)

    def minus(self, cause: _Cause) -> "_Model":
        """With one session less, all fitted anew; the cells stay as they are."""
        place = self.accepted.index(cause)
        accepted = (*self.accepted[:place], *self.accepted[place + 1 :])
        patterns = np.delete(self.patterns, place, axis=1)
        return _Model(self.data, accepted, self.cell, patterns, (self.size, self.hits))

    def _expected(self, rates: Floats) -> Floats:
        miss = np.log1p(-np.minimum(rates, 1 - 1e-9))
        found: Floats = np.clip(1 - np.exp(miss[0] + self.patterns @ miss[1:]), _TINY, 1 - 1e-9)
        return found

    def expected_without(self, cause: _Cause) -> Floats:
        """The rates of the cells by everything but this session, as fitted with it."""
        rates = self.rates.copy()
        rates[1 + self.accepted.index(cause)] = 0.0
        return self._expected(rates)

    def _fitted(self) -> Floats:
        """Expectation maximisation: of a cell's hits, cause i made p_i / q. Each round cannot lower the likelihood."""
        causes = np.column_stack([np.ones(len(self.patterns), bool), self.patterns])
        share = self.hits.sum() / max(self.size.sum(), 1.0)
        rates = np.full(causes.shape[1], 0.5)
        rates[0] = max(share / 2, _TINY)
        exposed = np.maximum(causes.T @ self.size, 1.0)
        for _ in range(_ROUNDS):
            ratio = self.hits / self._expected(rates)
            new = np.minimum(rates * (causes.T @ ratio) / exposed, 1 - 1e-9)
            done = bool(np.max(np.abs(new - rates)) < 1e-9)
            rates = new
            if done:
                break
        return rates

    def log_likelihood(self) -> float:
        q = self.expected
        return float((self.hits * np.log(q) + (self.size - self.hits) * np.log1p(-q)).sum())

    @property
    def numbers(self) -> frozenset[int]:
        return frozenset(cause.number for cause in self.accepted)

    def counts(self, number: int) -> tuple[Floats, Floats, Ints]:
        """Records and hits of a session by block of neighbouring records and by cell, and where the blocks begin."""
        members = self.data.members(number)
        blocks, cells = _blocks(len(members)), len(self.patterns)
        begins = -(-np.arange(blocks + 1) * len(members) // blocks)
        place = (
            np.repeat(np.arange(blocks, dtype=np.int32) * np.int32(cells), np.diff(begins))
            + self.cell[members]
        )
        size = np.bincount(place, minlength=blocks * cells).reshape(blocks, cells).astype(float)
        hit = place[self.data.hit[members]]
        hits = np.bincount(hit, minlength=blocks * cells).reshape(blocks, cells).astype(float)
        return size, hits, begins

    def price(self, cause: _Cause) -> float:
        """What it costs (log10) that one of so many runs of a session was chosen; nothing for the whole of it."""
        length = len(self.data.members(cause.number))
        return _run_price(_blocks(length)) / _LN10 if cause.stop - cause.start < length else 0.0

    def gain(self, number: int) -> tuple[float, _Cause]:
        """About the log likelihood ratio (natural) of taking this session in, whole or a run of it: the fractions of
        the others stay as fitted; the background stays, or becomes what is left where nothing else explains hits."""
        size, hits, begins = self.counts(number)
        whole = _Cause(number, 0, int(begins[-1]))
        if not hits.any():
            return 0.0, whole
        gains = _gains(size, hits, self.expected)
        found, first, last = float(gains.sum(axis=0).max()), 0, len(gains)
        if len(gains) > 1:
            run, start, stop = _best_run(gains)
            run -= _run_price(len(gains))
            if run > found:
                found, first, last = run, start, stop
        cause = _Cause(number, int(begins[first]), int(begins[last]))
        plain = np.flatnonzero(~self.patterns.any(axis=1))
        if len(plain) and (first, last) == (0, len(gains)):
            other = self._gain_of_background(int(plain[0]), size.sum(axis=0), hits.sum(axis=0))
            found = max(found, other)
        return max(found, 0.0), cause

    def _gain_of_background(self, plain: int, size: Floats, hits: Floats) -> float:
        inside, outside = size[plain], self.size[plain] - size[plain]
        if not inside or not outside:
            return 0.0
        q_in = min(float(hits[plain] / inside), 1 - 1e-9)
        q_out = max(float((self.hits[plain] - hits[plain]) / outside), _TINY)
        if q_in <= q_out:
            return 0.0
        before = _bernoulli(self.hits[plain], self.size[plain], float(self.expected[plain]))
        gain = _bernoulli(hits[plain], inside, q_in) + _bernoulli(outside * q_out, outside, q_out) - before
        fraction = 1 - (1 - q_in) / (1 - q_out)
        others = np.flatnonzero(size)
        others = others[others != plain]
        q = self.expected[others]
        gain += float((hits[others] * np.log1p((1 - q) * fraction / q)).sum())
        return gain + float((size[others] - hits[others]).sum() * np.log1p(-min(fraction, 1 - 1e-9)))


def _blocks(records: int) -> int:
    return min(_BLOCKS, max(records // 5, 1))


def _run_price(blocks: int) -> float:
    """Natural logarithm of how many runs there are."""
    return float(np.log(blocks * (blocks + 1) / 2))


def _best_run(gains: Floats) -> tuple[float, int, int]:
    """The run of blocks, and the fraction, with the largest sum: (sum, first block, one after the last)."""
    sums = np.vstack([np.zeros((1, gains.shape[1])), np.cumsum(gains, axis=0)])
    rises = sums[1:] - np.minimum.accumulate(sums, axis=0)[:-1]
    last, fraction = np.unravel_index(int(rises.argmax()), rises.shape)
    first = int(sums[: last + 1, fraction].argmin())
    return float(rises[last, fraction]), first, int(last) + 1


def _bernoulli(hits: float, size: float, rate: float) -> float:
    """The log likelihood of `hits` among `size`."""
    return float(hits * np.log(max(rate, _TINY)) + (size - hits) * np.log1p(-min(rate, 1 - 1e-9)))


def _gains(size: Floats, hits: Floats, expected: Floats) -> Floats:
    """Log likelihood ratio for each row of (size, hits) by cell and each fraction: an array (rows, fractions)."""
    some = size.any(axis=0)
    size, hits, q = size[:, some], hits[:, some], expected[some]
    # A hit becomes likelier by (1-(1-q)(1-f))/q, a miss less likely by (1-f).
    likelier = np.log1p((1 - q)[:, None] * _FRACTIONS[None, :] / q[:, None])
    found: Floats = hits @ likelier + (size - hits).sum(axis=1)[:, None] * np.log1p(-_FRACTIONS)[None, :]
    return found


def fit(data: Dataset, sessions_examined: int, seed: int = 0, before: Fit | None = None) -> Fit:
    """The sessions that the hits of a dataset are consistent with. `sessions_examined` is of all datasets; `before` is
    the fit to hits that were nearly these, to begin with."""
    least = float(np.log10(max(sessions_examined, 1) * PRIOR_ODDS))
    model = _Model.empty(data)
    for cause in before.causes if before and data.hit.any() else ():
        model = model.plus(cause)
    rejected: dict[int, Rejected] = {}
    if data.hit.any():
        model = _put_out(_take_in(model, least, rejected), least, rejected)
        for _ in range(_SWAPS):
            if (better := _swapped(model)) is None:
                break
            model = _put_out(better, least, rejected)
    findings = tuple(
        sorted(
            (_finding(model, cause, seed) for cause in model.accepted),
            key=lambda one: (-one.log10_lr, one.session),
        )
    )
    tied = {name for one in findings for name in one.ties}
    others = tuple(
        sorted(
            (
                one
                for number, one in rejected.items()
                if one.session not in tied and number not in model.numbers
            ),
            key=lambda one: (-one.log10_lr, one.session),
        )
    )
    return Fit(
        findings,
        others,
        () if findings or not data.hit.any() else _leads(model, rejected),
        float(model.rates[0]),
        int(data.hit.sum()),
        data.records,
        model.cell,
        model.expected,
        model.accepted,
    )


def _take_in(model: _Model, least: float, rejected: dict[int, Rejected]) -> _Model:
    """Greedily, the best first. A gain mostly falls when others are taken in, so only the best is looked at again;
    when none is left, all are."""
    names = model.data.names
    hits = BitMap(np.flatnonzero(model.data.hit).astype(np.uint32))
    gains = {
        number: (np.inf, _Cause(number, 0, 0))
        for number, shown in enumerate(model.data.shown)
        if number not in model.numbers and shown.intersection_cardinality(hits) >= _OWN
    }
    fresh: set[int] = set()
    while gains and len(model.accepted) < MOST_ACCEPTED:
        best = min(gains, key=lambda number: (-gains[number][0], names[number]))
        if gains[best][0] / _LN10 < least:
            if gains.keys() <= fresh:
                break
            for number in gains.keys() - fresh:
                gains[number] = model.gain(number)
            fresh.update(gains)
        elif best not in fresh:
            gains[best] = model.gain(best)
            fresh.add(best)
        else:
            gain, cause = gains.pop(best)
            if (lift := _lift_alone(model, cause)) >= LIFT / 2:
                model = model.plus(cause)
                fresh.clear()
            else:
                rejected[best] = _rejected(model, best, gain / _LN10, lift, "lift")
    return model


def _put_out(model: _Model, least: float, rejected: dict[int, Rejected]) -> _Model:
    """Drop what does not stand among the others, the worst first, until all stand."""
    while model.accepted:
        whole = model.log_likelihood()
        judged: list[tuple[float, _Cause, str, float, float]] = []
        rests: dict[_Cause, _Model] = {}
        for place, cause in enumerate(model.accepted):
            lift, own = _lift(model, place), _own_lift(model, place)
            rests[cause] = _widened(model.minus(cause))
            ratio = (whole - rests[cause].log_likelihood()) / _LN10 - model.price(cause)
            why = "weak" if ratio < least else "lift" if lift < LIFT else "own" if own < LIFT else ""
            if why:
                judged.append((ratio - 1e12 if why == "weak" else min(lift, own), cause, why, ratio, lift))
        if not judged:
            break
        _, cause, why, ratio, lift = min(judged)
        rejected[cause.number] = _rejected(model, cause.number, ratio, lift, why)
        model = rests[cause]
    return model


def _widened(model: _Model) -> _Model:
    """With each run fitted anew: beside a session that overlapped several leaked ones, the run of each of them was only
    what that one left over."""
    for cause in model.accepted:
        if cause.stop - cause.start < len(model.data.members(cause.number)):
            rest = model.minus(cause)
            wider = rest.plus(rest.gain(cause.number)[1])
            if wider.log_likelihood() > model.log_likelihood():
                model = wider
    return model


def _swapped(model: _Model) -> _Model | None:
    """With the first session whose rival explains the list clearly better replaced by it; None when there is none.
    Greedy choice can begin with a session that overlaps several leaked ones."""
    whole = model.log_likelihood()
    for cause in model.accepted:
        without = model.minus(cause)
        price = model.price(cause)
        ratio = (whole - without.log_likelihood()) / _LN10 - price
        rivals = _rivals(model, without, cause)
        if rivals and rivals[0][0] > ratio + TIE:
            return without.plus(rivals[0][2])
        # A session that is in the list whole is the plainer story than just that part of a larger one.
        wholes = [rival for gain, _, rival in rivals if gain > ratio - TIE and not model.price(rival)]
        if price and wholes:
            return without.plus(wholes[0])
    return None


def _rejected(model: _Model, number: int, ratio: float, lift: float, why: str) -> Rejected:
    members = model.data.members(number)
    hits = int(model.data.hit[members].sum())
    return Rejected(model.data.names[number], round(ratio, 2), round(lift, 3), len(members), hits, why)


def _lift_alone(model: _Model, cause: _Cause) -> float:
    """The lift that a session would begin with. The fitted background still holds what sessions that come later will
    explain, so only records alike are looked at."""
    cells = model.cell[members := model.data.members(cause.number)[cause.start : cause.stop]]
    count = len(model.patterns)
    size = np.bincount(cells, minlength=count).astype(float)
    hits = np.bincount(cells[model.data.hit[members]], minlength=count).astype(float)
    fraction = _FRACTIONS[_gains(size[None, :], hits[None, :], model.expected)[0].argmax()]
    return float(fraction) / max(_rate_alike(model.data, cause), _TINY)


def _background(model: _Model, cause: _Cause) -> float:
    """The highest of the rates at which this session's records would be hit without it."""
    outside = model.size[~model.patterns.any(axis=1)].sum()
    even = max(float(model.rates[0]), 0.5 / max(float(outside), 1.0))
    return max(even, _rate_alike(model.data, cause))


def _rate_alike(data: Dataset, cause: _Cause) -> float:
    """The rate at which records like the session's are hit elsewhere; 0 where too few say so."""
    found = 0.0
    members = data.members(cause.number)[cause.start : cause.stop]
    for strata in data.strata:
        shares = np.bincount(strata.of_record[members], minlength=len(strata.rates)) / max(len(members), 1)
        known = ~np.isnan(strata.rates)
        if shares[known].sum() > 0.5:
            found = max(found, float((shares[known] * strata.rates[known]).sum() / shares[known].sum()))
    return found


def _lift(model: _Model, place: int) -> float:
    return float(model.rates[1 + place]) / _background(model, model.accepted[place])


def _own_lift(model: _Model, place: int) -> float:
    """As the lift, of the records that only this one of the accepted sessions showed. Where they are too few to say,
    it is 0: others explain all that it showed; unless it stands out inside of one that was copied evenly."""
    own = model.patterns[:, place] & (model.patterns.sum(axis=1) == 1)
    size, hits = model.size[own].sum(), model.hits[own].sum()
    if size * model.rates[1 + place] < _OWN:
        return _lift(model, place) if _stands_out(model, place) else 0.0
    return float(hits / size) / _background(model, model.accepted[place])


def _stands_out(model: _Model, place: int) -> bool:
    """Whether the session that showed most of this one's records is hit evenly outside of them: then a peak inside is
    this one's. If it is uneven, a peak proves nothing."""
    data, inside = model.data, model.patterns[:, place]
    shared = (model.patterns & inside[:, None]).T @ model.size
    shared[place] = -1
    around = int(shared.argmax())
    if shared[around] <= 0 or model.rates[1 + place] < _INSIDE:
        return False
    cause = model.accepted[around]
    members = data.members(cause.number)[cause.start : cause.stop]
    members = members[~inside[model.cell[members]]]
    blocks = min(_BLOCKS, len(members) // 20)
    if blocks < 2:
        return False
    begins = np.arange(blocks) * len(members) // blocks
    size = np.diff(begins, append=len(members))
    hits = np.add.reduceat(data.hit[members].astype(np.int64), begins)
    rates = hits / size
    rate = float(hits.sum() / size.sum())
    # What blocks differ by beyond chance is how far from `rate` a part of this session may be for any other reason.
    uneven = max(float(rates.var()) - rate * (1 - rate) / float(size.mean()), 0.0)
    within = model.patterns[:, place] & model.patterns[:, around]
    count = float(model.size[within].sum())
    peak = float(model.hits[within].sum()) / count
    return bool(peak - rate > _PEAK * (uneven + rate * (1 - rate) / count) ** 0.5)


def _finding(model: _Model, cause: _Cause, seed: int) -> Finding:
    data, place = model.data, model.accepted.index(cause)
    without = model.minus(cause)
    ratio = (model.log_likelihood() - without.log_likelihood()) / _LN10 - model.price(cause)
    rivals = _rivals(model, without, cause)
    ties = tuple(name for gain, name, _ in rivals if ratio - gain < TIE)
    nearest = rivals[0] if rivals else (0.0, "", cause)
    members = data.members(cause.number)
    own = model.patterns[:, place] & (model.patterns.sum(axis=1) == 1)
    # Of the whole session, when only a run of it was fitted.
    part = (cause.stop - cause.start) / max(len(members), 1)
    low, high = (part * end for end in _interval(model, cause, seed))
    fraction = part * float(model.rates[1 + place])
    return Finding(
        session=data.names[cause.number],
        log10_lr=round(ratio, 2),
        lift=round(_lift(model, place), 2),
        fraction=round(fraction, 4),
        low=round(min(low, fraction), 4),
        high=round(max(high, fraction), 4),
        records=len(members),
        hits=int(data.hit[members].sum()),
        own_records=int(model.size[own].sum()),
        own_hits=int(model.hits[own].sum()),
        rival=nearest[1],
        rival_log10_lr=round(nearest[0], 2),
        ties=ties,
    )


def _rivals(model: _Model, without: _Model, cause: _Cause) -> list[tuple[float, str, _Cause]]:
    """What the likeliest other sessions would gain in this one's place, all refitted; the best first. Only a session
    that showed half of this one's hits can explain them as well."""
    if (known := model.rivals.get(cause)) is not None:
        return known
    data = model.data
    members = data.members(cause.number)[cause.start : cause.stop]
    mine = BitMap(members[data.hit[members]].astype(np.uint32))
    others = [
        other
        for other, shown in enumerate(data.shown)
        if other not in model.numbers and 2 * shown.intersection_cardinality(mine) >= len(mine)
    ]
    gains = sorted((without.gain(other) for other in others), key=lambda one: -one[0])
    few = [one for gain, one in gains[:_RIVALS] if gain > 0]
    # Sessions that showed exactly the same are equal, however many.
    few += [
        one for gain, one in gains[_RIVALS:_MOST_RIVALS] if gain > 0 and gain >= gains[0][0] - TIE * _LN10
    ]
    base = without.log_likelihood()
    names = without.data.names
    found = [
        (
            (without.plus(one, only_likelihood=True).log_likelihood() - base) / _LN10 - model.price(one),
            names[one.number],
            one,
        )
        for one in few
    ]
    ranked = model.rivals[cause] = sorted(found, key=lambda rival: (-rival[0], rival[1]))
    return ranked


def _leads(model: _Model, rejected: dict[int, Rejected]) -> tuple[Lead, ...]:
    data = model.data
    gains = sorted(
        (-model.gain(number)[0] / _LN10, data.names[number], number)
        for number in range(len(data.names))
        if number not in rejected
    )
    return tuple(
        Lead(name, round(-gain, 2), len(data.members(number)), int(data.hit[data.members(number)].sum()))
        for gain, name, number in gains[:_LEADS]
        if gain < 0
    )


def _interval(model: _Model, cause: _Cause, seed: int) -> tuple[float, float]:
    """95 % of the fractions that blocks of neighbouring records, drawn again, are fitted with."""
    size, hits, begins = model.counts(cause.number)
    inside = (begins[:-1] >= cause.start) & (begins[1:] <= cause.stop)
    size, hits = size[inside], hits[inside]
    blocks = len(size)
    # A generator of its own: the same list gives the same interval.
    drawn = np.random.default_rng(seed).integers(0, blocks, (_RESAMPLES, blocks))
    times = np.zeros((_RESAMPLES, blocks))
    np.add.at(times, (np.arange(_RESAMPLES)[:, None], drawn), 1)
    gains = _gains(times @ size, times @ hits, model.expected_without(cause))
    fractions = np.sort(_FRACTIONS[gains.argmax(axis=1)])
    return float(fractions[int(0.025 * _RESAMPLES)]), float(fractions[int(0.975 * _RESAMPLES) - 1])
