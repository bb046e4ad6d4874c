"""A package that only its recipient opens, after every approver whom it needs gave a share.

The file is encrypted once, as an age file, to a key pair made for it alone. The private key is split by Shamir's scheme
into one share a seat, all of which are needed; a seat is one role's approval for one client organisation. Each share is
sealed to the keys of those who may take that seat, and the private key is forgotten. An approver opens the share at
home and seals it again to the recipient: the checkpoint passes on what it cannot read.

age (C2SP age v1) and Shamir's scheme are libraries; nothing here is a cipher of our own.
"""

import hashlib
import io
import os
import queue
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeAlias

import msgspec
import pyrage  # type: ignore[import-untyped]
from Crypto.Protocol.SecretSharing import Shamir

from sekisho.faults import Fault
from sekisho.relay.workspace.store import sync_folder
from sekisho.takeout.facts import Holding
from sekisho.takeout.faults import BAD_PACKAGE, NO_HOLDER

_WORD: Final = 16  # bytes; the scheme's field is GF(2^128)
_BLOCK: Final = 2 << 20  # bytes that are read, hashed and written at once
_AHEAD: Final = 4  # blocks that wait for a hash
_LONGEST: Final = 65_536  # characters of a sealed share
SEALABLE: Final = ("ssh-ed25519", "ssh-rsa")  # keys to which age can seal
Identity: TypeAlias = Any  # of pyrage, which has no types: x25519.Identity or ssh.Identity


@dataclass(frozen=True, slots=True)
class Holder:
    """An account that may take a seat, and the key to which its copy of the share is sealed."""

    account: str
    key: str
    public_key: str


@dataclass(frozen=True, slots=True)
class Seat:
    role: str
    organisation: str
    holders: tuple[Holder, ...]


class Share(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One share: the seat's number from 1, of how many, and a word of the scheme for each word of the key."""

    takeout: str
    number: int
    of: int
    words: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Package:
    """What `seal` made. `sha256` is that of the sealed file, `content` and `size` those of what is in it; `shares` are
    age texts in the order of the seats."""

    sha256: str
    content: str
    size: int
    shares: tuple[str, ...]
    holdings: tuple[Holding, ...]


def seal(takeout: str, source: BinaryIO, path: Path, seats: Sequence[Seat]) -> Package:
    """Seal `source` into the file `path`, which is there whole and durable, or not at all.

    Raises Fault NO_HOLDER when a seat is empty, BAD_PACKAGE on fewer than two seats, a key that cannot be sealed to, or
    a disk that fails."""
    for seat in seats:
        if not seat.holders:
            raise Fault(NO_HOLDER, role=seat.role, organisation=seat.organisation)
    if len(seats) < 2:
        raise Fault(BAD_PACKAGE, reason="a package needs two approvers or more")
    identity = pyrage.x25519.Identity.generate()
    shares = _split(takeout, str(identity).encode(), len(seats))
    sealed = tuple(
        _sealed([share], [recipient(holder.public_key) for holder in seat.holders])
        for share, seat in zip(shares, seats, strict=True)
    )
    reader = _Reading(source)
    writer: _Writing | None = None
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            part.chmod(0o600)
            writer = _Writing(file)
            pyrage.encrypt_io(reader, writer, [identity.to_public()])
            writer.flush()
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        sync_folder(path.parent)
    except (OSError, pyrage.EncryptError) as error:
        part.unlink(missing_ok=True)
        raise Fault(BAD_PACKAGE, reason=str(error)) from error
    finally:
        content, package = reader.sha256(), writer.sha256() if writer else ""  # also ends their threads
    holdings = tuple(
        Holding(role=seat.role, organisation=seat.organisation, account=holder.account, key=holder.key)
        for seat in seats
        for holder in seat.holders
    )
    return Package(package, content, reader.size, sealed, holdings)


def open_shares(sealed: str, identity: Identity) -> list[Share]:
    """What an approver, or the recipient, reads with an own key. Raises Fault BAD_PACKAGE."""
    return _opened(sealed, lambda data: pyrage.decrypt(data, [identity]))


def open_shares_by_passphrase(sealed: str, passphrase: str) -> list[Share]:
    """… with the passphrase that an approver told the recipient another way. Raises Fault BAD_PACKAGE."""
    return _opened(sealed, lambda data: pyrage.passphrase.decrypt(data, passphrase))


def reseal(shares: Sequence[Share], public_key: str) -> str:
    """An approver's shares, sealed to the recipient's age or SSH key. Raises Fault BAD_PACKAGE."""
    return _sealed(shares, [recipient(public_key)])


def reseal_by_passphrase(shares: Sequence[Share], passphrase: str) -> str:
    return str(pyrage.passphrase.encrypt(msgspec.json.encode(shares), passphrase, armored=True), "ascii")


def open_package(path: Path, into: Path, shares: Iterable[Share]) -> None:
    """The file, at the recipient's. `into` is there whole or not at all: age authenticates each chunk, and the last one
    as the last. Raises Fault BAD_PACKAGE when a share is missing or not of this package."""
    identity = _joined(list(shares))
    part = into.with_name(into.name + ".part")
    try:
        with path.open("rb") as source, part.open("xb") as file:
            part.chmod(0o600)
            pyrage.decrypt_io(source, file, [identity])
            file.flush()
            os.fsync(file.fileno())
        part.replace(into)
    except (OSError, pyrage.DecryptError) as error:
        part.unlink(missing_ok=True)
        raise Fault(BAD_PACKAGE, reason=str(error)) from error


def recipient(public_key: str) -> Any:
    """An age or SSH public key. Raises Fault BAD_PACKAGE."""
    try:
        if public_key.startswith("age1"):
            return pyrage.x25519.Recipient.from_str(public_key.strip())
        return pyrage.ssh.Recipient.from_str(" ".join(public_key.split()[:2]))
    except pyrage.RecipientError as error:
        raise Fault(BAD_PACKAGE, reason=str(error)) from error


def read_identity(text: bytes) -> Identity:
    """A private key as `age-keygen` or `ssh-keygen` write it, without passphrase. Raises Fault BAD_PACKAGE."""
    try:
        if b"AGE-SECRET-KEY-1" in text:
            line = next(one for one in text.decode().splitlines() if one.startswith("AGE-SECRET-KEY-1"))
            return pyrage.x25519.Identity.from_str(line.strip())
        return pyrage.ssh.Identity.from_buffer(text)
    except (pyrage.IdentityError, StopIteration, UnicodeDecodeError) as error:
        raise Fault(BAD_PACKAGE, reason=str(error) or "not a private key") from error


def _split(takeout: str, secret: bytes, seats: int) -> list[Share]:
    padded = secret + b"\n" * (-len(secret) % _WORD)
    words: list[list[bytes]] = [[] for _ in range(seats)]
    for start in range(0, len(padded), _WORD):
        for place, (_, word) in enumerate(Shamir.split(seats, seats, padded[start : start + _WORD])):
            words[place].append(bytes(word))
    return [Share(takeout, number, seats, tuple(found)) for number, found in enumerate(words, 1)]


def _joined(shares: Sequence[Share]) -> Identity:
    by_number = {share.number: share for share in shares}
    one = next(iter(shares), None)
    if one is None or len(by_number) < one.of or len({(x.takeout, x.of, len(x.words)) for x in shares}) != 1:
        raise Fault(BAD_PACKAGE, reason=f"{len(by_number)} shares of {one.of if one else 'unknown'}")
    try:
        secret = b"".join(
            Shamir.combine([(number, share.words[place]) for number, share in sorted(by_number.items())])
            for place in range(len(one.words))
        )
        return pyrage.x25519.Identity.from_str(secret.decode().strip())
    except (ValueError, pyrage.IdentityError) as error:
        raise Fault(BAD_PACKAGE, reason="the shares are not of one key") from error


def _sealed(shares: Sequence[Share], recipients: Sequence[Any]) -> str:
    return str(pyrage.encrypt(msgspec.json.encode(shares), list(recipients), armored=True), "ascii")


def _opened(sealed: str, decrypt: Callable[[bytes], bytes]) -> list[Share]:
    if len(sealed) > _LONGEST:
        raise Fault(BAD_PACKAGE, reason="a share that long is none")
    try:
        return msgspec.json.decode(decrypt(sealed.encode()), type=list[Share])
    except (pyrage.DecryptError, msgspec.DecodeError, ValueError) as error:
        raise Fault(BAD_PACKAGE, reason=str(error)) from error


class _Digest:
    """SHA-256 in a thread of its own: hashing lets go of the interpreter, so it runs beside the cipher. Bounded: who
    is faster waits."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._queue: queue.Queue[bytes | None] = queue.Queue(_AHEAD)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def update(self, data: bytes) -> None:
        self._queue.put(data)

    def done(self) -> str:
        """What all data hashes to; the thread has ended then. May be asked again."""
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()
        return self._digest.hexdigest()

    def _run(self) -> None:
        while (data := self._queue.get()) is not None:
            self._digest.update(data)


class _Reading(io.RawIOBase):
    """The library asks for 8 KiB at a time; the source is read, and hashed, by the block."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._digest = _Digest()
        self._left = b""
        self._place = 0
        self.size = 0

    def read(self, size: int = -1) -> bytes:
        if self._place == len(self._left):
            self._left, self._place = self._source.read(_BLOCK), 0
            self._digest.update(self._left)
            self.size += len(self._left)
        stop = len(self._left) if size < 0 else self._place + size
        data = self._left[self._place : stop]
        self._place += len(data)
        return data

    def sha256(self) -> str:
        return self._digest.done()


class _Writing(io.RawIOBase):
    """What the library writes, hashed, and brought to the file by the block."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = _Digest()
        self._pieces: list[bytes] = []
        self._waiting = 0

    def write(self, data: bytes) -> int:  # type: ignore[override]  # whatever the library writes is bytes
        self._pieces.append(data)
        self._waiting += len(data)
        if self._waiting >= _BLOCK:
            self.flush()
        return len(data)

    def flush(self) -> None:
        data = b"".join(self._pieces)
        self._pieces.clear()
        self._waiting = 0
        self._digest.update(data)
        self._file.write(data)

    def sha256(self) -> str:
        return self._digest.done()
