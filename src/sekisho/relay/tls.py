"""TLS of one connection without sockets: what came goes in, what is to be sent is taken out.

asyncio's own TLS keeps a read buffer of 256 KiB for each connection, and a session has two.
"""

import ssl
from contextlib import suppress
from typing import Final

_RECORD: Final = 16 << 10  # RFC 8446 5.1: the most that one record carries

# What OpenSSL reads from and writes to, for all channels of the event loop's thread: each call below leaves both empty,
# so nothing of one channel waits where another could meet it. A pair for each channel would keep the room of its
# largest flight for as long as it lives.
_INCOMING: Final = ssl.MemoryBIO()
_OUTGOING: Final = ssl.MemoryBIO()


class TlsChannel:
    """`established` once the handshake is done; `ended` once the peer has said that nothing more comes."""

    __slots__ = ("_object", "_owed", "ended", "established")

    def __init__(self, context: ssl.SSLContext, *, server_side: bool, name: str | None) -> None:
        self._object = context.wrap_bio(_INCOMING, _OUTGOING, server_side=server_side, server_hostname=name)
        self._owed = b""  # what the protocol itself wants to send
        self.established = False
        self.ended = False

    @property
    def cipher(self) -> str:
        """ "TLSv1.3 TLS_AES_256_GCM_SHA384"."""
        found = self._object.cipher()
        return f"{self._object.version()} {found[0] if found else ''}"

    def peer_certificate(self) -> bytes | None:
        """As DER; None when the peer showed none."""
        return self._object.getpeercert(binary_form=True)

    def receive(self, data: bytes) -> bytes:
        """What the peer said, in clear; afterwards `take` may have an answer. Raises ssl.SSLError."""
        _INCOMING.write(data)
        try:
            plain = self._read() if self.established else self._shake()
        finally:
            rest = _INCOMING.read()
            self._owed += _OUTGOING.read()
        if rest and not self.ended:  # OpenSSL takes an incomplete record into its own buffer
            raise ssl.SSLError("OpenSSL left bytes unread")
        return plain

    def _shake(self) -> bytes:
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return b""
        self.established = True
        return self._read()

    def _read(self) -> bytes:
        pieces: list[bytes] = []
        try:
            while piece := self._object.read(_RECORD):
                pieces.append(piece)
                if not _INCOMING.pending and not self._object.pending():
                    return piece if len(pieces) == 1 else b"".join(pieces)
            self.ended = True
        except ssl.SSLZeroReturnError:
            self.ended = True
        except ssl.SSLWantReadError:
            pass
        return b"".join(pieces)

    def send(self, data: bytes) -> bytes:
        """The bytes that carry `data` to the peer."""
        try:
            if data:
                self._object.write(data)
        finally:
            self._owed += _OUTGOING.read()
        return self.take()

    @property
    def owes(self) -> bool:
        """`take` has something."""
        return bool(self._owed)

    def take(self) -> bytes:
        """What the protocol itself wants to send."""
        owed, self._owed = self._owed, b""
        return owed

    def end(self) -> bytes:
        """The bytes that tell the peer that nothing more comes."""
        if self.established:
            with suppress(ssl.SSLError):  # it wants the peer's own ending, which nobody here waits for
                self._object.unwrap()
            self._owed += _OUTGOING.read()
        return self.take()
