"""Which pages the duty matrix opens to which roles.

A page is open to those whose part in an act lets them look at it; everybody else is refused, and a page that is not
listed here is open to nobody.
"""

from enum import StrEnum
from typing import Annotated, Final

from fastapi import Depends

from sekisho.console import faults
from sekisho.console.house import SCOPES
from sekisho.console.viewer import Viewer, ViewerDep
from sekisho.faults import Fault
from sekisho.gate.duties import DUTIES, Act, Note, Part
from sekisho.people.roles import CONSENTING, Role


class Page(StrEnum):
    WORK = "work"
    QUEUE = "queue"
    LIVE = "live"
    TICKETS = "tickets"
    PORTAL = "portal"
    REVIEWS = "reviews"
    FACTS = "facts"
    REFUSALS = "refusals"
    PEOPLE = "people"
    REGISTER = "register"
    CONTROLS = "controls"
    POLICY = "policy"
    STATUS = "status"
    RECORDINGS = "recordings"
    ALERTS = "alerts"
    FEEDS = "feeds"
    NOTICES = "notices"
    TAKEOUTS = "takeouts"
    TRACE = "trace"


_LOOKING: Final = frozenset({Part.VIEW, Part.EXECUTE, Part.CHECK})
_SHAPING: Final = frozenset({Part.REQUEST, Part.APPROVE, Part.EXECUTE, Part.CHECK})


def _roles(act: Act, *parts: Part, bounded: Note | None = None) -> frozenset[Role]:
    """The roles with one of these parts in an act: those whose part is not bounded, or those with this bound.

    A client sees its own lines in its portal, and never a page of the house."""
    bounds = {Note.DIGEST, Note.HOLD}
    return frozenset(
        role
        for role, cell in DUTIES[act].items()
        for part in parts
        if part in cell and (bounded in cell[part] if bounded else not bounds & cell[part])
        if bounded is Note.DIGEST or role is not Role.CLIENT
    )


OPEN_TO: Final[dict[Page, frozenset[Role]]] = {
    Page.WORK: _roles(Act.TICKET, Part.REQUEST),
    Page.QUEUE: _roles(Act.TICKET, Part.APPROVE) | _roles(Act.BULK_PULL, Part.APPROVE),
    Page.LIVE: _roles(Act.SESSION, Part.VIEW, Part.CHECK),
    Page.TICKETS: _roles(Act.TICKET, Part.APPROVE, Part.VIEW, Part.CHECK),
    Page.PORTAL: _roles(Act.SESSION, Part.VIEW, bounded=Note.DIGEST),
    Page.REVIEWS: _roles(Act.BREAK_GLASS, Part.CHECK),
    Page.FACTS: _roles(Act.LOG_KEEP, *_LOOKING),
    Page.REFUSALS: _roles(Act.ALARM_ACKNOWLEDGE, *_LOOKING),
    Page.ALERTS: _roles(Act.ALARM_ACKNOWLEDGE, *_LOOKING),
    # What is heard and what is not: for who answers for alarms, and for who keeps the machine going.
    Page.FEEDS: _roles(Act.ALARM_ACKNOWLEDGE, *_LOOKING) | {Role.ADMINISTRATOR, Role.LOG_CUSTODIAN},
    # Two of the consenting roles together give a person a new authenticator, or end a freeze.
    Page.PEOPLE: _roles(Act.OFF_BOARDING, *_LOOKING) | CONSENTING,
    Page.REGISTER: _roles(Act.POLICY, *_SHAPING),
    # What protects its data is the client's to know.
    Page.CONTROLS: _roles(Act.POLICY, *_SHAPING) | {Role.CLIENT},
    Page.POLICY: _roles(Act.POLICY, *_SHAPING),
    # How many lines there are says nothing of what they hold.
    Page.STATUS: _roles(Act.LOG_KEEP, *_LOOKING) | {Role.ADMINISTRATOR},
    # A client watches the recordings of its own data.
    Page.RECORDINGS: _roles(Act.RECORDING, Part.REQUEST, Part.APPROVE) | {Role.CLIENT},
    # Who proposes and who confirms whose a found list is; and who holds shares of the key and answers for the data.
    Page.TRACE: _roles(Act.ATTRIBUTION, Part.REQUEST, Part.APPROVE) | {Role.PRIVACY_OFFICER, Role.AUDITOR},
    # What left, or was to leave: whoever has a part in it, and the administrator, without what is inside.
    Page.TAKEOUTS: _roles(Act.CARRY_OUT, Part.REQUEST, Part.APPROVE, Part.CHECK, Part.NOTIFIED)
    | {Role.CLIENT, Role.ADMINISTRATOR},
    # Whether those were told who must be: for who keeps the machine going, and who answers for it.
    Page.NOTICES: frozenset({Role.ADMINISTRATOR, Role.LOG_CUSTODIAN, Role.PRIVACY_OFFICER, Role.AUDITOR}),
}


def open_to(page: Page, viewer: Viewer) -> bool:
    return viewer.holds(*OPEN_TO[page])


def require(page: Page, viewer: Viewer) -> None:
    """Raises Fault NOT_YOURS."""
    if not open_to(page, viewer):
        raise Fault(faults.NOT_YOURS, what=page.value)


class Needs:
    """A dependency: the page is open to the viewer, and the token, if there is one, has the scope."""

    def __init__(self, scope: str, page: Page | None = None) -> None:
        if scope not in SCOPES:
            raise ValueError(f"{scope} is no scope")
        self._scope = scope
        self._page = page

    def __call__(self, viewer: ViewerDep) -> Viewer:
        if viewer.scopes is not None and self._scope not in viewer.scopes:
            raise Fault(faults.NEEDS_SCOPE, scope=self._scope)
        if self._page is not None:
            require(self._page, viewer)
        return viewer


Me = Annotated[Viewer, Depends(Needs("me"))]
