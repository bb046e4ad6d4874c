"""From the ledger to a receiver: what was acknowledged is remembered, the rest comes again after a restart.

A receiver that takes nothing for a quarter of an hour is an alarm, told once: a monitoring that hears nothing looks
like a house in which nothing happens.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

import structlog

from sekisho import __version__
from sekisho.ledger import Ledger, Recorded
from sekisho.watch.export.carriers import Carrier, NotDelivered, carrier_of
from sekisho.watch.export.ocsf import EXPORTED, Event, event_of
from sekisho.watch.facts import ExportRefused, ExportStalled
from sekisho.watch.settings import Export

REFUSED: Final = "watch.export_failed"  # a log event
_log: Final = structlog.get_logger()
_STALLED_SECONDS: Final = 900.0
_LONGEST_WAIT: Final = 60.0
_MOST_ASKED: Final = 300.0  # seconds; what a receiver may ask us to wait
_FIRST_WAIT: Final = 1.0


@dataclass
class Standing:
    """For the status page: `sent` events since the start, the last time that something got through, and why the last
    try failed ("" when it did not)."""

    name: str
    receiver: str
    sent: int = 0
    refused: int = 0
    at: datetime | None = None
    failing: str = ""


class Exporter:
    """One for each receiver. `run` owns it."""

    def __init__(
        self,
        ledger: Ledger,
        export: Export,
        origin: str,
        *,
        carrier: Carrier | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._ledger = ledger
        self._export = export
        self._origin = origin
        self._carrier = carrier or carrier_of(export)
        self._now = now
        self._subscription = ledger.subscribe(f"export {export.name}", names=EXPORTED)
        parts = urlsplit(export.url)
        self.standing = Standing(export.name, f"{parts.hostname}:{parts.port or ''}".rstrip(":"))
        self._told = False

    async def run(self) -> None:
        """Export until the ledger closes. Raises its Fault when it fails."""
        waiting: asyncio.Queue[Recorded] = asyncio.Queue(self._export.batch)
        try:
            async with asyncio.TaskGroup() as group:
                reading = group.create_task(self._read(waiting))
                while not (reading.done() and waiting.empty()):
                    batch = await self._next(waiting, reading)
                    if batch:
                        await self._deliver(batch)
                        await self._subscription.ack(batch[-1])
        finally:
            await self._carrier.close()

    async def _read(self, waiting: "asyncio.Queue[Recorded]") -> None:
        async for recorded in self._subscription:
            await waiting.put(recorded)

    async def _next(
        self, waiting: "asyncio.Queue[Recorded]", reading: "asyncio.Task[None]"
    ) -> list[Recorded]:
        """What waits, up to a batch; at least one, unless the reading has ended."""
        async with asyncio.TaskGroup() as group:
            got = group.create_task(waiting.get())
            await asyncio.wait([got, reading], return_when=asyncio.FIRST_COMPLETED)
            if not got.done():
                got.cancel()
        batch = [] if got.cancelled() else [got.result()]
        while batch and len(batch) < self._export.batch and not waiting.empty():
            batch.append(waiting.get_nowait())
        return batch

    async def _deliver(self, batch: Sequence[Recorded]) -> None:
        """Return when the receiver has all of it, or has refused an event by itself, which is recorded."""
        made = [(recorded, event_of(recorded, self._origin, __version__)) for recorded in batch]
        events = [(recorded, event) for recorded, event in made if event is not None]
        if events:
            await self._push(events)

    async def _push(self, events: Sequence[tuple[Recorded, Event]]) -> None:
        wait, since = _FIRST_WAIT, self._now()
        while True:
            try:
                await self._carrier.send([event for _, event in events])
            except NotDelivered as failure:
                self.standing.failing = str(failure)
                if failure.never:
                    await self._halve(events, failure)
                    return
                _log.warning(REFUSED, to=self.standing.receiver, reason=str(failure))
                if (self._now() - since).total_seconds() >= _STALLED_SECONDS and not self._told:
                    self._told = True
                    said = ExportStalled(to=self.standing.receiver, line=events[0][0].seq)
                    await self._ledger.record(said, by="sekisho", about=self._export.name)
                await asyncio.sleep(max(wait, min(failure.wait, _MOST_ASKED)))
                wait = min(wait * 2, _LONGEST_WAIT)
                continue
            self.standing.sent += len(events)
            self.standing.at = self._now()
            self.standing.failing = ""
            self._told = False
            return

    async def _halve(self, events: Sequence[tuple[Recorded, Event]], failure: NotDelivered) -> None:
        """One event that is not taken must not hold back all that come after it."""
        if len(events) > 1:
            middle = len(events) // 2
            await self._push(events[:middle])
            await self._push(events[middle:])
            return
        self.standing.refused += 1
        seq = events[0][0].seq
        said = ExportRefused(line=seq, to=self.standing.receiver, status=failure.status)
        await self._ledger.record(said, by="sekisho", about=self._export.name)
