"""What people do with take-outs: ask from a workspace, sign, give a share, end, release; also for the command line.

No page opens a share: what a page shows, and the script in it, come from the checkpoint, which must not be able to read
one. The command line proves its person as doors do; an API token alone acts for nobody, so it may only carry a
signature that an SSH key made elsewhere.
"""

import json
from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Body, Form, Header, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select

from sekisho.console import faults
from sekisho.console.access import Page, require
from sekisho.console.faces.takeouts import TakeoutViewer, asking_line, find_asked
from sekisho.console.faces.workspace import _id, _mine, _seat
from sekisho.console.house import House
from sekisho.console.lines import read_names
from sekisho.console.pages import Face, back_to, render
from sekisho.console.viewer import ActorDep, HouseDep, ViewerDep, acting, peer_of
from sekisho.console.words import JST, language_of
from sekisho.faults import Fault, Language
from sekisho.gate.policies import read_policy
from sekisho.people.tables import passkeys, ssh_keys
from sekisho.relay.workspace.faults import NO_FILE
from sekisho.takeout.asking import Asking, Wish
from sekisho.takeout.canonical import digest
from sekisho.takeout.facts import TakeoutApproved
from sekisho.takeout.recipients import list_recipients
from sekisho.takeout.signatures import signing_options

face: Final = Face("takeouts")
doors: Final = APIRouter(include_in_schema=False)
_LINES: Final = "application/x-ndjson"
_STEP_SECONDS: Final = 0.5
# What a requester may say to be inside; what else there is stands as a difference.
ITEMS: Final = (
    "name",
    "kana",
    "address",
    "postal_code",
    "phone",
    "email",
    "birth_date",
    "customer_number",
    "card",
    "individual_number",
    "free_text",
)
Long = Annotated[str, Form(max_length=20_000)]
Short = Annotated[str, Form(max_length=500)]


# -- signing ----------------------------------------------------------------------------------------------------


@face.pages.post("/takeouts/{takeout}/passkey/options")
async def passkey_options(
    house: HouseDep,
    viewer: ViewerDep,
    takeout: str,
    form: Annotated[str, Header(alias="x-sekisho-form", max_length=64)] = "",
) -> JSONResponse:
    """The digest as the challenge of the viewer's own passkeys."""
    await acting(viewer, form)
    require(Page.TAKEOUTS, viewer)
    asked, _ = await find_asked(house, viewer, takeout)
    async with house.ledger.read() as connection:
        query = select(passkeys.c.credential).where(passkeys.c.person == viewer.account)
        own = list(await connection.scalars(query))
    return JSONResponse(signing_options(digest(asked), own, house.takeouts.relying))


@face.pages.post("/takeouts/{takeout}/passkey")
async def sign_by_passkey(
    house: HouseDep,
    viewer: ViewerDep,
    takeout: str,
    answer: Annotated[dict[str, Any], Body()],
    form: Annotated[str, Header(alias="x-sekisho-form", max_length=64)] = "",
) -> JSONResponse:
    await acting(viewer, form)
    require(Page.TAKEOUTS, viewer)
    # What the viewer saw is what is signed: the page says its digest, and the request must still be that.
    seen, share = str(answer.pop("digest", "")), str(answer.pop("share", ""))
    await find_asked(house, viewer, takeout)
    given = TakeoutApproved(
        takeout=takeout,
        approver=viewer.account,
        digest=seen,
        method="passkey",
        key=str(answer.get("id", ""))[:1400],
        signature=json.dumps(answer),
        share=_share(share),
    )
    await house.takeouts.approve(given)
    return JSONResponse({"next": f"/takeouts/{takeout}"})


@face.pages.post("/takeouts/{takeout}/signature")
async def sign_by_ssh(
    house: HouseDep,
    viewer: ActorDep,
    takeout: str,
    seen: Annotated[str, Form(max_length=64)],
    signature: Long,
    share: Long = "",
) -> RedirectResponse:
    """A signature that `ssh-keygen -Y sign` made at home, by whichever of the viewer's keys."""
    require(Page.TAKEOUTS, viewer)
    await find_asked(house, viewer, takeout)
    await _approve_by_ssh(house, viewer.account, takeout, seen, signature, share)
    return back_to(f"/takeouts/{takeout}")


async def _approve_by_ssh(
    house: House, account: str, takeout: str, seen: str, signature: str, share: str
) -> None:
    async with house.ledger.read() as connection:
        query = select(ssh_keys.c.key).where(ssh_keys.c.person == account, ssh_keys.c.revoked.is_(None))
        keys = list(await connection.scalars(query))
    key = await house.takeouts.key_of(takeout, signature, keys) or ""
    given = TakeoutApproved(
        takeout=takeout,
        approver=account,
        digest=seen,
        method="ssh",
        key=key,
        signature=signature.replace("\r\n", "\n").strip() + "\n",
        share=_share(share),
    )
    await house.takeouts.approve(given)


def _share(text: str) -> str:
    """A form turns line ends into CR LF."""
    text = text.replace("\r\n", "\n").strip()
    return text + "\n" if text else ""


@face.pages.post("/takeouts/{takeout}/share")
async def give_share(house: HouseDep, viewer: ActorDep, takeout: str, share: Long) -> RedirectResponse:
    require(Page.TAKEOUTS, viewer)
    await find_asked(house, viewer, takeout)
    await house.takeouts.share(takeout, _share(share), by=viewer.account)
    return back_to(f"/takeouts/{takeout}")


@face.pages.post("/takeouts/{takeout}/close")
async def close(
    house: HouseDep,
    viewer: ActorDep,
    takeout: str,
    how: Annotated[Literal["declined", "withdrawn"], Form()],
    reason: Short = "",
) -> RedirectResponse:
    require(Page.TAKEOUTS, viewer)
    await find_asked(house, viewer, takeout)
    if how == "declined" and not reason.strip():
        raise Fault(faults.BAD_INPUT, reason="reason")
    await house.takeouts.close(takeout, by=viewer.account, how=how, reason=reason.strip())
    return back_to(f"/takeouts/{takeout}")


@face.pages.post("/takeouts/{takeout}/release")
async def release(house: HouseDep, viewer: ActorDep, takeout: str) -> RedirectResponse:
    require(Page.TAKEOUTS, viewer)
    await find_asked(house, viewer, takeout)
    await house.takeouts.release(takeout, by=viewer.account)
    return back_to(f"/takeouts/{takeout}")


# -- asking -----------------------------------------------------------------------------------------------------


@face.pages.get("/work/{ticket}/takeout")
async def ask_page(
    request: Request, house: HouseDep, viewer: ViewerDep, ticket: str, file: str = ""
) -> HTMLResponse:
    require(Page.WORK, viewer)
    asked = await _mine(house, viewer, ticket)
    files, _, _, _ = await house.rooms.files(ticket)
    chosen = next((one for one in files if _id(one.name) == file), None)
    if chosen is None:
        raise Fault(NO_FILE, name=file[:32])
    policy = (await read_policy(house.ledger)).policy
    known = [
        one
        for one in await list_recipients(house.ledger)
        if one.registered and asked.organisation in one.proposed.organisations
    ]
    async with house.ledger.read() as connection:
        names = await read_names(connection, (), {asked.organisation})
    inside = {column.item for column in chosen.columns if column.personal}
    return render(
        request,
        "takeout_ask.html",
        viewer,
        ticket=ticket,
        organisation=names.organisation(asked.organisation),
        file=chosen,
        file_id=file,
        recipients=known,
        policy=policy,
        items=[(item, item in inside) for item in ITEMS],
        returns=(house.now().astimezone(JST) + timedelta(days=30)).date().isoformat(),
        today=house.now().astimezone(JST).date().isoformat(),
    )


@face.pages.post("/work/{ticket}/takeout")
async def ask(
    request: Request,
    house: HouseDep,
    viewer: ActorDep,
    ticket: str,
    file: Annotated[str, Form(max_length=64)],
    purpose: Short,
    basis: Short,
    persons: Annotated[int, Form(ge=0, le=1_000_000_000)],
    returns: Annotated[date, Form()],
    hours: Annotated[int, Form(ge=1, le=31 * 24)],
    channel: Annotated[str, Form(max_length=16)],
    medium: Short,
    recipient: Annotated[str, Form(max_length=64)] = "",
    name: Short = "",
    key: Annotated[str, Form(max_length=4096)] = "",
) -> RedirectResponse:
    """Begin: the file is looked into, and what is found decides whether there is anything to sign."""
    require(Page.WORK, viewer)
    mine = await _mine(house, viewer, ticket)
    if viewer.who is None:
        raise Fault(faults.NOT_LOGGED_IN)
    files, _, _, _ = await house.rooms.files(ticket)
    chosen = next((one.name for one in files if _id(one.name) == file), None)
    if chosen is None:
        raise Fault(NO_FILE, name=file[:32])
    if recipient:
        known = next((one for one in await list_recipients(house.ledger) if one.recipient == recipient), None)
        if known is None:
            raise Fault(faults.NOT_FOUND, what=recipient)
        name, key = known.proposed.name, known.proposed.key
    form = await request.form()
    wish = Wish(
        file=chosen,
        organisations=(mine.organisation,),
        purpose=purpose,
        basis=basis,
        recipient=name,
        recipient_key=key,
        channel=channel,
        medium=medium,
        persons=persons,
        items=tuple(str(one) for one in form.getlist("items") if one in ITEMS),
        hours=hours,
        returns=_end_of(returns),
    )
    seat = await house.rooms.entrant(viewer.who, ticket)
    asking = await house.counter.ask(seat, peer_of(request), wish)
    return back_to(f"/takeouts/{asking.takeout}")


# -- for the command line ---------------------------------------------------------------------------------------


def _end_of(day: date) -> int:
    """The last moment of a day in Japan, in microseconds since 1970."""
    over = datetime(day.year, day.month, day.day, tzinfo=JST) + timedelta(days=1)
    return int(over.timestamp()) * 1_000_000 - 1


class AskOrder(BaseModel):
    """What `sekisho take-out ask` says. `returns` is the last day in Japan."""

    model_config = ConfigDict(extra="forbid")
    target: Annotated[str, Field(max_length=64)]
    file: Annotated[str, Field(min_length=1, max_length=1024)]
    organisations: Annotated[list[Annotated[str, Field(max_length=64)]], Field(min_length=1, max_length=20)]
    purpose: Annotated[str, Field(max_length=500)]
    basis: Annotated[str, Field(max_length=500)]
    recipient: Annotated[str, Field(max_length=500)]
    recipient_key: Annotated[str, Field(max_length=4096)] = ""
    channel: Annotated[str, Field(max_length=16)]
    medium: Annotated[str, Field(max_length=500)]
    persons: Annotated[int, Field(ge=0, le=1_000_000_000)]
    items: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=50)] = []
    hours: Annotated[int, Field(ge=1, le=31 * 24)] = 72
    returns: date


class Proof(BaseModel):
    """Who acts, proven anew: an account, its password and a one-time code."""

    model_config = ConfigDict(extra="forbid")
    person: Annotated[str, Field(max_length=64)]
    password: Annotated[str, Field(max_length=1024)]
    code: Annotated[str, Field(pattern=r"^[0-9]{6}$")]


class ActOrder(BaseModel):
    model_config = ConfigDict(extra="forbid")
    who: Proof
    takeout: Annotated[str, Field(max_length=64)]
    act: Literal["decline", "withdraw", "release"]
    reason: Annotated[str, Field(max_length=500)] = ""


class SignOrder(BaseModel):
    """A signature made at home. `seen` is the digest of what was signed."""

    model_config = ConfigDict(extra="forbid")
    takeout: Annotated[str, Field(max_length=64)]
    seen: Annotated[str, Field(max_length=64)]
    signature: Annotated[str, Field(max_length=16_384)]
    share: Annotated[str, Field(max_length=8_192)] = ""


@doors.post("/api/takeouts/ask", response_model=None)
async def ask_for_door(order: AskOrder, request: Request, house: HouseDep) -> Response:
    """For whoever has a door token (HTTP Basic): how far it is, in JSON lines, until it is asked or refused."""
    seat = await _seat(request, house, order.target)
    wish = Wish(
        file=order.file,
        organisations=tuple(dict.fromkeys(order.organisations)),
        purpose=order.purpose,
        basis=order.basis,
        recipient=order.recipient,
        recipient_key=order.recipient_key,
        channel=order.channel,
        medium=order.medium,
        persons=order.persons,
        items=tuple(order.items),
        hours=order.hours,
        returns=_end_of(order.returns),
    )
    asking = await house.counter.ask(seat, peer_of(request), wish)
    return StreamingResponse(_lines_of(asking, language_of(request)), media_type=_LINES)


async def _lines_of(asking: Asking, language: Language) -> AsyncIterator[bytes]:
    over = False
    while not over:
        over = asking.over.is_set()
        line = asking_line(asking, language)
        # A line with a message is a refusal, as for every command.
        yield line.model_dump_json(exclude=None if line.code else {"code", "message"}).encode() + b"\n"
        await asking.wait(0 if over else _STEP_SECONDS)


@doors.post("/api/takeouts/act", response_model=None)
async def act_for_door(order: ActOrder, request: Request, house: HouseDep) -> Response:
    """Decline, withdraw or release, after a login of its own: a token acts for nobody."""
    who = await house.login.verify(
        person=order.who.person, password=order.who.password, code=order.who.code, peer=peer_of(request)
    )
    if order.act == "release":
        await house.takeouts.release(order.takeout, by=who.account)
    else:
        how = {"decline": "declined", "withdraw": "withdrawn"}[order.act]
        if how == "declined" and not order.reason.strip():
            raise Fault(faults.BAD_INPUT, reason="reason")
        await house.takeouts.close(order.takeout, by=who.account, how=how, reason=order.reason.strip())
    return JSONResponse({"takeout": order.takeout, "done": order.act})


@doors.post("/api/v1/takeouts/approve", response_model=None)
async def approve_for_door(order: SignOrder, house: HouseDep, viewer: TakeoutViewer) -> Response:
    """A signature by an SSH key. The token only says whose it is; what acts is the signature."""
    await find_asked(house, viewer, order.takeout)
    await _approve_by_ssh(house, viewer.account, order.takeout, order.seen, order.signature, order.share)
    return JSONResponse({"takeout": order.takeout, "done": "approve"})
