"""What the register's tables hold, as the values that the pure rooms decide over."""

from datetime import date
from typing import Any

import msgspec
from sqlalchemy import Row, Select, select

from sekisho.ledger import Connection
from sekisho.register.inventory import Dataset
from sekisho.register.parties import (
    Approval,
    Clause,
    Contract,
    Hop,
    LegalPerson,
    Parties,
    Supervision,
    SupervisionItem,
    Tie,
    TieKind,
)
from sekisho.register.periods import Period
from sekisho.register.profiles import Bound, Certificate, Demand, Measure, Profiles
from sekisho.register.tables import (
    certificates,
    contracts,
    demands,
    descriptions,
    entrustments,
    hop_approvals,
    measures,
    organisations,
    supervision,
    ties,
)
from sekisho.register.tables_io import RegisterTables


async def read_parties(connection: Connection, client: str | None = None) -> Parties:
    """Legal persons and ties, and the hops, contracts and supervision of one client or of all."""
    of_client = entrustments.c.client == client if client is not None else None
    hops = select(entrustments).order_by(entrustments.c.hop)
    given = select(hop_approvals).order_by(hop_approvals.c.approved_on.desc())  # the first one stays
    concluded = select(contracts).order_by(contracts.c.contract)
    kept = select(supervision).order_by(supervision.c.hop, supervision.c.item, supervision.c.on_)
    if of_client is not None:
        theirs = select(entrustments.c.hop).where(of_client)
        hops = hops.where(of_client)
        given = given.where(hop_approvals.c.hop.in_(theirs))
        concluded = concluded.where(contracts.c.hop.in_(theirs))
        kept = kept.where(supervision.c.hop.in_(theirs))
    approvals = {(row.hop, row.entrustment): row for row in await connection.execute(given)}
    return Parties(
        persons=tuple(
            LegalPerson(row.organisation, row.name, row.name_en, row.kind)
            for row in await connection.execute(select(organisations).order_by(organisations.c.organisation))
        ),
        ties=tuple(
            Tie(TieKind(row.kind), row.party, row.other)
            for row in await connection.execute(
                select(ties).order_by(ties.c.kind, ties.c.party, ties.c.other)
            )
        ),
        hops=tuple(
            _hop(row, approvals.get((row.hop, row.leaf_hash))) for row in await connection.execute(hops)
        ),
        contracts=tuple(
            Contract(
                row.contract,
                row.hop,
                row.kind,
                msgspec.json.decode(row.period, type=Period),
                msgspec.json.decode(row.clauses, type=frozenset[Clause]),
            )
            for row in await connection.execute(concluded)
        ),
        supervision=tuple(
            Supervision(
                row.hop,
                SupervisionItem(row.item),
                date.fromisoformat(row.on_),
                date.fromisoformat(row.until),
                row.evidence,
            )
            for row in await connection.execute(kept)
        ),
    )


def _hop(row: Row[Any], given: Row[Any] | None) -> Hop:
    """`given` is the approval that the client itself recorded; without one, what papers say stands in its place."""
    approval = None
    if given is not None:
        approval = Approval(given.organisation, date.fromisoformat(given.approved_on), on_paper=False)
    elif row.approved_on:
        approval = Approval(row.approved_by, date.fromisoformat(row.approved_on))
    return Hop(
        row.hop,
        row.client,
        row.giver,
        row.receiver,
        msgspec.json.decode(row.datasets, type=frozenset[str]),
        date.fromisoformat(row.began),
        approval,
    )


async def read_datasets(connection: Connection, client: str | None = None) -> tuple[Dataset, ...]:
    """What is known of the datasets of one client or of all."""
    query = select(descriptions.c.description).order_by(descriptions.c.dataset)
    return await _described(
        connection, query if client is None else query.where(descriptions.c.client == client)
    )


async def find_dataset(connection: Connection, dataset: str) -> Dataset | None:
    found = await _described(
        connection, select(descriptions.c.description).where(descriptions.c.dataset == dataset)
    )
    return found[0] if found else None


async def _described(connection: Connection, query: Select[tuple[bytes]]) -> tuple[Dataset, ...]:
    return tuple(
        msgspec.json.decode(described, type=Dataset) for described in await connection.scalars(query)
    )


async def read_tables(connection: Connection) -> RegisterTables:
    """The whole register, as `tables_io` writes it."""
    return RegisterTables(
        await read_parties(connection),
        await read_datasets(connection),
        await read_profiles(connection),
        await read_certificates(connection),
    )


async def read_profiles(connection: Connection) -> Profiles:
    asked = await connection.execute(select(demands).order_by(demands.c.organisation, demands.c.control))
    held = await connection.execute(select(measures).order_by(measures.c.organisation, measures.c.control))
    return Profiles(
        tuple(Demand(row.organisation, row.control, Bound(row.bound), row.value) for row in asked),
        tuple(Measure(row.organisation, row.control, row.value) for row in held),
    )


async def read_certificates(connection: Connection) -> tuple[Certificate, ...]:
    rows = await connection.execute(
        select(certificates).order_by(certificates.c.organisation, certificates.c.name)
    )
    return tuple(Certificate(row.organisation, row.name, date.fromisoformat(row.until)) for row in rows)
