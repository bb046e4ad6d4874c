"""The catalogue: which dataset of which client organisation a table of a target belongs to."""

from dataclasses import dataclass
from functools import lru_cache

import msgspec
from sqlalchemy import RowMapping, select

from sekisho.ledger import Connection
from sekisho.register.facts import TableEntry
from sekisho.register.tables import datasets, organisations, targets


@dataclass(frozen=True, slots=True)
class Target:
    """How the checkpoint reaches a server; see `TargetAdded` for the fields."""

    target: str
    protocol: str
    host: str
    port: int
    database: str
    tls_ca: str
    unknown_lineage: str
    operator: str
    host_keys: tuple[str, ...] = ()
    access: str = ""


@dataclass(frozen=True, slots=True)
class Dataset:
    dataset: str
    organisation: str
    target: str
    name: str
    role: str
    secret: str
    tables: tuple[TableEntry, ...]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every dataset on one target, by (schema, table)."""

    target: Target
    datasets: tuple[Dataset, ...]

    def tables(self) -> dict[tuple[str, str], tuple[Dataset, TableEntry]]:
        return {
            (table.schema, table.name): (dataset, table)
            for dataset in self.datasets
            for table in dataset.tables
        }


async def find_target(connection: Connection, target: str) -> Target | None:
    query = select(targets).where(targets.c.target == target)
    row = (await connection.execute(query)).mappings().one_or_none()
    return Target(**{**row, "host_keys": tuple(row["host_keys"].splitlines())}) if row else None


async def find_catalogue(connection: Connection, target: str) -> Catalogue | None:
    """The catalogue of one target, or None when the target is not registered."""
    found = await find_target(connection, target)
    if found is None:
        return None
    rows = await connection.execute(
        select(datasets).where(datasets.c.target == target).order_by(datasets.c.dataset)
    )
    return Catalogue(found, tuple(_dataset(row) for row in rows.mappings()))


def _dataset(row: RowMapping) -> Dataset:
    return Dataset(**{**row, "tables": _tables(row["tables"])})


@lru_cache(maxsize=256)
def _tables(encoded: bytes) -> tuple[TableEntry, ...]:
    """One for all sessions of a dataset: hundreds of columns would be most of an idle session's memory."""
    return msgspec.json.decode(encoded, type=tuple[TableEntry, ...])


async def organisation_names(connection: Connection) -> dict[str, tuple[str, str]]:
    """Organisation id -> (Japanese name, English name)."""
    rows = await connection.execute(
        select(organisations.c.organisation, organisations.c.name, organisations.c.name_en)
    )
    return {row.organisation: (row.name, row.name_en) for row in rows}
