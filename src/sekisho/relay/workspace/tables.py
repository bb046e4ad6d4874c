"""The workspaces, and what was pulled into them."""

from datetime import datetime

from sqlalchemy import BigInteger, Column, Integer, String, Table, Text

from sekisho.ledger import Recorded, Writes, projects, values_of
from sekisho.ledger.tables import Timestamp, metadata
from sekisho.relay.tables import add_unread
from sekisho.relay.workspace.facts import Looked, Pulled, Wiped, Wiping, WorkspaceOpened

workspaces = Table(
    "workspaces",
    metadata,
    Column("ticket", String(64), primary_key=True),
    Column("person", String(64), nullable=False, index=True),
    Column("organisation", String(64), nullable=False, index=True),
    Column("quota", BigInteger, nullable=False),
    Column("key", String(64), nullable=False),
    Column("opened", Timestamp, nullable=False),
    Column("state", String(16), nullable=False, index=True),  # open, wiping, wiped
    Column("ended", Timestamp, nullable=True),
    Column("reason", Text, nullable=False),
    Column("files", BigInteger, nullable=False),  # when it was wiped
    Column("bytes", BigInteger, nullable=False),
)

pulls = Table(
    "workspace_pulls",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("ticket", String(64), nullable=False, index=True),
    Column("person", String(64), nullable=False),
    Column("organisation", String(64), nullable=False, index=True),
    Column("session", String(64), nullable=False),
    Column("source", String(16), nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("persons", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("code", String(32), nullable=False),
    Column("content", String(64), nullable=False),
    Column("at", Timestamp, nullable=False),
)


@projects(WorkspaceOpened)
def _opened(write: Writes, fact: WorkspaceOpened, recorded: Recorded) -> None:
    rest: dict[str, datetime | str | int | None] = {
        "opened": recorded.at,
        "state": "open",
        "ended": None,
        "reason": "",
        "files": 0,
        "bytes": 0,
    }
    # A ticket has one workspace, once: the ledger refuses a second key under its name.
    write.insert(workspaces, {**values_of(fact), **rest})


@projects(Pulled)
def _pulled(write: Writes, fact: Pulled, recorded: Recorded) -> None:
    row = values_of(fact)
    for name in ("read", "masked", "peer"):
        del row[name]
    write.insert(pulls, {"seq": recorded.seq, **row, "at": recorded.at})


@projects(Looked)
def _looked(write: Writes, fact: Looked, recorded: Recorded) -> None:
    add_unread(write, recorded, fact.encoded)


@projects(Wiping)
def _wiping(write: Writes, fact: Wiping, recorded: Recorded) -> None:
    row: dict[str, datetime | str] = {"state": "wiping", "ended": recorded.at, "reason": fact.reason}
    write.update(workspaces, {"ticket": fact.ticket}, {**row, "files": fact.files, "bytes": fact.bytes})


@projects(Wiped)
def _wiped(write: Writes, fact: Wiped, recorded: Recorded) -> None:
    write.update(workspaces, {"ticket": fact.ticket}, {"state": "wiped", "ended": recorded.at})
