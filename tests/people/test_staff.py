"""Joining, working, leaving: what follows on each, over both databases."""

import asyncio
import json
import time
from datetime import date, timedelta
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import select

from people.people_examples import START, add, give
from sekisho.faults import Fault
from sekisho.ledger import KeyRing, Ledger, Recorded
from sekisho.ledger.leaf import FACTS_BY_NAME
from sekisho.ledger.subscriptions import POLL_SECONDS
from sekisho.people import leaving
from sekisho.people.accounts import add_account
from sekisho.people.consent import find_roles
from sekisho.people.facts import (
    AccountAdded,
    HeldRole,
    PersonLeft,
    PersonMoved,
    PersonReturned,
    TrainingCompleted,
)
from sekisho.people.freeze import freeze, watch_frozen
from sekisho.people.identity import Method, minted
from sekisho.people.leaving import Pull, find_unfinished, leave, look_back, return_person
from sekisho.people.roles import Role
from sekisho.people.sessions import Sessions
from sekisho.people.staff import (
    Tenure,
    attest_rule,
    find_expiring,
    find_long_tenures,
    find_sole_holders,
    move_person,
    record_training,
    sweep_tenures,
)
from sekisho.people.standing import read_standing
from sekisho.people.tables import leavings, persons
from sekisho.relay.facts import SessionOpened, Statement, Statements

LAST_DAY = date(2026, 11, 21)


async def pull(ledger: Ledger, by: str, session: str, rows: int, organisation: str = "minato") -> None:
    sealed = ledger.vault.seal(organisation, b"SELECT")
    statement = Statement(
        session=session,
        number=1,
        ticket="T-1",
        organisation=organisation,
        read=("customers.name",),
        masked=(),
        rows=rows,
        persons=rows,
        bytes=rows * 40,
        duration=1000,
        outcome="passed",
        code="",
        text=sealed.commitment,
    )
    await ledger.record(statement, by=by, about=session, parts=[sealed])


async def open_door(ledger: Ledger, by: str, session: str) -> None:
    opened = SessionOpened(
        session=session,
        person=by,
        ticket="T-1",
        organisation="minato",
        dataset="minato-customers",
        target="callcentre",
        door="postgres",
        peer="192.0.2.1",
        tls="",
        client="psql",
    )
    await ledger.record(opened, by=by, about=session)


# -- leaving --------------------------------------------------------------------------------------------------------


async def test_leaving_revokes_looks_back_and_writes_to_the_agency(each_house: Ledger) -> None:
    house = each_house
    await add(house, "sato", agency="Example Staffing", manager="mori", started=START)
    await give(house, "sato", Role.WORKER, "minato")
    await add_account(house, AccountAdded(account="old-admin", person="sato", reason="x"), by="kanri")
    session, _ = await Sessions(house).open(minted("sato", "sato", Method.PASSKEY, "test"))
    await open_door(house, "sato", "s-1")
    await pull(house, "sato", "s-1", 12)
    await pull(house, "mori", "s-2", 5)
    await open_door(house, "old-admin", "s-3")
    await pull(house, "old-admin", "s-3", 32_759, "aoba")

    found = await leave(house, "sato", last_day=LAST_DAY, reason="contract ended", by="mori")

    assert [(one.session, one.rows, one.organisation) for one in found.pulls] == [
        ("s-1", 12, "minato"),
        ("s-3", 32_759, "aoba"),
    ]
    assert (found.sessions, found.rows, found.organisations) == (2, 32_771, ("aoba", "minato"))
    [left] = await house.facts(0, 9, names=["people.person_left"])
    fact = left.typed()
    assert isinstance(fact, PersonLeft)
    assert fact.roles == (HeldRole(Role.WORKER, "minato"),)
    assert fact.sessions == (session,)
    async with house.read() as connection:
        assert await find_roles(connection, "sato") == {}
        assert await find_unfinished(connection) == ()
        row = (await connection.execute(select(leavings))).one()
    kept = await house.content(row.pulls)
    assert isinstance(kept, bytes)
    assert msgspec.json.decode(kept, type=tuple[Pull, ...]) == found.pulls
    [told] = await house.facts(0, 9, names=["people.agency_notified"])
    data = json.loads(told.leaf)["data"]
    assert data["agency"] == "Example Staffing"
    assert "2026-11-21" in data["text"]
    standing = await read_standing(house, "sato")
    assert standing is not None
    assert (standing.left, standing.active, dict(standing.roles)) == (True, False, {})


async def test_the_look_back_finds_what_the_doors_record() -> None:
    """People imports no door: the names and fields that it reads must be those that the doors write."""
    for name in leaving.PULLS:
        fields = {field.name for field in msgspec.structs.fields(FACTS_BY_NAME[name].type)}
        told = {"seq", "at", "executions"} | ({"outcome"} if name == "relay.statements" else set())
        assert {field.name for field in msgspec.structs.fields(Pull)} - told <= fields
    assert leaving._OPENED in FACTS_BY_NAME


async def test_the_look_back_counts_gathered_executions(house: Ledger) -> None:
    await add(house, "sato")
    sealed = house.vault.seal("minato", b"SELECT 1")
    gathered = Statements(
        session="s-1",
        first=1,
        ticket="T-1",
        organisation="minato",
        read=("customers.name",),
        masked=(),
        rows=(1, 2, 3),
        persons=(1, 1, 2),
        bytes=(40, 80, 120),
        duration=(9, 9, 9),
        text=sealed.commitment,
    )
    await house.record(gathered, by="sato", about="s-1", parts=[sealed])
    found = await look_back(house, "sato")
    assert [(one.executions, one.rows, one.persons, one.outcome) for one in found.pulls] == [
        (3, 6, 4, "passed")
    ]


async def test_the_look_back_reads_page_after_page(house: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaving, "_PAGE", 3)
    await add(house, "sato")
    for number in range(10):
        await pull(house, "sato", f"s-{number}", 1)
    found = await look_back(house, "sato")
    assert [one.session for one in found.pulls] == [f"s-{number}" for number in range(10)]


async def test_leaving_again_finishes_what_a_crash_left_undone(
    house: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add(house, "sato")

    async def crash(ledger: Ledger, person: str) -> None:
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(leaving, "look_back", crash)
        with pytest.raises(ConnectionError):
            await leave(house, "sato", last_day=LAST_DAY, reason="x", by="mori")
    standing = await read_standing(house, "sato")
    assert standing is not None
    assert not standing.active  # revoked first
    async with house.read() as connection:
        assert await find_unfinished(connection) == ("sato",)
    for _ in range(2):
        await leave(house, "sato", last_day=LAST_DAY, reason="x", by="mori")
    for name in ("people.person_left", "people.looked_back", "people.agency_notified"):
        assert len(await house.facts(0, 9, names=[name])) == 1


async def test_who_comes_back_has_nothing_of_before(house: Ledger) -> None:
    await add(house, "sato")
    await give(house, "sato", Role.WORKER)
    sessions = Sessions(house)
    _, token = await sessions.open(minted("sato", "sato", Method.PASSKEY, "test"))
    returned = PersonReturned(
        person="sato", employer="Example Outsourcing", agency="", unit="", manager="mori", started=LAST_DAY
    )
    with pytest.raises(Fault, match="SEK-PEOP-024"):
        await return_person(house, returned, by="mori")
    await leave(house, "sato", last_day=LAST_DAY, reason="x", by="mori")
    await return_person(house, returned, by="mori")
    standing = await read_standing(house, "sato")
    assert standing is not None
    assert (standing.active, standing.manager, dict(standing.roles)) == (True, "mori", {})
    assert await sessions.find(token, peer="") is None


# -- the kill switch ------------------------------------------------------------------------------------------------


async def test_live_sessions_hear_of_a_freeze_and_of_a_leaving_at_once(each_house: Ledger) -> None:
    house = each_house
    for person in ("sato", "ito"):
        await add(house, person)
    await add_account(house, AccountAdded(account="old-admin", person="sato", reason="x"), by="kanri")
    heard: asyncio.Queue[tuple[frozenset[str], str, float]] = asyncio.Queue(9)

    async def on_frozen(accounts: frozenset[str], recorded: Recorded) -> None:
        heard.put_nowait((accounts, recorded.fact, time.monotonic()))

    async with asyncio.TaskGroup() as group:
        watching = group.create_task(watch_frozen(house, on_frozen))
        await asyncio.sleep(0.05)
        pulled = time.monotonic()
        await freeze(house, "sato", reason="suspicion", by="mori")
        accounts, fact, at = await asyncio.wait_for(heard.get(), 5)
        assert (accounts, fact) == (frozenset({"sato", "old-admin"}), "people.person_frozen")
        assert at - pulled < 2 * POLL_SECONDS
        await leave(house, "ito", last_day=LAST_DAY, reason="x", by="mori")
        accounts, fact, _ = await asyncio.wait_for(heard.get(), 5)
        assert (accounts, fact) == (frozenset({"ito"}), "people.person_left")
        watching.cancel()


async def test_nobody_unknown_is_frozen(house: Ledger) -> None:
    with pytest.raises(Fault, match="SEK-PEOP-004"):
        await freeze(house, "nobody", reason="x", by="mori")


# -- working --------------------------------------------------------------------------------------------------------


async def test_a_person_moves_to_another_unit_and_manager(house: Ledger) -> None:
    await add(house, "sato", manager="mori")
    moved = PersonMoved(
        person="sato", employer="Example Outsourcing", agency="", unit="night shift", manager="hogo"
    )
    await move_person(house, moved, by="kanri")
    async with house.read() as connection:
        row = (await connection.execute(select(persons).where(persons.c.person == "sato"))).one()
    assert (row.unit, row.manager, row.name) == ("night shift", "hogo", "sato 太郎")
    standing = await read_standing(house, "sato")
    assert standing is not None
    assert standing.manager == "hogo"
    with pytest.raises(Fault, match="SEK-PEOP-004"):
        await move_person(house, msgspec.structs.replace(moved, manager="nobody"), by="kanri")


async def test_trainings_and_rules_expire(house: Ledger) -> None:
    await add(house, "sato")
    until = date(2027, 3, 31)
    training = TrainingCompleted(person="sato", course="privacy", on=date(2026, 4, 1), until=until)
    with pytest.raises(Fault, match="SEK-PEOP-007"):
        await record_training(house, training, by="sato")
    with pytest.raises(Fault, match="SEK-PEOP-025"):
        await record_training(house, msgspec.structs.replace(training, until=START), by="mori")
    await record_training(house, training, by="mori")
    link = minted("sato", "sato", Method.LINK, "test")
    with pytest.raises(Fault, match="SEK-PEOP-019"):
        await attest_rule(house, link, rule="no-copies", text="0" * 64, on=START, until=until)
    sato = minted("sato", "sato", Method.PASSKEY, "test")
    later = date(2027, 9, 30)
    await attest_rule(house, sato, rule="no-copies", text="0" * 64, on=date(2026, 4, 1), until=later)
    async with house.read() as connection:
        near = await find_expiring(connection, date(2027, 3, 1), within=timedelta(days=31))
        far = await find_expiring(connection, date(2027, 3, 1), within=timedelta(days=365))
    assert [(one.person, one.kind, one.name) for one in near] == [("sato", "training", "privacy")]
    assert [one.name for one in far] == ["privacy", "no-copies"]
    standing = await read_standing(house, "sato")
    assert standing is not None
    assert standing.lacking({"privacy"}, {"no-copies"}, until) == ()
    assert standing.lacking({"privacy"}, {"no-copies"}, until + timedelta(days=1)) == ("privacy",)


async def test_fifteen_years_on_one_privilege_raise_a_task_once(house: Ledger) -> None:
    await add(house, "sato")
    await give(house, "sato", Role.WORKER, "minato", since=START)
    on = date(2023, 7, 10)
    async with house.read() as connection:
        found = await find_long_tenures(connection, on)
        assert Tenure("sato", "worker", "minato", START, 15) in found
        assert await find_long_tenures(connection, date(2013, 5, 31)) == []
    due = await sweep_tenures(house, on)
    assert [one.about for one in due] == [one.person for one in found]
    assert await sweep_tenures(house, on + timedelta(days=1)) == []
    await give(house, "sato", Role.WORKER, "minato", since=START)  # granted anew: raised anew
    assert [one.about for one in await sweep_tenures(house, on)] == ["sato"]


async def test_who_alone_holds_a_role_is_named(house: Ledger) -> None:
    for person in ("sato", "ito"):
        await add(house, person)
        await give(house, person, Role.WORKER, "minato")
    await give(house, "sato", Role.WORKER, "aoba")
    async with house.read() as connection:
        found = {(one.person, one.role, one.organisation) for one in await find_sole_holders(connection)}
    assert ("sato", "worker", "aoba") in found
    assert not {one for one in found if one[2] == "minato"}
    assert not {one for one in found if one[1] == "administrator"}
    await leave(house, "ito", last_day=LAST_DAY, reason="x", by="mori")
    async with house.read() as connection:
        found = {(one.person, one.role, one.organisation) for one in await find_sole_holders(connection)}
    assert ("sato", "worker", "minato") in found


async def test_a_freeze_by_another_process_on_the_same_ledger_is_heard(house: Ledger, tmp_path: Path) -> None:
    await add(house, "sato")
    heard: asyncio.Queue[frozenset[str]] = asyncio.Queue(9)

    async def on_frozen(accounts: frozenset[str], recorded: Recorded) -> None:
        heard.put_nowait(accounts)

    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    async with (
        await Ledger.open(url, keys=KeyRing(tmp_path / "keys")) as another,
        asyncio.TaskGroup() as group,
    ):
        watching = group.create_task(watch_frozen(another, on_frozen))
        await asyncio.sleep(0.05)
        pulled = time.monotonic()
        await freeze(house, "sato", reason="suspicion", by="mori")
        assert await asyncio.wait_for(heard.get(), 5) == frozenset({"sato"})
        assert time.monotonic() - pulled < 4 * POLL_SECONDS
        watching.cancel()
