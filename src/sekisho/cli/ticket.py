"""`sekisho ticket`: ask for a ticket, approve it, close it, list them.

Asking, approving and closing need a login (password and one-time code): the ticket's facts name who did it. Listing
needs the state folder only.
"""

import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, cast

import click
from sqlalchemy import Row, select

from sekisho.cli.options import STATE
from sekisho.cli.proof import log_in, proven, with_ledger
from sekisho.faults import Fault, Language, preferred_language
from sekisho.gate.decide import JST, jst
from sekisho.gate.facts import Bulk, Limits, TicketRequested, Unmask
from sekisho.gate.faults import NO_TICKET
from sekisho.gate.habits import Habits, compare, read_habits
from sekisho.gate.tables import tickets
from sekisho.gate.tickets import Ending, approve_ticket, close_ticket, read_ticket, request_ticket
from sekisho.ledger import Ledger

_MOST_LISTED: Final = 200

_SAYS: Final[dict[str, dict[Language, str]]] = {
    "requested": {
        "en": "Ticket {ticket} is requested. It opens nothing until it is approved.",
        "ja": "チケット {ticket} を申請しました。承認されるまで何も開けません。",
    },
    "approved": {"en": "Ticket {ticket} is approved.", "ja": "チケット {ticket} を承認しました。"},
    "closed": {"en": "Ticket {ticket} is closed.", "ja": "チケット {ticket} を終了しました。"},
    "asked": {
        "en": "{person} asks for {dataset} of {organisation} on {target} ({door})\n  purpose  {purpose}\n"
        "  window   {opens} to {closes}\n  budget   {persons} persons, {rows} rows (ticket)\n  in clear {unmask}",
        "ja": "{person} の申請: {organisation} の {dataset} ({target}、入口 {door})\n  目的   {purpose}\n"
        "  期間   {opens} から {closes}\n  上限   {persons} 人、{rows} 行 (チケット)\n  非マスク {unmask}",
    },
    "bulk": {
        "en": "  ! files    {persons} persons, {rows} rows may land in the workspace, in clear {unmask}",
        "ja": "  ! ファイル 作業領域に {persons} 人、{rows} 行まで、非マスク {unmask}",
    },
    "usual": {
        "en": "  usually  {tickets} tickets in a year, {median} persons (most {largest}), {used} really used, "
        "{hours:.1f} hours; {emergencies} emergencies",
        "ja": "  通常   1 年に {tickets} 件、{median} 人 (最大 {largest} 人)、実際の使用 {used} 人、"
        "{hours:.1f} 時間、緊急アクセス {emergencies} 件",
    },
    "first": {
        "en": "  ! the first approved ticket of this person",
        "ja": "  ! この人の承認済みチケットはまだありません",
    },
    "more_persons": {
        "en": "  ! more persons than ever",
        "ja": "  ! これまでで最も多い人数です",
    },
    "longer": {"en": "  ! a longer window than ever", "ja": "  ! これまでで最も長い期間です"},
    "new_dataset": {
        "en": "  ! never worked on this dataset",
        "ja": "  ! このデータセットは初めてです",
    },
    "new_items": {"en": "  ! never saw in clear: {items}", "ja": "  ! 初めて非マスクになる項目: {items}"},
    "confirm": {"en": "Approve it?", "ja": "承認しますか?"},
}


@click.group()
def ticket() -> None:
    """Ask for access, approve it, end it."""


@ticket.command()
@proven
@click.option("--name", help="The ticket's name; made up when not given.")
@click.option("--organisation", required=True, help="The client organisation.")
@click.option("--dataset", required=True)
@click.option("--target", required=True)
@click.option("--door", default="postgres", show_default=True)
@click.option("--purpose", required=True)
@click.option("--from", "opens", type=click.DateTime(["%Y-%m-%d %H:%M"]), help="JST; now when not given.")
@click.option("--hours", default=1.0, show_default=True, type=click.FloatRange(0, min_open=True))
@click.option("--persons", required=True, type=click.IntRange(0), help="For the ticket, a day and a session.")
@click.option("--rows", type=click.IntRange(0), help="Ten for each person when not given.")
@click.option("--lifetime", type=click.IntRange(0), help="Persons of this client, ever; ten times --persons.")
@click.option("--unmask", multiple=True, nargs=2, metavar="ITEM REASON", help="Repeatable.")
@click.option(
    "--bulk", type=click.IntRange(1), help="Persons that may land in files of the ticket's workspace."
)
@click.option("--bulk-unmask", multiple=True, nargs=2, metavar="ITEM REASON", help="In clear in those files.")
@click.option("--amends", default="", help="The ticket that this one follows.")
def request(
    state: Path, person: str, password: str, code: str, name: str | None, organisation: str, dataset: str,
    target: str, door: str, purpose: str, opens: datetime | None, hours: float, persons: int, rows: int | None,
    lifetime: int | None, unmask: tuple[tuple[str, str], ...], bulk: int | None,
    bulk_unmask: tuple[tuple[str, str], ...], amends: str,
) -> None:  # fmt: skip
    """Ask for a ticket."""
    start = opens.replace(tzinfo=JST) if opens else datetime.now(UTC)
    most = rows if rows is not None else 10 * persons
    ever = lifetime if lifetime is not None else 10 * persons
    asked = TicketRequested(
        ticket=name or f"T-{secrets.token_hex(4)}",
        person=person,
        organisation=organisation,
        dataset=dataset,
        target=target,
        door=door,
        purpose=purpose,
        opens=_micros(start),
        closes=_micros(start + timedelta(hours=hours)),
        limits=limits_of(persons, most, ever),
        unmask=tuple(Unmask(item=item, reason=reason) for item, reason in unmask),
        amends=amends,
        bulk=_bulk(bulk, bulk_unmask) if bulk else None,
    )

    async def act(ledger: Ledger) -> None:
        await log_in(ledger, person, password, code)
        await request_ticket(ledger, asked)

    with_ledger(state, act)
    _say("requested", ticket=asked.ticket)


def _bulk(persons: int, unmask: tuple[tuple[str, str], ...]) -> Bulk:
    scopes = ("session", "day", "ticket")
    most = {f"{scope}_persons": persons for scope in scopes} | {
        f"{scope}_rows": 20 * persons for scope in scopes
    }
    return Bulk(
        limits=Limits(**most, client_persons=10 * persons, client_rows=200 * persons),
        unmask=tuple(Unmask(item=item, reason=reason) for item, reason in unmask),
    )


@ticket.command()
@click.argument("name")
@proven
@click.option("--yes", is_flag=True, help="Don't ask again.")
def approve(name: str, state: Path, person: str, password: str, code: str, yes: bool) -> None:
    """Approve somebody else's ticket, after a look at what is asked and what that person usually asks."""

    async def act(ledger: Ledger) -> None:
        await log_in(ledger, person, password, code)
        found = await read_ticket(ledger, None, name)
        if found is None:
            raise Fault(NO_TICKET, ticket=name)
        async with ledger.read() as connection:
            habits = await read_habits(connection, found.requested.person, found.requested.opens)
        _show(found.requested, habits)
        if not yes:
            click.confirm(_SAYS["confirm"][preferred_language()], abort=True)
        await approve_ticket(ledger, name, person, seen=found.request)

    with_ledger(state, act)
    _say("approved", ticket=name)


@ticket.command()
@click.argument("name")
@proven
@click.option("--how", type=click.Choice(["done", "withdrawn", "declined", "revoked"]), default="done")
@click.option("--reason", required=True)
def close(name: str, state: Path, person: str, password: str, code: str, how: str, reason: str) -> None:
    """Close a ticket for ever: your own (done, withdrawn), or as its approver (declined, revoked)."""

    async def act(ledger: Ledger) -> None:
        await log_in(ledger, person, password, code)
        await close_ticket(ledger, name, by=person, reason=reason, how=cast(Ending, how))

    with_ledger(state, act)
    _say("closed", ticket=name)


@ticket.command("list")
@STATE
@click.option("--person", help="Only of this person.")
@click.option("--all", "also_closed", is_flag=True, help="Also those that are closed or expired.")
def list_tickets(state: Path, person: str | None, also_closed: bool) -> None:
    """List tickets, the newest first."""

    async def read(ledger: Ledger) -> list[str]:
        query = select(tickets).order_by(tickets.c.requested.desc()).limit(_MOST_LISTED)
        if person:
            query = query.where(tickets.c.person == person)
        now = _micros(datetime.now(UTC))
        if not also_closed:
            query = query.where(tickets.c.closed.is_(False), tickets.c.closes > now)
        async with ledger.read() as connection:
            return [
                f"{row.ticket:16} {_stand(row, now):10} {row.person:12} {row.dataset:24} "
                f"{jst(row.opens)} .. {jst(row.closes)} {row.persons:>9,}"
                for row in await connection.execute(query)
            ]

    for line in with_ledger(state, read):
        click.echo(line)


def limits_of(persons: int, rows: int, ever: int) -> Limits:
    """A budget of so many persons and rows for a session, a day and the ticket, and `ever` persons of the client."""
    return Limits(
        session_persons=persons,
        session_rows=rows,
        day_persons=persons,
        day_rows=rows,
        ticket_persons=persons,
        ticket_rows=rows,
        client_persons=ever,
        client_rows=10 * ever,
    )


def _stand(row: Row[Any], now: int) -> str:
    if row.closed:
        return str(row.ending)
    if row.closes <= now:
        return "expired"
    if row.broken_glass:
        return "EMERGENCY"
    return "approved" if row.approver else "requested"


def _show(asked: TicketRequested, habits: Habits) -> None:
    _say(
        "asked",
        person=asked.person,
        dataset=asked.dataset,
        organisation=asked.organisation,
        target=asked.target,
        door=asked.door,
        purpose=asked.purpose,
        opens=jst(asked.opens),
        closes=jst(asked.closes),
        persons=asked.limits.ticket_persons,
        rows=asked.limits.ticket_rows,
        unmask=", ".join(f"{one.item} ({one.reason})" for one in asked.unmask) or "-",
    )
    if asked.bulk is not None:
        _say(
            "bulk",
            persons=asked.bulk.limits.ticket_persons,
            rows=asked.bulk.limits.ticket_rows,
            unmask=", ".join(f"{one.item} ({one.reason})" for one in asked.bulk.unmask) or "-",
        )
    unusual = compare(asked, habits)
    if unusual.first:
        _say("first")
        return
    _say(
        "usual",
        tickets=habits.tickets,
        median=habits.median_persons,
        largest=habits.largest_persons,
        used=habits.used,
        hours=habits.median_hours,
        emergencies=habits.emergencies,
    )
    for name in ("more_persons", "longer", "new_dataset"):
        if getattr(unusual, name):
            _say(name)
    if unusual.new_items:
        _say("new_items", items=", ".join(unusual.new_items))


def _say(sentence: str, **values: object) -> None:
    click.echo(_SAYS[sentence][preferred_language()].format(**values))


def _micros(at: datetime) -> int:
    return int(at.timestamp() * 1e6)
