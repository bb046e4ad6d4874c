"""The trace desk of a running checkpoint: lists as they are brought, lookups as they run, the key's release beside.

A list comes in pieces into memory, is read apart from this program, and waits there for somebody to confirm its
columns. When it is looked up, it is sealed under a key of its own, which the case keeps until somebody destroys it; on
the disk it never stands in clear. One lookup runs at a time, in a worker thread.

The attribution of a list is an act of the duty matrix: who proposes (R) looks it up, somebody else (A) confirms or
reverses, and each client countersigns its own part (C). Until it is confirmed, it is provisional.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec
import structlog
from sqlalchemy import select

from sekisho.faults import Fault
from sekisho.gate.duties import Act, Actor, Allowed, Case, Doing, Part, may
from sekisho.gate.refusal import Refusal
from sekisho.gate.standing import read_standing
from sekisho.ledger import Ledger, Sealed
from sekisho.register.tables import targets
from sekisho.trace.apart import read_apart
from sekisho.trace.cases import conclude_case, new_case, open_case, read_case, repeat_case, sessions_shown
from sekisho.trace.facts import CaseJudged, CaseOpened, ListDestroyed
from sekisho.trace.faults import BUSY, LOOKUP_BROKEN, NO_CASE, NO_LIST, TOO_LONG
from sekisho.trace.indexing import gather_sessions, index_target
from sekisho.trace.intake import Listing
from sekisho.trace.registry import Outline, Registry, outline
from sekisho.trace.release import KeyDesk

MOST_BYTES: Final = 256 << 20
_MOST_LISTS: Final = 4  # in memory at once; the oldest one gives way
_KEPT: Final = timedelta(hours=1)
_MOST_WAITING: Final = 8
_MOST_ENDED: Final = 100
Told = Callable[[str, float], None]
_Job = Callable[[Told], Awaitable[None]]
LOOKUP_FAILED: Final = "trace.lookup_failed"  # a log event
_log: Final = structlog.get_logger()


@dataclass(slots=True)
class Brought:
    """A list that somebody brings: `content` grows to `size`; `listing` is there once it was read."""

    by: str
    name: str
    size: int
    at: datetime
    content: bytearray = field(default_factory=bytearray)
    listing: Listing | None = None


@dataclass(slots=True)
class Running:
    """A lookup that waits, runs or failed. `done` is of the step, 0 to 1; `changed` is set whenever something moved."""

    case: str
    by: str
    step: str = "waiting"
    done: float = 0.0
    fault: Fault | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def move(self, step: str, done: float) -> None:
        self.step, self.done = step, done
        self.changed.set()


class TraceDesk:
    """One per process; belongs to the event loop's thread."""

    def __init__(
        self,
        ledger: Ledger,
        registry: Path,
        lists: Path,
        key: KeyDesk,
        *,
        secret: bytes,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.key = key
        self._ledger = ledger
        self._registry = registry
        self._lists = lists
        self._secret = secret
        self._now = now
        self._brought: dict[str, Brought] = {}
        self._running: dict[str, Running] = {}
        self._indexing: Running | None = None
        self._jobs: asyncio.Queue[tuple[Running, _Job]] = asyncio.Queue(_MOST_WAITING)

    # -- lists ------------------------------------------------------------------------------------------------------

    def begin(self, name: str, size: int, *, by: str) -> str:
        """A list of this size is coming; what it is called from here on. Raises Fault TOO_LONG."""
        if not 0 < size <= MOST_BYTES:
            raise Fault(TOO_LONG, limit=MOST_BYTES >> 20)
        for stale in [one for one, brought in self._brought.items() if self._now() - brought.at > _KEPT]:
            del self._brought[stale]
        while len(self._brought) >= _MOST_LISTS:
            del self._brought[next(iter(self._brought))]
        made = secrets.token_hex(12)
        self._brought[made] = Brought(by, Path(name).name[:200] or "list", size, self._now())
        return made

    def put(self, brought: str, offset: int, content: bytes, *, by: str) -> None:
        """A piece of it, in order. Raises Fault NO_LIST."""
        found = self._mine(brought, by)
        if offset != len(found.content) or offset + len(content) > found.size:
            raise Fault(NO_LIST)
        found.content += content

    async def read(self, brought: str, *, by: str) -> Listing:
        """The whole list, its columns as they are recognised. Raises Fault NO_LIST, UNREADABLE, NO_SANDBOX."""
        found = self._mine(brought, by)
        if len(found.content) != found.size:
            raise Fault(NO_LIST)
        if found.listing is None:
            found.listing = await read_apart(found.name, bytes(found.content))
        return found.listing

    def _mine(self, brought: str, by: str) -> Brought:
        found = self._brought.get(brought)
        if found is None or found.by != by or self._now() - found.at > _KEPT:
            raise Fault(NO_LIST)
        return found

    async def outline(self) -> Outline | None:
        """What the registry says of itself without its key; None before there is one."""
        return await asyncio.to_thread(outline, self._registry)

    # -- cases ------------------------------------------------------------------------------------------------------

    async def look_up(self, brought: str, items: Mapping[str, str], *, reason: str, by: str) -> str:
        """Open a case for a list whose columns somebody confirmed; its id. It goes on by itself.

        Raises Fault NO_LIST, KEY_LOCKED, KEY_SPENT, BUSY, why `by` may not, and the registry's."""
        _require(may(Act.ATTRIBUTION, Part.REQUEST, await self._actor(by), Case()))
        listing = (await self.read(brought, by=by)).confirmed(items)
        self._require_room()
        found = self._mine(brought, by)
        registry = await asyncio.to_thread(Registry.create, self._registry, self.key.open_keys())
        lease = self.key.spend(listing.rows)
        case = new_case()
        sealed = await asyncio.to_thread(self._seal, case, bytes(found.content))
        opened = await open_case(
            self._ledger,
            listing,
            registry=registry.digest,
            by=by,
            reason=reason,
            case=case,
            release=lease.release,
            content=sealed.commitment,
        )
        del self._brought[brought]
        running = self._running[case] = Running(case, by)
        for ended in [one for one, run in self._running.items() if run.fault][:-_MOST_ENDED]:
            del self._running[ended]

        async def job(told: Told) -> None:
            await gather_sessions(self._ledger, registry)
            await conclude_case(self._ledger, registry, listing, opened, progress=told)
            del self._running[case]

        self._jobs.put_nowait((running, job))
        return case

    def running(self, case: str) -> Running | None:
        return self._running.get(case)

    @property
    def indexing(self) -> Running | None:
        """The newest indexing run: under way, ended or failed."""
        return self._indexing

    async def index(self, *, by: str) -> None:
        """Read all datasets of the catalogue anew, and what sessions were shown; it goes on by itself.

        Raises Fault KEY_LOCKED, BUSY, and the registry's."""
        self._require_room()
        registry = await asyncio.to_thread(Registry.create, self._registry, self.key.open_keys())
        running = self._indexing = Running("", by)

        async def job(told: Told) -> None:
            async with self._ledger.read() as connection:
                query = select(targets.c.target).where(targets.c.protocol == "postgres")
                names = list(await connection.scalars(query.order_by(targets.c.target)))
            for number, name in enumerate(names):
                told("index", number / len(names))
                async for _ in index_target(self._ledger, registry, name, secret=self._secret, by=by):
                    pass
            await gather_sessions(self._ledger, registry)
            told("ended", 1.0)

        self._jobs.put_nowait((running, job))

    def _require_room(self) -> None:
        if self._jobs.full():
            raise Fault(BUSY, limit=_MOST_WAITING)

    async def run(self) -> None:
        """Look up what waits, and forget the key when its time is over. Until it is cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._work())
                group.create_task(self._expire())
        finally:
            if self._ledger.fault is None:
                await asyncio.shield(self.key.close("end"))

    async def _expire(self) -> None:
        while True:
            await self.key.expire()
            await asyncio.sleep(1.0)

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            running, job = await self._jobs.get()

            def told(step: str, done: float, running: Running = running) -> None:
                loop.call_soon_threadsafe(running.move, step, done)

            running.move("sets", 0.0)
            try:
                await job(told)
            except Fault as fault:
                running.fault = fault
            except Exception as error:  # a mistake in one lookup ends that lookup
                _log.exception(LOOKUP_FAILED, case=running.case)
                running.fault = Fault(LOOKUP_BROKEN, case=running.case, reason=type(error).__name__)
            running.changed.set()

    async def repeat(self, case: str, *, by: str) -> bool:
        """Look a kept list up again; whether the answer is the same, byte for byte. Raises Fault NO_LIST, NO_CASE, …"""
        held = await read_case(self._ledger, case)
        opened = held.facts[0].typed()
        if not isinstance(opened, CaseOpened):
            raise Fault(NO_LIST)
        content = await asyncio.to_thread(self._unseal, case)
        name = await self._ledger.content(opened.name)
        listing = await read_apart(name.decode() if isinstance(name, bytes) else "list", content)
        registry = await asyncio.to_thread(Registry.open, self._registry, self.key.open_keys())
        self.key.spend(listing.rows)
        return await repeat_case(self._ledger, registry, case, listing, by=by)

    async def destroy(self, case: str, *, by: str) -> None:
        """Destroy a kept list for good, backups included; the case stays."""
        await self._ledger.record(ListDestroyed(case=case), by=by, about=case)
        self._ledger.vault.destroy(_owner(case))
        (self._lists / f"{case}.sealed").unlink(missing_ok=True)

    async def judge(self, case: str, judgement: str, *, reason: str, by: str) -> None:
        """Somebody else confirms or reverses an attribution. Raises Fault NO_CASE, NO_ANSWER, and why he may not."""
        held = await read_case(self._ledger, case)
        named = await sessions_shown(self._ledger, [one.session for one in held.answer.sessions])
        proposer = await self._actor(held.facts[0].by)
        subjects = [await self._actor(account) for account in sorted({shown[1] for shown in named.values()})]
        about = Case(doings=(Doing(Part.REQUEST, proposer),), subjects=tuple(subjects))
        _require(may(Act.ATTRIBUTION, Part.APPROVE, await self._actor(by), about))
        fact = CaseJudged(case=case, judgement=judgement, organisation="", reason=reason)
        await self._ledger.record(fact, by=by, about=case)

    async def countersign(self, case: str, organisation: str, *, by: str) -> None:
        """A client takes note of its own part of an answer. Raises Fault NO_CASE, NO_ANSWER, and why it may not."""
        held = await read_case(self._ledger, case)
        if organisation not in {one.organisation for one in held.answer.clients}:
            raise Fault(NO_CASE, case=case)
        _require(may(Act.ATTRIBUTION, Part.COUNTERSIGN, await self._actor(by), Case(organisation)))
        fact = CaseJudged(case=case, judgement="countersigned", organisation=organisation, reason="")
        await self._ledger.record(fact, by=by, about=case)

    async def _actor(self, account: str) -> Actor:
        found = await read_standing(self._ledger, account)
        return found.actor if found else Actor(account, account, "", frozenset())

    def _seal(self, case: str, content: bytes) -> Sealed:
        sealed = self._ledger.vault.seal(_owner(case), content)
        self._lists.mkdir(mode=0o700, exist_ok=True)
        path = self._lists / f"{case}.sealed"
        path.touch(mode=0o600)
        path.write_bytes(msgspec.msgpack.encode(sealed))
        return sealed

    def _unseal(self, case: str) -> bytes:
        try:
            content = (self._lists / f"{case}.sealed").read_bytes()
        except OSError as error:
            raise Fault(NO_LIST) from error
        return self._ledger.vault.unseal(msgspec.msgpack.decode(content, type=Sealed))


def _require(answer: Allowed | Refusal) -> None:
    if isinstance(answer, Refusal):
        raise answer.fault()


def _owner(case: str) -> str:
    """Whose key a list is sealed under: its case's own, so that it can be destroyed alone."""
    return f"list-{case}"
