"""What the console is given: the rooms whose readers and acts it shows."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

from sekisho.evidence.note import VerifierKey
from sekisho.gate.break_glass import Alarm
from sekisho.gate.facts import BreakGlassOpened
from sekisho.ledger import Ledger, Recorded
from sekisho.notify.notices import Notices
from sekisho.people.api_tokens import ApiTokens
from sekisho.people.challenges import Challenges
from sekisho.people.credentials import Enrolment
from sekisho.people.links import LinkDesk
from sekisho.people.login import LoginDesk
from sekisho.people.openid import OpenIdDesk
from sekisho.people.passkeys import PasskeyDesk
from sekisho.people.sessions import Sessions
from sekisho.relay.browser import BrowserDoor
from sekisho.relay.endings import Door
from sekisho.relay.record.recordings import Recordings
from sekisho.relay.workspace.rooms import Workspaces
from sekisho.takeout.asking import Counter
from sekisho.takeout.channels import Deliveries
from sekisho.takeout.desk import TakeoutDesk
from sekisho.takeout.links import Links
from sekisho.takeout.packages import Packages
from sekisho.trace.desk import TraceDesk
from sekisho.watch.export.exporter import Standing
from sekisho.watch.ingest.intake import Intake

GLASS_BROKEN: Final = "gate.glass_broken"  # a log event
_log: Final = structlog.get_logger()

# What a token of the JSON API may be good for: reading, one part of the house each. Acts need a person at the
# console: a token in a script would be a second hand of the same human.
SCOPES: Final = ("me", "tickets", "sessions", "people", "register", "log", "portal", "trace", "takeouts")


async def _sound(opened: BreakGlassOpened, recorded: Recorded) -> None:
    _log.warning(GLASS_BROKEN, ticket=opened.asked.ticket, person=opened.asked.person, line=recorded.seq)


@dataclass(frozen=True, slots=True)
class SocketPass:
    """What lets one WebSocket open: a console session, what for, and until when (seconds of the monotonic clock)."""

    session: str
    purpose: str
    until: float


@dataclass(frozen=True)
class House:
    """One per process. `confirms` holds a fact against the published log; `doors` are those of this process."""

    ledger: Ledger
    log: Path
    key: VerifierKey
    confirms: Callable[[Recorded], Awaitable[bool]]
    login: LoginDesk
    passkeys: PasskeyDesk
    links: LinkDesk
    sessions: Sessions
    tokens: ApiTokens
    # A password that its person has not confirmed with a first code; nothing of it is kept before.
    unconfirmed: Challenges[tuple[str, Enrolment]]
    notices: Notices
    url: str  # of the console, as people open it
    browser: BrowserDoor
    recordings: Recordings
    rooms: Workspaces
    takeouts: TakeoutDesk
    packages: Packages
    counter: Counter
    deliveries: Deliveries
    parcels: Links
    traces: TraceDesk
    passes: Challenges[SocketPass] = field(default_factory=lambda: Challenges(time.monotonic))
    openid: tuple[OpenIdDesk, ...] = ()
    doors: tuple[Door, ...] = ()
    intake: Intake | None = None
    exports: tuple[Standing, ...] = ()  # how each receiver of our events stands
    alarm: Alarm = _sound
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    # Set before the server stops: streams of events end by themselves then. `streams` are the open ones.
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    streams: set[object] = field(default_factory=set)
