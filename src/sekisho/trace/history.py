"""What the download history says of a session: which data items it was shown in clear, and how many rows at once.

Content cannot tell sessions apart that were shown the same persons. Their history often can: a list with telephone
numbers did not leave through a session that only ever saw masked ones, and a list of 4,711 rows looks like the
statement that gave 4,711. `weight` is a log10 likelihood of the list's columns and number of rows given the session, by
a stated model whose constants are judgements. It never makes a finding and never drops one: it says which of several
equal sessions it speaks for. The order of rows and columns on a screen is not recorded, so it is not used.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import log10
from typing import Final

from sqlalchemy import select

from sekisho.ledger import Ledger
from sekisho.register.catalogue import find_catalogue
from sekisho.register.tables import targets
from sekisho.relay.facts import Statement, Statements
from sekisho.relay.tables import sessions
from sekisho.trace.parts import ITEMS

FAVOURED: Final = 3.0  # log10: a thousand to one between two sessions
_ADDED: Final = 0.01  # that a broker adds an item which the session was not shown
_DROPPED: Final = 0.3  # that he drops one which it was shown
_SAME_ROWS: Final = 0.2  # that a list is one statement's result, whole
_CHANCE: Final = 1e-3  # that it has just so many rows by chance
_MOST: Final = 10_000  # statements of a session that are read
_SAME: Final = {"mobile_phone": "phone"}


@dataclass(frozen=True, slots=True)
class History:
    """`shown` are items that the session saw in clear, `added` those of the list that it did not. `same_rows`: one of
    its statements gave exactly as many rows as the list has. Without statements (a terminal, a desktop), `weight` is
    0 and says nothing."""

    statements: int
    largest: int
    shown: tuple[str, ...]
    added: tuple[str, ...]
    same_rows: bool
    weight: float


NOTHING: Final = History(0, 0, (), (), False, 0.0)


async def read_histories(
    ledger: Ledger, names: Collection[str], items: Collection[str], rows: int, *, before: int
) -> dict[str, History]:
    """The history of each session, of facts before line `before`, against a list with these items and rows."""
    found: dict[str, History] = {}
    columns: dict[str, Mapping[str, str]] = {}
    for name in sorted(set(names)):
        async with ledger.read() as connection:
            dataset = await connection.scalar(select(sessions.c.dataset).where(sessions.c.session == name))
        if dataset is None:
            continue
        facts = await ledger.facts(0, _MOST, names=("relay.statement", "relay.statements"), about=name)
        every: list[Statement] = []
        for recorded in facts:
            fact = recorded.typed()
            if recorded.seq >= before:
                break
            if isinstance(fact, Statements):
                every += fact.each()
            elif isinstance(fact, Statement):
                every.append(fact)
        if dataset not in columns:
            columns[dataset] = await _items_of(ledger, dataset)
        found[name] = judge(every, columns[dataset], items, rows)
    return found


def judge(
    statements: Collection[Statement], item_of: Mapping[str, str], items: Collection[str], rows: int
) -> History:
    """`item_of` is "table.column" -> data item. Pure."""
    passed = [one for one in statements if one.outcome in ("passed", "cut") and one.rows]
    if not passed:
        return NOTHING
    clear = {item_of.get(name, "") for one in passed for name in one.read if name not in one.masked}
    shown, wanted = clear & set(ITEMS), set(items) & set(ITEMS)
    added, dropped = wanted - shown, shown - wanted
    same = any(one.rows == rows for one in passed)
    weight = (
        len(added) * log10(_ADDED)
        + len(wanted & shown) * log10(1 - _DROPPED)
        + len(dropped) * log10(_DROPPED)
    )
    weight += log10(_SAME_ROWS + _CHANCE) if same else log10(1 - _SAME_ROWS)
    # Against a session of which only its number of rows is like the list's by chance.
    weight += -log10(_CHANCE) * same
    return History(
        len(passed),
        max(one.rows for one in passed),
        tuple(one for one in ITEMS if one in shown),
        tuple(one for one in ITEMS if one in added),
        same,
        round(weight, 2),
    )


def favoured(named: str, ties: Collection[str], histories: Mapping[str, History]) -> str:
    """The one of equal sessions that its history speaks for, a thousand to one against each other; "" for none."""
    known = sorted(
        (histories[one].weight, one) for one in {named, *ties} if histories.get(one, NOTHING).statements
    )
    if len(known) < 2 or len(known) < 1 + len(set(ties) - {named}):
        return ""
    return known[-1][1] if known[-1][0] - known[-2][0] >= FAVOURED else ""


async def _items_of(ledger: Ledger, dataset: str) -> Mapping[str, str]:
    async with ledger.read() as connection:
        for target in await connection.scalars(select(targets.c.target).order_by(targets.c.target)):
            catalogue = await find_catalogue(connection, target)
            for one in catalogue.datasets if catalogue else ():
                if one.dataset == dataset:
                    return {
                        f"{table.name}.{column.name}": _SAME.get(column.item, column.item)
                        for table in one.tables
                        for column in table.columns
                    }
    return {}
