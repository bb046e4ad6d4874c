"""A checkpoint of one's own before a real PostgreSQL with two clients' tables."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from checkpoint_under_test import SCHEMA, Checkpoint, register
from sekisho.demo.servers import PostgresServer, postgres_server
from sekisho.faults import Fault
from sekisho.people.credentials import enrol
from sekisho.service.service import create_state, running
from sekisho.service.settings import Settings


@pytest.fixture(scope="session")
def database() -> Iterator[PostgresServer]:
    """A PostgreSQL with TLS, whose maintenance role can read every client's tables: only the door divides them."""
    with postgres_server(tls=True) as server:

        async def fill() -> None:
            connection = await asyncpg.connect(server.dsn(sslmode="require"))
            await connection.execute(SCHEMA)
            await connection.close()

        asyncio.run(fill())
        yield server


@pytest.fixture
async def checkpoint(tmp_path: Path, database: PostgresServer) -> AsyncIterator[Checkpoint]:
    state = tmp_path / "state"
    settings = Settings(
        origin="checkpoint.example/test", postgres_listen="127.0.0.1:0", console_listen="127.0.0.1:0"
    )
    create_state(state, settings)
    made: Checkpoint | None = None
    try:
        async with running(state, publish_seconds=0.05, watch_apart=False) as service:
            enrolment = enrol("sato", "correct horse")
            await register(service.ledger, database, enrolment.credential)
            made = Checkpoint(service, enrolment.totp_secret, state / "tls" / "ca.pem")
            yield made
    except* Fault:
        if made is None or not made.ends_badly:
            raise
