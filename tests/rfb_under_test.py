"""A viewer of our screens that is not ours to trust: RFC 6143 and rfbproto's Tight, read straight from the text."""

import struct
import zlib


class Viewer:
    """Feeds on what a browser would receive, from the first byte on; `picture` is red, green, blue."""

    def __init__(self) -> None:
        self.data = b""
        self.width = self.height = 0
        self.picture = bytearray()
        self.updates = 0
        self._stream = zlib.decompressobj()

    HELLO = b"RFB 003.008\n" + b"\x01" + b"\x01" + struct.pack("!BxHi", 2, 1, 7)

    @staticmethod
    def ask(*, changes: bool, width: int = 65535, height: int = 65535) -> bytes:
        return struct.pack("!BBHHHH", 3, changes, 0, 0, width, height)

    def feed(self, data: bytes) -> None:
        """Whole messages only."""
        self.data += data
        if not self.width and len(self.data) >= 42:
            assert self.data[:18] == b"RFB 003.008\n\x01\x01\0\0\0\0"
            self.width, self.height, length = struct.unpack_from("!HH16xI", self.data, 18)
            self.data = self.data[42 + length :]
            self.picture = bytearray(self.width * self.height * 3)
        while self.width and self.data:
            kind, count = struct.unpack_from("!BxH", self.data)
            assert kind == 0
            self.data = self.data[4:]
            for _ in range(count):
                self._rectangle()
            self.updates += 1

    def _take(self, count: int) -> bytes:
        assert len(self.data) >= count
        taken, self.data = self.data[:count], self.data[count:]
        return taken

    def _rectangle(self) -> None:
        x, y, width, height, encoding = struct.unpack("!HHHHi", self._take(12))
        assert encoding == 7
        control = self._take(1)[0]
        size = width * height * 3
        if control == 0x80:
            pixels = self._take(3) * (width * height)
        else:
            assert control in (0, 1)
            if control & 1:
                self._stream = zlib.decompressobj()
            pixels = self._take(size) if size < 12 else self._stream.decompress(self._take(self._length()))
        assert len(pixels) == size
        for row in range(height):
            at = ((y + row) * self.width + x) * 3
            self.picture[at : at + width * 3] = pixels[row * width * 3 : (row + 1) * width * 3]

    def _length(self) -> int:
        length = 0
        for shift in (0, 7, 14):
            byte = self._take(1)[0]
            length |= (byte if shift == 14 else byte & 0x7F) << shift
            if shift < 14 and not byte & 0x80:
                break
        return length
