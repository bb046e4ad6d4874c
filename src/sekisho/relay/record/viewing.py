"""Who may watch a recording. What shows personal data is watched after two persons decided: one asks and says why,
another approves, and the right ends an hour later. The client organisation watches its own.

Everything here is read from facts; at the console each of them is held against the published log.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sekisho.faults import Fault
from sekisho.gate.duties import Act, Actor, Case, Doing, Part, may
from sekisho.gate.refusal import Refusal
from sekisho.gate.standing import Confirms
from sekisho.gate.tickets import require_standing
from sekisho.ledger import Ledger, Recorded
from sekisho.relay.facts import SessionClosed
from sekisho.relay.record.facts import DESKTOP, RecordClosed, RecordOpened, ViewApproved, ViewAsked, Watched
from sekisho.relay.record.faults import NEEDS_APPROVAL, NO_REQUEST
from sekisho.relay.record.reading import Account

RIGHT_LASTS: Final = timedelta(hours=1)
_MOST: Final = 1_000
_MINT: Final = object()


@dataclass(frozen=True, slots=True)
class View:
    """The proof that somebody may watch now, and that this is recorded; only `open_view` makes it. `watched` is the
    number of that fact: it names this view in the pictures that it shows."""

    recording: str
    person: str
    request: str
    watched: int
    until: datetime | None  # None where no approval is needed
    mint: object

    def __post_init__(self) -> None:
        if self.mint is not _MINT:
            raise TypeError("only sekisho.relay.record.viewing.open_view can open a view")


@dataclass(frozen=True, slots=True)
class ViewRequest:
    """Somebody's request to watch. `approved` is when, or None."""

    request: str
    recording: str
    person: str
    reason: str
    asked: datetime
    approver: str
    approved: datetime | None

    def good_until(self) -> datetime | None:
        return self.approved + RIGHT_LASTS if self.approved else None


async def shows_personal_data(ledger: Ledger, account: Account, confirms: Confirms | None) -> bool:
    """Unless the session is over and nobody's data was counted in it: what is not known shows some, and so does a
    desktop, whose pixels nobody counts."""
    if account.opened.kind == DESKTOP:
        return True
    if not isinstance(account.ended, RecordClosed):
        return True
    closings = await ledger.facts(0, 2, names=["relay.session_closed"], about=account.opened.session)
    if len(closings) != 1 or (confirms is not None and not await confirms(closings[0])):
        return True
    closed = closings[0].typed()
    return not isinstance(closed, SessionClosed) or closed.persons > 0


async def read_requests(
    ledger: Ledger, recording: str, confirms: Confirms | None = None
) -> dict[str, ViewRequest]:
    """The requests to watch a recording, oldest first; what is not in the published log does not count."""
    found: dict[str, ViewRequest] = {}
    for recorded in await ledger.facts(
        0, _MOST, names=["record.view_asked", "record.view_approved"], about=recording
    ):
        fact = recorded.typed()
        if confirms is not None and not await confirms(recorded):
            continue
        if isinstance(fact, ViewAsked) and fact.recording == recording and recorded.by == fact.person:
            request = recorded.leaf_hash.hex()
            found[request] = ViewRequest(request, recording, fact.person, fact.reason, recorded.at, "", None)
        elif isinstance(fact, ViewApproved) and recorded.by == fact.approver:
            asked = found.get(fact.request)
            if asked is not None and asked.approved is None and asked.person != fact.approver:
                found[fact.request] = ViewRequest(
                    asked.request,
                    recording,
                    asked.person,
                    asked.reason,
                    asked.asked,
                    fact.approver,
                    recorded.at,
                )
    return found


async def ask_to_watch(ledger: Ledger, opened: RecordOpened, person: str, reason: str) -> Recorded:
    """Raises Fault, also why this person may not ask."""
    actor = (await require_standing(ledger, person)).actor
    answer = may(Act.RECORDING, Part.REQUEST, actor, await _case(ledger, opened))
    if isinstance(answer, Refusal):
        raise answer.fault()
    asked = ViewAsked(recording=opened.recording, person=person, reason=reason)
    return await ledger.record(asked, by=person, about=opened.recording)


async def approve_watching(ledger: Ledger, opened: RecordOpened, request: str, approver: str) -> Recorded:
    """Raises Fault NO_REQUEST, or why this person may not approve."""
    asked = (await read_requests(ledger, opened.recording)).get(request)
    if asked is None or asked.approved is not None:
        raise Fault(NO_REQUEST, recording=opened.recording)
    requester = (await require_standing(ledger, asked.person)).actor
    actor = (await require_standing(ledger, approver)).actor
    case = await _case(ledger, opened, Doing(Part.REQUEST, requester))
    answer = may(Act.RECORDING, Part.APPROVE, actor, case)
    if isinstance(answer, Refusal):
        raise answer.fault()
    given = ViewApproved(recording=opened.recording, approver=approver, request=request)
    return await ledger.record(given, by=approver, about=opened.recording)


async def open_view(
    ledger: Ledger,
    account: Account,
    actor: Actor,
    *,
    now: datetime,
    confirms: Confirms | None,
    live: bool,
    way: str,
) -> View:
    """Let somebody watch, and record it first. Raises Fault NEEDS_APPROVAL, or why this person never may."""
    opened = account.opened
    until: datetime | None = None
    request = ""
    if (refusal := await may_watch_alone(ledger, opened, actor)) is not None:
        answer = may(Act.RECORDING, Part.REQUEST, actor, await _case(ledger, opened))
        if isinstance(answer, Refusal):
            raise refusal.fault()
        if live or await shows_personal_data(ledger, account, confirms):
            asked = await _good_request(ledger, opened.recording, actor.person, now, confirms)
            request, until = asked.request, asked.good_until()
    watched = Watched(recording=opened.recording, person=actor.person, request=request, live=live, way=way)
    recorded = await ledger.record(watched, by=actor.person, about=opened.recording)
    return View(opened.recording, actor.person, request, recorded.seq, until, _MINT)


async def may_watch_alone(ledger: Ledger, opened: RecordOpened, actor: Actor) -> Refusal | None:
    """The client organisation watches its own; None when it may."""
    answer = may(Act.RECORDING, Part.VIEW, actor, await _case(ledger, opened))
    return answer if isinstance(answer, Refusal) else None


async def _good_request(
    ledger: Ledger, recording: str, person: str, now: datetime, confirms: Confirms | None
) -> ViewRequest:
    for asked in (await read_requests(ledger, recording, confirms)).values():
        until = asked.good_until()
        if asked.person == person and until is not None and now < until:
            return asked
    raise Fault(NEEDS_APPROVAL, recording=recording)


async def _case(ledger: Ledger, opened: RecordOpened, *doings: Doing) -> Case:
    recorded = (await require_standing(ledger, opened.person)).actor
    return Case(opened.organisation, employer=recorded.employer, doings=doings, subjects=(recorded,))
