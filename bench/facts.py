"""Durable facts a second with 64 writers that each wait for their last one, on SQLite.

Peers in the same run: the same leaf bytes put by plain sqlite3 into one table, 64 rows to a transaction, and how
often this disk makes one appended page durable (fdatasync), which bounds the number of transactions.
"""

import asyncio
import os
import sqlite3
import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path

from bench.frame import Result, Scale, alternate, paired, percentile, spread
from sekisho.ledger import Commitment, KeyRing, Ledger
from sekisho.relay import tables  # noqa: F401 (the projection of a statement is part of what is measured)
from sekisho.relay.facts import SessionOpened, Statement

_WRITERS = 64


def statement(writer: int, number: int) -> Statement:
    """The commonest fact of a door, of usual size."""
    return Statement(
        session=f"s-{writer:016x}",
        number=number,
        ticket="T-0001",
        organisation="bench",
        read=("customers.customer_id", "customers.name", "customers.phone"),
        masked=("customers.name", "customers.phone"),
        rows=1,
        persons=1,
        bytes=120,
        duration=812,
        outcome="passed",
        code="",
        text=Commitment("7c" * 32),
    )


def session(writer: int) -> SessionOpened:
    return SessionOpened(
        session=f"s-{writer:016x}",
        person="p-worker",
        ticket="T-0001",
        organisation="bench",
        dataset="customers",
        target="target",
        door="postgres",
        peer="127.0.0.1:5555",
        tls="",
        client="psql",
    )


async def run(scale: Scale) -> list[Result]:
    count = scale.pick(96_000, 1_920)
    slow: list[float] = []
    length = 0

    async def ledger() -> float:
        nonlocal length
        with tempfile.TemporaryDirectory(prefix="sekisho-bench-") as folder:
            path = Path(folder)
            async with await Ledger.open(
                f"sqlite:///{path / 'ledger.sqlite'}", keys=KeyRing(path / "keys")
            ) as opened:
                for writer in range(_WRITERS):
                    await opened.record(session(writer), by="p-worker", about="bench")
                seconds, waits = await _write(opened, count)
                length = len((await opened.facts(count, 1))[0].leaf)
        slow.append(percentile(waits, 99) * 1e3)
        return count / seconds

    async def sqlite() -> float:
        return _plain_sqlite(count, length)

    async def disk() -> float:
        return _syncs(scale.pick(2_000, 50))

    figures = await alternate({"ledger": ledger, "sqlite": sqlite, "disk": disk}, scale.pick(3, 1))
    rate = statistics.median(figures["ledger"])
    return [
        Result(
            f"durable facts/s, {_WRITERS} concurrent writers, SQLite",
            "10,000/s",
            spread(figures["ledger"], "/s"),
            f"plain sqlite3, {_WRITERS} rows of the same size a transaction: {spread(figures['sqlite'], 'rows/s')}; "
            f"fdatasync {spread(figures['disk'], '/s')}",
            paired(figures, "ledger", "sqlite"),
            rate >= 10_000,
        ),
        Result(
            "the same, 99th percentile until durable", "20 ms", spread(slow, "ms", 1), "",
            None, statistics.median(slow) <= 20,
        ),
    ]  # fmt: skip


async def _write(ledger: Ledger, count: int) -> tuple[float, list[float]]:
    waits: list[float] = []

    async def writer(name: int) -> None:
        for number in range(count // _WRITERS):
            fact = statement(name, number)
            began = time.perf_counter()
            await ledger.record(fact, by="p-worker", about=fact.session)
            waits.append(time.perf_counter() - began)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for name in range(_WRITERS):
            group.create_task(writer(name))
    return time.perf_counter() - began, waits


def _plain_sqlite(count: int, length: int) -> float:
    with (
        tempfile.TemporaryDirectory(prefix="sekisho-bench-") as folder,
        closing(sqlite3.connect(Path(folder) / "plain.sqlite", isolation_level=None)) as connection,
    ):
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE entries (seq INTEGER PRIMARY KEY, leaf BLOB NOT NULL)")
        leaf = os.urandom(length)
        began = time.perf_counter()
        for first in range(0, count, _WRITERS):
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "INSERT INTO entries VALUES (?, ?)", [(first + i, leaf) for i in range(_WRITERS)]
            )
            connection.execute("COMMIT")
        return count / (time.perf_counter() - began)


def _syncs(count: int) -> float:
    with tempfile.TemporaryDirectory(prefix="sekisho-bench-") as folder:
        descriptor = os.open(Path(folder) / "file", os.O_WRONLY | os.O_CREAT)
        page = os.urandom(4096)
        try:
            began = time.perf_counter()
            for _ in range(count):
                os.write(descriptor, page)
                os.fdatasync(descriptor)
            return count / (time.perf_counter() - began)
        finally:
            os.close(descriptor)
