"""Chunks in, messages out, for both directions. The phases of a connection are tables.

    for message in decoder.feed(chunk):
        ...  # judge it
    forward(decoder.take())

`feed` keeps the chunk at once and hands out messages one by one, so a phase or a row reader set while handling one
message holds for the next. `raw` is the frame of the message in hand, and `take()` gives, after the loop, the exact
bytes of all messages handed out since the last `take()`: what was judged is what is passed on, not a copy of it.

Memory is bounded by the limits: at most one incomplete message is kept, and none longer than its limit is begun.
"""

import struct
from collections.abc import Callable, Iterator
from enum import Enum
from functools import cache, lru_cache
from typing import Any, Final

from sekisho.wire.faults import MALFORMED, OVERSIZED, SMUGGLED, UNEXPECTED, UNKNOWN, ProtocolViolation
from sekisho.wire.postgres import backend as b
from sekisho.wire.postgres import frontend as f
from sekisho.wire.postgres.frame import DEFAULT_LIMITS, HEADER, Limits
from sekisho.wire.postgres.rows import RowReader, Rows, count_rows

_UNFIT: Final = (ValueError, IndexError, struct.error)


class _Stream:
    """The bytes received and not yet taken, and how far they were walked."""

    def __init__(self) -> None:
        self._data = b""
        self._start = 0  # of the message in hand
        self._position = 0  # behind it
        self._taken = 0  # up to where `take` has given the bytes out
        self._late: list[bytes] = []  # chunks of an incomplete message, joined once it can be complete
        self._missing = 0  # bytes of it that are still to come

    def _keep(self, chunk: bytes) -> bool:
        """Add a chunk; False when the incomplete message cannot be complete yet."""
        if self._missing > len(chunk):
            self._late.append(chunk)
            self._missing -= len(chunk)
            return False
        if self._position < len(self._data):
            chunk = b"".join((self._data[self._position :], *self._late, chunk))
            self._late.clear()
        self._data = chunk
        self._start = self._position = self._taken = self._missing = 0
        return True

    @property
    def raw(self) -> bytes:
        """The frame of the message in hand; for Rows the frames as received, before masking."""
        return self._data[self._start : self._position]

    def take(self, *, before: bool = False) -> bytes:
        """The bytes of the messages handed out since the last `take`; `before` leaves the message in hand out."""
        end = self._start if before else self._position
        taken = self._data[self._taken : end]
        self._taken = end
        if end == len(self._data):  # an idle session keeps nothing
            self._data = b""
            self._start = self._position = self._taken = 0
        return taken

    @property
    def between(self) -> bool:
        """Every message that came was handed out: the next chunk begins a new one."""
        return self._position == len(self._data)

    @property
    def held(self) -> int:
        """Bytes received and not handed out yet."""
        return len(self._data) - self._position + sum(map(len, self._late))


class ClientPhase(Enum):
    """What a client may send. The values are words for the person who reads a fault."""

    OPENING = "opening the connection"
    OPENING_NO_SSL = "opening the connection after asking for TLS"
    OPENING_NO_GSS = "opening the connection after asking for GSSAPI encryption"
    OPENING_PLAIN = "opening the connection after asking for TLS and GSSAPI encryption"
    ASKED_SSL = "waiting for the answer about TLS"
    ASKED_GSS = "waiting for the answer about GSSAPI encryption"
    ASKED_SSL_LAST = "waiting for the answer about TLS, the last question"
    ASKED_GSS_LAST = "waiting for the answer about GSSAPI encryption, the last question"
    AUTHENTICATING = "authenticating"
    READY = "logged in"
    CLOSED = "the session is closed"


_P = ClientPhase

# PostgreSQL 55.2.10 and 55.2.11: each kind of encryption is asked for at most once, before the start-up message.
OPENING: Final[dict[tuple[ClientPhase, type[f.Startup]], ClientPhase]] = {
    (_P.OPENING, f.SSLRequest): _P.ASKED_SSL,
    (_P.OPENING, f.GSSENCRequest): _P.ASKED_GSS,
    (_P.OPENING_NO_SSL, f.GSSENCRequest): _P.ASKED_GSS_LAST,
    (_P.OPENING_NO_GSS, f.SSLRequest): _P.ASKED_SSL_LAST,
    **{
        (phase, message): after
        for phase in (_P.OPENING, _P.OPENING_NO_SSL, _P.OPENING_NO_GSS, _P.OPENING_PLAIN)
        for message, after in ((f.StartupMessage, _P.AUTHENTICATING), (f.CancelRequest, _P.CLOSED))
    },
}

ANSWERED: Final[dict[ClientPhase, ClientPhase]] = {
    _P.ASKED_SSL: _P.OPENING_NO_SSL,
    _P.ASKED_GSS: _P.OPENING_NO_GSS,
    _P.ASKED_SSL_LAST: _P.OPENING_PLAIN,
    _P.ASKED_GSS_LAST: _P.OPENING_PLAIN,
}

CLIENT_MESSAGES: Final[dict[ClientPhase, tuple[type[f.FrontendMessage], ...]]] = {
    _P.AUTHENTICATING: (f.AuthenticationResponse, f.Terminate),
    _P.READY: (
        f.Query, f.Parse, f.Bind, f.Describe, f.Execute, f.Close, f.Sync, f.Flush, f.FunctionCall,
        f.CopyData, f.CopyDone, f.CopyFail, f.Terminate,
    ),
}  # fmt: skip

_CLIENT_LIMIT: Final[dict[type[f.FrontendMessage], str]] = {
    f.AuthenticationResponse: "password",
    **dict.fromkeys((f.Query, f.Parse, f.Bind, f.FunctionCall, f.CopyData), "request"),
    **dict.fromkeys((f.Describe, f.Execute, f.Close, f.Sync, f.Flush, f.CopyDone, f.CopyFail), "small"),
    f.Terminate: "small",
}

_CLIENT_NAMES: Final = {kind.KIND[0]: kind.__name__ for kind in _CLIENT_LIMIT}


Parser = Callable[[bytes], Any]


def _parser(kind: type[b.BackendMessage] | type[f.FrontendMessage], limit: str) -> Parser:
    # Sessions repeat the same few small messages for hours; their bodies are small, so is what is kept of them.
    return lru_cache(maxsize=128)(kind.parse) if limit == "small" else kind.parse


_CLIENT_PARSERS: Final = {kind: _parser(kind, limit) for kind, limit in _CLIENT_LIMIT.items()}


@cache
def _client_parsers(phase: ClientPhase, limits: Limits) -> dict[int, tuple[Parser, int]]:
    return {
        kind.KIND[0]: (_CLIENT_PARSERS[kind], getattr(limits, _CLIENT_LIMIT[kind]))
        for kind in CLIENT_MESSAGES.get(phase, ())
    }


class FrontendDecoder(_Stream):
    """Reads what a client sends, from its first byte."""

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        super().__init__()
        self.limits = limits
        self.phase = ClientPhase.OPENING
        self._admitted: tuple[ClientPhase, dict[int, tuple[Parser, int]]] = (self.phase, {})

    def feed(self, chunk: bytes) -> Iterator[f.Startup | f.FrontendMessage]:
        """Keep the chunk and hand out what is complete. Raises ProtocolViolation, after which the session ends."""
        return self._messages() if self._keep(chunk) else iter(())

    def encryption_answered(self) -> None:
        """The shell has answered SSLRequest or GSSENCRequest: the opening goes on, on this or the encrypted channel.

        Raises ProtocolViolation when bytes are already here: they came before the answer, so in clear, and would
        otherwise be read as if they had come through the encrypted channel (CVE-2021-23214).
        """
        if self.held:
            raise ProtocolViolation(SMUGGLED)
        after = ANSWERED.get(self.phase)
        if after is None:
            raise ProtocolViolation(UNEXPECTED, message="EncryptionAnswer", state=self.phase.value)
        self.phase = after

    def authenticated(self) -> None:
        """The shell has verified who the client is."""
        if self.phase is not ClientPhase.AUTHENTICATING:
            raise ProtocolViolation(UNEXPECTED, message="AuthenticationOk", state=self.phase.value)
        self.phase = ClientPhase.READY

    def _messages(self) -> Iterator[f.Startup | f.FrontendMessage]:
        phase, parsers = self._admitted
        if phase is not self.phase or not parsers:
            while self.phase not in CLIENT_MESSAGES:
                opening = self._opening()
                if opening is None:
                    return
                yield opening
            phase, parsers = self._admit()
        data, position, end = self._data, self._position, len(self._data)
        header = HEADER.unpack_from
        while end - position >= 5:
            kind, length = header(data, position)
            try:
                parse, limit = parsers[kind]
            except KeyError:
                raise _refused(_CLIENT_NAMES, kind, self.phase.value) from None
            if not 4 <= length <= limit:
                raise _unbounded(_CLIENT_NAMES[kind], length, limit)
            stop = position + 1 + length
            if stop > end:
                self._missing = stop - end
                return
            try:
                message = parse(data[position + 5 : stop])
            except _UNFIT as cause:
                raise ProtocolViolation(MALFORMED, message=_CLIENT_NAMES[kind]) from cause
            self._start = position
            self._position = position = stop
            if kind == 88:
                self.phase = ClientPhase.CLOSED
            yield message
            if self.phase is not phase:
                phase, parsers = self._admit()

    def _admit(self) -> tuple[ClientPhase, dict[int, tuple[Parser, int]]]:
        self._admitted = self.phase, _client_parsers(self.phase, self.limits)
        return self._admitted

    def _opening(self) -> f.Startup | None:
        data, position = self._data, self._position
        have = len(data) - position
        if have and self.phase in ANSWERED:
            raise ProtocolViolation(SMUGGLED)
        if have and self.phase is ClientPhase.CLOSED:
            raise ProtocolViolation(UNEXPECTED, message="further", state=self.phase.value)
        if have < 4:
            return None
        length = int.from_bytes(data[position : position + 4], "big")
        if not 8 <= length <= self.limits.startup:
            raise _unbounded("StartupMessage", length, self.limits.startup)
        if have < length:
            self._missing = length - have
            return None
        try:
            message = f.parse_startup(data[position + 4 : position + length])
        except _UNFIT as cause:
            raise ProtocolViolation(MALFORMED, message="StartupMessage") from cause
        after = OPENING.get((self.phase, type(message)))
        if after is None:
            raise ProtocolViolation(UNEXPECTED, message=type(message).__name__, state=self.phase.value)
        self.phase = after
        self._start, self._position = position, position + length
        return message


def _unbounded(message: str, length: int, limit: int) -> ProtocolViolation:
    if length < 4 or limit >= length:
        return ProtocolViolation(MALFORMED, message=message)
    return ProtocolViolation(OVERSIZED, message=message, length=length, limit=limit)


def _refused(names: dict[int, str], kind: int, state: str) -> ProtocolViolation:
    if name := names.get(kind):
        return ProtocolViolation(UNEXPECTED, message=name, state=state)
    return ProtocolViolation(UNKNOWN, message=f"0x{kind:02x}", state=state)


class ServerPhase(Enum):
    """What a server may send."""

    ASKED = "waiting for the server's answer about encryption"
    LOGGING_IN = "logging in to the server"
    READY = "logged in"


_S = ServerPhase
_ANYTIME: Final = (b.ParameterStatus, b.NoticeResponse, b.ErrorResponse)

SERVER_MESSAGES: Final[dict[ServerPhase, tuple[type[b.BackendMessage] | type[f.FrontendMessage], ...]]] = {
    _S.LOGGING_IN: (
        *_ANYTIME, b.Authentication, b.NegotiateProtocolVersion, b.BackendKeyData, b.ReadyForQuery,
    ),
    _S.READY: (
        *_ANYTIME, b.NotificationResponse, b.ReadyForQuery, b.RowDescription, b.DataRow, b.CommandComplete,
        b.EmptyQueryResponse, b.ParseComplete, b.BindComplete, b.CloseComplete, b.NoData, b.PortalSuspended,
        b.ParameterDescription, b.CopyInResponse, b.CopyOutResponse, b.CopyBothResponse, f.CopyData, f.CopyDone,
        b.FunctionCallResponse,
    ),
}  # fmt: skip

_SERVER_LIMIT: Final[dict[type[b.BackendMessage] | type[f.FrontendMessage], str]] = {
    **{kind: "report" for kinds in SERVER_MESSAGES.values() for kind in kinds},
    **dict.fromkeys((b.DataRow, f.CopyData, b.FunctionCallResponse), "row"),
    **dict.fromkeys((b.CommandComplete, b.ReadyForQuery, b.ParseComplete, b.BindComplete, b.NoData), "small"),
}
_SERVER_NAMES: Final = {kind.KIND[0]: kind.__name__ for kind in _SERVER_LIMIT}
_SERVER_PARSERS: Final = {kind: _parser(kind, limit) for kind, limit in _SERVER_LIMIT.items()}

ServerMessage = b.EncryptionAnswer | b.BackendMessage | f.FrontendMessage | Rows
"""What a server says; the two FrontendMessages among them are CopyData and CopyDone."""


class BackendDecoder(_Stream):
    """Reads what a server sends, from its first byte.

    DataRows are handed out in runs, as `Rows`, read by `rows` (see `rows.row_reader`). Whoever handles a
    RowDescription sets it for the rows that follow; at the start it only counts.
    """

    def __init__(self, limits: Limits = DEFAULT_LIMITS, *, asked_encryption: bool = False) -> None:
        super().__init__()
        self.limits = limits
        self.phase = ServerPhase.ASKED if asked_encryption else ServerPhase.LOGGING_IN
        self.rows: RowReader = count_rows
        self._parsers = _server_parsers(ServerPhase.LOGGING_IN, limits)

    def feed(self, chunk: bytes) -> Iterator[ServerMessage]:
        """Keep the chunk and hand out what is complete. Raises ProtocolViolation, after which the session ends."""
        return self._messages() if self._keep(chunk) else iter(())

    def _messages(self) -> Iterator[ServerMessage]:
        if self.phase is ServerPhase.ASKED and len(self._data) > self._position:
            yield self._answer()
        parsers = self._parsers
        data, position, end = self._data, self._position, len(self._data)
        header = HEADER.unpack_from
        while end - position >= 5:
            kind, length = header(data, position)
            try:
                parse, limit = parsers[kind]
            except KeyError:
                raise _refused(_SERVER_NAMES, kind, self.phase.value) from None
            if not 4 <= length <= limit:
                raise _unbounded(_SERVER_NAMES[kind], length, limit)
            stop = position + 1 + length
            if stop > end:
                self._missing = stop - end
                return
            self._start = position
            if kind == 68:
                position, rows = self.rows(data, position)
                if position == self._start:
                    raise ProtocolViolation(MALFORMED, message="DataRow")
                self._position = position
                yield rows
                continue
            try:
                message = parse(data[position + 5 : stop])
            except _UNFIT as cause:
                raise ProtocolViolation(MALFORMED, message=_SERVER_NAMES[kind]) from cause
            self._position = position = stop
            # Before the message is handed out: whoever gets it may stop reading here, and go on later.
            if kind == 90 and self.phase is ServerPhase.LOGGING_IN:
                self.phase = ServerPhase.READY
                self._parsers = parsers = _server_parsers(self.phase, self.limits)
            yield message

    def _answer(self) -> b.EncryptionAnswer:
        answer = self._data[self._position : self._position + 1]
        # An ErrorResponse in clear is nobody's word in particular: it is not shown (CVE-2024-10977).
        if answer not in (b"S", b"G", b"N"):
            raise _refused({}, answer[0], self.phase.value)
        if len(self._data) - self._position > 1:
            raise ProtocolViolation(SMUGGLED)
        self._start, self._position = self._position, self._position + 1
        self.phase = ServerPhase.LOGGING_IN
        return b.EncryptionAnswer(answer)


@cache
def _server_parsers(phase: ServerPhase, limits: Limits) -> dict[int, tuple[Parser, int]]:
    return {
        kind.KIND[0]: (_SERVER_PARSERS[kind], getattr(limits, _SERVER_LIMIT[kind]))
        for kind in SERVER_MESSAGES[phase]
    }
