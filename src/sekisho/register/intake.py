"""Register tables into facts: what is new or different, one fact per row, after the file was accepted as a whole.

What opens more than now waits for a second person instead, together (`opening`)."""

import asyncio
from collections.abc import Iterator
from typing import Final

import msgspec
from sqlalchemy import select

from sekisho.ledger import Connection, Fact, Ledger, Recorded
from sekisho.register.facts import (
    CertificateStated,
    ContractAdded,
    DatasetDescribed,
    DemandStated,
    EntrustmentAdded,
    EntrustmentsProposed,
    MeasureStated,
    OrganisationAdded,
    SupervisionRecorded,
    TablesTakenIn,
    TieAdded,
)
from sekisho.register.inventory import Dataset
from sekisho.register.opening import Binding, opens, parts_of, proposed
from sekisho.register.parties import Clause, Hop, Parties
from sekisho.register.records import read_tables
from sekisho.register.tables import catalogue_proposals
from sekisho.register.tables_io import RegisterTables

_TOGETHER: Final = 1000  # far below what the ledger lets wait
_PROPOSAL_BYTES: Final = 40_000  # of the 64 KiB that a leaf may have


async def take_in(
    ledger: Ledger, tables: RegisterTables, *, by: str, file: str = "", sha256: str = ""
) -> tuple[Recorded, ...]:
    """Record what the tables change; what opens more than now is proposed to a second person. Rows that the register
    has already, or that wait already, are passed over, so that a file can be taken in again: after a crash between
    two facts that completes it. Nothing is ever taken away."""
    async with ledger.read() as connection:
        held = await read_tables(connection)
        waits = await _waiting(ledger, connection)
    changes, binding = [], []
    for about, fact in changed(held, tables):
        if isinstance(fact, Binding) and opens(held.parties, fact):
            if fact not in waits:
                binding.append(fact)
        else:
            changes.append((about, fact))
    changes += [("register", proposal) for proposal in _proposals(held.parties, binding, file)]
    if not changes:
        return ()
    header = TablesTakenIn(file=file, sha256=sha256, rows=len(changes))
    recorded = [await ledger.record(header, by=by, about="register")]
    for start in range(0, len(changes), _TOGETHER):
        some = changes[start : start + _TOGETHER]
        waiting = [ledger.record_soon(fact, by=by, about=about) for about, fact in some]
        recorded += await asyncio.gather(*waiting)
    return tuple(recorded)


async def _waiting(ledger: Ledger, connection: Connection) -> list[Fact]:
    """What is proposed and nobody agreed to yet."""
    query = select(catalogue_proposals.c.seq).where(
        catalogue_proposals.c.agreed == "", catalogue_proposals.c.target == ""
    )
    found: list[Fact] = []
    for seq in await connection.scalars(query):
        [recorded] = await ledger.facts(seq, 1)
        fact = recorded.typed()
        if isinstance(fact, EntrustmentsProposed):
            found += [part for _, part in parts_of(fact)]
    return found


def _proposals(held: Parties, facts: list[Binding], file: str) -> Iterator[EntrustmentsProposed]:
    """Each small enough for a leaf."""
    together: list[Binding] = []
    size = 0
    for fact in facts:
        bytes_of = len(msgspec.json.encode(fact))
        if together and size + bytes_of > _PROPOSAL_BYTES:
            yield proposed(held, together, file)
            together, size = [], 0
        together.append(fact)
        size += bytes_of
    if together:
        yield proposed(held, together, file)


def changed(held: RegisterTables, new: RegisterTables) -> Iterator[tuple[str, Fact]]:
    """(what it is about, fact) for each row of `new` that `held` lacks, in an order in which ids are known first."""
    old, parties = held.parties, new.parties
    for person in parties.persons:
        if person not in old.persons:
            yield (
                person.id,
                OrganisationAdded(
                    organisation=person.id, name=person.name, name_en=person.name_en, kind=person.kind
                ),
            )
    for tie in parties.ties:
        if tie not in old.ties:
            yield tie.party, TieAdded(kind=tie.kind, party=tie.party, other=tie.other)
    for dataset in new.datasets:
        if dataset not in held.datasets:
            yield dataset.id, description(dataset)
    held_hops = {hop.id: hop for hop in old.hops}
    for hop in parties.hops:
        if not _same(held_hops.get(hop.id), hop):
            yield hop.id, _entrustment(hop)
    for contract in parties.contracts:
        if contract not in old.contracts:
            yield (
                contract.id,
                ContractAdded(
                    contract=contract.id,
                    hop=contract.hop,
                    kind=contract.kind,
                    period=contract.period,
                    clauses=tuple(clause for clause in Clause if clause in contract.clauses),
                ),
            )
    for kept in parties.supervision:
        if kept not in old.supervision:
            yield (
                kept.hop,
                SupervisionRecorded(
                    hop=kept.hop, item=kept.item, on=kept.on, until=kept.until, evidence=kept.evidence
                ),
            )
    for demand in new.profiles.demands:
        if demand not in held.profiles.demands:
            yield (
                demand.organisation,
                DemandStated(
                    organisation=demand.organisation,
                    control=demand.control,
                    bound=demand.bound,
                    value=demand.value,
                ),
            )
    for measure in new.profiles.measures:
        if measure not in held.profiles.measures:
            yield (
                measure.organisation,
                MeasureStated(
                    organisation=measure.organisation, control=measure.control, value=measure.value
                ),
            )
    for one in new.certificates:
        if one not in held.certificates:
            yield (
                one.organisation,
                CertificateStated(organisation=one.organisation, name=one.name, until=one.until),
            )


def description(dataset: Dataset) -> DatasetDescribed:
    fields = {name: getattr(dataset, name) for name in dataset.__struct_fields__ if name != "id"}
    return DatasetDescribed(dataset=dataset.id, **fields)


def _same(held: Hop | None, written: Hop) -> bool:
    """Where the client itself has approved the hop, what a file says of approval changes nothing."""
    if held is not None and held.approval is not None and not held.approval.on_paper:
        return msgspec.structs.replace(written, approval=held.approval) == held
    return held == written


def _entrustment(hop: Hop) -> EntrustmentAdded:
    return EntrustmentAdded(
        hop=hop.id,
        client=hop.client,
        giver=hop.giver,
        receiver=hop.receiver,
        datasets=tuple(sorted(hop.datasets)),
        began=hop.began,
        approved_by=hop.approval.by if hop.approval else "",
        approved_on=hop.approval.on if hop.approval else None,
    )
