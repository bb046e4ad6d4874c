"""The accounts from which sessions spend, kept in memory by the one process that runs the doors.

What is durable is `budget_use` (leases, less what was given back) and the set of persons that each closed
session saw. A session that never closed (a crash) has its leases counted in full and its set unknown: its
persons count again, none is forgotten.

The inner door, which fills workspaces, has accounts of its own: a bulk allowance must not widen what terminals are
shown, and a bulk pull must not use that up.
"""

from datetime import UTC, datetime

from pyroaring import BitMap64
from sqlalchemy import ColumnElement, select

from sekisho.gate.budget import Account, Meter, Scope, limits_of
from sekisho.gate.decide import INNER, JST, Grant
from sekisho.gate.tables import budget_use
from sekisho.ledger import Ledger
from sekisho.relay.tables import sessions


class AccountBook:
    """Hands out a session's meter. One per process; the event loop's thread owns it."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._accounts: dict[str, Account] = {}
        self._meters: set[Meter] = set()

    async def open(self, grant: Grant, session: str, now: datetime) -> Meter:
        """The meter of a new session; reads durable use for accounts that this process has not touched yet."""
        day = now.astimezone(JST).date()
        since = datetime(day.year, day.month, day.day, tzinfo=JST).astimezone(UTC)
        inner = grant.door == INNER
        same_side = sessions.c.door == INNER if inner else sessions.c.door != INNER
        side = "inner:" if inner else ""
        mine = (sessions.c.person == grant.person) & same_side
        wanted: list[tuple[Scope, str, ColumnElement[bool]]] = [
            (Scope.DAY, f"{side}day:{grant.person}:{day}", mine & (sessions.c.opened >= since)),
            (Scope.TICKET, f"{side}ticket:{grant.ticket}", (sessions.c.ticket == grant.ticket) & same_side),
            (
                Scope.CLIENT,
                f"{side}client:{grant.person}:{grant.organisation}",
                mine & (sessions.c.organisation == grant.organisation),
            ),
        ]
        persons, rows = limits_of(grant.limits, Scope.SESSION)
        accounts = [Account(Scope.SESSION, f"session:{session}", persons, rows)]
        for scope, key, which in wanted:
            account = self._accounts.get(key) or await self._load(scope, key, which)
            # Another session may have loaded it meanwhile: the first one stays.
            account = self._accounts.setdefault(key, account)
            account.limit_persons, account.limit_rows = limits_of(grant.limits, scope)
            accounts.append(account)
        meter = Meter(tuple(accounts))
        self._meters.add(meter)
        return meter

    def siblings(self, meter: Meter) -> list[Meter]:
        """Other open sessions that share an account with this one: their unspent leases can be given back."""
        mine = set(map(id, meter.accounts[1:]))
        return [
            other for other in self._meters if other is not meter and mine & set(map(id, other.accounts[1:]))
        ]

    def close(self, meter: Meter) -> None:
        self._meters.discard(meter)

    async def _load(self, scope: Scope, key: str, which: ColumnElement[bool]) -> Account:
        account = Account(scope, key, 0, 0)
        async with self._ledger.read() as connection:
            used = (
                await connection.execute(
                    select(budget_use.c.persons, budget_use.c.rows).where(budget_use.c.account == key)
                )
            ).one_or_none()
            sets = list(
                (
                    await connection.execute(select(sessions.c.seen).where(which & (sessions.c.seen != "")))
                ).scalars()
            )
        if used is not None:
            account.persons, account.rows = used.persons, used.rows
        for commitment in sets:
            content = await self._ledger.content(commitment)
            if isinstance(content, bytes):  # an erased set forgets whom it counted: they count again
                account.seen |= BitMap64.deserialize(content)
        return account
