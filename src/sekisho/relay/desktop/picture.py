"""What the desktop shows: raw pixels in, marked and compressed rectangles of what changed out.

The pixels as the X server told them stay in this process. Only what really changed is sent: a scrolling terminal is
told as a whole window, of which most is blank before and after.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sekisho.relay.desktop.mark import Mark
from sekisho.wire.rfb.messages import Pixels
from sekisho.wire.rfb.tight import LARGEST, WIDEST, TightEncoder, update

_MOST: Final = 32  # areas, before they become one
Area = tuple[int, int, int, int]  # left, top, right, bottom


class Picture:
    """Of one size. `take` and `tell` are never called at the same time."""

    def __init__(self, width: int, height: int, mark: Mark) -> None:
        self._width, self._height = width, height
        self._mark = mark
        self._now: NDArray[np.uint32] = np.zeros((height, width), np.uint32)
        self._changed: list[Area] = []
        self._encoder = TightEncoder()

    @property
    def changed(self) -> bool:
        return bool(self._changed)

    def take(self, told: Pixels) -> None:
        pixels = np.frombuffer(told.data, "<u4").reshape(told.height, told.width)
        here = self._now[told.y : told.y + told.height, told.x : told.x + told.width]
        different = pixels != here
        rows, columns = np.flatnonzero(different.any(axis=1)), np.flatnonzero(different.any(axis=0))
        if not len(rows):
            return
        here[:] = pixels
        self._changed.append(
            (told.x + int(columns[0]), told.y + int(rows[0]), told.x + int(columns[-1]) + 1, told.y + int(rows[-1]) + 1)
        )  # fmt: skip
        if len(self._changed) > _MOST:
            self._changed = [_around(self._changed)]

    def begin(self) -> None:
        """The next `tell` is the whole picture, and needs nothing that was told before."""
        self._changed = [(0, 0, self._width, self._height)]
        self._encoder.begin()

    def tell(self) -> bytes:
        """One update with all that changed; nothing has changed afterwards."""
        areas, self._changed = self._changed, []
        return update([told for area in areas for told in self._rectangles(area)])

    def _rectangles(self, area: Area) -> list[bytes]:
        left, top, right, bottom = area
        made = []
        for x in range(left, right, WIDEST):
            wide = min(WIDEST, right - x)
            high = LARGEST // wide
            for y in range(top, bottom, high):
                part = self._now[y : min(y + high, bottom), x : x + wide]
                bytes4 = np.ascontiguousarray(part).view(np.uint8).reshape(*part.shape, 4)
                pixels = np.ascontiguousarray(bytes4[:, :, 2::-1])  # blue, green, red, 0
                self._mark.draw(pixels, x, y)
                made.append(self._encoder.rectangle(x, y, wide, part.shape[0], pixels.tobytes()))
        return made


def _around(areas: list[Area]) -> Area:
    lefts, tops, rights, bottoms = zip(*areas, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)
