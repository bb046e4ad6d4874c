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
    MuteApproved,
    MuteAsked,
    MuteEnded,
    ResponseTaken,
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
