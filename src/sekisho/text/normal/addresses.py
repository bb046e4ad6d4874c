"""Addresses: prefecture, place, numbers and building, each in one form.

A dropped prefecture is put back where the municipality's name belongs to one prefecture only (`municipalities.txt`,
from Japan Post's data of October 2026). A dropped city, a merged one (市町村合併) or a street name in another script
stay different.
"""

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

from sekisho.text.mask import PREFECTURES
from sekisho.text.normal.fold import KANJI_NUMERALS, fold, fold_hyphens, kanji_number
from sekisho.text.normal.names import modern_kanji

_PREFECTURE: Final = re.compile("|".join(PREFECTURES))
_POSTAL_CODE: Final = re.compile(r"^〒?\s*[0-9]{3}-[0-9]{4}\s*")
_GAP: Final = re.compile(r"(?<=[^\x00-\x7f])\s+(?=[^\x00-\x7f])|\s+(?=-)|(?<=-)\s+")  # 千代田区 丸の内 1 - 2
_KANJI: Final = "\u3400-\u9fff々"

# Kanji numerals become digits where they count blocks (二丁目, 3番地の十), streets of Hokkaido (北二十四条西) and
# lots of Iwate (第三地割); not in names: 一番町, 三条, 四谷, 八王子, 千代田.
_NUMERAL: Final = f"[{KANJI_NUMERALS}]+"
_COUNTED: Final = re.compile(
    rf"{_NUMERAL}(?=丁目|番地|番丁|号(?!線)|地割|番(?![町丁館街組地]|[{_KANJI}])|番{_NUMERAL}号)"
    rf"|(?<=[北南東西]){_NUMERAL}(?=条[北南東西0-9{KANJI_NUMERALS}])"
    rf"|(?<=番地の)[{KANJI_NUMERALS}]+|(?<=[0-9]の){_NUMERAL}|(?<=丁目){_NUMERAL}|(?<=[0-9]-){_NUMERAL}"
    rf"|(?<=番地){_NUMERAL}|(?<=番){_NUMERAL}(?=号)|{_NUMERAL}(?=-[0-9{KANJI_NUMERALS}])"
)
_OAZA: Final = re.compile(rf"大字|小字|(?<=[{_KANJI}])(?<!文)字(?=[{_KANJI}])(?!町)")
# 霞ヶ関, 霞ケ関, 霞が関; 丸の内, 丸ノ内; 三ツ沢, 三っ沢: one place each.
_GA: Final = re.compile(rf"(?<=[{_KANJI}])[ヶケがガ箇](?=[{_KANJI}])")
_NO: Final = re.compile(rf"(?<=[{_KANJI}])[のノ](?=[{_KANJI}])")
_TSU: Final = re.compile(rf"(?<=[{_KANJI}])[つツっッ](?=[{_KANJI}])")
_COUNTY: Final = re.compile(rf"^[{_KANJI}ァ-ヶ]{{1,4}}郡(?=[^市区町村]{{1,6}}[町村])")

_BLOCK: Final = r"(?:丁目|番地|番丁|番|号(?!室|棟|館|線))"
_NUMBERS: Final = re.compile(
    r"[0-9]+(?![0-9条線区階F]|地割)"  # 北7条西, 3地割: still the place's name; 3階: already the building
    rf"(?:{_BLOCK}?[-のノ,、・\s]*[0-9]+(?![0-9階F]|号[室棟館]))*{_BLOCK}?"
)
_DIGITS: Final = re.compile("[0-9]+")
# The usual writing, which needs no more than this: a place without numerals, numbers with hyphens or block words, then
# a space and a building that does not begin like another number.
_USUAL: Final = re.compile(
    rf"((?:(?![{KANJI_NUMERALS}])[{_KANJI}ぁ-ゖァ-ヺ])+)"
    r"([0-9]{1,4}(?:(?:丁目|番地|番|号|-)[0-9]{1,4})*)(?:丁目|番地|番|号)?(?: ([^0-9\-のノ,、・\s].*))?"
)
_PLACES: Final = 1 << 16
_LONGEST: Final = 12  # characters of a municipality's name
_BUILDING_HEAD: Final = re.compile(r"^[\s,、-]+")
_ROOM_MARK: Final = re.compile(r"(?<=[0-9])\s*号室?$")


@dataclass(frozen=True, slots=True)
class Address:
    """A read address. `place` is city, ward and town; `numbers` are block numbers, at times with the room."""

    prefecture: str
    place: str
    numbers: tuple[int, ...]
    building: str

    @property
    def form(self) -> str:
        """Everything; reading it again gives the same address."""
        numbers = "-".join(map(str, self.numbers))
        return f"{self.prefecture}{self.place}{numbers}" + (f" {self.building}" if self.building else "")

    @property
    def spot(self) -> str | None:
        """Place and numbers without what is often dropped (prefecture, building); None without a number."""
        return self.place + "-".join(map(str, self.numbers)) if self.numbers else None


def read_address(text: str) -> Address:
    """Take an address apart. Whatever is not understood stays in `place`, as folded text.

    >>> for text in (
    ...     "東京都千代田区丸の内一丁目２番３号　千代田ビル２０１号室",
    ...     "千代田区丸ノ内1ー2ー3 千代田ビル201",
    ...     "滋賀県大津市大字栗原字上二番地の十",
    ...     "北海道札幌市中央区北二十四条西十丁目3-4",
    ...     "東京都千代田区一番町5",
    ... ):
    ...     print(read_address(text).form)
    東京都千代田区丸ノ内1-2-3 千代田ビル201
    東京都千代田区丸ノ内1-2-3 千代田ビル201
    滋賀県大津市栗原上2-10
    北海道札幌市中央区北24条西10-3-4
    東京都千代田区一番町5
    >>> read_address("龍ヶ崎市三っ沢町二丁目五番地") == read_address("竜ケ崎市三ツ沢町2-5")
    True
    >>> read_address("横浜市霞が関1の2").spot, read_address("神奈川県横浜市").spot
    ('横浜市霞ケ関1-2', None)
    """
    # Bulk reading: most addresses of a list share their place with others.
    usual = _USUAL.fullmatch(text) or _USUAL.fullmatch(fold_hyphens(fold(text)))
    if usual is None:
        return _read_any(text)
    place, digits, building = usual.groups()
    head = _usual_place(place)
    numbers = tuple(map(int, _DIGITS.findall(digits)))
    return Address(head.prefecture, head.place, numbers, _usual_building(building) if building else "")


@lru_cache(_PLACES)
def _usual_place(text: str) -> Address:
    return _read_any(text + "1")


@lru_cache(_PLACES)
def _usual_building(text: str) -> str:
    return _read_any("甲1 " + text).building


@cache
def _municipalities() -> dict[str, str]:
    """Municipality as `place` writes it -> prefecture, where there is only one. A ward of Tokyo that has the name of a
    ward elsewhere (中央区, 港区) is left out: its city may have been dropped."""
    prefectures: dict[str, set[str]] = {}
    wards: set[str] = set()
    for line in (Path(__file__).parent / "municipalities.txt").read_text("utf-8").splitlines():
        prefecture, *names = line.split(" ")
        for name in names:
            city, mark, ward = name.partition("市")
            if ward.endswith("区"):  # 横浜市西区: the ward can be missing as well
                wards.add(ward)
                prefectures.setdefault(_place(modern_kanji(city + mark)), set()).add(prefecture)
            prefectures.setdefault(_place(modern_kanji(name)), set()).add(prefecture)
    return {name: min(found) for name, found in prefectures.items() if len(found) == 1 and name not in wards}


def _prefecture_of(place: str) -> str:
    known = _municipalities()
    for length in range(min(len(place), _LONGEST), 1, -1):
        if (found := known.get(place[:length])) is not None:
            return found
    return ""


def _read_any(text: str) -> Address:
    folded = _POSTAL_CODE.sub("", fold_hyphens(fold(text)))
    prefecture = ""
    if match := _PREFECTURE.match(folded):
        prefecture, folded = match[0], folded[match.end() :].lstrip()
    folded = _OAZA.sub("", _GAP.sub("", modern_kanji(folded)))
    while (counted := fold_hyphens(_COUNTED.sub(_counted, folded))) != folded:
        folded = counted  # one numeral that became digits can show the next one to be a number
    match = _NUMBERS.search(folded)
    if match is None:
        place = _place(folded)
        return Address(prefecture or _prefecture_of(place), place, (), "")
    numbers = tuple(int(digits) for digits in _DIGITS.findall(match[0]))
    building = _BUILDING_HEAD.sub("", folded[match.end() :])
    place = _place(folded[: match.start()])
    return Address(prefecture or _prefecture_of(place), place, numbers, _building(building))


def normal_address(text: str) -> str:
    """`read_address(text).form`: one string for the writings of one address."""
    return read_address(text).form


def _counted(match: re.Match[str]) -> str:
    value = kanji_number(match[0])
    return match[0] if value is None else str(value)


def _place(text: str) -> str:
    place = "".join(text.split())
    place = _COUNTY.sub("", place)
    return _TSU.sub("ツ", _NO.sub("ノ", _GA.sub("ケ", place)))


def _building(text: str) -> str:
    return _ROOM_MARK.sub("", " ".join(text.split()))
