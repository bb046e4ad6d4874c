"""What the engine is shown: one thing that happened, from a fact of the ledger or a row of a foreign log.

An observation is all that a detector may look at: no clock, no database. Names are those of the source; a field that
the source does not know stays empty, and a detector that needs it finds nothing.
"""

from typing import Final, Literal

import msgspec

Kind = Literal[
    # work through a door, or on a machine
    "logon",
    "logoff",
    "read",  # rows about persons were shown
    "pull",  # … were copied into a file on this side
    "takeout",  # … left the house by a release
    "command",
    "refused",
    # files and channels
    "file",
    "archive",  # packed, encrypted, renamed or split
    "delete",
    "device",  # a medium was connected
    "media",  # something was written to one
    "mail",
    "web",
    "print",
    # consent and people
    "ticket",
    "approval",
    "ticket_end",
    "person",
    "account",
    "client",  # how many persons an organisation's data has
    "admin",  # rights, policies, readings of the log
    "review",  # somebody looked: a log review, an acknowledgement
    # the watch itself
    "beat",  # a source is alive; also how time passes when nothing else happens
    "gap",  # something of the record is missing or wrong
    "count",  # another sensor's figure for the same thing
    "lease",  # the meter's own count of different persons: of a ticket, and of a human and client
    "canary",
    "outside",  # a complaint, a client's inquiry, the police
]
MINUTE: Final = 60_000_000
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR


class Observation(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`at` in microseconds since 1970. `actor` is the account that acted; the engine knows the human behind it.

    `place` is where from (a terminal's address or name), `tool` with what, `target` which dataset, table, file or
    site, `tables` which tables, `what` a detail that the kind explains. `persons` counts data subjects;
    `subjects` are keyed hashes of them where a foreign source has such. `expected` is how many the ticket stands for
    (-1: not said). `other` is the second human of the act. `low` and `high` bound a range of keys that was asked for.
    `lineage` is the hash of the content. `ref` says where it stands: a fact's index, or a row's number; `part` which
    of that fact's rows it is, from 1 on.
    """

    at: int
    kind: Kind
    ref: int = 0
    part: int = 0
    actor: str = ""
    client: str = ""
    ticket: str = ""
    session: str = ""
    place: str = ""
    tool: str = ""
    target: str = ""
    tables: tuple[str, ...] = ()
    what: str = ""
    other: str = ""
    persons: int = 0
    rows: int = 0
    size: int = 0  # bytes
    expected: int = -1
    low: int = 0
    high: int = 0
    lineage: str = ""
    subjects: tuple[int, ...] = ()
    until: int = 0  # the end of a window or a contract, microseconds since 1970
