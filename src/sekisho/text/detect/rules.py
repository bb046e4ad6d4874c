"""What counts as personal data within one line of text.

A rule answers on its own where the form is telling (a mail address, a card number with its check digit, a phone).
Weak forms (a date, seven digits, a family name) count only beside a word that says what they are, or in company:
in a line where something else was found, as in a row of a table. So a log full of timestamps stays quiet, and a
dumped customer table does not.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final, Literal, NamedTuple

from sekisho.text.checkdigits import card_brand, is_individual_number
from sekisho.text.detect.japanese_names import FAMILY_NAMES, FAMILY_READINGS, GIVEN_NAMES, GIVEN_READINGS
from sekisho.text.mask import PREFECTURES
from sekisho.text.normal.dates import normal_date
from sekisho.text.normal.fold import HYPHENS, INVISIBLE
from sekisho.text.normal.names import modern_kanji, normal_kana, with_old_kanji
from sekisho.text.normal.phones import normal_phone

Kind = Literal[
    "email",
    "card",
    "individual_number",
    "pension_number",
    "phone",
    "address",
    "postal_code",
    "name",
    "kana",
    "birth_date",
]  # ids of sekisho.text.items


class Sighting(NamedTuple):
    """Bytes `start` to `end` (exclusive), counted from the first byte of the stream, look like a `kind`."""

    kind: Kind
    start: int
    end: int


# One character for one, so that places stay: full-width ASCII, the wide space, every hyphen.
_NARROW: Final = (
    {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
    | {0x3000: 0x20}
    | {ord(hyphen): 0x2D for hyphen in HYPHENS}
)
_WIDE: Final = re.compile(f"[\uff01-\uff5e\u3000{re.escape(HYPHENS[1:])}]")
_DIGIT: Final = re.compile("[0-9]")

_BEFORE: Final = r"(?<![0-9A-Za-z_./+-])"
_AFTER: Final = r"(?![0-9A-Za-z_@]|[-./:][0-9])"
_EMAIL: Final = re.compile(r"[\w.%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}", re.ASCII)
_CARD: Final = re.compile(
    rf"{_BEFORE}(?:\d{{4}}(?P<s>[- ])\d{{4}}(?P=s)\d{{4}}(?P=s)\d{{4}}(?:(?P=s)\d{{3}})?"
    rf"|\d{{4}}(?P<t>[- ])\d{{6}}(?P=t)\d{{4,5}}|\d{{13,19}}){_AFTER}",
    re.ASCII,
)
_TWELVE: Final = re.compile(
    rf"{_BEFORE}(?:\d{{4}}(?P<s>[- ])\d{{4}}(?P=s)\d{{4}}|\d{{12}}){_AFTER}", re.ASCII
)
_INDIVIDUAL_WORD: Final = re.compile(
    "個人番号|マイナンバー|my ?number|individual number|kojin", re.IGNORECASE
)
_PENSION: Final = re.compile(rf"年金番号[^0-9]{{0,8}}(?P<value>\d{{4}}[- ]?\d{{6}}){_AFTER}", re.ASCII)
# Each form holds an anchor of scanner.py; ー between digits is what an input method makes of a hyphen.
_PHONE: Final = re.compile(
    rf"{_BEFORE}(?:0\d{{9,10}}|0\d{{1,4}}[-ー]\d{{1,4}}[-ー]\d{{4}}|0\d{{3}}[-ー]\d{{3}}[-ー]\d{{3}}"
    rf"|0\d{{1,4}}-\d{{6,8}}"
    rf"|\(0\d{{1,4}}\) ?\d{{1,4}}-\d{{4}}|0\d{{1,4}}\(\d{{1,4}}\)\d{{4}}|0\d{{1,3}} \d{{3,4}} \d{{3,4}}){_AFTER}"
    rf"|\+81[- ]?(?:\(0\)[- ]?)?\d{{1,4}}[- ]?\d{{1,4}}[- ]?\d{{4}}{_AFTER}",
    re.ASCII,
)
_POSTAL: Final = re.compile(
    rf"(?:〒 ?|郵便番号[^0-9]{{0,4}})(?P<value>\d{{3}}-?\d{{4}}){_AFTER}"
    rf"|(?:zip|postal)[ _a-z]{{0,6}}[:=,\t ]{{1,3}}(?P<hyphened>\d{{3}}-\d{{4}}){_AFTER}",
    re.ASCII | re.IGNORECASE,
)
_POSTAL_FORM: Final = re.compile(rf"{_BEFORE}\d{{3}}-\d{{4}}{_AFTER}", re.ASCII)

_DATE: Final = (
    r"(?:(?:19|20)\d{2}(?:-\d{1,2}-\d{1,2}|/\d{1,2}/\d{1,2}|\.\d{1,2}\.\d{1,2}|年\d{1,2}月\d{1,2}日|\d{4})"
    r"|(?:明治|大正|昭和|平成|令和)(?:\d{1,2}|元)(?:年\d{1,2}月\d{1,2}日|[./-]\d{1,2}[./-]\d{1,2})"
    r"|[MTSHR]\d{1,2}[./-]\d{1,2}[./-]\d{1,2})"
)
_BIRTH: Final = re.compile(
    rf"(?:生年月日|誕生日|birth(?:[ _]?da(?:y|te))?|DOB)[^0-9A-Za-z明大昭平令]{{0,8}}(?P<value>{_DATE}){_AFTER}"
    rf"|(?P<born>{_DATE}) ?生(?![産成徒物活命])",
    re.ASCII | re.IGNORECASE,
)
_DATE_FORM: Final = re.compile(rf"{_BEFORE}{_DATE}{_AFTER}", re.ASCII)
_BORN_IN: Final = range(1900, 2013)  # in company: later dates in a row are more often orders and contracts

_KANJI: Final = "\u4e00-\u9fff々〆ヶ"
_NUMERAL: Final = "0-9一二三四五六七八九十百"
_BLOCKS: Final = re.compile(
    rf"(?:[0-9]{{1,5}}|[一二三四五六七八九十百]{{1,4}})(?:丁目|番地|番(?!組|目|号)|号|[-ーの](?=[{_NUMERAL}]))"
    rf"(?:[-ーの ]?[{_NUMERAL}]{{1,5}}(?:丁目|番地|番|号室?)?)*|(?<=[{_KANJI}])[0-9]{{1,5}}"
)
_BEFORE_BLOCKS: Final = re.compile(rf"[{_KANJI}ァ-ンーのがつ]{{2,30}} ?$")
_BEFORE_BLOCKS_IN_PREFECTURE: Final = re.compile(
    rf"(?:{'|'.join(PREFECTURES)}) ?[{_KANJI}ァ-ンーぁ-ん ]{{1,30}}$"
)
_MUNICIPALITY: Final = re.compile(r"(?<=.)(?:[市区町村](?!場|民|長|役|内|外|立|営|議|政)|郡)")
_PREFECTURE_CELL: Final = re.compile(rf"(?:{'|'.join(PREFECTURES)})[{_KANJI}ァ-ンーぁ-ん0-9A-Za-z -]{{3,40}}")
_WHOLE_PLACE: Final = re.compile("[都道府県市区町村郡]$")

_RUN: Final = re.compile(f"[{_KANJI}]{{2,}}|(?<![{_KANJI}])[{_KANJI}](?= ?[{_KANJI}])")
_NEXT_RUN: Final = re.compile(
    rf'(?: {{1,3}}|[\t,|] ?|","|・)([{_KANJI}]{{1,3}}|[ぁ-ん]{{2,4}}|[ァ-ヶー]{{2,3}})(?![{_KANJI}ぁ-んァ-ヶー])'
)
_HONORIFIC: Final = re.compile("様|さま|さん|殿|氏(?!名)")
_NAME_WORD: Final = re.compile(
    r"(?:氏名|お?名前|契約者名?|申込者名?|世帯主名?|代表者名?|患者名?|会員名|顧客名|ご本人)[^\w]{0,3}$"
    r"|担当者?[:= ]{1,2}$"
)
_LABELS: Final = (
    "住所 電話 番号 電話番号 郵便番号 生年月日 性別 年齢 変更 確認 入力 必須 任意 一覧 検索 不明 未登録"
)
_NOT_A_NAME: Final = frozenset(_LABELS.split())
_READING: Final = re.compile(r"([ァ-ヶー]{2,6}) ([ァ-ヶー]{2,6})|([ｦ-ﾟ]{2,10}) ([ｦ-ﾟ]{2,10})")
# Cells of a row: between separators, with the padding that psql and fixed widths add.
_CELL_END: Final = r"(?= *(?:[\t,|\"';\r\n]|$))"
_NAME_CELL: Final = re.compile(rf"[{_KANJI}]{{1,6}}(?: [{_KANJI}ぁ-んァ-ヶー]{{1,4}})?{_CELL_END}")
_READING_CELL: Final = re.compile(
    rf"(?:[ァ-ヶー]{{2,6}} ?[ァ-ヶー]{{2,6}}|[ｦ-ﾟ]{{2,10}} ?[ｦ-ﾟ]{{2,10}}){_CELL_END}"
)


def _one_of(characters: set[str]) -> str:
    return f"[{''.join(sorted(with_old_kanji(characters)))}]"


# What a line outside ASCII holds where any rule can answer, beside the byte anchors of scanner.py. Wider than the
# rules; one search of each runs over a whole chunk, so that prose is passed over at the speed of the regex engine.
_DIGITS: Final = "0-9\uff10-\uff19"
_ANY_HYPHEN: Final = re.escape(HYPHENS) + "ー"
_FIRST: Final = _one_of({name[0] for name in FAMILY_NAMES}) + rf"(?<![{_KANJI}][\s\S])"
_WITHIN: Final = _one_of(set("".join(FAMILY_NAMES | GIVEN_NAMES)))
_LAST: Final = _one_of({name[-1] for name in GIVEN_NAMES})
_WORDS: Final = "〒 ＠ 郵便番号 年金番号 生年月日 誕生日"
_NAME_WORDS: Final = "氏名 名前 契約者 申込者 世帯主 代表者 患者 会員名 顧客名 ご本人 担当"
_TELLING: Final[tuple[tuple[re.Pattern[str], Callable[[str], bool] | None], ...]] = (
    (INVISIBLE, None),
    (re.compile(rf"[\uff10-\uff19][{_DIGITS}{_ANY_HYPHEN}()（） \u3000]{{5}}"), None),
    (re.compile(rf"[0-9][{_ANY_HYPHEN[2:]}（）\u3000][{_DIGITS}]{{2}}"), None),
    (re.compile(rf"[日{_DIGITS}] ?生"), None),
    (re.compile(rf"[市区町村郡][^\n]{{0,40}}?[{_DIGITS}一二三四五六七八九十百]"), None),
    (
        re.compile(rf"{_FIRST}{_WITHIN}{{1,4}}{_LAST}(?![{_KANJI}])"),
        lambda run: _split_name(modern_kanji(run)),
    ),
    (
        re.compile(rf'{_FIRST}{_WITHIN}{{0,2}}(?=[ \u3000\t,|"・]{{1,3}}[{_KANJI}ぁ-んァ-ヶ])'),
        lambda run: modern_kanji(run) in FAMILY_NAMES,
    ),
    (
        re.compile(rf"{_FIRST}[{_KANJI}]{{1,6}}(?:(?<=[様殿氏])|さま|さん)"),
        lambda run: _begins_with_family(modern_kanji(run)),
    ),
    (re.compile(r"[ァ-ヶーｦ-ﾟ][ \u3000][ァ-ヶｦ-ﾟ]"), None),
    *((re.compile(word), None) for word in (_WORDS + " " + _NAME_WORDS).split()),
)


def telling_places(text: str) -> list[int]:
    """Places in a text of several lines: at least one in each line in which a rule can answer."""
    places = []
    for pattern, is_telling in _TELLING:
        place = 0
        while match := pattern.search(text, place):
            place = match.end()
            if is_telling is None or is_telling(match[0]):
                places.append(match.start())
                place = text.find("\n", match.start()) + 1
                if not place:
                    break
    return sorted(places)


def find_in_line(line: bytes, offset: int = 0) -> Iterator[Sighting]:
    """All sightings of one line, in order of place; `offset` is the place of its first byte in the stream.

    Bytes that are not UTF-8 stand for themselves: they end a value, and hide nothing behind them.
    """
    text = line.decode("utf-8", "surrogateescape")
    places: list[int] | None = None
    if not line.isascii() and INVISIBLE.search(text):
        places = [place for place, character in enumerate(text) if not INVISIBLE.match(character)]
        places.append(len(text))
        whole, text = text, "".join(text[place] for place in places[:-1])
    else:
        whole = text
    for kind, start, end in sorted(_find(text), key=lambda found: found.start):
        if places is not None:
            start, end = places[start], places[end - 1] + 1
        before = len(whole[:start].encode("utf-8", "surrogateescape"))
        length = len(whole[start:end].encode("utf-8", "surrogateescape"))
        yield Sighting(kind, offset + before, offset + before + length)


def _find(text: str) -> list[Sighting]:
    found: list[Sighting] = []
    japanese = not text.isascii()
    if japanese and _WIDE.search(text):
        text = text.translate(_NARROW)
    digits = _DIGIT.search(text) is not None
    if "@" in text:
        _add(found, "email", ((match.start(), match.end()) for match in _EMAIL.finditer(text)))
    if digits:
        _add(found, "card", _cards(text))
        _add(found, "individual_number", _individual_numbers(text))
        _add(found, "phone", _phones(text))
        _add(found, "postal_code", _postal_codes(text))
        _add(found, "birth_date", _birth_dates(text))
    if japanese:
        text = modern_kanji(text)
        if digits:
            _add(found, "pension_number", (match.span("value") for match in _PENSION.finditer(text)))
        _add(found, "address", _addresses(text))
        _add(found, "name", _names(text))
        _add(found, "kana", _readings(text))
    if found:
        if digits:
            _add(found, "postal_code", (match.span() for match in _POSTAL_FORM.finditer(text)))
            _add(found, "birth_date", _dates_in_company(text))
        if japanese:
            _add(found, "address", _addresses_in_company(text))
            _add(found, "name", _names_in_company(text))
            _add(found, "kana", _readings_in_company(text))
    return found


def _add(found: list[Sighting], kind: Kind, spans: Iterator[tuple[int, int]]) -> None:
    """Keep what does not overlap an earlier find: the rules run from the strictest to the loosest."""
    for start, end in spans:
        if all(end <= other.start or other.end <= start for other in found):
            found.append(Sighting(kind, start, end))


def _only_digits(text: str) -> str:
    return text.replace("-", "").replace(" ", "")


def _cards(text: str) -> Iterator[tuple[int, int]]:
    for match in _CARD.finditer(text):
        if card_brand(_only_digits(match[0])):
            yield match.span()


def _individual_numbers(text: str) -> Iterator[tuple[int, int]]:
    for match in _TWELVE.finditer(text):
        near = text[max(0, match.start() - 40) : match.start()]
        if is_individual_number(_only_digits(match[0])) and _INDIVIDUAL_WORD.search(near):
            yield match.span()


def _phones(text: str) -> Iterator[tuple[int, int]]:
    for match in _PHONE.finditer(text):
        if normal_phone(match[0]):
            yield match.span()


def _postal_codes(text: str) -> Iterator[tuple[int, int]]:
    for match in _POSTAL.finditer(text):
        yield match.span("value" if match["value"] else "hyphened")


def _birth_dates(text: str) -> Iterator[tuple[int, int]]:
    for match in _BIRTH.finditer(text):
        group = "value" if match["value"] else "born"
        if normal_date(match[group]):
            yield match.span(group)


def _dates_in_company(text: str) -> Iterator[tuple[int, int]]:
    for match in _DATE_FORM.finditer(text):
        day = normal_date(match[0])
        if day is not None and day.year in _BORN_IN:
            yield match.span()


def _addresses(text: str) -> Iterator[tuple[int, int]]:
    for match in _BLOCKS.finditer(text):
        before = text[max(0, match.start() - 40) : match.start()]
        start = match.start() - len(before)
        place = _BEFORE_BLOCKS_IN_PREFECTURE.search(before)
        if place is None and not match[0].isdigit():  # without a prefecture, 市川2 or 二区3 is too little
            place = _BEFORE_BLOCKS.search(before)
        if place is not None and _MUNICIPALITY.search(place[0]):
            yield start + place.start(), match.end()


def _addresses_in_company(text: str) -> Iterator[tuple[int, int]]:
    for match in _PREFECTURE_CELL.finditer(text):
        if _MUNICIPALITY.search(match[0]):
            yield match.start(), match.start() + len(match[0].rstrip())


def _split_name(run: str) -> bool:
    """A listed family name and a listed given name, and nothing else."""
    return any(run[:cut] in FAMILY_NAMES and run[cut:] in GIVEN_NAMES for cut in (2, 1, 3))


def _begins_with_family(run: str) -> bool:
    return run[:2] in FAMILY_NAMES or run[:3] in FAMILY_NAMES


def _names(text: str) -> Iterator[tuple[int, int]]:
    for match in _RUN.finditer(text):
        run, start, end = match[0], match.start(), match.end()
        after = text[end : end + 2]
        honorific = _HONORIFIC.match(after)
        bare = run
        if (
            not honorific
            and len(run) > 2
            and (run[-1] in "様殿" or (run[-1] == "氏" and not after.startswith("名")))
        ):
            bare, honorific = run[:-1], _HONORIFIC.match(run[-1])
        if len(bare) > 2 and _split_name(bare):
            yield start, start + len(bare)
        elif bare in FAMILY_NAMES:
            following = _NEXT_RUN.match(text, end)
            if following and _is_given(following, len(bare)):
                yield start, following.end(1)
            elif honorific and len(bare) > 1:
                yield start, start + len(bare)
        elif (
            honorific
            and len(bare) > 2
            and (bare[:2] in FAMILY_NAMES or bare[:3] in FAMILY_NAMES)
            and len(bare) < 7
        ):
            yield start, start + len(bare)
        elif (
            2 <= len(bare) <= 6
            and bare not in _NOT_A_NAME
            and _NAME_WORD.search(text, max(0, start - 10), start)
        ):
            following = _NEXT_RUN.match(text, end)
            alone = following is None or following[0][0] != " " or following[1] in _NOT_A_NAME
            yield start, start + len(bare) if alone or following is None else following.end(1)


def _is_given(following: re.Match[str], family_length: int) -> bool:
    given = following[1]
    if given in GIVEN_NAMES:
        return True
    # An unlisted given name: only behind one space, and not a place (福島 県, 川崎 市内).
    return (
        following[0][0] == " "
        and family_length > 1
        and given not in _NOT_A_NAME
        and not _WHOLE_PLACE.search(given)
    )


def _begins_cell(text: str, start: int) -> bool:
    before = text[max(0, start - 8) : start].rstrip(" ")
    return not before or before[-1] in "\t,|\"';"


def _names_in_company(text: str) -> Iterator[tuple[int, int]]:
    """A cell that begins with a listed family name and has the length of a full name."""
    for match in _NAME_CELL.finditer(text):
        name, space, _ = match[0].partition(" ")
        family = name in FAMILY_NAMES if space else len(name) > 2 and _begins_with_family(name)
        if family and _begins_cell(text, match.start()) and not _WHOLE_PLACE.search(match[0]):
            yield match.span()


def _readings(text: str) -> Iterator[tuple[int, int]]:
    for match in _READING.finditer(text):
        family, given = (normal_kana(part) for part in match.groups() if part)
        if family in FAMILY_READINGS and given in GIVEN_READINGS:
            yield match.span()


def _readings_in_company(text: str) -> Iterator[tuple[int, int]]:
    """A cell in kana that begins with a listed family name."""
    for match in _READING_CELL.finditer(text):
        whole = normal_kana(match[0])
        family = any(whole[:cut] in FAMILY_READINGS for cut in range(2, min(len(whole) - 1, 7)))
        if family and _begins_cell(text, match.start()):
            yield match.span()
