"""Syslog over TLS (RFC 5425): each connection is a source, known by the certificate that was registered for it.

Syslog has no acknowledgement: what a sender wrote to a connection that then broke may be lost, and nobody is told
(RFC 5425 3). Nothing is read while what was read before is not durable, so a slow disk holds the sender back instead
of growing memory. Whoever needs every row numbered and acknowledged delivers over HTTP.
"""

import asyncio
import hashlib
import socket
import ssl
from collections import OrderedDict
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

from sekisho.faults import Fault
from sekisho.watch.faults import BAD_BATCH, SOURCE_BUSY
from sekisho.watch.ingest.intake import Intake
from sekisho.watch.ingest.sources import Source
from sekisho.watch.syslog import Frames, read_message

REFUSED: Final = "watch.source_refused"  # a log event
BROKEN: Final = "watch.source_broken"  # a log event
_log: Final = structlog.get_logger()
_CHUNK: Final = 64 << 10
_GATHER_SECONDS: Final = 0.2
_GATHER_ROWS: Final = 500
_MOST_CONNECTIONS: Final = 128
_REMEMBERED: Final = 4_096
_BUSY_SECONDS: Final = 0.5
_HANDSHAKE_SECONDS: Final = 10.0


class SyslogListener:
    """Made once per address; `serve` runs until cancelled. Owned by the event loop."""

    def __init__(self, intake: Intake, certificate: Path, key: Path) -> None:
        self._intake = intake
        self._chain = certificate, key
        self._connections = 0
        self._seen: dict[str, OrderedDict[bytes, None]] = {}
        self.address: asyncio.Future[tuple[str, int]] = asyncio.get_running_loop().create_future()

    async def serve(self, host: str, port: int) -> None:
        """Listen until cancelled. Raises OSError."""
        loop = asyncio.get_running_loop()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        async with asyncio.TaskGroup() as group:
            with socket.create_server((host, port), family=family) as listening:
                listening.setblocking(False)
                self.address.set_result(listening.getsockname()[:2])
                while True:
                    accepted, peer = await loop.sock_accept(listening)
                    if self._connections >= _MOST_CONNECTIONS:
                        _log.warning(REFUSED, peer=str(peer), reason="too many connections")
                        accepted.close()
                        continue
                    self._connections += 1
                    group.create_task(self._serve_one(accepted, str(peer)))

    async def _serve_one(self, accepted: socket.socket, peer: str) -> None:
        writer: asyncio.StreamWriter | None = None
        try:
            opened = await self._open(accepted)
            if opened is None:
                _log.warning(REFUSED, peer=peer, reason="no registered certificate")
                return
            name, reader, writer = opened
            await self._read(name, reader)
        except Fault as fault:
            _log.warning(BROKEN, peer=peer, reason=str(fault))
        except (OSError, TimeoutError) as error:  # SSLError is an OSError
            _log.warning(REFUSED, peer=peer, reason=f"{type(error).__name__}: {error}")
        finally:
            self._connections -= 1
            if writer is not None:
                writer.transport.abort()  # there is nothing that we could still say
            else:
                accepted.close()

    async def _open(
        self, accepted: socket.socket
    ) -> tuple[str, asyncio.StreamReader, asyncio.StreamWriter] | None:
        """The source whose certificate the peer proves to hold, and its streams; None when there is none."""
        # Asked anew for each connection, before its first byte is read: who is registered now may deliver now.
        sources = [
            one for one in (await self._intake.sources()).values() if one.certificate and not one.ended
        ]
        if not sources:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(*self._chain)
        context.verify_mode = ssl.CERT_REQUIRED
        # Each registered certificate is trusted as it is: no authority can make another one that is taken.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.load_verify_locations(cadata=b"".join(bytes.fromhex(one.certificate) for one in sources))
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=_CHUNK, loop=loop)
        transport, protocol = await loop.connect_accepted_socket(
            lambda: asyncio.StreamReaderProtocol(reader, loop=loop),
            accepted,
            ssl=context,
            ssl_handshake_timeout=_HANDSHAKE_SECONDS,
        )
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        tls = transport.get_extra_info("ssl_object")
        fingerprint = hashlib.sha256(tls.getpeercert(binary_form=True) or b"").digest()
        # A registered authority would vouch for others: the certificate itself must be the one.
        source = next((one for one in sources if one.fingerprint == fingerprint), None)
        if source is None:
            transport.abort()
            return None
        return source.name, reader, writer

    async def _read(self, name: str, reader: asyncio.StreamReader) -> None:
        frames, waiting = Frames(), list[bytes]()
        loop = asyncio.get_running_loop()
        since = 0.0
        while True:
            chunk: bytes | None = None
            try:
                left = since + _GATHER_SECONDS - loop.time() if waiting else None
                async with asyncio.timeout(left):
                    chunk = await reader.read(_CHUNK)
            except TimeoutError:
                pass
            if chunk:
                since = since if waiting else loop.time()
                try:
                    waiting += frames.feed(chunk)
                except Fault:
                    await self._keep(name, waiting)
                    raise
            full = len(waiting) >= _GATHER_ROWS or loop.time() - since >= _GATHER_SECONDS
            if waiting and (not chunk or full):
                await self._keep(name, waiting)
                waiting = []
            if chunk == b"":
                if frames.unfinished:
                    _log.warning(BROKEN, source=name, reason=f"{frames.unfinished} bytes of a message")
                return

    async def _keep(self, name: str, messages: list[bytes]) -> None:
        """Make them durable; returns when they are. Raises Fault when the source was ended meanwhile, or the ledger
        cannot record: the connection ends then, and the sender keeps what it has."""
        received = datetime.now(UTC)
        fresh = [one for one in messages if self._is_new(name, one)]
        for start in range(0, len(fresh), _GATHER_ROWS):
            rows = [read_message(one, received) for one in fresh[start : start + _GATHER_ROWS]]
            while True:
                source = (await self._intake.sources()).get(name)
                if source is None or source.ended:
                    return
                try:
                    await self._intake.take(source, rows)
                    break
                except Fault as fault:
                    if fault.kind is SOURCE_BUSY:
                        await asyncio.sleep(_BUSY_SECONDS)
                    elif fault.kind is BAD_BATCH and len(rows) > 1:
                        # One row cannot be read as its mapping says: the others are kept without it.
                        await self._keep_each(source, rows)
                        break
                    else:
                        raise

    async def _keep_each(self, source: Source, rows: list[dict[str, object]]) -> None:
        for row in rows:
            try:
                await self._intake.take(source, [row])
            except Fault as fault:
                if fault.kind is not BAD_BATCH:
                    raise
                # What no mapping can read is still a line that came: for rules, and for people.
                await self._intake.take(source, [{"at": row["at"], "malformed": True, "message": str(row)}])

    def _is_new(self, name: str, message: bytes) -> bool:
        """A relay that lost its connection sends again: the same bytes with the same sequenceId (RFC 5424 7.3.1) are
        the same message. Without one, two like messages may be two events, and both are kept."""
        if b'sequenceId="' not in message:
            return True
        seen = self._seen.setdefault(name, OrderedDict())
        mark = hashlib.sha256(message).digest()
        if mark in seen:
            return False
        seen[mark] = None
        if len(seen) > _REMEMBERED:
            seen.popitem(last=False)
        return True
