"""From text to persons: what is shown at a terminal is spent from the same budgets as rows are.

The text is read twice. The stream, without its control sequences, is read as it comes, and the unfinished line
with it. Where something moves the cursor, the lines of the screen that result are read, too (`screen.py`).

A line shows as many persons as it has different values of its most frequent kind: name, phone and address beside
each other are one person, three phones are three. Who was shown once in a session costs nothing again, on whatever
line; and a person's number is made from the value alone, so that another session of the day finds it again.
"""

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from sekisho.faults import Fault
from sekisho.gate.budget import SCOPE_NAMES, Meter, Shortage, subject_id
from sekisho.gate.facts import BudgetLeased
from sekisho.ledger import Fact
from sekisho.relay.admission import Admission
from sekisho.relay.terminal import faults
from sekisho.relay.terminal.encoded import Unread, Unreadable
from sekisho.relay.terminal.screen import Screen
from sekisho.text.detect import Scanner
from sekisho.text.detect.scanner import scan
from sekisho.text.normal.fold import fold
from sekisho.text.normal.names import normal_kana, normal_name
from sekisho.text.normal.phones import normal_phone

_RECENT: Final = 8192  # bytes kept to cut values from; the scanner waits for a line of at most half of it
_UNSEEN: Final = 32 << 10  # of plain text, as much as a screen can still show
_PIECE: Final = 4096
_MOST_KNOWN: Final = 200_000  # values remembered of a session; beyond, they count again

# What changes no place: colours, erasing to the end of a line, modes but for the other screen, bells, the shifts.
_STILL: Final = re.compile(
    rb"\x1b\[[0-9;:>]*[mK]|\x1b\[\?(?:1|5|7|12|25|45|66|100[0-9]|1015|2004|2026)[hl]|[\x07\x0e\x0f]"
)
_LONE_RETURN: Final = re.compile(rb"\r(?!\n)")
_SEQUENCE: Final = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[ -/]*[0-~]|\x08")

Line = int | str  # its place in the stream, or its text on the screen
Found = tuple[Line, str, str]  # kind, value
Shown = tuple[Line, int, list[int]]  # rows (none when the line has grown), persons


class TextMeter:
    """One session's. `record` returns when the fact is durable; `siblings` as for `AccountBook.siblings`.

    Owned by the session's task."""

    def __init__(
        self,
        admission: Admission,
        record: Callable[[Fact], Awaitable[None]],
        subject_key: bytes,
        siblings: Callable[[], Iterable[Meter]],
        *,
        unread: Unread,
        width: int = 80,
        height: int = 24,
    ) -> None:
        self._admission = admission
        self._meter = admission.meter
        self._record = record
        self._key = subject_key
        self._siblings = siblings
        self._scanner = Scanner()
        self._recent = b""  # the end of the stream so far
        self._place = 0  # of the stream's end
        self._screen: Screen | None = None  # made when something moves the cursor
        self._placed = False  # whether the cursor may stand before other text
        self._size = width, height
        self._unseen: list[bytes] = []  # plain text that the screen has not been given
        self._unseen_bytes = 0
        self._first_shown: dict[int, Line] = {}  # person -> the line that showed it first
        self._counted: dict[Line, int] = {}  # persons counted for lines that may still grow
        self._unreadable = Unreadable()
        self._unread = unread
        self.encoded = 0
        self.sightings: Counter[str] = Counter()
        self.fitting = b""  # of the text that was too much: the whole lines before the first that is

    def resized(self, width: int, height: int) -> None:
        self._size = width, height
        if self._screen is not None:
            self._screen.resize(width, height)

    async def spend(self, data: bytes) -> None:
        """Count what this text shows, and spend it. Raises Fault OVER_LIMIT: then `fitting` is what of it may pass.

        `data` comes from `ControlFilter`: UTF-8, and only controls that it passes."""
        text = _STILL.sub(b"", data) if b"\x1b" in data or b"\x07" in data else data
        moves = b"\x1b" in text or b"\b" in text or _LONE_RETURN.search(text) is not None
        if moves:
            text = _SEQUENCE.sub(b"\n", text)
        found = [*self._stream(text), *self._on_screen(data if moves else text, moves=moves)]
        encoded = self._unreadable.feed(text, data)
        self.encoded += encoded
        lines, kinds = self._persons(found)
        due = self._unread.take(encoded)
        if lines or due:
            try:
                await self._spend(lines, due)
            except Fault:
                # Where something moves the cursor or is unreadable, what a line shows cannot be told from the others.
                if not moves and not due:
                    self._fit(data, text, lines, kinds)
                raise
        self.sightings.update(kind for _, kind in kinds)

    # -- reading ------------------------------------------------------------------------------------------------

    def _stream(self, text: bytes) -> list[Found]:
        """(line, kind, value) of what the stream shows with this piece."""
        begin = self._place - len(self._recent)
        sightings = [*self._scanner.feed(text), *self._scanner.so_far()]
        found: list[Found] = []
        if sightings:
            window = self._recent + text
            for kind, start, end in sightings:
                at = start - begin
                line = max(window.rfind(b"\n", 0, at), window.rfind(b"\r", 0, at)) + begin
                found.append((line, kind, window[max(0, at) : end - begin].decode("utf-8", "replace")))
        self._place += len(text)
        self._recent = text[-_RECENT:] if len(text) >= _RECENT else (self._recent + text)[-_RECENT:]
        return found

    def _on_screen(self, data: bytes, *, moves: bool) -> list[Found]:
        """(line, kind, value) of what the screen shows with this piece, as far as cursor movements made it."""
        screen = self._screen
        if screen is None:
            if not moves:
                self._keep(data)
                return []
            screen = self._screen = Screen(*self._size)
        if moves:
            if self._unseen:
                before = b"".join(self._unseen)
                self._unseen, self._unseen_bytes = [], 0
                screen.feed(before.decode("utf-8", "replace"))
            screen.feed(data.decode("utf-8", "replace"))
            self._placed = True
        elif self._placed:
            # Plain text goes on where the cursor was put, until it has only empty rows before it.
            text, place = data.decode("utf-8", "replace"), 0
            while place < len(text) and not screen.goes_on_empty():
                # Whole lines: only behind one of them can the cursor stand before nothing.
                end = text.rfind("\n", place, place + _PIECE) + 1 or place + _PIECE
                screen.feed(text[place:end])
                place = end
            self._placed = not screen.goes_on_empty()
            self._keep(text[place:].encode())
        else:
            self._keep(data)
            return []
        found: list[Found] = []
        for line in screen.take_changed():
            shown = line.encode()
            for kind, start, end in scan(shown):
                found.append((line, kind, shown[start:end].decode()))
        return found

    def _keep(self, text: bytes) -> None:
        """Plain text that a later cursor movement may stand on: the last of it is enough."""
        if not text:
            return
        self._unseen.append(text[-_UNSEEN:])
        self._unseen_bytes += len(self._unseen[-1])
        if self._unseen_bytes > 2 * _UNSEEN:
            self._unseen = [b"".join(self._unseen)[-_UNSEEN:]]
            self._unseen_bytes = _UNSEEN

    # -- counting -----------------------------------------------------------------------------------------------

    def _persons(self, found: list[Found]) -> tuple[list[Shown], list[tuple[Line, str]]]:
        """The lines that show somebody new; of each value that is new, its line and its kind."""
        if not found:
            return [], []
        kinds_seen: list[tuple[Line, str]] = []
        if len(self._first_shown) > _MOST_KNOWN:
            self._first_shown.clear()
        lines: dict[Line, dict[str, dict[int, None]]] = {}
        known = self._first_shown
        for line, kind, value in found:
            one = subject_id(f"{kind}:{normal_value(kind, value)}".encode(), self._key)
            if one not in known:
                kinds_seen.append((line, kind))
            if known.setdefault(one, line) == line:
                lines.setdefault(line, {}).setdefault(kind, {})[one] = None
        shown: list[Shown] = []
        for line, kinds in lines.items():
            most = max((list(values) for values in kinds.values()), key=len)
            before = self._counted.get(line, 0)
            if len(most) > before:
                shown.append((line, int(before == 0), most[before:]))
                self._counted[line] = len(most)
        while len(self._counted) > 100:  # only the last lines can still grow
            del self._counted[next(iter(self._counted))]
        return shown, kinds_seen

    def _fit(self, data: bytes, text: bytes, shown: list[Shown], kinds: list[tuple[Line, str]]) -> None:
        """Of a piece that was too much, spend the lines before the first that is: what is left of the budget is leased
        by now. They are `fitting`."""
        places = [(line, rows, new) for line, rows, new in shown if isinstance(line, int)]
        if len(places) < len(shown):
            return  # only the screen shows it: it has no place in the text
        begin = self._place - len(text)
        cut = len(text)
        for line, rows, new in sorted(places):
            if not self._meter.spend(rows, new, 0):
                cut = max(0, line + 1 - begin)
                break
        self.sightings.update(
            kind for line, kind in kinds if isinstance(line, int) and line + 1 < begin + cut
        )
        # Sequences that change no place are gone from `text`, and no line end is in any: lines are the measure.
        whole = text.count(b"\n", 0, cut)
        self.fitting = data[: len(data) - len(data.split(b"\n", whole)[-1])]

    async def _spend(self, shown: list[Shown], unreadable: int) -> None:
        meter = self._meter
        rows = sum(row for _, row, _ in shown)
        persons = [one for _, _, new in shown for one in new]
        while not meter.spend(rows, persons, unreadable):
            lease = meter.reserve(meter.short)
            if isinstance(lease, Shortage):
                for sibling in self._siblings():
                    sibling.give_back()
                lease = meter.reserve(meter.short)
            if isinstance(lease, Shortage):
                raise self._over(lease)
            await self._record(BudgetLeased(session=self._admission.session, leased=meter.shared(lease)))
            meter.leased(lease)

    def _over(self, shortage: Shortage) -> Fault:
        return Fault(
            faults.LINES_OVER_LIMIT if shortage.of_rows else faults.OVER_LIMIT,
            limit=f"{shortage.limit:,}",
            scope=SCOPE_NAMES[shortage.account.scope][self._admission.language == "ja"],
            ticket=self._admission.grant.ticket,
        )


def normal_value(kind: str, value: str) -> str:
    """One text for all ways to write the same value."""
    match kind:
        case "phone":
            return normal_phone(value) or fold(value)
        case "name":
            return normal_name(value)
        case "kana":
            return normal_kana(value)
        case "email":
            return fold(value).casefold()
        case "card" | "individual_number" | "pension_number" | "postal_code":
            return "".join(character for character in fold(value) if character.isdigit())
        case _:
            return "".join(fold(value).split())
