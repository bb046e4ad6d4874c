"""Proposing, approving and reading the policy."""

from typing import Final

from sekisho.faults import Fault
from sekisho.gate import faults
from sekisho.gate.duties import Act, Case, Doing, Part, may
from sekisho.gate.facts import PolicyApproved, PolicyProposed
from sekisho.gate.policy import Approval, InForce, Policy, Proposal, in_force
from sekisho.gate.refusal import Refusal
from sekisho.gate.standing import Confirms, read_standing
from sekisho.ledger import Ledger, Recorded

ABOUT: Final = "policy"
_PAGE: Final = 500


async def read_policy(
    ledger: Ledger, confirms: Confirms | None = None, *, until: int | None = None
) -> InForce:
    """The policy in force, or as it was at `until` (microseconds since 1970).

    Roles are asked for when somebody acts, not here: a policy stays in force when its approver leaves, since
    falling back to an older one could open what it closed. Raises Fault POLICY_NOT_IN_THE_LOG when a fact is not
    the published one, or names a person who cannot be read."""
    steps: list[Proposal | Approval] = []
    humans: dict[str, str] = {}
    for recorded in await _facts(ledger):
        if until is not None and recorded.at.timestamp() * 1e6 > until:
            break
        if confirms is not None and not await confirms(recorded):
            raise Fault(faults.POLICY_NOT_IN_THE_LOG)
        match recorded.typed():
            case PolicyProposed() as fact if recorded.by == fact.proposer:
                hash_ = recorded.leaf_hash.hex()
                steps.append(Proposal(hash_, fact.replaces, fact.proposer, fact.policy))
            case PolicyApproved() as fact if recorded.by == fact.approver:
                steps.append(Approval(fact.request, fact.approver))
            case _:
                continue
        if recorded.by not in humans:
            standing = await read_standing(ledger, recorded.by, confirms)
            if standing is None:
                raise Fault(faults.POLICY_NOT_IN_THE_LOG)
            humans[recorded.by] = standing.human.person
    return in_force(steps, humans)


async def _facts(ledger: Ledger) -> list[Recorded]:
    names = ["gate.policy_proposed", "gate.policy_approved"]
    found = page = await ledger.facts(0, _PAGE, names=names, about=ABOUT)
    while len(page) == _PAGE:
        page = await ledger.facts(page[-1].seq + 1, _PAGE, names=names, about=ABOUT)
        found = found + page
    return found


async def propose_policy(ledger: Ledger, proposal: str, policy: Policy, *, by: str, reason: str) -> Recorded:
    """Propose to replace the policy in force. Raises Fault BAD_POLICY, or why this person may not."""
    if mistakes := policy.mistakes():
        raise Fault(faults.BAD_POLICY, fields=", ".join(mistakes))
    replaces = (await read_policy(ledger)).request
    await _allow(ledger, Part.REQUEST, by, Case())
    fact = PolicyProposed(proposal=proposal, proposer=by, policy=policy, replaces=replaces, reason=reason)
    return await ledger.record(fact, by=by, about=ABOUT)


async def approve_policy(ledger: Ledger, proposal: str, *, by: str) -> Recorded:
    """Approve a proposal, which is in force from then on. Raises Fault POLICY_CHANGED, or why this person may not."""
    for recorded in await _facts(ledger):
        fact = recorded.typed()
        if isinstance(fact, PolicyProposed) and fact.proposal == proposal:
            break
    else:
        raise Fault(faults.POLICY_CHANGED, proposal=proposal)
    if fact.replaces != (await read_policy(ledger)).request:
        raise Fault(faults.POLICY_CHANGED, proposal=proposal)
    proposer = await read_standing(ledger, fact.proposer)
    if proposer is None:
        raise Fault(faults.STATE_UNKNOWN, part="person")
    await _allow(ledger, Part.APPROVE, by, Case(doings=(Doing(Part.REQUEST, proposer.actor),)))
    given = PolicyApproved(proposal=proposal, approver=by, request=recorded.leaf_hash.hex())
    return await ledger.record(given, by=by, about=ABOUT)


async def _allow(ledger: Ledger, part: Part, account: str, case: Case) -> None:
    standing = await read_standing(ledger, account)
    if standing is None:
        raise Fault(faults.STATE_UNKNOWN, part="person")
    answer = may(Act.POLICY, part, standing.actor, case)
    if isinstance(answer, Refusal):
        raise answer.fault()
