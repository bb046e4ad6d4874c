"""The incident again, with prevention switched off: how long until the watch speaks, and how often it speaks in vain.

`make bench-incident` simulates 115 months of a maintenance team of four with ordinary work: lookups under tickets
that sometimes run over, ordered lists that are handed over (sometimes late, sometimes short), on-call nights, borrowed
desks, new terminals, new colleagues, holidays. Into it 100 thefts of about 90,000 persons are hidden, in seven styles:

    bulk       everything in one go, under the small ticket of that day
    slices     the same in slices of 3,000 over ten days
    crumbs     the same in slices of 300, every day, across clients and after hours
    drip       some 30 rows a day beyond the day's ticket
    padded     some 30 rows a day within a ticket that asks for so many more, so that nothing goes over it
    ordered    in one go, under a ticket for all of it that a colleague approves unread
    borrowed   in one go, under a colleague's account and ticket, from the thief's own terminal

The simulation shows the engine what doors record (observations as `sekisho.watch.reading` makes them of facts),
and no sensor of the terminal: no USB log, no mail log, which would only help. The thief is at it from the first weeks,
so there is no clean history of his own. The clean run of the same seed gives the false alarms; an alarm of a stolen run
counts as detection when the clean run has not got it and it names the thief, the account used, or the stolen rows.
What happened, without any watch: 115 months, 9.28 million persons.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random

from msgspec.structs import replace

from sekisho.watch.engine import Alarm, Engine, Sensitivity
from sekisho.watch.observation import DAY, HOUR, MINUTE, Kind, Observation

MONTHS = 115
THEFTS = 100
EACH = 90_000
CLIENTS = 69
POPULATION = 9_280_000
START = int(datetime(2013, 6, 30, 15, tzinfo=UTC).timestamp() * 1e6)  # midnight in Japan before Monday
STYLES = ("bulk", "slices", "crumbs", "drip", "padded", "ordered", "borrowed")
TUNED = (1, 2, 3, 4)  # thresholds were chosen on these
FRESH = (51, 52, 53, 54, 55, 56, 57, 58)  # … and never looked at on these
STOLEN = 1_000_000_000  # refs of stolen rows begin here
_ASKED = (10, 20, 30, 50, 100, 200, 300)


@dataclass
class Worker:
    name: str
    place: str
    pace: float  # tickets a day
    size: float  # what a lookup needs, as a factor
    clients: list[int]
    senior: bool


@dataclass
class House:
    """Ordinary work, made day by day from one seed."""

    seed: int
    refs: int = 0
    workers: list[Worker] = field(default_factory=list)
    sessions: int = 0

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        weights = [self.random.lognormvariate(0, 1.2) for _ in range(CLIENTS)]
        self.populations = [max(2_000, int(POPULATION * w / sum(weights))) for w in weights]
        self.workers = [self._worker(f"w{n}", n < 2) for n in range(4)]
        self.pending: list[tuple[int, Observation]] = []
        self.holidays = {self.random.randrange(365) for _ in range(16)}
        self.next_review = 20

    def _worker(self, name: str, senior: bool) -> Worker:
        r = self.random
        return Worker(
            name,
            f"pc-{name}",
            r.lognormvariate(0.8, 0.25),
            r.lognormvariate(0, 0.2),
            r.sample(range(CLIENTS), 25),
            senior,
        )

    def see(self, kind: Kind, at: int, **values: object) -> Observation:
        self.refs += 1
        return Observation(kind=kind, at=at, ref=self.refs, **values)  # type: ignore[arg-type]

    def beginning(self) -> list[Observation]:
        found = [
            self.see("client", START, client=f"c{n}", persons=size) for n, size in enumerate(self.populations)
        ]
        found += [
            self.see("person", START, target=w.name, what="maintenance", other="m1", tool="Example Dispatch")
            for w in self.workers
        ]
        return found

    def day(self, number: int) -> list[Observation]:
        """One day's work, not yet in order of time."""
        r, midnight = self.random, START + number * DAY
        found = [
            self.see("beat", midnight + hour * HOUR, target=source)
            for hour in (0, 6, 12, 18)
            for source in ("door-1", "database-1")
        ]
        due = [one for when, one in self.pending if when <= number]
        self.pending = [pair for pair in self.pending if pair[0] > number]
        found += due
        if number >= self.next_review:
            self.next_review = number + r.randrange(24, 33)
            found.append(self.see("review", midnight + 15 * HOUR, actor="m2", what="log review"))
        working = number % 7 < 5 and number % 365 not in self.holidays
        for place, worker in enumerate(self.workers):
            if place and r.random() < 1 / 1_100:  # about every three years somebody else comes
                newcomer = self._worker(f"{worker.name}n", worker.senior)
                self.workers[place] = worker = newcomer
                found.append(
                    self.see(
                        "person", midnight + 8 * HOUR, target=worker.name, what="maintenance", other="m1"
                    )
                )
            if r.random() < 1 / 500:  # a new machine
                worker.place = f"{worker.place.partition('+')[0]}+{number}"
            if working and r.random() < 0.93:
                for _ in range(self._poisson(worker.pace)):
                    found += self._lookup(worker, midnight + int(r.triangular(8.7, 17.9, 11) * HOUR))
                if r.random() < 0.08:
                    found += self._lookup(worker, midnight + int(r.uniform(18, 21) * HOUR))
            elif r.random() < 0.01:
                found += self._lookup(worker, midnight + int(r.uniform(9, 18) * HOUR))
            if r.random() < 0.012:  # on call
                found += self._lookup(worker, midnight + int(r.uniform(0, 24) * HOUR), emergency=True)
            if working and worker.senior and r.random() < 0.24:
                found += self._list(worker, number, midnight + int(r.uniform(9.5, 17) * HOUR))
        return found

    def _poisson(self, mean: float) -> int:
        count, left = 0, self.random.expovariate(1.0)
        while left < mean:
            count += 1
            left += self.random.expovariate(1.0)
        return count

    def _lookup(self, worker: Worker, at: int, *, emergency: bool = False) -> list[Observation]:
        r = self.random
        client = f"c{worker.clients[min(24, int(r.expovariate(0.25)))]}"
        need = max(1, int(worker.size * r.lognormvariate(1.7, 0.9)))
        expected = 20 if emergency else next((n for n in _ASKED if n >= need * 1.3), 500)
        if r.random() < 0.04:
            need = int(expected * r.uniform(1.05, 1.6))
        place = worker.place if r.random() > 0.015 else "pc-room"
        return self.session(
            worker.name, place, client, at, expected, need, r.randrange(1, 6), emergency=emergency
        )

    def session(
        self,
        human: str,
        place: str,
        client: str,
        at: int,
        expected: int,
        need: int,
        statements: int,
        *,
        emergency: bool = False,
    ) -> list[Observation]:
        r = self.random
        self.sessions += 1
        name = f"{self.refs + 1}"
        ticket, session = f"T-{name}", f"s-{name}"
        here = {"actor": human, "client": client, "ticket": ticket}
        asked = at - int(r.lognormvariate(3.2, 0.8) * MINUTE)
        what = "emergency" if emergency else ""
        found = [
            self.see("ticket", asked, **here, expected=expected, until=at + 8 * HOUR, place=place, what=what)
        ]
        if not emergency:
            consent = {**here, "actor": r.choice(("m1", "m2"))}
            found.append(
                self.see("approval", asked + int(r.uniform(0.1, 0.9) * (at - asked)), **consent, place="pc-m")
            )
        door = {**here, "session": session, "place": place, "tool": "psql", "target": "callcentre"}
        found.append(self.see("logon", at, **door))
        left = need
        for n in range(statements, 0, -1):
            persons = left if n == 1 else r.randint(0, max(0, left - n))
            left -= persons
            at += int(r.uniform(0.3, 6) * MINUTE)
            table = r.choice(("customers", "customers", "calls", "orders", "notes"))
            found.append(
                self.see("read", at, **door, persons=persons, rows=persons * r.randint(1, 3), tables=(table,))
            )
        found.append(self.see("logoff", at + MINUTE, **door))
        found.append(self.see("ticket_end", at + 30 * MINUTE, **here))
        return found

    def _list(self, worker: Worker, number: int, at: int) -> list[Observation]:
        """A list that a client ordered: pulled under a ticket for it, and handed over after some days."""
        r = self.random
        place = r.randrange(CLIENTS)
        size = max(1_000, int(self.populations[place] * r.uniform(0.05, 1.0)))
        found = self.session(
            worker.name, worker.place, f"c{place}", at, int(size * 1.1), size, r.randint(1, 4)
        )
        handed = size if r.random() > 0.01 else int(size * 0.9)
        days = 0 if r.random() < 0.6 else r.randint(1, 4) if r.random() < 0.97 else r.randint(5, 9)
        when = START + (number + days) * DAY + 18 * HOUR
        given = self.see(
            "takeout", when, actor=worker.name, client=f"c{place}", ticket=found[0].ticket, persons=handed
        )
        self.pending.append((number + days, given))
        return found


class Thief:
    """What is added to the ordinary days of one style, from a seed of its own."""

    def __init__(self, style: str, house: House, days: int) -> None:
        self.style = style
        self.house = house
        self.random = r = Random(house.seed * 7919 + STYLES.index(style))
        first = r.randrange(3, 40)
        spacing = (days - first) / THEFTS
        self.acts = {_working(int(first + n * spacing + r.uniform(0, spacing / 2))) for n in range(THEFTS)}
        self.first = min(self.acts)
        self.stolen = 0
        self.refs = STOLEN
        self.slices: list[tuple[int, int, str]] = []  # day, persons, client

    def add(self, number: int, ordinary: list[Observation]) -> list[Observation]:
        if self.style in ("drip", "padded"):
            return self._drip(number, ordinary)
        r, midnight = self.random, START + number * DAY
        found: list[Observation] = []
        if number in self.acts:
            size = int(EACH * r.uniform(0.7, 1.3))
            if self.style in ("slices", "crumbs"):
                each, a_day = (3_000, 3) if self.style == "slices" else (300, 10)
                client = self._client()
                for n in range(size // each):
                    if self.style == "crumbs" and n % 3 == 0:
                        client = self._client()
                    self.slices.append((_working(number + n // a_day), each, client))
            else:
                found += self._bulk(midnight + int(r.uniform(10, 20) * HOUR), size)
        for day, persons, client in self.slices:
            if day == number:
                hour = r.uniform(18, 22) if self.style == "crumbs" else r.uniform(9, 18)
                found += self._take(midnight + int(hour * HOUR), "w0", client, 20, persons)
        self.slices = [one for one in self.slices if one[0] > number]
        return found

    def _client(self) -> str:
        large = [n for n, size in enumerate(self.house.populations) if size > 50_000]
        return f"c{self.random.choice(large)}"

    def _bulk(self, at: int, size: int) -> list[Observation]:
        client = self._client()
        if self.style == "bulk":
            return self._take(at, "w0", client, 20, size)
        if self.style == "ordered":
            return self._take(at, "w0", client, int(size * 1.1), size, consent=12)
        return self._take(at, "w1", client, 50, size)

    def _take(
        self, at: int, account: str, client: str, expected: int, persons: int, *, consent: float = 600
    ) -> list[Observation]:
        """A session as the house has them, by the thief."""
        refs, self.house.refs = self.house.refs, self.refs
        state, sessions = self.house.random.getstate(), self.house.sessions
        self.house.random = Random(self.random.random())
        place = self.house.workers[0].place
        found = self.house.session(account, place, client, at, expected, persons, 1)
        if self.style == "ordered":
            found = [
                replace(one, at=found[0].at + int(consent * 1e6)) if one.kind == "approval" else one
                for one in found
            ]
        self.house.random = Random()
        self.house.random.setstate(state)
        self.refs, self.house.refs, self.house.sessions = self.house.refs, refs, sessions
        self.stolen += persons
        return found

    def _drip(self, number: int, ordinary: list[Observation]) -> list[Observation]:
        """Thirty rows more in the first session of the thief's day."""
        if number < self.first:
            return []
        mine = [one for one in ordinary if one.kind == "read" and one.actor == "w0" and one.persons < 500]
        if not mine:
            return []
        last = mine[-1]
        self.refs += 1
        rows = self.random.randint(20, 40)
        more = replace(last, persons=rows, rows=rows, ref=self.refs, at=last.at + 1)
        self.stolen += rows
        if self.style == "padded":
            for place, one in enumerate(ordinary):
                if one.kind == "ticket" and one.ticket == last.ticket:
                    ordinary[place] = replace(one, expected=one.expected + 40)
        return [more]


def _working(number: int) -> int:
    return number + (7 - number % 7 if number % 7 > 4 else 0)


@dataclass
class Outcome:
    """`days` from the first stolen row to the first alarm, `persons` stolen until then; None: never."""

    style: str
    days: float | None
    persons: int
    alarm: Alarm | None

    @property
    def badness(self) -> tuple[float, int]:
        return (1e9 if self.days is None else round(self.days, 1), self.persons)

    @property
    def said(self) -> str:
        days = "never" if self.days is None else f"{self.days:.1f} days"
        return f"{days:>10}, {self.persons:>9,} persons ({100 * self.persons / POPULATION:.3f} %)"


@dataclass
class Clean:
    alarms: list[Alarm]
    weeks: float
    sessions: int
    seconds: float
    observations: int
    state: int

    @property
    def weekly(self) -> float:
        return len(self.alarms) / self.weeks

    @property
    def per_thousand(self) -> float:
        return 1000 * len(self.alarms) / self.sessions


def days_of(
    seed: int, months: int, style: str = ""
) -> Iterator[tuple[list[Observation], House, Thief | None]]:
    house = House(seed)
    days = months * 365 // 12
    thief = Thief(style, house, days) if style else None
    yield house.beginning(), house, thief
    for number in range(days):
        found = house.day(number)
        if thief is not None:
            found += thief.add(number, found)
        found.sort(key=lambda one: (one.at, one.ref))
        yield found, house, thief


def clean(seed: int, months: int, sensitivity: Sensitivity) -> Clean:
    engine, alarms, seconds, count = Engine(sensitivity), [], 0.0, 0
    house = None
    for day, house, _ in days_of(seed, months):  # noqa: B007
        before = time.process_time()
        for one in day:
            alarms += engine.step(one)
        seconds += time.process_time() - before
        count += len(day)
    assert house is not None
    state = max(engine.memory_of(worker.name) for worker in house.workers)
    return Clean(alarms, months * 365 / 12 / 7, house.sessions, seconds, count, state)


def stolen(seed: int, months: int, style: str, known: set[str], sensitivity: Sensitivity) -> Outcome:
    """Run one style until the first alarm that the clean run has not got."""
    engine, began, lost = Engine(sensitivity), 0, 0
    thieves = {"w0", "w1"} if style == "borrowed" else {"w0"}
    for day, _, _ in days_of(seed, months, style):
        for one in day:
            if one.ref >= STOLEN:
                began = began or one.at
                lost += one.persons if one.kind == "read" else 0
            for alarm in engine.step(one):
                mine = alarm.human in thieves or any(ref >= STOLEN for ref in alarm.refs)
                if began and mine and alarm.alarm not in known:
                    return Outcome(style, (one.at - began) / DAY, lost, alarm)
    return Outcome(style, None, lost, None)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.incident", description=__doc__)
    parser.add_argument("--months", type=int, default=MONTHS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[*TUNED, *FRESH])
    parser.add_argument("--styles", nargs="+", default=list(STYLES), choices=STYLES)
    parser.add_argument("--alert-at", type=float, default=Sensitivity().alert_at)
    parser.add_argument("--false", action="store_true", help="print what the false alarms were")
    arguments = parser.parse_args()
    sensitivity = Sensitivity(alert_at=arguments.alert_at)
    outcomes: dict[int, list[Outcome]] = {}
    bases: dict[int, Clean] = {}
    for seed in arguments.seeds:
        base = bases[seed] = clean(seed, arguments.months, sensitivity)
        print(
            f"seed {seed}: {len(base.alarms)} false alarms in {base.weeks:.0f} weeks: {base.weekly:.2f} a week, "
            f"{base.per_thousand:.1f} per 1,000 sessions; {base.observations:,} observations, "
            f"{base.observations / base.seconds:,.0f} a CPU second; state {base.state} B a worker",
            flush=True,
        )
        if arguments.false:
            for name in sorted({alarm.detector for alarm in base.alarms}):
                mine = [alarm for alarm in base.alarms if alarm.detector == name]
                print(
                    f"    {name}: {len(mine)}, score {statistics.mean(a.score for a in mine):.1f}; {mine[0].values}"
                )
        known = {alarm.alarm for alarm in base.alarms}
        for style in arguments.styles:
            outcome = stolen(seed, arguments.months, style, known, sensitivity)
            said = outcome.alarm.detector if outcome.alarm else "nothing"
            print(f"    {style:9} {outcome.said}, first: {said}", flush=True)
            outcomes.setdefault(seed, []).append(outcome)
    print("\nwhat happened: 115 months, 9,280,000 persons")
    tuned = [seed for seed in arguments.seeds if seed in TUNED]
    others = [seed for seed in arguments.seeds if seed not in TUNED]
    reached = True
    for title, seeds in (
        ("seeds that thresholds were chosen on", tuned),
        ("seeds that they were not", others),
    ):
        if seeds:
            print(f"worst of {title} ({', '.join(map(str, seeds))}):")
            reached = _worst([outcomes[seed] for seed in seeds], [bases[seed] for seed in seeds]) and reached
    sys.exit(0 if reached else 1)


def _worst(outcomes: list[list[Outcome]], bases: list[Clean]) -> bool:
    reached = True
    for several in zip(*outcomes, strict=True):
        outcome = max(several, key=lambda one: one.badness)
        in_time = outcome.days is not None and (outcome.days <= 31 or outcome.persons <= POPULATION // 100)
        if outcome.style == "bulk":
            in_time = outcome.days is not None and outcome.days < 1
        reached = reached and in_time
        print(f"  {outcome.style:9} {outcome.said}  {'reached' if in_time else 'MISSED'}")
    weekly = max(base.weekly for base in bases)
    thousand = max(base.per_thousand for base in bases)
    print(
        f"  false alarms {weekly:.2f} a week, {thousand:.1f} per 1,000 sessions  "
        f"{'reached' if weekly <= 2 else 'MISSED'}"
    )
    return reached and weekly <= 2


if __name__ == "__main__":
    main()
