"""The cases' table, and how facts become its rows."""

import msgspec
from sqlalchemy import BigInteger, Boolean, Column, LargeBinary, String, Table, Text

from sekisho.ledger import Recorded, Timestamp, Writes, metadata, projects
from sekisho.trace.facts import (
    CanariesPlanted,
    CaseConcluded,
    CaseJudged,
    CaseOpened,
    CaseRepeated,
    KeyClosed,
    KeyReleased,
    ListDestroyed,
    ReleaseAsked,
)

cases = Table(
    "trace_cases",
    metadata,
    Column("case", String(64), primary_key=True),
    Column("reason", Text, nullable=False),
    Column("opened", Timestamp, nullable=False),
    Column("person", String(64), nullable=False),
    Column("name", String(64), nullable=False),
    Column("list_sha256", String(64), nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("registry", String(64), nullable=False),
    Column("concluded", Timestamp, nullable=True),
    Column("verdict", String(16), nullable=False),
    Column("sessions", LargeBinary, nullable=False),
    Column("persons_best", BigInteger, nullable=False),
    Column("answer", String(64), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("repeated", Timestamp, nullable=True),
    Column("repeated_same", Boolean, nullable=True),
    Column("release", String(64), nullable=False),
    Column("content", String(64), nullable=False),  # "" where the list is not kept
    Column("judgement", String(16), nullable=False),  # "", "confirmed" or "reversed"
    Column("judged_by", String(64), nullable=False),
    Column("judged_reason", Text, nullable=False),
)
countersigned = Table(
    "trace_countersigned",
    metadata,
    Column("case", String(64), primary_key=True),
    Column("organisation", String(64), primary_key=True),
    Column("person", String(64), nullable=False),
    Column("at", Timestamp, nullable=False),
)
releases = Table(
    "trace_releases",
    metadata,
    Column("release", String(64), primary_key=True),
    Column("reason", Text, nullable=False),
    Column("asked", Timestamp, nullable=False),
    Column("asked_by", String(64), nullable=False),
    Column("minutes", BigInteger, nullable=False),
    Column("lookups", BigInteger, nullable=False),
    Column("released", Timestamp, nullable=True),
    Column("persons", Text, nullable=False),
    Column("closed", Timestamp, nullable=True),
    Column("closed_reason", String(16), nullable=False),
    Column("used", BigInteger, nullable=False),
)

canaries = Table(
    "trace_canaries",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("copy", Text, nullable=False),
    Column("organisation", String(64), nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("marks", String(64), nullable=False),
)


@projects(CanariesPlanted)
def _planted(write: Writes, fact: CanariesPlanted, recorded: Recorded) -> None:
    write.insert(
        canaries,
        {
            "seq": recorded.seq,
            "copy": fact.copy,
            "organisation": fact.organisation,
            "count": fact.count,
            "marks": fact.marks,
        },
    )


@projects(CaseOpened)
def _opened(write: Writes, fact: CaseOpened, recorded: Recorded) -> None:
    write.insert(
        cases,
        {
            "case": fact.case,
            "reason": fact.reason,
            "opened": recorded.at,
            "person": recorded.by,
            "name": fact.name,
            "list_sha256": fact.sha256,
            "rows": fact.rows,
            "registry": fact.registry,
            "concluded": None,
            "verdict": "",
            "sessions": b"[]",
            "persons_best": 0,
            "answer": "",
            "sha256": "",
            "repeated": None,
            "repeated_same": None,
            "release": fact.release,
            "content": fact.content,
            "judgement": "",
            "judged_by": "",
            "judged_reason": "",
        },
    )


@projects(CaseConcluded)
def _concluded(write: Writes, fact: CaseConcluded, recorded: Recorded) -> None:
    write.update(
        cases,
        {"case": fact.case},
        {
            "concluded": recorded.at,
            "verdict": fact.verdict,
            "sessions": msgspec.json.encode(fact.sessions),
            "persons_best": fact.persons_best,
            "answer": fact.answer,
            "sha256": fact.sha256,
        },
    )


@projects(CaseRepeated)
def _repeated(write: Writes, fact: CaseRepeated, recorded: Recorded) -> None:
    write.update(cases, {"case": fact.case}, {"repeated": recorded.at, "repeated_same": fact.same})


@projects(CaseJudged)
def _judged(write: Writes, fact: CaseJudged, recorded: Recorded) -> None:
    if fact.judgement == "countersigned":
        key = {"case": fact.case, "organisation": fact.organisation}
        write.upsert(countersigned, key, {"person": recorded.by, "at": recorded.at})
        return
    row = {"judgement": fact.judgement, "judged_by": recorded.by, "judged_reason": fact.reason}
    write.update(cases, {"case": fact.case}, row)


@projects(ListDestroyed)
def _destroyed(write: Writes, fact: ListDestroyed, recorded: Recorded) -> None:
    write.update(cases, {"case": fact.case}, {"content": ""})


@projects(ReleaseAsked)
def _asked(write: Writes, fact: ReleaseAsked, recorded: Recorded) -> None:
    write.insert(
        releases,
        {
            "release": fact.release,
            "reason": fact.reason,
            "asked": recorded.at,
            "asked_by": recorded.by,
            "minutes": fact.minutes,
            "lookups": fact.lookups,
            "released": None,
            "persons": "",
            "closed": None,
            "closed_reason": "",
            "used": 0,
        },
    )


@projects(KeyReleased)
def _released(write: Writes, fact: KeyReleased, recorded: Recorded) -> None:
    persons = " ".join(fact.persons)
    write.update(releases, {"release": fact.release}, {"released": recorded.at, "persons": persons})


@projects(KeyClosed)
def _closed(write: Writes, fact: KeyClosed, recorded: Recorded) -> None:
    write.update(
        releases,
        {"release": fact.release},
        {"closed": recorded.at, "closed_reason": fact.reason, "used": fact.lookups},
    )
