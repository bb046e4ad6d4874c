"""A web application inside a program that does other things too."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn

from sekisho.console.sockets import LARGEST_MESSAGE
from sekisho.faults import Fault
from sekisho.service.certificates import Certificates
from sekisho.service.faults import CANNOT_LISTEN


class _Embedded(uvicorn.Server):
    """Signals are the program's, not the server's."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bound(host: str, port: int) -> socket.socket:
    """A listening socket, for whoever must know the port before the application is made. Raises Fault CANNOT_LISTEN."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named: asyncio switches Nagle's delay off only for sockets that say they are TCP.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen()
    except OSError as error:
        listening.close()
        raise Fault(CANNOT_LISTEN, address=f"{host}:{port}", reason=error.strerror) from error
    return listening


@asynccontextmanager
async def serving(
    app: Any,
    host: str,
    port: int,
    certificates: Certificates | None,
    *,
    listening: socket.socket | None = None,
) -> AsyncIterator[tuple[str, int]]:
    """Serve an ASGI application while the block runs; yields the address. Raises Fault CANNOT_LISTEN.

    `listening` is a socket of `bound`, in place of one made here."""
    listening = listening or bound(host, port)
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        ssl_certfile=str(certificates.server) if certificates else None,
        ssl_keyfile=str(certificates.key) if certificates else None,
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=2,
        # A terminal's socket: what is typed is short, and nothing secret is compressed beside what others chose.
        ws="websockets-sansio",
        ws_max_size=LARGEST_MESSAGE,
        ws_per_message_deflate=False,
    )
    server = _Embedded(config)
    async with asyncio.TaskGroup() as group:
        # uvicorn ends a start that fails with SystemExit, which must not end this program.
        task = group.create_task(_until_exit(server, listening))
        while not server.started:
            if task.done():
                raise Fault(CANNOT_LISTEN, address=f"{host}:{port}", reason="it is in use, or not ours")
            await asyncio.sleep(0.01)
        try:
            name = listening.getsockname()
            yield name[0], name[1]
        finally:
            server.should_exit = True


async def _until_exit(server: uvicorn.Server, listening: socket.socket) -> None:
    try:
        await server.serve(sockets=[listening])
    except SystemExit:
        return
    finally:
        listening.close()  # a server that is cancelled has not done it
