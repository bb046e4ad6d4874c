"""The watch's tables, and how its facts become rows."""

import msgspec
from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, LargeBinary, String, Table, Text

from sekisho.ledger import Recorded, Writes, projects
from sekisho.ledger.projections import Row
from sekisho.ledger.tables import Timestamp, metadata
from sekisho.watch.facts import (
    AlertAcknowledged,
    AlertEscalated,
    AlertRaised,
    EventsReceived,
    MuteApproved,
    MuteAsked,
    MuteEnded,
    ResponseTaken,
    RulesRead,
    SourceEnded,
    SourceRegistered,
)

alerts = Table(
    "alerts",
    metadata,
    Column("alert", String(64), primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("raised", Timestamp, nullable=False),
    Column("detector", String(64), nullable=False),
    Column("head", String(16), nullable=False),
    Column("human", String(64), nullable=False, index=True),
    Column("organisation", String(64), nullable=False, index=True),
    Column("session", String(64), nullable=False),
    Column("ticket", String(64), nullable=False),
    Column("score", Float, nullable=False),
    Column("certain", Boolean, nullable=False),
    # The whole fact as msgspec JSON: read whole, never searched.
    Column("said", LargeBinary, nullable=False),
    Column("muted", String(64), nullable=False),
    Column("level", Integer, nullable=False),
    Column("response", Text, nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("acknowledged_by", String(64), nullable=False),
    Column("acknowledged", Timestamp, nullable=True),
    Index("alerts_open", "acknowledged", "raised"),
)

mutes = Table(
    "mutes",
    metadata,
    Column("request", String(64), primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("detector", String(64), nullable=False),
    Column("human", String(64), nullable=False),
    Column("organisation", String(64), nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("asked_by", String(64), nullable=False),
    Column("approved_by", String(64), nullable=False),
    Column("ended", Boolean, nullable=False),
)

log_sources = Table(
    "log_sources",
    metadata,
    Column("source", String(64), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("product", String(64), nullable=False),
    Column("service", String(64), nullable=False),
    Column("category", String(64), nullable=False),
    Column("mapping", Text, nullable=False),
    Column("certificate", Text, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("silence_minutes", Integer, nullable=False),
    Column("registered", Timestamp, nullable=False),
    Column("ended", Timestamp, nullable=True),
)

# What each source delivered so far; `received` is when it last did.
log_deliveries = Table(
    "log_deliveries",
    metadata,
    Column("source", String(64), primary_key=True),
    Column("last", BigInteger, nullable=False, server_default="0"),
    Column("received", Timestamp, nullable=True),
    Column("batches", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("unread", BigInteger, nullable=False),
    Column("missing", BigInteger, nullable=False),
)

# A batch that comes again is known by its digest: the ledger itself refuses the second one.
log_batches = Table(
    "log_batches",
    metadata,
    Column("source", String(64), primary_key=True),
    Column("digest", String(64), primary_key=True),
    Column("seq", BigInteger, nullable=False),
)

# One row: the Sigma rules that are in force, and the mistakes of those that are not.
sigma_rules = Table(
    "sigma_rules",
    metadata,
    Column("name", String(16), primary_key=True),
    Column("read", Timestamp, nullable=False),
    Column("rules", Integer, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("refused", Integer, nullable=False),
    Column("mistakes", LargeBinary, nullable=False),
)


@projects(AlertRaised)
def _raised(write: Writes, fact: AlertRaised, recorded: Recorded) -> None:
    row: Row = {
        "alert": fact.alert,
        "seq": recorded.seq,
        "raised": recorded.at,
        "detector": fact.detector,
        "head": fact.head,
        "human": fact.human,
        "organisation": fact.organisation,
        "session": fact.session,
        "ticket": fact.ticket,
        "score": fact.score,
        "certain": fact.certain,
        "said": msgspec.json.encode(fact),
        "muted": fact.muted,
        "level": 0,
        "response": "",
        "verdict": "",
        "acknowledged_by": "",
        "acknowledged": None,
    }
    # Inserted once: an engine that reads its last facts again after a crash raises nothing twice.
    write.insert(alerts, row)


@projects(AlertAcknowledged)
def _acknowledged(write: Writes, fact: AlertAcknowledged, recorded: Recorded) -> None:
    row: Row = {"verdict": fact.verdict, "acknowledged_by": recorded.by, "acknowledged": recorded.at}
    write.update(alerts, {"alert": fact.alert}, row)


@projects(AlertEscalated)
def _escalated(write: Writes, fact: AlertEscalated, recorded: Recorded) -> None:
    write.update(alerts, {"alert": fact.alert}, {"level": fact.level})


@projects(ResponseTaken)
def _response(write: Writes, fact: ResponseTaken, recorded: Recorded) -> None:
    write.update(alerts, {"alert": fact.alert}, {"response": fact.what})


@projects(MuteAsked)
def _mute(write: Writes, fact: MuteAsked, recorded: Recorded) -> None:
    row: Row = {
        "request": recorded.leaf_hash.hex(),
        "seq": recorded.seq,
        "detector": fact.detector,
        "human": fact.human,
        "organisation": fact.organisation,
        "until": fact.until,
        "reason": fact.reason,
        "asked_by": recorded.by,
        "approved_by": "",
        "ended": False,
    }
    write.insert(mutes, row)


@projects(MuteApproved)
def _mute_approved(write: Writes, fact: MuteApproved, recorded: Recorded) -> None:
    write.update(mutes, {"request": fact.request}, {"approved_by": recorded.by})


@projects(MuteEnded)
def _mute_ended(write: Writes, fact: MuteEnded, recorded: Recorded) -> None:
    write.update(mutes, {"request": fact.request}, {"ended": True})


@projects(SourceRegistered)
def _source(write: Writes, fact: SourceRegistered, recorded: Recorded) -> None:
    values = {name: getattr(fact, name) for name in fact.__struct_fields__ if name != "source"}
    row: Row = {**values, "registered": recorded.at, "ended": None}
    write.upsert(log_sources, {"source": fact.source}, row)


@projects(SourceEnded)
def _source_ended(write: Writes, fact: SourceEnded, recorded: Recorded) -> None:
    write.update(log_sources, {"source": fact.source}, {"ended": recorded.at})


@projects(EventsReceived)
def _received(write: Writes, fact: EventsReceived, recorded: Recorded) -> None:
    write.insert(log_batches, {"source": fact.source, "digest": fact.digest, "seq": recorded.seq})
    key: Row = {"source": fact.source}
    counts = {"batches": 1, "rows": fact.rows, "unread": fact.unread, "missing": fact.missing}
    write.add(log_deliveries, key, counts)
    write.update(log_deliveries, key, {"received": recorded.at} | ({"last": fact.last} if fact.last else {}))


@projects(RulesRead)
def _rules(write: Writes, fact: RulesRead, recorded: Recorded) -> None:
    row: Row = {
        "read": recorded.at,
        "rules": fact.rules,
        "digest": fact.digest,
        "refused": fact.refused,
        "mistakes": msgspec.json.encode(fact.mistakes),
    }
    write.upsert(sigma_rules, {"name": "in force"}, row)
