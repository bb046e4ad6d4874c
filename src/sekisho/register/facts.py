"""What the register can record: organisations and what binds them, targets, datasets, erasure, supervision.

Days are calendar days in Japan. Whoever is `by` of a fact answers for it; where an act is one organisation's to
make, `organisation` names it, and whoever records the fact has checked that `by` acts for it.
"""

from datetime import date
from typing import Literal

import msgspec

from sekisho.ledger import Commitment, Fact, fact
from sekisho.register.inventory import Sensitivity
from sekisho.register.parties import Clause, SupervisionItem, TieKind
from sekisho.register.periods import Period
from sekisho.register.profiles import Bound


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
    says what becomes of result columns that belong to no table. `operator` is the organisation whose staff
    maintain it: whoever can reach the data technically is entrusted with it, whatever a contract says. `host_keys` are
    the public keys of a server for "ssh", one of which it must show ("ssh-ed25519 AAAA…"). `access` is how much of it
    may reach a terminal (`access.Access`), "" where nobody said. `proposal` is as in `DatasetAdded`."""

    target: str
    protocol: str
    host: str
    port: int
    database: str
    tls_ca: str
    unknown_lineage: str
    operator: str = ""
    host_keys: tuple[str, ...] = ()
    access: Literal["", "pixels", "masked-text", "text"] = ""
    proposal: str = ""


@fact("register.dataset_added", version=1)
class DatasetAdded(Fact):
    """A client organisation's dataset: its tables on a target, and the login that reaches them.

    `secret` commits to the password of `role`, which no operator ever sees, or is "": a target for "ssh" is opened by
    certificates with `role` as principal. `proposal` is the leaf hash (hex) of
    the proposal to which a second person agreed here, "" where none was needed."""

    dataset: str
    organisation: str
    target: str
    name: str
    role: str
    secret: Commitment
    tables: tuple[TableEntry, ...]
    proposal: str = ""


@fact("register.catalogue_proposed", version=1)
class CatalogueProposed(Fact):
    """Somebody asks that `change` be recorded; it waits for a second person. `loosens` names the places that
    would be reached, shown or counted less than now, `replaces` what stands now (`changes.state_of`)."""

    change: DatasetAdded
    replaces: str
    loosens: tuple[str, ...]
    reason: str


@fact("register.target_proposed", version=1)
class TargetProposed(Fact):
    """As `CatalogueProposed`: a registered target would be another server, or be known by other proofs. `differs`
    names the fields."""

    change: TargetAdded
    replaces: str
    differs: tuple[str, ...]
    reason: str


@fact("register.control_described", version=1)
class ControlDescribed(Fact):
    """A control of the house's own. `description` is a `controls.Control` as JSON; a later one takes its place."""

    control: str
    description: str


@fact("register.control_stated", version=1)
class ControlStated(Fact):
    """How far a control has come, and what it costs a month. "verified" takes two: `proposal` is the leaf hash (hex)
    of what `proposer` proposed and whoever records this agreed to."""

    control: str
    status: Literal["planned", "interim", "permanent", "verified"]
    operator_minutes: int
    user_minutes: int
    proposal: str = ""
    proposer: str = ""


@fact("register.control_proposed", version=1)
class ControlProposed(Fact):
    """Somebody says that a control is verified; it waits for a second human. `replaces` is the leaf hash (hex) of the
    status that stands, "" where none was ever stated."""

    change: ControlStated
    replaces: str


@fact("register.control_evidenced", version=1)
class ControlEvidenced(Fact):
    """A report of the day `on` (a red-team run, a restore check, a read-back …) has this SHA-256."""

    control: str
    kind: str
    on: date
    sha256: str


@fact("register.scan_kept", version=1)
class ScanKept(Fact):
    """What a scan proposed is kept for those who confirm it at the console. It holds names of tables and columns
    and no value of a person; it is a confidential part all the same, for what it tells of the target."""

    target: str
    datasets: int
    proposal: Commitment


@fact("register.dataset_described", version=1)
class DatasetDescribed(Fact):
    """What is known of a dataset (see `inventory.Dataset`); a later description takes the place of an earlier one."""

    dataset: str
    client: str
    name: str
    items: str
    purpose: str
    responsible_unit: str
    holders: tuple[str, ...]
    target: str
    schema: str
    tables: tuple[str, ...]
    client_column: str
    retention: str
    fingerprint: str
    sensitivity: Sensitivity | None = None


@fact("register.tie_added", version=1)
class TieAdded(Fact):
    """`proposal` is as in `DatasetAdded`: a federation acts as the client itself, and so takes two to name."""

    kind: TieKind
    party: str
    other: str
    proposal: str = ""


@fact("register.entrustment_added", version=1)
class EntrustmentAdded(Fact):
    """A hop. `approved_by` and `approved_on` are what papers say of the client's approval, "" and None if nothing.
    `proposal` is as in `DatasetAdded`."""

    hop: str
    client: str
    giver: str
    receiver: str
    datasets: tuple[str, ...]
    began: date
    approved_by: str = ""
    approved_on: date | None = None
    proposal: str = ""


@fact("register.hop_approved", version=1)
class HopApproved(Fact):
    """The client, or who acts for it, approved a hop as it stands in the fact with the leaf hash `entrustment`.

    Its day is the day on which it is recorded: no approval can be dated back."""

    hop: str
    entrustment: str
    organisation: str


@fact("register.contract_added", version=1)
class ContractAdded(Fact):
    """`period` keeps the words and their reading: a later reader may read the words otherwise, the fact stays.
    `proposal` is as in `DatasetAdded`."""

    contract: str
    hop: str
    kind: str
    period: Period
    clauses: tuple[Clause, ...]
    proposal: str = ""


@fact("register.entrustments_proposed", version=1)
class EntrustmentsProposed(Fact):
    """Federations, hops and contracts that would open more than what stands now; they wait for a second person.
    `replaces` is a digest of what stands now (`opening.state_of`), `file` says what they were read from."""

    ties: tuple[TieAdded, ...]
    hops: tuple[EntrustmentAdded, ...]
    contracts: tuple[ContractAdded, ...]
    replaces: str
    file: str


@fact("register.supervision_recorded", version=1)
class SupervisionRecorded(Fact):
    hop: str
    item: SupervisionItem
    on: date
    until: date
    evidence: str


@fact("register.tables_taken_in", version=1)
class TablesTakenIn(Fact):
    """A file was accepted as a whole; its `rows` that were new or different follow as facts of their own."""

    file: str
    sha256: str
    rows: int


@fact("register.erase_task_opened", version=1)
class EraseTaskOpened(Fact):
    """The last contract under which `party` held the dataset ended on `ended`; erasure is due on `due`."""

    dataset: str
    client: str
    party: str
    ended: date
    due: date


@fact("register.erasure_certified", version=1)
class ErasureCertified(Fact):
    """`party` certifies that nothing is left. `certificate` commits to the paper, sealed for the client."""

    dataset: str
    party: str
    ended: date
    on: date
    method: str
    certificate: Commitment


@fact("register.erasure_countersigned", version=1)
class ErasureCountersigned(Fact):
    """The client accepts the certificate whose fact has the leaf hash `certified`."""

    dataset: str
    party: str
    ended: date
    certified: str
    organisation: str


@fact("register.target_scanned", version=1)
class TargetScanned(Fact):
    """The checkpoint is about to read a target's schemas, and at most `rows` rows of each table, as `role`.

    Samples are looked at in memory and kept nowhere."""

    target: str
    role: str
    rows: int


@fact("register.demand_stated", version=1)
class DemandStated(Fact):
    """See `profiles.Demand`."""

    organisation: str
    control: str
    bound: Bound
    value: int


@fact("register.measure_stated", version=1)
class MeasureStated(Fact):
    organisation: str
    control: str
    value: int


@fact("register.certificate_stated", version=1)
class CertificateStated(Fact):
    """ISMS, a privacy mark and the like. Shown apart: a certificate answers no supervision item."""

    organisation: str
    name: str
    until: date


@fact("register.campaign_opened", version=1)
class CampaignOpened(Fact):
    """Every system is to be inspected on every point, again, by `due`."""

    campaign: str
    name: str
    systems: tuple[str, ...]
    points: tuple[str, ...]
    due: date


@fact("register.campaign_answered", version=1)
class CampaignAnswered(Fact):
    """An answer without evidence is recorded, and stays a gap."""

    campaign: str
    system: str
    point: str
    answer: Literal["done", "finding", "not_applicable"]
    evidence: str
