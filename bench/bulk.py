"""A result of two million rows through the door: in clear with its persons counted by the subject key, and with two
columns masked. Peer in the same run: the server itself, drained by the same client (a blocking socket that looks at
nothing but the end). Plain connections; subject keys come in the order of the table.
"""

import asyncio
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path

import asyncpg

from bench.checkpoint import CLEAR, MASKED, ROLE, ROLE_PASSWORD, TARGET, checkpoint
from bench.client import Address, close, connect, drain
from bench.frame import Result, Scale, alternate, paired, spread
from sekisho.demo.servers import PostgresServer, postgres_server

_QUERY = "SELECT id, name, phone, note FROM people"
_STATEMENTS = (
    "CREATE TABLE people (id bigint PRIMARY KEY, name text, phone text, note text)",
    "INSERT INTO people SELECT i, '佐藤 花子' || i, '090-' || lpad((i % 10000)::text, 4, '0') || '-0000', "
    "repeat('x', 80) FROM generate_series(1, $1::bigint) AS i",
    "VACUUM ANALYZE people",
    f"CREATE ROLE {ROLE} LOGIN PASSWORD '{ROLE_PASSWORD}'",
    f"GRANT SELECT ON people TO {ROLE}",
)


async def run(scale: Scale) -> list[Result]:
    rows = scale.pick(2_000_000, 5_000)
    with (
        postgres_server(tls=True) as server,
        tempfile.TemporaryDirectory(prefix="sekisho-bench-") as folder,
    ):
        await fill(server, rows)
        async with checkpoint(Path(folder) / "bulk", server, tls=False, scale=scale) as door:
            direct = Address(server.host, server.port, ROLE, ROLE_PASSWORD, "postgres", False)
            clear, masked = (
                Address(door.host, door.port, *door.logins[ticket], TARGET, False)
                for ticket in (CLEAR, MASKED)
            )
            figures = await alternate(
                {
                    "direct": partial(_read, direct, rows),
                    "clear": partial(_read, clear, rows),
                    "masked": partial(_read, masked, rows),
                },
                scale.pick(3, 1),
            )
    ratio = paired(figures, "clear", "direct")
    peer = f"direct {spread(figures['direct'], 'rows/s')}"
    return [
        Result(
            f"`SELECT` of {rows:,} rows, persons counted by subject key, no masking",
            "0.6 of direct",
            spread(figures["clear"], "rows/s"),
            peer,
            ratio,
            ratio >= 0.6,
        ),
        Result(
            "the same, two columns masked",
            "500,000 rows/s",
            spread(figures["masked"], "rows/s"),
            peer,
            paired(figures, "masked", "direct"),
            statistics.median(figures["masked"]) >= 500_000,
        ),
    ]


async def fill(server: PostgresServer, rows: int) -> None:
    connection = await asyncpg.connect(server.dsn(sslmode="disable"))
    try:
        for statement in _STATEMENTS:
            await connection.execute(statement, *([rows] if "$1" in statement else []))
    finally:
        await connection.close()


async def _read(to: Address, rows: int) -> float:
    return await asyncio.to_thread(_drain, to, rows)


def _drain(to: Address, rows: int) -> float:
    link = connect(to)
    began = time.perf_counter()
    _, tail = drain(link, _QUERY)
    seconds = time.perf_counter() - began
    close(link)
    if b"SELECT %d\0" % rows not in tail:
        raise RuntimeError(tail)
    return rows / seconds
