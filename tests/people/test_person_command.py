"""`sekisho person`, as whoever holds the state folder runs it."""

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from people.people_examples import administrators, give
from sekisho.cli.people import person
from sekisho.faults import Fault
from sekisho.people.links import LinkDesk
from sekisho.people.roles import Role
from sekisho.service.service import create_state, open_ledger
from sekisho.service.settings import Settings, read_settings


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    create_state(tmp_path / "state", Settings(origin="checkpoint.example/people"))
    return tmp_path / "state"


def call(state: Path, *arguments: object) -> Result:
    return CliRunner().invoke(person, [*map(str, arguments), "--state", str(state)])


def ok(state: Path, *arguments: object) -> str:
    result = call(state, *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(state: Path, *arguments: object) -> str:
    result = call(state, *arguments)
    assert isinstance(result.exception, Fault)
    return result.exception.code


def add(state: Path, name: str, *also: str) -> None:
    ok(state, "add", name, "--name", f"{name} 太郎", "--employer", "Example Outsourcing", *also)


def test_the_first_administrators_come_by_codes_and_no_third(state: Path) -> None:
    for name in ("kanri", "kanta", "mori"):
        add(state, name)

    async def use(secret: str) -> None:
        async with open_ledger(state, read_settings(state)) as ledger:
            await LinkDesk(ledger).use_first_link(secret, "test")

    for name in ("kanri", "kanta"):
        asyncio.run(use(ok(state, "first-link", name).strip()))
    assert refused(state, "first-link", "mori") == "SEK-PEOP-011"
    shown = call(state, "show").stdout
    assert "kanri  kanri 太郎  Example Outsourcing   active  administrator" in shown


def test_freezing_and_leaving(state: Path) -> None:
    add(state, "sato", "--agency", "Example Staffing", "--started", "2008-06-01")
    assert "sato is frozen" in ok(state, "freeze", "sato", "--reason", "suspicion")
    assert "FROZEN" in call(state, "show").stdout
    left = ok(state, "leave", "sato", "--reason", "contract ended", "--last-day", "2026-11-21")
    assert "sato ever pulled 0 rows in 0 statements of 0 sessions (-)." in left
    assert json.loads(ok(state, "look-back", "sato", "--json")) == []
    assert refused(state, "freeze", "nobody", "--reason", "x") == "SEK-PEOP-004"
    assert refused(state, "freeze", "sato", "--reason", "x", "--by", "sato") == "SEK-PEOP-006"


def test_a_list_of_an_agency(state: Path, tmp_path: Path) -> None:
    for name in ("sato", "ito"):
        add(state, name, "--agency", "Example Staffing")
    shown = call(state, "show", "--on", "2026-11-21")
    assert shown.exit_code == 1
    assert "overdue: Example Staffing (2 people) sent its last list never" in shown.stdout
    listed = tmp_path / "list.csv"
    listed.write_text("person\nsato\nwada\n", encoding="utf-8")
    found = call(state, "reconcile", "Example Staffing", listed, "--as-of", "2026-11-21")
    assert found.exit_code == 1
    assert found.stdout.splitlines() == [
        "ito: works here, not on the agency's list",
        "wada: on the agency's list, not known here",
    ]
    assert "differs: Example Staffing, 2 differences" in call(state, "show", "--on", "2026-11-22").stdout
    listed.write_text("person\nsato\nito\n", encoding="utf-8")
    agreed = ok(state, "reconcile", "Example Staffing", listed, "--as-of", "2026-11-22")
    assert agreed == "Example Staffing: the list and ours agree on 2 people.\n"
    assert json.loads(ok(state, "reconcile", "Example Staffing", listed, "--json")) == []
    assert ok(state, "show", "--on", "2026-11-23").count("\n") == 2


def test_what_is_due_is_shown_in_japanese_too(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fill() -> None:
        async with open_ledger(state, read_settings(state)) as ledger:
            await administrators(ledger)
            await give(ledger, "mori", Role.WORKER, "minato")

    asyncio.run(fill())
    assert ok(state, "sweep", "--on", "2026-11-21") == "3 rotation tasks raised.\n"
    assert ok(state, "sweep", "--on", "2026-11-21") == "0 rotation tasks raised.\n"
    shown = call(state, "show", "--on", "2026-11-21").stdout
    assert "rotate: mori has been worker (minato) for 18 years" in shown
    assert "alone: only mori is worker (minato)" in shown
    monkeypatch.setenv("LC_ALL", "ja_JP.UTF-8")
    assert "交代: mori は worker (minato) を 18 年担当" in call(state, "show", "--on", "2026-11-21").stdout
