"""The short-lived password of a door.

The password is a MAC, under a key of the checkpoint, over everything that the token is good for. The row in
`tokens` holds no secret and grants nothing: a row whose person, ticket, target or expiry was edited has
another password, which nobody was given.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass

from sqlalchemy import select

from sekisho.ledger import Connection
from sekisho.people.accounts import find_holder
from sekisho.people.tables import tokens


@dataclass(frozen=True, slots=True)
class Token:
    """`expires` in microseconds since 1970, UTC."""

    token: str
    person: str
    ticket: str
    target: str
    expires: int

    def password(self, key: bytes) -> str:
        """The password of this token under the checkpoint's token key (32 bytes): 160 bits in base32."""
        fields = (self.token, self.person, self.ticket, self.target, str(self.expires))
        message = b"".join(len(field).to_bytes(4, "big") + field for field in (f.encode() for f in fields))
        mac = hmac.new(key, b"sekisho door token v1\0" + message, hashlib.sha256).digest()
        return base64.b32encode(mac[:20]).decode().lower()

    def login(self) -> str:
        """The user name to give to a client: it names person and ticket, so that one person may work on
        several tickets side by side."""
        return f"{self.person}.{self.ticket}"


def split_login(login: str) -> tuple[str, str] | None:
    """("sato", "T-0001") of "sato.T-0001", or None. Person ids hold no dot."""
    person, dot, ticket = login.partition(".")
    return (person, ticket) if dot and person and ticket else None


async def find_token(connection: Connection, person: str, ticket: str, target: str) -> Token | None:
    """The latest token issued for these three, unless its person left or was frozen since; the caller checks its
    expiry."""
    query = select(tokens).where(
        tokens.c.person == person, tokens.c.ticket == ticket, tokens.c.target == target
    )
    row = (await connection.execute(query)).one_or_none()
    holder = await find_holder(connection, person)
    if row is None or holder is None or not holder.honours_login(row.issued):
        return None
    return Token(row.token, row.person, row.ticket, row.target, row.expires)
