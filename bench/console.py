"""Milliseconds that a page of the console takes at one million facts, by loopback over TLS.

Peer in the same run: the bare `/log/checkpoint`, the smallest answer of the same server. Each page records that it was
read before it answers, so a page costs at least one durable write.

The pages are asked for twice: when everything is published and the watch has looked at every fact; and after the watch
was killed and its memory removed, while it reads a million facts anew beside.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path
from statistics import median

import httpx2
import msgspec

from bench.facts import session, statement
from bench.frame import Result, Scale, percentile
from sekisho.console.viewer import SESSION_COOKIE
from sekisho.gate.facts import Bulk, TicketRequested
from sekisho.gate.policy import Policy
from sekisho.ledger import Commitment, Ledger, Level
from sekisho.people.facts import PersonAdded, RoleAsked, RoleGranted
from sekisho.people.identity import Method, minted
from sekisho.people.roles import Role
from sekisho.people.sessions import Sessions
from sekisho.register.facts import OrganisationAdded
from sekisho.relay.facts import SessionClosed
from sekisho.relay.record.facts import RecordClosed, RecordOpened
from sekisho.relay.workspace.facts import WorkspaceOpened
from sekisho.service.service import WATCH, create_state, open_ledger, running
from sekisho.service.settings import Settings
from sekisho.watch.watcher import MEMORY

_REACH = 100.0  # milliseconds
_AHEAD = 4_096
_STATEMENTS = 48  # of each session
_RECORDINGS = 400
_PEOPLE = (
    ("p-worker", Role.WORKER, ""),
    ("p-manager", Role.OPERATOR_MANAGER, ""),
    ("p-auditor", Role.AUDITOR, ""),
    ("p-client", Role.CLIENT, "bench"),
    ("p-privacy", Role.PRIVACY_OFFICER, ""),
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
    ("p-client", "/portal/alerts"),
    ("p-manager", "/alerts"),
    ("p-auditor", "/recordings"),
    ("p-privacy", "/controls"),
    ("p-auditor", "/status"),
    ("p-worker", "/work/T-0000/workspace"),
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
            memory = state / WATCH / MEMORY
            while _looked_at(memory) < size:  # noqa: ASYNC110 (another process writes it)
                await asyncio.sleep(1)
            figures = await _measure(service.ledger, url, rounds)
            if service.watching is None or service.watching.process is None:
                raise RuntimeError("the watch does not run")
            memory.unlink()
            service.watching.process.kill()
            beside = await _measure(service.ledger, url, max(2, rounds // 2))
            read = _looked_at(memory)
    return [
        *_lines(figures, f"at {size:,} facts"),
        *_lines(beside, f"at {size:,} facts, while the watch reads the first {read:,} anew"),
    ]


def _looked_at(memory: Path) -> int:
    """How many facts the watch has looked at, as it last saved."""
    return int(msgspec.msgpack.decode(memory.read_bytes())["start"]) if memory.exists() else 0


def _lines(figures: dict[str, list[float]], at: str) -> list[Result]:
    bare = median(figures.pop("/log/checkpoint"))
    return [
        Result(
            f"page {path} {at}",
            f"{_REACH:.0f} ms",
            f"{median(times):.1f} ms, p95 {percentile(times, 95):.1f} ms",
            f"/log/checkpoint {bare:.1f} ms",
            ratio=median(times) / bare,
            met=percentile(times, 95) <= _REACH,
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
            bulk=Bulk(limits=Policy().break_glass),
        )
        await ledger.record(asked_for, by="p-worker", about=asked_for.ticket)

    key = Commitment("7c" * 32)
    opened = WorkspaceOpened(ticket="T-0000", person="p-worker", organisation="bench", quota=1 << 29, key=key)
    await ledger.record(opened, by="p-worker", about="T-0000")
    for number in range(_RECORDINGS):
        name = f"r-{number:04}"
        begun = RecordOpened(
            recording=name, session=f"s-{number:016x}", person="p-worker", ticket="T-0001", organisation="bench",
            kind="terminal", title="ssh", width=80, height=24, key=key,
        )  # fmt: skip
        await ledger.record(begun, by="p-worker", about=name)
        ended = RecordClosed(
            recording=name, events=900, length=90_000, milliseconds=600_000, chain="7c" * 32, code=""
        )
        await ledger.record(ended, by="sekisho", about=name)


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
