"""What can be recorded of take-outs. Times are microseconds since 1970, UTC.

File names and contents are confidential parts under the client's key: the SHA-256 of a short file could be guessed, so
`content` commits to it with a salt. Public keys of recipients and signatures are no secrets, and stand here."""

import msgspec

from sekisho.ledger import Commitment, Fact, fact


class Holding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody's copy of one share of the package's key: for whose approval it stands, to which key it is sealed."""

    role: str
    organisation: str
    account: str
    key: str


@fact("takeout.requested", version=1)
class TakeoutRequested(Fact):
    """Asks that one file leave. Every field is part of the digest that is signed.

    `rows`, `persons`, `cards`, `numbers` (individual numbers) and `items` are what the inspection found; `stated` is
    how many persons the requester spoke of. `recipient_key` is an age or SSH public key, or "" when each share travels
    under a passphrase. `returns`: when medium or data must be back or destroyed. `content` commits to JSON: the file's
    name, SHA-256 and size. `package` is the SHA-256 (hex) of the sealed package."""

    takeout: str
    person: str
    ticket: str
    organisations: tuple[str, ...]
    purpose: str
    basis: str
    recipient: str
    recipient_key: str
    channel: str
    medium: str
    rows: int
    persons: int
    cards: int
    numbers: int
    items: tuple[str, ...]
    stated: int
    expires: int
    returns: int
    content: Commitment
    package: str
    holdings: tuple[Holding, ...]


@fact("takeout.approved", version=1)
class TakeoutApproved(Fact):
    """A signature over the request's digest, checked before it was recorded. `method`: "ssh" (`key` is our name of the
    key, `signature` OpenSSH's armoured form) or "passkey" (`key` is the credential, `signature` the browser's JSON).

    `share` is the approver's share, sealed by the approver to the recipient, as age's text: only the recipient opens
    it."""

    takeout: str
    approver: str
    digest: str
    method: str
    key: str
    signature: str
    share: str


@fact("takeout.closed", version=1)
class TakeoutClosed(Fact):
    """`how`: "withdrawn" (by who asked), "declined" (by who was to approve) or "lapsed" (nobody answered in time)."""

    takeout: str
    how: str
    reason: str


@fact("takeout.refused", version=1)
class TakeoutRefused(Fact):
    """An approval or a release that was tried and refused. `step`: "approve", "close" or "release"."""

    takeout: str
    step: str
    claimed: str
    code: str


@fact("takeout.released", version=1)
class TakeoutReleased(Fact):
    """The package may leave from now on, once. `size` is that of the published log from which it was decided."""

    takeout: str
    digest: str
    size: int
