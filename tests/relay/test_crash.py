"""SIGKILL in the middle of a transfer: what reached the terminal is within what the ledger says was leased."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from checkpoint_under_test import Checkpoint, register, simple_queries
from sekisho.demo.servers import PostgresServer
from sekisho.people.credentials import enrol
from sekisho.service.service import create_state, open_ledger, running
from sekisho.service.settings import Settings, read_settings

pytestmark = pytest.mark.e2e

_SERVE = """
import asyncio, sys
from pathlib import Path
from sekisho.service.service import running

async def main():
    async with running(Path(sys.argv[1]), publish_seconds=0.05, watch_apart=False) as service:
        print(*service.postgres, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_killed_checkpoint_has_leased_all_that_passed(
    tmp_path: Path, database: PostgresServer
) -> None:
    state = tmp_path / "state"
    settings = Settings(
        origin="checkpoint.example/crash", postgres_listen="127.0.0.1:0", console_listen="127.0.0.1:0"
    )
    create_state(state, settings)
    enrolment = enrol("sato", "correct horse")
    async with running(state, publish_seconds=0.05, watch_apart=False) as service:
        await register(service.ledger, database, enrolment.credential)
        made = Checkpoint(service, enrolment.totp_secret, state / "tls" / "ca.pem")
        ticket = await made.ticket()
        user, password = await made.login(ticket)
    total = 0
    for pause in (0.05, 0.4, 0.8):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _SERVE, str(state), stdout=asyncio.subprocess.PIPE, env=dict(os.environ)
        )
        assert process.stdout is not None
        host, port = (await process.stdout.readline()).decode().split()
        many = "SELECT a.customer_id, b.name FROM minato.customers a, minato.customers b LIMIT 60000"
        reading = asyncio.ensure_future(simple_queries((host, int(port)), user, password, (many,)))  # noqa: TID251
        await asyncio.sleep(pause)
        process.send_signal(signal.SIGKILL)
        await process.wait()
        answers = await asyncio.gather(reading, return_exceptions=True)
        passed = sum(len(one.rows) for answer in answers if isinstance(answer, list) for one in answer)
        async with open_ledger(state, read_settings(state)) as ledger:
            leased = 0
            for recorded in await ledger.facts(0, 10_000, names=["gate.budget_leased"]):
                fact = recorded.typed()
                leased += fact.leased[f"ticket:{ticket}"][1]  # type: ignore[union-attr]
            opened = await ledger.facts(0, 10_000, names=["relay.session_opened"])
        total += passed
        assert total <= leased
        assert opened or not passed
    assert total > 0  # some of it was under way
