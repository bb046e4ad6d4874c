"""Milliseconds that a page of the console takes at one million facts, by loopback over TLS.

Peer in the same run: the bare `/log/checkpoint`, the smallest answer of the same server. Each page records that it was
read before it answers, so a page costs at least one durable write.
"""

import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path
from statistics import median

import httpx2

from bench.facts import session, statement
from bench.frame import Result, Scale, percentile
from sekisho.console.viewer import SESSION_COOKIE
from sekisho.gate.facts import TicketRequested
from sekisho.gate.policy import Policy
from sekisho.ledger import Ledger, Level
from sekisho.people.facts import PersonAdded, RoleAsked, RoleGranted
from sekisho.people.identity import Method, minted
from sekisho.people.roles import Role
from sekisho.people.sessions import Sessions
from sekisho.register.facts import OrganisationAdded
from sekisho.relay.facts import SessionClosed
from sekisho.service.service import create_state, open_ledger, running
from sekisho.service.settings import Settings

_REACH = 100.0  # milliseconds
_AHEAD = 4_096
_STATEMENTS = 48  # of each session
_PEOPLE = (
    ("p-worker", Role.WORKER, ""),
    ("p-manager", Role.OPERATOR_MANAGER, ""),
    ("p-auditor", Role.AUDITOR, ""),
    ("p-client", Role.CLIENT, "bench"),
)
_PAGES = (
    ("p-worker", "/work"),
    ("p-manager", "/queue"),
    ("p-manager", "/live"),
    ("p-manager", "/tickets"),
    ("p-auditor", "/facts"),
    ("p-auditor", "/facts?fact=people."),  # rare ones: looks through as much as it may
    ("p-auditor", "/refusals"),
    ("p-client", "/portal"),
    ("p-client", "/portal/digest"),
    ("p-client", "/portal/duties"),
)


async def run(scale: Scale) -> list[Result]:
    count, rounds = scale.pick(1_000_000, 2_000), scale.pick(20, 2)
    with tempfile.TemporaryDirectory(prefix="sekisho-bench-") as folder:
        state = Path(folder) / "state"
        settings = Settings(
            origin="bench.example", postgres_listen="127.0.0.1:0", console_listen="127.0.0.1:0"
        )
        create_state(state, settings)
        async with open_ledger(state, settings) as ledger:
            await _people(ledger)
            await _fill(ledger, count)
        async with running(state) as service:
            size = await service.ledger.size()
            await service.ledger.reached(size - 1, Level.PUBLISHED, 600)
            url = f"https://localhost:{service.console[1]}"
            figures = await _measure(service.ledger, url, rounds)
    bare = median(figures.pop("/log/checkpoint"))
    return [
        Result(
            f"page {path} at {size:,} facts",
            f"{_REACH:.0f} ms",
            f"{median(times):.1f} ms, p95 {percentile(times, 95):.1f} ms",
            f"/log/checkpoint {bare:.1f} ms",
            ratio=median(times) / bare,
            met=median(times) <= _REACH,
        )
        for path, times in figures.items()
    ]


async def _measure(ledger: Ledger, url: str, rounds: int) -> dict[str, list[float]]:
    figures: dict[str, list[float]] = {}

    async def timed(name: str, get: Callable[[], Awaitable[httpx2.Response]]) -> None:
        started = time.perf_counter()
        answer = await get()
        elapsed = (time.perf_counter() - started) * 1e3
        if answer.status_code != 200:
            raise RuntimeError(f"{name}: {answer.status_code}")
        figures.setdefault(name, []).append(elapsed)

    cookies = {}
    for person, _, _ in _PEOPLE:
        _, cookies[person] = await Sessions(ledger).open(minted(person, person, Method.PASSKEY, "bench"))
    async with httpx2.AsyncClient(base_url=url, verify=False, timeout=120) as client:
        for number in range(rounds + 1):
            for person, path in (("", "/log/checkpoint"), *_PAGES):
                cookie = {"cookie": f"{SESSION_COOKIE}={cookies[person]}"} if person else {}
                await timed(path, lambda path=path, cookie=cookie: client.get(path, headers=cookie))  # type: ignore[misc]
            if number == 0:
                figures.clear()  # the first round warms caches, and proves each person's facts
    return figures


async def _people(ledger: Ledger) -> None:
    await ledger.record(
        OrganisationAdded(organisation="bench", name="架空商会", name_en="Bench Trading", kind="company"),
        by="sekisho",
        about="bench",
    )
    for person, role, organisation in _PEOPLE:
        added = PersonAdded(person=person, name=person, employer=f"of {person}", manager="", language="en")
        await ledger.record(added, by="sekisho", about=person)
        since = date(2024, 4, 1)
        wanted = RoleAsked(person=person, role=role, organisation=organisation, since=since, reason="bench")
        asked = await ledger.record(wanted, by="first", about=person)
        request = asked.leaf_hash.hex()
        granted = RoleGranted(
            person=person, role=role, organisation=organisation, since=since, request=request
        )
        await ledger.record(granted, by="second", about=person)
    now = int(time.time() * 1e6)
    for number in range(20):
        asked_for = TicketRequested(
            ticket=f"T-{number:04}",
            person="p-worker",
            organisation="bench",
            dataset="customers",
            target="target",
            door="postgres",
            purpose="a question of a customer",
            opens=now,
            closes=now + 3_600_000_000,
            limits=Policy().break_glass,
        )
        await ledger.record(asked_for, by="p-worker", about=asked_for.ticket)


async def _fill(ledger: Ledger, count: int) -> None:
    """Sessions with their statements, one after the other, all but the last ones ended."""
    waiting = []
    for number in range(count // (_STATEMENTS + 2)):
        name = f"s-{number:016x}"
        facts = [
            session(number),
            *(statement(number, step) for step in range(_STATEMENTS)),
            SessionClosed(
                session=name,
                reason="client",
                statements=_STATEMENTS,
                rows=_STATEMENTS,
                persons=_STATEMENTS,
                bytes=120 * _STATEMENTS,
                seen="",
            ),
        ]
        waiting += [ledger.record_soon(fact, by="p-worker", about=name) for fact in facts]
        if len(waiting) >= _AHEAD:
            for future in waiting:
                await future
            waiting.clear()
    for future in waiting:
        await future
