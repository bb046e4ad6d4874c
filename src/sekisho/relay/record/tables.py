"""The recordings and the requests to watch them, as lists and screens read them. They grant nothing: who may watch is
read from facts (`viewing`)."""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from sekisho.ledger import Recorded, Timestamp, Writes, metadata, projects, values_of
from sekisho.ledger.projections import Value
from sekisho.relay.record.facts import RecordClosed, RecordOpened, RecordRecovered, ViewApproved, ViewAsked

recordings = Table(
    "recordings",
    metadata,
    Column("recording", String(64), primary_key=True),
    Column("session", String(64), nullable=False, index=True),
    Column("person", String(64), nullable=False, index=True),
    Column("ticket", String(64), nullable=False, index=True),
    Column("organisation", String(64), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("title", Text, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("key", String(64), nullable=False),
    Column("opened", Timestamp, nullable=False),
    Column("ended", Timestamp, nullable=True),
    Column("ending", String(16), nullable=False),  # "", "closed", "failed" or "recovered"
    Column("events", BigInteger, nullable=False),
    Column("length", BigInteger, nullable=False),
    Column("milliseconds", BigInteger, nullable=False),
    Index("recordings_by_organisation", "organisation", "opened"),
    Index("recordings_by_end", "ended", "opened"),
)

recording_views = Table(
    "recording_views",
    metadata,
    Column("request", String(64), primary_key=True),  # leaf hash of the asking
    Column("recording", String(64), nullable=False, index=True),
    Column("person", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    Column("asked", Timestamp, nullable=False),
    Column("approver", String(64), nullable=False),
    Column("approved", Timestamp, nullable=True),
)


@projects(RecordOpened)
def _opened(write: Writes, fact: RecordOpened, recorded: Recorded) -> None:
    empty: dict[str, str | int] = {"ending": "", "events": 0, "length": 0, "milliseconds": 0}
    write.insert(recordings, {**values_of(fact), "opened": recorded.at, "ended": None, **empty})


@projects(RecordClosed)
def _closed(write: Writes, fact: RecordClosed, recorded: Recorded) -> None:
    _ended(write, fact, recorded, "failed" if fact.code else "closed")


@projects(RecordRecovered)
def _recovered(write: Writes, fact: RecordRecovered, recorded: Recorded) -> None:
    _ended(write, fact, recorded, "recovered")


def _ended(write: Writes, fact: RecordClosed | RecordRecovered, recorded: Recorded, ending: str) -> None:
    figures: dict[str, Value] = {
        "events": fact.events,
        "length": fact.length,
        "milliseconds": fact.milliseconds,
    }
    ended: dict[str, Value] = {"ended": recorded.at, "ending": ending}
    write.update(recordings, {"recording": fact.recording}, {**ended, **figures})


@projects(ViewAsked)
def _asked(write: Writes, fact: ViewAsked, recorded: Recorded) -> None:
    row = {**values_of(fact), "asked": recorded.at, "approver": "", "approved": None}
    write.insert(recording_views, {"request": recorded.leaf_hash.hex(), **row})


@projects(ViewApproved)
def _approved(write: Writes, fact: ViewApproved, recorded: Recorded) -> None:
    given: dict[str, Value] = {"approver": fact.approver, "approved": recorded.at}
    write.update(recording_views, {"request": fact.request}, given)
