"""The outbox and the address book as tables, and how they follow from facts."""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from sekisho.ledger import Recorded, Timestamp, Writes, metadata, projects
from sekisho.ledger.leaf import micros
from sekisho.ledger.projections import Row
from sekisho.notify import facts as f

addresses = Table(
    "notify_addresses",
    metadata,
    Column("receiver", String(255), primary_key=True),
    Column("channel", String(16), nullable=False),
    Column("address", String(64), nullable=False),
    Column("set", Timestamp, nullable=False),
    Column("set_by", String(64), nullable=False),
)

notices = Table(
    "notices",
    metadata,
    Column("notice", String(64), primary_key=True),
    Column("kind", String(64), nullable=False),
    Column("text", String(64), nullable=False),
    Column("link", String(255), nullable=False),
    Column("person", String(64), nullable=False),
    Column("source", BigInteger, nullable=False),
    Column("asked", Timestamp, nullable=False),
    Index("notices_asked", "asked"),
)

# `due` is when the next attempt is (microseconds since 1970), null once it was sent or given up.
deliveries = Table(
    "notice_deliveries",
    metadata,
    Column("notice", String(64), primary_key=True),
    Column("receiver", String(255), primary_key=True),
    Column("due", BigInteger, nullable=True),
    Column("attempts", Integer, nullable=False),
    Column("sent", Timestamp, nullable=True),
    Column("channel", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Index("notice_deliveries_due", "due"),
)


@projects(f.AddressSet)
def _address_set(write: Writes, fact: f.AddressSet, recorded: Recorded) -> None:
    row: Row = {"channel": fact.channel, "address": fact.address, "set": recorded.at, "set_by": recorded.by}
    write.upsert(addresses, {"receiver": fact.receiver}, row)


@projects(f.AddressRemoved)
def _address_removed(write: Writes, fact: f.AddressRemoved, recorded: Recorded) -> None:
    write.delete(addresses, {"receiver": fact.receiver})


@projects(f.NoticeAsked)
def _asked(write: Writes, fact: f.NoticeAsked, recorded: Recorded) -> None:
    asked: Row = {"notice": fact.notice, "kind": fact.kind, "text": fact.text, "link": fact.link}
    # A notice has one name: what follows from the same fact twice is refused the second time.
    write.insert(notices, {**asked, "person": fact.person, "source": fact.source, "asked": recorded.at})
    for receiver in fact.to:
        key: Row = {"notice": fact.notice, "receiver": receiver}
        row = {**key, "due": micros(recorded.at)}
        write.insert(deliveries, {**row, "attempts": 0, "sent": None, "channel": "", "reason": ""})


@projects(f.NoticeSent)
def _sent(write: Writes, fact: f.NoticeSent, recorded: Recorded) -> None:
    row: Row = {"due": None, "sent": recorded.at, "channel": fact.channel, "reason": ""}
    write.update(deliveries, {"notice": fact.notice, "receiver": fact.receiver}, row)


@projects(f.NoticeFailed)
def _failed(write: Writes, fact: f.NoticeFailed, recorded: Recorded) -> None:
    row: Row = {"due": fact.again or None, "attempts": fact.attempt, "reason": fact.reason}
    key: Row = {"notice": fact.notice, "receiver": fact.receiver}
    write.update(deliveries, key, {**row, "channel": fact.channel})
