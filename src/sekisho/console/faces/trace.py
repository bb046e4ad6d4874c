"""Found lists: bring one, confirm its columns, see which sessions it is consistent with; the release of the key.

Who looks at a case sees whose data a list holds, in numbers; no value of the list is on any page but masked, when its
columns are confirmed. Reading a case is recorded first. A client sees its own part in its portal.
"""

import hmac
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import Depends, Form, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from pydantic import BaseModel, ConfigDict, Field

from sekisho.console import faults
from sekisho.console.access import OPEN_TO, Needs, Page, open_to
from sekisho.console.facts import LogRead
from sekisho.console.lines import PAGE, Names, Someone, read_names
from sekisho.console.pages import Face, back_to, render
from sekisho.console.viewer import ActorDep, HouseDep, Viewer, find_viewer
from sekisho.faults import Fault
from sekisho.gate.duties import DUTIES, Act, Part
from sekisho.people.roles import Role
from sekisho.text.mask import mask_for
from sekisho.trace.cases import list_cases
from sekisho.trace.facts import ReleaseAsked
from sekisho.trace.intake import Listing
from sekisho.trace.parts import ITEMS
from sekisho.trace.release import MOST_LOOKUPS, MOST_MINUTES, NEEDED, read_holders

face: Final = Face("trace")


def _whole(viewer: Annotated[Viewer, Depends(Needs("trace", Page.TRACE))]) -> Viewer:
    """A list holds data of many clients: a role for one of them opens nothing here. Raises Fault NOT_YOURS."""
    if viewer.organisations(*OPEN_TO[Page.TRACE]) is not None:
        raise Fault(faults.NOT_YOURS, what=Page.TRACE.value)
    return viewer


TraceViewer = Annotated[Viewer, Depends(_whole)]


async def _acting(viewer: ActorDep) -> Viewer:
    if not open_to(Page.TRACE, viewer):
        raise Fault(faults.NOT_YOURS, what=Page.TRACE.value)
    return _whole(viewer)


TraceActor = Annotated[Viewer, Depends(_acting)]


def has_part(part: Part, viewer: Viewer) -> bool:
    return viewer.scopes is None and viewer.holds(
        *(role for role, cell in DUTIES[Act.ATTRIBUTION].items() if part in cell and role is not Role.CLIENT)
    )


class AskedLine(BaseModel):
    """A release that waits for shares. `given` holders gave theirs, the viewer among them if `mine`."""

    release: str
    reason: str
    minutes: int
    lookups: int
    asked_by: Someone
    given: int
    mine: bool


def asked_lines(
    waiting: Sequence[tuple[ReleaseAsked, str, tuple[str, ...]]], names: Names, viewer: Viewer
) -> list[AskedLine]:
    return [
        AskedLine(
            release=asked.release,
            reason=asked.reason,
            minutes=asked.minutes,
            lookups=asked.lookups,
            asked_by=names.someone(by),
            given=len(given),
            mine=viewer.person in given,
        )
        for asked, by, given in waiting
    ]


class KeyView(BaseModel):
    """`split`: shares were handed out. `until` is null while the key is closed."""

    split: bool
    holders: list[Someone]
    holder: bool
    until: datetime | None
    lookups: int
    rows: int
    asked: list[AskedLine]
    needed: int


class CaseLine(BaseModel):
    """`state`: passed, not_here, undecided; "" while it runs, or for good where it broke off."""

    case: str
    opened: datetime
    person: Someone
    reason: str
    rows: int
    state: str
    sessions: int
    persons: int
    judgement: str


class TraceView(BaseModel):
    """Cases, newest first; the key; what the registry holds (null before there is one)."""

    key: KeyView
    cases: list[CaseLine]
    datasets: int | None
    records: int
    newest: datetime | None
    indexing: str
    indexing_fault: str
    may_look: bool
    most_minutes: int
    most_lookups: int


@face.shows("/trace", "traces.html", api="/trace/cases")
async def read_traces(house: HouseDep, viewer: TraceViewer) -> TraceView:
    """Found lists that were looked up, and whether the key is released. The reading is recorded first."""
    await house.ledger.record(LogRead(view="trace", filter={}), by=viewer.person, about="trace")
    desk = house.traces
    rows = (await list_cases(house.ledger))[:PAGE]
    waiting = desk.key.waiting()
    holders = await read_holders(house.ledger)
    people = {row["person"] for row in rows} | {by for _, by, _ in waiting} | set(holders)
    async with house.ledger.read() as connection:
        names = await read_names(connection, people)
    lease, outline, indexing = desk.key.lease, await desk.outline(), desk.indexing
    return TraceView(
        key=KeyView(
            split=bool(holders),
            holders=[names.someone(one) for one in sorted(holders)],
            holder=viewer.scopes is None and viewer.person in holders,
            until=lease.until if lease else None,
            lookups=lease.lookups if lease else 0,
            rows=lease.rows if lease else 0,
            asked=asked_lines(waiting, names, viewer),
            needed=NEEDED,
        ),
        cases=[
            CaseLine(
                case=row["case"],
                opened=row["opened"],
                person=names.someone(row["person"]),
                reason=row["reason"],
                rows=row["rows"],
                state=row["verdict"],
                sessions=len(json.loads(row["sessions"])),
                persons=row["persons_best"],
                judgement=row["judgement"],
            )
            for row in rows
        ],
        datasets=outline.datasets if outline else None,
        records=outline.records if outline else 0,
        newest=outline.newest if outline else None,
        indexing=indexing.step if indexing else "",
        indexing_fault=indexing.fault.sentence(viewer.language) if indexing and indexing.fault else "",
        may_look=has_part(Part.REQUEST, viewer),
        most_minutes=MOST_MINUTES,
        most_lookups=MOST_LOOKUPS,
    )


# -- the key ---------------------------------------------------------------------------------------------------------


@face.pages.post("/trace/key")
async def ask_key(
    house: HouseDep,
    viewer: TraceActor,
    reason: Annotated[str, Form(min_length=1, max_length=1000)],
    minutes: Annotated[int, Form(ge=1, le=MOST_MINUTES)],
    lookups: Annotated[int, Form(ge=1, le=MOST_LOOKUPS)],
) -> RedirectResponse:
    """Ask for the key; two holders of shares decide."""
    await house.traces.key.ask(reason=reason.strip(), minutes=minutes, lookups=lookups, by=viewer.person)
    return back_to("/trace")


@face.pages.post("/trace/key/close")
async def close_key(house: HouseDep, viewer: TraceActor) -> RedirectResponse:
    """Anybody of the page may close it."""
    await house.traces.key.close("person", by=viewer.person)
    return back_to("/trace")


@face.pages.post("/trace/key/{release}")
async def give_share(
    house: HouseDep, viewer: ActorDep, release: str, share: Annotated[str, Form(max_length=200)]
) -> RedirectResponse:
    """A holder's share; with the second one the key is open."""
    await house.traces.key.give(release, share, by=viewer.person)
    return back_to("/trace" if open_to(Page.TRACE, viewer) else "/portal/trace")


@face.pages.post("/trace/index")
async def index(house: HouseDep, viewer: TraceActor) -> RedirectResponse:
    """Bring the registry up to date; it goes on by itself."""
    await house.traces.index(by=viewer.account)
    return back_to("/trace")


# -- a list ----------------------------------------------------------------------------------------------------------


class _Coming(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Field(min_length=1, max_length=300)]
    size: Annotated[int, Field(ge=1)]


async def _posting(request: Request, house: HouseDep) -> Viewer:
    """Whoever's script sends a list: the form's token comes as a header. Raises Fault FROM_ELSEWHERE, NOT_YOURS."""
    viewer = await find_viewer(request, house)
    if viewer is None or viewer.who is None or viewer.who.enrolling:
        raise Fault(faults.NOT_LOGGED_IN)
    if not hmac.compare_digest(request.headers.get("x-sekisho-form", "").encode(), viewer.csrf.encode()):
        raise Fault(faults.FROM_ELSEWHERE)
    return await _acting(viewer)


_Poster = Annotated[Viewer, Depends(_posting)]


@face.pages.post("/trace/lists")
async def begin_list(house: HouseDep, viewer: _Poster, coming: _Coming) -> JSONResponse:
    """A list is coming, in pieces; where to."""
    made = house.traces.begin(coming.name, coming.size, by=viewer.account)
    return JSONResponse({"to": f"/trace/lists/{made}"})


@face.pages.post("/trace/lists/{brought}")
async def put_piece(
    request: Request, house: HouseDep, viewer: _Poster, brought: str, offset: int
) -> Response:
    house.traces.put(brought, offset, await request.body(), by=viewer.account)
    return Response(status_code=204)


@face.pages.get("/trace/lists/{brought}")
async def confirm_list(request: Request, house: HouseDep, viewer: TraceViewer, brought: str) -> HTMLResponse:
    """The columns as they are recognised, with a few values, masked."""
    listing = await house.traces.read(brought, by=viewer.account)
    columns = [
        {
            "number": number,
            "name": printable(column.name),
            "item": column.item,
            "confidence": column.guesses[0].confidence if column.guesses else 0.0,
            "reason": _reason(column.guesses[0].reasons, viewer.language) if column.guesses else "",
            "values": _masked(listing, number, column.item),
        }
        for number, column in enumerate(listing.columns)
    ]
    return render(
        request, "trace_list.html", viewer, brought=brought, listing=listing, columns=columns, items=ITEMS
    )


@face.pages.post("/trace/lists/{brought}/look")
async def look_up(request: Request, house: HouseDep, viewer: TraceActor, brought: str) -> RedirectResponse:
    """Open a case, with the columns as the person says they are."""
    form = await request.form()
    listing = await house.traces.read(brought, by=viewer.account)
    items: dict[str, str] = {}
    for number, column in enumerate(listing.columns):
        item = str(form.get(f"item-{number}", ""))
        if item and item not in ITEMS:
            raise Fault(faults.BAD_INPUT, reason=f"item-{number}")
        items[column.name] = item
    reason = str(form.get("reason", "")).strip()[:1000]
    case = await house.traces.look_up(brought, items, reason=reason, by=viewer.account)
    return back_to(f"/trace/{case}")


def _masked(listing: Listing, number: int, item: str) -> list[str]:
    values = listing.table.column(number).slice(0, 50).to_pylist()
    some = [value for value in values if value][:3]
    return [mask_for(item)(value.encode()).decode(errors="replace") for value in some]


def _reason(reasons: Sequence[Any], language: str) -> str:
    return str(reasons[0].ja if language == "ja" else reasons[0].en) if reasons else ""


def printable(text: str) -> str:
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)[:100]
