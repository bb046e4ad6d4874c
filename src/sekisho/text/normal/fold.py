"""What all normal forms begin with: one width, one hyphen, no invisible characters; and kanji numerals."""

import re
import unicodedata
from typing import Final

# Zero-width and direction marks, soft hyphen, variation selectors (葛 and 葛 + VS17 are one character here).
INVISIBLE: Final = re.compile(
    "[\u00ad\u200b-\u200f\u202a-\u202e\u2060\ufe00-\ufe0f\ufeff\U000e0100-\U000e01ef]"
)

HYPHENS: Final = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2500\u2501\ufe58\ufe63\uff0d"
_LIKE_HYPHENS: Final = HYPHENS + "ーｰ~〜～"

# In a run of digits a long-vowel mark or a wave is a hyphen that an input method made: 123ー45.
_HYPHEN_OF_DIGITS: Final = re.compile(rf"(?<=[0-9])\s*[{re.escape(_LIKE_HYPHENS)}]+\s*(?=[0-9])")

_KANJI_DIGITS: Final = {kanji: value for value, kanji in enumerate("〇一二三四五六七八九")} | {
    "零": 0, "壱": 1, "壹": 1, "弐": 2, "貳": 2, "参": 3, "參": 3, "拾": 10, "十": 10, "百": 100, "千": 1000,
}  # fmt: skip
KANJI_NUMERALS: Final = "〇零一二三四五六七八九壱壹弐貳参參十拾百千"


def fold(text: str) -> str:
    """NFKC without invisible characters, white space folded to single spaces.

    >>> fold("ＡＢＣ　１２３\u200b ｶﾞ ㈱ ㍼")
    'ABC 123 ガ (株) 昭和'
    """
    if text.isascii():
        return " ".join(text.split())
    return " ".join(unicodedata.normalize("NFKC", INVISIBLE.sub("", text)).split())


def fold_hyphens(text: str) -> str:
    """Every kind of hyphen between digits as `-`; elsewhere a long-vowel mark is left alone. Takes folded text.

    >>> fold_hyphens("1ー2−3"), fold_hyphens("サーバ 1 - 2")
    ('1-2-3', 'サーバ 1-2')
    """
    return _HYPHEN_OF_DIGITS.sub("-", text)


def kanji_number(numeral: str) -> int | None:
    """The value of a kanji numeral, by place value (二十三, 百五) or digit by digit (二三, 二〇一九).

    >>> [kanji_number(n) for n in ("十", "二十三", "百五", "千九百八十四", "二〇一九", "二三", "十十", "五三十")]
    [10, 23, 105, 1984, 2019, 23, None, None]
    """
    values = [_KANJI_DIGITS.get(character, -1) for character in numeral]
    if not values or -1 in values:
        return None
    if max(values) < 10:
        return int("".join(map(str, values)))
    total, digit, last_unit = 0, 0, 10_000
    for value in values:
        if value >= 10:
            if value >= last_unit:
                return None
            total += (digit or 1) * value
            digit, last_unit = 0, value
        elif digit:
            return None
        else:
            digit = value
    return total + digit
