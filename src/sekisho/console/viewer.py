"""Who looks at a page or calls the API, and what the duty matrix lets this person see."""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Form, Request
from starlette.requests import HTTPConnection

from sekisho.console import faults
from sekisho.console.house import House
from sekisho.console.words import language_of
from sekisho.faults import Fault, Language
from sekisho.gate.duties import Actor
from sekisho.gate.standing import Standing, read_standing
from sekisho.people.facts import HeldRole
from sekisho.people.identity import Authenticated
from sekisho.people.roles import Role

# The prefix binds the cookie to this host, to TLS and to the whole of it (RFC 6265bis 4.1.3.2).
SESSION_COOKIE: Final = "__Host-sekisho"


@dataclass(frozen=True, slots=True)
class Viewer:
    """A person who is logged in, or whose token was presented. `csrf` is what forms of this session must carry.

    `standing` is read from facts that stand in the published log: a role written into the database is none."""

    account: str
    person: str
    name: str
    language: Language
    standing: Standing
    who: Authenticated | None = None  # None for a token: it may read, and act for nobody
    session: str = ""
    csrf: str = ""
    scopes: frozenset[str] | None = None  # of an API token; None at the console

    @property
    def actor(self) -> Actor:
        """As the duty matrix sees this person: who left or is frozen holds no role."""
        return self.standing.actor

    @property
    def roles(self) -> frozenset[Role]:
        return frozenset(held.role for held in self.actor.held)

    def holds(self, *roles: Role) -> bool:
        return not self.roles.isdisjoint(roles)

    def organisations(self, *roles: Role) -> frozenset[str] | None:
        """The client organisations for which one of these roles is held; None when it is the whole house."""
        found = {held.organisation for held in self.actor.held if held.role in roles}
        # A client is one organisation's: there is no client of the whole house.
        found -= {""} if roles == (Role.CLIENT,) else set()
        return None if "" in found else frozenset(found)

    def held(self) -> tuple[HeldRole, ...]:
        return tuple(sorted(self.actor.held))


def house_of(request: HTTPConnection) -> House:
    house = request.app.state.house
    if not isinstance(house, House):
        raise TypeError("the application has no house")
    return house


HouseDep = Annotated[House, Depends(house_of)]


def peer_of(request: HTTPConnection) -> str:
    return request.client.host if request.client else ""


def csrf_of(token: str) -> str:
    """What a form of this session carries: nobody can make it who cannot read the cookie or the page."""
    return hmac.new(token.encode(), b"sekisho console form v1", hashlib.sha256).hexdigest()


async def find_viewer(request: HTTPConnection, house: House) -> Viewer | None:
    """The person of the cookie, or None. A session that may only enrol counts as well: see `viewer_of`."""
    token = request.cookies.get(SESSION_COOKIE, "")
    session = await house.sessions.find(token, peer=peer_of(request)) if token else None
    if session is None:
        return None
    standing = await read_standing(house.ledger, session.who.account, house.confirms)
    if standing is None:
        return None
    language = language_of(request)
    who = session.who
    return Viewer(
        who.account, who.person, session.name, language, standing, who, session.session, csrf_of(token)
    )


async def viewer_of(request: Request, house: HouseDep) -> Viewer:
    """Cookie for pages, bearer token for the API; neither is taken for the other. Raises Fault NOT_LOGGED_IN."""
    if request.url.path.startswith("/api/"):
        return await _caller(request, house)
    viewer = await find_viewer(request, house)
    if viewer is None or viewer.who is None or viewer.who.enrolling:
        raise Fault(faults.NOT_LOGGED_IN)
    return viewer


ViewerDep = Annotated[Viewer, Depends(viewer_of)]


async def acting(viewer: ViewerDep, csrf: Annotated[str, Form(max_length=64)] = "") -> Viewer:
    """A viewer whose form came from a page of this very session. Raises Fault FROM_ELSEWHERE."""
    if not hmac.compare_digest(csrf.encode(), viewer.csrf.encode()):
        raise Fault(faults.FROM_ELSEWHERE)
    return viewer


ActorDep = Annotated[Viewer, Depends(acting)]


async def _caller(request: Request, house: House) -> Viewer:
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    caller = await house.tokens.find(secret.strip()) if scheme.lower() == "bearer" else None
    standing = await read_standing(house.ledger, caller.account, house.confirms) if caller else None
    if caller is None or standing is None:
        raise Fault(faults.NOT_LOGGED_IN)
    return Viewer(
        caller.account, caller.person, caller.person, language_of(request), standing, scopes=caller.scopes
    )
