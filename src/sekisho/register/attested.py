"""How a dataset stands, from the facts themselves, each held against the published log.

The tables are for lists and screens; here they only say where to look. Whoever edits the database, facts and
projections alike, has not edited the published log: a prolonged contract, an approval or an operator that was never
recorded opens nothing. What this does not find by itself is a later fact that was deleted from the database (a hop
that was narrowed, say): the publisher stops on the gap, and `sekisho verify` names it.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import date
from typing import Final, TypeVar

import msgspec
from sqlalchemy import Select, select

from sekisho.faults import Fault
from sekisho.ledger import Connection, Fact, Ledger, Recorded
from sekisho.ledger.leaf import kind_of, read_recorded
from sekisho.register import faults
from sekisho.register.access import access_of, loosens
from sekisho.register.facts import (
    ContractAdded,
    DatasetAdded,
    DatasetDescribed,
    EntrustmentAdded,
    HopApproved,
    TargetAdded,
    TargetProposed,
    TieAdded,
)
from sekisho.register.inventory import Dataset
from sekisho.register.parties import Approval, Contract, Hop, LegalPerson, Parties, Tie
from sekisho.register.standing import DatasetStanding, Location, grade_of, judge
from sekisho.register.tables import JST, contracts, entrustments, organisations, ties

Confirms = Callable[[Recorded], Awaitable[bool]]
_PAGE: Final = 500
_Kind = TypeVar("_Kind", bound=Fact)


async def attested_standing(ledger: Ledger, dataset: str, on: date, confirms: Confirms) -> DatasetStanding:
    """As `standing`, from confirmed facts. Raises Fault NOT_IN_THE_LOG when a fact is not the published one."""
    reading = _Reading(ledger, confirms)
    location = None
    added = await reading.last(DatasetAdded, dataset, lambda fact: fact.dataset)
    if added is not None:
        target, stated = await reading.target(added.target)
        operator = target.operator if target else ""
        access = access_of(stated, target.protocol if target else "", added.tables)
        location = Location(added.organisation, added.target, operator, grade_of(added.tables), access)
    described = await reading.last(DatasetDescribed, dataset, lambda fact: fact.dataset)
    parties = await reading.parties(location.organisation, dataset) if location else Parties()
    return judge(dataset, location, _dataset(described) if described else None, parties, on)


def _dataset(fact: DatasetDescribed) -> Dataset:
    fields = {name: getattr(fact, name) for name in fact.__struct_fields__ if name != "dataset"}
    return Dataset(id=fact.dataset, **fields)


class _Reading:
    def __init__(self, ledger: Ledger, confirms: Confirms) -> None:
        self._ledger = ledger
        self._confirms = confirms

    async def last(self, kind: type[_Kind], about: str, named: Callable[[_Kind], str]) -> _Kind | None:
        """The last fact of a kind about an id."""
        found = None
        async for _, fact in self._facts(about, kind):
            if isinstance(fact, kind) and named(fact) == about:
                found = fact
        return found

    async def target(self, name: str) -> tuple[TargetAdded | None, str]:
        """A target as it was registered last, and its access policy as far as two persons took it: what loosens it
        counts only where somebody else had proposed just this."""
        proposed: dict[str, tuple[str, TargetAdded]] = {}
        found, access = None, ""
        async for recorded, fact in self._facts(name, TargetAdded, TargetProposed):
            match fact:
                case TargetProposed(change=change) if change.target == name:
                    proposed[recorded.leaf_hash.hex()] = recorded.by, change
                case TargetAdded(target=target) if target == name:
                    proposer, change = proposed.pop(fact.proposal, (recorded.by, fact))
                    same = change == msgspec.structs.replace(fact, proposal=change.proposal)
                    if (same and proposer != recorded.by) or not loosens(access, fact.access):
                        access = fact.access
                    found = fact
        return found, access

    async def parties(self, client: str, dataset: str) -> Parties:
        """What of the register speaks of a client's dataset."""
        async with self._ledger.read() as connection:
            hops = await _column(
                connection, select(entrustments.c.hop).where(entrustments.c.client == client)
            )
            agreed = await _column(connection, select(contracts.c.contract).where(contracts.c.hop.in_(hops)))
            tied = await _column(connection, select(ties.c.party).where(ties.c.other == client))
            named = await connection.execute(select(organisations))
            persons = tuple(LegalPerson(row.organisation, row.name, row.name_en) for row in named)
        read = [await self._hop(hop) for hop in hops]
        mine = tuple(hop for hop in read if hop and hop.client == client and dataset in hop.datasets)
        held = []
        for name in agreed:
            fact = await self.last(ContractAdded, name, lambda fact: fact.contract)
            if fact is not None:
                held.append(
                    Contract(fact.contract, fact.hop, fact.kind, fact.period, frozenset(fact.clauses))
                )
        return Parties(
            persons=persons,
            ties=tuple([tie for party in tied async for tie in self._ties(party)]),
            hops=mine,
            contracts=tuple(held),
        )

    async def _hop(self, name: str) -> Hop | None:
        entrusted: EntrustmentAdded | None = None
        wording = ""
        approval: Approval | None = None
        async for recorded, fact in self._facts(name, EntrustmentAdded, HopApproved):
            match fact:
                case EntrustmentAdded(hop=hop) if hop == name:
                    entrusted, wording, approval = fact, recorded.leaf_hash.hex(), None
                    if fact.approved_on is not None:
                        approval = Approval(fact.approved_by, fact.approved_on)
                case HopApproved(hop=hop, entrustment=hashed) if (hop, hashed) == (name, wording):
                    if approval is None or approval.on_paper:
                        day = recorded.at.astimezone(JST).date()
                        approval = Approval(fact.organisation, day, on_paper=False)
        if entrusted is None:
            return None
        return Hop(
            name,
            entrusted.client,
            entrusted.giver,
            entrusted.receiver,
            frozenset(entrusted.datasets),
            entrusted.began,
            approval,
        )

    async def _ties(self, party: str) -> AsyncIterator[Tie]:
        async for _, fact in self._facts(party, TieAdded):
            if isinstance(fact, TieAdded) and fact.party == party:
                yield Tie(fact.kind, fact.party, fact.other)

    async def _facts(self, about: str, *kinds: type[Fact]) -> AsyncIterator[tuple[Recorded, Fact | None]]:
        """Facts in the order of the log. Their time and content are the leaf's, not those of the row beside it."""
        names = [kind_of(kind).name for kind in kinds]
        start = 0
        while page := await self._ledger.facts(start, _PAGE, names=names, about=about):
            for row in page:
                if not await self._confirms(row):
                    raise Fault(faults.NOT_IN_THE_LOG, about=about, seq=row.seq)
                yield read_recorded(row.leaf)
            start = page[-1].seq + 1


async def _column(connection: Connection, query: Select[tuple[str]]) -> list[str]:
    return list(await connection.scalars(query))
