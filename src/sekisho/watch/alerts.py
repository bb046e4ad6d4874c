"""Alerts: raised by the engine, told to people, acknowledged, escalated, muted by two, answered by policy."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec
from sqlalchemy import func, select

from sekisho.faults import Fault, Language
from sekisho.gate.duties import Act, Actor, Case, Doing, Part, may
from sekisho.gate.refusal import Refusal
from sekisho.gate.standing import read_standing
from sekisho.ledger import Connection, Ledger, Recorded
from sekisho.people.tables import persons, roles_held
from sekisho.watch import faults
from sekisho.watch.detectors import BY_NAME
from sekisho.watch.engine import Alarm
from sekisho.watch.facts import (
    AlertAcknowledged,
    AlertEscalated,
    AlertRaised,
    MuteApproved,
    MuteAsked,
    MuteEnded,
    SignalReceived,
)
from sekisho.watch.routing import Listener, Routed, may_acknowledge, route
from sekisho.watch.said import in_japanese
from sekisho.watch.tables import alerts, mutes

Verdict = Literal["suspicious", "expected", "unclear"]
SignalKind = Literal["complaint", "inquiry", "consumer_centre", "police", "press"]
LONGEST_MUTE_DAYS: Final = 92
_DAY_US: Final = 86_400_000_000


def explain(raised: AlertRaised) -> dict[Language, str]:
    """What was found and why it matters, in whole sentences."""
    detector = BY_NAME.get(raised.detector)
    if detector is None and raised.head == "sigma":
        said = raised.values
        return {
            "en": f"{said.get('title', raised.detector)}. {said.get('about', '')}",
            "ja": f"{said.get('title_ja', raised.detector)}。{said.get('about_ja', '')}",
        }
    if detector is None:
        return {"en": raised.detector, "ja": raised.detector}
    values = {"human": raised.human or "-", "client": raised.organisation or "-", **raised.values}
    japanese = {name: in_japanese(name, value) for name, value in values.items()}
    return {
        "en": f"{detector.finding.en.format(**values)} {detector.reason.en}",
        "ja": f"{detector.finding.ja.format(**japanese)}{detector.reason.ja}",
    }


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """An alert as its fact tells it, and what became of it."""

    raised: AlertRaised
    at: datetime
    seq: int
    level: int
    response: str
    verdict: str
    acknowledged_by: str
    acknowledged: datetime | None


def _alert_of(row: object) -> OpenAlert:
    return OpenAlert(
        msgspec.json.decode(row.said, type=AlertRaised),  # type: ignore[attr-defined]
        row.raised,  # type: ignore[attr-defined]
        row.seq,  # type: ignore[attr-defined]
        row.level,  # type: ignore[attr-defined]
        row.response,  # type: ignore[attr-defined]
        row.verdict,  # type: ignore[attr-defined]
        row.acknowledged_by,  # type: ignore[attr-defined]
        row.acknowledged,  # type: ignore[attr-defined]
    )


async def find_alert(connection: Connection, alert: str) -> OpenAlert | None:
    row = (await connection.execute(select(alerts).where(alerts.c.alert == alert))).one_or_none()
    return None if row is None else _alert_of(row)


async def list_alerts(
    connection: Connection,
    *,
    open_only: bool = False,
    organisations: Collection[str] | None = None,
    limit: int = 200,
) -> list[OpenAlert]:
    """Newest first. `organisations`: only those of these clients; None is the whole house."""
    query = select(alerts).order_by(alerts.c.seq.desc()).limit(limit)
    if open_only:
        query = query.where(alerts.c.acknowledged.is_(None))
    if organisations is not None:
        query = query.where(alerts.c.organisation.in_(sorted(organisations)))
    return [_alert_of(row) for row in await connection.execute(query)]


async def subjects_of(ledger: Ledger, raised: AlertRaised) -> tuple[Actor, ...]:
    """The humans whom an alert is about: who acted, and who is named in it beside (an owner, an asker)."""
    named = {raised.human, *(str(raised.values.get(key, "")) for key in ("owner", "account", "asker"))}
    found: dict[str, Actor] = {}
    for name in sorted(named - {"", "-"}):
        standing = await read_standing(ledger, name)
        if standing is not None:
            found[standing.actor.human] = standing.actor
    return tuple(found.values())


async def listeners(ledger: Ledger) -> list[Listener]:
    """Everybody who is here and holds a role."""
    query = (
        select(persons.c.person, persons.c.unit)
        .where(persons.c.left.is_(None), persons.c.frozen == "")
        .where(persons.c.person.in_(select(roles_held.c.person)))
        .order_by(persons.c.person)
    )
    async with ledger.read() as connection:
        rows = list(await connection.execute(query))
    found = []
    for (
        row
    ) in rows:  # with the connection given back: those who hold one and wait for another could block all
        standing = await read_standing(ledger, row.person)
        if standing is not None:
            found.append(Listener(standing.actor, row.unit))
    return found


async def routing_of(
    ledger: Ledger, raised: AlertRaised, level: int, people: Sequence[Listener] | None = None
) -> Routed:
    """Whom to tell. `people`: the present `listeners`, for whoever routes several alerts of one moment."""
    subjects = await subjects_of(ledger, raised)
    async with ledger.read() as connection:
        humans = [subject.human for subject in subjects]
        units = set(await connection.scalars(select(persons.c.unit).where(persons.c.person.in_(humans)))) - {
            ""
        }
    return route(
        people if people is not None else await listeners(ledger), subjects, units, raised.organisation, level
    )


def fact_of(alarm: Alarm, *, to: tuple[str, ...] = (), muted: str = "", signal: str = "") -> AlertRaised:
    return AlertRaised(
        alert=alarm.alarm if not signal else f"{alarm.alarm}-{signal}",
        detector=alarm.detector,
        head=alarm.head,
        human=alarm.human,
        organisation=alarm.client,
        session=alarm.session,
        ticket=alarm.ticket,
        at=alarm.at,
        claim=alarm.claim,
        score=alarm.score,
        observed=alarm.observed,
        expected=alarm.expected,
        values=alarm.values,
        refs=alarm.refs,
        certain=alarm.certain,
        to=to,
        muted=muted,
        signal=signal,
    )


async def acknowledge(ledger: Ledger, alert: str, *, verdict: Verdict, reason: str, by: str) -> Recorded:
    """Record that somebody looked, and what he found. Raises Fault NO_ALERT, ACKNOWLEDGED, NOT_YOURS_TO_ACKNOWLEDGE."""
    async with ledger.read() as connection:
        found = await find_alert(connection, alert)
    if found is None:
        raise Fault(faults.NO_ALERT, alert=alert)
    if found.acknowledged is not None:
        raise Fault(faults.ACKNOWLEDGED, alert=alert, by=found.acknowledged_by)
    standing = await read_standing(ledger, by)
    subjects = await subjects_of(ledger, found.raised)
    if standing is None or not may_acknowledge(standing.actor, subjects, found.raised.organisation):
        raise Fault(faults.NOT_YOURS_TO_ACKNOWLEDGE, alert=alert, by=by)
    said = AlertAcknowledged(alert=alert, verdict=verdict, reason=reason)
    return await ledger.record(said, by=standing.actor.human, about=alert)


async def ask_mute(ledger: Ledger, asked: MuteAsked, *, by: str, now: datetime) -> Recorded:
    """Ask that alerts of a detector about a human be kept back until a day; alone it mutes nothing.

    Raises Fault BAD_MUTE, or why this person may not."""
    until = int(now.timestamp() * 1e6)
    known = asked.detector in BY_NAME or asked.detector.startswith("sigma:")
    if not asked.reason.strip() or not known or not asked.human:
        raise Fault(faults.BAD_MUTE, days=LONGEST_MUTE_DAYS)
    if not until < asked.until <= until + LONGEST_MUTE_DAYS * _DAY_US:
        raise Fault(faults.BAD_MUTE, days=LONGEST_MUTE_DAYS)
    actor = await _may_mute(ledger, asked, Part.REQUEST, by, ())
    return await ledger.record(asked, by=actor.human, about=asked.human)


async def approve_mute(ledger: Ledger, request: str, *, by: str) -> Recorded:
    """A second person agrees: from here on the mute holds, until its day. Raises Fault NO_MUTE, or why not."""
    asked, recorded = await _read_mute(ledger, request)
    requester = await read_standing(ledger, recorded.by)
    doings = (Doing(Part.REQUEST, requester.actor),) if requester is not None else ()
    actor = await _may_mute(ledger, asked, Part.APPROVE, by, doings)
    if requester is None or actor.human == requester.actor.human:
        raise Fault(faults.NO_MUTE, request=request)
    return await ledger.record(MuteApproved(request=request), by=actor.human, about=asked.human)


async def end_mute(ledger: Ledger, request: str, *, reason: str, by: str) -> Recorded:
    """Hearing again needs nobody's consent. Raises Fault NO_MUTE."""
    asked, _ = await _read_mute(ledger, request, approved=True)
    return await ledger.record(MuteEnded(request=request, reason=reason), by=by, about=asked.human)


async def _may_mute(
    ledger: Ledger, asked: MuteAsked, part: Part, by: str, doings: tuple[Doing, ...]
) -> Actor:
    standing = await read_standing(ledger, by)
    subject = await read_standing(ledger, asked.human)
    subjects = (subject.actor,) if subject is not None else ()
    if standing is None:
        raise Fault(faults.NO_MUTE, request=asked.detector)
    answer = may(
        Act.ALARM_SUPPRESS, part, standing.actor, Case(asked.organisation, doings=doings, subjects=subjects)
    )
    if isinstance(answer, Refusal):
        raise answer.fault()
    return standing.actor


async def _read_mute(ledger: Ledger, request: str, *, approved: bool = False) -> tuple[MuteAsked, Recorded]:
    """The fact itself, whose bytes must have this hash: another request is not agreed to."""
    async with ledger.read() as connection:
        query = select(mutes.c.seq).where(mutes.c.request == request, mutes.c.ended.is_(False))
        query = query.where(mutes.c.approved_by != "") if approved else query.where(mutes.c.approved_by == "")
        seq = await connection.scalar(query)
    found = await ledger.facts(seq, 1) if seq is not None else []
    fact = found[0].typed() if found and found[0].leaf_hash.hex() == request else None
    if not isinstance(fact, MuteAsked):
        raise Fault(faults.NO_MUTE, request=request)
    return fact, found[0]


async def find_mute(connection: Connection, detector: str, human: str, at: int) -> str:
    """The request of the mute in force, or "". A certain alarm is never muted: the caller doesn't ask for one."""
    query = select(mutes.c.request).where(
        mutes.c.detector == detector,
        mutes.c.human == human,
        mutes.c.approved_by != "",
        mutes.c.ended.is_(False),
        mutes.c.until > at,
    )
    return str(await connection.scalar(query.limit(1)) or "")


async def require_reporter(ledger: Ledger, organisation: str, by: str) -> None:
    """Whoever suspects something may say so (duty matrix, "suspicion"). Raises Fault, saying why not."""
    standing = await read_standing(ledger, by)
    if standing is None:
        raise Fault(faults.NOT_YOURS_TO_REPORT, by=by)
    answer = may(Act.SUSPICION, Part.REQUEST, standing.actor, Case(organisation))
    if isinstance(answer, Refusal):
        raise answer.fault()


async def receive_signal(
    ledger: Ledger, *, organisation: str, kind: SignalKind, note: str, by: str, name: str
) -> Recorded:
    """Record a signal from outside. Its text may name people: it is sealed under the client's key."""
    sealed = ledger.vault.seal(organisation, note.encode())
    said = SignalReceived(signal=name, organisation=organisation, kind=kind, note=sealed.commitment)
    return await ledger.record(said, by=by, about=organisation, parts=[sealed])


@dataclass(frozen=True, slots=True)
class Effect:
    """How a detector's alerts were judged: what feedback is for. It lowers nothing by itself."""

    detector: str
    raised: int
    suspicious: int
    expected: int
    unclear: int
    open: int
    hours: float  # the mean time to acknowledgement


async def effects(connection: Connection) -> list[Effect]:
    query = select(alerts.c.detector, alerts.c.verdict, func.count().label("times")).group_by(
        alerts.c.detector, alerts.c.verdict
    )
    counts: dict[str, dict[str, int]] = {}
    for row in await connection.execute(query):
        counts.setdefault(row.detector, {})[row.verdict] = row.times
    times: dict[str, list[float]] = {}
    answered = select(alerts.c.detector, alerts.c.raised, alerts.c.acknowledged).where(
        alerts.c.acknowledged.is_not(None)
    )
    for row in await connection.execute(answered.limit(10_000)):
        times.setdefault(row.detector, []).append((row.acknowledged - row.raised) / timedelta(hours=1))
    return [
        Effect(
            name,
            sum(by.values()),
            by.get("suspicious", 0),
            by.get("expected", 0),
            by.get("unclear", 0),
            by.get("", 0),
            round(sum(times[name]) / len(times[name]), 2) if name in times else 0.0,
        )
        for name, by in sorted(counts.items())
    ]


Tell = Callable[[AlertRaised, Routed, int], Awaitable[None]]


async def escalate(ledger: Ledger, hours: tuple[int, ...], now: datetime, tell: Tell) -> int:
    """Let every alert climb that nobody acknowledged in time; how many did."""
    climbed = 0
    for level, after in enumerate(hours, 1):
        query = select(alerts).where(
            alerts.c.acknowledged.is_(None),
            alerts.c.muted == "",
            alerts.c.level == level - 1,
            alerts.c.raised <= now - timedelta(hours=after),
        )
        async with ledger.read() as connection:
            due = [
                _alert_of(row) for row in await connection.execute(query.order_by(alerts.c.seq).limit(100))
            ]
        for alert in due:
            routed = await routing_of(ledger, alert.raised, level)
            fact = AlertEscalated(alert=alert.raised.alert, level=level, to=routed.to)
            await ledger.record(fact, by="sekisho", about=alert.raised.alert)
            await tell(alert.raised, routed, level)
            climbed += 1
    return climbed
