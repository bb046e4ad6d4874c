"""A reader of facts that remembers how far it came."""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

from sekisho.ledger.batch import Aside
from sekisho.ledger.leaf import Recorded
from sekisho.ledger.tables import OFFSETS

if TYPE_CHECKING:
    from sekisho.ledger.ledger import Ledger

_PAGE: Final = 500
_POLL: Final = 0.5  # seconds; facts of other processes come without a call
_PAUSE: Final = 0.05  # seconds; a busy ledger has hundreds of turns a second


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
        while not ledger.closing:
            if ledger.fault is not None:
                raise ledger.fault
            end = await ledger.size()
            page = await ledger.facts(start, _PAGE, names=self._names) if start < end else []
            for recorded in page:
                yield recorded
                start = recorded.seq + 1
            if len(page) < _PAGE:
                start = max(start, end)  # what lies between has other names
                await ledger.wait_turn(_POLL)
                await asyncio.sleep(_PAUSE)

    async def ack(self, recorded: Recorded) -> None:
        """Remember durably that everything up to and including this fact was handled."""
        await self._ledger.remember(Aside(OFFSETS, {"name": self._name}, {"next_seq": recorded.seq + 1}))
