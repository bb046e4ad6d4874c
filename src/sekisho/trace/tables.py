"""The cases' table, and how facts become its rows."""

import msgspec
from sqlalchemy import BigInteger, Boolean, Column, LargeBinary, String, Table, Text

from sekisho.ledger import Recorded, Timestamp, Writes, metadata, projects
from sekisho.trace.facts import CanariesPlanted, CaseConcluded, CaseOpened, CaseRepeated

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
