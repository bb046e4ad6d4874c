"""A workspace at rest: a folder of sealed chunks and one sealed index. No name, no size and no content of a file can
be read from it without the workspace's key, which itself lies sealed under the client organisation's.

    <folder>/index            sealed msgpack: generation, and for each file its size, SHA-256, chunks, columns
    <folder>/<32 hex digits>  one chunk of at most 1 MiB, AES-256-GCM, bound to workspace and place

Everything is written before it is named: chunks first (fsync), then the index (fsync, rename, fsync of the folder). A
crash between the two leaves chunks that no index names; `open` removes them. The quota counts the bytes of files, held
before a chunk is written.

What it does not stop: whoever holds the disk can put a whole older folder back (each is authentic by itself).
"""

import hashlib
import os
import secrets
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, Self

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sekisho.faults import Fault
from sekisho.relay.workspace import faults

CHUNK: Final = 1 << 20
MOST_FILES: Final = 10_000
LONGEST_NAME: Final = 1024
_INDEX: Final = "index"
_NONCE: Final = 12


class ColumnOf(msgspec.Struct, frozen=True, gc=False):
    """A column of a pulled table: its data item ("" for none), and whether it is personal data."""

    name: str
    item: str
    personal: bool


class Stored(msgspec.Struct, frozen=True):
    """One file. `sha256` is hex, over the whole; `chunk_hashes` tell which chunks of a next version are the same.
    `columns` are those of a pulled query, else empty; `changed` is in seconds since 1970."""

    name: str
    size: int
    sha256: str
    chunks: tuple[str, ...]
    chunk_hashes: tuple[bytes, ...] = ()
    columns: tuple[ColumnOf, ...] = ()
    changed: float = 0.0


class _Index(msgspec.Struct):
    generation: int
    files: dict[str, Stored]


class Store:
    """One workspace's folder, opened with its key. Threads may share it: what they change is behind one lock."""

    def __init__(self, folder: Path, key: bytes, *, quota: int) -> None:
        self._folder = folder
        self._aead = AESGCM(key)
        self._name = folder.name.encode()
        self.quota = quota
        self._index = _Index(0, {})
        self._lock = threading.Lock()
        self._kept = 0  # bytes of files; behind the lock
        self._coming = 0  # … of those on their way in

    @classmethod
    def open(cls, folder: Path, key: bytes, *, quota: int) -> Self:
        """Open or create. Raises Fault DAMAGED, or DISK when it cannot be written."""
        store = cls(folder, key, quota=quota)
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            path = folder / _INDEX
            if path.exists():
                store._index = store._read_index(path.read_bytes())
            store._kept = sum(file.size for file in store._index.files.values())
            named = {chunk for file in store._index.files.values() for chunk in file.chunks} | {_INDEX}
            for left in folder.iterdir():
                if left.name not in named:
                    left.unlink()
        except OSError as error:
            raise Fault(faults.DISK, reason=error.strerror or type(error).__name__) from error
        return store

    @property
    def files(self) -> dict[str, Stored]:
        return dict(self._index.files)

    @property
    def used(self) -> int:
        return self._kept

    def find(self, name: str) -> Stored:
        """Raises Fault NO_FILE."""
        file = self._index.files.get(name)
        if file is None:
            raise Fault(faults.NO_FILE, name=name[:100])
        return file

    def read(self, file: Stored, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The bytes from `start` to `stop`, chunk by chunk. Raises Fault DAMAGED."""
        stop = file.size if stop is None else min(stop, file.size)
        for number in range(start // CHUNK, len(file.chunks)):
            begin = number * CHUNK
            if begin >= stop:
                return
            plain = self._open(file.chunks[number])
            yield plain[max(0, start - begin) : stop - begin]

    def write(self, name: str, *, replaces: bool = False) -> "Writing":
        """Begin a file; it is there after `Writing.finish`. Raises Fault BAD_NAME, NAME_TAKEN or TOO_MANY_FILES."""
        check_name(name)
        known = self._index.files.get(name)
        if known is not None and not replaces:
            raise Fault(faults.NAME_TAKEN, name=name)
        if known is None and len(self._index.files) >= MOST_FILES:
            raise Fault(faults.TOO_MANY_FILES, limit=MOST_FILES)
        return Writing(self, name, known)

    def remove(self, name: str) -> None:
        with self._lock:
            file = self._index.files.pop(name, None)
            if file is None:
                return
            self._kept -= file.size
            self._write_index()
        self.drop(file.chunks)

    def listing(self) -> bytes:
        """Every file as `sha256 size name`, one a line, in the order of names: what a proof of wiping commits to."""
        files = sorted(self._index.files.values(), key=lambda file: file.name)
        return "".join(f"{file.sha256} {file.size} {file.name}\n" for file in files).encode()

    # -- of Writing ---------------------------------------------------------------------------------------------

    def put(self, plain: bytes) -> str:
        """Seal one chunk and write it; its name. It is durable after `settle`. Raises Fault DISK."""
        name = secrets.token_hex(16)
        nonce = os.urandom(_NONCE)
        _write(self._folder / name, nonce + self._aead.encrypt(nonce, plain, self._bound(name)), sync=False)
        return name

    def settle(self, chunks: Iterable[str]) -> None:
        """Make chunks durable. All at once: most of the first one's wait is the others' too. Raises Fault DISK."""
        try:
            for chunk in chunks:
                descriptor = os.open(self._folder / chunk, os.O_RDONLY)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
        except OSError as error:
            raise Fault(faults.DISK, reason=error.strerror or type(error).__name__) from error

    def take(self, size: int) -> None:
        """Count bytes against the quota (negative: give them back). Raises Fault QUOTA."""
        with self._lock:
            if size > 0 and self._kept + self._coming + size > self.quota:
                raise Fault(faults.QUOTA, quota=f"{self.quota:,}")
            self._coming += size

    def commit(self, file: Stored) -> None:
        """The file is there from now on. Raises Fault DISK, and then it is as it was."""
        with self._lock:
            before = self._index.files.get(file.name)
            self._index.files[file.name] = file
            try:
                self._write_index()
            except Fault:
                if before is None:
                    del self._index.files[file.name]
                else:
                    self._index.files[file.name] = before
                raise
            self._kept += file.size - (before.size if before else 0)
        if before is not None:
            self.drop(before.chunks)

    def drop(self, chunks: Iterable[str]) -> None:
        """Remove chunks that no file names: a file that goes on where another one stopped shares some with it."""
        with self._lock:
            named = {chunk for file in self._index.files.values() for chunk in file.chunks}
        for chunk in set(chunks) - named:
            (self._folder / chunk).unlink(missing_ok=True)

    # -- sealing ------------------------------------------------------------------------------------------------

    def _bound(self, name: str) -> bytes:
        return b"sekisho workspace v1\0" + self._name + b"\0" + name.encode()

    def _open(self, name: str) -> bytes:
        try:
            sealed = (self._folder / name).read_bytes()
            return self._aead.decrypt(sealed[:_NONCE], sealed[_NONCE:], self._bound(name))
        except (OSError, InvalidTag, ValueError) as error:
            raise Fault(faults.DAMAGED, reason=type(error).__name__) from error

    def _read_index(self, sealed: bytes) -> _Index:
        try:
            plain = self._aead.decrypt(sealed[:_NONCE], sealed[_NONCE:], self._bound(_INDEX))
            return msgspec.msgpack.decode(plain, type=_Index)
        except (InvalidTag, ValueError, msgspec.DecodeError) as error:
            raise Fault(faults.DAMAGED, reason=type(error).__name__) from error

    def _write_index(self) -> None:
        self._index.generation += 1
        nonce = os.urandom(_NONCE)
        sealed = nonce + self._aead.encrypt(nonce, msgspec.msgpack.encode(self._index), self._bound(_INDEX))
        new = self._folder / f"{_INDEX}.new"
        _write(new, sealed)
        try:
            new.replace(self._folder / _INDEX)
            sync_folder(self._folder)
        except OSError as error:
            raise Fault(faults.DISK, reason=error.strerror or type(error).__name__) from error


class Writing:
    """A file on its way in. What `finish` has not named does not exist, but `finish(columns)` may be called early to
    keep what came so far. Chunks that the former version held too are not written again."""

    def __init__(self, store: Store, name: str, former: Stored | None) -> None:
        self._store = store
        self._name = name
        self._former = former
        self._chunks: list[str] = []
        self._fresh: list[str] = []  # those that were written here
        self._hashes: list[bytes] = []
        self._pending = bytearray()
        self._digest = hashlib.sha256()
        self.size = 0
        # The former version goes when this one is there: its bytes are not counted twice.
        self._credit = former.size if former else 0
        self._over = False

    def add(self, data: bytes) -> None:
        """Raises Fault QUOTA before a byte too many is kept, or DISK."""
        before, after = self.size - self._credit, self.size + len(data) - self._credit
        self._store.take(max(0, after) - max(0, before))
        self.size += len(data)
        self._digest.update(data)
        self._pending += data
        while len(self._pending) >= CHUNK:
            self._put(bytes(self._pending[:CHUNK]))
            del self._pending[:CHUNK]

    @property
    def sha256(self) -> str:
        """Of what was added so far, as hex."""
        return self._digest.hexdigest()

    def finish(self, *, name: str = "", columns: tuple[ColumnOf, ...] = (), changed: float = 0.0) -> Stored:
        """Name what was added, `name` in place of the one it began with; durable on return. Raises Fault DISK."""
        if self._pending:
            self._put(bytes(self._pending))
            self._pending.clear()
        file = Stored(
            name or self._name,
            self.size,
            self.sha256,
            tuple(self._chunks),
            tuple(self._hashes),
            columns,
            changed,
        )
        self._store.settle(self._fresh)
        self._store.commit(file)
        self._end()
        return file

    def is_same(self, file: Stored) -> bool:
        """Whether what was added is what the file holds."""
        return self.size == file.size and self.sha256 == file.sha256

    def abandon(self) -> None:
        """Forget what was added; the former version stays. After `finish`, nothing."""
        if self._over:
            return
        self._end()
        self._store.drop(self._chunks)

    def _end(self) -> None:
        self._over = True
        self._store.take(-max(0, self.size - self._credit))

    def _put(self, plain: bytes) -> None:
        # 16 bytes of a hash that never leaves the sealed index.
        digest = hashlib.sha256(plain).digest()[:16]
        place = len(self._chunks)
        former = self._former
        if former is not None and place < len(former.chunks) and former.chunk_hashes[place] == digest:
            self._chunks.append(former.chunks[place])
        else:
            self._fresh.append(self._store.put(plain))
            self._chunks.append(self._fresh[-1])
        self._hashes.append(digest)


def check_name(name: str) -> None:
    """A relative path of plain components. Raises Fault BAD_NAME."""
    parts = name.split("/")
    bad = len(name.encode("utf-8", "surrogatepass")) > LONGEST_NAME or any(
        part in ("", ".", "..") or len(part.encode("utf-8", "surrogatepass")) > 255 for part in parts
    )
    if bad or not name.isprintable():  # no control characters: names are shown in terminals and pages
        raise Fault(faults.BAD_NAME, name=repr(name[:100]))


def remove_folder(folder: Path) -> None:
    """Remove every file of a workspace, then the folder; durable on return. Idempotent. Raises Fault DISK."""
    try:
        if folder.exists():
            for left in folder.iterdir():
                left.unlink()
            sync_folder(folder)
            folder.rmdir()
            sync_folder(folder.parent)
    except OSError as error:
        raise Fault(faults.DISK, reason=error.strerror or type(error).__name__) from error


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write(path: Path, content: bytes, *, sync: bool = True) -> None:
    """Raises Fault DISK, leaving no part of the file."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        try:
            view = memoryview(content)
            while view:
                view = view[os.write(descriptor, view) :]
            if sync:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise Fault(faults.DISK, reason=error.strerror or type(error).__name__) from error
