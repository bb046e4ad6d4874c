"""What is on its way to the disk, and its place in the log once the transaction knows it."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Table

from sekisho.evidence.merkle import leaf_hash
from sekisho.ledger.clock import LedgerTime
from sekisho.ledger.facts import LEDGER, ClockJumped
from sekisho.ledger.leaf import Fact, FactKind, Recorded, complete_leaf, encode_tail, instant, stamp
from sekisho.ledger.projections import Change, NotApplicable, Writes, project
from sekisho.ledger.tables import FACTS, PARTS
from sekisho.ledger.vault import Sealed


@dataclass(slots=True)
class Pending:
    """A fact on its way to the disk, encoded as far as possible without its index."""

    fact: Fact
    kind: FactKind
    tail: bytes
    by: str
    about: str
    parts: Sequence[Sealed] = ()
    erases: str = ""  # the commitment whose part is destroyed in the same transaction
    erases_owner: str = ""  # the owner whose parts are


@dataclass(slots=True)
class Aside:
    """Rows of the ledger's own tables that are no facts (offsets, signed checkpoints), in the same group commit."""

    table: Table
    key: dict[str, str]
    row: dict[str, int | str | bytes]


@dataclass(slots=True)
class Head:
    """The end of the log as the database has it inside the transaction."""

    size: int = 0
    at: int = 0  # microseconds since 1970 of the last fact


@dataclass(slots=True)
class Batch:
    facts: Sequence[Pending] = ()
    asides: Sequence[Aside] = ()


@dataclass(slots=True)
class Draft:
    """A batch that knows its place in the log: what the transaction writes."""

    recorded: list[Recorded] = field(default_factory=list)  # of `facts`, in order
    own: list[Recorded] = field(default_factory=list)  # of the ledger itself, before them
    changes: list[Change] = field(default_factory=list)
    erased: bool = False  # parts were destroyed


_FACT_COLUMNS = ("seq", "at", "fact", "about", "by_", "leaf")
_PART_COLUMNS = ("commitment", "owner", "nonce", "ciphertext")


def draft(batch: Batch, head: Head, time: LedgerTime) -> Draft:
    """Give each fact of a batch its index and time, its leaf, and its projections."""
    result = Draft()
    writes = Writes()
    for aside in batch.asides:
        writes.upsert(aside.table, aside.key, aside.row)
    if batch.facts:
        now, jump = time.read(head.at)
        at, at_stamp = instant(now), stamp(now)
        facts = Change("insert", FACTS, _FACT_COLUMNS)
        parts = Change("insert", PARTS, _PART_COLUMNS)
        # The row stays, to say whose part it was.
        emptied = Change("update", PARTS, ("commitment", "nonce", "ciphertext"))
        emptied_owners = Change("update", PARTS, ("owner", "nonce", "ciphertext"), width=1)
        seq = head.size

        def place(pending: Pending) -> Recorded:
            leaf = complete_leaf(seq, pending.kind, at_stamp, pending.tail)
            name = pending.kind.name
            facts.rows.append((seq, now, name, pending.about, pending.by, leaf))
            recorded = Recorded(seq, at, name, pending.by, pending.about, leaf, leaf_hash(leaf))
            project(writes, pending.fact, recorded)
            return recorded

        if jump:
            result.own.append(place(_jumped(jump)))
            seq += 1
        for pending in batch.facts:
            try:
                result.recorded.append(place(pending))
            except Exception as error:
                raise NotApplicable(f"{type(error).__name__}: {error}") from error
            seq += 1
            for part in pending.parts:
                parts.rows.append((part.commitment, part.owner, part.nonce, part.ciphertext))
            if pending.erases:
                result.erased = True
                emptied.rows.append((pending.erases, b"", b""))
            if pending.erases_owner:
                result.erased = True
                emptied_owners.rows.append((pending.erases_owner, b"", b""))
        result.changes.append(facts)
        if parts.rows:
            result.changes.append(parts)
        result.changes += [change for change in (emptied, emptied_owners) if change.rows]
    result.changes += writes.changes()
    return result


def _jumped(jump: int) -> Pending:
    value = ClockJumped(jump_us=jump, host=platform.node())
    kind, tail = encode_tail(value, by=LEDGER, about=LEDGER)
    return Pending(value, kind, tail, LEDGER, LEDGER)
