"""A batch of rows becomes one fact and its sealed segment; only then is it acknowledged.

After a crash at any point a batch either stands in the ledger or was never acknowledged: the source sends it again,
and it is known by its numbers, or by its digest. One lock for each source keeps its numbers in order.
"""

import asyncio
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from sqlalchemy import select

from sekisho.faults import Fault
from sekisho.ledger import Ledger
from sekisho.ledger.faults import REFUSED
from sekisho.ledger.vault import CHECKPOINT
from sekisho.watch.facts import EventsReceived
from sekisho.watch.faults import BAD_BATCH, NO_SOURCE, SOURCE_BUSY
from sekisho.watch.foreign import RowReader, flat, mapping_of
from sekisho.watch.ingest.segments import TOLD, Segment, pack
from sekisho.watch.ingest.sources import Source, is_token, read_sources, salt_of
from sekisho.watch.tables import log_batches, log_deliveries

MOST_ROWS: Final = 10_000
_WAITING: Final = 8  # batches of one source that may wait for each other
_decoder: Final = msgspec.json.Decoder(dict[str, Any])


@dataclass(frozen=True, slots=True)
class Taken:
    """`rows` were kept now, as fact `line` (-1: all of it was there already). `next` is the number that the source's
    next row has, where it numbers them."""

    rows: int
    next: int
    line: int


@dataclass
class _Turn:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0


class Intake:
    """One per process. Owned by the event loop."""

    def __init__(
        self,
        ledger: Ledger,
        secret: bytes,
        *,
        zone: int = 9 * 3600,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._ledger = ledger
        self._secret = secret
        self._zone = zone
        self._now = now
        self._turns: dict[str, _Turn] = {}

    async def sources(self) -> Mapping[str, Source]:
        async with self._ledger.read() as connection:
            return await read_sources(connection)

    async def take_lines(self, name: str, token: str, body: bytes, *, first: int = 0) -> Taken:
        """Keep JSON lines of an HTTP source. `first` is its own number of the first row, 0 when it has none.

        Raises Fault NO_SOURCE, BAD_BATCH, SOURCE_BUSY."""
        source = (await self.sources()).get(name)
        if source is None or not is_token(self._secret, source, token):
            raise Fault(NO_SOURCE)
        rows: list[dict[str, Any]] = []
        for number, line in enumerate(body.splitlines(), 1):
            if not line.strip():
                continue
            try:
                rows.append(_decoder.decode(line))
            except (msgspec.MsgspecError, RecursionError) as error:
                raise Fault(BAD_BATCH, row=number, reason=error) from error
        if not rows or len(rows) > MOST_ROWS:
            raise Fault(BAD_BATCH, row=len(rows), reason=f"a batch has 1 to {MOST_ROWS} rows")
        return await self.take(source, rows, first=first)

    async def take(self, source: Source, rows: Sequence[dict[str, Any]], *, first: int = 0) -> Taken:
        """Keep rows durably, each once. Raises Fault BAD_BATCH, SOURCE_BUSY."""
        turn = self._turns.setdefault(source.name, _Turn())
        if turn.waiting >= _WAITING:
            raise Fault(SOURCE_BUSY, source=source.name)
        turn.waiting += 1
        try:
            async with turn.lock:
                return await self._take(source, list(rows), first)
        finally:
            turn.waiting -= 1

    async def _take(self, source: Source, rows: list[dict[str, Any]], first: int) -> Taken:
        last = await self._last(source.name)
        missing = 0
        if first:
            known = max(0, min(len(rows), last + 1 - first))
            rows, first = rows[known:], first + known
            if not rows:
                return Taken(0, last + 1, -1)
            # The first numbers that we see tell nothing of those before: a source may be older than we are.
            missing = first - last - 1 if last else 0
            last = first + len(rows) - 1
        salt = salt_of(self._secret, source.name)
        try:
            content = msgspec.msgpack.encode(rows)
        except (OverflowError, RecursionError, msgspec.MsgspecError) as error:
            raise Fault(BAD_BATCH, row=0, reason=error) from error
        digest = hmac.digest(salt, b"%d|" % first + content, hashlib.sha256).hex()
        if await self._has(source.name, digest):
            return Taken(0, last + 1, -1)
        received = self._now()
        unread, ahead = self._try(source, rows, received)
        segment = Segment(
            source=source.name,
            received=int(received.timestamp() * 1e6),
            zone=self._zone,
            mapping=mapping_of(source.mapping),
            salt=salt,
            product=source.product,
            service=source.service,
            category=source.category,
            rows=rows,
        )
        sealed = self._ledger.vault.seal(CHECKPOINT, pack(segment))
        said = EventsReceived(
            source=source.name,
            digest=digest,
            first=first,
            last=last if first else 0,
            rows=len(rows),
            unread=unread,
            missing=missing,
            ahead=ahead,
            segment=sealed.commitment,
        )
        try:
            recorded = await self._ledger.record(said, by="sekisho", about=source.name, parts=[sealed])
        except Fault as fault:
            if fault.kind is not REFUSED:
                raise
            return Taken(0, last + 1, -1)  # another process was given the same batch, and was faster
        return Taken(len(rows), last + 1, recorded.seq)

    def _try(self, source: Source, rows: Sequence[dict[str, Any]], received: datetime) -> tuple[int, int]:
        """Read every row once, so that none is acknowledged that could not be read later: (of no kind, seconds
        ahead). Raises Fault BAD_BATCH."""
        reader = RowReader(mapping_of(source.mapping), zone=self._zone, strict=False)
        unread, ahead = 0, 0.0
        for number, row in enumerate(rows, 1):
            try:
                observation = reader.read(flat(row))
            except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
                raise Fault(BAD_BATCH, row=number, reason=error) from error
            if observation is None or observation.kind not in TOLD:
                unread += 1
            else:
                ahead = max(ahead, observation.at / 1e6 - received.timestamp())
        return unread, int(ahead)

    async def _last(self, source: str) -> int:
        async with self._ledger.read() as connection:
            query = select(log_deliveries.c.last).where(log_deliveries.c.source == source)
            return int(await connection.scalar(query) or 0)

    async def _has(self, source: str, digest: str) -> bool:
        async with self._ledger.read() as connection:
            query = select(log_batches.c.seq).where(
                log_batches.c.source == source, log_batches.c.digest == digest
            )
            return await connection.scalar(query) is not None
