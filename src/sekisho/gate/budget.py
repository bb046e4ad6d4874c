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
# disk a logarithmic number of times.
FIRST_LEASE: Final = 256
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
    persons: int
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

    `accounts[0]` is the session's own: every person of the session is in its set, and each other account's
    set is brought up to date by `end_statement`.
    """

    __slots__ = (
        "_fresh",
        "_given",
        "_next",
        "accounts",
        "persons",
        "persons_left",
        "rows",
        "rows_left",
        "short",
    )

    def __init__(self, accounts: tuple[Account, ...]) -> None:
        if accounts[0].scope is not Scope.SESSION:
            raise ValueError("the first account is the session's own")
        self.accounts = accounts
        self.persons_left = 0  # leased, durable, unspent
        self.rows_left = 0
        self.persons = 0  # counted in this session
        self.rows = 0
        self._next = FIRST_LEASE
        self._fresh = BitMap64()  # counted in this statement for the first time in this session
        self._given: dict[str, tuple[int, int]] = {}
        self.short = Lease(0, 0)  # what the last refused `spend` missed

    def reserve(self, missing: Lease) -> Lease | Shortage:
        """Take the next lease from every account; spendable after `leased`, once the ledger has it.

        The shortage of the tightest account is returned when nothing is free of what is `missing`."""
        few_persons = min(self.accounts, key=Account.free_persons)
        few_rows = min(self.accounts, key=Account.free_rows)
        persons = min(max(self._next, missing.persons), few_persons.free_persons())
        rows = min(max(self._next, missing.rows), few_rows.free_rows())
        # What is missing is named, not what else happens to be leased out in full.
        if rows == 0 and (missing.rows or (persons == 0 and not missing.persons)):
            return Shortage(few_rows, of_rows=True)
        if persons == 0 and missing.persons:
            return Shortage(few_persons, of_rows=False)
        for account in self.accounts:
            account.persons += persons
            account.rows += rows
        self._next = min(self._next * 2, LARGEST_LEASE)
        return Lease(persons, rows)

    def leased(self, lease: Lease) -> None:
        """The lease is durable: it may be spent."""
        self.persons_left += lease.persons
        self.rows_left += lease.rows

    def spend(self, rows: int, ids: Collection[int], anonymous: int) -> bool:
        """Spend for `rows` rows that show the persons `ids` and `anonymous` others, who cannot be told apart.

        False, and nothing spent, when the lease is short."""
        fresh = None
        new = anonymous
        if ids:
            fresh = BitMap64(ids)
            fresh -= self.accounts[0].seen
            new += len(fresh)
        if rows > self.rows_left or new > self.persons_left:
            self.short = Lease(max(0, new - self.persons_left), max(0, rows - self.rows_left))
            return False
        self.rows_left -= rows
        self.persons_left -= new
        self.rows += rows
        self.persons += new
        if fresh:
            self.accounts[0].seen |= fresh
            self._fresh |= fresh
        return True

    def end_statement(self) -> None:
        """Give back, account by account, what was leased for persons whom that account had counted before."""
        self._next = FIRST_LEASE
        if self._fresh:
            for account in self.accounts[1:]:
                known = account.seen.intersection_cardinality(self._fresh)
                self._give_back(account, known, 0)
                account.seen |= self._fresh
            self._fresh = BitMap64()

    def give_back(self) -> None:
        """Return the unspent lease to every account (the session ends, or a sibling runs short)."""
        for account in self.accounts:
            self._give_back(account, self.persons_left, self.rows_left)
        self.persons_left = self.rows_left = 0

    def take_given_back(self) -> dict[str, tuple[int, int]]:
        """Account key -> (persons, rows) given back since the last call, for the fact that makes it durable."""
        given, self._given = self._given, {}
        return given

    def _give_back(self, account: Account, persons: int, rows: int) -> None:
        account.persons -= persons
        account.rows -= rows
        if account.scope is not Scope.SESSION and (persons or rows):
            before = self._given.get(account.key, (0, 0))
            self._given[account.key] = (before[0] + persons, before[1] + rows)


def limits_of(limits: Limits, scope: Scope) -> tuple[int, int]:
    """(persons, rows) of one scope."""
    return getattr(limits, f"{scope}_persons"), getattr(limits, f"{scope}_rows")


def subject_id(value: bytes, key: bytes) -> int:
    """The number of a data subject, from the text form of the subject key.

    A plain whole number below 2^62 is itself; anything else is a keyed hash above 2^62, so that the two
    cannot meet. `key` is the client organisation's: sets of different clients cannot be joined."""
    if value.isdigit() and len(value) <= 18 and (value[0] != 48 or len(value) == 1):
        return int(value)
    return 1 << 62 | int.from_bytes(hmac.digest(key, value, hashlib.sha256)[:8], "big") >> 2
