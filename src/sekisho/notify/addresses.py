"""Where receivers are reached. An address may hold a secret (a webhook's key), so it is sealed.

Whoever could change an address unseen could silence an alarm: each change is a fact, and the former address is told.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy import select

from sekisho.faults import Fault
from sekisho.ledger import Connection, Ledger, Recorded
from sekisho.notify import faults
from sekisho.notify.facts import AddressRemoved, AddressSet
from sekisho.notify.tables import addresses
from sekisho.people.tables import persons
from sekisho.register.tables import organisations

OWNER: Final = "checkpoint"  # of sealed texts and addresses
_MAIL: Final = re.compile(r"mailto:(?P<to>[^@\s<>,;:\\\"()\[\]]{1,64}@[A-Za-z0-9.-]{1,255})")
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_SECRET: Final = "whsec_"  # noqa: S105 (how a secret of Standard Webhooks begins)
_LEAST_SECRET: Final = 24  # bytes (Standard Webhooks)


@dataclass(frozen=True, slots=True)
class Address:
    """A checked address. `to` is the mail address, the webhook's URL, or apprise's URL; `secret` signs webhooks."""

    channel: str
    to: str
    secret: bytes = b""

    def __repr__(self) -> str:
        return f"Address({self.channel})"


def parse_address(text: str) -> Address:
    """Raises Fault BAD_ADDRESS."""
    if not text.isprintable() or not text or len(text) > 1000 or " " in text:
        raise Fault(faults.BAD_ADDRESS, reason="characters")
    if text.startswith("mailto:"):
        found = _MAIL.fullmatch(text)
        if found is None:
            raise Fault(faults.BAD_ADDRESS, reason="mailto")
        return Address("smtp", found["to"])
    try:
        parts = urlsplit(text)
        host = parts.hostname
    except ValueError as error:
        raise Fault(faults.BAD_ADDRESS, reason="URL") from error
    if parts.scheme in ("https", "http"):
        return _webhook(text, parts.scheme, host or "", parts.fragment)
    if not re.fullmatch("[a-z][a-z0-9]{1,19}", parts.scheme) or "://" not in text:
        raise Fault(faults.BAD_ADDRESS, reason="URL")
    return Address("apprise", text)


def _webhook(text: str, scheme: str, host: str, fragment: str) -> Address:
    if not host:
        raise Fault(faults.BAD_ADDRESS, reason="host")
    if scheme == "http" and host not in _LOOPBACK:
        raise Fault(faults.BAD_ADDRESS, reason="http")
    try:
        secret = base64.b64decode(fragment.removeprefix(_SECRET), validate=True)
    except binascii.Error:
        secret = b""
    if not fragment.startswith(_SECRET) or len(secret) < _LEAST_SECRET:
        raise Fault(faults.BAD_ADDRESS, reason="whsec_")
    return Address("webhook", text.partition("#")[0], secret)


async def require_receiver(connection: Connection, receiver: str) -> None:
    """Raises Fault NO_RECEIVER unless this is a registered person, agency (or employer) or organisation."""
    kind, _, name = receiver.partition(":")
    known = False
    if name and name.isprintable():
        if kind == "person":
            query = select(persons.c.person).where(persons.c.person == name, persons.c.left.is_(None))
            known = await connection.scalar(query) is not None
        elif kind == "agency":
            query = select(persons.c.person).where((persons.c.agency == name) | (persons.c.employer == name))
            known = await connection.scalar(query.limit(1)) is not None
        elif kind == "organisation":
            query = select(organisations.c.organisation).where(organisations.c.organisation == name)
            known = await connection.scalar(query) is not None
    if not known:
        raise Fault(faults.NO_RECEIVER, receiver=receiver[:100])


async def find_address(connection: Connection, receiver: str) -> str | None:
    """The commitment to a receiver's address, or None."""
    query = select(addresses.c.address).where(addresses.c.receiver == receiver)
    found = await connection.scalar(query)
    return str(found) if found is not None else None


async def record_address(ledger: Ledger, receiver: str, text: str, *, by: str) -> Recorded:
    """Record where a receiver is reached; "" takes the address away. `Notices.set_address` also tells the former one.

    Raises Fault BAD_ADDRESS or NO_RECEIVER."""
    async with ledger.read() as connection:
        await require_receiver(connection, receiver)
    if not text:
        return await ledger.record(AddressRemoved(receiver=receiver), by=by, about=receiver[:64])
    address = parse_address(text)
    sealed = ledger.vault.seal(OWNER, text.encode())
    fact = AddressSet(receiver=receiver, channel=address.channel, address=sealed.commitment)
    return await ledger.record(fact, by=by, about=receiver[:64], parts=[sealed])
