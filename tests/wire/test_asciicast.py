"""asciicast v2: lines as asciinema writes them, and every byte back."""

import json
import os
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.wire.asciicast.cast import CastDecoder, CastEncoder, Code, Event, Header
from sekisho.wire.faults import ProtocolViolation

HEADER = Header(80, 24, 1_795_000_000, "佐藤 → みなと")


def encoded(events: list[Event]) -> bytes:
    encoder = CastEncoder()
    return encoder.header(HEADER) + b"".join(encoder.encode(event) for event in events) + encoder.finish()


def decoded(cast: bytes, *cuts: int) -> tuple[Header | None, list[Event]]:
    decoder = CastDecoder()
    places = [0, *sorted(cut % (len(cast) + 1) for cut in cuts), len(cast)]
    found = [event for start, end in pairwise(places) for event in decoder.feed(cast[start:end])]
    return decoder.header, found + list(decoder.finish())


def stream(events: list[Event], code: Code) -> bytes:
    return b"".join(event.data for event in events if event.code == code)


def test_the_wire() -> None:
    events = [
        Event(248_848, "o", b"\x1b[1;31mHello\x1b[0m \xe4\xbd"),
        Event(1_001_376, "i", b"x"),
        Event(1_500_000, "o", b"\x90\xe8\x97\xa4"),
        Event(2_000_000, "r", b"100x30"),
        Event(2_100_000, "m", "警告".encode()),
        Event(2_200_000, "o", b"\xff\xefZ"),
    ]
    lines = encoded(events).decode().splitlines()
    assert json.loads(lines[0]) == {
        "version": 2,
        "width": 80,
        "height": 24,
        "timestamp": 1_795_000_000,
        "env": {"TERM": "xterm-256color"},
        "title": "佐藤 → みなと",
    }
    assert lines[1] == '[0.248848, "o", "\\u001b[1;31mHello\\u001b[0m "]'
    assert lines[2] == '[1.001376, "i", "x"]'
    assert lines[3] == '[1.5, "o", "佐藤"]'
    assert lines[4:6] == ['[2.0, "r", "100x30"]', '[2.1, "m", "警告"]']
    assert lines[6:] == ['[2.2, "o", "��Z"]', '[2.2, "b", "0:ff 1:ef"]']


_PIECES = st.one_of(
    st.binary(max_size=12),
    st.text(max_size=8).map(str.encode),
    st.sampled_from([b"\xf0\x9f", b"\x8d\xa3", b"\xef\xbf\xbd", b"\xe4", b"\xed\xa0\x80", b"\n\r\x1b[2J"]),
)
_EVENTS = st.lists(
    st.tuples(st.integers(0, 10**9), st.sampled_from(["o", "i", "r", "m"]), _PIECES), max_size=20
)


@given(_EVENTS, st.lists(st.integers(0, 5_000), max_size=6))
def test_every_byte_of_each_stream_comes_back(
    given_events: list[tuple[int, Code, bytes]], cuts: list[int]
) -> None:
    at, events = 0, []
    for delay, code, data in given_events:
        at += delay
        events.append(Event(at, code, data))
    cast = encoded(events)
    for line in cast.splitlines():
        json.loads(line)  # text, whatever the bytes were
    header, found = decoded(cast, *cuts)
    assert header == HEADER
    for code in ("o", "i", "r", "m"):
        assert stream(found, code) == stream(events, code)
    assert [one.at for one in found] == sorted(one.at for one in found)
    assert {one.at for one in found} <= {one.at for one in events}


@given(st.lists(st.tuples(st.integers(0, 10**9), st.text(max_size=20)), max_size=10))
def test_what_is_text_comes_back_event_by_event(given_events: list[tuple[int, str]]) -> None:
    at, events = 0, []
    for delay, text in given_events:
        at += delay
        events.append(Event(at, "o", text.encode()))
    assert decoded(encoded(events))[1] == events


@given(st.binary(max_size=200))
def test_what_is_no_cast_is_refused(noise: bytes) -> None:
    decoder = CastDecoder()
    try:
        list(decoder.feed(b'{"version": 2, "width": 80, "height": 24}\n' + noise + b"\n"))
        list(decoder.finish())
    except ProtocolViolation:
        pass


@pytest.mark.parametrize(
    "line",
    [
        b"[]",
        b'{"version": 1, "width": 1, "height": 1}',
        b"null",
        b'{"version": 2, "width": 80, "height": 24}\n[0, "o"]',
        b'{"version": 2, "width": 80, "height": 24}\n[0, "o", "x"]\n[0, "b", "0:ff"]',
        b'{"version": 2, "width": 80, "height": 24}\n[0, "o", "\\ufffd"]\n[0, "b", "-1:ff"]',
        b'{"version": 2, "width": 80, "height": 24}\n[0, "o", "\\ud800"]',
        b'{"version": 2, "width": 80, "height": 24}\n[1e999, "o", "x"]',
    ],
)
def test_broken_lines_are_refused(line: bytes) -> None:
    decoder = CastDecoder()
    with pytest.raises(ProtocolViolation):
        list(decoder.feed(line + b"\n"))


def test_unknown_codes_are_passed_over() -> None:
    cast = encoded([Event(1, "o", b"a")]) + b'[0.5, "z", "?"]\n[0.6, "o", "b"]\n'
    assert decoded(cast)[1] == [Event(1, "o", b"a"), Event(600_000, "o", b"b")]


@pytest.mark.skipif(shutil.which("asciinema") is None, reason="asciinema is not installed")
def test_asciinema_reads_it(tmp_path: Path) -> None:
    """A reader that is not ours: it prints what the terminal was sent."""
    output = "こんにちは \x1b[32m緑\x1b[0m\r\n".encode()
    events = [
        Event(0, "o", output[:7]),
        Event(10_000, "i", b"ls\r"),
        Event(20_000, "o", output[7:]),
        Event(30_000, "r", b"100x30"),
        Event(40_000, "m", "ここ".encode()),
        Event(50_000, "o", b"end \xff.\r\n"),
    ]
    path = tmp_path / "session.cast"
    path.write_bytes(encoded(events))
    run = subprocess.run(
        ["script", "-qec", f"asciinema cat {path}", "/dev/null"],  # it insists on a terminal
        check=True,
        capture_output=True,
        env={**os.environ, "LC_ALL": "C.UTF-8", "HOME": str(tmp_path)},
    )
    assert run.stdout == output + "end �.\r\n".encode()
