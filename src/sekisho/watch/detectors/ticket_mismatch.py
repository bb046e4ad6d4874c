"""6. More than the ticket stands for, or something else: the earliest sign."""

from typing import Final

from sekisho.watch.detector import Detector, Finding, Head, Memory, Value, Words, by_human
from sekisho.watch.known import Known
from sekisho.watch.observation import HOUR, Observation
from sekisho.watch.tails import ratio_surprise

UNTICKETED: Final = 5  # persons without a ticket, in a house that works with tickets


class Mismatch(Memory):
    """What was told of the present ticket: its name, and up to which half bit."""

    ticket: str = ""
    said: int = 0
    day: int = 0
    without: int = 0


def look(mismatch: Mismatch, o: Observation, known: Known) -> Finding | None:
    if not o.persons:
        return None
    ticket = known.ticket
    if ticket is None:
        return _without(mismatch, o, known)
    if ticket.used <= ticket.expected and ticket.approved and o.client in ("", ticket.client):
        return None  # the usual case, and the fast one
    if mismatch.ticket != o.ticket:
        mismatch.ticket, mismatch.said = o.ticket, 0
    score, about = 0.0, "amount"
    if ticket.used > ticket.expected:
        excess = ticket.used - ticket.expected
        # A few more persons than asked for is how work goes.
        score = ratio_surprise(ticket.used, ticket.expected, per_doubling=2.0) * excess / (excess + 12)
    if o.client and o.client != ticket.client:
        score, about = 4.0, "client"
    elif not ticket.approved:
        score, about = max(score, 3.0), "approval"
    elif o.at > ticket.closes + HOUR or ticket.ended:
        score, about = max(score, 3.0), "window"
    score = min(score, 7.0)
    if int(score * 2) <= mismatch.said or score < 1.0:
        return None
    mismatch.said = int(score * 2)
    values: dict[str, Value] = {
        "ticket": o.ticket,
        "persons": ticket.used,
        "asked": ticket.expected,
        "about": about,
    }
    return Finding(score, ticket.used, ticket.expected, values)


def _without(mismatch: Mismatch, o: Observation, known: Known) -> Finding | None:
    if not known.tickets_used or o.kind == "takeout":
        return None
    if mismatch.day != known.day:
        mismatch.day, mismatch.without, mismatch.ticket, mismatch.said = known.day, 0, "", 0
    mismatch.without += o.persons
    if mismatch.without <= UNTICKETED:
        return None
    score = min(7.0, 2.5 + ratio_surprise(mismatch.without, UNTICKETED, per_doubling=0.4))
    if int(score * 2) <= mismatch.said:
        return None
    mismatch.said = int(score * 2)
    values: dict[str, Value] = {"ticket": "-", "persons": mismatch.without, "asked": 0, "about": "none"}
    return Finding(score, mismatch.without, 0, values)


DETECTOR: Final = Detector(
    number=6,
    name="ticket_mismatch",
    head=Head.TICKET,
    kinds=("read", "pull"),
    window="the ticket",
    memory=Mismatch,
    key=by_human,
    reason=Words(
        "A ticket says what the work needs; what goes beyond it was for something else.",
        "チケットは業務に必要な範囲を示します。それを超えた分は別の目的です。",
    ),
    finding=Words(
        "{human} saw {persons} persons under ticket {ticket}, which stands for {asked} ({about}).",
        "{human} はチケット {ticket} (想定 {asked} 人) で {persons} 人分を見ました ({about})。",
    ),
    look=look,
)
