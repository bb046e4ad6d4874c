"""The sealed packages of a checkpoint: one file a take-out, handed out once it was released, as it was approved."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import msgspec

from sekisho.faults import Fault
from sekisho.relay.workspace.store import sync_folder
from sekisho.takeout.desk import Released
from sekisho.takeout.faults import BAD_PACKAGE
from sekisho.takeout.sealing import Package, Seat, seal

_CHUNK = 1 << 20


class Packages:
    """A folder. Nothing in it can be opened with what the checkpoint has."""

    def __init__(self, folder: Path, *, tidy: bool = True) -> None:
        """Also removes what a crash left half written: not so beside a running service, which may be writing it."""
        self._folder = folder
        if not tidy:
            return
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for left in folder.glob("*.part"):
            left.unlink()
        for package in folder.glob("*.age"):  # nobody could open it: its shares came after it
            if not package.with_suffix(".shares").exists():
                package.unlink()

    def seal(self, takeout: str, source: BinaryIO, seats: tuple[Seat, ...]) -> Package:
        """Raises Fault NO_HOLDER or BAD_PACKAGE, also when there is a package of this name."""
        path = self._path(takeout)
        if path.exists():
            raise Fault(BAD_PACKAGE, reason="there is a package of this name")
        package = seal(takeout, source, path, seats)
        shares = path.with_suffix(".shares.part")
        shares.write_bytes(msgspec.json.encode(package.shares))
        shares.replace(path.with_suffix(".shares"))
        sync_folder(self._folder)
        return package

    def drop(self, takeout: str) -> None:
        """Nothing of it stays. Idempotent."""
        for path in (self._path(takeout), self._path(takeout).with_suffix(".shares")):
            path.unlink(missing_ok=True)
        sync_folder(self._folder)

    def keep_only(self, takeouts: Iterable[str]) -> int:
        """Drop the packages of everything else: a crash may have come before the request, or the request is over. How
        many were dropped."""
        kept = {self._path(one).stem for one in takeouts}
        left = [path for path in self._folder.glob("*.age") if path.stem not in kept]
        for path in left:
            path.unlink()
            path.with_suffix(".shares").unlink(missing_ok=True)
        sync_folder(self._folder)
        return len(left)

    def shares(self, takeout: str) -> list[str]:
        """The sealed shares, for approvers to open at home. Raises Fault BAD_PACKAGE."""
        try:
            return msgspec.json.decode(
                self._path(takeout).with_suffix(".shares").read_bytes(), type=list[str]
            )
        except (OSError, msgspec.DecodeError) as error:
            raise Fault(BAD_PACKAGE, reason="its shares cannot be read") from error

    def hand_out(self, released: Released) -> BinaryIO:
        """The package of a release, if it is the one that was approved. Raises Fault BAD_PACKAGE."""
        try:
            file = self._path(released.asked.takeout).open("rb")
        except OSError as error:
            raise Fault(BAD_PACKAGE, reason=error.strerror or "") from error
        digest = hashlib.sha256()
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
        if digest.hexdigest() != released.asked.package:
            file.close()
            raise Fault(BAD_PACKAGE, reason="it is not the package that was approved")
        file.seek(0)
        return file

    def _path(self, takeout: str) -> Path:
        # A name is somebody's words: a file is named by its hash.
        return self._folder / f"{hashlib.sha256(takeout.encode()).hexdigest()[:40]}.age"
