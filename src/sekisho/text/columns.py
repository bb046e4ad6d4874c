"""What a column holds, from its name and a sample of its values: ranked guesses with reasons, for a person to confirm.

The name and the values are two witnesses. Each gives a weight between 0 and 1; together they give
1 - (1 - name)(1 - values); where enough values contradict the name, its weight falls. The weights are judgements,
not measurements: they order the guesses, and a person decides. A reason never quotes a value.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from sekisho.text.checkdigits import card_brand, is_corporate_number, is_individual_number, is_insurer_number
from sekisho.text.detect import scan
from sekisho.text.detect.japanese_names import FAMILY_NAMES, FAMILY_READINGS
from sekisho.text.items import ITEM_BY_ID, item_named
from sekisho.text.normal.addresses import read_address
from sekisho.text.normal.dates import normal_date
from sekisho.text.normal.fold import fold
from sekisho.text.normal.names import normal_kana, normal_name
from sekisho.text.normal.phones import normal_phone
from sekisho.text.normal.postal import normal_postal_code


@dataclass(frozen=True, slots=True)
class Reason:
    en: str
    ja: str


@dataclass(frozen=True, slots=True)
class Guess:
    """`item` is an id of `sekisho.text.items`; `confidence` from 0 to 1 orders the guesses."""

    item: str
    confidence: float
    reasons: tuple[Reason, ...]


_NAME_WEIGHT: Final = 0.7
_CONTRADICTED: Final = 0.15
_ENOUGH: Final = 5  # distinct values, before they may contradict a name
_FLOOR: Final = 0.1  # guesses below are not shown

# English and romanised column names, in snake case; the first that fits wins.
_NAMES: Final[tuple[tuple[str, re.Pattern[str]], ...]] = tuple(
    (item, re.compile(pattern))
    for item, pattern in (
        ("email", r"e?_?mail"),
        ("kana", r"kana|furigana|yomi"),
        ("building", r"katagaki|building_?name|tatemono|mansion"),
        ("postal_code", r"(^|_)zip|postal|post_?code|yuu?bin"),
        ("mobile_phone", r"mobile|keitai|cell_?(phone|no)"),
        ("phone", r"(^|_)(tel|phone|telephone|denwa|renrakusaki)(_|no|num|bango|[0-9]|$)"),
        ("address", r"(?<!ip)(?<!mac)(^|_)(addr|address|ju+sho|jyusho)"),
        ("birth_date", r"birth|(^|_)dob($|_)|seinen_?gappi|tanjo"),
        ("sex", r"(^|_)(sex|gender|seibetsu)($|_)"),
        ("age", r"(^|_)(age|nenrei)($|_)"),
        ("individual_number", r"my_?number|kojin_?(no|bango)|individual_number"),
        ("corporate_number", r"hou?jin_?(no|bango)|corporate_number"),
        ("pension_number", r"nenkin|pension"),
        ("insurer_number", r"hokensha_?(no|bango)|insurer_?(no|number)"),
        ("insurance_number", r"hoken(sho)?_?(kigo|no|bango)|insur(ance|ed)_?(card)?_?(no|number)"),
        ("card", r"credit|(^|_)card_?(no|num|number)|(^|_)pan$"),
        ("bank_account", r"kouza|koza|bank_?account|account_?number"),
        ("customer_number", r"(customer|kokyaku|okyaku(sama)?)_?(no|id|num|number|code|cd|bango)$"),
        ("member_id", r"(member|kaiin)_?(no|id|num|number|code|cd|bango)$"),
        ("user_id", r"(user|login|account)_?(id|name)$"),
        ("purchase_history", r"(purchase|order|buy)_?history|kou?nyu"),
        ("free_text", r"memo|remark|(^|_)notes?$|comment|bikou?"),
        (
            "name",
            r"(^|_)((full|family|first|last|given|customer|person|contact)_?)?(name|namae|shimei|simei|surname)(_kanji)?$",
        ),
    )
)
_OTHER_NAMES: Final = re.compile(
    r"(product|item|goods|company|corp|shop|store|branch|bank|file|table|column|class|host|type|code|city|pref|plan|event)_?name"
)
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_LABEL: Final = re.compile(r"[^\W\d_a-zA-Z]")

_SEXES: Final = frozenset("男 女 男性 女性 M F MALE FEMALE 1 2 0 9 おとこ おんな".split())  # noqa: SIM905
_SEX_WORDS: Final = frozenset("男 女 男性 女性 MALE FEMALE".split())  # noqa: SIM905


def _digits(value: str) -> str:
    return value.replace("-", "").replace(" ", "")


def _is_name(value: str) -> bool:
    name = normal_name(value)
    return (
        2 <= len(name) <= 8
        and any(name[:cut] in FAMILY_NAMES for cut in (1, 2, 3))
        and not name[-1].isdigit()
    )


def _is_reading(value: str) -> bool:
    kana = normal_kana(value)
    return bool(re.fullmatch("[ァ-ヺー]{2,16}", kana)) and any(
        kana[:cut] in FAMILY_READINGS for cut in range(2, 8)
    )


def _is_address(value: str) -> bool:
    address = read_address(value)
    return bool(address.prefecture or address.numbers) and bool(re.search("..*[市区町村郡]", address.place))


def _is_birth_date(value: str) -> bool:
    day = normal_date(value)
    return day is not None and 1900 <= day.year <= 2100


def _is_hyphened_postal_code(value: str) -> bool:
    return normal_postal_code(value) is not None and "-" in value


def _is_free_text(value: str) -> bool:
    # More than the sightings themselves: an address or a mail address is not a text that holds one.
    size = len(value.encode())
    return len(value) > 20 and 0 < sum(found.end - found.start for found in scan(value.encode())) < 0.7 * size


# What a value looks like; how much a column full of such values weighs alone; what to call it.
_LOOKS: Final[tuple[tuple[str, Callable[[str], bool], float, str, str], ...]] = (
    (
        "email",
        lambda value: bool(re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", value)),
        0.97,
        "mail addresses",
        "メールアドレス",
    ),
    ("phone", lambda value: normal_phone(value) is not None, 0.85, "telephone numbers", "電話番号"),
    ("postal_code", _is_hyphened_postal_code, 0.85, "postal codes with a hyphen", "ハイフン付きの郵便番号"),
    ("postal_code", lambda value: normal_postal_code(value) is not None, 0.3, "seven digits", "7桁の数字"),
    ("address", _is_address, 0.9, "Japanese addresses", "日本の住所"),
    ("name", _is_name, 0.85, "Japanese names", "日本人の氏名"),
    ("kana", _is_reading, 0.85, "names in kana", "カナの氏名"),
    ("birth_date", _is_birth_date, 0.25, "dates", "日付"),
    ("sex", lambda value: value.upper() in _SEX_WORDS, 0.85, "words for a sex", "性別を表す語"),
    ("sex", lambda value: value.upper() in _SEXES, 0.2, "codes as used for a sex", "性別に使われる符号"),
    (
        "age",
        lambda value: value.isdigit() and int(value[:4]) < 110 and len(value) < 4,
        0.1,
        "small numbers",
        "小さい数",
    ),
    (
        "card",
        lambda value: card_brand(_digits(value)) is not None,
        0.95,
        "card numbers (Luhn)",
        "カード番号(検査数字が一致)",
    ),
    (
        "individual_number",
        lambda value: is_individual_number(_digits(value)),
        0.9,
        "twelve digits whose check digit fits",
        "検査用数字が一致する12桁",
    ),
    (
        "corporate_number",
        lambda value: is_corporate_number(_digits(value)),
        0.9,
        "thirteen digits whose check digit fits",
        "検査用数字が一致する13桁",
    ),
    (
        "insurer_number",
        is_insurer_number,
        0.5,
        "digits whose check digit fits an insurer number",
        "検証番号が保険者番号と一致",
    ),
    ("free_text", _is_free_text, 0.8, "longer texts with personal data in them", "個人データを含む文章"),
)


def guess_item(column: str, values: Sequence[str | None]) -> list[Guess]:
    """The data items that a column may hold, likeliest first; an empty list: nothing personal was recognised.

    >>> guess_item("TEL1", ["03-1234-5678", "090-1234-5678", None])[0].item
    'phone'
    >>> [guess.item for guess in guess_item("product_name", ["りんご", "みかん"])]
    []
    """
    sample = sorted({folded for value in values if value and (folded := fold(value))})
    named = _item_of_name(column)
    weights: dict[str, float] = {}
    reasons: dict[str, list[Reason]] = {}
    for item, looks, weight, en, ja in _LOOKS:
        share = sum(map(looks, sample)) / len(sample) if sample else 0.0
        if share < 0.3 or (item != named and len(sample) < 2):
            continue
        # The square: a column of which half fits is far less than half a column of that kind.
        if weight * share * share > weights.get(item, 0.0):
            weights[item] = weight * share * share
            reasons[item] = [
                Reason(f"{share:.0%} of the sampled values are {en}.", f"標本の値の{share:.0%}が{ja}です。")
            ]
    if "phone" in weights and all(
        (normal_phone(value) or "0700")[:3] in ("070", "080", "090") for value in sample
    ):
        weights["mobile_phone"], reasons["mobile_phone"] = weights.pop("phone"), reasons.pop("phone")
        named = "mobile_phone" if named == "phone" else named
    if named is not None:
        contradicted = (
            named not in weights and len(sample) >= _ENOUGH and named in {look[0] for look in _LOOKS}
        )
        weight = _CONTRADICTED if contradicted else _NAME_WEIGHT
        ja_item = ITEM_BY_ID[named].ja
        weights[named] = 1 - (1 - weight) * (1 - weights.get(named, 0.0))
        reasons.setdefault(named, []).insert(
            0,
            Reason(f"The column's name says {ITEM_BY_ID[named].en}.", f"列名が「{ja_item}」を示しています。"),
        )
        if contradicted:
            reasons[named].append(
                Reason(
                    "Hardly any sampled value looks like it.", "標本の値のほとんどはその形をしていません。"
                )
            )
    guesses = [
        Guess(item, round(weight, 3), tuple(reasons[item]))
        for item, weight in weights.items()
        if weight >= _FLOOR
    ]
    return sorted(guesses, key=lambda guess: (-guess.confidence, guess.item))


def _item_of_name(column: str) -> str | None:
    folded = fold(column)
    if item := item_named(folded):
        return item.id
    if _LABEL.search(folded):  # 契約者_氏名, お客様電話番号1: the longest known writing that it ends with
        bare = re.sub(r"[_\s0-9]+$", "", folded)
        tails = (item_named(bare[start:]) for start in range(len(bare) - 1))
        return next((item.id for item in tails if item), None)
    snake = re.sub(r"[^a-z0-9]+", "_", _CAMEL.sub("_", folded).lower()).strip("_")
    if _OTHER_NAMES.search(snake):
        return None
    return next((item for item, pattern in _NAMES if pattern.search(snake)), None)
