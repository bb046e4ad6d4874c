"""Live sessions: the list, one session as it runs, and its end.

Whoever may look sees what a statement touched and how much passed, never a row. The text of a statement is a
confidential part of the client; it is shown to those who supervise, and that it was is a fact.
"""

from datetime import datetime
from functools import partial
from typing import Annotated, Any, Final

from fastapi import Depends, Form, Query, Request
from fastapi.responses import RedirectResponse, StreamingResponse
from pydantic import BaseModel
from sqlalchemy import select

from sekisho.console import faults
from sekisho.console.access import OPEN_TO, Needs, Page, open_to, require
from sekisho.console.events import changes
from sekisho.console.facts import LogRead, SessionEndAsked
from sekisho.console.house import House
from sekisho.console.lines import (
    PAGE,
    SessionLine,
    of_organisations,
    read_sessions,
    session_query,
)
from sekisho.console.pages import Face, back_to
from sekisho.console.viewer import ActorDep, HouseDep, Viewer, find_viewer
from sekisho.faults import Fault
from sekisho.ledger import Erased, Recorded
from sekisho.ledger.tables import FACTS
from sekisho.people.roles import Role
from sekisho.relay.facts import Statement, Statements
from sekisho.relay.faults import SESSION_ENDED
from sekisho.relay.record.tables import recordings
from sekisho.relay.tables import sessions

face: Final = Face("sessions")
_Viewer = Annotated[Viewer, Depends(Needs("sessions", Page.LIVE))]
_ENDS: Final = ("relay.session_opened", "relay.session_closed")
STATEMENTS: Final = ("relay.statement", "relay.statements", "relay.channel_refused")


class LiveView(BaseModel):
    """Open sessions, newest first, and those that ended last."""

    open: list[SessionLine]
    ended: list[SessionLine]
    may_end: bool


class StatementLine(BaseModel):
    """What one statement did. `executions` is how often it ran in quick succession; the figures are sums.

    `text` is null where it was erased or is not for the viewer."""

    seq: int
    at: datetime
    outcome: str
    code: str
    read: list[str]
    masked: list[str]
    executions: int
    rows: int
    persons: int
    bytes: int
    milliseconds: float
    text: str | None


class WatchView(BaseModel):
    """One session and its newest statements, newest first."""

    session: SessionLine
    statements: list[StatementLine]
    may_end: bool
    recording: str | None  # of its screen, where it is a terminal's


@face.shows("/live", "live.html", api="/sessions")
async def read_live(house: HouseDep, viewer: _Viewer) -> LiveView:
    """Sessions through the doors: open ones, and the last that ended."""
    query = of_organisations(
        session_query(), sessions.c.organisation, viewer.organisations(*OPEN_TO[Page.LIVE])
    )
    ended = query.where(sessions.c.closed.is_not(None)).order_by(None).order_by(sessions.c.closed.desc())
    async with house.ledger.read() as connection:
        return LiveView(
            open=await read_sessions(connection, query.where(sessions.c.closed.is_(None)).limit(200)),
            ended=await read_sessions(connection, ended.limit(20)),
            may_end=may_end(viewer),
        )


face.part("/live/list", "parts/live.html", read_live)


@face.pages.get("/live/events")
async def live_events(request: Request, house: HouseDep, viewer: _Viewer) -> StreamingResponse:
    """Tells the page when a session opens, ends or does something."""
    return changes(house, partial(_still, request, house), _ENDS + STATEMENTS)


async def _still(request: Request, house: House) -> bool:
    """Whether whoever opened the page may still look: the session, the person and the roles as they are now."""
    viewer = await find_viewer(request, house)
    return viewer is not None and open_to(Page.LIVE, viewer)


def may_end(viewer: Viewer) -> bool:
    """The matrix knows no ending; who supervises the worker ends. An auditor looks, and takes no part."""
    return viewer.scopes is None and viewer.holds(Role.OPERATOR_MANAGER)


async def find_session(house: House, viewer: Viewer, session: str, *roles: Role) -> SessionLine:
    """Raises Fault NOT_FOUND, also for a session of a client organisation that is not the viewer's to see."""
    query = of_organisations(session_query(), sessions.c.organisation, viewer.organisations(*roles))
    async with house.ledger.read() as connection:
        found = await read_sessions(connection, query.where(sessions.c.session == session))
    if not found:
        raise Fault(faults.NOT_FOUND, what=session[:64])
    return found[0]


@face.shows("/live/{session}", "watch.html", api="/sessions/{session}")
async def read_watch(house: HouseDep, viewer: _Viewer, session: str) -> WatchView:
    """One session: its statements, with their texts. The reading is recorded."""
    line = await find_session(house, viewer, session, *OPEN_TO[Page.LIVE])
    await house.ledger.record(
        LogRead(view="session", filter={"session": session}), by=viewer.person, about=session
    )
    return await _watch(house, viewer, line)


async def read_watch_again(
    house: HouseDep, viewer: _Viewer, session: str, since: Annotated[int, Query(ge=-1)] = -1
) -> WatchView:
    """The same list a moment later: part of one reading, which was recorded when the page was opened."""
    return await _watch(house, viewer, await find_session(house, viewer, session, *OPEN_TO[Page.LIVE]))


face.part("/live/{session}/list", "parts/watch.html", read_watch_again)


@face.pages.get("/live/{session}/events")
async def watch_events(request: Request, house: HouseDep, viewer: _Viewer, session: str) -> StreamingResponse:
    await find_session(house, viewer, session, *OPEN_TO[Page.LIVE])
    return changes(house, partial(_still, request, house), _ENDS + STATEMENTS, session)


async def _watch(house: House, viewer: Viewer, line: SessionLine) -> WatchView:
    found = await newest(house, line.session, STATEMENTS)
    texts: dict[str, str | None] = {}
    lines = []
    for one in found:
        said = statement_line(one)
        if said is not None:
            commitment = said[1]
            if commitment and commitment not in texts:
                texts[commitment] = await _text(house, commitment)
            lines.append(said[0].model_copy(update={"text": texts.get(commitment)}))
    async with house.ledger.read() as connection:
        recording = await connection.scalar(
            select(recordings.c.recording).where(recordings.c.session == line.session)
        )
    return WatchView(
        session=line,
        statements=lines,
        may_end=may_end(viewer) and line.closed is None,
        recording=recording,
    )


async def newest(house: House, about: str, names: tuple[str, ...]) -> list[Recorded]:
    """The newest facts about something, newest first."""
    query = (
        select(FACTS.c.seq)
        .where(FACTS.c.about == about, FACTS.c.fact.in_(names))
        .order_by(FACTS.c.seq.desc())
        .limit(PAGE)
    )
    async with house.ledger.read() as connection:
        seqs = list(await connection.scalars(query))
    if not seqs:
        return []
    return list(reversed(await house.ledger.facts(seqs[-1], PAGE, names=names, about=about)))


def statement_line(recorded: Recorded) -> tuple[StatementLine, str] | None:
    """A fact of a session as a line, and the commitment of its text; None for one that is no statement."""
    fact: Any = recorded.typed()
    if isinstance(fact, Statement):
        times, figures = 1, (fact.rows, fact.persons, fact.bytes, fact.duration)
        outcome, code = fact.outcome, fact.code
    elif isinstance(fact, Statements):
        times = len(fact.rows)
        figures = (sum(fact.rows), sum(fact.persons), sum(fact.bytes), sum(fact.duration))
        outcome, code = "passed", ""
    else:
        return None
    rows, persons, size, duration = figures
    line = StatementLine(
        seq=recorded.seq,
        at=recorded.at,
        outcome=outcome,
        code=code,
        read=list(fact.read),
        masked=list(fact.masked),
        executions=times,
        rows=rows,
        persons=persons,
        bytes=size,
        milliseconds=duration / 1000,
        text=None,
    )
    return line, fact.text


async def _text(house: House, commitment: str) -> str | None:
    content = await house.ledger.content(commitment)
    return None if isinstance(content, Erased) else content.decode("utf-8", "replace")[:4000]


@face.pages.post("/live/{session}/end")
async def end_session(
    house: HouseDep,
    viewer: ActorDep,
    session: str,
    reason: Annotated[str, Form(min_length=1, max_length=500)],
) -> RedirectResponse:
    """End a live session: the asking is durable before the door acts."""
    require(Page.LIVE, viewer)
    if not may_end(viewer):
        raise Fault(faults.NOT_YOURS, what="end")
    await find_session(house, viewer, session, Role.OPERATOR_MANAGER)
    await house.ledger.record(
        SessionEndAsked(session=session, reason=reason), by=viewer.person, about=session
    )
    fault = Fault(SESSION_ENDED, reason=reason)
    if not any(door.end_session(session, fault, f"ended by {viewer.person}") for door in house.doors):
        raise Fault(faults.NOT_LIVE, session=session)
    return back_to("/live")
