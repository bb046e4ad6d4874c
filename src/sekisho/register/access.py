"""Access policy of a target: how much of what it holds may reach a terminal, and so through which doors.

    pixels        a picture: the desktop of a workspace. No character of the target's leaves the checkpoint
    masked-text   text whose personal columns are masked, whatever a ticket shows in clear elsewhere
    text          text, as the ticket has it

Nobody need state it: without a word a target is `pixels`, unless every table of the dataset is catalogued and none
tells of a person. What takes it further takes two (`changes`), and the gate believes it only when two are on record
(`attested`). A target that only draws (`rdp`, `vnc`) is `pixels`, whatever is stated.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from sekisho.register.facts import TableEntry

DRAWING: Final = ("rdp", "vnc")  # protocols that know pictures only
# "" stands between: it is `pixels` for personal data, and takes nobody's masks away.
_RANK: Final = {"pixels": 0, "": 1, "masked-text": 2, "text": 3}
STATED: Final = tuple(_RANK)  # what may be stated


class Access(StrEnum):
    """In the order of how much reaches a terminal."""

    PIXELS = "pixels"
    MASKED_TEXT = "masked-text"
    TEXT = "text"

    def lets(self, received: "Access") -> bool:
        return _RANK[received] <= _RANK[self]


def access_of(stated: str, protocol: str, tables: Iterable[TableEntry]) -> Access:
    """What holds for a dataset on a target. What is not understood is `pixels`."""
    if protocol in DRAWING or stated not in _RANK:
        return Access.PIXELS
    if stated:
        return Access(stated)
    known = tuple(tables)
    # A shell shows whatever lies on the server; of a database the catalogue says what it shows.
    personal = any(table.metered or any(column.personal for column in table.columns) for table in known)
    return Access.TEXT if protocol == "postgres" and known and not personal else Access.PIXELS


def loosens(before: str, after: str) -> bool:
    """Whether more may reach a terminal than before."""
    return _RANK.get(after, 0) > _RANK.get(before, 0)
