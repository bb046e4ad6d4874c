"""The survey of a real PostgreSQL that holds the invented population, against what that population is known to hold."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import msgspec
import pytest

from sekisho.demo.population import Organisation, Secret, customers, load, organisations
from sekisho.demo.population.columns import PLAIN_RELATIONS, SUBJECT_KEY
from sekisho.demo.servers import PostgresServer, postgres_server
from sekisho.faults import Fault
from sekisho.ledger import Ledger
from sekisho.register.catalogue import Target
from sekisho.register.facts import OrganisationAdded, TargetAdded
from sekisho.register.proposal import Proposal, ProposedDataset, ProposedTable, propose
from sekisho.register.proposal_file import confirm, read_proposal, write_proposal
from sekisho.register.records import find_dataset
from sekisho.register.survey import Survey, surveying
from sekisho.text.items import ITEM_BY_ID

pytestmark = pytest.mark.e2e
PERSONS = 12_000
SEED = 5
CLIENTS = organisations(PERSONS)
NAMES = {client.id: (client.name, client.name_en) for client in CLIENTS}

SHARED = """
    CREATE SCHEMA dunning;
    CREATE TABLE dunning.bodies (code text PRIMARY KEY, title text);
    INSERT INTO dunning.bodies VALUES ('hokubu_shi', '北部市'), ('nanbu_shi', '南部市'), ('toubu_machi', '東部町');
    CREATE TABLE dunning.payers (
        payer_no bigint PRIMARY KEY, client_code text NOT NULL REFERENCES dunning.bodies, shimei text, jusho text,
        tel text, kojin_bango text, zei_kubun text);
    INSERT INTO dunning.payers
        SELECT row_number() OVER (), (ARRAY['hokubu_shi', 'nanbu_shi', 'toubu_machi'])[1 + row_number() OVER () % 3],
               name, address, phone, NULL, (ARRAY['軽自動車税', '固定資産税'])[1 + row_number() OVER () % 2]
        FROM minato_yohoen.customers;
    CREATE TABLE dunning.demands (
        demand_no bigint PRIMARY KEY, payer_no bigint NOT NULL REFERENCES dunning.payers, yen int, sent date);
    INSERT INTO dunning.demands SELECT i, 1 + i % 100, 1000, '2022-04-01' FROM generate_series(1, 700) AS i;
    CREATE TABLE dunning.empty (id int PRIMARY KEY, name text, address text, birth_date date);
    CREATE TABLE dunning.closed (name text);
    CREATE TABLE dunning.slow (name text);
    CREATE VIEW dunning.broken AS SELECT name, 1 / length(substr(name, 1, 0)) AS never FROM minato_yohoen.customers;
    CREATE SCHEMA "旧基幹";
    CREATE TABLE "旧基幹"."顧客マスタ" (
        "顧客コード" text PRIMARY KEY, "氏名" text, "フリガナ" text, "ＴＥＬ" text, "契約者住所" text, "生年月日" text,
        "カード番号" text, "備考" text);
    INSERT INTO "旧基幹"."顧客マスタ"
        SELECT 'K' || customer_id, name, name_kana, phone, address, to_char(birth_date, 'YYYYMMDD'), NULL, memo
        FROM minato_yohoen.customers;
    CREATE TABLE "旧基幹"."受注" ("受注番号" int PRIMARY KEY, "顧客コード" text, "商品名" text, "金額" int);
    INSERT INTO "旧基幹"."受注"
        SELECT i, 'K' || (10000001 + i % 250), (ARRAY['はちみつ', '青汁', '豆乳'])[1 + i % 3], i
        FROM generate_series(1, 1000) AS i;
    CREATE TABLE "旧基幹"."商品マスタ" ("商品コード" text PRIMARY KEY, "商品名" text, "単価" int);
    INSERT INTO "旧基幹"."商品マスタ" SELECT 'S' || i, '商品' || i, i FROM generate_series(1, 40) AS i;
    CREATE VIEW "旧基幹"."宛名" AS SELECT "氏名", "契約者住所" FROM "旧基幹"."顧客マスタ";
    CREATE ROLE survey LOGIN PASSWORD 'survey-secret';
    GRANT USAGE ON SCHEMA dunning TO survey; GRANT SELECT ON ALL TABLES IN SCHEMA dunning TO survey;
    REVOKE ALL ON dunning.closed FROM survey;
"""


@dataclass(frozen=True)
class Loaded:
    server: PostgresServer
    secrets: list[Secret]

    def target(self, host: str | None = None) -> Target:
        return Target(
            "callcentre", "postgres", host or self.server.host, self.server.port, "postgres", "", "mask", ""
        )


@pytest.fixture(scope="module")
def loaded() -> Iterator[Loaded]:
    with postgres_server(settings={"fsync": "off"}) as server:

        async def fill() -> list[Secret]:
            secrets = await load(server.dsn(), CLIENTS, SEED)
            connection = await asyncpg.connect(server.dsn())
            await connection.execute(SHARED)
            database = await connection.fetchval("SELECT current_database()")
            await connection.execute(f"GRANT CONNECT ON DATABASE {database} TO survey")
            await connection.execute("ANALYZE")
            await connection.close()
            return secrets

        yield Loaded(server, asyncio.run(fill()))


async def scan(
    loaded: Loaded, role: str, password: str, names: dict[str, tuple[str, str]]
) -> tuple[Survey, Proposal]:
    async with surveying(loaded.target(), role, password) as surveyor:
        survey = await surveyor.survey()
        return survey, await propose(survey, surveyor, "callcentre", names, "en")


@pytest.fixture(scope="module")
def whole(loaded: Loaded) -> Proposal:
    """The proposal for everything that the superuser of the server may read."""
    server = loaded.server
    return asyncio.run(scan(loaded, server.superuser, server.superuser_password, NAMES))[1]


def proposed(proposal: Proposal, client: Organisation) -> tuple[ProposedDataset, dict[str, ProposedTable]]:
    (dataset,) = [one for one in proposal.datasets if one.dataset == client.id]
    return dataset, {table.name: table for table in dataset.tables}


def test_every_client_is_found_with_its_schema_and_its_narrowest_role(whole: Proposal) -> None:
    assert {one.dataset for one in whole.datasets} == {*NAMES, "dunning", ""}
    for client in CLIENTS:
        dataset, tables = proposed(whole, client)
        assert (dataset.organisation, dataset.role, dataset.confirmed) == (client.id, client.role, False)
        assert set(tables) == {"customers", "calls", *PLAIN_RELATIONS}


def test_personal_columns_precision_and_recall(whole: Proposal) -> None:
    """Over all columns of all 69 clients: whether a column is personal, and as which item."""
    right = found = there = items_right = 0
    wrong: set[tuple[str, str, str | None, str]] = set()
    for client in CLIENTS:
        _, tables = proposed(whole, client)
        for name in ("customers", "calls", *PLAIN_RELATIONS):
            truth = {} if name in PLAIN_RELATIONS else {c.name: c.item for c in client.columns(name)}
            for column in tables[name].columns:
                item = truth.get(column.name)
                found += bool(column.item)
                there += item is not None
                right += bool(column.item) and item is not None
                items_right += (
                    item is not None and _class(column.item) == _class(item) and column.item != "other"
                )
                if (column.item or None) != item:
                    wrong.add((name, column.name, item, column.item))
    print(
        f"personal: {right}/{found} precise, {right}/{there} recalled; items {items_right}/{there}: {wrong}"
    )
    assert there == 69 * 13 + sum(client.extra is not None for client in CLIENTS)
    assert right / found >= 0.99
    assert right / there >= 0.99
    assert items_right / there >= 0.9


def _class(item: str) -> str:
    return ITEM_BY_ID[item].item_class if item else ""


def test_columns_named_in_japanese(whole: Proposal) -> None:
    (dataset,) = [one for one in whole.datasets if one.tables[0].schema == "旧基幹"]
    assert (dataset.dataset, dataset.organisation) == ("", "")
    tables = {table.name: table for table in dataset.tables}
    assert {column.name: column.item for column in tables["顧客マスタ"].columns} == {
        "顧客コード": "customer_number",
        "氏名": "name",
        "フリガナ": "kana",
        "ＴＥＬ": "phone",
        "契約者住所": "address",
        "生年月日": "birth_date",
        "カード番号": "card",
        "備考": "free_text",
    }
    orders = tables["受注"]
    assert (orders.subject, orders.rows_per_subject) == ("顧客コード", 5)
    assert [column.name for column in orders.columns if column.item] == ["顧客コード"]
    assert not tables["商品マスタ"].metered
    # Names and addresses without a key: each row counts as a person, and somebody should look.
    assert (tables["宛名"].metered, tables["宛名"].subject, tables["宛名"].look) == (True, "", True)


def test_persons_are_told_apart_by_their_key(whole: Proposal) -> None:
    for client in CLIENTS:
        _, tables = proposed(whole, client)
        assert (tables["customers"].subject, tables["customers"].rows_per_subject) == (SUBJECT_KEY, 1)
        assert all(not tables[name].metered and not tables[name].subject for name in PLAIN_RELATIONS)
        if client.persons >= 100:
            # No foreign key is declared: the name, the type and the values of the column tell.
            assert (tables["calls"].subject, tables["calls"].rows_per_subject) == (SUBJECT_KEY, 1)
            assert "100% of its values" in tables["calls"].why


async def test_a_shared_table_is_found_and_cannot_be_confirmed(
    loaded: Loaded, ledger: Ledger, tmp_path: Path
) -> None:
    names = {"hokubu-shi": ("北部市", "Hokubu"), "nanbu-shi": ("南部市", "Nanbu")}
    survey, proposal = await scan(loaded, "survey", "survey-secret", names)
    assert "dunning.closed" in survey.unread
    assert "minato_yohoen.customers" in survey.unread
    (dataset,) = proposal.datasets
    tables = {table.name: table for table in dataset.tables}
    payers, demands = tables["payers"], tables["demands"]
    assert (payers.subject, payers.client_column, dataset.organisation) == ("payer_no", "client_code", "")
    items = {column.name: (column.item, column.look) for column in payers.columns}
    assert items == {
        "payer_no": ("other", True),
        "client_code": ("", False),
        "shimei": ("name", False),
        "jusho": ("address", False),
        "tel": ("phone", False),
        "kojin_bango": ("individual_number", False),
        "zei_kubun": ("other", True),
    }
    assert (demands.subject, demands.rows_per_subject) == ("payer_no", 10)
    assert not tables["bodies"].metered
    assert tables["empty"].metered
    assert tables["broken"].look
    # Only registered organisations are written down; a third value of the column is not.
    assert [re.findall(r"SCHEMA IF NOT EXISTS (\w+)", view) for view in payers.views] == [
        ["hokubu_shi"],
        ["nanbu_shi"],
    ]
    assert "toubu" not in write_proposal(proposal)

    # The views do what they say, and the next survey finds one client in each.
    connection = await asyncpg.connect(loaded.server.dsn())
    try:
        for view in payers.views:
            await connection.execute(view)
        await connection.execute("GRANT USAGE ON SCHEMA hokubu_shi, nanbu_shi TO survey;"
                                 "GRANT SELECT ON hokubu_shi.payers, nanbu_shi.payers TO survey")  # fmt: skip
        _, again = await scan(loaded, "survey", "survey-secret", names)
        (north,) = [one for one in again.datasets if one.dataset == "hokubu_shi"]
        assert north.organisation == "hokubu-shi"
        assert (north.tables[0].subject, north.tables[0].rows_per_subject) == ("payer_no", 1)
        assert await connection.fetchval("SELECT count(DISTINCT client_code) FROM hokubu_shi.payers") == 1
    finally:
        await connection.execute("DROP SCHEMA IF EXISTS hokubu_shi, nanbu_shi CASCADE")
        await connection.close()

    await register(ledger, loaded, names)
    dataset.confirmed, dataset.organisation = True, "hokubu-shi"
    with pytest.raises(Fault, match="SEK-REG-186"):
        await confirm(ledger, proposal, {dataset.role: "x"}, by="kanri")
    assert await ledger.facts(0, 10, names=["register.dataset_added"]) == []


async def register(ledger: Ledger, loaded: Loaded, names: dict[str, tuple[str, str]]) -> None:
    for organisation, (name, name_en) in names.items():
        added = OrganisationAdded(organisation=organisation, name=name, name_en=name_en, kind="")
        await ledger.record(added, by="kanri", about=organisation)
    target = TargetAdded(
        target="callcentre", protocol="postgres", host=loaded.server.host, port=loaded.server.port,
        database="postgres", tls_ca="", unknown_lineage="mask", operator="data",
    )  # fmt: skip
    await ledger.record(target, by="kanri", about="callcentre")


def test_no_value_of_any_person_stands_in_the_proposal(whole: Proposal) -> None:
    written = write_proposal(whole)
    assert "minato_yohoen" in written
    for client in CLIENTS[:20]:
        for row in customers(client, SEED, 0, 200):
            for value in (row[1], row[2], row[4], row[5], row[8]):
                assert not value or value not in written


async def test_what_was_read_is_not_shown(loaded: Loaded) -> None:
    survey, _ = await scan(loaded, loaded.secrets[0].role, loaded.secrets[0].password, NAMES)
    assert len(survey.tables) == 4
    for row in customers(CLIENTS[0], SEED, 0, 50):
        assert str(row[1]) not in repr(survey)


async def test_a_proposal_is_edited_confirmed_and_used(
    loaded: Loaded, ledger: Ledger, whole: Proposal, tmp_path: Path
) -> None:
    await register(ledger, loaded, NAMES)
    path = tmp_path / "proposal.yaml"
    path.write_text(write_proposal(whole))
    assert read_proposal(path) == whole
    assert await confirm(ledger, whole, {}, by="kanri") == ()
    text = path.read_text()
    for client in CLIENTS:
        text = re.sub(rf"(dataset: {client.id}\n.*\n  confirmed: )false", r"\1true", text)
    path.write_text(text.replace("responsible_unit: ''", "responsible_unit: 保守一課"))
    edited = read_proposal(path)
    passwords = {secret.role: secret.password for secret in loaded.secrets}
    recorded = await confirm(ledger, edited, passwords, by="kanri")
    assert len(recorded) == 2 * 69
    async with ledger.read() as connection:
        described = await find_dataset(connection, "minato_yohoen")
    assert described is not None
    assert described.responsible_unit == "保守一課"
    assert "氏名" in described.items
    assert described.fingerprint == whole.fingerprint
    for leaf in await ledger.facts(0, 1000):
        assert not any(password.encode() in leaf.leaf for password in passwords.values())
    # Once more is no fault; another dataset with the same table is one.
    await confirm(ledger, edited, passwords, by="kanri")
    other = msgspec.structs.replace(
        edited, datasets=[msgspec.structs.replace(edited.datasets[0], dataset="other")]
    )
    with pytest.raises(Fault, match="SEK-REG-185"):
        await confirm(ledger, other, passwords, by="kanri")


async def test_a_target_that_cannot_be_read_is_told(loaded: Loaded) -> None:
    with pytest.raises(Fault, match="SEK-REG-181"):
        async with surveying(loaded.target(), "survey", "wrong"):
            pass


async def test_a_connection_that_is_lost_is_no_empty_table(loaded: Loaded) -> None:
    connection = await asyncpg.connect(loaded.server.dsn())

    async def lose() -> None:
        async with surveying(loaded.target(), "survey", "survey-secret") as surveyor:
            number = await surveyor._connection.fetchval("SELECT pg_backend_pid()")
            await connection.execute("SELECT pg_terminate_backend($1)", number)
            await surveyor.most_rows(("dunning", "payers"), "payer_no")

    with pytest.raises(Fault, match="SEK-REG-181"):
        await lose()
    await connection.close()


async def test_the_survey_writes_nothing(loaded: Loaded) -> None:
    async with surveying(loaded.target(), "survey", "survey-secret") as surveyor:
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await surveyor._connection.execute("CREATE TABLE dunning.t (x int)")
