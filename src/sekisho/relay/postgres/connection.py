"""The sockets of one session: two wires, and who waits for whom.

the client is slow          no more is read from the target
the target is slow          no more is read from the client
the session waits (lease)   no more is read from the target
a cancel is on its way      the client's further requests wait, so that it cannot hit one of them
"""

import asyncio
import secrets
import time
from dataclasses import replace
from typing import Final

from sekisho.faults import Fault
from sekisho.relay import faults
from sekisho.relay.admission import Admission, Totals
from sekisho.relay.postgres.session import Session
from sekisho.relay.postgres.target import OpenTarget, OriginsCache, open_target, send_cancel
from sekisho.relay.postgres.words import error, may_report
from sekisho.relay.wire import Sink, Wire
from sekisho.wire.postgres import backend as b
from sekisho.wire.postgres import frontend as f
from sekisho.wire.postgres.errors import ADMIN_SHUTDOWN, CONNECTION_FAILURE

CancelKey = tuple[int, bytes]

_LINGER_SECONDS: Final = 2.0  # how long the last words may take to reach a client


class Connection:
    """A session's `Shell`. Owned by the event loop's thread; `run` is awaited by the door's task for it."""

    def __init__(
        self, session: Session, client: Wire, admission: Admission, group: asyncio.TaskGroup
    ) -> None:
        self.admission = admission
        self.session = session
        self.key: CancelKey = (secrets.randbits(31), secrets.token_bytes(4))
        self._client = client
        self.to_client: Sink = client.write
        self.to_target: Sink = _nowhere
        self._group = group
        self._target: OpenTarget | None = None
        self._reason = "target"
        self._opening: asyncio.Timeout | None = None  # while the target is being opened
        self._shut: Fault | None = None
        self._begun = False
        self._reading_target = {"client is full": False, "session waits": False}  # why not to read
        self._cancelling = 0
        self._held: list[bytes] = []
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def totals(self) -> Totals:
        return Totals(self._reason, self.session.statements, self.session.bytes)

    async def run(self, cache: OriginsCache, settings: dict[str, str]) -> None:
        """Open the target and pass messages until either side is gone."""
        admission, client = self.admission, self._client
        try:
            async with asyncio.timeout(None) as self._opening:
                if self._shut is not None:
                    raise self._shut
                target = self._target = await open_target(
                    admission.grant,
                    admission.catalogue.target,
                    admission.dataset,
                    admission.secret,
                    {**settings, "application_name": f"sekisho {admission.session}"},
                )
                origins = await cache.find(admission.catalogue, target)
        except (Fault, TimeoutError) as error_:
            fault = self._shut or (error_ if isinstance(error_, Fault) else None)
            if fault is None:
                raise
            if self._shut is None:
                self._reason = "target-down"
            sqlstate = CONNECTION_FAILURE if self._shut is None else ADMIN_SHUTDOWN
            client.write(error(fault, sqlstate, admission.language, fatal=True))
            if self._target is not None:
                await self._target.wire.closed_within(_LINGER_SECONDS)
            return
        finally:
            self._opening = None
        greeting = [status.encode() for status in target.parameters if may_report(status)]
        greeting += [b.BackendKeyData(*self.key).encode(), b.ReadyForQuery(target.status).encode()]
        client.write(b"".join(greeting))
        target = self._target = replace(target, parameters=())  # told; a session at rest needs them no more
        left = admission.grant.closes / 1e6 - time.time()
        closing = asyncio.get_running_loop().call_later(max(0.0, left), self._window_closed)
        try:
            self.to_target = target.wire.write
            self.session.begin(self, origins, target.decoder)
            self._begun = True
            target.wire.attach(self.session.target_data, lost=self._target_lost, on_full=self._target_full)
            client.attach(self.session.client_data, lost=self._client_lost, on_full=self._client_full)
            await self._done
        finally:
            closing.cancel()
            await self.session.close()
            target.wire.write(f.Terminate().encode())
            await target.wire.closed_within(_LINGER_SECONDS)
            await client.closed_within(_LINGER_SECONDS)

    def shut(self, fault: Fault, reason: str) -> None:
        """End the session from outside, telling the operator why; also while its target is being opened."""
        if self._begun:
            self.session.end(fault, reason)
        elif self._shut is None:
            self._shut, self._reason = fault, reason
            if self._opening is not None:
                self._opening.reschedule(0)

    # -- what the session asks for ------------------------------------------------------------------------------

    def hold(self) -> None:
        self._read_target("session waits", hold=True)

    def proceed(self) -> None:
        self._read_target("session waits", hold=False)

    def cancel(self) -> None:
        self._cancelling += 1
        self._client.divert(self._held.append)
        self._client.pause_reading()
        self._group.create_task(self._cancel())

    def end(self, reason: str) -> None:
        self._reason = reason
        self._finish()

    # -- what the sockets tell ----------------------------------------------------------------------------------

    def _client_lost(self) -> None:
        self.session.end(None, "client")

    def _target_lost(self) -> None:
        reason = Fault(faults.SESSION_ENDED, reason="the target closed the connection")
        self.session.end(reason, "target")

    def _client_full(self, full: bool) -> None:
        self._read_target("client is full", hold=full)

    def _target_full(self, full: bool) -> None:
        if full:
            self._client.pause_reading()
        elif not self._cancelling:
            self._client.resume_reading()

    def _window_closed(self) -> None:
        self.session.end(Fault(faults.SESSION_ENDED, reason="the ticket's window is over"), "window")

    # -- and what follows ---------------------------------------------------------------------------------------

    def _read_target(self, why: str, *, hold: bool) -> None:
        self._reading_target[why] = hold
        if self._target is not None:
            if any(self._reading_target.values()):
                self._target.wire.pause_reading()
            else:
                self._target.wire.resume_reading()

    async def cancel_asked(self) -> None:
        """The client asks to cancel what it is running."""
        if self._target is not None:
            await send_cancel(self.admission.catalogue.target, self._target.key)

    async def _cancel(self) -> None:
        try:
            await self.cancel_asked()
        finally:
            self._cancelling -= 1
            if not self._cancelling:
                self._client.divert(self.session.client_data)
                while self._held and not self._cancelling:
                    self.session.client_data(self._held.pop(0))
            if not self._cancelling:  # none of those held asked for another
                self._client.resume_reading()

    def _finish(self) -> None:
        if not self._done.done():
            self._done.set_result(None)


def _nowhere(_data: bytes) -> None:
    """The target is not open yet."""
