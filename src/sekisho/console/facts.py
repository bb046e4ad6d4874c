"""What the console itself records; everything else that is done here is a fact of the room that does it."""

from sekisho.ledger import Fact, fact


@fact("console.log_read", version=1)
class LogRead(Fact):
    """Somebody was shown lines of the log: which page, and narrowed down by what. Recorded before they are shown."""

    view: str
    filter: dict[str, str]


@fact("console.proof_taken", version=1)
class ProofTaken(Fact):
    """Somebody took the proof of line `line` away."""

    line: int


@fact("console.session_end_asked", version=1)
class SessionEndAsked(Fact):
    """Somebody ended a live session of somebody else; the door's `relay.session_closed` follows."""

    session: str
    reason: str
