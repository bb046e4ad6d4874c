"""Take-outs on their way: the recipient's page, links and pushes, receipts, and where every copy is.

The recipient has no account here. A link alone says nothing; with its code it gives one package, once, and a receipt
proves itself by the code that only the opened copy holds.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel
from starlette.concurrency import iterate_in_threadpool
from starlette.types import Receive, Scope, Send

from sekisho.console.access import Page, require
from sekisho.console.faces.takeouts import TakeoutViewer, find_asked
from sekisho.console.house import House
from sekisho.console.lines import Organisation, Someone, read_names
from sekisho.console.pages import Face, back_to, render
from sekisho.console.viewer import ActorDep, HouseDep, Viewer, peer_of
from sekisho.console.words import language_of
from sekisho.faults import Fault
from sekisho.takeout.channels import Attempt
from sekisho.takeout.custody import Whereabouts, certify_destruction, receive, whereabouts
from sekisho.takeout.custody_faults import BAD_CODE, BAD_LINK, DELIVERY_FAILED
from sekisho.takeout.links import Link

face: Final = Face("takeouts")
doors: Final = APIRouter(include_in_schema=False)
_LONGEST_CERTIFICATE: Final = 900_000


class CustodyLine(BaseModel):
    """Where a copy is. `state`: released, handed_over, received, returned, destroyed. `due` is when the next proof is;
    `alarms` say what was not as it must be; `confirmed` how the handing over was: sent, size, read_back."""

    takeout: str
    state: str
    organisations: list[Organisation]
    person: Someone
    recipient: str
    channel: str
    rows: int
    returns: datetime
    handed_over: datetime | None
    confirmed: str
    received: datetime | None
    ended: datetime | None
    due: datetime | None
    overdue: bool
    alarms: list[str]


class CustodyView(BaseModel):
    """Released take-outs that concern the viewer, the one that is due first in front."""

    copies: list[CustodyLine]


class CopyView(BaseModel):
    """`may_link` and `may_push`: it can be handed over this way now. `may_certify`: it is out."""

    line: CustodyLine
    medium: str
    may_link: bool
    may_push: bool
    may_certify: bool


@face.shows("/custody", "custody.html")
async def read_custody(house: HouseDep, viewer: TakeoutViewer) -> CustodyView:
    """Where every copy is that was released: handed over, received, returned or destroyed, and what is overdue."""
    seen = []
    for one in await whereabouts(house.ledger):
        try:
            await find_asked(house, viewer, one.takeout)
        except Fault:
            continue
        seen.append(one)
    return CustodyView(copies=await _lines(house, seen))


@face.shows("/custody/{takeout}", "custody_copy.html")
async def read_copy(house: HouseDep, viewer: TakeoutViewer, takeout: str) -> CopyView:
    """One copy: where it is, and what can be done with it."""
    asked, _ = await find_asked(house, viewer, takeout)
    found = [one for one in await whereabouts(house.ledger) if one.takeout == takeout]
    if not found:
        raise Fault(BAD_LINK)
    [line] = await _lines(house, found)
    here = line.state == "released"
    return CopyView(
        line=line,
        medium=asked.medium,
        may_link=here and asked.channel == "page",
        may_push=here and asked.channel == "sftp",
        may_certify=line.state in ("handed_over", "received"),
    )


async def _lines(house: House, found: list[Whereabouts]) -> list[CustodyLine]:
    async with house.ledger.read() as connection:
        people = {one.requester for one in found}
        organisations = {name for one in found for name in one.organisations}
        names = await read_names(connection, people, organisations)
    now = house.now()
    return [
        CustodyLine(
            takeout=one.takeout,
            state=one.state,
            organisations=[names.organisation(name) for name in one.organisations],
            person=names.someone(one.requester),
            recipient=one.recipient,
            channel=one.channel,
            rows=one.rows,
            returns=one.returns,
            handed_over=one.handed_over,
            confirmed=one.confirmed,
            received=one.received,
            ended=one.ended,
            due=one.due,
            overdue=one.due is not None and one.due <= now,
            alarms=list(one.alarms),
        )
        for one in found
    ]


# -- acts of staff ----------------------------------------------------------------------------------------------


@face.pages.post("/custody/{takeout}/link")
async def make_link(request: Request, house: HouseDep, actor: ActorDep, takeout: str) -> HTMLResponse:
    """A link for the recipient's mail and a code for the telephone; shown once."""
    await _concerns(house, actor, takeout)
    link: Link = await house.parcels.make(takeout, by=actor.account)
    return render(request, "custody_link.html", actor, link=link, url=f"{house.url}/parcel/{link.token}")


@face.pages.post("/custody/{takeout}/push")
async def push(house: HouseDep, actor: ActorDep, takeout: str) -> RedirectResponse:
    await _concerns(house, actor, takeout)
    await house.deliveries.push(takeout, by=actor.account)
    return back_to(f"/custody/{takeout}")


@face.pages.post("/custody/{takeout}/destroyed")
async def destroyed(
    house: HouseDep, actor: ActorDep, takeout: str, certificate: Annotated[UploadFile, File()]
) -> RedirectResponse:
    """The recipient's certificate."""
    await _concerns(house, actor, takeout)
    content = await certificate.read(_LONGEST_CERTIFICATE)
    await certify_destruction(house.ledger, takeout, content, by=actor.account)
    return back_to(f"/custody/{takeout}")


async def _concerns(house: House, viewer: Viewer, takeout: str) -> None:
    require(Page.TAKEOUTS, viewer)
    await find_asked(house, viewer, takeout)


# -- the recipient ----------------------------------------------------------------------------------------------


@doors.get("/parcel/{token}")
async def parcel_page(request: Request, token: str) -> HTMLResponse:
    """Says nothing of what is behind the link, or whether anything is: a mail scanner opens links too."""
    return render(request, "parcel.html", None, token=token, said="")


@doors.post("/parcel/{token}", response_model=None)
async def take_parcel(
    request: Request, house: HouseDep, token: str, code: Annotated[str, Form(max_length=32)]
) -> Response:
    """The package and its papers as one ZIP archive, when the code is right."""
    code = "".join(code.split()).replace("-", "")
    opened = house.parcels.opened(token, code, peer_of(request))
    try:
        attempt, done = await opened.__aenter__()
    except Fault as fault:
        if fault.kind not in (BAD_CODE, BAD_LINK):
            raise
        said = fault.sentence(language_of(request))
        return render(request, "parcel.html", None, status=403, token=token, said=said)

    async def ended(error: BaseException | None) -> None:
        try:
            if error is None:
                await done("sent")
        except BaseException as failed:
            error = failed
            raise
        finally:
            await opened.__aexit__(type(error) if error else None, error, None)

    return _Handing(attempt, ended)


@doors.get("/receipt")
async def receipt_page(request: Request) -> HTMLResponse:
    return render(request, "receipt.html", None, received=None)


@doors.post("/receipt")
async def take_receipt(
    request: Request,
    house: HouseDep,
    receipt: Annotated[str, Form(max_length=8_192)],
    signature: Annotated[str, Form(max_length=20_000)] = "",
) -> HTMLResponse:
    peer = peer_of(request)
    house.parcels.throttle.hold_back("", peer)
    try:
        received = await receive(house.ledger, receipt.strip(), signature.strip())
    except Fault:
        house.parcels.throttle.failed("", peer)
        raise
    return render(request, "receipt.html", None, received=received)


class _Handing(Response):
    """A package on its way to a browser. It was handed over when the connection took the last byte and was still
    there; what breaks off before is recorded as failed."""

    def __init__(self, attempt: Attempt, ended: Callable[[BaseException | None], Awaitable[None]]) -> None:
        name = attempt.parcel.package_name.removesuffix(".age")
        headers = {"content-disposition": f'attachment; filename="{name}-parcel.zip"'}
        super().__init__(media_type="application/zip", headers=headers)
        del self.headers["content-length"]  # how long an archive gets is known at its end
        self._attempt = attempt
        self._ended = ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = asyncio.Event()

        async def watch() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            gone.set()

        try:
            async with asyncio.TaskGroup() as group:
                watching = group.create_task(watch())
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                async for piece in iterate_in_threadpool(self._attempt.parcel.archive()):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                    if gone.is_set():
                        raise Fault(
                            DELIVERY_FAILED, takeout=self._attempt.parcel.package_name, reason="broken off"
                        )
                watching.cancel()
            await self._ended(None)
        except BaseException as error:
            first = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error
            with contextlib.suppress(Fault):  # recorded; there is nobody left to tell
                await self._ended(first)
            if not isinstance(first, Fault):
                raise
            return
        await send({"type": "http.response.body", "body": b"", "more_body": False})
