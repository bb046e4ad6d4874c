"""The remote framebuffer: what passes in each direction, in pieces of any size, and what ends it."""

import itertools
import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rfb_under_test import Viewer
from sekisho.faults import Fault
from sekisho.wire.rfb.faults import NOT_RFB, UNKNOWN_MESSAGE
from sekisho.wire.rfb.messages import (
    LARGEST_TEXT,
    PIXEL_FORMAT,
    SHORT_FORMAT,
    VERSION,
    Asked,
    Copied,
    Dropped,
    Key,
    Opened,
    Pixels,
    Pointer,
    Updated,
)
from sekisho.wire.rfb.screen import ScreenEvent, ScreenSide
from sekisho.wire.rfb.tight import TightEncoder, copied, update
from sekisho.wire.rfb.updates import Change, say_update
from sekisho.wire.rfb.viewer import ViewerEvent, ViewerSide

NOVNC_FORMAT = struct.pack("!BBBBHHHBBB3x", 32, 24, 0, 1, 255, 255, 255, 0, 8, 16)
OFFER = struct.pack("!BxH", 2, 3) + struct.pack(
    "!3i", 7, -26, -0x3F5DA57C
)  # Tight, JPEG quality, a clipboard


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in itertools.pairwise(places)]


def screen_hears(data: bytes, cuts: list[int]) -> tuple[list[ScreenEvent], bytes]:
    side = ScreenSide(640, 480, "desk")
    events: list[ScreenEvent] = []
    answers = side.greeting()
    for piece in pieces(data, cuts):
        heard, said = side.feed(piece)
        events += heard
        answers += said
    return events, answers


SHAKEN = VERSION + b"\x01\x01" + b"\0\0\0\0" + NOVNC_FORMAT + OFFER


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 200), max_size=30))
def test_a_screen_hears_the_same_however_it_is_cut(cuts: list[int]) -> None:
    said = (
        SHAKEN
        + struct.pack("!BBHHHH", 3, 1, 600, 0, 100, 480)
        + struct.pack("!BB2xI", 4, 1, 0x61)
        + struct.pack("!BBHH", 5, 1, 65535, 10)
        + struct.pack("!B3xI", 6, 5)
        + b"theft"
        + struct.pack("!BB2xI", 4, 0, 0x61)
    )
    events, answers = screen_hears(said, cuts)
    assert events == [
        Opened(640, 480),
        Asked(True, 600, 0, 40, 480),
        Key(True, 0x61),
        Pointer(1, 639, 10),
        Dropped("clipboard", 5),
        Key(False, 0x61),
    ]
    init = struct.pack("!HH", 640, 480) + PIXEL_FORMAT + struct.pack("!I", 4) + b"desk"
    assert answers == VERSION + b"\x01\x01" + bytes(4) + init


@pytest.mark.parametrize("kind", [1, 7, 150, 248, 250, 251, 252, 253, 254, 255])
def test_a_message_that_was_never_offered_ends_the_session(kind: int) -> None:
    side = ScreenSide(640, 480, "desk")
    with pytest.raises(Fault) as refused:
        side.feed(SHAKEN + bytes((kind,)) + bytes(40))
    assert refused.value.kind is UNKNOWN_MESSAGE
    with pytest.raises(Fault):  # and nothing behind it is read
        side.feed(struct.pack("!BB2xI", 4, 1, 0x61))


@pytest.mark.parametrize(
    "said",
    [
        b"RFB 003.003\n",
        VERSION + b"\x02",
        VERSION + b"\x01\x01" + b"\0\0\0\0" + struct.pack("!BBBBHHHBBB3x", 8, 8, 0, 0, 0, 0, 0, 0, 0, 0),
        VERSION + b"\x01\x01" + struct.pack("!BxH", 2, 257),
        VERSION + b"\x01\x01" + struct.pack("!BxHi", 2, 1, 0) + bytes((3,)) + bytes(9),
        SHAKEN + struct.pack("!B3xI", 6, LARGEST_TEXT + 1),
        SHAKEN + struct.pack("!B3xi", 6, -4) + b"\x01\0\0\0",  # the extended clipboard
    ],
)
def test_what_is_not_the_protocol_ends_the_session(said: bytes) -> None:
    with pytest.raises(Fault) as refused:
        ScreenSide(640, 480, "desk").feed(said)
    assert refused.value.kind is NOT_RFB


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300), st.booleans())
def test_a_screen_takes_any_bytes_or_refuses_them(data: bytes, shaken: bool) -> None:
    side = ScreenSide(640, 480, "desk")
    try:
        events, _ = side.feed((SHAKEN if shaken else b"") + data)
    except Fault:
        return
    for event in events:
        assert isinstance(event, Opened | Key | Pointer | Asked | Dropped)
        if isinstance(event, Asked):
            assert event.x + event.width <= 640
            assert event.y + event.height <= 480


def server_init(width: int, height: int) -> bytes:
    init = struct.pack("!HH", width, height) + bytes(16) + struct.pack("!I", 4) + b"Xvnc"
    return VERSION + b"\x02\x05\x01" + bytes(4) + init


def raw(x: int, y: int, width: int, height: int, encoding: int = 0) -> bytes:
    return struct.pack("!HHHHi", x, y, width, height, encoding)


def viewer_hears(data: bytes, cuts: list[int]) -> tuple[list[ViewerEvent], bytes]:
    side = ViewerSide()
    events: list[ViewerEvent] = []
    answers = b""
    for piece in pieces(data, cuts):
        heard, said = side.feed(piece)
        events += heard
        answers += said
    return events, answers


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 200), max_size=30))
def test_a_viewer_hears_the_same_however_it_is_cut(cuts: list[int]) -> None:
    said = (
        server_init(20, 10)
        + b"\x02"
        + struct.pack("!BxH", 0, 3)
        + raw(0, 0, 2, 1)
        + b"abcd"
        + raw(1, 2, 4, 3, 1)
        + struct.pack("!HH", 5, 6)
        + raw(19, 9, 1, 1)
        + b"ij"
        + struct.pack("!B3xI", 3, 6)
        + b"secret"
    )
    events, answers = viewer_hears(said, cuts)
    assert events == [
        Opened(20, 10),
        Pixels(0, 0, 2, 1, b"abcd"),
        Copied(1, 2, 4, 3, 5, 6),
        Pixels(19, 9, 1, 1, b"ij"),
        Updated(),
        Dropped("clipboard", 6),
    ]
    assert answers.startswith(VERSION + b"\x01\x00\0\0\0\0" + SHORT_FORMAT)
    assert answers.endswith(struct.pack("!BxHii", 2, 2, 1, 0))  # moves and raw, and no pseudo-encoding


@pytest.mark.parametrize(
    "said",
    [
        b"RFB 003.003\n",
        VERSION + b"\x01\x02",
        VERSION + b"\x00",
        VERSION + b"\x01\x01" + b"\0\0\0\x01",
        server_init(5000, 10),
        server_init(20, 10) + b"\x01",
        server_init(20, 10) + b"\xfa\0\0\0",
        server_init(20, 10) + struct.pack("!BxH", 0, 1) + raw(10, 0, 11, 1),
        server_init(20, 10) + struct.pack("!BxH", 0, 1) + raw(0, 0, 1, 1, 7),
        server_init(20, 10) + struct.pack("!BxH", 0, 1) + raw(0, 0, 9, 9, 1) + struct.pack("!HH", 12, 0),
        server_init(20, 10) + struct.pack("!BxH", 0, 20_000),
    ],
)
def test_an_x_server_that_says_anything_else_is_left(said: bytes) -> None:
    with pytest.raises(Fault):
        ViewerSide().feed(said)


def test_what_a_viewer_says_is_what_a_screen_hears() -> None:
    said: list[Key | Pointer | Asked] = [Key(True, 0xFF0D), Pointer(5, 639, 3), Asked(False, 1, 2, 3, 4)]
    wire = b"".join(ViewerSide.ask(one) if isinstance(one, Asked) else ViewerSide.type(one) for one in said)
    events, _ = screen_hears(SHAKEN + wire, [])
    assert events[1:] == said


Rectangle = tuple[int, int, int, int, bytes]


@st.composite
def rectangles(draw: st.DrawFn) -> Rectangle:
    x, y = draw(st.integers(0, 19)), draw(st.integers(0, 9))
    width, height = draw(st.integers(1, 20 - x)), draw(st.integers(1, 10 - y))
    colour = st.sampled_from([b"\0\0\0", b"\xff\xff\xff", b"\x10\x20\x30"])
    pixels = draw(st.lists(colour, min_size=width * height, max_size=width * height))
    return x, y, width, height, b"".join(pixels)


def paint(picture: bytearray, drawn: Rectangle) -> None:
    x, y, width, height, pixels = drawn
    for row in range(height):
        at = ((y + row) * 20 + x) * 3
        picture[at : at + width * 3] = pixels[row * width * 3 : (row + 1) * width * 3]


def in_colours(encoder: TightEncoder, drawn: Rectangle) -> bytes:
    """The same by a palette."""
    x, y, width, height, pixels = drawn
    points = [pixels[at : at + 3] for at in range(0, len(pixels), 3)]
    colours = sorted(set(points))
    indexes = bytes(colours.index(point) for point in points)
    if len(colours) == 2:
        rows = [indexes[at : at + width] for at in range(0, len(indexes), width)]
        wide = (width + 7) // 8
        bits = ["".join(map(str, row)).ljust(wide * 8, "0") for row in rows]
        indexes = b"".join(int(row, 2).to_bytes(wide, "big") for row in bits)
    return encoder.indexed(x, y, width, height, b"".join(colours), indexes)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(rectangles(), st.booleans(), st.booleans()), max_size=8))
def test_tight_comes_back_exactly(drawn: list[tuple[Rectangle, bool, bool]]) -> None:
    viewer, encoder = Viewer(), TightEncoder()
    _, answers = screen_hears(Viewer.HELLO, [])
    viewer.feed(answers)
    viewer.width, viewer.height, viewer.picture = 20, 10, bytearray(600)
    expected = bytearray(600)
    for one, anew, palette in drawn:
        if anew:
            encoder.begin()
        viewer.feed(update([in_colours(encoder, one) if palette else encoder.rectangle(*one)]))
        paint(expected, one)
    assert viewer.picture == expected
    assert viewer.data == b""


def test_a_move_is_told_with_where_it_came_from() -> None:
    viewer = Viewer()
    viewer.width, viewer.height, viewer.picture = 20, 10, bytearray(600)
    first = (0, 0, 2, 2, bytes(range(1, 13)))
    viewer.feed(update([TightEncoder().rectangle(*first), copied(1, 1, 2, 2, 0, 0)]))
    expected = bytearray(600)
    paint(expected, first)
    paint(expected, (1, 1, 2, 2, bytes(range(1, 13))))
    assert viewer.picture == expected


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(*[st.integers(1, 4)] * 6, st.booleans()), max_size=6))
def test_an_update_says_what_is_read_from_it(drawn: list[tuple[int, int, int, int, int, int, bool]]) -> None:
    changes: list[Change] = [
        Copied(x, y, wide, high, from_x, from_y)
        if moved
        else Pixels(x, y, wide, high, bytes(wide * high * 2))
        for x, y, wide, high, from_x, from_y, moved in drawn
    ]
    side = ViewerSide()
    events, _ = side.feed(server_init(20, 10) + say_update(changes))
    assert events == [Opened(20, 10), *changes, Updated()]


def test_a_large_rectangle_has_a_length_of_three_bytes() -> None:
    noise = random.Random(7).randbytes(300 * 200 * 3)
    viewer = Viewer()
    viewer.width, viewer.height, viewer.picture = 300, 200, bytearray(len(noise))
    viewer.feed(update([TightEncoder().rectangle(0, 0, 300, 200, noise)]))
    assert viewer.picture == noise
    with pytest.raises(ValueError, match="size"):
        TightEncoder().rectangle(0, 0, 3000, 1, bytes(9000))
