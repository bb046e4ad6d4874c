"""The side of the browser: we are the server, and tell a screen of one size.

Taken from it: what RFC 6143 7.5 lists. Clipboard text is dropped; no extension is offered, so every other type ends
the session. Of the encodings that it names only Tight is used, and Tight needs no pixel format of the browser: its
pixels are always red, green, blue. A quality level, which would allow JPEG, is passed over like any encoding.
"""

import struct
from typing import Final

from sekisho.faults import Fault
from sekisho.wire.rfb.faults import NOT_RFB, UNKNOWN_MESSAGE
from sekisho.wire.rfb.messages import (
    NO_SECURITY,
    PIXEL_FORMAT,
    TIGHT,
    VERSION,
    Asked,
    Dropped,
    Key,
    Opened,
    Pointer,
    Reading,
    Steps,
    check_size,
    read_text,
)

ScreenEvent = Opened | Key | Pointer | Asked | Dropped
_MOST_ENCODINGS: Final = 256


class ScreenSide:
    """One connection. `greeting` goes out first."""

    def __init__(self, width: int, height: int, name: str) -> None:
        check_size(width, height)
        self._width, self._height, self._name = width, height, name.encode()
        self._events: list[ScreenEvent] = []
        self._answers = bytearray()
        self._reading = Reading(self._steps())

    @staticmethod
    def greeting() -> bytes:
        return VERSION

    def feed(self, data: bytes) -> tuple[list[ScreenEvent], bytes]:
        """What was said, and what goes out for it. Raises Fault; what was said before in the same piece is lost with
        the session."""
        self._reading.feed(data)
        events, answers = self._events, bytes(self._answers)
        self._events = []
        self._answers.clear()
        return events, answers

    def _steps(self) -> Steps:
        if (yield len(VERSION)) != VERSION:
            raise Fault(NOT_RFB, reason="version")
        self._answers += bytes((1, NO_SECURITY))
        if (yield 1)[0] != NO_SECURITY:
            raise Fault(NOT_RFB, reason="security type")
        self._answers += bytes(4)
        yield 1  # ClientInit: there is only one viewer at a time, whatever it wants to share
        self._answers += struct.pack("!HH", self._width, self._height) + PIXEL_FORMAT
        self._answers += struct.pack("!I", len(self._name)) + self._name
        self._events.append(Opened(self._width, self._height))
        tight = False
        while True:
            match kind := (yield 1)[0]:
                case 0:
                    _check_format((yield 19)[3:])
                case 2:
                    (count,) = struct.unpack("!xH", (yield 3))
                    if count > _MOST_ENCODINGS:
                        raise Fault(NOT_RFB, reason="encodings")
                    tight = TIGHT in struct.unpack(f"!{count}i", (yield count * 4))
                case 3:
                    asked = Asked(*_area((yield 9), self._width, self._height))
                    if not tight:
                        raise Fault(NOT_RFB, reason="no Tight encoding")
                    self._events.append(asked)
                case 4:
                    down, keysym = struct.unpack("!B2xI", (yield 7))
                    self._events.append(Key(down != 0, keysym))
                case 5:
                    buttons, x, y = struct.unpack("!BHH", (yield 5))
                    # A pointer can be dragged off the screen; there is nothing to point at.
                    self._events.append(Pointer(buttons, min(x, self._width - 1), min(y, self._height - 1)))
                case 6:
                    (length,) = struct.unpack("!3xI", (yield 7))
                    yield from read_text(length)
                    self._events.append(Dropped("clipboard", length))
                case _:
                    raise Fault(UNKNOWN_MESSAGE, type=kind)


def _check_format(said: bytes) -> None:
    """True colour of 8 bits each: what Tight's pixels are made of (rfbproto, TPIXEL)."""
    bits, depth, _, true_colour, red, green, blue = struct.unpack_from("!BBBBHHH", said)
    if (bits, depth, true_colour != 0, red, green, blue) != (32, 24, True, 255, 255, 255):
        raise Fault(NOT_RFB, reason="pixel format")


def _area(said: bytes, width: int, height: int) -> tuple[bool, int, int, int, int]:
    """What of the area is on the screen."""
    changes, x, y, wide, high = struct.unpack("!BHHHH", said)
    x, y = min(x, width), min(y, height)
    return changes != 0, x, y, min(wide, width - x), min(high, height - y)
