"""A trace's answer as a document: what a case keeps, byte for byte the same for the same list, registry and columns.

It holds no value of the list, only counts and ids; it is confidential all the same, and sealed.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import fields
from typing import Final

import msgspec
import numpy as np

from sekisho.trace import history
from sekisho.trace.attribution import Attribution, Verdict
from sekisho.trace.lookup import Traced
from sekisho.trace.match import TIERS
from sekisho.trace.persons import RULES

METHOD: Final = "exact-parts/1 explain-away-lr/2 fuzzy-splink/1 canaries/1 history/1"
"""Names the rules that made an answer; changed whenever the same input could give another answer."""


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class Column(Document, frozen=True, kw_only=True):
    name: str
    item: str
    confidence: float


class Session(Document, frozen=True, kw_only=True):
    """A session that the list is consistent with; see `sessions.Finding`."""

    session: str
    dataset: str
    organisation: str
    log10_lr: float
    lift: float
    fraction: float
    low: float
    high: float
    records: int
    hits: int
    own_records: int
    own_hits: int
    rival: str
    rival_log10_lr: float
    ties: tuple[str, ...]
    favoured: str  # of this one and its ties, the one that download histories speak for
    history: "History"


class History(Document, frozen=True, kw_only=True):
    """See `history.History`."""

    statements: int
    largest: int
    shown: tuple[str, ...]
    added: tuple[str, ...]
    same_rows: bool
    weight: float


class Doubt(Document, frozen=True, kw_only=True):
    """A session that was looked at and is not named. `why`: "lift", "own", "weak", or "lead" (too little to say)."""

    session: str
    dataset: str
    log10_lr: float
    lift: float
    records: int
    hits: int
    why: str


class Persons(Document, frozen=True, kw_only=True):
    lower: int
    best: int
    upper: int


class Client(Document, frozen=True, kw_only=True):
    organisation: str
    rows: int
    weak_rows: int
    fuzzy_rows: int
    records: int
    persons: Persons


class Shown(Document, frozen=True, kw_only=True):
    """A session that was shown `hits` persons of the list. Most sessions are, by chance: no finding by itself."""

    session: str
    dataset: str
    records: int
    hits: int


class Canary(Document, frozen=True, kw_only=True):
    """A copy of a list of which `found` of `planted` invented persons stand in this one, and in no other copy."""

    copy: str
    organisation: str
    planted: int
    found: int


class Coverage(Document, frozen=True, kw_only=True):
    """What was looked at, and what was not. `unresolved` counts persons that sessions were shown and that no indexed
    record has; `not_gathered` are sessions without a set of persons (still open, or it was erased)."""

    datasets: tuple[str, ...]
    records: int
    sessions: int
    unresolved: int
    erased: tuple[str, ...]
    not_gathered: int


class Answer(Document, frozen=True, kw_only=True):
    method: str
    list_sha256: str
    list_form: str
    list_encoding: str
    rows: int
    columns: tuple[Column, ...]
    registry: str
    verdict: str
    sessions: tuple[Session, ...]
    doubts: tuple[Doubt, ...]
    clients: tuple[Client, ...]
    persons: Persons
    own_rows: int
    ambiguous_rows: int
    weak_rows: int
    fuzzy_rows: int  # found by the fuzzy pass alone, in sessions that were accepted without them
    foreign_rows: int
    rows_by_tier: dict[str, int]
    rules: dict[str, tuple[str, ...]]
    canaries: tuple[Canary, ...]
    shown: tuple[Shown, ...]
    coverage: Coverage

    def encoded(self) -> bytes:
        """JSON with sorted keys: the bytes that are hashed."""
        return msgspec.json.format(msgspec.json.encode(self, order="sorted"), indent=1)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.encoded()).hexdigest()


def answer_of(
    traced: Traced,
    *,
    registry: str,
    not_gathered: int = 0,
    histories: Mapping[str, history.History] | None = None,
) -> Answer:
    """`registry` is the digest of the registry that was looked up in; `histories` are of sessions that are named or
    tie with one."""
    found = traced.attribution
    known = histories or {}
    return Answer(
        method=METHOD,
        list_sha256=traced.listing.sha256,
        list_form=traced.listing.form,
        list_encoding=traced.listing.encoding,
        rows=found.rows,
        columns=tuple(
            Column(
                name=column.name,
                item=column.item,
                confidence=column.guesses[0].confidence if column.guesses else 0.0,
            )
            for column in traced.listing.columns
        ),
        registry=registry,
        # A canary stands in one copy only: the list is consistent with that copy, whatever else.
        verdict=(Verdict.PASSED if traced.canaries else found.verdict).value,
        sessions=tuple(
            Session(
                session=one.session,
                dataset=dataset,
                organisation=traced.organisation_of[dataset],
                log10_lr=one.log10_lr,
                lift=one.lift,
                fraction=one.fraction,
                low=one.low,
                high=one.high,
                records=one.records,
                hits=one.hits,
                own_records=one.own_records,
                own_hits=one.own_hits,
                rival=one.rival,
                rival_log10_lr=one.rival_log10_lr,
                ties=one.ties,
                favoured=history.favoured(one.session, one.ties, known),
                history=_history(known.get(one.session, history.NOTHING)),
            )
            for dataset, fit in found.fits.items()
            for one in fit.findings
        ),
        doubts=_doubts(found),
        clients=tuple(
            Client(
                organisation=share.organisation,
                rows=share.rows,
                weak_rows=share.weak_rows,
                fuzzy_rows=traced.fuzzy.get(share.organisation, 0),
                records=share.records,
                persons=_persons(traced, share.organisation),
            )
            for share in found.shares
        ),
        persons=Persons(lower=traced.counts.lower, best=traced.counts.best, upper=traced.counts.upper),
        own_rows=found.own,
        ambiguous_rows=found.ambiguous,
        weak_rows=found.weak,
        fuzzy_rows=sum(traced.fuzzy.values()),
        foreign_rows=found.foreign - sum(traced.fuzzy.values()),
        rows_by_tier=_tiers(found),
        rules={rule: tuple("+".join(parts) for parts in sets) for rule, sets in RULES.items()},
        canaries=tuple(
            Canary(copy=one.copy, organisation=one.organisation, planted=one.planted, found=one.found)
            for one in traced.canaries
        ),
        shown=tuple(
            Shown(session=one.session, dataset=one.dataset, records=one.records, hits=one.hits)
            for one in traced.shown
        ),
        coverage=Coverage(
            datasets=tuple(traced.organisation_of),
            records=sum(fit.records for fit in found.fits.values()),
            sessions=found.sessions_examined,
            unresolved=traced.unresolved,
            erased=traced.erased,
            not_gathered=not_gathered,
        ),
    )


def named_sessions(traced: Traced) -> set[str]:
    """The sessions whose download history an answer looks at."""
    fits = traced.attribution.fits.values()
    return {name for fit in fits for one in fit.findings for name in (one.session, *one.ties)}


def _history(found: history.History) -> History:
    return History(**{field.name: getattr(found, field.name) for field in fields(found)})


def _persons(traced: Traced, organisation: str) -> Persons:
    counts = traced.counts_of[organisation]
    return Persons(lower=counts.lower, best=counts.best, upper=counts.upper)


def _doubts(found: Attribution) -> tuple[Doubt, ...]:
    rejected = [
        Doubt(
            session=one.session,
            dataset=dataset,
            log10_lr=one.log10_lr,
            lift=one.lift,
            records=one.records,
            hits=one.hits,
            why=one.why,
        )
        for dataset, fit in found.fits.items()
        for one in fit.rejected
    ]
    leads = [
        Doubt(
            session=one.session,
            dataset=dataset,
            log10_lr=one.log10_lr,
            lift=0.0,
            records=one.records,
            hits=one.hits,
            why="lead",
        )
        for dataset, fit in found.fits.items()
        for one in fit.leads
    ]
    return tuple(sorted(rejected + leads, key=lambda one: (-one.log10_lr, one.session))[:50])


def _tiers(found: Attribution) -> dict[str, int]:
    counts: dict[str, int] = {}
    for number, tier in enumerate(TIERS):
        rows = len(np.unique(found.pairs.row[found.pairs.tier == number]))
        if rows:
            counts[tier.name] = rows
    return counts
