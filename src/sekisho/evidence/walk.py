"""One pass over a log folder: recompute the tree from the entries and note where the files differ from it.

The pass itself only hashes and compares, since it must do some hundred thousand entries a second. What a
difference means is told by `damage`, with the tiles as the measure where they lead to the signed root.
"""

import os
import re
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final

from sekisho.evidence.damage import Comparison, Damage, Mark
from sekisho.evidence.faults import CHANGED_WITHIN, DELETED, TRUNCATED
from sekisho.evidence.folder import read_file
from sekisho.evidence.merkle import HASH_BYTES, Frontier, leaf_hash, perfect_root
from sekisho.evidence.tiles import (
    TILE_BYTES,
    WIDTH,
    bundle_path,
    tile_path,
    unpack_entries,
    widest_partial,
    width_of,
)

Progress = Callable[[int, int], None]  # entries done, entries in all
_PROGRESS_EVERY: Final = 64  # bundles
_NUMBER: Final = re.compile(rb'\{"seq":(0|[1-9][0-9]{0,18}),')


def hash_bundle(raw: bytes, width: int, first: int, *, longer: bool) -> tuple[bytes, bool, bool]:
    """The leaf hashes of `width` entries; whether they are there (and, unless `longer`, no others); and whether
    they carry the numbers from `first` on."""
    hashes = []
    numbered = True
    position, end = 0, len(raw)
    for number in range(first, first + width):
        start = position + 2
        if start > end:
            break
        position = start + (raw[position] << 8 | raw[position + 1])
        if position > end:
            break
        entry = raw[start:position]
        hashes.append(sha256(b"\x00" + entry).digest())
        if not entry.startswith(b'{"seq":%d,' % number):
            numbered = False
    whole = len(hashes) == width and position <= end and (longer or position == end)
    return b"".join(hashes), whole, numbered


class FolderWalk:
    """`run` once; then `roots` and the rest say what was found."""

    def __init__(
        self, folder: Path, size: int, sizes: Iterable[int], progress: Progress | None = None
    ) -> None:
        """`sizes`: where the root is wanted, besides at `size`."""
        self.size = size
        self.roots: dict[int, bytes] = {}  # by size, as the entries give them
        self.damaged: list[int] = []  # bundles that differ from their level-0 tile
        self.short: set[int] = set()  # those of them that lack entries, or hold too many
        self.misnumbered: list[int] = []
        self.wrong_tiles: list[tuple[int, int, bytes]] = []  # level, index, what it should be
        self._folder = folder
        self._sizes = sorted({size, *(wanted for wanted in sizes if wanted <= size)})
        self._progress = progress
        # A checkpoint may claim any size: what no file stands for is not walked through.
        present = max(_count_present(folder / "tile" / "entries"), _count_present(folder / "tile" / "0"))
        self._bundles = min(-(-size // WIDTH), present)

    def run(self) -> None:
        roots = _Roots(self._sizes)
        upper = _UpperTiles(self._stored_tile)
        for index in range(self._bundles):
            first, width = index * WIDTH, width_of(0, index, self.size)
            row, whole, numbered = self._hash(index)
            tile = self._stored_tile(0, index, width)
            if not whole:
                self.short.add(index)
            if not whole or row != tile:
                self.damaged.append(index)
            if not numbered:
                self.misnumbered.append(index)
            # Where entries are missing, their tile stands in, so that the rest can still be checked.
            believed = row if whole else tile
            if believed is None:
                roots.lose()
                upper.lose()
            else:
                root = perfect_root(believed) if width == WIDTH else None
                roots.append(believed, root)
                upper.append(root)
            if self._progress is not None and index % _PROGRESS_EVERY == 0:
                self._progress(first, self.size)
        upper.finish()
        self.wrong_tiles = upper.wrong
        self.roots = roots.found
        if self._progress is not None:
            self._progress(self.size, self.size)

    def tile_roots(self) -> dict[int, bytes]:
        """The roots as the level-0 tiles give them, by size, as far as all tiles are there."""
        roots = _Roots(self._sizes)
        for index in range(self._bundles):
            row = self._stored_tile(0, index, width_of(0, index, self.size))
            if row is None:
                break
            roots.append(row, None)
        return roots.found

    def compare_with_tiles(self, bundles: Sequence[int]) -> list[Damage]:
        """What happened to the entries of these bundles, by their level-0 tiles (by number, without a tile)."""
        damages = self._compare(bundles, by_number=False)
        if self._bundles * WIDTH < self.size:
            damages = _merged([*damages, (DELETED, self._bundles * WIDTH, self.size - 1)])
        # What is missing up to the end was cut off.
        return [
            (TRUNCATED if one[0] is DELETED and one[2] == self.size - 1 else one[0], *one[1:])
            for one in damages
        ]

    def compare_numbers(self, bundles: Sequence[int]) -> list[Damage]:
        """What happened to the entries of these bundles, by the numbers that they carry."""
        return self._compare(bundles, by_number=True)

    def changed_with_tiles(self) -> list[Damage]:
        """Where upper tiles contradict entries that agree with their level-0 tile."""
        ranges: list[Damage] = []
        known = [(index * WIDTH, index * WIDTH + WIDTH) for index in self.damaged]
        for level, index, row in self.wrong_tiles:
            stored = self._stored_tile(level, index, len(row) // HASH_BYTES)
            if stored is None:
                continue
            span = WIDTH**level
            for offset in range(0, len(row), HASH_BYTES):
                low = (index * WIDTH + offset // HASH_BYTES) * span
                if stored[offset : offset + HASH_BYTES] == row[offset : offset + HASH_BYTES]:
                    continue
                if not any(low < stop and start < low + span for start, stop in known):
                    ranges.append((CHANGED_WITHIN, low, low + span - 1))
                    known.append((low, low + span))
        return ranges

    def _compare(self, bundles: Sequence[int], *, by_number: bool) -> list[Damage]:
        comparison = Comparison()
        chosen = set(bundles)
        last = self._bundles - 1
        damages: list[Damage] = []
        for index in bundles:
            first = index * WIDTH
            entries = self._entries(index)
            numbers = [_number(entry) for entry in entries]
            # Numbers say nothing of where the log ends.
            open_ended = index + 1 in chosen or (by_number and index == last)
            stop = None if open_ended else min(first + WIDTH, self.size)
            if by_number and stop is not None:
                stop = max(stop, _end_of_run(numbers))
            if by_number or self._stored_tile(0, index, width_of(0, index, self.size)) is None:
                marks: list[Mark] = [-1 - i if number is None else number for i, number in enumerate(numbers)]
                damages += comparison.bundle(first, marks, numbers, range, stop)
            else:
                marks = [leaf_hash(entry) for entry in entries]
                damages += comparison.bundle(first, marks, numbers, self._hashes_due, stop)
        return _merged(damages)

    def _hash(self, index: int) -> tuple[bytes, bool, bool]:
        raw, exact = self._read_bundle(index)
        return hash_bundle(raw, width_of(0, index, self.size), index * WIDTH, longer=not exact)

    def _entries(self, index: int) -> list[bytes]:
        """The entries that can be read from a damaged bundle."""
        raw, exact = self._read_bundle(index)
        entries: list[bytes] = []
        try:
            for entry in unpack_entries(raw):
                entries.append(entry)  # noqa: PERF402 (those before the cut are wanted)
        except ValueError:
            pass
        return entries if exact else entries[: width_of(0, index, self.size)]

    def _read_bundle(self, index: int) -> tuple[bytes, bool]:
        """The bundle, and whether it is the one of this tree's width; else the full one or the widest there is."""
        width = width_of(0, index, self.size)
        raw = read_file(self._folder / bundle_path(index, width))
        if raw is not None:
            return raw, True
        full = bundle_path(index)
        widest = bundle_path(index, widest_partial(self._folder, full) or WIDTH)
        return read_file(self._folder / full) or read_file(self._folder / widest) or b"", False

    def _stored_tile(self, level: int, index: int, width: int) -> bytes | None:
        for name in (tile_path(level, index, width), tile_path(level, index)):
            row = read_file(self._folder / name)
            if row is not None and len(row) >= width * HASH_BYTES:
                return row[: width * HASH_BYTES]
        return None

    def _hashes_due(self, start: int, stop: int) -> list[Mark]:
        due: list[Mark] = []
        for index in range(start // WIDTH, -(-min(stop, self.size) // WIDTH)):
            width = width_of(0, index, self.size)
            row = self._stored_tile(0, index, width)
            if row is None:  # a number is a mark that no hash found can equal
                due += range(index * WIDTH, index * WIDTH + width)
            else:
                due += [row[offset : offset + HASH_BYTES] for offset in range(0, len(row), HASH_BYTES)]
        return due[start % WIDTH : start % WIDTH + stop - start]


class _Roots:
    """Roots at the wanted sizes while rows of leaf hashes are appended."""

    def __init__(self, sizes: Sequence[int]) -> None:
        self.found: dict[int, bytes] = {}
        self._frontier: Frontier | None = Frontier()
        self._wanted = list(sizes)
        self._take(self._frontier)

    def append(self, row: bytes, root: bytes | None) -> None:
        """`root`: that of the row, where it is a full tile and known already."""
        if self._frontier is None:
            return
        if root is not None and not (self._wanted and self._wanted[0] < self._frontier.size + WIDTH):
            self._frontier.append_subtree(8, root)
            self._take(self._frontier)
            return
        for offset in range(0, len(row), HASH_BYTES):
            self._frontier.append(row[offset : offset + HASH_BYTES])
            self._take(self._frontier)

    def lose(self) -> None:
        """Hashes are missing here: no root beyond can be known."""
        self._frontier = None

    def _take(self, frontier: Frontier) -> None:
        while self._wanted and self._wanted[0] == frontier.size:
            self.found[self._wanted.pop(0)] = frontier.root()


class _UpperTiles:
    """Compares the tiles of level 1 and above while the roots of level 0 are appended."""

    def __init__(self, stored: Callable[[int, int, int], bytes | None]) -> None:
        self.wrong: list[tuple[int, int, bytes]] = []
        self._stored = stored
        self._rows: list[bytearray] = []
        self._done: list[int] = []
        self._lost = False

    def append(self, root: bytes | None) -> None:
        """`root`: that of the next tile of level 0, None when it is not full."""
        level = 0
        while root is not None and not self._lost:
            if level == len(self._rows):
                self._rows.append(bytearray())
                self._done.append(0)
            row = self._rows[level]
            row += root
            root = None
            level += 1
            if len(row) == TILE_BYTES:
                self._check(level, bytes(row))
                root = perfect_root(bytes(row))
                row.clear()

    def lose(self) -> None:
        self._lost = True

    def finish(self) -> None:
        for level, row in enumerate(self._rows, 1):
            if row and not self._lost:
                self._check(level, bytes(row))

    def _check(self, level: int, row: bytes) -> None:
        index = self._done[level - 1]
        self._done[level - 1] += 1
        if self._stored(level, index, len(row) // HASH_BYTES) != row:
            self.wrong.append((level, index, row))


def _number(entry: bytes) -> int | None:
    match = _NUMBER.match(entry)
    return int(match[1]) if match else None


def _count_present(folder: Path) -> int:
    """One more than the highest index of the tiles or bundles below `folder`, full or partial."""
    count = 0
    for path, folders, files in os.walk(folder):
        groups = [name.lstrip("x") for name in Path(path).relative_to(folder).parts]
        if path.endswith(".p"):
            continue
        for name in (*files, *(name.removesuffix(".p") for name in folders if name.endswith(".p"))):
            digits = "".join([*groups, name])
            if digits.isascii() and digits.isdigit():
                count = max(count, int(digits) + 1)
    return count


def _end_of_run(numbers: Sequence[int | None]) -> int:
    """Where the run of numbers ends that a bundle ends in; 0 when the last two are no run."""
    match numbers[-2:]:
        case [int(before), int(last)] if last == before + 1:
            return last + 1
    return 0


def _merged(damages: Sequence[Damage]) -> list[Damage]:
    """Join neighbours of one kind."""
    merged: list[Damage] = []
    for kind, first, last in damages:
        if merged and merged[-1][0] is kind and merged[-1][2] + 1 == first:
            merged[-1] = (kind, merged[-1][1], last)
        else:
            merged.append((kind, first, last))
    return merged
