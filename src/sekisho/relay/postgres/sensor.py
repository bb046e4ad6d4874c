"""Who is connected to a PostgreSQL target without the checkpoint.

The checkpoint cannot stop a connection that does not come through it; that is for the target's network and its
pg_hba.conf. But a way around is drift that must not stay silent: at a steady pace the checkpoint asks each target, over
its own login, which processes serve clients, and records those that do not serve the checkpoint (`relay.bypass_seen`).

What it sees: every session's user and database; addresses and application names only of its own role's sessions, unless
the role is a member of pg_read_all_stats. What it misses: a connection that comes and goes between two looks, and
whoever uses a name that the settings expect. A second checkpoint before the same target counts as a way around.
"""

import asyncio
import time
from collections.abc import Collection
from contextlib import suppress
from typing import Final, NamedTuple

from sqlalchemy import select

from sekisho.faults import Fault
from sekisho.ledger import Erased, Fact, Ledger
from sekisho.register.catalogue import Catalogue, find_catalogue
from sekisho.register.tables import targets
from sekisho.relay import faults
from sekisho.relay.facts import BypassSeen, SensorChanged
from sekisho.relay.postgres.backends import backends_at
from sekisho.relay.postgres.target import OpenTarget, fetch, open_own

_ASK_SECONDS: Final = 10.0
_LOG_IN_SECONDS: Final = 0.5  # a process is listed a moment before its login has told us that it is ours
_AGAIN_SECONDS: Final = 600.0  # the same user, application and address is one fact in this time
_CLOSE_SECONDS: Final = 1.0

_CLIENTS: Final = b"""
    SELECT pid, usename, coalesce(application_name, ''),
           CASE WHEN client_port = -1 THEN 'local' ELSE coalesce(pg_catalog.host(client_addr), '') END,
           coalesce(datname, '')
    FROM pg_catalog.pg_stat_activity
    WHERE usename IS NOT NULL
      AND (datname IS NOT NULL OR pid IN (SELECT pid FROM pg_catalog.pg_stat_replication))
      AND coalesce(backend_type, 'client backend') IN ('client backend', 'walsender')
    """  # the server's own workers have no database, or say what they are; nor has a physical replica's connection


class _Client(NamedTuple):
    user: str
    application: str
    address: str
    database: str


class Sensor:
    """One per checkpoint; owned by the task that runs it. `expected` are the database users that connect directly by
    right, such as the application's own."""

    def __init__(self, ledger: Ledger, *, seconds: float, expected: Collection[str] = ()) -> None:
        self._ledger = ledger
        self._seconds = seconds
        self._expected = frozenset(expected)
        self._open: dict[str, tuple[Catalogue, OpenTarget]] = {}
        self._blind: dict[str, str] = {}  # target -> why
        self._told: dict[tuple[str, _Client], float] = {}

    async def run(self) -> None:
        """Look until cancelled."""
        try:
            while True:
                await asyncio.sleep(self._seconds)
                for catalogue in await self._catalogues():
                    await self._watch(catalogue)
        finally:
            for _, target in self._open.values():
                await target.wire.closed_within(_CLOSE_SECONDS)

    async def _catalogues(self) -> list[Catalogue]:
        async with self._ledger.read() as connection:
            names = list(
                await connection.scalars(select(targets.c.target).where(targets.c.protocol == "postgres"))
            )
            found = [await find_catalogue(connection, name) for name in names]
        return [catalogue for catalogue in found if catalogue is not None and catalogue.datasets]

    async def _watch(self, catalogue: Catalogue) -> None:
        name, reason = catalogue.target.target, ""
        try:
            await self._look(catalogue)
        except (Fault, OSError, TimeoutError) as error:
            if self._ledger.fault is not None:
                raise
            reason = error.code if isinstance(error, Fault) else type(error).__name__
            await self._leave(name)
        if self._blind.get(name, "") != reason:
            self._blind[name] = reason
            await self._record(name, SensorChanged(target=name, sees=not reason, reason=reason))

    async def _look(self, catalogue: Catalogue) -> None:
        target = await self._opened(catalogue)
        ours = backends_at(catalogue.target.host, catalogue.target.port)
        leaving = ours.leaving()
        async with asyncio.timeout(_ASK_SECONDS):
            rows = await fetch(target, _CLIENTS, ())
        ours.gone(leaving - {int(row[0]) for row in rows})
        clients = {int(process): _Client(*rest) for process, *rest in rows if rest[0] not in self._expected}
        if ours.strangers(set(clients)):
            await asyncio.sleep(_LOG_IN_SECONDS)
        now = time.monotonic()
        name = catalogue.target.target
        self._told = {one: at for one, at in self._told.items() if now - at < _AGAIN_SECONDS}
        for process in sorted(ours.strangers(set(clients))):
            client = clients[process]
            if (name, client) not in self._told:
                self._told[name, client] = now
                await self._record(name, BypassSeen(target=name, **client._asdict()))

    async def _opened(self, catalogue: Catalogue) -> OpenTarget:
        """The connection that is kept for looking; made anew when it is gone or the register says otherwise."""
        name = catalogue.target.target
        known = self._open.get(name)
        if known is not None and known[0] == catalogue and not known[1].wire.closed.done():
            return known[1]
        await self._leave(name)
        dataset = catalogue.datasets[0]
        secret = await self._ledger.content(dataset.secret)
        if isinstance(secret, Erased):
            raise Fault(faults.TARGET_DOWN, target=name, reason="its credential was erased")
        target = await open_own(catalogue.target, dataset, secret, {"application_name": "sekisho sensor"})
        self._open[name] = catalogue, target
        return target

    async def _leave(self, name: str) -> None:
        if (known := self._open.pop(name, None)) is not None:
            with suppress(OSError):
                await known[1].wire.closed_within(_CLOSE_SECONDS)

    async def _record(self, name: str, fact: Fact) -> None:
        await self._ledger.record(fact, by="sekisho", about=name)
