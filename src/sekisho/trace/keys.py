"""The trace key: apart from the registry, for as long as no list is looked up.

A folder, which belongs on another machine or medium than the registry, holds the fingerprint key and one data key for
each client organisation, each wrapped by a master key (`ledger.vault.KeyRing`). Registry files are sealed under the
organisation's key: destroying it leaves noise of them, backups included, and the registry of the others as it was.

Whoever has the folder and its master key can look anybody up. `master` names the master key file, which others can
hold than those who hold the folder; or it is the 32 bytes, for as long as two persons' shares are together (`release`).
"""

import hashlib
import os
from pathlib import Path
from typing import Final, Self

import msgspec

from sekisho.faults import Fault
from sekisho.ledger import KeyRing, Sealed
from sekisho.ledger.faults import OWNER_ERASED
from sekisho.trace.faults import ERASED, WRONG_KEY

_FILE: Final = "fingerprint.sealed"
_OWNER: Final = (
    "fingerprint-key"  # also an owner of the ring, and no organisation's id: ids have no such prefix
)
_ORGANISATION: Final = "org-"


class TraceKeys:
    """What a trace needs to be unlocked: the fingerprint key, and the seals of the registry's files."""

    def __init__(self, ring: KeyRing, fingerprint: bytes, folder: Path) -> None:
        self._ring = ring
        self.fingerprint = fingerprint
        self.folder = folder

    @classmethod
    def open(cls, folder: Path, *, master: Path | bytes | None = None) -> Self:
        """Opens the folder, or makes it with a new key. Fault BAD_KEY_FILE when others could read the master key or
        it is another one."""
        ring = KeyRing(folder, master=master)
        path = folder / _FILE
        if path.exists():
            fingerprint = ring.unseal(msgspec.msgpack.decode(path.read_bytes(), type=Sealed))
        else:
            fingerprint = os.urandom(32)
            content = msgspec.msgpack.encode(ring.seal(_OWNER, fingerprint))
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        return cls(ring, fingerprint, folder)

    @property
    def mark(self) -> str:
        """Tells this key from another without giving anything of it away."""
        return hashlib.blake2b(b"mark", digest_size=16, key=self.fingerprint, person=b"registry").hexdigest()

    def seal(self, organisation: str, content: bytes) -> bytes:
        """A file's content, readable with the organisation's key only. Fault ERASED."""
        try:
            return msgspec.msgpack.encode(self._ring.seal(_ORGANISATION + organisation, content))
        except Fault as fault:
            if fault.kind is OWNER_ERASED:
                raise Fault(ERASED, organisation=organisation) from fault
            raise

    def unseal(self, organisation: str, sealed: bytes) -> bytes:
        """Raises Fault WRONG_KEY for a file of another organisation; what is altered or erased, KeyRing's faults."""
        part = msgspec.msgpack.decode(sealed, type=Sealed)
        if part.owner != _ORGANISATION + organisation:
            raise Fault(WRONG_KEY, path=self.folder)
        return self._ring.unseal(part)

    def erased(self, organisation: str) -> bool:
        return self._ring.destroyed(_ORGANISATION + organisation)

    def erase(self, organisation: str) -> None:
        """Destroy the organisation's key for good: its fingerprints and bitmaps are noise from now on."""
        self._ring.destroy(_ORGANISATION + organisation)
