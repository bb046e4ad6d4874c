"""Checkpoints (C2SP tlog-checkpoint): origin, size and root of a tree, as the text of a signed note."""

import re
from dataclasses import dataclass
from typing import Final

from sekisho.evidence.faults import BAD_CHECKPOINT, WRONG_ORIGIN
from sekisho.evidence.merkle import HASH_BYTES
from sekisho.evidence.note import VerifierKey, decode64, encode64, parse_note, verify_note
from sekisho.faults import Fault

_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True)
class Checkpoint:
    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def body(self) -> str:
        lines = (self.origin, str(self.size), encode64(self.root), *self.extensions)
        return "".join(line + "\n" for line in lines)


def parse_checkpoint(body: str) -> Checkpoint:
    """Read the text of a note (not its signatures). Raises Fault."""
    lines = body.split("\n")
    if len(lines) < 4 or lines.pop() != "" or "" in lines:
        raise Fault(BAD_CHECKPOINT, reason="not three non-empty lines")
    origin, size, root_text, *extensions = lines
    root = decode64(root_text)
    if root is None or len(root) != HASH_BYTES:
        raise Fault(BAD_CHECKPOINT, reason="root is not a SHA-256 hash")
    return Checkpoint(origin, parse_size(size), root, tuple(extensions))


def parse_size(text: str) -> int:
    """A decimal without leading zeroes, below 10**19. Raises Fault."""
    if not _DECIMAL.fullmatch(text):
        raise Fault(BAD_CHECKPOINT, reason="size is not a plain decimal")
    return int(text)


def open_checkpoint(note: bytes, log: VerifierKey) -> Checkpoint:
    """The checkpoint that the log signed. Raises Fault when it is not signed by `log`, or of another origin."""
    checkpoint = parse_checkpoint(verify_note(parse_note(note), [log]).text)
    if checkpoint.origin != log.name:
        raise Fault(WRONG_ORIGIN, path="checkpoint", found=checkpoint.origin, expected=log.name)
    return checkpoint
