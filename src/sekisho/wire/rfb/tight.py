"""Tight rectangles (rfbproto, "Tight Encoding"): basic compression with a palette or without a filter, or one colour;
and CopyRect. Lossless.

Two zlib streams a connection, one for each filter, which a picture of the whole screen begins anew: whoever replays
may begin there.
"""

import struct
import zlib
from typing import Final

from sekisho.wire.rfb.messages import COPIED, TIGHT

_LEVEL: Final = 1
_SMALLEST: Final = 12  # fewer bytes stand uncompressed, without a length
_FILL: Final = 0x80
_FILTER: Final = 0x40  # the filter is named in the next byte
_PALETTE: Final = 1
_PLAIN_STREAM, _PALETTE_STREAM = 0, 1
WIDEST: Final = 2048
LARGEST: Final = 1 << 20  # pixels of one rectangle: its compressed length has 22 bits
MOST_COLOURS: Final = 256


class TightEncoder:
    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """The next rectangles need nothing that was sent before."""
        self._streams = [zlib.compressobj(_LEVEL), zlib.compressobj(_LEVEL)]
        self._begun = [True, True]

    def rectangle(self, x: int, y: int, width: int, height: int, pixels: bytes) -> bytes:
        """`pixels` are red, green, blue."""
        head = _head(x, y, width, height, TIGHT)
        if len(pixels) != width * height * 3:
            raise ValueError("no Tight rectangle has this size")
        return head + self._compressed(_PLAIN_STREAM, b"", pixels)

    def indexed(self, x: int, y: int, width: int, height: int, palette: bytes, indexes: bytes) -> bytes:
        """`palette` is red, green, blue of at most 256 colours, `indexes` a byte a pixel; of two colours, a bit a
        pixel, the first the highest, and each row begins a byte."""
        head = _head(x, y, width, height, TIGHT)
        colours = len(palette) // 3
        if colours == 1:
            return head + bytes((_FILL,)) + palette
        wide = (width + 7) // 8 if colours == 2 else width
        if not 2 <= colours <= MOST_COLOURS or len(palette) % 3 or len(indexes) != wide * height:
            raise ValueError("no Tight rectangle has this size")
        return head + self._compressed(_PALETTE_STREAM, bytes((_PALETTE, colours - 1)) + palette, indexes)

    def _compressed(self, stream: int, filtered: bytes, data: bytes) -> bytes:
        control = stream << 4 | (_FILTER if filtered else 0) | (self._begun[stream] << stream)
        self._begun[stream] = False
        if len(data) < _SMALLEST:
            return bytes((control,)) + filtered + data
        zipped = self._streams[stream].compress(data) + self._streams[stream].flush(zlib.Z_SYNC_FLUSH)
        return bytes((control,)) + filtered + _compact(len(zipped)) + zipped


def copied(x: int, y: int, width: int, height: int, from_x: int, from_y: int) -> bytes:
    """CopyRect, RFC 6143 7.7.2."""
    return _head(x, y, width, height, COPIED) + struct.pack("!HH", from_x, from_y)


def update(rectangles: list[bytes]) -> bytes:
    """FramebufferUpdate, RFC 6143 7.6.1."""
    return struct.pack("!BxH", 0, len(rectangles)) + b"".join(rectangles)


def _head(x: int, y: int, width: int, height: int, encoding: int) -> bytes:
    if encoding == TIGHT and (width > WIDEST or width * height > LARGEST):
        raise ValueError("no Tight rectangle has this size")
    return struct.pack("!HHHHi", x, y, width, height, encoding)


def _compact(length: int) -> bytes:
    """7, 7 and 8 bits, the lowest first; the highest bit of the first two says that more follow."""
    if length < 1 << 7:
        return bytes((length,))
    if length < 1 << 14:
        return bytes((length & 0x7F | 0x80, length >> 7))
    return bytes((length & 0x7F | 0x80, length >> 7 & 0x7F | 0x80, length >> 14))
