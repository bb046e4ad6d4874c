"""From durable to published to cosigned, and what stops it."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ledger.ledger_examples import LocalWitness, Visited, run_sql
from sekisho.evidence import faults
from sekisho.evidence.log import TileLog
from sekisho.evidence.note import NoteSigner
from sekisho.evidence.policy import Policy
from sekisho.evidence.verify import verify_folder
from sekisho.faults import Fault
from sekisho.ledger import KeyRing, Ledger, Level, Publisher
from sekisho.ledger.facts import LeafMismatch, PublicationStopped, QuorumMet, QuorumMissing

Tamper = Callable[[str], Awaitable[None]]


@pytest.fixture
def signer() -> NoteSigner:
    return NoteSigner.generate("sekisho.example/log")


@pytest.fixture
def witness(tmp_path: Path, signer: NoteSigner) -> LocalWitness:
    return LocalWitness(tmp_path / "witness", signer.key)


@pytest.fixture
def policy(signer: NoteSigner, witness: LocalWitness) -> Policy:
    return Policy.of_keys([signer.key], [witness.key], 1)


@asynccontextmanager
async def publishing(publisher: Publisher) -> AsyncIterator[Publisher]:
    async with asyncio.TaskGroup() as group:
        group.create_task(publisher.run())
        try:
            yield publisher
        finally:
            publisher.stop()


async def test_a_fact_becomes_published_and_cosigned(
    ledger: Ledger, tmp_path: Path, signer: NoteSigner, witness: LocalWitness, policy: Policy
) -> None:
    publisher = Publisher(ledger, tmp_path / "log", signer, policy=policy, cosigner=witness, interval=0.05)
    async with publishing(publisher):
        for n in range(300):
            recorded = ledger.record_soon(Visited(rows=n), by="p-sato", about="s-1")
        last = await recorded
        await ledger.reached(last.seq, Level.DURABLE, 5)
        await ledger.reached(last.seq, Level.PUBLISHED, 5)
        await ledger.reached(last.seq, Level.COSIGNED, 5)
        late = await ledger.record(Visited(rows=1), by="p-sato", about="s-1")
    # stop() publishes what is committed before run() returns
    await ledger.reached(late.seq, Level.COSIGNED, 0)
    report = verify_folder(tmp_path / "log", policy=policy)
    assert report.ok
    assert report.entries == 301


async def test_a_missing_quorum_is_told_and_retried(
    ledger: Ledger, tmp_path: Path, signer: NoteSigner, witness: LocalWitness, policy: Policy
) -> None:
    alarms: list[Fault] = []
    witness.down = True
    publisher = Publisher(ledger, tmp_path / "log", signer, policy=policy, cosigner=witness, interval=0.02)
    publisher.on_alarm(alarms.append)
    async with publishing(publisher):
        recorded = await ledger.record(Visited(rows=1), by="p-sato", about="s-1")
        await ledger.reached(recorded.seq, Level.PUBLISHED, 5)
        with pytest.raises(Fault, match="SEK-LEDG-024"):
            await ledger.reached(recorded.seq, Level.COSIGNED, 0.3)
        witness.down = False
        await ledger.reached(recorded.seq, Level.COSIGNED, 5)
    names = [one.fact for one in await ledger.facts(0, 100)]
    assert names == ["test.visited", "ledger.quorum_missing", "ledger.quorum_met"]
    assert isinstance((await ledger.facts(1, 1))[0].typed(), QuorumMissing)
    assert isinstance((await ledger.facts(2, 1))[0].typed(), QuorumMet)
    assert len(alarms) == 1


async def test_an_edit_between_commit_and_publication_is_noticed(
    ledger: Ledger, tamper: Tamper, tmp_path: Path, signer: NoteSigner
) -> None:
    alarms: list[Fault] = []
    publisher = Publisher(ledger, tmp_path / "log", signer, interval=0.02)
    publisher.on_alarm(alarms.append)
    first = await ledger.record(Visited(rows=1), by="p-sato", about="s-1")
    await ledger.record(Visited(rows=2), by="p-sato", about="s-1")
    await tamper("UPDATE facts SET leaf = (SELECT leaf FROM facts WHERE seq = 0) WHERE seq = 1")
    async with publishing(publisher):
        await asyncio.sleep(0)
    assert publisher.stopped is not None
    assert publisher.stopped.code == "SEK-LEDG-022"
    assert alarms == [publisher.stopped]
    found = [one.typed() for one in await ledger.facts(2, 10)]
    assert isinstance(found[0], LeafMismatch)
    assert found[0].seq == 1
    assert found[1:] == [PublicationStopped(code="SEK-LEDG-022")]
    with pytest.raises(Fault):
        await ledger.reached(first.seq, Level.PUBLISHED, 0)


async def test_a_deleted_fact_is_noticed_before_publication(
    ledger: Ledger, tamper: Tamper, tmp_path: Path, signer: NoteSigner
) -> None:
    for _ in range(3):
        await ledger.record(Visited(rows=1), by="p-sato", about="s-1")
    publisher = Publisher(ledger, tmp_path / "log", signer, interval=0.02)
    await tamper("DELETE FROM facts WHERE seq = 1")
    async with publishing(publisher):
        pass
    assert publisher.stopped is not None


async def test_an_older_folder_is_refused_at_the_start(
    url: str, keys: KeyRing, tmp_path: Path, signer: NoteSigner
) -> None:
    folder = tmp_path / "log"
    async with await Ledger.open(url, keys=keys) as ledger:
        for copy in (tmp_path / "older", tmp_path / "newest"):
            await ledger.record(Visited(rows=1), by="p-sato", about="s-1")
            async with publishing(Publisher(ledger, folder, signer, interval=0.02)):
                pass
            shutil.copytree(folder, copy)
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "older", folder)
    async with await Ledger.open(url, keys=keys) as ledger:
        with pytest.raises(Fault, match="SEK-LEDG-020"):
            await Publisher(ledger, folder, signer).run()
        shutil.rmtree(folder)
        with pytest.raises(Fault, match="SEK-LEDG-020"):
            await Publisher(ledger, folder, signer).run()


async def test_an_older_database_is_refused_at_the_start(
    url: str, keys: KeyRing, tamper: Tamper, tmp_path: Path, signer: NoteSigner
) -> None:
    async with await Ledger.open(url, keys=keys) as ledger:
        for _ in range(5):
            await ledger.record(Visited(rows=1), by="p-sato", about="s-1")
        async with publishing(Publisher(ledger, tmp_path / "log", signer, interval=0.02)):
            pass
    await tamper("DELETE FROM facts WHERE seq > 2")
    await tamper("DELETE FROM checkpoints")
    async with await Ledger.open(url, keys=keys) as ledger:
        with pytest.raises(Fault, match="SEK-LEDG-021"):
            await Publisher(ledger, tmp_path / "log", signer).run()
        # another history grows over it
        for _ in range(5):
            await ledger.record(Visited(rows=7), by="p-sato", about="s-1")
        with pytest.raises(Fault, match="SEK-LEDG-022"):
            await Publisher(ledger, tmp_path / "log", signer).run()


async def test_a_witness_that_knows_more_stops_publication(
    ledger: Ledger, tmp_path: Path, signer: NoteSigner, witness: LocalWitness, policy: Policy
) -> None:
    """Folder and database were both replaced by an older pair: only the witness can tell."""
    for n in range(3):
        await ledger.record(Visited(rows=n), by="p-sato", about="s-1")
    publisher = Publisher(ledger, tmp_path / "log", signer, policy=policy, cosigner=witness, interval=0.02)
    async with publishing(publisher):
        pass
    url = f"sqlite:///{tmp_path / 'other.db'}"
    async with await Ledger.open(url, keys=KeyRing(tmp_path / "keys")) as other:
        await other.record(Visited(rows=0), by="p-sato", about="s-1")
        publisher = Publisher(
            other,
            tmp_path / "other log",
            signer,
            policy=policy,
            cosigner=witness,
            interval=0.02,
            fatal=[LocalWitness.AHEAD],
        )
        async with publishing(publisher):
            pass
        assert publisher.stopped is not None
        assert publisher.stopped.kind is LocalWitness.AHEAD


async def test_only_one_publisher_works(
    ledger: Ledger, url: str, keys: KeyRing, tmp_path: Path, signer: NoteSigner
) -> None:
    async with await Ledger.open(url, keys=keys) as second:
        waiting = Publisher(second, tmp_path / "log", signer, interval=0.02)
        async with publishing(Publisher(ledger, tmp_path / "log", signer, interval=0.02)):
            await asyncio.sleep(0.1)
            async with asyncio.TaskGroup() as group:
                task = group.create_task(waiting.run())
                recorded = await second.record(Visited(rows=1), by="p-sato", about="s-1")
                await second.reached(recorded.seq, Level.PUBLISHED, 5)
                lock = second.publisher_lock()
                assert not await lock.acquire()
                assert not task.done()
                waiting.stop()
        # the lock is free again
        assert await lock.acquire()
        await lock.release()


async def test_a_full_disk_delays_publication_and_nothing_else(
    ledger: Ledger, tmp_path: Path, signer: NoteSigner, monkeypatch: pytest.MonkeyPatch
) -> None:
    integrate = TileLog.integrate
    full = True

    def refuse(log: TileLog, entries: list[bytes]) -> None:
        if full:
            raise Fault(faults.CANNOT_WRITE, path=tmp_path, reason="No space left on device")
        integrate(log, entries)

    monkeypatch.setattr(TileLog, "integrate", refuse)
    publisher = Publisher(ledger, tmp_path / "log", signer, interval=0.02)
    async with publishing(publisher):
        recorded = await ledger.record(Visited(rows=1), by="p-sato", about="s-1")
        await asyncio.sleep(0.2)
        full = False
        await ledger.reached(recorded.seq, Level.PUBLISHED, 5)
    names = [one.fact for one in await ledger.facts(0, 10)]
    assert names == ["test.visited", "ledger.publication_failed", "ledger.publication_resumed"]


@pytest.mark.e2e
async def test_a_publisher_that_lost_its_lock_stops(
    new_database: Callable[[], Awaitable[str]], keys: KeyRing, tmp_path: Path, signer: NoteSigner
) -> None:
    url = await new_database()
    async with await Ledger.open(url, keys=keys) as ledger, asyncio.TaskGroup() as group:
        running = group.create_task(_expect_lost(ledger, tmp_path, signer))
        recorded = await ledger.record(Visited(rows=1), by="p", about="s")
        await ledger.reached(recorded.seq, Level.PUBLISHED, 5)
        await run_sql(
            url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sekisho publisher'",
        )
        await running


async def _expect_lost(ledger: Ledger, tmp_path: Path, signer: NoteSigner) -> None:
    with pytest.raises(Fault, match="SEK-LEDG-023"):
        await Publisher(ledger, tmp_path / "log", signer, interval=0.05).run()
