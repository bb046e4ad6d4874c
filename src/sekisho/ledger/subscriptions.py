"""Readers of facts: one that remembers how far it came, and one that only hears what is recorded from now on."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from sekisho.ledger.batch import Aside
from sekisho.ledger.leaf import Recorded
from sekisho.ledger.tables import OFFSETS

if TYPE_CHECKING:
    from sekisho.ledger.ledger import Ledger

_PAGE: Final = 500
POLL_SECONDS: Final = 0.5  # facts of other processes come without a call
_PAUSE: Final = 0.05  # seconds; facts of one name can come by the hundred a second


async def follow(ledger: "Ledger", names: Collection[str]) -> AsyncIterator[Recorded]:
    """Each fact of these names from now on, in order: this process's own at once, another's within `POLL_SECONDS`.

    Ends when the ledger closes; raises its Fault when it fails. What it misses while it does
    not run, it never gives."""
    start = await ledger.size()
    with ledger.hearing(names) as heard:
        while not ledger.closing:
            if ledger.fault is not None:
                raise ledger.fault
            heard.clear()
            page = await ledger.facts(start, _PAGE, names=names)
            for recorded in page:
                start = recorded.seq + 1
                yield recorded
            if not page:
                await _until(heard)


async def _until(heard: asyncio.Event) -> None:
    """Return when there may be something to read."""
    with suppress(TimeoutError):
        async with asyncio.timeout(POLL_SECONDS):
            await heard.wait()
    await asyncio.sleep(_PAUSE)


class Subscription:
    """`async for recorded in subscription: …; await subscription.ack(recorded)`.

    A fact that was not acknowledged is delivered again after a restart: handling one twice must be harmless.
    """

    def __init__(self, ledger: "Ledger", name: str, names: frozenset[str] | None) -> None:
        self._ledger = ledger
        self._name = name
        self._names = names

    async def __aiter__(self) -> AsyncIterator[Recorded]:
        """Ends when the ledger closes; raises its Fault when it fails."""
        ledger = self._ledger
        start = await ledger.offset(self._name)
        with ledger.hearing(self._names) as heard:
            while not ledger.closing:
                if ledger.fault is not None:
                    raise ledger.fault
                heard.clear()
                end = await ledger.size()
                page = await ledger.facts(start, _PAGE, names=self._names) if start < end else []
                for recorded in page:
                    yield recorded
                    start = recorded.seq + 1
                if len(page) < _PAGE:
                    start = max(start, end)  # what lies between has other names
                    await _until(heard)

    async def ack(self, recorded: Recorded) -> None:
        """Remember durably that everything up to and including this fact was handled."""
        await self._ledger.remember(Aside(OFFSETS, {"name": self._name}, {"next_seq": recorded.seq + 1}))
