"""The picture: everything that is sent carries the marks, nothing is sent twice, and what moved is told as a move."""

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from rfb_under_test import Viewer
from sekisho.faults import Fault
from sekisho.relay.desktop import imprint
from sekisho.relay.desktop import mark as marks
from sekisho.relay.desktop.areas import Area, gather, size, subtract
from sekisho.relay.desktop.mark import Mark
from sekisho.relay.desktop.picture import Picture
from sekisho.relay.desktop.reel import ReelReader, ReelWriter, begins
from sekisho.wire.rfb.messages import Copied, Pixels

WIDTH, HEIGHT = 320, 300
TEXT = "sato  2026-11-22 01:00 UTC  s-01"
Screen = NDArray[np.uint16]


def mark() -> Mark:
    return Mark(WIDTH, HEIGHT, TEXT, imprint.drawn(b"key", "s-01", WIDTH, HEIGHT))


def viewer() -> Viewer:
    made = Viewer()
    made.width, made.height, made.picture = WIDTH, HEIGHT, bytearray(WIDTH * HEIGHT * 3)
    return made


def told(x: int, y: int, pixels: Screen) -> Pixels:
    height, width = pixels.shape
    return Pixels(x, y, width, height, pixels.astype("<u2").tobytes())


def shown(seen: Viewer) -> NDArray[np.uint8]:
    return np.frombuffer(bytes(seen.picture), np.uint8).reshape(HEIGHT, WIDTH, 3)


def area(random: np.random.Generator) -> tuple[int, int, int, int]:
    x, y = int(random.integers(0, WIDTH - 1)), int(random.integers(0, HEIGHT - 1))
    return x, y, int(random.integers(1, WIDTH - x + 1)), int(random.integers(1, HEIGHT - y + 1))


def changes(random: np.random.Generator, colours: int) -> Iterator[Pixels | Copied]:
    for _ in range(60):
        x, y, wide, high = area(random)
        if random.random() < 0.5:
            yield told(x, y, random.integers(0, colours, (high, wide)).astype(np.uint16) * 977 % 32768)
        else:
            to_x = int(random.integers(0, WIDTH - wide + 1))
            to_y = int(random.integers(max(0, y - 40), min(HEIGHT - high, y + 40) + 1))
            yield Copied(to_x, to_y, wide, high, x, y)


def draw(screen: Screen, change: Pixels | Copied) -> None:
    here = slice(change.y, change.y + change.height), slice(change.x, change.x + change.width)
    if isinstance(change, Pixels):
        screen[here] = np.frombuffer(change.data, "<u2").reshape(change.height, change.width)
    else:
        rows = slice(change.from_y, change.from_y + change.height)
        screen[here] = screen[rows, change.from_x : change.from_x + change.width].copy()


@pytest.mark.parametrize("colours", [2, 9, 30_000])
@pytest.mark.parametrize("together", [1, 3, 20])
def test_a_browser_sees_the_marked_picture_exactly(colours: int, together: int) -> None:
    random = np.random.default_rng(colours + together)
    picture, seen = Picture(WIDTH, HEIGHT, mark()), viewer()
    truth = np.zeros((HEIGHT, WIDTH), np.uint16)
    picture.begin()
    for some in batches(random, colours, together):
        picture.apply(some)
        for change in some:
            draw(truth, change)
        seen.feed(picture.tell())
        assert np.array_equal(picture.content, truth)
        assert np.array_equal(shown(seen), mark().draw(truth, 0, 0))
    assert seen.moves


def batches(random: np.random.Generator, colours: int, together: int) -> Iterator[list[Pixels | Copied]]:
    every = list(changes(random, colours))
    for start in range(0, len(every), together):
        yield every[start : start + together]


def test_a_scrolled_text_is_told_as_moves_and_little_else() -> None:
    picture, seen = Picture(WIDTH, HEIGHT, mark()), viewer()
    random = np.random.default_rng(3)
    text = random.integers(0, 2, (HEIGHT, WIDTH)).astype(np.uint16) * 32767
    picture.apply([told(0, 0, text)])
    picture.begin()
    whole = picture.tell()
    seen.feed(whole)
    line = random.integers(0, 2, (18, WIDTH)).astype(np.uint16) * 32767
    # As TigerVNC tells it: in parts, around what did not change.
    parts = [(0, 0, WIDTH, 100), (0, 100, 150, 20), (160, 100, WIDTH - 160, 20), (0, 120, WIDTH, 162)]
    moves = [Copied(x, y, wide, high, x, y + 18) for x, y, wide, high in parts]
    hole = np.roll(text, -18, axis=0)[100:120, 150:160]
    picture.apply([*moves, told(150, 100, hole), told(0, HEIGHT - 18, line)])
    scrolled = picture.tell()
    seen.feed(scrolled)
    assert seen.moves == 1
    assert np.array_equal(shown(seen), mark().draw(picture.content, 0, 0))
    assert len(scrolled) < len(whole) // 2


@pytest.mark.parametrize("ground", [0, 16 * 1057, 32767])
def test_the_text_shows_on_every_ground(ground: int) -> None:
    picture, seen = Picture(WIDTH, HEIGHT, mark()), viewer()
    picture.apply([told(0, 0, np.full((HEIGHT, WIDTH), ground, np.uint16))])
    picture.begin()
    seen.feed(picture.tell())
    plain = shown(seen)[:50].reshape(-1, 3).mean(axis=0)
    differing = np.abs(shown(seen).astype(int) - plain).max(axis=2)
    drawn = differing > 30
    assert 0.008 < drawn.mean() < 0.2
    # The other mark is everywhere else, and faint.
    assert differing[~drawn].max() <= 10
    assert len(np.unique(shown(seen)[0], axis=0)) == 2
    for top in range(0, HEIGHT - 200, 20):
        assert drawn[top : top + 220].any()


def test_what_has_not_changed_is_not_sent() -> None:
    picture = Picture(WIDTH, HEIGHT, mark())
    pixels = np.zeros((HEIGHT, WIDTH), np.uint16)
    picture.apply([told(0, 0, pixels)])
    assert not picture.changed
    seen = viewer()
    picture.begin()
    seen.feed(picture.tell())
    before = shown(seen).copy()
    pixels[50:60, 30:50] = 200
    picture.apply([told(0, 0, pixels)])
    sent = picture.tell()
    seen.feed(sent)
    assert len(sent) < 300
    assert not picture.changed
    rows, columns = np.nonzero((shown(seen) != before).any(axis=2))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (50, 59, 30, 49)


def test_a_whole_picture_needs_nothing_from_before() -> None:
    picture = Picture(WIDTH, HEIGHT, mark())
    random = np.random.default_rng(6)
    early, late = viewer(), viewer()
    for colours in (5, 30_000):
        picture.apply(list(changes(random, colours)))
        early.feed(picture.tell())
    picture.begin()
    whole = picture.tell()
    early.feed(whole)
    late.feed(whole)
    assert late.picture == early.picture
    assert late.moves == 0


def test_the_recording_gives_the_screen_back_from_every_beginning() -> None:
    random = np.random.default_rng(8)
    writer = ReelWriter()
    screen = np.zeros((HEIGHT, WIDTH), np.uint16)
    pieces: list[bytes] = []
    for number, some in enumerate(batches(random, 300, 4)):
        pieces += writer.changes(some)
        for change in some:
            draw(screen, change)
        if number in (5, 11):
            pieces += writer.whole(screen)
    starts = [place for place, piece in enumerate(pieces) if begins(piece)]
    assert len(starts) == 3
    for start in starts:
        reader, again = ReelReader(WIDTH, HEIGHT), np.zeros((HEIGHT, WIDTH), np.uint16)
        for piece in pieces[start:]:
            for change in reader.feed(piece):
                draw(again, change)
        assert np.array_equal(again, screen)
    late = ReelReader(WIDTH, HEIGHT)
    assert late.feed(pieces[1]) == []  # what leans on pieces that never came


def test_pieces_fit_into_a_frame() -> None:
    noise = np.random.default_rng(9).integers(0, 32768, (800, 1280)).astype(np.uint16)
    pieces = list(ReelWriter().whole(noise))
    assert len(pieces) > 1
    assert max(map(len, pieces)) < 1 << 20
    assert [begins(piece) for piece in pieces] == [True] + [False] * (len(pieces) - 1)


def test_areas_are_cut_and_gathered() -> None:
    one: Area = (10, 10, 50, 50)
    left = subtract([one], [(20, 20, 30, 30), (0, 0, 5, 5)])
    assert sum(map(size, left)) == 1600 - 100
    assert subtract([one], [(0, 0, 90, 90)]) == []
    assert gather([(0, 0, 10, 10), (12, 0, 20, 10), (500, 500, 510, 510)]) == [
        (0, 0, 20, 10),
        (500, 500, 510, 510),
    ]


def test_without_a_font_there_is_no_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    marks._font.cache_clear()
    monkeypatch.setattr(marks, "FONT", "/nonexistent.ttc")
    try:
        with pytest.raises(Fault, match="fonts-noto-cjk"):
            mark()
    finally:
        marks._font.cache_clear()
