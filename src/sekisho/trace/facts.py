"""What a trace records. No value of a list or of a person stands in a fact: counts, ids, hashes and commitments."""

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
