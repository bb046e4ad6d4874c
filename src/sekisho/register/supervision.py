"""The supervision file of each entrustment, and what is missing of it (Guidelines 3-4-4; per client, R123).

What is asked of an entrusted party: it was selected after a check, there is a contract with the usual clauses, its
handling is looked at, what it passes on was approved, and it meets the client's own security profile. Each answer
has a day and lapses. Certificates are shown apart and answer nothing (`profiles.Certificate`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from sekisho.faults import Fault
from sekisho.register import faults
from sekisho.register.inventory import Dataset, gaps
from sekisho.register.parties import (
    Contract,
    Hop,
    Parties,
    Supervision,
    SupervisionItem,
    missing_clauses,
    obstacles,
)
from sekisho.register.profiles import Bound, Profiles, differences


@dataclass(frozen=True, slots=True)
class SupervisionFile:
    """Of one hop on one day. `answers` has each item of the Guidelines, with its evidence in force or None."""

    hop: Hop
    answers: tuple[tuple[SupervisionItem, Supervision | None], ...]
    contracts: tuple[Contract, ...]
    obstacles: tuple[Fault, ...]

    @property
    def complete(self) -> bool:
        """All items answered with a day, every contract in force with all clauses, and nothing in the way."""
        answered = all(answer is not None for _, answer in self.answers)
        return answered and not self.obstacles and not any(missing_clauses(one) for one in self.contracts)


def supervision_file(parties: Parties, hop: Hop, on: date) -> SupervisionFile:
    in_force = [one for one in parties.supervision if one.hop == hop.id and one.on <= on <= one.until]
    latest = {one.item: one for one in sorted(in_force, key=lambda one: one.on)}
    return SupervisionFile(
        hop=hop,
        answers=tuple((item, latest.get(item)) for item in SupervisionItem),
        contracts=tuple(one for one in parties.contracts if one.hop == hop.id and one.period.contains(on)),
        obstacles=tuple(obstacles(parties, hop, on)),
    )


def client_gaps(
    parties: Parties,
    datasets: tuple[Dataset, ...],
    profiles: Profiles,
    client: str,
    on: date,
) -> tuple[Fault, ...]:
    """What is missing for one client, each gap once, datasets first and then hop by hop."""
    found: list[Fault] = []
    hops = [hop for hop in parties.hops if hop.client == client]
    passed_on = {name for hop in hops for name in hop.datasets}
    for dataset in datasets:
        if dataset.client != client:
            continue
        if missing := gaps(dataset):
            fields = ", ".join(missing)
            found.append(Fault(faults.DESCRIPTION_GAPS, dataset=dataset.id, fields=fields))
        if dataset.target and dataset.id not in passed_on:
            found.append(Fault(faults.HOPLESS, dataset=dataset.id, target=dataset.target))
    demands = [demand for demand in profiles.demands if demand.organisation == client]
    for hop in hops:
        found += _gaps_of_hop(parties, supervision_file(parties, hop, on))
        held = [measure for measure in profiles.measures if measure.organisation == hop.receiver]
        for difference in differences(demands, held):
            found.append(
                Fault(
                    faults.BELOW_PROFILE,
                    receiver=parties.name(hop.receiver),
                    client=parties.name(client),
                    control=difference.demand.control,
                    sign="≥" if difference.demand.bound is Bound.LEAST else "≤",
                    value=difference.demand.value,
                    held="-" if difference.held is None else difference.held,
                )
            )
    return tuple(found)


def _gaps_of_hop(parties: Parties, file: SupervisionFile) -> Iterator[Fault]:
    hop = file.hop
    yield from file.obstacles
    if hop.approval is not None and hop.approval.on_paper and hop.giver not in parties.acting_for(hop.client):
        yield Fault(faults.APPROVAL_ON_PAPER, hop=hop.id, client=parties.name(hop.client))
    for contract in parties.contracts:
        if contract.hop == hop.id and not contract.period.intervals:
            yield Fault(faults.PERIOD_UNKNOWN, contract=contract.id, hop=hop.id)
    for contract in file.contracts:
        for clause in missing_clauses(contract):
            yield Fault(faults.CLAUSE_MISSING, contract=contract.id, hop=hop.id, clause=clause)
    for item, answer in file.answers:
        if answer is None:
            yield Fault(faults.SUPERVISION_MISSING, hop=hop.id, item=item)
