"""What ends a live session from outside: the end of its ticket, and the kill switch while it is being opened."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from checkpoint_under_test import Checkpoint
from sekisho.faults import Fault
from sekisho.gate.tickets import close_ticket
from sekisho.people.freeze import freeze
from sekisho.relay.accounts import AccountBook
from sekisho.relay.faults import SESSION_ENDED
from sekisho.relay.postgres.door import PostgresDoor

pytestmark = pytest.mark.e2e


@asynccontextmanager
async def live_psql(checkpoint: Checkpoint, ticket: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A psql in front of somebody who types."""
    user, password = await checkpoint.login(ticket)
    host, port = checkpoint.service.postgres
    process = await asyncio.create_subprocess_exec(
        "psql",
        f"host={host} port={port} user={user} dbname=callcentre sslmode=require",
        "-XAtq",
        env={"PGPASSWORD": password, "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def ask(process: asyncio.subprocess.Process, sql: str) -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(sql.encode() + b"\n")
    await process.stdin.drain()
    return (await asyncio.wait_for(process.stdout.readline(), 10)).decode().strip()


async def closed(checkpoint: Checkpoint) -> str:
    """Why the one session was closed, as soon as its fact is there."""
    async with asyncio.timeout(5):
        while not (found := await checkpoint.facts("relay.session_closed")):
            await checkpoint.ledger.wait_turn(0.1)
    fact = found[0].typed()
    return str(getattr(fact, "reason", ""))


@pytest.mark.parametrize(("by", "how"), [("sato", "done"), ("mori", "revoked"), ("mori", "declined")])
async def test_a_live_psql_ends_with_its_ticket(checkpoint: Checkpoint, by: str, how: str) -> None:
    """Fails when the service runs no `end_of_tickets`."""
    ticket, other = await checkpoint.ticket(), await checkpoint.ticket()
    async with live_psql(checkpoint, ticket) as process, checkpoint.connect(other) as untouched:
        assert await ask(process, "SELECT plan FROM minato.customers LIMIT 1;") == "gold"
        pulled = time.monotonic()
        await close_ticket(checkpoint.ledger, ticket, by=by, reason="the work is over", how=how)  # type: ignore[arg-type]
        assert await closed(checkpoint) == "gate.ticket_closed"
        assert time.monotonic() - pulled < 1
        assert process.stdin is not None
        process.stdin.write(b"SELECT plan FROM minato.customers LIMIT 1;\n")
        said, _ = await asyncio.wait_for(process.communicate(), 10)
        assert (
            f"SEK-RLAY-013: The session was ended by the checkpoint (gate.ticket_closed: {how})"
            in said.decode()
        )
        assert b"gold" not in said
        assert await untouched.fetchval("SELECT plan FROM minato.customers LIMIT 1") == "gold"


async def test_a_ticket_that_is_closed_during_the_decision_opens_nothing(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails when a door does not decide again once `end_all` finds the session."""
    ticket = await checkpoint.ticket()
    told = asyncio.Event()
    end_all, open_accounts = PostgresDoor.end_all, AccountBook.open

    def ended(door: PostgresDoor, *arguments: object, **also: object) -> int:
        told.set()
        return end_all(door, *arguments, **also)  # type: ignore[arg-type]

    async def slowly(book: AccountBook, *arguments: object) -> object:
        # The decision is made; the watcher ends what it knows, and does not know this session yet.
        await close_ticket(checkpoint.ledger, ticket, by="mori", reason="no more", how="revoked")
        await asyncio.wait_for(told.wait(), 5)
        return await open_accounts(book, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(PostgresDoor, "end_all", ended)
    monkeypatch.setattr(AccountBook, "open", slowly)
    with pytest.raises(asyncpg.PostgresError, match="SEK-GATE-00"):
        async with checkpoint.connect(ticket):
            pass
    assert await checkpoint.facts("relay.statement") == []
    assert len(await checkpoint.facts("relay.session_closed")) == 1


async def test_the_kill_switch_reaches_a_session_whose_target_does_not_answer(checkpoint: Checkpoint) -> None:
    """It used to end the checkpoint: nothing of the session was there to end."""
    connected = asyncio.Event()

    ticket = await checkpoint.ticket()
    over = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        await over.wait()
        writer.close()

    async def freeze_then() -> None:
        await connected.wait()
        await freeze(checkpoint.ledger, "sato", reason="suspicion", by="mori")

    async def connect() -> None:
        async with checkpoint.connect(ticket):
            pass

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        await checkpoint.move_target(port=server.sockets[0].getsockname()[1])
        async with asyncio.timeout(10):
            refused, _ = await asyncio.gather(connect(), freeze_then(), return_exceptions=True)
        over.set()
    assert isinstance(refused, asyncpg.PostgresError)
    assert "SEK-RLAY-013" in str(refused)
    assert await closed(checkpoint) == "people.person_frozen"
    assert checkpoint.service.door.end_all(Fault(SESSION_ENDED, reason="test"), "test") == 0
