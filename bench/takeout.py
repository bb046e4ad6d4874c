"""How fast a package is sealed, and what memory that takes. `python bench/takeout.py [MiB]`"""

import io
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import BinaryIO, cast

import pyrage  # type: ignore[import-untyped]

from sekisho.takeout.sealing import Holder, Seat, open_package, open_shares, seal


class Zeros(io.RawIOBase):
    """A file of so many bytes that is nowhere."""

    def __init__(self, size: int) -> None:
        self._left = size

    def read(self, size: int = -1) -> bytes:
        some = min(size if size >= 0 else self._left, self._left)
        self._left -= some
        return bytes(some)


def main() -> None:
    size = int(sys.argv[1] if len(sys.argv) > 1 else 512) << 20
    keys = [pyrage.x25519.Identity.generate() for _ in range(3)]
    seats = [
        Seat(str(n), "minato", (Holder(f"a{n}", f"k{n}", str(key.to_public())),))
        for n, key in enumerate(keys)
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "package"
        before, worked = time.perf_counter(), time.process_time()
        package = seal("O-1", cast(BinaryIO, Zeros(size)), path, seats)
        sealed, work = time.perf_counter() - before, time.process_time() - worked
        shares = [
            share for text, key in zip(package.shares, keys, strict=True) for share in open_shares(text, key)
        ]
        before = time.perf_counter()
        open_package(path, Path(folder) / "plain", shares)
        opened = time.perf_counter() - before
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(f"sealed {size / sealed / 1e6:,.0f} MB/s ({size / work / 1e6:,.0f} MB/s of processor time)")
    print(f"opened {size / opened / 1e6:,.0f} MB/s; {memory} MiB at most")


if __name__ == "__main__":
    main()
