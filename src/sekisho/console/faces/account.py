"""What is mine: who I am here, my sessions, my passkeys, my SSH keys, my tokens of the API."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from fastapi import Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel
from sqlalchemy import select

from sekisho.console import faults
from sekisho.console.access import Me
from sekisho.console.house import SCOPES
from sekisho.console.lines import Organisation, read_names
from sekisho.console.pages import Face, back_to, render
from sekisho.console.viewer import ActorDep, HouseDep, Viewer
from sekisho.faults import Fault
from sekisho.notify.tables import addresses
from sekisho.people.identity import Authenticated
from sekisho.people.ssh_keys import add_ssh_key, revoke_ssh_key
from sekisho.people.tables import api_tokens, find_identities, passkeys, ssh_keys

face: Final = Face("me")


class MyRole(BaseModel):
    """`organisation` is null where the role is held for the whole house."""

    role: str
    organisation: Organisation | None


class MySession(BaseModel):
    session: str
    method: str
    peer: str
    opened: datetime
    used: datetime
    this_one: bool


class MyPasskey(BaseModel):
    credential: str
    label: str
    added: datetime
    used: datetime | None


class MyToken(BaseModel):
    token: str
    label: str
    scopes: list[str]
    issued: datetime
    expires: datetime


class MyIdentity(BaseModel):
    """An account at a provider of OpenID Connect that logs me in."""

    issuer: str
    subject: str


class MyProvider(BaseModel):
    name: str
    label: str


class MySshKey(BaseModel):
    key: str
    kind: str
    label: str
    added: datetime


class MeView(BaseModel):
    """Who I am here, and what I hold. `notices_by` is how notices reach me, null where they do not."""

    person: str
    account: str
    name: str
    employer: str
    roles: list[MyRole]
    sessions: list[MySession]
    passkeys: list[MyPasskey]
    ssh_keys: list[MySshKey]
    tokens: list[MyToken]
    identities: list[MyIdentity]
    providers: list[MyProvider]
    notices_by: str | None


@face.shows("/me", "me.html")
async def read_me(house: HouseDep, viewer: Me) -> MeView:
    """Who I am here: roles, sessions, passkeys, SSH keys, tokens."""
    now = house.now()
    async with house.ledger.read() as connection:
        live = await house.sessions.live(connection)
        keys = (
            await connection.execute(
                select(passkeys).where(passkeys.c.person == viewer.account).order_by(passkeys.c.added)
            )
        ).all()
        own_keys = (
            await connection.execute(
                select(ssh_keys)
                .where(ssh_keys.c.person == viewer.account, ssh_keys.c.revoked.is_(None))
                .order_by(ssh_keys.c.added)
            )
        ).all()
        issued = (
            await connection.execute(
                select(api_tokens)
                .where(api_tokens.c.person == viewer.account, api_tokens.c.revoked.is_(None))
                .order_by(api_tokens.c.issued.desc())
            )
        ).all()
        identities = await find_identities(connection, viewer.person)
        query = select(addresses.c.channel).where(addresses.c.receiver == f"person:{viewer.person}")
        notices_by = await connection.scalar(query)
        names = await read_names(connection, {viewer.person}, {one.organisation for one in viewer.held()})
    return MeView(
        person=viewer.person,
        account=viewer.account,
        name=names.someone(viewer.person).name,
        employer=viewer.actor.employer,
        roles=[
            MyRole(
                role=one.role,
                organisation=names.organisation(one.organisation) if one.organisation else None,
            )
            for one in viewer.held()
        ],
        sessions=[
            MySession(
                session=one.session,
                method=one.method,
                peer=one.peer,
                opened=one.opened,
                used=one.used,
                this_one=one.session == viewer.session,
            )
            for one in live
            if one.person == viewer.person
        ],
        passkeys=[
            MyPasskey(credential=row.credential, label=row.label, added=row.added, used=row.used)
            for row in keys
        ],
        ssh_keys=[
            MySshKey(key=row.key, kind=row.public_key.partition(" ")[0], label=row.label, added=row.added)
            for row in own_keys
        ],
        tokens=[
            MyToken(
                token=row.token,
                label=row.label,
                scopes=row.scopes.split(),
                issued=row.issued,
                expires=datetime.fromtimestamp(row.expires / 1e6, UTC),
            )
            for row in issued
            if row.expires > now.timestamp() * 1e6
        ],
        identities=[MyIdentity(issuer=issuer, subject=subject) for issuer, subject in identities],
        providers=[MyProvider(name=one.provider.name, label=one.provider.label) for one in house.openid],
        notices_by=notices_by,
    )


def _who(viewer: Viewer) -> Authenticated:
    if viewer.who is None:
        raise Fault(faults.NOT_LOGGED_IN)
    return viewer.who


Id = Annotated[str, Form(max_length=1400)]


@face.pages.post("/me/sessions/end")
async def end_my_session(house: HouseDep, viewer: ActorDep, session: Id) -> RedirectResponse:
    async with house.ledger.read() as connection:
        mine = {one.session for one in await house.sessions.live(connection) if one.person == viewer.person}
    if session not in mine:
        raise Fault(faults.NOT_FOUND, what=session[:64])
    await house.sessions.close(session, by=viewer.person, reason="ended by its person")
    return back_to("/me")


@face.pages.post("/me/passkeys/remove")
async def remove_passkey(house: HouseDep, viewer: ActorDep, credential: Id) -> RedirectResponse:
    async with house.ledger.read() as connection:
        mine = set(
            await connection.scalars(select(passkeys.c.credential).where(passkeys.c.person == viewer.account))
        )
    if credential not in mine:
        raise Fault(faults.NOT_FOUND, what="passkey")
    await house.passkeys.remove(
        credential, person=viewer.account, by=viewer.person, reason="removed by its person"
    )
    return back_to("/me")


@face.pages.post("/me/ssh-keys")
async def register_ssh_key(
    house: HouseDep,
    viewer: ActorDep,
    public_key: Annotated[str, Form(min_length=1, max_length=4096)],
    label: Annotated[str, Form(max_length=64)] = "",
) -> RedirectResponse:
    await add_ssh_key(house.ledger, _who(viewer), public_key, label=label.strip())
    return back_to("/me")


@face.pages.post("/me/ssh-keys/revoke")
async def revoke_my_ssh_key(house: HouseDep, viewer: ActorDep, key: Id) -> RedirectResponse:
    await revoke_ssh_key(
        house.ledger, key, person=viewer.account, by=viewer.person, reason="revoked by its person"
    )
    return back_to("/me")


@face.pages.post("/me/tokens")
async def issue_token(
    request: Request,
    house: HouseDep,
    viewer: ActorDep,
    label: Annotated[str, Form(min_length=1, max_length=64)],
    days: Annotated[int, Form(ge=1, le=90)] = 30,
) -> HTMLResponse:
    """Issue a token for the API; its secret is shown this once."""
    form = await request.form()
    scopes = [str(one) for one in form.getlist("scopes")]
    if not scopes:
        raise Fault(faults.BAD_INPUT, reason="scopes")
    _, secret = await house.tokens.issue(_who(viewer), label=label, scopes=scopes, lasts=timedelta(days=days))
    return render(request, "token.html", viewer, secret=secret, scopes=sorted(set(scopes) & set(SCOPES)))


@face.pages.post("/me/tokens/revoke")
async def revoke_token(house: HouseDep, viewer: ActorDep, token: Id) -> RedirectResponse:
    view = await read_me(house, viewer)
    if token not in {one.token for one in view.tokens}:
        raise Fault(faults.NOT_FOUND, what=token[:64])
    await house.tokens.revoke(token, by=viewer.person, reason="revoked by its person")
    return back_to("/me")
