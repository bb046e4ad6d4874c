"""A worker's own page: my tickets with their budgets, my sessions; asking for a ticket, giving one back."""

import secrets
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import msgspec
from fastapi import Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel
from sqlalchemy import Select, select
from starlette.datastructures import FormData

from sekisho.console import faults
from sekisho.console.access import Needs, Page, require
from sekisho.console.house import House
from sekisho.console.lines import (
    Budget,
    Organisation,
    SessionLine,
    TicketLine,
    read_names,
    read_requests,
    read_sessions,
    read_tickets,
    session_query,
)
from sekisho.console.pages import Face, back_to, render
from sekisho.console.viewer import ActorDep, HouseDep, Viewer
from sekisho.console.words import JST, day_in_japan
from sekisho.faults import Fault
from sekisho.gate.break_glass import break_glass
from sekisho.gate.budget import Scope, limits_of
from sekisho.gate.decide import INNER, WORKSPACE
from sekisho.gate.facts import Bulk, Limits, TicketRequested, Unmask
from sekisho.gate.policies import read_policy
from sekisho.gate.tables import budget_use, tickets
from sekisho.gate.tickets import close_ticket, request_ticket
from sekisho.ledger import Connection
from sekisho.register.access import Access, access_of
from sekisho.register.facts import TableEntry
from sekisho.register.tables import datasets, targets
from sekisho.relay.tables import sessions

face: Final = Face("tickets")
_Viewer = Annotated[Viewer, Depends(Needs("tickets", Page.WORK))]
_ROWS_PER_PERSON: Final = 20


class MyTicket(BaseModel):
    """A ticket of mine that is not over, and what of it is spent."""

    line: TicketLine
    budgets: list[Budget]


class WorkView(BaseModel):
    """My open and waiting tickets, those that are over, and my last sessions."""

    tickets: list[MyTicket]
    over: list[TicketLine]
    sessions: list[SessionLine]


@face.shows("/work", "work.html")
async def read_work(house: HouseDep, viewer: _Viewer) -> WorkView:
    """What I work on. It is about nobody else."""
    now = house.now()
    mine: Select[Any] = select(tickets).where(tickets.c.person == viewer.account)
    async with house.ledger.read() as connection:
        lines = await read_tickets(connection, mine.order_by(tickets.c.requested.desc()).limit(60), now)
        done = session_query().where(sessions.c.person == viewer.account).limit(20)
        my_sessions = await read_sessions(connection, done)
    current = [line for line in lines if line.state in ("waiting", "approved", "open")]
    budgets = await read_budgets(house, current)
    return WorkView(
        tickets=[MyTicket(line=line, budgets=budgets[line.ticket]) for line in current],
        over=[line for line in lines if line not in current][:20],
        sessions=my_sessions,
    )


async def read_budgets(house: House, lines: list[TicketLine]) -> dict[str, list[Budget]]:
    """What each ticket lets pass, and what of it is spent, in every account but the session's."""
    day = day_in_japan(house.now())
    keys = {
        (line.ticket, scope): key
        for line in lines
        for scope, key in (
            (Scope.TICKET, f"ticket:{line.ticket}"),
            (Scope.DAY, f"day:{line.person.id}:{day}"),
            (Scope.CLIENT, f"client:{line.person.id}:{line.organisation.id}"),
        )
    }
    async with house.ledger.read() as connection:
        asked = await read_requests(connection, [line.ticket for line in lines])
        rows = await connection.execute(
            select(budget_use).where(
                budget_use.c.account.in_({*keys.values(), *(_inside(line.ticket) for line in lines)})
            )
        )
        used = {row.account: (row.persons, row.rows) for row in rows}
    found: dict[str, list[Budget]] = {line.ticket: [] for line in lines}
    for (ticket, scope), key in keys.items():
        if ticket in asked:
            persons, rows_ = used.get(key, (0, 0))
            most_persons, most_rows = limits_of(asked[ticket].limits, scope)
            found[ticket].append(
                Budget(
                    scope=scope, persons=persons, persons_limit=most_persons, rows=rows_, rows_limit=most_rows
                )
            )
    for ticket, request in asked.items():
        if request.bulk is not None:
            persons, rows_ = used.get(_inside(ticket), (0, 0))
            most_persons, most_rows = limits_of(request.bulk.limits, Scope.TICKET)
            bulk = Budget(
                scope="bulk", persons=persons, persons_limit=most_persons, rows=rows_, rows_limit=most_rows
            )
            found[ticket].append(bulk)
    return found


def _inside(ticket: str) -> str:
    """The account of what landed in a ticket's workspace."""
    return f"{INNER}:{Scope.TICKET}:{ticket}"


class Choice(BaseModel):
    """A dataset that can be asked for, and the personal data items in it."""

    dataset: str
    name: str
    organisation: Organisation
    target: str
    items: list[str]
    access: Access
    door: str


async def read_choices(connection: Connection) -> list[Choice]:
    query = select(datasets, targets.c.protocol, targets.c.access).join(
        targets, targets.c.target == datasets.c.target
    )
    rows = (await connection.execute(query.order_by(datasets.c.dataset))).all()
    names = await read_names(connection, (), {row.organisation for row in rows})
    choices = []
    for row in rows:
        tables = msgspec.json.decode(row.tables, type=tuple[TableEntry, ...])
        access = access_of(row.access, row.protocol, tables)
        choice = Choice(
            dataset=row.dataset,
            name=row.name,
            organisation=names.organisation(row.organisation),
            target=row.target,
            items=_items(tables),
            access=access,
            door=_door(access, row.protocol),
        )
        choices.append(choice)
    return choices


def _door(access: Access, protocol: str) -> str:
    """The target's own door where its access policy leaves that open, else the workspace and its desktop."""
    needed = {"postgres": Access.MASKED_TEXT, "ssh": Access.TEXT}.get(protocol)
    return protocol if needed is not None and access.lets(needed) else WORKSPACE


def _items(entries: Iterable[TableEntry]) -> list[str]:
    return sorted({column.item for table in entries for column in table.columns if column.personal})


@face.pages.get("/work/request")
async def request_page(
    request: Request, house: HouseDep, viewer: _Viewer, dataset: str = "", emergency: bool = False
) -> HTMLResponse:
    async with house.ledger.read() as connection:
        choices = await read_choices(connection)
    chosen = next((one for one in choices if one.dataset == dataset), None)
    now = house.now().astimezone(JST).replace(second=0, microsecond=0)
    policy = (await read_policy(house.ledger)).policy
    return render(
        request,
        "request.html",
        viewer,
        choices=choices,
        chosen=chosen,
        opens=now.strftime("%Y-%m-%dT%H:%M"),
        emergency=emergency,
        policy=policy,
    )


@face.pages.post("/work/request")
async def ask_for_ticket(
    request: Request,
    house: HouseDep,
    viewer: ActorDep,
    dataset: Annotated[str, Form(max_length=64)],
    purpose: Annotated[str, Form(min_length=1, max_length=500)],
    persons: Annotated[int, Form(ge=1, le=10_000_000)],
    opens: Annotated[datetime, Form()],
    hours: Annotated[float, Form(gt=0, le=744)],
    emergency: Annotated[bool, Form()] = False,
    bulk: Annotated[int, Form(ge=0, le=10_000_000)] = 0,
) -> RedirectResponse:
    """Ask for a ticket, or open an emergency access at once. What may be asked is the gate's to say."""
    require(Page.WORK, viewer)
    form = await request.form()
    async with house.ledger.read() as connection:
        chosen = next((one for one in await read_choices(connection) if one.dataset == dataset), None)
        if chosen is None:
            raise Fault(faults.NOT_FOUND, what=dataset)
        key = f"client:{viewer.account}:{chosen.organisation.id}"
        both = budget_use.c.account.in_([key, f"{INNER}:{key}"])
        spent = {
            row.account: (row.persons, row.rows)
            for row in await connection.execute(select(budget_use).where(both))
        }
    # A time without a zone is the clock on the wall: the form asks for it in Japan.
    begins = house.now() if emergency else (opens if opens.tzinfo else opens.replace(tzinfo=JST))
    closes = begins.astimezone(UTC) + timedelta(hours=hours)
    used, landed = spent.get(key, (0, 0)), spent.get(f"{INNER}:{key}", (0, 0))
    reasons = {item: str(form.get(f"reason:{item}", "")).strip() for item in form.getlist("unmask")}
    asked = TicketRequested(
        ticket=f"{'E' if emergency else 'T'}-{begins.astimezone(JST):%y%m%d}-{secrets.token_hex(3)}",
        person=viewer.account,
        organisation=chosen.organisation.id,
        dataset=dataset,
        target=chosen.target,
        door=chosen.door,
        purpose=purpose.strip(),
        opens=int(begins.timestamp() * 1e6),
        closes=int(closes.timestamp() * 1e6),
        limits=limits_for(persons, used),
        unmask=tuple(
            Unmask(item=str(item), reason=why) for item, why in reasons.items() if item in chosen.items
        ),
        bulk=None if emergency or not bulk else _bulk(bulk, form, chosen, landed),
    )
    if emergency:
        await break_glass(house.ledger, asked, house.alarm)
    else:
        await request_ticket(house.ledger, asked)
    return back_to("/work")


def _bulk(persons: int, form: FormData, chosen: Choice, used: tuple[int, int]) -> Bulk:
    items = [str(item) for item in form.getlist("bulk_unmask") if item in chosen.items]
    reasons = {item: str(form.get(f"bulk_reason:{item}", "")).strip() for item in items}
    return Bulk(
        limits=limits_for(persons, used),
        unmask=tuple(Unmask(item=item, reason=why) for item, why in reasons.items()),
    )


def limits_for(persons: int, used: tuple[int, int]) -> Limits:
    """What a ticket for so many persons lets pass; with the same client it adds to what passed before."""
    rows = persons * _ROWS_PER_PERSON
    return Limits(
        session_persons=persons,
        session_rows=rows,
        day_persons=persons,
        day_rows=rows,
        ticket_persons=persons,
        ticket_rows=rows,
        client_persons=used[0] + persons,
        client_rows=used[1] + rows,
    )


@face.pages.post("/work/tickets/{ticket}/close")
async def give_back(
    house: HouseDep,
    viewer: ActorDep,
    ticket: str,
    reason: Annotated[str, Form(max_length=500)] = "",
) -> RedirectResponse:
    require(Page.WORK, viewer)
    await close_ticket(house.ledger, ticket, by=viewer.account, reason=reason or "done", how="done")
    return back_to("/work")


@face.pages.post("/work/tickets/{ticket}/token")
async def take_token(request: Request, house: HouseDep, viewer: ActorDep, ticket: str) -> HTMLResponse:
    """User and password for a client, good for ten minutes. Whether the ticket opens anything, the door decides."""
    require(Page.WORK, viewer)
    mine = select(tickets).where(tickets.c.ticket == ticket, tickets.c.person == viewer.account)
    async with house.ledger.read() as connection:
        row = (await connection.execute(mine)).one_or_none()
    if row is None or viewer.who is None:
        raise Fault(faults.NOT_FOUND, what=ticket[:64])
    token, password = await house.login.token(viewer.who, ticket=ticket, target=row.target)
    return render(request, "door.html", viewer, token=token, password=password)
