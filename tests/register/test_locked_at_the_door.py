"""The register's word at the door: a real client, a valid ticket, and a dataset that may not be opened."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import msgspec
import pytest

from checkpoint_under_test import SCHEMA, Checkpoint
from checkpoint_under_test import register as fill
from register.register_examples import take_in_by_two
from sekisho.demo.servers import PostgresServer, postgres_server
from sekisho.people.credentials import enrol
from sekisho.register.parties import Hop, LegalPerson, Parties
from sekisho.register.periods import parse_period
from sekisho.register.records import read_tables
from sekisho.register.tables import JST
from sekisho.register.tables_io import RegisterTables
from sekisho.service.service import create_state, running
from sekisho.service.settings import Settings

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def database() -> Iterator[PostgresServer]:
    with postgres_server(tls=True, settings={"fsync": "off"}) as server:

        async def load() -> None:
            connection = await asyncpg.connect(server.dsn(sslmode="require"))
            await connection.execute(SCHEMA)
            await connection.close()

        asyncio.run(load())
        yield server


@pytest.fixture
async def checkpoint(tmp_path: Path, database: PostgresServer) -> AsyncIterator[Checkpoint]:
    state = tmp_path / "state"
    settings = Settings(
        origin="checkpoint.example/register", postgres_listen="127.0.0.1:0", console_listen="127.0.0.1:0"
    )
    create_state(state, settings)
    async with running(state, publish_seconds=0.05, watch_apart=False) as service:
        enrolment = enrol("sato", "correct horse")
        await fill(service.ledger, database, enrolment.credential)
        yield Checkpoint(service, enrolment.totp_secret, state / "tls" / "ca.pem")


async def change(checkpoint: Checkpoint, name: str) -> str:
    """Change the register so that it locks minato's dataset; the code that the door must show."""
    async with checkpoint.ledger.read() as connection:
        held = await read_tables(connection)
    (hop,) = [one for one in held.parties.hops if one.client == "minato"]
    if name == "contract":
        (contract,) = [one for one in held.parties.contracts if one.hop == hop.id]
        yesterday = datetime.now(JST).date() - timedelta(days=1)
        ended = msgspec.structs.replace(contract, period=parse_period(f"2020年4月~{yesterday.isoformat()}"))
        new, code = RegisterTables(Parties(contracts=(ended,))), "SEK-REG-143"
    elif name == "unit":
        (dataset,) = [one for one in held.datasets if one.client == "minato"]
        new = RegisterTables(datasets=(msgspec.structs.replace(dataset, responsible_unit=""),))
        code = "SEK-REG-145"
    else:
        # The operator now gets the data from a middleman whose passing on the client never approved.
        first = msgspec.structs.replace(hop, receiver="middle")
        second = Hop("hop-2", "minato", "middle", hop.receiver, hop.datasets, hop.began)
        (contract,) = [one for one in held.parties.contracts if one.hop == hop.id]
        passed_on = msgspec.structs.replace(contract, id="c-2", hop="hop-2")
        parties = Parties(
            persons=(LegalPerson("middle", "仲介"),), hops=(first, second), contracts=(passed_on,)
        )
        new, code = RegisterTables(parties), "SEK-REG-142"
    await take_in_by_two(checkpoint.ledger, new)
    return code


@pytest.mark.parametrize("name", ["contract", "unit", "hop"])
async def test_a_locked_dataset_is_refused_at_the_door_and_on_record(
    checkpoint: Checkpoint, name: str
) -> None:
    ticket = await checkpoint.ticket()
    open_run = await checkpoint.psql(ticket, "SELECT count(*) FROM minato.campaigns")
    assert open_run.status == 0, open_run.stderr
    code = await change(checkpoint, name)
    locked = await checkpoint.psql(ticket, "SELECT count(*) FROM minato.campaigns")
    assert locked.status == 2
    assert code in locked.stderr
    refused = await checkpoint.facts("gate.access_refused")
    assert code in refused[-1].leaf.decode()
    assert refused[-1].at <= datetime.now(UTC)
