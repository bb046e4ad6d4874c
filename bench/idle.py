"""Memory of an idle session: how much the checkpoint's process grows, per session, with many of them open.

A session here is logged in, has run one lookup, and waits. Sessions that came and went before have already made what
all sessions share. Peer in the same run: what the process that PostgreSQL keeps for such a connection holds privately.
"""

import asyncio
import socket
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path

import asyncpg

from bench.bulk import fill
from bench.checkpoint import CLEAR, ROLE, ROLE_PASSWORD, TARGET, Door, checkpoint
from bench.client import Address, close, connect, drain
from bench.frame import Result, Scale, alternate, spread
from sekisho.demo.servers import PostgresServer, postgres_server

_LOOKUP = "SELECT id, note FROM people WHERE id = 7"


async def run(scale: Scale) -> list[Result]:
    sessions = scale.pick(200, 5)
    results: list[Result] = []
    with (
        postgres_server(tls=True, settings={"max_connections": sessions + 50}) as server,
        tempfile.TemporaryDirectory(prefix="sekisho-bench-") as folder,
    ):
        await fill(server, 100)
        for tls in (False, True):
            figures: dict[str, list[float]] = {"door": [], "server": []}
            for number in range(scale.pick(2, 1)):
                # A new process each time: memory once freed is not always given back.
                name = f"idle-{'tls' if tls else 'plain'}-{number}"
                async with checkpoint(Path(folder) / name, server, tls=tls, scale=scale) as door:
                    round_ = {
                        "door": partial(_growth, door, sessions),
                        "server": partial(_backend, server),
                    }
                    for who, found in (await alternate(round_, 1)).items():
                        figures[who] += found
            middle = statistics.median(figures["door"])
            results.append(
                Result(
                    f"memory of an idle session ({sessions} open), {'TLS on both sides' if tls else 'plain'}",
                    "60 KiB",
                    spread(figures["door"], "KiB"),
                    f"PostgreSQL's own process for one: {spread(figures['server'], 'KiB')}",
                    middle / statistics.median(figures["server"]),
                    middle < 60,
                )
            )
    return results


async def _growth(door: Door, sessions: int) -> float:
    return await asyncio.to_thread(_open_many, door, sessions)


def _open_many(door: Door, sessions: int) -> float:
    """KiB per session."""
    address = Address(door.host, door.port, *door.logins[CLEAR], TARGET, door.tls)
    _hold(address, 20)
    time.sleep(2)  # the warm-up's last facts are published
    before = door.resident()
    links = [_one(address) for _ in range(sessions)]
    time.sleep(2)
    after = door.resident()
    for link in links:
        close(link)
    return (after - before) / sessions / 1024


def _hold(address: Address, sessions: int) -> None:
    for link in [_one(address) for _ in range(sessions)]:
        close(link)


def _one(address: Address) -> socket.socket:
    link = connect(address)
    drain(link, _LOOKUP)
    return link


async def _backend(server: PostgresServer) -> float:
    """KiB that the server's process for one connection keeps for itself."""
    dsn = server.dsn(user=ROLE, password=ROLE_PASSWORD, sslmode="disable")
    connection = await asyncpg.connect(dsn)
    try:
        await connection.fetch(_LOOKUP)
        pid = await connection.fetchval("SELECT pg_backend_pid()")
        return _private(pid)
    finally:
        await connection.close()


def _private(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return float(sum(int(line.split()[1]) for line in lines if line.startswith("Private")))
