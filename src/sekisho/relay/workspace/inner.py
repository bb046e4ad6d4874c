"""The inner door: the PostgreSQL relay for whoever is in a workspace.

There is no password: a connection comes over a socket that exists in one sandbox only, or from the checkpoint's own
pull, so whose it is is known before its first byte. Everything else is the outer door's: the decision, the accounts
(those of the bulk allowance), masks, the record. COPY stays refused; a pull is a SELECT.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Final

from sekisho.faults import Fault
from sekisho.gate.decide import INNER
from sekisho.ledger import Ledger
from sekisho.people.tokens import Token
from sekisho.relay.admission import Admission, Admissions, Entrant
from sekisho.relay.faults import SESSION_ENDED
from sekisho.relay.postgres.connection import Connection
from sekisho.relay.postgres.door import PostgresDoor
from sekisho.relay.wire import Wire
from sekisho.wire.postgres import backend as b
from sekisho.wire.postgres import frontend as f
from sekisho.wire.postgres.decode import FrontendDecoder

PEER: Final = "workspace"
Knocking = Token | Entrant
"""Who knocks: somebody whose door token, or whose login, was proven; in a sandbox, the seat of its workspace."""


class InnerDoor(PostgresDoor):
    """One per process; `run` serves all workspaces. Owned by the event loop's thread."""

    def __init__(self, admissions: Admissions, ledger: Ledger, subject_secret: bytes) -> None:
        super().__init__(admissions, ledger, subject_secret, tls=None)
        self._seats: dict[Wire, tuple[Knocking, str]] = {}
        self._made: dict[Wire, asyncio.Future[Connection]] = {}
        self._take: asyncio.Future[Callable[[Wire], None]] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Serve until cancelled, or the ledger fails."""
        async with self._taking() as accepted:
            self._take.set_result(accepted)
            raise await self._ledger.wait_failed()

    async def listen(self, inside: socket.socket, seat: Knocking) -> asyncio.Server:
        """Take connections from a socket that listens in the sandbox of this seat's workspace."""
        accepted = await self._take

        def of_seat(wire: Wire) -> None:
            self._seats[wire] = seat, PEER
            wire.closed.add_done_callback(lambda _: self._seats.pop(wire, None))
            accepted(wire)

        return await asyncio.get_running_loop().create_unix_server(lambda: Wire(of_seat), sock=inside)

    async def connect(self, seat: Knocking, peer: str) -> tuple[Wire, "asyncio.Future[Connection]"]:
        """A connection of our own for a pull, and the session behind it once it is admitted."""
        accepted = await self._take
        loop = asyncio.get_running_loop()
        made: asyncio.Future[Connection] = loop.create_future()

        def of_pull(wire: Wire) -> None:
            self._seats[wire], self._made[wire] = (seat, peer), made

            def forget(_: object) -> None:
                del self._seats[wire], self._made[wire]
                if not made.done():
                    made.set_exception(Fault(SESSION_ENDED, reason="the inner door"))

            wire.closed.add_done_callback(forget)
            accepted(wire)

        ours, theirs = socket.socketpair()
        for one in (ours, theirs):
            one.setblocking(False)
        await loop.create_connection(lambda: Wire(of_pull), sock=theirs)
        _, wire = await loop.create_connection(Wire, sock=ours)
        return wire, made

    async def _log_in(self, wire: Wire, decoder: FrontendDecoder, opening: f.StartupMessage) -> Admission:
        self._check_opening(wire, opening)
        seat, peer = self._seats[wire]
        wire.write(b.Authentication(b.OK).encode())
        decoder.take()
        decoder.authenticated()
        client = opening.parameters.get("application_name", "")[:64]
        try:
            return await self._admissions.admit(seat, door=INNER, peer=peer, tls="", client=client)
        except Fault as fault:
            made = self._made.get(wire)
            if made is not None and not made.done():
                made.set_exception(fault)  # a pull is told the code, not only the sentence
            raise

    def _connection(
        self, wire: Wire, decoder: FrontendDecoder, admission: Admission, group: asyncio.TaskGroup
    ) -> Connection:
        connection = super()._connection(wire, decoder, admission, group)
        made = self._made.get(wire)
        if made is not None and not made.done():
            made.set_result(connection)
        return connection
