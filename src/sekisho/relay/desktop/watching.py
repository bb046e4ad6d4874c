"""A desktop watched by somebody else: live, or its recording again. The marks name who watches, and which view."""

import asyncio
import time
from collections.abc import AsyncIterable, Callable
from typing import Final

from sekisho.relay.desktop import imprint
from sekisho.relay.desktop.mark import Mark
from sekisho.relay.desktop.reel import ReelReader
from sekisho.relay.desktop.replay import Replay
from sekisho.relay.desktop.shown import Shown
from sekisho.wire.asciicast.cast import Event

_LONGEST_PAUSE: Final = 2.0  # seconds that nothing happens in a replay
_TOGETHER: Final = 40_000  # microseconds of a recording that are shown as one picture


def view_name(watched: int) -> str:
    """Which view a mark names: the number of its `record.watched`."""
    return f"w-{watched}"


def mark_of(person: str, at: str, watched: int, size: tuple[int, int], key: bytes) -> Mark:
    """The marks of one view."""
    name = view_name(watched)
    return Mark(*size, f"{person}  {at}  {name}", imprint.drawn(key, name, *size))


def shown_to(person: str, at: str, watched: int, size: tuple[int, int], key: bytes) -> Shown:
    """A screen with the marks of one view."""
    return Shown(*size, mark_of(person, at, watched, size, key), view_name(watched))


async def follow(shown: Shown, size: tuple[int, int], events: AsyncIterable[Event]) -> None:
    """A running session, from the whole picture on that the recording tells whoever comes. Raises Fault."""
    reader = ReelReader(*size)
    async for event in events:
        if event.code == "o":
            shown.apply(reader.feed(event.data))


class Player:
    """A replay that goes on by itself, and is told what to do. Owned by the event loop's thread."""

    def __init__(self, replay: Replay, shown: Shown, told: Callable[[float, bool], None]) -> None:
        """`told` hears where the replay is, in seconds, and whether it goes on."""
        self._replay = replay
        self._shown = shown
        self._told = told
        self._playing = False
        self._speed = 1.0
        self._wanted: int | None = 0
        self._wake = asyncio.Event()

    def play(self, playing: bool) -> None:
        self._playing = playing
        self._wake.set()

    def speed(self, speed: float) -> None:
        self._speed = speed
        self._wake.set()

    def seek(self, seconds: float) -> None:
        self._wanted = round(seconds * 1e6)
        self._wake.set()

    async def run(self) -> None:
        """Until cancelled. Raises Fault, Broken."""
        replay = self._replay
        while True:
            self._wake.clear()
            if self._wanted is not None:
                wanted, self._wanted = self._wanted, None
                self._shown.apply(await asyncio.to_thread(replay.seek, wanted))
            elif self._playing and replay.due is None:
                self._playing = False
                self._shown.apply(replay.step(replay.track.end))
            elif self._playing and replay.due is not None:
                await self._pass(replay.due)
                continue
            self._told(replay.at / 1e6, self._playing)
            await self._wake.wait()

    async def _pass(self, due: int) -> None:
        """Wait as long as the recording did, two seconds at most, and show what comes then."""
        wait = min((due - self._replay.at) / 1e6, _LONGEST_PAUSE) / self._speed
        begun = time.monotonic()
        try:
            async with asyncio.timeout(wait):
                await self._wake.wait()
        except TimeoutError:
            self._shown.apply(
                await asyncio.to_thread(self._replay.step, due + round(_TOGETHER * self._speed))
            )
        else:
            # Told otherwise meanwhile: what has passed of the pause has passed.
            passed = round((time.monotonic() - begun) * self._speed * 1e6)
            self._replay.at = min(due, self._replay.at + passed)
        self._told(self._replay.at / 1e6, self._playing)
