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
        self.moves = 0
        self._streams = [zlib.decompressobj() for _ in range(4)]

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
        if encoding == 1:
            self._copy(x, y, width, height, *struct.unpack("!HH", self._take(4)))
            self.moves += 1
            return
        assert encoding == 7
        pixels = self._tight(width, height)
        assert len(pixels) == width * height * 3
        for row in range(height):
            at = ((y + row) * self.width + x) * 3
            self.picture[at : at + width * 3] = pixels[row * width * 3 : (row + 1) * width * 3]

    def _copy(self, x: int, y: int, width: int, height: int, from_x: int, from_y: int) -> None:
        rows = [((from_y + row) * self.width + from_x) * 3 for row in range(height)]
        taken = [bytes(self.picture[at : at + width * 3]) for at in rows]
        for row, data in enumerate(taken):
            at = ((y + row) * self.width + x) * 3
            self.picture[at : at + width * 3] = data

    def _tight(self, width: int, height: int) -> bytes:
        control = self._take(1)[0]
        for number in range(4):
            if control >> number & 1:
                self._streams[number] = zlib.decompressobj()
        if control >> 4 == 8:
            return self._take(3) * (width * height)
        assert control >> 4 < 8
        if not (control & 0x40 and self._take(1)[0] == 1):
            return self._data(control >> 4 & 3, width * height * 3)
        count = self._take(1)[0] + 1
        colours = [self._take(3) for _ in range(count)]
        if count > 2:
            return b"".join(colours[index] for index in self._data(control >> 4 & 3, width * height))
        wide = (width + 7) // 8
        bits = self._data(control >> 4 & 3, wide * height)
        return b"".join(
            colours[bits[row * wide + place // 8] >> (7 - place % 8) & 1]
            for row in range(height)
            for place in range(width)
        )

    def _data(self, stream: int, size: int) -> bytes:
        data = self._take(size) if size < 12 else self._streams[stream].decompress(self._take(self._length()))
        assert len(data) == size
        return data

    def _length(self) -> int:
        length = 0
        for shift in (0, 7, 14):
            byte = self._take(1)[0]
            length |= (byte if shift == 14 else byte & 0x7F) << shift
            if shift < 14 and not byte & 0x80:
                break
        return length
