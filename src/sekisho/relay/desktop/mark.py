"""The two marks in every picture: one that is read, and a faint one that a program finds again (`imprint`).

They are drawn here, outside the sandbox, before anything is compressed: neither the person's programs nor the browser
ever hold the pixels under them as they were. The text says who, when and which session: a dark pixel becomes lighter
and a light one darker, so that it shows on every ground. The faint one moves each pixel a little towards blue or
yellow.

Both stand still on the screen, while what is under them moves. So they are made to cost little where a picture scrolls:
the faint one is the same in all rows of a band, and the text stands where two bands meet.
"""

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from sekisho.faults import Fault
from sekisho.relay.desktop.faults import NOT_STARTED
from sekisho.relay.desktop.imprint import BAND, Signs, cells

FONT: Final = "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc"
_SIZE: Final = 18
_ACROSS: Final = 60  # pixels between two texts in one row
_STEP: Final = 44  # of 255
# Red, green, blue: the eye hardly sees blue, JPEG keeps slow changes of it, and text is grey and has none of its own.
_FAINT: Final = (0, 0, 2)
_FAINT_DARK: Final = (0, 0, 3)
_DARK: Final = 64
TEXT: Final = 2  # the code of a pixel under the text; 0 and 1 are the signs of the faint mark
CODES: Final = 3
COLOURS: Final = 1 << 15
Pixels = NDArray[np.uint16]  # 5 bits each of red, green and blue


class Mark:
    """Both marks over a picture of one size. `codes` holds for each pixel which of three forms it is shown in."""

    def __init__(self, width: int, height: int, text: str, signs: Signs) -> None:
        """Raises Fault NOT_STARTED without a font: a picture without a mark is not shown."""
        font = _font()
        drawn = Image.new("L", (width, height))
        pen = ImageDraw.Draw(drawn)
        across = round(pen.textlength(text, font=font)) + _ACROSS
        for number, y in enumerate(range(BAND // 2, height + BAND, BAND)):
            for x in range(-(number % 3) * across // 3, width, across):
                pen.text((x, y), text, fill=255, font=font, anchor="lm")
        shown = np.array(drawn, np.uint8) > 127
        self.codes: NDArray[np.uint8] = np.where(shown, np.uint8(TEXT), cells(signs, width, height))
        self._written = (self.codes == TEXT).any(axis=1)

    def forms(self, top: int, bottom: int) -> int:
        """How many of the three forms there can be in these rows."""
        return CODES if self._written[top:bottom].any() else TEXT

    def draw(self, pixels: Pixels, x: int, y: int) -> NDArray[np.uint8]:
        """This part of the picture, which begins at `x`, `y`, as it is shown: rows of red, green, blue."""
        here = self.codes[y : y + pixels.shape[0], x : x + pixels.shape[1]]
        return forms()[here, pixels]


@cache
def forms() -> NDArray[np.uint8]:
    """How each of the 32,768 colours looks in each of the three forms: red, green, blue."""
    short = np.arange(COLOURS)
    five = np.stack((short >> 10, short >> 5 & 0x1F, short & 0x1F), axis=1)
    plain = five << 3 | five >> 2
    faint = np.where(plain.max(axis=1, keepdims=True) < _DARK, _FAINT_DARK, _FAINT)
    ground = np.clip(plain, faint, 255 - faint)
    stepped = np.where(plain < 128, plain + _STEP, plain - _STEP)
    return np.stack((ground - faint, ground + faint, stepped)).astype(np.uint8)


@cache
def _font() -> ImageFont.FreeTypeFont:
    try:
        return ImageFont.truetype(FONT, _SIZE)
    except OSError as error:
        raise Fault(NOT_STARTED, reason="the package fonts-noto-cjk is missing") from error
