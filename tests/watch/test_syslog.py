"""Syslog as it comes: framed both ways, in any chunks, in both RFCs, and broken."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.faults import Fault
from sekisho.watch.syslog import LARGEST, Frames, counted, read_message, write_message

NOW = datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC)
_messages = st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=6)


@given(_messages, st.integers(1, 50))
def test_counted_messages_come_whole_from_any_chunks(messages: list[bytes], size: int) -> None:
    stream = b"".join(map(counted, messages))
    frames, found = Frames(), []
    for start in range(0, len(stream), size):
        found += frames.feed(stream[start : start + size])
    assert found == messages
    assert not frames.unfinished


@given(
    st.lists(st.text("abcあ<> ", min_size=1).map(lambda text: f"<13>{text}".encode()), min_size=1),
    st.integers(1, 50),
)
def test_lines_come_whole_from_any_chunks(lines: list[bytes], size: int) -> None:
    stream = b"\n".join(lines) + b"\n"
    frames, found = Frames(), []
    for start in range(0, len(stream), size):
        found += frames.feed(stream[start : start + size])
    assert found == lines


@pytest.mark.parametrize("stream", [b"12345678", b"9x <13>", b"70000 <13>", b"1" * 7, b"5 abcde0 x"])
def test_what_is_not_framed_is_refused(stream: bytes) -> None:
    with pytest.raises(Fault, match="008"):
        Frames().feed(stream)


def test_a_line_has_an_end() -> None:
    frames = Frames()
    with pytest.raises(Fault, match="008"):
        frames.feed(b"<13>" + b"x" * (LARGEST + 1))


def test_a_message_of_rfc_5424() -> None:
    raw = (
        b"<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 "
        b'[exampleSDID@32473 iut="3" eventSource="App\\"li\\]cation" eventID="1011"][x@1] '
        b"\xef\xbb\xbfAn application event"
    )
    assert read_message(raw, NOW) == {
        "at": "2003-10-11T22:14:15.003000+00:00",
        "host": "mymachine.example.com",
        "app": "evntslog",
        "msgid": "ID47",
        "facility": 20,
        "severity": 5,
        "sd.exampleSDID@32473.iut": "3",
        "sd.exampleSDID@32473.eventSource": 'App"li]cation',
        "sd.exampleSDID@32473.eventID": "1011",
        "message": "An application event",
    }


def test_json_in_a_message_gives_its_members_and_cannot_speak_for_the_header() -> None:
    raw = b'<14>1 - db-1 audit - - - @cee: {"user": "sato", "host": "elsewhere", "n": {"m": 1}}'
    found = read_message(raw, NOW)
    assert (found["user"], found["host"], found["n"]) == ("sato", "db-1", {"m": 1})
    assert found["at"] == NOW.isoformat()


def test_the_old_form_is_taken_as_far_as_it_goes() -> None:
    found = read_message(
        b"<38>Nov 22 10:02:03 maint-1 sshd[77]: Accepted publickey for sato from 192.0.2.7", NOW
    )
    assert (found["host"], found["app"], found["procid"], found["facility"]) == ("maint-1", "sshd", "77", 4)
    assert found["message"].startswith("Accepted publickey")
    assert found["at"] == NOW.isoformat()


@given(st.binary(max_size=400))
def test_no_line_is_lost_for_its_form(raw: bytes) -> None:
    found = read_message(raw, NOW)
    assert isinstance(found["message"], str)
    assert datetime.fromisoformat(str(found["at"])).tzinfo is not None


@given(st.dictionaries(st.sampled_from(["line", "uid"]), st.text(max_size=40)), st.text(max_size=80))
def test_what_we_write_we_read(data: dict[str, str], text: str) -> None:
    said = text.strip("\r\n\0").removeprefix("@cee:").lstrip()
    if said.startswith("{") or text != text.strip("\r\n\0"):
        return
    raw = write_message(
        NOW, host="checkpoint.example", app="sekisho", msgid="alert", severity=4, data=data, text=text
    )
    found = read_message(raw, NOW)
    assert found["message"] == text.removeprefix("\ufeff") or found["message"] == text
    assert {name.rpartition(".")[2]: value for name, value in found.items() if name.startswith("sd.")} == data
    assert (found["facility"], found["severity"], found["host"]) == (13, 4, "checkpoint.example")
