"""Each detector with what it must find, and the near miss beside it that it must let be."""

from collections.abc import Callable
from typing import Any

import pytest

from sekisho.watch.detectors import DETECTORS
from sekisho.watch.engine import Engine
from sekisho.watch.observation import Kind, Observation
from watch.watch_under_test import at, in_order, run, see, ticket

Case = tuple[list[Observation], list[Observation]]
CASES: dict[str, Callable[[], Case]] = {}


def case(function: Callable[[], Case]) -> Callable[[], Case]:
    CASES[function.__name__] = function
    return function


def work(days: int, persons: int = 8, start: int = 0, **values: Any) -> list[Observation]:
    """Ordinary days: a ticket for twenty persons, and a few of them seen. Weekends are free."""
    found: list[Observation] = []
    for day in range(start, start + days):
        if day % 7 > 4:
            continue
        name = f"T-{values.get('actor', 'sato')}-{day}"
        found += ticket(name, at(day, 0.2), 20, actor=values.get("actor", "sato"))
        found.append(
            see(
                "logon", at(day, 1), **{"session": f"s-{name}", "place": "pc-1", "client": "minato", **values}
            )
        )
        found.append(
            see(
                "read",
                at(day, 1.2),
                **{"persons": persons, "rows": persons, "client": "minato", "ticket": name, **values},
            )
        )
        found.append(see("logoff", at(day, 2), **{"session": f"s-{name}", **values}))
    return found


def drip(days: int, over: int) -> list[Observation]:
    """Each day the ticket for twenty is used for twenty and `over` more."""
    return work(days, persons=20 + over)


@case
def cum_subjects() -> Case:
    many = [see("read", at(day, 3), persons=200, client="minato") for day in range(10)]
    few = [see("read", at(day, 3), persons=20, client="minato") for day in range(10)]
    return many, few


@case
def takeout_cusum() -> Case:
    return drip(14, over=10), drip(14, over=1)


@case
def cum_peer_excess() -> Case:
    team = [
        see("person", at(0, 0), actor="", target=name, what="team") for name in ("sato", "abe", "kato", "doi")
    ]
    for name in ("abe", "kato", "doi"):
        team += work(31, persons=8, actor=name, place=f"pc-{name}")
    return team + work(31, persons=28), team + work(31, persons=14)


@case
def client_share() -> Case:
    client = [see("client", at(0, 0), actor="", client="minato", persons=10_000)]
    slices = [see("read", at(day, 3), persons=100, client="minato") for day in range(10)]
    return client + slices, client + slices[:1]


@case
def slice_sweep() -> Case:
    pages = [see("read", at(0, 1, minute), persons=100, rows=100, client="minato") for minute in range(20)]
    sizes = [see("read", at(0, 1, n), persons=100 + n, rows=100 + n, client="minato") for n in range(20)]
    return pages, sizes


@case
def ticket_mismatch() -> Case:
    asked = ticket("T-1", at(0, 0), 20)
    far = [see("read", at(0, 1), persons=200, ticket="T-1", client="minato")]
    near = [see("read", at(0, 1), persons=24, ticket="T-1", client="minato")]
    return asked + far, asked + near


@case
def export_burst() -> Case:
    usual = [see("file", at(day, 1, n)) for day in range(40) for n in range(4)]
    return usual + [see("file", at(41, 1, n)) for n in range(60)], usual + [
        see("file", at(41, 1, n)) for n in range(7)
    ]


@case
def first_access() -> Case:
    usual = work(120)
    return (
        [*usual, see("logon", at(121, 1), session="s-x", place="pc-9", client="minato")],
        [*usual, see("logon", at(121, 1), session="s-x", place="pc-1", client="minato")],
    )


@case
def off_hours() -> Case:
    usual = work(200)
    night = [see("logon", at(day, 17), session=f"n-{day}", place="pc-1") for day in (200, 201, 203)]
    late = [see("logon", at(200, 2.5), session="n", place="pc-1")]
    return usual + night, usual + late


@case
def shared_account() -> Case:
    usual = work(60)
    first = see("logon", at(63, 1), session="s-a", place="pc-1")
    second = see("logon", at(63, 1.2), session="s-b", place="pc-2")
    later = see("logon", at(63, 4), session="s-b", place="pc-2")
    gone = see("logoff", at(63, 1.1), session="s-a")
    return [*usual, first, second], [*usual, first, gone, later]


@case
def foreign_host() -> Case:
    usual = work(40) + work(40, actor="abe", place="pc-2")
    borrowed = see("logon", at(42, 1), session="s-x", actor="abe", place="pc-1")
    own = see("logon", at(42, 1), session="s-x", actor="abe", place="pc-2")
    return [*usual, borrowed], [*usual, own]


@case
def masquerade() -> Case:
    habits = [
        see("command", at(day, 1, n / 3), what=("ls", "cd", "vi", "make", "git")[n % 5])
        for day in range(12)
        for n in range(60)
    ]
    other = [see("command", at(13, 1, n / 3), what=f"find{n % 40}") for n in range(200)]
    same = [see("command", at(13, 1, n / 3), what=("git", "ls", "ls", "vi", "cd")[n % 5]) for n in range(200)]
    return habits + other, habits + same


@case
def sequence() -> Case:
    def steps(*kinds: Kind) -> list[Observation]:
        return [
            see(kind, at(0, 1, 10 * n), persons=100 if kind == "read" else 0) for n, kind in enumerate(kinds)
        ]

    return steps("read", "file", "archive", "device", "media"), steps("media", "archive", "file", "read")


@case
def staging_growth() -> Case:
    heap = [see("file", at(0, 1), place="pc-1", persons=2_000), see("beat", at(9, 1), actor="", target="x")]
    purged = see("delete", at(1, 1), place="pc-1", persons=2_000)
    return heap, [*heap, purged]


@case
def removable_media() -> Case:
    usual = work(30)
    return (
        [*usual, see("device", at(31, 2), target="serial-1", what="unregistered", place="pc-1")],
        [*usual, see("device", at(31, 2), target="serial-2", what="registered", place="pc-1")],
    )


@case
def unload_print() -> Case:
    client = [see("client", at(0, 0), actor="", client="minato", persons=10_000)]
    dump = [see("read", at(0, 1), persons=5_000, rows=5_000, client="minato")]
    covered = ticket("T-9", at(0, 0), 6_000)
    fine = [see("read", at(0, 1), persons=5_000, rows=5_000, client="minato", ticket="T-9")]
    return client + dump, client + covered + fine


@case
def departing() -> Case:
    end = [see("person", at(0, 0), actor="", target="sato", until=at(10, 0))]
    return end + work(12, start=1), end + work(7, start=1)


def approvals(seconds: int, count: int, by: str = "mori", asker: str = "sato") -> list[Observation]:
    found = []
    for n in range(count):
        when, name = at(n, 1), f"T-{asker}-{n}"
        found.append(see("ticket", when, ticket=name, expected=20, client="minato", actor=asker))
        found.append(see("approval", when + seconds * 1_000_000, ticket=name, actor=by))
    return found


@case
def approval_rubber_stamp() -> Case:
    return approvals(5, 15), approvals(300, 15)


@case
def collusion() -> Case:
    one_way = approvals(300, 6)
    return one_way + approvals(300, 6, by="sato", asker="mori"), one_way


@case
def log_gap() -> Case:
    beats = [see("beat", at(0, 0, n), actor="", target="agent-1") for n in range(30)]
    clock = see("beat", at(0, 8), actor="", target="checkpoint")
    alive = [see("beat", at(0, 0, 30 + 10 * n), actor="", target="agent-1") for n in range(46)]
    return [*beats, clock], [*beats, *alive, clock]


@case
def reconcile() -> Case:
    bulk = ticket("T-B", at(0, 0), 50_000)
    pulled = see("read", at(0, 1), persons=40_000, ticket="T-B", client="minato")
    handed = see("takeout", at(2, 1), persons=40_000, ticket="T-B", client="minato")
    later = see("beat", at(8, 1), actor="", target="x")
    return [*bulk, pulled, later], [*bulk, pulled, handed, later]


@case
def dormant() -> Case:
    first = see("logon", at(0, 1), session="a", place="pc-1")
    return (
        [first, see("logon", at(100, 1), session="b", place="pc-1")],
        [first, see("logon", at(60, 1), session="b", place="pc-1")],
    )


@case
def review_overdue() -> Case:
    done = see("review", at(0, 1), what="logs", actor="mori")
    return (
        [done, see("beat", at(37, 1), actor="", target="x")],
        [
            done,
            see("review", at(30, 1), what="logs", actor="mori"),
            see("beat", at(50, 1), actor="", target="x"),
        ],
    )


@case
def canary() -> Case:
    return [see("canary", at(0, 1), client="minato", target="c-7", what="letter")], work(3)


@case
def admin_watch() -> Case:
    own = see("admin", at(0, 1), what="log_read", other="sato")
    others = see("admin", at(0, 1), what="log_read", other="mori")
    return [own], [others]


@pytest.mark.parametrize("name", [one.name for one in DETECTORS])
def test_finds_what_it_must_and_lets_the_near_miss_be(name: str) -> None:
    positive, near_miss = CASES[name]()
    alarms = run(name, positive)
    assert alarms, f"{name} found nothing"
    assert not run(name, near_miss)
    detector = next(one for one in DETECTORS if one.name == name)
    for alarm in alarms:
        values = {"human": alarm.human, "client": alarm.client, **alarm.values}
        for words in (detector.finding.en, detector.finding.ja):
            assert "{" not in words.format(**values)


def test_the_detectors_are_twenty_five_and_say_what_they_need() -> None:
    assert [one.number for one in DETECTORS] == list(range(1, 26))
    for one in DETECTORS:
        assert one.kinds
        assert one.window
        assert one.reason.en
        assert one.reason.ja


def test_the_same_observations_give_the_same_state_and_a_reload_changes_nothing() -> None:
    everything = [one for build in CASES.values() for group in build() for one in group]
    stream = list(in_order(everything))
    straight, broken = Engine(), Engine()
    alarms, again = [], []
    for number, one in enumerate(stream):
        alarms += straight.step(one)
        again += broken.step(one)
        if number % 97 == 0:
            dumped = broken.dump()
            broken = Engine()
            broken.load(dumped)
            assert broken.dump() == dumped
    assert again == alarms
    assert broken.dump() == straight.dump()
    assert alarms


def test_time_never_runs_backwards() -> None:
    engine = Engine()
    engine.step(see("logon", at(3, 1), place="pc-1"))
    before = engine.dump()
    engine.step(see("beat", at(1, 1), actor="", target="x"))
    assert engine.known.day == (at(3, 1) // 1_000_000 + 9 * 3600) // 86_400
    assert engine.dump() != before


def test_nobody_is_taught_by_his_own_oddities() -> None:
    """A head that cries every day about one human stays loud about him."""
    engine = Engine()
    for day in range(60):
        engine.heads.note("ticket", "sato", 3.0)
        engine.heads.close_day(day, {"sato": day + 1}, 4 * (day + 1))
    assert engine.heads.calibrated("ticket", "sato", 3.0, 180) > 2.5
    # … and becomes quiet about the others, for whom it proved to mean little.
    assert engine.heads.calibrated("ticket", "abe", 3.0, 180) < 1.5


def test_the_daily_budget_lets_the_highest_through() -> None:
    tickets = [
        one
        for n in range(8)
        for one in (
            *ticket(f"T-{n}", at(0, 0, n), 10, actor=f"p{n}"),
            see("read", at(0, 1, n), persons=60, ticket=f"T-{n}", actor=f"p{n}", client="minato"),
        )
    ]
    assert len(run("ticket_mismatch", tickets, daily=3)) == 3
    tickets += ticket("T-9", at(0, 2), 10, actor="p9")
    tickets.append(see("read", at(0, 3), persons=900, ticket="T-9", actor="p9", client="minato"))
    assert run("ticket_mismatch", tickets, daily=3)[-1].human == "p9"


def test_the_same_persons_again_are_the_same_persons() -> None:
    """Two sessions of one ticket count the same people; the meter, which knows whom it counted, says so."""

    def lease(when: int, persons: int, ever: int) -> Observation:
        return see("lease", when, ticket="T-1", client="minato", persons=persons, rows=ever)

    def read(when: int) -> Observation:
        return see("read", when, ticket="T-1", client="minato", persons=50)

    asked = ticket("T-1", at(0, 0), 60)
    twice = [
        lease(at(0, 1), 64, 64),
        read(at(0, 1, 1)),
        lease(at(0, 1, 2), -14, -14),
        read(at(0, 2)),
        read(at(0, 3)),
    ]
    assert not run("ticket_mismatch", [*asked, *twice])
    engine = Engine()
    for one in in_order([*asked, *twice]):
        engine.step(one)
    assert engine.known.tickets["T-1"].used == 50
    assert engine.known.metered["sato|minato"] == 50
    # A door that lets rows past its meter contradicts it: within one session nobody is counted twice.
    assert run(
        "ticket_mismatch", [*asked, *twice, see("read", at(0, 4), ticket="T-1", client="minato", persons=900)]
    )
    others = [lease(at(0, 4), 150, 150), *[read(at(0, 4, n)) for n in range(1, 4)]]
    assert run("ticket_mismatch", [*asked, *twice, *others])


def test_a_signal_from_outside_lowers_what_is_needed_for_that_client_only() -> None:
    asked = ticket("T-1", at(0, 0), 20)
    read = see("read", at(0, 2), persons=55, ticket="T-1", client="minato")
    signal = see("outside", at(0, 1), actor="", client="minato", what="complaint")
    elsewhere = see("outside", at(0, 1), actor="", client="aoba", what="complaint")
    assert not run("ticket_mismatch", [*asked, read])
    assert not run("ticket_mismatch", [*asked, elsewhere, read])
    assert run("ticket_mismatch", [*asked, signal, read])
    assert run("ticket_mismatch", [*asked, read], raised=("minato",))


def test_the_state_of_a_human_stays_about_a_kilobyte() -> None:
    engine = Engine()
    for one in in_order(work(600) + drip(90, over=2)):
        engine.step(one)
    assert engine.memory_of("sato") < 1_000
