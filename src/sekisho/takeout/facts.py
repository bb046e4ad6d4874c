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


class Whose(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many of the persons inside are a client organisation's, at least and at most."""

    organisation: str
    least: int
    most: int


@fact("takeout.requested", version=1)
class TakeoutRequested(Fact):
    """Asks that one file leave. Every field is part of the digest that is signed.

    `rows`, `persons`, `cards`, `numbers` (individual numbers) and `items` are what the inspection found; `stated` is
    how many persons the requester spoke of. `recipient_key` is an age or SSH public key, or "" when each share travels
    under a passphrase. `returns`: when medium or data must be back or destroyed. `content` commits to JSON: the file's
    name, SHA-256 and size. `package` is the SHA-256 (hex) of the sealed package.

    `whose` the persons are, and how many rows are nobody's who is known (`unknown`), is told by fingerprints
    (`told_by` "registry") or by what was pulled into the workspace ("workspace"). `report` commits to what the
    inspection says, with the masked sample (`inspection.Inspected` as JSON)."""

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
    stated_items: tuple[str, ...] = ()
    whose: tuple[Whose, ...] = ()
    unknown: int = 0
    told_by: str = ""
    report: Commitment = Commitment("")


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


@fact("takeout.shared", version=1)
class TakeoutShared(Fact):
    """A share without the signature, from whoever holds a copy of it: signed on a telephone, opened at home."""

    takeout: str
    holder: str
    share: str


@fact("takeout.closed", version=1)
class TakeoutClosed(Fact):
    """`how`: "withdrawn" (by who asked), "declined" (by who was to approve) or "lapsed" (nobody answered in time)."""

    takeout: str
    how: str
    reason: str


@fact("takeout.refused", version=1)
class TakeoutRefused(Fact):
    """What was tried and refused. `step`: "request", "approve", "share", "close" or "release". Of a request, what was
    to leave as far as it was known then: from which ticket, how many persons, by which channel."""

    takeout: str
    step: str
    claimed: str
    code: str
    ticket: str = ""
    organisations: tuple[str, ...] = ()
    persons: int = 0
    channel: str = ""


@fact("takeout.released", version=1)
class TakeoutReleased(Fact):
    """The package may leave from now on, once. `size` is that of the published log from which it was decided. The rest
    repeats the request, for whoever reads facts one by one."""

    takeout: str
    digest: str
    size: int
    person: str = ""
    ticket: str = ""
    organisations: tuple[str, ...] = ()
    persons: int = 0
    channel: str = ""


@fact("takeout.recipient_proposed", version=1)
class RecipientProposed(Fact):
    """Somebody who may receive data of these client organisations: `name` and `key` as a request must say them. `key`
    is an age or SSH public key, or "" for one to whom shares travel under a passphrase."""

    recipient: str
    name: str
    key: str
    organisations: tuple[str, ...]
    reason: str


@fact("takeout.recipient_approved", version=1)
class RecipientApproved(Fact):
    """`request` is the leaf hash (hex) of the proposal that the approver saw."""

    recipient: str
    approver: str
    request: str


@fact("takeout.recipient_removed", version=1)
class RecipientRemoved(Fact):
    """Nothing goes there any more; one person is enough to say so."""

    recipient: str
    reason: str
