"""The engine: observations go in, in the order of their time; alarms come out.

    state, observation -> state, alarms

Nothing else is read: no clock, no database, no randomness. So the same facts give the same alarms and the same
state, to the bit, whether the engine ran without a pause, was stopped and loaded, or started again from the first
fact. `dump` writes the whole state in one deterministic form; `load` reads it.
"""

from collections.abc import Callable
from typing import Any, Final
from zlib import crc32

import msgspec

from sekisho.faults import Fault
from sekisho.watch.detector import Detector, Finding, Head, Memory, Value
from sekisho.watch.detectors import DETECTORS
from sekisho.watch.faults import OTHER_STATE
from sekisho.watch.heads import DayScore, Heads
from sekisho.watch.known import Client, Known
from sekisho.watch.observation import HOUR, Observation

VERSION: Final = 1
QUIET_DAYS: Final = 7  # the same thing is not said again within these, unless it grew
GROWN: Final = 1.0
_RAISED: Final = 1.0  # what a signal from outside adds for the client that it names
_DEPARTING: Final = 0.5
_TOLD: Final = 4_096
# Another ticket is another deed; an odd hour or place under it is still the same oddity.
_PER_TICKET: Final = frozenset({Head.TICKET, Head.CHAIN})
_FOREVER: Final = 1 << 62


class Sensitivity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`alert_at`: the calibrated score from which on an alarm is raised (2.5: about once in three hundred human-days
    of a head). `daily`: so many alarms a day at most, the highest first come; certain ones are not counted. `zone`:
    seconds east of UTC of the place where the work is done. `raised` names clients that are looked at more closely
    from the start, for a second look over the past.
    """

    alert_at: float = 2.5
    daily: int = 5
    zone: int = 9 * 3600
    raised: tuple[str, ...] = ()


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine says. `claim` is the detector's surprise, `score` the calibrated one with what raises it."""

    alarm: str
    at: int
    detector: str
    head: str
    human: str
    client: str
    session: str
    ticket: str
    claim: float
    score: float
    observed: float
    expected: float
    values: dict[str, Value]
    refs: tuple[int, ...]
    certain: bool


class _State(msgspec.Struct):
    version: int
    known: Known
    heads: Heads
    memories: dict[str, dict[str, Any]]
    told: dict[str, tuple[int, float]]
    raised_today: list[float]
    held_back: int
    at: int
    last_hour: int


# Dictionaries keep the order in which the observations filled them, here and when they are read back.
_encoder: Final = msgspec.msgpack.Encoder()
_Watcher = tuple[
    Detector, dict[str, Any], Callable[..., str], Callable[..., Finding | None], Callable[[], Any]
]


class Engine:
    """`held_back` counts alarms that the day's budget kept back; `days` are the human-days that ended last."""

    def __init__(
        self, sensitivity: Sensitivity | None = None, *, detectors: tuple[Detector, ...] = DETECTORS
    ):
        self.sensitivity: Final = sensitivity or Sensitivity()
        self.known = Known(zone=self.sensitivity.zone)
        self.heads = Heads()
        self.days: list[DayScore] = []
        self.held_back = 0
        self._detectors: Final = detectors
        self._memories: dict[str, dict[str, Any]] = {one.name: {} for one in detectors}
        self._told: dict[str, tuple[int, float]] = {}
        self._raised_today: list[float] = []
        self._at = 0
        self._hour = 0
        self._bind()

    def _bind(self) -> None:
        by_kind: dict[str, list[_Watcher]] = {}
        for one in self._detectors:
            for kind in one.kinds:
                watcher = (one, self._memories[one.name], one.key, one.look, one.memory)
                by_kind.setdefault(kind, []).append(watcher)
        self._watchers = by_kind

    def step(self, o: Observation) -> list[Alarm]:
        """Take in one observation. Time does not run backwards: an earlier one counts as of now."""
        alarms: list[Alarm] = []
        if o.at < self._at:
            o = msgspec.structs.replace(o, at=self._at)
        self._at = o.at
        known = self.known
        if o.at // HOUR != self._hour:
            self._pass_hours(o, alarms)
        known.learn(o)
        for detector, memories, key_of, look, fresh in self._watchers.get(o.kind, ()):
            key = key_of(o, known)
            if not key:
                continue
            memory = memories.get(key)
            if memory is None:
                memory = memories[key] = fresh()
            finding = look(memory, o, known)
            if finding is not None:
                self._weigh(detector, finding, key, o, alarms)
        return alarms

    def _pass_hours(self, o: Observation, alarms: list[Alarm]) -> None:
        """What is found by its absence, judged at the last full hour before the observation."""
        known = self.known
        now = o.at // HOUR * HOUR
        first, self._hour = self._hour == 0, o.at // HOUR
        day = (now // 1_000_000 + known.zone) // 86_400
        new_day = day != self.heads.day
        if first:
            self.heads.day = day
            for client in self.sensitivity.raised:
                known.clients.setdefault(client, Client()).raised = _FOREVER
            return
        for detector in self._detectors:
            if detector.sweep is None or not (new_day or detector.hourly):
                continue
            quiet = Observation(at=now, kind="beat", ref=o.ref, part=o.part)
            for key, finding in detector.sweep(self._memories[detector.name], now, known):
                self._weigh(detector, finding, key, quiet, alarms)
        if new_day:
            finished = self.heads.day
            active = {human: who.days for human, who in known.humans.items() if who.day == finished}
            total = sum(who.days for who in known.humans.values())
            self.days = self.heads.close_day(day, active, total)
            self._raised_today.clear()
            self._told = {key: told for key, told in self._told.items() if told[0] > day - QUIET_DAYS}
            known.forget(now)

    def finish(self) -> None:
        """Close the present day, so that `days` holds it: at the end of a log that has one."""
        known, day = self.known, self.heads.day
        active = {human: who.days for human, who in known.humans.items() if who.day == day}
        self.days = self.heads.close_day(day + 1, active, sum(who.days for who in known.humans.values()))

    def _weigh(
        self, detector: Detector, finding: Finding, key: str, o: Observation, alarms: list[Alarm]
    ) -> None:
        """Calibrate what a detector found, and raise it when it is rare enough, new, and within the day's budget."""
        known = self.known
        swept = o.kind == "beat"
        human = finding.human or ("" if swept else known.human)
        client = finding.client or o.client
        head = detector.head.value
        if human:
            self.heads.note(head, human, finding.score)
        if finding.certain:
            score = max(finding.score, self.sensitivity.alert_at)
        else:
            total = sum(who.days for who in known.humans.values())
            mine = known.humans[human].days if human in known.humans else 0
            score = self.heads.calibrated(head, human, finding.score, total - mine)
            score += _RAISED * known.sensitive(client, o.at) + _DEPARTING * known.departing(human, o.at)
            if score < self.sensitivity.alert_at:
                return
        day = (o.at // 1_000_000 + known.zone) // 86_400
        place = f"{detector.name}|{key}"
        if detector.head in _PER_TICKET:
            place += f"|{o.ticket}"
        told = self._told.get(place)
        if told is not None and told[0] > day - QUIET_DAYS and score < told[1] + GROWN:
            return
        if not finding.certain:
            if len(self._raised_today) >= self.sensitivity.daily and score <= min(self._raised_today) + GROWN:
                self.held_back += 1
                return
            self._raised_today.append(score)
        if len(self._told) < _TOLD or told is not None:
            self._told[place] = (day, score)
        # A sweep can find several at one moment: the key tells them apart.
        where = f"{o.ref}.{o.part}" if o.part else f"{o.ref}"
        name = f"a-{where}-{detector.number}" + (f"-{crc32(key.encode()):08x}" if swept else "")
        alarms.append(
            Alarm(
                alarm=name,
                at=o.at,
                detector=detector.name,
                head=head,
                human=human,
                client=client,
                session=o.session,
                ticket=o.ticket,
                claim=finding.score,
                score=score,
                observed=finding.observed,
                expected=finding.expected,
                values=finding.values,
                refs=finding.refs or ((o.ref,) if not swept else ()),
                certain=finding.certain,
            )
        )

    def dump(self) -> bytes:
        """The whole state; equal states give equal bytes."""
        state = _State(
            VERSION,
            self.known,
            self.heads,
            self._memories,
            self._told,
            self._raised_today,
            self.held_back,
            self._at,
            self._hour,
        )
        return _encoder.encode(state)

    def load(self, dumped: bytes) -> None:
        """Go on where `dump` was. Raises Fault OTHER_STATE when these bytes are of another version."""
        try:
            state = msgspec.msgpack.decode(dumped, type=_State)
            if state.version != VERSION or state.memories.keys() != self._memories.keys():
                raise Fault(OTHER_STATE)
            memories = {
                one.name: {
                    key: msgspec.convert(memory, one.memory)
                    for key, memory in state.memories[one.name].items()
                }
                for one in self._detectors
            }
        except msgspec.MsgspecError as error:
            raise Fault(OTHER_STATE) from error
        self.known, self.heads = state.known, state.heads
        self._memories = memories
        self._told, self._raised_today = state.told, state.raised_today
        self.held_back, self._at, self._hour = state.held_back, state.at, state.last_hour
        self._bind()

    def memory_of(self, human: str) -> int:
        """How many bytes of state belong to one human, as dumped: for measures."""
        mine: list[Memory] = []
        for memories in self._memories.values():
            mine += [memory for key, memory in memories.items() if key.split("|")[0] == human]
        return len(_encoder.encode(mine)) + len(_encoder.encode(self.known.humans.get(human)))
