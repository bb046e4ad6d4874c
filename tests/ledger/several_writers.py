"""One of several programs that write the same ledger: `multiprocessing` imports it by its name."""

import asyncio
from pathlib import Path

from ledger.ledger_examples import Visited
from sekisho.ledger import KeyRing, Ledger

WRITERS, EACH = 3, 150


def write(url: str, keys: Path) -> None:
    async def run() -> None:
        async with (
            await Ledger.open(url, keys=KeyRing(keys), busy_seconds=30) as ledger,
            asyncio.TaskGroup() as group,
        ):
            for _ in range(EACH // 10):
                group.create_task(few(ledger))

    async def few(ledger: Ledger) -> None:
        for _ in range(10):
            await ledger.record(Visited(rows=1), by="p-sato", about="s-1")

    asyncio.run(run())
