"""The browser's door: somebody who is logged in at the console gets a terminal of what a ticket opens, or a desktop.

    admission -> recording -> upstream (of the ticket's door) -> `TerminalSession`
                              upstream (of the workspace's desktop) -> `DesktopSession`

It is the same sequence, decision and pipe as at every other door; only the terminal is a WebSocket. It admits through
the door that is asked for ("ssh", "workspace", "desktop"); `openers` says how each of them is opened.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from sekisho.faults import Fault
from sekisho.gate.budget import subject_key
from sekisho.ledger import Ledger
from sekisho.people.identity import Authenticated
from sekisho.relay import faults
from sekisho.relay.admission import Admission, Admissions, Totals
from sekisho.relay.desktop.imprint import mark_key
from sekisho.relay.desktop.session import DesktopSession, Titled
from sekisho.relay.record.facts import DESKTOP
from sekisho.relay.record.recordings import Recording, Recordings
from sekisho.relay.terminal.session import Terminal, TerminalSession, Upstream
from sekisho.relay.terminal.volume import Volumes

CLIENT: Final = "browser"
Opener = Callable[[Admission, int, int], Awaitable[Upstream]]
"""What opens the target of an admission for a terminal of so many columns and lines. Raises Fault."""
DesktopOpener = Callable[[Admission, int, int], Awaitable[Titled]]


class BrowserTerminal(Terminal, Protocol):
    """The WebSocket: it also tells what was opened, and calls back when its window has another size."""

    def opened(
        self, admission: Admission, recording: Recording, resized: Callable[[int, int], None]
    ) -> None: ...

    def refused(self, fault: Fault) -> None: ...


class BrowserDoor:
    """One per process; the event loop's thread owns it. It listens nowhere: the console calls `serve`."""

    def __init__(
        self,
        admissions: Admissions,
        ledger: Ledger,
        subject_secret: bytes,
        recordings: Recordings,
        volumes: Volumes,
    ) -> None:
        self._admissions = admissions
        self._ledger = ledger
        self._subject_secret = subject_secret
        self._recordings = recordings
        self._volumes = volumes
        self._open: dict[str, tuple[Admission, TerminalSession | DesktopSession]] = {}
        self._serving: set[object] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._closing = False
        self.mark_key: Final = mark_key(subject_secret)
        self.openers: Final[dict[str, Opener]] = {}
        self.desktop: DesktopOpener | None = None

    async def serve(
        self,
        who: Authenticated,
        terminal: BrowserTerminal,
        *,
        ticket: str,
        door: str,
        width: int,
        height: int,
        peer: str,
        tls: str,
    ) -> str:
        """Admit, record, and pass bytes until an end; why it ended. What is opened is closed, and recorded, on
        return. Raises Fault when nothing was opened."""
        if self._closing:
            raise Fault(faults.SESSION_ENDED, reason="shutdown")
        if self._ledger.fault is not None:
            raise Fault(faults.LEDGER_DOWN)
        one = object()
        self._serving.add(one)
        self._idle.clear()
        try:
            entrant = await self._admissions.entrant(who, ticket)
            admission = await self._admissions.admit(entrant, door=door, peer=peer, tls=tls, client=CLIENT)
            totals = Totals("refused", 0, 0)
            try:
                totals = await self._recorded(admission, terminal, door, width, height)
            finally:
                await self._admissions.leave(admission, totals)
            return totals.reason
        finally:
            self._serving.discard(one)
            if not self._serving:
                self._idle.set()

    async def _recorded(
        self, admission: Admission, terminal: BrowserTerminal, kind: str, width: int, height: int
    ) -> Totals:
        grant = admission.grant
        recording = await self._recordings.open(
            admission.session,
            person=grant.person,
            ticket=grant.ticket,
            organisation=grant.organisation,
            kind=kind,
            title=f"{grant.person} → {grant.target}",
            width=width,
            height=height,
        )
        try:
            session = await self._session(admission, recording, kind, width, height)
            self._open[admission.session] = admission, session
            try:
                await self._admissions.decide_again(admission)
                if isinstance(session, DesktopSession) and self.desktop is not None:
                    screen = await self.desktop(admission, width, height)
                    terminal.opened(admission, recording, session.resized)
                    return await session.run(screen, terminal)
                opener = self.openers.get(kind)
                if opener is None or isinstance(session, DesktopSession):
                    raise Fault(faults.TARGET_DOWN, target=grant.target, reason=f"no terminal for {kind}")
                upstream = await opener(admission, width, height)
                terminal.opened(admission, recording, session.resized)
                return await session.run(upstream, terminal)
            finally:
                del self._open[admission.session]
        finally:
            await recording.close()

    async def _session(
        self, admission: Admission, recording: Recording, kind: str, width: int, height: int
    ) -> TerminalSession | DesktopSession:
        if kind == DESKTOP:
            return DesktopSession(admission, recording, self._ledger, self.mark_key)
        grant = admission.grant
        return TerminalSession(
            admission,
            recording,
            self._ledger,
            subject_key=subject_key(self._subject_secret, grant.organisation),
            siblings=lambda: self._admissions.book.siblings(admission.meter),
            day=await self._volumes.of(grant.person),
            width=width,
            height=height,
        )

    def end_all(
        self, fault: Fault, reason: str, *, person: str | None = None, ticket: str | None = None
    ) -> int:
        """End the sessions of a person, of a ticket, or all; the number ended."""
        ended = 0
        for admission, session in list(self._open.values()):
            if person in (None, admission.grant.person) and ticket in (None, admission.grant.ticket):
                session.end(fault, reason)
                ended += 1
        return ended

    def end_session(self, session: str, fault: Fault, reason: str) -> bool:
        """End one session; False when it is not open at this door."""
        found = self._open.get(session)
        if found is not None:
            found[1].end(fault, reason)
        return found is not None

    async def close(self, seconds: float) -> None:
        """End every session, and return when each is recorded, or after so many seconds."""
        self._closing = True
        self.end_all(Fault(faults.SESSION_ENDED, reason="shutdown"), "shutdown")
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            return
