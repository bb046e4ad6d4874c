"""The stored form of a recording: a header, then sealed frames. Sans-io.

    header   "SEKREC1\\n", one byte of length, the recording's name
    frame    length (4 bytes) of what follows; AES-256-GCM of: kind (1), microseconds since the start (8), data

The nonce of a frame is its number, and the header is bound to each (AAD): a frame that was edited, moved, left out in
the middle or taken from another recording does not open. Each recording has a key of its own, is written once from
its first frame to its last, and is never continued after a crash, so no nonce comes twice (NIST SP 800-38D 8.2.1).
What is long is compressed first, frame by frame: every frame opens without the others.
"""

from collections.abc import Iterator
from typing import Final

import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sekisho.wire.asciicast.cast import Code, Event

MAGIC: Final = b"SEKREC1\n"
LARGEST: Final = 1 << 20  # bytes of data in one frame
_LENGTH: Final = 4
_TAG: Final = 16
_HEAD: Final = 9
_WORTH_PACKING: Final = 512
_PACKED: Final = 0x80
_CODES: Final[dict[int, Code]] = {ord("o"): "o", ord("i"): "i", ord("r"): "r", ord("m"): "m"}
_KINDS: Final = {code: kind for kind, code in _CODES.items()}


class Broken(Exception):  # noqa: N818 (a finding; who reads makes it a Fault or prints it)
    """The stored bytes are not what was written; `frame` is the number of the first one that does not open."""

    def __init__(self, frame: int, offset: int) -> None:
        super().__init__(f"frame {frame} at byte {offset} does not open")
        self.frame = frame
        self.offset = offset


def header_of(recording: str) -> bytes:
    name = recording.encode()
    return MAGIC + bytes([len(name)]) + name


class Sealer:
    """Owned by the one recording that writes with this key."""

    def __init__(self, key: bytes, recording: str) -> None:
        self._cipher = AESGCM(key)
        self._bound = header_of(recording)
        self._packer = zstandard.ZstdCompressor(level=-3, write_checksum=False)
        self.frames = 0

    def seal(self, at: int, code: Code, data: bytes) -> bytes:
        """One frame, at most LARGEST bytes of data."""
        kind = _KINDS[code]
        if len(data) >= _WORTH_PACKING:
            packed = self._packer.compress(data)
            if len(packed) < len(data) - (len(data) >> 3):
                kind, data = kind | _PACKED, packed
        head = kind.to_bytes(1, "big") + at.to_bytes(8, "big")
        sealed = self._cipher.encrypt(self.frames.to_bytes(12, "big"), head + data, self._bound)
        self.frames += 1
        return len(sealed).to_bytes(_LENGTH, "big") + sealed


class Opener:
    """Stored bytes behind the header in, in any pieces; events out. Starts at the frame of number `first`."""

    def __init__(self, key: bytes, recording: str, *, first: int = 0, offset: int | None = None) -> None:
        self._cipher = AESGCM(key)
        self._bound = header_of(recording)
        self._unpacker = zstandard.ZstdDecompressor()
        self._rest = b""
        self.frames = first
        self.offset = len(self._bound) if offset is None else offset

    @property
    def torn(self) -> int:
        """Bytes of a frame that has not come whole."""
        return len(self._rest)

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """The events of the frames that are whole. Raises Broken at the first one that does not open."""
        data = self._rest + chunk
        start = 0
        try:
            while len(data) - start >= _LENGTH:
                length = int.from_bytes(data[start : start + _LENGTH], "big")
                if not _HEAD + _TAG <= length <= LARGEST + _HEAD + _TAG:
                    raise Broken(self.frames, self.offset)
                end = start + _LENGTH + length
                if end > len(data):
                    break
                event = self._open(data[start + _LENGTH : end])
                self.frames += 1
                self.offset += end - start
                start = end
                yield event
        finally:
            self._rest = data[start:]

    def _open(self, sealed: bytes) -> Event:
        try:
            plain = self._cipher.decrypt(self.frames.to_bytes(12, "big"), sealed, self._bound)
            kind = plain[0]
            data = plain[_HEAD:]
            if kind & _PACKED:
                data = self._unpacker.decompress(data, max_output_size=LARGEST)
            return Event(int.from_bytes(plain[1:_HEAD], "big"), _CODES[kind & ~_PACKED], data)
        except (InvalidTag, KeyError, zstandard.ZstdError) as error:
            raise Broken(self.frames, self.offset) from error
