"""Confidential parts: what a leaf only commits to.

A part is sealed for an owner (a client organisation, or "checkpoint") under that owner's data key; data keys are
files wrapped by a master key. The leaf holds SHA-256(salt || content) with 32 random bytes of salt. Destroying the
row, or the owner's key, leaves the leaf and every proof as they were, and nothing to guess against: the salt is
inside the ciphertext.
"""

import hashlib
import os
import re
from datetime import datetime
from pathlib import Path
from typing import Final, NewType

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sekisho.faults import Fault
from sekisho.ledger.faults import BAD_KEY_FILE, BAD_OWNER, OWNER_ERASED, PART_ALTERED

Commitment = NewType("Commitment", str)
"""Lowercase hex of SHA-256(salt || content)."""

CHECKPOINT: Final = "checkpoint"  # the owner of what belongs to no client organisation
_OWNER: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")
_NONCE: Final = 12
_SALT: Final = 32
_KEY: Final = 32


class Sealed(msgspec.Struct, frozen=True, gc=False):
    """A confidential part as it is stored."""

    commitment: Commitment
    owner: str
    nonce: bytes
    ciphertext: bytes  # of salt || content, bound to the commitment


class Erased(msgspec.Struct, frozen=True):
    """What is left of an erased part."""

    when: datetime
    by: str


class KeyRing:
    """A folder of data keys, `<owner>.key`, each wrapped by the master key file (AES-256-GCM, 0600)."""

    def __init__(self, folder: Path, *, master: Path | bytes | None = None) -> None:
        """Opens or creates the folder and the master key; `master` is a file elsewhere, or the 32 bytes themselves,
        which are written nowhere. Fault BAD_KEY_FILE when others could read the key."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        if not isinstance(master, bytes):
            path = master or folder / "master.key"
            if not path.exists():
                write_once(path, os.urandom(_KEY))
            master = _read(path, _KEY)
        self._master = AESGCM(master)
        self._keys: dict[str, AESGCM] = {}

    def seal(self, owner: str, content: bytes) -> Sealed:
        """Encrypt for an owner; the first time makes the owner's key. Fault OWNER_ERASED or BAD_OWNER."""
        salt, nonce = os.urandom(_SALT), os.urandom(_NONCE)
        commitment = Commitment(hashlib.sha256(salt + content).hexdigest())
        ciphertext = self._key(owner, create=True).encrypt(nonce, salt + content, bytes.fromhex(commitment))
        return Sealed(commitment, owner, nonce, ciphertext)

    def unseal(self, sealed: Sealed) -> bytes:
        """The content, checked against the commitment. Fault PART_ALTERED or OWNER_ERASED."""
        return self.opening(sealed)[1]

    def opening(self, sealed: Sealed) -> tuple[bytes, bytes]:
        """Salt and content: with them, anybody can check the commitment. Fault PART_ALTERED or OWNER_ERASED."""
        try:
            associated = bytes.fromhex(sealed.commitment)
            plain = self._key(sealed.owner, create=False).decrypt(sealed.nonce, sealed.ciphertext, associated)
        except (InvalidTag, ValueError) as error:
            raise Fault(PART_ALTERED, commitment=sealed.commitment, reason="decryption failed") from error
        if hashlib.sha256(plain).hexdigest() != sealed.commitment:
            raise Fault(PART_ALTERED, commitment=sealed.commitment, reason="the hash differs")
        return plain[:_SALT], plain[_SALT:]

    def destroy(self, owner: str) -> None:
        """Destroy an owner's key for good; idempotent. A marker stays so that no new key takes the name."""
        path = self._path(owner)
        write_once(path.with_suffix(".erased"), b"")
        self._keys.pop(owner, None)
        if path.exists():
            with path.open("r+b") as file:
                file.write(os.urandom(path.stat().st_size))
                os.fsync(file.fileno())
            path.unlink()
            _sync_folder(self._folder)

    def destroyed(self, owner: str) -> bool:
        path = self._path(owner)
        return path.with_suffix(".erased").exists() and not path.exists()

    def _key(self, owner: str, *, create: bool) -> AESGCM:
        if (key := self._keys.get(owner)) is not None:
            return key
        path = self._path(owner)
        if path.with_suffix(".erased").exists():
            raise Fault(OWNER_ERASED, owner=owner)
        if create and not path.exists():
            nonce, fresh = os.urandom(_NONCE), os.urandom(_KEY)
            write_once(path, nonce + self._master.encrypt(nonce, fresh, owner.encode()))
        wrapped = _read(path, _NONCE + _KEY + 16)
        try:
            data_key = self._master.decrypt(wrapped[:_NONCE], wrapped[_NONCE:], owner.encode())
        except InvalidTag as error:
            raise Fault(BAD_KEY_FILE, path=path, reason="it is not wrapped by this master key") from error
        key = self._keys[owner] = AESGCM(data_key)
        return key

    def _path(self, owner: str) -> Path:
        if not _OWNER.fullmatch(owner) or owner == "master":
            raise Fault(BAD_OWNER, owner=repr(owner))
        return self._folder / f"{owner}.key"


def _read(path: Path, length: int) -> bytes:
    try:
        if path.stat().st_mode & 0o077:
            raise Fault(BAD_KEY_FILE, path=path, reason="others may read it; it must have mode 0600")
        content = path.read_bytes()
    except OSError as error:
        raise Fault(BAD_KEY_FILE, path=path, reason=error.strerror) from error
    if len(content) != length:
        raise Fault(BAD_KEY_FILE, path=path, reason=f"it has {len(content)} bytes instead of {length}")
    return content


def write_once(path: Path, content: bytes) -> None:
    """Create a file durably: whole or not at all. When two processes race, the first one's file stays."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
