"""May this take-out leave, or was it right that it left? Decided from the leaves of the log alone, without a database.

The same function answers before a release, and afterwards for anybody who has the log: `verify_release`. An approval is
a signature; the fact that carries it proves nothing by itself. It counts when

- it is over the digest of the one request, by a key that the approver's account had, neither revoked nor voided since,
- it was given before the request expired and before it was closed,
- the duty matrix lets this human approve it: both when it was given and now. So never the requester, never one human
  twice, no chain of command between two approvers, another employer and the client's own approver where it is above
  the limit, for each client organisation whose persons are inside.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sekisho.gate.decide import jst
from sekisho.gate.duties import Act, Actor, Allowed, Case, Part, may, missing
from sekisho.gate.refusal import Refusal
from sekisho.ledger import Recorded
from sekisho.ledger.leaf import micros
from sekisho.takeout import faults
from sekisho.takeout.canonical import digest, document
from sekisho.takeout.facts import TakeoutApproved, TakeoutClosed, TakeoutReleased, TakeoutRequested
from sekisho.takeout.history import History
from sekisho.takeout.signatures import Relying, passkey_signed, ssh_signed

# Enforcement rules 7(iv) count from 1,000 persons; one card is enough for 7(ii).
CLIENT_ABOVE: Final = 1_000  # persons
EMPLOYERS_ABOVE: Final = 100
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

    @property
    def ok(self) -> bool:
        return not self.against


def above_limit(asked: TakeoutRequested) -> bool:
    """Whether the client's own approver is needed."""
    return _most(asked) > CLIENT_ABOVE or asked.cards > 0 or asked.numbers > 0


def _most(asked: TakeoutRequested) -> int:
    """Persons, or rows where those are more: who are told apart by columns that the requester filled may be too few."""
    return max(asked.persons, asked.rows)


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
    approvals, notes = _signed(history, found, asked, end, relying)
    cases: tuple[Case, ...] = ()
    for late in (False, True):
        refused, why, cases = _judge_approvers(history, asked, first.seq, approvals, end if late else None)
        against += [one for one in refused if one not in against]
        notes += [one for one in why if one not in notes]
    against += _judge_releases(asked, releases)
    numbers = tuple(one.seq for one in releases)
    return Verdict(asked, first.seq, tuple(approvals), tuple(against), tuple(notes), numbers, cases)


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
    end: int | None,
) -> tuple[list[Refusal], list[Refusal], tuple[Case, ...]]:
    """(why the take-out lacks something, which approvals do not count, the cases), with each approver as before the
    leaf `end`, or as when approving (None)."""
    against: list[Refusal] = []
    notes: list[Refusal] = []
    requester = history.actor(asked.person, requested)
    actors = [(one, history.actor(one.given.approver, one.seq if end is None else end)) for one in approvals]
    counting: dict[str, Actor] = {}
    if not asked.organisations:
        against.append(Refusal(faults.BAD_REQUEST, {"takeout": asked.takeout, "fields": "organisations"}))
    refusals: dict[int, Refusal] = {}
    cases: list[Case] = []
    for organisation in asked.organisations:
        case = Case(organisation, above_limit=above_limit(asked))
        begun = may(Act.CARRY_OUT, Part.REQUEST, requester, case) if requester else None
        if not isinstance(begun, Allowed):
            against += [begun] if begun else []
            continue
        case = Case(organisation, doings=(begun.doing(),), above_limit=above_limit(asked))
        for approval, actor in actors:
            if actor is None:
                continue
            answer = may(Act.CARRY_OUT, Part.APPROVE, actor, case)
            if isinstance(answer, Allowed):
                counting[actor.human] = actor
                doings = (*case.doings, answer.doing())
                case = Case(organisation, doings=doings, above_limit=above_limit(asked))
            else:
                refusals[approval.seq] = answer
        cases.append(case)
        if lacking := missing(Act.CARRY_OUT, case):
            values = {"takeout": asked.takeout, "organisation": organisation, "roles": ", ".join(lacking)}
            against.append(Refusal(faults.APPROVALS_MISSING, values))
    if _most(asked) > EMPLOYERS_ABOVE and len({one.employer for one in counting.values()}) == 1:
        values = {"takeout": asked.takeout, "limit": f"{EMPLOYERS_ABOVE:,}"}
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
