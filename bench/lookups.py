"""pgbench -S through the door, with metering: each lookup is counted, leased, and recorded as a fact.

The SELECT of -S stands in a script file: for its built-in script pgbench first counts the branches, which belongs to
no lookup. Peers in the same run: PgBouncer (session pooling), the server itself, and a relay that reads nothing
(`bench.bare`): no door on this event loop can be faster. With TLS, it is on both sides of the door and of PgBouncer;
the relay that reads nothing passes it through. Rates suffer from whatever else the machine does; the microseconds of
processor time that a lookup costs in each process, in the same runs, suffer less.
"""

import re
import statistics
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import asyncpg

from bench.bare import bare
from bench.checkpoint import CLEAR, ROLE, ROLE_PASSWORD, TARGET, checkpoint, processor_time
from bench.client import Address
from bench.frame import Result, Run, Scale, alternate, paired, spread
from sekisho.demo.clients import pgbench
from sekisho.demo.servers import PgBouncerServer, PostgresServer, pgbouncer_server, postgres_server

_SCRIPT = """\\set aid random(1, 100000 * :scale)
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
"""
_PGBOUNCER_PLAIN = {"server_tls_sslmode": "disable"}


async def run(scale: Scale) -> list[Result]:
    results: list[Result] = []
    with postgres_server(tls=True) as server:
        await _fill(server, scale.pick(10, 1))
        for tls in (False, True):
            results += await _compare(server, scale, tls=tls)
    return results


async def _fill(server: PostgresServer, size: int) -> None:
    filled = await pgbench(
        *(server.host, server.port, server.superuser, server.superuser_password, "postgres"),
        *("-i", "-q", "-s", str(size)),
        sslmode="disable",
    )
    if filled.status:
        raise RuntimeError(filled.stderr)
    connection = await asyncpg.connect(server.dsn(sslmode="disable"))
    try:
        await connection.execute(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{ROLE_PASSWORD}'")
        await connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {ROLE}")
    finally:
        await connection.close()


async def _compare(server: PostgresServer, scale: Scale, *, tls: bool) -> list[Result]:
    seconds, runs = scale.pick(4, 1), scale.pick(3, 1)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sekisho-bench-")))
        (folder / "lookup.sql").write_text(_SCRIPT)
        bouncer: PgBouncerServer = stack.enter_context(
            pgbouncer_server(
                server, users={ROLE: ROLE_PASSWORD}, settings={} if tls else _PGBOUNCER_PLAIN, tls=tls
            )
        )
        name = "tls" if tls else "plain"
        door = await stack.enter_async_context(checkpoint(folder / name, server, tls=tls, scale=scale))
        host, port, bare_process = await stack.enter_async_context(bare(server.host, server.port))
        addresses = {
            "door": Address(door.host, door.port, *door.logins[CLEAR], TARGET, tls),
            "pgbouncer": Address(bouncer.host, bouncer.port, ROLE, ROLE_PASSWORD, "postgres", tls),
            "bare": Address(host, port, ROLE, ROLE_PASSWORD, "postgres", tls),
            "direct": Address(server.host, server.port, ROLE, ROLE_PASSWORD, "postgres", tls),
        }
        processes = {"door": door.pid, "pgbouncer": _process_of(bouncer), "bare": bare_process}
        costs: dict[str, list[float]] = {name: [] for name in processes}
        size = scale.pick(10, 1)

        def each(what: Callable[[Address, Path, int, int], Run]) -> dict[str, Run]:
            return {name: what(address, folder, size, seconds) for name, address in addresses.items()}

        runners = each(lambda *a: partial(_rate, *a))
        for name, process in processes.items():
            runners[name] = partial(_costed, runners[name], process, seconds, costs[name])
        rates = await alternate(runners, runs)
        delays = await alternate(each(lambda *a: partial(_latency, *a)), runs)
    kind = "TLS on both sides" if tls else "plain connections"
    added = [a - b for a, b in zip(delays["door"], delays["direct"], strict=True)]
    by_peer = [a - b for a, b in zip(delays["pgbouncer"], delays["direct"], strict=True)]
    by_bare = [a - b for a, b in zip(delays["bare"], delays["direct"], strict=True)]
    ratio = paired(rates, "door", "pgbouncer")
    return [
        Result(
            f"`pgbench -S`, prepared, 8 clients, {kind}",
            "0.7 of PgBouncer",
            spread(rates["door"], "tps"),
            f"PgBouncer {spread(rates['pgbouncer'], 'tps')}; direct {spread(rates['direct'], 'tps')}",
            ratio,
            ratio >= 0.7,
        ),
        Result(
            f"the same through a relay that reads nothing, {kind}",
            "",
            spread(rates["bare"], "tps"),
            f"PgBouncer {spread(rates['pgbouncer'], 'tps')}; 1 client: adds {spread(by_bare, 'ms', 3)}",
            paired(rates, "bare", "pgbouncer"),
        ),
        Result(
            f"processor time of the door for each of these lookups, {kind}",
            "",
            spread(costs["door"], "µs"),
            f"PgBouncer {spread(costs['pgbouncer'], 'µs')}; the relay that reads nothing {spread(costs['bare'], 'µs')}",
            paired(costs, "door", "pgbouncer"),
        ),
        Result(
            f"the same, 1 client: median latency added to direct, {kind}",
            "0.15 ms",
            spread(added, "ms", 3),
            f"PgBouncer adds {spread(by_peer, 'ms', 3)}; direct {spread(delays['direct'], 'ms', 3)}",
            None,
            statistics.median(added) < 0.15,
        ),
    ]


async def _pgbench(to: Address, folder: Path, size: int, seconds: int, *arguments: str) -> str:
    run = await pgbench(
        *(to.host, to.port, to.user, to.password, to.database),
        *(
            "-n",
            "-f",
            str(folder / "lookup.sql"),
            "-D",
            f"scale={size}",
            "-M",
            "prepared",
            "-T",
            str(seconds),
        ),
        *arguments,
        sslmode="require" if to.tls else "disable",
    )
    if run.status:
        raise RuntimeError(run.stderr)
    return run.stdout


async def _rate(to: Address, folder: Path, size: int, seconds: int) -> float:
    said = await _pgbench(to, folder, size, seconds, "-c", "8")
    found = re.search(r"^tps = ([0-9.]+) \(without", said, re.MULTILINE)
    if found is None:
        raise RuntimeError(said)
    return float(found[1])


async def _costed(run: Run, process: int, seconds: int, costs: list[float]) -> float:
    """The rate of a run; `costs` gets the microseconds of processor time that the process took for each transaction,
    the log-ins at the start included."""
    before = processor_time(process)
    rate = await run()
    costs.append((processor_time(process) - before) / (rate * seconds) * 1e6)
    return rate


def _process_of(bouncer: PgBouncerServer) -> int:
    for process in Path("/proc").glob("[0-9]*"):
        try:
            named = (process / "comm").read_text() == "pgbouncer\n"
            if named and str(bouncer.folder) in (process / "cmdline").read_text():
                return int(process.name)
        except OSError:  # it has ended meanwhile
            continue
    raise RuntimeError("PgBouncer is not running")


async def _latency(to: Address, folder: Path, size: int, seconds: int) -> float:
    """The median of one client's transactions, in milliseconds."""
    prefix = folder / "latency"
    await _pgbench(to, folder, size, seconds, "-c", "1", "--log", f"--log-prefix={prefix}")
    return _median(folder)


def _median(folder: Path) -> float:
    times: list[int] = []
    for file in folder.glob("latency.*"):
        # pgbench: client, transaction, microseconds, …
        times += [int(line.split(" ", 3)[2]) for line in file.read_text().splitlines()]
        file.unlink()
    return statistics.median(times) / 1e3
