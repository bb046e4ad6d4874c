"""From a release to the recipient: by a page, to a registered server, onto a registered medium. Each once.

Nothing moves without `Released`, which is judged anew from the published log for every attempt, and nothing without
`takeout.delivery_begun` durable. While an attempt runs its file lock is held; an attempt whose lock is free and whose
end is not recorded was cut off by a crash: the next one says so first. `takeout.handed_over` is written after the last
byte, and the ledger accepts one for each take-out.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import func, select

from sekisho.faults import Fault
from sekisho.ledger import Ledger
from sekisho.takeout import destinations, media, sftp
from sekisho.takeout.custody_facts import DeliveryBegun, DeliveryFailed, HandedOver
from sekisho.takeout.custody_faults import DELIVERED, DELIVERY_FAILED, OTHER_DESTINATION
from sekisho.takeout.custody_tables import custody, takeout_deliveries
from sekisho.takeout.desk import Released, TakeoutDesk
from sekisho.takeout.packages import Packages
from sekisho.takeout.parcel import Parcel

_CHUNK: Final = 1 << 18
_CUT_OFF: Final = "cut off"


@dataclass(frozen=True, slots=True)
class Attempt:
    """A delivery that was begun; only `Deliveries.attempt` makes one, for a release."""

    released: Released
    parcel: Parcel
    number: int
    channel: str
    to: str


class Deliveries:
    """One per process; the event loop's thread owns it. `folder` holds locks and the checkpoint's own key for SFTP.
    Another process on this machine (`sekisho take-out write`) may use the same folder."""

    def __init__(self, ledger: Ledger, desk: TakeoutDesk, packages: Packages, folder: Path) -> None:
        self.ledger = ledger
        self._desk = desk
        self._packages = packages
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    async def push(self, takeout: str, *, by: str) -> HandedOver:
        """Bring a released package to the server that its approvers signed. Raises Fault, also the second time."""
        released = await self._desk.released(takeout)
        self._check_channel(released, "sftp")
        place = await destinations.find(self.ledger, "sftp", released.asked.medium)
        key = sftp.own_key(self._folder / sftp.OWN_KEY)
        async with self.attempt(released, "sftp", place.signed_as, by=by) as (attempt, done):
            confirmed = await sftp.push(attempt.parcel, place.server, key)
            return await done(confirmed)

    async def write(self, takeout: str, mount: Path, *, by: str, sysfs: Path = media.SYSFS) -> HandedOver:
        """Write a released package onto the medium that is mounted there, whose serial its approvers signed."""
        released = await self._desk.released(takeout)
        self._check_channel(released, "medium")
        serial = await asyncio.to_thread(media.serial_of, mount, sysfs)
        if serial != released.asked.medium:
            values = {"takeout": takeout, "approved": released.asked.medium, "destination": serial}
            raise Fault(OTHER_DESTINATION, **values)
        await destinations.find(self.ledger, "medium", serial)
        async with self.attempt(released, "medium", serial, by=by) as (attempt, done):
            await asyncio.to_thread(media.write, attempt.parcel, mount)
            return await done("read_back")

    @asynccontextmanager
    async def attempt(
        self, released: Released, channel: str, to: str, *, by: str
    ) -> AsyncIterator[tuple[Attempt, Callable[[str], Awaitable[HandedOver]]]]:
        """One delivery: begun is durable before the block, and what leaves it without `done` is a failure on record.

        Raises Fault DELIVERED, or DELIVERY_FAILED when another one runs."""
        takeout = released.asked.takeout
        with self._locked(takeout):
            number = await self._next(takeout)
            parcel = await asyncio.to_thread(self._parcel, released)
            begun = DeliveryBegun(takeout=takeout, attempt=number, channel=channel, to=to)
            await self.ledger.record(begun, by=by, about=takeout)
            ended = False

            async def done(confirmed: str) -> HandedOver:
                nonlocal ended
                over = HandedOver(
                    takeout=takeout,
                    attempt=number,
                    channel=channel,
                    to=to,
                    size=parcel.package.size,
                    package=parcel.package.sha256,
                    confirmed=confirmed,
                )
                await self.ledger.record(over, by=by, about=takeout)
                ended = True
                return over

            try:
                with contextlib.closing(parcel):
                    yield Attempt(released, parcel, number, channel, to), done
                if not ended:
                    raise Fault(DELIVERY_FAILED, takeout=takeout, reason="it ended early")
            except BaseException as error:
                if not ended:
                    # After a crash in here the attempt stays open, and the next one says that it was cut off.
                    reason = _reason(error)
                    failed = DeliveryFailed(takeout=takeout, attempt=number, reason=reason)
                    await asyncio.shield(self.ledger.record(failed, by=by, about=takeout))
                    if isinstance(error, OSError):
                        raise Fault(DELIVERY_FAILED, takeout=takeout, reason=reason) from error
                raise

    async def released(self, takeout: str, channel: str) -> Released:
        """Raises Fault, also when it was approved for another channel or handed over."""
        released = await self._desk.released(takeout)
        self._check_channel(released, channel)
        await self._not_over(takeout)
        return released

    def _check_channel(self, released: Released, channel: str) -> None:
        asked = released.asked
        if asked.channel != channel:
            values = {"takeout": asked.takeout, "approved": asked.channel, "destination": channel}
            raise Fault(OTHER_DESTINATION, **values)

    def _parcel(self, released: Released) -> Parcel:
        return Parcel(released, self._packages.hand_out(released))

    async def _not_over(self, takeout: str) -> None:
        async with self.ledger.read() as connection:
            over = await connection.scalar(select(custody.c.takeout).where(custody.c.takeout == takeout))
        if over is not None:
            raise Fault(DELIVERED, takeout=takeout)

    async def _next(self, takeout: str) -> int:
        """The number of the next attempt, after the last one was closed. Its lock is ours, so nobody is at it."""
        await self._not_over(takeout)
        deliveries = takeout_deliveries
        of = deliveries.c.takeout == takeout
        async with self.ledger.read() as connection:
            last = await connection.scalar(select(func.max(deliveries.c.attempt)).where(of)) or 0
            left = list(
                await connection.scalars(select(deliveries.c.attempt).where(of, deliveries.c.ended.is_(None)))
            )
        for attempt in left:
            failed = DeliveryFailed(takeout=takeout, attempt=attempt, reason=_CUT_OFF)
            await self.ledger.record(failed, by="sekisho", about=takeout)
        return last + 1

    @contextlib.contextmanager
    def _locked(self, takeout: str) -> Iterator[None]:
        name = hashlib.sha256(takeout.encode()).hexdigest()[:40]
        handle = os.open(self._folder / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Fault(
                    DELIVERY_FAILED, takeout=takeout, reason="another delivery is under way"
                ) from error
            yield
        finally:
            os.close(handle)


def _reason(error: BaseException) -> str:
    """Of a failure only what is ours to say: the other side can put words into an error."""
    if isinstance(error, Fault):
        return str(error.values.get("reason", error.code))[:200]
    if isinstance(error, OSError) and error.strerror:
        return error.strerror[:200]
    return type(error).__name__
