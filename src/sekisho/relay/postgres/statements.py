"""A session's statements on their way into the ledger.

A statement is recorded when it has ended. While one is on its way to the disk, further executions of one and the same
prepared statement, which programs run by the thousand a second, are gathered, for a quarter of a second where they are
many; they follow as one fact that keeps each execution's own figures. A crash loses what waits here, as it loses what
the ledger holds in memory: the lease under which the rows passed is durable already, and stays spent.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final, Protocol

import msgspec

from sekisho.ledger import Commitment, Fact, KeyRing, Sealed
from sekisho.relay.admission import Admission
from sekisho.relay.facts import ParametersRecorded, Statement, StatementRevealed, Statements
from sekisho.relay.postgres.persons import Persons
from sekisho.relay.postgres.plan import Plan
from sekisho.relay.postgres.steady import Lookup
from sekisho.wire.postgres.exchange import Request

_TEXTS_KEPT: Final = 1024  # distinct statement texts whose commitment a session remembers
_PARAMETER_BYTES: Final = 64 << 10  # bind parameters are sealed in segments of about this size
_MOST_GATHERED: Final = 1024  # executions in one fact: at most 48 KB of figures, and a leaf may have 64
_MANY: Final = 16  # executions that came while one fact was on its way: a program at work
_GATHERING_SECONDS: Final = 0.25


class Running:
    """The statement whose result is being sent. `plan` is None until it shows rows."""

    __slots__ = (
        "bytes",
        "code",
        "number",
        "outcome",
        "persons",
        "plan",
        "request",
        "revealed",
        "rows",
        "started",
        "who",
    )

    def __init__(self, number: int, request: Request, started: float) -> None:
        self.number = number
        self.request = request
        self.started = started
        self.plan: Plan | None = None
        self.who: Persons | None = None
        self.revealed = False
        self.rows = 0
        self.persons = 0
        self.bytes = 0
        self.outcome = "passed"
        self.code = ""


class _Gathered:
    """Executions of one statement, one after the other, that all passed: figures in order."""

    __slots__ = ("figures", "first", "plan", "sql")

    def __init__(self, first: int, sql: bytes | None, plan: Plan | None) -> None:
        self.first = first
        self.sql = sql
        self.plan = plan
        self.figures: list[tuple[int, int, int, int]] = []  # rows, persons, bytes, microseconds


class Recorder(Protocol):
    def __call__(
        self,
        fact: Fact,
        then: Callable[[], None] | None,
        parts: tuple[Sealed, ...] = (),
        *,
        urgent: bool = True,
    ) -> None:
        """Record; `then` runs when the fact is durable. Nobody waits for what is not urgent."""
        ...


class Journal:
    """One per session; the event loop's thread owns it."""

    def __init__(self, admission: Admission, vault: KeyRing, record: Recorder) -> None:
        self._admission = admission
        self._vault = vault
        self._record = record
        self._under_way = 0  # facts of statements that are not durable yet
        self._gathered: _Gathered | None = None
        self._gathering: asyncio.TimerHandle | None = None
        self._texts: dict[bytes, Commitment] = {}
        self._parameters: list[tuple[int, tuple[bytes | None, ...]]] = []
        self._parameter_bytes = 0

    def reveal(self, statement: Running, revealed: tuple[str, ...], then: Callable[[], None]) -> None:
        """Record that a statement is about to show columns in clear; `then` runs when that is durable."""
        text, parts = self._text(statement.request.sql)
        fact = StatementRevealed(
            session=self._admission.session,
            number=statement.number,
            ticket=self._admission.grant.ticket,
            organisation=self._admission.grant.organisation,
            revealed=revealed,
            text=text,
        )
        self._record(fact, then, parts)

    def ended(self, statement: Running) -> None:
        """A statement has ended: record it, now or with the next ones."""
        portal, sql = statement.request.portal, statement.request.sql
        if portal is not None and portal.parameters:
            self._keep(statement.number, portal.parameters)
        if statement.outcome != "passed":
            self._flush()
            self._record_alone(statement)
            return
        figures = statement.rows, statement.persons, statement.bytes, _since(statement.started)
        self._gather(statement.number, sql, statement.plan, figures)

    def repeated(self, number: int, lookup: Lookup, plan: Plan, rows: int, persons: int, size: int) -> None:
        """A lookup has been answered: as `ended`."""
        if lookup.parameters:
            self._keep(number, lookup.parameters)
        self._gather(number, lookup.sql, plan, (rows, persons, size, _since(lookup.started)))

    def _keep(self, number: int, parameters: tuple[bytes | None, ...]) -> None:
        self._parameter_bytes += 32 + sum([len(value) for value in parameters if value])
        self._parameters.append((number, parameters))
        if self._parameter_bytes >= _PARAMETER_BYTES:
            self._record_parameters()

    def _gather(
        self, number: int, sql: bytes | None, plan: Plan | None, figures: tuple[int, int, int, int]
    ) -> None:
        gathered = self._gathered
        if gathered is None or gathered.plan is not plan or gathered.sql != sql:
            self._flush()
            gathered = self._gathered = _Gathered(number, sql, plan)
        gathered.figures.append(figures)
        if len(gathered.figures) >= _MOST_GATHERED or not (self._under_way or self._gathering):
            self._flush()

    def close(self) -> None:
        if self._gathering is not None:
            self._gathering.cancel()
        self._flush()
        self._record_parameters()

    def _record_alone(self, statement: Running) -> None:
        plan = statement.plan
        text, parts = self._text(statement.request.sql)
        fact = Statement(
            session=self._admission.session,
            number=statement.number,
            ticket=self._admission.grant.ticket,
            organisation=self._admission.grant.organisation,
            read=plan.read if plan else (),
            masked=plan.masked if plan else (),
            rows=statement.rows,
            persons=statement.persons,
            bytes=statement.bytes,
            duration=_since(statement.started),
            outcome=statement.outcome,
            code=statement.code,
            text=text,
        )
        self._send(fact, parts)

    def _flush(self) -> None:
        gathered, self._gathered = self._gathered, None
        if gathered is None:
            return
        plan = gathered.plan
        text, parts = self._text(gathered.sql)
        rows, persons, sizes, durations = zip(*gathered.figures, strict=True)
        several = Statements(
            session=self._admission.session,
            first=gathered.first,
            ticket=self._admission.grant.ticket,
            organisation=self._admission.grant.organisation,
            read=plan.read if plan else (),
            masked=plan.masked if plan else (),
            rows=rows,
            persons=persons,
            bytes=sizes,
            duration=durations,
            text=text,
        )
        # One alone is the fact that readers know best.
        self._send(next(several.each()) if len(rows) == 1 else several, parts)

    def _send(self, fact: Fact, parts: tuple[Sealed, ...]) -> None:
        self._under_way += 1
        self._record(fact, self._arrived, parts, urgent=False)

    def _arrived(self) -> None:
        self._under_way -= 1
        if self._under_way or self._gathering or self._gathered is None:
            return
        if len(self._gathered.figures) < _MANY:
            self._flush()
        else:
            loop = asyncio.get_running_loop()
            self._gathering = loop.call_later(_GATHERING_SECONDS, self._have_gathered)

    def _have_gathered(self) -> None:
        self._gathering = None
        if not self._under_way:
            self._flush()

    def _text(self, sql: bytes | None) -> tuple[Commitment, tuple[Sealed, ...]]:
        """The commitment to a statement's text; sealed once per session, stored with the first fact."""
        sql = sql or b""
        if (known := self._texts.get(sql)) is not None:
            return known, ()
        sealed = self._vault.seal(self._admission.grant.organisation, sql)
        if len(self._texts) >= _TEXTS_KEPT:
            self._texts.clear()
        self._texts[sql] = sealed.commitment
        return sealed.commitment, (sealed,)

    def _record_parameters(self) -> None:
        if not self._parameters:
            return
        content = msgspec.msgpack.encode(self._parameters)
        sealed = self._vault.seal(self._admission.grant.organisation, content)
        first, last = self._parameters[0][0], self._parameters[-1][0]
        self._parameters, self._parameter_bytes = [], 0
        fact = ParametersRecorded(
            session=self._admission.session, first=first, last=last, content=sealed.commitment
        )
        self._record(fact, None, (sealed,), urgent=False)


def _since(started: float) -> int:
    """Microseconds."""
    return int((time.monotonic() - started) * 1e6)
