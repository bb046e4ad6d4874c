"""The login desk: password and one-time code in, a door token out."""

import asyncio
import secrets
import time
from collections.abc import Callable
from typing import Final

from sqlalchemy import select

from sekisho.faults import Fault
from sekisho.ledger import Ledger
from sekisho.people import faults
from sekisho.people.credentials import check
from sekisho.people.facts import CodeUsed, LoginFailed, TokenIssued
from sekisho.people.tables import codes_used, credentials, persons
from sekisho.people.tokens import Token

TOKEN_SECONDS: Final = 10 * 60
# Five failures, and a person waits: far below what guessing a code of six digits would need.
FAILURES: Final = 5
WAIT_SECONDS: Final = 60.0


class LoginDesk:
    """One per process; the event loop's thread owns it. `key` is the token key (32 bytes)."""

    def __init__(self, ledger: Ledger, key: bytes, *, now: Callable[[], float] = time.time) -> None:
        self._ledger = ledger
        self._key = key
        self._now = now
        self._failures: dict[str, list[float]] = {}
        # One login of a person at a time: two racing ones could spend the same code.
        self._busy: dict[str, asyncio.Lock] = {}

    async def issue(
        self, *, person: str, password: str, code: str, ticket: str, target: str, peer: str
    ) -> tuple[Token, str]:
        """Check a person and issue a door token with its password, good for ten minutes.

        Whether the ticket opens anything is decided at the door, each time. Raises Fault LOGIN_REFUSED or
        TOO_MANY_FAILURES; a failure is recorded."""
        # All unknown names share one entry: made-up ones cannot fill the memory.
        known = person if await self._is_ours(person) else ""
        async with self._busy.setdefault(known, asyncio.Lock()):
            self._hold_back(known)
            step = await self._check(known, password, code)
            if step is None:
                self._failures.setdefault(known, []).append(self._now())
                failed = LoginFailed(claimed=known, peer=peer, reason="credential")
                await self._ledger.record(failed, by="sekisho", about=known or "login")
                raise Fault(faults.LOGIN_REFUSED)
            self._failures.pop(known, None)
            token = Token(
                token=secrets.token_hex(8),
                person=person,
                ticket=ticket,
                target=target,
                expires=int((self._now() + TOKEN_SECONDS) * 1e6),
            )
            issued = TokenIssued(
                token=token.token, person=person, ticket=ticket, target=target, expires=token.expires
            )
            await self._ledger.record(CodeUsed(person=person, step=step), by=person, about=person)
            await self._ledger.record(issued, by=person, about=ticket)
            return token, token.password(self._key)

    def _hold_back(self, person: str) -> None:
        now = self._now()
        recent = [at for at in self._failures.get(person, ()) if now - at < WAIT_SECONDS]
        if len(recent) >= FAILURES:
            raise Fault(
                faults.TOO_MANY_FAILURES, person=person, seconds=int(recent[0] + WAIT_SECONDS - now) + 1
            )
        if recent:
            self._failures[person] = recent
        else:
            self._failures.pop(person, None)

    async def _is_ours(self, person: str) -> bool:
        async with self._ledger.read() as connection:
            query = select(persons.c.person).where(persons.c.person == person)
            return (await connection.execute(query)).one_or_none() is not None

    async def _check(self, person: str, password: str, code: str) -> int | None:
        query = (
            select(credentials.c.verifier, codes_used.c.step)
            .outerjoin(codes_used, codes_used.c.person == credentials.c.person)
            .where(credentials.c.person == person)
        )
        async with self._ledger.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        content = await self._ledger.content(row.verifier) if row else None
        credential = content if isinstance(content, bytes) else None
        spent = row.step or 0 if row else 0
        return await asyncio.to_thread(check, credential, password, code, now=self._now(), last_step=spent)
