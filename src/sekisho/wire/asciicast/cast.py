"""Events of a terminal, and their asciicast v2 lines.

A terminal speaks bytes, asciicast v2 speaks text. What is no UTF-8 stands in the text as U+FFFD, as any player
would show it, and a line of the code "b" behind it says which bytes these were: players pass over codes that they do
not know, and `CastDecoder` puts the bytes back. A character that was cut between two events is held until its
rest comes, as asciinema itself does. So the bytes of each stream come back exactly; only the place where one event
ended and the next one began may move by up to three bytes.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from sekisho.wire.asciicast.faults import NO_CAST
from sekisho.wire.faults import ProtocolViolation

Code = Literal["o", "i", "r", "m"]
"""Output, input, resize ("80x24"), marker (its label)."""

_KNOWN: Final[dict[str, Code]] = {"o": "o", "i": "i", "r": "r", "m": "m"}
_ESCAPED: Final = re.compile("[\udc80-\udcff]")
_LONGEST_LINE: Final = 32 << 20
_INVALID: Final = "b"


@dataclass(frozen=True, slots=True)
class Event:
    """What happened `at` microseconds after the start."""

    at: int
    code: Code
    data: bytes


@dataclass(frozen=True, slots=True)
class Header:
    """Size in characters; `timestamp` in seconds since 1970."""

    width: int
    height: int
    timestamp: int
    title: str = ""


class CastEncoder:
    """Events in, lines out. `finish` gives what was held back."""

    def __init__(self) -> None:
        self._held: dict[Code, bytes] = {}
        self._at = 0

    def header(self, header: Header) -> bytes:
        fields: dict[str, object] = {
            "version": 2,
            "width": header.width,
            "height": header.height,
            "timestamp": header.timestamp,
            "env": {"TERM": "xterm-256color"},
        }
        if header.title:
            fields["title"] = header.title
        return _line(fields)

    def encode(self, event: Event) -> bytes:
        """The lines of one event; none while all of it is held back."""
        self._at = event.at
        data = self._held.pop(event.code, b"") + event.data
        try:
            text = data.decode()
        except UnicodeDecodeError:
            whole = len(data) - _incomplete(data)
            if whole < len(data):
                self._held[event.code] = data[whole:]
            return self._lines(event.code, data[:whole]) if whole else b""
        return _line([event.at / 1e6, event.code, text]) if text or not event.data else b""

    def finish(self) -> bytes:
        """What will never become whole: invalid after all."""
        held, self._held = self._held, {}
        return b"".join(self._lines(code, data) for code, data in held.items())

    def _lines(self, code: Code, data: bytes) -> bytes:
        text = data.decode("utf-8", "surrogateescape")
        invalid = [f"{one.start()}:{ord(one[0]) - 0xDC00:02x}" for one in _ESCAPED.finditer(text)]
        line = _line([self._at / 1e6, code, _ESCAPED.sub("\ufffd", text)])
        return line + _line([self._at / 1e6, _INVALID, " ".join(invalid)]) if invalid else line


class CastDecoder:
    """Bytes of a cast in, in any pieces; its header and events out. Raises ProtocolViolation."""

    def __init__(self) -> None:
        self.header: Header | None = None
        self._rest = b""
        self._last: Event | None = None
        self._text = ""

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """The events that are known to be whole: the last one waits for the line behind it, or for `finish`."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) > _LONGEST_LINE:
            raise ProtocolViolation(NO_CAST, reason="a line is too long")
        for line in lines:
            if line.strip():
                yield from self._line(line)

    def finish(self) -> Iterator[Event]:
        if self._rest.strip():
            rest, self._rest = self._rest, b""
            yield from self._line(rest)
        if self._last is not None:
            yield self._last
            self._last = None

    def _line(self, line: bytes) -> Iterator[Event]:
        try:
            value = json.loads(line)
            if self.header is None:
                self.header = _header(value)
                return
            seconds, code, text = value
            at = round(float(seconds) * 1e6)
            if not isinstance(text, str) or not isinstance(code, str):
                raise ValueError("not strings")
            if code == _INVALID and self._last is not None:
                self._last = Event(self._last.at, self._last.code, _restored(self._text, text))
                return
            # Lone surrogates are no text; no encoder of ours writes them.
            data = text.encode()
        except (ValueError, TypeError, KeyError, IndexError, OverflowError, RecursionError) as error:
            raise ProtocolViolation(NO_CAST, reason=type(error).__name__) from error
        if self._last is not None:
            yield self._last
        known = _KNOWN.get(code)
        self._last, self._text = (Event(at, known, data) if known else None), text


def _header(value: dict[str, object]) -> Header:
    width, height = value["width"], value["height"]
    timestamp, title = value.get("timestamp", 0), value.get("title", "")
    if value["version"] != 2 or not isinstance(width, int) or not isinstance(height, int):
        raise ValueError("no version 2")
    if not isinstance(timestamp, int | float) or not isinstance(title, str):
        raise ValueError("no timestamp")
    return Header(width, height, int(timestamp), title)


def _restored(text: str, invalid: str) -> bytes:
    characters = list(text)
    for one in invalid.split():
        place, _, byte = one.partition(":")
        where, taken = int(place), int(byte, 16)
        if where < 0 or characters[where] != "\ufffd" or not 0x80 <= taken <= 0xFF:
            raise ValueError("a byte stands where none was taken out")
        characters[where] = chr(0xDC00 + taken)
    return "".join(characters).encode("utf-8", "surrogateescape")


def _incomplete(data: bytes) -> int:
    """How many bytes at the end are the beginning of a character (RFC 3629 section 4), 0 to 3."""
    for back in range(1, min(4, len(data) + 1)):
        byte = data[-back]
        if byte & 0xC0 == 0x80:
            continue
        needed = 2 if 0xC2 <= byte <= 0xDF else 3 if byte & 0xF0 == 0xE0 else 4 if 0xF0 <= byte <= 0xF4 else 1
        return back if needed > back else 0
    return 0


def _line(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(", ", ": ")).encode() + b"\n"
