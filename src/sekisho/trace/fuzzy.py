"""The fuzzy pass: rows that exact parts left over, against the records that accepted sessions showed.

Splink (Fellegi-Sunter) weighs which of the parts agree: family and given name, town, block number, the last four
digits of the telephone number, date of birth. Only records of accepted sessions that no row has yet are candidates:
a small set, in which a few agreeing parts say something; among all customers they would not. So this pass can add
rows to what is attributed, and never a session.
"""

import logging
from collections.abc import Sequence
from typing import Any, Final

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sekisho.trace.parts import Lines

Ints = npt.NDArray[np.int64]

PARTS: Final = ("family", "given", "town", "number", "last4", "birth")
_AGREES: Final = 0.85  # how often a part of one person agrees, in lists as damaged as those we have seen
_CERTAIN: Final = 0.95
_BLOCKS: Final = (
    ("family", "town"),
    ("given", "town"),
    ("family", "last4"),
    ("given", "last4"),
    ("town", "last4"),
    ("given", "birth"),
    ("town", "number"),
)


def fuzzy_pairs(rows: Ints, lines: Lines, records: Ints, theirs: Lines) -> tuple[Ints, Ints]:
    """(row, record) of the likeliest record for each row that has one with 95 %; each record goes to one row at most.

    `lines[i]` belongs to `rows[i]`, `theirs[i]` to `records[i]`. Deterministic."""
    used = [part for part in PARTS if (lines[part] != 0).any() and (theirs[part] != 0).any()]
    if len(used) < 3 or not len(rows) or not len(records):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    with duckdb.connect() as connection:
        found = _predicted(connection, _table(rows, lines, used), _table(records, theirs, used), used)
    row, rec, weight = (
        found.column(name).to_numpy() for name in ("unique_id_l", "unique_id_r", "match_weight")
    )
    # The best record of each row, then the best row of each record; equal weights in the order of their ids.
    order = np.lexsort((rec, row, -weight))
    row, rec = row[order], rec[order]
    _, first = np.unique(row, return_index=True)
    first = np.sort(first)
    row, rec = row[first], rec[first]
    _, first = np.unique(rec, return_index=True)
    return row[first].astype(np.int64), rec[first].astype(np.int64)


def _table(ids: Ints, lines: Lines, parts: Sequence[str]) -> pa.Table:
    columns = {part: pa.array(lines[part], mask=lines[part] == 0) for part in parts}
    return pa.table({"unique_id": pa.array(ids), **columns})


def _chance(values: Ints) -> float:
    """How often two persons agree in a part by chance."""
    counts = np.unique(values, return_counts=True)[1] / max(len(values), 1)
    return min(max(float((counts**2).sum()), 1e-7), 0.5)


def _predicted(connection: Any, rows: pa.Table, records: pa.Table, parts: Sequence[str]) -> pa.Table:
    # Two seconds to import, and most lookups leave too little over to need it.
    import splink.comparison_library as comparisons
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    # Counted rather than sampled: the same list gives the same weights.
    chance = {part: _chance(records.column(part).drop_null().to_numpy()) for part in parts}
    database = DuckDBAPI(connection=connection)
    settings = SettingsCreator(
        link_type="link_only",
        probability_two_random_records_match=1 / max(records.num_rows, 2),
        comparisons=[
            comparisons.ExactMatch(part).configure(
                m_probabilities=[_AGREES, 1 - _AGREES], u_probabilities=[chance[part], 1 - chance[part]]
            )
            for part in parts
        ],
        blocking_rules_to_generate_predictions=[
            block_on(*block) for block in _BLOCKS if all(part in parts for part in block)
        ],
    )
    tables = [
        database.register(rows, dataset_display_name="a_rows"),
        database.register(records, dataset_display_name="b_records"),
    ]
    linker = Linker(tables, settings)
    # The linker has just set it to tell how long it takes.
    logging.getLogger("splink").setLevel(logging.ERROR)
    predicted: Any = linker.inference.predict(threshold_match_probability=_CERTAIN)
    found: pa.Table = predicted.as_pyarrow_table()
    return found
