"""What the ledger itself records."""

from sekisho.ledger.leaf import Fact, fact

LEDGER: str = "sekisho"  # who records these: the checkpoint itself


@fact("ledger.clock_jumped", version=1)
class ClockJumped(Fact):
    """The wall clock left the steady clock by more than five seconds; the ledger's time did not follow."""

    jump_us: int
    host: str


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
