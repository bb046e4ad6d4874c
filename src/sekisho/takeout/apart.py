"""The inspection in a process of its own: no network, no disk, no other process in sight, bounded memory and time.

bubblewrap mounts the interpreter and the libraries read-only, and nothing else of the machine: no state folder, no key.
The file goes in through a pipe, chunk by chunk as it is deciphered; in clear it is in memory only.
"""

import asyncio
import contextlib
import json
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
import numpy as np

from sekisho.faults import Fault
from sekisho.takeout import inside
from sekisho.takeout.faults import NOT_APART, NOT_INSPECTED
from sekisho.takeout.inspection import Inspected, Progress
from sekisho.trace.parts import EXACT, LOOSE, Digests, Lines

PARTS: Final = (*EXACT, *LOOSE)
SECONDS: Final = 900.0
_LONGEST_LINE: Final = 8 << 20  # the masked sample of a thousand members of an archive
_MOST_LINES: Final = 50_000_000
_Stream = TypeVar("_Stream", asyncio.StreamReader, asyncio.StreamWriter)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a file holds, and the parts of its lines where a fingerprint key was given."""

    inspected: Inspected
    rows: int
    row_of_line: Digests
    lines: Lines


async def inspect_apart(
    name: str,
    chunks: Callable[[], Iterable[bytes]],
    size: int,
    progress: Progress,
    *,
    key: bytes = b"",
    seconds: float = SECONDS,
) -> Seen:
    """Look into a file of `size` bytes. Raises Fault NOT_INSPECTED or NOT_APART."""
    if shutil.which("bwrap") is None:
        raise Fault(NOT_APART, reason="no bwrap")
    process = await asyncio.create_subprocess_exec(
        *command_line(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd="/",
        env={"PATH": "/usr/bin:/bin"},
        limit=_LONGEST_LINE,
    )
    order = json.dumps({"name": name, "size": size, "key": key.hex()}).encode() + b"\n"
    try:
        async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
            group.create_task(_feed(_there(process.stdin), order, chunks))
            words = group.create_task(_last_words(_there(process.stderr)))
            seen = await _hear(_there(process.stdout), name, progress)
        await process.wait()
    except TimeoutError as error:
        raise Fault(NOT_INSPECTED, name=name, reason=f"it took more than {seconds:.0f} s") from error
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if isinstance(seen, Fault):
        raise seen
    if seen is None:
        said = words.result()
        if said.startswith("bwrap:"):
            raise Fault(NOT_APART, reason=said[:200])
        reason = (
            "not enough memory" if "MemoryError" in said else f"the inspection ended ({process.returncode})"
        )
        raise Fault(NOT_INSPECTED, name=name, reason=reason)
    return seen


def command_line(program: str = inside.__name__) -> list[str]:
    """Everything between this process and the program inside."""
    # As root of the machine it keeps that user for reading libraries below /root; without a capability, and with
    # nothing else mounted, there is nothing to do with it.
    paths = [path for path in dict.fromkeys(sys.path) if path and Path(path).exists()]
    shown = dict.fromkeys([sys.base_prefix, sys.prefix, *paths])
    start = f"import sys; sys.path[:0] = {paths!r}; from {program} import main; main()"
    return [
        "bwrap",
        *("--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session"),
        *("--cap-drop", "ALL", "--clearenv", "--uid", "65534", "--gid", "65534", "--hostname", "inspection"),
        *("--ro-bind", "/usr", "/usr"),
        *(word for name in ("bin", "sbin", "lib", "lib64") for word in ("--symlink", f"usr/{name}", f"/{name}")),
        *("--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"),
        *("--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev"),
        # A library looks for a place for temporary files when it is imported; from then on none can be written. It is
        # mounted first: the libraries themselves may lie below it.
        *("--size", "65536", "--tmpfs", "/tmp"),  # noqa: S108
        *(word for path in shown for word in ("--ro-bind", path, path)),
        *("--remount-ro", "/", "--chdir", "/"),
        *("--setenv", "PYTHONDONTWRITEBYTECODE", "1", "--setenv", "POLARS_MAX_THREADS", "2"),
        *("--setenv", "LANG", "C.UTF-8", "--setenv", "OPENBLAS_NUM_THREADS", "1"),
        *("--", sys.executable, "-I", "-c", start),
    ]  # fmt: skip


def _there(stream: _Stream | None) -> _Stream:
    if stream is None:
        raise RuntimeError("a pipe was asked for")
    return stream


async def _feed(stdin: asyncio.StreamWriter, order: bytes, chunks: Callable[[], Iterable[bytes]]) -> None:
    coming = iter(chunks())
    try:
        stdin.write(order)
        while chunk := await asyncio.to_thread(next, coming, b""):
            stdin.write(chunk)
            await stdin.drain()
        stdin.close()
    except (BrokenPipeError, ConnectionResetError):
        # It has ended, and its last words say why. The stream tells it once more; nobody is to complain of that.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            await stdin.wait_closed()


async def _hear(stream: asyncio.StreamReader, name: str, progress: Progress) -> Seen | Fault | None:
    """What it found, or why it refused; None when it ended without a word."""
    try:
        while line := await stream.readline():
            said = json.loads(line)
            if "at" in said:
                where, done, of = said["at"]
                progress(str(where)[:200], int(done), int(of))
            elif "refused" in said:
                reason = said["refused"]
                return Fault(
                    NOT_INSPECTED,
                    name=str(reason.get("name", name))[:200],
                    reason=str(reason.get("reason", ""))[:200],
                )
            else:
                return await _read_seen(stream, said)
    except (ValueError, KeyError, TypeError, AttributeError, asyncio.IncompleteReadError):
        return Fault(NOT_INSPECTED, name=name, reason="it answered out of turn")
    return None


async def _read_seen(stream: asyncio.StreamReader, said: dict[str, Any]) -> Seen:
    inspected = msgspec.convert(said["inspected"], Inspected)
    rows, lines = int(said["rows"]), int(said["lines"])
    if not 0 <= lines <= _MOST_LINES or not 0 <= rows <= _MOST_LINES:
        raise ValueError("more lines than there can be")

    async def numbers() -> Digests:
        return np.frombuffer(await stream.readexactly(8 * lines), "<i8").astype(np.int64)

    row_of_line = await numbers()
    if lines and not (int(row_of_line.min()) >= 0 and int(row_of_line.max()) < rows):
        raise ValueError("a row that is not there")
    return Seen(inspected, rows, row_of_line, {part: await numbers() for part in PARTS})


async def _last_words(stderr: asyncio.StreamReader) -> str:
    said = b""
    while chunk := await stderr.read(65_536):
        said = (said + chunk)[-4_096:]
    return said.decode(errors="replace").strip().rpartition("\n")[2]
