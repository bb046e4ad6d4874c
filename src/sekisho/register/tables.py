"""The register's tables, and how its facts become their rows."""

from datetime import timedelta, timezone
from typing import Final

import msgspec
from sqlalchemy import BigInteger, Column, Integer, LargeBinary, String, Table, Text

from sekisho.ledger import Recorded, Writes, projects, values_of
from sekisho.ledger.tables import Timestamp, metadata
from sekisho.register.facts import (
    CampaignAnswered,
    CampaignOpened,
    CatalogueProposed,
    CertificateStated,
    ContractAdded,
    ControlDescribed,
    ControlEvidenced,
    ControlProposed,
    ControlStated,
    DatasetAdded,
    DatasetDescribed,
    DemandStated,
    EntrustmentAdded,
    EntrustmentsProposed,
    EraseTaskOpened,
    ErasureCertified,
    ErasureCountersigned,
    HopApproved,
    MeasureStated,
    OrganisationAdded,
    ScanKept,
    SupervisionRecorded,
    TargetAdded,
    TargetProposed,
    TieAdded,
)

JST: Final = timezone(timedelta(hours=9), "JST")

organisations = Table(
    "organisations",
    metadata,
    Column("organisation", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("name_en", Text, nullable=False),
    Column("kind", String(64), nullable=False),
)

targets = Table(
    "targets",
    metadata,
    Column("target", String(64), primary_key=True),
    Column("protocol", String(32), nullable=False),
    Column("host", Text, nullable=False),
    Column("port", Integer, nullable=False),
    Column("database", Text, nullable=False),
    Column("tls_ca", Text, nullable=False),
    Column("unknown_lineage", String(16), nullable=False),
    Column("operator", String(64), nullable=False),
    Column("host_keys", Text, nullable=False),  # one a line
    Column("access", String(16), nullable=False),
)

datasets = Table(
    "datasets",
    metadata,
    Column("dataset", String(64), primary_key=True),
    Column("organisation", String(64), nullable=False, index=True),
    Column("target", String(64), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("secret", String(64), nullable=False),
    # The catalogue entries as msgspec JSON: read whole, never searched.
    Column("tables", LargeBinary, nullable=False),
)

# `seq` is where the fact of the proposal is; what it proposes is read from there. A change of the target itself has
# no `dataset`; one of hops and contracts has no `target` either.
catalogue_proposals = Table(
    "catalogue_proposals",
    metadata,
    Column("proposal", String(64), primary_key=True),
    Column("dataset", String(64), nullable=False, index=True),
    Column("target", String(64), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("proposer", String(64), nullable=False),
    Column("proposed", Timestamp, nullable=False),
    Column("agreed", String(64), nullable=False),
)

scans = Table(
    "register_scans",
    metadata,
    Column("target", String(64), primary_key=True),
    Column("proposal", String(64), nullable=False),
    Column("person", String(64), nullable=False),
    Column("at", Timestamp, nullable=False),
)

# Days are ISO texts, lists are msgspec JSON: a row is read whole, and its fields are not searched.
descriptions = Table(
    "dataset_descriptions",
    metadata,
    Column("dataset", String(64), primary_key=True),
    Column("client", String(64), nullable=False, index=True),
    Column("description", LargeBinary, nullable=False),
)

ties = Table(
    "ties",
    metadata,
    Column("kind", String(32), primary_key=True),
    Column("party", String(64), primary_key=True),
    Column("other", String(64), primary_key=True),
    Column("recorded", Timestamp, nullable=False),
)

entrustments = Table(
    "entrustments",
    metadata,
    Column("hop", String(64), primary_key=True),
    Column("client", String(64), nullable=False, index=True),
    Column("giver", String(64), nullable=False),
    Column("receiver", String(64), nullable=False),
    Column("datasets", LargeBinary, nullable=False),
    Column("began", String(10), nullable=False),
    Column("approved_by", String(64), nullable=False),
    Column("approved_on", String(10), nullable=False),
    Column("leaf_hash", String(64), nullable=False),
)

# An approval belongs to one wording of the hop: whoever changes the hop has to ask again.
hop_approvals = Table(
    "hop_approvals",
    metadata,
    Column("hop", String(64), primary_key=True),
    Column("entrustment", String(64), primary_key=True),
    Column("organisation", String(64), primary_key=True),
    Column("approved_on", String(10), nullable=False),
    Column("person", String(64), nullable=False),
)

contracts = Table(
    "contracts",
    metadata,
    Column("contract", String(64), primary_key=True),
    Column("hop", String(64), nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("period", LargeBinary, nullable=False),
    Column("clauses", LargeBinary, nullable=False),
)

supervision = Table(
    "supervision",
    metadata,
    Column("hop", String(64), primary_key=True),
    Column("item", String(16), primary_key=True),
    Column("on_", String(10), primary_key=True),
    Column("until", String(10), nullable=False),
    Column("evidence", Text, nullable=False),
)

erase_tasks = Table(
    "erase_tasks",
    metadata,
    Column("dataset", String(64), primary_key=True),
    Column("party", String(64), primary_key=True),
    Column("ended", String(10), primary_key=True),
    Column("client", String(64), nullable=False, index=True),
    Column("due", String(10), nullable=False),
    Column("opened", Timestamp, nullable=False),
)

# A second certificate for a task takes the place of the first; what was countersigned for the first does not count.
erase_certificates = Table(
    "erase_certificates",
    metadata,
    Column("dataset", String(64), primary_key=True),
    Column("party", String(64), primary_key=True),
    Column("ended", String(10), primary_key=True),
    Column("on_", String(10), nullable=False),
    Column("method", Text, nullable=False),
    Column("certificate", String(64), nullable=False),
    Column("person", String(64), nullable=False),
    Column("leaf_hash", String(64), nullable=False),
)

erase_countersignatures = Table(
    "erase_countersignatures",
    metadata,
    Column("certified", String(64), primary_key=True),
    Column("organisation", String(64), primary_key=True),
    Column("person", String(64), nullable=False),
    Column("at", Timestamp, nullable=False),
)

demands = Table(
    "profile_demands",
    metadata,
    Column("organisation", String(64), primary_key=True),
    Column("control", String(64), primary_key=True),
    Column("bound", String(8), nullable=False),
    Column("value", BigInteger, nullable=False),
)

measures = Table(
    "profile_measures",
    metadata,
    Column("organisation", String(64), primary_key=True),
    Column("control", String(64), primary_key=True),
    Column("value", BigInteger, nullable=False),
)

certificates = Table(
    "organisation_certificates",
    metadata,
    Column("organisation", String(64), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("until", String(10), nullable=False),
)

campaigns = Table(
    "campaigns",
    metadata,
    Column("campaign", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("systems", LargeBinary, nullable=False),
    Column("points", LargeBinary, nullable=False),
    Column("due", String(10), nullable=False),
)

campaign_answers = Table(
    "campaign_answers",
    metadata,
    Column("campaign", String(64), primary_key=True),
    Column("system", String(64), primary_key=True),
    Column("point", String(64), primary_key=True),
    Column("answer", String(16), nullable=False),
    Column("evidence", Text, nullable=False),
    Column("person", String(64), nullable=False),
    Column("at", Timestamp, nullable=False),
)

controls = Table(
    "controls",
    metadata,
    Column("control", String(64), primary_key=True),
    Column("description", LargeBinary, nullable=False),
)

control_states = Table(
    "control_states",
    metadata,
    Column("control", String(64), primary_key=True),
    Column("status", String(16), nullable=False),
    Column("since", String(10), nullable=False),
    Column("person", String(64), nullable=False),
    Column("second", String(64), nullable=False),
    Column("operator_minutes", Integer, nullable=False),
    Column("user_minutes", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("leaf_hash", String(64), nullable=False),
)

control_proposals = Table(
    "control_proposals",
    metadata,
    Column("proposal", String(64), primary_key=True),
    Column("seq", BigInteger, nullable=False),
)

control_evidence = Table(
    "control_evidence",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("control", String(64), nullable=False, index=True),
    Column("kind", String(64), nullable=False),
    Column("on_", String(10), nullable=False),
    Column("person", String(64), nullable=False),
    Column("sha256", String(64), nullable=False),
)


@projects(OrganisationAdded)
def _organisation(write: Writes, fact: OrganisationAdded, recorded: Recorded) -> None:
    write.upsert(
        organisations,
        {"organisation": fact.organisation},
        {"name": fact.name, "name_en": fact.name_en, "kind": fact.kind},
    )


@projects(TargetAdded)
def _target(write: Writes, fact: TargetAdded, recorded: Recorded) -> None:
    row = {**values_of(fact), "host_keys": "\n".join(fact.host_keys)}
    proposal = row.pop("proposal")
    write.upsert(targets, {"target": row.pop("target")}, row)
    _agreed(write, proposal, recorded)


@projects(DatasetAdded)
def _dataset(write: Writes, fact: DatasetAdded, recorded: Recorded) -> None:
    write.upsert(
        datasets,
        {"dataset": fact.dataset},
        {
            "organisation": fact.organisation,
            "target": fact.target,
            "name": fact.name,
            "role": fact.role,
            "secret": fact.secret,
            "tables": msgspec.json.encode(fact.tables),
        },
    )
    _agreed(write, fact.proposal, recorded)


@projects(CatalogueProposed)
def _catalogue_proposed(write: Writes, fact: CatalogueProposed, recorded: Recorded) -> None:
    _proposed(write, recorded, fact.change.dataset, fact.change.target)


@projects(TargetProposed)
def _target_proposed(write: Writes, fact: TargetProposed, recorded: Recorded) -> None:
    _proposed(write, recorded, "", fact.change.target)


@projects(EntrustmentsProposed)
def _entrustments_proposed(write: Writes, fact: EntrustmentsProposed, recorded: Recorded) -> None:
    _proposed(write, recorded, "", "")


def _agreed(write: Writes, proposal: str, recorded: Recorded) -> None:
    if proposal:
        write.update(catalogue_proposals, {"proposal": proposal}, {"agreed": recorded.by})


def _proposed(write: Writes, recorded: Recorded, dataset: str, target: str) -> None:
    write.upsert(
        catalogue_proposals,
        {"proposal": recorded.leaf_hash.hex()},
        {
            "dataset": dataset,
            "target": target,
            "seq": recorded.seq,
            "proposer": recorded.by,
            "proposed": recorded.at,
            "agreed": "",
        },
    )


@projects(ScanKept)
def _scan_kept(write: Writes, fact: ScanKept, recorded: Recorded) -> None:
    write.upsert(
        scans,
        {"target": fact.target},
        {"proposal": fact.proposal, "person": recorded.by, "at": recorded.at},
    )


@projects(DatasetDescribed)
def _description(write: Writes, fact: DatasetDescribed, recorded: Recorded) -> None:
    row = values_of(fact)
    row["id"] = row.pop("dataset")
    described = msgspec.json.encode(row)
    write.upsert(descriptions, {"dataset": fact.dataset}, {"client": fact.client, "description": described})


@projects(TieAdded)
def _tie(write: Writes, fact: TieAdded, recorded: Recorded) -> None:
    key = {"kind": fact.kind.value, "party": fact.party, "other": fact.other}
    write.upsert(ties, key, {"recorded": recorded.at})
    _agreed(write, fact.proposal, recorded)


@projects(EntrustmentAdded)
def _entrustment(write: Writes, fact: EntrustmentAdded, recorded: Recorded) -> None:
    write.upsert(
        entrustments,
        {"hop": fact.hop},
        {
            "client": fact.client,
            "giver": fact.giver,
            "receiver": fact.receiver,
            "datasets": msgspec.json.encode(fact.datasets),
            "began": fact.began.isoformat(),
            "approved_by": fact.approved_by,
            "approved_on": fact.approved_on.isoformat() if fact.approved_on else "",
            "leaf_hash": recorded.leaf_hash.hex(),
        },
    )
    _agreed(write, fact.proposal, recorded)


@projects(HopApproved)
def _approval(write: Writes, fact: HopApproved, recorded: Recorded) -> None:
    key = {"hop": fact.hop, "entrustment": fact.entrustment, "organisation": fact.organisation}
    on = recorded.at.astimezone(JST).date().isoformat()
    # Inserted: a second approval would move the day of the first one behind the beginning of the hop.
    write.insert(hop_approvals, {**key, "approved_on": on, "person": recorded.by})


@projects(ContractAdded)
def _contract(write: Writes, fact: ContractAdded, recorded: Recorded) -> None:
    write.upsert(
        contracts,
        {"contract": fact.contract},
        {
            "hop": fact.hop,
            "kind": fact.kind,
            "period": msgspec.json.encode(fact.period),
            "clauses": msgspec.json.encode(fact.clauses),
        },
    )
    _agreed(write, fact.proposal, recorded)


@projects(SupervisionRecorded)
def _supervision(write: Writes, fact: SupervisionRecorded, recorded: Recorded) -> None:
    key = {"hop": fact.hop, "item": fact.item.value, "on_": fact.on.isoformat()}
    write.upsert(supervision, key, {"until": fact.until.isoformat(), "evidence": fact.evidence})


@projects(EraseTaskOpened)
def _task(write: Writes, fact: EraseTaskOpened, recorded: Recorded) -> None:
    # Inserted: a second sweep of the same day is refused by the ledger instead of opening the task twice.
    write.insert(
        erase_tasks,
        {
            "dataset": fact.dataset,
            "party": fact.party,
            "ended": fact.ended.isoformat(),
            "client": fact.client,
            "due": fact.due.isoformat(),
            "opened": recorded.at,
        },
    )


@projects(ErasureCertified)
def _certified(write: Writes, fact: ErasureCertified, recorded: Recorded) -> None:
    write.upsert(
        erase_certificates,
        {"dataset": fact.dataset, "party": fact.party, "ended": fact.ended.isoformat()},
        {
            "on_": fact.on.isoformat(),
            "method": fact.method,
            "certificate": fact.certificate,
            "person": recorded.by,
            "leaf_hash": recorded.leaf_hash.hex(),
        },
    )


@projects(ErasureCountersigned)
def _countersigned(write: Writes, fact: ErasureCountersigned, recorded: Recorded) -> None:
    key = {"certified": fact.certified, "organisation": fact.organisation}
    write.upsert(erase_countersignatures, key, {"person": recorded.by, "at": recorded.at})


@projects(DemandStated)
def _demand(write: Writes, fact: DemandStated, recorded: Recorded) -> None:
    key = {"organisation": fact.organisation, "control": fact.control}
    write.upsert(demands, key, {"bound": fact.bound.value, "value": fact.value})


@projects(MeasureStated)
def _measure(write: Writes, fact: MeasureStated, recorded: Recorded) -> None:
    key = {"organisation": fact.organisation, "control": fact.control}
    write.upsert(measures, key, {"value": fact.value})


@projects(CertificateStated)
def _certificate(write: Writes, fact: CertificateStated, recorded: Recorded) -> None:
    key = {"organisation": fact.organisation, "name": fact.name}
    write.upsert(certificates, key, {"until": fact.until.isoformat()})


@projects(CampaignOpened)
def _campaign(write: Writes, fact: CampaignOpened, recorded: Recorded) -> None:
    # Inserted: a campaign that could be opened again with fewer points would always be complete.
    write.insert(
        campaigns,
        {
            "campaign": fact.campaign,
            "name": fact.name,
            "systems": msgspec.json.encode(fact.systems),
            "points": msgspec.json.encode(fact.points),
            "due": fact.due.isoformat(),
        },
    )


@projects(CampaignAnswered)
def _answer(write: Writes, fact: CampaignAnswered, recorded: Recorded) -> None:
    key = {"campaign": fact.campaign, "system": fact.system, "point": fact.point}
    write.upsert(
        campaign_answers,
        key,
        {"answer": fact.answer, "evidence": fact.evidence, "person": recorded.by, "at": recorded.at},
    )


@projects(ControlDescribed)
def _control(write: Writes, fact: ControlDescribed, recorded: Recorded) -> None:
    write.upsert(controls, {"control": fact.control}, {"description": fact.description.encode()})


@projects(ControlStated)
def _control_stated(write: Writes, fact: ControlStated, recorded: Recorded) -> None:
    write.upsert(
        control_states,
        {"control": fact.control},
        {
            "status": fact.status,
            "since": recorded.at.astimezone(JST).date().isoformat(),
            "person": fact.proposer or recorded.by,
            "second": recorded.by if fact.proposer else "",
            "operator_minutes": fact.operator_minutes,
            "user_minutes": fact.user_minutes,
            "seq": recorded.seq,
            "leaf_hash": recorded.leaf_hash.hex(),
        },
    )


@projects(ControlProposed)
def _control_proposed(write: Writes, fact: ControlProposed, recorded: Recorded) -> None:
    write.upsert(control_proposals, {"proposal": recorded.leaf_hash.hex()}, {"seq": recorded.seq})


@projects(ControlEvidenced)
def _control_evidenced(write: Writes, fact: ControlEvidenced, recorded: Recorded) -> None:
    row = {"control": fact.control, "kind": fact.kind, "on_": fact.on.isoformat()}
    write.insert(control_evidence, {**row, "seq": recorded.seq, "person": recorded.by, "sha256": fact.sha256})
