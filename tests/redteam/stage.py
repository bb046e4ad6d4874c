"""Where the attacks are played: a checkpoint with a real OpenSSH target, and what an attacker brings to it."""

import asyncio
import random
import re
from dataclasses import dataclass
from typing import Any, Final

from checkpoint_under_test import WIDE
from redteam.suite import Evidence
from sekisho.gate.facts import Limits
from ssh_under_test import Answer, SshCheckpoint, token

# What says that something was tried, refused, counted or raised. What every session records is not among them.
TELLING: Final = (
    "gate.access_refused",
    "gate.break_glass_opened",
    "ledger.clock_jumped",
    "relay.channel_refused",
    "relay.ssh_channel_refused",
    "relay.terminal_encoded",
    "relay.terminal_output",
    "relay.terminal_volume_high",
)
_ESCAPES: Final = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[ -/]*[0-~]")
_PHONE: Final = re.compile(r"0[789]0-\d{4}-\d{4}")


@dataclass
class Stage:
    """One checkpoint for many attacks; each has tickets of its own."""

    door: SshCheckpoint

    def __post_init__(self) -> None:
        chance = random.Random(4)
        self.word = token()
        self.phones = [f"090-{chance.randrange(10**4):04}-{chance.randrange(10**4):04}" for _ in range(600)]
        self.secret = self.file("secret", f"{self.word}\n".encode() * 20)
        self.customers = self.file("customers", "".join(f"{one}\n" for one in self.phones).encode())

    def file(self, name: str, content: bytes) -> str:
        """A file on the target; its path."""
        path = self.door.server.folder / name
        path.write_bytes(content)
        path.chmod(0o644)
        return str(path)

    async def ticket(self, limits: Limits = WIDE) -> str:
        assert self.door.service.ssh_door is not None
        self.door.service.ssh_door._volumes._days.clear()  # each attack has a day of its own
        return await self.door.ssh_ticket(limits=limits)

    async def client(self, program: str, *arguments: str, data: bytes = b"") -> Evidence:
        """A client program without a terminal, which is after the secret: on its output, or in the file `copy`."""
        ticket = await self.ticket()
        copy = self.door.folder / "copy"
        copy.unlink(missing_ok=True)
        answer = await self.door.run(program, ticket, *arguments, data=data, seconds=8)
        return await self.evidence(ticket, self.found(answer))

    def found(self, answer: Answer) -> int:
        copy = self.door.folder / "copy"
        copied = copy.read_bytes() if copy.exists() else b""
        return (answer.output + answer.errors).count(self.word) + copied.count(self.word.encode())

    async def evidence(self, ticket: str, out: int, *, least: int = 1) -> Evidence:
        """`out`, and what the facts about this ticket and its sessions say."""
        opened = [one for one in await self.told("relay.session_opened") if one["ticket"] == ticket]
        names = {one["session"] for one in opened}
        async with asyncio.timeout(20):
            while names - {one.about for one in await self.door.facts("relay.session_closed")}:
                await self.door.ledger.wait_turn(0.1)
        closed = [one for one in await self.told("relay.session_closed") if one["session"] in names]
        # A refusal is recorded while its answer is on the way: what is recorded now comes behind it.
        await self.door.ssh_ticket(approved=False)
        about = {ticket, *names}
        told = [
            name for name in TELLING for recorded in await self.door.facts(name) if recorded.about in about
        ]
        persons = sum(one["persons"] for one in closed)
        if not persons and "relay.terminal_output" in told:
            told = [name for name in told if name != "relay.terminal_output"]
        return Evidence(out, tuple(sorted(set(told))), persons, least)

    async def told(self, name: str) -> list[dict[str, Any]]:
        return await self.door.told(name)

    def phones_in(self, shown: str) -> int:
        """How many of the customers' numbers can be read there, once control sequences are taken out."""
        return len(set(_PHONE.findall(_ESCAPES.sub("", shown))) & set(self.phones))
