"""Opening a PostgreSQL target: with the checkpoint's own credential, over TLS, and with its tables numbered."""

import asyncio
import ssl
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from cryptography import x509

from sekisho.faults import Fault
from sekisho.gate.decide import Grant
from sekisho.register.catalogue import Catalogue, Dataset, Target
from sekisho.relay import faults
from sekisho.relay.postgres.backends import backends_at
from sekisho.relay.postgres.plan import EXPLORABLE, Origin, Origins
from sekisho.relay.wire import Wire
from sekisho.wire.postgres import backend as b
from sekisho.wire.postgres import frontend as f
from sekisho.wire.postgres.decode import BackendDecoder
from sekisho.wire.postgres.frame import HEADER
from sekisho.wire.postgres.rows import Rows
from sekisho.wire.postgres.scram import ScramClient, certificate_hash

_CONNECT_SECONDS: Final = 10.0
_CLOSE_SECONDS: Final = 1.0
_ORIGINS_SECONDS: Final = (
    60.0  # how long table numbers are remembered; a table made anew is unknown till then
)


@dataclass(frozen=True, slots=True)
class OpenTarget:
    """A logged-in connection: `parameters` as the target reported them, `key` to cancel with."""

    wire: Wire
    decoder: BackendDecoder
    parameters: tuple[b.ParameterStatus, ...]
    key: b.BackendKeyData
    status: bytes


def target_context(target: Target) -> ssl.SSLContext | None:
    """TLS as the register says; the certificate must chain to the registered one and name the host."""
    return _trusting(target.tls_ca) if target.tls_ca else None


@lru_cache(maxsize=64)
def _trusting(authority: str) -> ssl.SSLContext:
    # One for all sessions of a target: a context of its own is 23 KiB of an idle session's memory.
    return ssl.create_default_context(cadata=authority)


def channel_binding(certificate: bytes | None) -> bytes | None:
    """tls-server-end-point data of a server certificate (DER); None without TLS."""
    if certificate is None:
        return None
    algorithm = x509.load_der_x509_certificate(certificate).signature_hash_algorithm
    if algorithm is None:  # Ed25519: RFC 5929 defines no hash for it
        raise ConnectionError("the certificate's signature names no hash to bind to")
    return certificate_hash(certificate, algorithm.name)


async def open_target(
    grant: Grant, target: Target, dataset: Dataset, secret: bytes, settings: dict[str, str]
) -> OpenTarget:
    """Log in to the target as the dataset's role. Raises Fault TARGET_DOWN."""
    if (grant.target, grant.dataset) != (target.target, dataset.dataset):
        raise ValueError("the grant is for another target")
    return await open_own(target, dataset, secret, settings)


async def open_own(target: Target, dataset: Dataset, secret: bytes, settings: dict[str, str]) -> OpenTarget:
    """As `open_target`, for a question of the checkpoint's own: no operator gets anything of the answer."""
    wire: Wire | None = None
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            wire = await _connect(target)
            return await _log_in(wire, target, dataset, secret, settings)
    except (Fault, OSError, ValueError) as error:
        if wire is not None:
            await wire.closed_within(_CLOSE_SECONDS)
        reason = error.code if isinstance(error, Fault) else type(error).__name__
        raise Fault(faults.TARGET_DOWN, target=target.target, reason=reason) from error


async def _connect(target: Target) -> Wire:
    loop = asyncio.get_running_loop()
    _, wire = await loop.create_connection(Wire, target.host, target.port)
    context = target_context(target)
    if context is None:
        return wire
    try:
        wire.write(f.SSLRequest().encode())
        if await wire.receive() != b"S":
            raise ConnectionError("the target does not speak TLS")
        await wire.start_tls(context, server_side=False, name=target.host)
    except BaseException:  # also when the checkpoint is being stopped
        wire.close()
        raise
    return wire


async def _log_in(
    wire: Wire, target: Target, dataset: Dataset, secret: bytes, settings: dict[str, str]
) -> OpenTarget:
    parameters = {"user": dataset.role, "database": target.database, **settings, "client_encoding": "UTF8"}
    wire.write(f.StartupMessage(parameters).encode())
    decoder = BackendDecoder()
    scram = ScramClient(secret.decode(), channel=channel_binding(wire.peer_certificate()))
    reported: list[b.ParameterStatus] = []
    key: b.BackendKeyData | None = None
    proven = False  # the target has shown that it knows the secret
    while chunk := await wire.receive():
        for message in decoder.feed(chunk):
            match message:
                case b.Authentication(code=b.SASL):
                    if scram.mechanism not in message.mechanisms():
                        raise ConnectionError("the target does not bind SCRAM to this TLS channel")
                    first = f.AuthenticationResponse.of_sasl_initial(scram.mechanism, scram.first())
                    wire.write(first.encode())
                case b.Authentication(code=b.SASL_CONTINUE):
                    wire.write(f.AuthenticationResponse(scram.final(message.data)).encode())
                case b.Authentication(code=b.SASL_FINAL):
                    scram.verify(message.data)
                    proven = True
                case b.Authentication(code=b.OK) if proven:
                    pass
                case b.Authentication():
                    # "trust", clear text or MD5: whoever answers so has not proven that it is the target.
                    raise ConnectionError(f"the target asks for {message.method}")
                case b.ParameterStatus():
                    reported.append(message)
                case b.BackendKeyData():
                    key = message
                    _ours(wire, target, message.process_id)
                case b.ErrorResponse():
                    raise ConnectionError(f"the target refused the login ({message.sqlstate})")
                case b.ReadyForQuery() if key is not None:
                    decoder.take()
                    return OpenTarget(wire, decoder, tuple(reported), key, message.status)
                case _:
                    pass
    raise ConnectionError("the target closed the connection")


def _ours(wire: Wire, target: Target, process: int) -> None:
    """The sensor must not take our own connection for somebody else's."""
    backends = backends_at(target.host, target.port)
    backends.opened(process)
    wire.closed.add_done_callback(lambda _: backends.closed(process))


async def send_cancel(target: Target, key: b.BackendKeyData) -> None:
    """Cancel what runs under `key`; returns when the target has taken note of it, or cannot be reached."""
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            wire = await _connect(target)
            try:
                wire.write(f.CancelRequest(key.process_id, key.secret_key).encode())
                await wire.receive()  # the target closes the connection once the signal is sent
            finally:
                await wire.closed_within(_CLOSE_SECONDS)
    except (OSError, Fault):
        return


class OriginsCache:
    """Table numbers of each target, read over a session's own connection. Owned by the event loop's thread."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, Catalogue, Origins]] = {}

    async def find(self, catalogue: Catalogue, target: OpenTarget) -> Origins:
        """Raises Fault TARGET_DOWN; the connection is then of no more use."""
        name = catalogue.target.target
        known = self._known.get(name)
        if known is not None and known[1] == catalogue and time.monotonic() - known[0] < _ORIGINS_SECONDS:
            return known[2]
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                origins = await _read_origins(catalogue, target)
        except (OSError, Fault) as error:
            raise Fault(faults.TARGET_DOWN, target=name, reason=type(error).__name__) from error
        self._known[name] = (time.monotonic(), catalogue, origins)
        return origins


_NUMBERS: Final = b"""
    SELECT c.oid, n.nspname, c.relname, a.attnum, a.attname
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
    WHERE a.attnum > 0 AND NOT a.attisdropped
      AND (n.nspname, c.relname) IN (SELECT * FROM unnest($1::text[], $2::text[]))
    """
_SYSTEM: Final = b"""
    SELECT c.oid FROM pg_catalog.pg_class c
    WHERE c.relnamespace = 'pg_catalog'::pg_catalog.regnamespace AND c.relname = ANY($1::text[])
    """


async def _read_origins(catalogue: Catalogue, target: OpenTarget) -> Origins:
    tables = catalogue.tables()
    schemas, names = _array([schema for schema, _ in tables]), _array([name for _, name in tables])
    origins: dict[int, Origin] = {}
    for oid, schema, name, number, column in await fetch(target, _NUMBERS, (schemas, names)):
        owner, table = tables[schema, name]
        origin = origins.setdefault(int(oid), Origin(owner, table, {}))
        for entry in table.columns:
            if entry.name == column:
                origin.columns[int(number)] = entry
    system = await fetch(target, _SYSTEM, (_array(EXPLORABLE),))
    return Origins(origins, frozenset(int(row[0]) for row in system))


def _array(values: Iterable[str]) -> bytes:
    """A text[] in PostgreSQL's text form (8.15.2): every element quoted."""
    return "{{{}}}".format(
        ",".join('"' + v.replace("\\", "\\\\").replace('"', '\\"') + '"' for v in values)
    ).encode()


async def fetch(target: OpenTarget, sql: bytes, parameters: tuple[bytes, ...]) -> list[tuple[str, ...]]:
    """The rows of one query of our own, on a connection that serves no operator yet; no value of these is NULL."""
    asked = (f.Parse(b"", sql), f.Bind(b"", b"", (), parameters), f.Execute(), f.Sync())
    target.wire.write(b"".join(message.encode() for message in asked))
    rows: list[tuple[str, ...]] = []
    while chunk := await target.wire.receive():
        for message in target.decoder.feed(chunk):
            match message:
                case Rows():
                    frames = target.decoder.raw
                    position = 0
                    for _ in range(message.count):
                        _, length = HEADER.unpack_from(frames, position)
                        values = b.DataRow.parse(frames[position + 5 : position + 1 + length]).values
                        rows.append(tuple((value or b"").decode() for value in values))
                        position += length + 1
                case b.ErrorResponse():
                    raise ConnectionError(f"the target refused a question of ours ({message.sqlstate})")
                case b.ReadyForQuery():
                    target.decoder.take()
                    return rows
                case _:
                    pass
    raise ConnectionError("the target closed the connection")
