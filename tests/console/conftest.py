"""A checkpoint with a console, before a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from checkpoint_under_test import SCHEMA
from console.console_scene import Scene, scene
from sekisho.demo.servers import PostgresServer, postgres_server


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
async def house(tmp_path: Path, database: PostgresServer) -> AsyncIterator[Scene]:
    async with scene(tmp_path, database) as made:
        yield made
