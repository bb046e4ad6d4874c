"""What breaks under the ledger: each time one clear fault, nothing acknowledged lost, nothing more let through."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from ledger.ledger_examples import Visited, run_sql
from sekisho.demo.servers import postgres_server
from sekisho.faults import Fault
from sekisho.ledger import KeyRing, Ledger
from sekisho.ledger.sqlite import SqliteDriver


async def test_a_full_disk_fails_the_ledger_for_good(
    tmp_path: Path, keys: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ledger.db"
    begin = SqliteDriver.begin

    def bounded(driver: SqliteDriver) -> None:
        driver.execute("PRAGMA max_page_count = 600")  # SQLite then answers as on a full disk
        begin(driver)

    told: list[Fault] = []
    async with await Ledger.open(f"sqlite:///{path}", keys=keys) as ledger:
        ledger.on_failure(told.append)
        monkeypatch.setattr(SqliteDriver, "begin", bounded)
        acknowledged = 0
        with pytest.raises(Fault, match=r"SEK-LEDG-001.*full"):  # noqa: PT012
            while True:
                await ledger.record(Visited(rows=1), by="p-" + "x" * 1000, about="s-1")
                acknowledged += 1
        assert acknowledged > 0
        with pytest.raises(Fault, match="SEK-LEDG-001"):
            await ledger.record(Visited(rows=1), by="p-sato", about="s-1")
        with pytest.raises(Fault, match="SEK-LEDG-001"):
            ledger.record_soon(Visited(rows=1), by="p-sato", about="s-1")
        assert await ledger.wait_failed() is ledger.fault
        await asyncio.sleep(0)
        assert told == [ledger.fault]
    monkeypatch.undo()
    async with await Ledger.open(f"sqlite:///{path}", keys=keys) as ledger:
        assert await ledger.size() == acknowledged
        await ledger.record(Visited(rows=1), by="p-sato", about="s-1")


async def test_a_database_locked_by_somebody_is_waited_for_within_a_bound(
    tmp_path: Path, keys: KeyRing
) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    async with await Ledger.open(url, keys=keys, busy_seconds=0.4) as ledger:
        with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            waiting = ledger.record_soon(Visited(rows=1), by="p-sato", about="s-1")
            await asyncio.sleep(0.1)
            assert not waiting.done()
            other.execute("ROLLBACK")
            assert (await waiting).seq == 0
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(Fault, match=r"SEK-LEDG-001.*locked"):
                await ledger.record(Visited(rows=1), by="p-sato", about="s-1")
            other.execute("ROLLBACK")


async def test_everybody_who_waits_is_told(tmp_path: Path, keys: KeyRing) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    async with await Ledger.open(url, keys=keys, busy_seconds=0.1, capacity=50) as ledger:
        with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            ledger.record_soon(Visited(rows=1), by="p", about="s")
            await asyncio.sleep(0.02)  # the writer now waits for the lock with this one
            waiting = [ledger.record_soon(Visited(rows=1), by="p", about="s") for _ in range(50)]
            with pytest.raises(Fault, match="SEK-LEDG-002"):
                ledger.record_soon(Visited(rows=1), by="p", about="s")
            outcomes = await asyncio.gather(
                *waiting, ledger.record(Visited(rows=1), by="p", about="s"), return_exceptions=True
            )
            assert {outcome.code for outcome in outcomes if isinstance(outcome, Fault)} == {"SEK-LEDG-001"}
            assert len(outcomes) == 51
            other.execute("ROLLBACK")


async def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path, keys: KeyRing) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(b"not a database at all" * 500)
    with pytest.raises(Fault, match="SEK-LEDG-004"):
        await Ledger.open(f"sqlite:///{path}", keys=keys)
    assert path.read_bytes() == b"not a database at all" * 500


async def test_a_damaged_page_is_refused_at_open_or_fails_the_ledger(tmp_path: Path, keys: KeyRing) -> None:
    path = tmp_path / "ledger.db"
    async with await Ledger.open(f"sqlite:///{path}", keys=keys) as ledger:
        for _ in range(200):
            ledger.record_soon(Visited(rows=1), by="p-" + "x" * 500, about="s-1")
        await ledger.record(Visited(rows=1), by="p-sato", about="s-1")
    content = bytearray(path.read_bytes())
    for page in range(1, len(content) // 4096):
        content[page * 4096 : page * 4096 + 200] = b"\xff" * 200
    path.write_bytes(content)
    with pytest.raises(Fault, match="SEK-LEDG-004"):
        await Ledger.open(f"sqlite:///{path}", keys=keys)


async def test_a_ledger_that_cannot_be_reached_says_so(tmp_path: Path, keys: KeyRing) -> None:
    (tmp_path / "file").write_bytes(b"")
    for url, code in (
        (f"sqlite:///{tmp_path / 'file' / 'ledger.db'}", "SEK-LEDG-005"),
        (f"sqlite:///{tmp_path}", "SEK-LEDG-005"),
        ("postgresql://sekisho:secret@127.0.0.1:1/none", "SEK-LEDG-005"),
        ("mysql://127.0.0.1/none", "SEK-LEDG-008"),
        ("no url", "SEK-LEDG-008"),
    ):
        with pytest.raises(Fault, match=code) as caught:
            await Ledger.open(url, keys=keys)
        assert "secret" not in str(caught.value)


@pytest.mark.e2e
async def test_a_lost_server_fails_the_ledger(
    new_database: Callable[[], Awaitable[str]], keys: KeyRing
) -> None:
    postgres_url = await new_database()
    async with await Ledger.open(postgres_url, keys=keys) as ledger:
        await ledger.record(Visited(rows=1), by="p-sato", about="s-1")
        await run_sql(
            postgres_url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sekisho ledger'",
        )
        with pytest.raises(Fault, match="SEK-LEDG-001"):
            await ledger.record(Visited(rows=1), by="p-sato", about="s-1")
    async with await Ledger.open(postgres_url, keys=keys) as ledger:
        assert await ledger.size() == 1


async def test_a_closed_ledger_records_what_waited_and_then_nothing(ledger: Ledger) -> None:
    waiting = [ledger.record_soon(Visited(rows=1), by="p", about="s") for _ in range(100)]
    await ledger.close()
    assert [(await each).seq for each in waiting] == list(range(100))
    with pytest.raises(Fault, match="SEK-LEDG-003"):
        await ledger.record(Visited(rows=1), by="p", about="s")


async def test_a_fact_longer_than_an_entry_is_refused(ledger: Ledger) -> None:
    with pytest.raises(Fault, match="SEK-LEDG-007"):
        await ledger.record(Visited(rows=1), by="p" * 65_535, about="s")
    assert await ledger.size() == 0


def test_sqlite_waits_for_the_disk(tmp_path: Path) -> None:
    driver = SqliteDriver(tmp_path / "ledger.db", busy_seconds=1)
    driver.open()
    settings = [
        driver.fetch(f"PRAGMA {name}")[0][0] for name in ("journal_mode", "synchronous", "secure_delete")
    ]
    driver.close()
    assert settings == ["wal", 2, 1]  # 2: FULL


@pytest.mark.e2e
async def test_a_server_that_may_lose_commits_is_refused(keys: KeyRing) -> None:
    with (
        postgres_server(settings={"fsync": "off"}) as server,
        pytest.raises(Fault, match=r"SEK-LEDG-009.*fsync"),
    ):
        await Ledger.open(server.dsn(), keys=keys)
