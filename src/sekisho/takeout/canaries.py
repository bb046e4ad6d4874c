"""Invented persons for one copy, made from parts of their neighbours: a family name here, a given name there.

What makes them real enough to be met is what the client gave for it: telephone numbers, addresses and mail addresses
that the client itself answers. None is invented here, because it could be somebody's; each serves in one copy only.
A person so made may bear the name of a living one; the contact cannot.
"""

import hashlib
import random
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from sekisho.trace.canaries import Mark

ITEMS: Final = ("name", "kana", "phone", "address", "birth_date", "email")
# How a canary is reached, and found again: a name with one of these.
REACHED: Final = ("phone", "email", "address")
_PIECES: Final = 3  # neighbours of which one is made


class Contact(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the client answers for one invented person; "" for what it does not have."""

    phone: str = ""
    email: str = ""
    address: str = ""


def usable(contacts: Sequence[Contact], items: Sequence[str]) -> list[Contact]:
    """Those that fill every way of reaching a person for which the list has a column: a half-filled row would tell."""
    reached = [item for item in REACHED if item in items]
    return [one for one in contacts if reached and all(getattr(one, item) for item in reached)]


def invent(
    key: bytes,
    contacts: Sequence[Contact],
    rows: Sequence[Mapping[int, str]],
    item_of: Mapping[int, str],
    taken: Mapping[int, set[str]],
) -> list[dict[int, str]]:
    """The cells of one row for each contact, by column. `rows` are neighbours, `taken` the values of the columns in
    which no value stands twice: there a canary gets a number of its own, or a sort would show it."""
    seed = hashlib.blake2b(b"canaries", key=key, digest_size=32).digest()
    chance = random.Random(seed)  # noqa: S311 (the seed is a secret; which neighbours, no one can guess)
    made = []
    for contact in contacts:
        neighbours = [rows[chance.randrange(len(rows))] for _ in range(_PIECES)]
        cells = dict(neighbours[0])
        for column, item in item_of.items():
            if item in ("name", "kana"):
                cells[column] = _mixed(neighbours[0].get(column, ""), neighbours[1].get(column, ""))
            elif item == "birth_date":
                cells[column] = neighbours[2].get(column, "")
            elif item in REACHED:
                cells[column] = _written(getattr(contact, item), neighbours[0].get(column, ""))
        for column, values in taken.items():
            if item_of.get(column) not in ITEMS:
                cells[column] = _fresh(cells.get(column, ""), values, chance)
        made.append(cells)
    return made


def mark_of(cells: Mapping[int, str], item_of: Mapping[int, str]) -> Mark:
    found: dict[str, str] = {}
    for column, item in item_of.items():
        if item in ITEMS:
            found.setdefault(item, cells.get(column, ""))
    return Mark(**found)


def _mixed(first: str, second: str) -> str:
    """The family name of the one and the given name of the other, where both are told apart by a space."""
    for space in ("\u3000", " "):
        if space in first and space in second:
            return first.split(space)[0] + space + second.split(space, 1)[1]
    return (
        first if len(first) < 2 or len(second) < 2 else first[: len(first) // 2] + second[len(second) // 2 :]
    )


def _fresh(value: str, taken: set[str], chance: random.Random) -> str:
    """A number like this one that nobody has; the last digits change first."""
    digits = [place for place, one in enumerate(value) if one.isascii() and one.isdigit()]
    for count in range(1, len(digits) + 1):
        for _ in range(20):
            made = list(value)
            for place in digits[-count:]:
                made[place] = str(chance.randrange(10))
            if (text := "".join(made)) not in taken:
                taken.add(text)
                return text
    return value


def _written(contact: str, neighbour: str) -> str:
    """As the neighbour's is written: with hyphens or without."""
    return contact if "-" in neighbour or not contact.replace("-", "").isdigit() else contact.replace("-", "")
