"""SQL texts for the writer: one statement per change of many rows, for SQLite and PostgreSQL.

Why not SQLAlchemy's executemany: sqlite3 gives up and retakes the interpreter's lock for each row, which starves a
busy event loop and is starved by it. Here a statement carries up to a thousand rows and runs with the lock free.
"""

from functools import lru_cache
from typing import Final, Literal

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.compiler import IdentifierPreparer

from sekisho.ledger.projections import Kind

DialectName = Literal["sqlite", "postgresql"]
_DIALECT: Final = postgresql.dialect()  # type: ignore[no-untyped-call]
_quote: Final = IdentifierPreparer(_DIALECT).quote


@lru_cache(maxsize=4096)
def statement(
    dialect: DialectName, kind: Kind, table: Table, columns: tuple[str, ...], width: int, rows: int
) -> str:
    """The statement of one change. SQLite takes rows x columns parameters (rows of NULL are padding and do
    nothing); PostgreSQL takes one array per column. The first `width` columns say which rows."""
    # S608: every name comes from a declared table and is quoted; every value is a parameter.
    names = [_quote(name) for name in columns]
    key, rest = names[:width], names[width:]
    target, listed, keys = _quote(table.name), ", ".join(names), ", ".join(key)
    if dialect == "sqlite":
        line = f"({', '.join('?' * len(names))})"
        source = f"WITH v({listed}) AS (VALUES {', '.join([line] * rows)})"
    else:
        arrays = ", ".join(
            f"${place}::{table.c[name].type.compile(dialect=_DIALECT)}[]"
            for place, name in enumerate(columns, 1)
        )
        source = f"WITH v({listed}) AS (SELECT * FROM unnest({arrays}))"  # noqa: S608
    insert = f"{source} INSERT INTO {target} ({listed}) SELECT {listed} FROM v WHERE {key[0]} IS NOT NULL"  # noqa: S608
    if kind == "insert":
        return insert
    if kind == "delete":
        return f"{source} DELETE FROM {target} WHERE ({keys}) IN (SELECT {keys} FROM v)"  # noqa: S608
    if kind in ("upsert", "add"):
        if not rest:
            return f"{insert} ON CONFLICT ({keys}) DO NOTHING"
        new = "excluded.{0}" if kind == "upsert" else f"coalesce({target}.{{0}}, 0) + excluded.{{0}}"
        return f"{insert} ON CONFLICT ({keys}) DO UPDATE SET {_set(rest, new)}"
    new = "v.{0}" if kind == "update" else f"coalesce({target}.{{0}}, 0) + v.{{0}}"
    same = " AND ".join(f"{target}.{name} = v.{name}" for name in key)
    return f"{source} UPDATE {target} SET {_set(rest, new)} FROM v WHERE {same}"  # noqa: S608


def _set(names: list[str], new: str) -> str:
    return ", ".join(f"{name} = {new.format(name)}" for name in names)
