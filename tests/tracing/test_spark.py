"""The heavy joins run unchanged on Spark, and give the same rows. Only where pyspark is installed: `make spark`."""

import json
from pathlib import Path

import ibis  # type: ignore[import-untyped]
import numpy as np
import pyarrow as pa
import pytest

from sekisho.trace.match import TIERS, join, match
from sekisho.trace.parts import EXACT, Lines

pyspark = pytest.importorskip("pyspark", reason="an optional group of the lock; make spark")


def parts(rng: np.random.Generator, count: int) -> Lines:
    """Digests as they are: 64 bits with a sign, some missing (0), many that come again."""
    pool = rng.integers(-(1 << 63), (1 << 63) - 1, 3_000)
    return {part: np.where(rng.random(count) < 0.1, 0, rng.choice(pool, count)) for part in EXACT}


def test_the_same_expressions_give_the_same_rows_on_spark(tmp_path: Path) -> None:
    from pyspark.sql import SparkSession  # type: ignore[import-not-found]

    rng = np.random.default_rng(4)
    records, lines = parts(rng, 20_000), parts(rng, 8_000)
    for part in EXACT:  # half of the lines are records
        lines[part][:4_000] = records[part][:4_000]
    rec, row = np.arange(20_000), np.arange(8_000)
    ours = match(row, lines, pa.table({"rec": rec.astype(np.int32), **records}))
    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "4")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.warehouse.dir", str(tmp_path))
        .getOrCreate()
    )
    try:
        _register(session, tmp_path, "records", {"rec": rec, **records})
        found: list[tuple[int, int, int]] = []
        left = np.ones(len(row), bool)
        for number, tier in enumerate(TIERS):
            useful = left & np.all([lines[part] != 0 for part in tier.parts], axis=0)
            _register(
                session, tmp_path, "rows", {"row": row[useful], **{p: lines[p][useful] for p in tier.parts}}
            )
            pairs = [
                (one["row"], one["rec"])
                for one in session.sql(ibis.to_sql(join(tier), dialect="pyspark")).collect()
            ]
            found += [(a, b, number) for a, b in pairs]
            left[[a for a, _ in pairs]] = False
    finally:
        session.stop()
    assert sorted(found) == sorted(zip(ours.row.tolist(), ours.rec.tolist(), ours.tier.tolist(), strict=True))
    assert len(found) > 4_000


def _register(session: object, folder: Path, name: str, columns: Lines) -> None:
    """A view of a JSON file: Spark reads it without pandas."""
    path = folder / f"{name}-{len(list(folder.iterdir()))}.json"
    with path.open("w") as file:
        for values in zip(*(column.tolist() for column in columns.values()), strict=True):
            file.write(json.dumps(dict(zip(columns, values, strict=True))) + "\n")
    schema = ", ".join(f"`{column}` BIGINT" for column in columns)
    session.read.schema(schema).json(str(path)).createOrReplaceTempView(name)  # type: ignore[attr-defined]
