"""Take-outs that were released, with their packages, and the ways to the recipient."""

import io
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh
import msgspec
import pyrage  # type: ignore[import-untyped]

import sekisho.takeout.custody_tables
import sekisho.trace.tables  # noqa: F401 (their projections)
from sekisho.evidence.policy import Policy
from sekisho.ledger import Level
from sekisho.people.throttle import Throttle
from sekisho.takeout import destinations
from sekisho.takeout.channels import Deliveries
from sekisho.takeout.copies import Made, make_copy
from sekisho.takeout.custody import record_copy
from sekisho.takeout.custody_facts import DestinationProposed
from sekisho.takeout.desk import read_log
from sekisho.takeout.facts import TakeoutRequested
from sekisho.takeout.links import Links
from sekisho.takeout.packages import Packages
from sekisho.takeout.sealing import open_package, open_shares, read_identity, reseal
from sekisho.takeout.seats import find_seats
from takeout.copy_examples import about, listed, people, plan
from takeout.takeout_examples import House

ROWS = 40


@dataclass
class Counter:
    """Where released take-outs are handed over. `secret` is the recipient's private key, and `made` the copies."""

    house: House
    folder: Path
    packages: Packages
    deliveries: Deliveries
    links: Links
    public: str
    secret: bytes
    made: dict[str, Made] = field(default_factory=dict)
    known: list[str] = field(default_factory=list)

    @classmethod
    def at(cls, house: House, folder: Path) -> "Counter":
        packages = Packages(folder / "packages")
        deliveries = Deliveries(house.ledger, house.desk, packages, folder / "deliveries")
        links = Links(deliveries, Throttle(time.time), now=lambda: house.now)
        identity = pyrage.x25519.Identity.generate()
        return cls(
            house, folder, packages, deliveries, links, str(identity.to_public()), str(identity).encode()
        )

    def signing_recipient(self) -> asyncssh.SSHKey:
        """From now on the recipient has an SSH key instead."""
        key = asyncssh.generate_private_key("ssh-ed25519")
        self.public = " ".join(key.export_public_key().decode().split()[:2])
        self.secret = key.export_private_key()
        return key

    async def asked(self, name: str = "O-1", **changes: Any) -> TakeoutRequested:
        """A copy of forty persons that was sealed, put on record and asked for."""
        house = self.house
        if self.public not in self.known:
            await house.register_recipient(key=self.public)
            self.known.append(self.public)
        await house.ledger.reached(await house.ledger.size() - 1, Level.PUBLISHED, 10)
        history = read_log(house.log, Policy.of_keys([house.signer.key], [], 0), name)
        seats = find_seats(history, "sato", ("minato",), above_limit=False)
        out = io.BytesIO()
        made = make_copy("list.csv", listed(people(ROWS)), ROWS, plan(name), about(name, ROWS), out)
        out.seek(0)
        package = self.packages.seal(name, out, seats)
        await record_copy(house.ledger, name, ("minato",), made, package.sha256, ROWS, by="sato")
        self.made[name] = made
        given: dict[str, Any] = {
            "package": package.sha256,
            "holdings": package.holdings,
            "recipient_key": self.public,
            **changes,
        }
        return await house.request(name, **given)

    async def released(self, name: str = "O-1", **changes: Any) -> TakeoutRequested:
        asked = await self.asked(name, **changes)
        for account, text in zip(("mori", "hara"), self.packages.shares(name), strict=True):
            key = read_identity(bytes(self.house.keys[account].export_private_key()))
            share = reseal(open_shares(text, key), self.public)
            await self.house.desk.approve(self.house.signed(asked, account, share=share))
        await self.house.desk.release(name, by="hara")
        return asked

    def opened(self, folder: Path, name: str = "O-1") -> Path:
        """The copy, from what was brought to a folder, as the recipient opens it there."""
        shares = [
            share
            for path in sorted(folder.glob(f"{name}-share-*.txt"))
            for share in open_shares(path.read_text(), read_identity(self.secret))
        ]
        open_package(folder / f"{name}.age", folder / f"{name}.zip", shares)
        return folder / f"{name}.zip"

    async def register(self, channel: str, address: str, host_key: str = "") -> str:
        """A destination that those agreed to who must; what a request names it."""
        proposed = DestinationProposed(
            destination=destinations.new_name(),
            channel=channel,
            address=address,
            host_key=host_key,
            label="Aoba Printing",
            holder="kuroda" if channel == "medium" else "",
            encryption="hardware, AES-256" if channel == "medium" else "",
        )
        ledger = self.house.ledger
        recorded = await destinations.propose(ledger, proposed, by="mori")
        for person in ("hara", "ono"):
            await destinations.approve(ledger, proposed.destination, seen=recorded.leaf_hash.hex(), by=person)
        return (await destinations.read(ledger, proposed.destination)).signed_as

    async def told(self, *names: str) -> list[tuple[str, dict[str, Any]]]:
        """(fact, what it says) of these names, in order."""
        found = await self.house.ledger.facts(0, 500, names=list(names))
        return [(one.fact.partition(".")[2], msgspec.to_builtins(one.typed())) for one in found]

    async def steps(self) -> list[str]:
        """How the deliveries went: begun, failed: why, handed_over: how it was confirmed."""
        steps = []
        names = ("takeout.delivery_begun", "takeout.delivery_failed", "takeout.handed_over")
        for name, said in await self.told(*names):
            detail = said.get("reason") or said.get("confirmed") or ""
            steps.append(f"{name.removeprefix('delivery_')}{': ' + detail if detail else ''}")
        return steps
