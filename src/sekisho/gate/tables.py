"""The gate's tables, and how its facts become rows."""

import msgspec
from sqlalchemy import BigInteger, Boolean, Column, LargeBinary, String, Table, Text

from sekisho.gate.facts import (
    BreakGlassOpened,
    BreakGlassReviewed,
    BudgetLeased,
    BudgetSettled,
    PolicyApproved,
    PolicyProposed,
    RestraintImposed,
    RestraintLiftAsked,
    RestraintLifted,
    TicketApproved,
    TicketClosed,
    TicketRequested,
)
from sekisho.ledger import Recorded, Writes, projects, values_of
from sekisho.ledger.tables import Timestamp, metadata

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
    Column("persons", BigInteger, nullable=False),  # the ticket's budget
    Column("unmask", Text, nullable=False),  # items, separated by spaces
    Column(
        "bulk", BigInteger, nullable=False
    ),  # persons that may land in the workspace; 0 without an allowance
    Column("amends", String(64), nullable=False),
    Column("broken_glass", Boolean, nullable=False),
    Column("requested", Timestamp, nullable=False),
    Column("request", String(64), nullable=False),  # the leaf hash that an approval must name
    Column("approver", String(64), nullable=False),  # the last one
    Column("closed", Boolean, nullable=False),
    Column("ending", String(16), nullable=False),  # how it was closed, or ""
)

# For pages: what holds at a door is read from the facts (see `sekisho.gate.restraints`).
restraints = Table(
    "restraints",
    metadata,
    Column("restraint", String(64), primary_key=True),
    Column("person", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("percent", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False, index=True),
    Column("reason", Text, nullable=False),
    Column("alert", String(64), nullable=False),
    Column("lift", String(64), nullable=False),
    Column("lift_asked_by", String(64), nullable=False),
    Column("lifted", Boolean, nullable=False),
)

break_glasses = Table(
    "break_glasses",
    metadata,
    Column("ticket", String(64), primary_key=True),
    Column("person", String(64), nullable=False, index=True),
    Column("organisation", String(64), nullable=False, index=True),
    Column("dataset", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    Column("opened", BigInteger, nullable=False),
    Column("review_by", BigInteger, nullable=False),
)

break_glass_reviews = Table(
    "break_glass_reviews",
    metadata,
    Column("ticket", String(64), primary_key=True),
    Column("reviewer", String(64), primary_key=True),
    Column("justified", Boolean, nullable=False),
    Column("note", Text, nullable=False),
    Column("at", Timestamp, nullable=False),
)

# For screens: what is in force is read from the facts (see `sekisho.gate.policies`).
policy_proposals = Table(
    "policy_proposals",
    metadata,
    Column("proposal", String(64), primary_key=True),
    Column("proposer", String(64), nullable=False),
    Column("request", String(64), nullable=False),
    Column("replaces", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    Column("proposed", Timestamp, nullable=False),
    # The policy as msgspec JSON: read whole, never searched.
    Column("policy", LargeBinary, nullable=False),
    Column("approver", String(64), nullable=False),
    Column("approved", Timestamp, nullable=True),
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
    _ticket(write, fact, recorded, broken_glass=False)


@projects(BreakGlassOpened)
def _broken(write: Writes, fact: BreakGlassOpened, recorded: Recorded) -> None:
    asked = fact.asked
    _ticket(write, asked, recorded, broken_glass=True)
    row = {"ticket": asked.ticket, "person": asked.person, "organisation": asked.organisation}
    rest = {"dataset": asked.dataset, "reason": asked.purpose}
    write.insert(break_glasses, {**row, **rest, "opened": asked.opens, "review_by": fact.review_by})


def _ticket(write: Writes, asked: TicketRequested, recorded: Recorded, *, broken_glass: bool) -> None:
    row = values_of(asked)
    del row["limits"]
    row["persons"] = asked.limits.ticket_persons
    row["unmask"] = " ".join(unmask.item for unmask in asked.unmask)
    row["bulk"] = asked.bulk.limits.ticket_persons if asked.bulk else 0
    row |= {"requested": recorded.at, "request": recorded.leaf_hash.hex(), "broken_glass": broken_glass}
    # A name is given once: the ledger refuses a second request under it.
    write.insert(tickets, {**row, "approver": "", "closed": False, "ending": ""})


@projects(BreakGlassReviewed)
def _reviewed(write: Writes, fact: BreakGlassReviewed, recorded: Recorded) -> None:
    row = values_of(fact)
    del row["opening"]
    write.insert(break_glass_reviews, {**row, "at": recorded.at})


@projects(PolicyProposed)
def _proposed(write: Writes, fact: PolicyProposed, recorded: Recorded) -> None:
    row = values_of(fact)
    row["policy"] = msgspec.json.encode(fact.policy)
    row |= {"request": recorded.leaf_hash.hex(), "proposed": recorded.at}
    write.insert(policy_proposals, {**row, "approver": "", "approved": None})


@projects(PolicyApproved)
def _policy_approved(write: Writes, fact: PolicyApproved, recorded: Recorded) -> None:
    write.update(
        policy_proposals,
        {"proposal": fact.proposal},
        {"approver": fact.approver, "approved": recorded.at},
    )


@projects(TicketApproved)
def _approved(write: Writes, fact: TicketApproved, recorded: Recorded) -> None:
    write.update(tickets, {"ticket": fact.ticket}, {"approver": fact.approver})


@projects(TicketClosed)
def _closed(write: Writes, fact: TicketClosed, recorded: Recorded) -> None:
    write.update(tickets, {"ticket": fact.ticket}, {"closed": True, "ending": fact.how})


@projects(BudgetLeased)
def _leased(write: Writes, fact: BudgetLeased, recorded: Recorded) -> None:
    for account, (persons, rows) in fact.leased.items():
        write.add(budget_use, {"account": account}, {"persons": persons, "rows": rows})


@projects(BudgetSettled)
def _settled(write: Writes, fact: BudgetSettled, recorded: Recorded) -> None:
    for account, (persons, rows) in fact.given_back.items():
        write.add(budget_use, {"account": account}, {"persons": -persons, "rows": -rows})


@projects(RestraintImposed)
def _restraint(write: Writes, fact: RestraintImposed, recorded: Recorded) -> None:
    values = values_of(fact)
    row = {**values, "restraint": recorded.leaf_hash.hex(), "lift": "", "lift_asked_by": "", "lifted": False}
    write.insert(restraints, row)


@projects(RestraintLiftAsked)
def _lift_asked(write: Writes, fact: RestraintLiftAsked, recorded: Recorded) -> None:
    row = {"lift": recorded.leaf_hash.hex(), "lift_asked_by": recorded.by}
    write.update(restraints, {"restraint": fact.restraint}, row)


@projects(RestraintLifted)
def _lifted(write: Writes, fact: RestraintLifted, recorded: Recorded) -> None:
    write.update(restraints, {"restraint": fact.restraint}, {"lifted": True})
