"""Persons, their roles and standing; what waits for a second person; the kill switch."""

from datetime import date
from typing import Annotated, Final

from fastapi import Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel
from sqlalchemy import select

from sekisho.console import faults
from sekisho.console.access import Needs, Page, require
from sekisho.console.lines import Organisation, Someone, read_names
from sekisho.console.pages import Face, back_to, render
from sekisho.console.viewer import ActorDep, HouseDep, Viewer
from sekisho.console.words import day_in_japan
from sekisho.faults import Fault
from sekisho.people import faults as people_faults
from sekisho.people.accounts import add_person, require_person
from sekisho.people.consent import ask_role, find_open_asks, grant_role, require_role, revoke_role
from sekisho.people.facts import IdentityAsked, PersonAdded, PersonMoved
from sekisho.people.freeze import ask_unfreeze, freeze, unfreeze
from sekisho.people.leaving import leave
from sekisho.people.openid import ask_identity, bind_identity, unbind_identity
from sekisho.people.roles import CONSENTING, Role
from sekisho.people.staff import move_person
from sekisho.people.tables import find_identities, persons, roles_held
from sekisho.register.tables import organisations

face: Final = Face("people")
_Viewer = Annotated[Viewer, Depends(Needs("people", Page.PEOPLE))]


class HeldLine(BaseModel):
    """A role; `organisation` is null where it is held for the whole house."""

    role: str
    organisation: Organisation | None
    since: date


class PersonLine(BaseModel):
    """`standing`: active, frozen or left."""

    person: str
    name: str
    employer: str
    agency: str
    unit: str
    manager: Someone | None
    started: str
    standing: str
    roles: list[HeldLine]


class AskLine(BaseModel):
    """Something that one person asked and a second one must agree to. `own`: the viewer cannot be the second."""

    request: str
    act: str
    person: Someone
    asked_by: Someone
    role: str
    organisation: Organisation | None
    reason: str
    own: bool


class PeopleView(BaseModel):
    """Everybody, by id; and what waits for a second person."""

    people: list[PersonLine]
    asks: list[AskLine]
    administers: bool
    consents: bool


@face.shows("/people", "people.html")
async def read_people(house: HouseDep, viewer: _Viewer) -> PeopleView:
    """Persons with their roles, and what waits for a second person."""
    async with house.ledger.read() as connection:
        rows = (await connection.execute(select(persons).order_by(persons.c.person).limit(1000))).all()
        held = (await connection.execute(select(roles_held).order_by(roles_held.c.role))).all()
        asks = await find_open_asks(connection)
        names = await read_names(
            connection,
            {row.person for row in rows} | {row.manager for row in rows} | {ask.asked_by for ask in asks},
            {one.organisation for one in held} | {ask.organisation for ask in asks},
        )
    roles: dict[str, list[HeldLine]] = {}
    for one in held:
        organisation = names.organisation(one.organisation) if one.organisation else None
        line = HeldLine(role=one.role, organisation=organisation, since=date.fromisoformat(one.since))
        roles.setdefault(one.person, []).append(line)
    return PeopleView(
        people=[
            PersonLine(
                person=row.person,
                name=row.name,
                employer=row.employer,
                agency=row.agency,
                unit=row.unit,
                manager=names.someone(row.manager) if row.manager else None,
                started=row.started,
                standing="left" if row.left else "frozen" if row.frozen else "active",
                roles=roles.get(row.person, []),
            )
            for row in rows
        ],
        asks=[
            AskLine(
                request=ask.request,
                act=ask.act,
                person=names.someone(ask.person),
                asked_by=names.someone(ask.asked_by),
                role=ask.role,
                organisation=names.organisation(ask.organisation) if ask.organisation else None,
                reason=ask.reason,
                own=viewer.person in (ask.person, ask.asked_by),
            )
            for ask in asks
        ],
        administers=viewer.holds(Role.ADMINISTRATOR),
        consents=viewer.holds(*CONSENTING),
    )


Text = Annotated[str, Form(min_length=1, max_length=500)]
MaybeEmpty = Annotated[str, Form(max_length=200)]


@face.pages.get("/people/{person}")
async def person_page(request: Request, house: HouseDep, viewer: _Viewer, person: str) -> HTMLResponse:
    view = await read_people(house, viewer)
    line = next((one for one in view.people if one.person == person), None)
    if line is None:
        raise Fault(people_faults.NO_SUCH_PERSON, person=person[:64])
    async with house.ledger.read() as connection:
        rows = await connection.execute(select(organisations).order_by(organisations.c.organisation))
        identities = await find_identities(connection, person)
        houses = [Organisation(id=row.organisation, name=row.name, name_en=row.name_en) for row in rows]
    return render(
        request,
        "person.html",
        viewer,
        view=view,
        line=line,
        roles=list(Role),
        houses=houses,
        identities=identities,
        providers=[(one.provider.name, one.provider.label) for one in house.openid],
        may_freeze=may_freeze(viewer),
        today=day_in_japan(house.now()),
    )


def may_freeze(viewer: Viewer) -> bool:
    """In doubt the switch is pulled: one of those who may together undo it is enough."""
    return viewer.holds(*CONSENTING)


@face.pages.post("/people")
async def add(
    house: HouseDep,
    viewer: ActorDep,
    person: Text,
    name: Text,
    employer: Text,
    manager: MaybeEmpty = "",
    agency: MaybeEmpty = "",
    unit: MaybeEmpty = "",
) -> RedirectResponse:
    """Add a person, who holds nothing yet."""
    async with house.ledger.read() as connection:
        await require_role(connection, viewer.person, {Role.ADMINISTRATOR})
    added = PersonAdded(
        person=person.strip(),
        name=name.strip(),
        employer=employer.strip(),
        manager=manager.strip(),
        language="ja",
        agency=agency.strip(),
        unit=unit.strip(),
        started=day_in_japan(house.now()),
    )
    await add_person(house.ledger, added, by=viewer.person)
    return back_to(f"/people/{added.person}")


@face.pages.post("/people/{person}/move")
async def move(
    house: HouseDep,
    viewer: ActorDep,
    person: str,
    employer: Text,
    manager: MaybeEmpty = "",
    agency: MaybeEmpty = "",
    unit: MaybeEmpty = "",
) -> RedirectResponse:
    """Correct where a person works: another employer, agency, unit or manager from now on."""
    async with house.ledger.read() as connection:
        await require_role(connection, viewer.person, {Role.ADMINISTRATOR})
    moved = PersonMoved(
        person=person,
        employer=employer.strip(),
        agency=agency.strip(),
        unit=unit.strip(),
        manager=manager.strip(),
    )
    await move_person(house.ledger, moved, by=viewer.person)
    return back_to(f"/people/{person}")


@face.pages.post("/people/{person}/freeze")
async def freeze_person(house: HouseDep, viewer: ActorDep, person: str, reason: Text) -> RedirectResponse:
    """The kill switch: what the person has open ends in seconds, here and at every door."""
    if not may_freeze(viewer):
        raise Fault(people_faults.NEEDS_ROLE, by=viewer.person, roles=", ".join(sorted(CONSENTING)))
    await freeze(house.ledger, person, reason=reason, by=viewer.person)
    return back_to(f"/people/{person}")


@face.pages.post("/people/{person}/unfreeze")
async def ask_for_unfreeze(house: HouseDep, viewer: ActorDep, person: str, reason: Text) -> RedirectResponse:
    await ask_unfreeze(house.ledger, person, reason=reason, by=viewer.person)
    return back_to("/people")


@face.pages.post("/people/{person}/roles")
async def ask_for_role(
    house: HouseDep,
    viewer: ActorDep,
    person: str,
    role: Annotated[Role, Form()],
    reason: Text,
    organisation: MaybeEmpty = "",
) -> RedirectResponse:
    """An administrator asks that a role be given; another one has to agree."""
    await ask_role(
        house.ledger,
        person=person,
        role=role,
        organisation=organisation,
        since=day_in_japan(house.now()),
        reason=reason,
        by=viewer.person,
    )
    return back_to("/people")


@face.pages.post("/people/{person}/roles/revoke")
async def take_role(
    house: HouseDep,
    viewer: ActorDep,
    person: str,
    role: Annotated[Role, Form()],
    reason: Text,
    organisation: MaybeEmpty = "",
) -> RedirectResponse:
    await revoke_role(
        house.ledger, person=person, role=role, organisation=organisation, reason=reason, by=viewer.person
    )
    return back_to(f"/people/{person}")


@face.pages.post("/people/{person}/identity")
async def ask_for_identity(
    house: HouseDep,
    viewer: ActorDep,
    person: str,
    provider: Text,
    subject: Annotated[str, Form(min_length=1, max_length=255, pattern=r"^[!-~]+$")],
) -> RedirectResponse:
    """An administrator says which identity at a provider is this person's; a second person has to agree."""
    issuers = {one.provider.name: one.provider.issuer for one in house.openid}
    if provider not in issuers:
        raise Fault(faults.NOT_FOUND, what=provider[:64])
    asked = IdentityAsked(person=person, issuer=issuers[provider], subject=subject)
    await ask_identity(house.ledger, asked, by=viewer.person)
    return back_to("/people")


@face.pages.post("/people/{person}/identity/unbind")
async def take_identity(
    house: HouseDep, viewer: ActorDep, person: str, issuer: Text, subject: Text
) -> RedirectResponse:
    """Take an identity away; one administrator is enough for less."""
    async with house.ledger.read() as connection:
        await require_role(connection, viewer.person, {Role.ADMINISTRATOR})
        if (issuer, subject) not in await find_identities(connection, person):
            raise Fault(faults.NOT_FOUND, what="identity")
    await unbind_identity(house.ledger, issuer, subject, person=person, by=viewer.person)
    return back_to(f"/people/{person}")


@face.pages.post("/people/{person}/leave")
async def person_leaves(
    house: HouseDep, viewer: ActorDep, person: str, last_day: Annotated[date, Form()], reason: Text
) -> RedirectResponse:
    """Everything of the person ends; then what the person pulled is looked up, and the agency told."""
    async with house.ledger.read() as connection:
        await require_role(connection, viewer.person, {Role.ADMINISTRATOR, Role.OPERATOR_MANAGER})
        await require_person(connection, person)
    await leave(house.ledger, person, last_day=last_day, reason=reason, by=viewer.person)
    return back_to(f"/people/{person}")


@face.pages.post("/people/{person}/vouch")
async def vouch(
    request: Request, house: HouseDep, viewer: ActorDep, person: str, reason: Text
) -> HTMLResponse:
    """Vouch that a person may register a passkey; shows the first half of the secret once."""
    half = await house.links.ask_enrolment(person, reason=reason, by=viewer.person)
    return render(request, "half.html", viewer, half=half, person=person, first=True)


@face.pages.post("/asks/{ask}")
async def agree(
    request: Request,
    house: HouseDep,
    viewer: ActorDep,
    ask: str,
    act: Annotated[str, Form(max_length=32)],
    person: Annotated[str, Form(max_length=64)],
) -> Response:
    """Be the second person. Who may is asked of the room that keeps the request."""
    require(Page.PEOPLE, viewer)
    if act == "role":
        await grant_role(house.ledger, ask, by=viewer.person)
    elif act == "unfreeze":
        await unfreeze(house.ledger, ask, by=viewer.person)
    elif act == "identity":
        await bind_identity(house.ledger, ask, by=viewer.person)
    elif act == "enrolment":
        half = await house.links.allow_enrolment(ask, by=viewer.person)
        return render(request, "half.html", viewer, half=half, person=person, first=False)
    else:
        raise Fault(people_faults.NOT_OPEN, request=ask[:64])
    return back_to("/people")
