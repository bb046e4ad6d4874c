"""The ledger in a SQLite file: WAL, synchronous=FULL, every write by one thread."""

import sqlite3
from itertools import chain
from pathlib import Path
from typing import Final

from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from sekisho.faults import Fault
from sekisho.ledger.clock import LedgerTime
from sekisho.ledger.faults import CORRUPTED, UNREACHABLE
from sekisho.ledger.projections import Change
from sekisho.ledger.statements import statement
from sekisho.ledger.store import Batch, Draft, Head, NotApplicable, draft
from sekisho.ledger.tables import metadata

_DIALECT: Final = sqlite.dialect()
_MOST_ROWS: Final = 512  # per statement; compiling a longer one costs tens of milliseconds
_MOST_PARAMETERS: Final = 32_766  # SQLITE_MAX_VARIABLE_NUMBER


class SqliteStore:
    """`busy_seconds` bounds how long a database locked by somebody else is waited for."""

    def __init__(self, path: Path, *, busy_seconds: float = 5.0) -> None:
        self._path = path
        self._busy_seconds = busy_seconds
        self._connection: sqlite3.Connection | None = None

    def open(self) -> Head:
        """Create what is missing. Fault CORRUPTED or UNREACHABLE."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(
                self._path, isolation_level=None, timeout=self._busy_seconds, cached_statements=1024
            )
            connection.execute("PRAGMA journal_mode=WAL")
            # FULL: in WAL mode, NORMAL would lose the last commits with the machine's power.
            connection.execute("PRAGMA synchronous=FULL")
            # An erased part must not stay readable in a free page.
            connection.execute("PRAGMA secure_delete=ON")
            connection.execute("BEGIN IMMEDIATE")
            for table in metadata.sorted_tables:
                connection.execute(str(CreateTable(table, if_not_exists=True).compile(dialect=_DIALECT)))
                for index in sorted(table.indexes, key=lambda index: str(index.name)):
                    connection.execute(str(CreateIndex(index, if_not_exists=True).compile(dialect=_DIALECT)))
            connection.execute("COMMIT")
            self._connection = connection
            return _head(connection)
        except sqlite3.DatabaseError as error:
            unreachable = isinstance(error, sqlite3.OperationalError)
            raise Fault(UNREACHABLE if unreachable else CORRUPTED, url=self._path, reason=error) from error
        except OSError as error:
            raise Fault(UNREACHABLE, url=self._path, reason=error.strerror) from error

    def commit(self, batch: Batch, time: LedgerTime) -> Draft:
        if (connection := self._connection) is None:
            raise sqlite3.ProgrammingError("not open")
        connection.execute("BEGIN IMMEDIATE")
        try:
            result = draft(batch, _head(connection), time)
            for change in result.changes:
                _apply(connection, change)
            for owner in result.erases_owners:
                connection.execute("DELETE FROM parts WHERE owner = ?", (owner,))
            connection.execute("COMMIT")
        except (NotApplicable, sqlite3.IntegrityError, sqlite3.InterfaceError) as error:
            connection.execute("ROLLBACK")
            raise NotApplicable(str(error)) from error
        # Any other error: the caller gives up this connection; SQLite rolls back what has no COMMIT in the log.
        if result.erases or result.erases_owners:
            # The write-ahead log still holds the erased pages; empty it.
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return result

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _head(connection: sqlite3.Connection) -> Head:
    row = connection.execute("SELECT seq, at FROM facts ORDER BY seq DESC LIMIT 1").fetchone()
    return Head() if row is None else Head(row[0] + 1, row[1])


def _apply(connection: sqlite3.Connection, change: Change) -> None:
    width = len(change.columns)
    most = min(_MOST_ROWS, _MOST_PARAMETERS // width)
    padding = (None,) * width
    for start in range(0, len(change.rows), most):
        rows = change.rows[start : start + most]
        # A few sizes only, so that the statements stay in the cache; the rest is filled with rows of NULL.
        size = next((size for size in (1, 8, 64) if len(rows) <= size <= most), most)
        rows += [padding] * (size - len(rows))
        text = statement("sqlite", change.kind, change.table, change.columns, size)
        connection.execute(text, list(chain.from_iterable(rows)))
