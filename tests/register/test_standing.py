"""What opens a dataset and what locks it, over a real ledger."""

from datetime import date

import msgspec
import pytest

from register.register_examples import DAY, TABLES, fill, take_in_by_two
from sekisho.faults import Fault
from sekisho.ledger import Ledger
from sekisho.register.approval import approve_hop
from sekisho.register.changes import agree
from sekisho.register.facts import ColumnEntry, TableEntry
from sekisho.register.intake import changed, take_in
from sekisho.register.inventory import Dataset, Sensitivity
from sekisho.register.parties import Colour, Contract, Hop, Parties, Supervision
from sekisho.register.periods import parse_period
from sekisho.register.records import read_parties, read_tables
from sekisho.register.standing import LockedDataset, OpenDataset, dataset_oversight, grade_of, standing
from sekisho.register.tables import entrustments
from sekisho.register.tables_io import RegisterTables


def with_parties(**change: object) -> RegisterTables:
    return RegisterTables(msgspec.structs.replace(TABLES.parties, **change), TABLES.datasets)


def with_hop(name: str, **change: object) -> RegisterTables:
    def change_one(hop: Hop) -> Hop:
        return msgspec.structs.replace(hop, **change) if hop.id == name else hop

    return with_parties(hops=tuple(change_one(hop) for hop in TABLES.parties.hops))


async def locks(ledger: Ledger, on: date = DAY, dataset: str = "list") -> list[str]:
    async with ledger.read() as connection:
        found = await standing(connection, dataset, on)
    return [fault.code for fault in found.reasons] if isinstance(found, LockedDataset) else []


async def test_what_was_taken_in_is_there_and_is_not_taken_in_twice(ledger: Ledger) -> None:
    recorded = await take_in(ledger, TABLES, by="kanri", file="register.yaml", sha256="00")
    assert [one.fact for one in recorded][:2] == ["register.tables_taken_in", "register.organisation_added"]
    assert len(recorded) == 1 + 4 + 2 + 6 + 1, "the federation, the hops and the contracts wait together"
    assert await take_in(ledger, TABLES, by="kanri") == (), "what waits is not proposed twice"
    await agree(ledger, recorded[-1].leaf_hash.hex(), by="fuku")
    async with ledger.read() as connection:
        assert await read_tables(connection) == TABLES
    assert await take_in(ledger, TABLES, by="kanri") == ()
    more = RegisterTables(datasets=(msgspec.structs.replace(TABLES.datasets[1], purpose="架電"),))
    assert [one.fact for one in await take_in(ledger, more, by="kanri")][1:] == ["register.dataset_described"]
    async with ledger.read() as connection:
        assert (await read_tables(connection)).datasets == (TABLES.datasets[0], more.datasets[0])


async def test_a_dataset_of_which_everything_is_known_opens(ledger: Ledger) -> None:
    await fill(ledger)
    async with ledger.read() as connection:
        found = await standing(connection, "list", DAY)
    assert isinstance(found, OpenDataset)
    assert [hop.id for hop in found.chain.hops] == ["h1", "h2"]
    assert found.client == "farm"


@pytest.mark.parametrize(
    ("tables", "operator", "code"),
    [
        (with_hop("h2", approval=None), "data", "SEK-REG-142"),
        (with_parties(hops=()), "data", "SEK-REG-141"),
        (with_parties(contracts=TABLES.parties.contracts[1:]), "data", "SEK-REG-143"),
        (TABLES, "", "SEK-REG-147"),
        (TABLES, "union-staff", "SEK-REG-141"),
        (RegisterTables(TABLES.parties), "data", "SEK-REG-144"),
        *(
            (
                RegisterTables(TABLES.parties, (msgspec.structs.replace(TABLES.datasets[0], **{field: empty}),)),
                "data",
                "SEK-REG-145",
            )
            for field, empty in (("responsible_unit", ""), ("holders", ()), ("purpose", ""), ("items", ""))
        ),
        (
            RegisterTables(TABLES.parties, (msgspec.structs.replace(TABLES.datasets[0], client="union"),)),
            "data",
            "SEK-REG-146",
        ),
    ],
)  # fmt: skip
async def test_what_is_not_known_locks(
    ledger: Ledger, tables: RegisterTables, operator: str, code: str
) -> None:
    await fill(ledger, tables, operator=operator)
    assert code in await locks(ledger)


async def test_an_unknown_dataset_is_locked(ledger: Ledger) -> None:
    assert await locks(ledger, dataset="nothing") == ["SEK-REG-144"]
    await fill(ledger)
    assert await locks(ledger, dataset="old") == ["SEK-REG-144"]  # described, but nowhere to be opened


async def test_the_day_after_the_contract_everything_is_locked_without_any_job(ledger: Ledger) -> None:
    await fill(ledger)
    assert await locks(ledger, date(2023, 1, 31)) == []
    assert await locks(ledger, date(2023, 2, 1)) == ["SEK-REG-143"]
    renewed = Contract("c3", "h1", "業務委託契約", parse_period("2023年2月~2024年1月"))
    await take_in_by_two(ledger, RegisterTables(Parties(contracts=(renewed,))))
    assert await locks(ledger, date(2023, 2, 1)) == []


async def test_reach_is_red_until_it_is_supervised_whatever_the_contract_is_called(ledger: Ledger) -> None:
    await fill(ledger, with_parties(supervision=()))
    async with ledger.read() as connection:
        found = await dataset_oversight(connection, "list", DAY)
        assert found is not None
        assert (found.colour, len(found.missing)) == (Colour.RED, 6)
    kept: tuple[Supervision, ...] = TABLES.parties.supervision
    await take_in(ledger, RegisterTables(Parties(supervision=kept[:5])), by="kanri")
    async with ledger.read() as connection:
        found = await dataset_oversight(connection, "list", DAY)
        assert found is not None
        assert found.missing == (("h2", kept[5].item),)
    await take_in(ledger, RegisterTables(Parties(supervision=kept[5:])), by="kanri")
    async with ledger.read() as connection:
        found = await dataset_oversight(connection, "list", DAY)
        assert found is not None
        assert found.colour is Colour.GREEN


async def entrustment_hash(ledger: Ledger, hop: str) -> str:
    async with ledger.read() as connection:
        found = await connection.scalar(entrustments.select().with_only_columns(entrustments.c.leaf_hash).where(
            entrustments.c.hop == hop))  # fmt: skip
    return str(found)


async def test_the_clients_approval_opens_a_hop_that_begins_afterwards(ledger: Ledger) -> None:
    future = date(2200, 1, 1)
    always = tuple(
        msgspec.structs.replace(one, period=parse_period("2016年2月~")) for one in TABLES.parties.contracts
    )
    tables = with_hop("h2", approval=None, began=future)
    tables = msgspec.structs.replace(
        tables, parties=msgspec.structs.replace(tables.parties, contracts=always)
    )
    await fill(ledger, tables)
    assert await locks(ledger, future) == ["SEK-REG-142"]
    shown = await entrustment_hash(ledger, "h2")
    with pytest.raises(Fault, match="SEK-REG-151"):
        await approve_hop(ledger, "h2", entrustment=shown, by="x", organisation="call")
    with pytest.raises(Fault, match="SEK-REG-152"):
        await approve_hop(ledger, "h2", entrustment="00", by="x", organisation="farm")
    await approve_hop(ledger, "h2", entrustment=shown, by="mitsu", organisation="union")
    assert await locks(ledger, future) == []
    async with ledger.read() as connection:
        held = await read_tables(connection)
    assert held.parties.hops[1].approval is not None
    assert not held.parties.hops[1].approval.on_paper
    # The same file again must not void the approval; another wording of the hop must.
    assert list(changed(held, tables)) == []
    wider = with_hop("h2", approval=None, began=future, datasets=frozenset({"list", "old"}))
    await take_in_by_two(ledger, RegisterTables(Parties(hops=wider.parties.hops)))
    assert await locks(ledger, future) == ["SEK-REG-142"]


async def test_an_approval_cannot_be_dated_back(ledger: Ledger) -> None:
    await fill(ledger, with_hop("h2", approval=None))
    shown = await entrustment_hash(ledger, "h2")
    await approve_hop(ledger, "h2", entrustment=shown, by="mitsu", organisation="farm")
    assert await locks(ledger) == ["SEK-REG-142"]


async def test_one_clients_register_is_read_alone(ledger: Ledger) -> None:
    await fill(ledger)
    other = Parties(
        hops=(Hop("h9", "union", "union", "call", frozenset({"list"}), date(2016, 1, 1)),),
        contracts=(Contract("c9", "h9", "契約", parse_period("2016年~")),),
    )
    await take_in_by_two(ledger, RegisterTables(other, (Dataset("theirs", "union", "名簿", "氏名"),)))
    async with ledger.read() as connection:
        farm = await read_parties(connection, "farm")
        assert {hop.id for hop in farm.hops} == {"h1", "h2"}
        assert {one.id for one in farm.contracts} == {"c1", "c2"}
        assert {hop.id for hop in (await read_parties(connection)).hops} == {"h1", "h2", "h9"}


def test_the_catalogue_grades_a_dataset_whatever_it_is_called() -> None:
    def table(*items: str) -> TableEntry:
        columns = tuple(ColumnEntry(name=item, item=item, personal=True) for item in items)
        return TableEntry(schema="s", name="t", columns=columns)

    assert grade_of(()) is Sensitivity.ORDINARY
    assert grade_of((table("name", "phone"),)) is Sensitivity.ORDINARY
    assert grade_of((table("name"), table("card"))) is Sensitivity.SENSITIVE
    assert grade_of((table("name", "individual_number"), table("card"))) is Sensitivity.SPECIAL
    assert grade_of((table("medical_history"),)) is Sensitivity.SPECIAL
    assert grade_of((table("an item of a later version"),)) is Sensitivity.SENSITIVE
