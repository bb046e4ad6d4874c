"""TLS of one connection without sockets: what came goes in, what is to be sent is taken out.

asyncio's own TLS keeps a read buffer of 256 KiB for each connection, and a session has two.
"""

import ssl
from contextlib import suppress
from typing import Final

_RECORD: Final = 16 << 10  # RFC 8446 5.1: the most that one record carries


class TlsChannel:
    """`established` once the handshake is done; `ended` once the peer has said that nothing more comes."""

    def __init__(self, context: ssl.SSLContext, *, server_side: bool, name: str | None) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_side, server_hostname=name
        )
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
        self._incoming.write(data)
        if not self.established:
            try:
                self._object.do_handshake()
            except ssl.SSLWantReadError:
                return b""
            self.established = True
        pieces: list[bytes] = []
        try:
            while piece := self._object.read(_RECORD):
                pieces.append(piece)
                if not self._incoming.pending and not self._object.pending():
                    return piece if len(pieces) == 1 else b"".join(pieces)
            self.ended = True
        except ssl.SSLZeroReturnError:
            self.ended = True
        except ssl.SSLWantReadError:
            pass
        return b"".join(pieces)

    def send(self, data: bytes) -> bytes:
        """The bytes that carry `data` to the peer."""
        if data:
            self._object.write(data)
        return self._outgoing.read()

    @property
    def owes(self) -> bool:
        """`take` has something."""
        return self._outgoing.pending > 0

    def take(self) -> bytes:
        """What the protocol itself wants to send."""
        return self._outgoing.read()

    def end(self) -> bytes:
        """The bytes that tell the peer that nothing more comes."""
        if self.established:
            with suppress(ssl.SSLError):  # it wants the peer's own ending, which nobody here waits for
                self._object.unwrap()
        return self._outgoing.read()
