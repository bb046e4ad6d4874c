"""Gathering what `decide` rests on: every part from facts that the published log confirms.

The register is the exception: it answers from its tables. A forged row there is found by `sekisho state rebuild
--check`, and opens nothing without a ticket that others approved.
"""

from datetime import datetime

from sekisho.gate.decide import JST, AccessRequest, State
from sekisho.gate.policies import read_policy
from sekisho.gate.standing import read_standing
from sekisho.gate.tickets import PublishedLog, read_ticket
from sekisho.ledger import Ledger, Recorded
from sekisho.register.standing import standing as dataset_standing


async def gather(
    ledger: Ledger, published: PublishedLog, request: AccessRequest, *, until: int | None = None
) -> State:
    """The state for one access. Raises Fault NOT_IN_THE_LOG (of gate or people) or POLICY_NOT_IN_THE_LOG when a
    fact is not the published one. `until` (microseconds since 1970) asks for ticket and policy as they were."""
    # A manager is read as such and as an approver. The index counts: an old leaf copied to a later row is a forgery.
    confirmed: dict[tuple[int, bytes], bool] = {}

    async def confirms(recorded: Recorded) -> bool:
        place = recorded.seq, recorded.leaf_hash
        if place not in confirmed:
            confirmed[place] = await published.confirms(recorded)
        return confirmed[place]

    ticket = await read_ticket(ledger, confirms, request.ticket, until=until)
    policy = await read_policy(ledger, confirms, until=until)
    person = await read_standing(ledger, request.person, confirms)
    approvers = {}
    for name in ticket.approvers if ticket else ():
        if (standing := await read_standing(ledger, name, confirms)) is not None:
            approvers[name] = standing
    dataset = None
    if ticket is not None:
        day = datetime.fromtimestamp(request.at / 1e6, JST).date()
        async with ledger.read() as connection:
            dataset = await dataset_standing(connection, ticket.requested.dataset, day)
    return State(ticket, policy.policy, person, dataset, approvers)
