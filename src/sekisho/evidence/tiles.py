"""tlog-tiles (C2SP) on a folder: where the tiles and entry bundles of a tree are, and reading them back.

A tile holds up to 256 hashes of one level; level 0 are leaf hashes, each hash above is the root of a *full* tile
below. An entry bundle holds the 256 entries of a level-0 tile, each with its length as uint16 big-endian.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sekisho.evidence.faults import TILES_DAMAGED
from sekisho.evidence.folder import read_file
from sekisho.evidence.merkle import HASH_BYTES, node_hash, perfect_root, split
from sekisho.faults import Fault

WIDTH: Final = 256
TILE_BYTES: Final = WIDTH * HASH_BYTES
MAX_ENTRY_BYTES: Final = 65_535
_KEPT_TILES: Final = 1024  # 8 MiB; the upper levels of 67 million entries and the part in use stay in memory


def tile_path(level: int, index: int, width: int = WIDTH) -> str:
    """`tile/<L>/<N>[.p/<W>]` below the log's folder; `width` < 256 names a partial tile."""
    return f"tile/{level}/{_index_path(index, width)}"


def bundle_path(index: int, width: int = WIDTH) -> str:
    return f"tile/entries/{_index_path(index, width)}"


def partial_folder(path: str) -> str:
    """Where the partial versions of a full tile or bundle are."""
    return path + ".p"


def widest_partial(folder: Path, path: str) -> int:
    """The greatest width of the partial versions that are there of a full tile or bundle; 0 when there is none."""
    try:
        names = [file.name for file in (folder / partial_folder(path)).iterdir()]
    except OSError:
        return 0
    return max((int(name) for name in names if name.isascii() and name.isdigit()), default=0)


def _index_path(index: int, width: int) -> str:
    # tlog-tiles "Merkle Tree": 1234067 is x001/x234/067
    groups = [f"{index % 1000:03}"]
    while index := index // 1000:
        groups.append(f"x{index % 1000:03}")
    path = "/".join(reversed(groups))
    return path if width == WIDTH else f"{path}.p/{width}"


def width_of(level: int, index: int, size: int) -> int:
    """How many hashes the tile has in a tree of `size` entries; 0 when it is not part of it."""
    return max(0, min(WIDTH, (size >> (8 * level)) - index * WIDTH))


def pack_entry(entry: bytes) -> bytes:
    return len(entry).to_bytes(2, "big") + entry


def unpack_entries(bundle: bytes) -> Iterator[bytes]:
    """The entries of a bundle in order. Raises ValueError when the last one is cut off."""
    position, end = 0, len(bundle)
    while position < end:
        start = position + 2
        position = start + int.from_bytes(bundle[position:start], "big")
        if position > end or start > end:
            raise ValueError("the bundle ends within an entry")
        yield bundle[start:position]


class TileReader:
    """The tree of the first `size` entries of a log folder. Reads only; authenticates nothing by itself."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder = folder
        self.size = size
        self._tiles: dict[tuple[int, int], bytes] = {}

    def tile(self, level: int, index: int) -> bytes:
        """The hashes that the tile has in this tree. Raises Fault when the file is missing or too short."""
        key = (level, index)
        row = self._tiles.get(key)
        if row is None:
            width = width_of(level, index, self.size)
            row = self._read(tile_path(level, index, width), tile_path(level, index))[: width * HASH_BYTES]
            if len(row) != width * HASH_BYTES:
                raise self._damaged(f"{tile_path(level, index, width)} is too short")
            if len(self._tiles) >= _KEPT_TILES:
                del self._tiles[next(iter(self._tiles))]
            self._tiles[key] = row
        return row

    def bundle(self, index: int) -> bytes:
        """The entry bundle that covers this tree; it may hold more entries. Raises Fault when it is missing."""
        width = width_of(0, index, self.size)
        return self._read(bundle_path(index, width), bundle_path(index))

    def entry(self, index: int) -> bytes:
        """Raises Fault when the bundle is missing or too short."""
        for entry in read_entries(self.folder, index, index + 1, size=self.size):
            return entry
        raise self._damaged(f"no entry {index}")

    def subtree(self, start: int, end: int) -> bytes:
        """The hash of the entries [start, end), as the proofs of RFC 6962 ask for them."""
        width = end - start
        if width & (width - 1) == 0 and start % width == 0:
            height = width.bit_length() - 1
            level, inner = divmod(height, 8)
            position = start >> (8 * level)
            offset = position % WIDTH * HASH_BYTES
            row = self.tile(level, position // WIDTH)[offset : offset + (HASH_BYTES << inner)]
            if len(row) != HASH_BYTES << inner:
                raise self._damaged(f"entries {start} to {end} are beyond the tree")
            return perfect_root(row)
        middle = start + split(width)
        return node_hash(self.subtree(start, middle), self.subtree(middle, end))

    def _read(self, *names: str) -> bytes:
        # tlog-tiles "Partial Tiles": a partial may have been deleted once the full tile exists
        for name in names:
            data = read_file(self.folder / name)
            if data is not None:
                return data
        raise self._damaged(f"{names[0]} is missing")

    def _damaged(self, reason: str) -> Fault:
        return Fault(TILES_DAMAGED, path=self.folder, size=self.size, reason=reason)


def read_entries(folder: Path, start: int, stop: int, *, size: int | None = None) -> Iterator[bytes]:
    """The entries [start, stop) of a log folder that holds at least `stop` (or `size`) of them.

    Raises Fault when a bundle is missing or cut off. The entries are not checked against the tree.
    """
    reader = TileReader(folder, stop if size is None else size)
    for index in range(start // WIDTH, -(-stop // WIDTH)):
        first = index * WIDTH
        bundle = reader.bundle(index)
        found = first
        try:
            for found, entry in enumerate(unpack_entries(bundle), first):
                if start <= found < stop:
                    yield entry
        except ValueError as error:
            raise Fault(
                TILES_DAMAGED, path=folder, size=stop, reason=f"{bundle_path(index)}: {error}"
            ) from error
        if found + 1 < min(stop, first + WIDTH):
            raise Fault(TILES_DAMAGED, path=folder, size=stop, reason=f"{bundle_path(index)} is too short")
