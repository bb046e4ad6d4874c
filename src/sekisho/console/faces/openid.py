"""Login through a provider of OpenID Connect, and how a person links an account there to the one here.

The provider sends the browser back from another site, so the callback cannot see the session's cookie, which is
strict: it renders a page, and that page goes on. What ties the answer to the browser is a cookie of its own.
"""

from typing import Annotated, Final

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from sekisho.console import faults
from sekisho.console.faces.entrance import opened
from sekisho.console.house import House
from sekisho.console.pages import back_to, render
from sekisho.console.viewer import ActorDep, HouseDep, peer_of
from sekisho.console.words import language_of
from sekisho.faults import Fault
from sekisho.people.challenges import CHALLENGE_SECONDS
from sekisho.people.faults import LOGIN_REFUSED
from sekisho.people.openid import Claim, CodeWanted, OpenIdDesk, claim_identity, unbind_identity
from sekisho.people.tables import find_identities

router: Final = APIRouter(include_in_schema=False)
BROWSER_COOKIE: Final = "__Host-sekisho-openid"
_Text = Annotated[str, Form(max_length=1024)]


def _desk(house: House, name: str) -> OpenIdDesk:
    found = next((one for one in house.openid if one.provider.name == name), None)
    if found is None:
        raise Fault(faults.NOT_FOUND, what=name[:64])
    return found


def _remembering(answer: Response, browser: str) -> Response:
    # Lax: the provider's answer comes from another site.
    answer.set_cookie(
        BROWSER_COOKIE,
        browser,
        max_age=int(CHALLENGE_SECONDS),
        path="/",
        secure=True,
        httponly=True,
        samesite="lax",
    )
    return answer


@router.get("/login/openid/{name}")
async def leave_for_provider(house: HouseDep, name: str) -> Response:
    departure = await _desk(house, name).begin()
    return _remembering(RedirectResponse(departure.url, 303), departure.browser)


@router.get("/login/openid/{name}/callback")
async def back_from_provider(request: Request, house: HouseDep, name: str) -> Response:
    desk, browser = _desk(house, name), request.cookies.get(BROWSER_COOKIE, "")
    result = await desk.finish(dict(request.query_params), browser=browser, peer=peer_of(request))
    match result:
        case CodeWanted():
            answer: Response = _ask_code(request, name, result.ticket)
        case Claim():
            await claim_identity(house.ledger, result)
            answer = render(request, "openid_on.html", None, to="/me", claimed=True)
        case _:
            answer = await opened(
                house, result, render(request, "openid_on.html", None, to="/", claimed=False)
            )
    answer.delete_cookie(BROWSER_COOKIE, path="/", secure=True, httponly=True, samesite="lax")
    return answer


@router.post("/login/openid/{name}/code")
async def second_factor(request: Request, house: HouseDep, name: str, ticket: _Text, code: _Text) -> Response:
    desk = _desk(house, name)
    try:
        who = await desk.confirm(ticket, code.strip(), house.login, peer=peer_of(request))
    except Fault as fault:
        if fault.kind is not LOGIN_REFUSED:
            raise
        return _ask_code(request, name, ticket, fault)
    return await opened(house, who, back_to("/"))


def _ask_code(request: Request, name: str, ticket: str, wrong: Fault | None = None) -> Response:
    said = wrong.sentence(language_of(request)) if wrong else ""
    status = 401 if wrong else 200
    return render(request, "openid_code.html", None, status=status, name=name, ticket=ticket, wrong=said)


@router.post("/me/openid/{name}")
async def claim(request: Request, house: HouseDep, viewer: ActorDep, name: str) -> Response:
    """Show where to log in, as a link: the answer to a form may not leave this console (form-action)."""
    desk = _desk(house, name)
    departure = await desk.begin(viewer.who)
    page = render(request, "openid_go.html", viewer, url=departure.url, label=desk.provider.label)
    return _remembering(page, departure.browser)


@router.post("/me/openid")
async def unbind(house: HouseDep, viewer: ActorDep, issuer: _Text, subject: _Text) -> RedirectResponse:
    """Take an identity of one's own away."""
    async with house.ledger.read() as connection:
        mine = await find_identities(connection, viewer.person)
    if (issuer, subject) not in mine:
        raise Fault(faults.NOT_FOUND, what="identity")
    await unbind_identity(house.ledger, issuer, subject, person=viewer.person, by=viewer.person)
    return back_to("/me")
