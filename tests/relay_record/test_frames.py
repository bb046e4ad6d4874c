"""The stored form: every frame opens only where it was written."""

import os
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.relay.record.frames import LARGEST, Broken, Opener, Sealer, header_of
from sekisho.wire.asciicast.cast import Code, Event

KEY = bytes(range(32))
EVENTS = st.lists(
    st.builds(
        Event,
        st.integers(0, 2**63),
        st.sampled_from(["o", "i", "r", "m"]),
        st.one_of(st.binary(max_size=40), st.binary(max_size=8).map(lambda some: some * 300)),
    ),
    max_size=8,
)


def sealed(events: list[Event], name: str = "r-1", key: bytes = KEY) -> list[bytes]:
    sealer = Sealer(key, name)
    return [sealer.seal(event.at, event.code, event.data) for event in events]


@given(EVENTS, st.lists(st.integers(0, 10_000), max_size=5))
def test_frames_come_back_however_they_are_cut(events: list[Event], cuts: list[int]) -> None:
    stored = b"".join(sealed(events))
    places = [0, *sorted(cut % (len(stored) + 1) for cut in cuts), len(stored)]
    opener = Opener(KEY, "r-1")
    found = [event for start, end in pairwise(places) for event in opener.feed(stored[start:end])]
    assert found == events
    assert opener.torn == 0
    assert opener.offset == len(header_of("r-1")) + len(stored)


def some(*texts: str) -> list[Event]:
    code: Code = "o"
    return [Event(number, code, text.encode()) for number, text in enumerate(texts)]


@given(st.integers(0, 2**16), st.integers(1, 255))
def test_an_edited_byte_is_noticed(place: int, change: int) -> None:
    frames = sealed(some("one", "two", "three " * 200))
    stored = bytearray(b"".join(frames))
    stored[place % len(stored)] ^= change
    opener = Opener(KEY, "r-1")
    found = []
    with pytest.raises(Broken) if not _only_longer(stored, place % len(stored), frames) else _nothing():
        found += list(opener.feed(bytes(stored)))
    assert len(found) + opener.frames < 6
    assert opener.frames < 3


def _only_longer(stored: bytearray, place: int, frames: list[bytes]) -> bool:
    """A length that was edited upwards makes its frame one that has not come whole yet."""
    start = 0
    for frame in frames:
        if start <= place < start + 4:
            length = int.from_bytes(stored[start : start + 4], "big")
            return start + 4 + length > len(stored) and length <= LARGEST + 25
        start += len(frame)
    return False


class _nothing:  # noqa: N801
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


def test_frames_cannot_be_swapped_left_out_repeated_or_taken_from_elsewhere() -> None:
    first, second, third = sealed(some("one", "two", "three"))
    foreign = sealed(some("one", "two", "three"), name="r-2")[0]
    for stored in (
        second + first + third,
        first + third,
        first + first,
        foreign + second,
        sealed(some("one"), key=bytes(32))[0],
    ):
        with pytest.raises(Broken):
            list(Opener(KEY, "r-1").feed(stored))


def test_what_is_long_is_packed_and_noise_is_not() -> None:
    text = "佐藤 花子 090-0000-0000\r\n" * 500
    [frame] = sealed(some(text))
    assert len(frame) < len(text.encode()) / 4
    noise = os.urandom(4096)
    [frame] = sealed([Event(0, "o", noise)])
    assert len(frame) == 4 + 9 + 4096 + 16
