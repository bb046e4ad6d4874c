"""May this take-out leave, or was it right that it left? Decided from the leaves of the log alone, without a database.

The same function answers before a release, and afterwards for anybody who has the log: `verify_release`. An approval is
a signature; the fact that carries it proves nothing by itself. It counts when

- it is over the digest of the one request, by a key that the approver's account had, neither revoked nor voided since,
- it was given before the request expired and before it was closed,
- the duty matrix lets this human approve it: both when it was given and now. So never the requester, never one human
  twice, no chain of command between two approvers, another employer and the client's own approver where it is above
  the policy's limits, for each client organisation whose persons are inside.

What the policy in force at the request, or now, does not allow does not leave: the stricter of both counts. Nor does
anything go to a recipient who is not registered (`recipients`), beyond what the policy lets strangers have.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sekisho.gate.decide import jst
from sekisho.gate.duties import Act, Actor, Allowed, Case, Part, may, missing
from sekisho.gate.policy import Policy
from sekisho.gate.refusal import Refusal
from sekisho.ledger import Recorded
from sekisho.ledger.leaf import micros
from sekisho.takeout import faults
from sekisho.takeout.canonical import digest, document
from sekisho.takeout.facts import (
    TakeoutApproved,
    TakeoutClosed,
    TakeoutReleased,
    TakeoutRequested,
    TakeoutShared,
)
from sekisho.takeout.history import History
from sekisho.takeout.recipients import is_registered
from sekisho.takeout.signatures import Relying, passkey_signed, ssh_signed

_HOUR: Final = 3_600_000_000
_OPEN_END: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class Approval:
    """A signature that was verified, in its place in the log."""

    seq: int
    given: TakeoutApproved


@dataclass(frozen=True, slots=True)
class Verdict:
    """`against` says why the take-out may not leave, or was wrong to; empty: it may, or was right. `notes` name
    approvals that do not count, although enough others do. `released` are the indices of the releases."""

    asked: TakeoutRequested | None
    requested: int
    approvals: tuple[Approval, ...]
    against: tuple[Refusal, ...]
    notes: tuple[Refusal, ...]
    released: tuple[int, ...]
    cases: tuple[Case, ...] = ()  # by organisation, with the approvals that count
    shares: tuple[TakeoutShared, ...] = ()
    limits: "Limits | None" = None

    @property
    def ok(self) -> bool:
        return not self.against


@dataclass(frozen=True, slots=True)
class Limits:
    """What the policy says of take-outs; of two policies, the stricter of each."""

    client_above: int
    employers_above: int
    strangers: int
    largest: int | None
    channels: frozenset[str]
    hours: int

    @classmethod
    def of(cls, *policies: Policy) -> "Limits":
        bounds = [one.takeout_largest for one in policies if one.takeout_largest is not None]
        return cls(
            client_above=min(one.takeout_client_above for one in policies),
            employers_above=min(one.takeout_employers_above for one in policies),
            strangers=min(one.takeout_strangers for one in policies),
            largest=min(bounds, default=None),
            channels=frozenset.intersection(*(frozenset(one.takeout_channels) for one in policies)),
            hours=min(one.takeout_hours for one in policies),
        )

    def above(self, asked: TakeoutRequested) -> bool:
        """Whether the client's own approver is needed; one card is enough (enforcement rules 7(ii))."""
        return how_many(asked) > self.client_above or asked.cards > 0 or asked.numbers > 0


def how_many(asked: TakeoutRequested) -> int:
    """Persons, or rows where those are more: who are told apart by columns that the requester filled may be too few."""
    return max(asked.persons, asked.rows)


def policy_refusals(
    history: History, asked: TakeoutRequested, moments: Sequence[int], requested_at: int
) -> list[Refusal]:
    """Why this may not leave whoever signs: as of each of the leaves `moments`. `requested_at` in microseconds."""
    limits = Limits.of(*(history.policy(one) for one in moments))
    most, found = how_many(asked), []
    if asked.channel not in limits.channels:
        found.append(f"channel {asked.channel}")
    if limits.largest is not None and most > limits.largest:
        found.append(f"{most:,} > {limits.largest:,}")
    if asked.expires - requested_at > limits.hours * _HOUR:
        found.append(f"more than {limits.hours} h to lapse")
    refusals = [Refusal(faults.ABOVE_POLICY, {"takeout": asked.takeout, "reason": why}) for why in found]
    if most > limits.strangers and not all(is_registered(history, asked, one) for one in moments):
        values = {
            "takeout": asked.takeout,
            "recipient": asked.recipient,
            "organisations": ", ".join(asked.organisations),
            "persons": f"{most:,}",
            "limit": f"{limits.strangers:,}",
        }
        refusals.append(Refusal(faults.STRANGER, values))
    return refusals


def given_shares(found: Sequence[Recorded], asked: TakeoutRequested) -> tuple[TakeoutShared, ...]:
    """What holders of a seat gave for the recipient, with a signature or without."""
    holders = {one.account for one in asked.holdings}
    shares: list[TakeoutShared] = []
    for recorded in found:
        match recorded.typed():
            case TakeoutApproved(approver=holder, share=share) if share and recorded.by == holder:
                shares.append(TakeoutShared(takeout=asked.takeout, holder=holder, share=share))
            case TakeoutShared() as fact if recorded.by == fact.holder:
                shares.append(fact)
    return tuple(one for one in dict.fromkeys(shares) if one.holder in holders)


def missing_seats(asked: TakeoutRequested, shares: Sequence[TakeoutShared]) -> list[tuple[str, str]]:
    """(role, organisation) of the seats whose share nobody gave."""
    given = {one.holder for one in shares}
    served = {(one.role, one.organisation) for one in asked.holdings if one.account in given}
    return sorted({(one.role, one.organisation) for one in asked.holdings} - served)


def verify_release(
    history: History, takeout: str, relying: Relying, *, now: datetime | None = None
) -> Verdict:
    """Judge a take-out: its release where the log has one, else whether it may be released `now`."""
    found = history.of_takeout(takeout)
    first = next((one for one in found if isinstance(one.typed(), TakeoutRequested)), None)
    asked = first.typed() if first else None
    if first is None or not isinstance(asked, TakeoutRequested) or asked.takeout != takeout:
        return Verdict(None, -1, (), (Refusal(faults.NO_TAKEOUT, {"takeout": takeout}),), (), ())
    releases = [one for one in found if isinstance(one.typed(), TakeoutReleased)]
    end = releases[0].seq if releases else _OPEN_END
    against: list[Refusal] = []
    requester = history.actor(asked.person, first.seq)
    if first.by != asked.person or requester is None:
        values = {"takeout": takeout, "person": asked.person}
        return Verdict(asked, first.seq, (), (Refusal(faults.NOT_THE_REQUESTER, values),), (), ())
    closed = next((one for one in found if isinstance(one.typed(), TakeoutClosed)), None)
    if closed is not None and closed.seq < end:
        fact = closed.typed()
        how = fact.how if isinstance(fact, TakeoutClosed) else ""
        against.append(Refusal(faults.ENDED, {"takeout": takeout, "how": how}))
    at = releases[0].at if releases else now or datetime.now(UTC)
    if micros(at) >= asked.expires:
        against.append(Refusal(faults.LAPSED, {"takeout": takeout, "expires": jst(asked.expires)}))
    against += policy_refusals(history, asked, (first.seq, end), micros(first.at))
    limits = Limits.of(history.policy(first.seq), history.policy(end))
    approvals, notes = _signed(history, found, asked, end, relying)
    shares = given_shares([one for one in found if one.seq < end], asked)
    cases: tuple[Case, ...] = ()
    for late in (False, True):
        refused, why, cases = _judge_approvers(
            history, asked, first.seq, approvals, limits, end if late else None
        )
        against += [one for one in refused if one not in against]
        notes += [one for one in why if one not in notes]
    if lacking := missing_seats(asked, shares):
        seats = ", ".join(f"{role} ({organisation})" for role, organisation in lacking)
        against.append(Refusal(faults.SHARES_MISSING, {"takeout": takeout, "seats": seats}))
    against += _judge_releases(asked, releases)
    return Verdict(
        asked=asked,
        requested=first.seq,
        approvals=tuple(approvals),
        against=tuple(against),
        notes=tuple(notes),
        released=tuple(one.seq for one in releases),
        cases=cases,
        shares=shares,
        limits=limits,
    )


def signature_refusal(
    history: History, asked: TakeoutRequested, given: TakeoutApproved, before: int, relying: Relying
) -> Refusal | None:
    """Why this signature is none by a key that the approver's account has just before the leaf `before`, or None."""
    values = {"takeout": asked.takeout, "approver": given.approver}
    if given.digest != digest(asked).hex():
        return Refusal(faults.OTHER_DIGEST, values)
    good = False
    if given.method == "ssh":
        key = history.ssh_key(given.key, given.approver, before)
        good = key is not None and ssh_signed(document(asked), given.signature, key)
    elif given.method == "passkey":
        key = history.passkey(given.key, given.approver, before)
        good = key is not None and passkey_signed(digest(asked), given.signature, given.key, key, relying)
    return None if good else Refusal(faults.BAD_SIGNATURE, values)


def _signed(
    history: History, found: Sequence[Recorded], asked: TakeoutRequested, end: int, relying: Relying
) -> tuple[list[Approval], list[Refusal]]:
    approvals: list[Approval] = []
    notes: list[Refusal] = []
    for recorded in found:
        given = recorded.typed()
        if not isinstance(given, TakeoutApproved) or recorded.seq > end:
            continue
        refusal = signature_refusal(history, asked, given, recorded.seq, relying) or signature_refusal(
            history, asked, given, end, relying
        )
        if refusal is None and recorded.by != given.approver:
            refusal = Refusal(faults.BAD_SIGNATURE, {"takeout": asked.takeout, "approver": given.approver})
        if refusal is None and micros(recorded.at) >= asked.expires:
            refusal = Refusal(faults.LAPSED, {"takeout": asked.takeout, "expires": jst(asked.expires)})
        if refusal is None:
            approvals.append(Approval(recorded.seq, given))
        else:
            notes.append(refusal)
    return approvals, notes


def _judge_approvers(
    history: History,
    asked: TakeoutRequested,
    requested: int,
    approvals: Sequence[Approval],
    limits: Limits,
    end: int | None,
) -> tuple[list[Refusal], list[Refusal], tuple[Case, ...]]:
    """(why the take-out lacks something, which approvals do not count, the cases), with each approver as before the
    leaf `end`, or as when approving (None)."""
    against: list[Refusal] = []
    notes: list[Refusal] = []
    above = limits.above(asked)
    requester = history.actor(asked.person, requested)
    actors = [(one, history.actor(one.given.approver, one.seq if end is None else end)) for one in approvals]
    counting: dict[str, Actor] = {}
    if not asked.organisations:
        against.append(Refusal(faults.BAD_REQUEST, {"takeout": asked.takeout, "fields": "organisations"}))
    refusals: dict[int, Refusal] = {}
    cases: list[Case] = []
    for organisation in asked.organisations:
        case = Case(organisation, above_limit=above)
        begun = may(Act.CARRY_OUT, Part.REQUEST, requester, case) if requester else None
        if not isinstance(begun, Allowed):
            against += [begun] if begun else []
            continue
        case = Case(organisation, doings=(begun.doing(),), above_limit=above)
        for approval, actor in actors:
            if actor is None:
                continue
            answer = may(Act.CARRY_OUT, Part.APPROVE, actor, case)
            if isinstance(answer, Allowed):
                counting[actor.human] = actor
                doings = (*case.doings, answer.doing())
                case = Case(organisation, doings=doings, above_limit=above)
            else:
                refusals[approval.seq] = answer
        cases.append(case)
        if lacking := missing(Act.CARRY_OUT, case):
            values = {"takeout": asked.takeout, "organisation": organisation, "roles": ", ".join(lacking)}
            against.append(Refusal(faults.APPROVALS_MISSING, values))
    if how_many(asked) > limits.employers_above and len({one.employer for one in counting.values()}) == 1:
        values = {"takeout": asked.takeout, "limit": f"{limits.employers_above:,}"}
        against.append(Refusal(faults.ONE_EMPLOYER, values))
    humans = {one.human for one in counting.values()}
    notes += [
        refusals[one.seq]
        for one, actor in actors
        if one.seq in refusals and actor and actor.human not in humans
    ]
    return against, notes, tuple(cases)


def _judge_releases(asked: TakeoutRequested, releases: Sequence[Recorded]) -> list[Refusal]:
    wrong: list[tuple[int, str]] = []
    for number, recorded in enumerate(releases, 1):
        fact = recorded.typed()
        if number > 1:
            wrong.append((number, "each take-out is released once"))
        elif not isinstance(fact, TakeoutReleased) or fact.digest != digest(asked).hex():
            wrong.append((number, "it names another digest"))
    return [
        Refusal(faults.RELEASED_OTHERWISE, {"takeout": asked.takeout, "number": number, "reason": reason})
        for number, reason in wrong
    ]
