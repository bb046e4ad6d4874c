"""Which database a ledger is in: a driver for the writer, connections for readers, a lock for the publisher."""

from pathlib import Path
from typing import Protocol

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from sekisho.faults import Fault
from sekisho.ledger.faults import UNKNOWN_URL
from sekisho.ledger.postgres import PostgresDriver, PostgresLock, PostgresReads
from sekisho.ledger.reading import Reads
from sekisho.ledger.sqlite import SqliteDriver, SqliteLock, SqliteReads
from sekisho.ledger.store import Driver


class PublisherLock(Protocol):
    async def acquire(self) -> bool:
        """Try to become the one publisher."""
        ...

    async def held(self) -> bool:
        """Whether we still are."""
        ...

    async def release(self) -> None: ...


class Database(Protocol):
    def driver(self) -> Driver: ...

    def reads(self) -> Reads: ...

    def publisher_lock(self) -> PublisherLock: ...


class SqliteDatabase:
    def __init__(self, path: Path, busy_seconds: float) -> None:
        self._path = path
        self._busy_seconds = busy_seconds

    def driver(self) -> Driver:
        return SqliteDriver(self._path, busy_seconds=self._busy_seconds)

    def reads(self) -> Reads:
        return SqliteReads(self._path, busy_seconds=self._busy_seconds)

    def publisher_lock(self) -> PublisherLock:
        return SqliteLock(self._path)


class PostgresDatabase:
    def __init__(self, url: str, busy_seconds: float) -> None:
        self._url = url
        self._busy_seconds = busy_seconds

    def driver(self) -> Driver:
        return PostgresDriver(self._url, busy_seconds=self._busy_seconds)

    def reads(self) -> Reads:
        return PostgresReads(self._url)

    def publisher_lock(self) -> PublisherLock:
        return PostgresLock(self._url)


def open_database(url: str, *, busy_seconds: float = 5.0) -> Database:
    """Nothing is opened yet. Fault UNKNOWN_URL."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise Fault(UNKNOWN_URL, url=repr(url)) from error
    if parsed.drivername == "sqlite" and parsed.database:
        return SqliteDatabase(Path(parsed.database), busy_seconds)
    if parsed.drivername == "postgresql":
        return PostgresDatabase(url, busy_seconds)
    raise Fault(UNKNOWN_URL, url=parsed.render_as_string(hide_password=True))
