"""Checking a log folder or a bundle offline, and saying which entry is wrong.

Everything is recomputed from the entries and compared with the tiles, with the numbers in the entries, with the
signed checkpoint, and with the checkpoints that the verifier holds from elsewhere. Without a pinned key the
check says only that a folder agrees with itself; `Report.pinned` tells the two apart.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from sekisho.evidence import faults
from sekisho.evidence.checkpoint import Checkpoint, parse_checkpoint
from sekisho.evidence.damage import Damage
from sekisho.evidence.folder import read_file
from sekisho.evidence.merkle import HASH_BYTES, leaf_hash, verify_inclusion
from sekisho.evidence.note import parse_note, verify_note
from sekisho.evidence.policy import AcceptedCheckpoint, Policy
from sekisho.evidence.proof import SALT_BYTES, Bundle, read_bundle
from sekisho.evidence.tiles import WIDTH, bundle_path, tile_path, widest_partial, width_of
from sekisho.evidence.walk import FolderWalk, Progress
from sekisho.faults import Fault, FaultKind, Language


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, with the first and the last entry that it concerns, where that can be said."""

    kind: FaultKind
    first: int | None = None
    last: int | None = None
    values: Mapping[str, object] = field(default_factory=dict)

    def sentence(self, language: Language) -> str:
        range_ = str(self.first) if self.first == self.last else f"{self.first}-{self.last}"
        return self.kind.sentence(language, {"range": range_, **self.values})


@dataclass(frozen=True)
class Report:
    """What was checked, and what was found."""

    checkpoints: tuple[Checkpoint, ...]  # one for a folder; for a bundle each that a proof leads to
    entries: int  # how many were checked
    findings: tuple[Finding, ...]
    pinned: bool  # whether keys were given, without which nobody's identity was checked
    accepted: tuple[AcceptedCheckpoint, ...]  # those of the checkpoints that met the pinned keys
    uncovered: int = 0  # entries in the folder that no signed checkpoint covers yet: nothing is known of them

    @property
    def ok(self) -> bool:
        return not self.findings


def verify_folder(
    folder: Path,
    *,
    policy: Policy | None = None,
    seen: Sequence[bytes] = (),
    progress: Progress | None = None,
) -> Report:
    """Verify the log in `folder` against its checkpoint.

    `policy`: the pinned keys. `seen`: checkpoints (notes) of this log that the verifier holds from elsewhere.
    Raises Fault when the folder is no log, or a note is malformed or of another log.
    """
    note = read_file(folder / "checkpoint")
    if note is None:
        raise Fault(faults.NOT_A_LOG, path=folder)
    findings: list[Finding] = []
    checkpoint = parse_checkpoint(parse_note(note).text)
    accepted = _accept(note, checkpoint, policy, findings)
    held = _read_seen(seen, checkpoint.origin, policy)
    walk = FolderWalk(folder, checkpoint.size, [one.size for one in held], progress)
    walk.run()
    findings += _judge(walk, checkpoint, held)
    return Report(
        checkpoints=(checkpoint,),
        entries=checkpoint.size,
        findings=tuple(findings),
        pinned=policy is not None,
        accepted=(accepted,) if accepted else (),
        uncovered=_count_uncovered(folder, checkpoint.size),
    )


def verify_bundle(path: Path, *, policy: Policy | None = None, seen: Sequence[bytes] = ()) -> Report:
    """Verify a bundle: each entry's proof, its number, its checkpoint, and the openings of confidential parts.

    Raises Fault when the file is no bundle, or a note is malformed or of another log.
    """
    bundle = read_bundle(path)
    findings: list[Finding] = []
    checkpoints: dict[bytes, Checkpoint] = {}
    accepted: list[AcceptedCheckpoint] = []
    for index, entry in sorted(bundle.entries.items()):
        proof = bundle.proofs[index]
        checkpoint = checkpoints.get(proof.note)
        if checkpoint is None:
            checkpoint = checkpoints[proof.note] = parse_checkpoint(parse_note(proof.note).text)
            if acceptance := _accept(proof.note, checkpoint, policy, findings):
                accepted.append(acceptance)
        if proof.index != index or not verify_inclusion(
            leaf_hash(entry), index, checkpoint.size, proof.hashes, checkpoint.root
        ):
            findings.append(Finding(faults.NOT_INCLUDED, index, index))
        elif not entry.startswith(b'{"seq":%d,' % index):
            findings.append(Finding(faults.REORDERED, index, index))
    findings += _check_openings(bundle)
    for origin in sorted({checkpoint.origin for checkpoint in checkpoints.values()}):
        held = _read_seen(seen, origin, policy)
        findings += _compare_equal_sizes([*held, *checkpoints.values()])
    return Report(
        checkpoints=tuple(checkpoints.values()),
        entries=len(bundle.entries),
        findings=tuple(findings),
        pinned=policy is not None,
        accepted=tuple(accepted),
    )


def _accept(
    note: bytes, checkpoint: Checkpoint, policy: Policy | None, findings: list[Finding]
) -> AcceptedCheckpoint | None:
    """Meet the pinned keys, or say as a finding how the checkpoint fails them."""
    if policy is None:
        return None
    size = checkpoint.size
    try:
        return policy.accept(note)
    except Fault as fault:
        if fault.kind is faults.SIGNATURE_MISSING:
            found = ", ".join(f"{line.name}+{line.key_id.hex()}" for line in parse_note(note).signatures)
            findings.append(Finding(faults.FOREIGN_SIGNATURE, values={"size": size, "found": found}))
        elif fault.kind is faults.SIGNATURE_WRONG:
            values = {"size": size, "key": fault.values["key"]}
            findings.append(Finding(faults.FORGED_SIGNATURE, values=values))
        elif fault.kind is faults.QUORUM_MISSING:
            findings.append(Finding(faults.QUORUM_SHORT, values=fault.values))
        else:
            raise
    return None


def _read_seen(notes: Sequence[bytes], origin: str, policy: Policy | None) -> list[Checkpoint]:
    """The checkpoints held from elsewhere, smallest first. Those that no pinned key signed are no measure."""
    held = []
    for data in notes:
        note = parse_note(data)
        if policy is not None:
            verify_note(note, [*(log.key for log in policy.logs), *(w.key for w in policy.witnesses)])
        checkpoint = parse_checkpoint(note.text)
        if checkpoint.origin != origin:
            raise Fault(faults.WRONG_ORIGIN, path="--seen", found=checkpoint.origin, expected=origin)
        held.append(checkpoint)
    return sorted(held, key=lambda one: one.size)


def _judge(walk: FolderWalk, checkpoint: Checkpoint, held: Sequence[Checkpoint]) -> Iterator[Finding]:
    size = checkpoint.size
    roots, authentic = walk.roots, walk.roots.get(size) == checkpoint.root
    if not authentic:
        by_tiles = walk.tile_roots()
        if by_tiles.get(size) == checkpoint.root:
            roots = by_tiles  # the tiles are those that were signed, and so the measure of the entries
    compared = [index for index in walk.damaged if not authentic or index in walk.short]
    damages: list[Damage] = walk.compare_with_tiles(compared)
    if not authentic:
        damages += walk.changed_with_tiles()
    damages += walk.compare_numbers([index for index in walk.misnumbered if index not in set(compared)])
    yield from (Finding(kind, first, last) for kind, first, last in damages)
    if authentic:
        for index in walk.damaged:
            if index not in walk.short:
                yield _wrong_tile(0, index, width_of(0, index, size))
    for level, index, row in walk.wrong_tiles:
        if authentic or not damages:
            yield _wrong_tile(level, index, len(row) // HASH_BYTES)
    yield from _compare_roots(checkpoint, held, roots)


def _compare_roots(
    checkpoint: Checkpoint, held: Sequence[Checkpoint], roots: Mapping[int, bytes]
) -> Iterator[Finding]:
    """The signed root, and those held from elsewhere; a root that fits narrows down where another one differs."""
    agreed = 0
    for seen in held:
        if seen.size > checkpoint.size:
            values = {"seen": seen.size}
            yield Finding(faults.SEEN_LARGER, checkpoint.size, seen.size - 1, values)
        elif roots.get(seen.size) == seen.root:
            agreed = seen.size
        else:
            yield Finding(faults.SEEN_OTHERWISE, agreed, max(seen.size - 1, agreed), {"seen": seen.size})
            break
    if roots.get(checkpoint.size) != checkpoint.root:
        size = checkpoint.size
        yield Finding(faults.ROOT_WRONG, min(agreed, max(size - 1, 0)), max(size - 1, 0), {"size": size})


def _compare_equal_sizes(checkpoints: Sequence[Checkpoint]) -> Iterator[Finding]:
    """A bundle has no entries to recompute others' roots from; but no size may have two roots."""
    roots: dict[tuple[str, int], bytes] = {}
    for one in checkpoints:
        if roots.setdefault((one.origin, one.size), one.root) != one.root:
            yield Finding(faults.SEEN_OTHERWISE, 0, one.size - 1, {"seen": one.size})


def _wrong_tile(level: int, index: int, width: int) -> Finding:
    span = WIDTH**level
    first = index * WIDTH * span
    return Finding(
        faults.TILE_WRONG, first, first + width * span - 1, {"name": tile_path(level, index, width)}
    )


def _check_openings(bundle: Bundle) -> Iterator[Finding]:
    commitments = {text for entry in bundle.entries.values() for text in _strings_of_data(entry)}
    for commitment, opening in sorted(bundle.openings.items()):
        if len(opening) < SALT_BYTES or sha256(opening).hexdigest() != commitment:
            yield Finding(faults.OPENING_WRONG, values={"commitment": commitment})
        elif commitment not in commitments:
            yield Finding(faults.OPENING_UNKNOWN, values={"commitment": commitment})


def _strings_of_data(entry: bytes) -> Iterator[str]:
    """Every text below `data`, where commitments stand."""
    try:
        fact = json.loads(entry)
    except (ValueError, RecursionError):
        return
    waiting: list[object] = [fact.get("data")] if isinstance(fact, dict) else []
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def _count_uncovered(folder: Path, size: int) -> int:
    """How many entries stand beyond the checkpoint, by the names of the bundles."""
    index = size // WIDTH
    while (folder / bundle_path(index)).is_file():
        index += 1
    return max(0, index * WIDTH + widest_partial(folder, bundle_path(index)) - size)
