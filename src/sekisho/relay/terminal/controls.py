"""The control strings that reach a terminal: an allow-list, sans-io.

What is passed is text in UTF-8 and the controls that a screen program needs: colours, cursor, erasing, scrolling,
and the modes below. Everything else is removed, and named by its kind: clipboards (OSC 52), graphics (sixel, kitty,
iTerm), titles and hyperlinks, printing, file transfers (ZMODEM, kermit, trzsz), tmux's control mode, every report
whose answer the target can choose (ECMA-48 DCS, DECRQSS, ENQ, title reports), all 8-bit forms, other encodings.

A sequence that is cut by the end of a chunk waits for the next one, at most `_LONGEST` bytes of it.
"""

import re
from typing import Final

_LONGEST: Final = 256  # bytes of a sequence that is not a string; longer ones are no terminal's
_LONGEST_STRING: Final = 1 << 20  # after this much, what follows is text again (and is scanned as such)
_HEAD: Final = 24  # bytes of a string by which its kind is told

# ECMA-48 5.3, C0: bell, backspace, tab, line feed, vertical tab, form feed, return, and the two shifts.
_C0: Final = bytes(range(0x07, 0x10))
_TEXT: Final = _C0 + bytes(range(0x20, 0x7F)) + bytes(range(0x80, 0x100))

_SPECIAL: Final = re.compile(rb"[\x00-\x06\x10-\x1f\x7f]|\xc2[\x80-\x9f]")
_CSI: Final = re.compile(rb"\x1b\[([<-?]*)([0-9:;]*)([ -/]*)([@-~])")
_CSI_BEGUN: Final = re.compile(rb"\x1b\[[ -?]*[@-~]?")
_ESCAPE: Final = re.compile(rb"\x1b([ -/]*)([0-~])")
_ESCAPE_BEGUN: Final = re.compile(rb"\x1b[ -/]*")
_C1: Final = re.compile(rb"\xc2[\x80-\x9f]")
# The rest of a sequence that is removed in any case: up to its final byte, or to what cannot belong to it.
_RESTS: Final = {"sequence": re.compile(rb"[ -?]*([@-~]?)"), "escape": re.compile(rb"[ -/]*([0-~]?)")}
_CSI_FINAL: Final = frozenset(range(0x40, 0x7F))
_STRING_END: Final = re.compile(rb"[\x18\x1a\x1b]|\xc2\x9c")
_OSC_END: Final = re.compile(rb"[\x07\x18\x1a\x1b]|\xc2\x9c")

_FINALS: Final = frozenset(b"@ABCDEFGHIJKLMPSTXZ`abcdefgmrsu")
# Modes: insert; cursor keys, origin, autowrap, blinking and visible cursor, the other screen, bracketed paste,
# the mouse, focus, and synchronised output. Not: VT52 (another grammar), 132 columns, printing, 8-bit answers.
_MODES: Final = frozenset({b"4"})
_PRIVATE_MODES: Final = frozenset(
    b"1 5 6 7 12 25 45 47 66 1000 1002 1003 1004 1005 1006 1015 1047 1048 1049 2004 2026".split()
)
_ESCAPES: Final = frozenset((b"", bytes([final])) for final in b"78=>DEHMc") | frozenset(
    (bytes([which]), bytes([final])) for which in b"()*+" for final in b"0AB"
)
_STRINGS: Final = {
    b"P": "dcs",
    b"]": "osc",
    b"X": "sos",
    b"^": "pm",
    b"_": "apc",
    b"k": "title",
}
_C1_STRINGS: Final = {
    b"\xc2\x90": "dcs",
    b"\xc2\x98": "sos",
    b"\xc2\x9d": "osc",
    b"\xc2\x9e": "pm",
    b"\xc2\x9f": "apc",
}
_OSC_KINDS: Final = {
    b"0": "title", b"1": "title", b"2": "title", b"3": "title", b"8": "hyperlink", b"9": "notification",
    b"52": "clipboard", b"5522": "clipboard", b"1337": "iterm", b"777": "notification", b"99": "notification",
}  # fmt: skip
_TRZSZ: Final = b"::TRZSZ:TRANSFER:"


class ControlFilter:
    """Feed what the target sent; what comes out may go to a terminal."""

    def __init__(self) -> None:
        self._held = b""  # the beginning of a character or sequence
        self._string = ""  # the form of the control string that is being swallowed, or ""
        self._head = b""
        self._swallowed = 0
        self._last = b""  # the last bytes that were passed, for words that two chunks share

    def feed(self, data: bytes) -> tuple[bytes, list[str]]:
        """The bytes that may pass, and the kinds of what was removed, in order."""
        removed: list[str] = []
        if self._held:
            data, self._held = self._held + data, b""
        data = self._whole_characters(data, removed)
        if self._string or data.translate(None, _TEXT) or (b"\xc2" in data and _C1.search(data)):
            clean = self._pass(data, removed)
        else:
            clean = data
        return self._without_trzsz(clean, removed), removed

    def _whole_characters(self, data: bytes, removed: list[str]) -> bytes:
        """`data` in valid UTF-8. The beginning of a character is kept for the next chunk."""
        if data.isascii():
            return data
        try:
            data.decode()
            return data
        except UnicodeDecodeError as error:
            if error.start >= len(data) - 3 and error.reason == "unexpected end of data":
                self._held = data[error.start :]
                return data[: error.start]
        for cut in range(len(data) - 1, max(-1, len(data) - 4), -1):
            if data[cut] >= 0xC2:  # a leading byte: does its character end in this chunk?
                length = 2 if data[cut] < 0xE0 else 3 if data[cut] < 0xF0 else 4
                if cut + length > len(data) and _begins_character(data[cut:]):
                    data, self._held = data[:cut], data[cut:]
                break
        removed.append("encoding")
        return data.decode("utf-8", "replace").encode()

    def _pass(self, data: bytes, removed: list[str]) -> bytes:
        out: list[bytes] = []
        place = 0
        while place < len(data):
            if self._string:
                place = self._swallow(data, place, removed)
                continue
            special = _SPECIAL.search(data, place)
            plain = special.start() if special else len(data)
            if plain > place:
                out.append(data[place:plain])
                place = plain
            elif data[place] == 0x1B:
                place = self._escape(data, place, out, removed)
            elif data[place] == 0xC2:
                place = self._c1(data, place, removed)
            else:
                byte = data[place]
                before = out[-1][-1:] if out else self._last[-1:]
                if byte == 0x18 and before == b"*":  # ZPAD ZDLE: no ZMODEM header is without it
                    removed.append("zmodem")
                elif byte == 0x05:
                    removed.append("answerback")
                elif byte == 0x01:
                    removed.append("kermit")
                else:
                    removed.append("control")
                place += 1
        return b"".join(out)

    def _escape(self, data: bytes, place: int, out: list[bytes], removed: list[str]) -> int:
        second = data[place + 1 : place + 2]
        if second == b"[":
            if (csi := _CSI.match(data, place)) and len(csi[0]) <= _LONGEST:
                if kind := _refused(csi):
                    removed.append(kind)
                else:
                    out.append(csi[0])
                return csi.end()
            begun = _CSI_BEGUN.match(data, place)
        elif form := _STRINGS.get(second):
            self._string, self._head, self._swallowed = form, b"", 0
            return place + 2
        else:
            if escape := _ESCAPE.match(data, place):
                if (escape[1], escape[2]) in _ESCAPES:
                    out.append(escape[0])
                else:
                    removed.append("charset" if escape[1] else "escape")
                return escape.end()
            begun = _ESCAPE_BEGUN.match(data, place)
        end = begun.end() if begun else place + 1
        if end < len(data) or (data[end - 1] in _CSI_FINAL and end - place > 2):
            removed.append("sequence" if second == b"[" else "escape")  # it is none of a terminal's
        elif end - place <= _LONGEST:
            self._held = data[place:] + self._held
        else:
            self._string = "sequence" if second == b"[" else "escape"
        return end

    def _c1(self, data: bytes, place: int, removed: list[str]) -> int:
        """An 8-bit control as a terminal in UTF-8 understands it (ECMA-48 5.3). None of them passes."""
        one = data[place : place + 2]
        if form := _C1_STRINGS.get(one):
            self._string, self._head, self._swallowed = form, b"", 0
            return place + 2
        removed.append("c1")
        if one == b"\xc2\x9b":
            self._string = "sequence"
        return place + 2

    def _swallow(self, data: bytes, place: int, removed: list[str]) -> int:
        if ends := _RESTS.get(self._string):
            rest = ends.match(data, place)
            if rest is None or rest[1] or rest.end() < len(data):
                removed.append(self._string)
                self._string = ""
            return rest.end() if rest else place
        end = (_OSC_END if self._string == "osc" else _STRING_END).search(data, place)
        upto = end.start() if end else len(data)
        if len(self._head) < _HEAD:
            self._head += data[place : min(upto, place + _HEAD)]
        self._swallowed += upto - place
        if end is None:
            if self._swallowed > _LONGEST_STRING:
                self._end_string(removed)
            return upto
        if end[0] != b"\x1b":
            self._end_string(removed)
            return end.end()
        if end.end() == len(data):
            self._held = b"\x1b" + self._held
            return len(data)
        self._end_string(removed)
        # ESC \ ends the string; any other escape does, too, and begins its own.
        return end.end() + 1 if data[end.end()] == 0x5C else upto

    def _end_string(self, removed: list[str]) -> None:
        removed.append(_kind_of(self._string, self._head))
        self._string, self._head = "", b""

    def _without_trzsz(self, clean: bytes, removed: list[str]) -> bytes:
        """Without the word that starts a trzsz transfer: its last byte is changed, so that none need be held back."""
        reach = len(_TRZSZ) - 1
        if b"TRZSZ:TRANSFER:" in clean or _TRZSZ in self._last + clean[:reach]:
            removed.append("trzsz")
            joined = (self._last + clean).replace(_TRZSZ, _TRZSZ[:-1] + b".")
            clean = joined[len(self._last) :]
        if clean:
            self._last = (clean if len(clean) >= reach else self._last + clean)[-reach:]
        return clean


def _begins_character(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data"
    return False


def _refused(csi: re.Match[bytes]) -> str:
    """Why a control sequence may not pass, as a kind; "" when it may."""
    private, parameters, between, final = csi.groups()
    if final in b"hl" and not between:
        modes = parameters.split(b";")
        if private == b"?":
            return "" if _PRIVATE_MODES.issuperset(modes) else "mode"
        return "" if not private and _MODES.issuperset(modes) else "mode"
    if final == b"n":
        # Where the cursor is, and that the terminal lives: nothing that the target can choose.
        return "" if (private, between) == (b"", b"") and parameters in (b"5", b"6") else "report"
    if final == b"c":
        return "" if private in (b"", b">") and not between and parameters in (b"", b"0") else "report"
    if final == b"m" and private in (b"", b">") and not between:
        return ""
    if between:
        return "" if (private, between, final) in ((b"", b" ", b"q"), (b"", b"!", b"p")) else "sequence"
    if final == b"t":
        return "window"  # moves and resizes the window, and reports its title
    if final == b"i":
        return "print"
    if private or final[0] not in _FINALS:
        return "sequence"
    return "sequence" if final in b"ST" and parameters.count(b";") else ""


def _kind_of(form: str, head: bytes) -> str:
    if form == "osc":
        return _OSC_KINDS.get(head.split(b";")[0].strip(), "osc")
    if form == "dcs":
        command = head.lstrip(b"0123456789;")
        if command.startswith(b"q"):
            return "sixel"
        if head.startswith(b"1000p"):
            return "tmux"
        return "report" if command[:2] in (b"$q", b"+q") else "dcs"
    if form == "apc":
        return "kitty" if head.startswith(b"G") else "apc"
    return form
