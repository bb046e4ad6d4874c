"""Holding a fact of the database against the published log."""

import asyncio
from pathlib import Path
from typing import Final

from sekisho.evidence.checkpoint import open_checkpoint
from sekisho.evidence.folder import read_file
from sekisho.evidence.log import CHECKPOINT
from sekisho.evidence.merkle import inclusion_proof, leaf_hash, verify_inclusion
from sekisho.evidence.note import VerifierKey
from sekisho.evidence.tiles import TileReader
from sekisho.faults import Fault
from sekisho.ledger import Ledger, Level, Recorded

_PUBLICATION_SECONDS: Final = 10.0


class LogFolder:
    """The published log in a folder, under its key. It is a `gate.tickets.PublishedLog`."""

    def __init__(self, ledger: Ledger, folder: Path, key: VerifierKey) -> None:
        self._ledger = ledger
        self._folder = folder
        self._key = key

    async def confirms(self, recorded: Recorded) -> bool:
        """Whether this very leaf stands at this index below a checkpoint that the log signed. Waits until the
        fact is published; False when it is not published in time."""
        try:
            await self._ledger.reached(recorded.seq, Level.PUBLISHED, _PUBLICATION_SECONDS)
            return await asyncio.to_thread(self._proven, recorded)
        except Fault:
            return False

    def _proven(self, recorded: Recorded) -> bool:
        note = read_file(self._folder / CHECKPOINT)
        if note is None:
            return False
        checkpoint = open_checkpoint(note, self._key)
        if recorded.seq >= checkpoint.size:
            return False
        proof = inclusion_proof(
            recorded.seq, checkpoint.size, TileReader(self._folder, checkpoint.size).subtree
        )
        leaf = leaf_hash(recorded.leaf)
        return verify_inclusion(leaf, recorded.seq, checkpoint.size, proof, checkpoint.root)
