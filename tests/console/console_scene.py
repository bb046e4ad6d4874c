"""A checkpoint whose people log in at the console: what the tests of pages share."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import httpx2

from checkpoint_under_test import Checkpoint, register
from sekisho.console.viewer import SESSION_COOKIE
from sekisho.console.words import day_in_japan
from sekisho.demo.founding import add_person, appoint, ticket_request
from sekisho.demo.servers import PostgresServer
from sekisho.gate.facts import Limits
from sekisho.gate.tickets import request_ticket
from sekisho.people.credentials import enrol
from sekisho.people.identity import Method, minted
from sekisho.people.roles import Role
from sekisho.people.sessions import Sessions
from sekisho.service.service import create_state, running
from sekisho.service.settings import Settings

# person, name, employer, manager, role, organisation
PEOPLE = (
    ("kanri", "", "", "", Role.ADMINISTRATOR, ""),
    ("kanri2", "管理 次郎", "Example Outsourcing", "", Role.ADMINISTRATOR, ""),
    ("haruka", "春日 遥", "みなと養蜂園", "", Role.CLIENT, "minato"),
    ("aoi", "葵 圭", "あおば印刷", "", Role.CLIENT, "aoba"),
    ("kensa", "検見 誠", "Example Audit", "", Role.AUDITOR, ""),
    ("hogo", "守屋 環", "Example Prime", "", Role.PRIVACY_OFFICER, ""),
    ("moto", "本宮 渉", "Example Prime", "", Role.PROCESSOR_MANAGER, ""),
    ("kura", "蔵前 静", "Example Archive", "", Role.LOG_CUSTODIAN, ""),
)


@dataclass
class Scene:
    """A running checkpoint with people of every role; `sato` is its worker, `mori` approves."""

    checkpoint: Checkpoint

    @property
    def url(self) -> str:
        """The console by its name: a passkey belongs to one, and to no address."""
        return f"https://localhost:{self.checkpoint.service.console[1]}"

    def today(self) -> date:
        """The day in Japan, by which contracts end."""
        return day_in_japan(datetime.now(UTC))

    async def cookie(self, person: str) -> str:
        """The cookie of a session that was opened by a login which is not what the test is about."""
        who = minted(person, person, Method.PASSKEY, "test")
        _, token = await Sessions(self.checkpoint.ledger).open(who)
        return token

    @asynccontextmanager
    async def client(self, person: str | None = None, **options: str) -> AsyncIterator[httpx2.AsyncClient]:
        """A browser without eyes: forms go through, and its Origin is the console's."""
        cookies = {SESSION_COOKIE: await self.cookie(person)} if person else {}
        headers = {"origin": self.url, "accept-language": "en", **options}
        async with httpx2.AsyncClient(
            base_url=self.url, verify=False, cookies=cookies, headers=headers, timeout=30
        ) as client:
            yield client

    async def ask(self, purpose: str = "look into a wrong invoice", *, persons: int = 50) -> str:
        """sato asks for a ticket; nobody has approved it."""
        name = f"T-{purpose.replace(' ', '-')[:40]}"
        asked = ticket_request(
            name,
            "sato",
            organisation="minato",
            dataset="minato-customers",
            target="callcentre",
            purpose=purpose,
            limits=Limits(
                session_persons=persons,
                session_rows=persons * 20,
                day_persons=persons,
                day_rows=persons * 20,
                ticket_persons=persons,
                ticket_rows=persons * 20,
                client_persons=persons * 10,
                client_rows=persons * 200,
            ),
            unmask=("phone",),
            reason="to call the customer back",
            hours=2,
        )
        await request_ticket(self.checkpoint.ledger, asked)
        return name


@asynccontextmanager
async def scene(folder: Path, database: PostgresServer) -> AsyncIterator[Scene]:
    state = folder / "state"
    settings = Settings(
        origin="checkpoint.example/test", postgres_listen="127.0.0.1:0", console_listen="127.0.0.1:0"
    )
    create_state(state, settings)
    async with running(state, publish_seconds=0.05, watch_apart=False) as service:
        enrolment = await asyncio.to_thread(enrol, "sato", "correct horse")
        await register(service.ledger, database, enrolment.credential)
        made = Scene(Checkpoint(service, enrolment.totp_secret, state / "tls" / "ca.pem"))
        for person, name, employer, manager, role, organisation in PEOPLE:
            if name:
                await add_person(service.ledger, person, name, employer, manager=manager, language="ja")
            await appoint(service.ledger, person, role, organisation, first="first", second="second")
        yield made
