"""What can be recorded of notices. Texts and addresses are confidential parts; a leaf only commits to them."""

from sekisho.ledger import Commitment, Fact, fact


@fact("notify.address_set", version=1)
class AddressSet(Fact):
    """Where a receiver is reached from now on. `address` commits to it (it may hold a secret), `channel` is "smtp",
    "webhook" or "apprise"."""

    receiver: str
    channel: str
    address: Commitment


@fact("notify.address_removed", version=1)
class AddressRemoved(Fact):
    receiver: str


@fact("notify.asked", version=1)
class NoticeAsked(Fact):
    """A notice is to be sent to each receiver ("person:ID", "agency:NAME", "organisation:ID", "house:N", or
    "address:COMMITMENT"). `text` commits to subject and body in both languages, `link` is a path of the console,
    `person` whom it is about or "", `source` the index of the fact from which it follows or -1."""

    notice: str
    kind: str
    to: tuple[str, ...]
    text: Commitment
    link: str
    person: str
    source: int


@fact("notify.sent", version=1)
class NoticeSent(Fact):
    """The next hop took it. `message` is the same at every attempt: a receiver can tell a repetition."""

    notice: str
    receiver: str
    channel: str
    message: str


@fact("notify.failed", version=1)
class NoticeFailed(Fact):
    """An attempt failed. `again` is when the next one is due (microseconds since 1970, UTC), 0 when there is none."""

    notice: str
    receiver: str
    channel: str
    attempt: int
    reason: str
    again: int
