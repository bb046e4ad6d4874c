"""One PostgreSQL session after log-in: what each message becomes. No sockets: the shell gives bytes and takes bytes.

Client to target, every message is noted in the exchange and passed on as it came. Target to client:

    RowDescription  a Plan is made: rows may pass, pass masked, or not at all
    rows            counted and spent from a durable lease; the first row that does not fit is not sent,
                    the target's statement is cancelled, and the operator is told which limit it was
    the end         the statement is recorded
    everything else passed on only where it cannot carry data past the meter

A statement that shows personal columns in clear is recorded durably before its first row passes; other rows pass
within a lease that is durable. While the session waits for either, nothing more is read from the target.

One file, though long: it is one state machine, whose every path must keep count.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, Protocol, cast

from sekisho.faults import Fault
from sekisho.gate import faults as gate_faults
from sekisho.gate.budget import SCOPE_NAMES, Lease, Meter, Shortage
from sekisho.gate.facts import BudgetLeased
from sekisho.ledger import Fact, Ledger, Recorded, Sealed
from sekisho.register.facts import ColumnEntry
from sekisho.relay import faults
from sekisho.relay.admission import Admission
from sekisho.relay.facts import ChannelRefused
from sekisho.relay.postgres.describe import describes, plan_of
from sekisho.relay.postgres.persons import Counted, CountedKeys, CountedStrangers, Persons
from sekisho.relay.postgres.plan import Origins, Plan, make_plan
from sekisho.relay.postgres.statements import Journal, Running
from sekisho.relay.postgres.steady import Known, Lookup, Question, read_question
from sekisho.relay.postgres.words import error, may_report, without_data
from sekisho.wire.faults import ProtocolViolation
from sekisho.wire.postgres import backend as b
from sekisho.wire.postgres import frontend as f
from sekisho.wire.postgres.decode import BackendDecoder, FrontendDecoder, ServerMessage
from sekisho.wire.postgres.errors import ADMIN_SHUTDOWN, INSUFFICIENT_PRIVILEGE, LIMIT_EXCEEDED
from sekisho.wire.postgres.exchange import Exchange, Request
from sekisho.wire.postgres.rows import RowReader, Rows, count_rows, row_reader

# Most messages need no judgement of their own; a set of types is asked faster than a match.
_NOTED: Final = frozenset({f.Bind, f.Describe, f.Sync, f.Parse, f.Close, f.Flush})
_PASSED: Final = frozenset(
    {b.BindComplete, b.ParseComplete, b.CloseComplete, b.NoData, b.ParameterDescription}
)
_ENDING: Final = frozenset({b.CommandComplete, b.PortalSuspended, b.EmptyQueryResponse})
_LEASE_AHEAD: Final = 4  # ask for the next lease while this many runs as long as the last one are covered


class Shell(Protocol):
    """What the session asks of whoever holds the sockets."""

    def to_client(self, data: bytes) -> None: ...
    def to_target(self, data: bytes) -> None: ...
    def hold(self) -> None:
        """Read no more from the target until `proceed`."""

    def proceed(self) -> None: ...
    def cancel(self) -> None:
        """Cancel what the target is running; the client's further requests wait until that is delivered."""

    def end(self, reason: str) -> None:
        """Close both sides once what was given to `to_client` is sent."""


class Session:
    """Owned by the event loop's thread. `close` is called once, by the shell, when both sides are gone."""

    def __init__(
        self,
        admission: Admission,
        ledger: Ledger,
        *,
        subject_key: bytes,
        siblings: Callable[[], list[Meter]],
        from_client: FrontendDecoder,
    ) -> None:
        self._admission = admission
        self._ledger = ledger
        self._subject_key = subject_key
        self._siblings = siblings
        self._meter = admission.meter
        self.from_client = from_client
        self._exchange = Exchange()
        self._plans: dict[b.RowDescription, Plan] = {}
        self._plan: Plan | None = None  # of the last description of a result, `_planned`
        self._planned: b.RowDescription | None = None
        self._of_psql: Request | None = None  # the one statement that `_plan` is for, when it is psql's
        self._reader: RowReader = count_rows  # of `_plan`
        self._known: Known | None = None  # of `_plan`
        self._question: Question | None = (
            None  # of the last lookup, while nothing has gone the general way since
        )
        self._lookup: Lookup | None = None  # in flight, and not in the exchange
        self._statement: Running | None = None
        self._started: deque[tuple[Request, float]] = deque()
        self._discarding = False  # we sent an error: the target's answers up to ReadyForQuery are dropped
        self._messages: Iterator[ServerMessage] = iter(())
        self._backlog: list[bytes] = []
        self._waiting = False  # for a lease or a revealing fact
        self._then: Callable[[], None] = lambda: None  # what is done when it is there
        self._leasing = False
        self._leased_at, self._leased_rows = (
            0.0,
            0,
        )  # when the last lease was asked for, and how many rows were spent
        self._out: list[bytes] = []
        self._journal = Journal(admission, ledger.vault, self._record)
        self._channels: set[str] = set()
        self.statements = 0
        self.bytes = 0
        self._ended = False
        self._last: asyncio.Future[Recorded] | None = (
            None  # the ledger works in order: after it, all is written
        )

    def begin(self, shell: Shell, origins: Origins, from_target: BackendDecoder) -> None:
        """The target is open: messages may come."""
        self._shell = shell
        self._to_client, self._to_target = shell.to_client, shell.to_target
        self._origins = origins
        self.from_target = from_target

    @property
    def plan(self) -> Plan | None:
        """What the last result described may show."""
        return self._plan

    def column(self, of: b.Column) -> ColumnEntry | None:
        """What the catalogue says of a result column; None for a computed one."""
        origin = self._origins.tables.get(of.table)
        return origin.columns.get(of.number) if origin else None

    # -- from the client ----------------------------------------------------------------------------------------

    def client_data(self, chunk: bytes) -> None:
        """Bytes from the operator. Ends the session on anything that breaks the protocol."""
        decoder = self.from_client
        if self._lookup is not None:
            self._unfold(self._lookup)
        elif self._known is not None and (lookup := self._asked(chunk)) is not None:
            self._lookup = lookup
            self._to_target(chunk)
            return
        self._question = None
        try:
            send = self._exchange.send
            for message in decoder.feed(chunk):
                if type(message) in _NOTED:
                    send(cast(f.FrontendMessage, message))
                    continue
                self._request(message)
                if self._ended:
                    return
        except ProtocolViolation as violation:
            self.end(violation, "protocol")
            return
        if data := decoder.take():
            self._to_target(data)

    def _asked(self, chunk: bytes) -> Lookup | None:
        """The lookup that a chunk is, or None."""
        now = time.monotonic()
        if self._question is not None and (lookup := self._question.again(chunk, now)) is not None:
            return lookup
        if self._ended or self._discarding or not self.from_target.between:
            return None
        self._question = read_question(chunk, self.from_client, self._exchange)
        return self._question.again(chunk, now) if self._question is not None else None

    def _request(self, message: f.Startup | f.FrontendMessage) -> None:
        match message:
            case f.Execute():
                if self._exchange.needs_describe(message):
                    self._describe_first(message)
                self._start(message)
            case f.Query():
                self._start(message)
            case f.Terminate():
                self.end(None, "client")
            case f.FunctionCall():
                self._refuse_channel("function-call", Fault(faults.FUNCTION_CALL_REFUSED))
                self.end(Fault(faults.FUNCTION_CALL_REFUSED), "function-call")
            case f.CopyData() | f.CopyDone() | f.CopyFail():
                # COPY FROM is refused before the client learns that it began: this client sends on blindly.
                self.end(Fault(faults.COPY_REFUSED), "copy-in")
            case f.FrontendMessage():
                self._exchange.send(message)

    def _start(self, message: f.Query | f.Execute) -> None:
        if request := self._exchange.send(message):
            self._started.append((request, time.monotonic()))

    def _unfold(self, lookup: Lookup) -> None:
        """Note a lookup as the messages that it was: what comes next goes the general way."""
        self._lookup = None
        for message in lookup.messages():
            request = self._exchange.send(message)
            if request is not None and type(message) is f.Execute:
                self._started.append((request, lookup.started))

    def _describe_first(self, execute: f.Execute) -> None:
        """Rows whose columns were never described have no known origin: ask for the description ourselves."""
        describe = f.Describe(f.PORTAL, execute.portal)
        self._exchange.send(describe, own=True)
        self._to_target(self.from_client.take(before=True) + describe.encode())

    # -- from the target ----------------------------------------------------------------------------------------

    def target_data(self, chunk: bytes) -> None:
        """Bytes from the target."""
        lookup = self._lookup
        if lookup is not None:
            if self._recognised(chunk, lookup):
                return
            self._unfold(lookup)
        self._question = None
        if self._waiting:
            self._backlog.append(chunk)
            return
        self._messages = self.from_target.feed(chunk)
        self._go_on()

    def _recognised(self, chunk: bytes, lookup: Lookup) -> bool:
        """Whether the chunk was the known answer to the lookup, and is dealt with."""
        known = self._known
        if known is None:
            return False
        spent = known.spend(chunk, self._meter, ahead=None if self._leasing else _LEASE_AHEAD)
        if spent is None:
            return False
        self._to_client(chunk)
        self._lookup = None
        self.bytes += len(chunk)
        self.statements += 1
        self._journal.repeated(self.statements, lookup, known.plan, *spent)
        return True

    def _go_on(self) -> None:
        """Handle messages until there are no more, or one must wait for the ledger."""
        handle = self._answer
        try:
            while not self._ended:
                for message in self._messages:
                    handle(message)
                    if self._waiting or self._ended:
                        self._flush()
                        return
                self._flush()
                if not self._backlog:
                    return
                self._messages = self.from_target.feed(self._backlog.pop(0))
        except ProtocolViolation as violation:
            self._flush()
            self.end(violation, "protocol")

    def _flush(self) -> None:
        if self._out:
            data = b"".join(self._out)
            self._out.clear()
            self.bytes += len(data)
            self._to_client(data)

    def _answer(self, message: ServerMessage) -> None:
        request = self._exchange.answer(message)
        kind = type(message)
        if kind in _PASSED:
            self._pass(request)
        elif kind is Rows:
            self._rows(cast(Rows, message), request)
        elif kind is b.RowDescription:
            self._described(cast(b.RowDescription, message), request)
        elif kind in _ENDING:
            self._finish(request)
            self._pass(request)
        elif kind is b.ReadyForQuery:
            self._discarding = False
            self._meter.end_statement()
            self._pass(request)
        else:
            self._rarely(message, request)

    def _rarely(self, message: ServerMessage, request: Request | None) -> None:
        match message:
            case b.ErrorResponse():
                self._failed(message, request)
            case b.NoticeResponse():
                self._refuse_channel("notice", None)
                self._out.append(without_data(message, self._admission.language))
            case b.ParameterStatus():
                self._parameter(message)
            case b.NotificationResponse():
                self._refuse_channel("notification", None)
            case b.CopyOutResponse() | b.CopyBothResponse():
                self._refuse(request, Fault(faults.COPY_REFUSED), INSUFFICIENT_PRIVILEGE, "copy-out")
                self._shell.cancel()
            case b.CopyInResponse():
                self._refuse(request, Fault(faults.COPY_REFUSED), INSUFFICIENT_PRIVILEGE, "copy-in")
                self._to_target(f.CopyFail(b"refused").encode())
            case f.CopyData() | f.CopyDone():
                pass  # of a COPY that was refused
            case _:
                self._pass(request)

    def _pass(self, request: Request | None) -> None:
        """Pass the message in hand on as it came, unless it answers what only we asked, or follows our error."""
        if not self._discarding and not (request is not None and request.own):
            self._out.append(self.from_target.raw)

    def _described(self, description: b.RowDescription, request: Request | None) -> None:
        # The decoder gives the same object for the same bytes, so the usual case is found without hashing it.
        plan = self._plan if description is self._planned else self._plans.get(description)
        if plan is None:
            target = self._admission.catalogue.target
            plan = make_plan(description, self._origins, self._admission.grant, target.unknown_lineage)
            self._plans[description] = plan
        of_psql = self._plan_of_psql(description, request) if plan.masked or plan.refusal else None
        plan = of_psql or plan
        self.from_target.rows = count_rows  # until these rows may pass, they are only walked over
        if request is None or self._discarding:
            return
        if plan.refusal is not None:
            self._refuse(request, plan.refusal, INSUFFICIENT_PRIVILEGE, None, plan)
            if isinstance(request.message, f.Query):
                self._shell.cancel()
            return
        if not (isinstance(request.message, f.Describe) and request.message.target == f.STATEMENT):
            self._of_psql = request if of_psql else None
            if plan is not self._plan:
                self._plan = plan
                self._reader = row_reader(
                    len(description.columns), key=plan.lone_subject, masks=dict(plan.masks)
                )
                self._known = Known.of(plan, self._reader, self._subject_key, self.from_target.limits.row)
            self.from_target.rows = self._reader
            self._planned = description
            if of_psql:  # for this one statement: another one with the same columns is judged anew
                self._planned = self._known = None
            if isinstance(request.message, f.Query):
                self._statement_of(request).plan = plan
        if not request.own:
            self._out.append(plan.description)

    def _plan_of_psql(self, description: b.RowDescription, request: Request | None) -> Plan | None:
        """The plan of a statement with which psql describes the database; None for any other."""
        if request is None or not isinstance(request.message, f.Query):
            return None
        described = describes(request.message.sql)
        return plan_of(described, description) if described else None

    # -- rows ---------------------------------------------------------------------------------------------------

    def _rows(self, rows: Rows, request: Request | None) -> None:
        if self._discarding:
            return
        plan = self._plan
        if (
            request is None
            or plan is None
            or (
                request is not self._of_psql
                if self._of_psql
                else request.description is not self._planned and request.description != self._planned
            )
        ):
            # Nobody can say whose these are: they are not certainly those that were described last.
            self._refuse(request, Fault(faults.UNKNOWN_LINEAGE, column="?"), INSUFFICIENT_PRIVILEGE, None)
            self._shell.cancel()
            return
        statement = self._statement_of(request)
        statement.plan = plan
        if plan.revealed and not statement.revealed:
            statement.revealed = True
            self._journal.reveal(statement, plan.revealed, self._resume)
            self._wait(lambda: self._meter_rows(rows, statement, plan))
            return
        self._meter_rows(rows, statement, plan)

    def _meter_rows(self, rows: Rows, statement: Running, plan: Plan) -> None:
        anonymous = plan.anonymous_persons
        if anonymous == 0:
            self._send_rows(statement, rows.count, 0, rows.frames)
        elif anonymous is not None:
            self._spend(CountedStrangers(rows.count, anonymous), rows, statement)
        else:
            if statement.who is None:
                statement.who = Persons(plan, self._subject_key)
            self._spend(statement.who.count(rows, self.from_target.raw), rows, statement)

    def _spend(
        self, counted: Counted | CountedKeys | CountedStrangers, rows: Rows, statement: Running
    ) -> None:
        """Send the rows that the lease covers; ask for the next lease, or cut, where it does not."""
        meter = self._meter
        before = meter.persons
        if counted.spend(meter):
            self._send_rows(statement, rows.count, meter.persons - before, rows.frames)
            if not self._leasing and meter.left < max(meter.early, _LEASE_AHEAD * rows.count):
                self._lease(meter.nothing)  # in good time: the next rows need not wait for the disk
            return
        shortage = None if self._leasing else self._lease(meter.short)
        if shortage is None:
            self._wait(lambda: self._spend(counted, rows, statement))
            return
        fitting = counted.spend_fitting(meter)
        self._send_rows(statement, fitting, meter.persons - before, rows.first(fitting))
        self._cut(statement, shortage)

    def _send_rows(self, statement: Running, rows: int, persons: int, frames: bytes) -> None:
        statement.rows += rows
        statement.persons += persons
        statement.bytes += len(frames)
        self._out.append(frames)

    def _cut(self, statement: Running, shortage: Shortage) -> None:
        account = shortage.account
        scope = SCOPE_NAMES[account.scope][self._admission.language == "ja"]
        kind = gate_faults.BUDGET_ROWS if shortage.of_rows else gate_faults.BUDGET_PERSONS
        fault = Fault(
            kind,
            limit=f"{shortage.limit:,}",
            scope=scope,
            passed=f"{statement.rows:,}",
            ticket=self._admission.grant.ticket,
        )
        statement.outcome = "cut" if statement.rows else "refused"
        statement.code = fault.code
        self._out.append(error(fault, LIMIT_EXCEEDED, self._admission.language))
        self._discarding = True
        self._record_statement(statement)
        self._shell.cancel()

    # -- waiting for the ledger ---------------------------------------------------------------------------------

    def _lease(self, missing: Lease) -> Shortage | None:
        """Ask the ledger for the next lease; None when one is on its way."""
        meter = self._meter
        lease = meter.reserve(missing)
        if isinstance(lease, Shortage):
            # Others who share the account may hold leases that they do not need.
            for sibling in self._siblings():
                sibling.give_back()
            lease = meter.reserve(missing)
            if isinstance(lease, Shortage):
                return lease
        now = time.monotonic()
        meter.pace((meter.rows - self._leased_rows) / max(now - self._leased_at, 0.001))
        self._leased_at, self._leased_rows = now, meter.rows
        fact = BudgetLeased(session=self._admission.session, leased=meter.shared(lease))
        self._leasing = True
        granted: Lease = lease
        self._record(fact, lambda: self._leased(granted))
        return None

    def _leased(self, lease: Lease) -> None:
        self._leasing = False
        self._meter.leased(lease)
        self._resume()

    def _wait(self, then: Callable[[], None]) -> None:
        self._then = then
        self._waiting = True
        self._shell.hold()

    def _resume(self) -> None:
        if not self._waiting or self._ended:
            return
        self._waiting = False
        self._then()
        self._flush()
        if not self._waiting and not self._ended:
            self._go_on()
        if not self._waiting and not self._ended:
            self._shell.proceed()

    def _record(
        self,
        fact: Fact,
        then: Callable[[], None] | None,
        parts: tuple[Sealed, ...] = (),
        *,
        urgent: bool = True,
    ) -> None:
        """Record; `then` runs when the fact is durable. A ledger that refuses ends the session."""
        try:
            future = self._ledger.record_soon(
                fact,
                by=self._admission.grant.person,
                about=self._admission.session,
                parts=parts,
                urgent=urgent,
            )
        except Fault:
            self.end(Fault(faults.LEDGER_DOWN), "ledger")
            return

        def recorded(done: "asyncio.Future[Recorded]") -> None:
            if done.cancelled() or done.exception() is not None:
                self.end(Fault(faults.LEDGER_DOWN), "ledger")
            elif then is not None:
                then()

        self._last = future
        future.add_done_callback(recorded)

    # -- statements ---------------------------------------------------------------------------------------------

    def _statement_of(self, request: Request) -> Running:
        """The statement that this request runs; a simple query may run several, one after the other."""
        if self._statement is None:
            started = time.monotonic()
            while self._started:  # what was skipped after an error is passed over
                waiting, at = self._started[0]
                if waiting is request:
                    started = at
                    if not isinstance(request.message, f.Query):
                        self._started.popleft()
                    break
                self._started.popleft()
            self.statements += 1
            self._statement = Running(self.statements, request, started)
        return self._statement

    def _finish(self, request: Request | None) -> None:
        """The statement in hand has ended by itself."""
        if request is None or self._discarding:
            return
        self._record_statement(self._statement_of(request))

    def _failed(self, message: b.ErrorResponse, request: Request | None) -> None:
        if request is None:
            # Not about a request: the target ends the connection (shutdown, timeout).
            self._out.append(without_data(message, self._admission.language))
            return
        if self._discarding:
            return
        statement = self._statement_of(request)
        statement.outcome, statement.code = "failed", message.sqlstate
        self._out.append(without_data(message, self._admission.language))
        self._record_statement(statement)

    def _refuse(
        self,
        request: Request | None,
        fault: Fault,
        sqlstate: str,
        channel: str | None,
        plan: Plan | None = None,
    ) -> None:
        """Answer with an error of ours, and drop what the target says until it is ready again."""
        if self._discarding:
            return
        if channel is not None:
            self._refuse_channel(channel, fault)
        if request is None:
            self.end(fault, "refused")
            return
        statement = self._statement_of(request)
        statement.plan = plan
        statement.outcome, statement.code = "refused", fault.code
        self._out.append(error(fault, sqlstate, self._admission.language))
        self._discarding = True
        self._record_statement(statement)

    def _record_statement(self, statement: Running) -> None:
        self._statement = None
        self._journal.ended(statement)

    # -- other channels -----------------------------------------------------------------------------------------

    def _parameter(self, status: b.ParameterStatus) -> None:
        if status.name == b"client_encoding" and status.value != b"UTF8":
            encoding = status.value.decode(errors="replace")
            self.end(Fault(faults.ENCODING_REFUSED, encoding=encoding), "encoding")
        elif may_report(status):
            self._out.append(status.encode())
        else:
            self._refuse_channel("parameter", None)

    def _refuse_channel(self, channel: str, fault: Fault | None) -> None:
        """Record, once per session and channel, that something was kept from passing."""
        if channel not in self._channels:
            self._channels.add(channel)
            code = fault.code if fault else ""
            self._record(ChannelRefused(session=self._admission.session, channel=channel, code=code), None)

    # -- the end ------------------------------------------------------------------------------------------------

    def end(self, fault: Fault | None, reason: str) -> None:
        """End the session, telling the operator why; idempotent."""
        if self._ended:
            return
        self._flush()
        self._ended = True
        self._question = self._lookup = None
        if fault is not None:
            self._to_client(error(fault, ADMIN_SHUTDOWN, self._admission.language, fatal=True))
        self._shell.end(reason)

    async def close(self) -> None:
        """Both sides are gone: record what was still running, and return when the ledger has it all.

        When the ledger has failed, the lease stays spent."""
        self._ended = True
        if self._statement is not None:
            self._statement.outcome = "lost"
            self._record_statement(self._statement)
        self._journal.close()
        if self._last is not None:
            await asyncio.wait([self._last])
            await asyncio.sleep(0)  # its callback, too, has run: a lease that came late can be given back
