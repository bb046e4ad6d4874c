"""Connections to the target that do not come through the checkpoint are seen, and ours are not taken for them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from checkpoint_under_test import Checkpoint
from sekisho.demo.servers import PostgresServer
from sekisho.ledger import values_of
from sekisho.ledger.leaf import read_recorded
from sekisho.relay.postgres.backends import Backends
from sekisho.relay.postgres.sensor import Sensor

STOLEN = {"user": "maintenance", "password": "target-secret-of-the-test"}
SEEN = ["relay.bypass_seen", "relay.sensor_changed"]


@asynccontextmanager
async def looking(checkpoint: Checkpoint, *expected: str) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(Sensor(checkpoint.ledger, seconds=0.05, expected=expected).run())
        try:
            yield
        finally:
            task.cancel()


async def told(checkpoint: Checkpoint, wanted: int) -> list[dict[str, object]]:
    """What the sensor has recorded, once there is as much of it as `wanted`."""
    async with asyncio.timeout(20):
        while len(found := await checkpoint.ledger.facts(0, 100, names=SEEN)) < wanted:
            await checkpoint.ledger.wait_turn(0.1)
    facts = [read_recorded(one.leaf)[1] for one in found]
    return [values_of(fact) for fact in facts if fact is not None]


@asynccontextmanager
async def direct(database: PostgresServer, application: str, **who: str) -> AsyncIterator[None]:
    connection = await asyncpg.connect(
        database.dsn(sslmode="require", **who), server_settings={"application_name": application}
    )
    try:
        yield
    finally:
        await connection.close()


@pytest.mark.e2e
async def test_a_direct_connection_is_recorded_and_a_session_is_not(
    checkpoint: Checkpoint, database: PostgresServer
) -> None:
    async with checkpoint.connect(await checkpoint.ticket()), looking(checkpoint):
        async with direct(database, "a copy of the secret", **STOLEN):
            (seen,) = await told(checkpoint, 1)
        assert seen == {
            "target": "callcentre",
            "user": "maintenance",
            "application": "a copy of the secret",
            "address": "127.0.0.1",
            "database": "postgres",
        }
        async with direct(database, "psql"):
            seen = (await told(checkpoint, 2))[1]
        # Another role's address is not for ours to see; that somebody is there is.
        assert (seen["user"], seen["address"]) == (database.superuser, "")
    assert len(await told(checkpoint, 2)) == 2


@pytest.mark.e2e
async def test_who_is_expected_is_not_recorded(checkpoint: Checkpoint, database: PostgresServer) -> None:
    async with (
        looking(checkpoint, database.superuser),
        direct(database, "the application"),
        direct(database, "", **STOLEN),
    ):
        assert [one["user"] for one in await told(checkpoint, 1)] == ["maintenance"]


@pytest.mark.e2e
async def test_a_sensor_that_cannot_see_says_so_and_says_when_it_can(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = checkpoint.ledger.content

    async def wrong(_: str) -> bytes:
        return b"not the secret"

    monkeypatch.setattr(checkpoint.ledger, "content", wrong)
    async with looking(checkpoint):
        first = await told(checkpoint, 1)
        assert first == [{"target": "callcentre", "sees": False, "reason": "SEK-RLAY-009"}]
        monkeypatch.setattr(checkpoint.ledger, "content", content)
        assert (await told(checkpoint, 2))[1] == {"target": "callcentre", "sees": True, "reason": ""}


def test_a_process_that_we_left_is_ours_until_it_is_gone() -> None:
    backends = Backends()
    backends.opened(7)
    assert backends.strangers({7, 8}) == {8}
    backends.closed(7)
    assert backends.strangers({7, 8}) == {8}
    backends.gone(backends.leaving() - {8})
    assert backends.strangers({7}) == {7}
