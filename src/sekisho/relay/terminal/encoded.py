"""Text that nobody reads as it stands: base64, hex and decimal dumps, other armour, and pictures made of characters.

What it says cannot be told here, so it is counted in characters, and whoever meters persons takes each
`CHARACTERS_A_PERSON` of it for one (`scan.py`). The forms are told by shape alone, and each has honest uses: a
certificate, a checksum. Therefore the first `FREE` characters of a person's day cost nothing: of a day and not of a
session, or many short sessions would carry any file.

Not told: what looks like words (a word list for bytes), lines of fewer than 24 characters, spaces between all
characters. For these there is only the volume (`volume.py`).
"""

import re
from typing import Final

import numpy as np
import numpy.typing as npt

FREE: Final = 2_000
CHARACTERS_A_PERSON: Final = 100


def _classes(letters: str, punctuation: str) -> bytes:
    """A table for `bytes.translate`; what is neither becomes a space."""
    shown = (chr(byte) for byte in range(0x21, 0x7F))
    return (
        " " * 0x21 + "".join(letters if one.isalnum() else punctuation for one in shown) + " " * 0x81
    ).encode()


_KINDS: Final = _classes("a", "p")
_SHOWN: Final = _classes("a", "a")
_DIGITS: Final = b"0123456789abcdefABCDEF"
# What a dump is made of, and everything else: a search skips whole words of other letters.
_DUMPED: Final = bytes(
    ord("a") if byte in _DIGITS else ord(" ") if byte in b" :" else ord("x") for byte in range(256)
)
_RUN: Final = b"a" * 24
_LONG_RUN: Final = b"a" * 60
_ALNUM_RUN: Final = re.compile(rb"[0-9A-Za-z]{24,}")
_LOWER_UPPER: Final = re.compile(rb"[a-z](?=[A-Z])")
_LARGE: Final = 4096  # bytes from which numpy is worth its calls
_BLOCK: Final = 64 << 10  # bytes that it is given at a time: what it makes of them stays near the processor
# Groups as xxd, od and hexdump write them: at least eight in a line, of two to eight hexadecimal or octal digits; with
# colons more than eight, for so many has an IPv6 address.
_GROUPS: Final = re.compile(
    rb"(?:[0-9A-Fa-f]{2,8} {1,2}){7,}[0-9A-Fa-f]{2,8}|(?:[0-9A-Fa-f]{2,8}[ :]{1,2}){8,}[0-9A-Fa-f]{2,8}"
)
_SHORTEST_GROUPS: Final = 8 * 2 + 7
_GROUP_HINTS: Final = (
    b"aa aa aa aa aa aa",
    b"aaaa aaaa aaaa aaaa aaaa",
    b"aaa aaa aaa aaa aaa",
    b"aaaaaa aaaaaa aaaaaa",
)
_ALNUMS: Final = frozenset(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_SAMPLE: Final = 256
_LONGEST_WORD: Final = 48
_LONGEST_LINE: Final = 4096
_BLOCKS: Final = re.compile(rb"\xe2[\x96\xa0-\xa3]")  # U+2580-25BF, U+2800-28FF
_HASHES: Final = re.compile(rb"(?m)^[# ]{20,}\r?$")
# A picture of coloured spaces.
_COLOURED: Final = re.compile(rb"\x1b\[[0-9;:]*m {1,8}(?=\x1b)")


class Unread:
    """What one person was shown in a day that nobody can read; the persons for `characters` of it are counted already.
    All sessions of the person share it."""

    def __init__(self, characters: int = 0) -> None:
        self.characters = characters
        self._taken = self._due()

    def take(self, characters: int) -> int:
        """Add so many; the persons that are due for them."""
        self.characters += characters
        due = self._due() - self._taken
        self._taken += due
        return due

    def _due(self) -> int:
        return max(0, self.characters - FREE) // CHARACTERS_A_PERSON


class Unreadable:
    """One session's stream, judged line by line whatever its pieces. At most 4 KiB of a line are waited for."""

    def __init__(self) -> None:
        self._line = b""
        self._colour = b""  # a colour, and the spaces behind it

    def feed(self, text: bytes, raw: bytes) -> int:
        """How many more characters nobody can read. `raw` is `text` with its control sequences."""
        data = self._line + text
        cut = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        if len(data) - cut > _LONGEST_LINE:
            cut = len(data)
        self._line = data[cut:]
        lines = data[:cut]
        found = encoded_characters(lines) + drawn_cells(lines) if lines else 0
        if self._colour or b"\x1b" in raw:
            raw = self._colour + raw
            last = raw.rfind(b"\x1b")
            found += coloured_cells(raw[: last + 1])
            self._colour = raw[last : last + 32]
        return found


def encoded_characters(text: bytes) -> int:
    """How many characters of whole lines belong to such runs. `text` is without control sequences."""
    runs, long_runs, groups = _can_hold(text) if len(text) >= _LARGE else (True, True, True)
    found = 0
    shown = text.translate(_SHOWN) if runs or long_runs else b""
    if runs:
        kinds = text.translate(_KINDS)
        place = kinds.find(_RUN)
        while place >= 0:
            start = shown.rfind(b" ", 0, place) + 1
            end = _end(shown, place)
            if _is_armour(text[start:end]):
                found += end - start
            place = kinds.find(_RUN, end)
    if long_runs:
        place = shown.find(_LONG_RUN)
        while place >= 0:
            end = _end(shown, place)
            # Eight different signs among letters and digits: base85, uuencode. No path and no address has so many.
            if len(set(text[place:end]) - _ALNUMS) >= 8:
                found += end - place
            place = shown.find(_LONG_RUN, end)
    if groups:
        dumped = text.translate(_DUMPED)
        if any(hint in dumped for hint in _GROUP_HINTS):
            found += sum(match.end() - match.start() for match in _GROUPS.finditer(text))
    return found


def _can_hold(text: bytes) -> tuple[bool, bool, bool]:
    """Whether there can be runs of letters and digits, long runs of anything, groups of digits: most text has none."""
    runs = long_runs = groups = False
    for block in range(0, len(text), _BLOCK):
        codes = np.frombuffer(text, np.uint8, min(_BLOCK + len(_LONG_RUN), len(text) - block), block)
        small = codes | 0x20
        digit = (codes - 48) < 10  # of unsigned bytes: what is less than a zero becomes large
        dumped = digit | ((small - 97) < 6) | (codes == ord(" ")) | (codes == ord(":"))
        runs = runs or _has_run(digit | ((small - 97) < 26), len(_RUN))
        long_runs = long_runs or _has_run((codes - 0x21) < 0x5E, len(_LONG_RUN))
        groups = groups or _has_run(dumped, _SHORTEST_GROUPS)
    return runs, long_runs, groups


def _has_run(mask: "npt.NDArray[np.bool_]", length: int) -> bool:
    """Whether `length` of the mask follow each other: by runs that are twice as long each time."""
    if len(mask) < length:
        return False
    have = 1
    while have < length:
        more = min(have, length - have)
        mask = mask[: len(mask) - more] & mask[more:]
        have += more
    return bool(mask.any())


def drawn_cells(text: bytes) -> int:
    """How many cells of pictures: blocks and braille, rows of #."""
    cells = len(_BLOCKS.findall(text)) if b"\xe2" in text else 0
    if b"#" in text and b"##" in text:  # one byte alone is found far faster
        cells += sum(match.end() - match.start() for match in _HASHES.finditer(text))
    return cells


def coloured_cells(raw: bytes) -> int:
    """How many cells of pictures made of coloured spaces; `raw` ends where the next sequence begins."""
    return len(_COLOURED.findall(raw))


def _end(shown: bytes, place: int) -> int:
    end = shown.find(b" ", place)
    return len(shown) if end < 0 else end


def _is_armour(token: bytes) -> bool:
    """Letters and digits mixed as no word or path mixes them; or digits alone; or letters of one case in a row too
    long for a word (base32 of digits has hardly any digits)."""
    run = _ALNUM_RUN.search(token)
    if run is None:
        return False
    word = run[0][:_SAMPLE]
    if word.isupper() or (len(word) >= _LONGEST_WORD and word.islower()):
        return True
    if 12 * (len(word) - len(word.translate(None, b"0123456789"))) >= len(word):
        return True
    return 6 * len(_LOWER_UPPER.findall(word)) >= len(word)
