"""What a trace records. No value of a list or of a person stands in a fact: counts, ids, hashes and commitments."""

import msgspec

from sekisho.ledger import Commitment, Fact, fact


@fact("trace.dataset_indexed", version=1)
class DatasetIndexed(Fact):
    """A dataset's lines became parts. `registry` is the digest of the registry afterwards."""

    dataset: str
    organisation: str
    records: int
    lines: int
    unchanged: int
    registry: str


@fact("trace.case_opened", version=1)
class CaseOpened(Fact):
    """A list is about to be looked up: recorded before the key is used. `name` commits to the file's name."""

    case: str
    reason: str
    name: Commitment
    sha256: str
    size: int
    form: str
    rows: int
    items: tuple[str, ...]
    registry: str
    release: str = ""  # under which the key was open; "" where it was at hand as a file
    content: str = ""  # commits to the list itself, where it is kept


@fact("trace.case_concluded", version=1)
class CaseConcluded(Fact):
    """The answer. `answer` commits to the document (`answer.Answer`) whose SHA-256 is `sha256`: the same list, columns
    and registry give the same bytes again. `sessions` are those that the list is consistent with."""

    case: str
    verdict: str
    sessions: tuple[str, ...]
    organisations: tuple[str, ...]
    rows: int
    own_rows: int
    persons_lower: int
    persons_best: int
    persons_upper: int
    answer: Commitment
    sha256: str
    method: str


@fact("trace.case_repeated", version=1)
class CaseRepeated(Fact):
    """The list of a case was looked up again. `same`: the answer was the same, byte for byte."""

    case: str
    sha256: str
    registry: str
    same: bool


@fact("trace.fingerprints_erased", version=1)
class FingerprintsErased(Fact):
    """The organisation's key was destroyed: its parts and bitmaps are noise."""

    organisation: str
    files: int


@fact("trace.canaries_planted", version=1)
class CanariesPlanted(Fact):
    """Invented persons stand in one copy of a list and in no other. `marks` commits to them (`canaries.Mark`)."""

    copy: str
    organisation: str
    count: int
    marks: Commitment


@fact("trace.case_judged", version=1)
class CaseJudged(Fact):
    """What somebody else made of an answer. `judgement`: "confirmed", "reversed", or "countersigned" by the client
    `organisation` for its own part. Until it is confirmed, an attribution is provisional."""

    case: str
    judgement: str
    organisation: str
    reason: str


@fact("trace.list_destroyed", version=1)
class ListDestroyed(Fact):
    """The key of a kept list was destroyed. The case stays; it can be repeated with the file brought again."""

    case: str


class HeldShare(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`sha256` is that of the share, 256 bits at random: nothing can be tried against it."""

    person: str
    sha256: str


@fact("trace.key_split", version=1)
class KeySplit(Fact):
    """The master of the trace key exists no more but in shares, of which two are needed. `mark` tells the key."""

    mark: str
    holders: tuple[HeldShare, ...]


@fact("trace.release_asked", version=1)
class ReleaseAsked(Fact):
    release: str
    reason: str
    minutes: int
    lookups: int


@fact("trace.share_given", version=1)
class ShareGiven(Fact):
    release: str
    person: str


@fact("trace.key_released", version=1)
class KeyReleased(Fact):
    """Two shares are together: the key is in the checkpoint's memory for so many minutes, lists and rows."""

    release: str
    persons: tuple[str, ...]
    minutes: int
    lookups: int
    rows: int


@fact("trace.key_closed", version=1)
class KeyClosed(Fact):
    """The key left the memory. `reason`: "time", "spent", "person" or "end" (of the program)."""

    release: str
    reason: str
    lookups: int
    rows: int
