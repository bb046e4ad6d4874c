"""Opening a PostgreSQL target: with the checkpoint's own credential, over TLS, and with its tables numbered."""

import asyncio
import ssl
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import asyncpg
from cryptography import x509

from sekisho.faults import Fault
from sekisho.gate.decide import Grant
from sekisho.register.catalogue import Catalogue, Dataset, Target
from sekisho.relay import faults
from sekisho.relay.postgres.plan import EXPLORABLE, Origin, Origins
from sekisho.relay.wire import Wire
from sekisho.wire.postgres import backend as b
from sekisho.wire.postgres import frontend as f
from sekisho.wire.postgres.decode import BackendDecoder
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
    if context is not None:
        wire.write(f.SSLRequest().encode())
        if await wire.receive() != b"S":
            wire.close()
            raise ConnectionError("the target does not speak TLS")
        await wire.start_tls(context, server_side=False, name=target.host)
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
                case b.ErrorResponse():
                    raise ConnectionError(f"the target refused the login ({message.sqlstate})")
                case b.ReadyForQuery() if key is not None:
                    decoder.take()
                    return OpenTarget(wire, decoder, tuple(reported), key, message.status)
                case _:
                    pass
    raise ConnectionError("the target closed the connection")


async def send_cancel(target: Target, key: b.BackendKeyData) -> None:
    """Cancel what runs under `key`; returns when the target has taken note of it, or cannot be reached."""
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            wire = await _connect(target)
            wire.write(f.CancelRequest(key.process_id, key.secret_key).encode())
            await wire.receive()  # the target closes the connection once the signal is sent
            await wire.closed_within(_CLOSE_SECONDS)
    except (OSError, Fault):
        return


class OriginsCache:
    """Table numbers of each target, read with a dataset's own role. Owned by the event loop's thread."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, Catalogue, Origins]] = {}

    async def find(self, catalogue: Catalogue, dataset: Dataset, secret: bytes) -> Origins:
        """Raises Fault TARGET_DOWN."""
        name = catalogue.target.target
        known = self._known.get(name)
        if known is not None and known[1] == catalogue and time.monotonic() - known[0] < _ORIGINS_SECONDS:
            return known[2]
        try:
            origins = await _read_origins(catalogue, dataset, secret)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise Fault(faults.TARGET_DOWN, target=name, reason=type(error).__name__) from error
        self._known[name] = (time.monotonic(), catalogue, origins)
        return origins


_NUMBERS: Final = """
    SELECT c.oid, n.nspname, c.relname, a.attnum, a.attname
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
    WHERE a.attnum > 0 AND NOT a.attisdropped AND n.nspname = ANY($1::text[])
    """
_SYSTEM: Final = """
    SELECT c.oid FROM pg_catalog.pg_class c
    WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relname = ANY($1::text[])
    """


async def _read_origins(catalogue: Catalogue, dataset: Dataset, secret: bytes) -> Origins:
    target, tables = catalogue.target, catalogue.tables()
    connection = await asyncpg.connect(
        host=target.host,
        port=target.port,
        user=dataset.role,
        password=secret.decode(),
        database=target.database,
        ssl=target_context(target) or False,
        timeout=_CONNECT_SECONDS,
    )
    try:
        numbers = await connection.fetch(_NUMBERS, list({schema for schema, _ in tables}))
        system = await connection.fetch(_SYSTEM, list(EXPLORABLE))
    finally:
        # Nothing is under way: a farewell over TLS would only be waited for.
        connection.terminate()
    origins: dict[int, Origin] = {}
    for oid, schema, name, number, column in numbers:
        if (schema, name) not in tables:
            continue
        owner, table = tables[schema, name]
        origin = origins.setdefault(oid, Origin(owner, table, {}))
        for entry in table.columns:
            if entry.name == column:
                origin.columns[number] = entry
    return Origins(origins, frozenset(row[0] for row in system))
