"""A proposal as a YAML file that a person edits, and what becomes of it when it is confirmed.

Only datasets marked `confirmed: true` are taken over, all of them or none. Unknown fields, items, organisations and
subjects are refused; so is a table that another dataset has, and one that holds several clients.
"""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import yaml

from sekisho.faults import Fault
from sekisho.ledger import Commitment, Ledger, Recorded, Sealed
from sekisho.ledger.vault import CHECKPOINT
from sekisho.register import faults
from sekisho.register.catalogue import Catalogue, find_catalogue, organisation_names
from sekisho.register.facts import ColumnEntry, DatasetAdded, DatasetDescribed, TableEntry
from sekisho.register.intake import description
from sekisho.register.inventory import Dataset
from sekisho.register.proposal import Proposal, ProposedDataset, ProposedTable
from sekisho.text.items import ITEM_BY_ID

MAX_BYTES: Final = 32 * 1024 * 1024
_HEAD: Final = """\
# Proposed by `sekisho register scan`. Nothing of it is in force: write what is missing, correct what is wrong, set
# `confirmed: true` where it is right, and run `sekisho register confirm`. A column with an item is masked.
# 提案です。まだ何も有効ではありません。不足を記入し、誤りを直し、正しいものを `confirmed: true` として
# `sekisho register confirm` を実行してください。item のある列は伏せられます。
"""


def write_proposal(proposal: Proposal) -> str:
    document = yaml.dump(
        msgspec.to_builtins(proposal),
        Dumper=yaml.CSafeDumper,
        allow_unicode=True,
        sort_keys=False,
        width=110,
    )
    return _HEAD + str(document)


def read_proposal(path: Path) -> Proposal:
    """Raises Fault PROPOSAL_UNREADABLE, naming the place."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise Fault(faults.FILE_TOO_LARGE, name=path.name, limit=f"{MAX_BYTES // 1024**2} MiB")
        # Events first, for the depth: the loader calls itself for each level.
        depth = 0
        for event in yaml.parse(data, Loader=yaml.CSafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > 8 or isinstance(event, yaml.AliasEvent):
                raise Fault(
                    faults.PROPOSAL_UNREADABLE, name=path.name, reason="nested too deeply, or an alias"
                )
        return msgspec.convert(yaml.load(data, Loader=yaml.CSafeLoader), type=Proposal)
    except (OSError, yaml.YAMLError, UnicodeDecodeError, msgspec.ValidationError) as error:
        reason = " ".join(str(error).split())
        raise Fault(faults.PROPOSAL_UNREADABLE, name=path.name, reason=reason) from error


def confirmed(proposal: Proposal) -> tuple[ProposedDataset, ...]:
    return tuple(dataset for dataset in proposal.datasets if dataset.confirmed)


class Prepared(NamedTuple):
    """What a confirmed dataset becomes: what is known of it, how the checkpoint opens it, and its new secret."""

    described: DatasetDescribed
    added: DatasetAdded
    parts: tuple[Sealed, ...]


async def confirm(
    ledger: Ledger, proposal: Proposal, passwords: Mapping[str, str], *, by: str
) -> tuple[Recorded, ...]:
    """Record the confirmed datasets: what is known of each, and how the checkpoint opens it.

    `passwords` are those of the roles; they are sealed and never shown. Raises Fault, naming what is missing, before
    anything is recorded. A dataset opens only when the register also knows its hops, contracts and holders.
    """
    recorded = []
    for one in await prepare(ledger, proposal, passwords):
        recorded.append(await ledger.record(one.described, by=by, about=one.described.dataset))
        recorded.append(await ledger.record(one.added, by=by, about=one.added.dataset, parts=one.parts))
    return tuple(recorded)


async def prepare(
    ledger: Ledger,
    proposal: Proposal,
    passwords: Mapping[str, str],
    kept: Mapping[str, Commitment] | None = None,
) -> tuple[Prepared, ...]:
    """The facts of the confirmed datasets, none of them recorded. `kept` are secrets of roles that stay as they are.

    Raises Fault as `confirm`."""
    chosen, kept = confirmed(proposal), kept or {}
    async with ledger.read() as connection:
        catalogue = await find_catalogue(connection, proposal.target)
        organisations = await organisation_names(connection)
    if catalogue is None:
        raise Fault(faults.UNKNOWN_TARGET, target=proposal.target)
    _check(chosen, catalogue, organisations, {**kept, **passwords})
    found = []
    for dataset in chosen:
        parts: tuple[Sealed, ...] = ()
        if dataset.role in passwords:
            parts = (ledger.vault.seal(CHECKPOINT, passwords[dataset.role].encode()),)
        added = DatasetAdded(
            dataset=dataset.dataset,
            organisation=dataset.organisation,
            target=proposal.target,
            name=dataset.name,
            role=dataset.role,
            secret=parts[0].commitment if parts else kept[dataset.role],
            tables=tuple(_entry(table) for table in dataset.tables),
        )
        found.append(Prepared(description(_described(proposal, dataset)), added, parts))
    return tuple(found)


def _check(
    chosen: tuple[ProposedDataset, ...],
    catalogue: Catalogue,
    organisations: Collection[str],
    passwords: Collection[str],
) -> None:
    names = {dataset.dataset for dataset in chosen}
    # A dataset that is confirmed again takes the place of what was confirmed before.
    taken = {
        (table.schema, table.name): dataset.dataset
        for dataset in catalogue.datasets
        if dataset.dataset not in names
        for table in dataset.tables
    }
    seen: set[str] = set()
    for dataset in chosen:
        for field, text in _lacking(dataset, organisations, passwords):
            raise Fault(
                faults.PROPOSAL_INCOMPLETE, dataset=dataset.dataset or dataset.name, field=field, text=text
            )
        if dataset.dataset in seen:
            raise Fault(
                faults.PROPOSAL_INCOMPLETE, dataset=dataset.dataset, field="dataset", text=dataset.dataset
            )
        seen.add(dataset.dataset)
        for table in dataset.tables:
            if table.client_column:
                name = f"{table.schema}.{table.name}"
                raise Fault(faults.SHARED_TABLE, table=name, column=table.client_column)
            other = taken.setdefault((table.schema, table.name), dataset.dataset)
            if other != dataset.dataset:
                raise Fault(
                    faults.TABLE_TWICE,
                    table=f"{table.schema}.{table.name}",
                    target=catalogue.target.target,
                    other=other,
                    dataset=dataset.dataset,
                )


def _lacking(
    dataset: ProposedDataset, organisations: Collection[str], passwords: Collection[str]
) -> Iterator[tuple[str, str]]:
    for field in ("dataset", "name", "role", "tables"):
        if not getattr(dataset, field):
            yield field, ""
    if dataset.organisation not in organisations:
        yield "organisation", dataset.organisation
    if dataset.role not in passwords:
        yield "password", dataset.role
    for table in dataset.tables:
        where = f"{table.schema}.{table.name}"
        listed = {column.name for column in table.columns}
        if len(listed) != len(table.columns) or not listed:
            yield f"{where}.columns", ""
        if table.subject and table.subject not in listed:
            yield f"{where}.subject", table.subject
        if table.rows_per_subject < 1:
            yield f"{where}.rows_per_subject", str(table.rows_per_subject)
        if not table.metered and (table.subject or any(column.item for column in table.columns)):
            yield f"{where}.metered", "false"
        for column in table.columns:
            if column.item and column.item not in ITEM_BY_ID:
                yield f"{where}.{column.name}.item", column.item


def _entry(table: ProposedTable) -> TableEntry:
    return TableEntry(
        schema=table.schema,
        name=table.name,
        subject=table.subject or None,
        rows_per_subject=table.rows_per_subject,
        metered=table.metered,
        columns=tuple(
            ColumnEntry(name=column.name, item=column.item, personal=bool(column.item))
            for column in table.columns
        ),
    )


def _described(proposal: Proposal, dataset: ProposedDataset) -> Dataset:
    return Dataset(
        id=dataset.dataset,
        client=dataset.organisation,
        name=dataset.name,
        items=dataset.items,
        purpose=dataset.purpose,
        responsible_unit=dataset.responsible_unit,
        holders=tuple(dataset.holders),
        target=proposal.target,
        schema=", ".join(sorted({table.schema for table in dataset.tables})),
        tables=tuple(table.name for table in dataset.tables),
        retention=dataset.retention,
        fingerprint=proposal.fingerprint,
    )
