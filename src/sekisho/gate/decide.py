"""Request + ticket -> Grant or Refusal. Pure and total; the only place where a Grant is made."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from sekisho.faults import Fault, FaultKind
from sekisho.gate import faults
from sekisho.gate.facts import Limits, TicketRequested

JST: Final = timezone(timedelta(hours=9), "JST")
_MINT: Final = object()


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket as its facts tell it. `approvers` are the persons whose approval names this very request."""

    requested: TicketRequested
    approvers: frozenset[str]
    closed: bool


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """`at` in microseconds since 1970, UTC."""

    person: str
    ticket: str
    target: str
    door: str
    at: int


@dataclass(frozen=True, slots=True)
class Refusal:
    kind: FaultKind
    values: dict[str, object]

    def fault(self) -> Fault:
        return Fault(self.kind, **self.values)


@dataclass(frozen=True, slots=True)
class Grant:
    """The proof that a target may be opened: whoever opens one takes a Grant as an argument, and only
    `decide` can make it. `closes` in microseconds since 1970, UTC: the session ends then."""

    person: str
    ticket: str
    organisation: str
    dataset: str
    target: str
    door: str
    purpose: str
    closes: int
    limits: Limits
    unmask: frozenset[str]
    mint: object

    def __post_init__(self) -> None:
        if self.mint is not _MINT:
            raise TypeError("only sekisho.gate.decide can make a Grant")


def decide(request: AccessRequest, ticket: Ticket | None) -> Grant | Refusal:
    """May this person open this target through this door, now? `ticket` is None when there is none."""
    name = request.ticket
    if ticket is None or ticket.requested.ticket != name or ticket.requested.person != request.person:
        return Refusal(faults.NO_TICKET, {"ticket": name})
    asked = ticket.requested
    if not ticket.approvers - {asked.person}:
        return Refusal(faults.NOT_APPROVED, {"ticket": name})
    if ticket.closed:
        return Refusal(faults.TICKET_CLOSED, {"ticket": name})
    if not asked.opens <= request.at < asked.closes:
        window = {"opens": jst(asked.opens), "closes": jst(asked.closes)}
        return Refusal(faults.OUTSIDE_WINDOW, {"ticket": name, **window})
    if (asked.target, asked.door) != (request.target, request.door):
        return Refusal(faults.OTHER_TARGET, {"ticket": name, "target": request.target})
    return Grant(
        person=asked.person,
        ticket=asked.ticket,
        organisation=asked.organisation,
        dataset=asked.dataset,
        target=asked.target,
        door=asked.door,
        purpose=asked.purpose,
        closes=asked.closes,
        limits=asked.limits,
        unmask=frozenset(unmask.item for unmask in asked.unmask),
        mint=_MINT,
    )


def may_approve(requester: str, approver: str, managers: dict[str, str]) -> bool:
    """Whether `approver` is another person than `requester`, and nobody whom the requester commands.

    `managers` maps a person to the next one up ("" at the top); a loop in it ends the walk."""
    if requester == approver:
        return False
    above, seen = managers.get(approver, ""), {approver}
    while above and above not in seen:
        if above == requester:
            return False
        seen.add(above)
        above = managers.get(above, "")
    return True


def jst(microseconds: int) -> str:
    """A time for people: "2026-11-21 20:01 JST"."""
    return datetime.fromtimestamp(microseconds / 1e6, UTC).astimezone(JST).strftime("%Y-%m-%d %H:%M JST")
