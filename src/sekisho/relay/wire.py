"""One TCP connection, as a door holds it: awaited during log-in, then handed straight to a sink.

Sockets live here and in the doors' listening loops, nowhere else.
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import Final, cast

from sekisho.relay.tls import TlsChannel

Sink = Callable[[bytes], None]

_HANDSHAKE_SECONDS: Final = 10.0

_UNREAD: int = 256 << 10  # bytes that may wait before somebody asks for them; then the peer is held back


class Wire(asyncio.Protocol):
    """Owned by the event loop's thread.

    Until `attach`, received bytes wait for `receive`. Afterwards each chunk goes to the sink, and whoever fills
    this connection faster than it drains is told by `on_full(True)`.
    """

    def __init__(self, accepted: "Callable[[Wire], None] | None" = None) -> None:
        self._accepted = accepted
        self._transport: asyncio.Transport | None = None
        self._unread = bytearray()
        self._waiter: asyncio.Future[None] | None = None
        self._sink: Sink | None = None
        self._lost: Callable[[], None] | None = None
        self._on_full: Callable[[bool], None] | None = None
        self._eof = False
        self._tls: TlsChannel | None = None
        self._handshake: asyncio.Future[None] | None = None
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    # -- called by asyncio --------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self._accepted is not None:
            self._accepted(self)

    def data_received(self, data: bytes) -> None:
        if self._tls is not None and not (data := self._decrypted(self._tls, data)):
            return
        if self._sink is not None:
            self._sink(data)
            return
        self._unread += data
        if len(self._unread) > _UNREAD:
            self.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        self._eof = True
        self._wake()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._eof = True
        self._shake(exc or ConnectionError("the connection was closed during the TLS handshake"))
        self._wake()
        if not self.closed.done():
            self.closed.set_result(None)
        if self._lost is not None:
            self._lost()

    def pause_writing(self) -> None:
        if self._on_full is not None:
            self._on_full(True)

    def resume_writing(self) -> None:
        if self._on_full is not None:
            self._on_full(False)

    # -- called by a door ---------------------------------------------------------------------------------------

    @property
    def transport(self) -> asyncio.Transport:
        if self._transport is None:
            raise RuntimeError("the connection is not made yet")
        return self._transport

    @property
    def peer(self) -> str:
        """ "192.0.2.7:51234", or "" when the peer has gone."""
        address = self.transport.get_extra_info("peername")
        return f"{address[0]}:{address[1]}" if isinstance(address, tuple) else ""

    @property
    def tls(self) -> str:
        """ "TLSv1.3 TLS_AES_256_GCM_SHA384", or "" in clear."""
        return self._tls.cipher if self._tls else ""

    def peer_certificate(self) -> bytes | None:
        """The peer's certificate as DER; None in clear."""
        return self._tls.peer_certificate() if self._tls else None

    async def receive(self) -> bytes:
        """What came since the last call; empty at the end."""
        if not self._unread and not self._eof:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        data = bytes(self._unread)
        self._unread.clear()
        self.resume_reading()
        return data

    def write(self, data: bytes) -> None:
        """Send; what comes after `close` is dropped."""
        transport = self._transport
        if transport is not None and not transport.is_closing():
            transport.write(data if self._tls is None else self._tls.send(data))

    async def start_tls(self, context: ssl.SSLContext, *, server_side: bool, name: str | None = None) -> None:
        """Go on over TLS. Raises OSError (ssl.SSLError, ConnectionError) or TimeoutError when the handshake fails."""
        if self._unread:
            # They came in clear, and would be read as if they had come through TLS (CVE-2021-23214, -23222).
            raise ConnectionError("bytes came before the TLS handshake")
        self._handshake = handshake = asyncio.get_running_loop().create_future()
        self._tls = TlsChannel(context, server_side=server_side, name=name)
        self._decrypted(self._tls, b"")
        async with asyncio.timeout(_HANDSHAKE_SECONDS):
            await handshake

    def divert(self, sink: Sink) -> None:
        """From now on chunks go to another sink."""
        self._sink = sink

    def attach(self, sink: Sink, *, lost: Callable[[], None], on_full: Callable[[bool], None]) -> None:
        """From now on chunks go to `sink`; what waits goes there first."""
        self._sink, self._lost, self._on_full = sink, lost, on_full
        if self._unread:
            waiting = bytes(self._unread)
            self._unread.clear()
            sink(waiting)
        if self._eof:
            lost()

    def pause_reading(self) -> None:
        if not self._eof and not self.transport.is_closing():
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        if not self._eof and not self.transport.is_closing():
            self.transport.resume_reading()

    def close(self) -> None:
        if self._transport is not None:
            if self._tls is not None and not self._transport.is_closing():
                self._transport.write(self._tls.end())
            self._transport.close()

    async def closed_within(self, seconds: float) -> None:
        """Close; return when the peer has what was written, or after `seconds`, when it is not waited for."""
        self.close()
        if self._transport is not None:
            await asyncio.wait([self.closed], timeout=seconds)
            self._transport.abort()

    def _decrypted(self, tls: TlsChannel, data: bytes) -> bytes:
        try:
            plain = tls.receive(data)
        except ssl.SSLError as error:
            self.transport.write(tls.take())  # the alert that tells the peer why
            self._shake(error)
            self.transport.close()
            return b""
        if tls.owes:
            self.transport.write(tls.take())
        if self._handshake is not None and tls.established:
            self._shake(None)
        if tls.ended:
            self.transport.close()
        return plain

    def _shake(self, error: Exception | None) -> None:
        """The handshake is over."""
        handshake, self._handshake = self._handshake, None
        if handshake is None or handshake.done():
            return
        if error is None:
            handshake.set_result(None)
        else:
            handshake.set_exception(error)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
