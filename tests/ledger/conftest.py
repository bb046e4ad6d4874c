"""A ledger on each database. PostgreSQL is a real server, started once."""

import secrets
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path

import asyncpg
import pytest

from sekisho.demo.servers import PostgresServer, postgres_server
from sekisho.ledger import KeyRing, Ledger


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.e2e)])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an empty ledger can be opened."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    server: PostgresServer = request.getfixturevalue("postgres")
    name = f"ledger_{secrets.token_hex(6)}"
    connection = await asyncpg.connect(server.dsn())
    try:
        await connection.execute(f"CREATE DATABASE {name}")
    finally:
        await connection.close()
    return server.dsn(database=name)


@pytest.fixture
def keys(tmp_path: Path) -> KeyRing:
    return KeyRing(tmp_path / "keys")


@pytest.fixture
async def ledger(url: str, keys: KeyRing) -> AsyncIterator[Ledger]:
    async with await Ledger.open(url, keys=keys) as opened:
        yield opened


@pytest.fixture
def tamper(url: str) -> Callable[[str], Awaitable[None]]:
    """Change the database behind the ledger's back."""

    async def run(sql: str) -> None:
        if url.startswith("sqlite"):
            with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as raw:
                raw.execute(sql)
        else:
            connection = await asyncpg.connect(url)
            try:
                await connection.execute(sql)
            finally:
                await connection.close()

    return run
