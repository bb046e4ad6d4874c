"""A checkpoint in a process of its own: run as a script it serves a state folder until its standard input closes.

python -m bench.checkpoint STATE [PROFILE]     prints "HOST PORT" of the PostgreSQL door once it listens,
                                               and of the SSH door if there is one
"""

import asyncio
import cProfile
import os
import secrets
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.frame import Scale
from sekisho.demo.founding import (
    Holding,
    add_dataset,
    add_organisation,
    add_person,
    add_target,
    appoint,
    ticket_request,
)
from sekisho.demo.servers import PostgresServer
from sekisho.gate.facts import Limits
from sekisho.gate.tickets import approve_ticket
from sekisho.ledger import Ledger
from sekisho.people.facts import TokenIssued
from sekisho.people.roles import Role
from sekisho.people.tokens import Token
from sekisho.register.facts import ColumnEntry, TableEntry
from sekisho.service.certificates import write_private
from sekisho.service.loop import run
from sekisho.service.service import create_state, open_ledger, running
from sekisho.service.settings import Settings

ROLE = "bench_role"
ROLE_PASSWORD = "secret-of-the-bench"
TARGET = "target"
CLEAR, MASKED = "T-clear", "T-masked"  # the tickets: one unmasks every item, the other none

TABLES = (
    TableEntry(
        schema="public",
        name="pgbench_accounts",
        subject="aid",
        columns=tuple(ColumnEntry(name=name) for name in ("aid", "bid", "abalance", "filler")),
    ),
    TableEntry(
        schema="public",
        name="people",
        subject="id",
        columns=(
            ColumnEntry(name="id"),
            ColumnEntry(name="name", item="name", personal=True),
            ColumnEntry(name="phone", item="phone", personal=True),
            ColumnEntry(name="note"),
        ),
    ),
)
_MANY = 1 << 50


@dataclass(frozen=True, slots=True)
class Door:
    """A checkpoint that runs: where a client connects, and with what. `logins` maps a ticket to (user, password)."""

    host: str
    port: int
    pid: int
    tls: bool
    logins: dict[str, tuple[str, str]]

    def resident(self) -> int:
        return resident(self.pid)


def resident(pid: int) -> int:
    """Bytes of memory that a process keeps resident."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmRSS"))


def processor_time(pid: int) -> float:
    """Seconds that a process and those that it started (the watch, of a checkpoint) have computed, in all threads."""
    # proc(5): utime and stime are fields 14 and 15; the name before them may hold spaces.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return own + sum(map(processor_time, children(pid)))


def children(pid: int) -> list[int]:
    """The processes that a process started and that still run: the watch, of a checkpoint."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if int((process / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(process.name))
        except OSError:  # it has ended meanwhile
            continue
    return found


@asynccontextmanager
async def checkpoint(
    state: Path, database: PostgresServer, *, tls: bool, scale: Scale
) -> AsyncIterator[Door]:
    """A checkpoint before `database`; `tls` on both sides, or on none."""
    settings = Settings(
        origin="bench.example/log",
        postgres_listen="127.0.0.1:0",
        postgres_tls=tls,
        console_listen="127.0.0.1:0",
    )
    create_state(state, settings)
    key = secrets.token_bytes(32)
    write_private(state / "door.secret", key)
    async with open_ledger(state, settings) as ledger:
        logins = await _register(ledger, database, tls=tls, key=key)
    async with started(state, scale) as (process, address):
        yield Door(address[0], int(address[1]), process.pid, tls, logins)


@asynccontextmanager
async def started(state: Path, scale: Scale) -> AsyncIterator[tuple[asyncio.subprocess.Process, list[str]]]:
    """The process of a checkpoint that listens, and what it printed of its addresses."""
    profile = [str(scale.profile / f"{state.name}-{time.time_ns()}.prof")] if scale.profile else []
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.checkpoint", str(state), *profile),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    if process.stdin is None or process.stdout is None:
        raise AssertionError("the checkpoint was started with pipes")
    try:
        address = (await process.stdout.readline()).decode().split()
        if len(address) < 2:
            raise RuntimeError("the checkpoint did not start")
        yield process, address
    finally:
        process.stdin.close()
        await process.wait()


async def _register(
    ledger: Ledger, database: PostgresServer, *, tls: bool, key: bytes
) -> dict[str, tuple[str, str]]:
    await add_organisation(ledger, "bench", "試験", "Bench")
    await add_target(ledger, TARGET, database, operator="outsourcing", tls=tls)
    held = Holding(
        dataset="bench",
        organisation="bench",
        name="bench",
        target=TARGET,
        operator="outsourcing",
        role=ROLE,
        password=ROLE_PASSWORD,
        tables=TABLES,
        schema="public",
    )
    await add_dataset(ledger, held)
    for person, manager in (("worker", "approver"), ("approver", "")):
        await add_person(ledger, person, person, "Bench", manager=manager)
    await appoint(ledger, "worker", Role.WORKER)
    await appoint(ledger, "approver", Role.OPERATOR_MANAGER)
    items = tuple(sorted({column.item for table in TABLES for column in table.columns if column.item}))
    return {
        CLEAR: await _ticket(ledger, CLEAR, items, key),
        MASKED: await _ticket(ledger, MASKED, (), key),
    }


async def _ticket(ledger: Ledger, name: str, items: Sequence[str], key: bytes) -> tuple[str, str]:
    """An approved ticket and a token for it; the login and its password."""
    asked = ticket_request(
        name,
        "worker",
        organisation="bench",
        dataset="bench",
        target=TARGET,
        purpose="measure",
        limits=Limits(**dict.fromkeys(Limits.__struct_fields__, _MANY)),
        unmask=tuple(items),
        hours=24,
    )
    await ledger.record(asked, by="worker", about=name)
    await approve_ticket(ledger, name, "approver")
    token = Token(
        token=secrets.token_hex(8), person="worker", ticket=name, target=TARGET, expires=asked.closes
    )
    issued = TokenIssued(
        token=token.token, person=token.person, ticket=name, target=TARGET, expires=token.expires
    )
    await ledger.record(issued, by="worker", about=name)
    return token.login(), token.password(key)


async def _serve(state: Path) -> None:
    async with running(state) as service:
        print(*service.postgres, *(service.ssh or ()), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def main(arguments: Sequence[str]) -> None:
    state, *rest = arguments
    if not rest:
        run(_serve(Path(state)))
        return
    profile = cProfile.Profile()
    profile.runcall(run, _serve(Path(state)))
    profile.dump_stats(rest[0])


if __name__ == "__main__":
    main(sys.argv[1:])
