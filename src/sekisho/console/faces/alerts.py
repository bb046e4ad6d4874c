"""Alerts: what the watch found, explained with its numbers and facts; acknowledged, muted by two.

Nobody is shown an alert about himself or somebody in his chain of command: who could be warned is not the one to hear.
"""

import secrets
from datetime import UTC, date, datetime, time
from typing import Annotated, Final, Literal

from fastapi import Depends, Form
from fastapi.responses import RedirectResponse
from pydantic import BaseModel
from sqlalchemy import select

from sekisho.console import faults
from sekisho.console.access import OPEN_TO, Needs, Page, open_to, require
from sekisho.console.facts import LogRead
from sekisho.console.house import House
from sekisho.console.lines import FactLine, Organisation, Someone, fact_lines, read_names
from sekisho.console.pages import Face, back_to
from sekisho.console.viewer import ActorDep, HouseDep, Viewer
from sekisho.console.words import JST, label
from sekisho.faults import Fault
from sekisho.gate.duties import tied
from sekisho.gate.restraints import ask_lift, lift, list_restraints
from sekisho.gate.tables import tickets
from sekisho.gate.tickets import approve_second
from sekisho.people.roles import Role
from sekisho.register.tables import organisations as houses
from sekisho.watch.alerts import (
    OpenAlert,
    SignalKind,
    Verdict,
    acknowledge,
    approve_mute,
    ask_mute,
    effects,
    end_mute,
    explain,
    find_alert,
    list_alerts,
    receive_signal,
    require_reporter,
    subjects_of,
)
from sekisho.watch.facts import CanaryMet, MuteAsked
from sekisho.watch.tables import mutes

face: Final = Face("log")
_Viewer = Annotated[Viewer, Depends(Needs("log", Page.ALERTS))]
_Client = Annotated[Viewer, Depends(Needs("portal", Page.PORTAL))]
_Reason = Annotated[str, Form(min_length=1, max_length=1000)]


class AlertLine(BaseModel):
    """One alert. `score` is −log10 of the chance; `state` is open, muted, suspicious, expected or unclear."""

    alert: str
    seq: int
    at: datetime
    detector: str
    title: str
    human: Someone | None
    organisation: Organisation | None
    score: float
    certain: bool
    said: str
    state: str
    level: int
    response: str
    acknowledged_by: Someone | None


class MuteLine(BaseModel):
    """Alerts of a detector about a human, kept back until `until`; `approved_by` is null until a second agrees."""

    request: str
    detector: str
    title: str
    human: Someone
    until: datetime
    reason: str
    asked_by: Someone
    approved_by: Someone | None


class EffectLine(BaseModel):
    """How the alerts of a detector were judged, and how many hours that took."""

    detector: str
    title: str
    raised: int
    suspicious: int
    expected: int
    unclear: int
    open: int
    hours: float


class SecondTicket(BaseModel):
    """A ticket that waits for its second approval."""

    ticket: str
    purpose: str


class RestraintLine(BaseModel):
    """What a person works under upon an alert: `kind` "approval" (of `tickets`, each a second one) or "budget" (so many
    `percent` stay). `lift_asked_by` is who asked for its end."""

    restraint: str
    person: Someone
    kind: str
    percent: int
    until: datetime
    alert: str
    lift_asked_by: Someone | None
    tickets: list[SecondTicket]


class AlertsView(BaseModel):
    """Open alerts and the latest judged ones; `hidden` counts those about people to whom the viewer is tied. A client
    sees those about its own data, and takes no part (`may_act`). `restraints` are those in force; `reports` the client
    organisations for which the viewer can report a signal from outside."""

    open: list[AlertLine]
    judged: list[AlertLine]
    hidden: int
    mutes: list[MuteLine]
    effects: list[EffectLine]
    restraints: list[RestraintLine]
    reports: list[Organisation]
    may_act: bool


class AlertView(BaseModel):
    """One alert with its numbers, the facts it names, and who was told."""

    line: AlertLine
    head: str
    claim: float
    observed: float
    expected: float
    signal: bool
    told: list[Someone]
    facts: list[FactLine]
    muted_by: str


@face.shows("/alerts", "alerts.html")
async def read_alerts(house: HouseDep, viewer: _Viewer) -> AlertsView:
    """What the watch found. The reading is recorded first."""
    await house.ledger.record(LogRead(view="alerts", filter={}), by=viewer.person, about="log")
    allowed = viewer.organisations(*OPEN_TO[Page.ALERTS])
    # What concerns no organisation may concern each.
    view = await _view(house, viewer, None if allowed is None else allowed | {""})
    async with house.ledger.read() as connection:
        measured = await effects(connection)
        recent = await list_alerts(connection, limit=1_000)
    titles = {one.raised.detector: _title(one, viewer) for one in recent}
    view.effects = [
        EffectLine(
            detector=one.detector,
            title=titles.get(one.detector) or label(one.detector, viewer.language, "detector"),
            raised=one.raised,
            suspicious=one.suspicious,
            expected=one.expected,
            unclear=one.unclear,
            open=one.open,
            hours=one.hours,
        )
        for one in measured
    ]
    view.may_act = True
    view.restraints = await _restraints(house)
    return view


async def _restraints(house: House) -> list[RestraintLine]:
    now = int(house.now().timestamp() * 1e6)
    open_tickets = select(tickets.c.ticket, tickets.c.purpose, tickets.c.person).where(
        tickets.c.closed.is_(False), tickets.c.closes > now
    )
    async with house.ledger.read() as connection:
        found = await list_restraints(connection, now)
        people = {one.restraint.person for one in found}
        names = await read_names(connection, people | {one.lift_asked_by for one in found} - {""})
        rows = list(await connection.execute(open_tickets.where(tickets.c.person.in_(sorted(people)))))
    return [
        RestraintLine(
            restraint=one.restraint.name,
            person=names.someone(one.restraint.person),
            kind=one.restraint.kind,
            percent=one.restraint.percent,
            until=datetime.fromtimestamp(one.restraint.until / 1e6, UTC),
            alert=one.alert,
            lift_asked_by=names.someone(one.lift_asked_by) if one.lift_asked_by else None,
            tickets=[
                SecondTicket(ticket=row.ticket, purpose=row.purpose)
                for row in rows
                if one.restraint.kind == "approval" and row.person == one.restraint.person
            ],
        )
        for one in found
    ]


@face.shows("/portal/alerts", "alerts.html")
async def read_our_alerts(house: HouseDep, viewer: _Client) -> AlertsView:
    """What the watch found about the client's own data, how it was judged, what is muted. The reading is recorded."""
    await house.ledger.record(LogRead(view="our alerts", filter={}), by=viewer.person, about="log")
    return await _view(house, viewer, viewer.organisations(Role.CLIENT) or frozenset())


async def _view(house: House, viewer: Viewer, organisations: frozenset[str] | None) -> AlertsView:
    """What stands about these client organisations; None is the whole house."""
    kept = select(mutes).where(mutes.c.ended.is_(False)).order_by(mutes.c.seq)
    if organisations is not None:
        kept = kept.where(mutes.c.organisation.in_(sorted(organisations)))
    async with house.ledger.read() as connection:
        waiting = await list_alerts(connection, open_only=True, organisations=organisations)
        latest = await list_alerts(connection, organisations=organisations)
        rows = list(await connection.execute(kept))
        people = {name for row in rows for name in (row.human, row.asked_by, row.approved_by)}
        names = await read_names(connection, people)
        wanted = select(houses.c.organisation).order_by(houses.c.organisation)
        if organisations is not None:
            wanted = wanted.where(houses.c.organisation.in_(sorted(organisations)))
        clients = list(await connection.scalars(wanted.limit(500)))
        known = await read_names(connection, houses=clients)
    titles = {one.raised.detector: _title(one, viewer) for one in (*waiting, *latest)}
    free = _Free(house, viewer)
    mine = [one for one in waiting if await free.of(one)]
    past = [one for one in latest if one.acknowledged is not None and await free.of(one)]
    return AlertsView(
        open=await _lines(house, viewer, mine),
        judged=await _lines(house, viewer, past[:50]),
        hidden=len(waiting) - len(mine),
        mutes=[
            MuteLine(
                request=row.request,
                detector=row.detector,
                title=titles.get(row.detector) or label(row.detector, viewer.language, "detector"),
                human=names.someone(row.human),
                until=datetime.fromtimestamp(row.until / 1e6, UTC),
                reason=row.reason,
                asked_by=names.someone(row.asked_by),
                approved_by=names.someone(row.approved_by) if row.approved_by else None,
            )
            for row in rows
        ],
        effects=[],
        restraints=[],
        reports=[known.organisation(one) for one in clients],
        may_act=False,
    )


class _Free:
    """Whether the viewer is free of an alert's subjects; asked once for each combination of them."""

    def __init__(self, house: House, viewer: Viewer) -> None:
        self._house = house
        self._viewer = viewer
        self._known: dict[tuple[str, ...], bool] = {}

    async def of(self, alert: OpenAlert) -> bool:
        raised = alert.raised
        key = (raised.human, *(str(raised.values.get(name, "")) for name in ("owner", "account", "asker")))
        if key not in self._known:
            subjects = await subjects_of(self._house.ledger, raised)
            self._known[key] = not any(tied(self._viewer.actor, one) for one in subjects)
        return self._known[key]


def _title(alert: OpenAlert, viewer: Viewer) -> str:
    """What the detector is called; a Sigma rule by its own title."""
    key = "title_ja" if viewer.language == "ja" else "title"
    return str(alert.raised.values.get(key) or label(alert.raised.detector, viewer.language, "detector"))


async def _lines(house: House, viewer: Viewer, found: list[OpenAlert]) -> list[AlertLine]:
    people = {name for one in found for name in (one.raised.human, one.acknowledged_by)} - {""}
    async with house.ledger.read() as connection:
        names = await read_names(connection, people, {one.raised.organisation for one in found} - {""})
    return [
        AlertLine(
            alert=one.raised.alert,
            seq=one.seq,
            at=one.at,
            detector=one.raised.detector,
            title=_title(one, viewer),
            human=names.someone(one.raised.human) if one.raised.human else None,
            organisation=names.organisation(one.raised.organisation) if one.raised.organisation else None,
            score=round(one.raised.score, 1),
            certain=one.raised.certain,
            said=explain(one.raised)[viewer.language],
            state=one.verdict or ("muted" if one.raised.muted else "open"),
            level=one.level,
            response=one.response,
            acknowledged_by=names.someone(one.acknowledged_by) if one.acknowledged_by else None,
        )
        for one in found
    ]


@face.shows("/alerts/{alert}", "alert.html")
async def read_alert(house: HouseDep, viewer: _Viewer, alert: str) -> AlertView:
    """One alert. The reading is recorded first."""
    found = await _find(house, viewer, alert)
    await house.ledger.record(LogRead(view="alert", filter={"alert": alert}), by=viewer.person, about=alert)
    raised = found.raised
    facts = [one for ref in raised.refs[-20:] for one in await house.ledger.facts(ref, 1)]
    async with house.ledger.read() as connection:
        names = await read_names(connection, raised.to)
    return AlertView(
        line=(await _lines(house, viewer, [found]))[0],
        head=raised.head,
        claim=round(raised.claim, 1),
        observed=raised.observed,
        expected=round(raised.expected, 1),
        signal=raised.signal != "",
        told=[names.someone(one) for one in raised.to],
        facts=await fact_lines(house.ledger, facts),
        muted_by=raised.muted,
    )


async def _find(house: House, viewer: Viewer, alert: str) -> OpenAlert:
    """Raises Fault NOT_FOUND, also for an alert that is not the viewer's: that there is one is not told."""
    async with house.ledger.read() as connection:
        found = await find_alert(connection, alert)
    allowed = viewer.organisations(*OPEN_TO[Page.ALERTS])
    if (
        found is None
        or (allowed is not None and found.raised.organisation not in allowed | {""})
        or not await _Free(house, viewer).of(found)
    ):
        raise Fault(faults.NOT_FOUND, what=alert[:64])
    return found


@face.pages.post("/alerts/{alert}/acknowledge")
async def acknowledge_alert(
    house: HouseDep, viewer: ActorDep, alert: str, verdict: Annotated[Verdict, Form()], reason: _Reason
) -> RedirectResponse:
    require(Page.ALERTS, viewer)
    await _find(house, viewer, alert)
    await acknowledge(house.ledger, alert, verdict=verdict, reason=reason, by=viewer.person)
    return back_to("/alerts")


@face.pages.post("/alerts/{alert}/mute")
async def mute_alert(
    house: HouseDep, viewer: ActorDep, alert: str, until: Annotated[date, Form()], reason: _Reason
) -> RedirectResponse:
    """Ask that the like of it be kept back, to the end of a day; a second person must agree."""
    require(Page.ALERTS, viewer)
    raised = (await _find(house, viewer, alert)).raised
    end = datetime.combine(until, time(23, 59, 59), JST)
    asked = MuteAsked(
        detector=raised.detector,
        human=raised.human,
        organisation=raised.organisation,
        until=int(end.timestamp() * 1e6),
        reason=reason,
    )
    await ask_mute(house.ledger, asked, by=viewer.person, now=house.now())
    return back_to("/alerts")


@face.pages.post("/restraints/{restraint}/lift")
async def ask_to_lift(house: HouseDep, viewer: ActorDep, restraint: str, reason: _Reason) -> RedirectResponse:
    """Ask that a restraint end before its time; a second person must agree."""
    require(Page.ALERTS, viewer)
    await ask_lift(house.ledger, restraint, reason=reason, by=viewer.person)
    return back_to("/alerts")


@face.pages.post("/restraints/{restraint}/end")
async def end_restraint(house: HouseDep, viewer: ActorDep, restraint: str) -> RedirectResponse:
    require(Page.ALERTS, viewer)
    await lift(house.ledger, restraint, by=viewer.person)
    return back_to("/alerts")


@face.pages.post("/restraints/{restraint}/second")
async def second_approval(
    house: HouseDep, viewer: ActorDep, restraint: str, ticket: Annotated[str, Form(max_length=64)]
) -> RedirectResponse:
    require(Page.ALERTS, viewer)
    await approve_second(house.ledger, restraint, ticket, by=viewer.person)
    return back_to("/alerts")


@face.pages.post("/signals")
async def report_signal(
    house: HouseDep,
    viewer: ActorDep,
    organisation: Annotated[str, Form(max_length=64)],
    kind: Annotated[SignalKind | Literal["canary"], Form()],
    note: _Reason,
    canary: Annotated[str, Form(max_length=64)] = "",
) -> RedirectResponse:
    """Something from outside that concerns a client's data: it is looked at more closely, and its past again."""
    allowed = viewer.organisations(*OPEN_TO[Page.ALERTS])
    mine = viewer.organisations(Role.CLIENT) or frozenset()
    portal = organisation in mine
    if not portal and (
        not open_to(Page.ALERTS, viewer) or (allowed is not None and organisation not in allowed)
    ):
        raise Fault(faults.NOT_YOURS, what=organisation[:64])
    await require_reporter(house.ledger, organisation, viewer.person)
    if kind == "canary":
        if not canary.strip():
            raise Fault(faults.BAD_INPUT, reason="canary")
        met = CanaryMet(organisation=organisation, canary=canary.strip(), how=note[:200])
        await house.ledger.record(met, by=viewer.person, about=organisation)
    else:
        name = f"signal-{secrets.token_hex(4)}"
        await receive_signal(
            house.ledger, organisation=organisation, kind=kind, note=note, by=viewer.person, name=name
        )
    return back_to("/portal/alerts" if portal else "/alerts")


@face.pages.post("/mutes/{request}/approve")
async def approve(house: HouseDep, viewer: ActorDep, request: str) -> RedirectResponse:
    require(Page.ALERTS, viewer)
    await approve_mute(house.ledger, request, by=viewer.person)
    return back_to("/alerts")


@face.pages.post("/mutes/{request}/end")
async def end(house: HouseDep, viewer: ActorDep, request: str) -> RedirectResponse:
    require(Page.ALERTS, viewer)
    await end_mute(house.ledger, request, reason="ended at the console", by=viewer.person)
    return back_to("/alerts")
