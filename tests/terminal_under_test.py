"""An admission without a checkpoint, and ends of a terminal session in memory."""

import asyncio
from typing import Any, cast

from sekisho.gate.budget import Meter
from sekisho.gate.decide import Grant
from sekisho.relay.admission import Admission


class _Granted:
    """Stands where only `person`, `ticket`, `organisation` and `closes` of a grant are read."""

    person, ticket, organisation, door, target = "sato", "T-0001", "minato", "ssh", "batch"
    closes = int(4e15)


def admission(meter: Meter) -> Admission:
    unused = cast(Any, None)
    return Admission(
        session="s-1",
        grant=cast(Grant, _Granted()),
        catalogue=unused,
        dataset=unused,
        secret=b"",
        meter=meter,
        language="en",
        request=unused,
        size=0,
    )


class Pipe:
    """One end: what a test `put`s is read, what is written is in `written`."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[bytes] = asyncio.Queue()
        self.written = bytearray()
        self.sizes: list[tuple[int, int]] = []
        self.closed = False

    def put(self, data: bytes) -> None:
        self._queue.put_nowait(data)

    async def read(self) -> bytes:
        return await self._queue.get()

    def write(self, data: bytes) -> None:
        self.written += data

    async def drain(self) -> None:
        return None

    def resize(self, width: int, height: int) -> None:
        self.sizes.append((width, height))

    def close(self) -> None:
        self.closed = True
        self.put(b"")
