"""The proof that a human authenticated, and how sure we are."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_MINT: Final = object()


class Method(StrEnum):
    PASSKEY = "passkey"
    PASSWORD = "password"  # noqa: S105 (with a one-time code)
    OPENID = "openid"
    SSH_KEY = "ssh_key"
    LINK = "link"  # a one-time link: lets a person enrol an authenticator, and do nothing else


@dataclass(frozen=True, slots=True)
class Authenticated:
    """Only this package can make one (`minted`). `account` logged in; `person` is the human behind it."""

    account: str
    person: str
    method: Method
    peer: str
    mint: object

    def __post_init__(self) -> None:
        if self.mint is not _MINT:
            raise TypeError("only a login of sekisho.people can make an Authenticated")

    @property
    def enrolling(self) -> bool:
        """Whether this login may only enrol an authenticator."""
        return self.method is Method.LINK


def minted(account: str, person: str, method: Method, peer: str) -> Authenticated:
    """For the logins of this package, once every check has passed."""
    return Authenticated(account, person, method, peer, _MINT)
