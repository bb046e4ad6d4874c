"""A read that is given up ends as given up, whatever its statement was doing, and its connection is as good as new."""

import asyncio
from pathlib import Path

from sqlalchemy import text

from sekisho.ledger.sqlite import SqliteReads

# Many rows: the interpreter steps through them one by one, and another thread may come in between.
MANY = text("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) SELECT i FROM n")


async def test_a_cancelled_read_raises_nothing_else(tmp_path: Path) -> None:
    reads = SqliteReads(tmp_path / "x.sqlite", busy_seconds=1)

    async def ask() -> None:
        async with reads.connect() as connection:
            for _ in range(50):
                await connection.execute(MANY)

    try:
        for step in range(200):
            asking = asyncio.get_running_loop().create_task(ask())
            await asyncio.sleep(step * 0.0001)
            asking.cancel()
            ended = (await asyncio.gather(asking, return_exceptions=True))[0]
            assert isinstance(ended, asyncio.CancelledError), ended
        async with reads.connect() as connection:
            assert await connection.scalar(MANY) == 1
    finally:
        await reads.close()
