"""The vocabulary of data items: what kinds of personal data a dataset holds, as contracts and notices name them.

`parse_items("氏名、電話番号、生年月日(一部)等")` reads such a list. The text as written is kept; 等 and (一部) are
markers, not items; an item that is named twice is reported, because it is often a slip for another one; a
writing that the vocabulary does not know stays in the list as `other`, and is reported too.
"""

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class ItemClass(StrEnum):
    CONTACT = "contact"
    BIRTH = "birth"  # also sex and age: what a person was born with
    CARD = "card"  # and bank accounts
    HEALTH = "health"
    INSURANCE_NUMBER = "insurance_number"
    OFFICIAL_NUMBER = "official_number"
    PURCHASE_HISTORY = "purchase_history"
    ACCOUNT_ID = "account_id"
    CONTRACT = "contract"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Item:
    """One data item. `id` is what the catalogue and `mask_for` take; `ja` is the usual writing."""

    id: str
    ja: str
    en: str
    item_class: ItemClass
    writings: tuple[str, ...] = ()


def _items(item_class: ItemClass, *rows: str) -> tuple[Item, ...]:
    """Rows are `id | English | usual writing | other writings …`."""
    items = []
    for row in rows:
        name, en, ja, *writings = (part.strip() for part in row.split("|"))
        items.append(Item(name, ja, en, item_class, tuple(writings)))
    return tuple(items)


ITEMS: Final[tuple[Item, ...]] = (
    *_items(
        ItemClass.CONTACT,
        "name | name | 氏名 | 名前 | 姓名 | お名前",
        "representative | representative | 代表者 | 代表者名",
        "kana | name in kana | 氏名(カナ) | 氏名カナ | カナ氏名 | フリガナ | ふりがな | 氏名フリガナ | 氏名(フリガナ)",
        "phone | telephone number | 電話番号 | 電話 | 固定電話番号 | 自宅電話番号 | 連絡先電話番号 | TEL",
        "mobile_phone | mobile number | 携帯電話番号 | 携帯番号 | 携帯電話",
        "address | address | 住所 | 所在地 | 居住地",
        "building | building or care-of line | 方書 | 建物名 | マンション名 | アパート名",
        "postal_code | postal code | 郵便番号 | 〒",
        "email | e-mail address | メールアドレス | Eメールアドレス | 電子メールアドレス | Eメール",
        "district | district | 地区 | 行政区 | 東西区分",
    ),
    *_items(
        ItemClass.BIRTH,
        "birth_date | date of birth | 生年月日 | 誕生日",
        "sex | sex | 性別",
        "age | age | 年齢",
        "age_at_fiscal_year_end | age at the end of the fiscal year | 年度末年齢",
        "age_group | age group | 年代 | 年齢層",
    ),
    *_items(
        ItemClass.CARD,
        "card | credit card data | クレジットカード情報 | クレジットカード番号 | カード番号 | クレジットカード",
        "bank_account | bank account | 口座番号 | 口座情報 | 銀行口座 | 振替口座",
    ),
    *_items(
        ItemClass.HEALTH,
        "health_check_visit | health check taken or not | 健診受診有無 | 健康診査受診有無 | 特定健診受診有無 "
        "| 特定健康診査受診有無 | 特定健康診査受信有無",
        "health_check_ticket | health check ticket number | 健診受診券番号 | 受診券番号 | 特定健診受診券番号 "
        "| 特定健診の受診券番号",
        "health_check_serial | health check reference number | 健診受診券整理番号 | 受診券整理番号 "
        "| 特定健診受診券整理番号",
        "medical_history | medical history | 病歴 | 既往歴 | 傷病名",
    ),
    *_items(
        ItemClass.INSURANCE_NUMBER,
        "insurance_number | insurance card symbol and number | 保険証記号番号 | 被保険者証記号番号 | 保険証番号 "
        "| 記号番号 | 被保険者番号",
        "insurer_number | insurer number | 保険者番号",
    ),
    *_items(
        ItemClass.OFFICIAL_NUMBER,
        "individual_number | individual number (My Number) | 個人番号 | マイナンバー",
        "corporate_number | corporate number | 法人番号",
        "pension_number | basic pension number | 基礎年金番号 | 年金番号",
        "licence_number | driving licence number | 運転免許証番号 | 免許証番号",
    ),
    *_items(
        ItemClass.PURCHASE_HISTORY,
        "purchase_history | purchase history | 商品購入履歴 | 購入履歴 | 注文履歴",
        "first_purchase_date | first purchase | 初回購入日",
        "last_purchase_date | last purchase | 最終購入日",
        "purchase_count | number of purchases | 購入回数",
    ),
    *_items(
        ItemClass.ACCOUNT_ID,
        "customer_number | customer number | 顧客番号 | 会員番号 | お客様番号 | お客さま番号 | 契約者番号 | 顧客コード",
        "member_id | member id | 会員ID",
        "user_id | user id | ユーザID | ユーザーID | ログインID",
        "isp_id | internet provider id | ISP-ID | プロバイダID",
        "resident_number | municipal addressee number | 宛名番号",
        "sequence_number | sequence number | SEQNO | 連番 | 通番",
    ),
    *_items(
        ItemClass.CONTRACT,
        "member_stage | member stage | 会員ステージ | 会員ランク | ステージ",
        "plan | plan | 申込プラン | 契約プラン | プラン",
        "application_date | date of application | 申込日 | 契約日",
        "registration_date | date of registration | 登録日",
        "provider | internet provider | プロバイダ名 | プロバイダー名",
        "carrier | telephone carrier | 通信会社名",
        "device_model | device model | チューナー機種名 | 機種名",
        "building_type | type of building | 建物種別",
    ),
    *_items(
        ItemClass.OTHER,
        "free_text | free text | 自由記述 | 備考 | メモ | 対応履歴 | 通話内容",
        "other | other | その他",
    ),
)
ITEM_BY_ID: Final = {item.id: item for item in ITEMS}


def _fold(writing: str) -> str:
    return "".join(unicodedata.normalize("NFKC", writing).split()).upper()


_ITEM_BY_WRITING: Final = {
    _fold(writing): item for item in ITEMS for writing in (item.ja, *item.writings) if item.id != "other"
}


def item_named(writing: str) -> Item | None:
    """The item of which this is a known writing, in any width and case."""
    return _ITEM_BY_WRITING.get(_fold(writing))


# Whose, or of when: 契約者住所 and 設置住所 are both an address, and not the same one.
_QUALIFIER: Final = re.compile(
    r"(契約者|申込者|代表者|世帯主|設置|送付先|配送先|請求先|勤務先|家族|本人|連絡先|[0-9]{4}年度|平成[0-9]+年度|令和[0-9]+年度)の?(?=.)"
)
_REMARK: Final = re.compile(r"(?P<head>[^()]+)\((?P<remark>[^()]*)\)")
_SEPARATORS: Final = "、,，/／・;；\n"
_OPEN_END: Final = re.compile(r"(?<=.)(等|など|ほか|他)$")


@dataclass(frozen=True, slots=True)
class NamedItem:
    """One entry of a list. `partial`: marked as held for some of the persons only."""

    raw: str
    item: Item
    qualifier: str = ""
    remark: str = ""
    partial: bool = False


@dataclass(frozen=True, slots=True)
class ItemList:
    """A list of data items as written and as read. `open_ended`: it ends in 等, so that it may hold more."""

    raw: str
    named: tuple[NamedItem, ...]
    open_ended: bool
    remarks: tuple[str, ...]

    @property
    def ids(self) -> frozenset[str]:
        return frozenset(named.item.id for named in self.named)

    @property
    def duplicates(self) -> tuple[str, ...]:
        """Entries that name an earlier one again, as written."""
        seen: Counter[tuple[str, str]] = Counter()
        repeated = []
        for named in self.named:
            key = (named.item.id if named.item.id != "other" else _fold(named.raw), named.qualifier)
            seen[key] += 1
            if seen[key] == 2:
                repeated.append(named.raw)
        return tuple(repeated)

    @property
    def unknown(self) -> tuple[str, ...]:
        return tuple(named.raw for named in self.named if named.item.id == "other")


def parse_items(raw: str) -> ItemList:
    """Read a list of data items, as a contract or a notice writes it. Any text gives a list; see `unknown`.

    >>> read = parse_items("氏名(カナ)、契約者住所、電話番号、電話番号、生年月日(一部)、整理記号等")
    >>> [(named.item.id, named.qualifier) for named in read.named][:2]
    [('kana', ''), ('address', '契約者')]
    >>> read.duplicates, read.unknown, read.open_ended, read.named[4].partial
    (('電話番号',), ('整理記号',), True, True)
    >>> parse_items("氏名(一部項目がない等データごとに異なる)").remarks
    ('一部項目がない等データごとに異なる',)
    """
    named: list[NamedItem] = []
    remarks: list[str] = []
    open_ended = False
    for part in _split(raw):
        entry, ended = _without_open_end(part)
        open_ended |= ended
        if entry:
            read = _read_entry(entry)
            if read.remark.startswith("一部項目"):
                remarks.append(read.remark)  # it speaks of the list, not of the item that it stands behind
                read = NamedItem(read.raw, read.item, read.qualifier, read.remark)
            named.append(read)
    return ItemList(raw, tuple(named), open_ended, tuple(remarks))


def _split(raw: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for place, character in enumerate(raw):
        if character in "(（":
            depth += 1
        elif character in ")）":
            depth = max(depth - 1, 0)
        elif depth == 0 and character in _SEPARATORS:
            parts.append(raw[start:place])
            start = place + 1
    parts.append(raw[start:])
    return [part.strip() for part in parts if part.strip()]


def _without_open_end(part: str) -> tuple[str, bool]:
    if part in ("等", "など", "ほか", "他"):
        return "", True
    entry = _OPEN_END.sub("", part)
    return entry, entry != part


def _read_entry(raw: str) -> NamedItem:
    if item := item_named(raw):
        return NamedItem(raw, item)
    folded, remark = _fold(raw), ""
    if match := _REMARK.fullmatch(folded):
        folded, remark = match["head"], match["remark"]
    partial = "一部" in remark
    qualifier = ""
    item = _ITEM_BY_WRITING.get(folded)
    if item is None and (match := _QUALIFIER.match(folded)):
        qualifier, rest = match[1], folded[match.end() :]
        item = _ITEM_BY_WRITING.get("氏名" if rest == "名" else rest)
    if item is None and folded.endswith("プラン"):
        item = ITEM_BY_ID["plan"]  # with the product's name before it
    if item is None:
        return NamedItem(raw, ITEM_BY_ID["other"], "", remark, partial)
    return NamedItem(raw, item, qualifier, remark, partial)
