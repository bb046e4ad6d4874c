"""How everything stands on a day, client by client: what consoles and `sekisho register show` print."""

from dataclasses import dataclass
from datetime import date

import msgspec
from sqlalchemy import select

from sekisho.faults import Fault
from sekisho.ledger import Connection
from sekisho.register.erasure import EraseTask, read_tasks
from sekisho.register.parties import Colour, Parties, Reach, Role, oversight, roles
from sekisho.register.records import read_datasets, read_parties, read_profiles
from sekisho.register.standing import DatasetStanding, Location, LockedDataset, judge
from sekisho.register.supervision import client_gaps
from sekisho.register.tables import datasets, targets


@dataclass(frozen=True, slots=True)
class DatasetView:
    """`colour` is that of the supervision behind it: a dataset may be open and red."""

    dataset: str
    name: str
    standing: DatasetStanding
    colour: Colour

    @property
    def locked(self) -> bool:
        return isinstance(self.standing, LockedDataset)


@dataclass(frozen=True, slots=True)
class ClientView:
    client: str
    name: str
    roles: frozenset[Role]
    datasets: tuple[DatasetView, ...]
    tasks: tuple[EraseTask, ...]
    gaps: tuple[Fault, ...]

    @property
    def colour(self) -> Colour:
        """Red while anything of the client is: an unsupervised dataset, an erasure that is not countersigned."""
        colours = {*(view.colour for view in self.datasets), *(task.colour for task in self.tasks)}
        return Colour.RED if Colour.RED in colours else Colour.GREEN


async def read_overview(
    connection: Connection, on: date, client: str | None = None
) -> tuple[ClientView, ...]:
    """Every organisation that has a dataset or entrusts one, or the one named, by id."""
    parties = await read_parties(connection, client)
    described = {one.id: one for one in await read_datasets(connection, client)}
    query = (
        select(
            datasets.c.dataset,
            datasets.c.organisation,
            datasets.c.name,
            datasets.c.target,
            targets.c.operator,
        )
        .join(targets, targets.c.target == datasets.c.target, isouter=True)
        .order_by(datasets.c.dataset)
    )
    located = {
        row.dataset: (row.name, Location(row.organisation, row.target, row.operator or ""))
        for row in await connection.execute(query)
        if client in (None, row.organisation)
    }
    tasks = await read_tasks(connection, on, client)
    profiles = await read_profiles(connection)
    clients = {one.client for one in described.values()} | {hop.client for hop in parties.hops}
    clients |= {location.organisation for _, location in located.values()}
    views = []
    for one in sorted(clients):
        theirs = _of_client(parties, one)
        names = {name: known.name for name, known in described.items() if known.client == one}
        names = {name: title for name, (title, where) in located.items() if where.organisation == one} | names
        shown = []
        for name, title in sorted(names.items()):
            location = located[name][1] if name in located else None
            reach = Reach(location.operator if location else "", one, name)
            shown.append(
                DatasetView(
                    dataset=name,
                    name=title,
                    standing=judge(name, location, described.get(name), theirs, on),
                    colour=oversight(theirs, reach, on).colour,
                )
            )
        views.append(
            ClientView(
                client=one,
                name=parties.name(one),
                roles=roles(parties, one),
                datasets=tuple(shown),
                tasks=tuple(task for task in tasks if task.asked.client == one),
                gaps=client_gaps(theirs, tuple(described.values()), profiles, one, on),
            )
        )
    return tuple(views)


def _of_client(parties: Parties, client: str) -> Parties:
    hops = tuple(hop for hop in parties.hops if hop.client == client)
    ids = {hop.id for hop in hops}
    return msgspec.structs.replace(
        parties,
        hops=hops,
        contracts=tuple(one for one in parties.contracts if one.hop in ids),
        supervision=tuple(one for one in parties.supervision if one.hop in ids),
    )
