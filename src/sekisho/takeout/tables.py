"""Take-outs as lists and screens see them. No decision reads these tables."""

from sqlalchemy import BigInteger, Column, Integer, String, Table, Text

from sekisho.ledger import Recorded, Writes, projects, values_of
from sekisho.ledger.projections import Row
from sekisho.ledger.tables import Timestamp, metadata
from sekisho.takeout.facts import (
    TakeoutApproved,
    TakeoutClosed,
    TakeoutRefused,
    TakeoutReleased,
    TakeoutRequested,
)

takeouts = Table(
    "takeouts",
    metadata,
    Column("takeout", String(64), primary_key=True),
    Column("person", String(64), nullable=False, index=True),
    Column("ticket", String(64), nullable=False, index=True),
    Column("organisations", Text, nullable=False),  # separated by spaces
    Column("recipient", Text, nullable=False),
    Column("channel", String(16), nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("persons", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("returns", BigInteger, nullable=False),
    Column("requested", Timestamp, nullable=False),
    Column("state", String(16), nullable=False, index=True),  # asked, released, or how it was closed
    Column("ended", Timestamp, nullable=True),
)

takeout_approvals = Table(
    "takeout_approvals",
    metadata,
    Column("takeout", String(64), primary_key=True),
    Column("approver", String(64), primary_key=True),
    Column("method", String(16), nullable=False),
    Column("at", Timestamp, nullable=False),
)

# What was tried and refused, for lists.
takeout_refusals = Table(
    "takeout_refusals",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("takeout", String(64), nullable=False, index=True),
    Column("step", String(16), nullable=False),
    Column("claimed", String(64), nullable=False, index=True),
    Column("code", String(32), nullable=False),
    Column("ticket", String(64), nullable=False),
    Column("organisations", Text, nullable=False),  # separated by spaces
    Column("persons", BigInteger, nullable=False),
    Column("channel", String(16), nullable=False),
    Column("at", Timestamp, nullable=False),
)

# A take-out ends once: the ledger refuses a second row, and with it the second fact, whoever asks at the same moment.
takeout_ends = Table(
    "takeout_ends",
    metadata,
    Column("takeout", String(64), primary_key=True),
)


@projects(TakeoutRequested)
def _requested(write: Writes, fact: TakeoutRequested, recorded: Recorded) -> None:
    row: Row = {
        "takeout": fact.takeout,
        "person": fact.person,
        "ticket": fact.ticket,
        "organisations": " ".join(fact.organisations),
        "recipient": fact.recipient,
        "channel": fact.channel,
        "rows": fact.rows,
        "persons": fact.persons,
        "expires": fact.expires,
        "returns": fact.returns,
        "requested": recorded.at,
        "state": "asked",
        "ended": None,
    }
    write.insert(takeouts, row)


@projects(TakeoutApproved)
def _approved(write: Writes, fact: TakeoutApproved, recorded: Recorded) -> None:
    # Not inserted: a forged fact of the same name would keep the real signature out. The desk refuses a second one.
    key: Row = {"takeout": fact.takeout, "approver": fact.approver}
    write.upsert(takeout_approvals, key, {"method": fact.method, "at": recorded.at})


@projects(TakeoutRefused)
def _refused(write: Writes, fact: TakeoutRefused, recorded: Recorded) -> None:
    row: Row = {**values_of(fact), "organisations": " ".join(fact.organisations), "at": recorded.at}
    write.insert(takeout_refusals, {"seq": recorded.seq, **row})


@projects(TakeoutClosed)
def _closed(write: Writes, fact: TakeoutClosed, recorded: Recorded) -> None:
    write.insert(takeout_ends, {"takeout": fact.takeout})
    write.update(takeouts, {"takeout": fact.takeout}, {"state": fact.how, "ended": recorded.at})


@projects(TakeoutReleased)
def _released(write: Writes, fact: TakeoutReleased, recorded: Recorded) -> None:
    write.insert(takeout_ends, {"takeout": fact.takeout})
    write.update(takeouts, {"takeout": fact.takeout}, {"state": "released", "ended": recorded.at})
