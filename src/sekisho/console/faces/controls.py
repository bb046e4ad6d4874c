"""The controls: what each does, how it is operated, what it costs, how far it has come, and whether its evidence holds.

Nothing here names a data subject, so the client sees all of it.
"""

from datetime import date, datetime, timedelta
from statistics import median
from typing import Annotated, Final, Literal

import msgspec
from fastapi import Depends, Form, UploadFile
from fastapi.responses import RedirectResponse
from pydantic import BaseModel
from sqlalchemy import func, select

from sekisho.console import faults
from sekisho.console.access import Needs, Page
from sekisho.console.faces.register import may_edit
from sekisho.console.house import House
from sekisho.console.lines import Someone, read_names
from sekisho.console.pages import Face, back_to
from sekisho.console.tables import refusals
from sekisho.console.viewer import ActorDep, HouseDep, Viewer
from sekisho.console.words import day_in_japan
from sekisho.faults import Fault
from sekisho.gate.tables import tickets
from sekisho.ledger.leaf import read_recorded
from sekisho.ledger.tables import FACTS, named
from sekisho.register.controls import (
    ControlStanding,
    open_verifications,
    read_controls,
    record_evidence,
    state_control,
    verify_control,
)
from sekisho.register.facts import ControlStated
from sekisho.relay.tables import sessions

face: Final = Face("register")
_Viewer = Annotated[Viewer, Depends(Needs("register", Page.CONTROLS))]
_DAYS: Final = 31
_MOST: Final = 2000
Status = Literal["planned", "interim", "permanent", "verified"]
Words = dict[Literal["en", "ja"], str]


class EvidenceLine(BaseModel):
    """`line` is its place in the log; `sha256` that of the report, "" where the fact is evidence by itself."""

    kind: str
    on: date
    by: Someone
    line: int
    sha256: str


class ControlLine(BaseModel):
    """A control today. `status` is interim again where a verified one has no evidence in force; `lapses` is the last
    day of its evidence. The minutes are a month's, as stated; `measured` is what facts of the last 31 days tell:
    approval_minutes (median, from request to first approval) or refusals_per_session."""

    control: str
    name: Words
    does: Words
    steps: list[Words]
    life: int
    light: Literal["red", "amber", "green"]
    status: Status
    since: date | None
    by: Someone | None
    second: Someone | None
    operator_minutes: int
    user_minutes: int
    evidence: EvidenceLine | None
    in_force: bool
    lapses: date | None
    measured: dict[Literal["approval_minutes", "refusals_per_session"], float]


class ControlsView(BaseModel):
    """Every control, the checkpoint's own first."""

    controls: list[ControlLine]
    operator_minutes: int
    user_minutes: int


class VerificationLine(BaseModel):
    """Somebody calls the control verified; `own`: the viewer does."""

    proposal: str
    proposer: Someone
    proposed: datetime
    own: bool


class ControlView(BaseModel):
    line: ControlLine
    verifications: list[VerificationLine]
    may_edit: bool
    today: date


@face.shows("/controls", "controls.html")
async def list_controls(house: HouseDep, viewer: _Viewer) -> ControlsView:
    """How the controls stand today; what has no evidence in force is red."""
    found = await _lines(house, await read_controls(house.ledger, day_in_japan(house.now())))
    return ControlsView(
        controls=found,
        operator_minutes=sum(one.operator_minutes for one in found),
        user_minutes=sum(one.user_minutes for one in found),
    )


@face.shows("/controls/{control}", "control.html")
async def read_control(house: HouseDep, viewer: _Viewer, control: str) -> ControlView:
    """One control: its steps, minutes, evidence, and who else must agree that it is verified."""
    today = day_in_japan(house.now())
    standings = [one for one in await read_controls(house.ledger, today) if one.control.id == control]
    if not standings:
        raise Fault(faults.NOT_FOUND, what=control[:64])
    waiting = await open_verifications(house.ledger, control)
    async with house.ledger.read() as connection:
        names = await read_names(connection, {one.by for one in waiting})
    [line] = await _lines(house, standings)
    return ControlView(
        line=line,
        verifications=[
            VerificationLine(
                proposal=one.leaf_hash.hex(),
                proposer=names.someone(one.by),
                proposed=one.at,
                own=one.by == viewer.person,
            )
            for one in waiting
        ],
        may_edit=may_edit(viewer),
        today=today,
    )


async def _lines(
    house: House, standings: tuple[ControlStanding, ...] | list[ControlStanding]
) -> list[ControlLine]:
    people = {name for one in standings for name in (one.stated.by, one.stated.second) if name}
    people |= {one.evidence.by for one in standings if one.evidence}
    async with house.ledger.read() as connection:
        names = await read_names(connection, people)
    refused, approving = await _refusals(house), await _approving(house)
    measured = {"masking": refused, "budgets": refused, "tickets": approving}
    return [
        ControlLine(
            control=one.control.id,
            name=msgspec.to_builtins(one.control.name),
            does=msgspec.to_builtins(one.control.does),
            steps=[msgspec.to_builtins(step) for step in one.control.steps],
            life=one.control.life,
            light=one.light.value,
            status=one.status,  # type: ignore[arg-type]
            since=one.stated.since,
            by=names.someone(one.stated.by) if one.stated.by else None,
            second=names.someone(one.stated.second) if one.stated.second else None,
            operator_minutes=one.stated.minutes.operator,
            user_minutes=one.stated.minutes.user,
            evidence=EvidenceLine(
                kind=one.evidence.kind,
                on=one.evidence.on,
                by=names.someone(one.evidence.by),
                line=one.evidence.line,
                sha256=one.evidence.sha256,
            )
            if one.evidence
            else None,
            in_force=one.in_force,
            lapses=one.lapses,
            measured=measured.get(one.control.id, {}),  # type: ignore[arg-type]
        )
        for one in standings
    ]


async def _refusals(house: House) -> dict[str, float]:
    since = house.now() - timedelta(days=_DAYS)
    async with house.ledger.read() as connection:
        opened = await connection.scalar(select(func.count()).where(sessions.c.opened >= since))
        stopped = await connection.scalar(
            select(func.count()).where(refusals.c.at >= since, refusals.c.kind.in_(("statement", "cut")))
        )
    return {"refusals_per_session": round((stopped or 0) / opened, 2)} if opened else {}


async def _approving(house: House) -> dict[str, float]:
    """From the request of a ticket to its first approval, of the newest tickets of these days."""
    since = house.now() - timedelta(days=_DAYS)
    asked = select(tickets.c.ticket, tickets.c.requested).where(
        tickets.c.requested >= since, tickets.c.approver != ""
    )
    async with house.ledger.read() as connection:
        rows = await connection.execute(asked.order_by(tickets.c.requested.desc()).limit(_MOST))
        requested = {row.ticket: row.requested for row in rows}
        given = select(FACTS.c.leaf).where(named("gate.ticket_approved"))
        leaves = list(await connection.scalars(given.order_by(FACTS.c.seq.desc()).limit(_MOST)))
    first: dict[str, float] = {}
    for leaf in leaves:  # the newest first, so that the first approval of a ticket stays
        recorded, _ = read_recorded(leaf)
        if recorded.about in requested:
            first[recorded.about] = (recorded.at - requested[recorded.about]).total_seconds() / 60
    return {"approval_minutes": round(median(first.values()), 1)} if first else {}


def _must_edit(viewer: Viewer) -> None:
    if not may_edit(viewer):
        raise Fault(faults.NOT_YOURS, what="controls")


_Minutes = Annotated[int, Form(ge=0, le=1_000_000)]


@face.pages.post("/controls/{control}/state")
async def state(
    house: HouseDep,
    viewer: ActorDep,
    control: str,
    status: Annotated[Status, Form()],
    operator_minutes: _Minutes,
    user_minutes: _Minutes,
) -> RedirectResponse:
    """State how far a control has come; "verified" waits for a second person."""
    _must_edit(viewer)
    stated = ControlStated(
        control=control, status=status, operator_minutes=operator_minutes, user_minutes=user_minutes
    )
    await state_control(house.ledger, stated, by=viewer.person)
    return back_to(f"/controls/{control}")


@face.pages.post("/controls/{control}/verified")
async def agree(
    house: HouseDep, viewer: ActorDep, control: str, proposal: Annotated[str, Form(max_length=64)]
) -> RedirectResponse:
    """Be the second person who says that a control is verified."""
    _must_edit(viewer)
    await verify_control(house.ledger, proposal, by=viewer.person, on=day_in_japan(house.now()))
    return back_to(f"/controls/{control}")


@face.pages.post("/controls/{control}/evidence")
async def take_evidence(
    house: HouseDep,
    viewer: ActorDep,
    control: str,
    kind: Annotated[str, Form(min_length=1, max_length=64)],
    on: Annotated[date, Form()],
    report: UploadFile,
) -> RedirectResponse:
    """Record the hash of a report; the report itself is not kept here."""
    _must_edit(viewer)
    today = day_in_japan(house.now())
    content = await report.read()
    await record_evidence(house.ledger, control, content, kind=kind, on=on, today=today, by=viewer.person)
    return back_to(f"/controls/{control}")
