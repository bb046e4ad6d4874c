"""How a batch of events travels. A carrier returns when the receiver has it, or says what became of it."""

import asyncio
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

import httpx2
import msgspec

from sekisho.watch.export.ocsf import Event
from sekisho.watch.settings import Export
from sekisho.watch.syslog import counted, write_message

_TIMEOUT_SECONDS: Final = 20.0
_LISTEN_SECONDS: Final = 0.3
_OWN_FAULT: Final = frozenset({400, 413, 422})  # this very content is not taken, now or later
# OCSF's severities as those of RFC 5424 6.2.1: informational, notice, warning, error, critical.
_SYSLOG_SEVERITIES: Final = {1: 6, 2: 5, 3: 4, 4: 3, 5: 2}
_json: Final = msgspec.json.Encoder()


class NotDelivered(Exception):  # noqa: N818 (a state of the receiver, not a mistake of ours)
    """Nothing of the batch counts as delivered. `wait` seconds before the next try; `never`: not this content."""

    def __init__(self, reason: str, *, wait: float = 0.0, never: bool = False, status: int = 0) -> None:
        super().__init__(reason)
        self.wait = wait
        self.never = never
        self.status = status


class Carrier(Protocol):
    async def send(self, events: Sequence[Event]) -> None:
        """Raises NotDelivered."""
        ...

    async def close(self) -> None: ...


def carrier_of(export: Export) -> Carrier:
    """Raises OSError or ValueError when a file of the settings cannot be used."""
    context = ssl.create_default_context(cafile=export.ca_file or None)
    if export.certificate_file:
        context.load_cert_chain(export.certificate_file, export.key_file or None)
    if export.url.startswith("https://"):
        return HttpCarrier(export, context)
    return SyslogCarrier(export, context)


class HttpCarrier:
    """JSON lines in the body of a POST. `authorization_file` holds the whole header, such as "Bearer …"."""

    def __init__(self, export: Export, context: ssl.SSLContext) -> None:
        self._url = export.url
        self._headers = {"content-type": "application/x-ndjson"}
        if export.authorization_file:
            self._headers["authorization"] = (
                Path(export.authorization_file).read_text(encoding="ascii").strip()
            )
        # A redirect would carry the header, and what we say, to somebody whom nobody named.
        self._client = httpx2.AsyncClient(verify=context, timeout=_TIMEOUT_SECONDS, follow_redirects=False)

    async def send(self, events: Sequence[Event]) -> None:
        body = b"".join(_json.encode(event) + b"\n" for event in events)
        try:
            answer = await self._client.post(self._url, content=body, headers=self._headers)
        except (httpx2.HTTPError, OSError) as error:
            raise NotDelivered(f"{type(error).__name__}: {error}") from error
        if answer.is_success:
            return
        status = answer.status_code
        after = answer.headers.get("retry-after", "")
        wait = float(after) if after.isdigit() else 0.0
        raise NotDelivered(f"HTTP {status}", wait=wait, never=status in _OWN_FAULT, status=status)

    async def close(self) -> None:
        await self._client.aclose()


class SyslogCarrier:
    """RFC 5424 messages over TLS (RFC 5425), one event each. There is no acknowledgement in it: a batch counts as
    delivered when the connection still stands a moment after its bytes were handed over."""

    def __init__(self, export: Export, context: ssl.SSLContext) -> None:
        parts = urlsplit(export.url)
        self._host, self._port = parts.hostname or "", parts.port or 6514
        self._context = context
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, events: Sequence[Event]) -> None:
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                if self._streams is None:
                    self._streams = await asyncio.open_connection(self._host, self._port, ssl=self._context)
                reader, writer = self._streams
                writer.write(b"".join(counted(_message(event)) for event in events))
                await writer.drain()
                if await _has_closed(reader):
                    raise ConnectionResetError("the receiver closed the connection")
        except (OSError, TimeoutError) as error:
            await self.close()
            raise NotDelivered(f"{type(error).__name__}: {error}") from error

    async def close(self) -> None:
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None


async def _has_closed(reader: asyncio.StreamReader) -> bool:
    try:
        async with asyncio.timeout(_LISTEN_SECONDS):
            return await reader.read(1) == b""  # a receiver of syslog says nothing
    except TimeoutError:
        return False


def _message(event: Event) -> bytes:
    metadata = event["metadata"]
    return write_message(
        datetime.fromtimestamp(event["time"] / 1000, UTC),
        host=metadata["log_name"].partition("/")[0],
        app="sekisho",
        msgid=str(event["class_uid"]),
        severity=_SYSLOG_SEVERITIES[event["severity_id"]],
        data={"uid": metadata["uid"]},
        text=_json.encode(event).decode(),
    )
