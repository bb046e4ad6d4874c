"""Organisations, targets and datasets, and how each dataset stands; the policy in force and what is proposed.

What is here names tables, columns and contracts, and never a data subject.
"""

import secrets
from datetime import date, datetime
from typing import Annotated, Any, Final, Literal

import msgspec
from fastapi import Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel
from sqlalchemy import select

from sekisho.console import faults
from sekisho.console.access import Needs, Page, require
from sekisho.console.house import House
from sekisho.console.lines import PAGE, Organisation, Someone, read_names
from sekisho.console.pages import Face, back_to, render
from sekisho.console.viewer import ActorDep, HouseDep, Viewer
from sekisho.console.words import day_in_japan
from sekisho.faults import Fault
from sekisho.gate.duties import Act, Case, Doing, Part, may
from sekisho.gate.policies import approve_policy, propose_policy, read_policy
from sekisho.gate.policy import Policy
from sekisho.gate.refusal import Refusal
from sekisho.gate.standing import read_standing
from sekisho.gate.tables import policy_proposals
from sekisho.people.roles import Role
from sekisho.register.changes import waiting
from sekisho.register.erasure import read_tasks
from sekisho.register.facts import TableEntry
from sekisho.register.records import find_dataset
from sekisho.register.standing import LockedDataset, dataset_oversight, standing
from sekisho.register.tables import datasets, targets

face: Final = Face("register")
_Viewer = Annotated[Viewer, Depends(Needs("register", Page.REGISTER))]
_PolicyViewer = Annotated[Viewer, Depends(Needs("register", Page.POLICY))]


class TargetLine(BaseModel):
    """A server that doors open. `operator` maintains it; `unknown_lineage` is mask or refuse."""

    target: str
    protocol: str
    address: str
    database: str
    tls: bool
    unknown_lineage: str
    access: str  # as stated; "" is pixels where anything tells of a person
    operator: Organisation | None


class DatasetLine(BaseModel):
    """A dataset and how it stands today; `reasons` say why it is locked."""

    dataset: str
    name: str
    organisation: Organisation
    target: str
    tables: int
    columns: int
    personal: int
    locked: bool
    reasons: list[str]
    supervised: bool


class EraseLine(BaseModel):
    """Data that a party must erase."""

    dataset: str
    client: Organisation
    party: Organisation
    ended: date
    due: date
    certified: bool
    countersigned: bool
    overdue: bool


class ChangeLine(BaseModel):
    """A change that waits for a second person: of a catalogue ("dataset"), of a target, or of hops and contracts
    ("entrustments"). `loosens` names what would be reached, shown or counted less than now, or what differs and how;
    `own`: the viewer proposed it."""

    proposal: str
    about: str
    of: Literal["dataset", "target", "entrustments"]
    proposer: Someone
    proposed: datetime
    reason: str
    loosens: list[str]
    own: bool


class RegisterView(BaseModel):
    """Targets, datasets, what must be erased, and what waits for a second person."""

    targets: list[TargetLine]
    datasets: list[DatasetLine]
    erasures: list[EraseLine]
    changes: list[ChangeLine]
    may_edit: bool


def may_edit(viewer: Viewer) -> bool:
    """Who keeps the register: the others look at it."""
    return viewer.scopes is None and viewer.holds(Role.ADMINISTRATOR, Role.PRIVACY_OFFICER)


@face.shows("/register", "register.html")
async def read_register(house: HouseDep, viewer: _Viewer) -> RegisterView:
    """What is entrusted, where it lies, and how it stands today."""
    today = day_in_japan(house.now())
    async with house.ledger.read() as connection:
        servers = (await connection.execute(select(targets).order_by(targets.c.target))).all()
        held = (await connection.execute(select(datasets).order_by(datasets.c.dataset).limit(200))).all()
        tasks = await read_tasks(connection, today)
        houses = {row.operator for row in servers} | {row.organisation for row in held}
        houses |= {task.asked.client for task in tasks} | {task.asked.party for task in tasks}
        names = await read_names(connection, (), houses)
        lines = []
        for row in held:
            stands = await standing(connection, row.dataset, today)
            seen = await dataset_oversight(connection, row.dataset, today)
            entries = msgspec.json.decode(row.tables, type=tuple[TableEntry, ...])
            columns = [column for table in entries for column in table.columns]
            reasons = stands.reasons if isinstance(stands, LockedDataset) else ()
            lines.append(
                DatasetLine(
                    dataset=row.dataset,
                    name=row.name,
                    organisation=names.organisation(row.organisation),
                    target=row.target,
                    tables=len(entries),
                    columns=len(columns),
                    personal=sum(column.personal for column in columns),
                    locked=isinstance(stands, LockedDataset),
                    reasons=[reason.sentence(viewer.language) for reason in reasons],
                    supervised=seen is not None and seen.colour == "green",
                )
            )
    return RegisterView(
        changes=await _changes(house, viewer),
        may_edit=may_edit(viewer),
        targets=[
            TargetLine(
                target=row.target,
                protocol=row.protocol,
                address=f"{row.host}:{row.port}",
                database=row.database,
                tls=bool(row.tls_ca),
                unknown_lineage=row.unknown_lineage,
                access=row.access or "unstated",
                operator=names.organisation(row.operator) if row.operator else None,
            )
            for row in servers
        ],
        datasets=lines,
        erasures=[
            EraseLine(
                dataset=task.asked.dataset,
                client=names.organisation(task.asked.client),
                party=names.organisation(task.asked.party),
                ended=task.asked.ended,
                due=task.asked.due,
                certified=task.certificate is not None,
                countersigned=task.countersigned is not None,
                overdue=task.overdue(today),
            )
            for task in tasks
        ],
    )


async def _changes(house: House, viewer: Viewer) -> list[ChangeLine]:
    found = await waiting(house.ledger, PAGE)
    async with house.ledger.read() as connection:
        names = await read_names(connection, {one.proposer for one in found})
    return [
        ChangeLine(
            proposal=one.proposal,
            about=one.about,
            of=one.of,
            proposer=names.someone(one.proposer),
            proposed=one.proposed,
            reason=one.reason,
            loosens=list(one.opens),
            own=one.proposer == viewer.person,
        )
        for one in found
    ]


class ColumnLine(BaseModel):
    table: str
    column: str
    item: str
    personal: bool
    subject: bool


class DatasetView(BaseModel):
    """One dataset: its description, why it is locked, and every column with what it holds."""

    dataset: str
    name: str
    organisation: Organisation
    target: str
    purpose: str
    responsible_unit: str
    holders: list[str]
    retention: str
    locked: bool
    reasons: list[str]
    columns: list[ColumnLine]
    may_edit: bool


@face.shows("/register/{dataset}", "dataset.html")
async def read_dataset(house: HouseDep, viewer: _Viewer, dataset: str) -> DatasetView:
    """One dataset, column by column."""
    today = day_in_japan(house.now())
    async with house.ledger.read() as connection:
        row = (await connection.execute(select(datasets).where(datasets.c.dataset == dataset))).one_or_none()
        if row is None:
            raise Fault(faults.NOT_FOUND, what=dataset[:64])
        names = await read_names(connection, (), {row.organisation})
        described = await find_dataset(connection, dataset)
        stands = await standing(connection, dataset, today)
    reasons = stands.reasons if isinstance(stands, LockedDataset) else ()
    return DatasetView(
        dataset=dataset,
        name=row.name,
        organisation=names.organisation(row.organisation),
        target=row.target,
        purpose=described.purpose if described else "",
        responsible_unit=described.responsible_unit if described else "",
        holders=list(described.holders) if described else [],
        retention=described.retention if described else "",
        locked=isinstance(stands, LockedDataset),
        reasons=[reason.sentence(viewer.language) for reason in reasons],
        columns=[
            ColumnLine(
                table=f"{table.schema}.{table.name}",
                column=column.name,
                item=column.item,
                personal=column.personal,
                subject=column.name == table.subject,
            )
            for table in msgspec.json.decode(row.tables, type=tuple[TableEntry, ...])
            for column in table.columns
        ],
        may_edit=may_edit(viewer),
    )


class ProposalLine(BaseModel):
    """A proposed policy. `differences` are setting, value in force, proposed value. `stale`: it replaces a policy
    that is not in force any more. `refusal` says why the viewer cannot approve it, null where it can."""

    proposal: str
    proposer: Someone
    proposed: datetime
    reason: str
    differences: list[tuple[str, str, str]]
    approver: Someone | None
    approved: datetime | None
    stale: bool
    refusal: str | None


class PolicyView(BaseModel):
    """The policy in force, and proposals, newest first."""

    in_force: dict[str, Any]
    request: str
    proposals: list[ProposalLine]
    may_propose: bool


@face.shows("/policy", "policy.html")
async def read_policy_page(house: HouseDep, viewer: _PolicyViewer) -> PolicyView:
    """The policy in force, held against the published log, and what is proposed."""
    now = await read_policy(house.ledger, house.confirms)
    async with house.ledger.read() as connection:
        query = select(policy_proposals).order_by(policy_proposals.c.proposed.desc()).limit(PAGE)
        rows = (await connection.execute(query)).all()
        names = await read_names(connection, {row.proposer for row in rows} | {row.approver for row in rows})
    proposals = []
    for row in rows:
        proposed = msgspec.json.decode(row.policy, type=Policy)
        proposer = await read_standing(house.ledger, row.proposer)
        case = Case(doings=(Doing(Part.REQUEST, proposer.actor),) if proposer else ())
        answer = may(Act.POLICY, Part.APPROVE, viewer.actor, case)
        proposals.append(
            ProposalLine(
                proposal=row.proposal,
                proposer=names.someone(row.proposer),
                proposed=row.proposed,
                reason=row.reason,
                differences=_differences(now.policy, proposed),
                approver=names.someone(row.approver) if row.approver else None,
                approved=row.approved,
                stale=row.approved is None and row.replaces != now.request,
                refusal=answer.fault().sentence(viewer.language) if isinstance(answer, Refusal) else None,
            )
        )
    propose = may(Act.POLICY, Part.REQUEST, viewer.actor, Case())
    return PolicyView(
        in_force=msgspec.to_builtins(now.policy),
        request=now.request,
        proposals=proposals,
        may_propose=viewer.scopes is None and not isinstance(propose, Refusal),
    )


def _differences(now: Policy, then: Policy) -> list[tuple[str, str, str]]:
    before, after = msgspec.to_builtins(now), msgspec.to_builtins(then)
    return [(name, _said(before[name]), _said(after[name])) for name in after if before[name] != after[name]]


def _said(value: object) -> str:
    return msgspec.json.encode(value).decode() if value is not None else "-"


@face.pages.get("/policy/propose")
async def propose_page(request: Request, house: HouseDep, viewer: _PolicyViewer) -> HTMLResponse:
    return render(request, "propose.html", viewer, policy=(await read_policy(house.ledger)).policy)


@face.pages.post("/policy")
async def propose(
    house: HouseDep,
    viewer: ActorDep,
    reason: Annotated[str, Form(min_length=1, max_length=500)],
    first_hour: Annotated[int, Form(ge=0, le=23)],
    last_hour: Annotated[int, Form(ge=1, le=24)],
    longest_hours: Annotated[int, Form(ge=1, le=8784)],
    review_hours: Annotated[int, Form(ge=1, le=72)],
    break_glass_minutes: Annotated[int, Form(ge=1, le=1440)],
    bulk_persons: Annotated[str, Form(pattern="^[0-9]{0,9}$")] = "",
    sensitive_persons: Annotated[str, Form(pattern="^[0-9]{0,9}$")] = "",
    special_persons: Annotated[str, Form(pattern="^[0-9]{0,9}$")] = "",
    courses: Annotated[str, Form(max_length=500)] = "",
    rules: Annotated[str, Form(max_length=500)] = "",
    refuse_unknown: Annotated[bool, Form()] = False,
) -> RedirectResponse:
    """Propose a policy; nothing changes until somebody else approves it."""
    require(Page.POLICY, viewer)
    now = (await read_policy(house.ledger)).policy
    policy = msgspec.structs.replace(
        now,
        hours=(first_hour, last_hour),
        longest_hours=longest_hours,
        review_hours=review_hours,
        break_glass_minutes=break_glass_minutes,
        bulk_persons=int(bulk_persons) if bulk_persons else None,
        sensitive_persons=int(sensitive_persons) if sensitive_persons else None,
        special_persons=int(special_persons) if special_persons else None,
        courses=_words(courses),
        rules=_words(rules),
        unknown_lineage="refuse" if refuse_unknown else "target",
    )
    name = f"P-{secrets.token_hex(4)}"
    await propose_policy(house.ledger, name, policy, by=viewer.account, reason=reason)
    return back_to("/policy")


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


@face.pages.post("/policy/{proposal}/approve")
async def approve(house: HouseDep, viewer: ActorDep, proposal: str) -> RedirectResponse:
    require(Page.POLICY, viewer)
    await approve_policy(house.ledger, proposal, by=viewer.account)
    return back_to("/policy")
