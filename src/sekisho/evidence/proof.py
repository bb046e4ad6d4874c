"""Offline evidence: tlog-proof texts (C2SP tlog-proof), and a bundle that carries several entries.

A bundle is a ZIP without compression, so that any tool can open it:

    entries/<index>.json            the entry, byte for byte
    proofs/<index>.tlog-proof       its inclusion in a checkpoint, with the cosignatures
    openings/<commitment>           salt (32 bytes) and content of a confidential part; its SHA-256 is its name
"""

import io
import os
import re
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sekisho.evidence.checkpoint import parse_checkpoint
from sekisho.evidence.faults import BAD_BUNDLE, BAD_PROOF, CANNOT_READ, CANNOT_WRITE, NOT_COVERED
from sekisho.evidence.merkle import HASH_BYTES, inclusion_proof
from sekisho.evidence.note import MAX_NOTE_BYTES, decode64, encode64, parse_note
from sekisho.evidence.tiles import MAX_ENTRY_BYTES, TileReader
from sekisho.faults import Fault

SALT_BYTES: Final = 32
_FIRST_LINE: Final = "c2sp.org/tlog-proof@v1"
_INDEX: Final = re.compile(r"index (0|[1-9][0-9]{0,18})")
_MEMBER: Final = re.compile(
    r"entries/(?P<entry>0|[1-9][0-9]{0,18})\.json"
    r"|proofs/(?P<proof>0|[1-9][0-9]{0,18})\.tlog-proof"
    r"|openings/(?P<opening>[0-9a-f]{64})"
)
_LIMITS: Final = {"entry": MAX_ENTRY_BYTES, "proof": MAX_NOTE_BYTES + 8192, "opening": 1 << 28}
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the same content gives the same file


@dataclass(frozen=True)
class Proof:
    """That an entry is number `index` of the tree whose checkpoint is `note`. To be believed with the note."""

    index: int
    hashes: tuple[bytes, ...]
    note: bytes
    extra: bytes | None = None  # not authenticated

    def encode(self) -> bytes:
        lines = [_FIRST_LINE]
        if self.extra is not None:
            lines.append(f"extra {encode64(self.extra)}")
        lines += [f"index {self.index}", *map(encode64, self.hashes), "", ""]
        return "\n".join(lines).encode() + self.note


def parse_proof(data: bytes) -> Proof:
    """Take a tlog-proof apart; nothing in it is verified yet. Raises Fault."""
    head, blank, note = data.partition(b"\n\n")
    if not blank or not head.isascii():
        raise Fault(BAD_PROOF, reason="no checkpoint")
    first, *lines = head.decode().split("\n")
    extra = decode64(lines.pop(0).removeprefix("extra ")) if lines and lines[0].startswith("extra ") else None
    index = _INDEX.fullmatch(lines[0]) if lines else None
    if first != _FIRST_LINE or index is None:
        raise Fault(BAD_PROOF, reason="not tlog-proof@v1 with an index")
    hashes = tuple(
        hash_ for hash_ in map(decode64, lines[1:]) if hash_ is not None and len(hash_) == HASH_BYTES
    )
    if len(hashes) != len(lines) - 1:
        raise Fault(BAD_PROOF, reason="a proof line is not a hash")
    return Proof(int(index[1]), hashes, note, extra)


def prove(folder: Path, index: int, note: bytes) -> Proof:
    """The proof of an entry under a checkpoint of the log in `folder`. Raises Fault when it is not covered."""
    checkpoint = parse_checkpoint(parse_note(note).text)
    if index >= checkpoint.size:
        raise Fault(NOT_COVERED, index=index, size=checkpoint.size)
    reader = TileReader(folder, checkpoint.size)
    return Proof(index, tuple(inclusion_proof(index, checkpoint.size, reader.subtree)), note)


@dataclass(frozen=True)
class Bundle:
    """The content of a bundle; nothing in it is verified yet."""

    entries: Mapping[int, bytes]
    proofs: Mapping[int, Proof]
    openings: Mapping[str, bytes] = field(default_factory=dict)


def make_bundle(
    folder: Path, indexes: Iterable[int], note: bytes, openings: Mapping[str, bytes] | None = None
) -> bytes:
    """The ZIP for these entries of the log in `folder`, proven under the checkpoint `note`.

    `openings`: salt and content, joined, of the confidential parts to disclose, by commitment. Raises Fault.
    """
    checkpoint = parse_checkpoint(parse_note(note).text)
    reader = TileReader(folder, checkpoint.size)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for index in sorted(set(indexes)):
            proof = prove(folder, index, note)
            archive.writestr(zipfile.ZipInfo(f"entries/{index}.json", _EPOCH), reader.entry(index))
            archive.writestr(zipfile.ZipInfo(f"proofs/{index}.tlog-proof", _EPOCH), proof.encode())
        for commitment, opening in sorted((openings or {}).items()):
            archive.writestr(zipfile.ZipInfo(f"openings/{commitment}", _EPOCH), opening)
    return file.getvalue()


def write_bundle(path: Path, bundle: bytes) -> None:
    """Write a bundle whole or not at all. Raises Fault."""
    scratch = path.with_name(path.name + ".part")
    try:
        with scratch.open("wb") as file:
            file.write(bundle)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    except OSError as error:
        raise Fault(CANNOT_WRITE, path=path, reason=error.strerror) from error


def read_bundle(path: Path) -> Bundle:
    """Raises Fault when the file is not a bundle: unknown, repeated, compressed or oversized members included."""
    entries: dict[int, bytes] = {}
    proofs: dict[int, Proof] = {}
    openings: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            names = [member.filename for member in archive.infolist()]
            if len(set(names)) != len(names):
                raise Fault(BAD_BUNDLE, path=path, reason="a member is repeated")
            for member in archive.infolist():
                match = _MEMBER.fullmatch(member.filename)
                if match is None or match.lastgroup is None or member.compress_type != zipfile.ZIP_STORED:
                    raise Fault(BAD_BUNDLE, path=path, reason=f"member {member.filename[:80]!r}")
                if member.file_size > _LIMITS[match.lastgroup]:
                    raise Fault(BAD_BUNDLE, path=path, reason=f"member {member.filename!r} is too long")
                data, name = archive.read(member), match[match.lastgroup]
                match match.lastgroup:
                    case "entry":
                        entries[int(name)] = data
                    case "proof":
                        proofs[int(name)] = parse_proof(data)
                    case _:
                        openings[name] = data
    except OSError as error:
        raise Fault(CANNOT_READ, path=path, reason=error.strerror) from error
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError) as error:
        raise Fault(BAD_BUNDLE, path=path, reason=str(error)) from error
    if not entries or entries.keys() != proofs.keys():
        raise Fault(BAD_BUNDLE, path=path, reason="entries and proofs do not pair")
    return Bundle(entries, proofs, openings)
