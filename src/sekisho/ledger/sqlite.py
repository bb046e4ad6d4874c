"""The ledger in a SQLite file: WAL, synchronous=FULL, every write by one thread."""

import asyncio
import fcntl
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import asynccontextmanager
from itertools import chain
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Dialect
from sqlalchemy.dialects import sqlite

from sekisho.faults import Fault
from sekisho.ledger.faults import CORRUPTED, UNREACHABLE
from sekisho.ledger.projections import Change, NotApplicable
from sekisho.ledger.reading import Connection, Rows
from sekisho.ledger.statements import statement

_DIALECT: Final = sqlite.dialect()
_MOST_ROWS: Final = 512  # per statement; compiling a longer one costs tens of milliseconds
_MOST_PARAMETERS: Final = 32_766  # SQLITE_MAX_VARIABLE_NUMBER
_READERS: Final = 4


class SqliteDriver:
    """`busy_seconds` bounds how long a database locked by somebody else is waited for."""

    dialect: Dialect = _DIALECT
    refusals: tuple[type[Exception], ...] = (
        NotApplicable,
        sqlite3.IntegrityError,
        sqlite3.InterfaceError,  # a value of a type, or
        sqlite3.ProgrammingError,  # (from Python 3.12 on) the same, or
        OverflowError,  # a number that SQLite does not hold
    )

    def __init__(self, path: Path, *, busy_seconds: float) -> None:
        self._path = path
        self._busy_seconds = busy_seconds
        self._open: sqlite3.Connection | None = None

    @property
    def _connection(self) -> sqlite3.Connection:
        if self._open is None:
            raise sqlite3.ProgrammingError("not open")
        return self._open

    def open(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.touch(mode=0o600)
        self._open = connection = sqlite3.connect(
            self._path, isolation_level=None, timeout=self._busy_seconds, cached_statements=1024
        )
        self._to_wal(connection)
        # FULL: in WAL mode, NORMAL would lose the last commits with the machine's power.
        connection.execute("PRAGMA synchronous=FULL")
        # An erased part must not stay readable in a free page.
        connection.execute("PRAGMA secure_delete=ON")

    def _to_wal(self, connection: sqlite3.Connection) -> None:
        """SQLite's own busy handler does not wait for this switch, which several programs may make at once."""
        deadline = time.monotonic() + self._busy_seconds
        while True:
            try:
                connection.execute("PRAGMA journal_mode=WAL")
            except sqlite3.OperationalError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(0.01)
            else:
                return

    def explain(self, error: Exception) -> Fault:
        corrupted = isinstance(error, sqlite3.DatabaseError) and not isinstance(
            error, sqlite3.OperationalError
        )
        return Fault(CORRUPTED if corrupted else UNREACHABLE, url=self._path, reason=error)

    def begin(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        self._connection.execute("COMMIT")

    def rollback(self) -> None:
        self._connection.execute("ROLLBACK")

    def execute(self, sql: str) -> None:
        self._connection.execute(sql)

    def fetch(self, sql: str) -> Sequence[Sequence[Any]]:
        rows: list[tuple[Any, ...]] = self._connection.execute(sql).fetchall()
        return rows

    def apply(self, change: Change) -> None:
        width = len(change.columns)
        most = min(_MOST_ROWS, _MOST_PARAMETERS // width)
        padding = (None,) * width
        for start in range(0, len(change.rows), most):
            rows = change.rows[start : start + most]
            # A few sizes only, so that the statements stay in the cache; the rest is filled with rows of NULL.
            size = next((size for size in (1, 8, 64) if len(rows) <= size <= most), most)
            rows += [padding] * (size - len(rows))
            text = statement("sqlite", change.kind, change.table, change.columns, change.width, size)
            self._connection.execute(text, list(chain.from_iterable(rows)))

    def purge(self) -> None:
        # secure_delete has overwritten the row in its page; the write-ahead log still holds the page as it was.
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None


class SqliteReads:
    """Reader threads, each read on a connection of its own."""

    def __init__(self, path: Path, *, busy_seconds: float) -> None:
        self._path = path
        self._busy_seconds = busy_seconds
        self._threads = ThreadPoolExecutor(_READERS, thread_name_prefix="ledger-reader")
        self._free: list[sqlite3.Connection] = []
        self._room = asyncio.Semaphore(_READERS)

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, isolation_level=None, timeout=self._busy_seconds, check_same_thread=False
        )
        connection.execute("PRAGMA query_only=ON")
        return connection

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Connection]:
        loop = asyncio.get_running_loop()
        async with self._room:
            free = self._free
            raw = free.pop() if free else await loop.run_in_executor(self._threads, self._open)

            def select(sql: str, parameters: Sequence[Any]) -> Rows:
                if not raw.in_transaction:
                    raw.execute("BEGIN")
                cursor = raw.execute(sql, parameters)
                return [column[0] for column in cursor.description or ()], cursor.fetchall()

            last: list[Future[Rows]] = []

            async def fetch(sql: str, parameters: Sequence[Any]) -> Rows:
                last[:] = [self._threads.submit(select, sql, parameters)]
                return await asyncio.wrap_future(last[0])

            def roll_back() -> None:
                # An interruption lasts until no statement runs: it would meet the rollback too.
                wait(last)
                raw.rollback()

            try:
                yield Connection(_DIALECT, fetch)
            finally:
                if last:
                    # Cheap: nothing was written. Also interrupts a statement whose caller was cancelled.
                    raw.interrupt()
                    await asyncio.shield(loop.run_in_executor(self._threads, roll_back))
                free.append(raw)

    async def close(self) -> None:
        for connection in self._free:
            connection.close()
        self._free.clear()
        self._threads.shutdown(wait=False)


class SqliteLock:
    """A lock file beside the database; the kernel releases it with the process."""

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(path.name + ".publisher")
        self._descriptor: int | None = None

    async def acquire(self) -> bool:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    async def held(self) -> bool:
        return self._descriptor is not None

    async def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
