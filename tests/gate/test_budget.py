"""Limits hold over random sequences of sessions and crashes, and what was not used is given back exactly."""

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from pyroaring import BitMap64

from sekisho.gate.budget import (
    FIRST_LEASE,
    Account,
    Lease,
    Meter,
    Scope,
    Shortage,
    limits_of,
    subject_id,
)
from sekisho.gate.facts import Limits

LIMITS = Limits(
    session_persons=400,
    session_rows=700,
    day_persons=600,
    day_rows=1_000,
    ticket_persons=500,
    ticket_rows=1_200,
    client_persons=900,
    client_rows=2_000,
)
SHARED = (Scope.DAY, Scope.TICKET, Scope.CLIENT)
IDS = st.integers(0, 700)


@dataclass
class Passed:
    """What really went out, as somebody at the terminal would count it."""

    ids: set[int] = field(default_factory=set)
    anonymous: int = 0
    rows: int = 0

    @property
    def persons(self) -> int:
        return len(self.ids) + self.anonymous


@dataclass
class Running:
    meter: Meter
    passed: Passed = field(default_factory=Passed)
    pending: Lease | None = None  # reserved; its fact is not yet durable


class Spending(RuleBasedStateMachine):
    """Sessions of one worker on one ticket, over the accounts that they share; the process may be killed."""

    def __init__(self) -> None:
        super().__init__()
        self.durable = {scope: [0, 0] for scope in SHARED}  # what the ledger would say: leased, less settled
        self.sealed: list[BitMap64] = []  # the sets that closed sessions left
        self.passed = Passed()
        self.crashed = False
        self.sessions: list[Running] = []
        self.accounts: dict[Scope, Account] = {}
        self.load()

    def load(self) -> None:
        for scope in SHARED:
            persons, rows = self.durable[scope]
            seen = BitMap64()
            for one in self.sealed:
                seen |= one
            self.accounts[scope] = Account(scope, scope, *limits_of(LIMITS, scope), persons, rows, seen)

    @precondition(lambda self: len(self.sessions) < 3)
    @rule()
    def open(self) -> None:
        own = Account(Scope.SESSION, "own", *limits_of(LIMITS, Scope.SESSION))
        self.sessions.append(Running(Meter((own, *self.accounts.values()))))

    @precondition(lambda self: self.sessions)
    @rule(which=st.integers(0, 2), ids=st.lists(IDS, max_size=300), anonymous=st.integers(0, 40))
    def show(self, which: int, ids: list[int], anonymous: int) -> None:
        """Rows arrive; as the door does, ask for a lease until they fit or an account is at its limit."""
        one = self.sessions[which % len(self.sessions)]
        self.settle_lease(one)
        rows = len(ids) + anonymous
        while not one.meter.spend(rows, ids, anonymous):
            lease = one.meter.reserve(one.meter.short)
            if isinstance(lease, Shortage):
                for other in self.sessions:
                    if other is not one:
                        other.meter.give_back()
                lease = one.meter.reserve(one.meter.short)
            if isinstance(lease, Shortage):
                assert lease.limit in vars_of(LIMITS)
                return
            one.pending = lease
            self.settle_lease(one)
        for passed in (one.passed, self.passed):
            passed.ids.update(ids)
            passed.anonymous += anonymous
            passed.rows += rows

    @precondition(lambda self: self.sessions)
    @rule(which=st.integers(0, 2))
    def lease_ahead(self, which: int) -> None:
        """A lease whose fact is on its way: the process may die before or after it is durable."""
        one = self.sessions[which % len(self.sessions)]
        if one.pending is None:
            lease = one.meter.reserve(one.meter.nothing)
            one.pending = lease if isinstance(lease, Lease) else None

    def settle_lease(self, one: Running) -> None:
        if one.pending is not None:
            self.make_durable(one)
            one.meter.leased(one.pending)
            one.pending = None

    def make_durable(self, one: Running) -> None:
        assert one.pending is not None
        for scope, (persons, rows) in one.meter.shared(one.pending).items():
            self.durable[Scope(scope)][0] += persons
            self.durable[Scope(scope)][1] += rows

    @precondition(lambda self: self.sessions)
    @rule(which=st.integers(0, 2))
    def end_statement(self, which: int) -> None:
        self.sessions[which % len(self.sessions)].meter.end_statement()

    @precondition(lambda self: self.sessions)
    @rule(which=st.integers(0, 2))
    def close(self, which: int) -> None:
        one = self.sessions.pop(which % len(self.sessions))
        self.settle_lease(one)
        one.meter.end_statement()
        one.meter.give_back()
        for scope, (persons, rows) in one.meter.take_given_back().items():
            self.durable[Scope(scope)][0] -= persons
            self.durable[Scope(scope)][1] -= rows
        self.sealed.append(one.meter.accounts[0].seen)
        assert set(one.meter.accounts[0].seen) == one.passed.ids
        assert (one.meter.persons, one.meter.rows) == (one.passed.persons, one.passed.rows)

    @rule(written=st.booleans())
    def crash(self, written: bool) -> None:
        """SIGKILL just before or just after the last lease's fact became durable; no session settles."""
        for one in self.sessions:
            if written and one.pending is not None:
                self.make_durable(one)
            self.crashed = True
        self.sessions.clear()
        self.load()

    @invariant()
    def no_more_passed_than_the_limits(self) -> None:
        for scope in SHARED:
            persons, rows = limits_of(LIMITS, scope)
            assert self.passed.persons <= persons
            assert self.passed.rows <= rows
        for one in self.sessions:
            persons, rows = limits_of(LIMITS, Scope.SESSION)
            assert one.passed.persons <= persons
            assert one.passed.rows <= rows

    @invariant()
    def the_accounts_never_say_less_than_passed(self) -> None:
        for scope in SHARED:
            assert self.accounts[scope].persons >= self.passed.persons
            assert self.accounts[scope].rows >= self.passed.rows
            assert self.durable[scope][0] >= self.passed.persons
            assert self.durable[scope][1] >= self.passed.rows

    @invariant()
    def the_rest_is_given_back_exactly(self) -> None:
        if self.sessions:
            return
        for scope in SHARED:
            account = self.accounts[scope]
            assert [account.persons, account.rows] == self.durable[scope]
            if not self.crashed:
                assert (account.persons, account.rows) == (self.passed.persons, self.passed.rows)


def vars_of(limits: Limits) -> set[int]:
    return {value for scope in Scope for value in limits_of(limits, scope)}


TestSpending = Spending.TestCase
TestSpending.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def meter(persons: int, rows: int, *more: Account) -> Meter:
    return Meter((Account(Scope.SESSION, "own", persons, rows), *more))


def take(one: Meter, missing: Lease) -> Lease:
    lease = one.reserve(missing)
    assert isinstance(lease, Lease)
    one.leased(lease)
    return lease


def test_nothing_is_spent_before_a_lease_is_durable() -> None:
    one = meter(1_000, 1_000)
    lease = one.reserve(Lease((1,), 1))
    assert isinstance(lease, Lease)
    assert not one.spend(1, (7,), 0)
    one.leased(lease)
    assert one.spend(1, (7,), 0)


def test_leases_double_and_start_small_again_with_the_next_statement() -> None:
    one = meter(100_000, 100_000)
    assert [take(one, Lease((1,), 1)).rows for _ in range(3)] == [
        FIRST_LEASE,
        2 * FIRST_LEASE,
        4 * FIRST_LEASE,
    ]
    one.end_statement()
    assert take(one, Lease((1,), 1)).persons == (FIRST_LEASE,)


def test_a_person_shown_again_costs_rows_only() -> None:
    one = meter(2, 100)
    take(one, Lease((2,), 10))
    assert one.spend(2, (1, 2), 0)
    assert one.spend(5, (1, 2, 1, 2, 1), 0)
    assert not one.spend(1, (3,), 0)
    shortage = one.reserve(one.short)
    assert isinstance(shortage, Shortage)
    assert (shortage.of_rows, shortage.limit) == (False, 2)


def test_two_sessions_of_one_worker_share_the_day() -> None:
    day = Account(Scope.DAY, "day", 300, 1_000)
    first, second = meter(10_000, 10_000, day), meter(10_000, 10_000, day)
    take(first, Lease((256, 256), 256))
    assert first.spend(200, range(200), 0)
    assert take(second, Lease((200, 200), 200)) == Lease(
        (256, 44), 256
    )  # the day has no more, though 56 lie unused
    first.give_back()
    assert take(second, Lease((0, 56), 0)).persons[1] == 56
    assert second.spend(100, range(1_000, 1_100), 0)
    assert isinstance(second.reserve(Lease((0, 1), 0)), Shortage)
    second.end_statement()
    second.give_back()
    assert (day.persons, day.rows) == (300, 300)


def test_a_person_whom_both_sessions_saw_is_one_person_of_the_day() -> None:
    day = Account(Scope.DAY, "day", 300, 1_000)
    first, second = meter(300, 300, day), meter(300, 300, day)
    take(first, Lease((256, 256), 256))
    assert first.spend(256, range(256), 0)
    # The day has 44 persons left; 200 whom it knows already need none of them.
    take(second, Lease((200, 0), 200))
    assert second.spend(200, range(200), 0)
    for one in (first, second):
        one.give_back()
    assert (day.persons, day.rows) == (256, 456)
    assert second.take_given_back() == {"day": (44, 56)}
    assert second.take_given_back() == {}


def test_numbers_and_names_of_subjects_never_meet() -> None:
    key = b"k" * 32
    assert subject_id(b"1042", key) == 1042
    assert subject_id(b"0", key) == 0
    for other in (b"01", b"", b"-1", "１".encode(), b"9" * 19, b"M-1"):
        assert subject_id(other, key) >> 62 == 1
    assert subject_id(b"M-1", key) != subject_id(b"M-1", b"j" * 32)
