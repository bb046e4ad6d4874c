"""Kills a checkpoint on the way of a take-out, again and again, and checks after each restart what must still hold.

    python -m takeout_desk.crash_driver FOLDER KILLS     KILLS: "all", or how many, spread over the way

The steps are every commit of the ledger and every renaming of a file, each just before and just after. A process of its
own, so that children can be forked (an import costs more than the work). Prints one JSON line.
"""

import asyncio
import json
import os
import shutil
import signal
import sys
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import asyncssh
import pyrage  # type: ignore[import-untyped]
from asyncssh.sshsig import create_sshsig

from sekisho.evidence.note import NoteSigner
from sekisho.faults import Fault
from sekisho.ledger import KeyRing, Ledger, Publisher
from sekisho.ledger.leaf import micros
from sekisho.ledger.sqlite import SqliteDriver
from sekisho.people.ssh_keys import key_name, read_public_key
from sekisho.people.tokens import Token
from sekisho.relay.workspace.store import Store
from sekisho.takeout.asking import Counter, Wish
from sekisho.takeout.canonical import digest, document
from sekisho.takeout.desk import TakeoutDesk
from sekisho.takeout.facts import TakeoutApproved, TakeoutReleased, TakeoutRequested
from sekisho.takeout.marking import master_key
from sekisho.takeout.packages import Packages
from sekisho.takeout.sealing import open_shares, read_identity, reseal
from sekisho.takeout.signatures import NAMESPACE
from sekisho.takeout.whose import Fingerprints
from takeout.takeout_examples import PEOPLE, RELYING, House

ORIGIN = "sekisho.example/take-out-crash"
RECIPIENT_KEY = str(pyrage.x25519.Identity.generate().to_public())  # nobody here opens anything
APPROVERS = ("mori", "hara")
LIST = "氏名,電話番号\n".encode() + "".join(f"佐藤{i},090-0000-{i:04}\n" for i in range(60)).encode()
STEPS: list[tuple[Any, str]] = [(SqliteDriver, "commit"), (Path, "replace")]
_events = 0
_kill_at = -1


def _arm(kill_at: int) -> None:
    """From here on each step counts."""
    global _events, _kill_at
    _events, _kill_at = 0, kill_at

    def count() -> None:
        global _events
        if _events == _kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        _events += 1

    for owner, name in STEPS:
        real: Callable[..., Any] = getattr(owner, name)

        def step(*arguments: Any, _real: Callable[..., Any] = real, **named: Any) -> Any:
            count()
            found = _real(*arguments, **named)
            count()
            return found

        setattr(owner, name, step)


class Lending:
    """A workspace's store, without the door before it."""

    def __init__(self, folder: Path) -> None:
        self._store = Store.open(folder / "workspace", b"w" * 32, quota=1 << 24)

    def fill(self) -> None:
        writing = self._store.write("list.csv")
        writing.add(LIST)
        writing.finish()

    @asynccontextmanager
    async def lent(self, seat: Token, peer: str, name: str) -> AsyncIterator[Any]:
        file = self._store.find(name)
        admission = SimpleNamespace(grant=SimpleNamespace(organisation="minato"))
        yield SimpleNamespace(admission=admission, file=file, read=lambda: self._store.read(file))

    async def still_allowed(self, lent: object) -> None:
        pass


class Place:
    """One checkpoint's folder, opened."""

    def __init__(self, folder: Path, ledger: Ledger, signer: NoteSigner) -> None:
        self.folder = folder
        self.ledger = ledger
        self.desk = TakeoutDesk(ledger, folder / "log", signer.key, RELYING)
        self.packages = Packages(folder / "packages")
        self.lending = Lending(folder)
        self.counter = Counter(
            ledger,
            self.desk,
            self.packages,
            cast(Any, self.lending),
            Fingerprints(folder / "trace", None),
            master_key(folder / "packages"),
        )

    @classmethod
    @asynccontextmanager
    async def open(cls, folder: Path) -> AsyncIterator["Place"]:
        signer = NoteSigner.load(folder / "log.key", ORIGIN)
        url = f"sqlite:///{folder / 'ledger.db'}"
        async with await Ledger.open(url, keys=KeyRing(folder / "keys")) as ledger:
            place = cls(folder, ledger, signer)
            publisher = Publisher(ledger, folder / "log", signer, interval=0.02)
            async with asyncio.TaskGroup() as group:
                group.create_task(publisher.run())
                counting = group.create_task(place.counter.run())
                yield place
                counting.cancel()
                await asyncio.wait([counting])
                publisher.stop()

    async def facts(self, name: str) -> list[Any]:
        return [one.typed() for one in await self.ledger.facts(0, 100, names=[name])]

    async def go_on(self) -> None:
        """Ask, sign and release, as far as that was not done yet."""
        asked: list[TakeoutRequested] = await self.facts("takeout.requested")
        if not asked:
            seat = Token(token="t", person="sato", ticket="T-0001", target="t", expires=0)
            asking = await self.counter.ask(seat, "test", _wish())
            await asking.over.wait()
            if asking.fault is not None:
                raise asking.fault
            asked = await self.facts("takeout.requested")
        [request] = asked
        signed = {one.approver for one in await self.facts("takeout.approved")}
        for account in APPROVERS:
            if account not in signed:
                await self.desk.approve(self._signature(request, account))
        if not await self.facts("takeout.released"):
            await self.desk.release(request.takeout, by="hara")

    def _signature(self, asked: TakeoutRequested, account: str) -> TakeoutApproved:
        key = asyncssh.read_private_key(self.folder / "home" / account)
        seats = list(dict.fromkeys((one.role, one.organisation) for one in asked.holdings))
        mine = next((one.role, one.organisation) for one in asked.holdings if one.account == account)
        sealed = self.packages.shares(asked.takeout)[seats.index(mine)]
        identity = read_identity((self.folder / "home" / account).read_bytes())
        _, _, blob = read_public_key(key.export_public_key().decode())
        return TakeoutApproved(
            takeout=asked.takeout,
            approver=account,
            digest=digest(asked).hex(),
            method="ssh",
            key=key_name(blob),
            signature=create_sshsig(key, document(asked), namespace=NAMESPACE).decode(),
            share=reseal(open_shares(sealed, identity), RECIPIENT_KEY),
        )

    async def check(self) -> None:
        """What holds after a crash at any step; then the way is gone to its end, once."""
        await self.counter.sweep()
        asked: list[TakeoutRequested] = await self.facts("takeout.requested")
        left = {path.name for path in (self.folder / "packages").glob("*.age")}
        assert len(asked) == len(left) <= 1, (asked, left)
        released: list[TakeoutReleased] = await self.facts("takeout.released")
        assert len(released) <= 1
        if not released and asked:
            try:
                await self.desk.released(asked[0].takeout)
            except Fault as fault:
                assert fault.code.startswith("SEK-TAKE"), fault  # noqa: PT017
            else:
                raise AssertionError("a proof of a release that is none")
        await self.go_on()
        [request] = await self.facts("takeout.requested")
        proof = await self.desk.released(request.takeout)
        with self.packages.hand_out(proof) as file:
            assert file.read(21) == b"age-encryption.org/v1"
        try:
            await self.desk.release(request.takeout, by="hara")
        except Fault as fault:
            assert fault.code == "SEK-TAKE-006"  # noqa: PT017
        else:
            raise AssertionError("a second release")
        assert len(await self.facts("takeout.released")) == 1


def _wish() -> Wish:
    return Wish(
        file="list.csv",
        organisations=("minato",),
        purpose="print",
        basis="contract",
        recipient="Aoba Printing",
        recipient_key=RECIPIENT_KEY,
        channel="page",
        medium="page",
        persons=60,
        returns=micros(datetime.now(UTC)) + 30 * 86_400_000_000,
    )


async def _found(folder: Path) -> None:
    folder.mkdir()
    (folder / "home").mkdir()
    async with Place.open(folder) as place:
        house = House(place.ledger, folder / "log", cast(Any, None), folder / "ledger.db", place.desk)
        for person, staff in PEOPLE.items():
            if person != "mine" and person != "hori":
                await house.employ(person, staff)
        await house.register_recipient(key=RECIPIENT_KEY)
        for account in APPROVERS:
            (folder / "home" / account).write_bytes(bytes(house.keys[account].export_private_key()))
        place.lending.fill()


async def _walk(folder: Path, kill_at: int) -> None:
    async with Place.open(folder) as place:
        _arm(kill_at)
        await place.go_on()
        (folder / "events").write_text(str(_events))


async def _check(folder: Path) -> None:
    async with Place.open(folder) as place:
        await place.check()


def _child(work: Callable[[], Any]) -> int:
    """The status of a forked child; -9 when it was killed."""
    pid = os.fork()
    if pid == 0:
        try:
            asyncio.run(work())
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def main() -> None:
    folder, kills = Path(sys.argv[1]), sys.argv[2]
    base = folder / "base"
    assert _child(lambda: _found(base)) == 0
    whole = folder / "whole"
    shutil.copytree(base, whole)
    assert _child(lambda: _walk(whole, -1)) == 0
    assert _child(lambda: _check(whole)) == 0
    events = int((whole / "events").read_text())
    count = events if kills == "all" else int(kills)
    killed = 0
    for number in range(count):
        place = folder / f"k{number}"
        shutil.copytree(base, place)
        at = number if kills == "all" else events * (2 * number + 1) // (2 * count)
        status = _child(lambda place=place, at=at: _walk(place, at))  # type: ignore[misc]
        assert status in (0, -signal.SIGKILL), status
        killed += status != 0
        assert _child(lambda place=place: _check(place)) == 0, f"after step {at} of {events}"  # type: ignore[misc]
        shutil.rmtree(place)
    print(json.dumps({"events": events, "killed": killed}))


if __name__ == "__main__":
    main()
