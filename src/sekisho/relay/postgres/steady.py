"""The short way of a lookup that repeats: one chunk asks, one chunk answers, both are recognised by their bytes.

Programs run one prepared statement thousands of times a second, and the general path makes nine message objects
and four requests of each run. Here a run is taken as one thing when the client's chunk is

    Bind to a confirmed statement and the unnamed portal, then Describe, Execute and Sync, always the same bytes

while nothing else is in flight, and when the target's chunk is

    BindComplete, the description last judged, rows that pass unchanged, CommandComplete of a SELECT, ReadyForQuery

Reading decides, and changes nothing: whatever is not exactly this goes the general way, from its first byte, and a
run that was asked here and is answered otherwise is first given to the exchange as the four messages that it was.
Counting, leases and the record are those of the general path. `tests/relay/test_steady.py` holds the two against
each other.
"""

import struct
from typing import Final

from sekisho.gate.budget import Meter
from sekisho.relay.postgres.persons import CountedStrangers, Persons
from sekisho.relay.postgres.plan import Plan
from sekisho.wire.faults import ProtocolViolation
from sekisho.wire.postgres import backend as b
from sekisho.wire.postgres import frontend as f
from sekisho.wire.postgres.decode import BackendDecoder, FrontendDecoder
from sekisho.wire.postgres.exchange import Exchange, Portal, Request, Step
from sekisho.wire.postgres.rows import RowReader, Rows

_DESCRIBE: Final = f.Describe(f.PORTAL, b"")
_EXECUTE: Final = f.Execute(b"")
_SYNC: Final = f.Sync()
_TAIL: Final = _DESCRIBE.encode() + _EXECUTE.encode() + _SYNC.encode()
_BOUND: Final = b.BindComplete().encode()
_READY: Final = b.ReadyForQuery(b"I").encode()
_LONGEST_ENDING: Final = 64  # bytes: "SELECT" with a count, and ReadyForQuery


class Lookup:
    """A run that was passed on to the target and is not answered yet."""

    __slots__ = ("bind", "request", "started")

    def __init__(self, bind: f.Bind, request: Request, started: float) -> None:
        self.bind = bind
        self.request = request
        self.started = started

    def messages(self) -> tuple[f.Bind, f.Describe, f.Execute, f.Sync]:
        """What the client sent."""
        return self.bind, _DESCRIBE, _EXECUTE, _SYNC


def read_lookup(chunk: bytes, decoder: FrontendDecoder, exchange: Exchange, now: float) -> Lookup | None:
    """The lookup that a chunk is; None, and nothing noted, when it is anything else."""
    if chunk[:1] != b"B" or not chunk.endswith(_TAIL):
        return None
    stop = len(chunk) - len(_TAIL)
    length = int.from_bytes(chunk[1:5], "big")
    if length != stop - 1 or length > decoder.limits.request:
        return None
    if not decoder.between or not exchange.clear_for(512 + length):
        return None
    try:
        bind = f.Bind.parse(chunk[5:stop])
    except (ValueError, IndexError, struct.error):
        return None  # the general path says what is wrong
    statement = exchange.statements.get(bind.statement)
    if bind.portal or statement is None:
        return None
    portal = Portal(b"", statement, bind.parameters)
    return Lookup(bind, Request(_EXECUTE, Step.DONE, portal=portal), now)


class Known:
    """The answer that is recognised: made from the description last shown, with its plan and the reader of its rows."""

    __slots__ = ("_each", "_ending", "_head", "_key", "_reader", "plan")

    def __init__(self, plan: Plan, reader: RowReader, key: bytes) -> None:
        self.plan = plan
        # Nothing is masked, so the description to show is, byte for byte, the one that was judged.
        self._head = _BOUND + plan.description
        self._reader = reader
        self._each = plan.anonymous_persons
        self._key = key
        self._ending = b""  # how the last recognised answer ended

    @staticmethod
    def of(plan: Plan, reader: RowReader, key: bytes) -> "Known | None":
        """None where rows are changed on their way, recorded before they pass, or show several persons each."""
        if plan.refusal is not None or plan.masks or plan.revealed:
            return None
        if plan.anonymous_persons is None and plan.lone_subject is None:
            return None
        return Known(plan, reader, key)

    def rows(self, chunk: bytes, decoder: BackendDecoder) -> Rows | None:
        """The rows of a chunk that is exactly the known answer, whole; else None."""
        start = len(self._head)
        if chunk[start : start + 1] != b"D" or not chunk.startswith(self._head):
            return None
        if not decoder.between or len(chunk) > decoder.limits.row:
            return None
        try:
            position, rows = self._reader(chunk, start)
        except ProtocolViolation:
            return None  # the general path ends the session
        ending = chunk[position:]
        if ending != self._ending:
            if not _ends_select(ending):
                return None
            self._ending = ending
        return rows if rows.count else None

    def spend(self, rows: Rows, meter: Meter, *, ahead: int | None) -> int | None:
        """Spend for the rows; the persons they cost. None, and nothing spent, when the lease does not cover them and
        `ahead` runs like them: the general path asks for the next one. `ahead` is None when that is on its way."""
        each = self._each
        if each == 0:
            return 0
        if ahead is not None and meter.left < (ahead + (each or 1)) * rows.count:
            return None
        counted = (
            Persons(self.plan, self._key).count(rows, rows.frames)
            if each is None
            else CountedStrangers(rows.count, each)
        )
        before = meter.persons
        return meter.persons - before if counted.spend(meter) else None


def _ends_select(ending: bytes) -> bool:
    """Whether this is CommandComplete of a SELECT, then ReadyForQuery outside a transaction."""
    if len(ending) > _LONGEST_ENDING or not ending.endswith(_READY) or ending[:1] != b"C":
        return False
    stop = len(ending) - len(_READY)
    if int.from_bytes(ending[1:5], "big") != stop - 1:
        return False
    tag = ending[5:stop]
    return tag.startswith(b"SELECT ") and tag.find(0) == len(tag) - 1
