"""What goes into a registry: datasets read from their target, or from a file, and the sets that doors sealed.

Reading a target for the registry is the checkpoint's own access to personal data: with the dataset's own role, in one
read-only transaction, and on record. Rows are fingerprinted as they come and kept nowhere.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final

import asyncpg
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyroaring import BitMap64
from sqlalchemy import select

from sekisho.faults import Fault
from sekisho.gate.budget import subject_id, subject_key
from sekisho.ledger import Erased, Ledger
from sekisho.register.catalogue import Dataset, Target, find_catalogue, find_target
from sekisho.register.facts import TableEntry
from sekisho.relay.tables import sessions
from sekisho.trace.facts import DatasetIndexed
from sekisho.trace.faults import NO_SUBJECT, NO_TARGET, TARGET_UNREADABLE
from sekisho.trace.intake import Listing, batches
from sekisho.trace.parts import CHUNK, ITEMS, Lines, fingerprint, joined
from sekisho.trace.registry import Added, Passed, Registry

Told = Callable[[str, int], None]
"""Told a dataset and how many rows of it were read."""
_CONNECT_SECONDS: Final = 10.0
_SAME: Final = {"mobile_phone": "phone"}


def subjects_of(values: Sequence[str | None], key: bytes) -> npt.NDArray[np.int64]:
    """The subject numbers of subject keys, as the doors make them; -1 where there is none."""
    return np.array([-1 if value is None else subject_id(value.encode(), key) for value in values], np.int64)


async def index_listing(
    ledger: Ledger,
    registry: Registry,
    listing: Listing,
    *,
    dataset: str,
    organisation: str,
    subject: str,
    secret: bytes,
    by: str,
) -> Added:
    """Index a file of a dataset. Column `subject` tells one person from another. Raises Fault NO_SUBJECT."""
    if subject not in listing.table.column_names:
        raise Fault(NO_SUBJECT, name=listing.name, column=subject)

    def work() -> Added:
        numbers = subjects_of(listing.table.column(subject).to_pylist(), subject_key(secret, organisation))
        rows: list[npt.NDArray[np.int64]] = []

        def ahead() -> Any:
            for numbered, batch in batches(listing.confirmed({subject: ""})):
                rows.append(numbered)
                yield batch

        lines = joined(fingerprint(registry.fingerprint_key, ahead()))
        return _added(registry, dataset, organisation, numbers[np.concatenate(rows)], lines)

    added = await asyncio.to_thread(work)
    await _record(ledger, registry, dataset, organisation, added, by)
    return added


async def index_dataset(
    ledger: Ledger,
    registry: Registry,
    target: Target,
    dataset: Dataset,
    *,
    password: str,
    secret: bytes,
    by: str,
    told: Told = lambda dataset, rows: None,
) -> Added:
    """Index the dataset's catalogued tables of persons, read from their target. Raises Fault TARGET_UNREADABLE."""
    key = subject_key(secret, dataset.organisation)
    numbers: list[npt.NDArray[np.int64]] = []
    found: list[Lines] = []
    read = 0
    async with _reading(target, dataset.role, password) as connection:
        for table in dataset.tables:
            async for subject, batch in _rows(connection, table):
                numbers.append(subjects_of(subject, key))
                # One process, beside the reading: the target is what is waited for.
                found.append(await asyncio.to_thread(_one, registry.fingerprint_key, batch))
                read += batch.num_rows
                told(dataset.dataset, read)
    if not numbers:
        return Added(0, 0, 0)
    added = await asyncio.to_thread(
        _added, registry, dataset.dataset, dataset.organisation, np.concatenate(numbers), joined(found)
    )
    await _record(ledger, registry, dataset.dataset, dataset.organisation, added, by)
    return added


async def index_target(
    ledger: Ledger,
    registry: Registry,
    name: str,
    *,
    secret: bytes,
    by: str,
    told: Told = lambda dataset, rows: None,
) -> AsyncIterator[tuple[str, Added | None]]:
    """Index the datasets of a target one by one; None for one whose credential was erased.

    Raises Fault NO_TARGET, TARGET_UNREADABLE."""
    async with ledger.read() as connection:
        target, catalogue = await find_target(connection, name), await find_catalogue(connection, name)
    if target is None or catalogue is None:
        raise Fault(NO_TARGET, target=name)
    for one in catalogue.datasets:
        password = await ledger.content(one.secret) if one.secret else b""
        if isinstance(password, Erased):
            yield one.dataset, None
        elif one.tables:
            yield (
                one.dataset,
                await index_dataset(
                    ledger,
                    registry,
                    target,
                    one,
                    password=password.decode(),
                    secret=secret,
                    by=by,
                    told=told,
                ),
            )


async def gather_sessions(ledger: Ledger, registry: Registry) -> list[Passed]:
    """Bring the sets of persons that closed sessions sealed into the registry, whatever door sealed them.

    A session of a dataset that is not indexed yet waits for the next call."""
    indexed = {entry.dataset: entry.organisation for entry in registry.datasets}
    added: list[Passed] = []
    for dataset, organisation in indexed.items():
        there = {passed.session for passed in registry.sessions_of(dataset)}
        async with ledger.read() as connection:
            query = select(sessions.c.session, sessions.c.seen).where(
                sessions.c.dataset == dataset, sessions.c.seen != ""
            )
            rows = [row for row in await connection.execute(query) if row.session not in there]
        seen = []
        for row in sorted(rows, key=lambda one: str(one.session)):
            content = await ledger.content(row.seen)
            if isinstance(content, bytes):  # what was erased stays erased
                seen.append((row.session, BitMap64.deserialize(content)))
        if seen:
            added += await asyncio.to_thread(
                registry.add_sessions, dataset, organisation, seen, datetime.now(UTC)
            )
    return added


@asynccontextmanager
async def _reading(target: Target, role: str, password: str) -> AsyncIterator[Any]:
    """One read-only transaction of the dataset's own role: all tables as they are at one moment."""
    context = ssl.create_default_context(cadata=target.tls_ca) if target.tls_ca else False
    try:
        connection = await asyncpg.connect(
            host=target.host,
            port=target.port,
            user=role,
            password=password,
            database=target.database,
            ssl=context,
            timeout=_CONNECT_SECONDS,
            server_settings={
                "application_name": "sekisho trace index",
                "default_transaction_read_only": "on",
                "lock_timeout": "1s",
            },
        )
        try:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                yield connection
        finally:
            await connection.close(timeout=_CONNECT_SECONDS)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
        reason = type(error).__name__ if isinstance(error, TimeoutError) else str(error)
        raise Fault(TARGET_UNREADABLE, target=target.target, role=role, reason=reason) from error


async def _rows(connection: Any, table: TableEntry) -> AsyncIterator[tuple[list[str | None], pa.RecordBatch]]:
    columns: dict[str, str] = {}
    for column in table.columns:
        item = _SAME.get(column.item, column.item)
        if column.personal and item in ITEMS:
            columns.setdefault(item, column.name)
    if table.subject is None or not columns:
        return
    names = [table.subject, *columns.values()]
    words = ", ".join(f"{_quoted(name)}::text" for name in names)
    query = f"SELECT {words} FROM {_quoted(table.schema)}.{_quoted(table.name)}"  # noqa: S608 (quoted names)
    rows: list[Any] = []
    async for row in connection.cursor(query, prefetch=5_000):
        rows.append(row)
        if len(rows) == CHUNK:
            yield _batch(rows, list(columns))
            rows = []
    if rows:
        yield _batch(rows, list(columns))


def _batch(rows: Sequence[Any], items: Sequence[str]) -> tuple[list[str | None], pa.RecordBatch]:
    subject, *columns = (list(column) for column in zip(*rows, strict=True))
    arrays = [pa.array(column, pa.string()) for column in columns]
    return subject, pa.RecordBatch.from_arrays(arrays, names=list(items))


def _one(key: bytes, batch: pa.RecordBatch) -> Lines:
    return next(fingerprint(key, [batch], processes=1))


def _added(
    registry: Registry, dataset: str, organisation: str, numbers: npt.NDArray[np.int64], lines: Lines
) -> Added:
    some = numbers >= 0
    kept = {part: digests[some] for part, digests in lines.items()}
    return registry.add_lines(dataset, organisation, numbers[some], kept, datetime.now(UTC))


async def _record(
    ledger: Ledger, registry: Registry, dataset: str, organisation: str, added: Added, by: str
) -> None:
    fact = DatasetIndexed(
        dataset=dataset,
        organisation=organisation,
        records=added.records,
        lines=added.lines,
        unchanged=added.unchanged,
        registry=registry.digest,
    )
    await ledger.record(fact, by=by, about=dataset)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
