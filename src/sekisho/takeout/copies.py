"""One copy of a file, for one recipient: marked as far as its client allows, with a manifest. This is what is sealed.

mark -> seal -> sign: what approvers sign is the SHA-256 of the sealed copy, so no mark can be changed afterwards. Only
separated lists (CSV, TSV) are marked; every other form travels as it is, with its manifest. A cell is touched only
where the client allows a form for its item, and then only between two writings of the same value; everything else
keeps its bytes. Pure: needs no ledger, and may run in a sandbox.
"""

import codecs
import csv
import hashlib
import io
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO, Final

import msgspec

from sekisho.takeout.canaries import Contact, invent, mark_of, usable
from sekisho.takeout.manifest import About, Shape, count_rows, pack
from sekisho.takeout.variants import KINDS, plain, read, write
from sekisho.takeout.watermark import choice, place
from sekisho.text.columns import guess_item
from sekisho.trace.canaries import Mark
from sekisho.trace.intake import decoded

_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
_SEPARATORS: Final = (",", "\t", ";")
_SAMPLE: Final = 1_000
LEAST: Final = 0.2  # of a guess's confidence, as trace.intake takes it
_ANCHORS: Final = ("phone", "email", "name")  # by what a row is told, the most telling first
_SAME: Final = {"mobile_phone": "phone", "representative": "name"}
# A record: its cells, quoted ones over several lines, and its end.
_RECORD: Final = re.compile(r'(?:[^"\n]|"(?:[^"]|"")*")*(?:\n|\Z)')
_MARKABLE: Final = ("name", "kana", "address", "building", "phone", "postal_code", "free_text")


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a client allows for a copy, and the copy's key. `forms` are "item:kind"; `contacts` are unused ones, one for
    each canary that may be planted."""

    key: bytes
    forms: tuple[str, ...] = ()
    reorder: bool = False
    contacts: tuple[Contact, ...] = ()


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """How a copy was marked, from which a found list is read. Confidential: who knows it can remove the marks."""

    forms: tuple[str, ...]
    anchor: str  # the item by which rows were ordered; "" when they were not


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """`source_rows` stood in the list, `planted` came on top; `source` and `sha256` are those of the file before and
    after. Of the manifest's code only its hash is kept."""

    source: str
    source_rows: int
    sha256: str
    size: int
    rows: int
    planted: int
    manifest: str
    code: str
    record: Record
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class _Column:
    item: str
    forms: tuple[str, ...]


@dataclass(slots=True)
class _List:
    """A separated list as it was written: records with their line ends, cells found again by the separator."""

    encoding: str
    bom: str
    separator: str
    head: list[str]  # the first record, or nothing
    records: list[str]
    columns: list[_Column]

    def cells(self, record: str) -> list[str]:
        """As they stand there, quotation marks included."""
        if '"' not in record:
            return record.split(self.separator)
        return list(_raw_cells(record, self.separator))


FORMS: Final = tuple(f"{item}:{kind}" for item in _MARKABLE for kind in KINDS)


def make_copy(name: str, content: bytes, rows: int, plan: Plan, about: About, into: BinaryIO) -> Made:
    """Mark `content`, of which an inspection found `rows` rows, and write list and manifest into `into`."""
    found = _read(content, plan.forms) if plan.forms or plan.reorder or plan.contacts else None
    source = hashlib.sha256(content).hexdigest()
    # Two ways of counting that differ mean that one of them misread the list: then it is left as it is.
    if found is None or len(found.records) != rows:
        manifest, digest = pack(name, content, Shape(rows), about, into)
        return _made(
            source,
            rows,
            0,
            manifest.sha256,
            manifest.size,
            digest,
            manifest.code_hash,
            Record(forms=(), anchor=""),
            (),
        )
    anchor = _anchor(found) if plan.reorder else None
    marks = _plant(found, plan)
    _mark(found, plan)
    if anchor is not None:
        _reorder(found, plan.key, anchor)
    text = found.bom + "".join(found.head) + "".join(found.records)
    marked = text.encode(found.encoding)
    heads = len(found.head)
    counted = count_rows(io.StringIO(text, newline=""), found.separator, heads)
    manifest, digest = pack(name, marked, Shape(counted, found.encoding, found.separator, heads), about, into)
    forms = tuple(sorted({form for column in found.columns for form in column.forms}))
    record = Record(forms=forms, anchor=found.columns[anchor].item if anchor is not None else "")
    return _made(
        source, rows, len(marks), manifest.sha256, manifest.size, digest, manifest.code_hash, record, marks
    )


def _made(
    source: str, rows: int, planted: int, sha256: str, size: int, manifest: str, code: str, record: Record,
    marks: tuple[Mark, ...],
) -> Made:  # fmt: skip
    return Made(
        source=source,
        source_rows=rows,
        sha256=sha256,
        size=size,
        rows=rows + planted,
        planted=planted,
        manifest=manifest,
        code=code,
        record=record,
        marks=marks,
    )


def _read(content: bytes, forms: Sequence[str]) -> _List | None:
    """The list, or None where it is none that can be marked without loss."""
    decoded = _decoded(content)
    if decoded is None:
        return None
    encoding, bom, text = decoded
    records = _records(text)
    if len(records) < 2:
        return None
    # The separator that splits most records alike.
    sample = records[:_SAMPLE]
    for separator in _SEPARATORS:
        made = _List(encoding, bom, separator, [], records, [])
        widths = [len(made.cells(record)) for record in sample]
        if widths[0] > 1 and widths.count(widths[0]) == len(widths):
            break
    else:
        return None
    first = [_bare(cell) for cell in made.cells(records[0])]
    if not any("@" in cell or sum(map(str.isdigit, cell)) >= 4 for cell in first):
        made.head = records[:1]
        made.records = records[1:]
    if made.records and not made.records[-1].endswith("\n"):
        made.records[-1] += "\r\n" if records[0].endswith("\r\n") else "\n"
    step = max(len(made.records) // _SAMPLE, 1)
    rows = [made.cells(record) for record in made.records[::step]][:_SAMPLE]
    for number, name in enumerate(first):
        values = [_bare(row[number]) for row in rows if number < len(row)]
        guesses = guess_item(name if made.head else "", values)
        item = guesses[0].item if guesses and guesses[0].confidence >= LEAST else ""
        item = _SAME.get(item, item)
        made.columns.append(_Column(item, tuple(form for form in forms if form.partition(":")[0] == item)))
    return made


def _decoded(content: bytes) -> tuple[str, str, str] | None:
    """(encoding, byte order mark, text): only what can be written back to the very same bytes."""
    if content[:2] in _UTF16 or b"\0" in content:
        return None
    encoding, text = decoded(content)
    bom = "\ufeff" if content.startswith(codecs.BOM_UTF8) else ""
    try:
        same = (bom + text).encode(encoding) == content
    except UnicodeEncodeError:  # what could not be read stands for something else in it
        same = False
    return (encoding, bom, text) if same else None


def _records(text: str) -> list[str]:
    if '"' not in text:
        lines = text.split("\n")
        last = lines.pop()
        return [line + "\n" for line in lines if line.strip("\r")] + ([last] if last else [])
    return [found[0] for found in _RECORD.finditer(text) if found[0].strip("\r\n")]


def _raw_cells(record: str, separator: str) -> Iterator[str]:
    start, quoted = 0, False
    for number, character in enumerate(record):
        if character == '"':
            quoted = not quoted
        elif character == separator and not quoted:
            yield record[start:number]
            start = number + 1
    yield record[start:]


def _bare(cell: str) -> str:
    """The value of a cell as it stands there."""
    cell = cell.rstrip("\r\n")
    if cell.startswith('"'):
        return next(csv.reader([cell]), [""])[0] if "\n" not in cell else cell.strip('"').replace('""', '"')
    return cell


def _mark(found: _List, plan: Plan) -> None:
    wanted = [(number, column.forms) for number, column in enumerate(found.columns) if column.forms]
    for place_, record in enumerate(found.records):
        cells = found.cells(record)
        if len(cells) != len(found.columns):
            continue
        changed = False
        for number, forms in wanted:
            raw = cells[number]
            body = raw.rstrip("\r\n")
            end = raw[len(body) :]
            quoted = len(body) > 1 and body[0] == body[-1] == '"'
            value = written = body[1:-1] if quoted else body
            if not value or "\n" in value:
                continue
            text = plain(value)
            for form in forms:
                kind = form.partition(":")[2]
                if read(kind, written) is not None:
                    written = write(kind, written, choice(plan.key, form, text), found.encoding)
            if written != value:
                cells[number] = (f'"{written}"' if quoted else written) + end
                changed = True
        if changed:
            found.records[place_] = found.separator.join(cells)


def _anchor(found: _List) -> int | None:
    """The column by which rows are told apart best."""
    for item in _ANCHORS:
        for number, column in enumerate(found.columns):
            if column.item != item:
                continue
            sample = [found.cells(record) for record in islice(found.records, _SAMPLE)]
            values = {plain(_bare(cells[number])) for cells in sample if number < len(cells)} - {""}
            if len(values) > len(sample) // 2:
                return number
    return None


def _reorder(found: _List, key: bytes, anchor: int) -> None:
    def order(record: str) -> tuple[int, str]:
        cells = found.cells(record)
        text = plain(_bare(cells[anchor])) if anchor < len(cells) else ""
        return place(key, text), text

    found.records.sort(key=order)


def _plant(found: _List, plan: Plan) -> tuple[Mark, ...]:
    """Adds the canaries' records among the others. None where the list has no name, or nothing to reach one by."""
    item_of: Mapping[int, str] = {
        number: column.item for number, column in enumerate(found.columns) if column.item
    }
    items = list(item_of.values())
    contacts = usable(plan.contacts, items)
    if "name" not in items or not contacts:
        return ()
    seed = random.Random(hashlib.blake2b(b"places", key=plan.key).digest())  # noqa: S311 (seeded by a secret)
    width = len(found.columns)
    whole = [
        cells
        for cells in map(found.cells, seed.sample(found.records, min(len(found.records), _SAMPLE)))
        if len(cells) == width
    ]
    if not whole:
        return ()
    neighbours = [{number: _bare(cell) for number, cell in enumerate(cells)} for cells in whole]
    quoted = [cell.startswith('"') for cell in whole[0]]
    end = "\r\n" if found.records[0].endswith("\r\n") else "\n"
    marks = []
    for cells in invent(plan.key, contacts, neighbours, item_of, _unique(found, neighbours)):
        marks.append(mark_of(cells, item_of))
        raw = [_quoted(cells.get(number, ""), found.separator, quoted[number]) for number in range(width)]
        found.records.insert(seed.randrange(len(found.records) + 1), found.separator.join(raw) + end)
    return tuple(marks)


def _unique(found: _List, neighbours: Sequence[Mapping[int, str]]) -> dict[int, set[str]]:
    """The values of the columns with digits in which, in the sample, none stands twice."""
    columns = [
        number
        for number in range(len(found.columns))
        if len({row[number] for row in neighbours}) == len(neighbours) > 1
        and all(any(map(str.isdigit, row[number])) for row in neighbours)
    ]
    taken: dict[int, set[str]] = {number: set() for number in columns}
    for record in found.records:
        cells = found.cells(record)
        for number in columns:
            if number < len(cells):
                taken[number].add(_bare(cells[number]))
    return taken


def _quoted(value: str, separator: str, always: bool) -> str:
    if always or any(one in value for one in ('"', separator, "\n")):
        return '"' + value.replace('"', '""') + '"'
    return value
