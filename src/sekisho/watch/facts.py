"""What the watch can record. Times are microseconds since 1970, UTC."""

import msgspec

from sekisho.ledger import Commitment, Fact, fact


@fact("watch.beat", version=1)
class Beat(Fact):
    """A source is alive. The watch itself beats as "watch": time passes for the engine only with facts."""

    source: str


@fact("watch.fact_skipped", version=1)
class FactSkipped(Fact):
    """The watch could not look at the fact of index `line`: a mistake of ours, which is raised as an alert."""

    line: int


@fact("watch.stopped", version=1)
class Stopped(Fact):
    """The watch's process ended, or was ended by us: `how` is "exit N", "signal N", "silent" or "protocol". It is
    started again, the `times`-th time in a row after a pause, and reads what was recorded meanwhile."""

    how: str
    times: int


@fact("watch.population_stated", version=1)
class PopulationStated(Fact):
    """How many data subjects a client organisation's data has, by its own word or by a count."""

    organisation: str
    persons: int


@fact("watch.signal_received", version=1)
class SignalReceived(Fact):
    """Something from outside that concerns a client organisation: "complaint", "inquiry", "consumer_centre", "police",
    "press". `note` commits to what was said. The client is looked at more closely from here on, and the past again."""

    signal: str
    organisation: str
    kind: str
    note: Commitment


@fact("watch.canary_met", version=1)
class CanaryMet(Fact):
    """A planted person (`canary` is its id, not its name) was called, got a letter, or was seen in a list."""

    organisation: str
    canary: str
    how: str


@fact("watch.review_done", version=1)
class ReviewDone(Fact):
    """Somebody went through the logs: `kind` "log review" or "surprise"."""

    kind: str
    note: str


@fact("watch.alert_raised", version=1)
class AlertRaised(Fact):
    """An alarm of the engine: what was `observed` where `expected` was usual, as the detector's `values` tell it.

    `claim` is the detector's surprise (−log10 of the chance), `score` the calibrated one. `refs` are indices of
    facts. `to` are the persons whom the routing chose. `muted` names the mute that kept it from being sent, or is "";
    `signal` the signal from outside upon which the past was looked at again, or ""."""

    alert: str
    detector: str
    head: str
    human: str
    organisation: str
    session: str
    ticket: str
    at: int
    claim: float
    score: float
    observed: float
    expected: float
    values: dict[str, str | int | float]
    refs: tuple[int, ...]
    certain: bool
    to: tuple[str, ...]
    muted: str = ""
    signal: str = ""


@fact("watch.alert_acknowledged", version=1)
class AlertAcknowledged(Fact):
    """`verdict`: "suspicious", "expected" or "unclear". "expected" lowers nothing by itself: it is measured."""

    alert: str
    verdict: str
    reason: str


@fact("watch.alert_escalated", version=1)
class AlertEscalated(Fact):
    """Nobody acknowledged it in time: the next ones are told."""

    alert: str
    level: int
    to: tuple[str, ...]


@fact("watch.response_taken", version=1)
class ResponseTaken(Fact):
    """What followed upon an alert by policy: "end_session", "close_ticket", "freeze", "approval" or "budget"."""

    alert: str
    what: str
    subject: str


@fact("watch.mute_asked", version=1)
class MuteAsked(Fact):
    """Asks that alerts of a detector about a human be recorded but not sent, until a day. Alone it mutes nothing."""

    detector: str
    human: str
    organisation: str
    until: int
    reason: str


@fact("watch.mute_approved", version=1)
class MuteApproved(Fact):
    """`request` is the leaf hash (hex) of the MuteAsked that a second person saw."""

    request: str


@fact("watch.mute_ended", version=1)
class MuteEnded(Fact):
    """One person is enough to end a mute."""

    request: str
    reason: str


@fact("watch.source_registered", version=1)
class SourceRegistered(Fact):
    """A log source may deliver from here on; registered again, it is changed. `kind` is "http" or "syslog".

    `product`, `service` and `category` are Sigma's words for what it logs; `mapping` is the TOML text that says which
    column is what. `certificate` is the source's own, DER in hex, for TLS; `generation` counts its tokens: a new one
    voids those before. It is raised when the source is silent for `silence_minutes` (0: for three of its pauses)."""

    source: str
    kind: str
    product: str
    service: str
    category: str
    mapping: str
    certificate: str
    generation: int
    silence_minutes: int


@fact("watch.source_ended", version=1)
class SourceEnded(Fact):
    """The source delivers no more: its token and certificate open nothing."""

    source: str
    reason: str


@fact("watch.events_received", version=1)
class EventsReceived(Fact):
    """Rows of a log source, whole in the confidential part `segment`: what the watch made of them is made of it again.

    `digest` is a keyed hash by which the same batch is known again. `first` and `last` are the source's own numbers
    of the rows, 0 when it has none; `missing` is how many of its numbers were left out before. `unread` rows are of
    no kind that the watch knows: only rules look at them. `ahead` is by how many seconds a row was of the future."""

    source: str
    digest: str
    first: int
    last: int
    rows: int
    unread: int
    missing: int
    ahead: int
    segment: Commitment


class RuleMistake(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a Sigma rule is not in force."""

    path: str
    line: int
    reason: str


@fact("watch.rules_read", version=1)
class RulesRead(Fact):
    """So many Sigma rules are in force from here on, and these (`digest` of their texts); `mistakes` are the first of
    `refused` that are not."""

    rules: int
    digest: str
    refused: int
    mistakes: tuple[RuleMistake, ...]


@fact("watch.export_refused", version=1)
class ExportRefused(Fact):
    """The receiver of the export takes the fact of index `line` never: it was left out."""

    line: int
    to: str
    status: int


@fact("watch.export_stalled", version=1)
class ExportStalled(Fact):
    """The receiver of the export has taken nothing for a quarter of an hour; the fact of index `line` waits first."""

    to: str
    line: int
