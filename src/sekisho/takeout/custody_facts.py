"""What can be recorded of a copy on its way: how it was made, handed over, received, and what became of it.

Nothing of a list stands here. Links and codes are secrets: a leaf holds the hash of a link, whose 256 bits nobody
guesses, and a commitment to a code. How a copy is marked is confidential: who knows it can remove the marks."""

from sekisho.ledger import Commitment, Fact, fact


@fact("takeout.marking_allowed", version=1)
class MarkingAllowed(Fact):
    """What a client organisation allows for copies of its lists from now on, said by one of its own people. `forms`
    are "item:kind" (docs/takeout.md), `reorder` lets rows stand in another order, `canaries` is how many invented
    persons a thousand rows may get, each with one of the `contacts` (a commitment to them, or "")."""

    organisation: str
    forms: tuple[str, ...]
    reorder: bool
    canaries: int
    contacts: Commitment


@fact("takeout.copy_made", version=1)
class CopyMade(Fact):
    """One copy for one recipient, before anybody is asked to approve it. `rows` stand in it, of which `planted` are
    invented persons. `manifest` is the manifest's SHA-256, `code` that of the code in it, `package` that of the sealed
    copy; `marks` commits to how it was marked."""

    takeout: str
    organisations: tuple[str, ...]
    rows: int
    planted: int
    manifest: str
    code: str
    package: str
    marks: Commitment


@fact("takeout.destination_proposed", version=1)
class DestinationProposed(Fact):
    """A place to which packages may be brought, when others have agreed. `channel` is "sftp" (a server: `address` is
    user@host:port/folder, and `host_key` is pinned, in OpenSSH's form) or "medium" (`address` is the serial number
    that its hardware tells, `holder` who answers for it, `encryption` how it protects itself besides)."""

    destination: str
    channel: str
    address: str
    host_key: str
    label: str
    holder: str
    encryption: str


@fact("takeout.destination_approved", version=1)
class DestinationApproved(Fact):
    """`request` is the leaf hash (hex) of the proposal that was seen."""

    destination: str
    approver: str
    request: str


@fact("takeout.destination_removed", version=1)
class DestinationRemoved(Fact):
    """`how`: "removed", "destroyed" or "lost"; what is still on a medium is sealed."""

    destination: str
    how: str


@fact("takeout.link_made", version=1)
class LinkMade(Fact):
    """A link to a package, good once until `expires` (microseconds since 1970, UTC). `link` is the SHA-256 of its
    secret, `code` commits to the code that its user must have by another way, and may get wrong `tries` times."""

    takeout: str
    link: str
    code: Commitment
    tries: int
    expires: int


@fact("takeout.link_tried", version=1)
class LinkTried(Fact):
    """A wrong code, from this address; `left` tries remain, and at 0 the link is void."""

    takeout: str
    link: str
    peer: str
    left: int


@fact("takeout.delivery_begun", version=1)
class DeliveryBegun(Fact):
    """Bytes are about to leave, for the `attempt`-th time, over `channel` to `to` (a link's hash, a server, a serial).
    An attempt without an end below it was cut off; it handed nothing over."""

    takeout: str
    attempt: int
    channel: str
    to: str


@fact("takeout.delivery_failed", version=1)
class DeliveryFailed(Fact):
    takeout: str
    attempt: int
    reason: str


@fact("takeout.handed_over", version=1)
class HandedOver(Fact):
    """All of the package left, once. `confirmed`: "sent" (every byte was taken by the connection), "size" (the server
    told its size) or "read_back" (it was read again and is the same)."""

    takeout: str
    attempt: int
    channel: str
    to: str
    size: int
    package: str
    confirmed: str


@fact("takeout.received", version=1)
class Received(Fact):
    """The recipient opened the copy. `receipt` is the canonical text with the code that only the opened copy holds;
    `signature` OpenSSH's over it, by the recipient's key, or "" where the recipient has none that signs. `rows` are
    those that the recipient's side counted."""

    takeout: str
    receipt: str
    signature: str
    rows: int


@fact("takeout.returned", version=1)
class Returned(Fact):
    """The medium is back. `serial` was read from it."""

    takeout: str
    serial: str


@fact("takeout.destroyed", version=1)
class Destroyed(Fact):
    """The recipient's copy is destroyed, as a certificate says whose SHA-256 this is; `document` commits to it."""

    takeout: str
    certificate: str
    document: Commitment


@fact("takeout.custody_alarmed", version=1)
class CustodyAlarmed(Fact):
    """Something about a copy is not as it must be. `why`: "not_delivered", "not_received", "not_returned" (overdue),
    "rows", "manifest" or "package" (what was approved, released and opened differ), "early" (opened before it was
    handed over) or "forged" (a receipt that proves nothing). `approved` and `found` are numbers of rows where `why` is
    "rows"."""

    takeout: str
    why: str
    organisations: tuple[str, ...]
    requester: str
    approved: int
    found: int


@fact("takeout.copies_compared", version=1)
class CopiesCompared(Fact):
    """A found list was held against the marks of copies: `sha256` and `rows` are the list's, `asked` is how many copies
    it could have shown, `named` are the take-outs whose copies it comes from."""

    sha256: str
    rows: int
    asked: int
    named: tuple[str, ...]
