"""A ticket's workspace: its files, page by page and masked; pulling into it; putting a file of the terminal there.

No answer of the console carries a file. What leaves a workspace leaves by a take-out.
"""

import base64
import binascii
import hashlib
import json
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Depends, File, Form, Request, Response, UploadFile
from fastapi.responses import HTMLResponse, RedirectResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from sekisho.console import faults
from sekisho.console.access import Needs, Page, require
from sekisho.console.house import House
from sekisho.console.lines import Organisation, read_names
from sekisho.console.pages import Face, back_to, render
from sekisho.console.viewer import ActorDep, HouseDep, Viewer, ViewerDep, peer_of
from sekisho.console.words import language_of
from sekisho.faults import Fault
from sekisho.gate.decide import WORKSPACE
from sekisho.gate.facts import TicketRequested
from sekisho.gate.policies import read_policy
from sekisho.gate.tickets import read_ticket
from sekisho.people.tokens import Token
from sekisho.register.access import Access
from sekisho.register.catalogue import find_target
from sekisho.register.standing import find_location
from sekisho.relay.workspace.faults import NO_FILE
from sekisho.relay.workspace.pull import Pull

face: Final = Face("tickets")
doors: Final = APIRouter(include_in_schema=False)
_Viewer = Annotated[Viewer, Depends(Needs("tickets", Page.WORK))]
_LINES: Final = "application/x-ndjson"
Name = Annotated[str, Field(min_length=1, max_length=1024)]


class FileLine(BaseModel):
    """`file` names it in addresses; `table` tells that its columns are known, so that whole columns are masked."""

    file: str
    name: str
    size: int
    sha256: str
    changed: datetime | None
    table: bool


class PullLine(BaseModel):
    """A pull under way, or one that ended since the workspace was opened last. `total` is in bytes, 0 where nobody
    knows it before; `again`: it was cut, and can be asked for again under the same name."""

    pull: str
    source: str
    name: str
    rows: int
    persons: int
    bytes: int
    total: int
    done: bool
    again: bool
    code: str
    message: str


class WorkspaceView(BaseModel):
    """What lies in the workspace. `unsaved` are names of the sandbox that could not be kept, and why."""

    ticket: str
    organisation: Organisation
    purpose: str
    target: str
    bulk: bool
    over: bool
    quota: int
    used: int
    files: list[FileLine]
    unsaved: dict[str, str]
    pulls: list[PullLine]
    upload_bytes: int  # 0 where the policy allows none
    desktops: bool
    access: Access
    protocol: str


async def _mine(house: House, viewer: Viewer, ticket: str) -> TicketRequested:
    """Raises Fault NOT_FOUND, also for somebody else's ticket and for one without a workspace."""
    found = await read_ticket(house.ledger, None, ticket)
    if found is None or found.requested.person != viewer.account:
        raise Fault(faults.NOT_FOUND, what=ticket[:64])
    if found.requested.bulk is None and found.requested.door != WORKSPACE:
        raise Fault(faults.NOT_FOUND, what=ticket[:64])
    return found.requested


@face.shows("/work/{ticket}/workspace", "workspace.html", api="/tickets/{ticket}/workspace")
async def read_workspace(house: HouseDep, viewer: _Viewer, ticket: str) -> WorkspaceView:
    """My workspace under this ticket: names and sizes, no content."""
    asked = await _mine(house, viewer, ticket)
    async with house.ledger.read() as connection:
        names = await read_names(connection, (), {asked.organisation})
        location = await find_location(connection, asked.dataset)
        target = await find_target(connection, asked.target)
    policy = (await read_policy(house.ledger)).policy
    over = False
    try:
        files, unsaved, pulls, quota = await house.rooms.files(ticket)
    except Fault:
        files, unsaved, pulls, quota, over = [], {}, [], 0, True
    return WorkspaceView(
        ticket=ticket,
        organisation=names.organisation(asked.organisation),
        purpose=asked.purpose,
        target=asked.target,
        bulk=asked.bulk is not None,
        over=over,
        quota=quota,
        used=sum(file.size for file in files),
        files=[
            FileLine(
                file=_id(file.name),
                name=file.name,
                size=file.size,
                sha256=file.sha256,
                changed=datetime.fromtimestamp(file.changed, UTC) if file.changed else None,
                table=bool(file.columns),
            )
            for file in files
        ],
        unsaved={name: fault.sentence(viewer.language) for name, fault in unsaved.items()},
        pulls=[
            PullLine(
                pull=one.pull,
                source=one.source,
                name=one.to,
                rows=one.rows,
                persons=one.persons,
                bytes=one.bytes,
                total=one.total,
                done=one.done,
                again=_can_go_on(one, pulls),
                code=one.fault.code if one.fault else "",
                message=one.fault.sentence(viewer.language) if one.fault else "",
            )
            for one in reversed(pulls)
        ],
        upload_bytes=policy.upload_bytes if policy.uploads else 0,
        desktops=policy.desktops,
        access=location.access if location else Access.PIXELS,
        protocol=target.protocol if target else "",
    )


def _can_go_on(one: Pull, pulls: Sequence[Pull]) -> bool:
    """Of the tries under one name, only the last."""
    last = next(other for other in reversed(pulls) if other.to == one.to)
    return one is last and one.done and one.fault is not None


face.part("/work/{ticket}/workspace/list", "parts/workspace.html", read_workspace)


def _id(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:32]


@face.pages.get("/work/{ticket}/workspace/files/{file}")
async def look(
    request: Request, house: HouseDep, viewer: ViewerDep, ticket: str, file: str, page: int = 1
) -> HTMLResponse:
    """A page of a file, masked. That it is looked at is recorded before, and whoever it shows is counted."""
    require(Page.WORK, viewer)
    asked = await _mine(house, viewer, ticket)
    if viewer.who is None:
        raise Fault(faults.NOT_LOGGED_IN)
    files, _, _, _ = await house.rooms.files(ticket)
    name = next((one.name for one in files if _id(one.name) == file), None)
    if name is None:
        raise Fault(NO_FILE, name=file[:32])
    seat = await house.rooms.entrant(viewer.who, ticket)
    stored, shown = await house.rooms.look(seat, peer_of(request), name, page - 1)
    return render(
        request, "file.html", viewer, ticket=asked.ticket, file=file, stored=stored, look=shown, page=page
    )


@face.pages.post("/work/{ticket}/workspace/pull")
async def pull(
    request: Request,
    house: HouseDep,
    viewer: ActorDep,
    ticket: str,
    to: Annotated[str, Form(min_length=1, max_length=1024)],
    query: Annotated[str, Form(max_length=20_000)] = "",
    file: Annotated[str, Form(max_length=4096)] = "",
) -> RedirectResponse:
    """Begin a pull of a query's result, or of a remote file; it goes on by itself."""
    require(Page.WORK, viewer)
    await _mine(house, viewer, ticket)
    if viewer.who is None:
        raise Fault(faults.NOT_LOGGED_IN)
    if bool(query) is bool(file):
        raise Fault(faults.BAD_INPUT, reason="a query, or a file")
    seat = await house.rooms.entrant(viewer.who, ticket)
    await house.rooms.pull(seat, peer_of(request), query=query, file=file, to=to.strip())
    return back_to(f"/work/{ticket}/workspace")


@face.pages.post("/work/{ticket}/workspace/pulls/{pull}/again")
async def go_on(
    request: Request, house: HouseDep, viewer: ActorDep, ticket: str, pull: str
) -> RedirectResponse:
    """Ask again for what was cut: a file goes on where it stopped, a query begins anew."""
    require(Page.WORK, viewer)
    await _mine(house, viewer, ticket)
    if viewer.who is None:
        raise Fault(faults.NOT_LOGGED_IN)
    _, _, pulls, _ = await house.rooms.files(ticket)
    cut = next((one for one in pulls if one.pull == pull and _can_go_on(one, pulls)), None)
    if cut is None:
        raise Fault(faults.NOT_FOUND, what=pull[:32])
    seat = await house.rooms.entrant(viewer.who, ticket)
    what = {"query": cut.what} if cut.source == "query" else {"file": cut.what}
    await house.rooms.pull(seat, peer_of(request), to=cut.to, **what)
    return back_to(f"/work/{ticket}/workspace")


@face.pages.post("/work/{ticket}/workspace/upload")
async def upload(
    request: Request, house: HouseDep, viewer: ActorDep, ticket: str, file: Annotated[UploadFile, File()]
) -> RedirectResponse:
    """Put a file of the terminal into the workspace, where the policy allows it. It is scanned and recorded."""
    require(Page.WORK, viewer)
    await _mine(house, viewer, ticket)
    if viewer.who is None:
        raise Fault(faults.NOT_LOGGED_IN)
    seat = await house.rooms.entrant(viewer.who, ticket)
    name = (file.filename or "").replace("\\", "/").rpartition("/")[2] or f"upload-{secrets.token_hex(3)}"
    await house.rooms.upload(seat, peer_of(request), name, await file.read())
    return back_to(f"/work/{ticket}/workspace")


class PullOrder(BaseModel):
    """What `sekisho pull` asks for."""

    model_config = ConfigDict(extra="forbid")
    target: Annotated[str, Field(max_length=64)]
    query: Annotated[str, Field(max_length=20_000)] = ""
    file: Annotated[str, Field(max_length=4096)] = ""  # a remote path, in place of a query
    to: Name


class ListOrder(BaseModel):
    model_config = ConfigDict(extra="forbid")
    target: Annotated[str, Field(max_length=64)]


class LookOrder(BaseModel):
    model_config = ConfigDict(extra="forbid")
    target: Annotated[str, Field(max_length=64)]
    name: Name
    page: Annotated[int, Field(ge=1, le=1_000_000)] = 1


# What follows is for whoever has a door token (`sekisho login`), as HTTP Basic; the answers are JSON lines. An API
# token cannot do these: it may read, and acts for nobody.


async def _seat(request: Request, house: House, target: str) -> Token:
    """Raises Fault NOT_LOGGED_IN, NOT_A_TOKEN."""
    user, password = _basic(request)
    return await house.rooms.seat_of(user, password, target, peer_of(request))


@doors.post("/api/workspace/pull", response_model=None)
async def pull_for_door(order: PullOrder, request: Request, house: HouseDep) -> Response:
    """A pull, with lines of how far it is. When the caller goes away, the pull goes on."""
    seat = await _seat(request, house, order.target)
    begun = await house.rooms.pull(seat, peer_of(request), query=order.query, file=order.file, to=order.to)
    return StreamingResponse(begun.lines(language_of(request)), media_type=_LINES)


@doors.post("/api/workspace/files", response_model=None)
async def files_for_door(order: ListOrder, request: Request, house: HouseDep) -> Response:
    """Names, sizes and hashes."""
    seat = await _seat(request, house, order.target)
    files, _, _, _ = await house.rooms.files(seat.ticket)
    lines = [{"name": one.name, "size": one.size, "sha256": one.sha256} for one in files]
    return Response("".join(json.dumps(one) + "\n" for one in lines), media_type=_LINES)


@doors.post("/api/workspace/look", response_model=None)
async def look_for_door(order: LookOrder, request: Request, house: HouseDep) -> Response:
    """A page of a file, masked, recorded and counted."""
    seat = await _seat(request, house, order.target)
    _, shown = await house.rooms.look(seat, peer_of(request), order.name, order.page - 1)
    line = {"head": shown.head, "rows": shown.rows, "pages": shown.pages}
    return Response(json.dumps(line, ensure_ascii=False) + "\n", media_type=_LINES)


def _basic(request: Request) -> tuple[str, str]:
    """RFC 7617. Raises Fault NOT_LOGGED_IN."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    try:
        user, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        user = colon = password = ""
    if scheme.lower() != "basic" or not colon:
        raise Fault(faults.NOT_LOGGED_IN)
    return user, password
