"""Pictures of desktops that never were, with their marks, and what happens to a picture on its way out."""

import io
import random
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from sekisho.relay.desktop import imprint
from sekisho.relay.desktop.mark import FONT, Mark

KEY = b"a key of a checkpoint that never was"
WIDTH, HEIGHT = 1280, 800
Way = Callable[[Image.Image, random.Random], Image.Image]


def desktop(chance: random.Random) -> NDArray[np.uint16]:
    """Windows of text on a ground, as a session sees them before the marks."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), (0, 0, 0))
    pen = ImageDraw.Draw(picture)
    for _ in range(chance.randint(1, 3)):
        dark = chance.random() < 0.6
        ground, ink = ((16, 20, 24), (231, 230, 226)) if dark else ((250, 250, 248), (20, 20, 30))
        left, top = chance.randint(0, 300), chance.randint(0, 150)
        right, bottom = left + chance.randint(700, 970), top + chance.randint(400, 640)
        pen.rectangle((left, top, right, bottom), fill=ground)
        pen.rectangle((left, top, right, top + 18), fill=(120, 160, 210))
        font = ImageFont.truetype(FONT, chance.choice((13, 15, 17)))
        for y in range(top + 22, bottom - 20, chance.choice((18, 20, 24))):
            if chance.random() < 0.75:
                words = " ".join(
                    str(chance.randrange(10**6)) + "佐藤花子港区" * chance.randint(0, 1) for _ in range(9)
                )
                pen.text((left + 4, y), words[: (right - left) // 9], fill=ink, font=font)
    five = np.asarray(picture).astype(np.uint16) >> 3
    return np.asarray(five[:, :, 0] << 10 | five[:, :, 1] << 5 | five[:, :, 2], np.uint16)


def marked(content: NDArray[np.uint16], session: str) -> Image.Image:
    signs = imprint.drawn(KEY, session, WIDTH, HEIGHT)
    mark = Mark(WIDTH, HEIGHT, f"sato  2026-11-22 01:00 UTC  {session}", signs)
    return Image.fromarray(mark.draw(content, 0, 0))


def jpeg(picture: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(io.BytesIO(file.getvalue())).convert("RGB")


def rescaled(picture: Image.Image, factor: float) -> Image.Image:
    wide, high = round(picture.width * factor), round(picture.height * factor)
    return picture.resize((wide, high), Image.Resampling.BICUBIC)


def cropped(picture: Image.Image, part: float, chance: random.Random) -> Image.Image:
    """A part of the picture of so much of each side."""
    wide, high = round(picture.width * part), round(picture.height * part)
    left, top = chance.randint(0, picture.width - wide), chance.randint(0, picture.height - high)
    return picture.crop((left, top, left + wide, top + high))


def photographed(
    picture: Image.Image, lean: float, chance: random.Random, *, quality: int = 85
) -> tuple[Image.Image, list[tuple[float, float]]]:
    """As a camera sees a screen that is not before it: a perspective in which each corner is off by up to `lean` of the
    side, another brightness and colour, a soft lens, noise, JPEG. And where the corners are."""
    width, height = 2000, 1400
    inner = [(200, 150), (1800, 150), (1800, 1150), (200, 1150)]
    corners = [
        (x + chance.uniform(-lean, lean) * 1600, y + chance.uniform(-lean, lean) * 1000) for x, y in inner
    ]
    rows, wanted = [], []
    screen = [(0, 0), (picture.width, 0), (picture.width, picture.height), (0, picture.height)]
    for (x, y), (to_x, to_y) in zip(corners, screen, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -x * to_x, -y * to_x], [0, 0, 0, x, y, 1, -x * to_y, -y * to_y]]
        wanted += [to_x, to_y]
    coefficients = tuple(np.linalg.solve(np.array(rows, float), np.array(wanted, float)))
    seen = picture.transform(
        (width, height),
        Image.Transform.PERSPECTIVE,
        coefficients,
        Image.Resampling.BICUBIC,
        fillcolor=(60, 55, 50),
    )
    seen = seen.filter(ImageFilter.GaussianBlur(1.2))
    values = np.asarray(seen, np.float32) * np.array([0.95, 0.9, 0.82], np.float32) + 12
    shade = np.linspace(0.85, 1.05, width, dtype=np.float32)[None, :, None]
    noise = np.random.default_rng(chance.randrange(2**32)).normal(0, 4, values.shape)
    return jpeg(Image.fromarray(np.clip(values * shade + noise, 0, 255).astype(np.uint8)), quality), corners
