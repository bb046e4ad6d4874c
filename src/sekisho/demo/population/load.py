"""Load the population into a PostgreSQL database through COPY."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import date
from typing import Any, Final, NamedTuple

import asyncpg

from sekisho.demo.population import schema
from sekisho.demo.population.customers import BLOCK, call_rows, rows
from sekisho.demo.population.organisations import Organisation

Progress = Callable[[int, int], None]
_CHUNKS_A_REPORT: Final = 4
_CAMPAIGNS: Final = (
    (1, "春のご案内", date(2022, 3, 1), date(2022, 4, 30)),
    (2, "夏のご挨拶", date(2022, 7, 1), date(2022, 8, 31)),
    (3, "休眠のお客様へのお電話", date(2022, 10, 1), date(2022, 12, 20)),
    (4, "年始のお届け", date(2023, 1, 5), date(2023, 1, 31)),
)


class Secret(NamedTuple):
    """What only the checkpoint may hold: the login of the role that reads one client's schema."""

    organisation: str
    role: str
    password: str


async def load(
    dsn: str, organisations: Sequence[Organisation], seed: int = 0, progress: Progress | None = None
) -> list[Secret]:
    """Fill the database that `dsn` names, as its superuser, and return the secret of each client's role.

    `progress` is called with the persons loaded so far and their total. Each organisation is one transaction:
    after an interruption it is there completely or not at all.
    """
    total, done = sum(organisation.persons for organisation in organisations), 0
    found: list[Secret] = []

    def reached(chunks: int) -> None:
        if progress and chunks % _CHUNKS_A_REPORT == 0:
            progress(done + chunks * BLOCK, total)

    connection = await asyncpg.connect(dsn)
    try:
        database = await connection.fetchval("SELECT current_database()")
        await connection.execute(schema.closing_sql(database))
        for organisation in organisations:
            secret = Secret(organisation.id, organisation.role, secrets.token_hex(24))
            async with connection.transaction():
                await connection.execute(schema.role_sql(organisation, database, secret.password))
                await connection.execute(schema.tables_sql(organisation))
                await _copy(connection, organisation, "customers", rows(organisation, seed), reached)
                await _copy(connection, organisation, "calls", call_rows(organisation, seed), None)
                await connection.copy_records_to_table(
                    "campaigns", schema_name=organisation.id, records=_CAMPAIGNS
                )
                await connection.execute(schema.keys_sql(organisation))
            done += organisation.persons
            if progress:
                progress(done, total)
            found.append(secret)
        await connection.execute("ANALYZE")
    finally:
        await connection.close()
    return found


async def _copy(
    connection: "asyncpg.Connection[Any]",
    organisation: Organisation,
    table: str,
    chunks: Iterator[bytes],
    reached: Callable[[int], None] | None,
) -> None:
    async def source() -> AsyncIterator[bytes]:
        for number, chunk in enumerate(chunks):
            if reached:
                reached(number)
            yield chunk
            await asyncio.sleep(
                0
            )  # making a chunk takes the loop for some 15 ms; others may run between them

    # FREEZE: the table was made in this transaction, so its rows need no second visit by vacuum.
    await connection.copy_to_table(
        table, schema_name=organisation.id, source=source(), columns=None, format="text", freeze=True
    )
