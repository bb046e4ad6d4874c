"""A checkpoint in a process of its own: run as a script it serves a state folder until its standard input closes.

python -m bench.checkpoint STATE [PROFILE]     prints "HOST PORT" of the PostgreSQL door once it listens
"""

import asyncio
import cProfile
import secrets
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from bench.frame import Scale
from sekisho.demo.servers import PostgresServer
from sekisho.gate.facts import Limits, TicketRequested, Unmask
from sekisho.gate.tickets import approve_ticket
from sekisho.ledger import Ledger
from sekisho.people.facts import PersonAdded, RoleAsked, RoleGranted, TokenIssued
from sekisho.people.roles import Role
from sekisho.people.tokens import Token
from sekisho.register.facts import (
    ColumnEntry,
    ContractAdded,
    DatasetAdded,
    DatasetDescribed,
    EntrustmentAdded,
    OrganisationAdded,
    TableEntry,
    TargetAdded,
)
from sekisho.register.periods import parse_period
from sekisho.service.certificates import write_private
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
_SINCE = date(2020, 4, 1)


@dataclass(frozen=True, slots=True)
class Door:
    """A checkpoint that runs: where a client connects, and with what. `logins` maps a ticket to (user, password)."""

    host: str
    port: int
    pid: int
    tls: bool
    logins: dict[str, tuple[str, str]]

    def resident(self) -> int:
        """Bytes of memory that the process keeps resident."""
        status = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmRSS"))


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
        if len(address) != 2:
            raise RuntimeError("the checkpoint did not start")
        yield Door(address[0], int(address[1]), process.pid, tls, logins)
    finally:
        process.stdin.close()
        await process.wait()


async def _register(
    ledger: Ledger, database: PostgresServer, *, tls: bool, key: bytes
) -> dict[str, tuple[str, str]]:
    certificate = database.certificate.read_text() if tls and database.certificate else ""
    for organisation in (
        OrganisationAdded(organisation="bench", name="試験", name_en="Bench", kind="company"),
    ):
        await ledger.record(organisation, by="kanri", about="bench")
    target = TargetAdded(
        target=TARGET,
        protocol="postgres",
        host=database.host,
        port=database.port,
        database="postgres",
        tls_ca=certificate,
        unknown_lineage="mask",
        operator="outsourcing",
    )
    await ledger.record(target, by="kanri", about=TARGET)
    secret = ledger.vault.seal("checkpoint", ROLE_PASSWORD.encode())
    dataset = DatasetAdded(
        dataset="bench",
        organisation="bench",
        target=TARGET,
        name="bench",
        role=ROLE,
        secret=secret.commitment,
        tables=TABLES,
    )
    await ledger.record(dataset, by="kanri", about="bench", parts=[secret])
    await _describe(ledger)
    for person, manager in (("worker", "approver"), ("approver", "")):
        added = PersonAdded(person=person, name=person, employer="Bench", manager=manager, language="en")
        await ledger.record(added, by="kanri", about=person)
    await _appoint(ledger, "worker", Role.WORKER)
    await _appoint(ledger, "approver", Role.OPERATOR_MANAGER)
    items = tuple(sorted({column.item for table in TABLES for column in table.columns if column.item}))
    return {
        CLEAR: await _ticket(ledger, CLEAR, items, key),
        MASKED: await _ticket(ledger, MASKED, (), key),
    }


async def _describe(ledger: Ledger) -> None:
    """What the register must know before the dataset opens: what it is, and by which contract we hold it."""
    described = DatasetDescribed(
        dataset="bench",
        client="bench",
        name="bench",
        items="氏名、電話番号",
        purpose="measure",
        responsible_unit="bench",
        holders=("bench",),
        target=TARGET,
        schema="public",
        tables=(),
        client_column="",
        retention="",
        fingerprint="",
    )
    hop = EntrustmentAdded(
        hop="hop", client="bench", giver="bench", receiver="outsourcing", datasets=("bench",), began=_SINCE
    )
    period = parse_period("2020年4月~")
    contract = ContractAdded(contract="contract", hop="hop", kind="業務委託契約", period=period, clauses=())
    await ledger.record(described, by="kanri", about="bench")
    await ledger.record(hop, by="kanri", about="hop")
    await ledger.record(contract, by="kanri", about="contract")


async def _appoint(ledger: Ledger, person: str, role: Role) -> None:
    """One administrator asks, another one grants."""
    asked = RoleAsked(person=person, role=role, organisation="", since=_SINCE, reason="measure")
    request = (await ledger.record(asked, by="kanri", about=person)).leaf_hash.hex()
    granted = RoleGranted(person=person, role=role, organisation="", since=_SINCE, request=request)
    await ledger.record(granted, by="kanri2", about=person)


async def _ticket(ledger: Ledger, name: str, items: Sequence[str], key: bytes) -> tuple[str, str]:
    """An approved ticket and a token for it; the login and its password."""
    now = int(time.time() * 1e6)
    day = 86_400_000_000
    asked = TicketRequested(
        ticket=name,
        person="worker",
        organisation="bench",
        dataset="bench",
        target=TARGET,
        door="postgres",
        purpose="measure",
        opens=now - 60_000_000,
        closes=now + day,
        limits=Limits(**dict.fromkeys(Limits.__struct_fields__, _MANY)),
        unmask=tuple(Unmask(item=item, reason="measure") for item in items),
    )
    await ledger.record(asked, by="worker", about=name)
    await approve_ticket(ledger, name, "approver")
    token = Token(token=secrets.token_hex(8), person="worker", ticket=name, target=TARGET, expires=now + day)
    issued = TokenIssued(
        token=token.token, person=token.person, ticket=name, target=TARGET, expires=token.expires
    )
    await ledger.record(issued, by="worker", about=name)
    return token.login(), token.password(key)


async def _serve(state: Path) -> None:
    async with running(state) as service:
        print(*service.postgres, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def main(arguments: Sequence[str]) -> None:
    state, *rest = arguments
    if not rest:
        asyncio.run(_serve(Path(state)))
        return
    profile = cProfile.Profile()
    profile.runcall(asyncio.run, _serve(Path(state)))
    profile.dump_stats(rest[0])


if __name__ == "__main__":
    main(sys.argv[1:])
