"""One-time links: the first two administrators, and enrolment that two people vouch for.

A link lets somebody enrol an authenticator, and do nothing else. No single person can make one for somebody else
and use it: the two who vouch each hold one half of its secret, and only the person to enrol is given both. The
first two administrators are brought in on the machine itself, one link each, and only while there are fewer.

A link that was used is a fact whose projection refuses a second one: it opens once, whatever races.
"""

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import select

from sekisho.faults import Fault
from sekisho.ledger import Ledger
from sekisho.ledger.faults import REFUSED
from sekisho.people import faults
from sekisho.people.accounts import find_holder, require_active
from sekisho.people.consent import find_holding, read_ask, require_compatible, require_role, require_second
from sekisho.people.facts import (
    EnrolmentAllowed,
    EnrolmentAsked,
    EnrolmentUsed,
    FirstLinkMade,
    FirstLinkUsed,
    RoleGranted,
)
from sekisho.people.identity import Authenticated, Method, minted
from sekisho.people.roles import CONSENTING, Role
from sekisho.people.tables import asks, first_links
from sekisho.people.throttle import Throttle, record_failure

LINK_SECONDS: Final = 24 * 3600
ADMINISTRATORS: Final = 2
_AUTHENTICATORS: Final = ("people.credential_set", "people.passkey_added", "people.identity_bound")


@dataclass(frozen=True, slots=True)
class Half:
    """Half of an enrolment link, shown once to the one who vouched, to be handed to the person in person."""

    request: str
    secret: str

    def __repr__(self) -> str:
        return f"Half({self.request})"


def digest_of(secret: str) -> str:
    # What was typed may be no text at all; it only has to be another secret then.
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


class LinkDesk:
    """One per process. `now` in seconds since 1970."""

    def __init__(
        self, ledger: Ledger, *, now: Callable[[], float] = time.time, throttle: Throttle | None = None
    ) -> None:
        self._ledger = ledger
        self._now = now
        self._throttle = throttle or Throttle(now)

    async def first_link(self, person: str) -> str:
        """The secret of a link that makes this person an administrator. For whoever runs the machine.

        Raises Fault ENOUGH_ADMINISTRATORS, HAS_AUTHENTICATOR, NO_SUCH_PERSON, NOT_ACTIVE, ROLES_EXCLUDE."""
        async with self._ledger.read() as connection:
            await require_active(connection, person)
            await require_compatible(connection, person, Role.ADMINISTRATOR)
        await self._require_few_administrators(person)
        secret = secrets.token_urlsafe(32)
        made = FirstLinkMade(person=person, digest=digest_of(secret), expires=self._expiry())
        await self._ledger.record(made, by="sekisho", about=person)
        return secret

    async def use_first_link(self, secret: str, peer: str) -> Authenticated:
        """The person becomes administrator, and may enrol. Raises Fault BAD_LINK (recorded), TOO_MANY_FAILURES,
        ENOUGH_ADMINISTRATORS, HAS_AUTHENTICATOR, ROLES_EXCLUDE."""
        self._throttle.hold_back("", peer)
        async with self._ledger.read() as connection:
            query = select(first_links).where(first_links.c.digest == digest_of(secret))
            row = (await connection.execute(query)).one_or_none()
            holder = await find_holder(connection, row.person) if row else None
        if (
            row is None
            or row.used is not None
            or self._expired(row.expires)
            or not (holder and holder.active)
        ):
            raise await self._bad_link(row.person if row else "", peer)
        await self._require_few_administrators(row.person)
        async with self._ledger.read() as connection:
            await require_compatible(connection, row.person, Role.ADMINISTRATOR)
        try:
            used = FirstLinkUsed(person=row.person, request=row.request)
            await self._ledger.record(used, by=row.person, about=row.person)
        except Fault as fault:
            raise await self._spent(fault, row.person, peer) from fault
        # A crash here spends the link without giving the role: make another link.
        granted = RoleGranted(
            person=row.person,
            role=Role.ADMINISTRATOR,
            organisation="",
            since=datetime.fromtimestamp(self._now(), UTC).date(),
            request=row.request,
        )
        await self._ledger.record(granted, by=row.person, about=row.person)
        return minted(row.person, row.person, Method.LINK, peer)

    async def ask_enrolment(self, person: str, *, reason: str, by: str) -> Half:
        """Vouch that a person may enrol a new authenticator: at joining, or after losing the last one.

        Raises Fault SECOND_PERSON, NEEDS_ROLE, NOT_ACTIVE, NO_SUCH_PERSON."""
        require_second(person, by, "")
        async with self._ledger.read() as connection:
            await require_role(connection, by, CONSENTING)
            await require_active(connection, person)
        held = await self._held(person)
        secret = secrets.token_urlsafe(24)
        asked = EnrolmentAsked(person=person, reason=reason, held=held, digest=digest_of(secret))
        recorded = await self._ledger.record(asked, by=by, about=person)
        return Half(recorded.leaf_hash.hex(), secret)

    async def allow_enrolment(self, request: str, *, by: str) -> Half:
        """The second one vouches. Where the person had an authenticator, the two must act in different roles.

        Raises Fault NOT_OPEN, SECOND_PERSON, NEEDS_ROLE, NOT_ACTIVE, SAME_ROLE."""
        asked, recorded = await read_ask(self._ledger, request, EnrolmentAsked)
        require_second(asked.person, by, recorded.by)
        async with self._ledger.read() as connection:
            first = await require_role(connection, recorded.by, CONSENTING)
            second = await require_role(connection, by, CONSENTING)
            await require_active(connection, asked.person)
        if asked.held and len(first | second) < 2:
            raise Fault(faults.SAME_ROLE, person=asked.person, by=by, first=recorded.by)
        secret = secrets.token_urlsafe(24)
        allowed = EnrolmentAllowed(
            person=asked.person, request=request, digest=digest_of(secret), expires=self._expiry()
        )
        await self._ledger.record(allowed, by=by, about=asked.person)
        return Half(request, secret)

    async def use_enrolment(self, first: str, second: str, peer: str) -> Authenticated:
        """Both halves: earlier authenticators, sessions and tokens are void, and the person may enrol.

        Raises Fault BAD_LINK (recorded) or TOO_MANY_FAILURES."""
        self._throttle.hold_back("", peer)
        async with self._ledger.read() as connection:
            query = select(asks).where(asks.c.digest == digest_of(second), asks.c.act == "enrolment")
            row = (await connection.execute(query)).one_or_none()
            holder = await find_holder(connection, row.person) if row else None
        found = await self._ledger.facts(row.seq, 1) if row else []
        asked = found[0].typed() if row and found and found[0].leaf_hash.hex() == row.request else None
        good = isinstance(asked, EnrolmentAsked) and secrets.compare_digest(asked.digest, digest_of(first))
        open_still = row is not None and row.used is None and not self._expired(row.expires)
        if row is None or not good or not open_still or not (holder and holder.active):
            raise await self._bad_link(row.person if row else "", peer)
        try:
            used = EnrolmentUsed(person=row.person, request=row.request)
            await self._ledger.record(used, by=row.person, about=row.person)
        except Fault as fault:
            raise await self._spent(fault, row.person, peer) from fault
        return minted(row.person, row.person, Method.LINK, peer)

    async def _require_few_administrators(self, person: str) -> None:
        """Only for somebody who cannot log in yet: a link must not be a way into an account that is in use. An
        administrator whose link was used without enrolling may have another one."""
        if await self._held(person):
            raise Fault(faults.HAS_AUTHENTICATOR, person=person)
        async with self._ledger.read() as connection:
            others = set(await find_holding(connection, Role.ADMINISTRATOR)) - {person}
        if len(others) >= ADMINISTRATORS:
            raise Fault(faults.ENOUGH_ADMINISTRATORS)

    async def _held(self, person: str) -> bool:
        """Whether the person ever had an authenticator."""
        return bool(await self._ledger.facts(0, 1, names=_AUTHENTICATORS, about=person))

    async def _spent(self, fault: Fault, person: str, peer: str) -> Fault:
        """What to tell the one who came second: the ledger refused a second use."""
        return await self._bad_link(person, peer) if fault.kind is REFUSED else fault

    async def _bad_link(self, person: str, peer: str) -> Fault:
        self._throttle.failed("", peer)
        await record_failure(self._ledger, account=person, peer=peer, reason="link")
        return Fault(faults.BAD_LINK)

    def _expiry(self) -> int:
        return int((self._now() + LINK_SECONDS) * 1e6)

    def _expired(self, expires: int) -> bool:
        return expires <= self._now() * 1e6
