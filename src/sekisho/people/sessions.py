"""Console sessions: a random token in the browser's cookie, its SHA-256 in the ledger, and every use checked.

A session ends when its person logs out, after an idle or an absolute time, when somebody ends it, and when its
person leaves, is frozen, or enrols anew.
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import select

from sekisho.faults import Fault, Language
from sekisho.ledger import Connection, Ledger, Recorded
from sekisho.people import faults
from sekisho.people.accounts import find_holder
from sekisho.people.facts import SessionClosed, SessionOpened, SessionUsed
from sekisho.people.identity import Authenticated, Method, minted
from sekisho.people.links import digest_of
from sekisho.people.notice import NOTICE_ID
from sekisho.people.tables import console_sessions

IDLE: Final = timedelta(minutes=30)
ABSOLUTE: Final = timedelta(hours=10)
# How a one-time link's session ends if nobody enrols.
ENROLLING: Final = timedelta(minutes=30)
# Use is recorded at most this often: an idle session may end this much early, never late.
_RECORD_USE: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class ConsoleSession:
    """A session that is good now. `who` is the proof of its login."""

    session: str
    who: Authenticated
    name: str
    language: Language
    opened: datetime
    expires: datetime


@dataclass(frozen=True, slots=True)
class LiveSession:
    """A session for a list on a screen."""

    session: str
    account: str
    person: str
    method: str
    peer: str
    opened: datetime
    used: datetime


class Sessions:
    """One per process. `now` in seconds since 1970."""

    def __init__(self, ledger: Ledger, *, now: Callable[[], float] = time.time) -> None:
        self._ledger = ledger
        self._now = now

    async def open(self, who: Authenticated) -> tuple[str, str]:
        """(session id, token for the cookie) for somebody who has just logged in and was shown the notice.

        Raises Fault NOT_ACTIVE when the person left or was frozen in between."""
        async with self._ledger.read() as connection:
            holder = await find_holder(connection, who.account)
        if holder is None or not holder.active:
            raise Fault(faults.NOT_ACTIVE, person=who.person)
        token = secrets.token_urlsafe(32)
        session = f"c-{secrets.token_hex(8)}"
        expires = self._now() + (ENROLLING if who.enrolling else ABSOLUTE).total_seconds()
        opened = SessionOpened(
            session=session,
            account=who.account,
            person=who.person,
            method=who.method.value,
            peer=who.peer,
            digest=digest_of(token),
            notice=NOTICE_ID,
            expires=int(expires * 1e6),
        )
        await self._ledger.record(opened, by=who.person, about=session)
        return session, token

    async def find(self, token: str, *, peer: str) -> ConsoleSession | None:
        """The session of a cookie's token, or None when it is not good (any more). Call it on every request."""
        now = datetime.fromtimestamp(self._now(), UTC)
        async with self._ledger.read() as connection:
            query = select(console_sessions).where(console_sessions.c.digest == digest_of(token))
            row = (await connection.execute(query)).one_or_none()
            holder = await find_holder(connection, row.account) if row else None
        if row is None or holder is None or row.closed is not None:
            return None
        expires = datetime.fromtimestamp(row.expires / 1e6, UTC)
        if now >= expires or now - row.used >= IDLE or not holder.honours_login(row.opened):
            return None
        if now - row.used >= _RECORD_USE:
            await self._ledger.record(SessionUsed(session=row.session), by=row.person, about=row.session)
        # The human is the one the account belongs to; a row that says otherwise was edited.
        who = minted(row.account, holder.person, Method(row.method), peer)
        return ConsoleSession(row.session, who, holder.name, holder.language, row.opened, expires)

    async def close(self, session: str, *, by: str, reason: str = "logout") -> Recorded:
        """End a session: one's own, or another's where the caller has asked whether `by` may."""
        return await self._ledger.record(SessionClosed(session=session, reason=reason), by=by, about=session)

    async def live(self, connection: Connection) -> list[LiveSession]:
        """The sessions that are good now, newest first."""
        now = datetime.fromtimestamp(self._now(), UTC)
        query = (
            select(console_sessions)
            .where(
                console_sessions.c.closed.is_(None),
                console_sessions.c.expires > int(self._now() * 1e6),
                console_sessions.c.used > now - IDLE,
            )
            .order_by(console_sessions.c.opened.desc())
        )
        found = []
        for row in await connection.execute(query):
            holder = await find_holder(connection, row.account)
            if holder is not None and holder.honours_login(row.opened):
                found.append(
                    LiveSession(
                        row.session, row.account, row.person, row.method, row.peer, row.opened, row.used
                    )
                )
        return found
