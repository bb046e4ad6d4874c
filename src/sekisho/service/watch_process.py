"""The watch's own process: `python -m sekisho.service.watch_process FD`, started by `sekisho.service.watching`.

It reads the ledger's database by itself, and records through the socket FD (`sekisho.ledger.outpost`). The first
message on it are its `Orders`. It ends with the socket: a checkpoint that is killed leaves no watch behind.
"""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Final

import msgspec

import sekisho.notify.tables
import sekisho.people.tables
import sekisho.watch.tables  # noqa: F401 (what it reads)
from sekisho.ledger.outpost import Outpost, receive
from sekisho.ledger.vault import KeyRing
from sekisho.notify.notices import Notices
from sekisho.service.logs import configure_logs
from sekisho.service.loop import run
from sekisho.watch.settings import Watch
from sekisho.watch.telling import telling
from sekisho.watch.watcher import Watcher

_NICE: Final = 5  # the doors come first


class Orders(msgspec.Struct, frozen=True):
    """`ledger` is the address of its database, `folder` where the watch keeps its memory, `house` how many addresses
    hear every alarm, `logs` whether the program's log is set up as that of `sekisho serve`."""

    ledger: str
    keys: str
    folder: str
    watch: Watch
    house: int
    logs: bool


def main() -> None:
    # The checkpoint decides when it ends, not a Ctrl-C that its terminal sends to everybody.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        os.nice(_NICE)
    run(_watch(socket.socket(fileno=int(sys.argv[1]))))


async def _watch(link: socket.socket) -> None:
    reader, writer = await asyncio.open_connection(sock=link)
    orders = msgspec.msgpack.decode(await receive(reader), type=Orders)
    if orders.logs:
        configure_logs()
    keys = KeyRing(Path(orders.keys))
    async with Outpost(orders.ledger, keys, reader, writer) as ledger, asyncio.TaskGroup() as group:
        tell = telling(Notices(ledger, house=orders.house))
        watcher = Watcher(ledger, Path(orders.folder), tell, orders.watch, pulse=ledger.alive)
        watching = group.create_task(watcher.run())
        await ledger.run()
        watching.cancel()


if __name__ == "__main__":
    main()
