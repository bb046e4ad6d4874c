"""A stored recording: read, verified against its facts, recovered after a crash.

The facts say where each segment ends and what the chain over the stored bytes is there; the frames say whether they are
those that were written. So a cut, an edit, a swap of frames or of files is noticed, and the first place of it named.
That facts are missing is for the log to show: the last fact's chain stands for every segment before it, and is held
against the published log by whoever gives `confirms`.
"""

import asyncio
import fcntl
import hashlib
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import select

from sekisho.faults import Fault, Language
from sekisho.ledger import Erased, Ledger, Recorded
from sekisho.relay.record.facts import RecordClosed, RecordOpened, RecordRecovered, RecordSegment
from sekisho.relay.record.faults import KEY_ERASED, NO_RECORDING
from sekisho.relay.record.frames import Broken, Opener, header_of
from sekisho.relay.record.recordings import SUFFIX, path_of
from sekisho.relay.record.tables import recordings
from sekisho.wire.asciicast.cast import Event

_READ: Final = 1 << 20
_PAGE: Final = 2_000
_NAMES: Final = ("record.opened", "record.segment", "record.closed", "record.recovered")

# What can be found; those of NOTICES are no damage.
_SENTENCES: Final[dict[str, dict[Language, str]]] = {
    "missing": {"en": "the file is missing", "ja": "ファイルがありません"},
    "other": {
        "en": "the file is not this recording's, but begins as that of {name}",
        "ja": "この録画のファイルではありません (先頭は {name} のものです)",
    },
    "cut": {
        "en": "the file ends at byte {found}; {length} bytes were recorded",
        "ja": "ファイルは {found} バイトで終わっています (記録は {length} バイト)",
    },
    "altered": {
        "en": "segment {index} (bytes {start} to {end}) is not what was recorded",
        "ja": "セグメント {index} ({start}〜{end} バイト) が記録時の内容と異なります",
    },
    "frame": {
        "en": "frame {frame} at byte {offset} does not open: it was edited, moved, or is another recording's",
        "ja": "フレーム {frame} ({offset} バイト目) を開けません (改変、移動、または別の録画のもの)",
    },
    "appended": {
        "en": "{length} bytes stand behind the recorded end",
        "ja": "記録された終端の後に {length} バイトあります",
    },
    "count": {
        "en": "{found} events are in the file, {events} were recorded",
        "ja": "ファイルのイベントは {found} 件ですが、記録は {events} 件です",
    },
    "gap": {
        "en": "the fact of segment {index} is missing",
        "ja": "セグメント {index} の事実がありません",
    },
    "unpublished": {
        "en": "line {seq} is not the one in the published log",
        "ja": "{seq} 行目は公開された台帳のものと異なります",
    },
    "unknown": {"en": "no fact knows this file", "ja": "このファイルに対応する事実がありません"},
    "unended": {
        "en": "no end is recorded: the session still runs, or the checkpoint was killed and not started since",
        "ja": "終了の記録がありません (実行中、または異常終了後に未起動)",
    },
    "tail": {
        "en": "the last {length} bytes are readable, and not in the ledger yet",
        "ja": "末尾の {length} バイトは読めますが、まだ台帳にありません",
    },
    "torn": {
        "en": "the last {length} bytes are a frame that was never finished: nothing of it had passed",
        "ja": "末尾の {length} バイトは書きかけのフレームです (通過していません)",
    },
    "erased": {
        "en": "its key was erased: only the hashes were compared",
        "ja": "鍵は消去済みのため、ハッシュだけを照合しました",
    },
}
NOTICES: Final = frozenset({"unended", "tail", "torn", "erased"})


@dataclass(frozen=True)
class Finding:
    """Something about a recording that is not as it should be, or worth knowing."""

    recording: str
    kind: str
    values: dict[str, object]

    @property
    def bad(self) -> bool:
        return self.kind not in NOTICES

    def sentence(self, language: Language) -> str:
        return _SENTENCES[self.kind][language].format(**self.values)


@dataclass(frozen=True)
class Account:
    """What the ledger says of a recording. `last` is the fact whose chain stands for everything before it."""

    opened: RecordOpened
    opening: Recorded
    segments: tuple[RecordSegment, ...]
    ended: RecordClosed | RecordRecovered | None
    last: Recorded


@dataclass(frozen=True)
class Verification:
    """`sound` is the number of stored bytes, from the beginning on, that are what was written."""

    findings: tuple[Finding, ...]
    sound: int
    events: int

    @property
    def ok(self) -> bool:
        return not any(one.bad for one in self.findings)


async def read_account(ledger: Ledger, recording: str) -> Account:
    """Raises Fault NO_RECORDING."""
    opened: tuple[RecordOpened, Recorded] | None = None
    segments: list[RecordSegment] = []
    ended: RecordClosed | RecordRecovered | None = None
    last: Recorded | None = None
    start = 0
    while page := await ledger.facts(start, _PAGE, names=_NAMES, about=recording):
        for recorded in page:
            match recorded.typed():
                case RecordOpened() as fact if opened is None:
                    opened, last = (fact, recorded), recorded
                case RecordSegment() as fact if ended is None:
                    segments.append(fact)
                    last = recorded
                case RecordClosed() | RecordRecovered() as fact if ended is None:
                    ended, last = fact, recorded
                case _:
                    pass
        start = page[-1].seq + 1
    if opened is None or last is None:
        raise Fault(NO_RECORDING, recording=recording[:64])
    return Account(opened[0], opened[1], tuple(segments), ended, last)


async def data_key(ledger: Ledger, opened: RecordOpened) -> bytes:
    """Raises Fault KEY_ERASED."""
    try:
        key = await ledger.content(opened.key)
    except Fault as fault:
        raise Fault(KEY_ERASED, recording=opened.recording) from fault
    if isinstance(key, Erased):
        raise Fault(KEY_ERASED, recording=opened.recording)
    return key


@dataclass(frozen=True, slots=True)
class Place:
    """Where a frame of a stored recording begins."""

    frame: int
    offset: int


def stored_events(
    folder: Path, recording: str, key: bytes, until: int, start: Place | None = None
) -> Iterator[Event]:
    """The events in the first `until` stored bytes, or those from a place on. Raises Broken, OSError."""
    for _, event in placed_events(folder, recording, key, until, start):
        yield event


def placed_events(
    folder: Path, recording: str, key: bytes, until: int, start: Place | None = None
) -> Iterator[tuple[Place, Event]]:
    """The same, and where each event's frame begins."""
    opener = (
        Opener(key, recording)
        if start is None
        else Opener(key, recording, first=start.frame, offset=start.offset)
    )
    with path_of(folder, recording).open("rb") as file:
        file.seek(opener.offset)
        left = until - opener.offset
        place = Place(opener.frames, opener.offset)
        while left > 0 and (chunk := file.read(min(_READ, left))):
            left -= len(chunk)
            for event in opener.feed(chunk):
                yield place, event
                place = Place(opener.frames, opener.offset)


async def verify_recording(
    ledger: Ledger,
    folder: Path,
    recording: str,
    *,
    confirms: Callable[[Recorded], Awaitable[bool]] | None = None,
) -> Verification:
    """Hold the file against the facts, and these against the published log. Raises Fault NO_RECORDING."""
    account = await read_account(ledger, recording)
    try:
        key = await data_key(ledger, account.opened)
    except Fault:
        key = None
    found = await asyncio.to_thread(verify_stored, folder, account, key)
    if confirms is None:
        return found
    forged = [
        Finding(recording, "unpublished", {"seq": one.seq})
        for one in {account.opening.seq: account.opening, account.last.seq: account.last}.values()
        if not await confirms(one)
    ]
    return Verification((*forged, *found.findings), found.sound, found.events)


def verify_stored(folder: Path, account: Account, key: bytes | None) -> Verification:
    """The file against the facts; reads it once."""
    recording = account.opened.recording
    path = path_of(folder, recording)
    findings: list[Finding] = []

    def say(kind: str, **values: object) -> None:
        findings.append(Finding(recording, kind, values))

    if key is None:
        say("erased")
    if account.ended is None:
        say("unended")
    header = header_of(recording)
    try:
        file = path.open("rb")
    except OSError:
        say("missing")
        return Verification(tuple(findings), 0, 0)
    with file:
        size = os.fstat(file.fileno()).st_size
        if (begins := file.read(len(header))) != header:
            say("other", name=repr(begins[9:].decode("ascii", "replace")))
            return Verification(tuple(findings), 0, 0)
        walk = _Walk(Opener(key, recording) if key is not None else None)
        chain, sound = hashlib.sha256(header).digest(), len(header)
        for place, segment in enumerate(_segments(account)):
            if segment.index != place or segment.offset != sound:
                say("gap", index=place)
                return Verification(tuple(findings), sound, walk.events)
            end = segment.offset + segment.length
            if end > size:
                say("cut", found=size, length=_recorded_length(account))
                return Verification(tuple(findings), sound, walk.events)
            data = file.read(segment.length)
            chain = hashlib.sha256(chain + data).digest()
            opens = walk.through(data)
            if chain.hex() != segment.chain or not opens:
                say("altered", index=place, start=segment.offset, end=end)
                if walk.broken is not None:
                    say("frame", frame=walk.broken.frame, offset=walk.broken.offset)
                return Verification(tuple(findings), sound, walk.events)
            sound = end
        rest = file.read()
    return _behind(account, findings, walk, sound, rest)


class _Walk:
    """The frames of a file, as far as they open."""

    def __init__(self, opener: Opener | None) -> None:
        self.opener = opener
        self.events = 0
        self.last = 0
        self.broken: Broken | None = None

    def through(self, data: bytes) -> bool:
        if self.opener is None:
            return True
        try:
            for event in self.opener.feed(data):
                self.events += 1
                self.last = event.at
        except Broken as broken:
            self.broken = broken
            return False
        return True


def _segments(account: Account) -> Iterator[RecordSegment]:
    """Each segment, and what recovery added as one more; closing adds nothing but its own word for the last chain."""
    settled = len(header_of(account.opened.recording))
    index = 0
    for segment in account.segments:
        yield segment
        settled, index = segment.offset + segment.length, index + 1
    ended = account.ended
    if isinstance(ended, RecordRecovered) and ended.length > settled:
        yield RecordSegment(
            recording=ended.recording,
            index=index,
            offset=settled,
            length=ended.length - settled,
            chain=ended.chain,
        )


def _recorded_length(account: Account) -> int:
    if account.ended is not None:
        return account.ended.length
    return account.segments[-1].offset + account.segments[-1].length


def _behind(account: Account, findings: list[Finding], walk: _Walk, sound: int, rest: bytes) -> Verification:
    """What stands behind the last segment that the facts know."""
    recording, ended = account.opened.recording, account.ended
    opener = walk.opener

    def say(kind: str, **values: object) -> None:
        findings.append(Finding(recording, kind, values))

    if ended is not None:
        if ended.length > sound:
            # A closing whose length no segment reaches: segments were taken out of the ledger.
            say("gap", index=len(account.segments))
        if opener is not None and ended.length == sound and walk.events != ended.events:
            say("count", found=walk.events, events=ended.events)
        torn = ended.torn if isinstance(ended, RecordRecovered) else 0
        if torn and len(rest) == torn:
            say("torn", length=torn)
        elif rest or torn:
            say("appended", length=len(rest) - torn) if len(rest) > torn else say(
                "cut", found=sound + len(rest), length=ended.length + torn
            )
        return Verification(tuple(findings), sound, walk.events)
    if opener is None:
        if rest:
            say("tail", length=len(rest))
        return Verification(tuple(findings), sound, walk.events)
    opens = walk.through(rest)
    if opener.offset > sound:
        say("tail", length=opener.offset - sound)
    if not opens and walk.broken is not None:
        say("frame", frame=walk.broken.frame, offset=walk.broken.offset)
    elif opener.torn:
        say("torn", length=opener.torn)
    return Verification(tuple(findings), opener.offset, walk.events)


def unknown_files(folder: Path, known: frozenset[str]) -> list[Finding]:
    """Files in the folder that no `record.opened` knows."""
    names = sorted(path.stem for path in folder.glob(f"*{SUFFIX}"))
    return [Finding(name, "unknown", {}) for name in names if name not in known]


# -- after a crash ------------------------------------------------------------------------------------------------


async def recover(ledger: Ledger, folder: Path) -> list[Recorded]:
    """Record the end of every recording that a process left open when it died. Idempotent; what another process
    still writes is locked, and left alone."""
    query = select(recordings.c.recording).where(recordings.c.ended.is_(None)).order_by(recordings.c.opened)
    async with ledger.read() as connection:
        names = list(await connection.scalars(query))
    found = []
    for name in names:
        with _unlocked(path_of(folder, name)) as file:
            if file is not None:
                found.append(await _recover(ledger, folder, name, file))
    return found


async def _recover(ledger: Ledger, folder: Path, recording: str, file: int) -> Recorded:
    account = await read_account(ledger, recording)
    try:
        key = await data_key(ledger, account.opened)
    except Fault:
        key = None
    found = verify_stored(folder, account, key)
    os.fdatasync(file)
    size = os.fstat(file).st_size
    settled = account.segments[-1] if account.segments else None
    start = settled.offset + settled.length if settled else len(header_of(recording))
    chain = bytes.fromhex(settled.chain) if settled else hashlib.sha256(header_of(recording)).digest()
    if found.sound > start:
        chain = hashlib.sha256(chain + os.pread(file, found.sound - start, start)).digest()
    last = 0
    if key is not None:
        for event in stored_events(folder, recording, key, found.sound):
            last = event.at
    fact = RecordRecovered(
        recording=recording,
        events=found.events,
        # Damage is not made right by a crash: what the segments say stays the measure, and verify names it.
        length=max(found.sound, start),
        milliseconds=last // 1000,
        chain=chain.hex(),
        torn=max(size - found.sound, 0) if found.ok else 0,
    )
    return await ledger.record(fact, by="sekisho", about=recording)


@contextmanager
def _unlocked(path: Path) -> Iterator[int | None]:
    """The file, under its lock; None where somebody writes it, or there is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        yield None
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield None
            return
        yield descriptor
    finally:
        os.close(descriptor)
