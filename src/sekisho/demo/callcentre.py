"""The demo's checkpoint: the call centre is registered, its people are known, tickets are asked for and approved."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

import asyncpg

from sekisho.demo.population import Organisation
from sekisho.demo.population.columns import PLAIN_RELATIONS, SUBJECT_KEY
from sekisho.demo.servers import PostgresServer
from sekisho.faults import Language
from sekisho.gate.facts import Limits, TicketRequested, Unmask
from sekisho.gate.tickets import approve_ticket
from sekisho.ledger import Ledger
from sekisho.people.credentials import enrol
from sekisho.people.facts import CredentialSet, PersonAdded, RoleAsked, RoleGranted
from sekisho.people.roles import Role
from sekisho.register.facts import (
    ColumnEntry,
    ContractAdded,
    DatasetAdded,
    DatasetDescribed,
    EntrustmentAdded,
    OrganisationAdded,
    TableEntry,
    TargetAdded,
)
from sekisho.register.parties import Clause
from sekisho.register.periods import parse_period

TARGET: Final = "callcentre"
WORKER: Final = "sato"
APPROVER: Final = "mori"
ADMINISTRATOR: Final = "kanri"
SECOND_ADMINISTRATOR: Final = "kanta"
OPERATOR: Final = "miharashi"
PASSWORD: Final = "demo worker's password"  # noqa: S105 (printed by the demo)
ROLE: Final = "maintenance"

_PLAIN_COLUMNS: Final = {
    "campaigns": ("campaign_id", "name", "starts_on", "ends_on"),
    "call_counts": ("day", "result_code", "calls"),
}
_SINCE: Final = date(2020, 4, 1)
_CALLS_A_CUSTOMER: Final = 200  # more rows under one customer's key are other customers'


@dataclass(frozen=True)
class CallCentre:
    """What the acts need to know of it."""

    server: PostgresServer
    organisations: Sequence[Organisation]
    role_password: str


async def make_maintenance_role(server: PostgresServer) -> str:
    """The incident's shared administrator: one login that reads every client's tables. Only the checkpoint gets
    its password, which is returned."""
    password = secrets.token_hex(24)
    connection = await asyncpg.connect(server.dsn())
    try:
        await connection.execute(
            f"CREATE ROLE {ROLE} LOGIN PASSWORD '{password}'; GRANT pg_read_all_data TO {ROLE}; "
            f"GRANT CONNECT ON DATABASE postgres TO {ROLE}"
        )
    finally:
        await connection.close()
    return password


async def register(ledger: Ledger, centre: CallCentre, language: Language) -> str:
    """Record clients, target, datasets and people, who are told things in `language`; returns the worker's
    one-time-code secret."""
    server = centre.server
    certificate = server.certificate.read_text(encoding="utf-8") if server.certificate else ""
    target = TargetAdded(
        target=TARGET,
        protocol="postgres",
        host=server.host,
        port=server.port,
        database="postgres",
        tls_ca=certificate,
        unknown_lineage="mask",
        operator=OPERATOR,
    )
    await ledger.record(target, by=ADMINISTRATOR, about=TARGET)
    operator = OrganisationAdded(
        organisation=OPERATOR, name="みはらし運用", name_en="Miharashi Operations", kind="company"
    )
    await ledger.record(operator, by=ADMINISTRATOR, about=OPERATOR)
    for one in centre.organisations:
        added = OrganisationAdded(organisation=one.id, name=one.name, name_en=one.name_en, kind=one.kind)
        await ledger.record(added, by=ADMINISTRATOR, about=one.id)
        secret = ledger.vault.seal("checkpoint", centre.role_password.encode())
        dataset = DatasetAdded(
            dataset=dataset_of(one),
            organisation=one.id,
            target=TARGET,
            name=one.name,
            role=ROLE,
            secret=secret.commitment,
            tables=tables_of(one),
        )
        await ledger.record(dataset, by=ADMINISTRATOR, about=dataset.dataset, parts=[secret])
        await _entrust(ledger, one)
    for person, name, employer, manager in (
        (WORKER, "佐藤 保守", "ほくと人材派遣", APPROVER),
        (APPROVER, "森 承認", "みはらし運用", ""),
        (ADMINISTRATOR, "管理 太郎", "みはらし運用", ""),
        (SECOND_ADMINISTRATOR, "管理 花子", "みはらし運用", ""),
    ):
        human = PersonAdded(person=person, name=name, employer=employer, manager=manager, language=language)
        await ledger.record(human, by=ADMINISTRATOR, about=person)
    await _appoint(ledger, WORKER, Role.WORKER)
    await _appoint(ledger, APPROVER, Role.OPERATOR_MANAGER)
    enrolment = enrol(WORKER, PASSWORD)
    verifier = ledger.vault.seal("checkpoint", enrolment.credential)
    credential = CredentialSet(person=WORKER, verifier=verifier.commitment)
    await ledger.record(credential, by=ADMINISTRATOR, about=WORKER, parts=[verifier])
    return enrolment.totp_secret


async def _entrust(ledger: Ledger, organisation: Organisation) -> None:
    """What the register must know before a dataset opens: what it is, and by which contract it is held."""
    described = DatasetDescribed(
        dataset=dataset_of(organisation),
        client=organisation.id,
        name=organisation.name,
        items="氏名、住所、電話番号等",
        purpose="問い合わせ対応",
        responsible_unit="保守一課",
        holders=("保守班",),
        target=TARGET,
        schema=organisation.id,
        tables=("customers", "calls"),
        client_column="",
        retention="契約終了まで",
        fingerprint="",
    )
    hop = EntrustmentAdded(
        hop=f"{organisation.id}-hop",
        client=organisation.id,
        giver=organisation.id,
        receiver=OPERATOR,
        datasets=(described.dataset,),
        began=_SINCE,
    )
    contract = ContractAdded(
        contract=f"{organisation.id}-contract",
        hop=hop.hop,
        kind="業務委託契約",
        period=parse_period("2020年4月~"),
        clauses=tuple(Clause),
    )
    await ledger.record(described, by=ADMINISTRATOR, about=described.dataset)
    await ledger.record(hop, by=ADMINISTRATOR, about=hop.hop)
    await ledger.record(contract, by=ADMINISTRATOR, about=contract.contract)


async def _appoint(ledger: Ledger, person: str, role: Role) -> None:
    """One administrator asks, another one grants."""
    asked = RoleAsked(person=person, role=role, organisation="", since=_SINCE, reason="配属")
    request = (await ledger.record(asked, by=ADMINISTRATOR, about=person)).leaf_hash.hex()
    granted = RoleGranted(person=person, role=role, organisation="", since=_SINCE, request=request)
    await ledger.record(granted, by=SECOND_ADMINISTRATOR, about=person)


async def open_ticket(
    ledger: Ledger, name: str, organisation: Organisation, *, unmask: Sequence[str] = ()
) -> None:
    """A ticket of the worker for one client's dataset, approved by the manager."""
    now = datetime.now(UTC)
    asked = TicketRequested(
        ticket=name,
        person=WORKER,
        organisation=organisation.id,
        dataset=dataset_of(organisation),
        target=TARGET,
        door="postgres",
        purpose="請求書の宛名が崩れるとの問い合わせの調査",
        opens=int((now - timedelta(minutes=1)).timestamp() * 1e6),
        closes=int((now + timedelta(hours=8)).timestamp() * 1e6),
        limits=Limits(
            session_persons=200,
            session_rows=2_000,
            day_persons=300,
            day_rows=3_000,
            ticket_persons=500,
            ticket_rows=5_000,
            client_persons=1_000,
            client_rows=20_000,
        ),
        unmask=tuple(Unmask(item=item, reason="宛名の字形を目で確かめるため") for item in unmask),
    )
    await ledger.record(asked, by=WORKER, about=name)
    await approve_ticket(ledger, name, APPROVER)


def dataset_of(organisation: Organisation) -> str:
    return f"{organisation.id}-customers"


def tables_of(organisation: Organisation) -> tuple[TableEntry, ...]:
    """The catalogue entries of one client's schema."""
    tables = [
        TableEntry(
            schema=organisation.id,
            name=table,
            subject=SUBJECT_KEY,
            rows_per_subject=rows,
            columns=tuple(
                ColumnEntry(name=column.name, item=column.item or "", personal=column.item is not None)
                for column in organisation.columns(table)
            ),
        )
        for table, rows in (("customers", 1), ("calls", _CALLS_A_CUSTOMER))
    ]
    tables += [
        TableEntry(
            schema=organisation.id,
            name=name,
            metered=False,
            columns=tuple(ColumnEntry(name=column) for column in _PLAIN_COLUMNS[name]),
        )
        for name in PLAIN_RELATIONS
    ]
    return tuple(tables)
