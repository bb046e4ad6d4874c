"""A folder whose files are there whole or not at all, also after a crash at any point.

Each file is written under `.tmp/`, fsynced, and renamed into place; a rename is durable once its directory is
fsynced, which `settle` does for all of them at once. Until `settle` returns, nothing may be promised.
"""

import os
from pathlib import Path
from typing import Final

from sekisho.evidence.faults import CANNOT_READ, CANNOT_WRITE, TILE_CONFLICT
from sekisho.faults import Fault

_SCRATCH: Final = ".tmp"


class DurableFolder:
    def __init__(self, path: Path) -> None:
        """Create the folder when it is missing, and remove what an earlier crash left half written."""
        self.path = path
        self._unsettled: set[Path] = set()
        self._scratch = path / _SCRATCH
        try:
            self._make_directory(self._scratch)
            for leftover in self._scratch.iterdir():
                leftover.unlink()
        except OSError as error:
            raise Fault(CANNOT_WRITE, path=path, reason=error.strerror) from error

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
        scratch = self._scratch / name.replace("/", "-")
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
