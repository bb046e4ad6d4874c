"""A page of a file, masked. Pure but for the reading of the store.

A page is about 4 KiB, cut at line ends. It is masked with 4 KiB on both sides in view, so that no value escapes by
lying across a cut. Of a pulled table every personal column shows its masking form, whatever the ticket shows in clear
elsewhere; of any other text, whatever the scanner finds. What the scanner does not know is shown: docs/text.md.
"""

import csv
from dataclasses import dataclass
from typing import Final

from sekisho.faults import Fault
from sekisho.relay.workspace import faults
from sekisho.relay.workspace.store import Store, Stored
from sekisho.text.detect import scan
from sekisho.text.mask import HIDDEN, mask_for

PAGE: Final = 4 << 10  # whoever a page shows is counted: a small budget must allow a look
_MARGIN: Final = 4 << 10
_MOST_STRANGE: Final = 8  # undecodable bytes: a cut character at both ends, no more
_ENCODINGS: Final = ("utf-8", "cp932", "euc_jp")


@dataclass(frozen=True, slots=True)
class Look:
    """One page. `rows` are cells of a table, or one cell a line; `head` names the columns. `clear` is the text as it
    is, for the meter; `shows` are, for a table, the personal values of each row."""

    number: int
    pages: int
    first: int  # byte in the file
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    clear: bytes
    shows: tuple[bytes, ...]


def look_at(store: Store, file: Stored, number: int) -> Look:
    """Page `number`, from 0. Raises Fault NO_FILE beyond the end, NOT_TEXT, DAMAGED."""
    pages = max(1, -(-file.size // PAGE))
    if not 0 <= number < pages:
        raise Fault(faults.NO_FILE, name=f"{file.name[:80]} ({number + 1})")
    first = max(0, number * PAGE - _MARGIN)
    window = b"".join(store.read(file, first, (number + 1) * PAGE + _MARGIN))
    start = _line_start(window, number * PAGE - first) if number else 0
    stop = _line_start(window, (number + 1) * PAGE - first) if number + 1 < pages else len(window)
    if file.columns:
        return _table(file, number, pages, first + start, window[start:stop])
    text = as_utf8(window, file.name)
    if text is not window:  # another encoding: places have moved, so the whole window is shown and metered
        start, stop = 0, len(text)
    shown = _printable(_masked(text, start, stop).decode(errors="replace"))
    lines = tuple((line,) for line in shown.splitlines())
    return Look(number, pages, first + start, (), lines, text[start:stop], ())


def _table(file: Stored, number: int, pages: int, first: int, page: bytes) -> Look:
    lines = page.decode(errors="replace").splitlines()
    if number == 0:
        lines = lines[1:]  # the head
    rows: list[tuple[str, ...]] = []
    shows: list[bytes] = []
    for line in lines:
        cells = next(csv.reader([line]), [])
        if len(cells) != len(file.columns):  # nobody can say which column is which
            rows.append((HIDDEN.decode(),) * len(file.columns))
            shows.append(line.encode())
            continue
        shown, personal = [], []
        for cell, column in zip(cells, file.columns, strict=True):
            value = cell.encode()
            if column.personal:
                personal.append(value)
                shown.append(mask_for(column.item)(value).decode() if cell else "")
            else:
                shown.append(_printable(_masked(value, 0, len(value)).decode(errors="replace")))
        rows.append(tuple(shown))
        if personal:
            shows.append(b"\0".join(personal))
    head = tuple(_printable(column.name) for column in file.columns)
    return Look(number, pages, first, head, tuple(rows), b"", tuple(shows))


def _line_start(window: bytes, place: int) -> int:
    """The first line that begins at or after a place, or the place itself where a line is longer than the margin."""
    found = window.find(b"\n", max(0, place - 1), place + _MARGIN)
    return found + 1 if found >= 0 else min(place, len(window))


def _masked(text: bytes, start: int, stop: int) -> bytes:
    """The bytes from start to stop, with the masking form of every sighting that touches them."""
    pieces: list[bytes] = []
    place = start
    for sighting in scan(text):
        if sighting.end <= place or sighting.start >= stop:
            continue
        pieces += [text[place : sighting.start], mask_for(sighting.kind)(text[sighting.start : sighting.end])]
        place = sighting.end
    pieces.append(text[place : max(place, stop)])
    return b"".join(pieces)


def as_utf8(window: bytes, name: str) -> bytes:
    """The text in UTF-8; the very same object when it is that already. Raises Fault NOT_TEXT."""
    if b"\0" not in window:
        for encoding in _ENCODINGS:
            text = window.decode(encoding, "replace")
            if text.count("�") <= _MOST_STRANGE:
                return window if encoding == "utf-8" else text.encode()
    raise Fault(faults.NOT_TEXT, name=name)


def _printable(text: str) -> str:
    return "".join(one if one.isprintable() or one in "\n\t" else "·" for one in text)
