"""What the gate can record. Times are microseconds since 1970, UTC."""

import msgspec

from sekisho.ledger import Fact, fact


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The most that may pass. `session`, `day` (JST, per worker), `ticket`, and `client` (worker x client
    organisation, for as long as Sekisho remembers) each bound persons and rows."""

    session_persons: int
    session_rows: int
    day_persons: int
    day_rows: int
    ticket_persons: int
    ticket_rows: int
    client_persons: int
    client_rows: int


class Unmask(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A data item that the ticket shows in clear, and why the work needs it."""

    item: str
    reason: str


@fact("gate.ticket_requested", version=1)
class TicketRequested(Fact):
    """Asks for one door of one target to one client organisation's dataset, for one purpose and window."""

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


@fact("gate.ticket_approved", version=1)
class TicketApproved(Fact):
    """`request` is the leaf hash (hex) of the request that the approver saw: another request is not approved."""

    ticket: str
    approver: str
    request: str


@fact("gate.ticket_closed", version=1)
class TicketClosed(Fact):
    ticket: str
    reason: str


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
