"""Messages that a client sends (PostgreSQL 55.7, "F" and "F & B").

Names, SQL and values stay bytes: their encoding is the session's, and what is passed on or hashed must be exactly
what was sent. Each class knows its type byte (`KIND`), how to read its body (`parse`) and how to write itself as a
whole frame (`encode`).
"""

import struct
from typing import ClassVar, Final, Literal, Self

import msgspec

from sekisho.wire.postgres.frame import (
    CANCEL_REQUEST,
    GSSENC_REQUEST,
    INT16,
    INT32,
    PROTOCOL_3_0,
    SSL_REQUEST,
    UINT32,
    Fields,
    counted,
    cstring,
    frame,
    int16s,
)

Target = Literal[b"S", b"P"]
STATEMENT: Final = b"S"
PORTAL: Final = b"P"


class Startup(msgspec.Struct, frozen=True, gc=False):
    """A packet without a type byte, which opens the connection."""

    def encode(self) -> bytes:
        raise NotImplementedError


class SSLRequest(Startup, frozen=True, gc=False):
    def encode(self) -> bytes:
        return UINT32.pack(8) + UINT32.pack(SSL_REQUEST)


class GSSENCRequest(Startup, frozen=True, gc=False):
    def encode(self) -> bytes:
        return UINT32.pack(8) + UINT32.pack(GSSENC_REQUEST)


class CancelRequest(Startup, frozen=True, gc=False):
    process_id: int
    secret_key: bytes

    def encode(self) -> bytes:
        body = UINT32.pack(CANCEL_REQUEST) + UINT32.pack(self.process_id) + self.secret_key
        return UINT32.pack(len(body) + 4) + body

    def __repr__(self) -> str:
        # Whoever knows the key can cancel; it must not reach a log.
        return f"CancelRequest(process_id={self.process_id})"


class StartupMessage(Startup, frozen=True):
    """`parameters` keeps the client's order. Options named `_pq_.…` ask for protocol extensions."""

    parameters: dict[str, str]
    minor: int = 0

    @property
    def extensions(self) -> tuple[str, ...]:
        return tuple(name for name in self.parameters if name.startswith("_pq_."))

    def encode(self) -> bytes:
        body = UINT32.pack(PROTOCOL_3_0 + self.minor) + b"".join(
            cstring(name.encode()) + cstring(value.encode()) for name, value in self.parameters.items()
        )
        return UINT32.pack(len(body) + 5) + body + b"\0"


def parse_startup(body: bytes) -> Startup:
    """Read a start-up packet (without its length). Raises ValueError, which UnicodeDecodeError is."""
    fields = Fields(body)
    code = fields.uint32()
    if code in (SSL_REQUEST, GSSENC_REQUEST):
        fields.finish()
        return SSLRequest() if code == SSL_REQUEST else GSSENCRequest()
    if code == CANCEL_REQUEST:
        # Protocol 3.0 has a key of four bytes; longer ones came with 3.2 (PostgreSQL 18).
        request = CancelRequest(fields.uint32(), fields.take(4))
        fields.finish()
        return request
    if code >> 16 != 3:
        raise ValueError("this is not protocol version 3")
    parameters: dict[str, str] = {}
    while name := fields.cstring():
        if name.decode() in parameters:
            raise ValueError("a start-up parameter is given twice")
        parameters[name.decode()] = fields.cstring().decode()
    fields.finish()
    return StartupMessage(parameters, code & 0xFFFF)


class FrontendMessage(msgspec.Struct, frozen=True, gc=False):
    """Any message of a client after the start-up packet."""

    KIND: ClassVar[bytes]

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """For messages without a body."""
        if body:
            raise ValueError("this message has no body")
        return cls()

    def encode(self) -> bytes:
        return frame(self.KIND)


class AuthenticationResponse(FrontendMessage, frozen=True, gc=False):
    """Type 'p': what it means depends on what the server asked, so the reader of `data` says which."""

    KIND: ClassVar[bytes] = b"p"
    data: bytes

    def __repr__(self) -> str:
        return "AuthenticationResponse(…)"

    @classmethod
    def parse(cls, body: bytes) -> Self:
        return cls(body)

    def encode(self) -> bytes:
        return frame(b"p", self.data)

    def password(self) -> bytes:
        """As PasswordMessage. Raises ValueError."""
        fields = Fields(self.data)
        value = fields.cstring()
        fields.finish()
        return value

    def sasl_initial(self) -> tuple[bytes, bytes | None]:
        """As SASLInitialResponse: mechanism and first data. Raises ValueError or struct.error."""
        fields = Fields(self.data)
        mechanism, data = fields.cstring(), fields.counted()
        fields.finish()
        return mechanism, data

    @classmethod
    def of_password(cls, password: bytes) -> Self:
        return cls(cstring(password))

    @classmethod
    def of_sasl_initial(cls, mechanism: bytes, data: bytes | None) -> Self:
        return cls(cstring(mechanism) + counted(data))


class Query(FrontendMessage, frozen=True, gc=False):
    KIND: ClassVar[bytes] = b"Q"
    sql: bytes

    @classmethod
    def parse(cls, body: bytes) -> Self:
        if body.find(0) != len(body) - 1 or not body:
            raise ValueError("the SQL text must end, and end once, with a zero byte")
        return cls(body[:-1])

    def encode(self) -> bytes:
        return frame(b"Q", cstring(self.sql))


class Parse(FrontendMessage, frozen=True, gc=False):
    KIND: ClassVar[bytes] = b"P"
    name: bytes
    sql: bytes
    parameter_types: tuple[int, ...] = ()

    @classmethod
    def parse(cls, body: bytes) -> Self:
        fields = Fields(body)
        message = cls(fields.cstring(), fields.cstring(), fields.uint32s(fields.count()))
        fields.finish()
        return message

    def encode(self) -> bytes:
        count = len(self.parameter_types)
        types = struct.pack(f">H{count}I", count, *self.parameter_types)
        return frame(b"P", cstring(self.name) + cstring(self.sql) + types)


class Bind(FrontendMessage, frozen=True, gc=False):
    KIND: ClassVar[bytes] = b"B"
    portal: bytes = b""
    statement: bytes = b""
    parameter_formats: tuple[int, ...] = ()
    parameters: tuple[bytes | None, ...] = ()
    result_formats: tuple[int, ...] = ()

    @classmethod
    def parse(cls, body: bytes) -> Self:
        # Written out, not through Fields: this is the longest message of the hot loop (docs/wire-postgres.md).
        portal, statement, rest = body.split(b"\0", 2)
        formats, position = _int16s(rest, 0)
        count = rest[position] << 8 | rest[position + 1]
        position += 2
        parameters: list[bytes | None] = []
        for _ in range(count):
            (length,) = _INT32(rest, position)
            position += 4
            if length >= 0:
                end = position + length
                parameters.append(rest[position:end])
                position = end
            elif length == -1:
                parameters.append(None)
            else:
                raise ValueError("a parameter has a negative length")
        # A parameter that reached past the end leaves no byte for the formats, which raises here.
        results, position = _int16s(rest, position)
        if position != len(rest):
            raise ValueError("bytes are left over after the last field")
        return cls(portal, statement, formats, tuple(parameters), results)

    def encode(self) -> bytes:
        values = len(self.parameters).to_bytes(2, "big") + b"".join(map(counted, self.parameters))
        return frame(
            b"B",
            cstring(self.portal)
            + cstring(self.statement)
            + int16s(self.parameter_formats)
            + values
            + int16s(self.result_formats),
        )


_INT32: Final = INT32.unpack_from
_ONE_FORMAT: Final = {b"\0\1\0\0": (0,), b"\0\1\0\1": (1,)}


def _int16s(body: bytes, position: int) -> tuple[tuple[int, ...], int]:
    if formats := _ONE_FORMAT.get(body[position : position + 4]):
        return formats, position + 4
    count = body[position] << 8 | body[position + 1]
    position += 2
    return struct.unpack_from(f">{count}h", body, position), position + 2 * count


class _Named(FrontendMessage, frozen=True, gc=False):
    target: Target = b"S"
    name: bytes = b""

    @classmethod
    def parse(cls, body: bytes) -> Self:
        fields = Fields(body)
        target, name = fields.byte(), fields.cstring()
        fields.finish()
        if target == b"S":
            return cls(b"S", name)
        if target == b"P":
            return cls(b"P", name)
        raise ValueError("neither a statement nor a portal is meant")

    def encode(self) -> bytes:
        return frame(self.KIND, self.target + cstring(self.name))


class Describe(_Named, frozen=True, gc=False):
    KIND: ClassVar[bytes] = b"D"


class Close(_Named, frozen=True, gc=False):
    KIND: ClassVar[bytes] = b"C"


class Execute(FrontendMessage, frozen=True, gc=False):
    """`max_rows` 0 means no limit."""

    KIND: ClassVar[bytes] = b"E"
    portal: bytes = b""
    max_rows: int = 0

    @classmethod
    def parse(cls, body: bytes) -> Self:
        fields = Fields(body)
        message = cls(fields.cstring(), fields.int32())
        fields.finish()
        return message

    def encode(self) -> bytes:
        return frame(b"E", cstring(self.portal) + INT32.pack(self.max_rows))


class Sync(FrontendMessage, frozen=True, gc=False):
    KIND: ClassVar[bytes] = b"S"


class Flush(FrontendMessage, frozen=True, gc=False):
    KIND: ClassVar[bytes] = b"H"


class Terminate(FrontendMessage, frozen=True, gc=False):
    KIND: ClassVar[bytes] = b"X"


class FunctionCall(FrontendMessage, frozen=True, gc=False):
    KIND: ClassVar[bytes] = b"F"
    function: int
    argument_formats: tuple[int, ...]
    arguments: tuple[bytes | None, ...]
    result_format: int

    @classmethod
    def parse(cls, body: bytes) -> Self:
        fields = Fields(body)
        function, formats = fields.uint32(), fields.int16s()
        arguments = tuple(fields.counted() for _ in range(fields.count()))
        message = cls(function, formats, arguments, fields.int16())
        fields.finish()
        return message

    def encode(self) -> bytes:
        values = len(self.arguments).to_bytes(2, "big") + b"".join(map(counted, self.arguments))
        head = UINT32.pack(self.function) + int16s(self.argument_formats)
        return frame(b"F", head + values + INT16.pack(self.result_format))


class CopyData(FrontendMessage, frozen=True, gc=False):
    """Sent by both sides, as is CopyDone."""

    KIND: ClassVar[bytes] = b"d"
    data: bytes

    @classmethod
    def parse(cls, body: bytes) -> Self:
        return cls(body)

    def encode(self) -> bytes:
        return frame(b"d", self.data)


class CopyDone(FrontendMessage, frozen=True, gc=False):
    KIND: ClassVar[bytes] = b"c"


class CopyFail(FrontendMessage, frozen=True, gc=False):
    KIND: ClassVar[bytes] = b"f"
    reason: bytes

    @classmethod
    def parse(cls, body: bytes) -> Self:
        fields = Fields(body)
        message = cls(fields.cstring())
        fields.finish()
        return message

    def encode(self) -> bytes:
        return frame(b"f", cstring(self.reason))
