"""Parts: what is left of a person's row in the registry. Keyed 64-bit digests of normal forms, nothing else.

A *line* is one writing of one person: a row of a list, or of a dataset. Its exact parts are compared for equality,
alone or together (`match.TIERS`); the area (prefecture) only says which records are alike. Its loose parts are pieces,
for the fuzzy pass over what exact parts leave over.
0 says that the line has no such part.

Each digest is BLAKE2b keyed with the trace key, with the part's name as its personalisation: a digest of a name
never equals one of a telephone number. Without the key nobody can compute one; with it, every Japanese mobile number
can be tried in minutes. So the key is kept apart from the registry (`keys.py`), and digests stay personal data.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from hashlib import blake2b
from multiprocessing import get_context
from typing import Final, Generic, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sekisho.text.normal.addresses import read_address
from sekisho.text.normal.dates import normal_date
from sekisho.text.normal.fold import fold
from sekisho.text.normal.names import normal_kana, normal_name
from sekisho.text.normal.phones import normal_phone

EXACT: Final = ("name", "kana", "phone", "spot", "birth", "email", "area")
LOOSE: Final = ("family", "given", "town", "number", "last4")
# Data items of `sekisho.text.items` that make parts. A line has one of each; a row with two telephone numbers is two
# lines (`lines_of_rows`).
ITEMS: Final = ("name", "kana", "phone", "address", "birth_date", "email")

Digests = npt.NDArray[np.int64]
Lines = dict[str, Digests]
"""Part -> one digest a line. All arrays have the same length."""

CHUNK: Final = 50_000  # lines that a worker process takes at once
_REMEMBERED: Final = 1 << 19  # values that a cache holds before it starts afresh
_Value = TypeVar("_Value")


class _Cache(dict[str | None, _Value], Generic[_Value]):
    """Lists repeat themselves: each writing is read once."""

    def __init__(self, make: Callable[[str], _Value], nothing: _Value) -> None:
        super().__init__()
        self._make, self._nothing = make, nothing
        self[None] = nothing

    def __missing__(self, text: str | None) -> _Value:
        value = self[text] = self._make(text) if text else self._nothing
        return value

    def trim(self) -> None:
        if len(self) > _REMEMBERED:
            self.clear()
            self[None] = self._nothing


class Fingerprinter:
    """Turns writings into parts. Holds the trace key; belongs to one thread (its caches)."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._persons = {part: part.encode() for part in (*EXACT, *LOOSE)}
        self._names = _Cache(self._name, (0, 0, 0))
        self._kana = _Cache(lambda text: self._digest("kana", normal_kana(text)), 0)
        self._births = _Cache(self._birth, 0)
        self._phones = _Cache(self._phone, (0, 0))
        self._addresses = _Cache(self._address, (0, 0, 0, 0))
        self._areas = _Cache(lambda text: self._digest("area", text), 0)
        self._emails = _Cache(self._email, 0)
        self._pieces: dict[str, _Cache[int]] = {
            part: _Cache(lambda text, part=part: self._digest(part, text), 0)  # type: ignore[misc]
            for part in LOOSE
        }

    def lines(self, batch: pa.RecordBatch) -> Lines:
        """The parts of each row of a batch whose columns are named as `ITEMS`; others are passed over."""
        size = batch.num_rows
        found: Lines = {part: np.zeros(size, np.int64) for part in (*EXACT, *LOOSE)}
        columns = {name: batch.column(name).to_pylist() for name in batch.schema.names if name in ITEMS}
        for item, parts, cache in (
            ("name", ("name", "family", "given"), self._names),
            ("phone", ("phone", "last4"), self._phones),
            ("address", ("spot", "town", "number", "area"), self._addresses),
        ):
            if item in columns and size:
                together = np.array([cache[text] for text in columns[item]], np.int64)
                for part, digests in zip(parts, together.T, strict=True):
                    found[part] = np.ascontiguousarray(digests)
                cache.trim()
        for item, part, single in (
            ("kana", "kana", self._kana),
            ("birth_date", "birth", self._births),
            ("email", "email", self._emails),
        ):
            if item in columns:
                found[part] = np.array([single[text] for text in columns[item]], np.int64)
                single.trim()
        for pieces in self._pieces.values():
            pieces.trim()
        return found

    def _digest(self, part: str, text: str) -> int:
        if not text:
            return 0
        digest = blake2b(text.encode(), digest_size=8, key=self._key, person=self._persons[part]).digest()
        return int.from_bytes(digest, "little", signed=True) or 1

    def _name(self, text: str) -> tuple[int, int, int]:
        name = normal_name(text)
        # Where family and given name meet is not known; two characters at each end are most of either.
        return self._digest("name", name), self._pieces["family"][name[:2]], self._pieces["given"][name[2:]]

    def _birth(self, text: str) -> int:
        day = normal_date(text)
        return self._digest("birth", day.isoformat()) if day else 0

    def _phone(self, text: str) -> tuple[int, int]:
        phone = normal_phone(text)
        return (self._digest("phone", phone), self._pieces["last4"][phone[-4:]]) if phone else (0, 0)

    def _address(self, text: str) -> tuple[int, int, int, int]:
        """The spot is place and first number: prefecture, building and room are often dropped or written anew, and a
        room behind a hyphen reads like one more number. A merged municipality is another place."""
        read = read_address(text)
        town, area = self._pieces["town"][read.place], self._areas[read.prefecture]
        if not read.numbers:
            return 0, town, 0, area
        number = self._pieces["number"]["-".join(map(str, read.numbers[:3]))]
        return self._digest("spot", f"{read.place}{read.numbers[0]}"), town, number, area

    def _email(self, text: str) -> int:
        folded = fold(text).lower()
        return self._digest("email", folded) if "@" in folded else 0


def fingerprint(
    key: bytes, batches: Iterable[pa.RecordBatch], *, processes: int | None = None
) -> Iterator[Lines]:
    """The parts of each batch, in order, made by worker processes (one per core unless told; 1 is this process).

    Workers end with the iterator. Batches are read a few ahead, so memory stays bounded."""
    count = processes or os.cpu_count() or 1
    if count == 1:
        fingerprinter = Fingerprinter(key)
        yield from map(fingerprinter.lines, batches)
        return
    # Not forked: the caller may have threads, and what they hold would stay locked in the child.
    with ProcessPoolExecutor(count, get_context("spawn"), _begin, (key,)) as pool:
        ahead: list[Future[Lines]] = []
        for batch in batches:
            ahead.append(pool.submit(_lines, batch))
            if len(ahead) > 2 * count:
                yield ahead.pop(0).result()
        for future in ahead:
            yield future.result()


def joined(found: Iterable[Lines]) -> Lines:
    """The lines of several batches as one."""
    batches = list(found)
    return {
        part: np.concatenate([batch[part] for batch in batches]) if batches else np.zeros(0, np.int64)
        for part in (*EXACT, *LOOSE)
    }


_worker: Fingerprinter | None = None  # one in each worker process, for the life of the pool


def _begin(key: bytes) -> None:
    global _worker
    _worker = Fingerprinter(key)


def _lines(batch: pa.RecordBatch) -> Lines:
    if _worker is None:
        raise RuntimeError("the pool's initialiser has not run")
    return _worker.lines(batch)
