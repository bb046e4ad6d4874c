"""Holding a fact of the database against the published log."""

import asyncio
import json
import re
import threading
from collections.abc import Collection
from pathlib import Path
from typing import Final

from sekisho.evidence.checkpoint import open_checkpoint
from sekisho.evidence.folder import read_file
from sekisho.evidence.log import CHECKPOINT
from sekisho.evidence.merkle import inclusion_proof, leaf_hash, verify_inclusion
from sekisho.evidence.note import VerifierKey
from sekisho.evidence.tiles import TileReader, read_entries
from sekisho.faults import Fault
from sekisho.gate.state import RESTRICTING
from sekisho.ledger import Ledger, Level, Recorded

_PUBLICATION_SECONDS: Final = 10.0
_NAMES: Final = "|".join(map(re.escape, sorted(RESTRICTING))).encode()
_STRING: Final = rb'"(?:[^"\\]|\\.)*"'
# The head of a leaf, as `sekisho.ledger.leaf` writes it, if its fact is a restricting one.
_RESTRICTING: Final = re.compile(
    rb'\{"seq":\d+,"fact":"(?:%b)","v":\d+,"at":"[^"]*","by":%b,"about":(%b)' % (_NAMES, _STRING, _STRING)
)


class LogFolder:
    """The published log in a folder, under its key. It is a `gate.tickets.PublishedLog`."""

    def __init__(self, ledger: Ledger, folder: Path, key: VerifierKey) -> None:
        self._ledger = ledger
        self._folder = folder
        self._key = key
        # What the tiles say was taken away: about -> indices. Each entry is looked at once; the lock owns both.
        self._restrictions: dict[str, set[int]] = {}
        self._looked_at = 0
        self._lock = threading.Lock()

    async def confirms(self, recorded: Recorded) -> bool:
        """Whether this very leaf stands at this index below a checkpoint that the log signed. Waits until the
        fact is published; False when it is not published in time."""
        try:
            await self._ledger.reached(recorded.seq, Level.PUBLISHED, _PUBLICATION_SECONDS)
            return await asyncio.to_thread(self._proven, recorded)
        except Fault:
            return False

    async def restrictions(self, abouts: Collection[str]) -> frozenset[int]:
        """The indices of every published fact of a restricting kind about these ids, read from the tiles: what was
        deleted from the database, or put under another name there, is still here. Raises Fault when they cannot
        be read."""
        return await asyncio.to_thread(self._restrictions_of, abouts)

    def _restrictions_of(self, abouts: Collection[str]) -> frozenset[int]:
        note = read_file(self._folder / CHECKPOINT)
        size = open_checkpoint(note, self._key).size if note is not None else 0
        with self._lock:
            start = self._looked_at
            for seq, entry in enumerate(
                read_entries(self._folder, start, size) if size > start else (), start
            ):
                if found := _RESTRICTING.match(entry):
                    self._restrictions.setdefault(json.loads(found[1]), set()).add(seq)
            self._looked_at = max(start, size)
            return frozenset().union(*(self._restrictions.get(about, ()) for about in abouts))

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
