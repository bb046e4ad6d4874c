"""Harmless choices in the writing of a value, of which a copy makes its own: the space in a name, the width of digits.

A form is "item:kind". Which forms a copy may use, its client says for each item. `write` gives a value one of two
writings, `read` tells which one a value has, or None where it could not have both. Both writings have one `plain` text:
whoever normalises a list removes the mark, and the list stays what it was.
"""

import re
from collections.abc import Callable
from typing import Final

from sekisho.text.normal.fold import HYPHENS, fold

KINDS: Final = ("space", "width", "hyphen", "end")
_INNER: Final = re.compile(r"(?<=\S)[ \u3000](?=\S)")
_DIGITS: Final = re.compile(r"[0-9０-９]")
_HYPHEN: Final = re.compile(r"(?<=[0-9０-９])[-\uff0d\u2212](?=[0-9０-９])")
_LEFT_OUT: Final = re.compile(rf"[\s{re.escape(HYPHENS)}]+")
_WIDE: Final = {ord("0") + n: 0xFF10 + n for n in range(10)}
_NARROW: Final = {wide: narrow for narrow, wide in _WIDE.items()}


def plain(value: str) -> str:
    """What every writing of a value has in common: by this text the choice is made and found again."""
    return _LEFT_OUT.sub("", fold(value))


def read(kind: str, value: str) -> int | None:
    """Which writing a value has: 0 or 1; None when it has neither, or both at once."""
    return _KINDS[kind][0](value)


def write(kind: str, value: str, bit: int, encoding: str) -> str:
    """The value in writing `bit`; as it is where this value, or this encoding, has no two writings."""
    if read(kind, value) is None:
        return value
    written = _KINDS[kind][1](value, bit, encoding)
    try:
        written.encode(encoding)
    except UnicodeEncodeError:
        return value
    return written


def _read_space(value: str) -> int | None:
    found = _INNER.findall(value)
    return ("\u3000" in found) if len(set(found)) == 1 else None


def _write_space(value: str, bit: int, _: str) -> str:
    return _INNER.sub("\u3000" if bit else " ", value)


def _read_width(value: str) -> int | None:
    found = {one > "9" for one in _DIGITS.findall(value)}
    return found.pop() if len(found) == 1 else None


def _write_width(value: str, bit: int, _: str) -> str:
    return value.translate(_WIDE if bit else _NARROW)


def _read_hyphen(value: str) -> int | None:
    found = {one != "-" for one in _HYPHEN.findall(value)}
    return found.pop() if len(found) == 1 else None


def _write_hyphen(value: str, bit: int, encoding: str) -> str:
    # Python's EUC-JP knows the wide hyphen of JIS X 0208 as U+2212, CP932 as U+FF0D.
    wide = "\u2212" if encoding.replace("-", "_").startswith("euc") else "\uff0d"
    return _HYPHEN.sub(wide if bit else "-", value)


def _read_end(value: str) -> int | None:
    return value.endswith(" ") if value.strip() else None


def _write_end(value: str, bit: int, _: str) -> str:
    return value.rstrip(" ") + " " * bit


_KINDS: Final[dict[str, tuple[Callable[[str], int | None], Callable[[str, int, str], str]]]] = {
    "space": (_read_space, _write_space),
    "width": (_read_width, _write_width),
    "hyphen": (_read_hyphen, _write_hyphen),
    "end": (_read_end, _write_end),
}
