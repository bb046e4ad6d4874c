"""The short way of a lookup that repeats: one chunk asks, one chunk answers, both are recognised by their bytes.

Programs run one prepared statement thousands of times a second, and the general path makes nine message objects
and four requests of each run. Here a run is taken as one thing when the client's chunk is

    Bind to a confirmed statement and the unnamed portal, then Describe, Execute and Sync, always the same bytes

while nothing else is in flight, and when the target's chunk is

    BindComplete, the description last judged, rows that pass unchanged, CommandComplete of a SELECT, ReadyForQuery

`read_question` looks at everything that this asks for, once; what follows differs from it in its parameters only, as
long as nothing goes the general way (`Question.again`). Reading decides, and changes nothing: whatever is not exactly
this goes the general way, from its first byte, and a run that was asked here and is answered otherwise is first given
to the exchange as the four messages that it was. Counting, leases and the record are those of the general path.
`tests/relay/test_steady.py` holds the two against each other.
"""

import struct
from typing import Final

from sekisho.gate.budget import Meter
from sekisho.relay.postgres.persons import CountedStrangers, Persons
from sekisho.relay.postgres.plan import Plan
from sekisho.wire.faults import ProtocolViolation
from sekisho.wire.postgres import backend as b
from sekisho.wire.postgres import frontend as f
from sekisho.wire.postgres.decode import FrontendDecoder
from sekisho.wire.postgres.exchange import Exchange, Statement
from sekisho.wire.postgres.frame import HEADER, INT32
from sekisho.wire.postgres.rows import RowReader

_DESCRIBE: Final = f.Describe(f.PORTAL, b"")
_EXECUTE: Final = f.Execute(b"")
_SYNC: Final = f.Sync()
_TAIL: Final = _DESCRIBE.encode() + _EXECUTE.encode() + _SYNC.encode()
_BOUND: Final = b.BindComplete().encode()
_READY: Final = b.ReadyForQuery(b"I").encode()
_ONE_ROW: Final = b.CommandComplete(b"SELECT 1").encode() + _READY
_LONGEST_ENDING: Final = 64  # bytes: "SELECT" with a count, and ReadyForQuery
_HEADER: Final = HEADER.unpack_from
_INT32: Final = INT32.unpack_from
_BIND: Final = f.Bind.KIND[0]
_ROW: Final = b.DataRow.KIND[0]
_SHORTEST_ROW: Final = 6  # bytes: a frame without its number of columns is none

Parameters = tuple[bytes | None, ...]


class Lookup:
    """A run that was passed on to the target and is not answered yet."""

    __slots__ = ("chunk", "parameters", "sql", "started")

    def __init__(self, chunk: bytes, sql: bytes, parameters: Parameters, started: float) -> None:
        self.chunk = chunk
        self.sql = sql
        self.parameters = parameters
        self.started = started

    def messages(self) -> tuple[f.Bind, f.Describe, f.Execute, f.Sync]:
        """What the client sent."""
        return f.Bind.parse(self.chunk[5 : -len(_TAIL)]), _DESCRIBE, _EXECUTE, _SYNC


class Question:
    """What the runs of a lookup have in common on the client's side: all but the parameters' values."""

    __slots__ = ("_count", "_head", "_longest", "_start", "_tail", "sql")

    def __init__(self, bind: f.Bind, statement: Statement, longest: int) -> None:
        bare = f.Bind(b"", bind.statement, bind.parameter_formats, (), bind.result_formats).encode()
        results = 2 + 2 * len(bind.result_formats)
        self._count = len(bind.parameters)
        self._head = bare[5 : -results - 2] + self._count.to_bytes(2, "big")
        self._start = 5 + len(self._head)
        self._tail = bare[-results:] + _TAIL
        self._longest = longest
        self.sql = statement.sql

    def again(self, chunk: bytes, now: float) -> Lookup | None:
        """The run that a chunk is when it asks the same; else None."""
        if not chunk.startswith(self._head, 5) or not chunk.endswith(self._tail):
            return None
        kind, length = _HEADER(chunk, 0)
        if kind != _BIND or length > self._longest or length != len(chunk) - len(_TAIL) - 1:
            return None
        position, stop = self._start, len(chunk) - len(self._tail)
        parameters: list[bytes | None] = []
        for _ in range(self._count):
            if position >= stop:
                return None
            (size,) = _INT32(chunk, position)
            position += 4
            if size >= 0:
                parameters.append(chunk[position : position + size])
                position += size
            elif size == -1:
                parameters.append(None)
            else:
                return None
        return Lookup(chunk, self.sql, tuple(parameters), now) if position == stop else None


def read_question(chunk: bytes, decoder: FrontendDecoder, exchange: Exchange) -> Question | None:
    """What a chunk asks, if it is a lookup; None, and nothing noted, when it is anything else."""
    if chunk[:1] != b"B" or not chunk.endswith(_TAIL):
        return None
    stop = len(chunk) - len(_TAIL)
    length = int.from_bytes(chunk[1:5], "big")
    longest = min(decoder.limits.request, exchange.room - 512)
    if length != stop - 1 or length > longest:
        return None
    if not decoder.between or not exchange.clear:
        return None
    try:
        bind = f.Bind.parse(chunk[5:stop])
    except (ValueError, IndexError, struct.error):
        return None  # the general path says what is wrong
    statement = exchange.statements.get(bind.statement)
    if bind.portal or statement is None:
        return None
    return Question(bind, statement, longest)


class Known:
    """The answer that is recognised: made from the description last shown, with its plan and the reader of its rows."""

    __slots__ = ("_each", "_ending", "_head", "_key", "_longest", "_reader", "plan")

    def __init__(self, plan: Plan, reader: RowReader, key: bytes, longest: int) -> None:
        self.plan = plan
        # Nothing is masked, so the description to show is, byte for byte, the one that was judged.
        self._head = _BOUND + plan.description
        self._reader = reader
        self._each = plan.anonymous_persons
        self._key = key
        self._longest = longest
        self._ending = _ONE_ROW  # how the last recognised answer ended

    @staticmethod
    def of(plan: Plan, reader: RowReader, key: bytes, longest: int) -> "Known | None":
        """None where rows are changed on their way, recorded before they pass, or show several persons each.

        `longest` is the longest row that may pass."""
        if plan.refusal is not None or plan.masks or plan.revealed:
            return None
        if plan.anonymous_persons is None and plan.lone_subject is None:
            return None
        return Known(plan, reader, key, longest)

    def spend(self, chunk: bytes, meter: Meter, *, ahead: int | None) -> tuple[int, int, int] | None:
        """Spend for the rows of a chunk that is exactly the known answer, whole: the rows, the persons that they cost,
        and the bytes of the rows.

        None, and nothing spent, for any other chunk, and when the lease does not cover the rows and `ahead` runs like
        them: the general path asks for the next one. `ahead` is None when that is on its way."""
        if not chunk.startswith(self._head):
            return None
        start, each = len(self._head), self._each
        if each is not None and chunk.endswith(self._ending):
            # One row, and nothing in it to be looked at: it fills what lies between head and ending.
            size = len(chunk) - start - len(self._ending)
            if size > _SHORTEST_ROW:
                kind, length = _HEADER(chunk, start)
                if kind == _ROW and length == size - 1 and length <= self._longest:
                    if not each:
                        return 1, 0, size
                    if ahead is not None and meter.left < max(meter.early, ahead) + each:
                        return None
                    return (1, each, size) if meter.spend(1, (), each) else None
        if chunk[start : start + 1] != b"D" or len(chunk) > self._longest:
            return None
        return self._spend_run(chunk, start, meter, ahead)

    def _spend_run(
        self, chunk: bytes, start: int, meter: Meter, ahead: int | None
    ) -> tuple[int, int, int] | None:
        try:
            position, rows = self._reader(chunk, start)
        except ProtocolViolation:
            return None  # the general path ends the session
        ending = chunk[position:]
        if ending != self._ending:
            if not _ends_select(ending):
                return None
            self._ending = ending
        each, count, size = self._each, rows.count, position - start
        if not count:
            return None
        if each == 0:
            return count, 0, size
        if ahead is not None and meter.left < max(meter.early, ahead * count) + (each or 1) * count:
            return None
        counted = (
            Persons(self.plan, self._key).count(rows, rows.frames)
            if each is None
            else CountedStrangers(count, each)
        )
        before = meter.persons
        return (count, meter.persons - before, size) if counted.spend(meter) else None


def _ends_select(ending: bytes) -> bool:
    """Whether this is CommandComplete of a SELECT, then ReadyForQuery outside a transaction."""
    if len(ending) > _LONGEST_ENDING or not ending.endswith(_READY) or ending[:1] != b"C":
        return False
    stop = len(ending) - len(_READY)
    if int.from_bytes(ending[1:5], "big") != stop - 1:
        return False
    tag = ending[5:stop]
    return tag.startswith(b"SELECT ") and tag.find(0) == len(tag) - 1
