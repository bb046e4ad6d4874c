"""A copy's own choices, made by its key from each value alone, and how strongly a found list repeats them.

Nothing is stored: the key of a copy says for every value which of its two writings the copy has, and for every row its
place among the others. So a sample needs no original to be read, columns may be missing, and rows are told by what is
in them.

How sure. Against a copy that a list does not come from, each different value agrees with probability 1/2, and every
order of the rows is as likely as any other, whatever the list is: the key is a secret and the choices are its
pseudo-random function. `strength` is a likelihood ratio against exactly that, averaged over how much of the mark may
have been lost. Its mean is 1 for a wrong copy, so by Markov's inequality at most one wrong copy in a million reaches a
million, without any further assumption; among many copies the bound is divided by their number.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from sekisho.takeout.variants import plain, read

KEY: Final = 32  # bytes
# Of the values that still carry the copy's choice when the rest was mixed with other lists or written anew.
_KEPT: Final = (0.55, 0.6, 0.7, 0.8, 0.9, 0.97, 0.999)
# Mallows' model of an order: from hardly related to hardly disturbed, and untouched.
_ORDERED: Final = (0.001, 0.01, 0.1, 0.5, 2.0, 8.0, math.inf)
# Values of a form, and rows, that are looked at: far more than a decision needs.
_VALUES: Final = 20_000
_ROWS: Final = 2_000


def copy_key(master: bytes, takeout: str) -> bytes:
    """The key of one copy. Whoever makes the copy needs no more than this one."""
    return hashlib.blake2b(takeout.encode(), key=master, digest_size=KEY, person=b"sekisho copy").digest()


def choice(key: bytes, form: str, text: str) -> int:
    """The writing (0 or 1) that the copy gives to a value; `text` is its plain form."""
    return hashlib.blake2b(f"{form}\0{text}".encode(), key=key, digest_size=1).digest()[0] & 1


def place(key: bytes, text: str) -> int:
    """Where the row with this anchor stands: rows are in the order of these numbers."""
    return int.from_bytes(hashlib.blake2b(f"order\0{text}".encode(), key=key, digest_size=8).digest(), "big")


def choices(form: str, values: Iterable[str | None]) -> dict[str, int]:
    """What the values of one column say in this form: plain text -> writing. A value that stands there in both
    writings says nothing."""
    kind = form.partition(":")[2]
    found: dict[str, int] = {}
    both: set[str] = set()
    for value in values:
        bit = read(kind, value) if value else None
        if bit is None or value is None:
            continue
        text = plain(value)
        if found.setdefault(text, bit) != bit:
            both.add(text)
        if len(found) >= _VALUES:
            break
    return {text: bit for text, bit in found.items() if text not in both}


def agreeing(key: bytes, form: str, found: Mapping[str, int]) -> tuple[int, int]:
    """(values that have the copy's writing, of how many)."""
    return sum(choice(key, form, text) == bit for text, bit in found.items()), len(found)


def disorder(key: bytes, anchors: Sequence[str]) -> tuple[int, int]:
    """(pairs of rows that stand the other way round than in the copy, rows looked at)."""
    every = list(dict.fromkeys(anchor for anchor in anchors if anchor))
    rows = every[:: -(-len(every) // _ROWS) or 1]
    return _inversions(np.array([place(key, text) for text in rows], np.uint64)), len(rows)


def strength_of_choices(agreed: int, of: int) -> float:
    """log10 of the likelihood ratio."""
    logs = [agreed * math.log(p) + (of - agreed) * math.log(1 - p) + of * math.log(2) for p in _KEPT]
    return _mean(logs)


def strength_of_order(inversions: int, rows: int) -> float:
    """log10 of the likelihood ratio."""
    if rows < 2:
        return 0.0
    every = math.lgamma(rows + 1)
    logs = []
    for theta in _ORDERED:
        if theta == math.inf:
            logs.append(every if inversions == 0 else -math.inf)
            continue
        numbers = np.arange(1, rows + 1) * -theta
        normal = float(np.log1p(-np.exp(numbers)).sum()) - rows * math.log1p(-math.exp(-theta))
        logs.append(every - theta * inversions - normal)
    return _mean(logs)


def _mean(logs: Sequence[float]) -> float:
    most = max(logs)
    return (most + math.log(sum(math.exp(one - most) for one in logs) / len(logs))) / math.log(10)


def _inversions(numbers: npt.NDArray[np.uint64]) -> int:
    return int(np.count_nonzero(np.triu(numbers[:, None] > numbers[None, :], 1)))
