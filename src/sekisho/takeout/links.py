"""The recipient's page: a link that is good once, and a code that came another way.

A link is 256 random bits, of which only the hash is kept. Its code has eight digits, five tries, and belongs to this
link alone; whoever reads the mail with the link has not the code. A newer link of a take-out takes the older one's
place. The package behind both is sealed: link and code spare the recipient's key from being the only lock.
"""

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row, func, select

from sekisho.faults import Fault
from sekisho.gate.tickets import require_standing
from sekisho.ledger import Erased
from sekisho.ledger.leaf import micros
from sekisho.people.throttle import Throttle
from sekisho.takeout.channels import Attempt, Deliveries
from sekisho.takeout.custody_facts import HandedOver, LinkMade, LinkTried
from sekisho.takeout.custody_faults import BAD_CODE, BAD_LINK, NOT_YOURS
from sekisho.takeout.custody_tables import takeout_links
from sekisho.takeout.tables import takeout_approvals

LIFE: Final = timedelta(hours=72)
TRIES: Final = 5
_DIGITS: Final = 8


@dataclass(frozen=True, slots=True)
class Link:
    """Told once, to whoever made it: `token` is for the recipient's mail, `code` for the telephone."""

    takeout: str
    token: str
    code: str
    expires: datetime


class Links:
    """One per process; the event loop's thread owns it."""

    def __init__(
        self,
        deliveries: Deliveries,
        throttle: Throttle,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._deliveries = deliveries
        self._ledger = deliveries.ledger
        self.throttle = throttle
        self._now = now
        self._trying = asyncio.Lock()  # two guesses at once are two guesses

    async def make(self, takeout: str, *, by: str) -> Link:
        """A link for a take-out that was released for the page and not handed over: for who asked for it, and for who
        approved it. Raises Fault."""
        released = await self._deliveries.released(takeout, "page")
        await require_standing(self._ledger, by)
        query = select(takeout_approvals.c.approver).where(takeout_approvals.c.takeout == takeout)
        async with self._ledger.read() as connection:
            approvers = set(await connection.scalars(query))
        if by not in {released.asked.person, *approvers}:
            raise Fault(NOT_YOURS, takeout=takeout, person=by)
        code = "".join(secrets.choice("0123456789") for _ in range(_DIGITS))
        token = secrets.token_urlsafe(32)
        # Not beyond the day on which the data must be back.
        expires = min(micros(self._now() + LIFE), released.asked.returns)
        sealed = self._ledger.vault.seal(released.asked.organisations[0], code.encode())
        fact = LinkMade(
            takeout=takeout, link=_hash(token), code=sealed.commitment, tries=TRIES, expires=expires
        )
        await self._ledger.record(fact, by=by, about=takeout, parts=[sealed])
        return Link(takeout, token, code, datetime.fromtimestamp(expires / 1e6, UTC))

    @asynccontextmanager
    async def opened(
        self, token: str, code: str, peer: str
    ) -> AsyncIterator[tuple[Attempt, Callable[[str], Awaitable[HandedOver]]]]:
        """The delivery behind a link, when the code is right. The link is spent before the first byte leaves.

        Raises Fault BAD_LINK, BAD_CODE (recorded), TOO_MANY_FAILURES."""
        self.throttle.hold_back("", peer)
        async with self._trying:
            row = await self._good(token, peer)
            content = await self._ledger.content(row.code)
            if isinstance(content, Erased) or not hmac.compare_digest(content, code.strip().encode()):
                self.throttle.failed("", peer)
                left = row.left - 1
                tried = LinkTried(takeout=row.takeout, link=row.link, peer=peer, left=left)
                await self._ledger.record(tried, by="sekisho", about=row.takeout)
                raise Fault(BAD_CODE, left=left)
            released = await self._deliveries.released(row.takeout, "page")
            started = self._deliveries.attempt(released, "page", row.link, by="sekisho")
            entered = (
                await started.__aenter__()
            )  # the link is spent on record before another guess is looked at
        failed: BaseException | None = None
        try:
            yield entered
        except BaseException as error:
            failed = error
            raise
        finally:
            await started.__aexit__(type(failed) if failed else None, failed, None)

    async def _good(self, token: str, peer: str) -> Row[Any]:
        links = takeout_links
        async with self._ledger.read() as connection:
            row = (await connection.execute(select(links).where(links.c.link == _hash(token)))).one_or_none()
            newest = (
                await connection.scalar(select(func.max(links.c.seq)).where(links.c.takeout == row.takeout))
                if row
                else None
            )
        if row is None or row.used or row.left < 1 or row.seq != newest or row.expires <= micros(self._now()):
            self.throttle.failed("", peer)
            raise Fault(BAD_LINK)
        return row


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
