"""The database as the writer thread sees it: one order of steps, over the driver of SQLite or PostgreSQL.

Any error but NotApplicable means that nobody knows what the database kept: the writer then gives it up for good.
A transaction without its COMMIT leaves nothing behind, so a crash inside any method here loses only that method.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, Final, Protocol

from sqlalchemy import Dialect, Table
from sqlalchemy.schema import CreateIndex, CreateTable

from sekisho.faults import Fault
from sekisho.ledger.batch import Batch, Draft, Head, draft
from sekisho.ledger.clock import LedgerTime
from sekisho.ledger.faults import NOT_REBUILT
from sekisho.ledger.projections import Change, NotApplicable, replay
from sekisho.ledger.tables import OWN_TABLES, SCHEMAS, projection_tables

_PAGE: Final = 2_048


class Driver(Protocol):
    """One connection. Blocking; used by the writer thread only."""

    dialect: Dialect
    refusals: tuple[type[Exception], ...]  # NotApplicable, and what the driver raises when a row contradicts

    def open(self) -> None:
        """Fault NOT_DURABLE; or the driver's own errors, which `explain` understands."""
        ...

    def explain(self, error: Exception) -> Fault:
        """Why the database could not be opened, for a person: UNREACHABLE or CORRUPTED."""
        ...

    def begin(self) -> None:
        """Start a transaction that excludes every other writer of the ledger."""
        ...

    def commit(self) -> None:
        """Durable on return."""
        ...

    def rollback(self) -> None: ...

    def execute(self, sql: str) -> None: ...

    def fetch(self, sql: str) -> Sequence[Sequence[Any]]: ...

    def apply(self, change: Change) -> None: ...

    def purge(self) -> None:
        """After rows were erased: drop what the database keeps of them, as far as it can."""
        ...

    def close(self) -> None: ...


class Store:
    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def open(self) -> Head:
        """Create the ledger's tables, and rebuild the projections whose declaration changed.

        Fault UNREACHABLE, CORRUPTED, NOT_DURABLE or NOT_REBUILT.
        """
        try:
            return self._open()
        except Fault:
            raise
        except Exception as error:
            raise self._driver.explain(error) from error

    def _open(self) -> Head:
        driver = self._driver
        driver.open()
        driver.begin()
        for table in OWN_TABLES:
            create_table(self._driver, table)
        stored = {row[0]: row[1] for row in driver.fetch("SELECT table_name, declared FROM schemas")}
        self._rebuild(
            [table for table in projection_tables() if stored.get(table.name) != declaration(table)]
        )
        head = self._head()
        driver.commit()
        return head

    def commit(self, batch: Batch, time: LedgerTime) -> Draft:
        """Write the batch in one transaction; durable on return. Raises NotApplicable."""
        driver = self._driver
        driver.begin()
        try:
            result = draft(batch, self._head(), time)
            for change in result.changes:
                driver.apply(change)
        except driver.refusals as error:
            driver.rollback()
            raise NotApplicable(str(error)) from error
        driver.commit()
        if result.erased:
            driver.purge()
        return result

    def rebuild(self) -> None:
        """Drop and recompute every projection table, in one transaction."""
        self._driver.begin()
        self._rebuild(projection_tables())
        self._driver.commit()

    def close(self) -> None:
        self._driver.close()

    def _head(self) -> Head:
        rows = self._driver.fetch("SELECT seq, at FROM facts ORDER BY seq DESC LIMIT 1")
        return Head(rows[0][0] + 1, rows[0][1]) if rows else Head()

    def _rebuild(self, tables: Sequence[Table]) -> None:
        """Within a transaction. Fault NOT_REBUILT when today's projections refuse what is recorded."""
        for table in tables:
            quoted = self._driver.dialect.identifier_preparer.quote(table.name)
            self._driver.execute(f"DROP TABLE IF EXISTS {quoted}")
            create_table(self._driver, table)
        if not tables:
            return
        schemas = Change("upsert", SCHEMAS, ("table_name", "declared"))
        schemas.rows = [(table.name, declaration(table)) for table in tables]
        try:
            for change in replay(self._leaves(), frozenset(tables)):
                self._driver.apply(change)
            self._driver.apply(schemas)
        except self._driver.refusals as error:
            self._driver.rollback()
            raise Fault(NOT_REBUILT, reason=error) from error

    def _leaves(self) -> Iterator[list[bytes]]:
        start = 0
        while rows := self._driver.fetch(
            f"SELECT leaf FROM facts WHERE seq >= {start} AND seq < {start + _PAGE} ORDER BY seq"  # noqa: S608 (integers)
        ):
            yield [row[0] for row in rows]
            start += _PAGE


def create_table(driver: Driver, table: Table) -> None:
    """Create a table and its indexes unless they exist."""
    driver.execute(str(CreateTable(table, if_not_exists=True).compile(dialect=driver.dialect)))
    for index in sorted(table.indexes, key=lambda index: str(index.name)):
        driver.execute(str(CreateIndex(index, if_not_exists=True).compile(dialect=driver.dialect)))


def declaration(table: Table) -> str:
    """What a table is declared to be, as a hash: when it differs from the stored one, the table is rebuilt."""
    lines = [
        f"{column.name} {column.type!r} {column.nullable} {column.primary_key} "
        f"{getattr(column.server_default, 'arg', None)}"
        for column in table.columns
    ]
    lines += sorted(
        f"{index.name} {index.unique} {[str(part) for part in index.expressions]}" for index in table.indexes
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
