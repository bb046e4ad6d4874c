"""Which entries were edited, deleted, inserted or moved: what stands in the bundles against what should.

What should stand at an index is named by a mark: the leaf hash in the level-0 tile where the tiles are to be
trusted, else the number that each entry carries itself. Used only once something is known to be wrong.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from typing import Final

from sekisho.evidence.faults import DELETED, EDITED, INSERTED, REORDERED
from sekisho.evidence.tiles import WIDTH
from sekisho.faults import FaultKind

Mark = bytes | int
Due = Callable[[int, int], Sequence[Mark]]  # the marks of the entries [start, stop)
Damage = tuple[FaultKind, int, int]  # what happened, to the first and the last entry (both included)

_FURTHEST: Final = 1 << 20  # a number that is further off is no hint of how many entries are gone
_SLACK: Final = 64  # entries looked at beyond a bundle's own, so that what follows a deletion is recognised


class Comparison:
    """Compares damaged bundles in order; remembers by how much the entries have shifted so far."""

    def __init__(self) -> None:
        self._next_first = -1
        self._cursor = 0

    def bundle(
        self,
        first: int,
        found: Sequence[Mark],
        numbers: Sequence[int | None],
        due_marks: Due,
        stop: int | None,
    ) -> list[Damage]:
        """Compare the bundle that begins at entry `first`; `numbers` are those that its entries carry.

        `stop`: what is due before it must stand here. None: it may also follow, shifted, in the next bundle.
        """
        if first != self._next_first:
            self._cursor = first
        start = self._cursor
        if stop is None:
            likely = [number for number in numbers if number is not None and number < first + _FURTHEST]
            due = due_marks(start, max(start + len(found) + _SLACK, *likely, 0) + 1)
        else:
            due = due_marks(start, stop)
        changes = SequenceMatcher(None, due, found, autojunk=False).get_opcodes()
        if stop is None and changes and changes[-1][0] != "equal":
            _, low, high, found_low, found_high = changes.pop()
            high = min(high, low + found_high - found_low)
            changes.append(("replace", low, high, found_low, found_high))
            self._cursor = start + high
        else:
            self._cursor = start + len(due)
        self._next_first = first + WIDTH
        return list(_name(start, due, found, changes))


def _name(
    start: int, due: Sequence[Mark], found: Sequence[Mark], changes: Iterable[tuple[str, int, int, int, int]]
) -> Iterator[Damage]:
    changes = [change for change in changes if change[0] != "equal"]
    gone = {due[i] for _, low, high, _, _ in changes for i in range(low, high)}
    come = {found[i] for _, _, _, low, high in changes for i in range(low, high)}
    for _, due_low, due_high, found_low, found_high in changes:
        left = [start + i for i in range(due_low, due_high) if due[i] not in come]
        moved = [start + i for i in range(due_low, due_high) if due[i] in come]
        new = [i for i in range(found_low, found_high) if found[i] not in gone]
        edited = min(len(left), len(new))
        yield from _ranges(REORDERED, moved)
        yield from _ranges(EDITED, left[:edited])
        yield from _ranges(DELETED, left[edited:])
        yield from _ranges(INSERTED, [start + due_low + i - found_low for i in new[edited:]])


def _ranges(kind: FaultKind, indexes: Sequence[int]) -> Iterator[Damage]:
    begin = 0
    for end in range(1, len(indexes) + 1):
        if end == len(indexes) or indexes[end] != indexes[end - 1] + 1:
            yield kind, indexes[begin], indexes[end - 1]
            begin = end
