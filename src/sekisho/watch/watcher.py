"""The engine at the ledger: reads facts from where it was, records what it finds, and tells people.

What it keeps (the next fact's index and the engine's state) stands in one file, which is replaced whole: after a crash
the watcher reads the last facts again and comes to the same state and the same alerts, whose names follow from the
facts; the ledger refuses one that it has. Lose the file, and everything is made anew from the first fact.

One task owns the engine. A look back over history, upon a signal from outside, has an engine of its own.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import structlog
from sqlalchemy import select

from sekisho.faults import Fault
from sekisho.gate.facts import TicketClosed
from sekisho.gate.restraints import impose
from sekisho.ledger import Ledger
from sekisho.ledger.faults import NO_PART, PART_ALTERED, REFUSED
from sekisho.ledger.tables import FACTS
from sekisho.people.faults import NO_SUCH_PERSON
from sekisho.people.freeze import freeze
from sekisho.watch.alerts import Tell, escalate, fact_of, find_alert, find_mute, listeners, routing_of
from sekisho.watch.engine import Alarm, Engine, Sensitivity
from sekisho.watch.facts import AlertRaised, Beat, FactSkipped, ResponseTaken
from sekisho.watch.ingest.segments import carries, shown_by
from sekisho.watch.reading import NAMES, read_observation
from sekisho.watch.routing import Listener
from sekisho.watch.settings import Response, Watch
from sekisho.watch.sigma.head import SigmaHead
from sekisho.watch.sigma.loading import OURS, Library
from sekisho.watch.sigma.telling import tell_rules

MEMORY: Final = "memory"
BROKEN: Final = "watch.memory_unreadable"  # a log event
STUMBLED: Final = "watch.rule_failed"  # a log event
RULE_REFUSED: Final = "watch.rule_refused"  # a log event
SKIPPED: Final = "watch.fact_skipped"  # a log event
_log: Final = structlog.get_logger()
_PAGE: Final = 1_000
_AT_ONCE: Final = 32  # alerts that are recorded and told side by side
_BREATH: Final = 100  # facts between two breaths of the event loop
_PAUSE: Final = 0.05  # seconds; a busy ledger has hundreds of turns a second
_RULES_SECONDS: Final = 5.0
_SAVE_SECONDS: Final = 2.0
_REST_SECONDS: Final = 0.5  # between two saves where there is little to do
_ESCALATE_SECONDS: Final = 30.0


class _Kept(msgspec.Struct):
    """`looking` are signals whose look back is not finished: (index of the fact, name, organisation)."""

    start: int
    state: bytes
    looking: list[tuple[int, str, str]] = []
    sigma: bytes = b""


class Watcher:
    """One per ledger. `tell` sends an alert to whom it was routed, `pulse` is called whenever some facts were looked
    at."""

    def __init__(
        self,
        ledger: Ledger,
        folder: Path,
        tell: Tell,
        settings: Watch | None = None,
        *,
        pulse: Callable[[], None] = lambda: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._ledger = ledger
        self._folder = folder
        self._tell = tell
        self._settings = settings or Watch()
        self._pulse = pulse
        self._now = now
        self._looking: list[tuple[int, str, str]] = []
        self._raising: set[asyncio.Task[None]] = set()
        self._unsaved = False
        self.start = 0
        self.engine = Engine(self._settings.sensitivity())
        self.sigma: SigmaHead | None = None

    async def run(self) -> None:
        """Watch until the ledger closes. Raises its Fault when it fails."""
        self.sigma = await asyncio.to_thread(self._read_rules)
        await tell_rules(self._ledger, self.sigma.rules, self.sigma.library)
        self._load()
        async with asyncio.TaskGroup() as group:
            for signal in self._looking:
                group.create_task(self._look_back(*signal))
            await self._follow(group)

    async def _follow(self, group: asyncio.TaskGroup) -> None:
        loop = asyncio.get_running_loop()
        saved_at = loop.time()
        escalated = beaten = 0.0
        ruled = saved_at
        while not self._ledger.closing:
            if self._ledger.fault is not None:
                raise self._ledger.fault
            if loop.time() - ruled >= _RULES_SECONDS:
                ruled = loop.time()
                await self._reread_rules()
            before = self.start
            busy = await self.catch_up(group)
            now = loop.time()
            quiet = before == self.start
            since = now - saved_at
            if self._unsaved and (
                (quiet and not self._raising and since >= _REST_SECONDS) or since >= _SAVE_SECONDS
            ):
                await (
                    self._all_raised()
                )  # what these facts led to is durable and told before they count as read
                self.save()  # between two pages: state and index belong together
                saved_at = now
            if now - escalated >= _ESCALATE_SECONDS or not escalated:
                escalated = now
                await escalate(self._ledger, self._settings.escalate_hours, self._now(), self._tell)
            if now - beaten >= self._settings.beat_minutes * 60 or not beaten:
                beaten = now
                await self._ledger.record(Beat(source="watch"), by="sekisho", about="watch")
            if not busy:
                if quiet and not self._unsaved:
                    due = min(escalated + _ESCALATE_SECONDS, beaten + self._settings.beat_minutes * 60)
                    await self._ledger.wait_beyond(self.start, max(0.0, due - loop.time()))
                await asyncio.sleep(_PAUSE)

    async def catch_up(self, group: asyncio.TaskGroup | None = None) -> bool:
        """Take in one page of facts; whether it was a full one."""
        page = await _page(self._ledger, self.start, every=self.sigma is not None)
        found: list[Alarm] = []
        for seq, leaf in page:
            looked = _look(self.engine, leaf, self.sigma)
            if carries(leaf):
                looked = await _look_at_rows(self._ledger, self.engine, leaf, looked, self.sigma)
            found += looked.alarms
            if looked.mistake:
                # Neither the doors nor the watch end for one fact; but nobody shall miss that it was not looked at.
                _log.error(SKIPPED, fact=seq, reason=looked.mistake)
                await self._ledger.record(FactSkipped(line=seq), by="sekisho", about="watch")
            if looked.signal and group is not None:
                signal = (seq, str(seq), looked.signal)
                self._looking.append(signal)
                group.create_task(self._look_back(*signal))
            self.start, self._unsaved = seq + 1, True
            if seq % _BREATH == 0:
                self._pulse()
                await asyncio.sleep(0)
        # Side by side, so that their facts become durable in one commit, and the next facts are looked at meanwhile.
        people = await listeners(self._ledger) if found else []
        for first in range(0, len(found), _AT_ONCE):
            some = [fact_of(alarm) for alarm in found[first : first + _AT_ONCE]]
            if group is None:
                await self._raise_all(some, people)
                continue
            await self._all_raised(but=_AT_ONCE)
            raising = group.create_task(self._raise_all(some, people))
            self._raising.add(raising)
            raising.add_done_callback(self._raising.discard)
        return len(page) == _PAGE

    async def _raise_all(self, some: Sequence[AlertRaised], people: Sequence[Listener]) -> None:
        async with asyncio.TaskGroup() as group:
            for raised in some:
                group.create_task(self._raise(raised, people))

    async def _all_raised(self, *, but: int = 0) -> None:
        """Return when no more than `but` groups of alerts are on their way."""
        while len(self._raising) > but:
            await asyncio.wait(self._raising, return_when=asyncio.FIRST_COMPLETED)

    async def _raise(self, raised: AlertRaised, people: Sequence[Listener]) -> None:
        """Record an alert durably, then tell; both once, however often it is called with the same alert."""
        async with self._ledger.read() as connection:
            known = await find_alert(connection, raised.alert)
            muted = (
                ""
                if raised.certain
                else await find_mute(connection, raised.detector, raised.human, raised.at)
            )
        if known is not None:
            raised = known.raised
        routed = await routing_of(self._ledger, raised, 0, people)
        if known is None:
            raised = msgspec.structs.replace(raised, to=routed.to, muted=muted)
            try:
                await self._ledger.record(raised, by="sekisho", about=raised.alert)
            except Fault as fault:
                if fault.kind is not REFUSED:
                    raise
                return  # another watcher on the same ledger was faster
        if raised.muted or (known is not None and known.acknowledged is not None):
            return
        await self._tell(raised, routed, 0)
        if known is None or not known.response:
            await self._respond(raised)

    async def _respond(self, raised: AlertRaised) -> None:
        """What the settings say follows by itself. A look back concerns the past: nothing is done upon it."""
        for response in self._settings.responses:
            if raised.signal or raised.score < response.at or response.detector not in ("", raised.detector):
                continue
            reason = f"alert {raised.alert}"
            if response.what in ("freeze", "approval", "budget"):
                subject = raised.human
                if not await self._restrain(raised, response, reason):
                    continue  # nobody of ours: a foreign log names whom it likes
            elif response.what == "close_ticket" and raised.ticket:
                subject = raised.ticket
                closed = TicketClosed(ticket=subject, reason=reason, how="revoked")
                await self._ledger.record(closed, by="sekisho", about=subject)
            elif response.what == "end_session" and raised.session:
                subject = raised.session  # `end_of_responses` ends it, in each process that has doors
            else:
                continue
            taken = ResponseTaken(alert=raised.alert, what=response.what, subject=subject)
            await self._ledger.record(taken, by="sekisho", about=raised.alert)
            return

    async def _restrain(self, raised: AlertRaised, response: Response, reason: str) -> bool:
        try:
            if response.what == "freeze":
                await freeze(self._ledger, raised.human, reason=reason, by="sekisho")
            else:
                await impose(
                    self._ledger,
                    raised.human,
                    "approval" if response.what == "approval" else "budget",
                    hours=response.hours,
                    percent=response.percent if response.what == "budget" else 100,
                    reason=reason,
                    alert=raised.alert,
                    now=int(self._now().timestamp() * 1e6),
                    by="sekisho",
                )
        except Fault as fault:
            if fault.kind is not NO_SUCH_PERSON:
                raise
            return False
        return True

    async def _look_back(self, seq: int, signal: str, organisation: str) -> None:
        """All facts before the signal again, with that client looked at more closely; what is new is raised."""
        async for alarm in self._again(seq, organisation):
            async with self._ledger.read() as connection:
                known = await find_alert(connection, alarm.alarm)
            if known is None:
                await self._raise(fact_of(alarm, signal=signal), await listeners(self._ledger))
        self._looking.remove((seq, signal, organisation))
        self._unsaved = True

    async def _again(self, until: int, organisation: str) -> AsyncIterator[Alarm]:
        usual = self._settings.sensitivity()
        # The budget was for people's days back then; today somebody waits for the whole answer.
        closer = Sensitivity(alert_at=usual.alert_at, daily=1_000, zone=usual.zone, raised=(organisation,))
        engine, start = Engine(closer), 0
        while page := await _page(self._ledger, start, until):
            for seq, leaf in page:
                looked = _look(engine, leaf)
                if carries(leaf):
                    looked = await _look_at_rows(self._ledger, engine, leaf, looked)
                for alarm in looked.alarms:
                    if alarm.client == organisation:
                        yield alarm
                start = seq + 1
            self._pulse()
            await asyncio.sleep(0)

    def _read_rules(self) -> SigmaHead:
        """Our Sigma rules and the house's. What is wrong with one is said, and the others run."""
        said = self._settings
        folders = (OURS, Path(said.sigma)) if said.sigma else (OURS,)
        library = Library(folders, zone=said.sensitivity().zone)
        head = SigmaHead(library, alert_at=said.alert_at, daily=said.sigma_daily)
        self._say_mistakes(head)
        return head

    async def _reread_rules(self) -> None:
        head = self.sigma
        if head is None:
            return
        for rule, (times, reason) in head.rules.stumbled.items():
            _log.warning(STUMBLED, rule=rule, times=times, reason=reason)
        head.rules.stumbled.clear()
        if await asyncio.to_thread(head.library.changed):
            head.reload(await asyncio.to_thread(head.library.load))
            self._unsaved = True
            self._say_mistakes(head)
            await tell_rules(self._ledger, head.rules, head.library)

    def _say_mistakes(self, head: SigmaHead) -> None:
        for mistake in head.library.mistakes:
            _log.warning(RULE_REFUSED, rule=str(mistake))

    # -- what is kept ---------------------------------------------------------------------------------------------

    def save(self) -> None:
        """Replace the file whole. A crash at any moment leaves the old one or the new one."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        kept = msgspec.msgpack.encode(
            _Kept(self.start, self.engine.dump(), self._looking, self.sigma.dump() if self.sigma else b"")
        )
        draft = self._folder / f"{MEMORY}.new"
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(kept)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._folder / MEMORY)
        self._unsaved = False

    def _load(self) -> None:
        path = self._folder / MEMORY
        if not path.exists():
            return
        try:
            kept = msgspec.msgpack.decode(path.read_bytes(), type=_Kept)
            self.engine.load(kept.state)
        except (msgspec.MsgspecError, Fault) as error:
            # Nothing is lost but time: the facts are still there.
            _log.warning(BROKEN, path=str(path), reason=str(error))
            self.engine = Engine(self._settings.sensitivity())
            return
        self.start, self._looking = kept.start, kept.looking
        if self.sigma is not None:
            self.sigma.load(kept.sigma)


async def _page(
    ledger: Ledger, start: int, until: int | None = None, *, every: bool = False
) -> list[tuple[int, bytes]]:
    """`every`: also the facts that only rules look at."""
    query = select(FACTS.c.seq, FACTS.c.leaf).where(FACTS.c.seq >= start)
    if not every:
        query = query.where(FACTS.c.fact.in_(NAMES))
    if until is not None:
        query = query.where(FACTS.c.seq < until)
    async with ledger.read() as connection:
        rows = await connection.execute(query.order_by(FACTS.c.seq).limit(_PAGE))
        return [(row.seq, row.leaf) for row in rows]


async def rebuilt(ledger: Ledger, until: int, settings: Watch | None = None) -> Engine:
    """The engine as the facts below `until` make it: what a lost or doubted file is held against."""
    engine, start = Engine((settings or Watch()).sensitivity()), 0
    while page := await _page(ledger, start, until):
        for seq, leaf in page:
            looked = _look(engine, leaf)
            if carries(leaf):
                await _look_at_rows(ledger, engine, leaf, looked)
            start = seq + 1
        await asyncio.sleep(0)
    return engine


async def memory_is_right(
    ledger: Ledger, folder: Path, settings: Watch | None = None
) -> tuple[int, bool] | None:
    """Whether the file is, byte for byte, what the facts make of it, and how many facts it stands for; None when there
    is no file that can be read."""
    try:
        kept = msgspec.msgpack.decode((folder / MEMORY).read_bytes(), type=_Kept)
    except (OSError, msgspec.MsgspecError):
        return None
    return kept.start, (await rebuilt(ledger, kept.start, settings)).dump() == kept.state


@dataclass(frozen=True, slots=True)
class _Looked:
    """`signal` is the client organisation that a signal from outside names, `mistake` why the fact was skipped."""

    alarms: list[Alarm]
    signal: str = ""
    mistake: str = ""


def _look(engine: Engine, leaf: bytes, sigma: SigmaHead | None = None) -> _Looked:
    """Show one fact to the engine and to the rules, neither of which stands in the other's way.

    A mistake in reading it, in a detector or in a rule comes out the same at every reading."""
    alarms: list[Alarm] = []
    signal = mistake = ""
    try:
        observation = read_observation(leaf)
        if observation is not None:
            signal = observation.client if observation.kind in ("outside", "canary") else ""
            alarms = engine.step(observation)
    except Exception as error:
        signal, mistake = "", f"{type(error).__name__}: {error}"
    if sigma is not None:
        try:
            alarms = [*alarms, *sigma.look(leaf, engine.known.accounts)]
        except Exception as error:
            mistake = mistake or f"{type(error).__name__}: {error}"
    return _Looked(alarms, signal, mistake)


async def _look_at_rows(
    ledger: Ledger, engine: Engine, leaf: bytes, looked: _Looked, sigma: SigmaHead | None = None
) -> _Looked:
    """Show the rows behind a leaf, one by one: `looked` with what they led to. A segment that was erased shows none."""
    alarms, mistake = list(looked.alarms), looked.mistake
    try:
        rows = await shown_by(ledger, leaf)
    except Fault as fault:
        if fault.kind not in (NO_PART, PART_ALTERED):
            raise  # the ledger cannot be read now: nothing counts as looked at
        return _Looked(alarms, mistake=str(fault))
    except Exception as error:  # as in `_look`: the same at every reading
        return _Looked(alarms, mistake=f"{type(error).__name__}: {error}")
    for number, row in enumerate(rows, 1):
        try:
            if row.observation is not None:
                alarms += engine.step(row.observation)
            if sigma is not None:
                known = engine.known.accounts
                alarms += sigma.look_at_row(
                    row.event, known, actor=row.actor, client=row.client, part=row.part
                )
        except Exception as error:
            mistake = mistake or f"{type(error).__name__}: {error}"
        if number % _BREATH == 0:
            await asyncio.sleep(0)
    return _Looked(alarms, mistake=mistake)
