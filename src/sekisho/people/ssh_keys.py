"""A person's own SSH keys: registered after a full login, revocable for good, held against the published log.

The table is for lists. The SSH door reads the facts: a row that somebody wrote into the database lets nobody in, and
neither does one from which somebody removed the revocation.
"""

import base64
import hashlib
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_ssh_public_key
from sqlalchemy import select

from sekisho.faults import Fault
from sekisho.ledger import Ledger, Recorded
from sekisho.people import faults
from sekisho.people.accounts import find_holder
from sekisho.people.facts import SshKeyAdded, SshKeyRevoked
from sekisho.people.identity import Authenticated, Method, minted
from sekisho.people.tables import ssh_keys

# Restrictions of these ids that the published log has: indices. See `gate.tickets.PublishedLog`.
Restrictions = Callable[[Collection[str]], Awaitable[Collection[int]]]
Confirms = Callable[[Recorded], Awaitable[bool]]

_ADDED: Final = "people.ssh_key_added"
_REVOKED: Final = "people.ssh_key_revoked"
_SMALLEST_RSA: Final = 3072
_LONGEST: Final = 4096  # characters of a key as text
# Keys of a hardware token carry an application name behind the key, which the library does not read.
_TOKEN_TYPES: Final = ("sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com")
_TYPES: Final = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
    *_TOKEN_TYPES,
)


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """Whose key it is. No proof yet: whoever has verified a signature of the key asks for `proven`."""

    key: str
    account: str
    person: str

    def is_of(self, blob: bytes) -> bool:
        return self.key == key_name(blob)

    def proven(self, peer: str) -> Authenticated:
        """The proof of login, for the door that has just verified a signature of this very key."""
        return minted(self.account, self.person, Method.SSH_KEY, peer)


def key_name(blob: bytes) -> str:
    """Our name of a key: from its bytes (RFC 4253 6.6), so one key has one name."""
    return f"k-{hashlib.sha256(blob).hexdigest()[:40]}"


def read_public_key(text: str) -> tuple[str, str, bytes]:
    """(type and base64, comment, bytes) of a line of OpenSSH's. Raises Fault BAD_SSH_KEY; certificates are none."""
    words = text.strip().split(None, 2)
    if len(text) > _LONGEST or len(words) < 2 or "\n" in text.strip() or words[0] not in _TYPES:
        raise Fault(faults.BAD_SSH_KEY, kinds=", ".join(_TYPES))
    kind, encoded = words[:2]
    try:
        blob = base64.b64decode(encoded, validate=True)
        # RFC 4253 6.6: the blob begins with its own type.
        if blob[4 : 4 + len(kind)] != kind.encode() or int.from_bytes(blob[:4], "big") != len(kind):
            raise ValueError
        if kind not in _TOKEN_TYPES:
            key = load_ssh_public_key(f"{kind} {encoded}".encode())
            if isinstance(key, rsa.RSAPublicKey) and key.key_size < _SMALLEST_RSA:
                raise ValueError
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Fault(faults.BAD_SSH_KEY, kinds=", ".join(_TYPES)) from error
    return f"{kind} {encoded}", words[2] if len(words) > 2 else "", blob


async def add_ssh_key(ledger: Ledger, who: Authenticated, public_key: str, *, label: str = "") -> Recorded:
    """Register a key for the account that logged in, by password and code or by passkey.

    Raises Fault BAD_SSH_KEY, ONLY_ENROLLING, SSH_KEY_CANNOT (a key cannot bring in another), or KEY_KNOWN."""
    if who.enrolling:
        raise Fault(faults.ONLY_ENROLLING)
    if who.method is Method.SSH_KEY:
        raise Fault(faults.SSH_KEY_CANNOT)
    line, comment, blob = read_public_key(public_key)
    name = key_name(blob)
    async with ledger.read() as connection:
        if await connection.scalar(select(ssh_keys.c.key).where(ssh_keys.c.key == name)) is not None:
            raise Fault(faults.KEY_KNOWN, key=name)
    added = SshKeyAdded(key=name, person=who.account, public_key=line, label=(label or comment)[:64])
    return await ledger.record(added, by=who.person, about=name)


async def revoke_ssh_key(ledger: Ledger, key: str, *, person: str, by: str, reason: str) -> Recorded:
    """Revoke a key of an account, for good. Raises Fault NO_SUCH_KEY."""
    async with ledger.read() as connection:
        query = select(ssh_keys.c.key).where(
            ssh_keys.c.key == key, ssh_keys.c.person == person, ssh_keys.c.revoked.is_(None)
        )
        if await connection.scalar(query) is None:
            raise Fault(faults.NO_SUCH_KEY, key=key[:64])
    return await ledger.record(SshKeyRevoked(key=key, reason=reason), by=by, about=key)


async def find_key_holder(
    ledger: Ledger, account: str, blob: bytes, confirms: Confirms, restrictions: Restrictions
) -> KeyHolder | None:
    """Whose key this is, if it is this account's and good: added by its person in the published log, revoked neither
    there nor here, and set after the last time that the person's authenticators were voided."""
    name = key_name(blob)
    async with ledger.read() as connection:
        holder = await find_holder(connection, account)
    if holder is None:
        return None
    recorded = await ledger.facts(0, 10, names=[_ADDED, _REVOKED], about=name)
    if not recorded or any(one.fact == _REVOKED for one in recorded):
        return None
    first = recorded[0]
    added = first.typed()
    if (
        not isinstance(added, SshKeyAdded)
        or added.person != account
        or first.by != holder.person
        or base64.b64decode(added.public_key.partition(" ")[2]) != blob
        or not holder.honours_authenticator(first.at)
        or not await confirms(first)
        or await restrictions([name])
    ):
        return None
    return KeyHolder(name, account, holder.person)
