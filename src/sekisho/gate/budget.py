"""Limits, accounts and leases of persons and rows. Pure: no clock, no storage.

A session may let rows pass only within a *lease* that is already durable in the ledger. A lease reserves
persons and rows in every account that the session spends from (its own, the worker's day, the ticket, worker
x client), so after a crash no more has passed than the accounts say; what a lease did not use is given back
when the session ends. Rows are then metered in memory, without a disk write between two rows.

A person is a 63-bit number (`subject_id`). An account remembers whom it has counted: a person who is shown
again costs nothing again.
"""

import hashlib
import hmac
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from pyroaring import BitMap64

from sekisho.gate.facts import Limits


class Scope(StrEnum):
    SESSION = "session"
    DAY = "day"
    TICKET = "ticket"
    CLIENT = "client"


# For the sentences of BUDGET_PERSONS and BUDGET_ROWS.
SCOPE_NAMES: Final = {
    Scope.SESSION: ("session", "セッション"),
    Scope.DAY: ("day", "1日"),
    Scope.TICKET: ("ticket", "チケット"),
    Scope.CLIENT: ("client organisation", "委託元"),
}

# A first lease covers a lookup; each further one of a statement doubles, so that a long result waits for the
# disk a logarithmic number of times. A statement's first lease is larger where the one before did not last a second.
FIRST_LEASE: Final = 256
LARGEST_FIRST: Final = 1 << 13
LARGEST_LEASE: Final = 1 << 20


@dataclass(slots=True, eq=False)
class Account:
    """What one scope has spent. `persons` and `rows` include what is leased and not yet settled.

    One account is shared by all sessions of its key; the event loop's thread owns it."""

    scope: Scope
    key: str
    limit_persons: int
    limit_rows: int
    persons: int = 0
    rows: int = 0
    seen: BitMap64 = field(default_factory=BitMap64)

    def free_persons(self) -> int:
        return max(0, self.limit_persons - self.persons)

    def free_rows(self) -> int:
        return max(0, self.limit_rows - self.rows)


@dataclass(frozen=True, slots=True)
class Lease:
    """`persons` by account, in the order of the meter's accounts: one may know whom another has yet to count.
    A row is a row in each of them."""

    persons: tuple[int, ...]
    rows: int


@dataclass(frozen=True, slots=True)
class Shortage:
    """Which account stopped a row. `of_rows` when it is rows that ran out, else persons."""

    account: Account
    of_rows: bool

    @property
    def limit(self) -> int:
        return self.account.limit_rows if self.of_rows else self.account.limit_persons


class Meter:
    """One session's spending from its accounts. The session's protocol object owns it.

    `accounts[0]` is the session's own; the set of each other account holds at least the session's persons.
    """

    __slots__ = (
        "_alike",
        "_first",
        "_given",
        "_least",
        "_left",
        "_next",
        "accounts",
        "persons",
        "rows",
        "rows_left",
        "short",
    )

    def __init__(self, accounts: tuple[Account, ...]) -> None:
        if accounts[0].scope is not Scope.SESSION:
            raise ValueError("the first account is the session's own")
        self.accounts = accounts
        self._left = [0] * len(accounts)  # persons leased and durable, by account; unspent, but for `_alike`
        self._least = 0  # of `_left`
        self._alike = 0  # persons spent from every account: strangers are new to each of them
        self.rows_left = 0
        self.persons = 0  # counted in this session
        self.rows = 0
        self._first = self._next = FIRST_LEASE
        self._given: dict[str, tuple[int, int]] = {}
        self.short = self.nothing  # what the last refused `spend` missed

    @property
    def nothing(self) -> Lease:
        return Lease((0,) * len(self.accounts), 0)

    @property
    def left(self) -> int:
        """Rows that can certainly still be spent."""
        return min(self.rows_left, self._least - self._alike)

    def reserve(self, missing: Lease) -> Lease | Shortage:
        """Take the next lease from every account; spendable after `leased`, once the ledger has it.

        The shortage of the tightest account is returned when nothing is free of what is `missing`."""
        size = self._next
        few_rows = min(self.accounts, key=Account.free_rows)
        rows = min(max(size, missing.rows), few_rows.free_rows())
        if rows == 0 and missing.rows:
            return Shortage(few_rows, of_rows=True)
        persons = tuple(
            min(max(size, wanted), account.free_persons())
            for account, wanted in zip(self.accounts, missing.persons, strict=True)
        )
        for account, wanted, found in zip(self.accounts, missing.persons, persons, strict=True):
            if wanted and not found:
                return Shortage(account, of_rows=False)
        if not rows and not any(persons):
            return Shortage(few_rows, of_rows=True)
        for account, found in zip(self.accounts, persons, strict=True):
            account.persons += found
            account.rows += rows
        self._next = min(size * 2, LARGEST_LEASE)
        return Lease(persons, rows)

    def shared(self, lease: Lease) -> dict[str, tuple[int, int]]:
        """Account key -> (persons, rows) of a lease, for the fact that makes it durable."""
        return {
            account.key: (persons, lease.rows)
            for account, persons in zip(self.accounts, lease.persons, strict=True)
            if account.scope is not Scope.SESSION
        }

    def leased(self, lease: Lease) -> None:
        """The lease is durable: it may be spent."""
        self._set([left + more for left, more in zip(self._unspent(), lease.persons, strict=True)])
        self.rows_left += lease.rows

    def spend(self, rows: int, ids: Collection[int], anonymous: int) -> bool:
        """Spend for `rows` rows that show the persons `ids` and `anonymous` others, who cannot be told apart.

        False, and nothing spent, when the lease is short."""
        fresh = None
        if ids:
            fresh = BitMap64(ids)
            fresh -= self.accounts[0].seen
        if not fresh and rows <= self.rows_left and anonymous <= self._least - self._alike:
            self._alike += anonymous
            self.rows_left -= rows
            self.rows += rows
            self.persons += anonymous
            return True
        new = [anonymous] * len(self.accounts)
        if fresh:
            new = [anonymous + len(fresh)]
            new += [anonymous + len(fresh - account.seen) for account in self.accounts[1:]]
        left = [have - need for have, need in zip(self._unspent(), new, strict=True)]
        if rows > self.rows_left or min(left) < 0:
            self.short = Lease(tuple(max(0, -rest) for rest in left), max(0, rows - self.rows_left))
            return False
        self._set(left)
        self.rows_left -= rows
        self.rows += rows
        self.persons += new[0]
        if fresh:
            for account in self.accounts:
                account.seen |= fresh
        return True

    def _unspent(self) -> list[int]:
        return [left - self._alike for left in self._left]

    def _set(self, left: list[int]) -> None:
        self._left, self._least, self._alike = left, min(left), 0

    @property
    def early(self) -> int:
        """The next lease is asked for while so many rows are left: who spends many must not wait for the disk."""
        return self._first >> 4 if self._first > FIRST_LEASE else 0

    def pace(self, rows: float) -> None:
        """So many rows a second were spent lately: a statement begins with a lease for about a second of them."""
        self._first = min(max(FIRST_LEASE, int(rows)), LARGEST_FIRST)

    def end_statement(self) -> None:
        """The next statement begins with a small lease again."""
        self._next = self._first

    def give_back(self) -> None:
        """Return the unspent lease to every account (the session ends, or a sibling runs short)."""
        for account, persons in zip(self.accounts, self._unspent(), strict=True):
            account.persons -= persons
            account.rows -= self.rows_left
            if account.scope is not Scope.SESSION and (persons or self.rows_left):
                before = self._given.get(account.key, (0, 0))
                self._given[account.key] = (before[0] + persons, before[1] + self.rows_left)
        self._set([0] * len(self.accounts))
        self.rows_left = 0

    def take_given_back(self) -> dict[str, tuple[int, int]]:
        """Account key -> (persons, rows) given back since the last call, for the fact that makes it durable."""
        given, self._given = self._given, {}
        return given


def limits_of(limits: Limits, scope: Scope) -> tuple[int, int]:
    """(persons, rows) of one scope."""
    return getattr(limits, f"{scope}_persons"), getattr(limits, f"{scope}_rows")


def subject_key(secret: bytes, organisation: str) -> bytes:
    """The key under which a checkpoint numbers the data subjects of an organisation: `subject_id`'s."""
    return hmac.digest(secret, b"subject key v1 " + organisation.encode(), "sha256")


def subject_id(value: bytes, key: bytes) -> int:
    """The number of a data subject, from the text form of the subject key.

    A plain whole number below 2^62 is itself; anything else is a keyed hash above 2^62, so that the two
    cannot meet. `key` is the client organisation's: sets of different clients cannot be joined."""
    if value.isdigit() and len(value) <= 18 and (value[0] != 48 or len(value) == 1):
        return int(value)
    return 1 << 62 | int.from_bytes(hmac.digest(key, value, hashlib.sha256)[:8], "big") >> 2
