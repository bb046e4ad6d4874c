"""Copies, their ways and their whereabouts as lists and screens see them."""

from sqlalchemy import BigInteger, Boolean, Column, Integer, String, Table, Text

from sekisho.ledger import Recorded, Writes, projects
from sekisho.ledger.projections import Row
from sekisho.ledger.tables import Timestamp, metadata
from sekisho.takeout import custody_facts as facts

marking_allowances = Table(
    "marking_allowances",
    metadata,
    Column("organisation", String(64), primary_key=True),
    Column("forms", Text, nullable=False),  # separated by spaces
    Column("reorder", Boolean, nullable=False),
    Column("canaries", Integer, nullable=False),
    Column("contacts", String(64), nullable=False),
)

takeout_copies = Table(
    "takeout_copies",
    metadata,
    Column("takeout", String(64), primary_key=True),
    Column("seq", BigInteger, nullable=False, index=True),
    Column("rows", BigInteger, nullable=False),
    Column("planted", BigInteger, nullable=False),
    Column("manifest", String(64), nullable=False),
    Column("code", String(64), nullable=False),
    Column("package", String(64), nullable=False),
    Column("marks", String(64), nullable=False),
)

takeout_destinations = Table(
    "takeout_destinations",
    metadata,
    Column("destination", String(64), primary_key=True),
    Column("channel", String(16), nullable=False),
    Column("address", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("removed", String(16), nullable=False),  # how, or ""
)

takeout_links = Table(
    "takeout_links",
    metadata,
    Column("link", String(64), primary_key=True),
    Column("takeout", String(64), nullable=False, index=True),
    Column("code", String(64), nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),  # of several links, the newest counts
    Column("left", Integer, nullable=False),  # tries
    Column("used", Boolean, nullable=False),
)

# What is on its way, or has arrived: the ledger refuses a second row, and with it a second delivery.
takeout_on_the_way = Table(
    "takeout_on_the_way",
    metadata,
    Column("takeout", String(64), primary_key=True),
)

takeout_deliveries = Table(
    "takeout_deliveries",
    metadata,
    Column("takeout", String(64), primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("channel", String(16), nullable=False),
    Column("to", Text, nullable=False),
    Column("begun", Timestamp, nullable=False),
    Column("ended", Timestamp, nullable=True),
    Column("failed", Text, nullable=True),
)

custody = Table(
    "takeout_custody",
    metadata,
    Column("takeout", String(64), primary_key=True),
    Column("state", String(16), nullable=False, index=True),  # handed_over, received, returned, destroyed
    Column("channel", String(16), nullable=False),
    Column("to", Text, nullable=False),
    Column("confirmed", String(16), nullable=False),
    Column("handed_over", Timestamp, nullable=False),
    Column("received", Timestamp, nullable=True),
    Column("opened_rows", BigInteger, nullable=True),
    Column("ended", Timestamp, nullable=True),
)

custody_alarms = Table(
    "takeout_custody_alarms",
    metadata,
    Column("takeout", String(64), primary_key=True),
    Column("why", String(16), primary_key=True),
    Column("at", Timestamp, nullable=False),
)


@projects(facts.MarkingAllowed)
def _allowed(write: Writes, fact: facts.MarkingAllowed, recorded: Recorded) -> None:
    row: Row = {
        "forms": " ".join(fact.forms),
        "reorder": fact.reorder,
        "canaries": fact.canaries,
        "contacts": fact.contacts,
    }
    write.upsert(marking_allowances, {"organisation": fact.organisation}, row)


@projects(facts.CopyMade)
def _copied(write: Writes, fact: facts.CopyMade, recorded: Recorded) -> None:
    row: Row = {
        "takeout": fact.takeout,
        "seq": recorded.seq,
        "rows": fact.rows,
        "planted": fact.planted,
        "manifest": fact.manifest,
        "code": fact.code,
        "package": fact.package,
        "marks": fact.marks,
    }
    write.insert(takeout_copies, row)


@projects(facts.DestinationProposed)
def _destination(write: Writes, fact: facts.DestinationProposed, recorded: Recorded) -> None:
    row: Row = {
        "destination": fact.destination,
        "channel": fact.channel,
        "address": fact.address,
        "label": fact.label,
        "removed": "",
    }
    write.insert(takeout_destinations, row)


@projects(facts.DestinationRemoved)
def _destination_removed(write: Writes, fact: facts.DestinationRemoved, recorded: Recorded) -> None:
    write.update(takeout_destinations, {"destination": fact.destination}, {"removed": fact.how})


@projects(facts.LinkMade)
def _link(write: Writes, fact: facts.LinkMade, recorded: Recorded) -> None:
    row: Row = {
        "link": fact.link,
        "takeout": fact.takeout,
        "code": fact.code,
        "expires": fact.expires,
        "seq": recorded.seq,
        "left": fact.tries,
        "used": False,
    }
    write.insert(takeout_links, row)


@projects(facts.LinkTried)
def _tried(write: Writes, fact: facts.LinkTried, recorded: Recorded) -> None:
    write.update(takeout_links, {"link": fact.link}, {"left": fact.left})


@projects(facts.DeliveryBegun)
def _begun(write: Writes, fact: facts.DeliveryBegun, recorded: Recorded) -> None:
    row: Row = {
        "takeout": fact.takeout,
        "attempt": fact.attempt,
        "channel": fact.channel,
        "to": fact.to,
        "begun": recorded.at,
        "ended": None,
        "failed": None,
    }
    write.insert(takeout_deliveries, row)
    write.insert(takeout_on_the_way, {"takeout": fact.takeout})
    if fact.channel == "page":
        write.update(takeout_links, {"link": fact.to}, {"used": True})


@projects(facts.DeliveryFailed)
def _failed(write: Writes, fact: facts.DeliveryFailed, recorded: Recorded) -> None:
    key: Row = {"takeout": fact.takeout, "attempt": fact.attempt}
    write.update(takeout_deliveries, key, {"ended": recorded.at, "failed": fact.reason})
    write.delete(takeout_on_the_way, {"takeout": fact.takeout})


@projects(facts.HandedOver)
def _handed_over(write: Writes, fact: facts.HandedOver, recorded: Recorded) -> None:
    row: Row = {
        "takeout": fact.takeout,
        "state": "handed_over",
        "channel": fact.channel,
        "to": fact.to,
        "confirmed": fact.confirmed,
        "handed_over": recorded.at,
        "received": None,
        "opened_rows": None,
        "ended": None,
    }
    write.insert(custody, row)
    key: Row = {"takeout": fact.takeout, "attempt": fact.attempt}
    write.update(takeout_deliveries, key, {"ended": recorded.at})


@projects(facts.Received)
def _received(write: Writes, fact: facts.Received, recorded: Recorded) -> None:
    row: Row = {"state": "received", "received": recorded.at, "opened_rows": fact.rows}
    write.update(custody, {"takeout": fact.takeout}, row)


@projects(facts.Returned)
def _returned(write: Writes, fact: facts.Returned, recorded: Recorded) -> None:
    write.update(custody, {"takeout": fact.takeout}, {"state": "returned", "ended": recorded.at})


@projects(facts.Destroyed)
def _destroyed(write: Writes, fact: facts.Destroyed, recorded: Recorded) -> None:
    write.update(custody, {"takeout": fact.takeout}, {"state": "destroyed", "ended": recorded.at})


@projects(facts.CustodyAlarmed)
def _alarmed(write: Writes, fact: facts.CustodyAlarmed, recorded: Recorded) -> None:
    key: Row = {"takeout": fact.takeout, "why": fact.why}
    write.upsert(custody_alarms, key, {"at": recorded.at})
