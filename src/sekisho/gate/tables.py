"""The gate's tables, and how its facts become rows."""

from sqlalchemy import BigInteger, Boolean, Column, String, Table, Text

from sekisho.gate.facts import BudgetLeased, BudgetSettled, TicketApproved, TicketClosed, TicketRequested
from sekisho.ledger import Recorded, Writes, projects, values_of
from sekisho.ledger.tables import metadata

# For lists and screens only: what opens a door is the ticket's facts (see `sekisho.gate.tickets`).
tickets = Table(
    "tickets",
    metadata,
    Column("ticket", String(64), primary_key=True),
    Column("person", String(64), nullable=False, index=True),
    Column("organisation", String(64), nullable=False, index=True),
    Column("dataset", String(64), nullable=False),
    Column("target", String(64), nullable=False),
    Column("door", String(32), nullable=False),
    Column("purpose", Text, nullable=False),
    Column("opens", BigInteger, nullable=False),
    Column("closes", BigInteger, nullable=False),
    Column("approver", String(64), nullable=False),
    Column("closed", Boolean, nullable=False),
)

budget_use = Table(
    "budget_use",
    metadata,
    Column("account", String(255), primary_key=True),
    Column("persons", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
)


@projects(TicketRequested)
def _requested(write: Writes, fact: TicketRequested, recorded: Recorded) -> None:
    row = values_of(fact)
    del row["limits"], row["unmask"]
    write.upsert(tickets, {"ticket": row.pop("ticket")}, {**row, "approver": "", "closed": False})


@projects(TicketApproved)
def _approved(write: Writes, fact: TicketApproved, recorded: Recorded) -> None:
    write.update(tickets, {"ticket": fact.ticket}, {"approver": fact.approver})


@projects(TicketClosed)
def _closed(write: Writes, fact: TicketClosed, recorded: Recorded) -> None:
    write.update(tickets, {"ticket": fact.ticket}, {"closed": True})


@projects(BudgetLeased)
def _leased(write: Writes, fact: BudgetLeased, recorded: Recorded) -> None:
    for account, (persons, rows) in fact.leased.items():
        write.add(budget_use, {"account": account}, {"persons": persons, "rows": rows})


@projects(BudgetSettled)
def _settled(write: Writes, fact: BudgetSettled, recorded: Recorded) -> None:
    for account, (persons, rows) in fact.given_back.items():
        write.add(budget_use, {"account": account}, {"persons": -persons, "rows": -rows})
