"""May a dataset be opened on a day? Asked at each access; derived from facts and the day, so that no job can be late.

A dataset is locked unless everything that opens it is known: what it is and who answers for it (Guidelines
10-3 (3)), who reaches it, and a chain of approved hops under contracts in force from its client to them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import msgspec
from sqlalchemy import select

from sekisho.faults import Fault
from sekisho.ledger import Connection
from sekisho.register import faults
from sekisho.register.access import Access, access_of
from sekisho.register.facts import TableEntry
from sekisho.register.inventory import Dataset, Sensitivity, gaps, grade, stricter
from sekisho.register.parties import Blocked, ClearChain, Oversight, Parties, Reach, chain_to, oversight
from sekisho.register.records import find_dataset, read_parties
from sekisho.register.tables import datasets, targets
from sekisho.text.items import ITEM_BY_ID


@dataclass(frozen=True, slots=True)
class OpenDataset:
    """The proof that the dataset may be opened on that day by the staff of `chain.reach.party`.

    `sensitivity` is what its description or its catalogue asks for, whichever is more."""

    dataset: str
    client: str
    on: date
    chain: ClearChain
    sensitivity: Sensitivity = Sensitivity.SPECIAL
    access: Access = Access.PIXELS


@dataclass(frozen=True, slots=True)
class LockedDataset:
    """Why it must not be opened; each reason is a fault kind with its values."""

    dataset: str
    on: date
    reasons: tuple[Fault, ...]


DatasetStanding = OpenDataset | LockedDataset


@dataclass(frozen=True, slots=True)
class Location:
    """Where the checkpoint opens a dataset: whose it is by the catalogue, who operates the target, how sensitive
    the catalogued columns are, whatever the description calls them, and how much of it may reach a terminal."""

    organisation: str
    target: str
    operator: str
    sensitivity: Sensitivity = Sensitivity.SPECIAL
    access: Access = Access.PIXELS


def grade_of(tables: Iterable[TableEntry]) -> Sensitivity:
    """What the catalogued columns ask for; an item that the vocabulary does not know counts as "other"."""
    other = ITEM_BY_ID["other"]
    items = {column.item for table in tables for column in table.columns if column.personal}
    return grade(ITEM_BY_ID.get(item, other) for item in items)


def judge(
    name: str, location: Location | None, described: Dataset | None, parties: Parties, on: date
) -> DatasetStanding:
    """Pure and total. `location` is None for a dataset that no target holds, `described` for one nobody described."""
    if described is None or location is None:
        return LockedDataset(name, on, (Fault(faults.NOT_DESCRIBED, dataset=name),))
    reasons: list[Fault] = []
    if missing := gaps(described):
        reasons.append(Fault(faults.DESCRIPTION_GAPS, dataset=name, fields=", ".join(missing)))
    if (described.client, described.target) != (location.organisation, location.target):
        values = {"described": f"{described.client}/{described.target}"}
        catalogued = f"{location.organisation}/{location.target}"
        reasons.append(Fault(faults.DESCRIBED_OTHERWISE, dataset=name, catalogued=catalogued, **values))
    if not location.operator:
        reasons.append(Fault(faults.NO_OPERATOR, dataset=name, target=location.target))
        return LockedDataset(name, on, tuple(reasons))
    chain = chain_to(parties, Reach(location.operator, location.organisation, name), on)
    if isinstance(chain, Blocked):
        reasons += chain.obstacles
    if reasons or isinstance(chain, Blocked):
        return LockedDataset(name, on, tuple(reasons))
    graded = stricter(described.graded(), location.sensitivity)
    return OpenDataset(name, location.organisation, on, chain, graded, location.access)


async def find_location(connection: Connection, dataset: str) -> Location | None:
    query = (
        select(
            datasets.c.organisation,
            datasets.c.target,
            datasets.c.tables,
            targets.c.operator,
            targets.c.protocol,
            targets.c.access,
        )
        .join(targets, targets.c.target == datasets.c.target)
        .where(datasets.c.dataset == dataset)
    )
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        return None
    tables = msgspec.json.decode(row.tables, type=tuple[TableEntry, ...])
    access = access_of(row.access, row.protocol, tables)
    return Location(row.organisation, row.target, row.operator, grade_of(tables), access)


async def standing(connection: Connection, dataset: str, on: date) -> DatasetStanding:
    """How a dataset stands on a day (in Japan). `on` is the day of the access."""
    location = await find_location(connection, dataset)
    parties = await read_parties(connection, location.organisation) if location else Parties()
    return judge(dataset, location, await find_dataset(connection, dataset), parties, on)


async def dataset_oversight(connection: Connection, dataset: str, on: date) -> Oversight | None:
    """The colour of the entrustment behind a dataset: red until each hop has supervision in force. None: not known."""
    location = await find_location(connection, dataset)
    if location is None:
        return None
    parties = await read_parties(connection, location.organisation)
    return oversight(parties, Reach(location.operator, location.organisation, dataset), on)
