"""A file becomes one copy, marked in a process apart, and is sealed as it comes out: in clear it is in memory only.

    order    one line of JSON: name, size, rows, plan and what is said of the request; then the file, to the end
    answer   the copy's length (8 bytes), the copy, and `copies.Made` as JSON

The process is that of the inspection (`apart`): no network, no disk, bounded memory. It learns the key of this one
copy, never the one from which all are made.
"""

import asyncio
import contextlib
import io
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO, Final

import msgspec

from sekisho.faults import Fault
from sekisho.ledger import Ledger
from sekisho.ledger.vault import write_once
from sekisho.takeout.confine import confine
from sekisho.takeout.copies import Made, Plan, make_copy
from sekisho.takeout.custody import plan_copy, record_copy
from sekisho.takeout.custody_faults import BAD_COPY_RECORD
from sekisho.takeout.manifest import About
from sekisho.takeout.packages import Packages
from sekisho.takeout.sealing import Package, Seat
from sekisho.takeout.watermark import KEY

MASTER: Final = "copies.key"
# Beyond this a copy is not marked: it would not fit into the process's memory.
MOST_MARKED: Final = 768 << 20
SECONDS: Final = 900.0
_NUMBER: Final = 8
_LONGEST: Final = 4 << 20  # of what is said of a copy


class Order(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    size: int
    rows: int
    plan: Plan
    about: About


def master_key(folder: Path) -> bytes:
    """The key from which the keys of copies are made; made at the first use. Whoever has it can name copies, and
    remove their marks."""
    path = folder / MASTER
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_once(path, secrets.token_bytes(KEY))
    return path.read_bytes()


async def seal_copy(
    ledger: Ledger,
    packages: Packages,
    master: bytes,
    command: Sequence[str],
    *,
    chunks: Callable[[], Iterable[bytes]],
    size: int,
    name: str,
    rows: int,
    about: About,
    seats: tuple[Seat, ...],
    by: str,
) -> Package:
    """Mark, seal, and put on record. Raises Fault BAD_COPY_RECORD, NO_HOLDER, BAD_PACKAGE, BAD_CANARY."""
    plan = await plan_copy(ledger, master, about.takeout, about.organisations, rows)
    if size > MOST_MARKED:
        plan = Plan(key=plan.key)
    order = Order(name=name, size=size, rows=rows, plan=plan, about=about)
    made, package = await asyncio.to_thread(_sealed, packages, command, order, chunks, seats)
    await record_copy(ledger, about.takeout, about.organisations, made, package.sha256, rows, by=by)
    return package


def _sealed(
    packages: Packages,
    command: Sequence[str],
    order: Order,
    chunks: Callable[[], Iterable[bytes]],
    seats: tuple[Seat, ...],
) -> tuple[Made, Package]:
    takeout = order.about.takeout
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env={"PATH": "/usr/bin:/bin"},
    ) as process:
        stdin, stdout = process.stdin, process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("a pipe was asked for")
        feeding = threading.Thread(target=_feed, args=(stdin, order, chunks))
        late = threading.Timer(SECONDS, process.kill)
        feeding.start()
        late.start()
        package: Package | None = None
        try:
            length = int.from_bytes(_exactly(stdout, _NUMBER), "big")
            source = _Bounded(stdout, length)
            package = packages.seal(takeout, io.BufferedReader(source), seats)
            if source.left:
                raise EOFError
            made = msgspec.json.decode(stdout.read(_LONGEST), type=Made)
            return made, package
        except (EOFError, msgspec.DecodeError) as error:
            if package is not None:
                packages.drop(takeout)  # half a copy, which nobody asked anybody to approve
            raise Fault(BAD_COPY_RECORD, takeout=takeout, reason="the marking ended early") from error
        finally:
            late.cancel()
            process.kill()
            feeding.join()


def _feed(stdin: IO[bytes], order: Order, chunks: Callable[[], Iterable[bytes]]) -> None:
    # Whatever ends it, the process misses the rest, and answers nothing.
    with contextlib.suppress(OSError, ValueError, Fault), stdin:
        stdin.write(msgspec.json.encode(order) + b"\n")
        for chunk in chunks():
            stdin.write(chunk)


def _exactly(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise EOFError
    return data


class _Bounded(io.RawIOBase):
    """The next `left` bytes of a pipe."""

    def __init__(self, stream: IO[bytes], left: int) -> None:
        self._stream = stream
        self.left = left

    def readable(self) -> bool:
        return True

    def readinto(self, into: "bytearray | memoryview") -> int:  # type: ignore[override]
        data = self._stream.read(min(len(into), self.left))
        into[: len(data)] = data
        self.left -= len(data)
        return len(data)


def main() -> None:
    """The process apart."""
    confine()
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=Order)
    content = sys.stdin.buffer.read(order.size)
    if len(content) != order.size:
        sys.exit("the file did not come whole")
    into = io.BytesIO()
    made = make_copy(order.name, content, order.rows, order.plan, order.about, into)
    del content
    out = sys.stdout.buffer
    out.write(into.getbuffer().nbytes.to_bytes(_NUMBER, "big"))
    out.write(into.getbuffer())
    out.write(msgspec.json.encode(made))
    out.flush()
