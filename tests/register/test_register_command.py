"""`sekisho register`, as a person runs it, over a state folder."""

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from click.testing import CliRunner, Result

from register.register_examples import TABLES
from sekisho.cli.register import register
from sekisho.demo.population import Secret, load, organisations
from sekisho.demo.servers import PostgresServer, postgres_server
from sekisho.faults import Fault
from sekisho.ledger.leaf import FACTS_BY_NAME
from sekisho.people.facts import PersonAdded
from sekisho.register.changes import agree, waiting
from sekisho.register.tables_io import read_register, write_register
from sekisho.service.service import create_state, open_ledger
from sekisho.service.settings import Settings, read_settings


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    create_state(tmp_path / "state", Settings(origin="checkpoint.example/register"))
    return tmp_path / "state"


def run(state: Path, *arguments: object, ok: bool = True) -> Result:
    result = CliRunner().invoke(register, [*map(str, arguments), "--state", str(state)])
    if ok and result.exit_code:
        raise AssertionError(result.output) from result.exception
    return result


def agreed(state: Path) -> None:
    """A second person agrees to all that waits."""

    async def act() -> None:
        async with open_ledger(state, read_settings(state)) as ledger:
            for one in await waiting(ledger, 100):
                await agree(ledger, one.proposal, by="fuku")

    asyncio.run(act())


@pytest.mark.parametrize("name", ["register.yaml", "register.xlsx", "register"])
def test_what_is_taken_in_comes_out_again(state: Path, tmp_path: Path, name: str) -> None:
    write_register(TABLES, tmp_path / name)
    said = run(state, "import", tmp_path / name, "--by", "kanri").stdout
    assert "12 rows were new" in said
    assert "wait for a second person (1 proposals)" in said
    assert "c2: h2 2016年2月~" in run(state, "waits").stdout
    agreed(state)
    assert "Nothing waits" in run(state, "waits").stdout
    assert "0 rows were new" in run(state, "import", tmp_path / name, "--by", "kanri").stdout
    out = tmp_path / f"out-{name}"
    run(state, "export", out)
    assert read_register(out) == TABLES
    assert run(state, "export", out, ok=False).exit_code == 2


def test_one_wrong_cell_and_nothing_is_taken_in(state: Path, tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    write_register(TABLES, folder)
    with (folder / "contracts.csv").open("a", encoding="utf-8") as file:
        file.write("c9,h1,契約,春ごろ,\r\n")
    result = run(state, "import", folder, "--by", "kanri", ok=False)
    assert result.exit_code == 1
    assert "SEK-REG-167: contracts, row 4, column period: “春ごろ”" in result.stderr
    assert "1 faults. Nothing was taken over." in result.stderr
    assert "Nothing is registered." in run(state, "show").stdout


def test_a_file_may_name_what_is_registered_already(state: Path, tmp_path: Path) -> None:
    write_register(TABLES, tmp_path / "r.yaml")
    run(state, "import", tmp_path / "r.yaml", "--by", "kanri")
    agreed(state)
    more = tmp_path / "more"
    more.mkdir()
    (more / "contracts.csv").write_text("id,hop,kind,period\nc3,h1,業務委託契約,2023年2月~\n")
    assert "wait for a second person (1 proposals)" in run(state, "import", more, "--by", "kanri").stdout
    (more / "contracts.csv").write_text("id,hop,kind,period\nc4,h7,業務委託契約,2023年2月~\n")
    assert "SEK-REG-169" in run(state, "import", more, "--by", "kanri", ok=False).stderr


def test_how_all_stands_before_and_after_the_contract(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_register(TABLES, tmp_path / "r.yaml")
    run(state, "import", tmp_path / "r.yaml", "--by", "kanri")
    agreed(state)
    before = run(state, "show", "--on", "2023-01-31", "--gaps").stdout
    assert "farm  みつばさ養蜂園  red  entrusting, member_body" in before
    assert "SEK-REG-144" in before  # described, and nowhere to be opened yet
    assert "erase" not in before
    assert "3 erase tasks opened" in run(state, "sweep", "--on", "2023-02-01").stdout
    assert "0 erase tasks opened" in run(state, "sweep", "--on", "2023-02-01").stdout
    after = run(state, "show", "farm", "--on", "2023-04-01").stdout
    assert "erase list at data: contract ended 2023-01-31, due 2023-03-02, not certified, OVERDUE" in after
    (view,) = json.loads(run(state, "show", "--on", "2023-04-01", "--json").stdout)
    assert {task["dataset"] for task in view["erase_tasks"]} == {"list", "old"}
    assert all(
        task["opened"] and task["overdue"] and not task["countersigned"] for task in view["erase_tasks"]
    )
    monkeypatch.setenv("LC_ALL", "ja_JP.UTF-8")
    assert "期限超過" in run(state, "show", "--on", "2023-04-01").stdout


def test_who_is_not_known_answers_for_nothing(state: Path, tmp_path: Path) -> None:
    async def add() -> None:
        async with open_ledger(state, read_settings(state)) as ledger:
            added = PersonAdded(person="kanri", name="管理", employer="x", manager="", language="ja")
            await ledger.record(added, by="kanri", about="kanri")

    asyncio.run(add())
    write_register(TABLES, tmp_path / "r.yaml")
    result = run(state, "import", tmp_path / "r.yaml", "--by", "nobody", ok=False)
    assert isinstance(result.exception, Fault)
    assert result.exception.code == "SEK-REG-157"
    assert "Nothing is registered." in run(state, "show").stdout


def test_a_campaign_from_its_opening_to_its_last_gap(state: Path, tmp_path: Path) -> None:
    (tmp_path / "systems").write_text("s1\ns2\n\n")
    (tmp_path / "points").write_text("p1\np2\np3\n")
    lists = ("--systems", tmp_path / "systems", "--points", tmp_path / "points")
    run(state, "campaign", "open", "c", "--name", "再点検", "--due", "2024-03-29", *lists, "--by", "kanri")
    table = tmp_path / "answers.csv"
    table.write_text(
        "system,point,answer,evidence\ns1,p1,done,票\ns1,p2,done,票\ns1,p3,finding,票\ns2,p1,done,\n"
    )
    run(state, "campaign", "answer", "c", table, "--by", "kanri")
    shown = run(state, "campaign", "show", "c", "--on", "2024-04-01").stdout
    assert shown == "s2: p1, p2, p3\n3 of 6 open, 1 findings. OVERDUE\n"
    table.write_text("system,point,answer\ns2,p1,perhaps\n")
    refused = run(state, "campaign", "answer", "c", table, "--by", "kanri", ok=False)
    assert isinstance(refused.exception, Fault)
    assert refused.exception.code == "SEK-REG-159"


def test_the_graph_is_printed(state: Path, tmp_path: Path) -> None:
    write_register(TABLES, tmp_path / "r.yaml")
    run(state, "import", tmp_path / "r.yaml", "--by", "kanri")
    agreed(state)
    drawn = run(state, "graph", "--on", "2022-06-01").stdout
    assert drawn.startswith("flowchart LR\n")
    assert 'p_call -- "h2: みつばさ養蜂園" --> p_data' in drawn
    assert "linkStyle 1" in run(state, "graph", "--on", "2023-02-01").stdout


@pytest.fixture(scope="module")
def callcentre() -> Iterator[tuple[PostgresServer, list[Secret]]]:
    with postgres_server(settings={"fsync": "off"}) as server:

        async def fill() -> list[Secret]:
            secrets = await load(server.dsn(), organisations(3000)[:3])
            connection = await asyncpg.connect(server.dsn())
            await connection.execute(
                "CREATE ROLE survey LOGIN PASSWORD 'survey-secret'; GRANT pg_read_all_data TO survey;"
                "GRANT CONNECT ON DATABASE postgres TO survey"
            )
            await connection.close()
            return secrets

        yield server, asyncio.run(fill())


@pytest.mark.e2e
def test_from_an_unknown_database_to_datasets_that_open(
    state: Path, tmp_path: Path, callcentre: tuple[PostgresServer, list[Secret]]
) -> None:
    server, secrets = callcentre
    clients = organisations(3000)[:3]
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "parties.csv").write_text(
        "id,name,name_en\ncall,架電センター,\n" + "".join(f"{c.id},{c.name},{c.name_en}\n" for c in clients)
    )
    run(state, "import", tmp_path / "tables", "--by", "kanri")
    where = ("--host", server.host, "--port", server.port, "--database", "postgres", "--operator", "call")
    run(state, "target", "callcentre", *where, "--by", "kanri")
    passwords = tmp_path / "passwords.yaml"
    passwords.write_text(
        "survey: survey-secret\n" + "".join(f"{one.role}: {one.password}\n" for one in secrets)
    )
    file = tmp_path / "proposal.yaml"
    asked = (
        "scan",
        "callcentre",
        "--role",
        "survey",
        "--passwords",
        passwords,
        "--out",
        file,
        "--by",
        "kanri",
    )
    assert "others may read" in run(state, *asked, ok=False).output
    passwords.chmod(0o600)
    printed = run(state, *asked).stdout
    assert "minato_yohoen.customers  [customer_id ×1]  customer_id=customer_number, name=name" in printed
    assert "3 datasets, 12 tables" in printed
    assert "nothing is in force" in printed
    assert len(recorded(state, "register.target_scanned")) == 1

    assert "0 datasets confirmed, 3 left" in run(state, "confirm", file, "--by", "kanri").stdout
    text = file.read_text().replace("confirmed: false", "confirmed: true")
    for field, value in (("purpose", "架電"), ("responsible_unit", "保守一課"), ("holders", "[保守一課]")):
        text = re.sub(rf"^  {field}: .*$", f"  {field}: {value}", text, flags=re.MULTILINE)
    file.write_text(text)
    confirmed = run(state, "confirm", file, "--passwords", passwords, "--by", "kanri")
    assert "3 datasets confirmed, 0 left" in confirmed.stdout
    assert "SEK-REG-141" in run(state, "show").stdout  # nobody was entrusted with it yet

    (tmp_path / "hops").mkdir()
    (tmp_path / "hops" / "entrustments.csv").write_text(
        "id,client,giver,receiver,datasets,began\n"
        + "".join(f"h-{c.id},{c.id},{c.id},call,{c.id},2016-04-01\n" for c in clients)
    )
    (tmp_path / "hops" / "contracts.csv").write_text(
        "id,hop,kind,period\n" + "".join(f"c-{c.id},h-{c.id},業務委託契約,2016年4月~\n" for c in clients)
    )
    run(state, "import", tmp_path / "hops", "--by", "kanri")
    agreed(state)
    views = json.loads(run(state, "show", "--json").stdout)
    assert [one["open"] for view in views for one in view["datasets"]] == [True] * 3
    assert {one["colour"] for view in views for one in view["datasets"]} == {"red"}  # unsupervised

    # Once a dataset is confirmed, its own credential reads the target again.
    again = ("scan", "callcentre", "--out", tmp_path / "again.yaml", "--by", "kanri")
    assert "1 datasets, 4 tables" in run(state, *again).stdout


def recorded(state: Path, name: str) -> list[bytes]:
    async def read() -> list[bytes]:
        async with open_ledger(state, read_settings(state)) as ledger:
            return [one.leaf for one in await ledger.facts(0, 100, names=[name])]

    return asyncio.run(read())


def test_every_fact_and_command_is_in_the_docs() -> None:
    text = (Path(__file__).parents[2] / "docs" / "register.md").read_text()
    for name in FACTS_BY_NAME:
        if name.startswith("register."):
            assert f"`{name}`" in text
    for name in register.commands:
        assert f"`sekisho register {name}" in text
