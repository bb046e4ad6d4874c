"""Signed notes (C2SP signed-note): keys, signature lines, and the two Ed25519 signature types that we use.

A note is a text ending in a newline, a blank line, and lines `— <key name> base64(key ID ‖ signature)`. Only
the text that `verify_note` returns may be believed.
"""

import base64
import binascii
import hashlib
import os
import re
import stat
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from sekisho.evidence.faults import BAD_KEY, BAD_NOTE, KEY_FILE, SIGNATURE_MISSING, SIGNATURE_WRONG
from sekisho.faults import Fault

# signed-note "Signature types"
ED25519: Final = 0x01
COSIGNATURE: Final = 0x04
KeyKind = Literal[0x01, 0x04]

MAX_NOTE_BYTES: Final = 1 << 20  # far above 16 signatures, the least that a verifier must accept
_DASH: Final = "— "
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")
_PRIVATE: Final = "PRIVATE+KEY+"  # Go's golang.org/x/mod/sumdb/note writes private keys so


@dataclass(frozen=True)
class SignatureLine:
    name: str
    key_id: bytes
    signature: bytes

    def text(self) -> str:
        return f"{_DASH}{self.name} {encode64(self.key_id + self.signature)}\n"


@dataclass(frozen=True)
class Note:
    """A parsed note. Its text is not to be believed before `verify_note`."""

    text: str
    signatures: tuple[SignatureLine, ...]

    def encode(self) -> bytes:
        return (self.text + "\n" + "".join(line.text() for line in self.signatures)).encode()

    def with_signatures(self, lines: Iterable[SignatureLine]) -> "Note":
        """The note with more signatures; a newer one of the same key replaces the older."""
        lines = tuple(lines)
        newer = {(line.name, line.key_id) for line in lines}
        kept = tuple(line for line in self.signatures if (line.name, line.key_id) not in newer)
        return Note(self.text, kept + lines)


@dataclass(frozen=True)
class VerifierKey:
    name: str
    kind: KeyKind
    public: bytes

    @property
    def key_id(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{encode64(bytes([self.kind]) + self.public)}"

    def made(self, line: SignatureLine) -> bool:
        """Whether the line claims to be of this key: name and ID, as signed-note demands both."""
        return line.name == self.name and line.key_id == self.key_id

    def holds(self, text: str, signature: bytes) -> bool:
        """Whether the signature (without key ID) is this key's over the note text."""
        message = text.encode()
        if self.kind == COSIGNATURE:
            if len(signature) != 72:
                return False
            message = cosignature_message(text, int.from_bytes(signature[:8], "big"))
            signature = signature[8:]
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True)
class VerifiedNote:
    """The proof that known keys signed `text`; made by `verify_note` only."""

    text: str
    signers: tuple[VerifierKey, ...]
    cosigned_at: Mapping[VerifierKey, int]  # POSIX seconds, for the keys of kind COSIGNATURE


class NoteSigner:
    """An Ed25519 private key under a name. `kind` COSIGNATURE signs as a witness, with the time."""

    def __init__(self, name: str, private: Ed25519PrivateKey, kind: KeyKind = ED25519) -> None:
        _check_name(name)
        self._private = private
        self.key = VerifierKey(name, kind, private.public_key().public_bytes_raw())

    @classmethod
    def generate(cls, name: str, kind: KeyKind = ED25519) -> "NoteSigner":
        return cls(name, Ed25519PrivateKey.generate(), kind)

    @classmethod
    def parse(cls, text: str) -> "NoteSigner":
        """Read `PRIVATE+KEY+<name>+<key ID>+<base64(kind ‖ seed)>`. Raises Fault; never repeats the secret."""
        if not text.startswith(_PRIVATE):
            raise Fault(BAD_KEY, reason="no private key")
        name, kind, key_id, seed = _parse_key(text.removeprefix(_PRIVATE))
        signer = cls(name, Ed25519PrivateKey.from_private_bytes(seed), kind)
        if signer.key.key_id != key_id:
            raise Fault(BAD_KEY, reason="key ID does not fit")
        return signer

    @classmethod
    def load(cls, path: Path, name: str, kind: KeyKind = ED25519) -> "NoteSigner":
        """The key in `path`, or a new one written there with mode 0600. Raises Fault when it is another key."""
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            signer = cls.read(path)
            if (signer.key.name, signer.key.kind) != (name, kind):
                found = f"holds the key of {signer.key.name}, type {signer.key.kind}"
                raise Fault(KEY_FILE, path=path, reason=found) from None
            return signer
        except OSError as error:
            raise Fault(KEY_FILE, path=path, reason=error.strerror) from error
        signer = cls.generate(name, kind)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(signer.secret_text() + "\n")
            file.flush()
            os.fsync(file.fileno())
        return signer

    @classmethod
    def read(cls, path: Path) -> "NoteSigner":
        """The key in `path`. Raises Fault when there is none, or when others may read it."""
        try:
            if stat.S_IMODE(path.stat().st_mode) & 0o077:
                raise Fault(KEY_FILE, path=path, reason="readable by others; chmod 600")
            text = path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise Fault(KEY_FILE, path=path, reason=error.strerror) from error
        except UnicodeDecodeError as error:
            raise Fault(KEY_FILE, path=path, reason="not UTF-8") from error
        try:
            return cls.parse(text)
        except Fault as fault:
            raise Fault(KEY_FILE, path=path, reason=fault.values["reason"]) from fault

    def secret_text(self) -> str:
        secret = encode64(bytes([self.key.kind]) + self._private.private_bytes_raw())
        return f"{_PRIVATE}{self.key.name}+{self.key.key_id.hex()}+{secret}"

    def sign(self, text: str, at: int | None = None) -> SignatureLine:
        """`at`: POSIX seconds for a cosignature, now by default."""
        if self.key.kind == COSIGNATURE:
            at = int(time.time()) if at is None else at
            signature = at.to_bytes(8, "big") + self._private.sign(cosignature_message(text, at))
        else:
            signature = self._private.sign(text.encode())
        return SignatureLine(self.key.name, self.key.key_id, signature)


def cosignature_message(text: str, at: int) -> bytes:
    # tlog-cosignature "Ed25519 signed message": the whole note text, extension lines included
    return f"cosignature/v1\ntime {at}\n{text}".encode()


def parse_key(text: str) -> VerifierKey:
    """Read a verifier key `<name>+<key ID>+<base64(kind ‖ public key)>`. Raises Fault."""
    name, kind, key_id, public = _parse_key(text.strip())
    key = VerifierKey(name, kind, public)
    if key.key_id != key_id:
        raise Fault(BAD_KEY, reason="key ID does not fit")
    return key


def parse_note(data: bytes) -> Note:
    """Take a note apart; nothing in it is verified yet. Raises Fault on anything that signed-note forbids."""
    if len(data) > MAX_NOTE_BYTES:
        raise Fault(BAD_NOTE, reason=f"more than {MAX_NOTE_BYTES} bytes")
    try:
        content = data.decode()
    except UnicodeDecodeError as error:
        raise Fault(BAD_NOTE, reason="not UTF-8") from error
    if _CONTROL.search(content):
        raise Fault(BAD_NOTE, reason="control characters")
    text, blank, lines = content.rpartition("\n\n")
    if not blank or not lines.endswith("\n"):
        raise Fault(BAD_NOTE, reason="no signature block")
    return Note(text + "\n", parse_signatures(lines))


def parse_signatures(lines: str) -> tuple[SignatureLine, ...]:
    """Read signature lines, each ending in a newline, as a note or a witness's answer holds them. Raises Fault."""
    if not lines.endswith("\n"):
        raise Fault(BAD_NOTE, reason="signature lines do not end in a newline")
    return tuple(_parse_signature(line) for line in lines[:-1].split("\n"))


def verify_note(note: Note, keys: Iterable[VerifierKey]) -> VerifiedNote:
    """Check every signature of a known key; unknown keys are ignored.

    Raises Fault when one of them does not hold (the whole note is refused then), or when there is none.
    """
    known = tuple(keys)
    signers: list[VerifierKey] = []
    cosigned_at: dict[VerifierKey, int] = {}
    for line in note.signatures:
        for key in known:
            if not key.made(line):
                continue
            if not key.holds(note.text, line.signature):
                raise Fault(SIGNATURE_WRONG, key=key.name)
            if key not in signers:
                signers.append(key)
            if key.kind == COSIGNATURE:
                cosigned_at[key] = int.from_bytes(line.signature[:8], "big")
    if not signers:
        raise Fault(SIGNATURE_MISSING, key=", ".join(key.name for key in known) or "-")
    return VerifiedNote(note.text, tuple(signers), cosigned_at)


def sign_note(text: str, signers: Sequence[NoteSigner]) -> Note:
    return Note(text, tuple(signer.sign(text) for signer in signers))


def encode64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def decode64(text: str) -> bytes | None:
    """Standard base64 in its one canonical form, or None."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    # RFC 4648 3.5: spare bits could differ, and then two texts would stand for the same signature
    return data if encode64(data) == text else None


def _parse_signature(line: str) -> SignatureLine:
    name, _, signature = line.removeprefix(_DASH).partition(" ")
    data = decode64(signature)
    if not line.startswith(_DASH) or not _is_name(name) or data is None or len(data) < 5:
        raise Fault(BAD_NOTE, reason="malformed signature line")
    return SignatureLine(name, data[:4], data[4:])


def _parse_key(text: str) -> tuple[str, KeyKind, bytes, bytes]:
    # base64 may hold "+" itself, a name may not
    parts = text.split("+", 2)
    if len(parts) != 3:
        raise Fault(BAD_KEY, reason="not of the form name+id+base64")
    name, id_text, material = parts
    _check_name(name)
    data = decode64(material)
    if not re.fullmatch(r"[0-9a-f]{8}", id_text) or not data:
        raise Fault(BAD_KEY, reason="not of the form name+id+base64")
    kind = data[0]
    if kind not in (ED25519, COSIGNATURE) or len(data) != 33:
        raise Fault(BAD_KEY, reason=f"not an Ed25519 key: type {kind}, {len(data) - 1} bytes")
    return name, (ED25519 if kind == ED25519 else COSIGNATURE), bytes.fromhex(id_text), data[1:]


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(char.isspace() or ord(char) < 0x20 for char in name)


def _check_name(name: str) -> None:
    if not _is_name(name):
        raise Fault(BAD_KEY, reason="key name empty, or with a space or +")
