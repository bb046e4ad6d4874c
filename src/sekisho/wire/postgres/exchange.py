"""Which answer belongs to which request, and what each name stands for, under pipelining.

Requests wait in the order sent; the oldest is the one being answered. `STEPS` says which messages may answer it and
where that leaves it; anything else is a ProtocolViolation. After an error in the extended protocol the server
skips everything up to the next Sync, and so does the queue (PostgreSQL 55.2.3).

Names are resolved when the server confirms, not when the client asks: a Parse that fails must not change what a name
stands for, or the record would show another statement than the one that ran.

Rows need a description that is certainly theirs. SQL can replace what a name stands for behind the protocol's back
(PREPARE, DEALLOCATE, DECLARE, CLOSE, also inside functions), so a description counts only when its portal was
described after the last thing that ran. `needs_describe` tells, before an Execute is passed on, that no Describe
precedes it; the caller then sends one of its own (`send(..., own=True)`) and keeps the answer to itself. At the answer,
`Request.description` is None unless it is certain.
"""

from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import ClassVar, Final, cast

import msgspec

from sekisho.wire.faults import TOO_MUCH_KEPT, UNEXPECTED, ProtocolViolation
from sekisho.wire.postgres import backend as b
from sekisho.wire.postgres import frontend as f
from sekisho.wire.postgres.decode import ServerMessage
from sekisho.wire.postgres.rows import Rows


class Step(Enum):
    """How far a request has been answered. The values are words for the person who reads a fault."""

    QUERY = "answering a query"
    QUERY_ROWS = "sending the rows of a query"
    QUERY_NEXT = "between the statements of a query"
    QUERY_COPY_IN = "receiving a copy"
    QUERY_COPY_OUT = "sending a copy"
    QUERY_COPY_BOTH = "streaming"
    QUERY_COPIED = "finishing a copy"
    PARSE = "parsing a statement"
    BIND = "binding a portal"
    DESCRIBE_STATEMENT = "describing a statement"
    DESCRIBE_RESULT = "describing the result of a statement"
    DESCRIBE_PORTAL = "describing a portal"
    EXECUTE = "executing a portal"
    EXECUTE_COPY_IN = "receiving a copy into a portal"
    EXECUTE_COPY_OUT = "sending a copy from a portal"
    EXECUTE_COPIED = "finishing a copy of a portal"
    CLOSE = "closing a statement or portal"
    FUNCTION = "calling a function"
    SYNC = "synchronising"
    ENDING = "about to be ready"  # only ReadyForQuery may follow
    SKIPPED = "skipping to the next Sync"  # an error ended this request
    DONE = "done"

    answers: dict[
        type[object], "Step"
    ]  # its row of STEPS: an attribute is found faster than an Enum is hashed


_S = Step

STEPS: Final[dict[Step, dict[type[object], Step]]] = {
    _S.QUERY: {
        b.RowDescription: _S.QUERY_ROWS,
        b.CommandComplete: _S.QUERY_NEXT,
        b.EmptyQueryResponse: _S.ENDING,
        b.CopyInResponse: _S.QUERY_COPY_IN,
        b.CopyOutResponse: _S.QUERY_COPY_OUT,
        b.CopyBothResponse: _S.QUERY_COPY_BOTH,
        b.ErrorResponse: _S.ENDING,
    },
    _S.QUERY_ROWS: {
        Rows: _S.QUERY_ROWS,
        b.CommandComplete: _S.QUERY_NEXT,
        b.ErrorResponse: _S.ENDING,
    },
    _S.QUERY_NEXT: {
        b.RowDescription: _S.QUERY_ROWS,
        b.CommandComplete: _S.QUERY_NEXT,
        b.CopyInResponse: _S.QUERY_COPY_IN,
        b.CopyOutResponse: _S.QUERY_COPY_OUT,
        b.ErrorResponse: _S.ENDING,
        b.ReadyForQuery: _S.DONE,
    },
    _S.QUERY_COPY_IN: {b.CommandComplete: _S.QUERY_NEXT, b.ErrorResponse: _S.ENDING},
    _S.QUERY_COPY_OUT: {
        f.CopyData: _S.QUERY_COPY_OUT,
        f.CopyDone: _S.QUERY_COPIED,
        b.ErrorResponse: _S.ENDING,
    },
    _S.QUERY_COPY_BOTH: {
        f.CopyData: _S.QUERY_COPY_BOTH,
        f.CopyDone: _S.QUERY_COPIED,
        b.ErrorResponse: _S.ENDING,
    },
    _S.QUERY_COPIED: {b.CommandComplete: _S.QUERY_NEXT, b.ErrorResponse: _S.ENDING},
    _S.PARSE: {b.ParseComplete: _S.DONE, b.ErrorResponse: _S.SKIPPED},
    _S.BIND: {b.BindComplete: _S.DONE, b.ErrorResponse: _S.SKIPPED},
    _S.DESCRIBE_STATEMENT: {b.ParameterDescription: _S.DESCRIBE_RESULT, b.ErrorResponse: _S.SKIPPED},
    _S.DESCRIBE_RESULT: {b.RowDescription: _S.DONE, b.NoData: _S.DONE, b.ErrorResponse: _S.SKIPPED},
    _S.DESCRIBE_PORTAL: {b.RowDescription: _S.DONE, b.NoData: _S.DONE, b.ErrorResponse: _S.SKIPPED},
    _S.EXECUTE: {
        Rows: _S.EXECUTE,
        b.CommandComplete: _S.DONE,
        b.EmptyQueryResponse: _S.DONE,
        b.PortalSuspended: _S.DONE,
        b.CopyInResponse: _S.EXECUTE_COPY_IN,
        b.CopyOutResponse: _S.EXECUTE_COPY_OUT,
        b.ErrorResponse: _S.SKIPPED,
    },
    _S.EXECUTE_COPY_IN: {b.CommandComplete: _S.DONE, b.ErrorResponse: _S.SKIPPED},
    _S.EXECUTE_COPY_OUT: {
        f.CopyData: _S.EXECUTE_COPY_OUT,
        f.CopyDone: _S.EXECUTE_COPIED,
        b.ErrorResponse: _S.SKIPPED,
    },
    _S.EXECUTE_COPIED: {b.CommandComplete: _S.DONE, b.ErrorResponse: _S.SKIPPED},
    _S.CLOSE: {b.CloseComplete: _S.DONE, b.ErrorResponse: _S.SKIPPED},
    _S.FUNCTION: {b.FunctionCallResponse: _S.ENDING, b.ErrorResponse: _S.ENDING},
    # A deferred constraint can still fail at Sync, which commits.
    _S.SYNC: {b.ReadyForQuery: _S.DONE, b.ErrorResponse: _S.ENDING},
    _S.ENDING: {b.ReadyForQuery: _S.DONE},
}  # fmt: skip

for _step in Step:
    _step.answers = STEPS.get(_step, {})

_BEGINNING: Final[dict[type[f.FrontendMessage], Step]] = {
    f.Query: _S.QUERY,
    f.Parse: _S.PARSE,
    f.Close: _S.CLOSE,
    f.FunctionCall: _S.FUNCTION,
}

_COPY_IN: Final = (_S.QUERY_COPY_IN, _S.QUERY_COPY_BOTH, _S.EXECUTE_COPY_IN)
_DONE: Final = _S.DONE
_BIND: Final = _S.BIND
_DESCRIBE_PORTAL: Final = _S.DESCRIBE_PORTAL
_DESCRIBE_STATEMENT: Final = _S.DESCRIBE_STATEMENT
_EXECUTE: Final = _S.EXECUTE
_SYNC: Final = _S.SYNC
_SKIPPED: Final = _S.SKIPPED

# PostgreSQL 15 tags of commands that change what names of statements or portals stand for.
_RENAMING: Final = frozenset(
    (b"PREPARE", b"DEALLOCATE", b"DEALLOCATE ALL", b"DISCARD ALL", b"DECLARE CURSOR", b"CLOSE CURSOR",
     b"CLOSE CURSOR ALL")
)  # fmt: skip


class Statement(msgspec.Struct, eq=False, frozen=True):
    """A prepared statement that the server has confirmed."""

    name: bytes
    sql: bytes
    parameter_types: tuple[int, ...]
    cost: int


class Portal(msgspec.Struct, eq=False):
    """A bound statement. `statement` is None where SQL made it or its statement (DECLARE, PREPARE)."""

    name: bytes
    statement: Statement | None = None
    parameters: tuple[bytes | None, ...] = ()
    cost: int = 0
    description: b.RowDescription | None = None


class Request(msgspec.Struct, eq=False):
    """A request in flight.

    `portal` is set for Describe and Execute of a portal once an answer arrives. `description` is that of the rows
    now being sent, and None when it is not certain. `own` marks what the caller sent on its own account, `copied`
    that the client has ended its copy data.
    """

    message: f.FrontendMessage
    step: Step
    cost: int = 0
    own: bool = False
    copied: bool = False
    portal: Portal | None = None
    description: b.RowDescription | None = None

    @property
    def done(self) -> bool:
        return self.step in (_DONE, _SKIPPED)

    @property
    def sql(self) -> bytes | None:
        """The SQL text being answered; None where it is not known, or where there is none."""
        if isinstance(self.message, f.Query | f.Parse):
            return self.message.sql
        if self.portal is not None and self.portal.statement is not None:
            return self.portal.statement.sql
        return None


class Exchange:
    """The book of one session after log-in. `send` and `answer` take constant time.

    Bounds: `in_flight` requests, and `kept_bytes` of SQL text and parameters over all that is in flight, prepared or
    bound. Beyond them `send` raises ProtocolViolation.
    """

    def __init__(self, *, in_flight: int = 16_384, kept_bytes: int = 64 << 20) -> None:
        self.statements: dict[bytes, Statement] = {}
        self.portals: dict[bytes, Portal] = {}
        self.status = b"I"
        self._waiting: deque[Request] = deque()
        self._in_flight = in_flight
        self._kept_bytes = kept_bytes
        self._kept = 0
        self._skipping = False  # the server skips what comes before the next Sync
        self._copying_in = False  # the client may send copy data
        self._described_next: bytes | None = (
            None  # portal of the last Describe sent, until something else may run
        )
        self._certain: Portal | None = None  # the same, by what the server has confirmed

    @property
    def idle(self) -> bool:
        """Nothing is in flight and no transaction is open."""
        return not self._waiting and self.status == b"I"

    @property
    def room(self) -> int:
        """Bytes that may still be kept."""
        return self._kept_bytes - self._kept

    @property
    def clear(self) -> bool:
        """Idle, and nothing is left of what came before but prepared statements."""
        return not (
            self._waiting
            or self.portals
            or self._skipping
            or self._copying_in
            or self.status != b"I"
            or self._described_next is not None
            or self._certain is not None
        )

    @property
    def current(self) -> Request | None:
        """The request that the next answer belongs to."""
        return self._waiting[0] if self._waiting else None

    @property
    def in_flight(self) -> int:
        return len(self._waiting)

    def needs_describe(self, execute: f.Execute) -> bool:
        """Whether an Execute about to be sent lacks a Describe of its portal just before it."""
        return self._described_next != execute.portal

    def send(self, message: f.FrontendMessage, *, own: bool = False) -> Request | None:
        """Note a message that is about to be passed on; None when it will have no answer of its own.

        Raises ProtocolViolation for copy data that nobody asked for, and at the bounds.
        """
        kind = type(message)
        if kind is f.Bind:
            bind = cast("f.Bind", message)
            step, cost = _BIND, 512
            for value in bind.parameters:
                if value is not None:
                    cost += len(value)
            self._described_next = None  # planning may run functions
        elif kind is f.Describe:
            describe = cast("f.Describe", message)
            step, cost = _DESCRIBE_STATEMENT, 0
            if describe.target == b"P":
                step = _DESCRIBE_PORTAL
                self._described_next = describe.name
        elif kind is f.Execute:
            step, cost = _EXECUTE, 0
            if self._described_next != cast("f.Execute", message).portal:
                self._described_next = None
        elif kind is f.Sync:
            if self._copying_in and self._waiting and self._waiting[0].step in _COPY_IN:
                return None  # PostgreSQL 55.2.6: ignored while a copy is being received
            step, cost = _SYNC, 0
            # The commit may run deferred triggers, and ends portals.
            self._described_next = None
            self._skipping = False
        elif kind in _BEGINNING:
            step, cost = _BEGINNING[kind], 0
            if isinstance(message, f.Parse):
                cost = 512 + len(message.sql)
            elif isinstance(message, f.Query):
                cost = len(message.sql)
                self._described_next = None
            elif kind is f.FunctionCall:
                self._described_next = None
        else:
            self._send_unanswered(message)
            return None
        if self._skipping:
            return None
        waiting = self._waiting
        self._copying_in = False
        self._kept += cost
        if self._kept > self._kept_bytes:
            raise ProtocolViolation(TOO_MUCH_KEPT, what="statement text", limit=self._kept_bytes)
        if len(waiting) >= self._in_flight:
            raise ProtocolViolation(TOO_MUCH_KEPT, what="requests in flight", limit=self._in_flight)
        request = Request(message, step, cost, own)
        waiting.append(request)
        return request

    def _send_unanswered(self, message: f.FrontendMessage) -> None:
        if isinstance(message, f.Flush | f.Terminate):
            return
        # Clients such as asyncpg send copy data right behind the query, before the server has agreed; a server that
        # does not agree ignores it.
        last = self._waiting[-1] if self._waiting else None
        ahead = last is not None and not last.copied and isinstance(last.message, f.Query | f.Execute)
        if self._copying_in or ahead:
            if isinstance(message, f.CopyData):
                return
            if isinstance(message, f.CopyDone | f.CopyFail):
                self._copying_in = False
                if last is not None:
                    last.copied = True
                return
        state = self._waiting[0].step.value if self._waiting else "idle"
        raise ProtocolViolation(UNEXPECTED, message=type(message).__name__, state=state)

    def answer(self, message: ServerMessage) -> Request | None:
        """The request that this message answers; None for what a server may say at any time.

        Raises ProtocolViolation for a message that does not answer the oldest request.
        """
        if not self._waiting:
            return self._unasked(message, None)
        request = self._waiting[0]
        before = request.step
        after = before.answers.get(type(message))
        if after is None:
            return self._unasked(message, request)
        request.step = after
        if before is _EXECUTE and request.portal is None:
            self._begin(request, cast("f.Execute", request.message).portal)
        if after is _DONE:
            self._waiting.popleft()
            self._EFFECTS[type(request.message)](self, request, message)
        elif after is _SKIPPED:
            self._skip()
        elif before is not after:
            self._advance(request, after, message)
        return request

    def _unasked(self, message: ServerMessage, request: Request | None) -> Request | None:
        if isinstance(message, b.ParameterStatus | b.NoticeResponse | b.NotificationResponse):
            return None
        if isinstance(message, b.ErrorResponse) and message.severity in ("FATAL", "PANIC"):
            return request  # the server ends the session on its own account
        state = "nothing is asked" if request is None else request.step.value
        raise ProtocolViolation(UNEXPECTED, message=type(message).__name__, state=state)

    def _begin(self, request: Request, name: bytes) -> None:
        """A portal runs: of all descriptions, only its own stays certain."""
        request.portal = portal = self.portals.get(name)
        if portal is not None and portal is self._certain:
            request.description = portal.description
        else:
            self._certain = None

    def _parsed(self, request: Request, _: ServerMessage) -> None:
        parse = cast("f.Parse", request.message)
        self._drop_statement(parse.name)
        self.statements[parse.name] = Statement(parse.name, parse.sql, parse.parameter_types, request.cost)

    def _bound(self, request: Request, _: ServerMessage) -> None:
        bind = cast("f.Bind", request.message)
        self._certain = None
        if bind.portal in self.portals:
            self._drop_portal(bind.portal)
        self.portals[bind.portal] = Portal(
            bind.portal, self.statements.get(bind.statement), bind.parameters, request.cost
        )

    def _described(self, request: Request, message: ServerMessage) -> None:
        describe = cast("f.Describe", request.message)
        request.description = description = message if type(message) is b.RowDescription else None
        if describe.target == b"P":
            portal = self.portals.get(describe.name)
            if portal is None:  # a cursor that SQL has declared
                portal = self.portals[describe.name] = Portal(describe.name)
            portal.description = description
            request.portal = self._certain = portal

    def _executed(self, _: Request, message: ServerMessage) -> None:
        if type(message) is b.CommandComplete and message.tag in _RENAMING:
            self._forget(message.tag)

    def _closed(self, request: Request, _: ServerMessage) -> None:
        close = cast("f.Close", request.message)
        if close.target == f.PORTAL:
            self._drop_portal(close.name)
        else:
            self._drop_statement(close.name)

    def _ready(self, request: Request, message: ServerMessage) -> None:
        self._kept -= request.cost
        self._certain = None
        self.status = status = cast("b.ReadyForQuery", message).status
        if type(request.message) is f.Query:
            # PostgreSQL 55.2.3: a simple query destroys the unnamed statement and portal.
            self._drop_statement(b"")
            self._drop_portal(b"")
        if status == b"I" and self.portals:
            for portal in self.portals.values():
                self._kept -= portal.cost
            self.portals.clear()

    def _advance(self, request: Request, after: Step, message: ServerMessage) -> None:
        """The request goes on: a query's next result, a copy, or the end of either."""
        if after is _S.QUERY_ROWS and isinstance(message, b.RowDescription):
            request.description = message
        elif after is _S.QUERY_NEXT and isinstance(message, b.CommandComplete):
            request.description = None
            if message.tag in _RENAMING:
                self._forget(message.tag)
        elif after in _COPY_IN and not request.copied:
            self._copying_in = True
            # PostgreSQL 55.2.6: a Sync that was sent before the client knew of the copy is ignored.
            while len(self._waiting) > 1 and self._waiting[1].step is _S.SYNC:
                del self._waiting[1]

    def _skip(self) -> None:
        """After an error in the extended protocol, what comes before the next Sync is never answered."""
        while self._waiting and self._waiting[0].step is not _S.SYNC:
            self._kept -= self._waiting.popleft().cost
        self._skipping = not self._waiting

    def _forget(self, tag: bytes) -> None:
        """SQL has changed what names stand for, and does not say which."""
        self._certain = None
        for name in list(self.portals):
            self._drop_portal(name)
        if b"CURSOR" not in tag:
            for name in list(self.statements):
                self._drop_statement(name)

    def _drop_statement(self, name: bytes) -> None:
        if statement := self.statements.pop(name, None):
            self._kept -= statement.cost

    def _drop_portal(self, name: bytes) -> None:
        if portal := self.portals.pop(name, None):
            self._kept -= portal.cost

    # What a request leaves behind when it is done.
    _EFFECTS: ClassVar[
        dict[type[f.FrontendMessage], Callable[["Exchange", Request, ServerMessage], None]]
    ] = {
        f.Parse: _parsed,
        f.Bind: _bound,
        f.Describe: _described,
        f.Execute: _executed,
        f.Close: _closed,
        f.Sync: _ready,
        f.Query: _ready,
        f.FunctionCall: _ready,
    }
