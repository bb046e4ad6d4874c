"""Which copies a found list comes from: by its writings, its order and its canaries. `who(ledger, …)` asks them all.

Named is a copy whose strength, divided by the number of copies that were asked, is a million or more (see watermark:
a wrong one gets there once in a million lists, at most), or of which a canary stands in the list. Below that nothing is
said: "not named" is no acquittal, and a list whose values were normalised and sorted says nothing but by canaries.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec
from sqlalchemy import select

from sekisho.faults import Fault
from sekisho.gate.duties import Act, Case, Part, may
from sekisho.gate.refusal import Refusal
from sekisho.gate.tickets import require_standing
from sekisho.ledger import Erased, Ledger
from sekisho.takeout.copies import LEAST, Record
from sekisho.takeout.custody_facts import CopiesCompared
from sekisho.takeout.custody_tables import takeout_copies
from sekisho.takeout.variants import plain
from sekisho.takeout.watermark import (
    agreeing,
    choices,
    copy_key,
    disorder,
    strength_of_choices,
    strength_of_order,
)
from sekisho.trace.canaries import planted
from sekisho.trace.canaries import who as canaries_of
from sekisho.trace.faults import NO_COLUMNS
from sekisho.trace.intake import ListColumn, Listing

NAMED: Final = 6.0  # log10: one wrong copy in a million lists


@dataclass(frozen=True, slots=True)
class Candidate:
    """One copy that was asked: `agreed` of `values` have its writing, of `ordered` rows `disorder` pairs stand the
    other way round; `strength` is log10 of the likelihood ratio, already divided by the number of copies asked."""

    takeout: str
    strength: float
    agreed: int
    values: int
    ordered: int
    disorder: int
    canaries: int
    planted: int

    @property
    def by_mark(self) -> bool:
        return self.strength >= NAMED

    @property
    def named(self) -> bool:
        return self.by_mark or self.canaries > 0


async def compared(ledger: Ledger, master: bytes, listing: Listing, *, by: str) -> tuple[Candidate, ...]:
    """`who`, for a person whose asking is put on record, and what came of it. Raises Fault for who may not: the
    question is one of attribution."""
    standing = await require_standing(ledger, by)
    allowed = (may(Act.ATTRIBUTION, part, standing.actor, Case()) for part in (Part.REQUEST, Part.APPROVE))
    answers = list(allowed)
    if all(isinstance(one, Refusal) for one in answers):
        raise next(one for one in answers if isinstance(one, Refusal)).fault()
    found = await who(ledger, master, listing)
    fact = CopiesCompared(
        sha256=listing.sha256,
        rows=listing.rows,
        asked=len(found),
        named=tuple(one.takeout for one in found if one.named),
    )
    await ledger.record(fact, by=by, about=by)
    return found


async def who(ledger: Ledger, master: bytes, listing: Listing) -> tuple[Candidate, ...]:
    """Every copy with a mark that the list could show, the strongest first. A copy whose client's key was destroyed
    is not asked."""
    async with ledger.read() as connection:
        rows = (await connection.execute(select(takeout_copies).order_by(takeout_copies.c.seq))).all()
    records: dict[str, Record] = {}
    for row in rows:
        content = await ledger.content(row.marks)
        if not isinstance(content, Erased):
            records[row.takeout] = msgspec.json.decode(content, type=Record)
    copies = await planted(ledger)
    try:
        hits = {one.copy: (one.found, one.planted) for one in canaries_of(copies, listing)}
    except Fault as fault:
        if fault.kind is not NO_COLUMNS:
            raise
        hits = {}
    of = {one.copy: len(one.marks) for one in copies}
    return compare({name: copy_key(master, name) for name in records}, records, listing, hits, of)


def compare(
    keys: Mapping[str, bytes],
    records: Mapping[str, Record],
    listing: Listing,
    hits: Mapping[str, tuple[int, int]],
    planted_in: Mapping[str, int],
) -> tuple[Candidate, ...]:
    values: dict[str, list[str | None]] = {}
    for number, item in enumerate(map(_item, listing.columns)):
        if item and item not in values:
            values[item] = listing.table.column(number).to_pylist()
    said: dict[str, dict[str, int]] = {}
    anchors: dict[str, list[str]] = {}
    found = []
    share = math.log10(max(len(records), 1))
    for name, record in records.items():
        strength, agreed, every = 0.0, 0, 0
        for form in record.forms:
            item = form.partition(":")[0]
            if item not in values:
                continue
            if form not in said:
                said[form] = choices(form, values[item])
            some, of = agreeing(keys[name], form, said[form])
            strength += strength_of_choices(some, of)
            agreed, every = agreed + some, every + of
        inverted = ordered = 0
        if record.anchor in values:
            if record.anchor not in anchors:
                anchors[record.anchor] = [plain(value) if value else "" for value in values[record.anchor]]
            inverted, ordered = disorder(keys[name], anchors[record.anchor])
            strength += strength_of_order(inverted, ordered)
        canaries = hits.get(name, (0, 0))[0]
        if every or ordered or canaries:
            found.append(
                Candidate(
                    name,
                    strength - share,
                    agreed,
                    every,
                    ordered,
                    inverted,
                    canaries,
                    planted_in.get(name, 0),
                )
            )
    return tuple(sorted(found, key=lambda one: (-one.canaries, -one.strength, one.takeout)))


def _item(column: ListColumn) -> str:
    """As `copies` recognised it: also the items that no trace looks up."""
    if column.item or not column.guesses or column.guesses[0].confidence < LEAST:
        return column.item
    return column.guesses[0].item
