"""Hops, contracts and federations that open more than what stands: they take two persons, as a catalogue does.

A dataset stays locked until a chain of hops under contracts in force leads to whoever reaches it (`standing`). So
whoever could write a longer contract alone could open what has ended. What ends sooner or holds more clauses is
recorded at once.
"""

import hashlib
from collections.abc import Iterable

import msgspec

from sekisho.register.facts import ContractAdded, EntrustmentAdded, EntrustmentsProposed, TieAdded
from sekisho.register.parties import Clause, Contract, Hop, Parties, TieKind
from sekisho.register.periods import Interval, Period

Binding = TieAdded | EntrustmentAdded | ContractAdded


def opens(held: Parties, fact: Binding) -> bool:
    """Whether something that is locked now could stand open once this is recorded."""
    match fact:
        case TieAdded():
            return fact.kind is TieKind.FEDERATION_OF
        case EntrustmentAdded():
            hop = _hop(held, fact.hop)
            if hop is None or (hop.client, hop.giver, hop.receiver) != (
                fact.client,
                fact.giver,
                fact.receiver,
            ):
                return True
            # The wording is another one, so that what the client itself approved of the old one is void.
            paper = hop.approval if hop.approval and hop.approval.on_paper else None
            on_paper = (paper.by, paper.on) if paper else ("", None)
            claims_more = fact.approved_on is not None and (fact.approved_by, fact.approved_on) != on_paper
            return claims_more or not hop.datasets.issuperset(fact.datasets) or fact.began < hop.began
        case ContractAdded():
            contract = _contract(held, fact.contract)
            if contract is None or contract.hop != fact.hop or not contract.clauses.issubset(fact.clauses):
                return True
            return not _within(contract.period, fact.period)


def proposed(held: Parties, facts: Iterable[Binding], file: str) -> EntrustmentsProposed:
    facts = tuple(facts)
    proposal = EntrustmentsProposed(
        ties=tuple(fact for fact in facts if isinstance(fact, TieAdded)),
        hops=tuple(fact for fact in facts if isinstance(fact, EntrustmentAdded)),
        contracts=tuple(fact for fact in facts if isinstance(fact, ContractAdded)),
        replaces="",
        file=file,
    )
    return msgspec.structs.replace(proposal, replaces=state_of(held, proposal))


def parts_of(proposal: EntrustmentsProposed) -> tuple[tuple[str, Binding], ...]:
    """(what it is about, fact) of each, ids before what names them."""
    return (
        *((tie.party, tie) for tie in proposal.ties),
        *((hop.hop, hop) for hop in proposal.hops),
        *((contract.contract, contract) for contract in proposal.contracts),
    )


def state_of(held: Parties, proposal: EntrustmentsProposed) -> str:
    """What the proposal replaces: a digest (hex) of the rows of its ids as they stand."""
    hops = {hop.hop for hop in proposal.hops}
    contracts = {contract.contract for contract in proposal.contracts}
    ties = {(tie.kind, tie.party, tie.other) for tie in proposal.ties}
    rows: list[object] = [
        (hop.id, hop.client, hop.giver, hop.receiver, sorted(hop.datasets), hop.began)
        for hop in sorted(held.hops, key=lambda hop: hop.id)
        if hop.id in hops
    ]
    rows += [
        (one.id, one.hop, one.period, sorted(one.clauses))
        for one in sorted(held.contracts, key=lambda one: one.id)
        if one.id in contracts
    ]
    rows += [tie for tie in held.ties if (tie.kind, tie.party, tie.other) in ties]
    return hashlib.sha256(msgspec.json.encode(rows)).hexdigest()


def differences(held: Parties, proposal: EntrustmentsProposed) -> list[str]:
    """What a second person compares, a line each: what stands now, and what would."""
    said = [f"{tie.party} = {tie.kind.value} {tie.other}" for tie in proposal.ties]
    for fact in proposal.hops:
        hop = _hop(held, fact.hop)
        before = _said_hop(hop.giver, hop.receiver, hop.datasets, str(hop.began)) + " ⇒ " if hop else ""
        paper = f" ({fact.approved_by} {fact.approved_on})" if fact.approved_on else ""
        after = _said_hop(fact.giver, fact.receiver, fact.datasets, str(fact.began))
        said.append(f"{fact.hop}: {before}{after}{paper}")
    for one in proposal.contracts:
        contract = _contract(held, one.contract)
        fewer = sorted(contract.clauses.difference(one.clauses)) if contract else []
        less = "".join(f" −{Clause(clause).value}" for clause in fewer)
        was = f"{contract.hop} {contract.period.raw} ⇒ " if contract else ""
        said.append(f"{one.contract}: {was}{one.hop} {one.period.raw}{less}")
    return said


def _said_hop(giver: str, receiver: str, datasets: Iterable[str], began: str) -> str:
    return f"{giver} → {receiver} [{', '.join(sorted(datasets))}] {began}"


def _hop(held: Parties, name: str) -> Hop | None:
    return next((hop for hop in held.hops if hop.id == name), None)


def _contract(held: Parties, name: str) -> Contract | None:
    return next((one for one in held.contracts if one.id == name), None)


def _within(outer: Period, inner: Period) -> bool:
    """Whether each interval of `inner` lies in one of `outer`; a period that is not known holds no day."""
    return all(any(_holds(one, new) for one in outer.intervals) for new in inner.intervals)


def _holds(outer: Interval, inner: Interval) -> bool:
    first, last, new_first, new_last = outer.first(), outer.last(), inner.first(), inner.last()
    begins = first is None or (new_first is not None and new_first >= first)
    ends = last is None or (new_last is not None and new_last <= last)
    return begins and ends
