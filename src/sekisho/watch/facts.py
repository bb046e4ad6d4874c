"""What the watch can record. Times are microseconds since 1970, UTC."""

from sekisho.ledger import Commitment, Fact, fact


@fact("watch.beat", version=1)
class Beat(Fact):
    """A source is alive. The watch itself beats as "watch": time passes for the engine only with facts."""

    source: str


@fact("watch.fact_skipped", version=1)
class FactSkipped(Fact):
    """The watch could not look at the fact of index `line`: a mistake of ours, which is raised as an alert."""

    line: int


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
    """What followed upon an alert by policy: "end_session", "close_ticket" or "freeze"."""

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
