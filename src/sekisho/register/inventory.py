"""What is known of each dataset that a client entrusted (Guidelines 10-3 (3)), and what is not known yet."""

import msgspec

from sekisho.text.items import ItemList, parse_items


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

    def item_list(self) -> ItemList:
        return parse_items(self.items)


# A dataset that lacks one of these must not be opened for maintenance.
REQUIRED_TO_OPEN = ("items", "purpose", "responsible_unit", "holders", "target")


def gaps(dataset: Dataset) -> tuple[str, ...]:
    """The names of the fields that must be filled before the dataset may be opened for maintenance."""
    return tuple(name for name in REQUIRED_TO_OPEN if not getattr(dataset, name))
