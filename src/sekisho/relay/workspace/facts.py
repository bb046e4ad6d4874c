"""What can be recorded of a workspace. Names and contents of files are confidential parts under the client's key: the
SHA-256 of a short file could be guessed, so that too stands behind a commitment."""

from sekisho.ledger import Commitment, Fact, fact


@fact("workspace.opened", version=1)
class WorkspaceOpened(Fact):
    """A ticket's workspace exists from now on. `key` commits to its data key; `quota` in bytes."""

    ticket: str
    person: str
    organisation: str
    quota: int
    key: Commitment


@fact("workspace.pulled", version=1)
class Pulled(Fact):
    """Something was pulled into the workspace, whole ("complete") or as far as it came ("cut", with the fault's code).

    `source` is "query" or "file". `session` is the inner session that counted it. `read` names table.column of
    everything in it, `masked` those that are masked in it. `content` commits to JSON: the query or remote path, the
    file's name, its SHA-256. `peer` is whence it was asked for."""

    ticket: str
    person: str
    organisation: str
    session: str
    source: str
    rows: int
    persons: int
    bytes: int
    read: tuple[str, ...]
    masked: tuple[str, ...]
    outcome: str
    code: str
    content: Commitment
    peer: str


@fact("workspace.looked", version=1)
class Looked(Fact):
    """A page of a file is about to be shown, masked. `persons` were counted for it; `encoded` is how many characters of
    it nobody can read; `content` commits to the name."""

    ticket: str
    person: str
    session: str
    first: int
    lines: int
    persons: int
    content: Commitment
    encoded: int = 0


@fact("workspace.uploaded", version=1)
class Uploaded(Fact):
    """A file of a terminal is about to be put into the workspace. `found` counts what the scanner took for personal
    data, by kind; `content` commits to JSON: the file's name, its SHA-256."""

    ticket: str
    person: str
    organisation: str
    bytes: int
    found: dict[str, int]
    content: Commitment
    peer: str


@fact("workspace.wiping", version=1)
class Wiping(Fact):
    """The workspace never opens again; its key and files are about to be destroyed. `listing` commits to its files, one
    `sha256 size name` a line; "" when the folder could not be read (`damage` says why)."""

    ticket: str
    reason: str
    files: int
    bytes: int
    listing: str
    damage: str


@fact("workspace.wiped", version=1)
class Wiped(Fact):
    """The key behind the commitment `key` is destroyed (`ledger.part_erased`), and the folder is gone."""

    ticket: str
    key: Commitment
