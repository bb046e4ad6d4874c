"""The entrance: passkey, or password with one-time code; one-time links, and what they let a person enrol.

The secret of a link stands behind the # of its address: a browser sends it to no server and no log keeps it, until
the page itself posts it.
"""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Form, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from sekisho.console import faults
from sekisho.console.house import House
from sekisho.console.pages import THEME_COOKIE, THEMES, back_to, home_of, render
from sekisho.console.viewer import (
    SESSION_COOKIE,
    ActorDep,
    HouseDep,
    Viewer,
    acting,
    find_viewer,
    peer_of,
)
from sekisho.console.words import LANGUAGE_COOKIE, LANGUAGES
from sekisho.faults import Fault
from sekisho.people.credentials import begin_password, confirm_password
from sekisho.people.identity import Authenticated
from sekisho.people.notice import NOTICE

router: Final = APIRouter(include_in_schema=False)
_YEAR: Final = 365 * 24 * 3600

Text = Annotated[str, Form(max_length=1024)]


async def opened(house: House, who: Authenticated, answer: Response) -> Response:
    """Open a session, and put its token into the answer's cookie."""
    _, token = await house.sessions.open(who)
    answer.set_cookie(SESSION_COOKIE, token, path="/", secure=True, httponly=True, samesite="strict")
    return answer


@router.get("/")
async def start(request: Request, house: HouseDep) -> Response:
    viewer = await find_viewer(request, house)
    if viewer is None:
        return back_to("/login")
    return back_to("/enrol" if viewer.who and viewer.who.enrolling else home_of(viewer))


@router.get("/login")
async def login_page(request: Request, house: HouseDep) -> HTMLResponse:
    providers = [(one.provider.name, one.provider.label) for one in house.openid]
    return render(request, "login.html", None, notice=NOTICE, providers=providers)


@router.post("/login/password")
async def login_by_password(
    request: Request, house: HouseDep, person: Text, password: Text, code: Text
) -> Response:
    who = await house.login.verify(
        person=person.strip(), password=password, code=code.strip(), peer=peer_of(request)
    )
    return await opened(house, who, back_to("/"))


@router.post("/login/passkey/options")
async def passkey_options(house: HouseDep) -> JSONResponse:
    return JSONResponse(house.passkeys.begin_login())


@router.post("/login/passkey")
async def login_by_passkey(
    request: Request, house: HouseDep, answer: Annotated[dict[str, Any], Body()]
) -> Response:
    who = await house.passkeys.finish_login(answer, peer=peer_of(request))
    return await opened(house, who, JSONResponse({"next": "/"}))


@router.post("/logout")
async def logout(viewer: ActorDep, house: HouseDep) -> Response:
    await house.sessions.close(viewer.session, by=viewer.person)
    answer = back_to("/login")
    answer.delete_cookie(SESSION_COOKIE, path="/", secure=True, httponly=True, samesite="strict")
    return answer


@router.get("/first")
async def first_page(request: Request) -> HTMLResponse:
    return render(request, "first.html", None)


@router.post("/first")
async def use_first_link(request: Request, house: HouseDep, secret: Text) -> Response:
    who = await house.links.use_first_link(secret.strip(), peer_of(request))
    return await opened(house, who, back_to("/enrol"))


@router.get("/join")
async def join_page(request: Request) -> HTMLResponse:
    return render(request, "join.html", None)


@router.post("/join")
async def use_enrolment(request: Request, house: HouseDep, first: Text, second: Text) -> Response:
    who = await house.links.use_enrolment(first.strip(), second.strip(), peer_of(request))
    return await opened(house, who, back_to("/enrol"))


async def _enrolling(request: Request, house: House) -> tuple[Viewer, Authenticated]:
    viewer = await find_viewer(request, house)
    if viewer is None or viewer.who is None:
        raise Fault(faults.NOT_LOGGED_IN)
    return viewer, viewer.who


@router.get("/enrol")
async def enrol_page(request: Request, house: HouseDep) -> HTMLResponse:
    viewer, _ = await _enrolling(request, house)
    return render(request, "enrol.html", viewer)


@router.post("/enrol/passkey/options")
async def enrol_options(request: Request, house: HouseDep) -> JSONResponse:
    _, who = await _enrolling(request, house)
    return JSONResponse(await house.passkeys.begin_registration(who))


@router.post("/enrol/passkey")
async def enrol_passkey(
    request: Request, house: HouseDep, answer: Annotated[dict[str, Any], Body()]
) -> JSONResponse:
    viewer, who = await _enrolling(request, house)
    await acting(viewer, request.headers.get("x-sekisho-form", ""))
    label = str(answer.pop("label", ""))[:64]
    await house.passkeys.finish_registration(who, answer, label=label)
    if who.enrolling:  # the link's session has done its one work
        await house.sessions.close(viewer.session, by=viewer.person, reason="enrolled")
    return JSONResponse({"next": "/login" if who.enrolling else "/me"})


@router.post("/enrol/password")
async def choose_password(request: Request, house: HouseDep, password: Text, csrf: Text) -> HTMLResponse:
    """Choose a password; the page shows the secret for an authenticator app once, and asks for its first code."""
    viewer, who = await _enrolling(request, house)
    await acting(viewer, csrf)
    enrolment = await begin_password(who, password)
    ticket = house.unconfirmed.put((who.account, enrolment))
    return render(request, "authenticator.html", viewer, enrolment=enrolment, ticket=ticket)


@router.post("/enrol/code")
async def confirm_code(
    request: Request, house: HouseDep, ticket: Text, code: Text, csrf: Text
) -> RedirectResponse:
    viewer, who = await _enrolling(request, house)
    await acting(viewer, csrf)
    account, enrolment = house.unconfirmed.take(ticket) or ("", None)
    if enrolment is None or account != who.account:
        raise Fault(faults.FROM_ELSEWHERE)
    await confirm_password(house.ledger, who, enrolment, code.strip(), now=house.now().timestamp())
    if who.enrolling:
        await house.sessions.close(viewer.session, by=viewer.person, reason="enrolled")
    return back_to("/login" if who.enrolling else "/me")


@router.post("/preferences")
async def preferences(
    language: Annotated[str, Form(max_length=8)] = "",
    theme: Annotated[str, Form(max_length=8)] = "",
    back: Annotated[str, Form(max_length=512)] = "/",
) -> RedirectResponse:
    """Language and colours, in cookies that hold nothing else."""
    inside = back.startswith("/") and not back.startswith(("//", "/\\"))
    answer = back_to(back if inside else "/")
    if language in LANGUAGES:
        answer.set_cookie(LANGUAGE_COOKIE, language, max_age=_YEAR, secure=True, samesite="lax")
    if theme in THEMES:
        answer.set_cookie(THEME_COOKIE, theme, max_age=_YEAR, secure=True, samesite="lax")
    return answer
