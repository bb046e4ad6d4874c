"""A merged batch leaves the same rows as its facts one by one."""

import contextlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import JSON, BigInteger, Column, ForeignKey, MetaData, Table, Text

from sekisho.ledger import Writes
from sekisho.ledger.projections import NotApplicable
from sekisho.ledger.sqlite import SqliteDriver
from sekisho.ledger.store import create_table

COUNTS = Table(
    "counts",
    MetaData(),
    Column("a", Text, primary_key=True),
    Column("b", BigInteger, primary_key=True),
    Column("n", BigInteger),
    Column("m", BigInteger, server_default="7"),
)

keys = st.fixed_dictionaries({"a": st.sampled_from("xy"), "b": st.integers(0, 1)})
rows = st.fixed_dictionaries({}, optional={"n": st.integers(-5, 5), "m": st.integers(-5, 5)})
full = st.fixed_dictionaries({"n": st.integers(-5, 5), "m": st.none() | st.integers(-5, 5)})
operations = st.lists(
    st.one_of(
        st.tuples(st.just("insert"), keys, rows),
        st.tuples(st.just("upsert"), keys, rows | full),
        st.tuples(st.just("add"), keys, rows.filter(bool)),
        st.tuples(st.just("add_existing"), keys, rows.filter(bool)),
        st.tuples(st.just("update"), keys, rows.filter(bool)),
        st.tuples(st.just("delete"), keys, st.just({})),
    ),
    max_size=25,
)


def put(writes: Writes, kind: str, key: dict[str, Any], row: dict[str, Any]) -> None:
    match kind:
        case "insert":
            writes.insert(COUNTS, key | row)
        case "upsert":
            writes.upsert(COUNTS, key, row)
        case "add":
            writes.add(COUNTS, key, row)
        case "add_existing":
            writes.add(COUNTS, key, row, must_exist=True)
        case "update":
            writes.update(COUNTS, key, row)
        case _:
            writes.delete(COUNTS, key)


@contextmanager
def driver() -> Iterator[SqliteDriver]:
    with tempfile.TemporaryDirectory() as folder:
        opened = SqliteDriver(Path(folder, "db"), busy_seconds=0)
        opened.open()
        opened.execute("PRAGMA synchronous=OFF")
        create_table(opened, COUNTS)
        with contextlib.closing(opened):
            yield opened


def outcome(opened: SqliteDriver, batches: list[list[tuple[str, dict[str, Any], dict[str, Any]]]]) -> object:
    opened.execute("DELETE FROM counts")
    opened.begin()
    try:
        for batch in batches:
            writes = Writes()
            for operation in batch:
                put(writes, *operation)
            for change in writes.changes():
                opened.apply(change)
    except opened.refusals:
        opened.rollback()
        return "refused"
    opened.commit()
    return sorted(map(str, opened.fetch("SELECT a, b, n, m FROM counts")))


def test_merging_changes_nothing() -> None:
    with driver() as opened:

        @settings(max_examples=80, deadline=None)
        @given(operations)
        def compare(listed: list[tuple[str, dict[str, Any], dict[str, Any]]]) -> None:
            assert outcome(opened, [listed]) == outcome(opened, [[one] for one in listed])

        compare()


def test_tables_that_could_not_be_written_are_refused() -> None:
    writes = Writes()
    for column, reason in (
        (Column("x", JSON), "use Text"),
        (Column("x", Text, default="y"), "server_default"),
        (Column("x", Text, ForeignKey("counts.a")), "foreign keys"),
    ):
        table = Table("t", MetaData(), Column("k", Text, primary_key=True), column)
        with pytest.raises(TypeError, match=reason):
            writes.upsert(table, {"k": "1"}, {})
    with pytest.raises(TypeError, match="no primary key"):
        writes.insert(Table("t", MetaData(), Column("k", Text)), {"k": "1"})
    with pytest.raises(KeyError):
        writes.upsert(COUNTS, {"a": "x"}, {})
    writes.upsert(COUNTS, {"a": "x", "b": 1}, {"unknown": 1})
    with pytest.raises(NotApplicable, match="lacks"):
        list(writes.changes())
