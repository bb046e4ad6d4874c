"""A ledger of one's own, on SQLite; the stories run over PostgreSQL too."""

import secrets
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from people.people_examples import Clock, administrators
from sekisho.demo.servers import PostgresServer, postgres_server
from sekisho.ledger import KeyRing, Ledger


@pytest.fixture
def clock() -> Clock:
    return Clock(time.time())


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    async with await Ledger.open(url, keys=KeyRing(tmp_path / "keys")) as opened:
        yield opened


@pytest.fixture
async def house(ledger: Ledger) -> Ledger:
    """The ledger of a house with two administrators (kanri, kanta), a manager (mori), a privacy officer (hogo)."""
    await administrators(ledger)
    return ledger


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.e2e)])
async def each_house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ledger]:
    """A house on each database."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        name = f"people_{secrets.token_hex(6)}"
        connection = await asyncpg.connect(server.dsn())
        try:
            await connection.execute(f"CREATE DATABASE {name}")
        finally:
            await connection.close()
        url = server.dsn(database=name)
    async with await Ledger.open(url, keys=KeyRing(tmp_path / "keys")) as opened:
        await administrators(opened)
        yield opened
