"""What the register can record: client organisations, targets, and the datasets that stand in them."""

import msgspec

from sekisho.ledger import Commitment, Fact, fact


class ColumnEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One column of a catalogued table.

    `item` is a data item of `sekisho.text` ("name", "phone", …) when `personal`, else "". A personal column
    is masked unless the ticket unmasks its item.
    """

    name: str
    item: str = ""
    personal: bool = False


class TableEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One table or view.

    `subject` names the column whose value tells one data subject from another; without it each row counts as
    a person of its own. `rows_per_subject` is how many different rows one subject may have before the further
    ones count as other persons: 1 for a table of persons. It is what finds a join that puts one person's key
    beside the names of others. `metered=False` is for tables without data subjects.
    """

    schema: str
    name: str
    columns: tuple[ColumnEntry, ...]
    subject: str | None = None
    rows_per_subject: int = 1
    metered: bool = True


@fact("register.organisation_added", version=1)
class OrganisationAdded(Fact):
    organisation: str
    name: str
    name_en: str
    kind: str


@fact("register.target_added", version=1)
class TargetAdded(Fact):
    """A server that the checkpoint opens. `tls_ca` is the PEM certificate that its TLS must chain to, or ""
    for a target without TLS, which only a loopback address may be. `unknown_lineage` ("mask" or "refuse")
    says what becomes of result columns that belong to no table."""

    target: str
    protocol: str
    host: str
    port: int
    database: str
    tls_ca: str
    unknown_lineage: str


@fact("register.dataset_added", version=1)
class DatasetAdded(Fact):
    """A client organisation's dataset: its tables on a target, and the login that reaches them.

    `secret` commits to the password of `role`, which no operator ever sees."""

    dataset: str
    organisation: str
    target: str
    name: str
    role: str
    secret: Commitment
    tables: tuple[TableEntry, ...]
