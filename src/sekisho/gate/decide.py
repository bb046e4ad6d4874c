"""Request + state -> Grant or Refusal. Pure and total; the only place where a Grant is made.

`RULES` is the whole of it: each rule looks at request and state and refuses or does not. A Grant needs that none
refuses, and that every part of the state is known.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from sekisho.gate import faults
from sekisho.gate.duties import Act, Actor, Case, Doing, Part, may, missing
from sekisho.gate.facts import Limits, TicketRequested
from sekisho.gate.policy import Policy
from sekisho.gate.refusal import Refusal
from sekisho.gate.restraints import Restraint, cut, may_second
from sekisho.gate.standing import Standing
from sekisho.register.access import Access
from sekisho.register.standing import DatasetStanding, LockedDataset, OpenDataset

JST: Final = timezone(timedelta(hours=9), "JST")
# The doors of a ticket's workspace: a terminal into it, the picture of it, a masked page of a file, a file put in, a
# file that is asked to leave; and from it to the target.
WORKSPACE: Final = "workspace"
DESKTOP: Final = "desktop"
LOOK: Final = "look"
UPLOAD: Final = "upload"
TAKEOUT: Final = "take-out"
INNER: Final = "inner"
_OF_WORKSPACE: Final = frozenset({WORKSPACE, DESKTOP, LOOK, UPLOAD, TAKEOUT, INNER})
# What of the target reaches a terminal through a door; of any other, text.
_RECEIVED: Final[dict[str, Access | None]] = {
    "postgres": Access.MASKED_TEXT,  # and in clear what `Grant.unmask` says
    LOOK: Access.MASKED_TEXT,
    DESKTOP: Access.PIXELS,
    INNER: None,
    UPLOAD: None,
    TAKEOUT: None,
}
_HOUR: Final = 3_600_000_000
_MINUTE: Final = 60_000_000
_MINT: Final = object()


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket as its facts tell it.

    `approvers` are the accounts whose approval names this very request, in the order of the log; `request` is the
    leaf hash (hex) that an approval must name; `broken_glass` tells that it was opened without any."""

    requested: TicketRequested
    approvers: tuple[str, ...]
    closed: bool
    broken_glass: bool = False
    request: str = ""


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """`at` in microseconds since 1970, UTC."""

    person: str
    ticket: str
    target: str
    door: str
    at: int


@dataclass(frozen=True, slots=True)
class State:
    """What the decision rests on; None is what could not be read. `approvers` says how each one of the ticket's
    approvers stands."""

    ticket: Ticket | None
    policy: Policy | None
    person: Standing | None
    dataset: DatasetStanding | None
    approvers: Mapping[str, Standing] = field(default_factory=dict)
    restraints: tuple[Restraint, ...] = ()
    # Restraint -> how those stand who gave the ticket a second approval for it.
    second: Mapping[str, tuple[Standing, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Grant:
    """The proof that a target may be opened: whoever opens one takes a Grant as an argument, and only
    `decide` can make it. `closes` in microseconds since 1970, UTC: the session ends then.

    `unknown_lineage` "refuse" overrules the target's own rule. `broken_glass` grants are shown as such."""

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
    unknown_lineage: str
    broken_glass: bool
    mint: object

    def __post_init__(self) -> None:
        if self.mint is not _MINT:
            raise TypeError("only sekisho.gate.decide can make a Grant")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the gate; `en` and `ja` say what it asks. A rule about a ticket is silent without one."""

    name: str
    en: str
    ja: str
    refuses: Callable[[AccessRequest, State], Refusal | None]


def decide(request: AccessRequest, state: State) -> Grant | Refusal:
    """May this person open this target through this door, now? The first rule that refuses is the answer."""
    for rule in RULES:
        if (refusal := rule.refuses(request, state)) is not None:
            return refusal
    if state.ticket is None or state.policy is None:  # the rules have refused these; a Grant needs them still
        return Refusal(faults.STATE_UNKNOWN, {"part": "ticket"})
    asked = state.ticket.requested
    # What lands in the workspace has limits of its own; what a terminal is shown keeps the ticket's.
    bulk = asked.bulk if request.door == INNER else None
    limits = bulk.limits if bulk else asked.limits
    kept = [one.percent for one in state.restraints if one.kind == "budget" and request.at < one.until]
    shown = bulk.unmask if bulk else asked.unmask
    if _received(request.door) is Access.MASKED_TEXT and not _access(state).lets(Access.TEXT):
        shown = ()
    return Grant(
        person=asked.person,
        ticket=asked.ticket,
        organisation=asked.organisation,
        dataset=asked.dataset,
        target=asked.target,
        door=request.door,
        purpose=asked.purpose,
        closes=asked.closes,
        limits=cut(limits, min(kept)) if kept else limits,
        unmask=frozenset(unmask.item for unmask in shown),
        unknown_lineage=state.policy.unknown_lineage,
        broken_glass=state.ticket.broken_glass,
        mint=_MINT,
    )


def _has_ticket(request: AccessRequest, state: State) -> Refusal | None:
    asked = state.ticket.requested if state.ticket else None
    if asked is None or asked.ticket != request.ticket or asked.person != request.person:
        return Refusal(faults.NO_TICKET, {"ticket": request.ticket})
    return None


def _may_ask(request: AccessRequest, state: State) -> Refusal | None:
    if state.ticket is None or state.policy is None or state.person is None:
        return None
    asked = state.ticket.requested
    part = Part.EXECUTE if state.ticket.broken_glass else Part.REQUEST
    act = Act.BREAK_GLASS if state.ticket.broken_glass else act_of(asked, state.policy)
    answer = may(act, part, state.person.actor, Case(asked.organisation))
    return answer if isinstance(answer, Refusal) else None


def _is_approved(request: AccessRequest, state: State) -> Refusal | None:
    if state.ticket is None or state.ticket.broken_glass or state.policy is None or state.person is None:
        return None
    asked = state.ticket.requested
    # Who approved is judged by today's roles and chain of command: the approval of somebody who left, was frozen or
    # lost the role opens nothing any more.
    approvers = [state.approvers[name].actor for name in state.ticket.approvers if name in state.approvers]
    wanting = missing(
        act_of(asked, state.policy), approved(asked, state.policy, state.person.actor, approvers)
    )
    if not wanting:
        return None
    return Refusal(faults.NOT_APPROVED, {"ticket": asked.ticket, "roles": ", ".join(wanting)})


def _glass_is_small(request: AccessRequest, state: State) -> Refusal | None:
    ticket, policy = state.ticket, state.policy
    if ticket is None or policy is None or not ticket.broken_glass:
        return None
    asked = ticket.requested
    longest = policy.break_glass_minutes * _MINUTE
    if (
        asked.bulk
        or asked.unmask
        or asked.closes - asked.opens > longest
        or not asked.limits.within(policy.break_glass)
    ):
        return Refusal(faults.GLASS_TOO_LARGE, {"ticket": asked.ticket})
    return None


def _second_approved(request: AccessRequest, state: State) -> Refusal | None:
    """An emergency too: whoever was alarmed about must not break the glass instead."""
    ticket, person = state.ticket, state.person
    if ticket is None or person is None:
        return None
    first = frozenset(
        state.approvers[name].actor.human for name in ticket.approvers if name in state.approvers
    )
    for one in state.restraints:
        if one.kind == "budget" or request.at >= one.until:
            continue
        given = state.second.get(one.name, ())
        if not any(may_second(standing.actor, person.actor, first) for standing in given):
            return Refusal(faults.NEEDS_SECOND, {"ticket": request.ticket, "until": jst(one.until)})
    return None


def _is_open(request: AccessRequest, state: State) -> Refusal | None:
    if state.ticket is not None and state.ticket.closed:
        return Refusal(faults.TICKET_CLOSED, {"ticket": request.ticket})
    return None


def _in_window(request: AccessRequest, state: State) -> Refusal | None:
    if state.ticket is None:
        return None
    asked = state.ticket.requested
    if not asked.opens <= request.at < asked.closes:
        window = {"opens": jst(asked.opens), "closes": jst(asked.closes)}
        return Refusal(faults.OUTSIDE_WINDOW, {"ticket": asked.ticket, **window})
    return None


def _same_target(request: AccessRequest, state: State) -> Refusal | None:
    if state.ticket is None:
        return None
    asked = state.ticket.requested
    doors = {asked.door}
    if asked.bulk is not None or asked.door == WORKSPACE:
        doors |= _OF_WORKSPACE
    if asked.target != request.target or request.door not in doors:
        return Refusal(faults.OTHER_TARGET, {"ticket": asked.ticket, "target": request.target})
    return None


def _policy_known(request: AccessRequest, state: State) -> Refusal | None:
    return Refusal(faults.STATE_UNKNOWN, {"part": "policy"}) if state.policy is None else None


def _door_allowed(request: AccessRequest, state: State) -> Refusal | None:
    if state.policy is None:
        return None
    door = WORKSPACE if request.door in _OF_WORKSPACE else request.door
    if door not in state.policy.doors or (request.door == DESKTOP and not state.policy.desktops):
        return Refusal(faults.DOOR_NOT_ALLOWED, {"door": request.door})
    return None


def _in_hours(request: AccessRequest, state: State) -> Refusal | None:
    if state.policy is None or (state.ticket is not None and state.ticket.broken_glass):
        return None
    first, last = state.policy.hours
    # Japan has had no summer time since 1951: the hour of the day is plain arithmetic.
    hour = (request.at + 9 * _HOUR) // _HOUR % 24
    if not first <= hour < last:
        return Refusal(faults.OUTSIDE_HOURS, {"first": first, "last": last})
    return None


def _within_policy(request: AccessRequest, state: State) -> Refusal | None:
    if state.ticket is None or state.policy is None:
        return None
    asked, policy = state.ticket.requested, state.policy
    too_much = policy.largest is not None and not asked.limits.within(policy.largest)
    if asked.bulk is not None and (
        policy.largest_bulk is None
        or not asked.bulk.limits.within(policy.largest_bulk)
        or not asked.bulk.limits.sensible()
    ):
        return Refusal(faults.BULK_ABOVE_POLICY, {"ticket": asked.ticket})
    too_long = asked.closes - asked.opens > policy.longest_hours * _HOUR
    if too_much or too_long or not asked.limits.sensible():
        return Refusal(faults.ABOVE_POLICY, {"ticket": asked.ticket})
    return None


def _person_known(request: AccessRequest, state: State) -> Refusal | None:
    if state.person is None or state.person.account != request.person:
        return Refusal(faults.STATE_UNKNOWN, {"part": "person"})
    return None


def _person_active(request: AccessRequest, state: State) -> Refusal | None:
    if state.person is not None and state.person.human.left:
        return Refusal(faults.PERSON_NOT_ACTIVE, {"person": request.person})
    return None


def _person_not_frozen(request: AccessRequest, state: State) -> Refusal | None:
    if state.person is not None and state.person.human.frozen:
        return Refusal(faults.PERSON_FROZEN, {"person": request.person})
    return None


def _person_trained(request: AccessRequest, state: State) -> Refusal | None:
    if state.policy is None or state.person is None:
        return None
    day = datetime.fromtimestamp(request.at / 1e6, JST).date()
    if lacking := state.person.human.lacking(state.policy.courses, state.policy.rules, day):
        return Refusal(faults.NOT_TRAINED, {"person": request.person, "courses": ", ".join(lacking)})
    return None


def _dataset_known(request: AccessRequest, state: State) -> Refusal | None:
    name = state.ticket.requested.dataset if state.ticket else None
    if state.dataset is None or (name is not None and state.dataset.dataset != name):
        return Refusal(faults.STATE_UNKNOWN, {"part": "dataset"})
    return None


def _dataset_open(request: AccessRequest, state: State) -> Refusal | None:
    # The register says itself why, with its own code: that is what the worker must be told.
    if not isinstance(state.dataset, LockedDataset):
        return None
    if not state.dataset.reasons:
        return Refusal(faults.STATE_UNKNOWN, {"part": "dataset"})
    reason = state.dataset.reasons[0]
    return Refusal(reason.kind, reason.values)


def _within_sensitivity(request: AccessRequest, state: State) -> Refusal | None:
    if state.ticket is None or state.policy is None or not isinstance(state.dataset, OpenDataset):
        return None
    asked = state.ticket.requested
    cap = state.policy.cap(state.dataset.sensitivity)
    persons = asked.limits.ticket_persons + (asked.bulk.limits.ticket_persons if asked.bulk else 0)
    if cap is None or persons <= cap:
        return None
    return Refusal(faults.ABOVE_SENSITIVITY, {"ticket": asked.ticket, "persons": persons, "limit": cap})


def _received(door: str) -> Access | None:
    return _RECEIVED.get(door, Access.TEXT)


def _access(state: State) -> Access:
    return state.dataset.access if isinstance(state.dataset, OpenDataset) else Access.PIXELS


def _fits_access(request: AccessRequest, state: State) -> Refusal | None:
    received = _received(request.door)
    if not isinstance(state.dataset, OpenDataset) or received is None or _access(state).lets(received):
        return None
    kind = faults.PIXELS_ONLY if _access(state) is Access.PIXELS else faults.MASKED_ONLY
    return Refusal(kind, {"target": request.target, "door": request.door, "ticket": request.ticket})


RULES: Final = (
    Rule(
        "ticket",
        "There is a ticket of this person under this name.",
        "この名前の、本人のチケットがある。",
        _has_ticket,
    ),
    Rule("policy", "The policy in force is known.", "現在の方針が確認できる。", _policy_known),
    Rule("person", "The person is known.", "担当者が登録されている。", _person_known),
    Rule("active", "The person works here, and has not left.", "担当者が在籍中である。", _person_active),
    Rule("frozen", "The person is not frozen.", "担当者が停止されていない。", _person_not_frozen),
    Rule(
        "role",
        "The person holds the role that asks for such access to this client's data.",
        "担当者が、この委託元のデータについて申請できる役割を持っている。",
        _may_ask,
    ),
    Rule(
        "approval",
        "Everybody whose approval such a request needs approved this very request; none is the requester or "
        "under the requester's command.",
        "この申請そのものを、必要な全員が承認している。申請者本人とその指揮下の人は含まない。",
        _is_approved,
    ),
    Rule(
        "restraint",
        "While an alert asks for it, a second human has approved the ticket: no first approver, and free of the "
        "requester's chain of command.",
        "警報による制限の間は、最初の承認者でも申請者の指揮系統でもない、二人目の承認がある。",
        _second_approved,
    ),
    Rule(
        "break-glass",
        "An emergency access stays within the policy's small budget and window.",
        "緊急アクセスが方針の定める小さな上限と時間に収まっている。",
        _glass_is_small,
    ),
    Rule("open", "The ticket is not closed.", "チケットが終了していない。", _is_open),
    Rule("window", "The time is within the ticket's window.", "チケットの有効期間内である。", _in_window),
    Rule(
        "target",
        "The ticket names this target and this door.",
        "チケットがこの対象とこの入口を指定している。",
        _same_target,
    ),
    Rule("door", "The policy allows this door.", "方針がこの入口を認めている。", _door_allowed),
    Rule("hours", "Doors are open at this hour.", "入口が開いている時間帯である。", _in_hours),
    Rule(
        "bounds",
        "Budget and window of the ticket are within the policy.",
        "チケットの上限と期間が方針の範囲内である。",
        _within_policy,
    ),
    Rule(
        "training",
        "The trainings and attestations that the policy asks for are valid.",
        "方針が求める教育・誓約が有効である。",
        _person_trained,
    ),
    Rule("dataset", "The dataset is known.", "データセットが登録されている。", _dataset_known),
    Rule(
        "entrustment",
        "The dataset is open: described, entrusted hop by hop, under a contract in force.",
        "データセットを開ける: 台帳が揃い、各段の委託が承認され、契約が有効である。",
        _dataset_open,
    ),
    Rule(
        "sensitivity",
        "The ticket is for no more persons than the policy allows for data of this sensitivity.",
        "チケットの人数が、データの機微度に応じて方針が定める上限に収まっている。",
        _within_sensitivity,
    ),
    Rule(
        "access",
        "The target's access policy lets through what this door brings to a terminal: pixels, masked text or text.",
        "対象のアクセス方針が、この入口から端末に届くもの (画素、マスク済み文字、文字) を認めている。",
        _fits_access,
    ),
)


def act_of(asked: TicketRequested, policy: Policy) -> Act:
    """What the duty matrix calls this request: with a bulk allowance, or above the bulk limit, a bulk pull."""
    above = policy.bulk_persons is not None and asked.limits.ticket_persons > policy.bulk_persons
    return Act.BULK_PULL if above or asked.bulk is not None else Act.TICKET


def approved(asked: TicketRequested, policy: Policy, requester: Actor, approvers: Iterable[Actor]) -> Case:
    """The request with those of the approvals that the duty matrix allows, in their order."""
    act = act_of(asked, policy)
    case = Case(
        organisation=asked.organisation,
        doings=(Doing(Part.REQUEST, requester),),
        above_limit=act is Act.BULK_PULL,
    )
    for approver in approvers:
        answer = may(act, Part.APPROVE, approver, case)
        if not isinstance(answer, Refusal):
            case = replace(case, doings=(*case.doings, answer.doing()))
    return case


def jst(microseconds: int) -> str:
    """A time for people: "2026-11-21 20:01 JST"."""
    return datetime.fromtimestamp(microseconds / 1e6, UTC).astimezone(JST).strftime("%Y-%m-%d %H:%M JST")
