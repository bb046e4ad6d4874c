"""The recording of a desktop, watched again: its picture at any time, and a track that can be searched.

The pictures are drawn anew, with marks that name who watches: what leaves a replay leaves with the watcher's name.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from sekisho.relay.desktop.reel import ReelReader, begins
from sekisho.relay.desktop.session import TITLE
from sekisho.relay.record.reading import Place, placed_events, stored_events
from sekisho.wire.asciicast.cast import Event
from sekisho.wire.rfb.messages import Copied, Pixels
from sekisho.wire.rfb.updates import Change

Kind = Literal["typed", "title", "mark"]
_PAUSE: Final = 2_000_000  # microseconds without a key that end a piece of typed text
_LONGEST: Final = 200  # characters of one
MOST: Final = 20_000  # entries of a track


@dataclass(frozen=True, slots=True)
class Entry:
    """Something to find, `at` microseconds after the start: what was typed without a pause, the title of a window
    that got the keyboard, or a mark."""

    at: int
    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class Track:
    """What can be searched, and where a replay can start. `end` is the time of the last event."""

    entries: tuple[Entry, ...]
    starts: tuple[tuple[int, Place], ...]
    end: int


def read_track(placed: Iterable[tuple[Place, Event]]) -> Track:
    """Reads the whole recording once. Raises Broken."""
    entries: list[Entry] = []
    starts: list[tuple[int, Place]] = []
    end = 0
    typed: Entry | None = None
    last = 0
    for place, event in placed:
        end = event.at
        match event.code:
            case "o" if begins(event.data):
                starts.append((event.at, place))
            case "m" if len(entries) < MOST:
                said = event.data.decode("utf-8", "replace")
                title = said.startswith(TITLE)
                entries.append(
                    Entry(event.at, "title" if title else "mark", said.removeprefix(TITLE) if title else said)
                )
            case "i":
                text = event.data.decode("utf-8", "replace")
                over = text in "\r\n" or (typed is not None and len(typed.text) >= _LONGEST)
                if typed is not None and (over or event.at - last > _PAUSE):
                    entries.append(typed)
                    typed = None
                if text not in "\r\n" and len(entries) < MOST:
                    typed = (
                        Entry(event.at, "typed", text)
                        if typed is None
                        else Entry(typed.at, "typed", _on(typed.text, text))
                    )
                last = event.at
            case _:
                pass
    if typed is not None:
        entries.append(typed)
    return Track(tuple(sorted(entries, key=lambda one: one.at)), tuple(starts), end)


def _on(text: str, key: str) -> str:
    return text[:-1] if key == "\x7f" else text + key


class Replay:
    """One recording as far as it is what was recorded (`until` stored bytes). Blocking; owned by one view."""

    def __init__(
        self,
        folder: Path,
        recording: str,
        key: bytes,
        until: int,
        size: tuple[int, int],
        track: Track | None = None,
    ) -> None:
        self._where = folder, recording, key, until
        self._size = size
        self.track: Final = track or read_track(placed_events(*self._where))
        self.at = 0
        self._screen: NDArray[np.uint16] = blank(size)
        self._reader = ReelReader(*size)
        self._events: Iterator[Event] = iter(())
        self._next: Event | None = None
        self._begin(0)

    @property
    def screen(self) -> NDArray[np.uint16]:
        """What was on the screen at this time: 5 bits each of red, green and blue."""
        return self._screen

    @property
    def due(self) -> int | None:
        """When the picture changes next; None at the end."""
        return None if self._next is None else self._next.at

    def step(self, to: int) -> list[Change]:
        """Go on to a time; what changed until then. Raises Fault, Broken."""
        changes: list[Change] = []
        while self._next is not None and self._next.at <= to:
            made = self._reader.feed(self._next.data)
            draw(self._screen, made)
            changes += made
            self._take()
        self.at = max(self.at, min(to, self.track.end))
        return changes

    def seek(self, to: int) -> list[Change]:
        """Go to any time from the first picture on; the whole picture then. Raises Fault, Broken."""
        to = max(to, self.track.starts[0][0] if self.track.starts else 0)
        near = [number for number, (at, _) in enumerate(self.track.starts) if at <= to]
        if to < self.at or (near and self.track.starts[near[-1]][0] > self.at):
            self._begin(near[-1] if near else 0)
        self.step(to)
        self.at = min(to, self.track.end)
        height, width = self._screen.shape
        return [Pixels(0, 0, width, height, self._screen.astype("<u2").tobytes())]

    def _begin(self, number: int) -> None:
        start = self.track.starts[number] if self.track.starts else None
        self._reader = ReelReader(*self._size)
        self._screen[:] = 0
        self.at = start[0] if start and number else 0
        self._events = (
            event for event in stored_events(*self._where, start[1] if start else None) if event.code == "o"
        )
        self._take()

    def _take(self) -> None:
        self._next = next(self._events, None)


def blank(size: tuple[int, int]) -> NDArray[np.uint16]:
    """A screen of this width and height, on which nothing was shown yet."""
    return np.zeros(size[::-1], np.uint16)


def draw(screen: NDArray[np.uint16], changes: Iterable[Change]) -> None:
    for one in changes:
        here = screen[one.y : one.y + one.height, one.x : one.x + one.width]
        if isinstance(one, Copied):
            here[:] = screen[one.from_y : one.from_y + one.height, one.from_x : one.from_x + one.width]
        else:
            here[:] = np.frombuffer(one.data, "<u2").reshape(one.height, one.width)
