"""The SQL tables: the ledger's own, and the one MetaData in which each room declares its projections."""

from datetime import datetime
from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Dialect,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    literal_column,
)
from sqlalchemy.types import TypeDecorator

from sekisho.ledger.leaf import instant, micros

metadata: Final = MetaData()


class Timestamp(TypeDecorator[datetime]):
    """An aware time, kept as microseconds since 1970: SQLite has no type for it, and drops the zone."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else micros(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else instant(value)


# SQLite makes a column the row's own key only when it is spelled INTEGER.
Sequence: Final = BigInteger().with_variant(Integer, "sqlite")

FACTS: Final = Table(
    "facts",
    metadata,
    Column("seq", Sequence, primary_key=True, autoincrement=False),
    Column("at", Timestamp, nullable=False),
    Column("fact", Text, nullable=False),
    Column("about", Text, nullable=False),
    Column("by_", Text, nullable=False),
    Column("leaf", LargeBinary, nullable=False),
    Index("facts_about", "about", "seq"),
)
_NAMED: Final = FACTS.c.fact.concat(literal_column("''"))
Index("facts_named", _NAMED, FACTS.c.seq)
PARTS: Final = Table(
    "parts",
    metadata,
    Column("commitment", Text, primary_key=True),
    Column("owner", Text, nullable=False, index=True),
    Column("nonce", LargeBinary, nullable=False),
    # salt and content together: a salt in the clear would let anybody test guesses after the key is erased
    Column("ciphertext", LargeBinary, nullable=False),
)
OFFSETS: Final = Table(
    "subscriptions",
    metadata,
    Column("name", Text, primary_key=True),
    Column("next_seq", BigInteger, nullable=False),
)
CHECKPOINTS: Final = Table(
    "checkpoints",
    metadata,
    Column("origin", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("note", LargeBinary, nullable=False),
    Column("published", BigInteger, nullable=False),
    Column("cosigned", BigInteger, nullable=False),
)
SCHEMAS: Final = Table(
    "schemas",
    metadata,
    Column("table_name", Text, primary_key=True),
    Column("declared", Text, nullable=False),
)
# A projection: which commitment ("part:<hex>") or owner ("owner:<id>") was erased, when, by whom.
ERASURES: Final = Table(
    "erasures",
    metadata,
    Column("what", Text, primary_key=True),
    Column("at", Timestamp, nullable=False),
    Column("by_", Text, nullable=False),
)
OWN_TABLES: Final = (FACTS, PARTS, OFFSETS, CHECKPOINTS, SCHEMAS)


def projection_tables() -> list[Table]:
    """The tables that are functions of the facts: everything declared here but the ledger's own."""
    return [table for table in metadata.sorted_tables if table not in OWN_TABLES]


def named(fact: str) -> ColumnElement[bool]:
    """The facts of one name, to be ordered by `seq` and limited: the newest of them, however rare the name is.

    Its index is one that no other question meets: among many names, or within one session, the planner might prefer it
    to the order of `seq`, and read most of the log."""
    return _NAMED.bool_op("=")(fact)
