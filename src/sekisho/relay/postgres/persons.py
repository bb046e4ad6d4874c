"""Whose rows these are: result rows become the numbers of data subjects.

The subject key tells one person from another, and a row without one is a person of its own. A key can lie: a join
can put one person's key beside the names of many others. So a statement remembers what it has shown under each
key, and rows beyond what one subject can have (`TableEntry.rows_per_subject`) count as other persons.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from pyroaring import BitMap64

from sekisho.gate.budget import Meter, subject_id
from sekisho.relay.postgres.plan import Plan, TableUse
from sekisho.wire.postgres.backend import DataRow
from sekisho.wire.postgres.frame import HEADER
from sekisho.wire.postgres.rows import Rows


@dataclass(frozen=True, slots=True)
class Counted:
    """A run of rows with the persons of each: `ids[i]` are those of row i, `anonymous[i]` how many more it shows."""

    rows: int
    ids: Sequence[tuple[int, ...]]
    anonymous: Sequence[int]

    def spend(self, meter: Meter) -> bool:
        """Spend for all rows; False, and nothing spent, when the lease is short."""
        ids = [one for row in self.ids for one in row]
        return meter.spend(self.rows, ids, sum(self.anonymous))

    def spend_fitting(self, meter: Meter) -> int:
        """Spend row by row until one does not fit; the number that did."""
        for index, (ids, anonymous) in enumerate(zip(self.ids, self.anonymous, strict=True)):
            if not meter.spend(1, ids, anonymous):
                return index
        return self.rows


@dataclass(frozen=True, slots=True)
class CountedKeys:
    """As `Counted`, for the usual result: one subject key, and each row a person of its own key."""

    ids: list[int]

    def spend(self, meter: Meter) -> bool:
        return meter.spend(len(self.ids), self.ids, 0)

    def spend_fitting(self, meter: Meter) -> int:
        for index, one in enumerate(self.ids):
            if not meter.spend(1, (one,), 0):
                return index
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class CountedStrangers:
    """As `Counted`, where no row says who it shows: each shows `each` persons that nobody can tell apart."""

    rows: int
    each: int

    def spend(self, meter: Meter) -> bool:
        return meter.spend(self.rows, (), self.rows * self.each)

    def spend_fitting(self, meter: Meter) -> int:
        for index in range(self.rows):
            if not meter.spend(1, (), self.each):
                return index
        return self.rows


class Persons:
    """The persons of one statement's result."""

    __slots__ = ("_first", "_key", "_lone", "_plan", "_rows_of", "_shown")

    def __init__(self, plan: Plan, key: bytes) -> None:
        self._plan = plan
        self._key = key
        self._lone = plan.lone_subject is not None
        self._shown = BitMap64()
        # What a key was first shown with, and how often, by (use, subject): made only for keys that come again.
        self._first: dict[tuple[int, int], bytes] = {}
        self._rows_of: dict[tuple[int, int], int] = {}

    def count(self, rows: Rows, raw: bytes) -> Counted | CountedKeys:
        """The persons of a run; to be called once for each run, in order. `raw` are its frames as received."""
        if self._lone:
            ids = self._lone_ids(rows.keys)
            if ids is not None:
                before = len(self._shown)
                self._shown.update(ids)
                if len(self._shown) - before == len(ids):
                    return CountedKeys(ids)
                # A key came again: this run is looked at row by row.
        return self._count_each(raw, rows.count)

    def _lone_ids(self, keys: list[bytes | None]) -> list[int] | None:
        use = self._plan.uses[0]
        if use.integer_text:
            try:
                ids = list(map(int, keys))  # type: ignore[arg-type]
            except TypeError:  # a NULL among them
                return None
            return ids if min(ids) >= 0 else None
        if None in keys:
            return None
        return [self._id(key, use.binary[0]) for key in keys if key is not None]

    def _id(self, value: bytes, binary: int) -> int:
        if binary > 0 and len(value) == binary:  # a binary integer: the number that its text form would name
            value = b"%d" % int.from_bytes(value, "big", signed=True)
        return subject_id(value, self._key)

    def _count_each(self, raw: bytes, count: int) -> Counted:
        all_ids: list[tuple[int, ...]] = []
        all_anonymous: list[int] = []
        position = 0
        for _ in range(count):
            _, length = HEADER.unpack_from(raw, position)
            values = DataRow.parse(raw[position + 5 : position + 1 + length]).values
            position += length + 1
            ids: set[int] = set()
            anonymous = 0
            for index, use in enumerate(self._plan.uses):
                found = [
                    self._id(value, binary)
                    for column, binary in zip(use.subjects, use.binary, strict=True)
                    if (value := values[column]) is not None
                ]
                anonymous += max(0, use.copies - len(found))
                for one in found:
                    ids.add(self._checked(index, use, one, values))
            all_ids.append(tuple(ids))
            all_anonymous.append(anonymous)
        return Counted(count, all_ids, all_anonymous)

    def _checked(self, index: int, use: TableUse, one: int, values: Sequence[bytes | None]) -> int:
        """The person that this row shows under the key `one`: the subject, or another who was put beside the key."""
        shown = hashlib.blake2b(
            b"".join(b"-" if v is None else b"%d:%b" % (len(v), v) for v in (values[c] for c in use.columns)),
            digest_size=16,
        ).digest()
        place = (index, one)
        if use.rows_per_subject == 1:
            if self._first.setdefault(place, shown) == shown:
                return one
        else:
            rows = self._rows_of[place] = self._rows_of.get(place, 0) + 1
            if rows <= use.rows_per_subject:
                return one
        other = hmac.digest(self._key, one.to_bytes(9, "big") + shown, "sha256")
        return subject_id(other, self._key)
