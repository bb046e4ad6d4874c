"""The side of the X server: we are its only viewer, and want nothing but raw pixels in our own format, and to be told
what only moved.

It runs beside whoever works in the sandbox, so nothing that it says is trusted: a rectangle off the screen, another
encoding, a colour map end the session. Clipboard text is dropped, a bell is passed over.
"""

import struct
from typing import Final

from sekisho.faults import Fault
from sekisho.wire.rfb.faults import NOT_RFB, UNKNOWN_MESSAGE
from sekisho.wire.rfb.messages import (
    COPIED,
    NO_SECURITY,
    RAW,
    SHORT_FORMAT,
    VERSION,
    Asked,
    Dropped,
    Key,
    Opened,
    Pointer,
    Reading,
    Steps,
    Updated,
    check_size,
    read_text,
)
from sekisho.wire.rfb.updates import Change, read_update

ViewerEvent = Opened | Change | Updated | Dropped
_LONGEST_NAME: Final = 4096


class ViewerSide:
    """One connection. It has nothing to say before the server."""

    def __init__(self) -> None:
        self._events: list[ViewerEvent] = []
        self._answers = bytearray()
        self._reading = Reading(self._steps())

    def feed(self, data: bytes) -> tuple[list[ViewerEvent], bytes]:
        """What was said, and what goes out for it. Raises Fault."""
        self._reading.feed(data)
        events, answers = self._events, bytes(self._answers)
        self._events = []
        self._answers.clear()
        return events, answers

    @staticmethod
    def ask(asked: Asked) -> bytes:
        return struct.pack("!BBHHHH", 3, asked.changes, asked.x, asked.y, asked.width, asked.height)

    @staticmethod
    def type(event: Key | Pointer) -> bytes:
        if isinstance(event, Key):
            return struct.pack("!BB2xI", 4, event.down, event.keysym)
        return struct.pack("!BBHH", 5, event.buttons, event.x, event.y)

    def _steps(self) -> Steps:
        if (yield len(VERSION)) != VERSION:
            raise Fault(NOT_RFB, reason="version")
        self._answers += VERSION
        count = (yield 1)[0]
        if NO_SECURITY not in (yield count):
            raise Fault(NOT_RFB, reason="security type")
        self._answers.append(NO_SECURITY)
        if any((yield 4)):
            raise Fault(NOT_RFB, reason="refused")
        self._answers.append(0)  # not shared: an earlier viewer is sent away
        width, height, length = struct.unpack("!HH16xI", (yield 24))
        check_size(width, height)
        if length > _LONGEST_NAME:
            raise Fault(NOT_RFB, reason="name")
        yield length
        self._answers += b"\0\0\0\0" + SHORT_FORMAT + struct.pack("!BxHii", 2, 2, COPIED, RAW)
        self._events.append(Opened(width, height))
        while True:
            match kind := (yield 1)[0]:
                case 0:
                    changes = yield from read_update(
                        width, height
                    )  # `feed` takes the list of events meanwhile
                    self._events += changes
                    self._events.append(Updated())
                case 2:
                    pass
                case 3:
                    (length,) = struct.unpack("!3xI", (yield 7))
                    yield from read_text(length)
                    self._events.append(Dropped("clipboard", length))
                case _:
                    raise Fault(UNKNOWN_MESSAGE, type=kind)
