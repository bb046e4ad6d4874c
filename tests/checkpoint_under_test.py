"""A running checkpoint, its worker, and the call centre behind it: what the tests of doors share."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pyotp

from sekisho.demo.clients import ClientRun, psql
from sekisho.demo.founding import (
    Holding,
    add_dataset,
    add_organisation,
    add_person,
    add_target,
    appoint,
    give_credential,
    ticket_request,
)
from sekisho.demo.servers import PostgresServer
from sekisho.gate.facts import Limits
from sekisho.gate.tickets import approve_ticket
from sekisho.ledger import Ledger, Recorded, values_of
from sekisho.people.login import LoginDesk
from sekisho.people.roles import Role
from sekisho.register.facts import ColumnEntry, TableEntry, TargetAdded
from sekisho.relay.wire import Wire
from sekisho.service.service import Service
from sekisho.wire.postgres import backend as b
from sekisho.wire.postgres import frontend as f
from sekisho.wire.postgres.decode import BackendDecoder
from sekisho.wire.postgres.frame import HEADER
from sekisho.wire.postgres.rows import Rows
from sekisho.wire.postgres.scram import ScramClient

SCHEMA = """
    CREATE SCHEMA minato; CREATE SCHEMA aoba;
    CREATE TABLE minato.customers (customer_id bigint PRIMARY KEY, name text, phone text, birth_date date, plan text);
    INSERT INTO minato.customers
        SELECT i, '佐藤 花子' || i, '090-0000-' || lpad((i % 10000)::text, 4, '0'), '1980-01-01'::date + i, 'gold'
        FROM generate_series(1, 1000) AS i;
    CREATE TABLE minato.calls (call_id bigint PRIMARY KEY, customer_id bigint, note text);
    INSERT INTO minato.calls SELECT i, 1 + i % 100, 'メモ' || i FROM generate_series(1, 1000) AS i;
    CREATE TABLE minato.campaigns (campaign_id int PRIMARY KEY, title text);
    INSERT INTO minato.campaigns VALUES (1, '春'), (2, '秋');
    CREATE TABLE minato.members (code text PRIMARY KEY, name text);
    INSERT INTO minato.members SELECT 'M-' || i, '鈴木 一郎' || i FROM generate_series(1, 100) AS i;
    CREATE TABLE minato.unlisted (secret text);
    INSERT INTO minato.unlisted VALUES ('not catalogued');
    CREATE VIEW minato.call_counts AS SELECT customer_id % 10 AS bucket, count(*) AS calls FROM minato.calls GROUP BY 1;
    CREATE TABLE aoba.customers (customer_id bigint PRIMARY KEY, name text);
    INSERT INTO aoba.customers SELECT i, '高橋 次郎' || i FROM generate_series(1, 100) AS i;
    CREATE ROLE maintenance LOGIN PASSWORD 'target-secret-of-the-test';
    GRANT pg_read_all_data TO maintenance;
    GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA minato TO maintenance;
"""

CUSTOMERS = TableEntry(
    schema="minato",
    name="customers",
    subject="customer_id",
    columns=(
        ColumnEntry(name="customer_id", item="customer_number", personal=True),
        ColumnEntry(name="name", item="name", personal=True),
        ColumnEntry(name="phone", item="phone", personal=True),
        ColumnEntry(name="birth_date", item="birth_date", personal=True),
        ColumnEntry(name="plan"),
    ),
)
CALLS = TableEntry(
    schema="minato",
    name="calls",
    subject="customer_id",
    rows_per_subject=20,
    columns=(
        ColumnEntry(name="call_id"),
        ColumnEntry(name="customer_id", item="customer_number", personal=True),
        ColumnEntry(name="note", item="free_text", personal=True),
    ),
)
MEMBERS = TableEntry(
    schema="minato",
    name="members",
    subject="code",
    columns=(ColumnEntry(name="code"), ColumnEntry(name="name", item="name", personal=True)),
)
PLAIN = (
    TableEntry(
        schema="minato",
        name="campaigns",
        metered=False,
        columns=(ColumnEntry(name="campaign_id"), ColumnEntry(name="title")),
    ),
    TableEntry(
        schema="minato",
        name="call_counts",
        metered=False,
        columns=(ColumnEntry(name="bucket"), ColumnEntry(name="calls")),
    ),
)
AOBA = TableEntry(
    schema="aoba",
    name="customers",
    subject="customer_id",
    columns=(ColumnEntry(name="customer_id"), ColumnEntry(name="name", item="name", personal=True)),
)

WIDE = Limits(
    session_persons=100_000,
    session_rows=100_000,
    day_persons=100_000,
    day_rows=100_000,
    ticket_persons=100_000,
    ticket_rows=100_000,
    client_persons=100_000,
    client_rows=100_000,
)


@dataclass
class Checkpoint:
    """The running checkpoint of a test, and what a worker does with it."""

    service: Service
    totp: str
    ca: Path
    tickets: list[str] = field(default_factory=list)
    ends_badly: bool = False  # the ledger was made to fail: so will the end
    clock: float = field(default_factory=lambda: datetime.now(UTC).timestamp())

    @property
    def ledger(self) -> Ledger:
        return self.service.ledger

    async def ticket(
        self, *, limits: Limits = WIDE, unmask: tuple[str, ...] = (), approved: bool = True, **changes: Any
    ) -> str:
        name = f"T-{len(self.tickets) + 1:04}"
        self.tickets.append(name)
        fact = ticket_request(
            name,
            "sato",
            organisation="minato",
            dataset="minato-customers",
            target="callcentre",
            purpose="look into a wrong invoice",
            limits=limits,
            unmask=unmask,
        )
        fact = type(fact)(**{**{f: getattr(fact, f) for f in fact.__struct_fields__}, **changes})
        await self.ledger.record(fact, by="sato", about=name)
        if approved:
            await approve_ticket(self.ledger, name, "mori")
        return name

    async def login(self, ticket: str, target: str = "callcentre") -> tuple[str, str]:
        """(user, password) for a client. Each login uses a one-time code of its own."""
        self.clock += 31
        desk = LoginDesk(self.ledger, self.secret, now=lambda: self.clock)
        code = pyotp.TOTP(self.totp).at(self.clock)
        token, password = await desk.issue(
            person="sato", password="correct horse", code=code, ticket=ticket, target=target, peer="test"
        )
        return token.login(), password

    @property
    def secret(self) -> bytes:
        return (self.service.state / "door.secret").read_bytes()

    async def psql(self, ticket: str, *sql: str, **options: Any) -> ClientRun:
        """Run psql through the door, one -c for each statement."""
        user, password = await self.login(ticket)
        arguments = [part for statement in sql for part in ("-c", statement)]
        host, port = self.service.postgres
        return await psql(
            host,
            port,
            user,
            password,
            "callcentre",
            "-X",
            "-A",
            "-t",
            *arguments,
            sslmode="require",
            **options,
        )

    @contextlib.asynccontextmanager
    async def connect(self, ticket: str, **options: Any) -> AsyncIterator["asyncpg.Connection[Any]"]:
        user, password = await self.login(ticket)
        host, port = self.service.postgres
        connection = await asyncpg.connect(
            host=host,
            port=port,
            user=user,
            password=password,
            database="callcentre",
            ssl="require",
            **options,
        )
        try:
            yield connection
        finally:
            await connection.close(timeout=5)

    async def rows(self, ticket: str, *sql: str) -> "list[Answer]":
        """Run simple queries and keep every row that came, also before an error (psql would throw them away)."""
        user, password = await self.login(ticket)
        return await simple_queries(self.service.postgres, user, password, sql)

    async def move_target(self, **changes: Any) -> None:
        """Register the target anew, with other values."""
        [recorded] = await self.ledger.facts(0, 1, names=["register.target_added"])
        fact = recorded.typed()
        assert isinstance(fact, TargetAdded)
        moved = TargetAdded(**{**values_of(fact), **changes})
        await self.ledger.record(moved, by="kanri", about=fact.target)

    async def facts(self, name: str) -> list[Recorded]:
        return await self.ledger.facts(0, 10_000, names=[name])


async def register(ledger: Ledger, database: PostgresServer, credential: bytes) -> None:
    await add_organisation(ledger, "minato", "みなと養蜂園", "Minato Apiary")
    await add_target(ledger, "callcentre", database, operator="outsourcing")
    for dataset, organisation, tables in (
        ("minato-customers", "minato", (CUSTOMERS, CALLS, MEMBERS, *PLAIN)),
        ("aoba-customers", "aoba", (AOBA,)),
    ):
        held = Holding(
            dataset=dataset,
            organisation=organisation,
            name=dataset,
            target="callcentre",
            operator="outsourcing",
            role="maintenance",
            password="target-secret-of-the-test",
            tables=tables,
            schema=organisation,
        )
        await add_dataset(ledger, held)
    for person, manager in (("sato", "mori"), ("mori", ""), ("kanri", "")):
        await add_person(ledger, person, person, "Example Outsourcing", manager=manager)
    await appoint(ledger, "sato", Role.WORKER)
    await appoint(ledger, "mori", Role.OPERATOR_MANAGER)
    await give_credential(ledger, "sato", credential)


def limits(**changes: int) -> Limits:
    """WIDE, but for what is given."""
    return Limits(**{name: changes.get(name, getattr(WIDE, name)) for name in WIDE.__struct_fields__})


@dataclass
class Answer:
    """What came back for one simple query."""

    rows: list[tuple[str | None, ...]]
    error: str = ""


async def simple_queries(
    address: tuple[str, int], user: str, password: str, sql: tuple[str, ...]
) -> list[Answer]:
    """A client that shows the wire: TLS, SCRAM, one Query message at a time."""
    loop = asyncio.get_running_loop()
    _, wire = await loop.create_connection(Wire, *address)
    wire.write(f.SSLRequest().encode())
    assert await wire.receive() == b"S"
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    await wire.start_tls(context, server_side=False)
    decoder, scram, answers = BackendDecoder(), ScramClient(password, tls=False), []
    wire.write(f.StartupMessage({"user": user, "database": "callcentre"}).encode())
    pending, answer = list(sql), Answer([])
    while chunk := await wire.receive():
        for message in decoder.feed(chunk):
            match message:
                case b.Authentication(code=b.SASL):
                    wire.write(
                        f.AuthenticationResponse.of_sasl_initial(scram.mechanism, scram.first()).encode()
                    )
                case b.Authentication(code=b.SASL_CONTINUE):
                    wire.write(f.AuthenticationResponse(scram.final(message.data)).encode())
                case Rows():
                    position = 0
                    while position < len(message.frames):
                        _, length = HEADER.unpack_from(message.frames, position)
                        values = b.DataRow.parse(message.frames[position + 5 : position + 1 + length]).values
                        answer.rows.append(tuple(v.decode() if v is not None else None for v in values))
                        position += length + 1
                case b.ErrorResponse():
                    answer.error = message.message
                case b.ReadyForQuery():
                    if len(pending) < len(sql):
                        answers.append(answer)
                    answer = Answer([])
                    if not pending:
                        await wire.closed_within(1)
                        return answers
                    wire.write(f.Query(pending.pop(0).encode()).encode())
                case _:
                    pass
    return [*answers, answer]
