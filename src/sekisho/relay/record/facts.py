"""What a recording is to the ledger. Of what was typed and shown nothing stands here: only lengths and hashes."""

from typing import Final

from sekisho.ledger import Commitment, Fact, fact

DESKTOP: Final = "desktop"  # the kind whose output is updates of a remote framebuffer, not text


@fact("record.opened", version=1)
class RecordOpened(Fact):
    """A recording begins: durable before the first byte passes. `key` commits to its data key, which is sealed
    under the client organisation's key: without that one, nobody reads the recording any more."""

    recording: str
    session: str
    person: str
    ticket: str
    organisation: str
    kind: str
    title: str
    width: int
    height: int
    key: Commitment


@fact("record.segment", version=1)
class RecordSegment(Fact):
    """The stored bytes from `offset` on, `length` of them, are on the disk. `chain` is SHA-256 (hex) of the chain
    before, followed by these bytes; the chain before the first segment is SHA-256 of the file's header."""

    recording: str
    index: int
    offset: int
    length: int
    chain: str


@fact("record.closed", version=1)
class RecordClosed(Fact):
    """The recording is whole: `length` stored bytes, `events` in them, the last chain. `code` is that of the fault
    by which the recorder failed, or ""."""

    recording: str
    events: int
    length: int
    milliseconds: int
    chain: str
    code: str


@fact("record.recovered", version=1)
class RecordRecovered(Fact):
    """After a crash: how much is readable. `torn` bytes behind it are a frame that was never finished, of which
    nothing had reached a terminal."""

    recording: str
    events: int
    length: int
    milliseconds: int
    chain: str
    torn: int


@fact("record.view_asked", version=1)
class ViewAsked(Fact):
    """Somebody wants to watch a recording that shows personal data."""

    recording: str
    person: str
    reason: str


@fact("record.view_approved", version=1)
class ViewApproved(Fact):
    """`request` is the leaf hash (hex) of the `record.view_asked` that was approved; good for an hour from here."""

    recording: str
    approver: str
    request: str


@fact("record.watched", version=1)
class Watched(Fact):
    """Somebody is about to be shown a recording, or a running session (`live`). `request` is that of the approval,
    or "" where none was needed. `way` is "console" or "command"."""

    recording: str
    person: str
    request: str
    live: bool
    way: str
