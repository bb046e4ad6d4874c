"""Who was told what, and whether it arrived; where agencies and clients are reached. Texts stay sealed."""

from datetime import datetime
from typing import Annotated, Final

from fastapi import Depends, Form
from fastapi.responses import RedirectResponse
from pydantic import BaseModel
from sqlalchemy import select

from sekisho.console.access import Needs, Page
from sekisho.console.lines import PAGE
from sekisho.console.pages import Face, back_to
from sekisho.console.viewer import ActorDep, HouseDep, Viewer
from sekisho.notify.tables import addresses, deliveries, notices
from sekisho.people.consent import require_role
from sekisho.people.roles import Role

face: Final = Face("people")
_Viewer = Annotated[Viewer, Depends(Needs("people", Page.NOTICES))]


class DeliveryLine(BaseModel):
    """`state`: sent, waiting (another attempt is due) or given_up. `reason` is why the last attempt failed."""

    receiver: str
    state: str
    attempts: int
    reason: str


class NoticeLine(BaseModel):
    notice: str
    kind: str
    person: str
    asked: datetime
    deliveries: list[DeliveryLine]


class AddressLine(BaseModel):
    """That there is an address, and of which kind; the address itself is sealed."""

    receiver: str
    channel: str
    since: datetime
    set_by: str


class NoticesView(BaseModel):
    """Notices, newest first, but for those about the viewer; and who has an address."""

    notices: list[NoticeLine]
    addresses: list[AddressLine]
    administers: bool


@face.shows("/notices", "notices.html")
async def read_notices(house: HouseDep, viewer: _Viewer) -> NoticesView:
    """Who was told what, and whether it arrived."""
    query = select(notices).where(notices.c.person != viewer.person).order_by(notices.c.asked.desc())
    async with house.ledger.read() as connection:
        rows = (await connection.execute(query.limit(PAGE))).all()
        found = await connection.execute(
            select(deliveries)
            .where(deliveries.c.notice.in_([row.notice for row in rows]))
            .order_by(deliveries.c.receiver)
        )
        book = (await connection.execute(select(addresses).order_by(addresses.c.receiver))).all()
        lines: dict[str, list[DeliveryLine]] = {}
        for one in found:
            state = "sent" if one.sent else "waiting" if one.due is not None else "given_up"
            # A former address is known by its commitment only, which tells nobody anything.
            receiver = "address" if one.receiver.startswith("address:") else one.receiver
            line = DeliveryLine(receiver=receiver, state=state, attempts=one.attempts, reason=one.reason)
            lines.setdefault(one.notice, []).append(line)
    return NoticesView(
        notices=[
            NoticeLine(
                notice=row.notice,
                kind=row.kind,
                person=row.person,
                asked=row.asked,
                deliveries=lines.get(row.notice, []),
            )
            for row in rows
        ],
        addresses=[
            AddressLine(receiver=row.receiver, channel=row.channel, since=row.set, set_by=row.set_by)
            for row in book
        ],
        administers=viewer.scopes is None and viewer.holds(Role.ADMINISTRATOR),
    )


_Address = Annotated[str, Form(max_length=1000)]


@face.pages.post("/notices/addresses")
async def set_address(
    house: HouseDep,
    viewer: ActorDep,
    receiver: Annotated[str, Form(min_length=1, max_length=250, pattern="^(agency|organisation):")],
    address: _Address = "",
) -> RedirectResponse:
    """An administrator says where an agency or a client is reached ("" takes it away). People say it themselves."""
    async with house.ledger.read() as connection:
        await require_role(connection, viewer.person, {Role.ADMINISTRATOR})
    await house.notices.set_address(receiver.strip(), address.strip(), by=viewer.person)
    return back_to("/notices")


@face.pages.post("/me/address")
async def set_my_address(house: HouseDep, viewer: ActorDep, address: _Address = "") -> RedirectResponse:
    await house.notices.set_address(f"person:{viewer.person}", address.strip(), by=viewer.person)
    return back_to("/me")
