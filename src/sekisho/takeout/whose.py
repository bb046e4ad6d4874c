"""Whose the persons in a file are: by their fingerprints, where the registry can be asked, else by what was pulled.

The key of the registry is kept apart from the checkpoint, unless the settings name its folder; without it, all that can
be said is for whom the workspace was opened, and how many persons were ever pulled into it. Neither the file's name
nor the requester is asked.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from sqlalchemy import func, select

from sekisho.ledger import Ledger
from sekisho.relay.workspace.tables import pulls, workspaces
from sekisho.takeout.apart import Seen
from sekisho.takeout.facts import Whose
from sekisho.trace.intake import Listing
from sekisho.trace.keys import TraceKeys
from sekisho.trace.lookup import look_up
from sekisho.trace.registry import LIST, Registry


@dataclass(frozen=True, slots=True)
class Told:
    """`by` is "registry" or "workspace"; `unknown` rows are nobody's who is known."""

    whose: tuple[Whose, ...]
    unknown: int
    by: str


class Fingerprints:
    """The registry and its key, if both are at hand. It is opened anew for each file: it grows meanwhile."""

    def __init__(self, folder: Path, keys: Path | None) -> None:
        self._folder = folder
        self._keys = keys

    def open(self) -> Registry | None:
        """Raises the registry's faults when it is there and cannot be trusted."""
        if self._keys is None or not (self._folder / LIST).exists():
            return None
        return Registry.open(self._folder, TraceKeys.open(self._keys))


async def told_by_registry(seen: Seen, registry: Registry) -> Told:
    def work() -> Told:
        rows = pa.table({"row": pa.nulls(seen.rows, pa.string())})
        listing = Listing("", "", 0, "", "", (), rows)
        found = look_up(listing, seen.row_of_line, seen.lines, registry, registry.load())
        whose = [
            Whose(organisation=organisation, least=counts.lower, most=counts.upper)
            for organisation, counts in sorted(found.counts_of.items())
        ]
        return Told(tuple(whose), found.attribution.foreign, "registry")

    return await asyncio.to_thread(work)


async def told_by_workspace(ledger: Ledger, ticket: str, persons: int) -> Told:
    """All that came through the inner door is one organisation's. More persons than came cannot all be."""
    async with ledger.read() as connection:
        organisation = await connection.scalar(
            select(workspaces.c.organisation).where(workspaces.c.ticket == ticket)
        )
        pulled = await connection.scalar(
            select(func.coalesce(func.sum(pulls.c.persons), 0)).where(pulls.c.ticket == ticket)
        )
    most = min(persons, int(pulled or 0))
    whose = (Whose(organisation=organisation, least=0, most=most),) if organisation else ()
    return Told(whose, max(0, persons - most), "workspace")


def others(told: Told, organisations: Sequence[str]) -> tuple[Whose, ...]:
    """Those whose persons are inside for certain, and who were not named."""
    return tuple(one for one in told.whose if one.least > 0 and one.organisation not in organisations)
