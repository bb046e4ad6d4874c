"""A house that takes files out: its staff with keys, a published log, and people who sign for real."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import asyncssh
import msgspec
from asyncssh.sshsig import create_sshsig

from gate.gate_examples import STAFF, Staff, appoint
from sekisho.evidence.note import NoteSigner
from sekisho.ledger import Ledger, Recorded
from sekisho.ledger.leaf import micros
from sekisho.people.facts import AccountAdded, PersonAdded, SshKeyAdded
from sekisho.people.roles import Role
from sekisho.people.ssh_keys import key_name, read_public_key
from sekisho.takeout.canonical import digest, document
from sekisho.takeout.desk import TakeoutDesk
from sekisho.takeout.facts import TakeoutApproved, TakeoutRequested
from sekisho.takeout.recipients import approve_recipient, list_recipients, propose_recipient
from sekisho.takeout.signatures import NAMESPACE, Relying

HOUR: Final = 3_600_000_000
RELYING: Final = Relying("checkpoint.example", ("https://checkpoint.example",))


@dataclass
class House:
    """`keys` are the SSH keys of accounts, as their persons have them at home."""

    ledger: Ledger
    log: Path
    signer: NoteSigner
    database: Path
    desk: TakeoutDesk
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    keys: dict[str, asyncssh.SSHKey] = field(default_factory=dict)

    def tamper(self, sql: str, *values: object) -> None:
        with closing(sqlite3.connect(self.database, isolation_level=None)) as raw:
            assert raw.execute(sql, values).rowcount > 0, "the tampering changed nothing"

    async def employ(self, person: str, staff: Staff) -> None:
        """Somebody with a role, and an SSH key that was added after a login."""
        added = PersonAdded(
            person=person, name=person, employer=staff.employer, manager=staff.manager, language="en"
        )
        await self.ledger.record(added, by="kanri", about=person)
        await appoint(self.ledger, person, staff.role, staff.organisation)
        await self.give_key(person, person)

    async def give_key(self, account: str, person: str, *, by: str = "") -> str:
        key = asyncssh.generate_private_key("ssh-ed25519")
        line, _, blob = read_public_key(key.export_public_key().decode())
        added = SshKeyAdded(key=key_name(blob), person=account, public_key=line, label="")
        await self.ledger.record(added, by=by or person, about=key_name(blob))
        self.keys[account] = key
        return key_name(blob)

    async def register_recipient(self, name: str = "Aoba Printing", key: str = "") -> None:
        await propose_recipient(
            self.ledger, name=name, key=key, organisations=["minato"], reason="prints for them", by="mori"
        )
        found = (await list_recipients(self.ledger))[-1]
        for person in ("hara", "ono"):
            await approve_recipient(self.ledger, found.recipient, seen=found.request, by=person)

    async def second_account(self, person: str, account: str) -> None:
        added = AccountAdded(account=account, person=person, reason="night shift")
        await self.ledger.record(added, by="kanri", about=account)
        await self.give_key(account, person)

    def asked(self, name: str = "O-1", **changes: Any) -> TakeoutRequested:
        content = self.ledger.vault.seal("minato", b"the file")
        asked = TakeoutRequested(
            takeout=name,
            person="sato",
            ticket="T-0001",
            organisations=("minato",),
            purpose="print the autumn catalogue",
            basis="entrustment contract, article 5",
            recipient="Aoba Printing",
            recipient_key="",
            channel="page",
            medium="page",
            rows=40,
            persons=40,
            cards=0,
            numbers=0,
            items=("name", "address"),
            stated=40,
            expires=micros(self.now) + 24 * HOUR,
            returns=micros(self.now) + 240 * HOUR,
            content=content.commitment,
            package="00" * 32,
            holdings=(),
        )
        return msgspec.structs.replace(asked, **changes)

    def signed(self, asked: TakeoutRequested, account: str, **changes: Any) -> TakeoutApproved:
        """What the account's person makes at home with `ssh-keygen -Y sign`."""
        key = self.keys[account]
        signature = create_sshsig(key, document(asked), namespace=NAMESPACE).decode()
        _, _, blob = read_public_key(key.export_public_key().decode())
        given = TakeoutApproved(
            takeout=asked.takeout,
            approver=account,
            digest=digest(asked).hex(),
            method="ssh",
            key=key_name(blob),
            signature=signature,
            share="",
        )
        return msgspec.structs.replace(given, **changes)

    async def request(self, name: str = "O-1", **changes: Any) -> TakeoutRequested:
        asked = self.asked(name, **changes)
        await self.desk.request(asked)
        return asked

    async def approve(self, asked: TakeoutRequested, *accounts: str) -> None:
        for account in accounts:
            await self.desk.approve(self.signed(asked, account))

    async def refusals(self) -> list[str]:
        """step:code of what was refused."""
        return [_refusal(one) for one in await self.ledger.facts(0, 100, names=["takeout.refused"])]


def _refusal(recorded: Recorded) -> str:
    data = msgspec.json.decode(recorded.leaf)["data"]
    return f"{data['step']}:{data['code']}"


PEOPLE: Final = {
    **{
        name: staff
        for name, staff in STAFF.items()
        if name in ("sato", "kato", "mori", "hara", "ono", "tani")
    },
    "mine": Staff(Role.PROCESSOR_MANAGER, "operator", "mori"),  # commanded by mori
    "hori": Staff(Role.PROCESSOR_MANAGER, "operator"),  # of the requester's own employer
}
