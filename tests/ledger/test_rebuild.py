"""A forged row is found; a rebuild makes the tables what the facts say."""

import asyncio
import json
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import Column, Integer, Table, Text

from ledger.ledger_examples import RoomOpened, Visited
from sekisho.cli.state import state
from sekisho.evidence.note import NoteSigner
from sekisho.faults import Fault
from sekisho.ledger import KeyRing, Ledger, Publisher, metadata
from sekisho.ledger.rebuild import Checked, Difference, check, rebuild
from sekisho.ledger.store import declaration

Tamper = Callable[[str], Awaitable[None]]


async def differences(url: str, folder: Path | None = None) -> tuple[Checked, list[Difference]]:
    found: list[Difference] = []
    checked = await check(url, found.append, folder=folder)
    assert checked.differences == len(found)
    return checked, found


@pytest.fixture
async def filled(url: str, keys: KeyRing, tmp_path: Path) -> str:
    async with await Ledger.open(url, keys=keys) as ledger:
        for n in range(40):
            ledger.record_soon(Visited(rows=n), by=f"p-{n % 4}", about="s-1")
        for n in range(3):
            await ledger.record(RoomOpened(name=f"部屋{n}"), by="p-0", about=f"r-{n}")
        publisher = Publisher(ledger, tmp_path / "log", NoteSigner.generate("sekisho.example/log"))
        publisher.stop()
        await publisher.run()
    return url


async def test_untouched_tables_are_what_the_facts_say(filled: str, tmp_path: Path) -> None:
    checked, found = await differences(filled, tmp_path / "log")
    assert found == []
    assert checked.facts == 43


async def test_each_forged_cell_and_row_is_named(filled: str, tamper: Tamper) -> None:
    await tamper("UPDATE test_visits SET visits = 1, rows = NULL WHERE person = 'p-2'")
    await tamper("DELETE FROM test_rooms WHERE room = 'r-1'")
    await tamper("INSERT INTO test_rooms (room, name) VALUES ('r-9', 'forged')")
    _, found = await differences(filled)
    assert found == [
        Difference("test_rooms", {"room": "r-1"}, "", None, "a row"),
        Difference("test_rooms", {"room": "r-9"}, "", "a row", None),
        Difference("test_visits", {"person": "p-2"}, "visits", 1, 10),
        Difference("test_visits", {"person": "p-2"}, "rows", None, sum(range(2, 40, 4))),
    ]


async def test_an_edited_fact_is_found_from_the_tiles(filled: str, tamper: Tamper, tmp_path: Path) -> None:
    forged = "replace(convert_from(leaf,'UTF8'),'\"rows\":5','\"rows\":0')::bytea"
    if filled.startswith("sqlite"):
        forged = "CAST(replace(CAST(leaf AS TEXT),'\"rows\":5','\"rows\":0') AS BLOB)"
    await tamper(f"UPDATE facts SET leaf = {forged} WHERE seq = 5")  # noqa: S608
    await tamper("DELETE FROM facts WHERE seq = 7")
    _, found = await differences(filled, tmp_path / "log")
    # the tables still say what the published facts say
    assert [(one.table, one.key, one.column) for one in found] == [
        ("facts", {"seq": 5}, "leaf"),
        ("facts", {"seq": 7}, ""),
    ]
    _, found = await differences(filled)
    # without the tiles, the edited fact contradicts the table that it no longer explains
    assert ("test_visits", {"person": "p-1"}, "rows") in [(one.table, one.key, one.column) for one in found]


async def test_a_column_that_differs_from_its_leaf_is_named(filled: str, tamper: Tamper) -> None:
    await tamper("UPDATE facts SET by_ = 'p-somebody-else' WHERE seq = 3")
    await tamper(
        "UPDATE facts SET leaf = about::bytea WHERE seq = 4"
        if "postgres" in filled
        else "UPDATE facts SET leaf = about WHERE seq = 4"
    )
    _, found = await differences(filled)
    assert found[0] == Difference("facts", {"seq": 3}, "by_", "p-somebody-else", "p-3")
    assert (found[1].table, found[1].key, found[1].column) == ("facts", {"seq": 4}, "leaf")


async def test_a_rebuild_repairs_the_tables(filled: str, tamper: Tamper) -> None:
    await tamper("UPDATE test_visits SET visits = 0")
    await tamper("INSERT INTO test_rooms (room, name) VALUES ('r-9', 'forged')")
    await asyncio.to_thread(rebuild, filled)
    assert (await differences(filled))[1] == []


async def test_a_changed_declaration_rebuilds_its_table(filled: str, keys: KeyRing, tamper: Tamper) -> None:
    await tamper("UPDATE schemas SET declared = 'another' WHERE table_name = 'test_visits'")
    await tamper("DROP TABLE test_rooms")
    await tamper("DELETE FROM schemas WHERE table_name = 'test_rooms'")
    await tamper("ALTER TABLE test_visits DROP COLUMN rows")
    async with await Ledger.open(filled, keys=keys):
        pass
    assert (await differences(filled))[1] == []


async def test_a_table_of_another_version_is_named_as_not_compared(filled: str, tamper: Tamper) -> None:
    await tamper("CREATE TABLE of_another_version (a int)")
    checked, found = await differences(filled)
    assert "of_another_version" in checked.unknown_tables
    assert found == []


async def test_facts_that_todays_projections_refuse_leave_everything_as_it_was(
    filled: str, tamper: Tamper
) -> None:
    copied = "INSERT INTO facts SELECT seq + 1, at, fact, about, by_, leaf FROM facts WHERE seq = 42"
    await tamper(copied)
    with pytest.raises(Fault, match="SEK-LEDG-015"):
        await asyncio.to_thread(rebuild, filled)
    with pytest.raises(Fault, match="SEK-LEDG-015"):
        await differences(filled)
    await tamper("DELETE FROM facts WHERE seq = 43")
    assert (await differences(filled))[1] == []


def test_the_command_names_differences_and_exits_with_1(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"

    async def fill() -> None:
        async with await Ledger.open(url, keys=KeyRing(tmp_path / "keys")) as ledger:
            await ledger.record(Visited(rows=2), by="p-sato", about="s-1")

    asyncio.run(fill())
    runner = CliRunner(env={"LANG": "C", "LC_ALL": "C"})
    assert runner.invoke(state, ["rebuild", "--check", "--ledger", url]).exit_code == 0
    raw = sqlite3.connect(tmp_path / "ledger.db")
    with raw:
        raw.execute("UPDATE test_visits SET visits = 5")
    raw.close()
    result = runner.invoke(state, ["rebuild", "--check", "--ledger", url])
    assert result.exit_code == 1
    assert "test_visits person=p-sato: visits is 5, should be 1" in result.output
    result = runner.invoke(state, ["rebuild", "--check", "--json", "--ledger", url])
    assert json.loads(result.stdout)["should"] == 1
    assert runner.invoke(state, ["rebuild", "--ledger", url]).exit_code == 0
    assert runner.invoke(state, ["rebuild", "--check", "--ledger", url]).exit_code == 0


def test_declarations_differ_when_a_column_does() -> None:
    one = Table(
        "test_declared", metadata.__class__(), Column("k", Text, primary_key=True), Column("n", Integer)
    )
    same = Table(
        "test_declared", metadata.__class__(), Column("k", Text, primary_key=True), Column("n", Integer)
    )
    other = Table(
        "test_declared", metadata.__class__(), Column("k", Text, primary_key=True), Column("n", Text)
    )
    assert declaration(one) == declaration(same) != declaration(other)


def test_every_table_of_the_house_can_be_written_and_compared(tmp_path: Path) -> None:
    """Run apart: the declarations of all rooms would stay in this process."""
    program = (
        "import asyncio, sys\n"
        "from sekisho.cli.state import load_declarations\n"
        "load_declarations()\n"
        "from sekisho.ledger.projections import shape_of\n"
        "from sekisho.ledger.rebuild import check, rebuild\n"
        "from sekisho.ledger.tables import projection_tables\n"
        "for table in projection_tables(): shape_of(table)\n"
        "rebuild(sys.argv[1])\n"
        "checked = asyncio.run(check(sys.argv[1], print))\n"
        "assert checked.tables > 5 and not checked.differences and not checked.unknown_tables\n"
    )
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    subprocess.run([sys.executable, "-c", program, url], check=True, timeout=60)
