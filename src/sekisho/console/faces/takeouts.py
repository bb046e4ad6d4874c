"""Take-outs: asked for from a workspace, signed by those whom they concern, and what became of each.

An approver sees what is inside, masked, beside what was said and what was asked before, and signs the digest: with a
passkey here, or with an SSH key at home. No page opens a share: what a page shows, and the script in it, come from
the checkpoint, which must not be able to read one.
"""

from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from fastapi import Depends, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel
from sqlalchemy import ColumnElement, Row, or_, select

from sekisho.console import faults
from sekisho.console.access import OPEN_TO, Needs, Page, require
from sekisho.console.facts import LogRead
from sekisho.console.house import House
from sekisho.console.lines import PAGE, Names, Organisation, Someone, read_names
from sekisho.console.pages import Face, render
from sekisho.console.viewer import HouseDep, Viewer, ViewerDep
from sekisho.console.words import JST
from sekisho.faults import Fault, Language
from sekisho.gate.duties import DUTIES, Act, Part, missing
from sekisho.ledger import Erased
from sekisho.people.roles import Role
from sekisho.people.tables import passkeys, ssh_keys
from sekisho.takeout.asking import Asking
from sekisho.takeout.canonical import digest, document
from sekisho.takeout.facts import TakeoutRequested
from sekisho.takeout.faults import APPROVALS_MISSING, SHARES_MISSING
from sekisho.takeout.inspection import Inspected
from sekisho.takeout.judge import Verdict, missing_seats
from sekisho.takeout.overview import Before, differences, read_earlier
from sekisho.takeout.signatures import NAMESPACE
from sekisho.takeout.tables import takeout_approvals, takeout_refusals, takeouts

face: Final = Face("takeouts")
TakeoutViewer = Annotated[Viewer, Depends(Needs("takeouts", Page.TAKEOUTS))]
APPROVING: Final = frozenset(role for role, cell in DUTIES[Act.CARRY_OUT].items() if Part.APPROVE in cell)
_MISSING: Final = (APPROVALS_MISSING, SHARES_MISSING)
_STAFF: Final = OPEN_TO[Page.TAKEOUTS] - {Role.WORKER, Role.CLIENT}


class TakeoutLine(BaseModel):
    """`mine` tells that the viewer asked for it."""

    takeout: str
    state: str
    person: Someone
    organisations: list[Organisation]
    recipient: str
    channel: str
    persons: int
    rows: int
    requested: datetime
    expires: datetime
    mine: bool


class RefusedLine(BaseModel):
    """What was tried and refused: `step` is request, approve, share, close or release."""

    takeout: str
    step: str
    claimed: Someone
    code: str
    organisations: list[Organisation]
    persons: int
    channel: str
    at: datetime


class AskingLine(BaseModel):
    """A request that is being prepared, or was refused before it was one. `stage`: inspecting, attributing, sealing,
    asked, refused."""

    takeout: str
    ticket: str
    name: str
    stage: str
    file: str
    done: int
    of: int
    persons: int
    code: str
    message: str


class TakeoutsView(BaseModel):
    """`waiting` are those that the viewer could sign and has not; `under_way` the viewer's own, not asked yet."""

    waiting: list[TakeoutLine]
    under_way: list[AskingLine]
    takeouts: list[TakeoutLine]
    refused: list[RefusedLine]
    signs: bool


class ListView(BaseModel):
    """One list in the file; `sample` is masked."""

    name: str
    form: str
    encoding: str
    rows: int
    persons: int
    cards: int
    numbers: int
    items: list[str]
    columns: list[str]
    sample: list[list[str]]


class WhoseView(BaseModel):
    organisation: Organisation
    least: int
    most: int


class DifferenceView(BaseModel):
    """See `takeout.overview.Difference`."""

    kind: str
    count: int
    items: list[str]


class BeforeView(BaseModel):
    """Requests before this one."""

    requests: int
    released: int
    declined: int
    median: int
    largest: int
    last: datetime | None


class SignedLine(BaseModel):
    person: Someone
    employer: str
    method: str
    key: str
    at: datetime


class MissingLine(BaseModel):
    """An approval, or a share, that is still needed."""

    role: str
    organisation: Organisation


class TakeoutView(BaseModel):
    """One take-out. `document` is the text that is signed, `digest` its SHA-256. `lists` are empty for whoever may not
    see what is inside. `shares` are the viewer's, sealed to the viewer's own SSH key. `refusal` says why the viewer's
    signature would not count, `signed_here` that it was given; `against` why it may not leave, or was wrong to."""

    line: TakeoutLine
    ticket: str
    purpose: str
    basis: str
    recipient_key: str
    medium: str
    returns: datetime
    stated: int
    items: list[str]
    told_by: str
    whose: list[WhoseView]
    unknown: int
    lists: list[ListView]
    differences: list[DifferenceView]
    recipient_before: BeforeView
    requester_before: BeforeView
    odd: list[str]
    employer: str
    signed: list[SignedLine]
    signed_here: bool
    missing: list[MissingLine]
    missing_shares: list[MissingLine]
    against: list[str]
    ready: bool
    refusal: str | None
    may_sign: bool
    passkeys: int
    ssh_keys: list[str]
    shares: list[str]
    share_given: bool
    may_decline: bool
    may_withdraw: bool
    may_release: bool
    digest: str
    document: str
    namespace: str
    ended: datetime | None
    how: str


# -- lists ------------------------------------------------------------------------------------------------------


def _visible(viewer: Viewer) -> ColumnElement[bool] | None:
    """Own ones, those of the client that one acts for, and for staff those of their organisations; None: all."""
    staff = viewer.organisations(*_STAFF) if viewer.holds(*_STAFF) else frozenset[str]()
    if staff is None:
        return None
    clients = viewer.organisations(Role.CLIENT) if viewer.holds(Role.CLIENT) else frozenset[str]()
    wanted = [
        (" " + takeouts.c.organisations + " ").like(f"% {one} %")
        for one in sorted(staff | (clients or set()))
    ]
    return or_(takeouts.c.person == viewer.account, *wanted)


def _sees(viewer: Viewer, asked: TakeoutRequested) -> bool:
    staff = viewer.organisations(*_STAFF) if viewer.holds(*_STAFF) else frozenset[str]()
    if staff is None or asked.person == viewer.account:
        return True
    clients = viewer.organisations(Role.CLIENT) if viewer.holds(Role.CLIENT) else frozenset[str]()
    return not (staff | (clients or frozenset[str]())).isdisjoint(asked.organisations)


def _line(row: Row[Any], names: Names, viewer: Viewer) -> TakeoutLine:
    return TakeoutLine(
        takeout=row.takeout,
        state=row.state,
        person=names.someone(row.person),
        organisations=[names.organisation(one) for one in row.organisations.split()],
        recipient=row.recipient,
        channel=row.channel,
        persons=row.persons,
        rows=row.rows,
        requested=row.requested,
        expires=_moment(row.expires),
        mine=row.person == viewer.account,
    )


def _moment(microseconds: int) -> datetime:
    return datetime.fromtimestamp(microseconds / 1e6, JST)


@face.shows("/takeouts", "takeouts.html")
async def read_takeouts(house: HouseDep, viewer: TakeoutViewer) -> TakeoutsView:
    """Take-outs that concern the viewer, newest first; what waits for the viewer's signature; what was refused."""
    query = select(takeouts).order_by(takeouts.c.requested.desc()).limit(PAGE)
    refusals = select(takeout_refusals).order_by(takeout_refusals.c.seq.desc()).limit(PAGE)
    visible = _visible(viewer)
    if visible is not None:
        query = query.where(visible)
        own = select(takeouts.c.takeout).where(visible)
        refusals = refusals.where(
            or_(takeout_refusals.c.takeout.in_(own), takeout_refusals.c.claimed == viewer.account)
        )
    async with house.ledger.read() as connection:
        rows = (await connection.execute(query)).all()
        refused = (await connection.execute(refusals)).all()
        houses = {one for row in (*rows, *refused) for one in row.organisations.split()}
        people = {row.person for row in rows} | {row.claimed for row in refused}
        names = await read_names(connection, people, houses)
    lines = [_line(row, names, viewer) for row in rows]
    open_ = [line.takeout for line in lines if line.state == "asked"] if viewer.holds(*APPROVING) else []
    # Asked of the signatures themselves: a row that says that the viewer signed hides nothing.
    mine = await house.takeouts.signable(open_, viewer.account)
    return TakeoutsView(
        waiting=[line for line in lines if line.takeout in mine],
        under_way=[
            asking_line(one, viewer.language)
            for one in house.counter.askings(viewer.account)
            if one.stage != "asked"
        ],
        takeouts=lines,
        refused=[
            RefusedLine(
                takeout=row.takeout,
                step=row.step,
                claimed=names.someone(row.claimed),
                code=row.code,
                organisations=[names.organisation(one) for one in row.organisations.split()],
                persons=row.persons,
                channel=row.channel,
                at=row.at,
            )
            for row in refused
        ],
        signs=viewer.holds(*APPROVING),
    )


def asking_line(asking: Asking, language: Language) -> AskingLine:
    return AskingLine(
        takeout=asking.takeout,
        ticket=asking.ticket,
        name=asking.wish.file,
        stage=asking.stage,
        file=asking.file,
        done=asking.done,
        of=asking.of,
        persons=asking.persons,
        code=asking.fault.code if asking.fault else "",
        message=asking.fault.sentence(language) if asking.fault else "",
    )


# -- one take-out -----------------------------------------------------------------------------------------------


async def find_asked(house: House, viewer: Viewer, takeout: str) -> tuple[TakeoutRequested, datetime]:
    """Raises Fault NOT_FOUND, also for one that the viewer may not see."""
    for recorded in await house.ledger.facts(0, 1, names=["takeout.requested"], about=takeout):
        fact = recorded.typed()
        if isinstance(fact, TakeoutRequested) and _sees(viewer, fact):
            return fact, recorded.at
    raise Fault(faults.NOT_FOUND, what=takeout[:64])


def _looks_inside(viewer: Viewer, asked: TakeoutRequested) -> bool:
    """Who asked, and who decides, checks or answers for it; not whoever only keeps the machine going."""
    held = viewer.holds(*(OPEN_TO[Page.TAKEOUTS] - {Role.WORKER, Role.ADMINISTRATOR}))
    return asked.person == viewer.account or held


async def _lists(house: House, asked: TakeoutRequested) -> list[ListView]:
    if not asked.report:
        return []
    content = await house.ledger.content(asked.report)
    if isinstance(content, Erased):
        return []
    found = msgspec.json.decode(content, type=Inspected)
    return [ListView(**msgspec.to_builtins(one)) for one in found.lists]


def _before(found: Before) -> BeforeView:
    return BeforeView(
        requests=found.requests,
        released=found.released,
        declined=found.declined,
        median=found.median,
        largest=found.largest,
        last=found.last,
    )


@face.shows("/takeouts/of/{takeout}", "takeout.html", api="/takeouts/{takeout}")
async def read_takeout(house: HouseDep, viewer: TakeoutViewer, takeout: str) -> TakeoutView:
    """One take-out: what is inside, masked; differences; earlier requests; who signed and who is missing."""
    asked, at = await find_asked(house, viewer, takeout)
    inside = _looks_inside(viewer, asked)
    if inside:
        read = LogRead(view="takeout", filter={"takeout": takeout})
        await house.ledger.record(read, by=viewer.person, about=takeout)
    verdict, refusal = await house.takeouts.approvable(takeout, viewer.account)
    async with house.ledger.read() as connection:
        row = (await connection.execute(select(takeouts).where(takeouts.c.takeout == takeout))).one()
        approvals = (
            await connection.execute(
                select(takeout_approvals)
                .where(takeout_approvals.c.takeout == takeout)
                .order_by(takeout_approvals.c.at)
            )
        ).all()
        keys = (
            await connection.execute(
                select(ssh_keys.c.public_key).where(
                    ssh_keys.c.person == viewer.account, ssh_keys.c.revoked.is_(None)
                )
            )
        ).scalars()
        ssh = [str(one).partition(" ")[0] for one in keys]
        own = list(
            await connection.scalars(select(passkeys.c.credential).where(passkeys.c.person == viewer.account))
        )
        earlier = await read_earlier(connection, asked, at)
        houses = {*asked.organisations, *(one.organisation for one in asked.whose)}
        names = await read_names(connection, {asked.person, *(one.approver for one in approvals)}, houses)
    line = _line(row, names, viewer)
    case = verdict.cases[0] if verdict.cases else None
    employer = (
        next((one.actor.employer for one in case.doings if one.part is Part.REQUEST), "") if case else ""
    )
    open_ = row.state == "asked" and house.now() < line.expires
    approving = any(
        held.role in APPROVING and held.organisation in ("", *asked.organisations)
        for held in viewer.actor.held
    )
    return TakeoutView(
        line=line,
        ticket=asked.ticket,
        purpose=asked.purpose,
        basis=asked.basis,
        recipient_key=asked.recipient_key,
        medium=asked.medium,
        returns=_moment(asked.returns),
        stated=asked.stated,
        items=list(asked.items),
        told_by=asked.told_by,
        whose=[
            WhoseView(organisation=names.organisation(one.organisation), least=one.least, most=one.most)
            for one in asked.whose
        ],
        unknown=asked.unknown,
        lists=await _lists(house, asked) if inside else [],
        differences=[
            DifferenceView(kind=one.kind, count=one.count, items=list(one.items))
            for one in differences(asked)
        ],
        recipient_before=_before(earlier.recipient),
        requester_before=_before(earlier.requester),
        odd=list(earlier.odd),
        employer=employer,
        signed=_signatures(approvals, verdict, names),
        signed_here=any(one.given.approver == viewer.account for one in verdict.approvals),
        missing=[
            MissingLine(role=role, organisation=names.organisation(one.organisation))
            for one in verdict.cases
            for role in missing(Act.CARRY_OUT, one)
        ],
        missing_shares=[
            MissingLine(role=role, organisation=names.organisation(organisation))
            for role, organisation in missing_seats(asked, verdict.shares)
        ],
        # Who is missing stands beside it, by role.
        against=[
            one.fault().sentence(viewer.language) for one in verdict.against if one.kind not in _MISSING
        ],
        ready=verdict.ok and open_,
        refusal=refusal.fault().sentence(viewer.language) if refusal else None,
        may_sign=refusal is None and open_,
        passkeys=len(own),
        ssh_keys=ssh,
        shares=_own_shares(house, asked, viewer.account) if open_ else [],
        share_given=any(one.holder == viewer.account for one in verdict.shares),
        may_decline=open_ and approving and asked.person != viewer.account,
        may_withdraw=open_ and asked.person == viewer.account,
        may_release=verdict.ok and open_ and (approving or asked.person == viewer.account),
        digest=digest(asked).hex(),
        document=document(asked).decode(),
        namespace=NAMESPACE,
        ended=row.ended,
        how=row.state,
    )


def _signatures(approvals: Any, verdict: Verdict, names: Names) -> list[SignedLine]:
    employers = {one.actor.person: one.actor.employer for case in verdict.cases for one in case.doings}
    keys = {one.given.approver: one.given.key for one in verdict.approvals}
    return [
        SignedLine(
            person=names.someone(one.approver),
            employer=employers.get(one.approver, ""),
            method=one.method,
            key=keys.get(one.approver, "")[:24],
            at=one.at,
        )
        for one in approvals
        if one.approver in keys  # the others are rows without a signature
    ]


def _own_shares(house: House, asked: TakeoutRequested, account: str) -> list[str]:
    """The account's copies of shares. They lie in the order of the seats, which is that of the holdings."""
    seats = list(dict.fromkeys((one.role, one.organisation) for one in asked.holdings))
    mine = {(one.role, one.organisation) for one in asked.holdings if one.account == account}
    if not mine:
        return []
    sealed = house.packages.shares(asked.takeout)
    return [sealed[number] for number, seat in enumerate(seats) if seat in mine and number < len(sealed)]


@face.pages.get("/takeouts/{takeout}", response_model=None)
async def takeout_page(
    request: Request, house: HouseDep, viewer: ViewerDep, takeout: str
) -> HTMLResponse | RedirectResponse:
    """A request that is being prepared, or one that is there."""
    require(Page.TAKEOUTS, viewer)
    asking = own_asking(house, viewer, takeout)
    if asking is not None and asking.stage != "asked":
        view = asking_line(asking, viewer.language)
        return render(request, "takeout_asking.html", viewer, view=view)
    view_ = await read_takeout(house, viewer, takeout)
    return render(request, "takeout.html", viewer, view=view_)


@face.pages.get("/takeouts/{takeout}/progress")
async def progress(request: Request, house: HouseDep, viewer: ViewerDep, takeout: str) -> HTMLResponse:
    require(Page.TAKEOUTS, viewer)
    asking = own_asking(house, viewer, takeout)
    if asking is None:
        raise Fault(faults.NOT_FOUND, what=takeout[:64])
    view = asking_line(asking, viewer.language)
    return render(request, "parts/takeout_asking.html", viewer, view=view)


def own_asking(house: House, viewer: Viewer, takeout: str) -> Asking | None:
    asking = house.counter.asking(takeout)
    return asking if asking is not None and asking.person == viewer.account else None


@face.pages.get("/takeouts/{takeout}/document")
async def download_document(house: HouseDep, viewer: ViewerDep, takeout: str) -> Response:
    """The text that an SSH key signs, exactly."""
    require(Page.TAKEOUTS, viewer)
    asked, _ = await find_asked(house, viewer, takeout)
    headers = {"content-disposition": f'attachment; filename="{_file_name(takeout)}.json"'}
    return Response(document(asked), media_type="application/octet-stream", headers=headers)


@face.pages.get("/takeouts/{takeout}/share/{number}")
async def download_share(house: HouseDep, viewer: ViewerDep, takeout: str, number: int) -> Response:
    """The viewer's share, sealed to the viewer's own SSH key."""
    require(Page.TAKEOUTS, viewer)
    asked, _ = await find_asked(house, viewer, takeout)
    shares = _own_shares(house, asked, viewer.account)
    if not 1 <= number <= len(shares):
        raise Fault(faults.NOT_FOUND, what=f"share {number}")
    headers = {"content-disposition": f'attachment; filename="{_file_name(takeout)}-share.txt"'}
    return Response(shares[number - 1], media_type="application/octet-stream", headers=headers)


def _file_name(takeout: str) -> str:
    return "".join(one if (one.isalnum() and one.isascii()) or one == "-" else "-" for one in takeout)[:64]
