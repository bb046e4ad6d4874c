"""An X11 client that wants one thing: the title of the window that has the keyboard. Sans-io.

X Window System Protocol, version 11: the set-up, InternAtom, ChangeWindowAttributes, GetProperty, PropertyNotify.
The X server runs beside whoever works in the sandbox, so what it says is bounded, and a title is only what somebody
wrote into a window.
"""

import struct
from collections.abc import Generator
from typing import Final

from sekisho.wire.rfb.messages import Reading, Steps

HELLO: Final = struct.pack("<BxHHHHxx", ord("l"), 11, 0, 0, 0)
LONGEST: Final = 200  # characters of a title
_LARGEST: Final = 1 << 16  # bytes of an answer
_PROPERTY_CHANGE: Final = 1 << 22
_NAMES: Final = (b"_NET_ACTIVE_WINDOW", b"_NET_WM_NAME", b"WM_NAME")


class TitleReader:
    """One connection. `HELLO` goes out first. Bytes of the server in; titles, and what goes out for them, out."""

    def __init__(self) -> None:
        self._titles: list[str] = []
        self._answers = bytearray()
        self._changed = False
        self._reading = Reading(self._steps())

    def feed(self, data: bytes) -> tuple[list[str], bytes]:
        """The new titles. Raises ValueError when the server says something else: it is asked no more."""
        self._reading.feed(data)
        titles, answers = self._titles, bytes(self._answers)
        self._titles = []
        self._answers.clear()
        return titles, answers

    def _steps(self) -> Steps:
        status, length = struct.unpack("<BxHHH", (yield 8))[0::3]
        if status != 1 or length * 4 > _LARGEST:
            raise ValueError("the X server takes no connection")
        setup = yield length * 4
        vendor, formats = struct.unpack_from("<H", setup, 16)[0], setup[21]
        (root,) = struct.unpack_from("<I", setup, 32 + (vendor + 3) // 4 * 4 + formats * 8)
        atoms = []
        for name in _NAMES:
            padded = name + bytes(-len(name) % 4)
            self._answers += struct.pack("<BBHHxx", 16, 0, 2 + len(padded) // 4, len(name)) + padded
            answer = yield from self._answer()
            atoms.append(struct.unpack_from("<I", answer, 8)[0])
        active, *names = atoms
        self._watch(root)
        window, last = 0, ""
        while True:
            found = yield from self._property(root, active)
            now = struct.unpack_from("<I", found)[0] if len(found) >= 4 else 0
            if now != window:
                window = now
                if window:
                    self._watch(window)
            title = ""
            for name in names if window else ():
                if said := (yield from self._property(window, name)):
                    title = "".join(filter(str.isprintable, said.decode("utf-8", "replace")))[:LONGEST]
                    break
            if title and title != last:
                self._titles.append(title)
                last = title
            yield from self._change()

    def _watch(self, window: int) -> None:
        self._answers += struct.pack("<BBHIII", 2, 0, 4, window, 0x800, _PROPERTY_CHANGE)

    def _property(self, window: int, name: int) -> Generator[int, bytes, bytes]:
        self._answers += struct.pack("<BBHIIIII", 20, 0, 6, window, name, 0, 0, LONGEST)
        answer = yield from self._answer()
        (count,) = struct.unpack_from("<I", answer, 16)
        return answer[32 : 32 + min(count * max(1, answer[1] // 8), LONGEST * 4)]

    def _answer(self) -> Generator[int, bytes, bytes]:
        """The answer to the last request; an error is an empty one."""
        while True:
            packet = yield 32
            if packet[0] == 0:
                if packet[10] == 2:
                    continue  # of `_watch`, which has no answer: the window is gone
                return bytes(32)
            if packet[0] == 1:
                length = struct.unpack_from("<I", packet, 4)[0] * 4
                if length > _LARGEST:
                    raise ValueError("an answer of the X server is too long")
                return packet + ((yield length) if length else b"")
            self._changed = True

    def _change(self) -> Generator[int, bytes, None]:
        """Until a property of a window that we watch changed."""
        while not self._changed:
            self._changed = (yield 32)[0] & 0x7F == 28
        self._changed = False
