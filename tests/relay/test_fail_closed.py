"""What cannot be recorded does not pass; what breaks the protocol ends one session; a dead target is said so."""

import asyncio
import struct
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from checkpoint_under_test import Checkpoint, limits
from sekisho.demo.clients import psql
from sekisho.relay.wire import Wire
from sekisho.wire.postgres import frontend as f

pytestmark = pytest.mark.e2e

ONE = "SELECT customer_id, name FROM minato.customers WHERE customer_id = 1"


def break_the_disk(checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint.ledger._store, "commit", full)


async def test_a_full_disk_ends_sessions_and_opens_none(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, password = await checkpoint.login(await checkpoint.ticket())
    host, port = checkpoint.service.postgres
    connection = await asyncpg.connect(
        host=host, port=port, user=user, password=password, database="callcentre", ssl="require"
    )
    break_the_disk(checkpoint, monkeypatch)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)) as told:
        await connection.fetch(ONE)
    assert "佐藤" not in str(told.value)
    async with asyncio.timeout(10):
        while not connection.is_closed():  # noqa: ASYNC110 (asyncpg offers no event)
            await asyncio.sleep(0.02)
    run = await psql(host, port, user, password, "callcentre", "-c", ONE, sslmode="require")
    assert run.status != 0
    assert run.stdout == ""
    checkpoint.ends_badly = True


async def test_rows_wait_for_their_lease(checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """Switch off the lease's durability, and rows would pass while the ledger hangs."""
    ticket = await checkpoint.ticket()
    async with checkpoint.connect(ticket) as connection:
        store = checkpoint.ledger._store
        commit, going = store.commit, asyncio.Event()
        loop = asyncio.get_running_loop()

        def slow(*arguments: object) -> object:
            asyncio.run_coroutine_threadsafe(going.wait(), loop).result()
            return commit(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(store, "commit", slow)
        query = asyncio.ensure_future(connection.fetchval("SELECT plan FROM minato.customers LIMIT 1"))  # noqa: TID251
        done, _ = await asyncio.wait([query], timeout=1)
        assert not done
        going.set()
        assert await query == "gold"


@pytest.mark.parametrize(
    "garbage",
    [
        b"Q\x00\x00\x00\x03",  # a length below four
        b"Q\x7f\xff\xff\xff",  # two gigabytes
        b"z\x00\x00\x00\x04",  # an unknown message
        b"p\x00\x00\x00\x08abcd",  # a password where none is asked for
        struct.pack(">BI", 66, 12) + b"\0\0\0\x02\0\0\0\x01",  # a Bind that ends too early
    ],
)
async def test_broken_messages_end_that_session_only(checkpoint: Checkpoint, garbage: bytes) -> None:
    ticket = await checkpoint.ticket()
    async with checkpoint.connect(ticket) as other:
        async with checkpoint.connect(ticket) as connection:
            transport = connection._transport
            transport.write(garbage)
            async with asyncio.timeout(10):
                while not connection.is_closed():  # noqa: ASYNC110 (asyncpg offers no event)
                    await asyncio.sleep(0.02)
        assert await other.fetchval("SELECT title FROM minato.campaigns WHERE campaign_id = 1") == "春"


@pytest.mark.parametrize(
    "opening",
    [b"\x00\x00\x00\x02", b"\x7f\xff\xff\xff\x00\x03\x00\x00", b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 64],
)
async def test_a_stranger_who_speaks_something_else_is_shown_out(
    checkpoint: Checkpoint, opening: bytes
) -> None:
    _, wire = await asyncio.get_running_loop().create_connection(Wire, *checkpoint.service.postgres)
    wire.write(opening)
    async with asyncio.timeout(10):
        while await wire.receive():
            pass
    await wire.closed_within(1)
    run = await checkpoint.psql(
        await checkpoint.ticket(), "SELECT title FROM minato.campaigns WHERE campaign_id = 1"
    )
    assert run.stdout == "春\n"


async def test_bytes_sent_in_clear_behind_the_request_for_tls_are_refused(checkpoint: Checkpoint) -> None:
    _, wire = await asyncio.get_running_loop().create_connection(Wire, *checkpoint.service.postgres)
    wire.write(f.SSLRequest().encode() + f.StartupMessage({"user": "sato.T-0001"}).encode())
    async with asyncio.timeout(10):
        answer = b""
        while chunk := await wire.receive():
            answer += chunk
    await wire.closed_within(1)
    assert b"SEK-WIRE-005" in answer


async def test_a_target_that_is_down_is_said_so(checkpoint: Checkpoint) -> None:
    await checkpoint.move_target(port=1)
    run = await checkpoint.psql(await checkpoint.ticket(), ONE)
    assert "SEK-RLAY-009" in run.stderr
    async with asyncio.timeout(10):
        while not await checkpoint.facts("relay.session_closed"):  # noqa: ASYNC110 (a fact offers no event here)
            await asyncio.sleep(0.02)


async def test_a_target_with_another_certificate_is_not_the_target(checkpoint: Checkpoint) -> None:
    ours = (checkpoint.service.state / "tls" / "ca.pem").read_text()
    await checkpoint.move_target(tls_ca=ours)
    run = await checkpoint.psql(await checkpoint.ticket(), ONE)
    assert "SEK-RLAY-009" in run.stderr


async def test_the_session_ends_with_the_ticket(checkpoint: Checkpoint) -> None:
    closes = int((datetime.now(UTC) + timedelta(seconds=3)).timestamp() * 1e6)
    ticket = await checkpoint.ticket(closes=closes, limits=limits())
    run = await checkpoint.psql(ticket, "SELECT pg_sleep(30)")
    assert "SEK-RLAY-013" in run.stderr
