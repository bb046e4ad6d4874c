"""Tokens of the JSON API: shown once, kept as a hash, with scopes and an end, void with their person."""

import secrets
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import select

from sekisho.faults import Fault
from sekisho.ledger import Ledger, Recorded
from sekisho.people import faults
from sekisho.people.accounts import find_holder
from sekisho.people.facts import ApiTokenIssued, ApiTokenRevoked
from sekisho.people.identity import Authenticated
from sekisho.people.links import digest_of
from sekisho.people.tables import api_tokens

LONGEST: Final = timedelta(days=90)
# So that a scanner of leaked secrets knows one when it sees one.
_PREFIX: Final = "sekisho_"


@dataclass(frozen=True, slots=True)
class ApiCaller:
    """Who calls, and what the token is good for: a call needs its scope and its person's right, both."""

    token: str
    account: str
    person: str
    scopes: frozenset[str]


class ApiTokens:
    """One per process. `known` are the scopes that the API has; `now` in seconds since 1970."""

    def __init__(
        self, ledger: Ledger, known: Collection[str], *, now: Callable[[], float] = time.time
    ) -> None:
        self._ledger = ledger
        self._known = frozenset(known)
        self._now = now

    async def issue(
        self, who: Authenticated, *, label: str, scopes: Collection[str], lasts: timedelta = LONGEST
    ) -> tuple[str, str]:
        """(token id, the secret to show once). Raises Fault BAD_SCOPE or ONLY_ENROLLING; lasts 90 days at most."""
        if who.enrolling:
            raise Fault(faults.ONLY_ENROLLING)
        for scope in scopes:
            if scope not in self._known:
                raise Fault(faults.BAD_SCOPE, scope=scope, known=", ".join(sorted(self._known)))
        token = f"a-{secrets.token_hex(8)}"
        secret = _PREFIX + secrets.token_urlsafe(32)
        issued = ApiTokenIssued(
            token=token,
            person=who.account,
            label=label,
            scopes=tuple(sorted(set(scopes))),
            digest=digest_of(secret),
            expires=int((self._now() + min(lasts, LONGEST).total_seconds()) * 1e6),
        )
        await self._ledger.record(issued, by=who.person, about=token)
        return token, secret

    async def find(self, secret: str) -> ApiCaller | None:
        """Who calls with this secret, or None when it is not good (any more)."""
        async with self._ledger.read() as connection:
            query = select(api_tokens).where(api_tokens.c.digest == digest_of(secret))
            row = (await connection.execute(query)).one_or_none()
            holder = await find_holder(connection, row.person) if row else None
        if row is None or holder is None or row.revoked is not None:
            return None
        if row.expires <= self._now() * 1e6 or not holder.honours_login(row.issued):
            return None
        # A scope that this version does not have is not granted.
        return ApiCaller(row.token, row.person, holder.person, frozenset(row.scopes.split()) & self._known)

    async def revoke(self, token: str, *, by: str, reason: str) -> Recorded:
        return await self._ledger.record(ApiTokenRevoked(token=token, reason=reason), by=by, about=token)
