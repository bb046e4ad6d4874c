"""What the desktop shows: raw pixels and moves in; marked and compressed rectangles of what changed out.

The pixels as the X server told them stay in this process. What only moved is told as a move (CopyRect). The marks do
not move with it, so where they would be wrong afterwards the pixels are told anew. `_wrong` is always a set of areas
that includes every pixel that the viewer will show otherwise than it should when it has made all `_moves`.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sekisho.relay.desktop.areas import Area, gather, of, overlap, size, subtract
from sekisho.relay.desktop.mark import COLOURS, Mark, forms
from sekisho.wire.rfb.messages import Copied, Pixels
from sekisho.wire.rfb.tight import LARGEST, MOST_COLOURS, WIDEST, TightEncoder, copied, update
from sekisho.wire.rfb.updates import Change

_MOST_MOVES: Final = 64  # before they become areas that are told anew
_MOST_KNOWN: Final = 256
_COMPARED: Final = 4096  # pixels from which on it is worth to look what of them really changed
_SMALL: Final = 4096  # pixels up to which a palette is made as small as it can be
_LOW: Final = 50  # rows that are not divided any more
_GROUP: Final = 0.85  # of an area that moved: then all of it is told as one move


class Picture:
    """Of one size. `apply` and `tell` are never called at the same time."""

    def __init__(self, width: int, height: int, mark: Mark) -> None:
        self._whole: Area = (0, 0, width, height)
        self._mark = mark
        self._now: NDArray[np.uint16] = np.zeros((height, width), np.uint16)
        self._moves: list[bytes] = []
        self._moved: list[Area] = []  # where they went
        self._wrong: list[Area] = []
        self._known: dict[tuple[Area, int, int], list[Area]] = {}
        self._used = np.zeros(COLOURS, np.bool_)
        self._index = np.zeros(COLOURS, np.uint8)
        self._encoder = TightEncoder()

    @property
    def changed(self) -> bool:
        return bool(self._wrong or self._moves)

    @property
    def pending(self) -> int:
        """Pixels that `tell` would have to compress, about."""
        return sum(size(area) for area in self._wrong)

    @property
    def content(self) -> NDArray[np.uint16]:
        """The screen without the marks: 5 bits each of red, green and blue."""
        return self._now

    def apply(self, changes: Sequence[Change]) -> None:
        """What the X server told in one update, in its order."""
        moves: list[Copied] = []
        for one in changes:
            if isinstance(one, Copied):
                moves.append(one)
            else:
                self._move_all(moves)
                moves = []
                self._take(one)
        self._move_all(moves)
        self._bound()

    def _take(self, told: Pixels) -> None:
        pixels = np.frombuffer(told.data, "<u2").reshape(told.height, told.width) & np.uint16(COLOURS - 1)
        here = self._now[told.y : told.y + told.height, told.x : told.x + told.width]
        area = of(told)
        if pixels.size >= _COMPARED:
            different = pixels != here
            rows, columns = np.flatnonzero(different.any(axis=1)), np.flatnonzero(different.any(axis=0))
            if not len(rows):
                return
            left, top = told.x, told.y
            area = (
                left + int(columns[0]),
                top + int(rows[0]),
                left + int(columns[-1]) + 1,
                top + int(rows[-1]) + 1,
            )
        here[:] = pixels
        self._wrong.append(area)

    def _move_all(self, moves: list[Copied]) -> None:
        for group in _together(moves):
            self._move(group)

    def _move(self, group: list[Copied]) -> None:
        """Moves by the same distance, as one: an area that is told wrongly between them is told anew."""
        across, down = group[0].x - group[0].from_x, group[0].y - group[0].from_y
        parts = [of(one) for one in group]
        whole = _around(parts)
        for one in group:
            from_here = self._now[one.from_y : one.from_y + one.height, one.from_x : one.from_x + one.width]
            self._now[one.y : one.y + one.height, one.x : one.x + one.width] = from_here
        if (
            len(parts) > 1
            and sum(map(size, parts)) >= _GROUP * size(whole)
            and self._within(whole, across, down)
        ):
            between = subtract([whole], parts)
            parts = [whole]
        else:
            between = []
        for part in parts:
            source = part[0] - across, part[1] - down, part[2] - across, part[3] - down
            taken = [found for area in self._wrong if (found := overlap(area, source))]
            self._wrong = subtract(self._wrong, [part])
            self._wrong += [(a + across, b + down, c + across, d + down) for a, b, c, d in taken]
            self._wrong += self._marked_otherwise(part, across, down)
            self._moves.append(
                copied(part[0], part[1], part[2] - part[0], part[3] - part[1], source[0], source[1])
            )
            self._moved.append(part)
        self._wrong += between

    def _within(self, area: Area, across: int, down: int) -> bool:
        left, top, right, bottom = area
        return (
            left - across >= 0
            and top - down >= 0
            and right - across <= self._whole[2]
            and bottom - down <= self._whole[3]
        )

    def _marked_otherwise(self, area: Area, across: int, down: int) -> list[Area]:
        """Where in this area the marks are not what they were where it came from."""
        known = self._known.get((area, across, down))
        if known is None:
            left, top, right, bottom = area
            codes = self._mark.codes
            source = codes[top - down : bottom - down, left - across : right - across]
            different = codes[top:bottom, left:right] != source
            known = list(_runs(different, left, top))
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[area, across, down] = known
        return known

    def _bound(self) -> None:
        if len(self._moves) > _MOST_MOVES:
            # Without its moves the viewer is wrong wherever one went, and nowhere else.
            self._wrong += self._moved
            self._moves, self._moved = [], []
        if len(self._wrong) > _MOST_MOVES:
            self._wrong = gather(self._wrong)

    def begin(self) -> None:
        """The next `tell` is the whole picture, and needs nothing that was told before."""
        self._moves, self._moved = [], []
        self._wrong = [self._whole]
        self._encoder.begin()

    def tell(self) -> bytes:
        """One update with all that changed; nothing has changed afterwards."""
        told, areas = self._moves, gather(self._wrong)
        self._moves, self._moved, self._wrong = [], [], []
        return update([*told, *(made for area in areas for made in self._rectangles(area))])

    def _rectangles(self, area: Area) -> Iterator[bytes]:
        left, top, right, bottom = area
        for x in range(left, right, WIDEST):
            wide = min(WIDEST, right - x)
            high = LARGEST // wide
            for y in range(top, bottom, high):
                yield from self._rectangle(x, y, wide, min(high, bottom - y))

    def _rectangle(self, x: int, y: int, wide: int, high: int) -> Iterator[bytes]:
        pixels = self._now[y : y + high, x : x + wide]
        self._used[pixels] = True
        colours = np.flatnonzero(self._used)
        self._used[colours] = False
        count, shown = len(colours), self._mark.forms(y, y + high)
        if count * shown > MOST_COLOURS:
            if high > _LOW:  # half of it may have fewer colours
                yield from self._rectangle(x, y, wide, high // 2)
                yield from self._rectangle(x, y + high // 2, wide, high - high // 2)
            else:
                yield self._encoder.rectangle(x, y, wide, high, self._mark.draw(pixels, x, y).tobytes())
            return
        self._index[colours] = np.arange(count, dtype=np.uint8)
        indexes = self._index[pixels]
        indexes += self._mark.codes[y : y + high, x : x + wide] * np.uint8(count)
        palette = forms()[:shown, colours].reshape(-1, 3)
        if indexes.size <= _SMALL:
            here, among = np.unique(indexes, return_inverse=True)
            palette, indexes = palette[here], among.astype(np.uint8).reshape(high, wide)
        if len(palette) == 2:
            indexes = np.packbits(indexes, axis=1)
        yield self._encoder.indexed(x, y, wide, high, palette.tobytes(), indexes.tobytes())


def _together(moves: list[Copied]) -> Iterator[list[Copied]]:
    """Runs of moves by the same distance."""
    group: list[Copied] = []
    for one in moves:
        if group and (one.x - one.from_x, one.y - one.from_y) != (
            group[0].x - group[0].from_x,
            group[0].y - group[0].from_y,
        ):
            yield group
            group = []
        group.append(one)
    if group:
        yield group


def _around(areas: Iterable[Area]) -> Area:
    lefts, tops, rights, bottoms = zip(*areas, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _runs(different: NDArray[np.bool_], left: int, top: int) -> Iterator[Area]:
    """Areas around what differs, one for each run of rows."""
    rows = np.flatnonzero(different.any(axis=1))
    if not len(rows):
        return
    for run in np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1):
        first, last = int(run[0]), int(run[-1]) + 1
        columns = np.flatnonzero(different[first:last].any(axis=0))
        yield left + int(columns[0]), top + first, left + int(columns[-1]) + 1, top + last
