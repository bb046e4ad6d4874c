"""A file of an SSH target into the workspace, by SFTP over the target's own connection.

Text only: what cannot be read cannot be counted, and so is refused. Persons are counted as a terminal counts them, by
what the scanner finds, within the allowance; a bare list of names counts for less than it holds (docs/text.md).

A file that was cut goes on where it stopped: NAME.part stays, and if the remote file has still the same time and is no
shorter, only the rest is fetched. The hash is over the whole.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from stat import S_ISREG
from typing import Final, cast

import asyncssh

from sekisho.faults import Fault
from sekisho.gate.decide import INNER
from sekisho.ledger import Fact, Ledger
from sekisho.relay.admission import Admission, Admissions, Totals
from sekisho.relay.faults import SESSION_ENDED
from sekisho.relay.terminal.encoded import Unread
from sekisho.relay.terminal.scan import TextMeter
from sekisho.relay.workspace import faults, looks
from sekisho.relay.workspace.inner import Knocking
from sekisho.relay.workspace.pull import PART, Pull
from sekisho.relay.workspace.store import Store, Writing, check_name

Opener = Callable[[Admission], Awaitable[asyncssh.SSHClientConnection]]
_OPEN_SECONDS: Final = 15.0
_BLOCK: Final = 256 << 10


async def _sftp(connection: asyncssh.SSHClientConnection) -> asyncssh.SFTPClient:
    """Raises TimeoutError: a server that runs something else in its place says nothing that could be waited for."""
    async with asyncio.timeout(_OPEN_SECONDS):
        return await connection.start_sftp_client()


class FilePull(Pull):
    """`what` is the remote path."""

    source = "file"

    def __init__(
        self,
        what: str,
        to: str,
        seat: Knocking,
        peer: str,
        admissions: Admissions,
        opener: Opener,
        subject_key: Callable[[str], bytes],
    ) -> None:
        super().__init__(what, to, seat, peer)
        self._admissions = admissions
        self._opener = opener
        self._subject_key = subject_key
        self._stopped: Fault | None = None

    async def knock(self) -> Admission:
        self.admission = await self._admissions.admit(
            self.seat, door=INNER, peer=self.peer, tls="", client="sekisho pull"
        )
        return self.admission

    def stop(self, fault: Fault) -> None:
        self._stopped = fault

    async def leave(self) -> None:
        if self.admission is not None:
            reason = self.fault.code if self.fault else "done"
            await self._admissions.leave(self.admission, Totals(reason, 0, self.bytes))

    async def run(self, ledger: Ledger, store: Store, now: Callable[[], datetime]) -> str:
        """Raises Fault PULL_CUT, NO_REMOTE_FILES, NOT_TEXT, NAME_TAKEN, QUOTA, DISK, and those of the target."""
        check_name(self.to + PART)
        if self.to in store.files:
            raise Fault(faults.NAME_TAKEN, name=self.to)
        if self.admission is None:
            raise Fault(SESSION_ENDED, reason="nobody knocked")
        connection = await self._opener(self.admission)
        writing = store.write(self.to + PART, replaces=True)
        cut: Fault | None = None
        changed = 0.0
        try:
            try:
                async with connection, await _sftp(connection) as sftp:
                    found = await sftp.stat(self.what)
                    if found.size is None or not S_ISREG(found.permissions or 0):
                        reason = "it is no plain file"
                        raise Fault(faults.NO_REMOTE_FILES, target=self.seat.target, reason=reason)
                    changed = float(found.mtime or 0)
                    self.total = found.size
                    await self._go_on(store, writing, found.size, changed)
                    async with sftp.open(self.what, "rb") as file:
                        await self._take_in(ledger, writing, file)
            except (asyncssh.Error, OSError, TimeoutError) as error:
                # Of the reason only its kind: a target can put words into it.
                values = {"rows": f"{self.rows:,}", "reason": type(error).__name__, "name": self.to + PART}
                cut = Fault(faults.PULL_CUT, **values)
            except Fault as fault:
                cut = fault
            self.sha256 = writing.sha256
            await self.record(ledger, cut)
            if cut is not None and (not writing.size or cut.kind is faults.DISK):
                raise cut
            name = self.to if cut is None else self.to + PART
            at = now().timestamp() if cut is None else changed
            await asyncio.to_thread(writing.finish, name=name, changed=at)
            if cut is None:
                await asyncio.to_thread(store.remove, self.to + PART)
        except BaseException:
            writing.abandon()
            raise
        if cut is not None:
            raise cut
        return self.to

    async def _go_on(self, store: Store, writing: Writing, size: int, changed: float) -> None:
        """Take over what a former try kept of this very file."""
        former = store.files.get(self.to + PART)
        if former is None or former.changed != changed or former.size > size:
            return

        def again() -> None:
            for chunk in store.read(former):
                writing.add(chunk)

        await asyncio.to_thread(again)
        self.bytes = writing.size

    async def _take_in(self, ledger: Ledger, writing: Writing, file: asyncssh.SFTPClientFile) -> None:
        admission = self.admission
        if admission is None:
            raise Fault(SESSION_ENDED, reason="nobody knocked")

        async def durable(fact: Fact) -> None:
            await ledger.record(fact, by=admission.grant.person, about=admission.session)

        meter = TextMeter(
            admission,
            durable,
            self._subject_key(admission.grant.organisation),
            lambda: self._admissions.book.siblings(admission.meter),
            unread=Unread(),
        )
        while True:
            if self._stopped is not None:
                raise self._stopped
            block = cast(bytes, await file.read(_BLOCK, writing.size))  # opened "rb"
            # At the end, the line that is not complete is read as one.
            await meter.spend(looks.as_utf8(block, self.to) if block else b"\n")
            self.persons = admission.meter.persons
            if not block:
                return
            await asyncio.to_thread(writing.add, block)
            self.rows += block.count(b"\n")
            self.bytes = writing.size
