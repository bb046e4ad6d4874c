"""What is in a file that is to leave, read from the file itself: neither its name nor what is said of it is believed.

Lists are read by `trace.intake` (CSV, TSV, Excel, JSON, Parquet, text, fixed width, PDF; UTF-8, UTF-16, CP932, EUC-JP);
ZIP archives are opened here, also nested. What cannot be looked into is refused: a password, a form that nobody here
reads, an archive in an archive in an archive in an archive, more bytes than are allowed.

Where persons cannot be told apart, each row counts as one: too many are asked about rather than too few. Numbers that
look like cards or individual numbers count wherever they stand.
"""

import io
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

import msgspec
import polars as pl
import pypdf

from sekisho.faults import Fault
from sekisho.takeout.faults import NOT_INSPECTED
from sekisho.text.checkdigits import card_brand, is_individual_number
from sekisho.text.detect import scan
from sekisho.text.mask import mask_for
from sekisho.trace.intake import Listing, read_content

MOST_BYTES: Final = 2 << 30  # of everything in an archive, unpacked
_MOST_MEMBERS: Final = 1_000
_DEEPEST: Final = 3
# Lists shrink to a tenth, dull ones to a hundredth: what grows beyond that in unpacking is made to grow.
_MOST_RATIO: Final = 300
_ANY_RATIO: Final = 10 << 20  # bytes below which nobody asks
_SAMPLE: Final = 5
_LONG: Final = 60  # characters; a name, a number or an address is shorter
_BATCH: Final = 50_000
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # MS-CFB 2.2: an Excel file with a password, or an old one
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
# gzip, bzip2, xz, Zstandard, 7z, RAR, LHA of some levels, Unix compress: small ones may hold no NUL.
_PACKED: Final = (
    b"\x1f\x8b",
    b"BZh",
    b"\xfd7zXZ",
    b"\x28\xb5\x2f\xfd",
    b"7z\xbc\xaf",
    b"Rar!",
    b"\x1f\x9d",
    b"\x1f\xa0",
)
# What an Excel file of sheets consists of (ECMA-376 part 1, 12). Anything else could hold a list that no sheet shows:
# copies of data in pivot caches and external links, embedded files, comments, members that Excel itself ignores.
_OF_EXCEL: Final = re.compile(
    r"\[Content_Types\]\.xml|_rels/.*\.rels|docProps/(app|core|custom|thumbnail)\.\w+|customXml/.*\.(xml|rels)|"
    r"xl/(workbook|styles|sharedStrings|metadata|calcChain|connections)\.xml|xl/_rels/.*\.rels|"
    r"xl/(worksheets|theme|tables|printerSettings|media|drawings|charts|persons)/.*"
)
_ARMOURED: Final = re.compile(rb"\s*-----BEGIN ")
_DIGITS: Final = r"(?:\d[ -]?){11,18}\d"
_TELLING: Final = ("birth_date", "phone", "email", "address")
_ALONE: Final = ("phone", "email")

Progress = Callable[[str, int, int], None]  # file, steps done, of how many


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One list: `form` and `encoding` as read; `sample` rows are masked, in the order of `columns`."""

    name: str
    form: str
    encoding: str
    rows: int
    persons: int
    cards: int
    numbers: int
    items: tuple[str, ...]
    columns: tuple[str, ...]
    sample: tuple[tuple[str, ...], ...]


class Inspected(msgspec.Struct, frozen=True, kw_only=True):
    """A file as a whole. Persons of several lists are added up: that two lists name the same ones is not looked at."""

    lists: tuple[Found, ...]

    @property
    def rows(self) -> int:
        return sum(one.rows for one in self.lists)

    @property
    def persons(self) -> int:
        return sum(one.persons for one in self.lists)

    @property
    def cards(self) -> int:
        return sum(one.cards for one in self.lists)

    @property
    def numbers(self) -> int:
        return sum(one.numbers for one in self.lists)

    @property
    def items(self) -> tuple[str, ...]:
        return tuple(sorted({item for one in self.lists for item in one.items}))


@dataclass(frozen=True, slots=True)
class Differences:
    """What was said against what is there."""

    persons: int  # there, beyond those that were spoken of; negative: fewer
    items: tuple[str, ...]  # there, and not spoken of
    cards: int
    numbers: int

    @property
    def none(self) -> bool:
        return self.persons == 0 and not self.items


def inspect(
    name: str,
    content: bytes,
    progress: Progress = lambda *_: None,
    *,
    listed: Callable[[Listing], None] = lambda _: None,
) -> Inspected:
    """`listed` is given each list as it was read. Raises Fault NOT_INSPECTED."""
    lists = []
    for path, data in _members(name, content, _DEEPEST, [MOST_BYTES, _MOST_MEMBERS]):
        _check_form(path, data)
        try:
            listing = read_content(PurePosixPath(path).name, data)
        except Fault as fault:
            reason = str(fault.values.get("reason", fault.code))
            raise Fault(NOT_INSPECTED, name=path, reason=reason) from fault
        listed(listing)
        lists.append(_look(listing, data, path, progress))
    return Inspected(lists=tuple(lists))


def differences(found: Inspected, *, persons: int, items: Sequence[str]) -> Differences:
    unspoken = tuple(item for item in found.items if item not in items)
    return Differences(found.persons - persons, unspoken, found.cards, found.numbers)


def _members(name: str, content: bytes, depth: int, left: list[int]) -> Iterator[tuple[str, bytes]]:
    """The lists in a file: itself, or the members of an archive. `left`: bytes and members that may still come."""
    if content[:4] not in (b"PK\x03\x04", b"PK\x05\x06"):
        yield name, content
        return
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            if any(entry.flag_bits & 0x1 for entry in entries):  # APPNOTE 4.4.4: bit 0, encrypted
                raise Fault(NOT_INSPECTED, name=name, reason="password")
            if any(entry.file_size > max(_ANY_RATIO, _MOST_RATIO * entry.compress_size) for entry in entries):
                raise Fault(NOT_INSPECTED, name=name, reason="it unpacks to more than a list does")
            left[0] -= sum(entry.file_size for entry in entries)
            left[1] -= len(entries)
            if min(left) < 0 or depth == 0:
                raise Fault(NOT_INSPECTED, name=name, reason="too large, or too deep")
            if "[Content_Types].xml" in archive.namelist():
                names = archive.namelist()
                if "xl/workbook.xml" not in names:
                    raise Fault(NOT_INSPECTED, name=name, reason="a form that is not read")
                if beside := next((one for one in names if not _OF_EXCEL.fullmatch(one)), ""):
                    raise Fault(NOT_INSPECTED, name=name, reason=f"beside its sheets: {beside[:60]}")
                yield name, content
                return
            for entry in entries:
                with archive.open(entry) as member:
                    # A lying size ends here: the checksum behind it does not fit.
                    data = member.read(entry.file_size)
                    if len(data) != entry.file_size or member.read(1):
                        raise zipfile.BadZipFile("size")
                yield from _members(f"{name}/{entry.filename}", data, depth - 1, left)
    except Fault:
        raise
    except Exception as error:  # whatever the archive's parser thinks of a hostile file
        raise Fault(NOT_INSPECTED, name=name, reason=type(error).__name__) from error


def _check_form(name: str, content: bytes) -> None:
    if content.startswith(b"%PDF"):
        try:
            encrypted = pypdf.PdfReader(io.BytesIO(content)).is_encrypted
        except Exception as error:  # whatever the parser thinks of a hostile file
            raise Fault(NOT_INSPECTED, name=name, reason=type(error).__name__) from error
        if encrypted:
            raise Fault(NOT_INSPECTED, name=name, reason="password")
        return
    if content.startswith(_OLE):
        raise Fault(NOT_INSPECTED, name=name, reason="password, or an old form of Excel")
    if content[:4] in (b"PK\x03\x04", b"PAR1") or content[:2] in _UTF16:
        return
    # No text in the encodings that are read holds a NUL, and whatever is compressed or encrypted holds some.
    if b"\0" in content or content.startswith(_PACKED) or _ARMOURED.match(content):
        raise Fault(NOT_INSPECTED, name=name, reason="a form that is not read")


def _look(listing: Listing, content: bytes, path: str, progress: Progress) -> Found:
    table = pl.DataFrame(pl.from_arrow(listing.table))
    steps = len(listing.columns) + 1
    cards = numbers = 0
    for place, name in enumerate(table.columns):
        progress(path, place, steps)
        some_cards, some_numbers = _count_numbers(table[name])
        cards += some_cards
        numbers += some_numbers
    # A guess that the values contradict still counts: who asks may have chosen the column's name.
    items = [column.item or (column.guesses[0].item if column.guesses else "") for column in listing.columns]
    persons = _count_persons(table, items)
    for name, item in zip(table.columns, items, strict=True):
        if item in ("", "free_text") or _is_long(table[name]):
            persons = max(persons, _count_within(table[name]))
    if (rest := _unread(listing, content, table)) is not None:
        persons = max(persons, _count_within(rest))
        some_cards, some_numbers = _count_numbers(rest)
        cards, numbers = max(cards, some_cards), max(numbers, some_numbers)
    progress(path, steps, steps)
    sample = tuple(
        tuple(
            mask_for(item)(str(cell).encode()).decode() if cell is not None else ""
            for item, cell in zip(items, row, strict=True)
        )
        for row in table.head(_SAMPLE).iter_rows()
    )
    return Found(
        name=path,
        form=listing.form,
        encoding=listing.encoding,
        rows=listing.rows,
        persons=persons,
        cards=cards,
        numbers=numbers,
        items=tuple(sorted({item for item in items if item} | _numbered(cards, numbers))),
        columns=tuple(column.name for column in listing.columns),
        sample=sample,
    )


def _numbered(cards: int, numbers: int) -> set[str]:
    return ({"card"} if cards else set()) | ({"individual_number"} if numbers else set())


def _count_numbers(column: pl.Series) -> tuple[int, int]:
    """(cards, individual numbers) in the cells of a column; full-width digits are digits."""
    some = column.filter(column.str.count_matches(r"\d") >= 12).str.normalize("NFKC")
    found = some.str.extract_all(_DIGITS).explode().drop_nulls().str.replace_all("[ -]", "")
    texts = found.to_list()
    return sum(card_brand(text) is not None for text in texts), sum(map(is_individual_number, texts))


def _unread(listing: Listing, content: bytes, table: pl.DataFrame) -> pl.Series | None:
    """The lines of a text of which the table does not hold everything: longer rows than the first, a second list in a
    JSON object. Quotation marks lead here too, which costs a second look and nothing else."""
    if not listing.encoding:
        return None
    text = content.decode(listing.encoding, "replace").removeprefix("\ufeff")
    cells = sum(table[name].str.len_chars().sum() for name in table.columns)
    heading = sum(map(len, table.columns))
    between = (listing.rows + 1) * max(len(table.columns), 1) + text.count("\r\n")
    if cells + heading + between >= len(text):
        return None
    return pl.Series(text.splitlines(), dtype=pl.String)


def _is_long(column: pl.Series) -> bool:
    return bool((column.str.len_chars() > _LONG).any())


def _count_within(column: pl.Series) -> int:
    """How many persons the texts of a column name at least: telephone numbers, mail addresses or names in them."""
    told: dict[str, set[bytes]] = {kind: set() for kind in ("phone", "mobile_phone", "email", "name")}
    texts = column.drop_nulls().unique()
    for start in range(0, len(texts), _BATCH):
        text = "\n".join(texts.slice(start, _BATCH).to_list()).encode() + b"\n"
        for found in scan(text):
            if found.kind in told:
                told[found.kind].add(text[found.start : found.end])
    return max(len(values) for values in told.values())


def _count_persons(table: pl.DataFrame, items: Sequence[str]) -> int:
    """How many different persons the rows name at most; each row is one where nothing tells them apart."""
    first = {item: name for name, item in reversed(list(zip(table.columns, items, strict=True)))}
    named = [first["name"]] if "name" in first else []
    # A telephone number or mail address tells by itself; a birth date or an address only beside a name.
    ways = [[*named, first[item]] for item in _TELLING if item in first and (named or item in _ALONE)]
    if not ways:
        return len(table)
    return max(_count_different(table, way) for way in ways)


def _count_different(table: pl.DataFrame, by: Sequence[str]) -> int:
    plain = pl.col(by).fill_null("").str.normalize("NFKC").str.replace_all(r"[\s-]", "")
    keys = table.select(plain).select(pl.concat_str(by, separator="\x1f").hash())
    return int(keys.to_series().n_unique())
