"""A found list's case: how far it is, what came out, judging it, its papers; and a client's own part of it.

Reading a case is recorded first. What is drawn and what is told come from one reader, so neither shows more.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Final

from fastapi import Depends, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse, StreamingResponse
from pydantic import BaseModel
from sqlalchemy import func, select

from sekisho.console import faults
from sekisho.console.access import Needs, Page, open_to
from sekisho.console.faces.client import Which, own
from sekisho.console.faces.trace import AskedLine, TraceActor, TraceViewer, asked_lines, has_part, printable
from sekisho.console.facts import LogRead
from sekisho.console.house import House
from sekisho.console.lines import PAGE, Organisation, Someone, read_names
from sekisho.console.pages import Face, back_to, render
from sekisho.console.viewer import ActorDep, HouseDep, Viewer, find_viewer
from sekisho.faults import Fault
from sekisho.gate.duties import Part
from sekisho.relay.tables import sessions
from sekisho.trace.answer import Answer
from sekisho.trace.cases import Case, list_cases, openings_of, read_case, sessions_shown
from sekisho.trace.facts import CaseOpened
from sekisho.trace.faults import NO_ANSWER, NO_CASE
from sekisho.trace.release import read_holders
from sekisho.trace.report import evidence_of, pdf_of, workbook_of
from sekisho.trace.tables import cases, countersigned

face: Final = Face("trace")
_STEPS: Final = ("sets", "fingerprints", "records", "sessions", "persons")
_STILL_SECONDS: Final = 5.0
_PAPERS: Final = {
    "report.pdf": "application/pdf",
    "report.xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "answer.json": "application/json",
    "evidence.zip": "application/zip",
}


class NamedSession(BaseModel):
    """A session that the list is consistent with. `log10_lr` is its likelihood ratio, `fraction` (from `low` to `high`)
    the share of its `records` persons that is fitted to have left; `favoured` the one of it and its `ties` that
    download histories speak for."""

    session: str
    opened: datetime | None
    person: Someone
    ticket: str
    organisation: Organisation
    dataset: str
    log10_lr: float
    lift: float
    fraction: float
    low: float
    high: float
    records: int
    hits: int
    rival: str
    rival_log10_lr: float
    ties: list[str]
    favoured: str
    statements: int
    added: list[str]
    same_rows: bool


class DoubtLine(BaseModel):
    session: str
    dataset: str
    log10_lr: float
    lift: float
    records: int
    hits: int
    why: str


class ClientLine(BaseModel):
    organisation: Organisation
    rows: int
    weak_rows: int
    fuzzy_rows: int
    records: int
    lower: int
    best: int
    upper: int
    countersigned: bool


class CanaryLine(BaseModel):
    copied: str
    organisation: Organisation
    planted: int
    found: int


class Dot(BaseModel):
    """A session of the timeline: of the persons that it was shown, the share that is in the list."""

    session: str
    at: datetime
    share: float
    kind: str  # "named", "tie", "doubt" or ""


class CaseView(BaseModel):
    """One case. `verdict` is "" while it runs; `provisional` until somebody else confirmed it."""

    case: str
    opened: datetime
    person: Someone
    reason: str
    verdict: str
    judgement: str
    judged_by: Someone | None
    judged_reason: str
    provisional: bool
    repeated: datetime | None
    repeated_same: bool | None
    kept: bool
    list_sha256: str
    list_form: str
    columns: list[tuple[str, str]]
    answer_sha256: str
    method: str
    registry: str
    release: str
    rows: int
    own_rows: int
    ambiguous_rows: int
    weak_rows: int
    fuzzy_rows: int
    foreign_rows: int
    lower: int
    best: int
    upper: int
    sessions: list[NamedSession]
    doubts: list[DoubtLine]
    clients: list[ClientLine]
    canaries: list[CanaryLine]
    dots: list[Dot]
    datasets: int
    records: int
    examined: int
    unresolved: int
    erased: list[str]
    not_gathered: int
    may_look: bool
    may_judge: bool

    @property
    def parts(self) -> list[tuple[str, int]]:
        """The list's rows by what became of them."""
        own = self.own_rows
        return [
            ("own", own),
            ("fuzzy", self.fuzzy_rows),
            ("ambiguous", self.ambiguous_rows),
            ("weak", self.weak_rows),
            ("foreign", self.foreign_rows),
        ]

    def dots_json(self) -> str:
        return json.dumps(
            [[dot.at.timestamp(), round(dot.share * 100, 3), dot.kind, dot.session] for dot in self.dots]
        )


class RunningView(BaseModel):
    """A case without an answer: how far it is, or why it broke off."""

    case: str
    step: str
    done: float
    message: str


async def read_trace(house: HouseDep, viewer: TraceViewer, case: str) -> CaseView:
    """What a list is consistent with. The reading is recorded first. 404 while it still runs."""
    await _reading(house, viewer, case, "trace.case")
    return await _view(house, viewer, await read_case(house.ledger, case))


face.api.get("/trace/cases/{case}", operation_id="read_trace", name="read_trace")(read_trace)


@face.pages.get("/trace/{case}")
async def show_trace(request: Request, house: HouseDep, viewer: TraceViewer, case: str) -> HTMLResponse:
    """The case; while it runs, how far it is."""
    await _reading(house, viewer, case, "trace.case")
    try:
        held = await read_case(house.ledger, case)
    except Fault as fault:
        if fault.kind is not NO_ANSWER:
            raise
        return render(request, "trace_running.html", viewer, view=_running(house, viewer, case))
    return render(request, "trace.html", viewer, view=await _view(house, viewer, held))


def _running(house: House, viewer: Viewer, case: str) -> RunningView:
    running = house.traces.running(case)
    if running is None:
        message = Fault(NO_ANSWER, case=case).sentence(viewer.language)
        return RunningView(case=case, step="", done=0.0, message=message)
    message = running.fault.sentence(viewer.language) if running.fault else ""
    return RunningView(case=case, step=running.step, done=_done(running.step, running.done), message=message)


def _done(step: str, done: float) -> float:
    place = _STEPS.index(step) if step in _STEPS else 0
    return round((place + done) / len(_STEPS), 3)


@face.pages.get("/trace/{case}/events")
async def trace_events(
    request: Request, house: HouseDep, viewer: TraceViewer, case: str
) -> StreamingResponse:
    """How far a lookup is, until it has ended."""
    return StreamingResponse(
        _events(request, house, case), media_type="text/event-stream", headers={"x-accel-buffering": "no"}
    )


async def _events(request: Request, house: House, case: str) -> AsyncIterator[bytes]:
    yield b"retry: 2000\n\n"
    while not house.closing.is_set():
        running = house.traces.running(case)
        if running is None or running.fault is not None:
            yield b"event: ended\ndata:\n\n"
            return
        running.changed.clear()
        told = {"step": running.step, "done": _done(running.step, running.done)}
        yield f"event: moved\ndata: {json.dumps(told)}\n\n".encode()
        try:
            async with asyncio.timeout(_STILL_SECONDS):
                await running.changed.wait()
        except TimeoutError:
            viewer = await find_viewer(request, house)
            if viewer is None or not open_to(Page.TRACE, viewer):
                return


@face.pages.post("/trace/{case}/repeat")
async def repeat(house: HouseDep, viewer: TraceActor, case: str) -> RedirectResponse:
    """Look the kept list up again: is the answer the same, byte for byte?"""
    await house.traces.repeat(case, by=viewer.account)
    return back_to(f"/trace/{case}")


@face.pages.post("/trace/{case}/judge")
async def judge(
    house: HouseDep,
    viewer: TraceActor,
    case: str,
    judgement: Annotated[str, Form(pattern="^(confirmed|reversed)$")],
    reason: Annotated[str, Form(min_length=1, max_length=1000)],
) -> RedirectResponse:
    """Somebody else confirms or reverses."""
    await house.traces.judge(case, judgement, reason=reason.strip(), by=viewer.account)
    return back_to(f"/trace/{case}")


@face.pages.post("/trace/{case}/destroy")
async def destroy(house: HouseDep, viewer: TraceActor, case: str) -> RedirectResponse:
    """Destroy the kept list; the case stays."""
    await house.traces.destroy(case, by=viewer.account)
    return back_to(f"/trace/{case}")


@face.pages.get("/trace/{case}/papers/{paper}")
async def take_paper(house: HouseDep, viewer: TraceViewer, case: str, paper: str) -> Response:
    """The report, the answer, or the evidence, to keep. That it is taken is recorded first."""
    if paper not in _PAPERS:
        raise Fault(faults.NOT_FOUND, what=paper[:64])
    await _reading(house, viewer, case, f"trace.{paper}")
    held = await read_case(house.ledger, case)
    shown = await sessions_shown(house.ledger, [one.session for one in held.answer.sessions])
    content: bytes | None
    if paper == "answer.json":
        content = held.answer.encoded()
    elif paper == "evidence.zip":
        openings = await openings_of(house.ledger, held)
        content = await asyncio.to_thread(evidence_of, held, house.log, openings)
        if content is None:
            raise Fault(faults.NOT_PUBLISHED, seq=max(one.seq for one in held.facts))
    else:
        make = pdf_of if paper == "report.pdf" else workbook_of
        content = await asyncio.to_thread(make, held, shown)
    name = f"{case}-{paper}"
    return Response(
        content,
        media_type=_PAPERS[paper],
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )


async def _reading(house: House, viewer: Viewer, case: str, view: str) -> None:
    """Record the reading of a case before it is shown. Raises Fault NO_CASE."""
    async with house.ledger.read() as connection:
        if not await connection.scalar(select(func.count()).where(cases.c.case == case)):
            raise Fault(NO_CASE, case=case[:64])
    await house.ledger.record(LogRead(view=view, filter={"case": case}), by=viewer.person, about=case)


async def _view(house: House, viewer: Viewer, held: Case) -> CaseView:
    answer, opened = held.answer, held.facts[0].typed()
    if not isinstance(opened, CaseOpened):
        raise Fault(NO_ANSWER, case=held.case)
    wanted = {one.session for one in answer.shown} | {one.session for one in answer.sessions}
    named = await sessions_shown(house.ledger, wanted)
    async with house.ledger.read() as connection:
        row = (await connection.execute(select(cases).where(cases.c.case == held.case))).mappings().one()
        signed = set(
            await connection.scalars(
                select(countersigned.c.organisation).where(countersigned.c.case == held.case)
            )
        )
        people = {one[1] for one in named.values()} | {row["person"], row["judged_by"]} - {""}
        houses = {one.organisation for one in answer.clients} | {one.organisation for one in answer.sessions}
        houses |= {one.organisation for one in answer.canaries}
        names = await read_names(connection, people, houses)
    proposer = row["person"]
    return CaseView(
        case=held.case,
        opened=row["opened"],
        person=names.someone(proposer),
        reason=row["reason"],
        verdict=answer.verdict,
        judgement=row["judgement"],
        judged_by=names.someone(row["judged_by"]) if row["judged_by"] else None,
        judged_reason=row["judged_reason"],
        provisional=answer.verdict == "passed" and not row["judgement"],
        repeated=row["repeated"],
        repeated_same=row["repeated_same"],
        kept=bool(row["content"]),
        list_sha256=answer.list_sha256,
        list_form=f"{answer.list_form} {answer.list_encoding}".strip(),
        columns=[(printable(column.name), column.item) for column in answer.columns],
        answer_sha256=answer.sha256,
        method=answer.method,
        registry=answer.registry,
        release=opened.release,
        rows=answer.rows,
        own_rows=answer.own_rows,
        ambiguous_rows=answer.ambiguous_rows,
        weak_rows=answer.weak_rows,
        fuzzy_rows=answer.fuzzy_rows,
        foreign_rows=answer.foreign_rows,
        lower=answer.persons.lower,
        best=answer.persons.best,
        upper=answer.persons.upper,
        sessions=[
            NamedSession(
                session=one.session,
                opened=named[one.session][0] if one.session in named else None,
                person=names.someone(named[one.session][1] if one.session in named else "–"),
                ticket=named[one.session][2] if one.session in named else "",
                organisation=names.organisation(one.organisation),
                dataset=one.dataset,
                log10_lr=one.log10_lr,
                lift=one.lift,
                fraction=one.fraction,
                low=one.low,
                high=one.high,
                records=one.records,
                hits=one.hits,
                rival=one.rival,
                rival_log10_lr=one.rival_log10_lr,
                ties=list(one.ties),
                favoured=one.favoured,
                statements=one.history.statements,
                added=list(one.history.added),
                same_rows=one.history.same_rows,
            )
            for one in answer.sessions
        ],
        doubts=[
            DoubtLine(
                session=one.session,
                dataset=one.dataset,
                log10_lr=one.log10_lr,
                lift=one.lift,
                records=one.records,
                hits=one.hits,
                why=one.why,
            )
            for one in answer.doubts[:20]
        ],
        clients=[
            ClientLine(
                organisation=names.organisation(one.organisation),
                rows=one.rows,
                weak_rows=one.weak_rows,
                fuzzy_rows=one.fuzzy_rows,
                records=one.records,
                lower=one.persons.lower,
                best=one.persons.best,
                upper=one.persons.upper,
                countersigned=one.organisation in signed,
            )
            for one in answer.clients
        ],
        canaries=[
            CanaryLine(
                copied=one.copy,
                organisation=names.organisation(one.organisation),
                planted=one.planted,
                found=one.found,
            )
            for one in answer.canaries
        ],
        dots=_dots(answer, {session: shown[0] for session, shown in named.items()}),
        datasets=len(answer.coverage.datasets),
        records=answer.coverage.records,
        examined=answer.coverage.sessions,
        unresolved=answer.coverage.unresolved,
        erased=list(answer.coverage.erased),
        not_gathered=answer.coverage.not_gathered,
        may_look=has_part(Part.REQUEST, viewer),
        may_judge=has_part(Part.APPROVE, viewer) and proposer not in (viewer.account, viewer.person),
    )


def _dots(answer: Answer, opened: dict[str, datetime]) -> list[Dot]:
    named = {one.session for one in answer.sessions}
    tied = {name for one in answer.sessions for name in one.ties}
    doubted = {one.session for one in answer.doubts}
    dots = [
        Dot(
            session=one.session,
            at=opened[one.session],
            share=one.hits / max(one.records, 1),
            kind="named"
            if one.session in named
            else "tie"
            if one.session in tied
            else "doubt"
            if one.session in doubted
            else "",
        )
        for one in answer.shown
        if one.session in opened
    ]
    return sorted(dots, key=lambda dot: dot.at)


# -- a client's own part ---------------------------------------------------------------------------------------------


class PartLine(BaseModel):
    """One found list's part of ours. `sessions` are those on our data that it is consistent with."""

    case: str
    opened: datetime
    judgement: str
    rows: int
    lower: int
    best: int
    upper: int
    sessions: list[str]
    opened_sessions: list[datetime]
    countersigned: bool


class PartsView(BaseModel):
    """Found lists with rows of ours; whether the viewer holds a share of the key, and what waits for it."""

    organisation: Organisation
    parts: list[PartLine]
    holder: bool
    asked: list[AskedLine]


_Client = Annotated[Viewer, Depends(Needs("portal", Page.PORTAL))]


@face.shows("/portal/trace", "portal_trace.html", api="/portal/trace")
async def read_our_traces(house: HouseDep, viewer: _Client, organisation: Which = "") -> PartsView:
    """Found lists in which there are rows of ours. The reading is recorded first."""
    mine = own(viewer, organisation)
    read = LogRead(view="portal.trace", filter={"organisation": mine})
    await house.ledger.record(read, by=viewer.person, about=mine)
    rows = [row for row in await list_cases(house.ledger) if row["answer"]][:PAGE]
    found: list[PartLine] = []
    async with house.ledger.read() as connection:
        signed = set(
            await connection.scalars(select(countersigned.c.case).where(countersigned.c.organisation == mine))
        )
    for row in rows:
        try:
            answer = (await read_case(house.ledger, row["case"])).answer
        except Fault as fault:
            if fault.kind is not NO_ANSWER:
                raise
            continue
        part = next((one for one in answer.clients if one.organisation == mine), None)
        if part is None:
            continue
        ours = [one.session for one in answer.sessions if one.organisation == mine]
        async with house.ledger.read() as connection:
            times = await connection.scalars(
                select(sessions.c.opened).where(sessions.c.session.in_(ours)).order_by(sessions.c.opened)
            )
            opened = list(times)
        found.append(
            PartLine(
                case=row["case"],
                opened=row["opened"],
                judgement=row["judgement"],
                rows=part.rows,
                lower=part.persons.lower,
                best=part.persons.best,
                upper=part.persons.upper,
                sessions=ours,
                opened_sessions=opened,
                countersigned=row["case"] in signed,
            )
        )
    waiting = house.traces.key.waiting()
    holder = viewer.scopes is None and viewer.person in await read_holders(house.ledger)
    async with house.ledger.read() as connection:
        names = await read_names(connection, {by for _, by, _ in waiting}, {mine})
    return PartsView(
        organisation=names.organisation(mine),
        parts=found,
        holder=holder,
        asked=asked_lines(waiting, names, viewer) if holder else [],
    )


@face.pages.post("/portal/trace/{case}")
async def countersign(
    house: HouseDep, viewer: ActorDep, case: str, organisation: Annotated[str, Form(max_length=64)]
) -> RedirectResponse:
    """A client takes note of its own part."""
    await house.traces.countersign(case, own(viewer, organisation), by=viewer.account)
    return back_to("/portal/trace")
