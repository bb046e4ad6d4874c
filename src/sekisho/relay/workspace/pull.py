"""A pull under way: a query through the inner door, its result into the store.

A pull that is cut (a limit, the target, the end of the ticket) keeps what came as NAME.part, and the same command
begins it anew: PostgreSQL keeps no place of a result to go on from. Whom the first try counted, the second one does not
count again, for the accounts remember persons; rows count each time. After a kill of the checkpoint the leases of the
first try stay spent, so then its persons count once more: that errs to the safe side.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import datetime
from typing import Final

from sekisho.faults import Fault, Language
from sekisho.ledger import Ledger
from sekisho.relay.admission import Admission
from sekisho.relay.postgres.connection import Connection
from sekisho.relay.wire import Wire
from sekisho.relay.workspace import faults
from sekisho.relay.workspace.facts import Pulled
from sekisho.relay.workspace.inner import InnerDoor, Knocking
from sekisho.relay.workspace.query import Refused, begin, head, run_query
from sekisho.relay.workspace.store import ColumnOf, Store, Writing
from sekisho.wire.postgres.backend import RowDescription

PART: Final = ".part"
_TELL_SECONDS: Final = 0.25


class Pull:
    """`rows`, `persons` and `bytes` so far, of `total` bytes where that is known (else 0); `done` when it is over,
    `fault` when it was refused or cut. `pull` names it among those of its workspace.

    What is pulled, and how, is a subclass's: `knock`, `run`, `leave`, in this order, each once."""

    source = ""

    def __init__(self, what: str, to: str, seat: Knocking, peer: str) -> None:
        self.pull = secrets.token_hex(6)
        self.what = what
        self.to = to
        self.seat = seat
        self.peer = peer
        self.rows = self.persons = self.bytes = self.total = 0
        self.fault: Fault | None = None
        self.done = False
        self.sha256 = ""
        self.admission: Admission | None = None
        self._begun = asyncio.Event()
        self._over = asyncio.Event()

    async def begun(self) -> None:
        """Return when the pull was let in. Raises the Fault of a refusal."""
        await self._begun.wait()
        if self.fault is not None and self.admission is None:
            raise self.fault

    async def ended(self) -> None:
        """Return when it is over. Raises its Fault."""
        await self._over.wait()
        if self.fault is not None:
            raise self.fault

    async def lines(self, language: Language) -> AsyncIterator[bytes]:
        """How far it is, as JSON lines; the last one has "done", or "code" and "message"."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), _TELL_SECONDS)
            yield self._line(language)
            if self.done:
                return

    def _line(self, language: Language) -> bytes:
        said: dict[str, object] = {"rows": self.rows, "persons": self.persons, "bytes": self.bytes}
        if self.fault is not None:
            said |= {"code": self.fault.code, "message": self.fault.sentence(language)}
        elif self.done:
            said |= {"done": True, "file": self.to, "sha256": self.sha256}
        return json.dumps(said, ensure_ascii=False).encode() + b"\n"

    # -- called by Workspaces -----------------------------------------------------------------------------------

    async def knock(self) -> Admission:
        """Be let in at the inner door. Raises the Fault of its refusal."""
        raise NotImplementedError

    async def run(self, ledger: Ledger, store: Store, now: Callable[[], datetime]) -> str:
        """Take it in, and record what it amounted to before the file is there; the file's name. Raises Fault."""
        raise NotImplementedError

    def stop(self, fault: Fault) -> None:
        """End it from outside."""

    async def leave(self) -> None:
        """Give back what was opened."""

    def let_in(self) -> None:
        self._begun.set()

    def finish(self, fault: Fault | None) -> None:
        """It is over; whoever waits is told."""
        self.fault, self.done = fault, True
        self._begun.set()
        self._over.set()

    async def record(
        self, ledger: Ledger, cut: Fault | None, read: tuple[str, ...] = (), masked: tuple[str, ...] = ()
    ) -> None:
        """Record what came."""
        if self.admission is None:
            return
        grant = self.admission.grant
        content = {self.source: self.what, "name": self.to, "sha256": self.sha256}
        sealed = ledger.vault.seal(grant.organisation, json.dumps(content, ensure_ascii=False).encode())
        pulled = Pulled(
            ticket=grant.ticket,
            person=grant.person,
            organisation=grant.organisation,
            session=self.admission.session,
            source=self.source,
            rows=self.rows,
            persons=self.persons,
            bytes=self.bytes,
            read=read,
            masked=masked,
            outcome="cut" if cut else "complete",
            code=cut.code if cut else "",
            content=sealed.commitment,
            peer=self.peer,
        )
        await ledger.record(pulled, by=grant.person, about=grant.ticket, parts=[sealed])


class QueryPull(Pull):
    """The result of one SELECT."""

    source = "query"

    def __init__(self, what: str, to: str, seat: Knocking, peer: str, door: InnerDoor) -> None:
        super().__init__(what, to, seat, peer)
        self._door = door
        self._wire: Wire | None = None
        self._connection: Connection | None = None
        self._columns: tuple[ColumnOf, ...] = ()

    async def knock(self) -> Admission:
        self._wire, made = await self._door.connect(self.seat, self.peer)
        begin(self._wire, self.seat.login(), self.seat.target)
        self._connection = await made
        self.admission = self._connection.admission
        return self.admission

    async def leave(self) -> None:
        if self._wire is not None:
            self._wire.close()

    async def run(self, ledger: Ledger, store: Store, now: Callable[[], datetime]) -> str:
        """Raises Fault PULL_CUT, NOT_ONE_RESULT, NAME_TAKEN, QUOTA, DISK."""
        writing = store.write(self.to)
        cut: Fault | None = None
        try:
            try:
                await self._take_in(writing)
            except Refused as refused:
                values = {"rows": f"{self.rows:,}", "reason": refused, "name": self.to + PART}
                cut = Fault(faults.PULL_CUT, **values)
            except Fault as fault:
                cut = fault
            self.sha256 = writing.sha256
            plan = self._connection.session.plan if self._connection else None
            await self.record(ledger, cut, plan.read if plan else (), plan.masked if plan else ())
            if cut is not None and (not self.rows or cut.kind is faults.DISK):
                raise cut
            name = self.to if cut is None else self.to + PART
            at = now().timestamp()
            await asyncio.to_thread(writing.finish, name=name, columns=self._columns, changed=at)
            if cut is None:
                await asyncio.to_thread(store.remove, self.to + PART)  # of a former try
        except BaseException:
            writing.abandon()
            raise
        if cut is not None:
            raise cut
        return self.to

    async def _take_in(self, writing: Writing) -> None:
        wire, connection = self._wire, self._connection
        if wire is None or connection is None:
            raise Refused("nobody knocked")
        meter = connection.admission.meter
        async for answer in run_query(wire, self.what):
            if isinstance(answer, RowDescription):
                self._columns = tuple(
                    _column(connection, place, answer) for place in range(len(answer.columns))
                )
                text = head(answer)
            else:
                rows, text = answer
                self.rows += rows
                if text.count(b"\n") != rows:
                    # A value with a line end: a page of the file could not tell its rows, so it will mask them whole.
                    self._columns = tuple(ColumnOf(one.name, "", True) for one in self._columns)
            await asyncio.to_thread(writing.add, text)
            self.bytes, self.persons = writing.size, meter.persons


def _column(connection: Connection, place: int, description: RowDescription) -> ColumnOf:
    column = description.columns[place]
    entry = connection.session.column(column)
    name = column.name.decode(errors="replace")
    # A computed column may hold anything.
    return ColumnOf(name, entry.item, entry.personal) if entry else ColumnOf(name, "", True)
