"""A small house with invented names: who works there, whose data it keeps, and facts that say so."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

import msgspec

from sekisho.demo.founding import register_target
from sekisho.gate.facts import Limits, TicketRequested, Unmask
from sekisho.ledger import Fact, Ledger, Recorded
from sekisho.people.facts import PersonAdded, RoleAsked, RoleGranted
from sekisho.people.roles import Role
from sekisho.register.changes import agree
from sekisho.register.facts import DatasetAdded, TargetAdded
from sekisho.register.intake import take_in
from sekisho.register.inventory import Dataset
from sekisho.register.parties import Clause, Contract, Hop, LegalPerson, Parties
from sekisho.register.periods import parse_period
from sekisho.register.tables_io import RegisterTables
from sekisho.service.published import LogFolder

HOUR: Final = 3_600_000_000
NOON: Final = 1_795_230_000_000_000  # 2026-11-21 12:00 JST
SINCE: Final = date(2020, 4, 1)


@dataclass(frozen=True)
class Staff:
    role: Role
    employer: str
    manager: str = ""
    organisation: str = ""


STAFF: Final = {
    "sato": Staff(Role.WORKER, "operator", "mori"),
    "kato": Staff(Role.OPERATOR_MANAGER, "operator", "sato"),  # commanded by sato, who commands too much
    "mori": Staff(Role.OPERATOR_MANAGER, "operator"),
    "hara": Staff(Role.PROCESSOR_MANAGER, "lead"),
    "ono": Staff(Role.PRIVACY_OFFICER, "lead"),
    "kido": Staff(Role.AUDITOR, "outside"),
    "tani": Staff(Role.CLIENT, "minato", organisation="minato"),
    "kanri": Staff(Role.ADMINISTRATOR, "operator"),
}

SMALL: Final = Limits(
    session_persons=50,
    session_rows=200,
    day_persons=100,
    day_rows=500,
    ticket_persons=100,
    ticket_rows=500,
    client_persons=1_000,
    client_rows=5_000,
)
TINY: Final = Limits(
    session_persons=5,
    session_rows=50,
    day_persons=10,
    day_rows=100,
    ticket_persons=5,
    ticket_rows=50,
    client_persons=1_000,
    client_rows=5_000,
)

PARTIES: Final = Parties(
    persons=(LegalPerson("minato", "みなと養蜂園"), LegalPerson("operator", "データ保守")),
    hops=(Hop("h1", "minato", "minato", "operator", frozenset({"minato-customers"}), SINCE),),
    contracts=(Contract("c1", "h1", "業務委託契約", parse_period("2020年4月~"), frozenset(Clause)),),
)
DESCRIBED: Final = Dataset(
    "minato-customers", "minato", "顧客名簿", "氏名、住所", "問合せ対応", "一課", ("保守班",), "callcentre"
)


def asked(name: str = "T-0001", **changes: Any) -> TicketRequested:
    ticket = TicketRequested(
        ticket=name,
        person="sato",
        organisation="minato",
        dataset="minato-customers",
        target="callcentre",
        door="postgres",
        purpose="look into a wrong invoice",
        opens=NOON,
        closes=NOON + 2 * HOUR,
        limits=SMALL,
        unmask=(Unmask(item="phone", reason="the customer has to be called back"),),
    )
    return msgspec.structs.replace(ticket, **changes)


def emergency(name: str = "B-0001", **changes: Any) -> TicketRequested:
    values = {"limits": TINY, "unmask": (), "closes": NOON + HOUR // 2, "purpose": "calls fail", **changes}
    return asked(name, **values)


@dataclass
class House:
    ledger: Ledger
    published: LogFolder
    database: Path

    def tamper(self, sql: str, *values: object) -> None:
        with closing(sqlite3.connect(self.database, isolation_level=None)) as raw:
            assert raw.execute(sql, values).rowcount > 0, "the tampering changed nothing"


async def employ(ledger: Ledger, person: str, staff: Staff) -> None:
    added = PersonAdded(
        person=person, name=person, employer=staff.employer, manager=staff.manager, language="en"
    )
    await ledger.record(added, by="kanri", about=person)
    await appoint(ledger, person, staff.role, staff.organisation)


async def appoint(ledger: Ledger, person: str, role: Role, organisation: str = "") -> None:
    """Two administrators: one asks, the other grants."""
    role_asked = RoleAsked(
        person=person, role=role, organisation=organisation, since=SINCE, reason="assigned"
    )
    request = await ledger.record(role_asked, by="kanri", about=person)
    granted = RoleGranted(
        person=person, role=role, organisation=organisation, since=SINCE, request=request.leaf_hash.hex()
    )
    await ledger.record(granted, by="kanri2", about=person)


async def fill(ledger: Ledger) -> None:
    for person, staff in STAFF.items():
        await employ(ledger, person, staff)
    for one in await take_in(ledger, RegisterTables(PARTIES, (DESCRIBED,)), by="kanri"):
        if one.fact == "register.entrustments_proposed":
            await agree(ledger, one.leaf_hash.hex(), by="kanri2")
    target = TargetAdded(
        target="callcentre",
        protocol="postgres",
        host="127.0.0.1",
        port=5432,
        database="postgres",
        tls_ca="",
        unknown_lineage="mask",
        operator="operator",
        access="text",
    )
    await register_target(ledger, target)
    secret = ledger.vault.seal("checkpoint", b"secret-of-the-test")
    dataset = DatasetAdded(
        dataset="minato-customers",
        organisation="minato",
        target="callcentre",
        name="minato-customers",
        role="maintenance",
        secret=secret.commitment,
        tables=(),
    )
    await ledger.record(dataset, by="kanri", about="minato-customers", parts=[secret])


async def forge(ledger: Ledger, fact: Fact, *, by: str, about: str) -> Recorded:
    """Record a fact without asking the gate, as somebody with the ledger's keys could."""
    return await ledger.record(fact, by=by, about=about)
