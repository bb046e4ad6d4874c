"""Facts and tables that the tests of the ledger share."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import asyncpg
from sqlalchemy import BigInteger, Column, Table, Text

from sekisho.evidence.note import COSIGNATURE, NoteSigner, SignatureLine, VerifierKey, parse_signatures
from sekisho.evidence.witness import Witness, WitnessStore, request
from sekisho.faults import Fault, FaultKind
from sekisho.ledger import Commitment, Fact, Recorded, Writes, fact, metadata, projects
from sekisho.ledger.publisher import Prove

VISITS = Table(
    "test_visits",
    metadata,
    Column("person", Text, primary_key=True),
    Column("visits", BigInteger, nullable=False, server_default="0"),
    Column("rows", BigInteger),
)
ROOMS = Table(
    "test_rooms", metadata, Column("room", Text, primary_key=True), Column("name", Text, nullable=False)
)


@fact("test.visited", version=1)
class Visited(Fact):
    rows: int
    text: Commitment | None = None


@fact("test.room_opened", version=1)
class RoomOpened(Fact):
    name: str


@projects(Visited)
def _visited(write: Writes, value: Visited, recorded: Recorded) -> None:
    write.add(VISITS, {"person": recorded.by}, {"visits": 1, "rows": value.rows})


@projects(RoomOpened)
def _room_opened(write: Writes, value: RoomOpened, recorded: Recorded) -> None:
    write.insert(ROOMS, {"room": recorded.about, "name": value.name})


@dataclass
class LocalAnswers:
    lines: Sequence[SignatureLine] = ()
    faults: dict[VerifierKey, Fault] = field(default_factory=dict)


class LocalWitness:
    """A cosigner around a real witness core, without HTTP."""

    AHEAD: ClassVar = FaultKind("SEK-TEST-010", "The witness has {seen}.", "{seen}")
    DOWN: ClassVar = FaultKind("SEK-TEST-011", "Down.", "停止中")

    def __init__(self, folder: Path, log: VerifierKey) -> None:
        signer = NoteSigner.load(folder.with_suffix(".key"), "witness.example", COSIGNATURE)
        self.key = signer.key
        self.down = False
        self._witness = Witness(WitnessStore(folder), signer, [log])

    async def __call__(self, note: bytes, prove: Prove, /) -> LocalAnswers:
        if self.down:
            return LocalAnswers(faults={self.key: Fault(self.DOWN)})
        old = 0
        while True:
            answer = self._witness.add_checkpoint(request(note, old, prove(old)).encode())
            if answer.status == 200:
                return LocalAnswers(parse_signatures(answer.body.decode()))
            seen = int(answer.body)  # 409: what the witness has
            if seen > request(note, 0, ()).checkpoint.size or seen == old:
                return LocalAnswers(faults={self.key: Fault(self.AHEAD, seen=seen)})
            old = seen


async def run_sql(url: str, sql: str) -> None:
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as raw:
            raw.execute(sql)
        return
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()
