"""What a result may show, judged from its RowDescription alone: no reading of the SQL text is needed.

PostgreSQL says for each result column from which table (OID) and column (number) it comes, through
sub-queries, CTEs and cursors; anything computed has no origin. The catalogue says whose that table is.
A `Plan` is that judgement, made once per description and session.
"""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from sekisho.faults import Fault
from sekisho.gate.decide import Grant
from sekisho.register.catalogue import Dataset
from sekisho.register.facts import ColumnEntry, TableEntry
from sekisho.relay import faults
from sekisho.text.mask import HIDDEN, Mask, mask_for
from sekisho.wire.postgres.backend import Column, RowDescription

TEXT_TYPE: Final = 25  # pg_type.oid of text
_TEXT_LIKE: Final = frozenset(
    {TEXT_TYPE, 19, 1042, 1043}
)  # name, char(n), varchar(n): the wire form is the text
_INTEGER_SIZES: Final = {21: 2, 23: 4, 20: 8}  # int2, int4, int8: binary length

# Statements that explore a database read these; all others in pg_catalog (pg_statistic and pg_stats with their
# sample values, pg_authid, pg_largeobject, pg_stat_activity with other people's SQL) are unknown tables.
_EXPLORABLE: Final = """
    pg_class pg_namespace pg_attribute pg_type pg_index pg_constraint pg_am pg_collation pg_inherits pg_opclass
    pg_operator pg_proc pg_language pg_extension pg_tablespace pg_tables pg_views pg_indexes pg_sequence pg_sequences
    pg_enum pg_range pg_depend pg_trigger pg_rewrite pg_policy pg_partitioned_table
"""
EXPLORABLE: Final = tuple(_EXPLORABLE.split())


@dataclass(frozen=True, slots=True)
class Origin:
    """A catalogued table as the target numbers it."""

    dataset: Dataset
    table: TableEntry
    columns: dict[int, ColumnEntry]


@dataclass(frozen=True, slots=True)
class Origins:
    """Table OID -> whose it is. `explorable` holds the OIDs of the system tables that may be read."""

    tables: dict[int, Origin]
    explorable: frozenset[int]


@dataclass(frozen=True, slots=True)
class TableUse:
    """How one metered table stands in a result.

    `subjects` are the result columns that hold its subject key, `binary` the byte lengths of those that come as
    binary integers (0: text form), `integer_text` that all come as decimal text. `copies` says how many rows of
    the table stand in one result row at least; for copies beyond the subjects, nobody can say which person they
    show. `columns` are all its result columns.
    """

    subjects: tuple[int, ...]
    binary: tuple[int, ...]
    integer_text: bool
    copies: int
    columns: tuple[int, ...]
    rows_per_subject: int


@dataclass(frozen=True, eq=False)
class Plan:
    """`refusal` is why no row may pass, or None. `description` is the RowDescription to show: masked columns
    become text, so that the mask is a valid value for any client. `masks` are (result column, mask)."""

    refusal: Fault | None
    description: bytes
    masks: tuple[tuple[int, Mask], ...]
    uses: tuple[TableUse, ...]
    read: tuple[str, ...]
    masked: tuple[str, ...]
    revealed: tuple[str, ...]

    @cached_property
    def lone_subject(self) -> int | None:
        """The result column that alone tells the persons of this result apart, or None."""
        if len(self.uses) == 1 and self.uses[0].copies == 1 and len(self.uses[0].subjects) == 1:
            return self.uses[0].subjects[0]
        return None

    @cached_property
    def anonymous_persons(self) -> int | None:
        """How many persons each row shows when none can be told from another (0: no data subjects); else None."""
        return None if any(use.subjects for use in self.uses) else sum(use.copies for use in self.uses)


def make_plan(description: RowDescription, origins: Origins, grant: Grant, unknown_lineage: str) -> Plan:
    """Judge a result. Total: every column is shown, masked, or the whole result refused."""
    shown: list[Column] = []
    masks: list[tuple[int, Mask]] = []
    read: set[str] = set()
    masked: set[str] = set()
    revealed: set[str] = set()
    columns_of: dict[int, list[int]] = {}
    computed = False
    for index, column in enumerate(description.columns):
        if column.table in origins.explorable and column.number > 0:
            shown.append(column)
            continue
        origin = origins.tables.get(column.table)
        entry = origin.columns.get(column.number) if origin else None
        if column.table and origin is None:
            return _refused(Fault(faults.UNKNOWN_TABLE, oid=column.table))
        if origin is not None:
            if origin.dataset.dataset != grant.dataset:
                table = f"{origin.table.schema}.{origin.table.name}"
                values = {"table": table, "ticket": grant.ticket, "dataset": grant.dataset}
                return _refused(Fault(faults.OTHER_CLIENT, **values), read=(table,))
            columns_of.setdefault(column.table, []).append(index)
        if origin is None or entry is None:  # computed, a whole row, a system column, or one added since
            computed = True
            if unknown_lineage != "mask":
                return _refused(Fault(faults.UNKNOWN_LINEAGE, column=column.name.decode(errors="replace")))
            masks.append((index, _hide))
            masked.add("?")
            shown.append(_as_text(column))
            continue
        name = f"{origin.table.name}.{entry.name}"
        read.add(name)
        if not entry.personal:
            shown.append(column)
        elif entry.item in grant.unmask:
            revealed.add(name)
            shown.append(column)
        else:
            # A mask reads the text form; of anything else (a binary date) nothing is shown.
            is_text = column.format == 0 or column.type in _TEXT_LIKE
            masks.append((index, mask_for(entry.item) if is_text else _hide))
            masked.add(name)
            shown.append(_as_text(column))
    uses = [_use(description, origins.tables[oid], indices) for oid, indices in columns_of.items()]
    uses = [use for use, oid in zip(uses, columns_of, strict=True) if origins.tables[oid].table.metered]
    if computed and not columns_of:
        uses.append(
            TableUse((), (), False, 1, (), 1)
        )  # whose rows these were cannot be seen: each is a person
    return Plan(
        refusal=None,
        description=RowDescription(tuple(shown)).encode(),
        masks=tuple(masks),
        uses=tuple(uses),
        read=tuple(sorted(read)),
        masked=tuple(sorted(masked)),
        revealed=tuple(sorted(revealed)),
    )


def shown_plan(description: RowDescription) -> Plan:
    """Of a result that cannot hold a row of any table: as it comes, and counting nobody."""
    return Plan(None, description.encode(), (), (), (), (), ())


def hidden_plan(description: RowDescription) -> Plan:
    """Of a result whose rows may come, and of which no value may be seen."""
    masks = tuple((index, _hide) for index in range(len(description.columns)))
    shown = RowDescription(tuple(_as_text(column) for column in description.columns))
    return Plan(None, shown.encode(), masks, (TableUse((), (), False, 1, (), 1),), (), ("?",), ())


def _use(description: RowDescription, origin: Origin, indices: list[int]) -> TableUse:
    columns = description.columns
    names = {index: origin.columns.get(columns[index].number) for index in indices}
    subjects = tuple(i for i, entry in names.items() if entry and entry.name == origin.table.subject)
    # The same column twice: two rows of this table stand in one result row (a self join).
    copies = max(Counter(columns[index].number for index in indices).values())
    return TableUse(
        subjects=subjects,
        binary=tuple(_INTEGER_SIZES.get(columns[i].type, -1) if columns[i].format else 0 for i in subjects),
        integer_text=all(columns[i].type in _INTEGER_SIZES and not columns[i].format for i in subjects),
        copies=copies,
        columns=tuple(indices),
        rows_per_subject=origin.table.rows_per_subject,
    )


def _refused(fault: Fault, read: tuple[str, ...] = ()) -> Plan:
    return Plan(fault, b"", (), (), read, (), ())


def _hide(_value: bytes) -> bytes:
    return HIDDEN


def _as_text(column: Column) -> Column:
    return column._replace(type=TEXT_TYPE, size=-1, modifier=-1)
