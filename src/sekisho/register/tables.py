"""The register's tables, and how its facts become their rows."""

import msgspec
from sqlalchemy import Column, Integer, LargeBinary, String, Table, Text

from sekisho.ledger import Recorded, Writes, projects, values_of
from sekisho.ledger.tables import metadata
from sekisho.register.facts import DatasetAdded, OrganisationAdded, TargetAdded

organisations = Table(
    "organisations",
    metadata,
    Column("organisation", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("name_en", Text, nullable=False),
    Column("kind", String(64), nullable=False),
)

targets = Table(
    "targets",
    metadata,
    Column("target", String(64), primary_key=True),
    Column("protocol", String(32), nullable=False),
    Column("host", Text, nullable=False),
    Column("port", Integer, nullable=False),
    Column("database", Text, nullable=False),
    Column("tls_ca", Text, nullable=False),
    Column("unknown_lineage", String(16), nullable=False),
)

datasets = Table(
    "datasets",
    metadata,
    Column("dataset", String(64), primary_key=True),
    Column("organisation", String(64), nullable=False, index=True),
    Column("target", String(64), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("secret", String(64), nullable=False),
    # The catalogue entries as msgspec JSON: read whole, never searched.
    Column("tables", LargeBinary, nullable=False),
)


@projects(OrganisationAdded)
def _organisation(write: Writes, fact: OrganisationAdded, recorded: Recorded) -> None:
    write.upsert(
        organisations,
        {"organisation": fact.organisation},
        {"name": fact.name, "name_en": fact.name_en, "kind": fact.kind},
    )


@projects(TargetAdded)
def _target(write: Writes, fact: TargetAdded, recorded: Recorded) -> None:
    row = values_of(fact)
    write.upsert(targets, {"target": row.pop("target")}, row)


@projects(DatasetAdded)
def _dataset(write: Writes, fact: DatasetAdded, recorded: Recorded) -> None:
    write.upsert(
        datasets,
        {"dataset": fact.dataset},
        {
            "organisation": fact.organisation,
            "target": fact.target,
            "name": fact.name,
            "role": fact.role,
            "secret": fact.secret,
            "tables": msgspec.json.encode(fact.tables),
        },
    )
