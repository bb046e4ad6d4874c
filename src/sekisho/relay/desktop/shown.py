"""A screen as one browser sees it: what is applied to it is marked, compressed, and told when the browser asks."""

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from sekisho.relay.desktop.mark import Mark
from sekisho.relay.desktop.picture import Picture
from sekisho.relay.terminal.session import Terminal
from sekisho.wire.rfb.messages import Asked, Dropped, Key, Opened, Pointer
from sekisho.wire.rfb.screen import ScreenSide
from sekisho.wire.rfb.updates import Change

_FRAME_SECONDS: Final = 0.015
_REST: Final = 50  # times as long as a picture took: a scrolling desktop leaves the processor to the others
_LONGEST_REST: Final = 0.2
_LONG: Final = 300_000  # pixels whose compression would hold up the other sessions of this process
Heard = Opened | Key | Pointer | Dropped


class Shown:
    """Owned by the event loop's thread; only a large picture is compressed on another."""

    def __init__(self, width: int, height: int, mark: Mark, name: str) -> None:
        self.picture: Final = Picture(width, height, mark)
        self.wake: Final = asyncio.Event()  # something was asked for, or applied
        self.telling = False  # a thread looks at the picture
        self._side = ScreenSide(width, height, name)
        self._wanted = self._anew = False
        self._late: list[Change] = []  # applied while a picture was being told; part of the next one

    @staticmethod
    def greeting() -> bytes:
        return ScreenSide.greeting()

    def heard(self, data: bytes) -> tuple[list[Heard], bytes]:
        """What a browser did, but for what it asked, and what it is answered. Raises Fault."""
        events, answers = self._side.feed(data)
        others: list[Heard] = []
        for event in events:
            if isinstance(event, Asked):
                self._anew = self._anew or not event.changes
                self._wanted = True
                self.wake.set()
            else:
                others.append(event)
        return others, answers

    def apply(self, changes: Sequence[Change]) -> None:
        self._late += changes
        self._catch_up()
        self.wake.set()

    def _catch_up(self) -> None:
        if not self.telling:
            changes, self._late = self._late, []
            self.picture.apply(changes)

    @property
    def wanted(self) -> bool:
        """Whether the browser waits for something that it has not seen."""
        return self._wanted and (self._anew or self.picture.changed)

    @property
    def settled(self) -> bool:
        """Whether the browser was told everything."""
        return not self.picture.changed and not self._late

    @property
    def asked(self) -> bool:
        return self._wanted

    async def tell(self) -> tuple[bytes, float]:
        """What the browser has not seen, and for how many seconds to rest, from its beginning on."""
        begun = time.monotonic()
        self._wanted = False
        if self._anew:
            self._anew = False
            self.picture.begin()
        if self.picture.pending <= _LONG:
            told = self.picture.tell()
        else:
            self.telling = True
            try:
                told = await asyncio.to_thread(self.picture.tell)
            finally:
                self.telling = False
                self._catch_up()
        took = time.monotonic() - begun
        return told, max(_FRAME_SECONDS, min(_REST * took, _LONGEST_REST))


async def hear(shown: Shown, terminal: Terminal) -> None:
    """Until the browser is gone: what it asks for is told by `tell_on`; keys and pointer go nowhere. Raises Fault."""
    terminal.write(Shown.greeting())
    while data := await terminal.read():
        _, answers = shown.heard(data)
        if answers:
            terminal.write(answers)


async def tell_on(shown: Shown, terminal: Terminal) -> None:
    """Tell what a browser asks for, until cancelled."""
    while True:
        while not shown.wanted:
            shown.wake.clear()
            await shown.wake.wait()
        told, rest = await shown.tell()
        terminal.write(told)
        await terminal.drain()
        await asyncio.sleep(rest)
