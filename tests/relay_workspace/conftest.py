"""A checkpoint with workspaces allowed, before a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from checkpoint_under_test import SCHEMA, Checkpoint, register
from relay_workspace.workspace_scene import House, allow
from sekisho.demo.founding import appoint
from sekisho.demo.servers import PostgresServer, postgres_server
from sekisho.faults import Fault
from sekisho.people.credentials import enrol
from sekisho.people.facts import PersonAdded
from sekisho.people.roles import Role
from sekisho.service.service import create_state, running
from sekisho.service.settings import Settings


@pytest.fixture(scope="session")
def database() -> Iterator[PostgresServer]:
    with postgres_server(tls=True) as server:

        async def fill() -> None:
            connection = await asyncpg.connect(server.dsn(sslmode="require"))
            await connection.execute(SCHEMA)
            await connection.close()

        asyncio.run(fill())
        yield server


@pytest.fixture
async def house(tmp_path: Path, database: PostgresServer) -> AsyncIterator[House]:
    state = tmp_path / "state"
    settings = Settings(
        origin="checkpoint.example/test",
        postgres_listen="127.0.0.1:0",
        console_listen="127.0.0.1:0",
        workspace_quota_mib=16,
    )
    create_state(state, settings)
    made: House | None = None
    try:
        async with running(state, publish_seconds=0.05, watch_apart=False) as service:
            enrolment = await asyncio.to_thread(enrol, "sato", "correct horse")
            await register(service.ledger, database, enrolment.credential)
            added = PersonAdded(
                person="moto", name="moto", employer="Example Prime", manager="", language="en"
            )
            await service.ledger.record(added, by="kanri", about="moto")
            await appoint(service.ledger, "moto", Role.PROCESSOR_MANAGER)
            await allow(service.ledger)
            made = House(Checkpoint(service, enrolment.totp_secret, state / "tls" / "ca.pem"))
            yield made
    except* Fault:
        if made is None or not made.checkpoint.ends_badly:
            raise
