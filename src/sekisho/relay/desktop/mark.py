"""The visible mark: who, when and which session, over the whole picture.

It is drawn here, outside the sandbox, before anything is compressed: neither the person's programs nor the browser
ever hold the pixels under it as they were. A dark pixel becomes lighter and a light one darker, so that it shows on
every ground.
"""

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from sekisho.faults import Fault
from sekisho.relay.desktop.faults import NOT_STARTED

FONT: Final = "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc"
_SIZE: Final = 18
_LEAN: Final = 20  # degrees
_ACROSS, _DOWN = 90, 110  # pixels between two of them
_STEP: Final = 44  # of 255
_values = np.arange(256)
_CHANGED: Final = np.where(_values < 128, _values + _STEP, _values - _STEP).astype(np.uint8)


class Mark:
    """One text over a picture of one size."""

    def __init__(self, width: int, height: int, text: str) -> None:
        """Raises Fault NOT_STARTED without a font: a picture without a mark is not shown."""
        font = _font()
        side = width + height  # of a square that still covers the picture when it leans
        drawn = Image.new("L", (side, side))
        pen = ImageDraw.Draw(drawn)
        across = round(pen.textlength(text, font=font)) + _ACROSS
        for number, y in enumerate(range(0, side, _DOWN)):
            for x in range(-(number % 2) * across // 2, side, across):
                pen.text((x, y), text, fill=255, font=font)
        leaning = drawn.rotate(_LEAN)
        left, top = (side - width) // 2, (side - height) // 2
        self._drawn: NDArray[np.bool_] = (
            np.asarray(leaning.crop((left, top, left + width, top + height))) > 127
        )

    def draw(self, pixels: NDArray[np.uint8], x: int, y: int) -> None:
        """Into this part of the picture, which begins at `x`, `y`: rows of red, green, blue."""
        here = self._drawn[y : y + pixels.shape[0], x : x + pixels.shape[1]]
        pixels[here] = _CHANGED[pixels[here]]


@cache
def _font() -> ImageFont.FreeTypeFont:
    try:
        return ImageFont.truetype(FONT, _SIZE)
    except OSError as error:
        raise Fault(NOT_STARTED, reason="the package fonts-noto-cjk is missing") from error
