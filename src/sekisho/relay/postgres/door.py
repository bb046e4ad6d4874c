"""The PostgreSQL door: an unmodified client connects as `person.ticket` to the database named after the target.

    connection -> TLS -> start-up parameters -> SCRAM with a door token -> `admission` -> target -> `Session`

Each connection is one task of the door's task group. A CancelRequest comes on a connection of its own and is
mapped to the target's key of the session that it names.
"""

import asyncio
import secrets
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import structlog

from sekisho.faults import Fault
from sekisho.gate.budget import subject_key
from sekisho.ledger import Ledger
from sekisho.relay import faults
from sekisho.relay.admission import Admission, Admissions
from sekisho.relay.postgres.connection import CancelKey, Connection
from sekisho.relay.postgres.session import Session
from sekisho.relay.postgres.target import OriginsCache, channel_binding
from sekisho.relay.postgres.words import error
from sekisho.relay.wire import Wire
from sekisho.wire.faults import ProtocolViolation
from sekisho.wire.postgres import backend as b
from sekisho.wire.postgres import frontend as f
from sekisho.wire.postgres.decode import FrontendDecoder
from sekisho.wire.postgres.errors import (
    INVALID_AUTHORIZATION,
    INVALID_PASSWORD,
    PROTOCOL_VIOLATION,
)
from sekisho.wire.postgres.scram import ScramServer, Verifier

DOOR: Final = "postgres"
CONNECTION_FAILED: Final = "relay.connection_failed"  # a log event
_log: Final = structlog.get_logger()
_LOG_IN_SECONDS: Final = 20.0
_CLOSE_SECONDS: Final = 2.0
_SHUTDOWN_SECONDS: Final = 10.0

# What a client may set at the start; passed on to the target but for the first two. `options` could set
# anything, `replication` opens another protocol.
_OWN_PARAMETERS: Final = frozenset({"user", "database", "client_encoding", "application_name"})
_PASSED_PARAMETERS: Final = frozenset({"DateStyle", "IntervalStyle", "TimeZone", "extra_float_digits"})


@dataclass(frozen=True, slots=True)
class ServerTls:
    """The door's TLS. `certificate` (DER) binds SCRAM to the channel."""

    context: ssl.SSLContext
    certificate: bytes


class PostgresDoor:
    """Made once per listening address; `serve` runs until cancelled. Owned by the event loop's thread.

    `tls` None means a door without TLS, which the caller allows on loopback only.
    """

    def __init__(
        self,
        admissions: Admissions,
        ledger: Ledger,
        subject_secret: bytes,
        *,
        tls: ServerTls | None,
        most_sessions: int = 1000,
    ) -> None:
        self._admissions = admissions
        self._ledger = ledger
        self._subject_secret = subject_secret
        self._tls = tls
        self._channel = channel_binding(tls.certificate) if tls else None
        self._most_sessions = most_sessions
        self._origins = OriginsCache()
        self._open: dict[CancelKey, Connection] = {}
        self._connections = 0
        self._verifiers: dict[str, Verifier] = {}
        self.address: asyncio.Future[tuple[str, int]] = asyncio.get_running_loop().create_future()

    async def serve(self, host: str, port: int) -> None:
        """Listen, and serve until cancelled. `address` tells the port when 0 was asked for. Raises OSError."""
        async with self._taking() as accepted:
            loop = asyncio.get_running_loop()
            server = await loop.create_server(lambda: Wire(accepted), host, port)
            try:
                self.address.set_result(server.sockets[0].getsockname()[:2])
                raise await self._ledger.wait_failed()
            finally:
                server.close()

    @asynccontextmanager
    async def _taking(self) -> AsyncIterator[Callable[[Wire], None]]:
        """What takes connections while the block runs; at its end their sessions end, and are recorded."""
        async with asyncio.TaskGroup() as group:
            handlers: set[asyncio.Task[None]] = set()

            def accepted(wire: Wire) -> None:
                handler = group.create_task(self._handle(wire, group))
                handlers.add(handler)
                handler.add_done_callback(handlers.discard)

            try:
                yield accepted
            except Fault:
                # Fail closed: what cannot be recorded does not pass.
                self.end_all(Fault(faults.LEDGER_DOWN), "ledger")
                raise
            finally:
                self.end_all(Fault(faults.SESSION_ENDED, reason="shutdown"), "shutdown")
                if handlers:  # they close what they opened, and record it; only then is the rest cancelled
                    await asyncio.wait(handlers, timeout=_SHUTDOWN_SECONDS)

    def end_all(
        self, fault: Fault, reason: str, *, person: str | None = None, ticket: str | None = None
    ) -> int:
        """End the sessions of a person, of a ticket, or all; the number ended."""
        ended = 0
        for connection in list(self._open.values()):
            grant = connection.admission.grant
            if person in (None, grant.person) and ticket in (None, grant.ticket):
                connection.shut(fault, reason)
                ended += 1
        return ended

    def end_session(self, session: str, fault: Fault, reason: str) -> bool:
        """End one session; False when it is not open at this door."""
        for connection in list(self._open.values()):
            if connection.admission.session == session:
                connection.shut(fault, reason)
                return True
        return False

    # -- one connection -----------------------------------------------------------------------------------------

    async def _handle(self, wire: Wire, group: asyncio.TaskGroup) -> None:
        self._connections += 1
        try:
            await self._serve_one(wire, group)
        except (OSError, TimeoutError):
            pass  # the peer went away, or took too long, before anything was opened
        except Fault as fault:
            # Whoever failed to get in is told why; what was recorded is recorded by `admission`.
            wire.write(error(fault, _sqlstate(fault), "en", fatal=True))
        except Exception:
            # A mistake of ours ends this connection, not the door: the others go on.
            _log.exception(CONNECTION_FAILED, peer=wire.peer)
        finally:
            self._connections -= 1
            await wire.closed_within(_CLOSE_SECONDS)

    async def _serve_one(self, wire: Wire, group: asyncio.TaskGroup) -> None:
        decoder = FrontendDecoder()
        async with asyncio.timeout(_LOG_IN_SECONDS):
            opening = await self._opening(wire, decoder)
            if isinstance(opening, f.CancelRequest):
                if (found := self._open.get((opening.process_id, opening.secret_key))) is not None:
                    await found.cancel_asked()
                return
            if opening is None:
                return
            if self._connections > self._most_sessions:
                raise Fault(faults.BUSY, limit=self._most_sessions)
            admission = await self._log_in(wire, decoder, opening)
        connection = self._connection(wire, decoder, admission, group)
        self._open[connection.key] = connection
        try:
            # Now that whoever ends sessions finds this one: what ended between the decision and this line?
            await self._admissions.decide_again(admission)
            passed = {name: value for name, value in opening.parameters.items() if name in _PASSED_PARAMETERS}
            await connection.run(self._origins, passed)
        finally:
            del self._open[connection.key]
            await self._admissions.leave(admission, connection.totals())

    def _connection(
        self, wire: Wire, decoder: FrontendDecoder, admission: Admission, group: asyncio.TaskGroup
    ) -> Connection:
        session = Session(
            admission,
            self._ledger,
            subject_key=subject_key(self._subject_secret, admission.grant.organisation),
            siblings=lambda: self._admissions.book.siblings(admission.meter),
            from_client=decoder,
        )
        return Connection(session, wire, admission, group)

    async def _opening(
        self, wire: Wire, decoder: FrontendDecoder
    ) -> f.StartupMessage | f.CancelRequest | None:
        while chunk := await wire.receive():
            for message in decoder.feed(chunk):
                match message:
                    case f.SSLRequest():
                        decoder.encryption_answered()
                        wire.write(b"S" if self._tls else b"N")
                        if self._tls:
                            await wire.start_tls(self._tls.context, server_side=True)
                    case f.GSSENCRequest():
                        decoder.encryption_answered()
                        wire.write(b"N")
                    case f.CancelRequest():
                        return message
                    case f.StartupMessage():
                        decoder.take()
                        if self._tls and not wire.tls:
                            raise Fault(faults.TLS_REQUIRED)
                        return message
        return None

    def _check_opening(self, wire: Wire, opening: f.StartupMessage) -> None:
        """Raises Fault PARAMETER_REFUSED."""
        for name in opening.parameters:
            if (
                name not in _OWN_PARAMETERS
                and name not in _PASSED_PARAMETERS
                and not name.startswith("_pq_.")
            ):
                raise Fault(faults.PARAMETER_REFUSED, name=repr(name))
        if opening.minor or opening.extensions:
            unknown = tuple(name.encode() for name in opening.extensions)
            wire.write(b.NegotiateProtocolVersion(0, unknown).encode())

    async def _log_in(self, wire: Wire, decoder: FrontendDecoder, opening: f.StartupMessage) -> Admission:
        self._check_opening(wire, opening)
        login = opening.parameters.get("user", "")
        target = opening.parameters.get("database", login)
        found = await self._admissions.token(login, target)
        try:
            await self._check_password(wire, decoder, found[1] if found else None)
        except Fault as refusal:
            fault = Fault(faults.NOT_A_TOKEN)
            await self._admissions.refuse(
                fault, door=DOOR, target=target, peer=wire.peer, token=found and found[0]
            )
            raise fault from refusal
        if found is None:  # not reached: nobody knows the password of a decoy
            raise Fault(faults.NOT_A_TOKEN)
        client = opening.parameters.get("application_name", "")[:64]
        return await self._admissions.admit(found[0], door=DOOR, peer=wire.peer, tls=wire.tls, client=client)

    async def _check_password(self, wire: Wire, decoder: FrontendDecoder, password: str | None) -> None:
        """SCRAM, bound to the TLS channel where the client can. Raises Fault."""
        scram = ScramServer(await self._verifier(password), channel=self._channel if wire.tls else None)
        wire.write(b.Authentication.sasl(*scram.mechanisms).encode())
        first = True
        while chunk := await wire.receive():
            for message in decoder.feed(chunk):
                if not isinstance(message, f.AuthenticationResponse):
                    raise Fault(faults.NOT_A_TOKEN)
                if first:
                    first = False
                    try:
                        mechanism, data = message.sasl_initial()
                    except ValueError as cause:
                        raise Fault(faults.NOT_A_TOKEN) from cause
                    wire.write(b.Authentication(b.SASL_CONTINUE, scram.first(mechanism, data)).encode())
                else:
                    proof = scram.final(message.data)
                    decoder.take()
                    decoder.authenticated()
                    wire.write(b.Authentication(b.SASL_FINAL, proof).encode())
                    wire.write(b.Authentication(b.OK).encode())
                    return
        raise ConnectionError("the client left during log-in")

    async def _verifier(self, password: str | None) -> Verifier:
        if password is None:
            return await asyncio.to_thread(Verifier.of, secrets.token_hex(16))
        if (known := self._verifiers.get(password)) is None:
            if len(self._verifiers) >= 1024:
                self._verifiers.clear()
            known = self._verifiers[password] = await asyncio.to_thread(Verifier.of, password)
        return known


def _sqlstate(fault: Fault) -> str:
    """The SQLSTATE by which a client's driver understands why it was not let in."""
    if isinstance(fault, ProtocolViolation):
        return PROTOCOL_VIOLATION
    return INVALID_PASSWORD if fault.kind is faults.NOT_A_TOKEN else INVALID_AUTHORIZATION
