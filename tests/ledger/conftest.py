"""A ledger on each database. PostgreSQL is a real server, started once."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from ledger.ledger_examples import run_sql
from sekisho.demo.servers import PostgresServer, postgres_server
from sekisho.ledger import KeyRing, Ledger


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture
async def new_database(request: pytest.FixtureRequest) -> Callable[[], Awaitable[str]]:
    """Makes an empty PostgreSQL database."""

    async def make() -> str:
        server: PostgresServer = request.getfixturevalue("postgres")
        name = f"ledger_{secrets.token_hex(6)}"
        await run_sql(server.dsn(), f"CREATE DATABASE {name}")
        return server.dsn(database=name)

    return make


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.e2e)])
async def url(
    request: pytest.FixtureRequest, tmp_path: Path, new_database: Callable[[], Awaitable[str]]
) -> str:
    """Where an empty ledger can be opened."""
    return f"sqlite:///{tmp_path / 'ledger.db'}" if request.param == "sqlite" else await new_database()


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
        await run_sql(url, sql)

    return run
