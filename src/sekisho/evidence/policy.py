"""Trust policies (C2SP tlog-policy): which logs, which witnesses, and how many of them must have cosigned.

log <vkey> [<url>]
witness <name> <vkey> [<url>]
group <name> <k>|any|all <name>...
quorum <name>|none
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sekisho.evidence.checkpoint import Checkpoint, parse_checkpoint
from sekisho.evidence.faults import BAD_POLICY, QUORUM_MISSING, SIGNATURE_MISSING
from sekisho.evidence.note import COSIGNATURE, ED25519, VerifierKey, parse_key, parse_note, verify_note
from sekisho.faults import Fault

NONE: Final = "none"
_FORBIDDEN: Final = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_BLANKS: Final = re.compile(r"[ \t]+")


@dataclass(frozen=True)
class PinnedLog:
    key: VerifierKey
    url: str | None = None


@dataclass(frozen=True)
class PinnedWitness:
    name: str
    key: VerifierKey
    url: str | None = None


@dataclass(frozen=True)
class Group:
    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True)
class AcceptedCheckpoint:
    """The proof that a checkpoint met a policy; made by `Policy.accept` only."""

    checkpoint: Checkpoint
    log: VerifierKey
    cosigned_at: Mapping[VerifierKey, int]


@dataclass(frozen=True)
class Policy:
    logs: tuple[PinnedLog, ...]
    witnesses: tuple[PinnedWitness, ...]
    groups: Mapping[str, Group]
    quorum: str

    @classmethod
    def parse(cls, text: bytes) -> "Policy":
        """Read a policy file. Raises Fault naming the first line that the norm does not allow."""
        return _Reading(text).policy()

    @classmethod
    def of_keys(cls, logs: Sequence[VerifierKey], witnesses: Sequence[VerifierKey], quorum: int) -> "Policy":
        """Any of `logs`, and `quorum` of `witnesses`. Raises Fault when they cannot be met or repeat a key."""
        lines = [f"log {key}" for key in logs]
        lines += [f"witness {number} {key}" for number, key in enumerate(witnesses)]
        if quorum:
            lines.append(f"group all-witnesses {quorum} {' '.join(str(n) for n in range(len(witnesses)))}")
        lines.append(f"quorum {'all-witnesses' if quorum else NONE}")
        return cls.parse("\n".join(lines).encode() + b"\n")

    def satisfied(self, cosigners: Collection[VerifierKey]) -> bool:
        """Whether these cosigners are a quorum."""
        present = {witness.name for witness in self.witnesses if witness.key in cosigners}
        # A group names only what stands before it, so that one pass in order is enough.
        for name, group in self.groups.items():
            if sum(member in present for member in group.members) >= group.threshold:
                present.add(name)
        return self.quorum == NONE or self.quorum in present

    def accept(self, note: bytes) -> AcceptedCheckpoint:
        """Raises Fault when no pinned log signed it, a known signature does not hold, or the quorum is missing."""
        logs = [log.key for log in self.logs]
        verified = verify_note(parse_note(note), [*logs, *(witness.key for witness in self.witnesses)])
        checkpoint = parse_checkpoint(verified.text)
        # tlog-policy "Defining a log": the key's name must be the origin
        signers = [key for key in verified.signers if key in logs and key.name == checkpoint.origin]
        if not signers:
            raise Fault(SIGNATURE_MISSING, key=", ".join(key.name for key in logs) or "-")
        cosigned_at = {key: at for key, at in verified.cosigned_at.items() if key not in logs}
        if not self.satisfied(cosigned_at.keys()):
            found = ", ".join(sorted(key.name for key in cosigned_at)) or "-"
            raise Fault(QUORUM_MISSING, size=checkpoint.size, found=found, quorum=self.describe_quorum())
        return AcceptedCheckpoint(checkpoint, signers[0], cosigned_at)

    def describe_quorum(self) -> str:
        group = self.groups.get(self.quorum)
        return self.quorum if group is None else f"{group.threshold}/{len(group.members)}"


class _Reading:
    """A policy file, line by line."""

    def __init__(self, text: bytes) -> None:
        # Names are opaque octets, which surrogateescape keeps apart.
        self._lines = text.decode(errors="surrogateescape").split("\n")
        self._number = next((n for n, line in enumerate(text.split(b"\n"), 1) if _FORBIDDEN.search(line)), 0)
        if self._number:
            raise self._refused("control character")
        self._logs: list[PinnedLog] = []
        self._witnesses: list[PinnedWitness] = []
        self._groups: dict[str, Group] = {}
        self._quorum: str | None = None
        self._names: set[str] = set()
        self._members: set[str] = set()

    def policy(self) -> Policy:
        for line in self._lines:
            self._number += 1
            words = _BLANKS.split(line.strip(" \t"))
            match words:
                case [""]:
                    continue
                case [first, *_] if first.startswith("#"):
                    continue
                case ["log", key, *url] if len(url) <= 1:
                    self._log(key, *url)
                case ["witness", name, key, *url] if len(url) <= 1:
                    self._witness(name, key, *url)
                case ["group", name, threshold, *members] if members:
                    self._group(name, threshold, tuple(members))
                case ["quorum", name] if self._quorum is None and name in {*self._names, NONE}:
                    self._quorum = name
                case _:
                    raise self._refused("not a line of tlog-policy")
        if self._quorum is None:
            raise self._refused("no quorum")
        return Policy(tuple(self._logs), tuple(self._witnesses), self._groups, self._quorum)

    def _log(self, key_text: str, url: str | None = None) -> None:
        # tlog-tiles "Checkpoints": a log signs with Ed25519
        self._logs.append(PinnedLog(self._key(key_text, ED25519), url))

    def _witness(self, name: str, key_text: str, url: str | None = None) -> None:
        self._define(name)
        self._witnesses.append(PinnedWitness(name, self._key(key_text, COSIGNATURE), url))

    def _group(self, name: str, threshold: str, members: tuple[str, ...]) -> None:
        for member in members:
            if member not in self._names:
                raise self._refused(f"{member} is not defined above")
            # Otherwise one witness could count twice towards a quorum.
            if member in self._members:
                raise self._refused(f"{member} is a member already")
            self._members.add(member)
        self._define(name)
        least = {"any": 1, "all": len(members)}.get(threshold)
        if least is None:
            least = int(threshold) if re.fullmatch("[1-9][0-9]{0,3}", threshold) else 0
        if not 1 <= least <= len(members):
            raise self._refused(f"threshold {threshold} of {len(members)}")
        self._groups[name] = Group(least, members)

    def _define(self, name: str) -> None:
        if name in self._names or name == NONE:
            raise self._refused(f"{name} is defined already")
        self._names.add(name)

    def _key(self, text: str, kind: int) -> VerifierKey:
        try:
            key = parse_key(text)
        except Fault as fault:
            raise self._refused(str(fault.values["reason"])) from fault
        if key.kind != kind:
            raise self._refused(f"key of type {key.kind}, not {kind}")
        # The norm compares public keys, whatever their names; a witness with the log's key is no second pair of eyes.
        known = {log.key.public for log in self._logs} | {witness.key.public for witness in self._witnesses}
        if key.public in known:
            raise self._refused("public key repeated")
        return key

    def _refused(self, reason: str) -> Fault:
        return Fault(BAD_POLICY, line=self._number, reason=reason)
