"""`state rebuild`: are the tables what the facts say? If not, make them so.

Every projection is recomputed from the facts into a scratch SQLite file, beside a copy of the live tables, and the
two are compared row by row by SQL. One snapshot of the live database, nothing of it changed, memory bounded.
With the published log at hand the facts themselves are compared with it first, and recomputation trusts the log.
"""

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import BigInteger, Column, Table, func, select, tuple_, type_coerce

from sekisho.evidence.checkpoint import parse_checkpoint
from sekisho.evidence.faults import NOT_A_LOG
from sekisho.evidence.folder import read_file
from sekisho.evidence.note import parse_note
from sekisho.evidence.tiles import read_entries
from sekisho.faults import Fault
from sekisho.ledger.database import open_database
from sekisho.ledger.faults import NOT_REBUILT
from sekisho.ledger.leaf import Recorded, micros
from sekisho.ledger.projections import Change, NotApplicable, Writes, project_leaf
from sekisho.ledger.reading import Connection
from sekisho.ledger.sqlite import SqliteDriver
from sekisho.ledger.store import Store, create_table
from sekisho.ledger.tables import FACTS, OWN_TABLES, Timestamp, projection_tables

_PAGE: Final = 2_048
Progress = Callable[[int, int], None]  # facts done, facts in all


@dataclass(frozen=True)
class Difference:
    """One cell, or with `column` "" one row, that is not what the facts say. None: there is no such row."""

    table: str
    key: dict[str, Any]
    column: str
    live: Any
    should: Any


@dataclass
class Checked:
    """What was compared. `unknown_tables` and `unknown_facts` were not."""

    facts: int
    tables: int
    unknown_tables: list[str]
    unknown_facts: dict[str, int]  # name -> how many
    differences: int = 0


async def check(
    url: str,
    found: Callable[[Difference], None],
    *,
    folder: Path | None = None,
    progress: Progress = lambda done, total: None,
) -> Checked:
    """Compare, calling `found` with each difference. `folder`: the published log.

    Fault when database or folder cannot be read, or today's projections refuse the facts altogether.
    """
    reads = open_database(url).reads()
    tables = projection_tables()
    try:
        async with reads.connect() as live:
            present = await live.tables()
            size = await live.scalar(select(func.max(FACTS.c.seq))) if FACTS.name in present else None
            known = {table.name for table in (*tables, *OWN_TABLES)}
            checked = Checked(0 if size is None else size + 1, len(tables), sorted(present - known), {})

            def differ(difference: Difference) -> None:
                checked.differences += 1
                found(difference)

            with tempfile.TemporaryDirectory(prefix="sekisho-check-") as scratch:
                recomputed, copied = _scratch(Path(scratch, "should")), _scratch(Path(scratch, "live"))
                try:
                    for table in tables:
                        create_table(recomputed, table)
                        create_table(copied, table)
                    await _replay(live, recomputed, checked, differ, folder, progress)
                    for table in tables:
                        if table.name in present:
                            await _copy(live, copied, table)
                    recomputed.commit()
                    copied.commit()
                    recomputed.execute(f"ATTACH DATABASE '{Path(scratch, 'live')}' AS live")
                    for table in tables:
                        for difference in _compare(recomputed, table):
                            differ(difference)
                finally:
                    copied.close()
                    recomputed.close()
    finally:
        await reads.close()
    return checked


def rebuild(url: str) -> None:
    """Recompute every table in place, in one transaction. Blocking; not from within an event loop."""
    store = Store(open_database(url).driver())
    try:
        store.open()
        store.rebuild()
    finally:
        store.close()


def _scratch(path: Path) -> SqliteDriver:
    driver = SqliteDriver(path, busy_seconds=0)
    driver.open()
    driver.execute("PRAGMA journal_mode=OFF")
    driver.execute("PRAGMA synchronous=OFF")
    driver.begin()
    return driver


async def _replay(
    live: Connection,
    scratch: SqliteDriver,
    checked: Checked,
    differ: Callable[[Difference], None],
    folder: Path | None,
    progress: Progress,
) -> None:
    entries = _published(folder) if folder is not None else iter(())
    expected = 0
    pages = _fact_pages(live)
    async with aclosing(pages):
        async for page in pages:
            writes = Writes()
            for row in page:
                while expected < row.seq:
                    differ(Difference("facts", {"seq": expected}, "", None, "a fact"))
                    leaf = next(entries, None)
                    if leaf is not None:
                        _apply(leaf, writes, checked)
                    expected += 1
                expected += 1
                entry = next(entries, None)
                if entry is not None and entry != row.leaf:
                    differ(Difference("facts", {"seq": row.seq}, "leaf", row.leaf, entry))
                _compare_fact(row, entry or row.leaf, writes, checked, differ)
            try:
                for change in writes.changes():
                    scratch.apply(change)
            except scratch.refusals as error:
                raise Fault(NOT_REBUILT, reason=error) from error
            progress(expected, checked.facts)
            await asyncio.sleep(0)
    for entry in entries:
        differ(Difference("facts", {"seq": expected}, "", None, entry))
        expected += 1


def _compare_fact(
    row: Any, leaf: bytes, writes: Writes, checked: Checked, differ: Callable[[Difference], None]
) -> None:
    try:
        recorded = _apply(leaf, writes, checked)
    except NotApplicable as error:
        differ(Difference("facts", {"seq": row.seq}, "leaf", row.leaf, f"a leaf that can be read ({error})"))
        return
    should = {
        "seq": recorded.seq,
        "at": micros(recorded.at),
        "fact": recorded.fact,
        "about": recorded.about,
        "by_": recorded.by,
    }
    for column, value in should.items():
        if getattr(row, column) != value:
            differ(Difference("facts", {"seq": row.seq}, column, getattr(row, column), value))


def _apply(leaf: bytes, writes: Writes, checked: Checked) -> Recorded:
    recorded, known = project_leaf(writes, leaf)
    if not known:
        checked.unknown_facts[recorded.fact] = checked.unknown_facts.get(recorded.fact, 0) + 1
    return recorded


def _published(folder: Path) -> Iterator[bytes]:
    """The entries under the published checkpoint; whether they are genuine is for `sekisho verify` to say."""
    note = read_file(folder / "checkpoint")
    if note is None:
        raise Fault(NOT_A_LOG, path=folder)
    return read_entries(folder, 0, parse_checkpoint(parse_note(note).text).size)


async def _fact_pages(live: Connection) -> AsyncGenerator[Sequence[Any], None]:
    if FACTS.name not in await live.tables():
        return
    start = -1
    columns = [type_coerce(column, BigInteger) if column.name == "at" else column for column in FACTS.c]
    while True:
        query = select(*columns).where(FACTS.c.seq > start).order_by(FACTS.c.seq).limit(_PAGE)
        rows = (await live.execute(query)).all()
        if not rows:
            return
        yield rows
        start = rows[-1].seq


async def _copy(live: Connection, scratch: SqliteDriver, table: Table) -> None:
    """The live rows into the scratch file, page by page along the primary key."""
    key = list(table.primary_key.columns)
    columns = [*key, *(column for column in table.columns if not column.primary_key)]
    names = tuple(column.name for column in columns)
    query = select(*map(_raw, columns)).order_by(*key).limit(_PAGE)
    last: tuple[Any, ...] | None = None
    while True:
        page = query if last is None else query.where(tuple_(*key) > tuple_(*last))
        change = Change("insert", table, names)
        change.rows = [tuple(row) for row in await live.execute(page)]
        if not change.rows:
            return
        last = change.rows[-1][: len(key)]
        scratch.apply(change)


def _raw(column: Column[Any]) -> Any:
    return type_coerce(column, BigInteger) if isinstance(column.type, Timestamp) else column


def _compare(scratch: SqliteDriver, table: Table) -> Iterator[Difference]:
    quote = scratch.dialect.identifier_preparer.quote
    name = quote(table.name)
    key = [column.name for column in table.primary_key.columns]
    rest = [column.name for column in table.columns if not column.primary_key]
    keys = ", ".join(f"s.{quote(column)}" for column in key)
    same = " AND ".join(f"s.{quote(column)} = l.{quote(column)}" for column in key)
    # S608: the names of declared tables, quoted
    for present, absent in (("main", "live"), ("live", "main")):
        only = (
            f"SELECT {keys} FROM {present}.{name} s "  # noqa: S608
            f"WHERE NOT EXISTS (SELECT 1 FROM {absent}.{name} l WHERE {same})"
        )
        live, should = (None, "a row") if present == "main" else ("a row", None)
        for row in scratch.fetch(only):
            yield Difference(table.name, dict(zip(key, row, strict=True)), "", live, should)
    if not rest:
        return
    pairs = ", ".join(f"l.{quote(column)}, s.{quote(column)}" for column in rest)
    differing = " OR ".join(f"l.{quote(column)} IS NOT s.{quote(column)}" for column in rest)
    both = f"SELECT {keys}, {pairs} FROM main.{name} s JOIN live.{name} l ON {same} WHERE {differing}"  # noqa: S608
    for row in scratch.fetch(both):
        values = row[len(key) :]
        for place, column in enumerate(rest):
            live, should = values[2 * place], values[2 * place + 1]
            if live != should:
                yield Difference(
                    table.name, dict(zip(key, row[: len(key)], strict=True)), column, live, should
                )
