"""Gathering what `decide` rests on: every part from facts that the published log confirms."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from sekisho.faults import Fault
from sekisho.gate import faults
from sekisho.gate.decide import JST, AccessRequest, State
from sekisho.gate.policies import ABOUT, read_policy
from sekisho.gate.restraints import Restraint, read_restraints, read_second
from sekisho.gate.restraints import about as restraints_about
from sekisho.gate.standing import Standing, read_standing
from sekisho.gate.tickets import PublishedLog, read_ticket
from sekisho.ledger import Ledger, Recorded
from sekisho.register.attested import attested_standing

# Facts that take something away. A database from which one of them was removed would open what it closed.
RESTRICTING: Final = frozenset(
    {
        "gate.ticket_closed",
        "gate.policy_proposed",
        "gate.policy_approved",
        "gate.restraint_imposed",
        "people.person_moved",
        "people.person_frozen",
        "people.person_left",
        "people.role_revoked",
        "people.ssh_key_revoked",
    }
)


async def gather(
    ledger: Ledger, published: PublishedLog, request: AccessRequest, *, until: int | None = None
) -> State:
    """The state for one access. `until` (microseconds since 1970) asks for ticket and policy as they were.

    Raises Fault NOT_IN_THE_LOG (of gate, people or register) or POLICY_NOT_IN_THE_LOG when a fact is not published so,
    FACT_MISSING when the published log has one that the database lacks."""
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
    restraints: tuple[Restraint, ...] = ()
    second: dict[str, tuple[Standing, ...]] = {}
    if person is not None:
        restraints = await read_restraints(ledger, confirms, person.human.person)
        asked = ticket.request if ticket is not None else ""
        given = await read_second(ledger, confirms, request.ticket, asked) if restraints else {}
        for restraint, names in given.items():
            standings = [await read_standing(ledger, name, confirms) for name in sorted(names)]
            second[restraint] = tuple(one for one in standings if one is not None)
    dataset = None
    if ticket is not None:
        day = datetime.fromtimestamp(request.at / 1e6, JST).date()
        dataset = await attested_standing(ledger, ticket.requested.dataset, day, confirms)
    if until is None:
        others = [standing for several in second.values() for standing in several]
        humans = [standing for standing in (person, *approvers.values(), *others) if standing is not None]
        about = {request.ticket, ABOUT, *(one.human.person for one in humans)}.union(
            *(one.above for one in humans)
        )
        if person is not None:
            about.add(restraints_about(person.human.person))
        await _nothing_is_missing(published, about, {seq for seq, _ in confirmed})
    return State(ticket, policy.policy, person, dataset, approvers, restraints, second)


async def _nothing_is_missing(published: PublishedLog, about: Collection[str], read: set[int]) -> None:
    for seq in sorted(await published.restrictions(about)):
        if seq not in read:
            raise Fault(faults.FACT_MISSING, seq=seq)
