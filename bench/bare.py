"""A relay that reads nothing: what comes on one side goes out on the other. Run as a script it serves until its
standard input closes; what a door can reach at best in this language, on this event loop.

python -m bench.bare HOST PORT      prints "HOST PORT" once it listens
"""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from sekisho.service.loop import run


class _End(asyncio.Protocol):
    def __init__(self) -> None:
        self.other: _End | None = None
        self._early: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self.other is None:
            self._early.append(data)
        else:
            self.other.transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.other is not None:
            self.other.transport.close()

    def join(self, other: "_End") -> None:
        self.other, other.other = other, self
        for data in self._early:
            other.transport.write(data)


async def _serve(host: str, port: int) -> None:
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as group:

        async def opened(client: _End) -> None:
            _, target = await loop.create_connection(_End, host, port)
            client.join(target)

        class Client(_End):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                super().connection_made(transport)
                group.create_task(opened(self))

        server = await loop.create_server(Client, "127.0.0.1", 0)
        print(*server.sockets[0].getsockname(), flush=True)
        await loop.run_in_executor(None, sys.stdin.read)
        server.close()


@asynccontextmanager
async def bare(host: str, port: int) -> AsyncIterator[tuple[str, int, int]]:
    """Such a relay before an address, in a process of its own: where it listens, and its process."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.bare", host, str(port)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    if process.stdin is None or process.stdout is None:
        raise AssertionError("the relay was started with pipes")
    try:
        address = (await process.stdout.readline()).decode().split()
        if len(address) != 2:
            raise RuntimeError("the relay did not start")
        yield address[0], int(address[1]), process.pid
    finally:
        process.stdin.close()
        await process.wait()


if __name__ == "__main__":
    run(_serve(sys.argv[1], int(sys.argv[2])))
