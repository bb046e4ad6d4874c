"""What is known of each dataset that a client entrusted (Guidelines 10-3 (3)), and what is not known yet."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

import msgspec

from sekisho.text.items import Item, ItemClass, ItemList, parse_items


class Sensitivity(StrEnum):
    """From the mildest on. SPECIAL has rules of its own in law (Act, article 2 (3); the My Number Act)."""

    ORDINARY = "ordinary"
    SENSITIVE = "sensitive"
    SPECIAL = "special"


_ORDER: Final = tuple(Sensitivity)
_BY_CLASS: Final = {
    ItemClass.HEALTH: Sensitivity.SPECIAL,
    ItemClass.OFFICIAL_NUMBER: Sensitivity.SPECIAL,
    ItemClass.INSURANCE_NUMBER: Sensitivity.SENSITIVE,
    ItemClass.CARD: Sensitivity.SENSITIVE,
    ItemClass.OTHER: Sensitivity.SENSITIVE,  # free text, and whatever the vocabulary does not know
}


def grade(items: Iterable[Item]) -> Sensitivity:
    """What these data items ask for."""
    asked = [_BY_CLASS.get(item.item_class, Sensitivity.ORDINARY) for item in items]
    return stricter(Sensitivity.ORDINARY, *asked)


def stricter(*grades: Sensitivity) -> Sensitivity:
    return max(grades, key=_ORDER.index)


class Dataset(msgspec.Struct, frozen=True):
    """`items` is the list as the contract writes it; `holders` are the persons or units that have access.

    The location is a target, a schema, its tables, and the column that tells one client's rows from another's.
    `fingerprint` is the SHA-256 of a file, or of a database's tables and columns as the survey found them.
    """

    id: str
    client: str
    name: str
    items: str
    purpose: str = ""
    responsible_unit: str = ""
    holders: tuple[str, ...] = ()
    target: str = ""
    schema: str = ""
    tables: tuple[str, ...] = ()
    client_column: str = ""
    retention: str = ""
    fingerprint: str = ""
    sensitivity: Sensitivity | None = None

    def item_list(self) -> ItemList:
        return parse_items(self.items)

    def graded(self) -> Sensitivity:
        """What its items ask for, or more if `sensitivity` says more: nobody can write a dataset harmless."""
        stated = self.sensitivity or Sensitivity.ORDINARY
        return stricter(stated, grade(one.item for one in self.item_list().named))


# A dataset that lacks one of these must not be opened for maintenance.
REQUIRED_TO_OPEN = ("items", "purpose", "responsible_unit", "holders", "target")


def gaps(dataset: Dataset) -> tuple[str, ...]:
    """The names of the fields that must be filled before the dataset may be opened for maintenance."""
    return tuple(name for name in REQUIRED_TO_OPEN if not getattr(dataset, name))
