"""What the ledger itself records."""

from sekisho.ledger.leaf import Fact, fact

LEDGER: str = "sekisho"  # who records these: the checkpoint itself


@fact("ledger.clock_jumped", version=1)
class ClockJumped(Fact):
    """The wall clock left the steady clock by more than five seconds; the ledger's time did not follow."""

    jump_us: int
    host: str


@fact("ledger.leaf_mismatch", version=1)
class LeafMismatch(Fact):
    """The SQL copy of a fact is not what this process recorded: somebody edited it before it was published."""

    seq: int
    recorded: str  # leaf hashes, hex; empty when unknown or missing
    found: str


@fact("ledger.publication_stopped", version=1)
class PublicationStopped(Fact):
    """Folder, database or witness contradict each other; nothing more is published until somebody has looked."""

    code: str


@fact("ledger.publication_failed", version=1)
class PublicationFailed(Fact):
    """The folder could not be written or read; publication is tried again."""

    code: str


@fact("ledger.publication_resumed", version=1)
class PublicationResumed(Fact):
    size: int


@fact("ledger.quorum_missing", version=1)
class QuorumMissing(Fact):
    """Too few witnesses cosigned the checkpoint of `size` entries; they are asked again."""

    size: int
    codes: list[str]


@fact("ledger.quorum_met", version=1)
class QuorumMet(Fact):
    """A quorum cosigned again, up to `size` entries."""

    size: int


@fact("ledger.part_erased", version=1)
class PartErased(Fact):
    """The salt and content behind a commitment were destroyed."""

    commitment: str
    reason: str


@fact("ledger.owner_erased", version=1)
class OwnerErased(Fact):
    """The data key of an owner, and with it all confidential parts of that owner, were destroyed."""

    owner: str
    reason: str
