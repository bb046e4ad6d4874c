"""The desk of a running checkpoint: a list brought in pieces, looked up under a released key, judged by others."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from sekisho.demo.founding import add_person, appoint
from sekisho.faults import Fault
from sekisho.gate.faults import NOT_YOUR_DUTY, ONE_CHAIN
from sekisho.ledger import KeyRing, Ledger
from sekisho.people.roles import Role
from sekisho.trace.apart import read_apart
from sekisho.trace.cases import list_cases, read_case
from sekisho.trace.desk import TraceDesk
from sekisho.trace.facts import CaseOpened
from sekisho.trace.faults import KEY_LOCKED, NO_LIST, TOO_LONG, UNREADABLE
from sekisho.trace.registry import Registry
from sekisho.trace.release import KeyDesk, record_split
from tracing.trace_world import make_registry, parties, rows_of, write_csv

ROLES = (
    ("hogo", "Example Prime", Role.PRIVACY_OFFICER, ""),
    ("kensa", "Example Audit", Role.AUDITOR, ""),
    ("moto", "Example Prime", Role.PROCESSOR_MANAGER, ""),
    ("chosa", "Example Forensics", Role.INVESTIGATOR, ""),
)


@dataclass
class Room:
    ledger: Ledger
    desk: TraceDesk
    shares: dict[str, str]
    registry: Registry

    async def open_key(self) -> None:
        release = await self.desk.key.ask(reason="offered", minutes=10, lookups=3, by="moto")
        for person in ("hogo", "kensa"):
            await self.desk.key.give(release, self.shares[person], by=person)

    async def look_up(self, path: Path, by: str = "moto") -> str:
        content = path.read_bytes()
        brought = self.desk.begin(path.name, len(content), by=by)
        for start in range(0, len(content), 4096):
            self.desk.put(brought, start, content[start : start + 4096], by=by)
        return await self.desk.look_up(brought, {}, reason="offered", by=by)

    async def ended(self, case: str) -> None:
        async with asyncio.timeout(60):
            while (running := self.desk.running(case)) is not None:
                if running.fault:
                    raise running.fault
                running.changed.clear()
                await running.changed.wait()


@asynccontextmanager
async def room(folder: Path) -> AsyncIterator[Room]:
    registry, _ = make_registry(folder)
    master = (folder / "keys" / "master.key").read_bytes()
    (folder / "keys" / "master.key").unlink()
    url = f"sqlite:///{folder / 'ledger.db'}"
    async with await Ledger.open(url, keys=KeyRing(folder / "vault")) as ledger:
        for person, employer, role, organisation in ROLES:
            await add_person(ledger, person, f"{person} 某", employer, language="ja")
            await appoint(ledger, person, role, organisation, first="first", second="second")
        shares = await record_split(ledger, folder / "keys", master, ["hogo", "kensa", "chosa"], by="kanri")
        desk = TraceDesk(
            ledger, folder / "registry", folder / "lists", KeyDesk(ledger, folder / "keys"), secret=b"s" * 32
        )
        async with asyncio.TaskGroup() as group:
            working = group.create_task(desk.run())
            yield Room(ledger, desk, shares, registry)
            working.cancel()


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Room]:
    async with room(tmp_path) as one:
        yield one


async def test_a_list_from_the_first_piece_to_the_judgement(made: Room, tmp_path: Path) -> None:
    session = f"s-{parties()[0].id}-6"
    rows = rows_of(made.registry, session)
    path = write_csv(tmp_path / "名簿.csv", rows)
    with pytest.raises(Fault) as caught:
        await made.look_up(path)
    assert caught.value.kind is KEY_LOCKED
    assert await list_cases(made.ledger) == []
    await made.open_key()
    case = await made.look_up(path)
    await made.ended(case)
    found = await read_case(made.ledger, case)
    assert [one.session for one in found.answer.sessions] == [session]
    assert (found.answer.shown[0].session, found.answer.shown[0].hits) == (session, len(rows))
    opened = found.facts[0].typed()
    assert isinstance(opened, CaseOpened)
    assert opened.release.startswith("release-")
    # The list is kept, and not in clear.
    [kept] = (tmp_path / "lists").iterdir()
    assert (rows[0][0] or "").encode() not in kept.read_bytes()
    assert await made.desk.repeat(case, by="moto")
    # Who looked it up does not confirm it; somebody of the matrix's other side does.
    for by, kind in (("moto", NOT_YOUR_DUTY), ("kensa", NOT_YOUR_DUTY)):
        with pytest.raises(Fault) as caught:
            await made.desk.judge(case, "confirmed", reason="", by=by)
        assert caught.value.kind is kind
    await made.desk.judge(case, "confirmed", reason="read the answer", by="chosa")
    await made.desk.judge(case, "reversed", reason="the twin session was it", by="chosa")
    [row] = await list_cases(made.ledger)
    assert (row["judgement"], row["judged_by"], row["judged_reason"]) == (
        "reversed",
        "chosa",
        "the twin session was it",
    )
    await made.desk.destroy(case, by="moto")
    assert not list((tmp_path / "lists").iterdir())
    with pytest.raises(Fault) as caught:
        await made.desk.repeat(case, by="moto")
    assert caught.value.kind is NO_LIST


async def test_who_may_only_confirm_does_not_look_up_and_the_key_is_not_spent(
    made: Room, tmp_path: Path
) -> None:
    await made.open_key()
    path = write_csv(tmp_path / "list.csv", rows_of(made.registry, f"s-{parties()[0].id}-6"))
    with pytest.raises(Fault) as caught:
        await made.look_up(path, by="chosa")
    assert caught.value.kind in (NOT_YOUR_DUTY, ONE_CHAIN)
    assert made.desk.key.lease is not None
    assert made.desk.key.lease.lookups == 3


async def test_a_list_is_its_bringers_and_whole(made: Room) -> None:
    brought = made.desk.begin("list.csv", 10, by="moto")
    made.desk.put(brought, 0, b"12345", by="moto")
    for offset, content, by in ((0, b"x", "moto"), (5, b"123456", "moto"), (5, b"6", "chosa")):
        with pytest.raises(Fault) as caught:
            made.desk.put(brought, offset, content, by=by)
        assert caught.value.kind is NO_LIST
    with pytest.raises(Fault) as caught:
        await made.desk.read(brought, by="moto")
    assert caught.value.kind is NO_LIST
    with pytest.raises(Fault) as caught:
        made.desk.begin("list.csv", 1 << 40, by="moto")
    assert caught.value.kind is TOO_LONG


async def test_a_hostile_file_is_read_where_it_finds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What runs in place of the reader sees neither this file system, nor the network, nor the environment."""
    from sekisho.trace import apart

    probe = (
        "import os,socket,sys\n"
        f"seen = [os.path.exists({str(tmp_path)!r}), os.path.exists('/etc/passwd'), 'SECRET' in os.environ]\n"
        "try:\n socket.create_connection(('127.0.0.1', 1), 1)\nexcept OSError as error:\n seen.append(error.errno)\n"
        "try:\n open('/tmp/../usr/x', 'w')\nexcept OSError as error:\n seen.append('ro')\n"
        "sys.stderr.write(repr(seen)); sys.exit(3)\n"
    )
    command = apart._command("x")
    monkeypatch.setenv("SECRET", "1")
    place = command.index("-P")
    process = await asyncio.create_subprocess_exec(
        *command[:place], "-c", probe, stderr=asyncio.subprocess.PIPE, env=dict(os.environ)
    )
    _, said = await process.communicate()
    assert process.returncode == 3
    assert said.decode() == "[False, False, False, 111, 'ro']"
    for name, content in (("b.pdf", b"%PDF-1.4 broken"), ("c.xlsx", b"PK\x03\x04" + b"\0" * 50)):
        with pytest.raises(Fault) as caught:
            await read_apart(name, content)
        assert caught.value.kind is UNREADABLE
