"""From a file in a workspace to a request that can be signed.

    1 let in        a session of the door "workspace": the gate decides, the file is lent, the room stays
    2 looked into   in a process apart (`apart`); whose the persons are (`whose`)
    3 refused, or   what no signature could let leave: recorded with what was found, and nothing is kept
    4 sealed        as a copy of its own (`marking`), to the seats that the published log gives: nobody opens it alone
    5 asked         `takeout.requested` is durable; only from here on is there a take-out

A crash before 5 leaves a package that nobody can open and no fact names: the next start removes it. Closing the ticket,
freezing the person or stopping the checkpoint ends what is under way before 5.
"""

import asyncio
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Final

import msgspec
import structlog
from sqlalchemy import select

from sekisho.faults import Fault
from sekisho.gate.refusal import Refusal
from sekisho.ledger import Commitment, Ledger, Sealed
from sekisho.ledger.leaf import micros
from sekisho.relay.faults import SESSION_ENDED
from sekisho.relay.workspace.inner import Knocking
from sekisho.relay.workspace.rooms import Lent, Workspaces
from sekisho.takeout import faults, marking
from sekisho.takeout.apart import command_line, inspect_apart
from sekisho.takeout.desk import TakeoutDesk
from sekisho.takeout.facts import TakeoutRequested
from sekisho.takeout.judge import Limits
from sekisho.takeout.manifest import About
from sekisho.takeout.marking import seal_copy
from sekisho.takeout.packages import Packages
from sekisho.takeout.seats import find_seats
from sekisho.takeout.tables import takeouts
from sekisho.takeout.whose import Fingerprints, others, told_by_registry, told_by_workspace

MOST_AT_ONCE: Final = 2  # each may take gigabytes while it is looked into
FAILED: Final = "takeout.asking_failed"  # a log event
_REMEMBERED: Final = 100
_SWEEP_SECONDS: Final = 20.0
_END: Final = 1 << 62
_HOUR: Final = 3_600_000_000
_log: Final = structlog.get_logger()


class Wish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a worker says: `persons` and `items` are what he believes is in the file, `hours` until it lapses, `returns`
    in microseconds since 1970."""

    file: str
    organisations: tuple[str, ...]
    purpose: str
    basis: str
    recipient: str
    recipient_key: str
    channel: str
    medium: str
    persons: int
    items: tuple[str, ...] = ()
    hours: int = 72
    returns: int


@dataclass(eq=False)
class Asking:
    """A request under way, or how it ended. `stage`: "inspecting", "attributing", "sealing", "asked", "refused"."""

    takeout: str
    ticket: str
    person: str
    wish: Wish
    stage: str = "inspecting"
    file: str = ""
    done: int = 0
    of: int = 0
    persons: int = 0
    draft: TakeoutRequested | None = None
    fault: Fault | None = None
    over: asyncio.Event = field(default_factory=asyncio.Event)
    task: "asyncio.Task[None] | None" = None

    async def wait(self, seconds: float) -> None:
        """Until it is over, but no longer."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.over.wait(), seconds)


class Counter:
    """Where take-outs are asked for. One per process, and a door like the others (`end_all`); the event loop's thread
    owns it. `master` is the key from which the keys of copies are made."""

    def __init__(
        self,
        ledger: Ledger,
        desk: TakeoutDesk,
        packages: Packages,
        rooms: Workspaces,
        fingerprints: Fingerprints,
        master: bytes,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._ledger = ledger
        self._desk = desk
        self._packages = packages
        self._rooms = rooms
        self._fingerprints = fingerprints
        self._master = master
        self._now = now
        self._askings: dict[str, Asking] = {}
        self._group: asyncio.Future[asyncio.TaskGroup] = asyncio.get_running_loop().create_future()
        self._closing = False

    async def run(self) -> None:
        """Serve until cancelled: what is asked for, what lapses, what nobody needs any more."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group.set_result(group)
                while True:
                    await self.sweep()
                    await asyncio.sleep(_SWEEP_SECONDS)
        finally:
            self._closing = True

    async def sweep(self) -> None:
        """Close what nobody answered in time; drop packages of which no request speaks, or whose request is over."""
        await self._desk.lapse()
        before = self._under_way()
        async with self._ledger.read() as connection:
            query = select(takeouts.c.takeout).where(takeouts.c.state.in_(("asked", "released")))
            kept = set(await connection.scalars(query))
        # What is being sealed has no request yet; what was under way before the reading may have one since.
        self._packages.keep_only(kept | before | self._under_way())

    def _under_way(self) -> set[str]:
        return {one.takeout for one in self._askings.values() if not one.over.is_set()}

    async def ask(self, seat: Knocking, peer: str, wish: Wish) -> Asking:
        """Begin; the returned asking goes on by itself. Raises Fault BUSY, STOPPED, or BAD_REQUEST."""
        if len(self._under_way()) >= MOST_AT_ONCE:
            raise Fault(faults.BUSY, limit=MOST_AT_ONCE)
        asking = Asking(f"O-{secrets.token_hex(5)}", seat.ticket, seat.person, wish, file=wish.file)
        self._desk.check(self._draft(asking))
        if self._closing:
            raise Fault(faults.STOPPED, takeout=asking.takeout)
        over = [name for name, one in self._askings.items() if one.over.is_set()]
        for name in over[: max(0, len(over) - _REMEMBERED)]:
            del self._askings[name]
        self._askings[asking.takeout] = asking
        asking.task = (await self._group).create_task(self._go(asking, seat, peer))
        return asking

    def asking(self, takeout: str) -> Asking | None:
        """What is known of a request since this process began; None for all others."""
        return self._askings.get(takeout)

    def askings(self, person: str) -> list[Asking]:
        return [one for one in self._askings.values() if one.person == person]

    def end_all(
        self, fault: Fault, reason: str, *, person: str | None = None, ticket: str | None = None
    ) -> int:
        """End what is under way for a person, for a ticket, or all; how many."""
        ended = 0
        for one in self._askings.values():
            if person in (None, one.person) and ticket in (None, one.ticket) and not one.over.is_set():
                one.fault = fault
                if one.task is not None:
                    one.task.cancel()
                ended += 1
        return ended

    def end_session(self, session: str, fault: Fault, reason: str) -> bool:
        return False  # its session is of the door "workspace", and so brief that nobody watches it

    async def _go(self, asking: Asking, seat: Knocking, peer: str) -> None:
        try:
            async with self._rooms.lent(seat, peer, asking.wish.file) as lent:
                await self._ask(asking, lent)
            asking.stage = "asked"
        except Fault as fault:
            asking.fault = fault
        except asyncio.CancelledError:
            asking.fault = asking.fault or Fault(faults.STOPPED, takeout=asking.takeout)
            if self._closing:
                raise
        except Exception:
            # A mistake of ours ends this request, not the others.
            _log.exception(FAILED, takeout=asking.takeout)
            asking.fault = Fault(SESSION_ENDED, reason="a mistake of the checkpoint")
        finally:
            # A package stays until `sweep` has asked the ledger: here nobody knows whether the request became durable.
            if asking.fault is not None:
                asking.stage = "refused"
            asking.over.set()

    async def _ask(self, asking: Asking, lent: Lent) -> None:
        asking.draft = self._draft(asking)
        try:
            parts = await self._prepare(asking, lent)
            # Whoever was frozen, or whose ticket was closed, while the file was read asks for nothing.
            await self._rooms.still_allowed(lent)
        except Fault as fault:
            refusal = Refusal(fault.kind, fault.values)
            raise await self._desk.refused(refusal, "request", asking.person, asking.draft) from fault
        await self._desk.request(asking.draft, parts=parts)

    async def _prepare(self, asking: Asking, lent: Lent) -> list[Sealed]:
        """Look into the file and seal it; `asking.draft` becomes the request. Raises Fault."""
        wish, owner = asking.wish, lent.admission.grant.organisation

        def heard(where: str, done: int, of: int) -> None:
            asking.file, asking.done, asking.of = where, done, of

        registry = await asyncio.to_thread(self._fingerprints.open)
        key = registry.fingerprint_key if registry else b""
        seen = await inspect_apart(wish.file, lent.read, lent.file.size, heard, key=key)
        found = seen.inspected
        asking.stage, asking.persons = "attributing", found.persons
        told = (
            await told_by_registry(seen, registry)
            if registry is not None
            else await told_by_workspace(self._ledger, asking.ticket, found.persons)
        )
        report = self._ledger.vault.seal(owner, msgspec.json.encode(found))
        draft = asking.draft = msgspec.structs.replace(
            self._draft(asking),
            rows=found.rows,
            persons=found.persons,
            cards=found.cards,
            numbers=found.numbers,
            items=found.items,
            whose=told.whose,
            unknown=told.unknown,
            told_by=told.by,
            report=report.commitment,
        )
        if more := others(told, wish.organisations):
            raise Fault(
                faults.OTHERS_INSIDE,
                takeout=asking.takeout,
                found=", ".join(one.organisation for one in more),
                persons=f"{sum(one.least for one in more):,}",
            )
        if refusal := await self._desk.request_refusal(draft):
            raise refusal.fault()
        asking.stage = "sealing"
        history = await self._desk.published(asking.takeout)
        above = Limits.of(history.policy(_END)).above(draft)
        seats = find_seats(history, asking.person, wish.organisations, above_limit=above)
        package = await seal_copy(
            self._ledger,
            self._packages,
            self._master,
            command_line(marking.__name__),
            chunks=lent.read,
            size=lent.file.size,
            name=PurePosixPath(wish.file).name,
            rows=found.rows,
            about=_about(draft),
            seats=seats,
            by=asking.person,
        )
        content = {"name": wish.file, "sha256": package.content, "size": package.size}
        sealed = self._ledger.vault.seal(owner, msgspec.json.encode(content))
        asking.draft = msgspec.structs.replace(
            draft, content=sealed.commitment, package=package.sha256, holdings=package.holdings
        )
        return [sealed, report]

    def _draft(self, asking: Asking) -> TakeoutRequested:
        """The request as far as it is known before anybody looked into the file."""
        wish = asking.wish
        return TakeoutRequested(
            takeout=asking.takeout,
            person=asking.person,
            ticket=asking.ticket,
            organisations=wish.organisations,
            purpose=wish.purpose.strip(),
            basis=wish.basis.strip(),
            recipient=wish.recipient.strip(),
            recipient_key=" ".join(wish.recipient_key.split()[:2]),
            channel=wish.channel,
            medium=wish.medium.strip(),
            rows=0,
            persons=0,
            cards=0,
            numbers=0,
            items=(),
            stated=wish.persons,
            stated_items=wish.items,
            expires=micros(self._now()) + wish.hours * _HOUR,
            returns=wish.returns,
            content=Commitment(""),
            package="",  # not sealed yet
            holdings=(),
        )


def _about(asked: TakeoutRequested) -> About:
    return About(
        takeout=asked.takeout,
        organisations=asked.organisations,
        purpose=asked.purpose,
        basis=asked.basis,
        recipient=asked.recipient,
        expires=asked.expires,
        returns=asked.returns,
        persons=asked.persons,
        items=asked.items,
    )
