"""A checkpoint's recorder in a process of its own, to be killed: `record_driver.py FOLDER`.

What it writes to standard output stands for what a terminal receives: each piece only after `output` returned.
"""

import asyncio
import os
import sys
from pathlib import Path

from relay_record.record_examples import begin, opened_ledger
from sekisho.relay.record import recordings as module
from sekisho.relay.record.recordings import Recordings


async def main(folder: Path, limit: int) -> None:
    module._SEGMENT_SECONDS = 0.02  # type: ignore[misc]
    async with opened_ledger(folder) as ledger:
        made = await begin(Recordings(ledger, folder / "recordings"))
        os.write(2, made.recording.encode() + b"\n")
        number = 0
        while number < limit:
            piece = (f"{number:08} " * (1 + number % 700)).encode()
            made.output(piece)
            os.write(1, piece)
            number += 1
            await asyncio.sleep(0)
        while not await ledger.facts(0, 1, names=["record.segment"], about=made.recording):
            await ledger.wait_turn(0.05)
        os.write(2, b"a segment is durable\n")
        await asyncio.sleep(60)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
