"""Changes to the catalogue: what masks more takes one person, what shows or reaches more takes two. A registered
target is changed by two as well: whoever could point it elsewhere alone would be sent its passwords and certificates.
Hops and contracts that open more are proposed by `intake`, and agreed to here.

A proposal opens nothing. Whoever agrees names it by the leaf hash of its fact; it is void when the dataset has
changed since. Whether the two are different humans who hold the role for it, the caller has checked for the first
one, and `agree` checks that they are not the same.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import msgspec
from sqlalchemy import select

from sekisho.faults import Fault
from sekisho.ledger import Connection, Ledger, Recorded, Sealed
from sekisho.register import faults
from sekisho.register.access import loosens
from sekisho.register.catalogue import Dataset, Target, find_catalogue, find_target
from sekisho.register.facts import (
    CatalogueProposed,
    DatasetAdded,
    EntrustmentsProposed,
    TableEntry,
    TargetAdded,
    TargetProposed,
)
from sekisho.register.opening import differences, parts_of
from sekisho.register.opening import state_of as binding_state_of
from sekisho.register.parties import Parties
from sekisho.register.records import read_parties
from sekisho.register.tables import catalogue_proposals


def loosened(before: Dataset | None, after: DatasetAdded) -> tuple[str, ...]:
    """What the change would open, show or count less, each as a place; empty when it only masks more."""
    if before is None:
        return (after.dataset,)
    found = [
        name for name in ("organisation", "target", "role") if getattr(before, name) != getattr(after, name)
    ]
    old = {(table.schema, table.name): table for table in before.tables}
    for table in after.tables:
        found += _loosened_table(old.get((table.schema, table.name)), table)
    return tuple(found)


def _loosened_table(before: TableEntry | None, after: TableEntry) -> list[str]:
    name = f"{after.schema}.{after.name}"
    if before is None:
        return [name]
    found = []
    counts_less = before.subject != after.subject or after.rows_per_subject > before.rows_per_subject
    if (before.metered and not after.metered) or counts_less:
        found.append(f"{name} (persons)")
    columns = {column.name: column for column in before.columns}
    for column in after.columns:
        old = columns.get(column.name)
        # Another item is another reason to be asked for: a ticket may unmask the new one and not the old one.
        if (old is None and not column.personal) or (
            old is not None and old.personal and (not column.personal or column.item != old.item)
        ):
            found.append(f"{name}.{column.name}")
    return found


def different(before: Target | None, after: TargetAdded) -> tuple[str, ...]:
    """The fields that need a second person; none for a new target, which opens nothing before a dataset stands on
    it (but for its access policy, which would be loose from the start), and none for one that only refuses what it
    masked, or lets less of it reach a terminal."""
    if before is None:
        return ("access",) if loosens("", after.access) else ()
    fields = [field for field in before.__slots__ if getattr(before, field) != getattr(after, field)]
    if after.unknown_lineage == "refuse":
        fields = [field for field in fields if field != "unknown_lineage"]
    if not loosens(before.access, after.access):
        fields = [field for field in fields if field != "access"]
    return tuple(fields)


def state_of(now: Dataset | Target | None) -> str:
    """What a proposal replaces: a digest of what is registered now, "" when nothing is."""
    if now is None:
        return ""
    if isinstance(now, Target):
        return hashlib.sha256(msgspec.json.encode(now)).hexdigest()
    return hashlib.sha256(
        msgspec.json.encode((now.organisation, now.target, now.role, now.secret, now.tables))
    ).hexdigest()


async def change_catalogue(
    ledger: Ledger, added: DatasetAdded, *, by: str, reason: str, parts: Sequence[Sealed] = ()
) -> Recorded:
    """Record the change at once where it only masks more, else as a proposal that waits for a second person."""
    async with ledger.read() as connection:
        before = await _find(connection, added)
    loosens = loosened(before, added)
    if not loosens:
        return await ledger.record(added, by=by, about=added.dataset, parts=parts)
    proposed = CatalogueProposed(change=added, replaces=state_of(before), loosens=loosens, reason=reason)
    return await ledger.record(proposed, by=by, about=added.dataset, parts=parts)


async def change_target(ledger: Ledger, added: TargetAdded, *, by: str, reason: str) -> Recorded:
    """As `change_catalogue`, of a target."""
    async with ledger.read() as connection:
        before = await find_target(connection, added.target)
    differs = different(before, added)
    if not differs:
        return await ledger.record(added, by=by, about=added.target)
    proposed = TargetProposed(change=added, replaces=state_of(before), differs=differs, reason=reason)
    return await ledger.record(proposed, by=by, about=added.target)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A change that waits for a second person. `opens`: what would be reached, shown or counted less, or what differs
    and how, each a line to compare."""

    proposal: str
    of: Literal["dataset", "target", "entrustments"]
    about: str
    proposer: str
    proposed: datetime
    reason: str
    opens: tuple[str, ...]


async def waiting(ledger: Ledger, most: int) -> list[Waiting]:
    """The newest. One whose dataset, target or contract has changed since can never be agreed to, and is left out."""
    query = (
        select(catalogue_proposals)
        .where(catalogue_proposals.c.agreed == "")
        .order_by(catalogue_proposals.c.seq.desc())
    )
    async with ledger.read() as connection:
        rows = (await connection.execute(query.limit(most))).all()
        parties = await read_parties(connection) if any(not row.target for row in rows) else Parties()
        catalogues = {name: await find_catalogue(connection, name) for name in {row.target for row in rows}}
    found = []
    for row in rows:
        [recorded] = await ledger.facts(row.seq, 1)
        catalogue = catalogues[row.target]
        of: Literal["dataset", "target", "entrustments"]
        match recorded.typed():
            case EntrustmentsProposed() as fact:
                of, reason, opens = "entrustments", fact.file, differences(parties, fact)
                stands = binding_state_of(parties, fact)
            case TargetProposed() as fact:
                target = catalogue.target if catalogue else None
                of, reason, stands = "target", fact.reason, state_of(target)
                opens = [_difference(target, fact, field) for field in fact.differs]
            case CatalogueProposed() as fact:
                held = catalogue.datasets if catalogue else ()
                now = next((one for one in held if one.dataset == row.dataset), None)
                of, reason, stands, opens = "dataset", fact.reason, state_of(now), list(fact.loosens)
            case _:
                continue
        if fact.replaces == stands:
            line = Waiting(row.proposal, of, recorded.about, row.proposer, row.proposed, reason, tuple(opens))
            found.append(line)
    return found


def _difference(now: Target | None, proposed: TargetProposed, field: str) -> str:
    """What a second person compares: values, and of certificates and keys their digests."""

    def said(value: object) -> str:
        text = "\n".join(value) if isinstance(value, tuple) else str(value)
        if field not in ("tls_ca", "host_keys") or not text:
            return text or "–"
        return f"SHA-256 {hashlib.sha256(text.encode()).hexdigest()}"

    return f"{field}: {said(getattr(now, field))} → {said(getattr(proposed.change, field))}"


async def agree(ledger: Ledger, proposal: str, *, by: str) -> Recorded:
    """Be the second person: the catalogue, the target, or the hops and contracts, are as proposed from here on.
    Returns what was recorded last.

    Raises Fault NO_SUCH_PROPOSAL, also when what it replaces has changed since, or SECOND_PERSON."""
    async with ledger.read() as connection:
        query = select(catalogue_proposals.c.seq).where(catalogue_proposals.c.proposal == proposal)
        seq = await connection.scalar(query)
    found = await ledger.facts(seq, 1) if seq is not None else []
    # The row says where the fact is; what was proposed is read from the fact, whose bytes must have this hash.
    fact = found[0].typed() if found and found[0].leaf_hash.hex() == proposal else None
    if not isinstance(fact, CatalogueProposed | TargetProposed | EntrustmentsProposed):
        raise Fault(faults.NO_SUCH_PROPOSAL, proposal=proposal[:64])
    about = found[0].about
    if by == found[0].by:
        raise Fault(faults.SECOND_PERSON, dataset=about)
    async with ledger.read() as connection:
        match fact:
            case EntrustmentsProposed():
                now = binding_state_of(await read_parties(connection), fact)
            case TargetProposed():
                now = state_of(await find_target(connection, fact.change.target))
            case CatalogueProposed():
                now = state_of(await _find(connection, fact.change))
    if now != fact.replaces:
        raise Fault(faults.NO_SUCH_PROPOSAL, proposal=proposal[:64])
    if isinstance(fact, EntrustmentsProposed):
        parts = [(of, msgspec.structs.replace(part, proposal=proposal)) for of, part in parts_of(fact)]
        return (await asyncio.gather(*[ledger.record_soon(part, by=by, about=of) for of, part in parts]))[-1]
    return await ledger.record(msgspec.structs.replace(fact.change, proposal=proposal), by=by, about=about)


async def _find(connection: Connection, added: DatasetAdded) -> Dataset | None:
    catalogue = await find_catalogue(connection, added.target)
    if catalogue is None:
        raise Fault(faults.UNKNOWN_TARGET, target=added.target)
    return next((one for one in catalogue.datasets if one.dataset == added.dataset), None)
