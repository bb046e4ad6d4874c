"""Masking forms: what of a value may be shown to a person who may not see the value.

`mask_for(item)` gives the form of one data item, a function from the UTF-8 bytes of a value to the
bytes that are shown. Every answer is one of a fixed table of constants, chosen by a short piece of the
value; no other byte of it can come out. What is kept, and why it is little enough:

    name, kana         佐＊＊            the first character, only where it begins two or more common family
                                         names, so that it settles none; 林 alone is hidden
    address            東京都＊＊＊      one of 47; the smallest holds half a million persons
    postal_code        15＊＊＊＊＊      two of seven digits: a region like a prefecture
    birth_date         198＊-＊＊-＊＊   the decade; hidden before 1930, where few are still alive
    phone, mobile_phone, card, customer_number, member_id
                       ＊＊＊＊＊78      the last two digits, one in a hundred: enough to say "the one ending
                                         in 78"; not four, by which call centres recognise a caller
    any other item     ＊＊＊            e-mail, insurance and individual numbers, free text, unknown: nothing

A value that is empty, short, of an unusual shape, or no more than what would be kept, is hidden (＊＊＊);
so is one in another encoding, unless its first bytes happen to be exactly those of a kept form.
The answers of one item differ only in the kept part, so lengths tell nothing. Masking twice shows the same
or less. The functions run once per value of each row that passes: about 0.2 µs each (docs/text.md).
"""

from collections.abc import Callable
from typing import Any, Final, Generic, NoReturn, TypeVar

Mask = Callable[[bytes], bytes]

HIDDEN: Final = "＊＊＊".encode()

# Only characters that begin several common family names: 纐 alone would say 纐纈, a few thousand persons.
# tests/text/test_mask.py holds the lists against the family names that detection knows.
_FIRST_KANJI: Final = (
    "佐鈴高田伊渡山中小加吉松井木林清阿森池橋石前藤岡長村青坂遠福西原三竹金上野大武宮菊増杉平新今丸内"
    "谷横安河島水岩千本浜市永荒飯川北古早関黒白土桜須尾秋片篠富堀矢奥柴栗久熊植浅神梅津辻笠桑根成細星広岸相児牧稲塚湯下"
)
_FIRST_KANA: Final = "アイウエオカキクコサシスセタチツテトナニネノハヒフホマミムモヤユヨワ"
_FIRST_HALF_KANA: Final = "ｱｲｳｴｵｶｷｸｺｻｼｽｾﾀﾁﾂﾃﾄﾅﾆﾈﾉﾊﾋﾌﾎﾏﾐﾑﾓﾔﾕﾖﾜ"
_FIRST_HIRAGANA: Final = "".join(chr(ord(kana) - 0x60) for kana in _FIRST_KANA)

_PREFECTURES: Final = (
    "北海道 青森県 岩手県 宮城県 秋田県 山形県 福島県 茨城県 栃木県 群馬県 埼玉県 千葉県 東京都 神奈川県 "
    "新潟県 富山県 石川県 福井県 山梨県 長野県 岐阜県 静岡県 愛知県 三重県 滋賀県 京都府 大阪府 兵庫県 "
    "奈良県 和歌山県 鳥取県 島根県 岡山県 広島県 山口県 徳島県 香川県 愛媛県 高知県 福岡県 佐賀県 長崎県 "
    "熊本県 大分県 宮崎県 鹿児島県 沖縄県"
)
PREFECTURES: Final = tuple(_PREFECTURES.split())

_NAME_FORMS: Final = {
    character.encode(): f"{character}＊＊".encode()
    for character in _FIRST_KANJI + _FIRST_KANA + _FIRST_HALF_KANA + _FIRST_HIRAGANA
}
_ADDRESS_FORMS: Final = {name[:3].encode(): (name.encode(), f"{name}＊＊＊".encode()) for name in PREFECTURES}
_POSTAL_FORMS: Final = {b"%02d" % n: f"{n:02}＊＊＊＊＊".encode() for n in range(100)}
_DECADE_FORMS: Final = {b"%d" % n: f"{n}＊-＊＊-＊＊".encode() for n in range(193, 210)}
_LAST_TWO_FORMS: Final = {b"%02d" % n: f"＊＊＊＊＊{n:02}".encode() for n in range(100)}


def _hide(_value: bytes) -> bytes:
    return HIDDEN


def _mask_name(value: bytes) -> bytes:
    # Kept characters are 3 bytes of UTF-8; a second one must follow, or the first would be the whole value.
    # The strip takes the spaces of CHAR(n) and U+3000 (E3 80 80); what it takes beyond hides more, not less.
    return _NAME_FORMS.get(value[:3], HIDDEN) if len(value.rstrip(b" \t\r\n\xe3\x80")) > 5 else HIDDEN


def _mask_address(value: bytes) -> bytes:
    # Three characters settle the prefecture; 神奈川県, 和歌山県 and 鹿児島県 have a fourth to compare.
    form = _ADDRESS_FORMS.get(value[:9])
    if form is None or not value.startswith(form[0]) or len(value.rstrip()) == len(form[0]):
        return HIDDEN
    return form[1]


def _mask_postal_code(value: bytes) -> bytes:
    # 123-4567 or 1234567; a column of numbers that lost its leading zero is shorter, and hidden.
    length = len(value)
    if length == 8 and value[3] == 0x2D:
        return _POSTAL_FORMS.get(value[:2], HIDDEN) if (value[:3] + value[4:]).isdigit() else HIDDEN
    return _POSTAL_FORMS.get(value[:2], HIDDEN) if length == 7 and value.isdigit() else HIDDEN


def _mask_birth_date(value: bytes) -> bytes:
    # 1984-03-01, 1984/3/1, 19840301. Other orders and era years are hidden: their decade is dear to find.
    if not 8 <= len(value) <= 10:
        return HIDDEN
    digits = value.translate(None, b"-/.")
    if len(digits) < 6 or not digits.isdigit() or not value[:4].isdigit():
        return HIDDEN
    return _DECADE_FORMS.get(value[:3], HIDDEN)


def _mask_phone(value: bytes) -> bytes:
    # Nine digits: a number whose leading zero a spreadsheet ate. Anything but digits and separators is
    # hidden: after 内線 the last two digits might be a whole extension.
    digits = value.translate(None, b"-() +.")
    return _LAST_TWO_FORMS[digits[-2:]] if 9 <= len(digits) <= 13 and digits.isdigit() else HIDDEN


def _mask_card(value: bytes) -> bytes:
    # PCI DSS 3.4.1 would allow the first six and last four; ISO/IEC 7812-1: 12 to 19 digits.
    digits = value.translate(None, b"- ")
    return _LAST_TWO_FORMS[digits[-2:]] if 12 <= len(digits) <= 19 and digits.isdigit() else HIDDEN


def _mask_account(value: bytes) -> bytes:
    # Six or more letters and digits, ending in two digits. An e-mail address as an id is hidden for its @.
    letters = value.translate(None, b"-_")
    return _LAST_TWO_FORMS.get(value[-2:], HIDDEN) if len(letters) >= 6 and letters.isalnum() else HIDDEN


_MASKS: Final[dict[str, Mask]] = {
    "name": _mask_name,
    "kana": _mask_name,
    "address": _mask_address,
    "postal_code": _mask_postal_code,
    "birth_date": _mask_birth_date,
    "phone": _mask_phone,
    "mobile_phone": _mask_phone,
    "card": _mask_card,
    "customer_number": _mask_account,
    "member_id": _mask_account,
}


def mask_for(item: str) -> Mask:
    """The masking form of a data item (an id of `sekisho.text.items`); an unknown item is hidden whole."""
    return _MASKS.get(item, _hide)


T_co = TypeVar("T_co", covariant=True)


class Masked(Generic[T_co]):
    """A value that is personal data: it passes through the program, and never shows itself.

    `repr`, `str`, `format`, logs and tracebacks show ＊＊＊; it cannot be pickled or copied, and equals only
    itself, so that comparing guesses nothing. `reveal()` is the one way out, and easy to search for.
    """

    __slots__ = ("__value",)

    def __init__(self, value: T_co) -> None:
        self.__value = value

    def reveal(self) -> T_co:
        return self.__value

    def __repr__(self) -> str:
        return "＊＊＊"

    __str__ = __repr__

    def __format__(self, specification: str) -> str:
        return "＊＊＊"  # also under a width: f"{value:>20}" must neither fail nor reveal

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("a masked value is neither pickled nor copied")
