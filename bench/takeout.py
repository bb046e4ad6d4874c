"""How fast a package is sealed, or a list of a million rows inspected, and what memory that takes.

`python bench/takeout.py [MiB]`, `python bench/takeout.py --inspect`"""

import io
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import BinaryIO, cast

import pyrage  # type: ignore[import-untyped]

from sekisho.takeout.inspection import inspect
from sekisho.takeout.sealing import Holder, Seat, open_package, open_shares, seal


class Zeros(io.RawIOBase):
    """A file of so many bytes that is nowhere."""

    def __init__(self, size: int) -> None:
        self._left = size

    def read(self, size: int = -1) -> bytes:
        some = min(size if size >= 0 else self._left, self._left)
        self._left -= some
        return bytes(some)


def million() -> bytes:
    """A list of invented persons, in CP932."""
    lines = ["顧客番号,氏名,生年月日,電話番号,住所"]
    lines += [
        f"C{n:08},岬{n % 97}山 千尋,{1930 + n % 80}-{n % 12 + 1:02}-{n % 28 + 1:02},"
        f"090-{n // 10_000:04}-{n % 10_000:04},みさき市汐見町{n % 50}-{n % 17}"
        for n in range(1_000_000)
    ]
    return "\n".join(lines).encode("cp932")


def inspected() -> None:
    path = Path(tempfile.gettempdir()) / "sekisho-takeout-bench.csv"
    subprocess.run([sys.executable, __file__, "--write", str(path)], check=True)  # its memory is not ours
    content = path.read_bytes()
    path.unlink()
    before = time.perf_counter()
    found = inspect("list.csv", content)
    took = time.perf_counter() - before
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(f"inspected {found.rows:,} rows, {found.persons:,} persons, in {took:.1f} s; {memory} MiB at most")


def main() -> None:
    if sys.argv[1:2] == ["--write"]:
        Path(sys.argv[2]).write_bytes(million())
        return
    if sys.argv[1:2] == ["--inspect"]:
        inspected()
        return
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
