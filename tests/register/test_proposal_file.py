"""What keeps a proposal from being confirmed."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from register.register_examples import fill
from sekisho.faults import Fault
from sekisho.ledger import Ledger
from sekisho.register.catalogue import find_catalogue
from sekisho.register.facts import ColumnEntry, TableEntry
from sekisho.register.proposal import Proposal, ProposedColumn, ProposedDataset, ProposedTable
from sekisho.register.proposal_file import confirm, read_proposal, write_proposal


def proposal() -> Proposal:
    table = ProposedTable(
        schema="s",
        name="customers",
        subject="id",
        columns=[ProposedColumn(name="id", item="customer_number", why="…"), ProposedColumn(name="plan")],
    )
    dataset = ProposedDataset(
        dataset="new",
        organisation="farm",
        confirmed=True,
        name="名簿",
        role="reader",
        items="顧客番号",
        purpose="架電",
        responsible_unit="一課",
        holders=["一課"],
        retention="",
        tables=[table],
    )
    return Proposal(target="db1", fingerprint="00", datasets=[dataset])


async def test_what_is_confirmed_is_what_the_door_reads(ledger: Ledger) -> None:
    await fill(ledger)
    await confirm(ledger, proposal(), {"reader": "secret"}, by="kanri")
    async with ledger.read() as connection:
        catalogue = await find_catalogue(connection, "db1")
    assert catalogue is not None
    (dataset,) = [one for one in catalogue.datasets if one.dataset == "new"]
    assert dataset.tables == (
        TableEntry(
            schema="s",
            name="customers",
            subject="id",
            columns=(
                ColumnEntry(name="id", item="customer_number", personal=True),
                ColumnEntry(name="plan"),
            ),
        ),
    )
    assert await ledger.content(dataset.secret) == b"secret"


def _dataset(**change: object) -> Callable[[Proposal], None]:
    def apply(one: Proposal) -> None:
        one.datasets[0] = msgspec.structs.replace(one.datasets[0], **change)

    return apply


def _table(**change: object) -> Callable[[Proposal], None]:
    def apply(one: Proposal) -> None:
        one.datasets[0].tables[0] = msgspec.structs.replace(one.datasets[0].tables[0], **change)

    return apply


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (_dataset(organisation=""), "184"),
        (_dataset(organisation="nobody"), "184"),
        (_dataset(dataset=""), "184"),
        (_dataset(name=""), "184"),
        (_dataset(role=""), "184"),
        (_dataset(role="other"), "184"),  # no password
        (_dataset(tables=[]), "184"),
        (_table(columns=[]), "184"),
        (_table(columns=[ProposedColumn(name="id"), ProposedColumn(name="id")]), "184"),
        (_table(subject="number"), "184"),
        (_table(rows_per_subject=0), "184"),
        (_table(metered=False), "184"),  # with a subject and a personal column
        (_table(columns=[ProposedColumn(name="id", item="shoe_size")]), "184"),
        (_table(client_column="client"), "186"),
        (lambda one: one.datasets.append(one.datasets[0]), "184"),
        (lambda one: one.datasets.append(msgspec.structs.replace(one.datasets[0], dataset="second")), "185"),
    ],
)
async def test_what_is_wrong_anywhere_keeps_all_of_it_out(
    ledger: Ledger, change: Callable[[Proposal], None], code: str
) -> None:
    await fill(ledger)
    before = await ledger.size()
    asked = proposal()
    change(asked)
    with pytest.raises(Fault, match=f"SEK-REG-{code}"):
        await confirm(ledger, asked, {"reader": "secret"}, by="kanri")
    assert await ledger.size() == before


async def test_an_unknown_target_is_told(ledger: Ledger) -> None:
    with pytest.raises(Fault, match="SEK-REG-182"):
        await confirm(ledger, proposal(), {"reader": "secret"}, by="kanri")


def test_a_proposal_survives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(write_proposal(proposal()))
    assert read_proposal(path) == proposal()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        "- a",
        "target: x\nfingerprint: y\nextra: z",
        "target: x\nfingerprint: y\ndatasets: [{dataset: d}]",
        "target: [x]\nfingerprint: y",
        "target: &t x\nfingerprint: *t",
        "target: !!python/object/apply:os.getcwd []\nfingerprint: y",
        "[" * 50_000,
        "target: x\nfingerprint: \ud7ff\ndatasets: " + "{a: " * 30 + "}" * 30,
    ],
)
def test_hostile_files_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "p.yaml").write_text(text)
    with pytest.raises(Fault, match="SEK-REG-183"):
        read_proposal(tmp_path / "p.yaml")


def test_a_yes_that_is_no_yes_confirms_nothing(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(write_proposal(proposal()).replace("confirmed: true", "confirmed: 'true'"))
    with pytest.raises(Fault, match="SEK-REG-183"):
        read_proposal(path)
