"""A worker's day in pixels: a target that nobody said more about than that it exists opens in a desktop only."""

import asyncio
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Final

import msgspec

from sekisho.demo import callcentre
from sekisho.demo.callcentre import ADMINISTRATOR, OPERATOR, WORKER, CallCentre
from sekisho.demo.clients import psql
from sekisho.demo.founding import add_dataset, add_target, ticket_request
from sekisho.demo.stage import Stage
from sekisho.faults import Fault
from sekisho.gate.decide import DESKTOP, WORKSPACE
from sekisho.gate.facts import Limits
from sekisho.gate.tickets import approve_ticket
from sekisho.ledger import Level
from sekisho.people.identity import Authenticated, Method, minted
from sekisho.relay.admission import Admission
from sekisho.relay.desktop.screen import HEIGHT, WIDTH
from sekisho.relay.record.recordings import Recording
from sekisho.service.service import Service

_TARGET: Final = "callcentre-pixels"
_TEXT_TICKET: Final = "T-0008"
_TICKET: Final = "T-0009"
_LIMITS: Final = Limits(**dict.fromkeys(Limits.__struct_fields__, 100))
LogIn = Callable[[str, str], Awaitable[tuple[str, str]]]
_ROWS: Final = 3
_SECONDS: Final = 30.0
_QUIET_SECONDS: Final = 1.0
_HELLO: Final = b"RFB 003.008\n\x01\x01" + struct.pack("!BxHi", 2, 1, 7)  # of encodings, Tight only


class ActDesktop:
    """The steps, in order; each prints itself on the stage."""

    def __init__(self, stage: Stage, service: Service, centre: CallCentre) -> None:
        self._stage = stage
        self._service = service
        self._ledger = service.ledger
        self._centre = centre
        self._client = centre.organisations[1]

    async def play(self, log_in: LogIn) -> None:
        """`log_in` gets the worker a door token for a ticket and a target."""
        await self._found()
        self._stage.heading(
            "The worker's day in pixels: no text of this target reaches a terminal",
            "保守員の一日は画素の中で: この対象の文字は端末に届かない",
        )
        await self._at_the_text_door(*await log_in(_TEXT_TICKET, _TARGET))
        await self._in_the_desktop()

    async def _found(self) -> None:
        """The same server under another name, of which nobody said how much may reach a terminal; two tickets."""
        ledger, client = self._ledger, self._client
        await add_target(ledger, _TARGET, self._centre.server, operator=OPERATOR, access="", by=ADMINISTRATOR)
        held = callcentre.holding(client, self._centre.role_password)
        there = replace(held, dataset=f"{held.dataset}-pixels", target=_TARGET)
        await add_dataset(ledger, there, by=ADMINISTRATOR)
        for ticket, door in ((_TEXT_TICKET, "postgres"), (_TICKET, WORKSPACE)):
            asked = ticket_request(
                ticket,
                WORKER,
                organisation=client.id,
                dataset=there.dataset,
                target=_TARGET,
                purpose="請求書の宛名の確認",
                limits=_LIMITS,
            )
            await ledger.record(msgspec.structs.replace(asked, door=door), by=WORKER, about=ticket)
            await approve_ticket(ledger, ticket, callcentre.APPROVER)
        await ledger.reached(await ledger.size() - 1, Level.PUBLISHED, 30)

    async def _at_the_text_door(self, user: str, password: str) -> None:
        host, port = self._service.postgres
        run = await psql(host, port, user, password, _TARGET, "-c", "SELECT 1", sslmode="require")
        await self._step(
            ("The PostgreSQL door says where to work", "PostgreSQL の入口は、作業する場所を示す"),
            f"psql -d {_TARGET}",
            run.stderr.partition("FATAL:")[2] or run.stderr,
            "gate.access_refused",
            "SEK-GATE-045" in run.stderr,
        )

    async def _in_the_desktop(self) -> None:
        browser = _Browser()
        query = f"SELECT customer_id, name, phone FROM {self._client.id}.customers ORDER BY 1 LIMIT {_ROWS}"  # noqa: S608 (our own names)
        line = f'psql -X --csv -c "{query}" > rows.csv'
        rooms = self._service.rooms
        rows = ""
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(
                self._service.browser.serve(
                    _who(),
                    browser,
                    ticket=_TICKET,
                    door=DESKTOP,
                    width=WIDTH,
                    height=HEIGHT,
                    peer="demo",
                    tls="",
                )
            )
            with suppress(TimeoutError):
                async with asyncio.timeout(_SECONDS):
                    while "rows.csv" not in (names := {one.name for one in (await rooms.files(_TICKET))[0]}):
                        await browser.quiet()
                        browser.type(line)
                    rows = "\n".join(sorted(names))
            browser.close()
            await serving
        shown = f"{browser.updates} updates, {browser.bytes:,} bytes of pixels; in the workspace: {rows}"
        said = f"画素の更新 {browser.updates} 回 {browser.bytes:,} バイト。作業領域に残ったもの: {rows}"
        await self._step(
            (
                "A query typed in the desktop; the browser gets pixels",
                "デスクトップで照会する。ブラウザに届くのは画素だけ",
            ),
            line,
            self._stage.text(shown, said),
            "record.closed",
            browser.updates > 0 and "rows.csv" in rows,
        )
        host, port = self._service.console
        self._stage.table(
            [(self._stage.text("its page", "そのページ"), f"https://{host}:{port}/desktop/{_TICKET}")]
        )

    async def _step(self, title: tuple[str, str], asked: str, answer: str, name: str, ok: bool) -> None:
        size = await self._ledger.size()
        found = await self._ledger.facts(max(0, size - 1000), 1000, names=[name])
        fact = found[-1].seq if found else None
        self._stage.step(title, asked, answer, fact=fact, ok=ok and fact is not None)


def _who() -> Authenticated:
    """The worker, as the console knows him after a login."""
    return minted(WORKER, WORKER, Method.PASSWORD, "demo")


class _Browser:
    """What noVNC does, without a screen: it asks for pixels whenever some came, and types."""

    def __init__(self) -> None:
        self.updates = self.bytes = 0
        self._said: asyncio.Queue[bytes] = asyncio.Queue()
        self._came = asyncio.Event()
        self._said.put_nowait(_HELLO + _asking(changes=False))

    async def read(self) -> bytes:
        return await self._said.get()

    def write(self, data: bytes) -> None:
        if data[:1] == b"\0":  # an update (RFC 6143 7.6.1); before it, the handshake
            self.updates += 1
            self.bytes += len(data)
            self._came.set()
            self._said.put_nowait(_asking(changes=True))

    async def drain(self) -> None:
        """Nobody is slow here."""

    def close(self) -> None:
        self._said.put_nowait(b"")

    def opened(
        self, admission: Admission, recording: Recording, resized: Callable[[int, int], None]
    ) -> None: ...

    def refused(self, fault: Fault) -> None: ...

    def type(self, line: str) -> None:
        """Keys, and Enter."""
        for keysym in (*map(ord, line), 0xFF0D):
            for down in (1, 0):
                self._said.put_nowait(struct.pack("!BB2xI", 4, down, keysym))

    async def quiet(self) -> None:
        """Until something was drawn, and nothing more for a while."""
        await self._came.wait()
        with suppress(TimeoutError):
            while True:
                self._came.clear()
                await asyncio.wait_for(self._came.wait(), _QUIET_SECONDS)
        self._came.set()


def _asking(*, changes: bool) -> bytes:
    return struct.pack("!BBHHHH", 3, changes, 0, 0, WIDTH, HEIGHT)
