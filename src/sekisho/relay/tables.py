"""The doors' table, and how their facts become its rows."""

from sqlalchemy import BigInteger, Column, Index, String, Table, Text

import sekisho.relay.record.tables  # noqa: F401 (the tables of the recordings are declared with the doors')
from sekisho.gate.decide import JST
from sekisho.ledger import Recorded, Writes, projects, values_of
from sekisho.ledger.tables import Timestamp, metadata
from sekisho.relay.facts import SessionClosed, SessionOpened, Statement, Statements
from sekisho.relay.terminal.facts import TerminalOutput

sessions = Table(
    "sessions",
    metadata,
    Column("session", String(64), primary_key=True),
    Column("person", String(64), nullable=False),
    Column("ticket", String(64), nullable=False, index=True),
    Column("organisation", String(64), nullable=False),
    Column("dataset", String(64), nullable=False),
    Column("target", String(64), nullable=False),
    Column("door", String(32), nullable=False),
    Column("peer", Text, nullable=False),
    Column("tls", Text, nullable=False),
    Column("client", Text, nullable=False),
    Column("opened", Timestamp, nullable=False),
    Column("closed", Timestamp, nullable=True),
    Column("reason", Text, nullable=False),
    Column("statements", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("persons", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("seen", String(64), nullable=False),
    Index("sessions_by_person", "person", "organisation"),
    Index("sessions_by_organisation", "organisation", "opened"),
    Index("sessions_by_end", "closed", "opened"),
)

unread_days = Table(
    "unread_days",
    metadata,
    Column("person", String(64), primary_key=True),
    Column("day", String(10), primary_key=True),  # JST
    Column("characters", BigInteger, nullable=False),
)


@projects(SessionOpened)
def _opened(write: Writes, fact: SessionOpened, recorded: Recorded) -> None:
    row = values_of(fact)
    empty: dict[str, str | int] = {
        "reason": "",
        "statements": 0,
        "rows": 0,
        "persons": 0,
        "bytes": 0,
        "seen": "",
    }
    write.upsert(
        sessions, {"session": row.pop("session")}, {**row, "opened": recorded.at, "closed": None, **empty}
    )


@projects(Statement)
def _statement(write: Writes, fact: Statement, recorded: Recorded) -> None:
    # Summed while the session lives; the closing fact's totals must agree with these sums.
    deltas = {"statements": 1, "rows": fact.rows, "persons": fact.persons, "bytes": fact.bytes}
    write.add(sessions, {"session": fact.session}, deltas, must_exist=True)


@projects(Statements)
def _statements(write: Writes, fact: Statements, recorded: Recorded) -> None:
    deltas = {
        "statements": len(fact.rows),
        "rows": sum(fact.rows),
        "persons": sum(fact.persons),
        "bytes": sum(fact.bytes),
    }
    write.add(sessions, {"session": fact.session}, deltas, must_exist=True)


@projects(TerminalOutput)
def _terminal_output(write: Writes, fact: TerminalOutput, recorded: Recorded) -> None:
    deltas = {"rows": fact.rows, "persons": fact.persons, "bytes": fact.bytes}
    write.add(sessions, {"session": fact.session}, deltas, must_exist=True)
    add_unread(write, recorded, fact.encoded)


def add_unread(write: Writes, recorded: Recorded, characters: int) -> None:
    """So many characters that nobody can read were shown to whom the fact is by."""
    if characters:
        day = {"person": recorded.by, "day": recorded.at.astimezone(JST).date().isoformat()}
        write.add(unread_days, day, {"characters": characters})


@projects(SessionClosed)
def _closed(write: Writes, fact: SessionClosed, recorded: Recorded) -> None:
    write.update(
        sessions,
        {"session": fact.session},
        {"closed": recorded.at, "reason": fact.reason, "seen": fact.seen},
    )
