"""Contracts end, and data must go (Act on the Protection of Personal Information, article 22).

What is to be erased follows from the facts and the day; `sweep` only records that a task is open, once. A task is red
from the day after the contract's end until the client has countersigned the certificate of erasure, whoever forgot
whatever in between. The party that erases never closes its own task.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import select

from sekisho.faults import Fault
from sekisho.ledger import Connection, Ledger, Recorded
from sekisho.register import faults
from sekisho.register.approval import must_act_for
from sekisho.register.facts import EraseTaskOpened, ErasureCertified, ErasureCountersigned
from sekisho.register.parties import Colour, Contract, Parties
from sekisho.register.records import read_parties
from sekisho.register.tables import erase_certificates, erase_countersignatures, erase_tasks

ERASE_DAYS: Final = 30  # from the contract's end to the alarm


@dataclass(frozen=True, slots=True)
class Due:
    """`party` must erase `dataset` of `client`: the last chain of contracts to it ended on `ended`."""

    dataset: str
    client: str
    party: str
    ended: date

    @property
    def due(self) -> date:
        return self.ended + timedelta(days=ERASE_DAYS)


@dataclass(frozen=True, slots=True)
class Certificate:
    on: date
    method: str
    certificate: str
    person: str
    leaf_hash: str


@dataclass(frozen=True, slots=True)
class Countersignature:
    organisation: str
    person: str
    at: datetime


@dataclass(frozen=True, slots=True)
class EraseTask:
    """`opened` is None when no sweep has recorded the task yet. `certificate` is the party's word,
    `countersigned` the client's."""

    asked: Due
    opened: datetime | None
    certificate: Certificate | None
    countersigned: Countersignature | None

    @property
    def colour(self) -> Colour:
        return Colour.GREEN if self.countersigned else Colour.RED

    def overdue(self, on: date) -> bool:
        return self.countersigned is None and on > self.asked.due


def erasures_due(parties: Parties, on: date) -> tuple[Due, ...]:
    """Every party whose last chain of contracts from the client ended before `on`.

    A contract whose period is not known never ends by itself: it opens nothing either, and is told as a gap.
    """
    found = []
    for client, dataset in sorted({(hop.client, name) for hop in parties.hops for name in hop.datasets}):
        for party, ended in sorted(_ends(parties, client, dataset).items()):
            if ended < on:
                found.append(Due(dataset, client, party, ended))
    return tuple(found)


def _ends(parties: Parties, client: str, dataset: str) -> dict[str, date]:
    """The last day of each party that handles a dataset: of its longest chain, the hop that ends first.

    Approval is not asked: what was passed on without it has to be erased as well.
    """
    own = parties.acting_for(client)
    hops = [hop for hop in parties.hops if hop.client == client and dataset in hop.datasets]
    last = {hop.id: _last_day(one for one in parties.contracts if one.hop == hop.id) for hop in hops}
    ends = dict.fromkeys(own, date.max)
    for _ in hops:  # a chain has at most as many hops as there are
        for hop in hops:
            if hop.giver in ends and hop.receiver not in own:
                through = min(ends[hop.giver], last[hop.id])
                ends[hop.receiver] = max(ends.get(hop.receiver, date.min), through)
    return {party: end for party, end in ends.items() if party not in own}


def _last_day(contracts: Iterator[Contract]) -> date:
    """date.max when it is open, unknown, or there is no contract at all."""
    days = [contract.period.last() or date.max for contract in contracts]
    return max(days, default=date.max)


async def read_tasks(connection: Connection, on: date, client: str | None = None) -> tuple[EraseTask, ...]:
    """The tasks of one client or of all, finished ones as well, by dataset and party.

    A task whose contract was renewed afterwards is none any more.
    """
    parties = await read_parties(connection, client)
    opened = {
        (row.dataset, row.party, row.ended): row.opened
        for row in await connection.execute(select(erase_tasks))
    }
    certified = {
        (row.dataset, row.party, row.ended): row
        for row in await connection.execute(select(erase_certificates))
    }
    signed: dict[str, list[Countersignature]] = {}
    for row in await connection.execute(
        select(erase_countersignatures).order_by(erase_countersignatures.c.at)
    ):
        one = Countersignature(row.organisation, row.person, row.at)
        signed.setdefault(row.certified, []).append(one)
    tasks = []
    for asked in erasures_due(parties, on):
        key = (asked.dataset, asked.party, asked.ended.isoformat())
        certificate = countersigned = None
        if (found := certified.get(key)) is not None:
            certificate = Certificate(
                date.fromisoformat(found.on_), found.method, found.certificate, found.person, found.leaf_hash
            )
            # Judged here again, not only where it is recorded: a fact of somebody else closes nothing.
            own = parties.acting_for(asked.client)
            valid = (
                one
                for one in signed.get(certificate.leaf_hash, ())
                if one.organisation in own and one.person != certificate.person
            )
            countersigned = next(valid, None)
        tasks.append(EraseTask(asked, opened.get(key), certificate, countersigned))
    return tuple(tasks)


async def sweep(ledger: Ledger, today: date) -> tuple[Recorded, ...]:
    """Record each task that is due and not opened yet. Run daily; twice does no harm."""
    async with ledger.read() as connection:
        tasks = await read_tasks(connection, today)
    recorded = []
    for task in tasks:
        if task.opened is None:
            asked = task.asked
            fact = EraseTaskOpened(
                dataset=asked.dataset,
                client=asked.client,
                party=asked.party,
                ended=asked.ended,
                due=asked.due,
            )
            try:
                recorded.append(await ledger.record(fact, by="sekisho", about=asked.dataset))
            except Fault:
                if not await _opened_meanwhile(ledger, asked):
                    raise
    return tuple(recorded)


async def _opened_meanwhile(ledger: Ledger, asked: Due) -> bool:
    """Whether another process opened the task between our reading and our writing."""
    query = select(erase_tasks.c.opened).where(
        erase_tasks.c.dataset == asked.dataset,
        erase_tasks.c.party == asked.party,
        erase_tasks.c.ended == asked.ended.isoformat(),
    )
    async with ledger.read() as connection:
        return await connection.scalar(query) is not None


async def certify(
    ledger: Ledger, dataset: str, *, party: str, by: str, on: date, method: str, certificate: bytes
) -> Recorded:
    """Somebody of `party` certifies the erasure. `certificate` (the paper) is sealed for the client to read.

    The caller has checked that `by` belongs to `party`. Raises Fault NO_ERASE_TASK.
    """
    task = await _task(ledger, dataset, party, on)
    sealed = ledger.vault.seal(task.asked.client, certificate)
    fact = ErasureCertified(
        dataset=dataset,
        party=party,
        ended=task.asked.ended,
        on=on,
        method=method,
        certificate=sealed.commitment,
    )
    return await ledger.record(fact, by=by, about=dataset, parts=[sealed])


async def countersign(
    ledger: Ledger, dataset: str, *, party: str, certified: str, by: str, organisation: str, on: date
) -> Recorded:
    """The client accepts the certificate whose fact has the leaf hash `certified`, which is what was shown to it.

    The caller has checked that `by` belongs to `organisation`. Raises Fault NO_ERASE_TASK, NOT_CERTIFIED,
    NOT_THE_CLIENT or SAME_PERSON.
    """
    task = await _task(ledger, dataset, party, on)
    if task.certificate is None or task.certificate.leaf_hash != certified:
        raise Fault(faults.NOT_CERTIFIED, dataset=dataset, party=party)
    async with ledger.read() as connection:
        await must_act_for(connection, task.asked.client, organisation)
    if task.certificate.person == by:
        raise Fault(faults.SAME_PERSON, person=by)
    fact = ErasureCountersigned(
        dataset=dataset,
        party=party,
        ended=task.asked.ended,
        certified=certified,
        organisation=organisation,
    )
    return await ledger.record(fact, by=by, about=dataset)


async def _task(ledger: Ledger, dataset: str, party: str, on: date) -> EraseTask:
    async with ledger.read() as connection:
        tasks = await read_tasks(connection, on)
    for task in tasks:
        if (task.asked.dataset, task.asked.party) == (dataset, party):
            return task
    raise Fault(faults.NO_ERASE_TASK, dataset=dataset, party=party)
