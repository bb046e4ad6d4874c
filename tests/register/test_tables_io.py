import csv
import importlib
import zipfile
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.register import grids
from sekisho.register.inventory import REQUIRED_TO_OPEN, Dataset, Sensitivity, gaps
from sekisho.register.parties import (
    Approval,
    Clause,
    Contract,
    Hop,
    LegalPerson,
    Parties,
    Supervision,
    SupervisionItem,
    Tie,
    TieKind,
)
from sekisho.register.periods import parse_period
from sekisho.register.profiles import Bound, Certificate, Demand, Measure, Profiles
from sekisho.register.tables_io import (
    SHEETS,
    RegisterTables,
    Rejected,
    read_register,
    write_register,
)

FORMS = [
    pytest.param("register", id="csv"),
    pytest.param("register.xlsx", id="excel"),
    pytest.param("register.yaml", id="yaml"),
]

TABLES = RegisterTables(
    Parties(
        persons=(LegalPerson("farm", "みつばさ養蜂園"), LegalPerson("call", "架電センター"), LegalPerson("no", "北窓")),
        ties=(Tie(TieKind.PARENT_OF, "no", "call"),),
        hops=(
            Hop("h1", "farm", "farm", "call", frozenset({"list", "old"}), date(2016, 2, 1)),
            Hop("h2", "farm", "call", "no", frozenset({"list"}), date(2016, 2, 1), Approval("farm", date(2016, 1, 9))),
        ),
        contracts=(
            Contract("c1", "h1", "業務委託契約", parse_period("2016年2月~2023年1月"), frozenset(Clause)),
            Contract("c2", "h2", "=サービス利用契約", parse_period("平成30年度")),
        ),
        supervision=(
            Supervision("h1", SupervisionItem.SELECTION, date(2022, 4, 1), date(2023, 3, 31), "'点検表"),
        ),
    ),
    (
        Dataset("list", "farm", "顧客\n名簿", "氏名、住所", "架電", "一課", ("甲", "乙"), "db1", "s", ("t", "u"), "c"),
        Dataset("old", "farm", "-旧名簿", "氏名等", sensitivity=Sensitivity.SPECIAL),
    ),
    Profiles(
        (Demand("farm", "log_review_days", Bound.MOST, 7),),
        (Measure("call", "log_review_days", 30), Measure("no", "log_review_days", 7)),
    ),
    (Certificate("call", "プライバシーマーク", date(2024, 3, 31)),),
)  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("japanese", [False, True])
def test_what_is_written_is_read_back(tmp_path: Path, name: str, japanese: bool) -> None:
    path = tmp_path / name
    write_register(TABLES, path, japanese=japanese)
    assert read_register(path) == TABLES
    assert path.is_dir() or path.stat().st_size


WORDS = st.text(
    st.characters(exclude_categories=["C", "Z"], exclude_characters=";；、"), min_size=1, max_size=12
)


@given(st.lists(WORDS, min_size=1, max_size=5), st.lists(WORDS, max_size=3))
def test_no_name_is_changed_by_csv(names: list[str], holders: list[str]) -> None:
    persons = tuple(LegalPerson(f"p{place}", name) for place, name in enumerate(names))
    dataset = Dataset("d", "p0", names[-1], "氏名", holders=tuple(holders))
    tables = RegisterTables(Parties(persons=persons), (dataset,))
    with TemporaryDirectory() as folder:
        write_register(tables, Path(folder) / "register")
        assert read_register(Path(folder) / "register") == tables


def sheet(folder: Path, name: str, *rows: str, encoding: str = "utf-8") -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.csv").write_bytes("\r\n".join(rows).encode(encoding))


def told(read: RegisterTables | Rejected) -> list[tuple[str, str | None, int | None, str | None]]:
    assert isinstance(read, Rejected)
    for one in read.faults:
        assert one.fault.sentence("en") != one.fault.sentence("ja")
    return [(one.fault.code, one.sheet, one.row, one.column) for one in read.faults]


def test_every_wrong_cell_is_told_with_its_place_and_nothing_is_taken(tmp_path: Path) -> None:
    sheet(tmp_path, "parties", "id,name", "farm,園", ",名無し", "farm,二つ目", "call,架電\x07")
    sheet(tmp_path, "ties", "種類,当事者,相手,余り", "owns,farm,nobody,x")
    sheet(tmp_path, "entrustments", "id,client,giver,receiver,datasets,began,approved_by",
          "h1,farm,farm,call,list,2016-2,", "h2,farm,call,farm,list,2016-02-01,farm")  # fmt: skip
    sheet(tmp_path, "datasets", "id,client,name,items", "list,farm,名簿,氏名")
    sheet(
        tmp_path, "contracts", "id,hop,kind,period,clauses", "c1,h1,契約,春ごろ,audit; party", "c2,h9,契約,,"
    )
    sheet(tmp_path, "notes", "a")
    assert told(read_register(tmp_path)) == [
        ("SEK-REG-163", "notes", None, None),
        ("SEK-REG-166", "parties", 3, "id"),
        ("SEK-REG-168", "parties", 4, "id"),
        ("SEK-REG-167", "parties", 5, "name"),
        ("SEK-REG-164", "ties", 2, "余り"),
        ("SEK-REG-167", "ties", 2, "kind"),
        ("SEK-REG-169", "ties", 2, "other"),
        ("SEK-REG-167", "entrustments", 2, "began"),
        ("SEK-REG-166", "entrustments", 3, "approved_on"),
        ("SEK-REG-167", "contracts", 2, "period"),
        ("SEK-REG-167", "contracts", 2, "clauses"),
        ("SEK-REG-169", "contracts", 3, "hop"),
    ]


def test_a_sentence_names_row_column_and_a_way_out(tmp_path: Path) -> None:
    sheet(tmp_path, "parties", "id,name", "青,園")
    read = read_register(tmp_path)
    assert isinstance(read, Rejected)
    (one,) = read.faults
    assert one.fault.sentence("en").startswith("parties, row 2, column id: “青”")
    assert one.fault.sentence("ja").startswith("partiesの2行目「id」の「青」")
    assert "aoba-kenko" in one.fault.sentence("ja")


@pytest.mark.parametrize("day", ["2016-04-01", "2016/4/1", "2016年4月1日", "平成28年4月1日", "H28.4.1"])
def test_a_day_may_be_written_as_offices_do(tmp_path: Path, day: str) -> None:
    sheet(tmp_path, "parties", "id,name", "farm,園", "call,架電")
    sheet(tmp_path, "datasets", "id,client,name,items", "list,farm,名簿,氏名")
    sheet(
        tmp_path, "entrustments", "id,client,giver,receiver,datasets,began", f"h1,farm,farm,call,list,{day}"
    )
    read = read_register(tmp_path)
    assert isinstance(read, RegisterTables)
    assert read.parties.hops[0].began == date(2016, 4, 1)


def test_a_list_that_would_be_read_back_otherwise_is_not_written(tmp_path: Path) -> None:
    tables = RegisterTables(datasets=(Dataset("d", "p", "n", "i", holders=("甲;乙",)),))
    with pytest.raises(ValueError, match="read back"):
        write_register(tables, tmp_path / "register")


def test_the_csv_of_a_japanese_spreadsheet(tmp_path: Path) -> None:
    sheet(tmp_path, "parties", "ID,名称", "farm,髙﨑園", encoding="cp932")
    assert read_register(tmp_path) == RegisterTables(Parties(persons=(LegalPerson("farm", "髙﨑園"),)))


@pytest.mark.parametrize("name", ["=HYPERLINK(1)", "+81", "-1", "@SUM(A1)", "'quoted", "''=x"])
def test_no_cell_becomes_a_formula(tmp_path: Path, name: str) -> None:
    tables = RegisterTables(Parties(persons=(LegalPerson("p", name),)))
    write_register(tables, tmp_path / "register")
    with (tmp_path / "register" / "parties.csv").open(encoding="utf-8-sig", newline="") as file:
        for row in csv.reader(file):
            assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row)
    assert read_register(tmp_path / "register") == tables


def test_no_cell_becomes_a_formula_in_excel(tmp_path: Path) -> None:
    tables = RegisterTables(Parties(persons=(LegalPerson("p", "=1+1"),)))
    write_register(tables, tmp_path / "r.xlsx")
    with zipfile.ZipFile(tmp_path / "r.xlsx") as archive:
        assert not any(b"<f>" in archive.read(name) for name in archive.namelist())
    assert read_register(tmp_path / "r.xlsx") == tables


def test_an_excel_date_is_a_day(tmp_path: Path) -> None:
    openpyxl = importlib.import_module("openpyxl")
    write_register(TABLES, tmp_path / "r.xlsx")
    workbook = openpyxl.load_workbook(tmp_path / "r.xlsx")
    workbook["entrustments"]["F2"].value = date(2016, 2, 1)
    workbook.save(tmp_path / "r.xlsx")
    assert read_register(tmp_path / "r.xlsx") == TABLES


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"id,name\n"])
def test_what_is_no_workbook_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "r.xlsx").write_bytes(data)
    assert told(read_register(tmp_path / "r.xlsx")) == [("SEK-REG-161", None, None, None)]


def test_a_workbook_that_unpacks_to_too_much_is_not_unpacked(tmp_path: Path) -> None:
    with (
        zipfile.ZipFile(tmp_path / "r.xlsx", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("xl/workbook.xml", "w") as member,
    ):
        for _ in range(257):
            member.write(bytes(1024 * 1024))
    assert told(read_register(tmp_path / "r.xlsx")) == [("SEK-REG-162", None, None, None)]


def test_a_workbook_with_too_many_columns_is_refused(tmp_path: Path) -> None:
    openpyxl = importlib.import_module("openpyxl")
    write_register(TABLES, tmp_path / "r.xlsx")
    workbook = openpyxl.load_workbook(tmp_path / "r.xlsx")
    workbook["parties"].cell(row=2, column=65, value="x")
    workbook.save(tmp_path / "r.xlsx")
    assert told(read_register(tmp_path / "r.xlsx")) == [("SEK-REG-162", None, None, None)]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("parties: [", "161"),
        ("- a", "161"),
        ("parties: {id: a}", "161"),
        ("parties: [{id: {a: b}}]", "161"),
        ("parties: [{id: a, id: b, name: c}]", "165"),
        ("parties: [{id: !!python/object/apply:os.getcwd [], name: c}]", "166"),
        ("a: &a [*a]", "161"),
        ("[" * 50_000 + "]" * 50_000, "161"),
    ],
)  # fmt: skip
def test_hostile_yaml_is_refused(tmp_path: Path, text: str, code: str) -> None:
    (tmp_path / "r.yaml").write_text(text)
    assert told(read_register(tmp_path / "r.yaml"))[0][0] == f"SEK-REG-{code}"


def test_yaml_words_are_what_is_written(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("parties:\n- {id: no, name: 1e3}\n- {id: 2016-04-01, name: ~}\n")
    assert told(read_register(tmp_path / "r.yaml")) == [("SEK-REG-166", "parties", 3, "name")]


def test_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grids, "MAX_ROWS", 2)
    sheet(tmp_path, "parties", "id,name", "a,a", "b,b")
    assert isinstance(read_register(tmp_path), RegisterTables)
    sheet(tmp_path, "parties", "id,name", "a,a", "b,b", "c,c")
    assert told(read_register(tmp_path))[0][0] == "SEK-REG-162"
    sheet(tmp_path, "parties", "id,name", "a," + "長" * 10_001)
    assert told(read_register(tmp_path)) == [("SEK-REG-167", "parties", 2, "name")]
    sheet(tmp_path, "parties", "id,name", "a,a" + "," * 64)
    assert told(read_register(tmp_path))[0][0] == "SEK-REG-162"
    monkeypatch.setattr(grids, "MAX_BYTES", 10)
    sheet(tmp_path, "parties", "id,name", "a,a")
    assert told(read_register(tmp_path))[0][0] == "SEK-REG-162"
    (tmp_path / "r.txt").write_text("x")
    assert told(read_register(tmp_path / "r.txt"))[0][0] == "SEK-REG-161"


def test_a_dataset_without_its_unit_or_holders_must_not_be_opened() -> None:
    assert gaps(TABLES.datasets[0]) == ()
    assert gaps(TABLES.datasets[1]) == ("purpose", "responsible_unit", "holders", "target")
    assert set(REQUIRED_TO_OPEN) <= set(Dataset.__struct_fields__)


def test_every_column_is_in_the_docs() -> None:
    text = (Path(__file__).parents[2] / "docs" / "register-import.md").read_text()
    for one in SHEETS:
        assert f"`{one.name}`" in text
        assert one.ja in text
        for column in one.columns:
            assert f"| `{column.name}` | {column.ja} |" in text
