"""The demo's checkpoint: the call centre is registered, its people are known, tickets are asked for and approved."""

import asyncio
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
PASSWORD: Final = "a password for the demo"  # noqa: S105 (printed by the demo)
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


async def register(ledger: Ledger, centre: CallCentre, language: Language) -> dict[str, str]:
    """Record clients, target, datasets and people, who are told things in `language`; returns the secret of each
    person's one-time codes."""
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
    client = centre.organisations[0]
    secrets_of: dict[str, str] = {}
    for player in cast_of(client):
        person = player.person
        human = PersonAdded(
            person=person,
            name=player.name,
            employer=player.employer,
            manager=player.manager,
            language=language,
        )
        await ledger.record(human, by=ADMINISTRATOR, about=person)
        enrolment = await asyncio.to_thread(enrol, person, PASSWORD)
        verifier = ledger.vault.seal("checkpoint", enrolment.credential)
        credential = CredentialSet(person=person, verifier=verifier.commitment)
        await ledger.record(credential, by=ADMINISTRATOR, about=person, parts=[verifier])
        secrets_of[person] = enrolment.totp_secret
    for player in cast_of(client):
        await _appoint(ledger, player)
    return secrets_of


@dataclass(frozen=True)
class Player:
    """A person of the demo, and the one role that this person plays."""

    person: str
    name: str
    employer: str
    role: Role
    manager: str = ""
    organisation: str = ""


def cast_of(client: Organisation) -> tuple[Player, ...]:
    """One person for each face of the console."""
    operations = "みはらし運用"
    return (
        Player(WORKER, "佐藤 保守", "ほくと人材派遣", Role.WORKER, manager=APPROVER),
        Player(APPROVER, "森 承認", operations, Role.OPERATOR_MANAGER),
        Player("tanaka", "田中 窓口", client.name, Role.CLIENT, organisation=client.id),
        Player("kansa", "観佐 監査", "あかね監査事務所", Role.AUDITOR),
        Player("hogo", "保護 はるか", operations, Role.PRIVACY_OFFICER),
        Player(ADMINISTRATOR, "管理 太郎", operations, Role.ADMINISTRATOR),
        Player(SECOND_ADMINISTRATOR, "管理 花子", operations, Role.ADMINISTRATOR),
    )


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


async def _appoint(ledger: Ledger, player: Player) -> None:
    """One administrator asks, the other one grants."""
    own = player.person == SECOND_ADMINISTRATOR
    first, second = (SECOND_ADMINISTRATOR, ADMINISTRATOR) if own else (ADMINISTRATOR, SECOND_ADMINISTRATOR)
    person, role, organisation = player.person, player.role, player.organisation
    asked = RoleAsked(person=person, role=role, organisation=organisation, since=_SINCE, reason="配属")
    request = (await ledger.record(asked, by=first, about=person)).leaf_hash.hex()
    granted = RoleGranted(person=person, role=role, organisation=organisation, since=_SINCE, request=request)
    await ledger.record(granted, by=second, about=person)


async def open_ticket(
    ledger: Ledger, name: str, organisation: Organisation, *, unmask: Sequence[str] = ()
) -> None:
    """A ticket of the worker for one client's dataset, approved by the manager."""
    await ask_ticket(ledger, name, organisation, unmask=unmask)
    await approve_ticket(ledger, name, APPROVER)


async def ask_ticket(
    ledger: Ledger, name: str, organisation: Organisation, *, unmask: Sequence[str] = ()
) -> None:
    """A ticket that waits for the manager's approval."""
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
