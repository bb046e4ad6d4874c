"""Projections: how facts become rows.

A projection is a pure function of one fact. It says what changes through `Writes`; it cannot read. The changes of
a whole batch are merged before they reach SQL (sums of the same row are added up first): changes of different rows
of one table commute, because a change names its row by primary key and looks at nothing else.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, Literal, TypeVar

from sqlalchemy import Boolean, Float, Integer, LargeBinary, String, Table

from sekisho.ledger.leaf import Fact, Recorded, kind_of, micros, read_recorded
from sekisho.ledger.tables import Timestamp

Value = None | bool | int | float | str | bytes | datetime
Row = Mapping[str, Value]
Kind = Literal["insert", "upsert", "add", "add_existing", "update", "delete"]


class NotApplicable(Exception):  # noqa: N818 (a condition of the batch; the ledger turns it into a Fault)
    """A row contradicts the database, or a projection raised: nothing of the batch may stay."""


class Change:
    """One statement's worth of rows of one kind for one table; `rows` are tuples in the order of `columns`.

    The first `width` columns say which rows: the primary key, or for "update" and "delete" any columns.
    """

    __slots__ = ("columns", "kind", "rows", "table", "width")

    def __init__(self, kind: Kind, table: Table, columns: tuple[str, ...], width: int = 0) -> None:
        self.width = width or len(table.primary_key.columns)
        self.kind = kind
        self.table = table
        self.columns = columns
        self.rows: list[tuple[Any, ...]] = []


class _Pending:
    __slots__ = ("kind", "row")

    def __init__(self, kind: Kind, row: dict[str, Value]) -> None:
        self.kind = kind
        self.row = row  # without the key columns


class Writes:
    """What a batch changes. `key` maps each primary-key column to its value; rows name the other columns.

    A column that a row leaves out keeps its value, or takes its `server_default` (Python-side defaults don't apply).
    """

    def __init__(self, only: frozenset[Table] | None = None) -> None:
        self._only = only  # a rebuild of some tables ignores the changes of all others
        self._tables: dict[Table, dict[tuple[Value, ...], list[_Pending]]] = {}

    def insert(self, table: Table, row: Row) -> None:
        """A new row. When its key exists already, the fact itself is refused and not recorded."""
        key = tuple([row[name] for name in shape_of(table).key])
        self._put(
            "insert",
            table,
            key,
            {name: value for name, value in row.items() if name not in shape_of(table).key},
        )

    def upsert(self, table: Table, key: Row, row: Row) -> None:
        """Create the row, or set the named columns of the existing one."""
        self._put("upsert", table, _key(table, key), dict(row))

    def add(self, table: Table, key: Row, deltas: Row, *, must_exist: bool = False) -> None:
        """Add numbers to columns; NULL counts as 0. Creates a missing row unless `must_exist`; then it is ignored.

        A table with NOT NULL columns beside the key, the deltas and those with a server_default needs `must_exist`.
        """
        self._put("add_existing" if must_exist else "add", table, _key(table, key), dict(deltas))

    def update(self, table: Table, key: Row, row: Row) -> None:
        """Set columns of an existing row; a missing row is ignored."""
        self._put("update", table, _key(table, key), dict(row))

    def delete(self, table: Table, key: Row) -> None:
        self._put("delete", table, _key(table, key), {})

    def _put(self, kind: Kind, table: Table, key: tuple[Value, ...], row: dict[str, Value]) -> None:
        if self._only is not None and table not in self._only:
            return
        rows = self._tables.get(table)
        if rows is None:
            rows = self._tables[table] = {}
        pending = rows.get(key)
        if pending is None:
            rows[key] = [_Pending(kind, row)]
        elif not _merged(pending[-1], kind, row):
            pending.append(_Pending(kind, row))

    def changes(self) -> Iterator[Change]:
        """The merged changes, in an order that gives each row its own changes in sequence. Raises NotApplicable."""
        for table, rows in self._tables.items():
            shape = shape_of(table)
            level = 0
            left = list(rows.items())
            while left:
                found: dict[tuple[Kind, tuple[str, ...]], Change] = {}
                for key, pending in left:
                    step = pending[level]
                    group = (step.kind, tuple(step.row))
                    change = found.get(group)
                    if change is None:
                        columns = (*shape.key, *group[1])
                        if not shape.columns.issuperset(columns):
                            raise NotApplicable(f"table {table.name} lacks a column among {columns}")
                        change = found[group] = Change(step.kind, table, columns)
                    change.rows.append((*key, *step.row.values()))
                for change in found.values():
                    _convert_times(change, shape)
                    yield change
                level += 1
                left = [(key, pending) for key, pending in left if len(pending) > level]


def _merged(last: _Pending, kind: Kind, row: dict[str, Value]) -> bool:
    """Fold a change into the row's last one where the outcome is the same; else leave it alone."""
    if kind in ("add", "add_existing"):
        sums = last.kind == kind and last.row.keys() == row.keys()
        # The row certainly exists after an insert or upsert; after an update, only if it did before.
        exists = last.kind in ("insert", "upsert") or (last.kind == "update" and kind == "add_existing")
        if not sums and not (exists and all(last.row.get(name) is not None for name in row)):
            return False
        for name, delta in row.items():
            last.row[name] += delta  # type: ignore[operator]
        return True
    if (kind == "update" and last.kind in ("insert", "upsert", "update")) or (
        kind == "upsert" and last.kind in ("insert", "upsert")
    ):
        last.row.update(row)
        return True
    return False


class _Shape:
    """What must be known of a table to write it without SQLAlchemy's help. TypeError for what would not work."""

    def __init__(self, table: Table) -> None:
        self.key = tuple(column.name for column in table.primary_key.columns)
        self.columns = frozenset(column.name for column in table.columns)
        self.times = frozenset(column.name for column in table.columns if isinstance(column.type, Timestamp))
        if not self.key:
            raise TypeError(f"table {table.name} has no primary key")
        for column in table.columns:
            if not isinstance(column.type, Timestamp | String | Integer | Float | Boolean | LargeBinary):
                raise TypeError(f"{column}: use Text, Integer, Float, Boolean, LargeBinary or Timestamp")
            if column.default is not None or column.onupdate is not None or column.foreign_keys:
                raise TypeError(f"{column}: only server_default works here, and no foreign keys")


_SHAPES: Final[dict[Table, _Shape]] = {}


def shape_of(table: Table) -> _Shape:
    shape = _SHAPES.get(table)
    if shape is None:
        shape = _SHAPES[table] = _Shape(table)
    return shape


def _key(table: Table, key: Row) -> tuple[Value, ...]:
    names = shape_of(table).key
    if len(key) != len(names):
        raise KeyError(f"the key of {table.name} is {names}")
    return tuple([key[name] for name in names])


def _convert_times(change: Change, shape: _Shape) -> None:
    for place, name in enumerate(change.columns):
        if name in shape.times:
            change.rows = [
                (*row[:place], micros(at), *row[place + 1 :])
                if isinstance(at := row[place], datetime)
                else row
                for row in change.rows
            ]


AnyFact = TypeVar("AnyFact", bound=Fact)
Projection = Callable[[Writes, AnyFact, Recorded], None]
_PROJECTIONS: Final[dict[type[Fact], list[Projection[Any]]]] = {}


def projects(cls: type[AnyFact]) -> Callable[[Projection[AnyFact]], Projection[AnyFact]]:
    """Register a projection of a declared fact."""
    kind_of(cls)

    def register(function: Projection[AnyFact]) -> Projection[AnyFact]:
        _PROJECTIONS.setdefault(cls, []).append(function)
        return function

    return register


def project(writes: Writes, value: Fact, recorded: Recorded) -> None:
    """Apply each projection of this fact."""
    for function in _PROJECTIONS.get(type(value), ()):
        function(writes, value, recorded)


def project_leaf(writes: Writes, leaf: bytes) -> tuple[Recorded, bool]:
    """Apply the projections of a stored leaf; False when this program does not know its fact.

    Raises NotApplicable when the leaf cannot be read, or a projection raises.
    """
    try:
        recorded, value = read_recorded(leaf)
        if value is not None:
            project(writes, value, recorded)
    except Exception as error:
        raise NotApplicable(f"{type(error).__name__}: {error}") from error
    return recorded, value is not None


def replay(pages: Iterable[Iterable[bytes]], only: frozenset[Table]) -> Iterator[Change]:
    """The changes of some tables that follow from leaves, merged page by page. Raises NotApplicable."""
    for page in pages:
        writes = Writes(only)
        for leaf in page:
            project_leaf(writes, leaf)
        yield from writes.changes()
