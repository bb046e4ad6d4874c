"""The short way of a repeated lookup does what the general path does, and gathered statements lose nothing."""

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sekisho.gate import decide
from sekisho.gate.budget import FIRST_LEASE, LARGEST_FIRST, Account, Lease, Meter, Scope
from sekisho.gate.facts import BudgetLeased, Limits
from sekisho.ledger import Commitment, Fact, KeyRing, Ledger
from sekisho.register.catalogue import Dataset
from sekisho.register.facts import ColumnEntry, TableEntry
from sekisho.relay.admission import Admission
from sekisho.relay.facts import Statement, Statements
from sekisho.relay.postgres import statements, steady
from sekisho.relay.postgres.plan import Origin, Origins
from sekisho.relay.postgres.session import Session
from sekisho.wire.postgres import backend as b
from sekisho.wire.postgres import frontend as f
from sekisho.wire.postgres.decode import BackendDecoder, FrontendDecoder, ServerPhase

TABLE = TableEntry(
    schema="minato",
    name="customers",
    subject="customer_id",
    columns=(
        ColumnEntry(name="customer_id"),
        ColumnEntry(name="plan"),
        ColumnEntry(name="name", item="name", personal=True),
        ColumnEntry(name="phone", item="phone", personal=True),
    ),
)
BIGINT, TEXT = 20, 25
# What each statement shows: no key (every row a stranger), a key, a masked name, a phone in clear.
SHOWN = {b"plan": (2,), b"keyed": (1, 2), b"masked": (1, 3), b"revealed": (1, 4)}
READY = b.ReadyForQuery(b"I").encode()


class Desk:
    """A ledger that keeps facts in a list; they are durable when `settle` is called."""

    def __init__(self, vault: KeyRing) -> None:
        self.vault = vault
        self.facts: list[Fact] = []
        self._futures: list[asyncio.Future[Any]] = []

    def record_soon(self, fact: Fact, **_: object) -> asyncio.Future[Any]:
        self.facts.append(fact)
        self._futures.append(asyncio.get_running_loop().create_future())
        return self._futures[-1]

    async def settle(self) -> None:
        futures, self._futures = self._futures, []
        for future in futures:
            future.set_result(None)
        await asyncio.sleep(0)


class Ends:
    """The shell, written down: each call with what it was given."""

    def __init__(self) -> None:
        self.client = b""
        self.target = b""
        self.calls: list[str] = []

    def to_client(self, data: bytes) -> None:
        self.client += data

    def to_target(self, data: bytes) -> None:
        self.target += data

    def hold(self) -> None:
        self.calls.append("hold")

    def proceed(self) -> None:
        self.calls.append("proceed")

    def cancel(self) -> None:
        self.calls.append("cancel")

    def end(self, reason: str) -> None:
        self.calls.append(reason)


def opened(vault: KeyRing, limit: int) -> tuple[Session, Ends, Desk, Meter]:
    grant = decide.Grant(
        person="sato",
        ticket="t-1",
        organisation="minato",
        dataset="customers",
        target="db",
        door="postgres",
        purpose="test",
        closes=1 << 60,
        limits=Limits(**dict.fromkeys(Limits.__struct_fields__, limit)),
        unmask=frozenset({"phone"}),
        unknown_lineage="mask",
        broken_glass=False,
        mint=decide._MINT,
    )
    meter = Meter(
        (Account(Scope.SESSION, "s", 1 << 30, 1 << 30), Account(Scope.TICKET, "ticket:t-1", limit, limit))
    )
    dataset = cast(Dataset, SimpleNamespace(dataset="customers"))
    admission = Admission(
        session="s-1",
        grant=grant,
        catalogue=cast(Any, SimpleNamespace(target=SimpleNamespace(unknown_lineage="mask"))),
        dataset=dataset,
        secret=b"",
        meter=meter,
        language="en",
        request=decide.AccessRequest("sato", "t-1", "db", "postgres", 0),
        size=0,
    )
    from_client = FrontendDecoder()
    list(from_client.feed(f.StartupMessage({"user": "x"}).encode()))
    from_client.take()
    from_client.authenticated()
    from_target = BackendDecoder()
    list(from_target.feed(READY))
    assert from_target.phase is ServerPhase.READY
    desk, ends = Desk(vault), Ends()
    session = Session(
        admission, cast(Ledger, desk), subject_key=b"k" * 32, siblings=list, from_client=from_client
    )
    columns = dict(enumerate(TABLE.columns, 1))
    session.begin(ends, Origins({7: Origin(dataset, TABLE, columns)}, frozenset()), from_target)
    return session, ends, desk, meter


def description(name: bytes) -> bytes:
    return b.RowDescription(
        tuple(
            b.Column(TABLE.columns[n - 1].name.encode(), 7, n, BIGINT if n == 1 else TEXT, -1, -1, 0)
            for n in SHOWN[name]
        )
    ).encode()


def asks(name: bytes, portal: bytes = b"") -> bytes:
    return b"".join(
        message.encode()
        for message in (
            f.Bind(portal, name, (), (b"%d" % 4,), ()),
            f.Describe(f.PORTAL, portal),
            f.Execute(portal),
            f.Sync(),
        )
    )


def answers(name: bytes, keys: list[int], ready: bytes = b"I", tag: bytes = b"SELECT") -> bytes:
    rows = [
        b.DataRow(tuple(b"%d" % key if n == 1 else b"value" for n in SHOWN[name])).encode() for key in keys
    ]
    tag = tag + b" %d" % len(keys) if tag == b"SELECT" else tag
    return b"".join(
        (
            b.BindComplete().encode(),
            description(name),
            *rows,
            b.CommandComplete(tag).encode(),
            b.ReadyForQuery(ready).encode(),
        )
    )


FAILED = (
    b.ErrorResponse(((b"S", b"ERROR"), (b"V", b"ERROR"), (b"C", b"22012"), (b"M", b"secret"))).encode()
    + READY
)
NOTICE = b.NoticeResponse(((b"S", b"NOTICE"), (b"V", b"NOTICE"), (b"C", b"00000"), (b"M", b"x"))).encode()


def unusual(name: bytes, keys: list[int]) -> list[bytes]:
    """Answers that a repeated lookup does not usually get, or that no server gives."""
    usual = answers(name, keys)
    return [
        FAILED,
        NOTICE + usual,
        answers(name, []),
        answers(name, keys, ready=b"T"),
        answers(name, keys, tag=b"DISCARD ALL"),
        answers(b"masked" if name == b"plan" else b"plan", keys),
        usual.replace(b"SELECT ", b"SELECT\0"),
        usual[:-6],
        usual + READY,
        usual + NOTICE,
        usual[:-7] + b"\1" + usual[-6:],
        description(name) + usual,
    ]


@st.composite
def exchanges(draw: st.DrawFn) -> list[tuple[list[bytes], list[bytes], bool]]:
    """Runs of a lookup: the chunks of the client, those of the target, and whether the ledger catches up after."""
    turns = []
    usual_name = draw(st.sampled_from([b"plan", b"keyed", b"keyed", b"masked", b"revealed"]))
    for _ in range(draw(st.integers(3, 14))):
        keys = draw(st.lists(st.integers(1, 9), min_size=1, max_size=5))
        if draw(st.integers(0, 4)):
            turns.append(([asks(usual_name)], [answers(usual_name, keys)], draw(st.booleans())))
            continue
        name = draw(st.sampled_from([usual_name, usual_name, *SHOWN]))
        answer = draw(st.sampled_from([answers(name, keys), *unusual(name, keys)]))
        times = draw(st.sampled_from([1, 1, 1, 1, 2]))
        asked = asks(name, draw(st.sampled_from([b"", b"", b"", b"p"]))) * times
        turns.append((_cut(draw, asked), _cut(draw, answer * times), draw(st.booleans())))
    return turns


def _cut(draw: st.DrawFn, data: bytes) -> list[bytes]:
    if draw(st.integers(0, 3)):
        return [data]
    at = draw(st.integers(1, len(data) - 1))
    return [data[:at], data[at:]]


async def _run(
    vault: KeyRing, turns: list[tuple[list[bytes], list[bytes], bool]], limit: int
) -> tuple[object, ...]:
    session, ends, desk, meter = opened(vault, limit)
    session.client_data(
        b"".join(f.Parse(name, b"SELECT " + name, ()).encode() for name in SHOWN) + f.Sync().encode()
    )
    session.target_data(b.ParseComplete().encode() * len(SHOWN) + READY)
    states = []
    for asked, answered, settle in turns:
        for chunk in asked:
            session.client_data(chunk)
        for chunk in answered:
            session.target_data(chunk)
        if settle or "hold" in ends.calls[-1:]:
            await desk.settle()
            await desk.settle()
        states.append((ends.client, ends.target, tuple(ends.calls), meter.persons, meter.rows, meter.left))
    for _ in range(3):
        await desk.settle()
    async with asyncio.TaskGroup() as group:
        closing = group.create_task(session.close())
        while not closing.done():
            await asyncio.sleep(0)
            await desk.settle()
    facts = [
        msgspec.structs.replace(one, duration=0, text="") if isinstance(one, Statement) else one
        for fact in desk.facts
        for one in _each(fact)
    ]
    parameters = [fact for fact in facts if hasattr(fact, "content")]
    facts = [
        fact if isinstance(fact, Statement) else _without_text(fact)
        for fact in facts
        if fact not in parameters
    ]
    return states, facts, len(parameters), session.statements, session.bytes


def _each(fact: Fact) -> Iterator[Fact]:
    yield from fact.each() if isinstance(fact, Statements) else (fact,)


def _without_text(fact: Fact) -> Fact:
    return msgspec.structs.replace(fact, text="") if hasattr(fact, "text") else fact


@pytest.fixture(scope="module")
def vault() -> Iterator[KeyRing]:
    with tempfile.TemporaryDirectory() as folder:
        yield KeyRing(Path(folder) / "keys")


def _both_ways(vault: KeyRing, turns: list[tuple[list[bytes], list[bytes], bool]], limit: int) -> None:
    short = asyncio.run(_run(vault, turns, limit))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(steady.Known, "of", staticmethod(lambda *_: None))
        general = asyncio.run(_run(vault, turns, limit))
    assert short == general


@given(turns=exchanges(), limit=st.sampled_from([3, 8, 260, 10_000]))
@settings(max_examples=150, deadline=None)
def test_the_short_way_does_what_the_general_path_does(
    vault: KeyRing, turns: list[tuple[list[bytes], list[bytes], bool]], limit: int
) -> None:
    _both_ways(vault, turns, limit)


@pytest.mark.parametrize("name", [b"plan", b"keyed"])
@pytest.mark.parametrize("which", range(len(unusual(b"plan", [1]))))
def test_an_unusual_answer_is_left_to_the_general_path(vault: KeyRing, name: bytes, which: int) -> None:
    usual = ([asks(name)], [answers(name, [1, 2])], True)
    odd = ([asks(name)], [unusual(name, [1, 2])[which]], True)
    _both_ways(vault, [usual, usual, odd, usual, usual], 10_000)


@pytest.mark.parametrize(("name", "taken"), [(b"plan", 9), (b"keyed", 9), (b"masked", 0), (b"revealed", 0)])
async def test_only_what_passes_unchanged_takes_the_short_way(
    vault: KeyRing, monkeypatch: pytest.MonkeyPatch, name: bytes, taken: int
) -> None:
    recognised: list[bool] = []
    whole = Session._recognised

    def counted(session: Session, chunk: bytes, lookup: steady.Lookup) -> bool:
        recognised.append(whole(session, chunk, lookup))
        return recognised[-1]

    monkeypatch.setattr(Session, "_recognised", counted)
    turns = [([asks(name)], [answers(name, [key])], True) for key in range(10)]
    states, facts, *_ = await _run(vault, turns, 10_000)
    assert sum(recognised) == taken
    statements = [fact for fact in cast(list[Fact], facts) if isinstance(fact, Statement)]
    assert [(one.number, one.rows, one.persons) for one in statements] == [(n, 1, 1) for n in range(1, 11)]
    # One shown again costs nothing; who cannot be told apart costs each time. Both are metered to the last row.
    assert cast(list[tuple[object, ...]], states)[-1][3:5] == (10, 10)


def test_gathered_statements_are_each_a_statement() -> None:
    several = Statements(
        session="s-1",
        first=5,
        ticket="t-1",
        organisation="minato",
        read=("customers.plan",),
        masked=(),
        rows=(1, 2),
        persons=(1, 0),
        bytes=(30, 60),
        duration=(100, 200),
        text=Commitment("00"),
    )
    first, second = several.each()
    assert (first.number, first.rows, first.persons, first.bytes, first.duration) == (5, 1, 1, 30, 100)
    assert (second.number, second.rows, second.persons, second.bytes, second.duration) == (6, 2, 0, 60, 200)
    assert first.read == second.read == several.read
    assert first.outcome == second.outcome == "passed"


async def test_executions_are_gathered_while_a_fact_is_on_its_way(vault: KeyRing) -> None:
    session, _, desk, _ = opened(vault, 10_000)
    session.client_data(f.Parse(b"plan", b"SELECT plan", ()).encode() + f.Sync().encode())
    session.target_data(b.ParseComplete().encode() + READY)
    session.client_data(asks(b"plan"))
    session.target_data(answers(b"plan", [1]))
    await desk.settle()  # the lease
    for key in range(12):
        session.client_data(asks(b"plan"))
        session.target_data(answers(b"plan", [key]))
    assert [type(fact) for fact in desk.facts if not hasattr(fact, "leased")] == [Statement]
    await desk.settle()
    (gathered,) = (fact for fact in desk.facts if isinstance(fact, Statements))
    assert [one.number for one in gathered.each()] == list(range(2, 14))


async def test_a_program_at_work_is_gathered_for_longer_and_nothing_is_forgotten(
    vault: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statements, "_GATHERING_SECONDS", 0.01)
    session, _, desk, _ = opened(vault, 10_000)
    session.client_data(f.Parse(b"plan", b"SELECT plan", ()).encode() + f.Sync().encode())
    session.target_data(b.ParseComplete().encode() + READY)

    async def run(times: int) -> None:
        for key in range(times):
            session.client_data(asks(b"plan"))
            session.target_data(answers(b"plan", [key]))
            if session._waiting:
                await desk.settle()

    def gathered() -> list[int]:
        return [one.number for fact in desk.facts if isinstance(fact, Statements) for one in fact.each()]

    await run(1)
    await run(30)
    await desk.settle()
    await run(10)
    assert not gathered()  # although nothing is on its way
    async with asyncio.timeout(5):
        while not gathered():  # noqa: ASYNC110 (a timer of the session)
            await asyncio.sleep(0.01)
    assert gathered() == list(range(2, 42))
    async with asyncio.TaskGroup() as group, asyncio.timeout(5):
        await run(100)
        closing = group.create_task(session.close())
        while not closing.done():
            await asyncio.sleep(0)
            await desk.settle()
    assert gathered() == list(range(2, 142))


async def test_who_spends_fast_leases_for_about_a_second(vault: KeyRing) -> None:
    session, _, desk, meter = opened(vault, 1 << 30)
    session.client_data(f.Parse(b"plan", b"SELECT plan", ()).encode() + f.Sync().encode())
    session.target_data(b.ParseComplete().encode() + READY)
    for key in range(5_000):
        session.client_data(asks(b"plan"))
        session.target_data(answers(b"plan", [key]))
        await desk.settle()
    leased = [fact.leased["ticket:t-1"][1] for fact in desk.facts if isinstance(fact, BudgetLeased)]
    assert leased[0] == FIRST_LEASE
    assert FIRST_LEASE < max(leased) <= LARGEST_FIRST
    meter.pace(3)
    meter.end_statement()
    assert meter.reserve(meter.nothing) == Lease((FIRST_LEASE,) * 2, FIRST_LEASE)  # who became slow again
