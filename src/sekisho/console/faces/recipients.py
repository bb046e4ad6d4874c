"""To whom data may go: the list of recipients, which nobody fills alone."""

from typing import Annotated, Final, Literal

from fastapi import Form
from fastapi.responses import RedirectResponse
from pydantic import BaseModel

from sekisho.console.access import Page, require
from sekisho.console.faces.takeouts import TakeoutViewer
from sekisho.console.lines import Names, Organisation, Someone, read_names
from sekisho.console.pages import Face, back_to
from sekisho.console.viewer import ActorDep, HouseDep, Viewer
from sekisho.gate.duties import DUTIES, Act, Part
from sekisho.people.roles import Role
from sekisho.takeout.recipients import (
    Recipient,
    approve_recipient,
    list_recipients,
    propose_recipient,
    remove_recipient,
)

face: Final = Face("takeouts")
Short = Annotated[str, Form(max_length=500)]


class RecipientLine(BaseModel):
    """Somebody who may receive data of these organisations. `missing` are the roles that still have to agree."""

    recipient: str
    name: str
    key: str
    organisations: list[Organisation]
    reason: str
    by: Someone
    request: str
    missing: list[str]
    removed: bool
    registered: bool
    may_agree: bool


class RecipientsView(BaseModel):
    recipients: list[RecipientLine]
    may_propose: bool
    may_remove: bool


_LIST_ROLES: Final = {
    part: frozenset(role for role, cell in DUTIES[Act.MEDIA_LIST].items() if part in cell)
    for part in (Part.REQUEST, Part.APPROVE)
}


@face.shows("/takeouts/to/recipients", "recipients.html", api="/recipients")
async def read_recipients(house: HouseDep, viewer: TakeoutViewer) -> RecipientsView:
    """To whom data may go, and what waits for somebody's consent. A client sees those for its own data."""
    found = await list_recipients(house.ledger)
    clients = viewer.organisations(Role.CLIENT) or frozenset[str]()
    if viewer.roles == {Role.CLIENT}:
        found = [one for one in found if not clients.isdisjoint(one.proposed.organisations)]
    async with house.ledger.read() as connection:
        names = await read_names(
            connection,
            {one.by for one in found},
            {organisation for one in found for organisation in one.proposed.organisations},
        )
    return RecipientsView(
        recipients=[_recipient_line(one, names, viewer) for one in reversed(found)],
        may_propose=viewer.holds(*_LIST_ROLES[Part.REQUEST]),
        may_remove=viewer.holds(*_LIST_ROLES[Part.REQUEST], *_LIST_ROLES[Part.APPROVE]),
    )


def _recipient_line(one: Recipient, names: Names, viewer: Viewer) -> RecipientLine:
    humans = {doing.actor.human for doing in one.case.doings}
    return RecipientLine(
        recipient=one.recipient,
        name=one.proposed.name,
        key=one.proposed.key,
        organisations=[names.organisation(each) for each in one.proposed.organisations],
        reason=one.proposed.reason,
        by=names.someone(one.by),
        request=one.request,
        missing=list(one.missing),
        removed=one.removed,
        registered=one.registered,
        may_agree=not one.removed
        and viewer.person not in humans
        and any(role.value in one.missing for role in viewer.roles),
    )


@face.pages.post("/takeouts/to/recipients")
async def propose(
    house: HouseDep,
    viewer: ActorDep,
    name: Short,
    organisations: Short,
    reason: Short,
    key: Annotated[str, Form(max_length=4096)] = "",
) -> RedirectResponse:
    require(Page.TAKEOUTS, viewer)
    await propose_recipient(
        house.ledger,
        name=name,
        key=key.strip(),
        organisations=organisations.replace(",", " ").split(),
        reason=reason,
        by=viewer.account,
    )
    return back_to("/takeouts/to/recipients")


@face.pages.post("/takeouts/to/recipients/{recipient}")
async def decide_recipient(
    house: HouseDep,
    viewer: ActorDep,
    recipient: str,
    decision: Annotated[Literal["agree", "remove"], Form()],
    seen: Annotated[str, Form(max_length=64)],
) -> RedirectResponse:
    require(Page.TAKEOUTS, viewer)
    if decision == "agree":
        await approve_recipient(house.ledger, recipient, seen=seen, by=viewer.account)
    else:
        await remove_recipient(house.ledger, recipient, reason="removed at the console", by=viewer.account)
    return back_to("/takeouts/to/recipients")
