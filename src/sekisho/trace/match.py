"""Which records the rows of a list could be: joins on exact parts, the telling tiers first.

The joins are Ibis expressions over two unbound tables of parts, (row, parts…) and (rec, parts…): `joins`. Here they
become SQL for an embedded DuckDB; the same expressions can be bound to another engine that Ibis has (parts are int64
because Spark has no unsigned 64-bit type).

A row is looked up tier by tier and stops at the first that finds a record: what a name with its telephone number
found is not diluted by everybody else who has that number. Tiers that one shared telephone or one block of flats can
satisfy are *weak*: they say "perhaps", and no session is fitted to them while the list has anything better.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import duckdb
import ibis  # type: ignore[import-untyped]
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from ibis.expr import types as ir  # type: ignore[import-untyped]

from sekisho.trace.parts import EXACT, Lines


@dataclass(frozen=True, slots=True)
class Tier:
    """`parts` that must all agree."""

    name: str
    parts: tuple[str, ...]
    weak: bool = False


TIERS: Final = (
    Tier("name+phone", ("name", "phone")),
    Tier("name+address", ("name", "spot")),
    Tier("name+email", ("name", "email")),
    Tier("kana+phone", ("kana", "phone")),
    Tier("kana+address", ("kana", "spot")),
    Tier("name+birth", ("name", "birth")),
    Tier("phone+address", ("phone", "spot")),
    Tier("phone+birth", ("phone", "birth")),
    Tier("email", ("email",)),
    Tier("phone", ("phone",), weak=True),
    Tier("kana+birth", ("kana", "birth"), weak=True),
    Tier("address+birth", ("spot", "birth"), weak=True),
)

# A row that fits more records than this in its tier tells nothing about any of them.
MOST_RECORDS: Final = 50


@dataclass(frozen=True, slots=True)
class Pairs:
    """Row `row[i]` of the list could be record `rec[i]`, by `TIERS[tier[i]]`. Sorted by row, rec."""

    row: npt.NDArray[np.int64]
    rec: npt.NDArray[np.int64]
    tier: npt.NDArray[np.int8]


def join(tier: Tier) -> ir.Table:
    """(row, rec), each once, of the lines of `rows` and `records` that agree in all parts of the tier."""
    rows = ibis.table({"row": "int64", **dict.fromkeys(tier.parts, "int64")}, name="rows")
    records = ibis.table({"rec": "int32", **dict.fromkeys(EXACT, "int64")}, name="records")
    those = records.filter(*(records[part] != 0 for part in tier.parts)).select("rec", *tier.parts)
    return rows.join(those, list(tier.parts)).select("row", "rec").distinct()


def match(row_of_line: npt.NDArray[np.int64], lines: Lines, records: pa.Table) -> Pairs:
    """Look the lines of a list up among the registry's. `row_of_line` numbers the rows: a row may have several."""
    found: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], int]] = []
    left = np.ones(len(row_of_line), bool)
    with duckdb.connect() as connection:
        connection.register("records", records)
        for number, tier in enumerate(TIERS):
            useful = left & np.all([lines[part] != 0 for part in tier.parts], axis=0)
            if not useful.any():
                continue
            asked = {"row": row_of_line[useful], **{part: lines[part][useful] for part in tier.parts}}
            connection.register("rows", pa.table(asked))
            result = connection.sql(ibis.to_sql(join(tier), dialect="duckdb")).fetchnumpy()
            connection.unregister("rows")
            if len(result["row"]):
                found.append((result["row"], result["rec"].astype(np.int64), number))
                left &= ~np.isin(row_of_line, result["row"])
    return _sorted(found)


def _sorted(found: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], int]]) -> Pairs:
    if not found:
        nothing = np.zeros(0, np.int64)
        return Pairs(nothing, nothing, np.zeros(0, np.int8))
    row = np.concatenate([one[0] for one in found])
    rec = np.concatenate([one[1] for one in found])
    tier = np.concatenate([np.full(len(one[0]), one[2], np.int8) for one in found])
    order = np.lexsort((rec, row))
    return Pairs(row[order], rec[order], tier[order])


def groups(pairs: Pairs) -> Iterator[slice]:
    """The slices of `pairs` that belong to one row each."""
    starts = np.flatnonzero(np.diff(pairs.row, prepend=-1))
    for start, stop in zip(starts, [*starts[1:], len(pairs.row)], strict=True):
        yield slice(int(start), int(stop))


def parts_present(lines: Lines) -> tuple[str, ...]:
    """Which exact parts a list has at all."""
    return tuple(part for part in EXACT if bool((lines[part] != 0).any()))
