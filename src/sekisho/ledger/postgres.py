"""The ledger in PostgreSQL: several checkpoints may write to one database.

The writer thread drives asyncpg with an event loop of its own, so that the doors' loop is left alone.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import asyncpg
from sqlalchemy import Dialect
from sqlalchemy.dialects import postgresql

from sekisho.faults import Fault
from sekisho.ledger.faults import CORRUPTED, NOT_DURABLE, UNREACHABLE
from sekisho.ledger.projections import Change, NotApplicable
from sekisho.ledger.reading import Connection, Rows
from sekisho.ledger.statements import statement

WRITER_LOCK: Final = 0x5EC1_5400  # pg_advisory_lock keys; the publisher's is the next one
PUBLISHER_LOCK: Final = WRITER_LOCK + 1
_DIALECT: Final = postgresql.dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
_DURABLE: Final = ("fsync", "full_page_writes", "synchronous_commit")
_READERS: Final = 4
_T = TypeVar("_T")


class PostgresDriver:
    """`busy_seconds` bounds how long another writer's transaction is waited for."""

    dialect: Dialect = _DIALECT
    refusals: tuple[type[Exception], ...] = (
        NotApplicable,
        asyncpg.IntegrityConstraintViolationError,
        asyncpg.DataError,
    )

    def __init__(self, url: str, *, busy_seconds: float) -> None:
        self._url = url
        self._busy_seconds = busy_seconds
        self._runner = asyncio.Runner()
        self._connection: Any = None

    def _run(self, awaitable: Awaitable[_T]) -> _T:
        async def awaited() -> _T:
            return await awaitable

        return self._runner.run(awaited())

    def open(self) -> None:
        async def connect() -> Any:
            return await asyncpg.connect(
                self._url,
                timeout=10,
                command_timeout=60,
                server_settings={
                    "application_name": "sekisho ledger",
                    "synchronous_commit": "on",
                    "lock_timeout": f"{self._busy_seconds * 1000:.0f}",
                },
            )

        self._connection = self._runner.run(connect())
        for setting in _DURABLE:
            if self.fetch(f"SHOW {setting}")[0][0] == "off":
                raise Fault(NOT_DURABLE, url=without_password(self._url), setting=setting)

    def explain(self, error: Exception) -> Fault:
        corrupted = isinstance(error, asyncpg.DataCorruptedError | asyncpg.IndexCorruptedError)
        kind = CORRUPTED if corrupted else UNREACHABLE
        return Fault(kind, url=without_password(self._url), reason=error or type(error).__name__)

    def begin(self) -> None:
        # Read committed: each statement after the lock sees what the previous holder of the lock committed.
        self.execute(f"BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock({WRITER_LOCK})")

    def commit(self) -> None:
        self.execute("COMMIT")

    def rollback(self) -> None:
        self.execute("ROLLBACK")

    def execute(self, sql: str) -> None:
        self._run(self._connection.execute(sql))

    def fetch(self, sql: str) -> Sequence[Sequence[Any]]:
        rows: Sequence[Sequence[Any]] = self._run(self._connection.fetch(sql))
        return rows

    def apply(self, change: Change) -> None:
        text = statement("postgresql", change.kind, change.table, change.columns, change.width, 0)
        self._run(self._connection.execute(text, *zip(*change.rows, strict=True)))

    def purge(self) -> None:
        self.execute("VACUUM parts")

    def close(self) -> None:
        if self._connection is not None:
            self._runner.run(_close(self._connection))
            self._connection = None
        self._runner.close()


class PostgresReads:
    """A pool of connections whose transactions are read-only snapshots."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._pool: Any = None
        self._opening = asyncio.Lock()

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Connection]:
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    self._url,
                    min_size=0,
                    max_size=_READERS,
                    server_settings={"application_name": "sekisho", "default_transaction_read_only": "on"},
                )
        async with (
            self._pool.acquire() as raw,
            raw.transaction(isolation="repeatable_read", readonly=True),
        ):

            async def fetch(sql: str, parameters: Sequence[Any]) -> Rows:
                prepared = await raw.prepare(sql)
                rows = await prepared.fetch(*parameters)
                return [column.name for column in prepared.get_attributes()], [tuple(row) for row in rows]

            yield Connection(_DIALECT, fetch)

    async def close(self) -> None:
        if self._pool is not None:
            await self._pool.close()
            self._pool = None


class PostgresLock:
    """A session-level advisory lock; the server releases it with the connection."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Any = None

    async def acquire(self) -> bool:
        if self._connection is None:
            self._connection = await asyncpg.connect(
                self._url, command_timeout=10, server_settings={"application_name": "sekisho publisher"}
            )
        taken: bool = await self._connection.fetchval(f"SELECT pg_try_advisory_lock({PUBLISHER_LOCK})")
        return taken

    async def held(self) -> bool:
        try:
            await self._connection.execute("SELECT 1")
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        return True

    async def release(self) -> None:
        if self._connection is not None:
            await _close(self._connection)
            self._connection = None


async def _close(connection: Any) -> None:
    try:
        await connection.close(timeout=5)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        connection.terminate()
        await asyncio.sleep(0)  # the transport closes in the loop's next turn


def without_password(url: str) -> str:
    parts = urlsplit(url)
    return url.replace(f":{parts.password}@", ":***@") if parts.password else url
