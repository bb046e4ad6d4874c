"""What stands in a PostgreSQL database: schemas, keys, and a few rows of each table, looked at and not kept.

Every query runs in one read-only transaction under a time limit; what could not be read in that time is said to be
unread. A row's values exist in this process's memory only: nothing here writes them, and `repr` leaves them out.
"""

import hashlib
import ssl
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg

from sekisho.faults import Fault
from sekisho.register.catalogue import Target
from sekisho.register.faults import CANNOT_SURVEY

SAMPLE_ROWS: Final = 500
_VALUE_CHARACTERS: Final = 200
_QUERY_SECONDS: Final = 5
_CONNECT_SECONDS: Final = 10.0
_MOST_TABLES: Final = 20_000

Name = tuple[str, str]  # (schema, table)


@dataclass(frozen=True, slots=True)
class SurveyedColumn:
    name: str
    type: str


@dataclass(frozen=True, slots=True)
class SurveyedTable:
    """`keys` are the columns that alone tell one row from another; `references` the single-column foreign keys:
    column -> (schema, table, column). `rows` is the server's estimate, -1 when it has none. `sample` is None when
    it could not be read in time, and `whole` when it is all there is."""

    schema: str
    name: str
    is_view: bool
    rows: int
    columns: tuple[SurveyedColumn, ...]
    keys: frozenset[str]
    references: Mapping[str, tuple[str, str, str]]
    sample: tuple[tuple[str | None, ...], ...] | None = field(repr=False)
    whole: bool

    def values(self, column: str) -> list[str]:
        place = next(place for place, one in enumerate(self.columns) if one.name == column)
        return [value for row in self.sample or () if (value := row[place]) is not None]

    def type_of(self, column: str) -> str | None:
        return next((one.type for one in self.columns if one.name == column), None)


@dataclass(frozen=True, slots=True)
class Survey:
    """`unread` are the tables that the role may not read: nothing is known of them. `readers` maps a schema to
    the login role that may read it and the fewest others."""

    tables: tuple[SurveyedTable, ...]
    unread: tuple[str, ...]
    readers: Mapping[str, str]
    fingerprint: str


_TABLES: Final = r"""
    SELECT c.oid, n.nspname, c.relname, c.relkind IN ('v', 'm') AS is_view, c.reltuples::bigint AS rows,
           has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') AS readable
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
      AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    ORDER BY n.nspname, c.relname LIMIT $1
"""
_COLUMNS: Final = """
    SELECT attrelid, attname, pg_catalog.format_type(atttypid, atttypmod) AS type
    FROM pg_catalog.pg_attribute WHERE attrelid = ANY($1::oid[]) AND attnum > 0 AND NOT attisdropped
    ORDER BY attrelid, attnum
"""
_KEYS: Final = """
    SELECT i.indrelid, a.attname FROM pg_catalog.pg_index i
    JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
    WHERE i.indrelid = ANY($1::oid[]) AND i.indisunique AND i.indisvalid AND i.indnkeyatts = 1
      AND i.indpred IS NULL AND i.indexprs IS NULL
"""
_REFERENCES: Final = """
    SELECT k.conrelid, a.attname, n.nspname, c.relname, b.attname AS referenced
    FROM pg_catalog.pg_constraint k
    JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
    JOIN pg_catalog.pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = k.confkey[1]
    JOIN pg_catalog.pg_class c ON c.oid = k.confrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE k.contype = 'f' AND array_length(k.conkey, 1) = 1 AND k.conrelid = ANY($1::oid[])
"""
_READERS: Final = r"""
    SELECT n.nspname, r.rolname, count(*) OVER (PARTITION BY r.oid) AS schemas
    FROM pg_catalog.pg_roles r CROSS JOIN pg_catalog.pg_namespace n
    WHERE r.rolcanlogin AND NOT r.rolsuper AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND has_schema_privilege(r.oid, n.oid, 'USAGE')
      AND EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'v', 'm')
                  AND has_table_privilege(r.oid, c.oid, 'SELECT'))
    ORDER BY schemas, r.rolname
"""


class Surveyor:
    """An open, read-only look at one database. Made by `surveying`."""

    def __init__(self, connection: Any, rows: int) -> None:
        self._connection = connection
        self._rows = rows

    async def survey(self) -> Survey:
        listed = await self._connection.fetch(_TABLES, _MOST_TABLES)
        oids = [row["oid"] for row in listed if row["readable"]]
        columns: dict[int, list[SurveyedColumn]] = defaultdict(list)
        for row in await self._connection.fetch(_COLUMNS, oids):
            columns[row["attrelid"]].append(SurveyedColumn(row["attname"], row["type"]))
        keys: dict[int, set[str]] = defaultdict(set)
        for row in await self._connection.fetch(_KEYS, oids):
            keys[row["indrelid"]].add(row["attname"])
        references: dict[int, dict[str, tuple[str, str, str]]] = defaultdict(dict)
        for oid, column, *referenced in await self._connection.fetch(_REFERENCES, oids):
            references[oid][column] = (referenced[0], referenced[1], referenced[2])
        tables = []
        for row in listed:
            if not row["readable"]:
                continue
            oid, name = row["oid"], (row["nspname"], row["relname"])
            sample = await self._sample(name, columns[oid], -1 if row["is_view"] else row["rows"])
            tables.append(
                SurveyedTable(
                    schema=name[0],
                    name=name[1],
                    is_view=row["is_view"],
                    rows=row["rows"],
                    columns=tuple(columns[oid]),
                    keys=frozenset(keys[oid]),
                    references=references[oid],
                    sample=sample,
                    whole=sample is not None and len(sample) < self._rows,
                )
            )
        readers: dict[str, str] = {}
        for row in await self._connection.fetch(_READERS):
            readers.setdefault(row["nspname"], row["rolname"])
        unread = tuple(f"{row['nspname']}.{row['relname']}" for row in listed if not row["readable"])
        return Survey(tuple(tables), unread, readers, fingerprint(tables))

    async def most_rows(self, table: Name, column: str) -> int | None:
        """How many rows one value of a column has at most; None when that takes too long."""
        sql = (
            f"SELECT coalesce(max(n), 0) FROM (SELECT count(*) AS n FROM {_quoted(*table)} "  # noqa: S608
            f"WHERE {_quoted(column)} IS NOT NULL GROUP BY {_quoted(column)}) AS counted"
        )
        found = await self._within_time(sql)
        return None if found is None else int(found[0][0])

    async def share_within(self, table: Name, column: str, other: Name, key: str) -> float | None:
        """The share of a column's values, of the first few, that stand in the key of another table."""
        sql = (
            f"SELECT avg((EXISTS (SELECT FROM {_quoted(*other)} AS o WHERE o.{_quoted(key)} = s.v))::int)::float8 "  # noqa: S608
            f"FROM (SELECT {_quoted(column)} AS v FROM {_quoted(*table)} "
            f"WHERE {_quoted(column)} IS NOT NULL LIMIT {self._rows}) AS s"
        )
        found = await self._within_time(sql)
        return None if found is None or found[0][0] is None else float(found[0][0])

    async def _sample(
        self, name: Name, columns: list[SurveyedColumn], rows: int
    ) -> tuple[tuple[str | None, ...], ...] | None:
        """Up to `rows` rows as text; of a large table from pages all over it, since the first ones are the oldest."""
        listed = ", ".join(f"left({_quoted(column.name)}::text, {_VALUE_CHARACTERS})" for column in columns)
        if not columns:
            return ()
        sql = f"SELECT {listed} FROM {_quoted(*name)}"  # noqa: S608
        if rows > 20 * self._rows:
            percent = min(100.0, 150.0 * self._rows / rows)
            found = await self._within_time(f"{sql} TABLESAMPLE SYSTEM ({percent:.6f}) LIMIT {self._rows}")
            if found is not None and len(found) >= self._rows // 4:
                return tuple(tuple(row) for row in found)
        found = await self._within_time(f"{sql} LIMIT {self._rows}")
        return None if found is None else tuple(tuple(row) for row in found)

    async def _within_time(self, sql: str) -> list[Any] | None:
        """A savepoint each: a query that takes too long, or whose view fails, ends nothing but itself."""
        try:
            async with self._connection.transaction():
                return list(await self._connection.fetch(sql))
        except asyncpg.PostgresError:
            if self._connection.is_closed():  # else all tables from here on would pass for unreadable ones
                raise
            return None


@asynccontextmanager
async def surveying(
    target: Target, role: str, password: str, *, rows: int = SAMPLE_ROWS
) -> AsyncIterator[Surveyor]:
    """Connect as `role` and look. Raises Fault CANNOT_SURVEY when the target cannot be reached or refuses."""
    context = ssl.create_default_context(cadata=target.tls_ca) if target.tls_ca else False
    try:
        connection = await asyncpg.connect(
            host=target.host,
            port=target.port,
            user=role,
            password=password,
            database=target.database,
            ssl=context,
            timeout=_CONNECT_SECONDS,
            server_settings={
                "application_name": "sekisho survey",
                "default_transaction_read_only": "on",
                "statement_timeout": f"{_QUERY_SECONDS}s",
                "lock_timeout": "1s",
            },
        )
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
        reason = type(error).__name__ if isinstance(error, TimeoutError) else str(error)
        raise Fault(CANNOT_SURVEY, target=target.target, role=role, reason=reason) from error
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            yield Surveyor(connection, rows)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        raise Fault(CANNOT_SURVEY, target=target.target, role=role, reason=str(error)) from error
    finally:
        await connection.close(timeout=_CONNECT_SECONDS)


def fingerprint(tables: list[SurveyedTable]) -> str:
    """SHA-256 over the names and types of all columns: it changes when a table or a column comes or goes."""
    lines = sorted(
        f"{table.schema}\0{table.name}\0{column.name}\0{column.type}\n"
        for table in tables
        for column in table.columns
    )
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _quoted(*names: str) -> str:
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)
