"""The console's own table: refusals of every room in one list, so that a page of them is one indexed read."""

from sqlalchemy import BigInteger, Column, Index, String, Table, Text

from sekisho.gate.facts import AccessRefused
from sekisho.ledger import Recorded, Timestamp, Writes, metadata, projects
from sekisho.people.facts import LoginFailed
from sekisho.relay.facts import ChannelRefused, Statement

refusals = Table(
    "console_refusals",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Timestamp, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("person", String(64), nullable=False),  # whom it concerns, or "" where nobody is known
    Column("about", Text, nullable=False),  # the session, ticket or target
    Column("organisation", String(64), nullable=False),  # "" where none is known
    Column("code", Text, nullable=False),
    Column("peer", Text, nullable=False),
    Index("console_refusals_by_organisation", "organisation", "seq"),
)


def _refused(write: Writes, recorded: Recorded, kind: str, code: str, /, **known: str) -> None:
    row = {"person": "", "organisation": "", "peer": "", "about": recorded.about, **known}
    write.insert(refusals, {"seq": recorded.seq, "at": recorded.at, "kind": kind, "code": code, **row})


@projects(AccessRefused)
def _access(write: Writes, fact: AccessRefused, recorded: Recorded) -> None:
    person = "" if recorded.by == "sekisho" else recorded.by
    _refused(write, recorded, "access", fact.code, person=person, peer=fact.peer)


@projects(LoginFailed)
def _login(write: Writes, fact: LoginFailed, recorded: Recorded) -> None:
    _refused(write, recorded, "login", fact.reason[:64], person=fact.claimed, peer=fact.peer)


@projects(ChannelRefused)
def _channel(write: Writes, fact: ChannelRefused, recorded: Recorded) -> None:
    _refused(write, recorded, "channel", fact.channel, person=recorded.by, about=fact.session)


@projects(Statement)
def _statement(write: Writes, fact: Statement, recorded: Recorded) -> None:
    if fact.outcome in ("refused", "cut"):
        kind = "cut" if fact.outcome == "cut" else "statement"
        _refused(
            write,
            recorded,
            kind,
            fact.code,
            person=recorded.by,
            organisation=fact.organisation,
            about=fact.session,
        )
