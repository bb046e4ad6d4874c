"""The frame around every message, the limits on its size, and the field types of PostgreSQL 55.6."""

import struct
from typing import Final

import msgspec

HEADER: Final = struct.Struct(">BI")
INT16: Final = struct.Struct(">h")
INT32: Final = struct.Struct(">i")
UINT32: Final = struct.Struct(">I")

# PostgreSQL 55.2.1: these stand where a start-up packet has its protocol version.
PROTOCOL_3_0: Final = 3 << 16
CANCEL_REQUEST: Final = 80877102
SSL_REQUEST: Final = 80877103
GSSENC_REQUEST: Final = 80877104


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The longest message accepted, in bytes of its length field, by what it carries.

    The defaults for `startup` and `small` are the server's own (MAX_STARTUP_PACKET_LENGTH and
    PQ_SMALL_MESSAGE_LIMIT in PostgreSQL 15); the others bound the memory of one session.
    """

    startup: int = 10_000
    small: int = 10_000
    password: int = 65_535
    report: int = 1 << 20
    request: int = 16 << 20
    row: int = 16 << 20


DEFAULT_LIMITS: Final = Limits()


def frame(kind: bytes, body: bytes = b"") -> bytes:
    # PostgreSQL 55.7: the length includes itself and excludes the type byte.
    return kind + UINT32.pack(len(body) + 4) + body


def cstring(value: bytes) -> bytes:
    if 0 in value:
        raise ValueError("a string of this protocol cannot hold a zero byte")
    return value + b"\0"


def counted(value: bytes | None) -> bytes:
    """A value behind its length; NULL is the length -1."""
    return b"\xff\xff\xff\xff" if value is None else INT32.pack(len(value)) + value


def int16s(values: tuple[int, ...]) -> bytes:
    return struct.pack(f">H{len(values)}h", len(values), *values)


class Fields:
    """Reads the fields of one message body in order.

    Raises ValueError or struct.error at anything that does not fit; the decoder turns both into a
    ProtocolViolation that names the message.
    """

    __slots__ = ("_body", "_position")

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._position = 0

    def cstring(self) -> bytes:
        end = self._body.index(0, self._position)
        value = self._body[self._position : end]
        self._position = end + 1
        return value

    def take(self, length: int) -> bytes:
        end = self._position + length
        if length < 0 or end > len(self._body):
            raise ValueError("a field reaches past the end of its message")
        value = self._body[self._position : end]
        self._position = end
        return value

    def rest(self) -> bytes:
        return self.take(len(self._body) - self._position)

    def byte(self) -> bytes:
        return self.take(1)

    def int16(self) -> int:
        (value,) = INT16.unpack(self.take(2))
        return int(value)

    def count(self) -> int:
        # Counts are unsigned in practice: libpq sends up to 65,535 parameters in this field.
        return int.from_bytes(self.take(2), "big")

    def int32(self) -> int:
        (value,) = INT32.unpack(self.take(4))
        return int(value)

    def uint32(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def int16s(self) -> tuple[int, ...]:
        count = self.count()
        return struct.unpack(f">{count}h", self.take(2 * count))

    def uint32s(self, count: int) -> tuple[int, ...]:
        return struct.unpack(f">{count}I", self.take(4 * count))

    def counted(self) -> bytes | None:
        length = self.int32()
        return None if length == -1 else self.take(length)

    def at_end(self) -> bool:
        return self._position == len(self._body)

    def finish(self) -> None:
        if not self.at_end():
            raise ValueError("bytes are left over after the last field")
