"""Reading: SQLAlchemy Core statements, run in the background, with SQLAlchemy's results.

Statements are compiled by SQLAlchemy and executed on the driver itself: SQLite in reader threads (one hop per
statement), PostgreSQL by asyncpg. SQLAlchemy's own asyncio layer would need greenlet and several hops.
Each `read()` sees one snapshot, and the database refuses it any write.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from sqlalchemy import Executable, Float, Result, TextClause, text
from sqlalchemy.engine import Dialect, IteratorResult, ScalarResult
from sqlalchemy.engine.result import SimpleResultMetaData
from sqlalchemy.sql.compiler import SQLCompiler

Rows = tuple[list[str], list[tuple[Any, ...]]]


class Fetch(Protocol):
    async def __call__(self, sql: str, parameters: Sequence[Any]) -> Rows: ...


class Connection:
    """A snapshot of the ledger's database."""

    def __init__(self, dialect: Dialect, fetch: Fetch) -> None:
        self._dialect = dialect
        self._fetch = fetch

    async def execute(
        self, statement: Executable, parameters: Mapping[str, Any] | None = None
    ) -> Result[Any]:
        """Run one SELECT. The result holds all rows: bound what you ask for."""
        compiled = statement.compile(  # type: ignore[attr-defined]
            dialect=self._dialect, compile_kwargs={"render_postcompile": True}
        )
        names, rows = await self._fetch(str(compiled), _bound(compiled, self._dialect, parameters or {}))
        processors = _processors(statement, self._dialect, len(names))
        if any(processors):
            rows = [
                tuple(
                    value if process is None else process(value)
                    for process, value in zip(processors, row, strict=True)
                )
                for row in rows
            ]
        return IteratorResult(SimpleResultMetaData(names), iter(rows))

    async def scalar(self, statement: Executable, parameters: Mapping[str, Any] | None = None) -> Any:
        """The first column of the first row, or None."""
        return (await self.execute(statement, parameters)).scalar()

    async def scalars(
        self, statement: Executable, parameters: Mapping[str, Any] | None = None
    ) -> ScalarResult[Any]:
        return (await self.execute(statement, parameters)).scalars()

    async def tables(self) -> frozenset[str]:
        """The names of the tables that exist."""
        listed = (
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
            if self._dialect.name == "sqlite"
            else "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()"
        )
        return frozenset(await self.scalars(text(listed)))


def _bound(compiled: SQLCompiler, dialect: Dialect, parameters: Mapping[str, Any]) -> list[Any]:
    values = compiled.construct_params(dict(parameters))
    bound = []
    for name in compiled.positiontup or ():
        value = values[name]
        if (parameter := compiled.binds.get(name)) is not None:
            process = parameter.type.dialect_impl(dialect).bind_processor(dialect)
            value = value if process is None else process(value)
        bound.append(value)
    return bound


def _processors(statement: Executable, dialect: Dialect, width: int) -> list[Callable[[Any], Any] | None]:
    if isinstance(statement, TextClause):
        return [None] * width
    columns: Sequence[Any] = list(statement.selected_columns)  # type: ignore[attr-defined]
    # Floats come as they are; SQLAlchemy's processor for them wants to know the column's OID on PostgreSQL.
    return [
        None
        if isinstance(column.type, Float)
        else column.type.dialect_impl(dialect).result_processor(dialect, None)
        for column in columns
    ]


class Reads(Protocol):
    def connect(self) -> AbstractAsyncContextManager[Connection]: ...

    async def close(self) -> None: ...
