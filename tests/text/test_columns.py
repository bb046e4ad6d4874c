import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.text import columns
from sekisho.text.columns import guess_item
from sekisho.text.items import ITEM_BY_ID

NAMES = ["佐藤太郎", "鈴木 花子", "高橋健一", "田中美咲", "伊藤 蓮", "渡邊翔太"]
KANA = ["サトウ タロウ", "ｽｽﾞｷ ﾊﾅｺ", "タカハシケンイチ", "タナカ ミサキ", "イトウレン"]
PHONES = ["03-1234-5678", "0612345678", "045-123-4567", "090-1234-5678", "312345678"]
ADDRESSES = [
    "東京都渋谷区神宮前1-2-3",
    "大阪市北区梅田3-1",
    "横浜市西区みなとみらい2丁目",
    "滋賀県大津市栗原25",
    "郡上市八幡町島谷228",
]
DATES = ["1984-03-01", "S59.3.1", "1955/12/24", "30742", "昭和40年1月2日"]
INDIVIDUAL = ["123456789018", "000000000019", "111111111118", "100000000005", "000005000009"]
CARDS = [
    "4111111111111111",
    "5555 5555 5555 4444",
    "3566-0020-2036-0505",
    "4012888888881881",
    "378282246310005",
]
MADE_UP = ["alpha", "beta", "gamma", "delta", "epsilon"]


def test_the_examples_in_the_docstrings() -> None:
    assert doctest.testmod(columns).failed == 0


@pytest.mark.parametrize(
    ("column", "values", "item"),
    [
        # a telling name and telling values
        ("氏名", NAMES, "name"),
        ("customer_name", NAMES, "name"),
        ("customerNameKana", KANA, "kana"),
        ("TEL_NO", PHONES, "phone"),
        ("JUSHO1", ADDRESSES, "address"),
        ("seinengappi", DATES, "birth_date"),
        ("契約者_住所", ADDRESSES, "address"),
        ("お客様電話番号2", PHONES, "phone"),
        ("kokyaku_no", ["C0001", "C0002", "C0003", "C0004", "C0005"], "customer_number"),
        ("gender", ["1", "2", "1"], "sex"),
        ("備考", ["折り返しのお電話は090-1234-5678までお願いします。"] * 2, "free_text"),
        # values alone
        ("c1", NAMES, "name"),
        ("c2", KANA, "kana"),
        ("c3", PHONES, "phone"),
        ("c4", ADDRESSES, "address"),
        ("c5", INDIVIDUAL, "individual_number"),
        ("c6", CARDS, "card"),
        ("c7", ["a@example.jp", "b@example.jp"], "email"),
        ("c8", ["150-0001", "060-0042"], "postal_code"),
        ("c9", ["090-1234-5678", "08012345678", "7012345678"], "mobile_phone"),
        ("c10", ["男", "女"], "sex"),
        # the name alone
        ("mail_address", [], "email"),
        ("postalCode", [None, ""], "postal_code"),
        # a misleading name
        ("kana", PHONES, "phone"),
    ],
)
def test_the_best_guess(column: str, values: list[str | None], item: str) -> None:
    guesses = guess_item(column, values)
    assert guesses[0].item == item
    assert guesses[0].reasons


@pytest.mark.parametrize(
    "column", ["product_name", "ip_address", "status", "created_at", "page", "message_id", "商品名"]
)
def test_columns_of_things_are_left_alone(column: str) -> None:
    assert guess_item(column, MADE_UP) == []


def test_a_long_value_is_not_a_free_text() -> None:
    mails = [f"taro.example-customer{n}@mail.example.jp" for n in range(9)]
    assert [guess.item for guess in guess_item("c", mails)] == ["email"]


def test_two_witnesses_weigh_more_than_one_and_a_contradicted_name_less() -> None:
    both = guess_item("tel", PHONES)[0].confidence
    values = guess_item("c", PHONES)[0].confidence
    name = guess_item("tel", [])[0].confidence
    contradicted = guess_item("tel", MADE_UP)[0]
    assert both > values > name > contradicted.confidence
    assert len(contradicted.reasons) == 2


@given(st.text(max_size=12), st.lists(st.none() | st.text(max_size=20), max_size=8))
def test_any_column_gives_ordered_guesses_that_quote_no_value(column: str, values: list[str | None]) -> None:
    guesses = guess_item(column, values)
    assert [guess.confidence for guess in guesses] == sorted((g.confidence for g in guesses), reverse=True)
    assert all(guess.item in ITEM_BY_ID and 0 < guess.confidence <= 1 for guess in guesses)


def test_reasons_speak_both_languages_and_quote_no_value() -> None:
    for values in (NAMES, PHONES, ADDRESSES, CARDS):
        for guess in guess_item("c", values):
            for reason in guess.reasons:
                assert reason.en
                assert reason.ja
                assert not any(value in reason.en or value in reason.ja for value in values)
