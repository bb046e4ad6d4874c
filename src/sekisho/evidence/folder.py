"""A folder whose files are there whole or not at all, also after a crash at any point.

Each file is written as `.next`, fsynced, and renamed into place; a rename is durable once its directory is
fsynced, which `settle` does for all of them at once. Until `settle` returns, nothing may be promised.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sekisho.evidence.faults import CANNOT_READ, CANNOT_WRITE, TILE_CONFLICT
from sekisho.faults import Fault

_NEXT: Final = ".next"
_LOCK: Final = ".lock"


class DurableFolder:
    """Write only while it is `held`: there is one `.next`, and one set of directories to settle."""

    def __init__(self, path: Path) -> None:
        """Create the folder when it is missing."""
        self.path = path
        self._unsettled: set[Path] = set()
        try:
            self._make_directory(path)
        except OSError as error:
            raise Fault(CANNOT_WRITE, path=path, reason=error.strerror) from error
        self.settle()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other threads and programs out. The kernel lets go when the holder dies."""
        try:
            descriptor = os.open(self.path / _LOCK, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise Fault(CANNOT_WRITE, path=self.path / _LOCK, reason=error.strerror) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def put(self, name: str, data: bytes) -> None:
        """Write a file that never changes. Raises Fault when it exists with other content."""
        present = read_file(self.path / name)
        if present is None:
            self.replace(name, data)
        elif present == data:
            # A crash may have come between its rename and the fsync of its directory.
            self._unsettled.add((self.path / name).parent)
        else:
            raise Fault(TILE_CONFLICT, path=self.path / name)

    def replace(self, name: str, data: bytes) -> None:
        target = self.path / name
        scratch = self.path / _NEXT
        try:
            self._make_directory(target.parent)
            descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
            try:
                remaining = memoryview(data)
                while remaining:
                    remaining = remaining[os.write(descriptor, remaining) :]
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            scratch.replace(target)
        except OSError as error:
            raise Fault(CANNOT_WRITE, path=target, reason=error.strerror) from error
        self._unsettled.add(target.parent)

    def settle(self) -> None:
        """Return once everything written so far survives a loss of power."""
        try:
            for directory in sorted(self._unsettled):
                _sync_directory(directory)
        except OSError as error:
            raise Fault(CANNOT_WRITE, path=self.path, reason=error.strerror) from error
        self._unsettled.clear()

    def discard(self, name: str) -> None:
        """Remove a directory of files that are no longer needed. Losing this removal in a crash is harmless."""
        directory = self.path / name
        try:
            if directory.is_dir():
                for file in directory.iterdir():
                    file.unlink()
                directory.rmdir()
        except OSError as error:
            raise Fault(CANNOT_WRITE, path=directory, reason=error.strerror) from error

    def _make_directory(self, directory: Path) -> None:
        if directory.is_dir():
            return
        if directory != self.path:
            self._make_directory(directory.parent)
        directory.mkdir(parents=True, exist_ok=True)
        self._unsettled.add(directory.parent)


def read_file(path: Path) -> bytes | None:
    """The content, or None when there is no such file. Raises Fault when it exists and cannot be read."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise Fault(CANNOT_READ, path=path, reason=error.strerror) from error


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
