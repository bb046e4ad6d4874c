"""A witness (C2SP tlog-witness): what it answers to a checkpoint, and what it remembers.

`decide` is pure. `Witness` surrounds it with the record on disk: comparing with the last cosigned checkpoint and
replacing it happen under one lock, and the record is durable before the answer leaves, so that no two
cosignatures of this witness ever contradict each other, also after a crash.
"""

import hashlib
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sekisho.evidence.checkpoint import Checkpoint, parse_checkpoint, parse_size
from sekisho.evidence.faults import BAD_REQUEST, SIGNATURE_MISSING, SIGNATURE_WRONG, WITNESS_STATE
from sekisho.evidence.folder import DurableFolder, read_file
from sekisho.evidence.merkle import EMPTY_ROOT, HASH_BYTES, verify_consistency
from sekisho.evidence.note import (
    MAX_NOTE_BYTES,
    Note,
    NoteSigner,
    VerifierKey,
    decode64,
    encode64,
    parse_note,
    verify_note,
)
from sekisho.faults import Fault

MAX_PROOF_LINES: Final = 63  # tlog-witness "add-checkpoint"
MAX_REQUEST_BYTES: Final = MAX_NOTE_BYTES // 4
SIZE_TYPE: Final = "text/x.tlog.size"
TEXT_TYPE: Final = "text/plain; charset=utf-8"
_HEX_HASH: Final = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class AddCheckpoint:
    """The request: a checkpoint that claims to continue the tree of `old` entries."""

    old: int
    proof: tuple[bytes, ...]
    note: Note
    checkpoint: Checkpoint

    def encode(self) -> bytes:
        lines = "".join(encode64(hash_) + "\n" for hash_ in self.proof)
        return f"old {self.old}\n{lines}\n".encode() + self.note.encode()


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    content_type: str = TEXT_TYPE


@dataclass(frozen=True)
class Cosigned:
    """The last checkpoint that a witness cosigned for an origin, as the note that its monitor page shows."""

    checkpoint: Checkpoint
    at: int
    note: bytes


def request(note: bytes, old: int, proof: Sequence[bytes]) -> AddCheckpoint:
    """The request to cosign `note`. Raises Fault when it is not a checkpoint."""
    parsed = parse_note(note)
    return AddCheckpoint(old, tuple(proof), parsed, parse_checkpoint(parsed.text))


def parse_request(body: bytes) -> AddCheckpoint:
    """Raises Fault on anything that tlog-witness does not allow."""
    head, blank, note = body.partition(b"\n\n")
    if not blank or len(body) > MAX_REQUEST_BYTES or not head.isascii():
        raise Fault(BAD_REQUEST, reason="not an add-checkpoint body")
    first, *lines = head.decode().split("\n")
    if not first.startswith("old ") or len(lines) > MAX_PROOF_LINES:
        raise Fault(BAD_REQUEST, reason="no old size, or too many proof lines")
    proof = [hash_ for hash_ in map(decode64, lines) if hash_ is not None and len(hash_) == HASH_BYTES]
    if len(proof) != len(lines):
        raise Fault(BAD_REQUEST, reason="a proof line is not a hash")
    return request(note, parse_size(first.removeprefix("old ")), proof)


def decide(
    asked: AddCheckpoint, log: VerifierKey, last: Cosigned | None, signer: NoteSigner, now: int
) -> tuple[Answer, Cosigned | None]:
    """The answer, and what to remember (before answering) if the checkpoint is cosigned."""
    new = asked.checkpoint
    try:
        verify_note(asked.note, [log])
    except Fault as fault:
        if fault.kind not in (SIGNATURE_MISSING, SIGNATURE_WRONG):
            raise
        return Answer(403, b"no signature of the log's key holds\n"), None
    if asked.old > new.size:
        return Answer(400, b"the old size is above the checkpoint's\n"), None
    size, root = (last.checkpoint.size, last.checkpoint.root) if last else (0, EMPTY_ROOT)
    if asked.old != size:
        return Answer(409, f"{size}\n".encode(), SIZE_TYPE), None
    # This includes: equal sizes have equal roots (422 since 2026, 409 in v1.0.0), and old 0 has no proof.
    if not verify_consistency(size, new.size, root, new.root, asked.proof):
        return Answer(422, b"the checkpoint does not continue the one cosigned before\n"), None
    # A cosignature says "the largest tree as of this time": a clock set back must not date it before the last one.
    at = max(now, last.at) if last else now
    line = signer.sign(asked.note.text, at)
    # Only what was verified is kept: a stranger's signature lines are not shown under our name.
    of_the_log = tuple(signature for signature in asked.note.signatures if log.made(signature))
    note = Note(asked.note.text, (*of_the_log, line)).encode()
    return Answer(200, line.text().encode()), Cosigned(new, at, note)


class WitnessStore:
    """One file per origin, named by the hash of the origin; replaced under a lock, durable on return."""

    def __init__(self, folder: Path) -> None:
        self._folder = DurableFolder(folder)

    @contextmanager
    def holding(self, origin: str, key: VerifierKey) -> Iterator["WitnessSlot"]:
        """The record of this origin, for nobody else (threads and programs) while the block runs."""
        with self._folder.held():
            yield WitnessSlot(self._folder, origin_hash(origin), self._read(origin_hash(origin), key))

    def note(self, name: str) -> bytes | None:
        """The note of the origin with this hash."""
        return read_file(self._folder.path / name)

    def _read(self, name: str, key: VerifierKey) -> Cosigned | None:
        note = self.note(name)
        if note is None:
            return None
        try:
            verified = verify_note(parse_note(note), [key])
            return Cosigned(parse_checkpoint(verified.text), verified.cosigned_at[key], note)
        except Fault as fault:
            raise Fault(WITNESS_STATE, path=self._folder.path / name, reason=fault.code) from fault


@dataclass(frozen=True)
class WitnessSlot:
    """The record of one origin, held."""

    folder: DurableFolder
    name: str
    last: Cosigned | None

    def keep(self, cosigned: Cosigned) -> None:
        self.folder.replace(self.name, cosigned.note)
        self.folder.settle()


class Witness:
    """Answers for the logs whose keys it was given. Several threads, and several programs, may ask at once."""

    def __init__(
        self,
        store: WitnessStore,
        signer: NoteSigner,
        logs: Iterable[VerifierKey],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._signer = signer
        self._logs = {key.name: key for key in logs}
        self._clock = clock

    @property
    def key(self) -> VerifierKey:
        return self._signer.key

    def add_checkpoint(self, body: bytes) -> Answer:
        """Raises Fault when the record cannot be read or written; then nothing was cosigned."""
        try:
            asked = parse_request(body)
        except Fault as fault:
            return Answer(400, f"{fault}\n".encode())
        log = self._logs.get(asked.checkpoint.origin)
        if log is None:
            return Answer(404, b"this witness does not know the origin\n")
        with self._store.holding(log.name, self.key) as slot:
            answer, cosigned = decide(asked, log, slot.last, self._signer, int(self._clock()))
            if cosigned is not None:
                slot.keep(cosigned)
            return answer

    def monitor(self, name: str) -> Answer:
        """The last cosigned checkpoint of the origin with this SHA-256 (lowercase hex)."""
        note = self._store.note(name) if _HEX_HASH.fullmatch(name) else None
        return Answer(404, b"no checkpoint cosigned for this origin\n") if note is None else Answer(200, note)


def origin_hash(origin: str) -> str:
    return hashlib.sha256(origin.encode()).hexdigest()
