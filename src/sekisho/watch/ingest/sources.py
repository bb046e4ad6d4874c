"""Log sources: who may deliver, by which proof, and how its rows are read.

A token is a MAC over the source's name and the number of its generation, under a key of the checkpoint: nothing that
is stored, and nothing in the log, could be presented in its place. A certificate is pinned as it is: whoever signed
it, it opens for this source only.
"""

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Row, select

from sekisho.faults import Fault
from sekisho.ledger import Connection, Ledger, Recorded
from sekisho.watch.facts import SourceEnded, SourceRegistered
from sekisho.watch.faults import BAD_SOURCE, NO_SOURCE
from sekisho.watch.foreign import mapping_of
from sekisho.watch.tables import log_deliveries, log_sources

SourceKind = Literal["http", "syslog"]
_NAME: Final = re.compile("[a-z0-9][a-z0-9-]{0,31}")
_PREFIX: Final = "sekisho_log_"  # so that a scanner of leaked secrets knows one when it sees one
_LONGEST_MAPPING: Final = 16 << 10  # characters; a leaf holds 64 KiB


@dataclass(frozen=True, slots=True)
class Source:
    """A registered source as its latest fact tells it."""

    name: str
    kind: str
    product: str
    service: str
    category: str
    mapping: str
    certificate: str
    generation: int
    silence_minutes: int
    ended: bool

    @property
    def fingerprint(self) -> bytes:
        return hashlib.sha256(bytes.fromhex(self.certificate)).digest()


@dataclass(frozen=True, slots=True)
class Delivery:
    """A source, and what came from it: for people."""

    source: Source
    registered: datetime
    received: datetime | None
    rows: int
    unread: int
    missing: int


def certificate_of(pem: bytes) -> str:
    """The certificate of a PEM file as a registration holds it. Raises Fault BAD_SOURCE."""
    try:
        return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER).hex()
    except ValueError as error:
        raise Fault(BAD_SOURCE, reason=f"no certificate in PEM: {error}") from error


async def register_source(
    ledger: Ledger,
    name: str,
    kind: SourceKind,
    *,
    by: str,
    product: str = "",
    service: str = "",
    category: str = "",
    mapping: str = "",
    certificate: str = "",
    silence_minutes: int = 0,
) -> Recorded:
    """Let a source deliver, or change how it does; an HTTP source's former token is void then.

    Raises Fault BAD_SOURCE."""
    if not _NAME.fullmatch(name):
        raise Fault(BAD_SOURCE, reason="a name has small letters, digits and hyphens, 32 at most")
    if (kind == "syslog") is not bool(certificate):
        raise Fault(BAD_SOURCE, reason="syslog needs the source's certificate, HTTP has a token")
    if silence_minutes < 0 or len(mapping) > _LONGEST_MAPPING:
        raise Fault(BAD_SOURCE, reason="silence or mapping out of bounds")
    try:
        mapping_of(mapping)
    except ValueError as error:
        raise Fault(BAD_SOURCE, reason=str(error)) from error
    async with ledger.read() as connection:
        sources = await read_sources(connection)
    for other in sources.values():
        if certificate and other.certificate == certificate and other.name != name and not other.ended:
            raise Fault(BAD_SOURCE, reason=f"the certificate is that of {other.name}")
    before = sources.get(name)
    said = SourceRegistered(
        source=name,
        kind=kind,
        product=product,
        service=service,
        category=category,
        mapping=mapping,
        certificate=certificate,
        generation=before.generation + 1 if before is not None else 1,
        silence_minutes=silence_minutes,
    )
    return await ledger.record(said, by=by, about=name)


async def end_source(ledger: Ledger, name: str, *, reason: str, by: str) -> Recorded:
    """Take nothing more from a source. Raises Fault NO_SOURCE."""
    async with ledger.read() as connection:
        found = (await read_sources(connection)).get(name)
    if found is None or found.ended:
        raise Fault(NO_SOURCE)
    return await ledger.record(SourceEnded(source=name, reason=reason), by=by, about=name)


def token_of(secret: bytes, name: str, generation: int) -> str:
    """What an HTTP source sends as its bearer token. `secret` is the checkpoint's."""
    mac = hmac.digest(secret, f"log source|{name}|{generation}".encode(), hashlib.sha256)
    return f"{_PREFIX}{urlsafe_b64encode(mac).decode().rstrip('=')}"


def is_token(secret: bytes, source: Source, token: str) -> bool:
    expected = token_of(secret, source.name, source.generation)
    right = hmac.compare_digest(expected.encode(), token.encode())
    return right and source.kind == "http" and not source.ended


def salt_of(secret: bytes, name: str) -> bytes:
    """What the source's names of files and its batches are hashed with."""
    return hmac.digest(secret, f"log salt|{name}".encode(), hashlib.sha256)


async def read_sources(connection: Connection) -> dict[str, Source]:
    rows = await connection.execute(select(log_sources).order_by(log_sources.c.source))
    return {row.source: _source_of(row) for row in rows}


async def read_deliveries(connection: Connection) -> list[Delivery]:
    came = log_deliveries.c
    query = select(log_sources, came.received, came.rows, came.unread, came.missing)
    query = query.outerjoin(log_deliveries, came.source == log_sources.c.source)
    return [
        Delivery(
            _source_of(row), row.registered, row.received, row.rows or 0, row.unread or 0, row.missing or 0
        )
        for row in await connection.execute(query.order_by(log_sources.c.source))
    ]


def _source_of(row: Row[tuple[object, ...]]) -> Source:
    return Source(
        row.source,
        row.kind,
        row.product,
        row.service,
        row.category,
        row.mapping,
        row.certificate,
        row.generation,
        row.silence_minutes,
        row.ended is not None,
    )
