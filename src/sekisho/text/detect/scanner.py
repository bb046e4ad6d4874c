"""The scanner: chunks of UTF-8 bytes in, sightings out, whatever the chunking.

Almost all bytes of a terminal or a file hold nothing. One `bytes.translate` folds a chunk to a few character
classes, and a handful of `bytes.find` look for what a rule of rules.py needs: a run of ten digits, a digit before a
hyphen and four digits, an @ …; outside ASCII, a few wide patterns do the same. Only lines with such an anchor are read.
In large chunks numpy says first which lines can have one: it compares as many bytes at a time as the processor takes.

A line longer than 4 KiB is read in pieces that overlap, cut by its own length and not by the chunks. Until its
line ends, or 4 KiB have come, nothing of a line is reported: `finish` at the end of the stream.
"""

from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from typing import Final

import numpy as np

from sekisho.text.detect.rules import Sighting, find_in_line, telling_places

_PIECE: Final = 4096
_OVERLAP: Final = 1024  # no value is longer than half of it: each is whole in the piece that reports it
_STEP: Final = _PIECE - _OVERLAP
_EDGE: Final = _OVERLAP // 2

_OTHER: Final = b"x"
_DIGIT: Final = b"0"
_WIDE: Final = b"J"
_LINE_END: Final = b"\n"


def _classes() -> bytes:
    table = bytearray(_OTHER * 256)
    for byte in range(256):
        if byte >= 0x80:
            table[byte] = _WIDE[0]
        elif byte in b"0123456789":
            table[byte] = _DIGIT[0]
        elif byte in b"-) \n@":
            table[byte] = byte
    table[0x0D] = _LINE_END[0]  # a progress bar rewrites its line with a lone CR
    return bytes(table)


_CLASSES: Final = _classes()
# Each anchor with what makes it worth looking for: the rare short one is sought first, the long ones where it is.
_CLASS_ANCHORS: Final = (
    (b"@", (b"@",)),
    (b"0000000000", (b"0000000000",)),
    (b"0-000", (b"0-0000", b"0-000-000")),
    (b"0)000", (b"0)0000",)),
    (b"0 000", (b"0 0000 0000", b"0 000 0000", b"0 0000 000", b"0 000 000", b"0 000000 0000")),
)
_LARGE: Final = 4096  # bytes from which numpy is worth its calls
_BLOCK: Final = 64 << 10  # bytes that it is given at a time: what it makes of them stays near the processor
_REACH: Final = 16  # no less than the longest thing that is looked for
_WORD_ANCHORS: Final = tuple((word, (word,)) for word in (b"+81", b"irth", b"IRTH", b"DOB"))


class Scanner:
    """Feed a stream chunk by chunk; each sighting is reported once, at its place in the stream."""

    def __init__(self) -> None:
        self._pending = b""  # the unfinished line, or what the next piece of it needs
        self._place = 0  # of the first pending byte in the stream
        self._within = False  # pending continues a line of which pieces have been read

    def feed(self, chunk: bytes) -> list[Sighting]:
        """The sightings that this chunk completes. At most 4 KiB are kept for the next call."""
        data = self._pending + chunk
        found: list[Sighting] = []
        end = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        if end:
            begun = 0
            if self._within:
                begun = _line_end(data[:end].translate(_CLASSES), 0)
                found = _read(data[:begun], self._place, within=True, complete=True)[0]
            found += _scan_lines(data[begun:end], self._place + begun)
            self._place, self._within = self._place + end, False
        rest, start = _read(data[end:], self._place, within=self._within, complete=False)
        self._pending = data[end + start :]
        self._place, self._within = self._place + start, self._within or start > 0
        return found + rest

    def so_far(self) -> list[Sighting]:
        """What the unfinished line holds as far as it has come: each is reported again when the line ends, unless what
        comes makes another value of it. For whoever passes a line on before it ends."""
        return _read(self._pending, self._place, within=self._within, complete=True)[0]

    def finish(self) -> list[Sighting]:
        """The sightings of the last, unfinished line. What is fed afterwards begins a new line."""
        found, _ = _read(self._pending, self._place, within=self._within, complete=True)
        self._place += len(self._pending)
        self._pending, self._within = b"", False
        return found


def scan(data: bytes) -> list[Sighting]:
    """All sightings of one whole text."""
    scanner = Scanner()
    return scanner.feed(data) + scanner.finish()


def _read(line: bytes, place: int, *, within: bool, complete: bool) -> tuple[list[Sighting], int]:
    """Read one line piece by piece; also where the piece begins that a line not yet complete has to wait for.

    `within`: the line begins with a piece that is not its first one.
    """
    found: list[Sighting] = []
    start = 0
    while len(line) - start > _PIECE:
        found += _accepted(line[start : start + _PIECE], place + start, first=not within, last=False)
        within, start = True, start + _STEP
    if complete:
        found += _accepted(line[start:], place + start, first=not within, last=True)
    return found, start


def _accepted(piece: bytes, place: int, *, first: bool, last: bool) -> list[Sighting]:
    """Sightings that begin in this piece's own half of the overlaps with its neighbours."""
    if not _has_anchor(piece):
        return []
    lowest = place if first else place + _EDGE
    highest = place + len(piece) - (0 if last else _EDGE)
    return [sighting for sighting in find_in_line(piece, place) if lowest <= sighting.start < highest]


def _has_anchor(piece: bytes) -> bool:
    return next(_anchored_lines(piece, piece.translate(_CLASSES)), None) is not None


def _scan_lines(data: bytes, place: int) -> list[Sighting]:
    """Sightings of whole lines, in order; a line without an anchor is never looked at."""
    found: list[Sighting] = []
    classes = data.translate(_CLASSES)
    # Pieces of a long line are judged one by one, as they are when the line comes in chunks.
    lines = set(_long_lines(classes)) | set(_anchored_lines(data, classes))
    for start, end in sorted(lines):
        if end - start > _PIECE:
            found += _read(data[start:end], place + start, within=False, complete=True)[0]
        else:
            found += find_in_line(data[start:end], place + start)
    return found


def _long_lines(classes: bytes) -> Iterator[tuple[int, int]]:
    start = 0
    while len(classes) - start > _PIECE:
        end = classes.rfind(_LINE_END, start, start + _PIECE) + 1
        if end == 0:
            end = _line_end(classes, start)
            yield start, end
        start = end


def _anchored_lines(data: bytes, classes: bytes) -> Iterator[tuple[int, int]]:
    """Start and end of the lines that a rule can answer for, some of them more than once."""
    if len(data) < _LARGE:
        yield from _with_anchor(data, classes)
    else:
        end = 0
        for place in (place for block in range(0, len(data), _BLOCK) for place in _places(data, block)):
            if place >= end:
                start, end = classes.rfind(_LINE_END, 0, place) + 1, _line_end(classes, place)
                if any(_with_anchor(data[start:end], classes[start:end])):
                    yield start, end
    if not data.isascii():
        yield from _telling_lines(data, classes)


def _with_anchor(data: bytes, classes: bytes) -> Iterator[tuple[int, int]]:
    for text, anchors in ((classes, _CLASS_ANCHORS), (data, _WORD_ANCHORS)):
        for anchor in (long for short, longs in anchors if short in text for long in longs):
            at = text.find(anchor)
            while at >= 0:
                end = _line_end(classes, at)
                yield classes.rfind(_LINE_END, 0, at) + 1, end
                at = text.find(anchor, end)


def _places(data: bytes, block: int) -> list[int]:
    """Places within a block of which each line with an anchor has one, and few others do, in order."""
    codes = np.frombuffer(data, np.uint8, min(_BLOCK + _REACH, len(data) - block), block)
    if len(codes) <= _REACH:  # the block before has read it all
        return []
    digit = (codes - 48) < 10  # of unsigned bytes: what is less than a zero becomes large
    two = digit[:-1] & digit[1:]
    four = two[:-2] & two[2:]
    eight = four[:-4] & four[4:]
    found = [np.flatnonzero(eight[:-2] & two[8:]), np.flatnonzero(codes == ord("@"))]
    # A digit, one of "-) ", three digits.
    between = (codes == ord("-")) | (codes == ord(")")) | (codes == ord(" "))
    found.append(np.flatnonzero(digit[:-4] & between[1:-3] & two[2:-1] & digit[4:]))
    small = codes | 0x20
    for word in (b"irth", b"dob", b"+81"):  # or in capitals; "+" and "8", "1" are what they were
        if word[:1] == b"+" and b"+" not in data:
            continue
        size = len(codes) - len(word) + 1
        there = small[:size] == word[0]
        for place, code in enumerate(word[1:], 1):
            there &= small[place : place + size] == code
        found.append(np.flatnonzero(there))
    places: list[int] = (np.sort(np.concatenate(found)) + block).tolist()
    return places


def _telling_lines(data: bytes, classes: bytes) -> Iterator[tuple[int, int]]:
    """Of the lines that are not ASCII, those in which a rule can answer; they are put to the patterns all at once."""
    lines = []
    at = classes.find(_WIDE)
    while at >= 0:
        end = _line_end(classes, at)
        lines.append((classes.rfind(_LINE_END, 0, at) + 1, end))
        at = classes.find(_WIDE, end)
    # One line end for the patterns.
    decoded = [
        data[start:end].replace(b"\r", b"\n").decode("utf-8", "surrogateescape") for start, end in lines
    ]
    ends = list(accumulate(map(len, decoded)))
    for place in telling_places("".join(decoded)):
        yield lines[bisect_right(ends, place)]


def _line_end(classes: bytes, start: int) -> int:
    end = classes.find(_LINE_END, start)
    return len(classes) if end < 0 else end + 1
