"""How much text goes to a person's terminals. No limit of itself, but raised: nobody reads megabytes.

It is the net under everything that the scanner cannot read: data turned into words, drawn letter by letter, or
dripped ten lines a minute for a week. A session begins with what the sessions of the same person showed that day,
also those before a restart.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import func, select

from sekisho.gate.decide import JST
from sekisho.ledger import Ledger
from sekisho.relay.admission import Admission
from sekisho.relay.tables import sessions, unread_days
from sekisho.relay.terminal.encoded import CHARACTERS_A_PERSON, FREE, Unread
from sekisho.relay.terminal.facts import TerminalEncoded, TerminalOutput, TerminalVolumeHigh

SESSION_BYTES: Final = 4 << 20
DAY_BYTES: Final = 16 << 20
DOORS: Final = ("ssh", "workspace")  # whose bytes are a terminal's


class Day:
    """What one person's terminals showed today (JST). Shared by the person's sessions; owned by the event loop."""

    def __init__(self, day: object, bytes_: int, unread: int) -> None:
        self.day = day
        self.bytes = bytes_
        self.unread = Unread(unread)
        self.raise_at = DAY_BYTES
        while self.raise_at <= bytes_:
            self.raise_at *= 2  # raised already, by the session that passed it


class Volumes:
    """The days of all persons. One per process; the event loop's thread owns it."""

    def __init__(self, ledger: Ledger, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._ledger = ledger
        self._now = now
        self._days: dict[str, Day] = {}

    async def of(self, person: str) -> Day:
        today = self._now().astimezone(JST).date()
        known = self._days.get(person)
        if known is not None and known.day == today:
            return known
        since = datetime(today.year, today.month, today.day, tzinfo=JST).astimezone(UTC)
        mine = (sessions.c.person == person) & sessions.c.door.in_(DOORS) & (sessions.c.opened >= since)
        async with self._ledger.read() as connection:
            shown = await connection.scalar(select(func.coalesce(func.sum(sessions.c.bytes), 0)).where(mine))
            of_day = (unread_days.c.person == person) & (unread_days.c.day == today.isoformat())
            unread = await connection.scalar(select(unread_days.c.characters).where(of_day))
        known = self._days.get(person)  # another session may have loaded it meanwhile
        if known is None or known.day != today:
            known = self._days[person] = Day(today, int(shown or 0), unread or 0)
        return known


class Volume:
    """One session's part: adds up, and says which facts are due."""

    def __init__(self, admission: Admission, day: Day) -> None:
        self._admission = admission
        self._day = day
        self._raise_at = SESSION_BYTES
        self._raise_encoded_at = 0
        self.bytes = 0

    def add(self, output: TerminalOutput) -> list[TerminalVolumeHigh]:
        """Add a second of output; what it raises."""
        self.bytes += output.bytes
        self._day.bytes += output.bytes
        raised = []
        if self.bytes >= self._raise_at:
            raised.append(self._high("session", self.bytes))
            while self._raise_at <= self.bytes:
                self._raise_at *= 2
        if self._day.bytes >= self._day.raise_at:
            raised.append(self._high("day", self._day.bytes))
            while self._day.raise_at <= self._day.bytes:
                self._day.raise_at *= 2
        return raised

    def encoded(self, characters: int) -> TerminalEncoded | None:
        """A fact when so many unreadable characters of this session are to be raised."""
        due = max(CHARACTERS_A_PERSON, self._raise_encoded_at)
        if self._day.unread.characters <= FREE or characters <= due:
            return None
        self._raise_encoded_at = 2 * characters
        grant = self._admission.grant
        return TerminalEncoded(
            session=self._admission.session,
            person=grant.person,
            ticket=grant.ticket,
            organisation=grant.organisation,
            characters=characters,
        )

    def _high(self, scope: str, size: int) -> TerminalVolumeHigh:
        grant = self._admission.grant
        return TerminalVolumeHigh(
            session=self._admission.session,
            person=grant.person,
            ticket=grant.ticket,
            organisation=grant.organisation,
            scope=scope,
            bytes=size,
        )
