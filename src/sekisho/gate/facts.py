"""What the gate can record. Times are microseconds since 1970, UTC."""

import msgspec

from sekisho.gate.limits import Limits as Limits
from sekisho.gate.policy import Policy
from sekisho.ledger import Fact, fact


class Unmask(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A data item that the ticket shows in clear, and why the work needs it."""

    item: str
    reason: str


class Bulk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may land in the ticket's workspace, beside what a terminal may be shown. `unmask` are the items that the
    files hold in clear; all other personal columns are masked in them as well."""

    limits: Limits
    unmask: tuple[Unmask, ...] = ()


@fact("gate.ticket_requested", version=1)
class TicketRequested(Fact):
    """Asks for one door of one target to one client organisation's dataset, for one purpose and window.

    `bulk` also opens the inner door, from the ticket's workspace to the target. `amends` names the ticket that this
    one is to follow, or is ""; the former one stays as it is."""

    ticket: str
    person: str
    organisation: str
    dataset: str
    target: str
    door: str
    purpose: str
    opens: int
    closes: int
    limits: Limits
    unmask: tuple[Unmask, ...] = ()
    amends: str = ""
    bulk: Bulk | None = None


@fact("gate.ticket_approved", version=1)
class TicketApproved(Fact):
    """`request` is the leaf hash (hex) of the request that the approver saw: another request is not approved."""

    ticket: str
    approver: str
    request: str


@fact("gate.ticket_closed", version=1)
class TicketClosed(Fact):
    """`how`: "done", "withdrawn" (by who asked), "declined" (by who was to approve) or "revoked"."""

    ticket: str
    reason: str
    how: str = "done"


@fact("gate.break_glass_opened", version=1)
class BreakGlassOpened(Fact):
    """Access at once, without approval. Two others must have reviewed it by `review_by`."""

    asked: TicketRequested
    review_by: int


@fact("gate.break_glass_reviewed", version=1)
class BreakGlassReviewed(Fact):
    """`opening` is the leaf hash (hex) of the BreakGlassOpened that the reviewer saw."""

    ticket: str
    reviewer: str
    opening: str
    justified: bool
    note: str


@fact("gate.policy_proposed", version=1)
class PolicyProposed(Fact):
    """`replaces` is the leaf hash (hex) of the proposal whose policy is in force, "" for the built-in policy."""

    proposal: str
    proposer: str
    policy: Policy
    replaces: str
    reason: str


@fact("gate.policy_approved", version=1)
class PolicyApproved(Fact):
    """`request` is the leaf hash (hex) of the proposal that the approver saw."""

    proposal: str
    approver: str
    request: str


@fact("gate.access_refused", version=1)
class AccessRefused(Fact):
    """Nothing was opened. `claimed` is the login name if it is one of ours, else ""."""

    door: str
    target: str
    claimed: str
    peer: str
    code: str


@fact("gate.budget_leased", version=1)
class BudgetLeased(Fact):
    """(persons, rows) were reserved for a session, account by account (day, ticket, client), before anything
    passed. What a session that never settled has leased stays spent."""

    session: str
    leased: dict[str, tuple[int, int]]


@fact("gate.budget_settled", version=1)
class BudgetSettled(Fact):
    """The session gave back, account by account, the (persons, rows) that it had leased and not used."""

    session: str
    given_back: dict[str, tuple[int, int]]


@fact("gate.restraint_imposed", version=1)
class RestraintImposed(Fact):
    """For a time a person works under a restraint: `kind` "approval" asks a second approval for each ticket, "budget"
    leaves `percent` of each limit. `alert` is what led to it. Its end before `until` takes two others."""

    person: str
    kind: str
    percent: int
    until: int
    reason: str
    alert: str


@fact("gate.restraint_lift_asked", version=1)
class RestraintLiftAsked(Fact):
    """`restraint` is the leaf hash (hex) of the imposition that shall end."""

    restraint: str
    person: str
    reason: str


@fact("gate.restraint_lifted", version=1)
class RestraintLifted(Fact):
    """`request` is the leaf hash (hex) of the ask that a second person agreed to, `restraint` of the imposition."""

    request: str
    restraint: str
    person: str


@fact("gate.second_approval_given", version=1)
class SecondApproval(Fact):
    """A ticket of a restrained person may open its door, says a human who did not approve it first. `request` is the
    leaf hash (hex) of the ticket's request, `restraint` that of the imposition."""

    ticket: str
    approver: str
    restraint: str
    request: str
