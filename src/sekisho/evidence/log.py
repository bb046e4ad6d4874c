"""TileLog: the one writer of a log folder.

What is on disk, and in which order it gets there:

    integrate   entry bundles and tiles -> fsync -> `.tree` (size and root that they add up to) -> fsync
    sign        nothing; only a tree that `.tree` already names is ever signed
    publish     `checkpoint` (the signed note) -> fsync

After a crash anywhere `.tree` names the last complete tree. Tiles beyond it may be there already; integrating the
same entries again finds them equal and goes on, other entries would be a changed history and are refused.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sekisho.evidence.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint
from sekisho.evidence.faults import (
    ANOTHER_WRITER,
    CONTRADICTION,
    ENTRY_TOO_LONG,
    LOG_STOPPED,
    ROLLED_BACK,
    TILES_DAMAGED,
    WRONG_ORIGIN,
)
from sekisho.evidence.folder import DurableFolder, read_file
from sekisho.evidence.merkle import (
    EMPTY_ROOT,
    HASH_BYTES,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    perfect_root,
)
from sekisho.evidence.note import NoteSigner, sign_note
from sekisho.evidence.tiles import (
    MAX_ENTRY_BYTES,
    TILE_BYTES,
    WIDTH,
    TileReader,
    bundle_path,
    pack_entry,
    partial_folder,
    read_entries,
    tile_path,
)
from sekisho.faults import Fault

CHECKPOINT: Final = "checkpoint"
_TREE: Final = ".tree"


class _Edge:
    """The rightmost, partial tile of each level, and the partial bundle: what the next entry is added to."""

    def __init__(self, rows: list[bytearray], bundle: bytearray, size: int) -> None:
        self.rows = rows
        self.bundle = bundle
        self.size = size

    def copy(self) -> "_Edge":
        return _Edge([bytearray(row) for row in self.rows], bytearray(self.bundle), self.size)

    def root(self) -> bytes:
        frontier = Frontier()
        for level in reversed(range(len(self.rows))):
            row = self.rows[level]
            for offset in range(0, len(row), HASH_BYTES):
                frontier.append_subtree(8 * level, bytes(row[offset : offset + HASH_BYTES]))
        return frontier.root() if frontier.size else EMPTY_ROOT


class TileLog:
    """Made by `open`. One thread at a time; a second program on the same folder is noticed and refused."""

    def __init__(self, folder: DurableFolder, signer: NoteSigner, tree: Checkpoint, edge: _Edge) -> None:
        self._folder = folder
        self._signer = signer
        self._tree = tree
        self._edge = edge
        self._published: Checkpoint | None = None
        self._stopped = False

    @classmethod
    def open(cls, folder: Path, signer: NoteSigner, *, origin: str) -> "TileLog":
        """Resume the log in `folder`, or begin one.

        Raises Fault when the tiles do not reproduce the tree that was last completed, or the published
        checkpoint, when that checkpoint is not signed by `signer`, or when the folder is another log's.
        """
        durable = DurableFolder(folder)
        note = read_file(folder / CHECKPOINT)
        published = None if note is None else open_checkpoint(note, signer.key)
        body = read_file(folder / _TREE)
        if body is not None:
            tree = parse_checkpoint(body.decode(errors="replace"))
        else:  # a new folder, or a copy made from what the log publishes
            tree = published or Checkpoint(origin, 0, EMPTY_ROOT)
        for found in (tree, published):
            if found is not None and found.origin != origin:
                raise Fault(WRONG_ORIGIN, path=folder, found=found.origin, expected=origin)
        log = cls(durable, signer, tree, _read_edge(folder, tree))
        if published is not None:
            log._check_published(published)
            log._published = published
        with durable.held():
            if body is None:
                durable.replace(_TREE, tree.body().encode())
            durable.settle()
        return log

    @property
    def size(self) -> int:
        """Entries that the tiles hold durably."""
        return self._tree.size

    @property
    def root(self) -> bytes:
        return self._tree.root

    @property
    def path(self) -> Path:
        return self._folder.path

    def integrate(self, entries: Sequence[bytes]) -> None:
        """Append entries; durable in tiles when this returns.

        Raises Fault: an entry is too long (nothing was added); the disk refused (reopen the log: `size` is
        what it was); a tile exists with other content; or another program wrote to the folder.
        """
        for index, entry in enumerate(entries, self.size):
            if len(entry) > MAX_ENTRY_BYTES:
                raise Fault(ENTRY_TOO_LONG, index=index, length=len(entry))
        if not entries:
            return
        with self._writing():
            edge = self._edge.copy()
            replaced: list[str] = []
            for entry in entries:
                edge.bundle += pack_entry(entry)
                edge.rows[0] += leaf_hash(entry)
                edge.size += 1
                if len(edge.rows[0]) == TILE_BYTES:
                    self._complete(edge, replaced)
            self._put_partials(edge)
            self._folder.settle()
            tree = Checkpoint(self._tree.origin, edge.size, edge.root())
            self._folder.replace(_TREE, tree.body().encode())
            self._folder.settle()
            self._tree, self._edge = tree, edge
            # Only now: until `.tree` named the new size, a restart needed the partial tiles.
            for name in replaced:
                self._folder.discard(partial_folder(name))

    def sign(self) -> bytes:
        """The signed checkpoint of everything integrated, as a note."""
        return sign_note(self._tree.body(), [self._signer]).encode()

    def publish(self, note: bytes) -> None:
        """Replace the published checkpoint by a newer one, or by the same with more cosignatures.

        Raises Fault when it is not signed by this log, is older than the published one, or contradicts the tiles.
        """
        checkpoint = open_checkpoint(note, self._signer.key)
        if checkpoint.origin != self._tree.origin:
            raise Fault(WRONG_ORIGIN, path=self.path, found=checkpoint.origin, expected=self._tree.origin)
        self._check_published(checkpoint)
        if self._published is not None and checkpoint.size < self._published.size:
            raise Fault(ROLLED_BACK, path=self.path, size=checkpoint.size, seen=self._published.size)
        with self._writing():
            self._folder.replace(CHECKPOINT, note)
            self._folder.settle()
            self._published = checkpoint

    def published(self) -> Checkpoint | None:
        return self._published

    def inclusion(self, index: int, size: int | None = None) -> list[bytes]:
        """The inclusion proof of an entry in the tree of `size` entries (all by default)."""
        size = self.size if size is None else size
        return inclusion_proof(index, size, TileReader(self.path, self.size).subtree)

    def consistency(self, old: int, new: int | None = None) -> list[bytes]:
        """The proof that the tree of `new` entries (all by default) continues the tree of `old` entries."""
        new = self.size if new is None else new
        return consistency_proof(old, new, TileReader(self.path, self.size).subtree)

    def root_at(self, size: int) -> bytes:
        """The root of the first `size` entries. Raises Fault when there are not so many."""
        if size > self.size:
            raise Fault(ROLLED_BACK, path=self.path, size=self.size, seen=size)
        if size == self.size:
            return self.root
        return TileReader(self.path, self.size).subtree(0, size) if size else EMPTY_ROOT

    def _check_published(self, checkpoint: Checkpoint) -> None:
        if self.root_at(checkpoint.size) != checkpoint.root:
            raise Fault(CONTRADICTION, path=self.path, size=checkpoint.size)

    def _complete(self, edge: _Edge, replaced: list[str]) -> None:
        """The level-0 tile is full: write it and its bundle, and its root into the level above, and so on up."""
        index = edge.size // WIDTH - 1
        name = bundle_path(index)
        self._folder.put(name, bytes(edge.bundle))
        replaced.append(name)
        edge.bundle.clear()
        for level, row in enumerate(edge.rows):
            if len(row) < TILE_BYTES:
                break
            name = tile_path(level, index)
            self._folder.put(name, bytes(row))
            replaced.append(name)
            if level + 1 == len(edge.rows):
                edge.rows.append(bytearray())
            edge.rows[level + 1] += perfect_root(bytes(row))
            row.clear()
            index = (index + 1) // WIDTH - 1

    def _put_partials(self, edge: _Edge) -> None:
        for level, row in enumerate(edge.rows):
            if row:
                index = edge.size >> (8 * level + 8)
                self._folder.put(tile_path(level, index, len(row) // HASH_BYTES), bytes(row))
        if edge.bundle:
            self._folder.put(bundle_path(edge.size // WIDTH, edge.size % WIDTH), bytes(edge.bundle))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Hold the folder, and go no further after an error: a failed fsync may be reported only once."""
        if self._stopped:
            raise Fault(LOG_STOPPED, path=self.path)
        try:
            with self._folder.held():
                if read_file(self.path / _TREE) != self._tree.body().encode():
                    raise Fault(ANOTHER_WRITER, path=self.path)
                yield
        except BaseException:
            self._stopped = True
            raise


def _read_edge(folder: Path, tree: Checkpoint) -> _Edge:
    """Read the right edge back. Raises Fault when it is not the tree that `.tree` or the checkpoint names."""
    reader = TileReader(folder, tree.size)
    rows: list[bytearray] = []
    level = 0
    while tree.size >> (8 * level) or level == 0:
        index, width = divmod(tree.size >> (8 * level), WIDTH)
        rows.append(bytearray(reader.tile(level, index) if width else b""))
        level += 1
    tail = list(read_entries(folder, tree.size - tree.size % WIDTH, tree.size))
    edge = _Edge(rows, bytearray(b"".join(pack_entry(entry) for entry in tail)), tree.size)
    if b"".join(leaf_hash(entry) for entry in tail) != rows[0]:
        raise Fault(
            TILES_DAMAGED, path=folder, size=tree.size, reason="the last entries differ from their tile"
        )
    if edge.root() != tree.root:
        raise Fault(TILES_DAMAGED, path=folder, size=tree.size, reason="the root differs")
    return edge
