"""Facts a second through the watch: leaves of the ledger are read and looked at by all twenty-five detectors.

The mix is that of doors at work: a ticket, its approval, a session with twenty statements, its end, for eight workers
and forty clients, at ten facts a second of the house's own time. Peer: the same leaves decoded to their facts and
nothing else. Beside it: what a sketch of persons costs against the exact set, and the size of a worker's state.
"""

import asyncio
import gc
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random

import msgspec
from pyroaring import BitMap64

from bench.checkpoint import processor_time
from bench.frame import Result, Scale, alternate, paired, percentile, spread
from sekisho.gate.facts import TicketApproved, TicketRequested
from sekisho.gate.limits import Limits
from sekisho.ledger import Commitment, Fact, KeyRing, Ledger, Recorded
from sekisho.ledger.leaf import complete_leaf, encode_tail, read_leaf, stamp
from sekisho.ledger.subscriptions import follow
from sekisho.notify import tables as notify_tables  # noqa: F401
from sekisho.notify.notices import Notices
from sekisho.relay import tables  # noqa: F401 (the projections are part of the work)
from sekisho.relay.facts import SessionClosed, SessionOpened, Statement
from sekisho.service.watch_process import Orders
from sekisho.service.watching import Watching
from sekisho.watch import tables as watch_tables  # noqa: F401
from sekisho.watch.engine import Engine
from sekisho.watch.facts import AlertRaised
from sekisho.watch.reading import read_observation
from sekisho.watch.settings import Watch
from sekisho.watch.sketch import Sketch

_REACH = 50_000
_SWITCH_SECONDS = 0.5e-3  # as in the service
_START = 1_795_000_000_000_000
_LIMITS = Limits(
    session_persons=50,
    session_rows=200,
    day_persons=100,
    day_rows=500,
    ticket_persons=60,
    ticket_rows=500,
    client_persons=10_000,
    client_rows=50_000,
)


def facts(sessions: int) -> Iterator[tuple[Fact, str]]:
    random = Random(7)
    for number in range(sessions):
        person, client = f"w{number % 8}", f"c{random.randrange(40)}"
        ticket, session = f"T-{number}", f"s-{number:08x}"
        yield (
            TicketRequested(
                ticket=ticket,
                person=person,
                organisation=client,
                dataset=client,
                target="callcentre",
                door="postgres",
                purpose="wrong invoice",
                opens=_START,
                closes=_START << 1,
                limits=_LIMITS,
            ),
            person,
        )
        yield TicketApproved(ticket=ticket, approver="m1", request="00"), "m1"
        yield (
            SessionOpened(
                session=session,
                person=person,
                ticket=ticket,
                organisation=client,
                dataset=client,
                target="callcentre",
                door="postgres",
                peer=f"192.0.2.{number % 8}:5{number % 1000:04}",
                tls="TLSv1.3",
                client="psql",
            ),
            person,
        )
        for one in range(20):
            table = random.choice(("customers", "calls", "orders"))
            yield (
                Statement(
                    session=session,
                    number=one,
                    ticket=ticket,
                    organisation=client,
                    read=(f"{table}.customer_id", f"{table}.name"),
                    masked=(f"{table}.name",),
                    rows=3,
                    persons=random.randrange(4),
                    bytes=180,
                    duration=812,
                    outcome="passed",
                    code="",
                    text=Commitment("7c" * 32),
                ),
                person,
            )
        yield (
            SessionClosed(
                session=session, reason="client", statements=20, rows=60, persons=30, bytes=3600, seen=""
            ),
            person,
        )


def leaves(sessions: int) -> list[bytes]:
    found = []
    for seq, (fact, by) in enumerate(facts(sessions)):
        kind, tail = encode_tail(fact, by=by, about="x")
        found.append(complete_leaf(seq, kind, stamp(_START + seq * 100_000), tail))
    return found


async def run(scale: Scale) -> list[Result]:
    log = leaves(scale.pick(8_000, 40))
    engines: list[Engine] = []

    def timed(work: Callable[[], None]) -> float:
        gc.collect()
        before = time.process_time()
        work()
        return len(log) / (time.process_time() - before)

    def watched() -> None:
        engine = Engine()
        for leaf in log:
            observation = read_observation(leaf)
            if observation is not None:
                engine.step(observation)
        engines.append(engine)

    def decoded() -> None:
        for leaf in log:
            read_leaf(leaf).typed()

    async def watch() -> float:
        return timed(watched)

    async def decode() -> float:
        return timed(decoded)

    figures = await alternate({"watch": watch, "decode": decode}, scale.pick(5, 1))
    states = {engine.dump() for engine in engines}
    assert len(states) == 1, "the same facts gave two states"
    state = max(engines[0].memory_of(f"w{n}") for n in range(8))
    return [
        Result(
            f"facts through all detectors, {len(log):,} facts",
            f"{_REACH:,} /s and core",
            spread(figures["watch"], "/CPU s"),
            f"only decoded: {spread(figures['decode'], '/CPU s')}",
            paired(figures, "watch", "decode"),
            statistics.median(figures["watch"]) >= _REACH,
        ),
        Result("state of one worker with 40 clients", "about 1 kB", f"{state:,} B", "", None, None),
        *sketches(scale),
        await latency(scale, scale.pick(2_000, 500)),
        await latency(scale, scale.pick(10_000, 500)),
    ]


async def latency(scale: Scale, load: int) -> Result:
    """From a fact's being durable to the notice that is asked for; `load` facts a second come beside it. The watch runs
    in a process of its own, as in the service."""
    sys.setswitchinterval(_SWITCH_SECONDS)
    seconds = scale.pick(20, 2)
    told: dict[str, float] = {}
    durable: dict[str, float] = {}
    tickets: dict[str, str] = {}  # of alerts
    loop = asyncio.get_running_loop()

    def heard(recorded: Sequence[Recorded]) -> None:
        for one in recorded:
            if one.fact == "watch.alert_raised" and isinstance(raised := one.typed(), AlertRaised):
                tickets[raised.alert] = raised.ticket
            elif one.fact == "notify.asked":
                told.setdefault(tickets.get(one.about.partition("-")[2], ""), loop.time())

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        url, keys = f"sqlite:///{path / 'l.db'}", path / "keys"
        async with await Ledger.open(url, keys=KeyRing(keys)) as ledger:
            ledger.on_recorded(heard)
            settings = Watch(daily=100_000)
            orders = Orders(url, str(keys), str(path / "watch"), settings, house=1, logs=False)
            watching = Watching(ledger, Notices(ledger, house=1), orders)
            recorded = 0
            async with asyncio.TaskGroup() as group:
                running = group.create_task(watching.run())
                async for _ in follow(ledger, ["watch.beat"]):
                    break  # it is there
                work = facts(1_000_000)
                began = loop.time()
                for tick in range(seconds * 20):
                    for _ in range(load // 20):
                        fact, by = next(work)
                        ledger.record_soon(fact, by=by, about="x", urgent=False)
                        recorded += 1
                    if tick % 10 == 0:
                        # Each theft is another human's: the same thing is not said twice.
                        group.create_task(_theft(ledger, f"t{tick}", durable))
                    await asyncio.sleep(max(0, began + (tick + 1) / 20 - loop.time()))
                took = loop.time() - began
                async with asyncio.timeout(60):
                    while len(durable) < seconds * 2 or not durable.keys() <= told.keys():
                        await ledger.wait_turn(0.05)
                busy = processor_time(watching.process.pid) if watching.process else 0.0
                running.cancel()
    waits = sorted(told[name] - at for name, at in durable.items())
    p99 = percentile(waits, 99)
    return Result(
        f"fact durable to notice asked, p99, beside {load:,} facts/s",
        "1 s with 10,000 facts/s",
        f"{p99:.2f} s (median {statistics.median(waits):.2f} s, {len(waits)} thefts)",
        f"{recorded / took:,.0f} facts/s of other work; the watch computed {busy:.1f} s of {took:.0f}",
        None,
        p99 < 1.0,
    )


async def _theft(ledger: Ledger, name: str, durable: dict[str, float]) -> None:
    """A ticket for ten, used for nine hundred."""
    stolen = [fact for fact, _ in itertools.islice(facts(1), 5)]
    asked, approved, opened, statement = stolen[0], stolen[1], stolen[2], stolen[3]
    named = {"ticket": name, "person": name, "session": name, "persons": 900, "rows": 900}
    for fact in (asked, approved, opened, statement):
        changes = {key: value for key, value in named.items() if key in fact.__struct_fields__}
        by = "m1" if fact is approved else name
        await ledger.record(msgspec.structs.replace(fact, **changes), by=by, about=name)
    durable[name] = asyncio.get_running_loop().time()


def sketches(scale: Scale) -> list[Result]:
    """What ninety thousand persons of one worker and client take, and how far off the sketch is."""
    random, count = Random(3), scale.pick(90_000, 2_000)
    persons = [random.getrandbits(64) for _ in range(count)]
    before = time.process_time()
    sketch = Sketch()
    for person in persons:
        sketch.add(person)
    seconds = time.process_time() - before
    exact = len(BitMap64(persons).serialize())
    size = len(msgspec.msgpack.encode(sketch))
    off = abs(sketch.count() - count) / count
    return [
        Result(
            f"sketch of {count:,} persons",
            "",
            f"{size:,} B, {100 * off:.1f} % off, {count / seconds:,.0f} adds/CPU s",
            f"exact set (roaring): {exact:,} B",
            None,
            None,
        )
    ]
