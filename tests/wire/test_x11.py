"""The title of the window that has the keyboard: asked of a server that is a script."""

import itertools
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sekisho.wire.x11 import HELLO, LONGEST, TitleReader

ROOT, WINDOW, ACTIVE, NAME, OLD_NAME = 99, 7, 300, 301, 302


def setup() -> bytes:
    vendor, formats = b"Test vendor", 2
    head = struct.pack("<IIIIHHBB8x4x", 0, 0, 0, 0, len(vendor), 65535, 1, formats)
    more = head[:32] + vendor + bytes(-len(vendor) % 4) + bytes(8 * formats) + struct.pack("<I36x", ROOT)
    return struct.pack("<BxHHH", 1, 11, 0, len(more) // 4) + more


def atom(number: int) -> bytes:
    return struct.pack("<BxHII20x", 1, 0, 0, number)


def value(data: bytes, size: int) -> bytes:
    padded = data + bytes(-len(data) % 4)
    count = len(data) * 8 // size if size else 0
    return struct.pack("<BBHIIII12x", 1, size, 0, len(padded) // 4, 31, 0, count) + padded


def changed(window: int) -> bytes:
    return struct.pack("<BxHIII16x", 28, 0, window, ACTIVE, 0)


def error(major: int) -> bytes:
    return struct.pack("<BBHIHB21x", 0, 3, 0, 0, 0, major)


ATOMS = atom(ACTIVE) + atom(NAME) + atom(OLD_NAME)
FIRST = value(struct.pack("<I", WINDOW), 32) + value("端末 psql".encode(), 8)
SAID = (
    setup()
    + ATOMS
    + FIRST
    + changed(WINDOW)
    + value(struct.pack("<I", WINDOW), 32)
    + changed(ROOT)  # while an answer is awaited: nothing is missed
    + value("端末 psql".encode(), 8)
    + value(struct.pack("<I", WINDOW), 32)
    + value(b"", 0)  # no name of the newer kind
    + value(b"editor\x1b[2J", 8)
)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, len(SAID)), max_size=12))
def test_titles_are_the_same_however_the_bytes_are_cut(cuts: list[int]) -> None:
    reader, titles = TitleReader(), []
    places = sorted({0, len(SAID), *cuts})
    for start, end in itertools.pairwise(places):
        titles += reader.feed(SAID[start:end])[0]
    assert titles == ["端末 psql", "editor[2J"]  # what is not printable is left out


def test_what_is_asked() -> None:
    reader = TitleReader()
    assert struct.pack("<BxHHHHxx", 0x6C, 11, 0, 0, 0) == HELLO
    _, asked = reader.feed(setup())
    assert asked[:1] == b"\x10"
    assert b"_NET_ACTIVE_WINDOW" in asked
    _, asked = reader.feed(ATOMS)
    watches = struct.pack("<BBHIII", 2, 0, 4, ROOT, 0x800, 1 << 22)
    assert watches in asked
    assert struct.pack("<BBHII", 20, 0, 6, ROOT, ACTIVE) in asked


def test_a_window_that_is_gone_has_no_title() -> None:
    reader = TitleReader()
    reader.feed(setup() + ATOMS)
    titles, _ = reader.feed(
        value(struct.pack("<I", WINDOW), 32) + error(2) + error(20) + error(20) + changed(ROOT) + FIRST
    )
    assert titles == ["端末 psql"]


def test_titles_are_bounded_and_an_odd_server_is_left() -> None:
    reader = TitleReader()
    titles, _ = reader.feed(setup() + ATOMS + value(struct.pack("<I", WINDOW), 32) + value(b"x" * 900, 8))
    assert titles == ["x" * LONGEST]
    for said in (b"\0" + bytes(7), struct.pack("<BxHHH", 1, 11, 0, 60_000)):
        with pytest.raises(ValueError, match="X server"):
            TitleReader().feed(said)
    reader = TitleReader()
    with pytest.raises(ValueError, match="too long"):
        reader.feed(setup() + struct.pack("<BBHI24x", 1, 0, 0, 1 << 20))
