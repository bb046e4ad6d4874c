"""The picture: everything that is sent carries the mark, and nothing is sent twice."""

import itertools
from collections.abc import Iterator

import numpy as np
import pytest

from rfb_under_test import Viewer
from sekisho.faults import Fault
from sekisho.relay.desktop import mark as marks
from sekisho.relay.desktop.mark import Mark
from sekisho.relay.desktop.picture import Picture
from sekisho.wire.rfb.messages import Pixels

WIDTH, HEIGHT = 320, 200
TEXT = "sato  2026-11-22 01:00 UTC  s-0123456789abcdef"


def viewer() -> Viewer:
    made = Viewer()
    made.width, made.height, made.picture = WIDTH, HEIGHT, bytearray(WIDTH * HEIGHT * 3)
    return made


def told(x: int, y: int, pixels: np.ndarray) -> Pixels:
    """Rows of red, green, blue as the X server tells them."""
    height, width, _ = pixels.shape
    four = np.zeros((height, width, 4), np.uint8)
    four[:, :, :3] = pixels[:, :, ::-1]
    return Pixels(x, y, width, height, four.tobytes())


def shown(seen: Viewer) -> np.ndarray:
    return np.frombuffer(bytes(seen.picture), np.uint8).reshape(HEIGHT, WIDTH, 3)


def parts(random: np.random.Generator) -> Iterator[tuple[int, int, np.ndarray]]:
    for _ in range(40):
        x, y = int(random.integers(0, WIDTH - 1)), int(random.integers(0, HEIGHT - 1))
        wide, high = int(random.integers(1, WIDTH - x + 1)), int(random.integers(1, HEIGHT - y + 1))
        yield x, y, random.integers(0, 4, (high, wide, 3), np.uint8) * 80


def test_a_browser_sees_the_marked_picture_exactly() -> None:
    random = np.random.default_rng(5)
    picture, seen = Picture(WIDTH, HEIGHT, Mark(WIDTH, HEIGHT, TEXT)), viewer()
    truth = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    picture.begin()
    for number, (x, y, pixels) in enumerate(parts(random)):
        truth[y : y + pixels.shape[0], x : x + pixels.shape[1]] = pixels
        picture.take(told(x, y, pixels))
        if number % 3 == 0:
            seen.feed(picture.tell())
            marked = truth.copy()
            Mark(WIDTH, HEIGHT, TEXT).draw(marked, 0, 0)
            assert np.array_equal(shown(seen), marked)


@pytest.mark.parametrize("ground", [0, 127, 128, 255])
def test_the_mark_shows_on_every_ground(ground: int) -> None:
    picture, seen = Picture(WIDTH, HEIGHT, Mark(WIDTH, HEIGHT, TEXT)), viewer()
    picture.take(told(0, 0, np.full((HEIGHT, WIDTH, 3), ground, np.uint8)))
    picture.begin()
    seen.feed(picture.tell())
    differing = np.abs(shown(seen).astype(int) - ground)
    drawn = differing.any(axis=2)
    assert 0.01 < drawn.mean() < 0.2
    assert differing[drawn].min() >= 40
    # In every part of the picture there is some of it.
    for top, left in itertools.product(range(0, HEIGHT, 100), range(0, WIDTH, 160)):
        assert drawn[top : top + 100, left : left + 160].any()


def test_what_has_not_changed_is_not_sent() -> None:
    picture = Picture(WIDTH, HEIGHT, Mark(WIDTH, HEIGHT, TEXT))
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    picture.take(told(0, 0, pixels))
    assert not picture.changed
    pixels[50:60, 30:50] = 200
    picture.take(told(0, 0, pixels))
    seen = viewer()
    sent = picture.tell()
    seen.feed(sent)
    assert len(sent) < 800
    assert not picture.changed
    assert {tuple(at) for at in np.argwhere(shown(seen).any(axis=2))} == set(
        itertools.product(range(50, 60), range(30, 50))
    )


def test_a_whole_picture_needs_nothing_from_before() -> None:
    picture = Picture(WIDTH, HEIGHT, Mark(WIDTH, HEIGHT, TEXT))
    random = np.random.default_rng(6)
    picture.take(told(0, 0, random.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)))
    early, late = viewer(), viewer()
    early.feed(picture.tell())
    picture.begin()
    whole = picture.tell()
    early.feed(whole)
    late.feed(whole)
    assert late.picture == early.picture


def test_without_a_font_there_is_no_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    marks._font.cache_clear()
    monkeypatch.setattr(marks, "FONT", "/nonexistent.ttc")
    try:
        with pytest.raises(Fault, match="fonts-noto-cjk"):
            Mark(WIDTH, HEIGHT, TEXT)
    finally:
        marks._font.cache_clear()
