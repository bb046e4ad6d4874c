"""How a list that was copied looks years later, when a broker has it: other writings, and damage.

Written without looking at `sekisho.text`: nothing of the house is imported here. A *writing* changes how a value is
written and not what it says; *damage* changes what it says.
"""

import random
from collections.abc import Callable, Sequence
from typing import Final

Row = tuple[str | None, ...]  # name, kana, phone, address, birth, e-mail

_WIDE: Final = {ord(c): ord(c) + 0xFEE0 for c in "0123456789-"}
_OLD: Final = str.maketrans("沢高崎斎浜広国島桜辺", "澤髙﨑齋濱廣國嶋櫻邊")
_HALF: Final = dict(
    zip(
        "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワヲンー",
        "ｱｲｳｴｵｶｷｸｹｺｻｼｽｾｿﾀﾁﾂﾃﾄﾅﾆﾇﾈﾉﾊﾋﾌﾍﾎﾏﾐﾑﾒﾓﾔﾕﾖﾗﾘﾙﾚﾛﾜｦﾝｰ",
        strict=True,
    )
)
_VOICED: Final = dict(
    zip("ガギグゲゴザジズゼゾダヂヅデドバビブベボ", "カキクケコサシスセソタチツテトハヒフヘホ", strict=True)
)
_NUMERALS: Final = "〇一二三四五六七八九"
_SYLLABLES: Final = "アイカキサシタナハマヤラワ"
_KANJI: Final = "山川田中村木本林森野原井上下小大"


def rewritten(row: Row, rng: random.Random, style: int) -> Row:
    """One of several brokers' writings: `style` is the list's own, the rest is per row."""
    name, kana, phone, address, birth, mail = row
    return (
        _name(name, rng, style) if name else None,
        _kana(kana, rng, style) if kana else None,
        _phone(phone, rng, style) if phone else None,
        _address(address, rng, style) if address else None,
        _birth(birth, style) if birth else None,
        mail.upper() if mail and style == 2 else mail,
    )


def damaged(row: Row, rng: random.Random) -> Row:
    """One to three values of a row lost, shortened, mistyped, or another person's."""
    cells = list(row)
    there = [place for place, cell in enumerate(cells) if cell]
    for place in rng.sample(there, min(len(there), rng.choice((1, 1, 2, 3)))):
        cells[place] = _hurt(cells[place] or "", rng)
    return tuple(cells)


def _hurt(text: str, rng: random.Random) -> str | None:
    how = rng.randrange(5)
    place = rng.randrange(len(text))
    if how == 0:
        return None
    if how == 1:
        return text[:place] + text[place + 1 :]
    if how == 2 and len(text) > 1:
        place = min(place, len(text) - 2)
        return text[:place] + text[place + 1] + text[place] + text[place + 2 :]
    if how == 3:
        return text[: max(place, 1)]
    other = str(rng.randrange(10)) if text[place].isdigit() else rng.choice(_KANJI + _SYLLABLES)
    return text[:place] + other + text[place + 1 :]


def _name(text: str, rng: random.Random, style: int) -> str:
    if style == 1:
        text = text.replace(" ", "")
    elif style == 2:
        text = text.replace(" ", "　")
    if rng.random() < 0.1:
        text = text.translate(_OLD)
    return text + ("様" if style == 1 and rng.random() < 0.05 else "")


def _kana(text: str, rng: random.Random, style: int) -> str:
    if style == 1:
        return "".join(
            _HALF.get(_VOICED.get(c, c), c) + ("ﾞ" if c in _VOICED else "") if c != "ャ" else "ﾔ" for c in text
        )
    if style == 2:
        return "".join(chr(ord(c) - 0x60) if "ァ" <= c <= "ヶ" else c for c in text)
    return text


def _phone(text: str, rng: random.Random, style: int) -> str:
    kinds: Sequence[Callable[[str], str]] = (
        lambda t: t,
        lambda t: t.replace("-", "")[1:],  # a spreadsheet ate the zero
        lambda t: t.translate(_WIDE),
        lambda t: t.replace("-", "(", 1).replace("-", ")", 1),
        lambda t: "+81 " + t[1:].replace("-", " "),
        lambda t: t.replace("-", ""),
    )
    return kinds[(style + (rng.randrange(6) if rng.random() < 0.2 else 0)) % 6](text)


def _address(text: str, rng: random.Random, style: int) -> str:
    if style == 1:
        text = text.translate(_WIDE)
    if rng.random() < (0.5 if style == 2 else 0.1):  # prefecture dropped
        for end in ("都", "道", "府", "県"):
            if 0 < text.find(end) <= 3:
                text = text[text.find(end) + 1 :]
                break
    if style == 2 and rng.random() < 0.5:  # building dropped
        text = text.split(" ")[0]
    if style == 0 and rng.random() < 0.3:
        text = _numerals(text)
    return text


def _numerals(text: str) -> str:
    """1-2-3 as 一丁目2番3号."""
    head = next((place for place, c in enumerate(text) if c.isdigit()), None)
    if head is None:
        return text
    tail = text[head:].split(" ")
    numbers = tail[0].split("-")
    if len(numbers) != 3 or not all(number.isdigit() for number in numbers) or int(numbers[0]) > 9:
        return text
    first = _NUMERALS[int(numbers[0])]
    return text[:head] + f"{first}丁目{numbers[1]}番{numbers[2]}号" + (" " + tail[1] if len(tail) > 1 else "")


def _birth(text: str, style: int) -> str:
    year, month, day = (int(part) for part in text.split("-"))
    if style == 1:
        return f"{year}/{month}/{day}"
    if style == 2 and (year, month, day) >= (1989, 1, 8):
        return f"平成{year - 1988}年{month}月{day}日" if year > 1989 else f"平成元年{month}月{day}日"
    if style == 2 and (year, month, day) >= (1926, 12, 25) and year > 1926:
        return f"S{year - 1925}.{month}.{day}"
    return text
