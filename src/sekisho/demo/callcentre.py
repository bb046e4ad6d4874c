"""The demo's checkpoint: the call centre is registered, its people are known, tickets are asked for and approved."""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg

from sekisho.demo.founding import (
    Holding,
    add_dataset,
    add_organisation,
    add_person,
    add_target,
    appoint,
    give_credential,
    ticket_request,
)
from sekisho.demo.population import Organisation
from sekisho.demo.population.columns import PLAIN_RELATIONS, SUBJECT_KEY
from sekisho.demo.servers import PostgresServer
from sekisho.faults import Language
from sekisho.gate.facts import Limits
from sekisho.gate.tickets import approve_ticket
from sekisho.ledger import Ledger
from sekisho.people.credentials import enrol
from sekisho.people.roles import Role
from sekisho.register.facts import ColumnEntry, TableEntry
from sekisho.register.parties import Clause

TARGET: Final = "callcentre"
WORKER: Final = "sato"
APPROVER: Final = "mori"
ADMINISTRATOR: Final = "kanri"
SECOND_ADMINISTRATOR: Final = "kanta"
CLIENT: Final = "tanaka"
AUDITOR: Final = "kansa"
PRIVACY_OFFICER: Final = "hogo"
PROCESSOR: Final = "honda"
OPERATOR: Final = "miharashi"
PASSWORD: Final = "a password for the demo"  # noqa: S105 (printed by the demo)
ROLE: Final = "maintenance"

_PLAIN_COLUMNS: Final = {
    "campaigns": ("campaign_id", "name", "starts_on", "ends_on"),
    "call_counts": ("day", "result_code", "calls"),
}
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
    by = ADMINISTRATOR
    await add_target(ledger, TARGET, centre.server, operator=OPERATOR, by=by, second=SECOND_ADMINISTRATOR)
    await add_organisation(ledger, OPERATOR, "みはらし運用", "Miharashi Operations", by=by)
    for one in centre.organisations:
        await add_organisation(ledger, one.id, one.name, one.name_en, one.kind, by=by)
        await add_dataset(ledger, holding(one, centre.role_password), by=by)
    client = centre.organisations[0]
    secrets_of: dict[str, str] = {}
    for player in cast_of(client):
        person = player.person
        await add_person(
            ledger, person, player.name, player.employer, manager=player.manager, language=language, by=by
        )
        enrolment = await asyncio.to_thread(enrol, person, PASSWORD)
        await give_credential(ledger, person, enrolment.credential, by=by)
        secrets_of[person] = enrolment.totp_secret
    for player in cast_of(client):
        own = player.person == SECOND_ADMINISTRATOR
        first, second = (
            (SECOND_ADMINISTRATOR, ADMINISTRATOR) if own else (ADMINISTRATOR, SECOND_ADMINISTRATOR)
        )
        await appoint(ledger, player.person, player.role, player.organisation, first=first, second=second)
    return secrets_of


def holding(organisation: Organisation, password: str) -> Holding:
    """How a client's dataset is registered."""
    return Holding(
        dataset=dataset_of(organisation),
        organisation=organisation.id,
        name=organisation.name,
        target=TARGET,
        operator=OPERATOR,
        role=ROLE,
        password=password,
        tables=tables_of(organisation),
        schema=organisation.id,
        items="氏名、住所、電話番号等",
        purpose="問い合わせ対応",
        responsible_unit="保守一課",
        clauses=tuple(Clause),
    )


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
        Player(CLIENT, "田中 窓口", client.name, Role.CLIENT, organisation=client.id),
        Player(AUDITOR, "観佐 監査", "あかね監査事務所", Role.AUDITOR),
        Player(PRIVACY_OFFICER, "保護 はるか", operations, Role.PRIVACY_OFFICER),
        Player(PROCESSOR, "本多 統括", "あさぎり元請", Role.PROCESSOR_MANAGER),
        Player(ADMINISTRATOR, "管理 太郎", operations, Role.ADMINISTRATOR),
        Player(SECOND_ADMINISTRATOR, "管理 花子", operations, Role.ADMINISTRATOR),
    )


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
    asked = ticket_request(
        name,
        WORKER,
        organisation=organisation.id,
        dataset=dataset_of(organisation),
        target=TARGET,
        purpose="請求書の宛名が崩れるとの問い合わせの調査",
        hours=8,
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
        unmask=tuple(unmask),
        reason="宛名の字形を目で確かめるため",
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
