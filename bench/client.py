"""A PostgreSQL client that only logs in, sends one query, and drains what comes: a blocking socket, no parsing."""

import socket
import ssl
from dataclasses import dataclass

from sekisho.wire.postgres import backend as b
from sekisho.wire.postgres import frontend as f
from sekisho.wire.postgres.decode import BackendDecoder
from sekisho.wire.postgres.scram import ScramClient

_READY = b.ReadyForQuery(b"I").encode()


@dataclass(frozen=True, slots=True)
class Address:
    """Where to connect, and as whom. TLS is not verified: nobody stands between on loopback."""

    host: str
    port: int
    user: str
    password: str
    database: str
    tls: bool


def connect(to: Address) -> socket.socket:
    """A logged-in connection. Raises ConnectionError with the server's words."""
    link = socket.create_connection((to.host, to.port), timeout=120)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if to.tls:
        link.sendall(f.SSLRequest().encode())
        if link.recv(1) != b"S":
            raise ConnectionError("no TLS")
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        link = context.wrap_socket(link)
    link.sendall(f.StartupMessage({"user": to.user, "database": to.database}).encode())
    decoder, scram = BackendDecoder(), ScramClient(to.password)
    while chunk := link.recv(65_536):
        for message in decoder.feed(chunk):
            match message:
                case b.Authentication(code=b.SASL):
                    first = f.AuthenticationResponse.of_sasl_initial(scram.mechanism, scram.first())
                    link.sendall(first.encode())
                case b.Authentication(code=b.SASL_CONTINUE):
                    link.sendall(f.AuthenticationResponse(scram.final(message.data)).encode())
                case b.Authentication(code=b.SASL_FINAL):
                    scram.verify(message.data)
                case b.ErrorResponse():
                    raise ConnectionError(message)
                case b.ReadyForQuery():
                    return link
                case _:
                    pass
    raise ConnectionError("closed during log-in")


def drain(link: socket.socket, sql: str) -> tuple[int, bytes]:
    """Run a query, throw its rows away; the bytes received, and the last 64 of them."""
    link.sendall(f.Query(sql.encode()).encode())
    buffer = bytearray(1 << 18)
    view = memoryview(buffer)
    received, tail = 0, b""
    while not tail.endswith(_READY):
        size = link.recv_into(buffer)
        if not size:
            raise ConnectionError("closed within a result")
        received += size
        tail = (tail + view[max(0, size - 64) : size].tobytes())[-64:]
    return received, tail


def close(link: socket.socket) -> None:
    link.sendall(f.Terminate().encode())
    link.close()
