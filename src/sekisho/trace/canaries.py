"""Canaries: invented persons that stand in one copy of a list only, so that a found list names the copy.

Who makes a copy plants them (`plant`); a lookup asks `who` they are. They stand sealed under the client organisation's
key, and only their number in the log. A canary counts where a telling tier finds it by more than a name: what a
stranger could share by chance is no hit. They are compared under a key made for the lookup, so the trace key is not
needed, and nothing of a list stays.

A canary is evidence of the copy, never of a person; and a list without any says little: five of them survive, one at
least, a sample of a tenth of the rows in 41 cases of a hundred (1 - 0.9 ** 5).
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sqlalchemy import select

from sekisho.faults import Fault
from sekisho.ledger import Erased, Ledger, Recorded
from sekisho.trace.facts import CanariesPlanted
from sekisho.trace.faults import BAD_CANARY
from sekisho.trace.intake import Listing, batches
from sekisho.trace.match import TIERS, match
from sekisho.trace.parts import EXACT, ITEMS, Fingerprinter, Lines, joined
from sekisho.trace.tables import canaries

# A name with a date of birth is shared by chance, once in some ten thousand persons of an age.
_TELLING: Final = np.array([not tier.weak and tier.name != "name+birth" for tier in TIERS])


class Mark(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One invented person, written as in the copy; "" for what the copy has no column for."""

    name: str = ""
    kana: str = ""
    phone: str = ""
    address: str = ""
    birth_date: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class Planted:
    """The canaries of one copy. `copy` is whatever names it: a take-out's id and its recipient's, say."""

    copy: str
    organisation: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Hits:
    """How many of a copy's canaries stand in a list."""

    copy: str
    organisation: str
    planted: int
    found: int


async def plant(
    ledger: Ledger, copy: str, organisation: str, marks: Sequence[Mark], *, by: str = "sekisho"
) -> Recorded:
    """Put on record that these canaries stand in this copy and in no other; durable before the copy leaves.

    Raises Fault BAD_CANARY when one of them could be found by nothing, or stands in another copy already."""
    made = tuple(marks)
    own = _lines(made, os.urandom(32))
    telling = np.zeros(len(made), bool)
    for number, tier in enumerate(TIERS):
        if _TELLING[number]:
            telling |= np.all([own[part] != 0 for part in tier.parts], axis=0)
    if not made or not telling.all():
        raise Fault(BAD_CANARY, copy=copy, reason="name with telephone, address or mail address is needed")
    for other in await planted(ledger):
        if _found((other,), made):
            raise Fault(BAD_CANARY, copy=copy, reason=f"it stands in {other.copy}")
    part = ledger.vault.seal(organisation, msgspec.json.encode(made))
    fact = CanariesPlanted(copy=copy, organisation=organisation, count=len(made), marks=part.commitment)
    return await ledger.record(fact, by=by, about=copy, parts=[part])


async def planted(ledger: Ledger, *, before: int | None = None) -> list[Planted]:
    """All copies with canaries, but for erased ones; `before` leaves out what was recorded at or after that line."""
    query = select(canaries).order_by(canaries.c.seq)
    if before is not None:
        query = query.where(canaries.c.seq < before)
    async with ledger.read() as connection:
        rows = (await connection.execute(query)).all()
    found = []
    for row in rows:
        content = await ledger.content(row.marks)
        if not isinstance(content, Erased):
            marks = msgspec.json.decode(content, type=tuple[Mark, ...])
            found.append(Planted(row.copy, row.organisation, marks))
    return found


def who(copies: Sequence[Planted], listing: Listing) -> tuple[Hits, ...]:
    """The copies whose canaries stand in a list, the most telling first. Raises Fault NO_COLUMNS."""
    key = os.urandom(32)
    fingerprinter = Fingerprinter(key)
    if not copies:
        return ()
    rows: list[npt.NDArray[np.int64]] = []
    lines: list[Lines] = []
    for numbers, batch in batches(listing):
        rows.append(numbers)
        lines.append(fingerprinter.lines(batch))
    every = np.concatenate(rows) if rows else np.zeros(0, np.int64)
    return hits_of(copies, every, joined(lines), key)


def hits_of(
    copies: Sequence[Planted], row_of_line: npt.NDArray[np.int64], lines: Lines, key: bytes
) -> tuple[Hits, ...]:
    """The same of lines whose parts were made with `key`."""
    if not copies:
        return ()
    marks = [mark for one in copies for mark in one.marks]
    copy_of = np.repeat(np.arange(len(copies)), [len(one.marks) for one in copies])
    theirs = _lines(marks, key)
    columns = {"rec": pa.array(np.arange(len(marks), dtype=np.int32))}
    table = pa.table(columns | {part: pa.array(theirs[part]) for part in EXACT})
    pairs = match(row_of_line, lines, table)
    there = np.unique(pairs.rec[_TELLING[pairs.tier]])
    counts = np.bincount(copy_of[there], minlength=len(copies)).tolist()
    found = [
        Hits(one.copy, one.organisation, len(one.marks), count)
        for one, count in zip(copies, counts, strict=True)
        if count
    ]
    return tuple(sorted(found, key=lambda one: (-one.found, one.copy)))


def _found(copies: Sequence[Planted], marks: Sequence[Mark]) -> bool:
    key = os.urandom(32)
    return bool(hits_of(copies, np.arange(len(marks)), _lines(marks, key), key))


def _lines(marks: Sequence[Mark], key: bytes) -> Lines:
    columns = [pa.array([getattr(mark, item) or None for mark in marks], pa.string()) for item in ITEMS]
    return Fingerprinter(key).lines(pa.RecordBatch.from_arrays(columns, names=list(ITEMS)))
