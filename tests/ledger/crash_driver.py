"""Kills a checkpoint again and again, and checks after each restart what must still hold.

    python -m ledger.crash_driver FOLDER steps EVERY     killed just before and just after each EVERY-th write
    python -m ledger.crash_driver FOLDER times COUNT     killed after a random time

A process of its own, so that children can be forked (an import costs more than the work). Prints one JSON line.
"""

import asyncio
import functools
import inspect
import json
import os
import random
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from ledger.ledger_examples import LocalWitness, RoomOpened, Visited
from sekisho.evidence.folder import DurableFolder, read_file
from sekisho.evidence.log import TileLog
from sekisho.evidence.note import NoteSigner
from sekisho.evidence.policy import Policy
from sekisho.evidence.verify import verify_folder
from sekisho.evidence.witness import Witness, origin_hash
from sekisho.ledger import Erased, KeyRing, Ledger, Level, Publisher
from sekisho.ledger.leaf import read_leaf
from sekisho.ledger.rebuild import check
from sekisho.ledger.sqlite import SqliteDriver

ORIGIN = "sekisho.example/crash"
KILLS_PER_HISTORY = 30
STEPS: list[tuple[object, str]] = [
    (SqliteDriver, "open"),
    (SqliteDriver, "begin"),
    (SqliteDriver, "apply"),
    (SqliteDriver, "commit"),
    (SqliteDriver, "purge"),
    (Ledger, "remember"),
    (TileLog, "integrate"),
    (TileLog, "sign"),
    (TileLog, "publish"),
    (DurableFolder, "put"),
    (DurableFolder, "replace"),
    (DurableFolder, "settle"),
    (Witness, "add_checkpoint"),
    (os, "fsync"),
    (os, "link"),
    (os, "unlink"),
]


class Place:
    """One history on disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.url = f"sqlite:///{folder / 'ledger.db'}"
        self.log = folder / "log"
        self.acknowledged = folder / "acknowledged"
        self.notes = folder / "notes"
        self.notes.mkdir(exist_ok=True)
        self.signer = NoteSigner.load(folder / "log.key", ORIGIN)
        self.witness = LocalWitness(folder / "witness", self.signer.key)
        self.policy = Policy.of_keys([self.signer.key], [self.witness.key], 1)

    def publisher(self, ledger: Ledger) -> Publisher:
        return Publisher(
            ledger,
            self.log,
            self.signer,
            policy=self.policy,
            cosigner=self.witness,
            interval=0.002,
            fatal=[LocalWitness.AHEAD],
        )

    def keep_notes(self) -> None:
        """Keep every checkpoint that anybody may have seen."""
        for path in (self.log / "checkpoint", self.folder / "witness" / origin_hash(ORIGIN)):
            note = read_file(path)
            if note is not None:
                (self.notes / f"{len(list(self.notes.iterdir())):05}").write_bytes(note)


async def work(place: Place) -> None:
    """Append, publish, cosign, erase; write down what was acknowledged, as a caller would act on it."""
    descriptor = os.open(place.acknowledged, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    async with await Ledger.open(place.url, keys=KeyRing(place.folder / "keys")) as ledger:
        publisher = place.publisher(ledger)

        async def visit(person: int) -> None:
            for rows in range(2):
                sealed = ledger.vault.seal(f"c-{person}", b"SELECT %d" % rows)
                recorded = await ledger.record(
                    Visited(rows=rows, text=sealed.commitment), by=f"p-{person}", about="s-1", parts=[sealed]
                )
                os.write(descriptor, b"%d %b\n" % (recorded.seq, recorded.leaf_hash.hex().encode()))
                if person == 0 and rows == 1:
                    erased = await ledger.erase(sealed.commitment, by="p-0", reason="test")
                    os.write(descriptor, b"%d %b\n" % (erased.seq, erased.leaf_hash.hex().encode()))
                await ledger.reached(recorded.seq, Level.COSIGNED, 10)
            room = await ledger.record(RoomOpened(name="x"), by="p", about=f"r-{os.urandom(8).hex()}")
            os.write(descriptor, b"%d %b\n" % (room.seq, room.leaf_hash.hex().encode()))

        async with asyncio.TaskGroup() as group:
            group.create_task(publisher.run())
            async with asyncio.TaskGroup() as people:
                for person in range(3):
                    people.create_task(visit(person))
            publisher.stop()


async def judge(place: Place) -> None:
    """After a restart: nothing acknowledged is lost, no checkpoint contradicts another, tables follow the facts."""
    acknowledged: dict[int, str] = {}
    if place.acknowledged.exists():
        for line in place.acknowledged.read_text().split("\n")[:-1]:
            number, _, digest = line.partition(" ")
            acknowledged[int(number)] = digest
    async with await Ledger.open(place.url, keys=KeyRing(place.folder / "keys")) as ledger:
        facts = await ledger.facts(0, 1_000_000)
        assert [one.seq for one in facts] == list(range(len(facts))), "indices are not contiguous"
        assert all(read_leaf(one.leaf).seq == one.seq for one in facts)
        for seq, digest in acknowledged.items():
            assert seq < len(facts), f"the acknowledged fact {seq} is lost"
            assert facts[seq].leaf_hash.hex() == digest, f"the acknowledged fact {seq} changed"
        for one in facts:
            value = one.typed()
            if isinstance(value, Visited) and value.text is not None:
                content = await ledger.content(value.text)
                assert isinstance(content, Erased) or content == b"SELECT %d" % value.rows
        publisher = place.publisher(ledger)
        publisher.stop()
        await publisher.run()
        assert publisher.stopped is None, publisher.stopped
        if facts:
            await ledger.reached(len(facts) - 1, Level.COSIGNED, 0)
    found: list[object] = []
    await check(place.url, found.append, folder=place.log if facts else None)
    assert not found, found
    if facts:
        seen = [path.read_bytes() for path in sorted(place.notes.iterdir())]
        report = verify_folder(place.log, policy=place.policy, seen=list(dict.fromkeys(seen)))
        assert report.ok, report.findings
        assert report.entries == len(facts)


def forked(
    function: Callable[[], Coroutine[Any, Any, None]], prepare: Callable[[], None] = lambda: None
) -> int:
    """Run in a child; its exit status, or minus the signal that killed it."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            prepare()
            asyncio.run(function())
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed_at(step: int) -> Callable[[], None]:
    """Arrange that this process dies at its `step`-th passage: before or after one of the writes."""
    passed = 0

    def passage() -> None:
        nonlocal passed
        passed += 1
        if passed == step:
            os.kill(os.getpid(), signal.SIGKILL)

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def waited(*arguments: Any, **named: Any) -> Any:
                passage()
                result = await function(*arguments, **named)
                passage()
                return result

            return waited

        @functools.wraps(function)
        def called(*arguments: Any, **named: Any) -> Any:
            passage()
            result = function(*arguments, **named)
            passage()
            return result

        return called

    def prepare() -> None:
        for owner, name in STEPS:
            setattr(owner, name, wrap(getattr(owner, name)))

    return prepare


def killed_after(seconds: float) -> Callable[[], None]:
    def prepare() -> None:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        started = os.getpid()
        watcher = os.fork()
        if watcher == 0:
            time.sleep(seconds)
            if os.getppid() == started:
                os.kill(started, signal.SIGKILL)
            os._exit(0)

    return prepare


def main(folder: Path, mode: str, count: int) -> None:
    kills = finished = 0
    place = Place(folder / "0")
    step = 1
    randomness = random.Random(20261121)
    while kills < count if mode == "times" else finished < 3:
        # the random times cover start, work and end of a run, which takes about 0.15 s
        prepare = killed_after(randomness.uniform(0, 0.15)) if mode == "times" else killed_at(step)
        status = forked(functools.partial(work, place), prepare)
        if status == -signal.SIGKILL:
            kills += 1
        elif status == 0:
            finished += 1
        else:
            sys.exit(f"step {step}: the work itself failed with {status}")
        place.keep_notes()
        if forked(functools.partial(judge, place)) != 0:
            sys.exit(f"step {step}: what must hold after a crash does not, see {place.folder}")
        if mode == "steps":
            step += count
        if (kills + finished) % KILLS_PER_HISTORY == 0:
            shutil.rmtree(place.folder)
            place = Place(folder / str(kills + finished))
    print(json.dumps({"kills": kills, "finished": finished, "steps": step}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
