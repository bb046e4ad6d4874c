"""The second act: the worker asks to carry the list of the charged act out, and then asks properly.

32,759 persons onto a USB stick for somebody whom nobody registered: refused, and told why. Then a list of the size
that the work needs goes from the worker over three signatures, made by OpenSSH's own ssh-keygen, to a recipient who
alone can open it.
"""

import asyncio
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec
import pyrage  # type: ignore[import-untyped]

from sekisho.demo import callcentre
from sekisho.demo.act_one import PERSONS_OF_THE_CHARGED_ACT
from sekisho.demo.callcentre import APPROVER, CLIENT, PRIVACY_OFFICER, PROCESSOR, TARGET, WORKER
from sekisho.demo.founding import ticket_request
from sekisho.demo.population import Organisation
from sekisho.demo.stage import Stage
from sekisho.faults import Fault
from sekisho.gate.facts import Bulk, Limits, Unmask
from sekisho.gate.policies import approve_policy, propose_policy, read_policy
from sekisho.gate.tickets import approve_ticket
from sekisho.ledger import Level
from sekisho.ledger.leaf import micros
from sekisho.people.facts import SshKeyAdded
from sekisho.people.ssh_keys import key_name, read_public_key
from sekisho.people.throttle import Throttle
from sekisho.people.tokens import Token
from sekisho.service.service import DELIVERIES, Service
from sekisho.takeout.asking import Asking, Wish
from sekisho.takeout.canonical import digest, document
from sekisho.takeout.channels import Deliveries
from sekisho.takeout.facts import TakeoutApproved, TakeoutRequested
from sekisho.takeout.links import Links
from sekisho.takeout.manifest import unpack
from sekisho.takeout.recipients import approve_recipient, list_recipients, propose_recipient
from sekisho.takeout.sealing import open_package, open_shares, read_identity, reseal
from sekisho.takeout.signatures import NAMESPACE

_TICKET: Final = "T-0030"
_PROPER: Final = 1_200  # above the policy's limit: the client's own approver decides too
_STRANGER: Final = "つばめ名簿センター"
_RECIPIENT: Final = "あおば印刷"
_COLUMNS: Final = "customer_id, name, address, phone"
_ITEMS: Final = ("customer_number", "name", "address", "phone")


class ActTakeout:
    """The steps, in order; each prints itself on the stage."""

    def __init__(self, stage: Stage, service: Service, client: Organisation, folder: Path) -> None:
        self._stage = stage
        self._service = service
        self._ledger = service.ledger
        self._client = client
        self._folder = folder / "take-out"
        self._identity = pyrage.x25519.Identity.generate()
        self._keys: dict[str, tuple[Path, str]] = {}

    async def play(self) -> None:
        await asyncio.to_thread(self._folder.mkdir)
        self._stage.heading(
            "The worker wants to take it out of the workspace", "保守員: 作業領域から持ち出そうとする"
        )
        await self._found()
        await self._pull("all.csv", PERSONS_OF_THE_CHARGED_ACT)
        await self._pull("letters.csv", _PROPER)
        await self._usb()
        await self._proper()

    # -- the steps ----------------------------------------------------------------------------------------------

    async def _usb(self) -> None:
        asking = await self._ask("all.csv", _STRANGER, "", channel="medium", medium="USB", persons=1_000)
        refused = await self._fact("takeout.refused", asking.takeout)
        ok = asking.fault is not None and asking.fault.code == "SEK-TAKE-015" and refused is not None
        self._stage.step(
            (
                f"{PERSONS_OF_THE_CHARGED_ACT:,} persons on a USB stick, to nobody who is registered",
                f"{PERSONS_OF_THE_CHARGED_ACT:,} 人分を USB メモリーで、未登録の相手に",
            ),
            f'sekisho take-out ask all.csv --channel medium --recipient "{_STRANGER}" --persons 1000',
            asking.fault.sentence(self._stage.language) if asking.fault else "",
            fact=refused,
            ok=ok and asking.draft is not None and asking.draft.rows == PERSONS_OF_THE_CHARGED_ACT,
        )

    async def _proper(self) -> None:
        public = str(self._identity.to_public())
        asking = await self._ask(
            "letters.csv", _RECIPIENT, public, channel="page", medium="page", persons=_PROPER
        )
        requested = await self._fact("takeout.requested", asking.takeout)
        answer = asking.fault.sentence("en") if asking.fault else f"{asking.takeout}: {asking.persons:,}"
        self._stage.step(
            (
                f"{_PROPER:,} persons to a registered printer, as the contract says",
                f"契約どおり、登録済みの印刷会社に {_PROPER:,} 人分",
            ),
            f'sekisho take-out ask letters.csv --channel page --recipient "{_RECIPIENT}" --persons {_PROPER}',
            answer,
            fact=requested,
            ok=requested is not None,
        )
        if requested is None:
            return
        [recorded] = await self._ledger.facts(requested, 1)
        asked = recorded.typed()
        if not isinstance(asked, TakeoutRequested):
            raise TypeError("another fact")
        await self._sign(asked, APPROVER)
        await self._forge(asked)
        await self._sign(asked, PROCESSOR)
        await self._sign(asked, CLIENT)
        await self._receive(asked)

    async def _forge(self, asked: TakeoutRequested) -> None:
        """One signature is there; the administrator helps out: facts that say that everybody agreed."""
        for account in (PROCESSOR, CLIENT):
            forged = msgspec.structs.replace(
                TakeoutApproved(
                    takeout=asked.takeout,
                    approver=account,
                    digest=digest(asked).hex(),
                    method="ssh",
                    key=self._keys[account][1],
                    signature="-----BEGIN SSH SIGNATURE-----",
                    share="",
                )
            )
            await self._ledger.record(forged, by=account, about=f"{asked.takeout}")
        answer = ""
        try:
            await self._service.takeouts.release(asked.takeout, by=APPROVER)
        except Fault as fault:
            answer = fault.sentence(self._stage.language)
        refused = await self._fact("takeout.refused", asked.takeout)
        self._stage.step(
            (
                "The administrator writes two approvals into the ledger",
                "管理者が台帳に承認を 2 件書き込む",
            ),
            "ledger.record(TakeoutApproved(approver=…)); sekisho take-out release",
            answer,
            fact=refused,
            ok=bool(answer) and refused is not None,
        )

    async def _sign(self, asked: TakeoutRequested, account: str) -> None:
        path, key = self._keys[account]
        text = self._folder / f"{account}.json"

        def at_home() -> tuple[str, str]:
            text.write_bytes(document(asked))
            command = ["ssh-keygen", "-q", "-Y", "sign", "-n", NAMESPACE, "-f", str(path), str(text)]
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)
            seats = list(dict.fromkeys((one.role, one.organisation) for one in asked.holdings))
            mine = next((one.role, one.organisation) for one in asked.holdings if one.account == account)
            sealed = self._service.packages.shares(asked.takeout)[seats.index(mine)]
            share = reseal(open_shares(sealed, read_identity(path.read_bytes())), asked.recipient_key)
            return text.with_name(text.name + ".sig").read_text(), share

        signature, share = await asyncio.to_thread(at_home)
        given = TakeoutApproved(
            takeout=asked.takeout,
            approver=account,
            digest=digest(asked).hex(),
            method="ssh",
            key=key,
            signature=signature,
            share=share,
        )
        answer, fact = "", None
        try:
            fact = (await self._service.takeouts.approve(given)).seq
        except Fault as fault:
            answer = fault.sentence(self._stage.language)
        self._stage.step(
            (f"{account} reads what is inside, and signs", f"{account} が中身を確認して署名する"),
            f"ssh-keygen -Y sign -n {NAMESPACE} -f {account}; sekisho take-out share",
            answer or f"digest {digest(asked).hex()[:32]}…",
            fact=fact,
            ok=fact is not None,
        )

    async def _receive(self, asked: TakeoutRequested) -> None:
        answer, fact, rows = "", None, 0
        try:
            released = await self._service.takeouts.release(asked.takeout, by=APPROVER)
            fact = released.recorded.seq
            rows = await self._opened(asked)
            answer = f"{rows:,} rows; manifest and SHA-256 agree"
        except Fault as fault:
            answer = fault.sentence(self._stage.language)
        self._stage.step(
            ("It leaves once, and its recipient alone opens it", "一度だけ払い出され、受取人だけが開ける"),
            "sekisho take-out release; open PACKAGE SHARE… --key; unpack",
            answer,
            fact=fact,
            ok=rows == _PROPER,
        )

    async def _opened(self, asked: TakeoutRequested) -> int:
        """At the recipient's: by the link, with the code that came another way."""
        state = self._service.state
        deliveries = Deliveries(
            self._ledger, self._service.takeouts, self._service.packages, state / DELIVERIES
        )
        links = Links(deliveries, Throttle(lambda: datetime.now(UTC).timestamp()))
        link = await links.make(asked.takeout, by=APPROVER)
        async with links.opened(link.token, link.code, "demo") as (attempt, done):
            package = self._folder / "package.age"
            package.write_bytes(b"".join(attempt.parcel.chunks()))
            await done("sent")
        released = await self._service.takeouts.released(asked.takeout)

        def at_the_printer() -> int:
            identity = read_identity(str(self._identity).encode())
            shares = [one for text in released.shares for one in open_shares(text, identity)]
            open_package(package, self._folder / "copy.zip", shares)
            (self._folder / "out").mkdir()
            return unpack(self._folder / "copy.zip", self._folder / "out").rows

        return await asyncio.to_thread(at_the_printer)

    # -- what must stand before ---------------------------------------------------------------------------------

    async def _found(self) -> None:
        """Workspaces are allowed, people have keys, a recipient is registered, and there is a ticket."""
        ledger = self._ledger
        wide = PERSONS_OF_THE_CHARGED_ACT + 10_000
        bulk = Limits(
            session_persons=wide,
            session_rows=wide,
            day_persons=2 * wide,
            day_rows=2 * wide,
            ticket_persons=2 * wide,
            ticket_rows=2 * wide,
            client_persons=4 * wide,
            client_rows=4 * wide,
        )
        policy = (await read_policy(ledger)).policy
        then = msgspec.structs.replace(
            policy, doors=tuple(dict.fromkeys((*policy.doors, "workspace"))), largest_bulk=bulk
        )
        await propose_policy(ledger, "P-takeout", then, by=APPROVER, reason="印刷用の名簿")
        await approve_policy(ledger, "P-takeout", by=PRIVACY_OFFICER)
        for account in (APPROVER, PROCESSOR, CLIENT):
            await self._give_key(account)
        await propose_recipient(
            ledger,
            name=_RECIPIENT,
            key=str(self._identity.to_public()),
            organisations=[self._client.id],
            reason="カタログの印刷",
            by=APPROVER,
        )
        [found] = await list_recipients(ledger)
        for account in (PROCESSOR, PRIVACY_OFFICER):
            await approve_recipient(ledger, found.recipient, seen=found.request, by=account)
        asked = ticket_request(
            _TICKET,
            WORKER,
            organisation=self._client.id,
            dataset=callcentre.dataset_of(self._client),
            target=TARGET,
            purpose="秋のカタログの宛名",
            limits=Limits(
                session_persons=100,
                session_rows=1_000,
                day_persons=1_000,
                day_rows=10_000,
                ticket_persons=100,
                ticket_rows=1_000,
                client_persons=10_000,
                client_rows=100_000,
            ),
        )
        shown = tuple(Unmask(item=item, reason="宛名に印刷する") for item in ("name", "address", "phone"))
        asked = msgspec.structs.replace(asked, bulk=Bulk(limits=bulk, unmask=shown))
        await ledger.record(asked, by=WORKER, about=_TICKET)
        await approve_ticket(ledger, _TICKET, APPROVER)
        await approve_ticket(ledger, _TICKET, PROCESSOR)
        await ledger.reached(await ledger.size() - 1, Level.PUBLISHED, 30)

    async def _give_key(self, account: str) -> None:
        path = self._folder / account
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "demo", "-f", str(path)]
        await asyncio.to_thread(subprocess.run, command, check=True, stdin=subprocess.DEVNULL)
        line, comment, blob = read_public_key(path.with_suffix(".pub").read_text())
        added = SshKeyAdded(key=key_name(blob), person=account, public_key=line, label=comment)
        await self._ledger.record(added, by=account, about=added.key)
        self._keys[account] = (path, added.key)

    async def _pull(self, name: str, persons: int) -> None:
        query = f"SELECT {_COLUMNS} FROM {self._client.id}.customers LIMIT {persons}"  # noqa: S608 (our own names)
        pull = await self._service.rooms.pull(self._seat(), "demo", query=query, to=name)
        await pull.ended()

    def _seat(self) -> Token:
        return Token(token="demo", person=WORKER, ticket=_TICKET, target=TARGET, expires=0)  # noqa: S106

    async def _ask(
        self, file: str, recipient: str, key: str, *, channel: str, medium: str, persons: int
    ) -> Asking:
        wish = Wish(
            file=file,
            organisations=(self._client.id,),
            purpose="秋のカタログの宛名印刷",
            basis="業務委託契約 第5条",
            recipient=recipient,
            recipient_key=key,
            channel=channel,
            medium=medium,
            persons=persons,
            items=_ITEMS,
            returns=micros(datetime.now(UTC) + timedelta(days=30)),
        )
        asking = await self._service.counter.ask(self._seat(), "demo", wish)
        await asking.over.wait()
        return asking

    async def _fact(self, name: str, takeout: str) -> int | None:
        found = await self._ledger.facts(0, 1000, names=[name], about=takeout)
        return found[-1].seq if found else None
