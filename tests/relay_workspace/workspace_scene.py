"""What the tests of workspaces share: a policy that allows them, tickets with a bulk allowance, a terminal."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from checkpoint_under_test import WIDE, Checkpoint, limits
from sekisho.gate.decide import WORKSPACE
from sekisho.gate.facts import Bulk, Limits, PolicyApproved, PolicyProposed, Unmask
from sekisho.gate.policies import read_policy
from sekisho.gate.policy import Policy
from sekisho.gate.tickets import approve_ticket
from sekisho.ledger import Ledger
from sekisho.people.tokens import Token
from sekisho.relay.workspace.rooms import Workspaces
from sekisho.relay.workspace.sandbox import PtyUpstream

DONE = b"that-was-all"


async def allow(ledger: Ledger, **changes: Any) -> None:
    """Put a policy into force that allows workspaces."""
    now = await read_policy(ledger)
    values: dict[str, Any] = {
        "doors": ("postgres", "ssh", "workspace"),
        "largest_bulk": WIDE,
        "uploads": True,
        **changes,
    }
    name = f"P-{secrets.token_hex(3)}"
    proposal = PolicyProposed(
        proposal=name, proposer="mori", policy=Policy(**values), replaces=now.request, reason="test"
    )
    proposed = await ledger.record(proposal, by="mori", about="policy")
    approved = PolicyApproved(proposal=name, approver="kanri", request=proposed.leaf_hash.hex())
    await ledger.record(approved, by="kanri", about="policy")


@dataclass
class House:
    """The running checkpoint, and its workspaces."""

    checkpoint: Checkpoint

    @property
    def rooms(self) -> Workspaces:
        return self.checkpoint.service.rooms

    @property
    def ledger(self) -> Ledger:
        return self.checkpoint.ledger

    @property
    def folder(self) -> Path:
        return self.checkpoint.service.state / "workspaces"

    async def ticket(
        self,
        *,
        bulk: Limits = WIDE,
        unmask: tuple[str, ...] = (),
        outer: Limits | None = None,
        **changes: Any,
    ) -> str:
        """A ticket with small limits outside and a bulk allowance, approved by both who must."""
        allowance = Bulk(
            limits=bulk, unmask=tuple(Unmask(item=item, reason="the work needs it") for item in unmask)
        )
        small = outer or limits(**dict.fromkeys(("session_persons", "day_persons", "ticket_persons"), 50))
        name = await self.checkpoint.ticket(limits=small, bulk=allowance, **changes)
        await approve_ticket(self.ledger, name, "moto")
        return name

    def seat(self, ticket: str) -> Token:
        """What a door holds of somebody whose login it has seen."""
        return Token(token="t-test", person="sato", ticket=ticket, target="callcentre", expires=0)

    @asynccontextmanager
    async def terminal(self, ticket: str, *argv: str) -> AsyncIterator[PtyUpstream]:
        """A terminal in the ticket's sandbox, without the meter and the recording that stand before a person's."""
        async with self.rooms.admitted(self.seat(ticket), "test", WORKSPACE) as admission:
            made = await self.rooms.shell(admission, argv or ("shell",), 200, 50)
            try:
                yield made
            finally:
                made.close()

    async def run(self, ticket: str, *commands: str) -> str:
        """Type commands into a shell of the sandbox; what it answers."""
        async with self.terminal(ticket) as terminal:
            return await typed(terminal, *commands)

    async def pull(self, ticket: str, query: str, to: str = "out.csv") -> Any:
        pull = await self.rooms.pull(self.seat(ticket), "test", query=query, to=to)
        await pull.ended()
        return pull

    async def content(self, ticket: str, name: str) -> bytes:
        """A file as it lies in the store."""
        await self.rooms.files(ticket)
        store = self.rooms._rooms[ticket].store
        return b"".join(store.read(store.find(name)))

    async def saved(self, ticket: str, name: str) -> bytes:
        """A file, when it has been written back."""
        async with asyncio.timeout(15):
            while name not in {file.name for file in (await self.rooms.files(ticket))[0]}:
                await self.ledger.wait_turn(0.02)
        return await self.content(ticket, name)

    async def wiped(self, ticket: str) -> None:
        async with asyncio.timeout(30):
            while not [one for one in await self.checkpoint.facts("workspace.wiped") if one.about == ticket]:
                await self.ledger.wait_turn(0.2)


async def typed(terminal: PtyUpstream, *commands: str) -> str:
    """Type commands, and wait until the last one is done."""
    terminal.write(b"stty -echo; bind 'set enable-bracketed-paste off' 2>/dev/null; PS1=; echo beg''un\n")
    await _until(terminal, b"begun\r\n")
    for command in commands:
        terminal.write(command.encode() + b"\n")
    terminal.write(b"echo that-was-al''l\n")
    return (await _until(terminal, DONE)).decode(errors="replace").replace("\r\n", "\n")


async def _until(terminal: PtyUpstream, mark: bytes) -> bytes:
    said = b""
    async with asyncio.timeout(40):
        while mark not in said:
            chunk = await terminal.read()
            if not chunk:
                break
            said += chunk
    return said.partition(mark)[0]
