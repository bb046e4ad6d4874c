"""A hostile file is read by a process of its own that has nothing: no network, no file but programs, no key.

Parsers of PDF, workbooks and compressed columns are where such files attack. What comes back is a table of texts, which
is validated; a process that is taken over can lie about its list, and do nothing else.
"""

import asyncio
import contextlib
import io
import resource
import shutil
import sys
from pathlib import Path
from typing import Final

import msgspec
import pyarrow as pa

from sekisho.faults import Fault
from sekisho.trace.faults import NO_SANDBOX, UNREADABLE
from sekisho.trace.intake import ListColumn, Listing, read_content

_SECONDS: Final = 180.0
_CPU_SECONDS: Final = 150
_MEMORY: Final = 12 << 30  # of addresses; the libraries reserve far more than they use
_LARGEST_ANSWER: Final = 4 << 30
_SIZE: Final = 8


class _Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`refused` is why the list cannot be read, or ""."""

    refused: str = ""
    sha256: str = ""
    size: int = 0
    form: str = ""
    encoding: str = ""
    columns: tuple[ListColumn, ...] = ()


async def read_apart(name: str, content: bytes) -> Listing:
    """A list by its file name and bytes. Raises Fault UNREADABLE, NO_SANDBOX."""
    try:
        process = await asyncio.create_subprocess_exec(
            *_command(name),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        raise Fault(NO_SANDBOX, reason=error.strerror or "it does not start") from error
    try:
        async with asyncio.timeout(_SECONDS):
            answer, said = await process.communicate(content)
    except TimeoutError as error:
        raise Fault(UNREADABLE, name=name, reason="it takes too long") from error
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if b"bwrap:" in said and not answer:
        raise Fault(NO_SANDBOX, reason=said.decode(errors="replace").strip()[:200])
    if process.returncode != 0 or len(answer) < _SIZE:
        raise Fault(UNREADABLE, name=name, reason=f"the reader ended with {process.returncode}")
    return await asyncio.to_thread(_read_answer, name, answer)


def _read_answer(name: str, answer: bytes) -> Listing:
    end = _SIZE + int.from_bytes(answer[:_SIZE], "big")
    try:
        head = msgspec.json.decode(answer[_SIZE:end], type=_Head)
        if head.refused:
            raise Fault(UNREADABLE, name=name, reason=head.refused[:200])
        table = pa.ipc.open_stream(pa.py_buffer(answer)[end:]).read_all()
        table.validate(full=True)
        if any(field.type not in (pa.string(), pa.large_string()) for field in table.schema):
            raise ValueError("a column is no text")
    except (msgspec.DecodeError, pa.ArrowException, ValueError) as error:
        raise Fault(UNREADABLE, name=name, reason="its reader answered nonsense") from error
    if tuple(table.column_names) != tuple(column.name for column in head.columns):
        raise Fault(UNREADABLE, name=name, reason="its reader answered nonsense")
    return Listing(name, head.sha256, head.size, head.form, head.encoding, head.columns, table)


def _command(name: str) -> list[str]:
    """Raises Fault NO_SANDBOX."""
    if shutil.which("bwrap") is None:
        raise Fault(NO_SANDBOX, reason="there is no bwrap")
    package = Path(__file__).parents[1]
    # Where this very interpreter and its libraries are; nothing of the state folder.
    programs = {sys.prefix, sys.base_prefix, str(package)}
    return [
        "bwrap",
        *("--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session"),
        *("--cap-drop", "ALL", "--clearenv", "--uid", "1000", "--gid", "1000", "--hostname", "reader"),
        *("--ro-bind", "/usr", "/usr"),
        *(word for link in ("bin", "sbin", "lib", "lib64") for word in ("--symlink", f"usr/{link}", f"/{link}")),
        *("--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache", "--proc", "/proc", "--dev", "/dev"),
        *("--size", str(64 << 20), "--tmpfs", "/tmp"),  # noqa: S108 (inside)
        *(word for path in sorted(programs) for word in ("--ro-bind", path, path)),
        *("--remount-ro", "/", "--chdir", "/"),
        *("--setenv", "PYTHONPATH", str(package.parent), "--setenv", "PYTHONDONTWRITEBYTECODE", "1"),
        *("--setenv", "LANG", "C.UTF-8", "--setenv", "POLARS_MAX_THREADS", "2"),
        *("--", sys.executable, "-P", "-m", "sekisho.trace.apart", name),
    ]  # fmt: skip


def _answered(head: _Head, table: pa.Table | None = None) -> bytes:
    encoded = msgspec.json.encode(head)
    sink = io.BytesIO()
    sink.write(len(encoded).to_bytes(_SIZE, "big") + encoded)
    if table is not None:
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
    return sink.getvalue()


def _inside() -> None:
    """What runs in the sandbox: the file on standard input, the table on standard output."""
    for limit, value in (
        (resource.RLIMIT_AS, _MEMORY),
        (resource.RLIMIT_CPU, _CPU_SECONDS),
        (resource.RLIMIT_FSIZE, _LARGEST_ANSWER),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))
    try:
        read = read_content(sys.argv[1], sys.stdin.buffer.read())
    except Fault as fault:
        sys.stdout.buffer.write(_answered(_Head(refused=str(fault.values.get("reason", fault.code)))))
        return
    head = _Head(
        sha256=read.sha256, size=read.size, form=read.form, encoding=read.encoding, columns=read.columns
    )
    sys.stdout.buffer.write(_answered(head, read.table))


if __name__ == "__main__":
    _inside()
