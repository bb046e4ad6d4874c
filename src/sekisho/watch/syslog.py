"""Syslog, sans-io: bytes in, messages out, and back.

Framing is that of RFC 5425 (octet counting) or, where the first byte is no digit, that of RFC 6587 3.4.2 (a line
feed ends a message), both on TLS only. A message is RFC 5424's; one of RFC 3164 is taken as far as it goes, because
many programs still write it.
"""

import re
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from sekisho.faults import Fault
from sekisho.watch.faults import BAD_SYSLOG

LARGEST: Final = 64 << 10  # bytes of a message; RFC 5425 4.3.1 asks for 2,048 at least
_LENGTH_DIGITS: Final = 5
_MARK: Final = b"\xef\xbb\xbf"  # RFC 5424 6.4: a text in UTF-8 begins with it
_NIL: Final = "-"
# RFC 5424 6: PRI VERSION SP TIMESTAMP SP HOSTNAME SP APP-NAME SP PROCID SP MSGID SP, then structured data.
_HEADER: Final = re.compile(rb"<(\d{1,3})>1 (\S+) (\S{1,255}) (\S{1,48}) (\S{1,128}) (\S{1,32}) ")
_ELEMENT: Final = re.compile(rb'\[([^ =\]"]{1,32})((?: [^ =\]"]{1,32}="(?:[^"\\\]]|\\.)*")*)\]', re.DOTALL)
_PARAMETER: Final = re.compile(rb' ([^ =\]"]{1,32})="((?:[^"\\\]]|\\.)*)"', re.DOTALL)
_ESCAPED: Final = re.compile(rb'\\(["\\\]])')
# RFC 3164 4.1: no year, no zone, no certainty.
_OLD: Final = re.compile(
    rb"<(\d{1,3})>([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) (\S+) ([^:\[\s]{1,48})(?:\[(\d+)\])?: ?"
)


class Frames:
    """`for message in frames.feed(chunk)`. Raises Fault BAD_SYSLOG: what follows cannot be told apart any more."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._counted: bool | None = None

    def feed(self, chunk: bytes) -> list[bytes]:
        buffer = self._buffer
        buffer += chunk
        if self._counted is None and buffer:
            self._counted = 0x31 <= buffer[0] <= 0x39  # RFC 5425 4.3.1: MSG-LEN has no leading zero
        return self._by_count() if self._counted else self._by_line()

    @property
    def unfinished(self) -> int:
        """Bytes of a message that has not come whole."""
        return len(self._buffer)

    def _by_count(self) -> list[bytes]:
        buffer, found, start = self._buffer, [], 0
        while True:
            space = buffer.find(b" ", start, start + _LENGTH_DIGITS + 1)
            if space < 0:
                if len(buffer) - start > _LENGTH_DIGITS:
                    raise Fault(BAD_SYSLOG, reason="a message without its length")
                break
            digits = bytes(buffer[start:space])
            if not digits.isdigit() or digits.startswith(b"0") or int(digits) > LARGEST:
                raise Fault(BAD_SYSLOG, reason=f"the length {digits[:8]!r}")
            end = space + 1 + int(digits)
            if end > len(buffer):
                break
            found.append(bytes(buffer[space + 1 : end]))
            start = end
        del buffer[:start]
        return found

    def _by_line(self) -> list[bytes]:
        *lines, rest = self._buffer.split(b"\n")
        if len(rest) > LARGEST or any(len(line) > LARGEST for line in lines):
            raise Fault(BAD_SYSLOG, reason=f"a line of more than {LARGEST} bytes")
        self._buffer = rest
        return [bytes(line) for line in lines if line.strip(b"\r\0 ")]


def counted(message: bytes) -> bytes:
    """One frame of RFC 5425."""
    return b"%d %s" % (len(message), message)


def read_message(raw: bytes, received: datetime) -> dict[str, Any]:
    """A flat record: `at`, `host`, `app`, `procid`, `msgid`, `facility`, `severity`, `message`, and structured data as
    `sd.ID.NAME`. A message that is a JSON object (also behind "@cee:") gives its members too; the header comes first.

    What cannot be read is a `message` at the time `received`, with `malformed`: no line is lost for its form."""
    found = _HEADER.match(raw)
    if found is None:
        return _read_old(raw, received)
    priority, stamp, *names = (part.decode("utf-8", "replace") for part in found.groups())
    at = _time(stamp)
    named = zip(("host", "app", "procid", "msgid"), names, strict=True)
    record: dict[str, Any] = {name: value for name, value in named if value != _NIL}
    record |= {"at": (at or received).isoformat(), **_priority(int(priority))}
    rest = raw[found.end() :]
    if rest.startswith(b"-"):
        rest = rest[1:]
    else:
        while (element := _ELEMENT.match(rest)) is not None:
            name = element[1].decode("utf-8", "replace")
            for key, value in _PARAMETER.findall(element[2]):
                text = _ESCAPED.sub(rb"\1", value).decode("utf-8", "replace")
                record[f"sd.{name}.{key.decode('utf-8', 'replace')}"] = text
            rest = rest[element.end() :]
    return _body(rest.removeprefix(b" ")) | record


def _read_old(raw: bytes, received: datetime) -> dict[str, Any]:
    found = _OLD.match(raw)
    if found is None:
        text = raw[:LARGEST].decode("utf-8", "replace")
        return {"at": received.isoformat(), "malformed": True, "message": text}
    # Its time has neither year nor zone: ours is the better one.
    record: dict[str, Any] = {
        "at": received.isoformat(),
        "host": found[3].decode("utf-8", "replace"),
        "app": found[4].decode("utf-8", "replace"),
    }
    if found[5]:
        record["procid"] = found[5].decode()
    return _body(raw[found.end() :]) | record | _priority(int(found[1]))


def _priority(number: int) -> dict[str, Any]:
    return {"facility": number >> 3, "severity": number & 7}


def _body(raw: bytes) -> dict[str, Any]:
    text = raw.removeprefix(_MARK).decode("utf-8", "replace").strip("\r\n\0")
    said = text.removeprefix("@cee:").lstrip()
    if said.startswith("{"):
        try:
            members = msgspec.json.decode(said, type=dict[str, Any])
        except (msgspec.MsgspecError, RecursionError):
            return {"message": text}
        return {"message": text} | members
    return {"message": text}


def _time(stamp: str) -> datetime | None:
    if stamp == _NIL:
        return None
    try:
        found = datetime.fromisoformat(stamp)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def write_message(
    at: datetime, *, host: str, app: str, msgid: str, severity: int, data: dict[str, str], text: str
) -> bytes:
    """A message of RFC 5424, facility 13 (log audit). `data` are the parameters of the element "sekisho@32473"."""
    stamp = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    said = "".join(f' {name}="{_escape(value)}"' for name, value in data.items())
    head = f"<{13 * 8 + severity}>1 {stamp} {_name(host, 255)} {_name(app, 48)} - {_name(msgid, 32)} "
    return f"{head}[sekisho@32473{said}] ".encode() + _MARK + text.encode()


def _escape(value: str) -> str:
    return re.sub(r'(["\\\]])', r"\\\1", value)


def _name(value: str, most: int) -> str:
    """PRINTUSASCII without spaces (RFC 5424 6)."""
    return re.sub(r"[^!-~]", "_", value)[:most] or _NIL
