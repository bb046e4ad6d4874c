"""The ledger: facts go in, become durable in groups, and come out as rows.

One thread writes. It takes everything that waits, gives it to the store as one transaction, and hands the outcomes
back to the event loop in one call. A crash before the transaction's end loses only what nobody was told about.

After any error of the database the ledger is FAILED for good: it cannot know what the disk kept, so it refuses
everything until it is opened anew (and reads the disk again).

Owned by the event loop: `_waiting`, `_hooks`, `_failed`. Owned by the writer thread: the store, the time. Shared:
`_queue` (append and popleft are atomic), `_fault` (set once, by the thread).
"""

import asyncio
import enum
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from types import TracebackType
from typing import Any, Final, Self

from sqlalchemy import func, select

from sekisho.evidence.merkle import leaf_hash
from sekisho.faults import Fault
from sekisho.ledger.batch import Aside, Batch, Head, Pending
from sekisho.ledger.clock import Clock, LedgerTime, SystemClock
from sekisho.ledger.database import Database, PublisherLock, open_database
from sekisho.ledger.facts import OwnerErased, PartErased
from sekisho.ledger.faults import CLOSED, FAILED, NO_PART, NOT_REACHED, QUEUE_FULL, REFUSED
from sekisho.ledger.leaf import Fact, Recorded, encode_tail
from sekisho.ledger.projections import NotApplicable, Writes, projects
from sekisho.ledger.reading import Connection
from sekisho.ledger.store import Store
from sekisho.ledger.subscriptions import Subscription
from sekisho.ledger.tables import CHECKPOINTS, ERASURES, FACTS, OFFSETS, PARTS
from sekisho.ledger.vault import Commitment, Erased, KeyRing, Sealed

LARGEST_BATCH: Final = 2_048
_PAUSE: Final = 0.01  # seconds; a busy ledger has hundreds of turns a second
_LINGER: Final = 0.05  # seconds that a batch for which nobody waits may gather more
_POLL: Final = 0.5  # seconds; what other processes do comes without a call
_Waiter = asyncio.Future[Any]
_Outcome = tuple[_Waiter, object]  # a value, or a Fault


class Level(enum.Enum):
    """How far a fact has come."""

    DURABLE = "durable"  # in the database, also after a loss of power
    PUBLISHED = "published"  # below a checkpoint that the log signed and published
    COSIGNED = "cosigned"  # below one that a quorum of witnesses cosigned


class Ledger:
    """Made by `open`; closed by `close` or `async with`."""

    def __init__(self, database: Database, keys: KeyRing, clock: Clock, capacity: int) -> None:
        self.vault: Final = keys
        self._database = database
        self._store = Store(database.driver())
        self._reads = database.reads()
        self._clock = clock
        self._capacity = capacity
        self._loop = asyncio.get_running_loop()
        self._queue: deque[tuple[Pending | Aside, _Waiter]] = deque()
        self._wake = threading.Event()
        self._urgent = threading.Event()
        self._idle = False
        self._closing = False
        self._fault: Fault | None = None
        self._failed: asyncio.Future[Fault] = self._loop.create_future()
        self._waiting: set[asyncio.Future[None]] = set()
        self._beyond = 0  # there are facts up to this index, as far as this process knows without asking
        self._hooks: list[Callable[[Sequence[Recorded]], None]] = []
        self._hearing: dict[asyncio.Event, frozenset[str] | None] = {}
        self._opened: asyncio.Future[Head] = self._loop.create_future()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(target=self._write, name="ledger-writer", daemon=True)

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        keys: KeyRing,
        clock: Clock | None = None,
        capacity: int = 65_536,
        busy_seconds: float = 5.0,
    ) -> Self:
        """Open or create the ledger at "sqlite:///PATH" or "postgresql://USER@HOST/DATABASE".

        `capacity` bounds the facts that wait for the disk; `busy_seconds` how long a locked database is waited for.
        Fault UNKNOWN_URL, UNREACHABLE or CORRUPTED.
        """
        ledger = cls(open_database(url, busy_seconds=busy_seconds), keys, clock or SystemClock(), capacity)
        ledger._thread.start()
        try:
            await ledger._opened
            await ledger._finish_erasures()
        except BaseException:
            await ledger.close()
            raise
        return ledger

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Write what waits, then stop. Idempotent."""
        self._closing = True
        self._urgent.set()
        self._wake.set()
        await asyncio.shield(self._ended)
        self._turn()
        self._wake_all()
        await self._reads.close()

    # -- writing ------------------------------------------------------------------------------------------------

    async def record(self, fact: Fact, *, by: str, about: str, parts: Sequence[Sealed] = ()) -> Recorded:
        """Record a fact and its projections; durable on return. Waits for room when the queue is full.

        Fault REFUSED (contradicts what is recorded), TOO_LONG, FAILED or CLOSED: the fact was not recorded, except
        that a FAILED ledger may find, when opened again, that the disk had kept it.
        """
        return await self._record(fact, by=by, about=about, parts=parts)

    def record_soon(
        self, fact: Fact, *, by: str, about: str, parts: Sequence[Sealed] = (), urgent: bool = True
    ) -> asyncio.Future[Recorded]:
        """As `record`, without waiting: the future resolves when the fact is durable. Fault QUEUE_FULL.

        What is not `urgent` may wait some 50 milliseconds for company: transactions that nobody waits for would cost
        those who do.
        """
        if len(self._queue) >= self._capacity:
            raise Fault(QUEUE_FULL, capacity=self._capacity)
        kind, tail = encode_tail(fact, by=by, about=about)
        return self._submit(Pending(fact, kind, tail, by, about, parts), urgent=urgent)

    async def _record(
        self,
        fact: Fact,
        *,
        by: str,
        about: str,
        parts: Sequence[Sealed] = (),
        erases: str = "",
        erases_owner: str = "",
    ) -> Recorded:
        kind, tail = encode_tail(fact, by=by, about=about)
        while len(self._queue) >= self._capacity and self._fault is None and not self._closing:
            await self.wait_turn()
        recorded = await self._submit(Pending(fact, kind, tail, by, about, parts, erases, erases_owner))
        assert isinstance(recorded, Recorded)  # noqa: S101 (for the type checker)
        return recorded

    def _submit(self, item: Pending | Aside, *, urgent: bool = True) -> _Waiter:
        if self._fault is not None:
            raise self._fault
        if self._closing:
            raise Fault(CLOSED)
        waiter: _Waiter = self._loop.create_future()
        self._queue.append((item, waiter))
        if urgent and not self._urgent.is_set():
            self._urgent.set()
        if self._idle:
            self._idle = False
            self._wake.set()
        return waiter

    async def remember(self, aside: Aside) -> None:
        """Write a row of the ledger's own bookkeeping durably (an offset, a signed checkpoint)."""
        await self._submit(aside)

    # -- the writer thread --------------------------------------------------------------------------------------

    def _write(self) -> None:
        try:
            head = self._store.open()
            time = LedgerTime(self._clock)
        except Fault as fault:
            self._fault = fault
            self._call(_set, self._opened, fault)
        else:
            self._call(_set, self._opened, head)
        while items := self._take():
            outcomes: list[_Outcome] = []
            recorded: list[Recorded] = []
            if self._fault is None:
                self._commit(items, time, outcomes, recorded)
            if self._fault is not None:
                settled = len(outcomes)
                outcomes += [(waiter, self._fault) for _, waiter in items[settled:]]
            self._call(self._deliver, outcomes, recorded)
        self._store.close()
        self._call(_set, self._ended, None)

    def _take(self) -> list[tuple[Pending | Aside, _Waiter]]:
        """Everything that waits, up to a batch; blocks while there is nothing; empty at the end."""
        queue = self._queue
        while not queue:
            if self._closing:
                return []
            self._wake.clear()
            # Set before looking again: whoever appends after this look sees it, and wakes us.
            self._idle = True
            if not queue and not self._closing:
                self._wake.wait()
            self._idle = False
        if len(queue) < LARGEST_BATCH:
            self._urgent.wait(_LINGER)
            self._urgent.clear()
        return [queue.popleft() for _ in range(min(len(queue), LARGEST_BATCH))]

    def _commit(
        self,
        items: list[tuple[Pending | Aside, _Waiter]],
        time: LedgerTime,
        outcomes: list[_Outcome],
        recorded: list[Recorded],
    ) -> None:
        """Commit the items in order, splitting around those that the database refuses."""
        facts = [(item, waiter) for item, waiter in items if isinstance(item, Pending)]
        asides = [(item, waiter) for item, waiter in items if isinstance(item, Aside)]
        batch = Batch([item for item, _ in facts], [item for item, _ in asides])
        try:
            draft = self._store.commit(batch, time)
        except NotApplicable as reason:
            if len(items) == 1:
                item, waiter = items[0]
                name, about = (
                    (item.kind.name, item.about) if isinstance(item, Pending) else (item.table.name, "-")
                )
                outcomes.append((waiter, Fault(REFUSED, fact=name, about=about, reason=reason)))
                return
            middle = len(items) // 2
            self._commit(items[:middle], time, outcomes, recorded)
            if self._fault is None:
                self._commit(items[middle:], time, outcomes, recorded)
            return
        except Exception as error:  # whatever it is: nobody knows what the disk kept
            self._fault = Fault(FAILED, reason=f"{type(error).__name__}: {error}")
            with suppress(Exception):  # let go of locks, so that other writers are not held up
                self._store.close()
            return
        outcomes += zip([waiter for _, waiter in facts], draft.recorded, strict=True)
        outcomes += [(waiter, None) for _, waiter in asides]
        recorded += draft.own
        recorded += draft.recorded

    def _call(self, function: Callable[..., None], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:  # the loop is gone, and with it everybody who waits
            self._closing = True

    # -- back in the event loop ---------------------------------------------------------------------------------

    def _deliver(self, outcomes: list[_Outcome], recorded: list[Recorded]) -> None:
        if recorded:
            self._beyond = recorded[-1].seq + 1
            for hook in self._hooks:
                hook(recorded)
            names = {one.fact for one in recorded}
            for event, wanted in self._hearing.items():
                if wanted is None or not wanted.isdisjoint(names):
                    event.set()
        for waiter, outcome in outcomes:
            if not waiter.done():
                if isinstance(outcome, Fault):
                    waiter.set_exception(outcome)
                else:
                    waiter.set_result(outcome)
        if self._fault is not None and not self._failed.done():
            self._failed.set_result(self._fault)
            self._wake_all()
        self._turn()

    def _wake_all(self) -> None:
        for event in self._hearing:
            event.set()

    def _turn(self) -> None:
        waiting, self._waiting = self._waiting, set()
        for turn in waiting:
            _set(turn, None)

    async def wait_turn(self, timeout: float | None = None) -> None:
        """Return when a batch has been delivered, or the ledger failed or closed, or after `timeout` seconds."""
        if self._closing:
            return
        turn: asyncio.Future[None] = self._loop.create_future()
        self._waiting.add(turn)
        try:
            await asyncio.wait([turn], timeout=timeout)
        finally:
            self._waiting.discard(turn)

    async def wait_beyond(self, size: int, timeout: float | None = None) -> None:
        """Return when there are facts from index `size` on, whoever recorded them, when the ledger failed or closes, or
        after `timeout` seconds."""
        deadline = None if timeout is None else self._loop.time() + timeout
        with self.hearing(None) as heard:
            while not self._closing and self._fault is None:
                heard.clear()
                if self._beyond <= size:
                    self._beyond = max(self._beyond, await self.size())
                if self._beyond > size:
                    return
                left = _POLL if deadline is None else min(_POLL, deadline - self._loop.time())
                if left <= 0:
                    return
                with suppress(TimeoutError):
                    async with asyncio.timeout(left):
                        await heard.wait()

    def on_recorded(self, hook: Callable[[Sequence[Recorded]], None]) -> None:
        """Call `hook` in the event loop with each batch recorded by this process, in order, before it is told."""
        self._hooks.append(hook)

    @contextmanager
    def hearing(self, names: Iterable[str] | None) -> Iterator[asyncio.Event]:
        """An event that is set when this process has recorded a fact of these names (None: any), and when the ledger
        fails or closes. A reader that asked the database at every turn would cost the doors more than the facts do."""
        event = asyncio.Event()
        self._hearing[event] = None if names is None else frozenset(names)
        try:
            yield event
        finally:
            del self._hearing[event]

    @property
    def fault(self) -> Fault | None:
        """Why the ledger failed; None while it works."""
        return self._fault

    @property
    def closing(self) -> bool:
        return self._closing

    async def wait_failed(self) -> Fault:
        """Return when the ledger has failed: whoever lets bytes pass must stop now."""
        return await asyncio.shield(self._failed)

    def on_failure(self, callback: Callable[[Fault], None]) -> None:
        """Call `callback` once, in the event loop, when the ledger fails."""
        self._failed.add_done_callback(
            lambda failed: None if failed.cancelled() else callback(failed.result())
        )

    # -- reading ------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Connection]:
        """A connection that can only read (enforced by the database)."""
        async with self._reads.connect() as connection:
            yield connection

    async def facts(
        self, start: int, limit: int, *, names: Iterable[str] | None = None, about: str | None = None
    ) -> list[Recorded]:
        """At most `limit` facts from index `start` on, in order."""
        query = select(FACTS).where(FACTS.c.seq >= start).order_by(FACTS.c.seq).limit(limit)
        if names is not None:
            query = query.where(FACTS.c.fact.in_(list(names)))
        if about is not None:
            query = query.where(FACTS.c.about == about)
        async with self.read() as connection:
            rows = await connection.execute(query)
        return [
            Recorded(row.seq, row.at, row.fact, row.by_, row.about, row.leaf, leaf_hash(row.leaf))
            for row in rows
        ]

    async def size(self) -> int:
        """The number of durable facts."""
        async with self.read() as connection:
            last = await connection.scalar(select(FACTS.c.seq).order_by(FACTS.c.seq.desc()).limit(1))
        return 0 if last is None else last + 1

    async def reached(self, seq: int, level: Level, timeout: float) -> None:
        """Return when the fact has reached the level, whichever process publishes. Fault NOT_REACHED."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while not await self._has_reached(seq, level):
            if self._fault is not None:
                raise self._fault
            if loop.time() >= deadline or self._closing:
                raise Fault(NOT_REACHED, seq=seq, level=level.value, seconds=timeout)
            await self.wait_turn(min(_POLL, deadline - loop.time()))
            await asyncio.sleep(_PAUSE)

    async def _has_reached(self, seq: int, level: Level) -> bool:
        if level is Level.DURABLE:
            return seq < await self.size()
        column = CHECKPOINTS.c.published if level is Level.PUBLISHED else CHECKPOINTS.c.cosigned
        async with self.read() as connection:
            size = await connection.scalar(select(func.max(column)))
        return size is not None and seq < size

    def publisher_lock(self) -> PublisherLock:
        """The right to publish this ledger, held by one process at a time."""
        return self._database.publisher_lock()

    def subscribe(self, name: str, *, names: Iterable[str] | None = None) -> Subscription:
        """The facts (of these names) after the last acknowledged one of this subscription, then each new one."""
        return Subscription(self, name, None if names is None else frozenset(names))

    async def offset(self, name: str) -> int:
        """The index after the last one that the subscription acknowledged."""
        async with self.read() as connection:
            found = await connection.scalar(select(OFFSETS.c.next_seq).where(OFFSETS.c.name == name))
        return found or 0

    # -- confidential parts -------------------------------------------------------------------------------------

    async def content(self, commitment: str) -> bytes | Erased:
        """What a commitment stands for. Fault NO_PART or PART_ALTERED."""
        opening = await self.opening(commitment)
        return opening if isinstance(opening, Erased) else opening[1]

    async def opening(self, commitment: str) -> tuple[bytes, bytes] | Erased:
        """Salt and content of a commitment, as an evidence bundle hands them over. Fault as `content`."""
        async with self.read() as connection:
            part = (await connection.execute(select(PARTS).where(PARTS.c.commitment == commitment))).first()
            scopes = [f"part:{commitment}"] + ([] if part is None else [f"owner:{part.owner}"])
            query = select(ERASURES).where(ERASURES.c.what.in_(scopes)).order_by(ERASURES.c.at)
            erased = (await connection.execute(query)).first()
        if erased is not None:
            return Erased(erased.at, erased.by_)
        if part is None:
            raise Fault(NO_PART, commitment=commitment)
        return self.vault.opening(
            Sealed(Commitment(part.commitment), part.owner, part.nonce, part.ciphertext)
        )

    async def erase(self, commitment: str, *, by: str, reason: str) -> Recorded:
        """Destroy the salt and content behind a commitment. The fact and the destruction are one transaction."""
        fact = PartErased(commitment=commitment, reason=reason)
        return await self._record(fact, by=by, about=commitment, erases=commitment)

    async def erase_owner(self, owner: str, *, by: str, reason: str) -> Recorded:
        """Destroy all parts of an owner, and the key, which also makes copies in backups unreadable."""
        recorded = await self._record(
            OwnerErased(owner=owner, reason=reason), by=by, about=owner, erases_owner=owner
        )
        # A crash here leaves the key; the next start finds the fact and destroys it then.
        self.vault.destroy(owner)
        return recorded

    async def _finish_erasures(self) -> None:
        async with self.read() as connection:
            erased = await connection.scalars(select(ERASURES.c.what).where(ERASURES.c.what.like("owner:%")))
            owners = [what.removeprefix("owner:") for what in erased]
        for owner in owners:
            if not self.vault.destroyed(owner):
                self.vault.destroy(owner)


@projects(PartErased)
def _part_erased(write: Writes, fact: PartErased, recorded: Recorded) -> None:
    write.upsert(ERASURES, {"what": f"part:{fact.commitment}"}, {"at": recorded.at, "by_": recorded.by})


@projects(OwnerErased)
def _owner_erased(write: Writes, fact: OwnerErased, recorded: Recorded) -> None:
    write.upsert(ERASURES, {"what": f"owner:{fact.owner}"}, {"at": recorded.at, "by_": recorded.by})


def _set(waiter: asyncio.Future[Any], outcome: object) -> None:
    if not waiter.done():
        if isinstance(outcome, Fault):
            waiter.set_exception(outcome)
        else:
            waiter.set_result(outcome)
