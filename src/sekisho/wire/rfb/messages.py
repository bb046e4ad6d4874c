"""What both sides share: events, the two pixel formats, and reading in pieces."""

import struct
from collections.abc import Generator
from dataclasses import dataclass
from typing import Final

from sekisho.faults import Fault
from sekisho.wire.rfb.faults import NOT_RFB

VERSION: Final = b"RFB 003.008\n"
NO_SECURITY: Final = 1  # RFC 6143 7.2.1: who may connect was decided before there was a connection
RAW: Final = 0
COPIED: Final = 1  # CopyRect
TIGHT: Final = 7
LARGEST_SIDE: Final = 4096
LARGEST_TEXT: Final = 1 << 20  # clipboard text that is dropped without ending the session
# RFC 6143 7.4: 32 bits a pixel, depth 24, little-endian, true colour; a pixel is the bytes blue, green, red, 0.
PIXEL_FORMAT: Final = struct.pack("!BBBBHHHBBB3x", 32, 24, 0, 1, 255, 255, 255, 16, 8, 0)
# What we want of an X server: 16 bits a pixel, little-endian, 5 each of red, green and blue. A picture of work is text:
# half the bytes to move, and so few colours that a palette holds them.
SHORT_FORMAT: Final = struct.pack("!BBBBHHHBBB3x", 16, 15, 0, 1, 31, 31, 31, 10, 5, 0)


@dataclass(frozen=True, slots=True)
class Key:
    down: bool
    keysym: int


@dataclass(frozen=True, slots=True)
class Pointer:
    buttons: int
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Asked:
    """Pixels were asked for: all of the area, or what changes in it."""

    changes: bool
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Dropped:
    """Something was not passed on: clipboard text of so many bytes."""

    what: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Opened:
    """The handshake is over."""

    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Pixels:
    """A rectangle in SHORT_FORMAT, row after row."""

    x: int
    y: int
    width: int
    height: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Copied:
    """A rectangle shows what stood at another place of the screen before."""

    x: int
    y: int
    width: int
    height: int
    from_x: int
    from_y: int


@dataclass(frozen=True, slots=True)
class Updated:
    """All rectangles of an update were told."""


Steps = Generator[int, bytes, None]
"""A reader written as a sequence: yields how many bytes it needs next, and is sent just these."""


class Reading:
    """Feeds a reader with pieces of any size. What it raised once it raises again: nothing is read behind a fault."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._waiting = bytearray()
        self._wanted = next(steps)
        self._fault: Fault | None = None

    def feed(self, data: bytes) -> None:
        """Raises Fault."""
        if self._fault is not None:
            raise self._fault
        self._waiting += data
        try:
            while len(self._waiting) >= self._wanted:
                piece = bytes(self._waiting[: self._wanted])
                del self._waiting[: self._wanted]
                self._wanted = self._steps.send(piece)
        except Fault as fault:
            self._fault = fault
            self._waiting.clear()
            raise


def read_text(length: int) -> Generator[int, bytes, None]:
    """Pass over clipboard text without keeping it. A length with its first bit set would be an extended clipboard,
    which was never offered. Raises Fault."""
    if length > LARGEST_TEXT:
        raise Fault(NOT_RFB, reason="clipboard")
    while length:
        step = min(length, 4096)
        yield step
        length -= step


def check_size(width: int, height: int) -> None:
    """Raises Fault."""
    if not (0 < width <= LARGEST_SIDE and 0 < height <= LARGEST_SIDE):
        raise Fault(NOT_RFB, reason="size")
