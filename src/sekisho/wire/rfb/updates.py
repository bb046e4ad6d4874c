"""FramebufferUpdate (RFC 6143 7.6.1) of raw pixels in SHORT_FORMAT and of moves: what an X server tells us, and what a
recording keeps."""

import struct
from collections.abc import Generator, Sequence

from sekisho.faults import Fault
from sekisho.wire.rfb.faults import NOT_RFB
from sekisho.wire.rfb.messages import COPIED, RAW, Copied, Pixels

Change = Pixels | Copied
_MOST_RECTANGLES = 10_000


def read_update(width: int, height: int) -> Generator[int, bytes, list[Change]]:
    """What follows the message's type, on a screen of this size. Raises Fault."""
    (count,) = struct.unpack("!xH", (yield 3))
    if count > _MOST_RECTANGLES:
        raise Fault(NOT_RFB, reason="rectangles")
    changes: list[Change] = []
    for _ in range(count):
        x, y, wide, high, encoding = struct.unpack("!HHHHi", (yield 12))
        if encoding not in (RAW, COPIED) or x + wide > width or y + high > height:
            raise Fault(NOT_RFB, reason="rectangle")
        if encoding == COPIED:
            from_x, from_y = struct.unpack("!HH", (yield 4))
            if from_x + wide > width or from_y + high > height:
                raise Fault(NOT_RFB, reason="rectangle")
            if wide and high:
                changes.append(Copied(x, y, wide, high, from_x, from_y))
            continue
        data = yield wide * high * 2
        if data:
            changes.append(Pixels(x, y, wide, high, data))
    return changes


def say_update(changes: Sequence[Change]) -> bytes:
    """The message, its type first."""
    said = [struct.pack("!BxH", 0, len(changes))]
    for one in changes:
        if isinstance(one, Copied):
            head = struct.pack("!HHHHi", one.x, one.y, one.width, one.height, COPIED)
            said.append(head + struct.pack("!HH", one.from_x, one.from_y))
        else:
            said.append(struct.pack("!HHHHi", one.x, one.y, one.width, one.height, RAW) + one.data)
    return b"".join(said)
