import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.text import items, mask
from sekisho.text.items import ITEM_BY_ID, ITEMS, ItemClass, parse_items


def test_the_examples_in_the_docstrings() -> None:
    assert doctest.testmod(items).failed == 0


def test_ids_and_writings_are_unique() -> None:
    assert len(ITEM_BY_ID) == len(ITEMS)
    writings = [items._fold(w) for item in ITEMS for w in (item.ja, *item.writings)]
    assert len(writings) == len(set(writings))


def test_each_masking_form_belongs_to_an_item() -> None:
    assert set(mask._MASKS) <= set(ITEM_BY_ID)


@pytest.mark.parametrize(
    ("raw", "ids"),
    [
        ("氏名、電話番号、住所、生年月日", ["name", "phone", "address", "birth_date"]),
        ("氏名(カナ)、年度末年齢、年代", ["kana", "age_at_fiscal_year_end", "age_group"]),
        ("氏名（フリガナ）,ＴＥＬ,〒", ["kana", "phone", "postal_code"]),
        ("契約者性別・世帯主名・設置住所・代表者", ["sex", "name", "address", "representative"]),
        ("会員ID、ユーザID、ISP-ID、お客様番号", ["member_id", "user_id", "isp_id", "customer_number"]),
        ("2014年度特定健康診査受診有無、保険証記号番号", ["health_check_visit", "insurance_number"]),
        ("クレジットカード情報(67件)、商品購入履歴等", ["card", "purchase_history"]),
        ("氏名 、\n 方書", ["name", "building"]),
        ("住所(一部顧客は住所、建物を含まず)", ["address"]),
        ("整理記号", ["other"]),
        ("はなまるプラン", ["plan"]),
        ("", []),
        ("等", []),
    ],
)
def test_a_list_is_read_into_items(raw: str, ids: list[str]) -> None:
    read = parse_items(raw)
    assert [named.item.id for named in read.named] == ids
    assert read.raw == raw


def test_markers_are_not_items() -> None:
    read = parse_items("氏名、住所、生年月日(一部)等")
    assert read.open_ended
    assert [named.partial for named in read.named] == [False, False, True]
    assert parse_items("氏名、その他、など").open_ended
    assert not parse_items("氏名、健診等受診日").open_ended
    whole = parse_items("氏名、郵便番号(一部項目がない等データごとに対象項目が異なる)")
    assert whole.remarks == ("一部項目がない等データごとに対象項目が異なる",)
    assert not whole.named[1].partial


def test_what_is_named_twice_is_reported_and_what_differs_is_not() -> None:
    assert parse_items("氏名、電話番号、生年月日、電話番号").duplicates == ("電話番号",)
    assert parse_items("性別、氏名、性別、性別").duplicates == ("性別",)
    assert parse_items("住所、設置住所、電話番号、携帯電話番号").duplicates == ()
    assert parse_items("整理記号、整理記号").duplicates == ("整理記号",)
    assert parse_items("顧客番号、会員番号").duplicates == ("会員番号",)


def test_the_classes_of_what_weighs_most() -> None:
    assert ITEM_BY_ID["card"].item_class is ItemClass.CARD
    assert ITEM_BY_ID["insurance_number"].item_class is ItemClass.INSURANCE_NUMBER
    assert ITEM_BY_ID["individual_number"].item_class is ItemClass.OFFICIAL_NUMBER


@given(st.lists(st.sampled_from([item.ja for item in ITEMS if item.id != "other"]), unique=True))
def test_every_usual_writing_is_found_again(writings: list[str]) -> None:
    read = parse_items("、".join(writings))
    assert [named.item.ja for named in read.named] == writings
    assert read.duplicates == ()
    assert read.unknown == ()


@given(st.text("氏名住所番号(（)）、等一部a ", max_size=30))
def test_any_text_is_read_and_kept(raw: str) -> None:
    assert parse_items(raw).raw == raw
