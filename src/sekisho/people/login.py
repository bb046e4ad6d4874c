"""The login desk: password and one-time code in, the proof of who it is out; and the door tokens that it buys."""

import asyncio
import secrets
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from sqlalchemy import select

from sekisho.faults import Fault
from sekisho.ledger import Ledger
from sekisho.people import faults
from sekisho.people.accounts import Holder, find_holder
from sekisho.people.credentials import check, check_code
from sekisho.people.facts import CodeUsed, TokenIssued
from sekisho.people.identity import Authenticated, Method, minted
from sekisho.people.tables import codes_used, credentials
from sekisho.people.throttle import Throttle, record_failure
from sekisho.people.tokens import Token

TOKEN_SECONDS: Final = 10 * 60


class LoginDesk:
    """One per process; the event loop's thread owns it. `key` is the token key (32 bytes)."""

    def __init__(
        self,
        ledger: Ledger,
        key: bytes,
        *,
        now: Callable[[], float] = time.time,
        throttle: Throttle | None = None,
    ) -> None:
        self._ledger = ledger
        self._key = key
        self._now = now
        self._throttle = throttle or Throttle(now)
        # One login of an account at a time: two racing ones could spend the same code.
        self._busy: dict[str, asyncio.Lock] = {}

    async def issue(
        self, *, person: str, password: str, code: str, ticket: str, target: str, peer: str
    ) -> tuple[Token, str]:
        """Check a person and issue a door token with its password, good for ten minutes.

        Raises Fault LOGIN_REFUSED or TOO_MANY_FAILURES; a failure is recorded."""
        who = await self.verify(person=person, password=password, code=code, peer=peer)
        return await self.token(who, ticket=ticket, target=target)

    async def verify(self, *, person: str, password: str, code: str, peer: str) -> Authenticated:
        """Check the password and one-time code of an account, and spend the code.

        Raises Fault LOGIN_REFUSED or TOO_MANY_FAILURES; a failure is recorded, and never says what was wrong: the
        account, the password, the code, or that the person left or is frozen."""
        holder = await self._spend(person, partial(check, password=password, code=code), peer)
        return minted(holder.account, holder.person, Method.PASSWORD, peer)

    async def spend_code(self, account: str, code: str, *, peer: str) -> None:
        """Check and spend the one-time code of an account whose first factor somebody else has checked.

        Raises as `verify`; an account without an authenticator app has no code, and is refused."""
        await self._spend(account, partial(check_code, code=code), peer)

    async def _spend(self, person: str, checks: Callable[..., int | None], peer: str) -> Holder:
        async with self._ledger.read() as connection:
            holder = await find_holder(connection, person)
        # All unknown names share one lock: made-up ones cannot fill the memory.
        known = holder.account if holder else ""
        async with self._busy.setdefault(known, asyncio.Lock()):
            self._throttle.hold_back(person, peer)
            step = await self._check(known, checks)
            if holder is None or step is None:
                self._throttle.failed(person, peer)
                await record_failure(self._ledger, account=known, peer=peer, reason="credential")
                raise Fault(faults.LOGIN_REFUSED)
            self._throttle.passed(known)
            await self._ledger.record(CodeUsed(person=known, step=step), by=known, about=known)
        return holder

    async def token(self, who: Authenticated, *, ticket: str, target: str) -> tuple[Token, str]:
        """Issue a door token with its password, good for ten minutes, to somebody who has logged in.

        Whether the ticket opens anything is decided at the door, each time. Raises Fault ONLY_ENROLLING."""
        if who.enrolling:
            raise Fault(faults.ONLY_ENROLLING)
        token = Token(
            token=secrets.token_hex(8),
            person=who.account,
            ticket=ticket,
            target=target,
            expires=int((self._now() + TOKEN_SECONDS) * 1e6),
        )
        issued = TokenIssued(
            token=token.token, person=token.person, ticket=ticket, target=target, expires=token.expires
        )
        await self._ledger.record(issued, by=who.account, about=ticket)
        return token, token.password(self._key)

    async def _check(self, account: str, checks: Callable[..., int | None]) -> int | None:
        query = (
            select(credentials.c.verifier, credentials.c.set, codes_used.c.step)
            .outerjoin(codes_used, codes_used.c.person == credentials.c.person)
            .where(credentials.c.person == account)
        )
        async with self._ledger.read() as connection:
            row = (await connection.execute(query)).one_or_none()
            # Asked anew in this turn: a freeze may have come while an earlier attempt of this account ran.
            holder = await find_holder(connection, account)
        honoured = row is not None and holder is not None and holder.honours_authenticator(row.set)
        content = await self._ledger.content(row.verifier) if row and honoured else None
        credential = content if isinstance(content, bytes) else None
        spent = row.step or 0 if row else 0
        return await asyncio.to_thread(checks, credential, now=self._now(), last_step=spent)
