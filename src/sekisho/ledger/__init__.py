"""Facts, durable in groups, and the SQL tables that follow from them.

leaf           what a fact is: declaration, versions, the exact bytes of its leaf
facts          the facts that the ledger itself records
ledger         Ledger: record, read, subscribe, erase; the writer thread
outpost        a ledger that another process holds: read here, written there
store          a batch and its place in the log; the interface of a database
sqlite         … on SQLite
statements     SQL for many rows at once
projections    @projects, Writes: facts become rows
tables         the ledger's tables, and the MetaData in which rooms declare theirs
subscriptions  readers that remember their offset
clock          time that neither decreases nor follows a jump
vault          confidential parts, keys, erasure
faults         what it refuses
"""

from sekisho.ledger.leaf import Fact, Recorded, fact, upgrades, values_of
from sekisho.ledger.ledger import Ledger, Level
from sekisho.ledger.projections import Writes, projects
from sekisho.ledger.publisher import Publisher
from sekisho.ledger.reading import Connection
from sekisho.ledger.tables import Timestamp, metadata
from sekisho.ledger.vault import Commitment, Erased, KeyRing, Sealed

__all__ = [
    "Commitment",
    "Connection",
    "Erased",
    "Fact",
    "KeyRing",
    "Ledger",
    "Level",
    "Publisher",
    "Recorded",
    "Sealed",
    "Timestamp",
    "Writes",
    "fact",
    "metadata",
    "projects",
    "upgrades",
    "values_of",
]
