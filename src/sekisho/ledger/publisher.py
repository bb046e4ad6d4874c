"""The publisher: committed facts become tiles, a signed checkpoint about once a second, and cosignatures.

One cycle, and what is true after a crash behind each step:

    integrate   facts from SQL -> tiles (durable)      the next start integrates the same bytes again, or goes on
    sign        nothing leaves
    remember    signed checkpoint -> SQL (durable)     from now on an older folder is refused at the start
    publish     checkpoint with the log's signature    facts below its size are PUBLISHED
    cosign      ask the witnesses                      a witness may know a checkpoint that we ask for again
    publish     the same with cosignatures             facts below its size are COSIGNED

Exactly one publisher works at a time; others wait for its lock. It stops for good, with a fact and an alarm, when
the tiles or the SQL copy contradict what was recorded or signed; it goes on trying when a disk or a witness fails.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol, TypeVar

from sqlalchemy import select

from sekisho.evidence.checkpoint import open_checkpoint
from sekisho.evidence.faults import CANNOT_READ, CANNOT_WRITE, LOG_STOPPED
from sekisho.evidence.log import TileLog
from sekisho.evidence.merkle import leaf_hash
from sekisho.evidence.note import NoteSigner, SignatureLine, VerifierKey, parse_note
from sekisho.evidence.policy import Policy
from sekisho.evidence.tiles import read_entries
from sekisho.faults import Fault, FaultKind
from sekisho.ledger.batch import Aside
from sekisho.ledger.facts import (
    LEDGER,
    LeafMismatch,
    PublicationFailed,
    PublicationResumed,
    PublicationStopped,
    QuorumMet,
    QuorumMissing,
)
from sekisho.ledger.faults import FACT_CHANGED, FOLDER_BEHIND, LEDGER_BEHIND, LOCK_LOST
from sekisho.ledger.leaf import Fact, Recorded
from sekisho.ledger.ledger import Ledger
from sekisho.ledger.tables import CHECKPOINTS, FACTS

_PAGE: Final = 4_096
_MOST_HASHES: Final = 200_000  # kept of this process's unpublished facts, about 30 MB
_LONGEST_WAIT: Final = 30.0  # seconds between two attempts to reach a quorum
# The disk, not the history, is in the way: worth another attempt.
_PASSING: Final = (CANNOT_READ, CANNOT_WRITE, LOG_STOPPED)
_T = TypeVar("_T")

Prove = Callable[[int], Sequence[bytes]]


class Answers(Protocol):
    """What the witnesses answered: verified signature lines, and why the others gave none."""

    @property
    def lines(self) -> Sequence[SignatureLine]: ...

    @property
    def faults(self) -> Mapping[VerifierKey, Fault]: ...


class Cosigner(Protocol):
    def __call__(self, note: bytes, prove: Prove, /) -> Awaitable[Answers]:
        """Ask for cosignatures over `note`; `prove(old)` is the consistency proof from `old` entries.

        It must bound its own time: nothing is published meanwhile.
        """
        ...


class Publisher:
    """Made right after the ledger is opened; `run` belongs into the caller's TaskGroup.

    `policy` says how many cosignatures make a quorum; without it nothing is ever COSIGNED. `fatal` are the kinds
    of a witness's fault that mean a changed history. The origin of the log is the name of the signer's key.
    """

    def __init__(
        self,
        ledger: Ledger,
        folder: Path,
        signer: NoteSigner,
        *,
        policy: Policy | None = None,
        cosigner: Cosigner | None = None,
        interval: float = 1.0,
        fatal: Collection[FaultKind] = (),
    ) -> None:
        self._ledger = ledger
        self._folder = folder
        self._signer = signer
        self._policy = policy
        self._cosigner = cosigner
        self._interval = interval
        self._fatal = fatal
        self._log: TileLog | None = None
        self._note = b""  # the newest signed checkpoint, with the cosignatures so far
        self._signed = self._published = self._cosigned = 0  # sizes
        self._wait = 0.0  # before the next attempt to reach a quorum
        self._next_attempt = 0.0
        self._quorum_missing = False
        self._failing = False
        self._stopping = asyncio.Event()
        self._alarms: list[Callable[[Fault], None]] = []
        self._hashes: dict[int, bytes] = {}
        self.stopped: Fault | None = None
        ledger.on_recorded(self._keep_hashes)

    def on_alarm(self, callback: Callable[[Fault], None]) -> None:
        """Call `callback` in the event loop for each alarm: no quorum, a failing disk, a contradiction."""
        self._alarms.append(callback)

    def stop(self) -> None:
        """Let `run` publish what is committed, and return."""
        self._stopping.set()

    async def run(self) -> None:
        """Publish until `stop`, or until a contradiction stops publication (see `stopped`).

        Fault FOLDER_BEHIND, LEDGER_BEHIND, FACT_CHANGED, or one of the log's, when the start finds that folder
        and database do not belong together; LOCK_LOST; or the ledger's own when it failed.
        """
        lock = self._ledger.publisher_lock()
        try:
            while not await lock.acquire():
                if await self._stop_within(self._interval):
                    return
            await self._start()
            last = False
            while self.stopped is None:
                if not await lock.held():
                    raise Fault(LOCK_LOST)
                await self._cycle()
                if last:
                    return
                last = await self._stop_within(self._interval)
        finally:
            await lock.release()

    async def _stop_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return False
        return True

    # -- start --------------------------------------------------------------------------------------------------

    async def _start(self) -> None:
        log = await self._open()
        async with self._ledger.read() as connection:
            query = select(CHECKPOINTS).where(CHECKPOINTS.c.origin == self._signer.key.name)
            remembered = (await connection.execute(query)).one_or_none()
        if remembered is not None:
            checkpoint = open_checkpoint(remembered.note, self._signer.key)
            if (
                log.size < checkpoint.size
                or await _in_thread(log.root_at, checkpoint.size) != checkpoint.root
            ):
                raise Fault(FOLDER_BEHIND, path=self._folder, size=log.size, signed=checkpoint.size)
            self._note, self._signed = remembered.note, checkpoint.size
            self._published, self._cosigned = remembered.published, remembered.cosigned
        await self._compare_tail(log)

    async def _open(self) -> TileLog:
        origin = self._signer.key.name
        self._log = log = await _in_thread(lambda: TileLog.open(self._folder, self._signer, origin=origin))
        return log

    async def _compare_tail(self, log: TileLog) -> None:
        """The last tile's entries must be the facts of the same index: both are of the same history."""
        durable = await self._ledger.size()
        if durable < log.size:
            raise Fault(LEDGER_BEHIND, path=self._folder, size=log.size, durable=durable)
        start = max(0, log.size - 256)
        entries = await _in_thread(lambda: list(read_entries(self._folder, start, log.size, size=log.size)))
        for recorded, entry in zip(await self._ledger.facts(start, len(entries)), entries, strict=True):
            if recorded.leaf != entry:
                raise Fault(FACT_CHANGED, seq=recorded.seq)

    # -- one cycle ----------------------------------------------------------------------------------------------

    async def _cycle(self) -> None:
        try:
            log = self._log or await self._open()
            await self._integrate(log)
            if log.size > self._signed:
                await self._sign(log)
            if self._published < self._signed:
                await _in_thread(log.publish, self._note)
                self._published = self._signed
                await self._remember()
            if self._failing:
                self._failing = False
                await self._tell(PublicationResumed(size=log.size))
            await self._cosign(log)
        except Fault as fault:
            if fault is self._ledger.fault:
                raise
            await self._fail(fault)

    async def _integrate(self, log: TileLog) -> None:
        while True:
            query = (
                select(FACTS.c.seq, FACTS.c.leaf)
                .where(FACTS.c.seq >= log.size, FACTS.c.seq < log.size + _PAGE)
                .order_by(FACTS.c.seq)
            )
            async with self._ledger.read() as connection:
                rows = [(row.seq, row.leaf) for row in await connection.execute(query)]
            if not rows:
                return
            for expected, (seq, leaf) in enumerate(rows, log.size):
                known = self._hashes.get(seq)
                if seq != expected or (known is not None and known != leaf_hash(leaf)):
                    found = leaf_hash(leaf).hex() if seq == expected else ""
                    await self._tell(LeafMismatch(seq=expected, recorded=(known or b"").hex(), found=found))
                    raise Fault(FACT_CHANGED, seq=expected)
            await _in_thread(log.integrate, [leaf for _, leaf in rows])
            for seq, _ in rows:
                self._hashes.pop(seq, None)
            if len(rows) < _PAGE:
                return

    async def _sign(self, log: TileLog) -> None:
        note = log.sign()
        self._note, self._signed = note, log.size
        # Before it leaves: whoever restores an older folder must not get a second history signed.
        await self._remember()

    async def _remember(self) -> None:
        row: dict[str, int | str | bytes] = {
            "size": self._signed,
            "note": self._note,
            "published": self._published,
            "cosigned": self._cosigned,
        }
        await self._ledger.remember(Aside(CHECKPOINTS, {"origin": self._signer.key.name}, row))

    async def _cosign(self, log: TileLog) -> None:
        now = asyncio.get_running_loop().time()
        if (
            self._policy is None
            or self._cosigned >= self._signed
            or not self._signed
            or now < self._next_attempt
        ):
            return
        size = self._signed
        faults: Iterable[Fault] = ()
        if self._cosigner is not None:
            answers = await self._cosigner(self._note, lambda old: log.consistency(old, size))
            faults = answers.faults.values()
            for fault in faults:
                if fault.kind in self._fatal:
                    raise fault
            if answers.lines:
                self._note = parse_note(self._note).with_signatures(answers.lines).encode()
        try:
            self._policy.accept(self._note)
        except Fault as fault:
            self._wait = min(_LONGEST_WAIT, max(self._interval, self._wait * 2))
            self._next_attempt = asyncio.get_running_loop().time() + self._wait
            if not self._quorum_missing:
                self._quorum_missing = True
                codes = sorted({each.code for each in faults} | {fault.code})
                await self._tell(QuorumMissing(size=size, codes=codes))
                self._alarm(fault)
            return
        await _in_thread(log.publish, self._note)
        self._cosigned, self._wait = size, 0.0
        await self._remember()
        if self._quorum_missing:
            self._quorum_missing = False
            await self._tell(QuorumMet(size=size))

    # -- alarms -------------------------------------------------------------------------------------------------

    async def _fail(self, fault: Fault) -> None:
        self._log = None
        if fault.kind in _PASSING:
            if not self._failing:
                self._failing = True
                self._alarm(fault)
                await self._tell(PublicationFailed(code=fault.code))
            return
        self.stopped = fault
        self._alarm(fault)
        await self._tell(PublicationStopped(code=fault.code))

    async def _tell(self, fact: Fact) -> None:
        await self._ledger.record(fact, by=LEDGER, about=LEDGER)

    def _alarm(self, fault: Fault) -> None:
        for callback in self._alarms:
            callback(fault)

    def _keep_hashes(self, recorded: Sequence[Recorded]) -> None:
        hashes = self._hashes
        for one in recorded:
            hashes[one.seq] = one.leaf_hash
        while len(hashes) > _MOST_HASHES:
            del hashes[next(iter(hashes))]


async def _in_thread(function: Callable[..., _T], *arguments: object) -> _T:
    """Run file work in a thread, and never leave it behind: the lock is released only after it ended."""
    work = asyncio.get_running_loop().run_in_executor(None, lambda: function(*arguments))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise
