"""Tight rectangles (rfbproto, "Tight Encoding"): basic compression without a filter, or one colour. Lossless.

One zlib stream a connection, which a picture of the whole screen begins anew: whoever replays may begin there.
"""

import struct
import zlib
from typing import Final

from sekisho.wire.rfb.messages import TIGHT

_LEVEL: Final = 1
_SMALLEST: Final = 12  # fewer bytes stand uncompressed, without a length
_FILL: Final = 0x80
_RESET: Final = 0x01  # stream 0 begins anew
WIDEST: Final = 2048
LARGEST: Final = 1 << 20  # pixels of one rectangle: its compressed length has 22 bits


class TightEncoder:
    def __init__(self) -> None:
        self._stream = zlib.compressobj(_LEVEL)
        self._begun = True

    def begin(self) -> None:
        """The next rectangle needs nothing that was sent before."""
        self._stream = zlib.compressobj(_LEVEL)
        self._begun = True

    def rectangle(self, x: int, y: int, width: int, height: int, pixels: bytes) -> bytes:
        """`pixels` are red, green, blue."""
        if width > WIDEST or width * height > LARGEST or len(pixels) != width * height * 3:
            raise ValueError("no Tight rectangle has this size")
        head = struct.pack("!HHHHi", x, y, width, height, TIGHT)
        if pixels == pixels[:3] * (width * height):
            return head + bytes((_FILL,)) + pixels[:3]
        control = bytes((_RESET if self._begun else 0,))
        self._begun = False
        if len(pixels) < _SMALLEST:
            return head + control + pixels
        data = self._stream.compress(pixels) + self._stream.flush(zlib.Z_SYNC_FLUSH)
        return head + control + _compact(len(data)) + data


def update(rectangles: list[bytes]) -> bytes:
    """FramebufferUpdate, RFC 6143 7.6.1."""
    return struct.pack("!BxH", 0, len(rectangles)) + b"".join(rectangles)


def _compact(length: int) -> bytes:
    """7, 7 and 8 bits, the lowest first; the highest bit of the first two says that more follow."""
    if length < 1 << 7:
        return bytes((length,))
    if length < 1 << 14:
        return bytes((length & 0x7F | 0x80, length >> 7))
    return bytes((length & 0x7F | 0x80, length >> 7 & 0x7F | 0x80, length >> 14))
