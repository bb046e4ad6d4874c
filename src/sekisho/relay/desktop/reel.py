"""What a desktop showed, as its recording keeps it: the pixels before the marks are drawn, and moves.

Each piece is one `output` of the recording: a byte that says whether the stream begins anew here, then zstd of
FramebufferUpdate messages. A stream begins on a black screen and with the whole picture: a replay may start there, and
so does whoever comes late to a live view. Within a stream each piece leans on those before it, so that a line of text
costs little the second time.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import zstandard
from numpy.typing import NDArray

from sekisho.wire.rfb.messages import Copied, Pixels, Reading, Steps
from sekisho.wire.rfb.updates import Change, read_update, say_update

ANEW, ON = 1, 0
_WINDOW: Final = 20  # bits: how far a piece may lean back, and the memory of each stream
_LARGEST: Final = (
    1 << 19
)  # bytes of pixels in a piece: a piece must fit into a frame even if it does not get smaller
_PARAMETERS: Final = zstandard.ZstdCompressionParameters.from_level(3, window_log=_WINDOW)


def begins(piece: bytes) -> bool:
    """Whether a replay may start at this piece."""
    return piece[:1] == bytes((ANEW,))


class ReelWriter:
    """Owned by the one session that shows the desktop."""

    def __init__(self) -> None:
        self._packer = zstandard.ZstdCompressor(compression_params=_PARAMETERS)
        self._stream = self._packer.compressobj()
        self._begun = False
        self.since = 0  # bytes since the stream began

    def whole(self, picture: NDArray[np.uint16]) -> Iterator[bytes]:
        """The stream begins anew, with everything that is on the screen."""
        self._stream, self._begun, self.since = self._packer.compressobj(), False, 0
        height, width = picture.shape
        yield from self.changes([Pixels(0, 0, width, height, picture.astype("<u2").tobytes())])

    def changes(self, changes: Sequence[Change]) -> Iterator[bytes]:
        for some in _pieces(changes):
            packed = self._stream.compress(say_update(some))
            packed += self._stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
            piece = bytes((ON if self._begun else ANEW,)) + packed
            self._begun = True
            self.since += len(piece)
            yield piece


class ReelReader:
    """Pieces in their order in, changes out; the first piece must begin a stream. Owned by one replay."""

    def __init__(self, width: int, height: int) -> None:
        self._width, self._height = width, height
        self._stream: zstandard.ZstdDecompressionObj | None = None
        self._reading: Reading
        self._changes: list[Change] = []

    def feed(self, piece: bytes) -> list[Change]:
        """Raises Fault or ZstdError on what no writer wrote."""
        if begins(piece):
            self._stream = zstandard.ZstdDecompressor(max_window_size=1 << _WINDOW).decompressobj()
            self._reading = Reading(self._steps())
        if self._stream is None:
            return []  # what came before whoever watches
        self._reading.feed(self._stream.decompress(piece[1:]))
        changes, self._changes = self._changes, []
        return changes

    def _steps(self) -> Steps:
        while True:
            yield 1
            changes = yield from read_update(self._width, self._height)
            self._changes += changes


def _pieces(changes: Sequence[Change]) -> Iterator[list[Change]]:
    some: list[Change] = []
    left = _LARGEST
    for one in changes:
        for part in [one] if isinstance(one, Copied) else _rows(one):
            size = 0 if isinstance(part, Copied) else len(part.data)
            if size > left and some:
                yield some
                some, left = [], _LARGEST
            some.append(part)
            left -= size
    if some:
        yield some


def _rows(told: Pixels) -> Iterator[Pixels]:
    wide = told.width * 2
    high = max(1, _LARGEST // wide)
    for top in range(0, told.height, high):
        rows = min(high, told.height - top)
        yield Pixels(told.x, told.y + top, told.width, rows, told.data[top * wide : (top + rows) * wide])
