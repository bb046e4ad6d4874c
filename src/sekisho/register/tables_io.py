"""The register's tables as files: parties, ties, entrustments, contracts, datasets, supervision. All or nothing.

`read_register` tells every cell that is wrong, with its row and column, before anything is taken over; what it
returns otherwise is complete, and every id in it leads to a row. `docs/register-import.md` shows the columns.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from sekisho.faults import Fault, FaultKind
from sekisho.register import faults
from sekisho.register.grids import LIST_MARK, Grid, read_grid, write_grid
from sekisho.register.inventory import Dataset, Sensitivity
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
from sekisho.register.periods import Interval, Period, Point, parse_period
from sekisho.register.profiles import Bound, Certificate, Demand, Measure, Profiles


class RegisterTables(msgspec.Struct, frozen=True):
    parties: Parties = Parties()
    datasets: tuple[Dataset, ...] = ()
    profiles: Profiles = Profiles()
    certificates: tuple[Certificate, ...] = ()


NOTHING: Final = RegisterTables()


@dataclass(frozen=True)
class CellFault:
    """`row` and `column` are None where the fault is the file's or the sheet's."""

    fault: Fault
    sheet: str | None = None
    row: int | None = None
    column: str | None = None


class Rejected(NamedTuple):
    """Nothing was taken over. At most MAX_FAULTS are told."""

    faults: tuple[CellFault, ...]


MAX_FAULTS: Final = 200
MAX_CELL: Final = 10_000


class Kind(NamedTuple):
    """What may stand in a cell. `read` raises ValueError or Fault when it is something else. `choices` are all there
    is where the words are fixed; `many` says that a cell may hold several."""

    read: Callable[[str], Any]
    write: Callable[[Any], str]
    example: str
    choices: tuple[str, ...] = ()
    many: bool = False


class Column(NamedTuple):
    name: str
    ja: str
    kind: Kind
    required: bool = True
    names: str | None = None  # the sheet among whose ids the cell's ids must stand


class Sheet(NamedTuple):
    """`build` makes a row's value from its cells, `cells` the cells from the value."""

    name: str
    ja: str
    columns: tuple[Column, ...]
    build: Callable[[dict[str, Any]], Any]
    cells: Callable[[Any], dict[str, Any]]


_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_Choice = TypeVar("_Choice", bound=StrEnum)


def _id(text: str) -> str:
    if not _ID.fullmatch(text):
        raise ValueError("not an id")
    return text


def _number(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise ValueError("not a number")
    return int(text)


def _short(text: str) -> str:
    if len(text) > 64:
        raise ValueError("too long for a name")
    return text


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for part in re.split(r"[;；、\n]", text) if (word := part.strip()))


def _written_words(words: tuple[str, ...]) -> str:
    text = LIST_MARK.join(words)
    if _words(text) != words:
        raise ValueError(f"one of {words!r} would be read back as something else")
    return text


def _day(text: str) -> date:
    """2016-04-01, 2016/4/1, 平成28年4月1日: whatever a period may begin with, when it is a single day."""
    match parse_period(text).intervals:
        case (Interval(start=Point(day=int()) as start, end=end),) if start == end:
            return start.first()
        case _:
            raise ValueError("not a day")


def _choice(choices: type[_Choice]) -> Kind:
    return Kind(choices, str, next(iter(choices)).value, tuple(choices))


def _choices(choices: type[_Choice]) -> Kind:
    return Kind(
        lambda text: frozenset(choices(word) for word in _words(text)),
        lambda held: LIST_MARK.join(choice.value for choice in choices if choice in held),
        LIST_MARK.join(list(choices)[:2]),
        tuple(choices),
        many=True,
    )


ID: Final = Kind(_id, str, "aoba-kenko")
IDS: Final = Kind(
    lambda text: frozenset(_id(word) for word in _words(text)),
    lambda ids: LIST_MARK.join(sorted(ids)),
    "aoba-members; aoba-orders",
    many=True,
)
TEXT: Final = Kind(str, str, "青葉健康")
WORDS: Final = Kind(_words, _written_words, "保守一課; 保守二課")
DAY: Final = Kind(_day, date.isoformat, "2016-04-01")
CONTROL: Final = Kind(_id, str, "log_review_days")
NUMBER: Final = Kind(_number, str, "7")
PERIOD: Final = Kind(parse_period, lambda period: period.raw, "2016年2月~2023年1月")


def _hop(cells: dict[str, Any]) -> Hop:
    by, on = cells.pop("approved_by"), cells.pop("approved_on")
    if (by is None) != (on is None):
        raise _HalfApprovalError
    return Hop(**_given(cells), approval=Approval(by, on) if by else None)


class _HalfApprovalError(ValueError):
    """An approval needs both its day and the one who gave it: half of one must not pass for none."""


def _hop_cells(hop: Hop) -> dict[str, Any]:
    cells = _fields(hop)
    approval = cells.pop("approval")
    return cells | {
        "approved_by": approval.by if approval else None,
        "approved_on": approval.on if approval else None,
    }


def _contract(cells: dict[str, Any]) -> Contract:
    return Contract(**_given(cells | {"period": cells["period"] or Period("")}))


def _given(cells: Mapping[str, Any]) -> dict[str, Any]:
    """Without the cells that were left empty: the value has its own word for them."""
    return {name: value for name, value in cells.items() if value is not None}


def _fields(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__struct_fields__}


SHEETS: Final = (
    Sheet(
        "parties",
        "当事者",
        (
            Column("id", "ID", ID),
            Column("name", "名称", TEXT),
            Column("name_en", "英語名", Kind(str, str, "Aoba Health"), required=False),
            Column("kind", "種類", Kind(str, str, "company"), required=False),
        ),
        lambda cells: LegalPerson(**_given(cells)),
        _fields,
    ),
    Sheet(
        "ties",
        "関係",
        (
            Column("kind", "種類", _choice(TieKind)),
            Column("party", "当事者", ID, names="parties"),
            Column("other", "相手", ID, names="parties"),
        ),
        lambda cells: Tie(**_given(cells)),
        _fields,
    ),
    Sheet(
        "datasets",
        "データセット",
        (
            Column("id", "ID", ID),
            Column("client", "委託元", ID, names="parties"),
            Column("name", "名称", TEXT),
            Column("items", "情報項目", Kind(str, str, "氏名、住所、電話番号")),
            Column("purpose", "利用目的", Kind(str, str, "電話による受診勧奨"), required=False),
            Column("responsible_unit", "責任部署", Kind(str, str, "保守一課"), required=False),
            Column("holders", "アクセスできる者", WORDS, required=False),
            Column("target", "対象サーバ", ID, required=False),
            Column("schema", "スキーマ", TEXT, required=False),
            Column("tables", "表", WORDS, required=False),
            Column("client_column", "委託元の列", TEXT, required=False),
            Column("retention", "保存期間", Kind(str, str, "契約終了後30日"), required=False),
            Column("fingerprint", "指紋", Kind(str, str, "SHA-256"), required=False),
            Column("sensitivity", "機微度", _choice(Sensitivity), required=False),
        ),
        lambda cells: Dataset(**_given(cells)),
        _fields,
    ),
    Sheet(
        "entrustments",
        "委託",
        (
            Column("id", "ID", ID),
            Column("client", "委託元", ID, names="parties"),
            Column("giver", "渡す者", ID, names="parties"),
            Column("receiver", "受ける者", ID, names="parties"),
            Column("datasets", "データセット", IDS, names="datasets"),
            Column("began", "開始日", DAY),
            Column("approved_by", "承認者", ID, required=False, names="parties"),
            Column("approved_on", "承認日", DAY, required=False),
        ),
        _hop,
        _hop_cells,
    ),
    Sheet(
        "contracts",
        "契約",
        (
            Column("id", "ID", ID),
            Column("hop", "委託", ID, names="entrustments"),
            Column("kind", "契約の名称", Kind(str, str, "業務委託契約")),
            Column("period", "期間", PERIOD, required=False),
            Column("clauses", "条項", _choices(Clause), required=False),
        ),
        _contract,
        _fields,
    ),
    Sheet(
        "supervision",
        "監督",
        (
            Column("hop", "委託", ID, names="entrustments"),
            Column("item", "項目", _choice(SupervisionItem)),
            Column("on", "実施日", DAY),
            Column("until", "有効期限", DAY),
            Column("evidence", "証拠", Kind(str, str, "点検表 2022-04")),
        ),
        lambda cells: Supervision(**_given(cells)),
        _fields,
    ),
    Sheet(
        "demands",
        "求める水準",
        (
            Column("organisation", "当事者", ID, names="parties"),
            Column("control", "対策", CONTROL),
            Column("bound", "以上・以下", _choice(Bound)),
            Column("value", "値", NUMBER),
        ),
        lambda cells: Demand(**_given(cells)),
        _fields,
    ),
    Sheet(
        "measures",
        "実施状況",
        (
            Column("organisation", "当事者", ID, names="parties"),
            Column("control", "対策", CONTROL),
            Column("value", "値", NUMBER),
        ),
        lambda cells: Measure(**_given(cells)),
        _fields,
    ),
    Sheet(
        "certificates",
        "認証",
        (
            Column("organisation", "当事者", ID, names="parties"),
            Column("name", "認証名", Kind(_short, str, "ISMS")),
            Column("until", "有効期限", DAY),
        ),
        lambda cells: Certificate(**_given(cells)),
        _fields,
    ),
)


def read_register(path: Path, held: RegisterTables = NOTHING) -> RegisterTables | Rejected:
    """Read a folder of CSV files, an .xlsx workbook or a .yaml document. Headings may be English or Japanese.

    An id may also name a row that the register holds already."""
    try:
        grid = read_grid(path)
    except Fault as fault:
        return Rejected((CellFault(fault),))
    return read_lines(grid, held)


def read_lines(grid: Grid, held: RegisterTables = NOTHING) -> RegisterTables | Rejected:
    """The same for cells that do not come from a file."""
    reader = _Reader(grid, held)
    reader.read()
    if reader.found:
        return Rejected(tuple(reader.found[:MAX_FAULTS]))
    rows = reader.rows
    return RegisterTables(
        Parties(
            persons=tuple(rows["parties"]),
            ties=tuple(rows["ties"]),
            hops=tuple(rows["entrustments"]),
            contracts=tuple(rows["contracts"]),
            supervision=tuple(rows["supervision"]),
        ),
        tuple(rows["datasets"]),
        Profiles(tuple(rows["demands"]), tuple(rows["measures"])),
        tuple(rows["certificates"]),
    )


def write_register(tables: RegisterTables, path: Path, *, japanese: bool = False) -> None:
    """Write all sheets, with English or Japanese headings. A path without a suffix becomes a folder of CSV files."""
    headings = {}
    grid = {}
    for sheet in SHEETS:
        title = sheet.ja if japanese else sheet.name
        headings[title] = [column.ja if japanese else column.name for column in sheet.columns]
        grid[title] = written_rows(tables, sheet)
    write_grid(path, headings, grid)


def written_rows(tables: RegisterTables, sheet: Sheet) -> list[list[str]]:
    """The rows of one sheet, each with the text of every column."""
    parties = tables.parties
    values: dict[str, tuple[Any, ...]] = {
        "parties": parties.persons,
        "ties": parties.ties,
        "datasets": tables.datasets,
        "entrustments": parties.hops,
        "contracts": parties.contracts,
        "supervision": parties.supervision,
        "demands": tables.profiles.demands,
        "measures": tables.profiles.measures,
        "certificates": tables.certificates,
    }
    return [_written(sheet, value) for value in values[sheet.name]]


def _written(sheet: Sheet, value: Any) -> list[str]:
    cells = sheet.cells(value)
    return [
        "" if cells[column.name] is None else column.kind.write(cells[column.name])
        for column in sheet.columns
    ]


class _Reader:
    """Goes through the sheets in an order in which an id is known before it is named."""

    def __init__(self, grid: Grid, held: RegisterTables) -> None:
        self.grid = grid
        self._held = {
            "parties": {one.id for one in held.parties.persons},
            "datasets": {one.id for one in held.datasets},
            "entrustments": {one.id for one in held.parties.hops},
        }
        self.rows: dict[str, list[Any]] = {sheet.name: [] for sheet in SHEETS}
        self.found: list[CellFault] = []
        self._ids: dict[str, dict[str, int]] = {sheet.name: {} for sheet in SHEETS}

    def read(self) -> None:
        titles = {title: sheet.name for sheet in SHEETS for title in (sheet.name, sheet.ja)}
        for title in self.grid:
            if title not in titles:
                known = ", ".join(f"{sheet.name} ({sheet.ja})" for sheet in SHEETS)
                self.found.append(CellFault(Fault(faults.SHEET_UNKNOWN, name=title, known=known), title))
        for sheet in SHEETS:
            for title, lines in self.grid.items():
                if titles.get(title) == sheet.name:
                    for line in lines:
                        self._read_line(sheet, line.number, line.cells)

    def _read_line(self, sheet: Sheet, number: int, written: Mapping[str, str]) -> None:
        before = len(self.found)
        by_heading = {heading: column for column in sheet.columns for heading in (column.name, column.ja)}
        texts: dict[str, str] = {}
        for heading, text in written.items():
            column = by_heading.get(heading)
            if column is None:
                self._tell(faults.COLUMN_UNKNOWN, sheet, number, heading)
            elif column.name in texts:
                self._tell(faults.COLUMN_REPEATED, sheet, number, heading)
            else:
                texts[column.name] = text
        cells = {column.name: self._read_cell(sheet, number, column, texts) for column in sheet.columns}
        if len(self.found) > before:
            self._remember(sheet, number, cells)
            return
        try:
            self.rows[sheet.name].append(sheet.build(cells))
        except _HalfApprovalError:
            lacking = "approved_on" if "approved_by" in texts else "approved_by"
            example = DAY.example if lacking == "approved_on" else ID.example
            self._tell(faults.CELL_MISSING, sheet, number, lacking, example=example)
        self._remember(sheet, number, cells)

    def _remember(self, sheet: Sheet, number: int, cells: Mapping[str, Any]) -> None:
        """Also the id of a row with faults, so that the rows which name it are not told as well."""
        row_id = cells.get("id")
        if row_id is None:
            return
        first = self._ids[sheet.name].setdefault(row_id, number)
        if first != number:
            self._tell(faults.ID_REPEATED, sheet, number, "id", text=row_id, first=first)

    def _read_cell(self, sheet: Sheet, number: int, column: Column, texts: Mapping[str, str]) -> Any:
        text = texts.get(column.name, "")
        example = column.kind.example
        if not text:
            if column.required:
                self._tell(faults.CELL_MISSING, sheet, number, column.name, example=example)
            return None
        try:
            if len(text) > MAX_CELL or any(_unprintable(character) for character in text):
                raise ValueError("not a text that a person wrote")
            value = column.kind.read(text)
        except (ValueError, Fault):
            shown = "".join("�" if _unprintable(character) else character for character in text[:80])
            self._tell(faults.CELL_UNREADABLE, sheet, number, column.name, text=shown, example=example)
            return None
        if column.names is not None:
            for named in _named(value):
                if named not in self._ids[column.names] and named not in self._held[column.names]:
                    self._tell(
                        faults.NAMES_NOTHING, sheet, number, column.name, text=named, other=column.names
                    )
        return value

    def _tell(self, kind: FaultKind, sheet: Sheet, number: int, column: str, **values: object) -> None:
        fault = Fault(kind, sheet=sheet.name, row=number, column=column, **values)
        self.found.append(CellFault(fault, sheet.name, number, column))


def _named(value: Any) -> Iterator[str]:
    if isinstance(value, frozenset):
        yield from sorted(value)
    else:
        yield value


def _unprintable(character: str) -> bool:
    # Control characters, and the marks that turn the direction of writing and so hide what stands there.
    return character != "\n" and unicodedata.category(character) in {"Cc", "Cf", "Cs"}
