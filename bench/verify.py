"""Full verification of a log folder: every entry, tile and root recomputed. Files are in the page cache.

Peer in the same run: reading the same bundles and hashing each entry once with hashlib, and nothing else.
"""

import hashlib
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from bench.facts import statement
from bench.frame import Result, Scale, alternate, paired, spread
from sekisho.evidence.log import TileLog
from sekisho.evidence.note import NoteSigner
from sekisho.evidence.tiles import WIDTH, bundle_path
from sekisho.evidence.verify import verify_folder
from sekisho.ledger.leaf import complete_leaf, encode_tail, stamp

_ORIGIN = "bench.example/log"


async def run(scale: Scale) -> list[Result]:
    count = scale.pick(1_000_000, 5_000)
    with tempfile.TemporaryDirectory(prefix="sekisho-bench-") as temporary:
        folder = Path(temporary) / "log"
        length = _build(folder, count)

        async def verify() -> float:
            began = time.perf_counter()
            report = verify_folder(folder)
            seconds = time.perf_counter() - began
            if not report.ok or report.entries != count:
                raise AssertionError(report.findings)
            return count / seconds

        async def hash_only() -> float:
            return count / _hash(folder, count)

        figures = await alternate({"verify": verify, "hash": hash_only}, scale.pick(3, 1))
    return [
        Result(
            f"full verification of {count:,} entries of {length} bytes, one process",
            "300,000 entries/s",
            spread(figures["verify"], "entries/s"),
            f"the same files read, each entry hashed once: {spread(figures['hash'], 'entries/s')}",
            paired(figures, "verify", "hash"),
            statistics.median(figures["verify"]) >= 300_000,
        )
    ]


def _build(folder: Path, count: int) -> int:
    """A log of `count` statements; the length of its last entry."""
    log = TileLog.open(folder, NoteSigner.generate(_ORIGIN), origin=_ORIGIN)
    kind, tail = encode_tail(statement(1, 1), by="p-worker", about="s-1")
    at = stamp(int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1e6))
    entry = b""
    for first in range(0, count, 65_536):
        entries = [complete_leaf(seq, kind, at, tail) for seq in range(first, min(first + 65_536, count))]
        log.integrate(entries)
        entry = entries[-1]
    log.publish(log.sign())
    return len(entry)


def _hash(folder: Path, count: int) -> float:
    sha256 = hashlib.sha256
    began = time.perf_counter()
    for first in range(0, count, WIDTH):
        raw = (folder / bundle_path(first // WIDTH, min(WIDTH, count - first))).read_bytes()
        position = 0
        while position < len(raw):
            end = position + 2 + (raw[position] << 8 | raw[position + 1])
            sha256(raw[position + 2 : end]).digest()
            position = end
    return time.perf_counter() - began
