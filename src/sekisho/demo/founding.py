"""What a checkpoint must hold before a door opens, recorded: a target, clients' datasets, their people, a ticket.

The demo, the benchmarks and the tests of doors all begin with it. Nothing is checked on the way: facts are recorded
as a register that was filled years ago has them, and the gate judges them when somebody knocks.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal

from sekisho.demo.servers import PostgresServer, SshServer
from sekisho.faults import Language
from sekisho.gate.facts import Limits, TicketRequested, Unmask
from sekisho.ledger import Ledger
from sekisho.people.facts import CredentialSet, PersonAdded, RoleAsked, RoleGranted
from sekisho.people.roles import Role
from sekisho.register.changes import agree, change_target
from sekisho.register.facts import (
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

FIRST: Final = "kanri"
SECOND: Final = "kanri2"
SINCE: Final = date(2020, 4, 1)
Said = Literal["", "pixels", "masked-text", "text"]


@dataclass(frozen=True, kw_only=True)
class Holding:
    """A client's dataset on a target that `operator` maintains, reached as `role` with `password`."""

    dataset: str
    organisation: str
    name: str
    target: str
    operator: str
    role: str
    password: str
    tables: tuple[TableEntry, ...]
    schema: str
    items: str = "氏名、電話番号"
    purpose: str = "問合せ対応"
    responsible_unit: str = "一課"
    clauses: tuple[Clause, ...] = ()


async def add_target(
    ledger: Ledger,
    name: str,
    server: PostgresServer,
    *,
    operator: str,
    access: Said = "text",
    tls: bool = True,
    by: str = FIRST,
    second: str = SECOND,
) -> None:
    """With the access policy that two agreed to; "" for none, which is pixels."""
    certificate = server.certificate.read_text(encoding="utf-8") if tls and server.certificate else ""
    target = TargetAdded(
        target=name,
        protocol="postgres",
        host=server.host,
        port=server.port,
        database="postgres",
        tls_ca=certificate,
        unknown_lineage="mask",
        operator=operator,
        access=access,
    )
    await register_target(ledger, target, by=by, second=second)


async def add_ssh_target(
    ledger: Ledger,
    name: str,
    server: SshServer,
    *,
    operator: str,
    access: Said = "text",
    by: str = FIRST,
    second: str = SECOND,
) -> None:
    target = TargetAdded(
        target=name,
        protocol="ssh",
        host=server.host,
        port=server.port,
        database="",
        tls_ca="",
        unknown_lineage="mask",
        operator=operator,
        host_keys=(server.host_key,),
        access=access,
    )
    await register_target(ledger, target, by=by, second=second)


async def register_target(
    ledger: Ledger, target: TargetAdded, *, by: str = FIRST, second: str = SECOND
) -> None:
    """By one, or by both where its access policy asks for both."""
    recorded = await change_target(ledger, target, by=by, reason="初期登録")
    if recorded.fact == "register.target_proposed":
        await agree(ledger, recorded.leaf_hash.hex(), by=second)


async def add_organisation(
    ledger: Ledger, organisation: str, name: str, name_en: str, kind: str = "company", *, by: str = FIRST
) -> None:
    added = OrganisationAdded(organisation=organisation, name=name, name_en=name_en, kind=kind)
    await ledger.record(added, by=by, about=organisation)


async def add_dataset(ledger: Ledger, held: Holding, *, by: str = FIRST) -> None:
    """How the checkpoint opens it, and what the register must know before it does: what it is, and by which
    contract the operator holds it."""
    secret = ledger.vault.seal("checkpoint", held.password.encode())
    added = DatasetAdded(
        dataset=held.dataset,
        organisation=held.organisation,
        target=held.target,
        name=held.name,
        role=held.role,
        secret=secret.commitment,
        tables=held.tables,
    )
    described = DatasetDescribed(
        dataset=held.dataset,
        client=held.organisation,
        name=held.name,
        items=held.items,
        purpose=held.purpose,
        responsible_unit=held.responsible_unit,
        holders=("保守班",),
        target=held.target,
        schema=held.schema,
        tables=tuple(table.name for table in held.tables if table.metered),
        client_column="",
        retention="契約終了まで",
        fingerprint="",
    )
    hop = EntrustmentAdded(
        hop=f"hop-{held.dataset}",
        client=held.organisation,
        giver=held.organisation,
        receiver=held.operator,
        datasets=(held.dataset,),
        began=SINCE,
    )
    contract = ContractAdded(
        contract=f"c-{held.dataset}",
        hop=hop.hop,
        kind="業務委託契約",
        period=parse_period("2020年4月~"),
        clauses=held.clauses,
    )
    await ledger.record(added, by=by, about=held.dataset, parts=[secret])
    await ledger.record(described, by=by, about=held.dataset)
    await ledger.record(hop, by=by, about=hop.hop)
    await ledger.record(contract, by=by, about=contract.contract)


async def add_person(
    ledger: Ledger,
    person: str,
    name: str,
    employer: str,
    *,
    manager: str = "",
    language: Language = "en",
    by: str = FIRST,
) -> None:
    added = PersonAdded(person=person, name=name, employer=employer, manager=manager, language=language)
    await ledger.record(added, by=by, about=person)


async def give_credential(ledger: Ledger, person: str, credential: bytes, *, by: str = FIRST) -> None:
    """`credential` as `people.credentials.enrol` made it."""
    verifier = ledger.vault.seal("checkpoint", credential)
    given = CredentialSet(person=person, verifier=verifier.commitment)
    await ledger.record(given, by=by, about=person, parts=[verifier])


async def appoint(
    ledger: Ledger,
    person: str,
    role: Role,
    organisation: str = "",
    *,
    since: date = SINCE,
    first: str = FIRST,
    second: str = SECOND,
) -> None:
    """One administrator asks, the other one grants."""
    asked = RoleAsked(person=person, role=role, organisation=organisation, since=since, reason="配属")
    request = (await ledger.record(asked, by=first, about=person)).leaf_hash.hex()
    granted = RoleGranted(person=person, role=role, organisation=organisation, since=since, request=request)
    await ledger.record(granted, by=second, about=person)


def ticket_request(
    ticket: str,
    person: str,
    *,
    organisation: str,
    dataset: str,
    target: str,
    purpose: str,
    limits: Limits,
    unmask: tuple[str, ...] = (),
    reason: str = "the work needs it",
    hours: int = 1,
) -> TicketRequested:
    """A request whose window opened a minute ago and closes in `hours`."""
    now = datetime.now(UTC)
    return TicketRequested(
        ticket=ticket,
        person=person,
        organisation=organisation,
        dataset=dataset,
        target=target,
        door="postgres",
        purpose=purpose,
        opens=int((now - timedelta(minutes=1)).timestamp() * 1e6),
        closes=int((now + timedelta(hours=hours)).timestamp() * 1e6),
        limits=limits,
        unmask=tuple(Unmask(item=item, reason=reason) for item in unmask),
    )
