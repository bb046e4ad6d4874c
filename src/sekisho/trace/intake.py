"""A found list, as it comes: CSV, TSV, Excel, JSON, Parquet, plain text or PDF; its columns recognised by content.

What comes out is a table of texts, each column with the data item that it seems to hold and why, for a person to
confirm or correct. Text without columns (a letter, a printed list, a few lines that somebody dictated) becomes a row
per line with what the scanner finds in it; a line with nothing in it is no row.

A list is hostile: it is bounded before it is read, cells are never evaluated, and what cannot be read is refused.
"""

import codecs
import csv
import hashlib
import importlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from sekisho.faults import Fault
from sekisho.text.columns import Guess, guess_item
from sekisho.text.detect import scan
from sekisho.text.normal.dates import normal_date
from sekisho.text.normal.phones import normal_phone
from sekisho.trace.faults import NO_COLUMNS, UNREADABLE
from sekisho.trace.parts import CHUNK, ITEMS

MAX_BYTES: Final = 4 << 30
_SAMPLE: Final = 1_000
_LEAST: Final = 0.2  # of a guess's confidence, to be taken
_ENCODINGS: Final = ("utf-8-sig", "cp932", "euc_jp")
_RANKED: Final = 1 << 16  # bytes by which an encoding is guessed
_ESCAPE: Final = b"\x1b$"  # ISO/IEC 2022: a set of two-byte characters begins
_ESCAPED: Final = ("iso2022_jp_ext", "iso2022_jp_2004")
_SEPARATORS: Final = (",", "\t", ";", "|")
_SAME: Final = {"mobile_phone": "phone", "representative": "name"}
_FAMILY: Final = frozenset({"姓", "氏", "苗字", "名字", "last_name", "lastname", "family_name", "surname"})
_GIVEN: Final = frozenset({"名", "first_name", "firstname", "given_name", "givenname"})


@dataclass(frozen=True, slots=True)
class ListColumn:
    """`item` is what the column is looked up as, "" for not at all. `guesses` are all that it could be."""

    name: str
    item: str
    guesses: tuple[Guess, ...] = ()


@dataclass(frozen=True, slots=True)
class Listing:
    """A list that was read. `sha256` is of the file as it came."""

    name: str
    sha256: str
    size: int
    form: str
    encoding: str
    columns: tuple[ListColumn, ...]
    table: pa.Table  # of texts, in the order of `columns`

    @property
    def rows(self) -> int:
        return int(self.table.num_rows)

    def confirmed(self, items: Mapping[str, str]) -> "Listing":
        """With some columns' items as a person says they are; "" leaves a column out."""
        columns = tuple(replace(one, item=items.get(one.name, one.item)) for one in self.columns)
        return replace(self, columns=columns)


def read_list(path: Path) -> Listing:
    """Raises Fault UNREADABLE."""
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise Fault(UNREADABLE, name=path.name, reason=f"{size:,} bytes")
        content = path.read_bytes()
    except OSError as error:
        raise Fault(UNREADABLE, name=path.name, reason=error.strerror) from error
    return read_content(path.name, content)


def read_content(name: str, content: bytes) -> Listing:
    """A list by its file name and bytes. Raises Fault UNREADABLE."""
    suffix = Path(name).suffix.lower()
    encoding = ""
    try:
        if content[:4] == b"%PDF":
            form, table = "pdf", _from_text(_pdf_text(content))
        elif content[:4] == b"PAR1":
            form, table = "parquet", pl.read_parquet(io.BytesIO(content))
        elif content[:4] == b"PK\x03\x04":
            form, table = "xlsx", _from_rows(_workbook_rows(content))
        else:
            encoding, text = decoded(content)
            if suffix in (".json", ".jsonl", ".ndjson") or text.lstrip()[:1] in ("{", "["):
                form, table = "json", _from_json(text)
            else:
                form, table = _from_plain(text)
    except Fault:
        raise
    except Exception as error:  # whatever a parser thinks of a hostile file
        raise Fault(UNREADABLE, name=name, reason=type(error).__name__) from error
    texts = _whole_addresses(_whole_names(table.select(pl.all().cast(pl.String))))
    return Listing(
        name=name,
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        form=form,
        encoding=encoding,
        columns=tuple(_recognised(texts)),
        table=texts.to_arrow(compat_level=pl.CompatLevel.oldest()),
    )


def batches(listing: Listing) -> Iterator[tuple[npt.NDArray[np.int64], pa.RecordBatch]]:
    """The lines to be looked up, with their row numbers. A row with two telephone numbers is two lines.

    Raises Fault NO_COLUMNS when no column is looked up."""
    places: dict[str, list[int]] = {}
    for place, column in enumerate(listing.columns):
        if column.item in ITEMS:
            places.setdefault(column.item, []).append(place)
    if not places:
        raise Fault(NO_COLUMNS, name=listing.name)
    first = {item: found[0] for item, found in places.items()}
    ways = [first]
    ways += [{**first, item: other} for item, found in places.items() for other in found[1:]]
    for start in range(0, listing.rows, CHUNK):
        part = listing.table.slice(start, CHUNK)
        for number, way in enumerate(ways):
            columns = {item: part.column(place).combine_chunks() for item, place in way.items()}
            batch = pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))
            rows = np.arange(start, start + len(part), dtype=np.int64)
            if number:  # a further way to read the row: only where its own column says something
                item = next(item for item in way if way[item] != first[item])
                some = np.array([bool(text) for text in columns[item].to_pylist()], bool)
                rows, batch = rows[some], batch.filter(pa.array(some))
            if len(rows):
                yield rows, batch


def _recognised(texts: pl.DataFrame) -> Iterator[ListColumn]:
    step = max(len(texts) // _SAMPLE, 1)
    sample = texts.gather_every(step).head(_SAMPLE)
    for name in texts.columns:
        guesses = tuple(guess_item(name, sample[name].to_list()))
        best = guesses[0] if guesses and guesses[0].confidence >= _LEAST else None
        item = _SAME.get(best.item, best.item) if best else ""
        yield ListColumn(name, item if item in ITEMS else "", guesses)


def decoded(content: bytes) -> tuple[str, str]:
    """(encoding as Python names it, text)."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16", content.decode("utf-16")
    # ISO-2022-JP is ASCII with escapes: as UTF-8 it would hide every name.
    likely = _ESCAPED if _ESCAPE in content else ("utf-8-sig", *_ranked(content[:_RANKED]))
    for encoding in likely:
        try:
            return encoding.removesuffix("-sig"), content.decode(encoding)
        except UnicodeDecodeError:
            continue
    # A few broken characters must not hide a million good ones.
    tries = [(encoding, content.decode(encoding, "replace")) for encoding in _ENCODINGS]
    return min(tries, key=lambda one: one[1].count("\N{REPLACEMENT CHARACTER}"))


def _ranked(sample: bytes) -> list[str]:
    """The other encodings, the likeliest first. Much of EUC-JP is CP932 too, and reads there as half-width kana."""
    found: list[tuple[int, str]] = []
    for encoding in ("cp932", "euc_jp", "euc_jis_2004"):
        try:
            text = codecs.getincrementaldecoder(encoding)().decode(sample)
        except UnicodeDecodeError:
            found.append((len(sample), encoding))
        else:
            found.append((sum("\uff61" <= one <= "\uff9f" for one in text), encoding))
    return [encoding for _, encoding in sorted(found, key=lambda one: one[0])]


def _from_plain(text: str) -> tuple[str, pl.DataFrame]:
    head = [line for line in text[:100_000].splitlines() if line.strip()][:50]
    if not head:
        return "text", pl.DataFrame()
    counts = {separator: sorted(line.count(separator) for line in head) for separator in _SEPARATORS}
    separator = max(_SEPARATORS, key=lambda one: (counts[one][len(head) // 5], counts[one][-1]))
    if counts[separator][len(head) // 5] == 0 and not (len(head) > 1 and _one_column(head)):
        return "text", _from_text(text)
    first = next(csv.reader(head[:1], delimiter=separator))
    has_header = _is_header(first)
    table = pl.read_csv(
        io.BytesIO(text.encode()),
        separator=separator,
        has_header=has_header,
        infer_schema=False,
        truncate_ragged_lines=True,
        ignore_errors=True,
        encoding="utf8-lossy",
    )
    return ("tsv" if separator == "\t" else "csv"), table


def _one_column(head: Sequence[str]) -> bool:
    """A single column of telephone numbers or mail addresses is a table too."""
    values = [line.strip().strip('"') for line in head[1:]]
    return sum(normal_phone(value) is not None or "@" in value for value in values) > 0.8 * len(values)


def _is_header(cells: Sequence[str]) -> bool:
    """A first row with a telephone number, a date, a mail address or a long number is data."""
    return not any(
        normal_phone(cell) or normal_date(cell) or "@" in cell or sum(map(str.isdigit, cell)) >= 4
        for cell in cells
    )


def _from_json(text: str) -> pl.DataFrame:
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        found = [json.loads(line) for line in text.splitlines() if line.strip()]
    if isinstance(found, dict):
        found = next((value for value in found.values() if isinstance(value, list)), [found])
    rows = [row if isinstance(row, dict) else {"value": row} for row in found]
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pl.DataFrame({name: [_cell(row.get(name)) for row in rows] for name in names}, strict=False)


def _workbook_rows(content: bytes) -> Iterator[list[str | None]]:
    openpyxl: Any = importlib.import_module("openpyxl")  # 0.2 s, and most lists are no workbooks
    book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
    try:
        for sheet in book.worksheets:
            for row in sheet.iter_rows(values_only=True):
                if any(cell is not None for cell in row):
                    yield [_cell(cell) for cell in row]
    finally:
        book.close()


def _cell(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if isinstance(value, str) else str(value)


def _from_rows(rows: Iterator[list[str | None]]) -> pl.DataFrame:
    every = list(rows)
    if not every:
        return pl.DataFrame()
    width = max(map(len, every))
    names = [f"column_{number + 1}" for number in range(width)]
    if _is_header([cell or "" for cell in every[0]]):
        heading = every.pop(0)
        for place, cell in enumerate(heading):
            if cell and cell not in names:
                names[place] = cell
        every = [row for row in every if row != heading]  # sheets repeat it
    padded = [row + [None] * (width - len(row)) for row in every]
    columns = list(zip(*padded, strict=True)) if padded else [()] * width
    return pl.DataFrame(dict(zip(names, columns, strict=True)), schema=dict.fromkeys(names, pl.String))


def _pdf_text(content: bytes) -> str:
    pypdf: Any = importlib.import_module("pypdf")
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(content)).pages)


def _from_text(text: str) -> pl.DataFrame:
    kinds = ("name", "kana", "phone", "address", "birth_date", "email")
    columns: dict[str, list[str | None]] = {kind: [] for kind in kinds}
    for line in text.splitlines():
        raw = line.encode()
        found: dict[str, str] = {}
        for sighting in scan(raw):
            kind = _SAME.get(str(sighting.kind), str(sighting.kind))
            found.setdefault(kind, raw[sighting.start : sighting.end].decode(errors="replace"))
        if any(kind in found for kind in kinds):
            for kind in kinds:
                columns[kind].append(found.get(kind))
    used = {kind: values for kind, values in columns.items() if any(values)}
    return pl.DataFrame(used, schema=dict.fromkeys(used, pl.String))


def _whole_names(texts: pl.DataFrame) -> pl.DataFrame:
    """Family and given name in two columns make one."""
    family = next((name for name in texts.columns if name.strip().lower() in _FAMILY), None)
    given = next((name for name in texts.columns if name.strip().lower() in _GIVEN), None)
    if family is None or given is None or "氏名" in texts.columns:
        return texts
    whole = pl.concat_str([family, given], separator=" ", ignore_nulls=True).alias("氏名")
    return texts.with_columns(whole).drop(family, given)


def _whole_addresses(texts: pl.DataFrame) -> pl.DataFrame:
    """住所1, 住所2 …, or prefecture, city and street in columns of their own, make one address."""
    parts = [
        name
        for name in texts.columns
        if name.strip("0123456789１２３４５ ")
        in ("住所", "都道府県", "市区町村", "市町村", "町名", "町域", "番地", "丁目番地", "建物名", "方書")
    ]
    if len(parts) < 2:
        return texts
    whole = pl.concat_str(
        [pl.when(pl.col(name).str.strip_chars() != "").then(pl.col(name)) for name in parts],
        separator=" ",
        ignore_nulls=True,
    )
    return texts.with_columns(whole.alias("住所")).drop([name for name in parts if name != "住所"])
