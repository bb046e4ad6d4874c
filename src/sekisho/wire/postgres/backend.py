"""Messages that a server sends (PostgreSQL 55.7, "B" and "F & B").

As in `frontend`, texts stay bytes in the session's encoding. DataRow has a class for building rows and for tests;
rows that pass through are read in runs (`rows.Rows`) and never become objects one by one. CopyData and CopyDone, which
both sides send, are in `frontend`.
"""

import struct
from functools import lru_cache
from typing import ClassVar, Final, NamedTuple, Self

import msgspec

from sekisho.wire.postgres.frame import UINT32, Fields, counted, cstring, frame, int16s


class EncryptionAnswer(msgspec.Struct, frozen=True, gc=False):
    """The single byte that answers SSLRequest (S or N) or GSSENCRequest (G or N)."""

    answer: bytes

    def encode(self) -> bytes:
        return self.answer


class BackendMessage(msgspec.Struct, frozen=True, gc=False):
    KIND: ClassVar[bytes]

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """For messages without a body."""
        if body:
            raise ValueError("this message has no body")
        return cls()

    def encode(self) -> bytes:
        return frame(self.KIND)


class Authentication(BackendMessage, frozen=True, gc=False):
    """`code` 0 Ok, 3 clear text, 5 MD5 (data: 4 bytes of salt), 10 SASL (mechanisms), 11 SASL continue,
    12 SASL final. The others are recognised so that they can be refused by name (`method`)."""

    KIND: ClassVar[bytes] = b"R"
    code: int
    data: bytes = b""

    @classmethod
    def parse(cls, body: bytes) -> Self:
        fields = Fields(body)
        message = cls(fields.uint32(), fields.rest())
        if message.code not in AUTHENTICATION_METHODS:
            raise ValueError("an unknown way to authenticate is asked for")
        if message.code == MD5 and len(message.data) != 4:
            raise ValueError("the salt of MD5 has four bytes")
        if message.code in (OK, CLEARTEXT) and message.data:
            raise ValueError("this message has no data")
        return message

    @property
    def method(self) -> str:
        return AUTHENTICATION_METHODS[self.code]

    def mechanisms(self) -> tuple[bytes, ...]:
        """The SASL mechanisms offered (code 10). Raises ValueError."""
        fields, names = Fields(self.data), []
        while name := fields.cstring():
            names.append(name)
        fields.finish()
        return tuple(names)

    @classmethod
    def sasl(cls, *mechanisms: bytes) -> Self:
        return cls(SASL, b"".join(map(cstring, mechanisms)) + b"\0")

    def encode(self) -> bytes:
        return frame(b"R", UINT32.pack(self.code) + self.data)


OK: Final = 0
CLEARTEXT: Final = 3
MD5: Final = 5
SASL: Final = 10
SASL_CONTINUE: Final = 11
SASL_FINAL: Final = 12
AUTHENTICATION_METHODS: Final = {
    OK: "ok",
    2: "kerberos",
    CLEARTEXT: "cleartext",
    MD5: "md5",
    6: "scm",
    7: "gss",
    8: "gss-continue",
    9: "sspi",
    SASL: "sasl",
    SASL_CONTINUE: "sasl-continue",
    SASL_FINAL: "sasl-final",
}


class NegotiateProtocolVersion(BackendMessage, frozen=True, gc=False):
    """The newest version spoken, and the `_pq_.` options that were not understood.

    The manual calls the number "minor", but servers send the whole version (3 << 16 | minor).
    """

    KIND: ClassVar[bytes] = b"v"
    version: int
    unrecognised: tuple[bytes, ...] = ()

    @classmethod
    def parse(cls, body: bytes) -> Self:
        fields = Fields(body)
        version, count = fields.uint32(), fields.uint32()
        if count > len(body):
            raise ValueError("more options are announced than the message can hold")
        message = cls(version, tuple(fields.cstring() for _ in range(count)))
        fields.finish()
        return message

    def encode(self) -> bytes:
        names = b"".join(map(cstring, self.unrecognised))
        return frame(b"v", UINT32.pack(self.version) + UINT32.pack(len(self.unrecognised)) + names)


class BackendKeyData(BackendMessage, frozen=True, gc=False):
    KIND: ClassVar[bytes] = b"K"
    process_id: int
    secret_key: bytes

    def __repr__(self) -> str:
        return f"BackendKeyData(process_id={self.process_id})"

    @classmethod
    def parse(cls, body: bytes) -> Self:
        fields = Fields(body)
        message = cls(fields.uint32(), fields.take(4))
        fields.finish()
        return message

    def encode(self) -> bytes:
        return frame(b"K", UINT32.pack(self.process_id) + self.secret_key)


class ParameterStatus(BackendMessage, frozen=True, gc=False):
    KIND: ClassVar[bytes] = b"S"
    name: bytes
    value: bytes

    @classmethod
    def parse(cls, body: bytes) -> Self:
        fields = Fields(body)
        message = cls(fields.cstring(), fields.cstring())
        fields.finish()
        return message

    def encode(self) -> bytes:
        return frame(b"S", cstring(self.name) + cstring(self.value))


class _Report(BackendMessage, frozen=True, gc=False):
    """Fields of PostgreSQL 55.8 in the order received: (code byte, value)."""

    fields: tuple[tuple[bytes, bytes], ...]

    @classmethod
    def parse(cls, body: bytes) -> Self:
        fields, found = Fields(body), []
        while (code := fields.byte()) != b"\0":
            found.append((code, fields.cstring()))
        fields.finish()
        return cls(tuple(found))

    def encode(self) -> bytes:
        return frame(self.KIND, b"".join(code + cstring(value) for code, value in self.fields) + b"\0")

    def field(self, code: bytes) -> bytes | None:
        return next((value for name, value in self.fields if name == code), None)

    @property
    def severity(self) -> str:
        # V is never translated and exists since 9.6; S is in the server's language.
        return (self.field(b"V") or self.field(b"S") or b"").decode(errors="replace")

    @property
    def sqlstate(self) -> str:
        return (self.field(b"C") or b"").decode(errors="replace")

    @property
    def message(self) -> str:
        return (self.field(b"M") or b"").decode(errors="replace")


class ErrorResponse(_Report, frozen=True, gc=False):
    KIND: ClassVar[bytes] = b"E"


class NoticeResponse(_Report, frozen=True, gc=False):
    KIND: ClassVar[bytes] = b"N"


class NotificationResponse(BackendMessage, frozen=True, gc=False):
    KIND: ClassVar[bytes] = b"A"
    process_id: int
    channel: bytes
    payload: bytes

    @classmethod
    def parse(cls, body: bytes) -> Self:
        fields = Fields(body)
        message = cls(fields.uint32(), fields.cstring(), fields.cstring())
        fields.finish()
        return message

    def encode(self) -> bytes:
        return frame(b"A", UINT32.pack(self.process_id) + cstring(self.channel) + cstring(self.payload))


class ReadyForQuery(BackendMessage, frozen=True, gc=False):
    """`status` I (idle), T (in a transaction) or E (in a failed one)."""

    KIND: ClassVar[bytes] = b"Z"
    status: bytes

    @classmethod
    def parse(cls, body: bytes) -> Self:
        if body != b"I" and body != b"T" and body != b"E":
            raise ValueError("an unknown transaction status")
        return cls(body)

    def encode(self) -> bytes:
        return frame(b"Z", self.status)


class Column(NamedTuple):
    """`table` and `number` are 0 for anything but a plain column of a table or view; `format` 0 text, 1 binary."""

    name: bytes
    table: int
    number: int
    type: int
    size: int
    modifier: int
    format: int


_COLUMN: Final = struct.Struct(">IhIhih")


class RowDescription(BackendMessage, frozen=True, gc=False):
    KIND: ClassVar[bytes] = b"T"
    columns: tuple[Column, ...]

    @classmethod
    def parse(cls, body: bytes) -> "RowDescription":
        # A session repeats the same few descriptions; one object per distinct body also lets a caller
        # recognise a description that it has judged before by identity. Long ones are not kept.
        return _kept(body) if len(body) <= 4096 else _described(body)

    def encode(self) -> bytes:
        columns = b"".join(cstring(column[0]) + _COLUMN.pack(*column[1:]) for column in self.columns)
        return frame(b"T", len(self.columns).to_bytes(2, "big") + columns)


def _described(body: bytes) -> RowDescription:
    fields = Fields(body)
    columns = tuple(
        Column(fields.cstring(), *_COLUMN.unpack(fields.take(_COLUMN.size))) for _ in range(fields.count())
    )
    fields.finish()
    return RowDescription(columns)


_kept: Final = lru_cache(maxsize=256)(_described)


class ParameterDescription(BackendMessage, frozen=True, gc=False):
    KIND: ClassVar[bytes] = b"t"
    types: tuple[int, ...]

    @classmethod
    def parse(cls, body: bytes) -> Self:
        fields = Fields(body)
        message = cls(fields.uint32s(fields.count()))
        fields.finish()
        return message

    def encode(self) -> bytes:
        return frame(b"t", struct.pack(f">H{len(self.types)}I", len(self.types), *self.types))


class DataRow(BackendMessage, frozen=True, gc=False):
    KIND: ClassVar[bytes] = b"D"
    values: tuple[bytes | None, ...]

    @classmethod
    def parse(cls, body: bytes) -> Self:
        fields = Fields(body)
        message = cls(tuple(fields.counted() for _ in range(fields.count())))
        fields.finish()
        return message

    def encode(self) -> bytes:
        return frame(b"D", len(self.values).to_bytes(2, "big") + b"".join(map(counted, self.values)))


class CommandComplete(BackendMessage, frozen=True, gc=False):
    KIND: ClassVar[bytes] = b"C"
    tag: bytes

    @classmethod
    def parse(cls, body: bytes) -> Self:
        if body.find(0) != len(body) - 1 or not body:
            raise ValueError("the tag must end, and end once, with a zero byte")
        return cls(body[:-1])

    def encode(self) -> bytes:
        return frame(b"C", cstring(self.tag))


class _CopyResponse(BackendMessage, frozen=True, gc=False):
    """`format` 0 text, 1 binary."""

    format: int
    column_formats: tuple[int, ...] = ()

    @classmethod
    def parse(cls, body: bytes) -> Self:
        fields = Fields(body)
        message = cls(fields.byte()[0], fields.int16s())
        fields.finish()
        return message

    def encode(self) -> bytes:
        return frame(self.KIND, bytes((self.format,)) + int16s(self.column_formats))


class CopyInResponse(_CopyResponse, frozen=True, gc=False):
    KIND: ClassVar[bytes] = b"G"


class CopyOutResponse(_CopyResponse, frozen=True, gc=False):
    KIND: ClassVar[bytes] = b"H"


class CopyBothResponse(_CopyResponse, frozen=True, gc=False):
    KIND: ClassVar[bytes] = b"W"


class FunctionCallResponse(BackendMessage, frozen=True, gc=False):
    KIND: ClassVar[bytes] = b"V"
    value: bytes | None

    @classmethod
    def parse(cls, body: bytes) -> Self:
        fields = Fields(body)
        message = cls(fields.counted())
        fields.finish()
        return message

    def encode(self) -> bytes:
        return frame(b"V", counted(self.value))


class ParseComplete(BackendMessage, frozen=True, gc=False):
    KIND: ClassVar[bytes] = b"1"


class BindComplete(BackendMessage, frozen=True, gc=False):
    KIND: ClassVar[bytes] = b"2"


class CloseComplete(BackendMessage, frozen=True, gc=False):
    KIND: ClassVar[bytes] = b"3"


class EmptyQueryResponse(BackendMessage, frozen=True, gc=False):
    KIND: ClassVar[bytes] = b"I"


class NoData(BackendMessage, frozen=True, gc=False):
    KIND: ClassVar[bytes] = b"n"


class PortalSuspended(BackendMessage, frozen=True, gc=False):
    KIND: ClassVar[bytes] = b"s"
