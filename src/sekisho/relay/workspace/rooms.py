"""The workspaces of this checkpoint: opened by a decision of the gate, ended and wiped with their tickets.

    enter     an Admission of the door "workspace" -> the ticket's room, its key unsealed; at first `workspace.opened`
    shell     a terminal in the sandbox; the sandbox runs while there is one, and is written back about once a second
    pull      the inner door decides, counts and masks; the result goes into the store
    look, upload
    end_all   a freeze, a kill switch, the end of a ticket: everything in the sandbox ends
    wipe      when a ticket is closed or over

Wiping is four steps, and each may be the last before a crash; `run` goes on with them at the next start:

    1 `workspace.wiping` is durable: the room never opens again, and what was there is committed to
    2 the part with the key is erased (`ledger.part_erased`, in one transaction): nobody can read the chunks any more,
      wherever copies of them lie
    3 the folder is removed
    4 `workspace.wiped`

A room that no wiping fact ever named (the crash came before 1) is found by its ticket: closed, or over.

One file, though long: opening, ending and wiping change the same rooms, and are read against each other.
"""

import asyncio
import hashlib
import hmac
import json
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy import or_, select

from sekisho.faults import Fault, Language
from sekisho.gate.budget import SCOPE_NAMES, Shortage, subject_id, subject_key
from sekisho.gate.decide import DESKTOP, INNER, LOOK, TAKEOUT, UPLOAD, WORKSPACE
from sekisho.gate.facts import BudgetLeased
from sekisho.gate.policies import read_policy
from sekisho.gate.tables import tickets
from sekisho.ledger import Erased, Fact, Ledger, Sealed
from sekisho.people.identity import Authenticated
from sekisho.people.tables import find_language
from sekisho.people.tokens import Token
from sekisho.relay.admission import Admission, Admissions, Entrant, Totals
from sekisho.relay.desktop import faults as desktop_faults
from sekisho.relay.desktop.screen import DISPLAY, SOCKET, Screen, starting
from sekisho.relay.faults import LEDGER_DOWN, NOT_A_TOKEN, SESSION_ENDED
from sekisho.relay.terminal.scan import TextMeter
from sekisho.relay.terminal.volume import Volumes
from sekisho.relay.workspace import faults
from sekisho.relay.workspace.annex import Annexes
from sekisho.relay.workspace.facts import Looked, Uploaded, Wiped, Wiping, WorkspaceOpened
from sekisho.relay.workspace.inner import InnerDoor, Knocking
from sekisho.relay.workspace.looks import Look, look_at
from sekisho.relay.workspace.pull import Pull, QueryPull
from sekisho.relay.workspace.remote import FilePull, Opener
from sekisho.relay.workspace.sandbox import MEMORY, PtyUpstream, Sandbox, Seat
from sekisho.relay.workspace.store import Store, Stored, check_name, remove_folder
from sekisho.relay.workspace.tables import workspaces
from sekisho.text.detect import scan

ROOM_FAILED: Final = "workspace.room_failed"  # log events
LIMIT_MET: Final = "workspace.limit_met"
MOST_PULLS: Final = 4  # of one workspace at a time
_log: Final = structlog.get_logger()
_WRITE_BACK_SECONDS: Final = 1.0
_SWEEP_SECONDS: Final = 30.0
_UNSEEN_SECONDS: Final = 600.0  # that a desktop stays when nobody looks at it
_START_TRIES: Final = 400
_KEY: Final = 32


@dataclass(eq=False)
class Room:
    """An open workspace. Owned by the event loop's thread."""

    ticket: str
    person: str
    organisation: str
    seat: Token
    store: Store
    language: Language = "en"
    uses: int = 0
    ending: bool = False
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    box: Sandbox | None = None
    starting: "asyncio.Future[Sandbox] | None" = None
    terminals: int = 0
    desktop: PtyUpstream | None = None  # what holds it
    leaving: asyncio.TimerHandle | None = None
    running: "asyncio.Task[None] | None" = None
    pulls: list[Pull] = field(default_factory=list)
    failed: Fault | None = None


@dataclass(frozen=True, slots=True)
class Lent:
    """A file of a workspace, for whoever looks into it as a whole; the room is not wiped meanwhile."""

    admission: Admission
    file: Stored
    store: Store

    def read(self) -> Iterator[bytes]:
        """Raises Fault DAMAGED."""
        return self.store.read(self.file)


class Workspaces:
    """One per process; a door like the others (`end_all`). Owned by the event loop's thread."""

    def __init__(
        self,
        ledger: Ledger,
        admissions: Admissions,
        folder: Path,
        subject_secret: bytes,
        volumes: Volumes,
        *,
        quota: int,
        memory: int = MEMORY,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._ledger = ledger
        self._admissions = admissions
        self._folder = folder
        self._secret = subject_secret
        self._volumes = volumes
        self._quota = quota
        self._memory = memory
        self._now = now
        self.inner = InnerDoor(admissions, ledger, subject_secret)
        self.annexes = Annexes(ledger, admissions)
        self.opener: Opener | None = None  # opens SSH targets for files; none where there is no SSH
        self._rooms: dict[str, Room] = {}
        self._opening: dict[str, asyncio.Lock] = {}
        self._group: asyncio.Future[asyncio.TaskGroup] = asyncio.get_running_loop().create_future()
        self._closing = False

    async def run(self) -> None:
        """Serve until cancelled, or the ledger fails; first finish what a crash left half wiped."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group.set_result(group)
                group.create_task(self.inner.run())
                group.create_task(self._follow_tickets())
                try:
                    while True:
                        await self.sweep()
                        await asyncio.sleep(_SWEEP_SECONDS)
                finally:
                    self._closing = True
        finally:
            self.end_all(Fault(SESSION_ENDED, reason="shutdown"), "shutdown")
            for room in list(self._rooms.values()):
                if room.box is not None:
                    await room.box.close()

    # -- ending -------------------------------------------------------------------------------------------------

    def end_all(
        self, fault: Fault, reason: str, *, person: str | None = None, ticket: str | None = None
    ) -> int:
        """End what runs in the workspaces of a person, of a ticket, or in all; the number of rooms."""
        ended = 0
        for room in self._rooms.values():
            if person in (None, room.person) and ticket in (None, room.ticket):
                ended += room.box is not None
                room.stop.set()
                for pull in room.pulls:
                    pull.stop(fault)
        ended += self.annexes.end_all(fault, reason, person=person, ticket=ticket)
        return ended + self.inner.end_all(fault, reason, person=person, ticket=ticket)

    def end_session(self, session: str, fault: Fault, reason: str) -> bool:
        annexes = self.annexes.end_session(session, fault, reason)
        return self.inner.end_session(session, fault, reason) or annexes

    # -- what is done in a workspace ----------------------------------------------------------------------------

    async def shell(
        self, admission: Admission, argv: tuple[str, ...], width: int, height: int
    ) -> PtyUpstream:
        """A terminal in the ticket's sandbox, which is started for the first one. Raises Fault."""
        async with self._entered(admission) as room:
            box = await self._sandbox(room)
            terminal = await box.shell(argv, width, height)
            room.terminals += 1
            terminal.on_closed(lambda: self._left(room))
            return terminal

    async def terminal(self, admission: Admission, width: int, height: int) -> PtyUpstream:
        """A shell, for whoever opens terminals by their door."""
        return await self.shell(admission, ("shell",), width, height)

    async def desktop(self, admission: Admission, width: int, height: int) -> Screen:
        """A connection to the ticket's desktop: the one that runs, or a new one. Raises Fault."""
        async with self._entered(admission) as room:
            box = await self._sandbox(room)
            if room.desktop is None:
                protocol = admission.catalogue.target.protocol
                held = room.desktop = await box.desktop(starting(admission.language, protocol))
                room.terminals += 1
                held.on_closed(lambda: self._desktop_over(room))
                (await self._tasks()).create_task(_hold(held))
            if room.leaving is not None:
                room.leaving.cancel()
            held = room.desktop
            room.leaving = asyncio.get_running_loop().call_later(_UNSEEN_SECONDS, held.close)
            for _ in range(_START_TRIES):
                if (connected := await box.connect(SOCKET)) is not None:
                    break
                await asyncio.sleep(0.02)
            else:
                held.close()
                raise Fault(desktop_faults.NOT_STARTED, reason="its X server does not answer")
            room.leaving.cancel()
            seen = await Screen.over(connected, await box.connect(DISPLAY))
            seen.on_closed(lambda: self._unseen(room, held))
            return seen

    def _unseen(self, room: Room, held: PtyUpstream) -> None:
        """Nobody looks at the desktop any more: it stays for whoever comes back soon."""
        if room.desktop is held:
            if room.leaving is not None:
                room.leaving.cancel()
            room.leaving = asyncio.get_running_loop().call_later(_UNSEEN_SECONDS, held.close)

    def _desktop_over(self, room: Room) -> None:
        room.desktop = None
        if room.leaving is not None:
            room.leaving.cancel()
        self._left(room)

    async def pull(self, seat: Knocking, peer: str, *, to: str, query: str = "", file: str = "") -> Pull:
        """Begin to pull the result of a query, or a remote file; the returned pull goes on by itself. Raises Fault.

        Who and what is decided by the inner door; `seat` is somebody whose token or login was proven."""
        check_name(to)
        pull: Pull
        if file:
            if self.opener is None:
                raise Fault(faults.NO_REMOTE_FILES, target=seat.target, reason="there is no SSH here")
            pull = FilePull(file, to, seat, peer, self._admissions, self.opener, self._subject_key)
        else:
            pull = QueryPull(query, to, seat, peer, self.inner)
        (await self._tasks()).create_task(self._pull(pull))
        await pull.begun()
        return pull

    async def entrant(self, who: Authenticated, ticket: str) -> Entrant:
        """Somebody who has logged in at the console, before the workspace of a ticket. Raises Fault ONLY_ENROLLING."""
        return await self._admissions.entrant(who, ticket)

    async def seat_of(self, login: str, password: str, target: str, peer: str) -> Token:
        """The door token of this login name and password. Raises Fault NOT_A_TOKEN, after recording it."""
        found = await self._admissions.token(login, target)
        if found is None or not hmac.compare_digest(found[1].encode(), password.encode()):
            fault = Fault(NOT_A_TOKEN)
            await self._admissions.refuse(
                fault, door=INNER, target=target, peer=peer, token=found and found[0]
            )
            raise fault
        return found[0]

    async def look(self, seat: Knocking, peer: str, name: str, page: int) -> tuple[Stored, Look]:
        """A page of a file, masked, counted and recorded before it is returned. Raises Fault."""
        async with self.admitted(seat, peer, LOOK) as admission, self._entered(admission) as room:
            file = room.store.find(name)
            look = await asyncio.to_thread(look_at, room.store, file, page)
            before = admission.meter.persons
            encoded = await self._spend(admission, look)
            sealed = self._ledger.vault.seal(room.organisation, _content(name=name, sha256=file.sha256))
            looked = Looked(
                ticket=room.ticket,
                person=room.person,
                session=admission.session,
                first=look.first,
                lines=len(look.rows),
                persons=admission.meter.persons - before,
                content=sealed.commitment,
                encoded=encoded,
            )
            await self._ledger.record(looked, by=room.person, about=room.ticket, parts=[sealed])
            return file, look

    @asynccontextmanager
    async def lent(self, seat: Knocking, peer: str, name: str) -> AsyncIterator[Lent]:
        """A file as it is, in the hands of the checkpoint: nothing is shown, so nothing is spent. Raises Fault."""
        async with self.admitted(seat, peer, TAKEOUT) as admission, self._entered(admission) as room:
            yield Lent(admission, room.store.find(name), room.store)

    async def still_allowed(self, lent: Lent) -> None:
        """Raises Fault when the decision would be another one by now."""
        await self._admissions.decide_again(lent.admission)

    async def upload(self, seat: Knocking, peer: str, name: str, content: bytes) -> dict[str, int]:
        """Put a file of a terminal into the workspace, where the policy allows it; what the scanner found, by kind."""
        check_name(name)
        policy = (await read_policy(self._ledger)).policy
        if not policy.uploads:
            raise Fault(faults.NO_UPLOADS)
        if len(content) > policy.upload_bytes:
            raise Fault(faults.UPLOAD_TOO_LARGE, limit=f"{policy.upload_bytes:,}")
        async with self.admitted(seat, peer, UPLOAD) as admission, self._entered(admission) as room:
            sightings = await asyncio.to_thread(scan, content)
            found: Counter[str] = Counter(sighting.kind for sighting in sightings)
            sealed = self._ledger.vault.seal(
                room.organisation, _content(name=name, sha256=hashlib.sha256(content).hexdigest())
            )
            writing = room.store.write(name)
            try:
                await asyncio.to_thread(writing.add, content)
                uploaded = Uploaded(
                    ticket=room.ticket,
                    person=room.person,
                    organisation=room.organisation,
                    bytes=len(content),
                    found=dict(found),
                    content=sealed.commitment,
                    peer=peer,
                )
                await self._ledger.record(uploaded, by=room.person, about=room.ticket, parts=[sealed])
                await asyncio.to_thread(writing.finish, changed=self._now().timestamp())
            except BaseException:
                writing.abandon()
                raise
            if room.box is not None:
                await room.box.put(name)
            return dict(found)

    async def files(self, ticket: str) -> tuple[list[Stored], dict[str, Fault], list[Pull], int]:
        """For lists: files, what could not be saved, pulls under way or just ended, the quota. No decision is asked:
        the caller shows it to the ticket's own person only."""
        async with self._ledger.read() as connection:
            row = (
                await connection.execute(select(workspaces).where(workspaces.c.ticket == ticket))
            ).one_or_none()
        if row is None:
            return [], {}, [], self._quota
        room = await self._room(ticket)
        unsaved = dict(room.box.unsaved) if room.box is not None else {}
        found = sorted(room.store.files.values(), key=lambda file: file.name)
        return found, unsaved, list(room.pulls), room.store.quota

    @asynccontextmanager
    async def admitted(self, seat: Knocking, peer: str, door: str) -> AsyncIterator[Admission]:
        """A session of a workspace's door for one act. Raises Fault after recording the refusal."""
        admission = await self._admissions.admit(seat, door=door, peer=peer, tls="", client="")
        reason = "failed"
        try:
            yield admission
            reason = "done"
        except Fault as fault:
            reason = fault.code
            raise
        finally:
            await self._admissions.leave(admission, Totals(reason, 0, 0))

    # -- rooms --------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _entered(self, admission: Admission) -> AsyncIterator[Room]:
        if admission.grant.door not in (WORKSPACE, DESKTOP, LOOK, UPLOAD, TAKEOUT):
            raise ValueError("the grant is for another door")
        room = await self._open(admission)
        async with self._used(room):
            # Now that whoever ends the ticket waits for this use: what ended before it?
            await self._admissions.decide_again(admission)
            yield room

    @asynccontextmanager
    async def _used(self, room: Room) -> AsyncIterator[None]:
        if room.ending:
            raise Fault(faults.WIPED, ticket=room.ticket)
        room.uses += 1
        try:
            yield
        finally:
            room.uses -= 1
            if room.uses == 0:
                room.idle.set()

    async def _open(self, admission: Admission) -> Room:
        grant = admission.grant
        async with self._opening.setdefault(grant.ticket, asyncio.Lock()):
            if grant.ticket not in self._rooms:
                async with self._ledger.read() as connection:
                    query = select(workspaces.c.ticket).where(workspaces.c.ticket == grant.ticket)
                    exists = (await connection.execute(query)).one_or_none() is not None
                if not exists:
                    key = self._ledger.vault.seal(grant.organisation, secrets.token_bytes(_KEY))
                    opened = WorkspaceOpened(
                        ticket=grant.ticket,
                        person=grant.person,
                        organisation=grant.organisation,
                        quota=self._quota,
                        key=key.commitment,
                    )
                    await self._ledger.record(opened, by=grant.person, about=grant.ticket, parts=[key])
        return await self._room(grant.ticket)

    async def _room(self, ticket: str) -> Room:
        """Raises Fault WIPED when it was, or its client's key was erased; DAMAGED, DISK."""
        async with self._opening.setdefault(ticket, asyncio.Lock()):
            if (room := self._rooms.get(ticket)) is not None:
                return room
            async with self._ledger.read() as connection:
                row = (
                    await connection.execute(
                        select(workspaces, tickets.c.target)
                        .join(tickets, tickets.c.ticket == workspaces.c.ticket)
                        .where(workspaces.c.ticket == ticket)
                    )
                ).one()
            key = await self._ledger.content(row.key)
            if row.state != "open" or isinstance(key, Erased):
                raise Fault(faults.WIPED, ticket=ticket)
            store = await asyncio.to_thread(Store.open, self._folder_of(ticket), key, quota=row.quota)
            seat = Token(token=f"w-{secrets.token_hex(8)}", person=row.person, ticket=ticket, target=row.target,
                         expires=0)  # fmt: skip
            async with self._ledger.read() as connection:
                language = await find_language(connection, row.person)
            room = Room(ticket, row.person, row.organisation, seat, store, language)
            self._rooms[ticket] = room
            return room

    def _folder_of(self, ticket: str) -> Path:
        return self._folder / hashlib.sha256(ticket.encode()).hexdigest()[:32]

    def _subject_key(self, organisation: str) -> bytes:
        return subject_key(self._secret, organisation)

    async def _spend(self, admission: Admission, look: Look) -> int:
        """How many characters of it nobody can read. Raises Fault OVER_LIMIT, and then the page is not shown."""
        encoded = 0
        key = self._subject_key(admission.grant.organisation)
        if look.clear:
            meter = TextMeter(
                admission,
                lambda fact: self._durable(admission, fact),
                key,
                lambda: self._admissions.book.siblings(admission.meter),
                unread=(await self._volumes.of(admission.grant.person)).unread,
            )
            await meter.spend(look.clear + b"\n")
            encoded = meter.encoded
        if not look.shows:
            return encoded
        ids = {subject_id(hmac.digest(key, shown, "sha256"), key) for shown in look.shows}
        spent = admission.meter
        while not spent.spend(len(look.shows), ids, 0):
            lease = spent.reserve(spent.short)
            if isinstance(lease, Shortage):
                for sibling in self._admissions.book.siblings(spent):
                    sibling.give_back()
                lease = spent.reserve(spent.short)
            if isinstance(lease, Shortage):
                raise Fault(
                    faults.OVER_LIMIT,
                    limit=f"{lease.limit:,}",
                    scope=SCOPE_NAMES[lease.account.scope][admission.language == "ja"],
                    ticket=admission.grant.ticket,
                )
            await self._durable(
                admission, BudgetLeased(session=admission.session, leased=spent.shared(lease))
            )
            spent.leased(lease)
        return encoded

    async def _durable(self, admission: Admission, fact: Fact) -> None:
        await self._ledger.record(fact, by=admission.grant.person, about=admission.session)

    async def _tasks(self) -> asyncio.TaskGroup:
        """Where tasks begin, as long as any may. Raises Fault LEDGER_DOWN, SESSION_ENDED."""
        if self._ledger.fault is not None:
            raise Fault(LEDGER_DOWN)
        if self._closing:
            raise Fault(SESSION_ENDED, reason="shutdown")
        return await self._group

    # -- the sandbox --------------------------------------------------------------------------------------------

    async def _sandbox(self, room: Room) -> Sandbox:
        if room.box is not None and not room.stop.is_set():
            return room.box
        if room.running is not None and room.stop.is_set():
            await asyncio.wait([room.running])
        tasks = await self._tasks()
        if room.starting is None:
            room.starting = asyncio.get_running_loop().create_future()
            room.stop.clear()
            room.running = tasks.create_task(self._run_sandbox(room, room.starting))
        return await asyncio.shield(room.starting)

    async def _run_sandbox(self, room: Room, started: "asyncio.Future[Sandbox]") -> None:
        """One sandbox from its start to its end; it never ends the others."""
        try:
            seat = Seat(room.seat.login(), room.seat.target)
            box = await Sandbox.start(room.store, seat, memory=self._memory)
        except Fault as fault:
            room.starting = None
            started.set_exception(fault)
            return
        room.box, room.failed = box, None
        server = await self.inner.listen(box.door, room.seat)
        pulls = await asyncio.start_unix_server(
            lambda reader, writer: self._serve_pull(room, reader, writer), sock=box.pulls
        )
        shows = await asyncio.start_unix_server(
            lambda reader, writer: self._serve_target(room, box, reader, writer), sock=box.shows
        )
        started.set_result(box)
        try:
            while not room.stop.is_set() and not box.ended.done():
                with suppress(TimeoutError):
                    await asyncio.wait_for(room.stop.wait(), _WRITE_BACK_SECONDS)
                if not box.ended.done():
                    await box.write_back()
        except Fault as fault:
            # Fail closed: what cannot be kept is not worked on.
            room.failed = fault
            _log.error(ROOM_FAILED, ticket=room.ticket, code=fault.code)
        except asyncio.CancelledError:  # the checkpoint is being stopped
            with suppress(Fault):
                await box.write_back()
            raise
        finally:
            room.starting = room.box = None
            server.close()
            pulls.close()
            shows.close()
            await box.close()
            if box.limits_met:
                _log.warning(LIMIT_MET, ticket=room.ticket, **box.limits_met)

    def _left(self, room: Room) -> None:
        room.terminals -= 1
        if room.terminals == 0:
            room.stop.set()

    async def _serve_pull(
        self, room: Room, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """The command `pull` of the sandbox: one order a connection, then lines of how far it is."""
        try:
            asked = json.loads(await asyncio.wait_for(reader.readline(), 10))
            pull = await self.pull(room.seat, "workspace", query=str(asked["query"]), to=str(asked["to"]))
            async for line in pull.lines("en"):
                writer.write(line)
                await writer.drain()
        except Fault as fault:
            answer = {"code": fault.code, "message": fault.sentence("en")}
            writer.write(json.dumps(answer).encode() + b"\n")
        except (OSError, ValueError, KeyError, TypeError, TimeoutError):
            pass  # whoever asked is gone, or asked nothing that can be understood
        finally:
            writer.close()

    async def _serve_target(
        self, room: Room, box: Sandbox, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """The command `target` of the sandbox: its connection is as long as the window that it opens."""

        async def say(**said: object) -> None:
            writer.write(json.dumps(said).encode() + b"\n")
            with suppress(OSError):
                await writer.drain()

        async def gone() -> None:
            with suppress(OSError):
                await reader.read(1)

        try:
            async with asyncio.TaskGroup() as group:
                left = group.create_task(gone())
                showing = group.create_task(
                    self.annexes.show(room.seat, lambda: box.connect(DISPLAY), lambda: say(shown=True))
                )
                await asyncio.wait([left, showing], return_when=asyncio.FIRST_COMPLETED)
                left.cancel()
                showing.cancel()
        except* Fault as faults_:
            first = faults_.exceptions[0]
            if isinstance(first, Fault):
                await say(code=first.code, message=first.sentence(room.language))
        finally:
            writer.close()

    # -- pulls --------------------------------------------------------------------------------------------------

    async def _pull(self, pull: Pull) -> None:
        try:
            room = await self._open(await pull.knock())
            async with self._used(room):
                if sum(not one.done for one in room.pulls) >= MOST_PULLS:
                    raise Fault(faults.BUSY, limit=MOST_PULLS)
                if pull.admission is not None:  # what ended the ticket before it could find this pull?
                    await self._admissions.decide_again(pull.admission)
                room.pulls = [*room.pulls[-20:], pull]
                pull.let_in()
                name = await pull.run(self._ledger, room.store, self._now)
                if room.box is not None:
                    await room.box.put(name)
            pull.finish(None)
        except Fault as fault:
            pull.finish(fault)
        except asyncio.CancelledError:
            pull.finish(Fault(SESSION_ENDED, reason="shutdown"))
            raise
        except Exception:
            # A mistake of ours ends this pull, not the others.
            _log.exception(ROOM_FAILED, ticket=pull.seat.ticket)
            pull.finish(Fault(SESSION_ENDED, reason="a mistake of the checkpoint"))
        finally:
            await pull.leave()

    # -- wiping -------------------------------------------------------------------------------------------------

    async def _follow_tickets(self) -> None:
        subscription = self._ledger.subscribe("workspace", names=["gate.ticket_closed"])
        async for recorded in subscription:
            await self._wipe(recorded.about, "closed")
            await subscription.ack(recorded)

    async def sweep(self) -> None:
        """Wipe what belongs to tickets that are closed or over, and go on with wipings that were cut short."""
        at = int(self._now().timestamp() * 1e6)
        over = or_(tickets.c.closed.is_(True), tickets.c.closes <= at)
        async with self._ledger.read() as connection:
            query = (
                select(workspaces.c.ticket)
                .join(tickets, tickets.c.ticket == workspaces.c.ticket)
                .where((workspaces.c.state == "wiping") | ((workspaces.c.state == "open") & over))
            )
            due = list(await connection.scalars(query))
        for ticket in due:
            await self._wipe(ticket, "over")

    async def _wipe(self, ticket: str, reason: str) -> None:
        while True:
            await self._empty(ticket)
            async with self._opening.setdefault(ticket, asyncio.Lock()):
                room = self._rooms.get(ticket)
                if room is None or room.ending:  # else it was opened meanwhile
                    await self._wipe_empty(ticket, reason)
                    self._rooms.pop(ticket, None)
                    return

    async def _wipe_empty(self, ticket: str, reason: str) -> None:
        async with self._ledger.read() as connection:
            query = select(workspaces).where(workspaces.c.ticket == ticket)
            row = (await connection.execute(query)).one_or_none()
        if row is None or row.state == "wiped":
            return
        if row.state == "open":
            await self._begin_wiping(ticket, row.organisation, row.key, row.quota, reason)
        if not isinstance(await self._ledger.content(row.key), Erased):
            await self._ledger.erase(row.key, by="sekisho", reason=f"workspace of {ticket}: {reason}")
        await asyncio.to_thread(remove_folder, self._folder_of(ticket))
        await self._ledger.record(Wiped(ticket=ticket, key=row.key), by="sekisho", about=ticket)

    async def _empty(self, ticket: str) -> None:
        """Nobody is in the room, and nobody comes in any more."""
        room = self._rooms.get(ticket)
        if room is None:
            return
        room.ending = True
        self.end_all(Fault(SESSION_ENDED, reason="the ticket is over"), "ticket", ticket=ticket)
        if room.running is not None:
            await asyncio.wait([room.running])
        while room.uses:
            room.idle.clear()
            await room.idle.wait()

    async def _begin_wiping(self, ticket: str, organisation: str, key: str, quota: int, reason: str) -> None:
        files, size, damage = 0, 0, ""
        parts: list[Sealed] = []
        content = await self._ledger.content(key)
        if isinstance(content, Erased):
            damage = "its key was erased"
        else:
            try:
                room = self._rooms.get(ticket)
                store = (
                    room.store
                    if room is not None
                    else await asyncio.to_thread(Store.open, self._folder_of(ticket), content, quota=quota)
                )
                files, size = len(store.files), store.used
                parts.append(self._ledger.vault.seal(organisation, store.listing()))
            except Fault as fault:
                damage = fault.code
        wiping = Wiping(
            ticket=ticket,
            reason=reason,
            files=files,
            bytes=size,
            listing=parts[0].commitment if parts else "",
            damage=damage,
        )
        await self._ledger.record(wiping, by="sekisho", about=ticket, parts=parts)


async def _hold(held: PtyUpstream) -> None:
    """Until the desktop's X server has ended."""
    try:
        while await held.read():
            pass
    finally:
        held.close()


def _content(**values: str) -> bytes:
    return json.dumps(values, ensure_ascii=False).encode()
