"""The watch in a process of its own: it raises what it finds, and its silence is raised."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

import sekisho.people.tables
import sekisho.relay.tables
import sekisho.watch.tables  # noqa: F401 (their projections)
from gate.gate_examples import HOUR, TINY, asked, fill
from sekisho.gate.facts import TicketApproved
from sekisho.ledger import Commitment, Fact, KeyRing, Ledger, Recorded
from sekisho.ledger.leaf import FACTS_BY_NAME, kind_of
from sekisho.notify.notices import Notices
from sekisho.relay.facts import SessionOpened, Statement
from sekisho.service.watch_process import Orders
from sekisho.service.watching import RECORDS, Watching
from sekisho.watch import watcher
from sekisho.watch.facts import AlertRaised, Stopped
from sekisho.watch.settings import Response, Watch

pytestmark = pytest.mark.e2e


@asynccontextmanager
async def watched(
    tmp_path: Path, settings: Watch | None = None, **more: float
) -> AsyncIterator[tuple[Ledger, Watching]]:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    async with await Ledger.open(url, keys=KeyRing(tmp_path / "keys")) as ledger:
        await fill(ledger)
        folder, keys = str(tmp_path / "watch"), str(tmp_path / "keys")
        orders = Orders(url, keys, folder, settings or Watch(), house=0, logs=False)
        watching = Watching(ledger, Notices(ledger), orders, **more)
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            running = group.create_task(watching.run())
            try:
                yield ledger, watching
            finally:
                running.cancel()


async def nth(ledger: Ledger, name: str, number: int = 1) -> Recorded:
    while len(found := await ledger.facts(0, number, names=[name])) < number:
        await ledger.wait_turn(0.05)
    return found[-1]


async def theft(ledger: Ledger) -> None:
    """A ticket for five, used for nine hundred."""
    now = int(datetime.now(UTC).timestamp() * 1e6)
    wanted = asked("T-1", limits=TINY, opens=now, closes=now + 8 * HOUR)
    await ledger.record(wanted, by="sato", about="T-1")
    await ledger.record(TicketApproved(ticket="T-1", approver="mori", request=""), by="mori", about="T-1")
    opened = SessionOpened(
        session="s-1", person="sato", ticket="T-1", organisation="minato", dataset="minato-customers",
        target="callcentre", door="postgres", peer="192.0.2.7:50123", tls="", client="psql",
    )  # fmt: skip
    await ledger.record(opened, by="sato", about="s-1")
    taken = Statement(
        session="s-1", number=1, ticket="T-1", organisation="minato", read=("customers.name",), masked=(),
        rows=900, persons=900, bytes=36_000, duration=900, outcome="passed", code="", text=Commitment("7c" * 32),
    )  # fmt: skip
    await ledger.record(taken, by="sato", about="s-1")


ANSWERS = {
    "freeze": ("people.person_frozen", "sato"),
    "budget": ("gate.restraint_imposed", "sato:restraint"),
    "approval": ("gate.restraint_imposed", "sato:restraint"),
    "close_ticket": ("gate.ticket_closed", "T-1"),
    "end_session": ("watch.response_taken", ""),
}


@pytest.mark.parametrize("what", ANSWERS)
async def test_a_theft_is_raised_told_and_answered_from_the_other_process(tmp_path: Path, what: str) -> None:
    settings = Watch(
        responses=(Response(what=what, detector="ticket_mismatch", at=2.5),)  # type: ignore[arg-type]
    )
    name, about = ANSWERS[what]
    async with watched(tmp_path, settings) as (ledger, watching):
        await nth(ledger, "watch.beat")
        assert watching.process is not None
        assert watching.process.pid != os.getpid()
        await theft(ledger)
        answered = await nth(ledger, name)
        assert answered.by == "sekisho"
        assert about in ("", answered.about)
        await nth(ledger, "watch.alert_raised")
        await nth(ledger, "notify.asked")
        await nth(ledger, "watch.response_taken")


@pytest.mark.parametrize(("number", "how"), [(signal.SIGKILL, "signal 9"), (signal.SIGSTOP, "silent")])
async def test_a_watch_that_ends_or_falls_silent_is_raised_and_started_again(
    tmp_path: Path, number: signal.Signals, how: str
) -> None:
    """Without the supervision nobody would hear of it: the watch cannot raise its own end."""
    async with watched(tmp_path, silent_seconds=4.0) as (ledger, watching):
        await nth(ledger, "watch.beat")
        assert watching.process is not None
        os.kill(watching.process.pid, number)
        await theft(ledger)  # a process that was stopped owes an answer now
        stopped = await nth(ledger, "watch.stopped")
        assert stopped.typed() == Stopped(how=how, times=1)
        await nth(ledger, "notify.asked")
        # The next one reads what was recorded meanwhile, and raises the gap itself.
        raised: dict[str, AlertRaised] = {}
        while not raised.keys() >= {"ticket_mismatch", "log_gap"}:
            fact = (await nth(ledger, "watch.alert_raised", len(raised) + 1)).typed()
            assert isinstance(fact, AlertRaised)
            raised[fact.detector] = fact
        assert raised["log_gap"].certain


async def test_an_idle_watch_does_nothing(tmp_path: Path) -> None:
    async with watched(tmp_path) as (ledger, watching):
        await nth(ledger, "watch.beat")
        assert watching.process is not None
        status = Path(f"/proc/{watching.process.pid}/status")

        def woken() -> int:
            lines = status.read_text().splitlines()
            return int(next(line.split()[1] for line in lines if line.startswith("voluntary_ctxt")))

        async with asyncio.timeout(30):
            while True:  # it first reads its own beat
                before = woken()
                await asyncio.sleep(1.5)
                if woken() == before:
                    break


def test_what_it_may_record_is_declared() -> None:
    assert FACTS_BY_NAME.keys() >= RECORDS
    used = {one for one in vars(watcher).values() if isinstance(one, type) and issubclass(one, Fact)} - {Fact}
    assert {kind_of(one).name for one in used} <= RECORDS
