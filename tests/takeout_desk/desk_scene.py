"""A running checkpoint whose worker has a file in a workspace, and everybody whose signature it needs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncssh
import httpx2
import msgspec
import pyrage  # type: ignore[import-untyped]
from asyncssh.sshsig import create_sshsig

from checkpoint_under_test import Checkpoint
from relay_workspace.workspace_scene import House
from sekisho.console.viewer import SESSION_COOKIE
from sekisho.demo.founding import add_person, appoint
from sekisho.ledger import Ledger
from sekisho.ledger.leaf import micros
from sekisho.people.facts import SshKeyAdded
from sekisho.people.identity import Method, minted
from sekisho.people.roles import Role
from sekisho.people.sessions import Sessions
from sekisho.people.ssh_keys import key_name, read_public_key
from sekisho.takeout.asking import Asking, Wish
from sekisho.takeout.canonical import digest, document
from sekisho.takeout.facts import TakeoutApproved, TakeoutRequested
from sekisho.takeout.recipients import approve_recipient, list_recipients, propose_recipient
from sekisho.takeout.sealing import open_shares, read_identity, reseal
from sekisho.takeout.signatures import NAMESPACE

RECIPIENT = "あおば印刷"
NAMES = "SELECT customer_id, name, phone FROM minato.customers ORDER BY customer_id"
_DAY = 86_400_000_000
PEOPLE = (
    ("haruka", "春日 遥", "みなと養蜂園", Role.CLIENT, "minato"),
    ("hogo", "守屋 環", "Example Prime", Role.PRIVACY_OFFICER, ""),
    ("kensa", "検見 誠", "Example Audit", Role.AUDITOR, ""),
)


@dataclass
class Scene:
    """`keys` are SSH keys as their persons have them at home; `identity` is the recipient's."""

    house: House
    folder: Path
    keys: dict[str, asyncssh.SSHKey] = field(default_factory=dict)
    identity: Any = field(default_factory=pyrage.x25519.Identity.generate)

    @property
    def checkpoint(self) -> Checkpoint:
        return self.house.checkpoint

    @property
    def ledger(self) -> Ledger:
        return self.house.ledger

    @property
    def url(self) -> str:
        return f"https://localhost:{self.checkpoint.service.console[1]}"

    @property
    def recipient_key(self) -> str:
        return str(self.identity.to_public())

    async def found(self) -> None:
        for person, name, employer, role, organisation in PEOPLE:
            await add_person(self.ledger, person, name, employer, language="ja")
            await appoint(self.ledger, person, role, organisation)
        for person in ("mori", "moto", "haruka"):
            await self.give_key(person)
        await self.register_recipient()

    async def give_key(self, person: str, *, by: str = "") -> None:
        key = asyncssh.generate_private_key("ssh-ed25519")
        line, _, blob = read_public_key(key.export_public_key().decode())
        added = SshKeyAdded(key=key_name(blob), person=person, public_key=line, label="")
        await self.ledger.record(added, by=by or person, about=key_name(blob))
        self.keys[person] = key

    async def register_recipient(self) -> None:
        await propose_recipient(
            self.ledger,
            name=RECIPIENT,
            key=self.recipient_key,
            organisations=["minato"],
            reason="prints the catalogue",
            by="mori",
        )
        [found] = await list_recipients(self.ledger)
        for person in ("moto", "hogo"):
            await approve_recipient(self.ledger, found.recipient, seen=found.request, by=person)

    async def file(self, rows: int = 40, name: str = "letters.csv") -> str:
        """A ticket whose workspace holds a list of so many persons."""
        ticket = await self.house.ticket(unmask=("name", "phone"))
        await self.house.pull(ticket, f"{NAMES} LIMIT {rows}", name)
        return ticket

    def wish(self, **changes: Any) -> Wish:
        wish = Wish(
            file="letters.csv",
            organisations=("minato",),
            purpose="print the autumn catalogue",
            basis="entrustment contract, article 5",
            recipient=RECIPIENT,
            recipient_key=self.recipient_key,
            channel="page",
            medium="download page",
            persons=40,
            items=("name", "phone"),
            returns=micros(datetime.now(UTC)) + 30 * _DAY,
        )
        return msgspec.structs.replace(wish, **changes)

    async def ask(self, ticket: str, **changes: Any) -> Asking:
        counter = self.checkpoint.service.counter
        asking = await counter.ask(self.house.seat(ticket), "test", self.wish(**changes))
        await asking.over.wait()
        return asking

    async def asked(self, takeout: str) -> TakeoutRequested:
        [recorded] = await self.ledger.facts(0, 2, names=["takeout.requested"], about=takeout)
        fact = recorded.typed()
        assert isinstance(fact, TakeoutRequested)
        return fact

    def share(self, asked: TakeoutRequested, account: str) -> str:
        """What the account's person makes at home of the share, for the recipient."""
        seats = list(dict.fromkeys((one.role, one.organisation) for one in asked.holdings))
        mine = next((one.role, one.organisation) for one in asked.holdings if one.account == account)
        sealed = self.checkpoint.service.packages.shares(asked.takeout)[seats.index(mine)]
        identity = read_identity(bytes(self.keys[account].export_private_key()))
        return reseal(open_shares(sealed, identity), self.recipient_key)

    def signature(self, asked: TakeoutRequested, account: str) -> str:
        return create_sshsig(self.keys[account], document(asked), namespace=NAMESPACE).decode()

    def signed(self, asked: TakeoutRequested, account: str, **changes: Any) -> TakeoutApproved:
        _, _, blob = read_public_key(self.keys[account].export_public_key().decode())
        given = TakeoutApproved(
            takeout=asked.takeout,
            approver=account,
            digest=digest(asked).hex(),
            method="ssh",
            key=key_name(blob),
            signature=self.signature(asked, account),
            share=self.share(asked, account) if asked.holdings else "",
        )
        return msgspec.structs.replace(given, **changes)

    async def approve(self, asked: TakeoutRequested, *accounts: str) -> None:
        for account in accounts:
            await self.checkpoint.service.takeouts.approve(self.signed(asked, account))

    async def refusals(self) -> list[tuple[str, str]]:
        found = await self.ledger.facts(0, 1_000, names=["takeout.refused"])
        data = [msgspec.json.decode(one.leaf)["data"] for one in found]
        return [(one["step"], one["code"]) for one in data]

    async def cookie(self, person: str) -> str:
        _, token = await Sessions(self.ledger).open(minted(person, person, Method.PASSKEY, "test"))
        return token

    @asynccontextmanager
    async def client(self, person: str, language: str = "en") -> AsyncIterator[httpx2.AsyncClient]:
        headers = {"origin": self.url, "accept-language": language}
        async with httpx2.AsyncClient(
            base_url=self.url,
            verify=False,
            cookies={SESSION_COOKIE: await self.cookie(person)},
            headers=headers,
            timeout=30,
        ) as client:
            yield client
