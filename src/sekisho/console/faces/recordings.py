"""Recordings: what there is, who asked to watch and who agreed, replay, and the live view of a running session.

A list and the page of a recording show nothing of what was on a screen. What does is recorded before it is shown, and
where it shows personal data two persons have decided it (`relay.record.viewing`).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import datetime
from functools import partial
from heapq import merge
from typing import Annotated, Any, Final

from fastapi import Depends, Form, Query, WebSocket
from fastapi.responses import RedirectResponse, StreamingResponse
from pydantic import BaseModel
from sqlalchemy import Row, select

from sekisho.console import faults
from sekisho.console.access import OPEN_TO, Needs, Page, open_to, require
from sekisho.console.faces.live import may_end
from sekisho.console.faces.terminal import SocketLeave
from sekisho.console.house import House
from sekisho.console.lines import PAGE, Organisation, Someone, of_organisations, read_names
from sekisho.console.pages import Face, back_to
from sekisho.console.sockets import SocketTerminal, admit, give_pass, refuse
from sekisho.console.viewer import ActorDep, HouseDep, Viewer, find_viewer
from sekisho.faults import Fault
from sekisho.gate.duties import Act, Actor, Case, Doing, Part, may
from sekisho.gate.refusal import Refusal
from sekisho.gate.tickets import require_standing
from sekisho.relay.record.facts import DESKTOP
from sekisho.relay.record.faults import NO_RECORDING, NO_TEXT
from sekisho.relay.record.frames import Broken
from sekisho.relay.record.reading import (
    NOTICES,
    Account,
    data_key,
    read_account,
    stored_events,
    verify_recording,
)
from sekisho.relay.record.recordings import Recording
from sekisho.relay.record.tables import recordings
from sekisho.relay.record.viewing import (
    View,
    ViewRequest,
    approve_watching,
    ask_to_watch,
    may_watch_alone,
    open_view,
    read_requests,
    shows_personal_data,
)
from sekisho.watch.tables import alerts
from sekisho.wire.asciicast.cast import CastEncoder, Event, Header

face: Final = Face("sessions")
_Viewer = Annotated[Viewer, Depends(Needs("sessions", Page.RECORDINGS))]
LOOK_AGAIN_SECONDS: Final = 5.0  # how long a view goes on after its right ended, at most
_STEP: Final = 200  # events that are made lines of in one turn


class RecordingLine(BaseModel):
    """`ending` is "" while it runs, "closed", "failed" (the recorder failed) or "recovered" (after a crash)."""

    recording: str
    session: str
    person: Someone
    ticket: str
    organisation: Organisation
    kind: str
    title: str
    opened: datetime
    ended: datetime | None
    ending: str
    seconds: float
    events: int


class RecordingsView(BaseModel):
    """Recordings, newest first."""

    lines: list[RecordingLine]
    person: str
    ticket: str


class RequestLine(BaseModel):
    """A request to watch. `good` while its approval lets the asking person watch."""

    request: str
    person: Someone
    reason: str
    asked: datetime
    approver: Someone | None
    until: datetime | None
    good: bool
    may_approve: bool


class FindingLine(BaseModel):
    """Something that is not as it was recorded, or (not `bad`) worth knowing."""

    text: str
    bad: bool


class RecordingView(BaseModel):
    """One recording: whether it is what was recorded, who may watch it, and whether the viewer may."""

    line: RecordingLine
    live: bool
    findings: list[FindingLine]
    requests: list[RequestLine]
    personal: bool
    may_watch: bool
    may_ask: bool
    may_end: bool


@face.shows("/recordings", "recordings.html")
async def read_recordings(
    house: HouseDep,
    viewer: _Viewer,
    person: Annotated[str, Query(max_length=64)] = "",
    ticket: Annotated[str, Query(max_length=64)] = "",
) -> RecordingsView:
    """What is recorded; nothing of what is in it."""
    query = select(recordings).order_by(recordings.c.opened.desc()).limit(PAGE)
    query = of_organisations(query, recordings.c.organisation, _organisations(viewer))
    if person:
        query = query.where(recordings.c.person == person)
    if ticket:
        query = query.where(recordings.c.ticket == ticket)
    async with house.ledger.read() as connection:
        rows = list(await connection.execute(query))
        names = await read_names(connection, {row.person for row in rows}, {row.organisation for row in rows})
    lines = [_line(row, names.someone(row.person), names.organisation(row.organisation)) for row in rows]
    return RecordingsView(lines=lines, person=person, ticket=ticket)


def _organisations(viewer: Viewer) -> frozenset[str] | None:
    return viewer.organisations(*OPEN_TO[Page.RECORDINGS])


def _line(row: Row[Any], person: Someone, organisation: Organisation) -> RecordingLine:
    return RecordingLine(
        recording=row.recording,
        session=row.session,
        person=person,
        ticket=row.ticket,
        organisation=organisation,
        kind=row.kind,
        title=row.title,
        opened=row.opened,
        ended=row.ended,
        ending=row.ending,
        seconds=row.milliseconds / 1000,
        events=row.events,
    )


async def find_recording(house: House, viewer: Viewer, recording: str) -> tuple[RecordingLine, Account]:
    """Raises Fault NO_RECORDING, also for one of a client organisation that is not the viewer's to see."""
    query = of_organisations(select(recordings), recordings.c.organisation, _organisations(viewer))
    async with house.ledger.read() as connection:
        row = (await connection.execute(query.where(recordings.c.recording == recording))).one_or_none()
        if row is None:
            raise Fault(NO_RECORDING, recording=recording[:64])
        names = await read_names(connection, {row.person}, {row.organisation})
    account = await read_account(house.ledger, recording)
    return _line(row, names.someone(row.person), names.organisation(row.organisation)), account


@face.shows("/recordings/{recording}", "recording.html")
async def read_recording(house: HouseDep, viewer: _Viewer, recording: str) -> RecordingView:
    """One recording, held against the ledger, and the requests to watch it."""
    line, account = await find_recording(house, viewer, recording)
    live = house.recordings.find(recording) is not None
    personal = await shows_personal_data(house.ledger, account, house.confirms)
    requests = await read_requests(house.ledger, recording, house.confirms)
    return RecordingView(
        line=line,
        live=live,
        findings=[] if live else await _findings(house, viewer, recording),
        requests=[await _request_line(house, viewer, account, one) for one in requests.values()],
        personal=personal,
        may_watch=await _may_watch(house, viewer, account, personal, requests),
        may_ask=personal and viewer.scopes is None and await _may_ask(house, viewer, account),
        may_end=live and may_end(viewer),
    )


async def _findings(house: House, viewer: Viewer, recording: str) -> list[FindingLine]:
    found = await verify_recording(house.ledger, house.recordings.folder, recording, confirms=house.confirms)
    return [
        FindingLine(text=one.sentence(viewer.language), bad=one.kind not in NOTICES) for one in found.findings
    ]


async def _request_line(house: House, viewer: Viewer, account: Account, asked: ViewRequest) -> RequestLine:
    async with house.ledger.read() as connection:
        names = await read_names(connection, {asked.person, asked.approver} - {""})
    until = asked.good_until()
    return RequestLine(
        request=asked.request,
        person=names.someone(asked.person),
        reason=asked.reason,
        asked=asked.asked,
        approver=names.someone(asked.approver) if asked.approver else None,
        until=until,
        good=until is not None and house.now() < until,
        may_approve=until is None
        and viewer.scopes is None
        and not await _refused(
            house,
            account,
            viewer.actor,
            Part.APPROVE,
            Doing(Part.REQUEST, (await require_standing(house.ledger, asked.person)).actor),
        ),
    )


async def _refused(house: House, account: Account, actor: Actor, part: Part, *doings: Doing) -> bool:
    opened = account.opened
    recorded = (await require_standing(house.ledger, opened.person)).actor
    case = Case(opened.organisation, recorded.employer, doings, (recorded,))
    return isinstance(may(Act.RECORDING, part, actor, case), Refusal)


async def _may_ask(house: House, viewer: Viewer, account: Account) -> bool:
    return not await _refused(house, account, viewer.actor, Part.REQUEST)


async def _may_watch(
    house: House, viewer: Viewer, account: Account, personal: bool, requests: dict[str, ViewRequest]
) -> bool:
    if viewer.scopes is not None:
        return False
    if await may_watch_alone(house.ledger, account.opened, viewer.actor) is None:
        return True
    if not await _may_ask(house, viewer, account):
        return False
    now = house.now()
    return not personal or any(
        one.person == viewer.account and (until := one.good_until()) is not None and now < until
        for one in requests.values()
    )


@face.pages.post("/recordings/{recording}/ask")
async def ask(
    house: HouseDep,
    viewer: ActorDep,
    recording: str,
    reason: Annotated[str, Form(min_length=1, max_length=500)],
) -> RedirectResponse:
    """Ask to watch. Somebody else decides."""
    require(Page.RECORDINGS, viewer)
    _, account = await find_recording(house, viewer, recording)
    await ask_to_watch(house.ledger, account.opened, viewer.account, reason.strip())
    return back_to(f"/recordings/{recording}")


@face.pages.post("/recordings/{recording}/approve")
async def approve(
    house: HouseDep, viewer: ActorDep, recording: str, request: Annotated[str, Form(max_length=64)]
) -> RedirectResponse:
    """Let somebody else watch, for an hour."""
    require(Page.RECORDINGS, viewer)
    _, account = await find_recording(house, viewer, recording)
    await approve_watching(house.ledger, account.opened, request, viewer.account)
    return back_to(f"/recordings/{recording}")


# -- replay ---------------------------------------------------------------------------------------------------------


class PlayView(BaseModel):
    """The page of a replay, or of a live view; nothing is shown by it yet."""

    line: RecordingLine
    live: bool
    width: int
    height: int
    may_end: bool


async def read_play(house: HouseDep, viewer: _Viewer, recording: str) -> PlayView:
    line, account = await find_recording(house, viewer, recording)
    running = house.recordings.find(recording)
    return PlayView(
        line=line,
        live=running is not None,
        width=running.width if running else account.opened.width,
        height=running.height if running else account.opened.height,
        may_end=running is not None and may_end(viewer),
    )


face.part("/recordings/{recording}/play", "play.html", read_play)


async def view_of(house: House, viewer: Viewer, account: Account, *, live: bool) -> View:
    """Let the viewer watch; recorded before anything is shown. Raises Fault."""
    return await open_view(
        house.ledger,
        account,
        viewer.actor,
        now=house.now(),
        confirms=house.confirms,
        live=live,
        way="console",
    )


@face.pages.get("/recordings/{recording}/cast")
async def read_cast(house: HouseDep, viewer: _Viewer, recording: str) -> StreamingResponse:
    """The recording as asciicast v2, without what was typed, as far as it is what was recorded."""
    _, account = await find_recording(house, viewer, recording)
    if account.opened.kind == DESKTOP:
        raise Fault(NO_TEXT, recording=recording)
    key = await data_key(house.ledger, account.opened)
    await view_of(house, viewer, account, live=False)
    found = await verify_recording(house.ledger, house.recordings.folder, recording)
    events = stored_events(house.recordings.folder, recording, key, found.sound)
    events = merge(events, await alerts_of(house, account), key=lambda event: event.at)
    return StreamingResponse(_cast(account, events), media_type="application/x-ndjson")


async def alerts_of(house: House, account: Account) -> list[Event]:
    """The alerts of this session as marks to jump to; one that was raised after the end stands at the end."""
    query = select(alerts.c.detector, alerts.c.raised).where(alerts.c.session == account.opened.session)
    end = account.ended.milliseconds * 1000 if account.ended else 0
    async with house.ledger.read() as connection:
        rows = list(await connection.execute(query.order_by(alerts.c.raised).limit(PAGE)))
    found = []
    for row in rows:
        after = round((row.raised - account.opening.at).total_seconds() * 1e6)
        found.append(Event(max(0, min(after, end)), "m", f"! {row.detector}".encode()))
    return found


async def _cast(account: Account, events: Iterator[Event]) -> AsyncIterator[bytes]:
    encoder = CastEncoder()
    opened = account.opened
    yield encoder.header(
        Header(opened.width, opened.height, int(account.opening.at.timestamp()), opened.title)
    )

    def some() -> bytes:
        lines = []
        for event in events:
            if event.code != "i":
                lines.append(encoder.encode(event))
            if len(lines) == _STEP:
                break
        return b"".join(lines)

    try:
        while lines := await asyncio.to_thread(some):
            yield lines
    except Broken:
        return  # the file changed since it was verified: the page of the recording says what is wrong
    yield encoder.finish()


# -- live view ------------------------------------------------------------------------------------------------------


@face.pages.post("/recordings/{recording}/pass")
async def ask_for_pass(house: HouseDep, viewer: ActorDep, recording: str) -> SocketLeave:
    """Leave for one live view."""
    require(Page.RECORDINGS, viewer)
    await find_recording(house, viewer, recording)
    return SocketLeave(socket_pass=give_pass(house, viewer, f"live {recording}"))


@face.pages.websocket("/recordings/{recording}/socket")
async def live_socket(socket: WebSocket, house: HouseDep, recording: str) -> None:
    visit = await admit(socket, house, f"live {recording}")
    if visit is None:
        return
    viewer = visit.viewer
    try:
        require(Page.RECORDINGS, viewer)
        _, account = await find_recording(house, viewer, recording)
        running = house.recordings.find(recording)
        if running is None:
            raise Fault(faults.NOT_LIVE, session=account.opened.session)
        if account.opened.kind == DESKTOP:
            raise Fault(NO_TEXT, recording=recording)
        view = await view_of(house, viewer, account, live=True)
    except Fault as fault:
        await refuse(socket, viewer, fault)
        return
    terminal = SocketTerminal(socket, viewer)
    await terminal.run(_follow(house, running, view, terminal, partial(still_open, socket, house)))


async def _follow(
    house: House,
    running: Recording,
    view: View,
    terminal: SocketTerminal,
    still: Callable[[], Awaitable[bool]],
) -> None:
    """From the newest half megabyte on; until the session, the right to watch, or the view itself ends."""
    with running.watch() as watcher:
        # Nothing happens between the two: what is history is not in the watcher, and the other way round.
        history = running.history()
        terminal.tell(width=running.width, height=running.height)
        terminal.when_closed(lambda: watcher.end(None))
        for event in history:
            await _show(terminal, event)
        while (view.until is None or house.now() < view.until) and await still():
            try:
                async with asyncio.timeout(LOOK_AGAIN_SECONDS):
                    async for event in watcher:
                        await _show(terminal, event)
                terminal.tell(ended="session")
                return
            except TimeoutError:
                continue
        terminal.tell(ended="right")


async def still_open(socket: WebSocket, house: House) -> bool:
    """Whether whoever watches is still logged in, and somebody to whom this page is open."""
    viewer = await find_viewer(socket, house)
    return viewer is not None and open_to(Page.RECORDINGS, viewer)


async def _show(terminal: SocketTerminal, event: Event) -> None:
    if event.code == "o":
        terminal.write(event.data)
        await terminal.drain()
    elif event.code == "r":
        width, _, height = event.data.decode("ascii").partition("x")
        terminal.tell(width=int(width), height=int(height))
    elif event.code == "m":
        terminal.tell(mark=event.data.decode("utf-8", "replace"))
