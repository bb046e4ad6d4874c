"""The engine at a real ledger: what is recorded, who is told, what a crash and a second reading change (nothing)."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gate.gate_examples import HOUR, TINY, asked
from sekisho.faults import Fault
from sekisho.gate.facts import TicketApproved
from sekisho.gate.restraints import list_restraints
from sekisho.gate.tables import tickets
from sekisho.ledger import Commitment, Ledger
from sekisho.people.facts import AccountAdded
from sekisho.people.tables import persons
from sekisho.relay.facts import SessionClosed, SessionOpened, Statement
from sekisho.watch import faults
from sekisho.watch.alerts import (
    acknowledge,
    approve_mute,
    ask_mute,
    effects,
    end_mute,
    escalate,
    explain,
    find_alert,
    list_alerts,
    receive_signal,
)
from sekisho.watch.ending import end_of_responses
from sekisho.watch.facts import AlertRaised, Beat, CanaryMet, MuteAsked
from sekisho.watch.reading import READERS
from sekisho.watch.routing import Routed
from sekisho.watch.settings import Response, Watch
from sekisho.watch.watcher import MEMORY, Watcher, rebuilt


@dataclass
class Told:
    """Who was told of what, in order."""

    heard: list[tuple[AlertRaised, Routed, int]] = field(default_factory=list)

    async def __call__(self, raised: AlertRaised, routed: Routed, level: int) -> None:
        self.heard.append((raised, routed, level))


async def session(ledger: Ledger, name: str, ticket: str, *persons_seen: int, person: str = "sato") -> None:
    opened = SessionOpened(
        session=name,
        person=person,
        ticket=ticket,
        organisation="minato",
        dataset="minato-customers",
        target="callcentre",
        door="postgres",
        peer="192.0.2.7:50123",
        tls="",
        client="psql",
    )
    await ledger.record(opened, by=person, about=name)
    for number, count in enumerate(persons_seen, 1):
        said = Statement(
            session=name,
            number=number,
            ticket=ticket,
            organisation="minato",
            read=("customers.name", "customers.phone"),
            masked=(),
            rows=count,
            persons=count,
            bytes=40 * count,
            duration=900,
            outcome="passed",
            code="",
            text=Commitment("7c" * 32),
        )
        await ledger.record(said, by=person, about=name)
    closed = SessionClosed(
        session=name,
        reason="client",
        statements=len(persons_seen),
        rows=0,
        persons=0,
        bytes=0,
        seen="",
    )
    await ledger.record(closed, by=person, about=name)


async def theft(ledger: Ledger, name: str = "T-0001", size: int = 900) -> None:
    """A ticket for five, used for nine hundred."""
    now = int(datetime.now(UTC).timestamp() * 1e6)
    wanted = asked(name, limits=TINY, opens=now, closes=now + 8 * HOUR)
    await ledger.record(wanted, by="sato", about=name)
    await ledger.record(TicketApproved(ticket=name, approver="mori", request=""), by="mori", about=name)
    await session(ledger, f"s-{name}", name, 3, size)


async def caught_up(watcher: Watcher) -> None:
    while await watcher.catch_up():
        pass


@pytest.fixture
def watch(ledger: Ledger, tmp_path: Path) -> Callable[..., tuple[Watcher, Told]]:
    def make(settings: Watch | None = None, folder: str = "watch", **more: Any) -> tuple[Watcher, Told]:
        told = Told()
        return Watcher(ledger, tmp_path / folder, told, settings, **more), told

    return make


async def alerts_of(ledger: Ledger) -> list[AlertRaised]:
    async with ledger.read() as connection:
        return [one.raised for one in reversed(await list_alerts(connection))]


Make = Callable[..., tuple[Watcher, Told]]


async def test_a_theft_is_recorded_explained_and_told_past_its_subject(ledger: Ledger, watch: Make) -> None:
    watcher, told = watch()
    await theft(ledger)
    await caught_up(watcher)
    raised = await alerts_of(ledger)
    assert {"ticket_mismatch", "takeout_cusum"} <= {one.detector for one in raised}
    mismatch = next(one for one in raised if one.detector == "ticket_mismatch")
    assert mismatch.human == "sato"
    assert (mismatch.observed, mismatch.expected) == (903, 5)
    # The number is that of the statements themselves, recomputed from the facts it names and those before it.
    seen = 0
    for recorded in await ledger.facts(0, 1_000, names=["relay.statement"]):
        statement = recorded.typed()
        assert isinstance(statement, Statement)
        seen += statement.persons if recorded.seq <= mismatch.refs[-1] else 0
    assert seen == mismatch.observed
    assert "903" in explain(mismatch)["en"]
    assert "903" in explain(mismatch)["ja"]
    for _, routed, level in told.heard:
        assert level == 0
        assert set(routed.to) == {"hara", "ono"}  # neither sato, nor mori who commands sato, nor kato below


async def test_many_alerts_at_once_do_not_wait_for_each_other(ledger: Ledger, watch: Make) -> None:
    watcher, told = watch(Watch(daily=1_000))
    for number in range(8):
        await theft(ledger, f"T-{number:04}", 900 * (number + 1))
    async with asyncio.timeout(60):
        await caught_up(watcher)
    assert len({one.alert for one, _, _ in told.heard}) > 8


async def test_a_fact_that_cannot_be_looked_at_is_itself_an_alert(
    ledger: Ledger, watch: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(leaf: Any) -> Any:
        raise KeyError("renamed")

    monkeypatch.setitem(READERS, "relay.session_closed", broken)
    watcher, told = watch()
    await theft(ledger)
    await caught_up(watcher)
    await caught_up(watcher)
    assert "log_gap" in {one.detector for one, _, _ in told.heard}
    assert "ticket_mismatch" in {one.detector for one, _, _ in told.heard}  # the others were looked at


async def test_nothing_is_raised_twice_after_a_crash_and_the_state_is_the_same_bytes(
    ledger: Ledger, watch: Make
) -> None:
    first, _ = watch()
    await theft(ledger)
    await caught_up(first)
    before = await alerts_of(ledger)
    # It died before it saved: the next one reads everything again.
    second, told = watch()
    await caught_up(second)
    assert await alerts_of(ledger) == before
    # The first page of the first one ended before its own alerts were recorded; both have now read them.
    await caught_up(first)
    assert second.engine.dump() == first.engine.dump()
    assert (await rebuilt(ledger, second.start)).dump() == second.engine.dump()
    assert {one.alert for one, _, _ in told.heard} == {one.alert for one in before}


async def test_the_memory_file_is_taken_up_and_a_broken_one_is_made_anew(
    ledger: Ledger, watch: Make, tmp_path: Path
) -> None:
    first, _ = watch()
    await theft(ledger)
    await caught_up(first)
    first.save()
    second, _ = watch()
    second._load()
    assert (second.start, second.engine.dump()) == (first.start, first.engine.dump())
    (tmp_path / "watch" / MEMORY).write_bytes(b"\x00broken")
    third, _ = watch()
    third._load()
    assert third.start == 0
    await caught_up(third)
    assert third.engine.dump() == first.engine.dump()


async def test_run_follows_the_ledger_and_beats(ledger: Ledger, watch: Make) -> None:
    watcher, told = watch()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(watcher.run())
        await theft(ledger)
        async with asyncio.timeout(20):
            while not told.heard:
                await ledger.wait_turn(0.05)
        running.cancel()
    beats = await ledger.facts(0, 10, names=["watch.beat"])
    assert isinstance(beats[0].typed(), Beat)


async def test_an_alert_climbs_until_somebody_acknowledges_it(ledger: Ledger, watch: Make) -> None:
    watcher, told = watch()
    await theft(ledger)
    await caught_up(watcher)
    alerts = await alerts_of(ledger)
    told.heard.clear()
    now = datetime.now(UTC)
    assert await escalate(ledger, (4, 24), now + timedelta(hours=3), told) == 0
    await acknowledge(ledger, alerts[0].alert, verdict="suspicious", reason="never asked for", by="hara")
    assert await escalate(ledger, (4, 24), now + timedelta(hours=5), told) == len(alerts) - 1
    assert all("kido" in routed.to for _, routed, _ in told.heard)
    assert await escalate(ledger, (4, 24), now + timedelta(hours=5), told) == 0
    assert await escalate(ledger, (4, 24), now + timedelta(hours=30), told) == len(alerts) - 1
    assert "tani" in told.heard[-1][1].to  # the client itself


async def test_who_may_acknowledge(ledger: Ledger, watch: Make) -> None:
    watcher, _ = watch()
    await theft(ledger)
    await caught_up(watcher)
    alert = (await alerts_of(ledger))[0].alert
    for person in ("sato", "mori", "kato", "kanri", "nobody"):
        with pytest.raises(Fault) as refused:
            await acknowledge(ledger, alert, verdict="expected", reason="it was me", by=person)
        assert refused.value.kind is faults.NOT_YOURS_TO_ACKNOWLEDGE
    with pytest.raises(Fault):
        await acknowledge(ledger, "a-none", verdict="expected", reason="", by="hara")
    await acknowledge(ledger, alert, verdict="expected", reason="an ordered list", by="hara")
    with pytest.raises(Fault) as again:
        await acknowledge(ledger, alert, verdict="suspicious", reason="", by="hara")
    assert again.value.kind is faults.ACKNOWLEDGED
    async with ledger.read() as connection:
        measured = {one.detector: one for one in await effects(connection)}
    assert sum(one.expected for one in measured.values()) == 1


async def test_feedback_lowers_nothing(ledger: Ledger, watch: Make) -> None:
    watcher, _ = watch()
    await theft(ledger)
    await caught_up(watcher)
    for one in await alerts_of(ledger):
        await acknowledge(ledger, one.alert, verdict="expected", reason="ordered", by="hara")
    count = len(await alerts_of(ledger))
    await theft(ledger, "T-0002", 5_000)
    await caught_up(watcher)
    assert len(await alerts_of(ledger)) > count


def mute(until: datetime, **changes: Any) -> MuteAsked:
    values = {"detector": "ticket_mismatch", "human": "sato", "organisation": "minato", "reason": "migration"}
    return MuteAsked(**{**values, **changes}, until=int(until.timestamp() * 1e6))


async def test_nobody_mutes_alone_and_a_mute_is_seen(ledger: Ledger, watch: Make) -> None:
    now = datetime.now(UTC)
    soon = now + timedelta(days=7)
    with pytest.raises(Fault):  # no end within reason
        await ask_mute(ledger, mute(now + timedelta(days=400)), by="mori", now=now)
    with pytest.raises(Fault):  # no reason
        await ask_mute(ledger, mute(soon, reason=" "), by="mori", now=now)
    with pytest.raises(Fault):  # not one's own
        await ask_mute(ledger, mute(soon), by="sato", now=now)
    wanted = await ask_mute(ledger, mute(soon), by="mori", now=now)
    request = wanted.leaf_hash.hex()
    watcher, told = watch()
    await theft(ledger)
    await caught_up(watcher)
    assert any(
        one.detector == "ticket_mismatch" for one, _, _ in told.heard
    )  # one person alone mutes nothing
    for person in ("mori", "sato", "kato", "kanri"):
        with pytest.raises(Fault):
            await approve_mute(ledger, request, by=person)
    await approve_mute(ledger, request, by="ono")
    told.heard.clear()
    await theft(ledger, "T-0002", 8_000)
    await caught_up(watcher)
    assert not any(one.detector == "ticket_mismatch" for one, _, _ in told.heard)
    assert told.heard  # other detectors still speak
    kept = [one for one in await alerts_of(ledger) if one.ticket == "T-0002" and one.muted]
    assert [one.muted for one in kept] == [request]  # recorded, for the auditor and the client
    await end_mute(ledger, request, reason="done", by="kido")
    await theft(ledger, "T-0003", 70_000)
    await caught_up(watcher)
    assert any(one.detector == "ticket_mismatch" for one, _, _ in told.heard)


async def test_a_certain_alarm_is_never_muted(ledger: Ledger, watch: Make) -> None:
    now = datetime.now(UTC)
    asked_for = mute(now + timedelta(days=7), detector="canary", human="sato")
    wanted = await ask_mute(ledger, asked_for, by="mori", now=now)
    await approve_mute(ledger, wanted.leaf_hash.hex(), by="ono")
    watcher, told = watch()
    await ledger.record(
        CanaryMet(organisation="minato", canary="c-7", how="letter"), by="tani", about="minato"
    )
    await caught_up(watcher)
    assert [one.detector for one, _, _ in told.heard] == ["canary"]


@pytest.mark.parametrize("what", ["end_session", "close_ticket", "freeze"])
async def test_responses_follow_by_policy_once(ledger: Ledger, watch: Make, what: Any) -> None:
    settings = Watch(responses=(Response(what=what, detector="ticket_mismatch", at=2.5),))
    watcher, _ = watch(settings)
    door = SomeDoor()
    async with asyncio.TaskGroup() as group:
        ending = group.create_task(end_of_responses(ledger, [door]))
        await asyncio.sleep(0)
        await theft(ledger)
        await caught_up(watcher)
        again, _ = watch(settings)
        await caught_up(again)
        async with asyncio.timeout(10):
            while what == "end_session" and not door.ended:
                await ledger.wait_turn(0.05)
        ending.cancel()
    [taken] = await ledger.facts(0, 10, names=["watch.response_taken"])
    subjects = {"end_session": "s-T-0001", "close_ticket": "T-0001", "freeze": "sato"}
    assert taken.typed().subject == subjects[what]  # type: ignore[union-attr]
    async with ledger.read() as connection:
        rows = {row.person: row.frozen for row in await connection.execute(persons.select())}
        closed = [row.ending for row in await connection.execute(tickets.select())]
    assert bool(rows["sato"]) == (what == "freeze")
    assert closed == (["revoked"] if what == "close_ticket" else [""])
    assert door.ended == (["s-T-0001"] if what == "end_session" else [])


class SomeDoor:
    """A door without sockets: it remembers which session it was told to end."""

    def __init__(self) -> None:
        self.ended: list[str] = []

    def end_all(
        self, fault: Fault, reason: str, *, person: str | None = None, ticket: str | None = None
    ) -> int:
        return 0

    def end_session(self, session: str, fault: Fault, reason: str) -> bool:
        self.ended.append(session)
        return True


@pytest.mark.parametrize("what", ["approval", "budget"])
async def test_a_restraint_follows_by_policy_for_a_time(ledger: Ledger, watch: Make, what: Any) -> None:
    response = Response(what=what, detector="ticket_mismatch", at=2.5, hours=6, percent=20)
    watcher, _ = watch(Watch(responses=(response,)))
    await theft(ledger)
    await caught_up(watcher)
    now = int(datetime.now(UTC).timestamp() * 1e6)
    async with ledger.read() as connection:
        [found] = await list_restraints(connection, now)
        assert not await list_restraints(connection, now + 6 * HOUR)
    kept = found.restraint
    assert (kept.person, kept.kind, kept.percent) == ("sato", what, 20 if what == "budget" else 100)
    assert found.alert in {one.alert for one in await alerts_of(ledger)}


async def test_who_is_nobody_of_ours_is_not_restrained(ledger: Ledger, watch: Make) -> None:
    """A foreign log can name whom it likes: that must not end the watch."""
    watcher, told = watch(Watch(responses=(Response(what="freeze", at=0.5), Response(what="budget", at=0.5))))
    await session(ledger, "s-1", "T-none", 900, person="stranger")
    await caught_up(watcher)
    assert {one.human for one, _, _ in told.heard} == {"stranger"}
    assert not await ledger.facts(0, 10, names=["people.person_frozen", "gate.restraint_imposed"])


async def test_without_a_policy_nothing_follows_by_itself(ledger: Ledger, watch: Make) -> None:
    watcher, _ = watch()
    await theft(ledger)
    await caught_up(watcher)
    assert not await ledger.facts(0, 10, names=["watch.response_taken", "people.person_frozen"])


async def test_a_signal_looks_at_the_past_again(ledger: Ledger, watch: Make) -> None:
    watcher, told = watch()
    await theft(ledger, size=14)  # three times the ticket, yet few: not worth an alert
    await caught_up(watcher)
    assert not told.heard
    await receive_signal(ledger, organisation="aoba", kind="complaint", note="n", by="ono", name="s-0")
    await receive_signal(
        ledger, organisation="minato", kind="complaint", note="田中様から", by="ono", name="s-1"
    )
    async with asyncio.TaskGroup() as group:
        while await watcher.catch_up(group):
            pass
    assert {one.detector for one, _, _ in told.heard} == {"ticket_mismatch"}
    [raised] = await alerts_of(ledger)
    assert raised.signal
    [signal] = [
        one for one in await ledger.facts(0, 99, names=["watch.signal_received"]) if one.about == "minato"
    ]
    assert "田中".encode() not in signal.leaf


async def test_a_planted_person_who_was_met_looks_at_the_past_again(ledger: Ledger, watch: Make) -> None:
    watcher, told = watch()
    await theft(ledger, size=14)
    await caught_up(watcher)
    assert not told.heard
    met = CanaryMet(organisation="minato", canary="c-7", how="letter")
    await ledger.record(met, by="tani", about="minato")
    async with asyncio.TaskGroup() as group:
        while await watcher.catch_up(group):
            pass
    assert {one.detector for one, _, _ in told.heard} == {"canary", "ticket_mismatch"}
    assert watcher.engine.known.sensitive("minato", watcher.engine._at)


async def test_a_look_back_that_was_cut_off_is_finished_after_the_restart(
    ledger: Ledger, watch: Make
) -> None:
    watcher, _ = watch()
    await theft(ledger, size=14)
    await receive_signal(ledger, organisation="minato", kind="police", note="n", by="ono", name="s-1")
    [signal] = await ledger.facts(0, 9, names=["watch.signal_received"])
    watcher.start = signal.seq + 1
    watcher._looking = [(signal.seq, str(signal.seq), "minato")]
    watcher.save()  # … and died here
    again, told = watch()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(again.run())
        async with asyncio.timeout(20):
            while not told.heard:
                await ledger.wait_turn(0.05)
        running.cancel()
    assert told.heard[0][0].signal


async def test_another_account_of_the_same_human_is_the_same_human(ledger: Ledger, watch: Make) -> None:
    await ledger.record(
        AccountAdded(account="sato2", person="sato", reason="second desk"), by="kanri", about="sato2"
    )
    watcher, told = watch()
    await ledger.record(asked("T-0009", limits=TINY, person="sato2"), by="sato2", about="T-0009")
    await ledger.record(
        TicketApproved(ticket="T-0009", approver="mori", request=""), by="mori", about="T-0009"
    )
    await session(ledger, "s-9", "T-0009", 900, person="sato2")
    await caught_up(watcher)
    assert {one.human for one, _, _ in told.heard} == {"sato"}
    async with ledger.read() as connection:
        assert await find_alert(connection, told.heard[0][0].alert) is not None
