"""Tables of text in three forms: a folder of CSV files, an Excel workbook, a YAML document.

Every cell is text here; what it means is the next room's. Reading is bounded in bytes, rows and columns before
anything is built from the file. A file is hostile until read: cells are never evaluated, and what is written for
a spreadsheet program cannot become a formula there.
"""

import csv
import importlib
import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, Final, NamedTuple

from sekisho.faults import Fault
from sekisho.register.faults import COLUMN_REPEATED, FILE_TOO_LARGE, FILE_UNREADABLE


class Line(NamedTuple):
    """One row: its number as the reader of the file sees it (in YAML, the line), and its cells by heading."""

    number: int
    cells: Mapping[str, str]


Grid = dict[str, list[Line]]

MAX_BYTES: Final = 32 * 1024 * 1024
MAX_UNPACKED: Final = 256 * 1024 * 1024
MAX_ROWS: Final = 100_000
MAX_COLUMNS: Final = 64
MAX_DEPTH: Final = 4  # sheets, rows, cells, and the list in a cell
LIST_MARK: Final = "; "

# Excel and its kin take a cell that begins so for a formula (CWE-1236).
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")


def read_grid(path: Path) -> Grid:
    """A folder is read as CSV files, a file by its suffix. Raises Fault when the form is not what it says."""
    if path.is_dir():
        grid = {}
        for file in sorted(path.glob("*.csv")):
            grid[file.stem] = _lines(file.stem, _csv_rows(file.name, _bounded(file)))
        return grid
    match path.suffix.lower():
        case ".csv":
            return {path.stem: _lines(path.stem, _csv_rows(path.name, _bounded(path)))}
        case ".xlsx":
            return _read_workbook(path.name, _bounded(path))
        case ".yaml" | ".yml":
            return _read_yaml(path.name, _bounded(path))
        case _:
            raise Fault(FILE_UNREADABLE, name=path.name, form="CSV, Excel (.xlsx), YAML")


def write_grid(
    path: Path, headings: Mapping[str, Sequence[str]], grid: Mapping[str, Sequence[Sequence[str]]]
) -> None:
    """The counterpart of `read_grid`: a path without a suffix becomes a folder of CSV files."""
    match path.suffix.lower():
        case "":
            path.mkdir(parents=True, exist_ok=True)
            for sheet, rows in grid.items():
                (path / f"{sheet}.csv").write_bytes(_csv_bytes(headings[sheet], rows))
        case ".xlsx":
            path.write_bytes(_workbook_bytes(headings, grid))
        case ".yaml" | ".yml":
            path.write_bytes(_yaml_bytes(headings, grid))
        case _:
            raise Fault(FILE_UNREADABLE, name=path.name, form="CSV, Excel (.xlsx), YAML")


def _bounded(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise Fault(FILE_TOO_LARGE, name=path.name, limit=f"{MAX_BYTES // 1024**2} MiB")
    return data


def _lines(sheet: str, rows: Iterator[list[str]]) -> list[Line]:
    """The first row holds the headings; empty rows are passed over; a cell without a heading has the heading ""."""
    headings = [heading.strip() for heading in next(rows, [])]
    named = [heading for heading in headings if heading]
    for heading in named:
        if named.count(heading) > 1:
            raise Fault(COLUMN_REPEATED, sheet=sheet, row=1, column=heading)
    lines: list[Line] = []
    for number, row in enumerate(rows, start=2):
        if number > MAX_ROWS + 1:
            raise Fault(FILE_TOO_LARGE, name=sheet, limit=f"{MAX_ROWS:,} × {MAX_COLUMNS}")
        cells = {
            (headings[place] if place < len(headings) else ""): text.strip()
            for place, text in enumerate(row)
            if text.strip()
        }
        if cells:
            lines.append(Line(number, cells))
    return lines


def _csv_rows(name: str, data: bytes) -> Iterator[list[str]]:
    for encoding in ("utf-8-sig", "cp932"):  # cp932 is what Excel writes as "CSV" in Japan
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        break
    else:
        raise Fault(FILE_UNREADABLE, name=name, form="CSV (UTF-8)")
    try:
        for row in csv.reader(io.StringIO(text, newline=""), strict=True):
            if len(row) > MAX_COLUMNS:
                raise Fault(FILE_TOO_LARGE, name=name, limit=f"{MAX_ROWS:,} × {MAX_COLUMNS}")
            yield [_without_guard(cell) for cell in row]
    except csv.Error:
        raise Fault(FILE_UNREADABLE, name=name, form="CSV") from None


def _without_guard(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(("'", *_FORMULA_STARTS)) else cell


def _csv_bytes(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(headings)
    for row in rows:
        # A cell that begins with the guard itself gets one too, so that reading takes away exactly what was added.
        writer.writerow("'" + cell if cell.startswith(("'", *_FORMULA_STARTS)) else cell for cell in row)
    return text.getvalue().encode("utf-8-sig")  # without the mark Excel takes it for cp932


def _library(name: str) -> Any:
    # Loaded at the first use: the doors never read a workbook, and both are slow to import.
    return importlib.import_module(name)


def _read_workbook(name: str, data: bytes) -> Grid:
    refused = Fault(FILE_UNREADABLE, name=name, form="Excel (.xlsx)")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            # zipfile never unpacks more of a member than its header says, so the headers bound the whole.
            unpacked = sum(member.file_size for member in archive.infolist())
    except zipfile.BadZipFile:
        raise refused from None
    if unpacked > MAX_UNPACKED:
        raise Fault(FILE_TOO_LARGE, name=name, limit=f"{MAX_UNPACKED // 1024**2} MiB")
    openpyxl = _library("openpyxl")
    try:
        workbook = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        try:
            return {sheet.title: _lines(sheet.title, _sheet_rows(sheet)) for sheet in workbook.worksheets}
        finally:
            workbook.close()
    except Fault:
        raise
    except Exception:  # openpyxl answers a damaged workbook with whatever its parser stumbles over
        raise refused from None


def _sheet_rows(sheet: Any) -> Iterator[list[str]]:
    # The sheet's own word on its size is not taken; one row and one column more show that there is too much.
    sheet.reset_dimensions()
    for row in sheet.iter_rows(max_row=MAX_ROWS + 2, max_col=MAX_COLUMNS + 1, values_only=True):
        if len(row) > MAX_COLUMNS and row[MAX_COLUMNS] is not None:
            raise Fault(FILE_TOO_LARGE, name=sheet.title, limit=f"{MAX_ROWS:,} × {MAX_COLUMNS}")
        yield [_cell_text(value) for value in row]


def _cell_text(value: object) -> str:
    match value:
        case None:
            return ""
        case datetime() if value.time() == time():
            return value.date().isoformat()
        case date():
            return value.isoformat()
        case float() if value.is_integer():
            return str(int(value))
        case _:
            return str(value)


def _workbook_bytes(
    headings: Mapping[str, Sequence[str]], grid: Mapping[str, Sequence[Sequence[str]]]
) -> bytes:
    openpyxl = _library("openpyxl")
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.active)
    for title, rows in grid.items():
        sheet = workbook.create_sheet(title)
        for number, row in enumerate([headings[title], *rows], start=1):
            for place, text in enumerate(row, start=1):
                if text:
                    cell = sheet.cell(row=number, column=place, value=text)
                    cell.data_type = "s"  # also a text that begins with "=" stays a text
    data = io.BytesIO()
    workbook.save(data)
    return data.getvalue()


def _read_yaml(name: str, data: bytes) -> Grid:
    """Sheets of lists of mappings. The nodes are read, not the values: `no` and `2016-04-01` are what is written."""
    yaml = _library("yaml")
    refused = Fault(FILE_UNREADABLE, name=name, form="YAML")
    try:
        text = data.decode("utf-8-sig")
        depth = 0
        # Events first: the composer calls itself for each level, and its C form ends the process on a deep document.
        for event in yaml.parse(text, Loader=yaml.CBaseLoader):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            if depth > MAX_DEPTH:
                raise refused
        document = yaml.compose(text, Loader=yaml.CBaseLoader)
    except (yaml.YAMLError, UnicodeDecodeError):
        raise refused from None
    if document is None:
        return {}
    grid: Grid = {}
    for sheet, rows in _pairs(yaml, document, refused, ""):
        if not isinstance(rows, yaml.SequenceNode):
            raise refused
        if len(rows.value) > MAX_ROWS:
            raise Fault(FILE_TOO_LARGE, name=name, limit=f"{MAX_ROWS:,} × {MAX_COLUMNS}")
        lines = []
        for row in rows.value:
            cells = {
                heading: _node_text(yaml, node, refused)
                for heading, node in _pairs(yaml, row, refused, sheet)
            }
            lines.append(
                Line(row.start_mark.line + 1, {heading: text for heading, text in cells.items() if text})
            )
        grid[sheet] = lines
    return grid


def _pairs(yaml: Any, node: Any, refused: Fault, sheet: str) -> list[tuple[str, Any]]:
    if not isinstance(node, yaml.MappingNode) or len(node.value) > MAX_COLUMNS:
        raise refused
    pairs = []
    seen = set()
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise refused
        if key.value in seen:
            raise Fault(COLUMN_REPEATED, sheet=sheet, row=key.start_mark.line + 1, column=key.value)
        seen.add(key.value)
        pairs.append((key.value, value))
    return pairs


def _node_text(yaml: Any, node: Any, refused: Fault) -> str:
    if isinstance(node, yaml.ScalarNode):
        plain_null = not node.style and node.value in {"~", "null"}
        return "" if plain_null else str(node.value).strip()
    if isinstance(node, yaml.SequenceNode) and all(isinstance(part, yaml.ScalarNode) for part in node.value):
        return LIST_MARK.join(part.value for part in node.value)
    raise refused


def _yaml_bytes(headings: Mapping[str, Sequence[str]], grid: Mapping[str, Sequence[Sequence[str]]]) -> bytes:
    document = {
        sheet: [
            {heading: text for heading, text in zip(headings[sheet], row, strict=True) if text}
            for row in rows
        ]
        for sheet, rows in grid.items()
    }
    text = _library("yaml").safe_dump(document, allow_unicode=True, sort_keys=False, width=110)
    return str(text).encode()
