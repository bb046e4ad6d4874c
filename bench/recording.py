"""The recorder alone: sealed, written, hashed and brought to the disk, by processor time of the whole process (the hash
and the disk are another thread's), so that the figure is of one core whatever else the machine does.

Peer in the same run: the same chunks written by write(2), and brought to the disk at the same times.
"""

import asyncio
import os
import random
import statistics
import tempfile
import time
from pathlib import Path

import sekisho.relay.tables  # noqa: F401 (its projections)
from bench.frame import Result, Scale, alternate, paired, percentile, spread
from sekisho.ledger import KeyRing, Ledger
from sekisho.relay.record.recordings import Recording, Recordings

_CHUNK = 65_536
_KEY = 24  # bytes of an echo: a character, and how a shell redraws its line
_MEGABYTE = 1e6


async def run(scale: Scale) -> list[Result]:
    total = scale.pick(1_000_000_000, 4_000_000)
    text = _text()
    pieces = [text[start : start + _CHUNK] for start in range(0, len(text) - _CHUNK, 4_099)]
    with tempfile.TemporaryDirectory(prefix="sekisho-bench-") as temporary:
        folder = Path(temporary)
        url = f"sqlite:///{folder / 'ledger.db'}"
        async with await Ledger.open(url, keys=KeyRing(folder / "keys")) as ledger:
            recordings = Recordings(ledger, folder / "recordings")

            async def record() -> float:
                made = await _open(recordings)
                began = time.process_time()
                for number in range(total // _CHUNK):
                    made.output(pieces[number % len(pieces)])
                    await asyncio.sleep(0)
                await made.close()
                return total / (time.process_time() - began) / _MEGABYTE

            async def write() -> float:
                path = folder / "plain"
                began = time.process_time()
                with path.open("wb", buffering=0) as file:
                    for number in range(total // _CHUNK):
                        file.write(pieces[number % len(pieces)])
                    os.fdatasync(file.fileno())
                seconds = time.process_time() - began
                path.unlink()
                return total / seconds / _MEGABYTE

            figures = await alternate({"record": record, "write": write}, scale.pick(3, 1))
            echoes = await _echoes(recordings, scale.pick(200_000, 1_000))
    return [
        Result(
            f"recording in chunks of {_CHUNK:,} bytes, per core",
            "300 MB/s",
            spread(figures["record"], "MB/s"),
            f"write(2) of the same: {spread(figures['write'], 'MB/s')}",
            paired(figures, "record", "write"),
            statistics.median(figures["record"]) >= 300,
        ),
        Result(
            f"what recording adds to an echo of {_KEY} bytes, p99",
            "3,000 us",
            f"{percentile(echoes, 99):,.0f} us (p50 {percentile(echoes, 50):,.0f})",
            "none",
            None,
            percentile(echoes, 99) < 3_000,
        ),
    ]


async def _echoes(recordings: Recordings, count: int) -> list[float]:
    """Microseconds of each."""
    made = await _open(recordings)
    taken = []
    for _ in range(count):
        began = time.perf_counter_ns()
        made.output(b"x" * _KEY)
        taken.append((time.perf_counter_ns() - began) / 1000)
    await made.close()
    return taken


async def _open(recordings: Recordings) -> Recording:
    return await recordings.open(
        "s-bench",
        person="sato",
        ticket="T-1",
        organisation="bench",
        kind="ssh",
        title="bench",
        width=80,
        height=24,
    )


def _text() -> bytes:
    """Lines as a terminal shows them."""
    chance = random.Random(1)
    lines = (
        f"{number:06} 佐藤 花子 090-{chance.randint(1000, 9999)}-{number % 10_000:04} gold {chance.random()}\r\n"
        for number in range(20_000)
    )
    return "".join(lines).encode()
