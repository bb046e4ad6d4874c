"""What a terminal session records beside `relay.session_opened` and `relay.session_closed`."""

from sekisho.ledger import Fact, fact


@fact("relay.terminal_output", version=1)
class TerminalOutput(Fact):
    """What went to a terminal in about a second: bytes and lines; sightings by kind of data item; `persons` and
    `rows` as they were spent from the session's budgets; `encoded` characters that nobody could read."""

    session: str
    ticket: str
    organisation: str
    bytes: int
    lines: int
    rows: int
    persons: int
    encoded: int
    sightings: dict[str, int]


@fact("relay.terminal_volume_high", version=1)
class TerminalVolumeHigh(Fact):
    """A session, or all sessions of a person in one day (JST), showed more text than reading explains. Recorded once
    at the limit, and again at each doubling. `scope`: "session" or "day"."""

    session: str
    person: str
    ticket: str
    organisation: str
    scope: str
    bytes: int


@fact("relay.terminal_encoded", version=1)
class TerminalEncoded(Fact):
    """A session showed text that nobody reads as it stands, such as base64, or pictures made of characters: so many
    characters until now. Recorded once beyond what is free, and again at each doubling."""

    session: str
    person: str
    ticket: str
    organisation: str
    characters: int
