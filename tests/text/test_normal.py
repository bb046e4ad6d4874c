import doctest
from datetime import date
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.text.normal import addresses, dates, fold, names, phones, postal
from sekisho.text.normal.addresses import normal_address, read_address
from sekisho.text.normal.dates import ERAS, normal_date
from sekisho.text.normal.fold import kanji_number
from sekisho.text.normal.names import normal_kana, normal_name
from sekisho.text.normal.phones import normal_phone
from sekisho.text.normal.postal import normal_postal_code


@pytest.mark.parametrize("module", [addresses, dates, fold, names, phones, postal], ids=lambda m: m.__name__)
def test_the_examples_in_the_docstrings(module: ModuleType) -> None:
    outcome = doctest.testmod(module)
    assert outcome.failed == 0
    assert outcome.attempted > 0


WIDE = str.maketrans("0123456789-", "０１２３４５６７８９－")


def written_in_kanji(number: int) -> str:
    """Place value up to 9999, the generator's own."""
    digits = "〇一二三四五六七八九"
    text = ""
    for unit, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        count = number // unit % 10
        if count:
            text += ("" if count == 1 and name else digits[count]) + name
    return text or digits[0]


@given(st.integers(0, 9999))
def test_kanji_numerals_by_place_value(number: int) -> None:
    assert kanji_number(written_in_kanji(number)) == number


@given(st.text("一二三十百千〇０1a", max_size=6))
def test_a_kanji_numeral_has_one_value_or_none(text: str) -> None:
    value = kanji_number(text)
    assert value is None or value >= 0


# -- names ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "writings",
    [
        ("渡辺太郎", "渡邊太郎", "渡邉　太郎", "渡辺 太郎様"),
        ("高崎", "髙﨑", "高嵜"),
        ("斎藤", "齋藤", "齊藤", "斉藤"),
        ("浜島", "濱嶋", "濵嶌"),
        ("葛城", "葛\U000e0100城"),
        ("神谷", "神谷"),
    ],
)
def test_writings_of_one_name(writings: tuple[str, ...]) -> None:
    assert len({normal_name(name) for name in writings}) == 1


@pytest.mark.parametrize("pair", [("斎藤", "斎木"), ("高橋", "高梨"), ("伊藤", "伊東"), ("様子", "子")])
def test_names_that_stay_apart(pair: tuple[str, str]) -> None:
    assert normal_name(pair[0]) != normal_name(pair[1])


@pytest.mark.parametrize(
    "writings",
    [
        ("ショウジ", "ｼﾖｳｼﾞ", "しょうじ", "シヨウジ"),
        ("オータ", "ｵｰﾀ", "オ－タ", "オ-タ", "おーた"),
        ("ハットリ", "ﾊﾂﾄﾘ"),
    ],
)
def test_writings_of_one_reading(writings: tuple[str, ...]) -> None:
    assert len({normal_kana(name) for name in writings}) == 1


@given(st.text("渡邊辺髙様 　々ｶﾞがッー-Aａ\u200b", max_size=10))
def test_name_forms_are_idempotent(text: str) -> None:
    for form in (normal_name, normal_kana):
        assert form(form(text)) == form(text)


# -- phones -----------------------------------------------------------------------------------------------

LANDLINES = st.tuples(st.sampled_from(["3", "6", "45", "52", "123", "978"]), st.integers(0, 10**8)).map(
    lambda parts: "0" + parts[0] + f"{parts[1]:09}"[-(9 - len(parts[0])) :]
)
MOBILES = st.tuples(st.sampled_from(["090", "080", "070", "050"]), st.integers(0, 10**8 - 1)).map(
    lambda parts: f"{parts[0]}{parts[1]:08}"
)
PHONES = LANDLINES | MOBILES


def hyphened(digits: str) -> str:
    return f"{digits[:-8]}-{digits[-8:-4]}-{digits[-4:]}" if len(digits) > 8 else digits


@given(PHONES)
def test_writings_of_one_phone(digits: str) -> None:
    writings = [
        digits,
        digits[1:],
        hyphened(digits),
        hyphened(digits).translate(WIDE),
        hyphened(digits).replace("-", "ー"),
        "+81-" + hyphened(digits)[1:],
        "+81 (0)" + digits[1:],
        f"TEL:{digits}（代表）",
        f"{digits} 内線 123",
        digits[1:] + ".0",
    ]
    assert {normal_phone(writing) for writing in writings} == {digits}


@given(PHONES, PHONES)
def test_two_phones_never_become_one(first: str, second: str) -> None:
    if first != second:
        for a in (first, first[1:], hyphened(first)):
            for b in (second, second[1:], hyphened(second)):
                assert normal_phone(a) != normal_phone(b)


@given(st.text("0123456789+-(). x内線", max_size=16))
def test_a_phone_form_is_idempotent_or_none(text: str) -> None:
    once = normal_phone(text)
    if once is not None:
        assert normal_phone(once) == once


# -- dates ------------------------------------------------------------------------------------------------


def in_era(day: date) -> tuple[str, int]:
    return next(
        (era, day.year - offset) for era, (offset, first, last) in reversed(ERAS.items()) if day >= first
    )


@given(st.dates(date(1873, 1, 1), date(2060, 12, 31)))
def test_writings_of_one_day(day: date) -> None:
    era, year = in_era(day)
    letter = dict(zip(ERAS, "MTSHR", strict=True))[era]
    code = dict(zip(ERAS, "12345", strict=True))[era]
    in_kanji = f"{era}{'元' if year == 1 else written_in_kanji(year)}年"
    writings = [
        day.isoformat(),
        f"{day:%Y/%m/%d}",
        f"{day.year}/{day.month}/{day.day} 0:00",
        f"{day:%Y%m%d}",
        f"{day.year}年{day.month}月{day.day}日".translate(WIDE),
        f"{era}{year}年{day.month}月{day.day}日",
        f"{letter}{year}.{day.month}.{day.day}",
        f"{letter}{year:02}{day:%m%d}",
        f"{code}{year:02}{day:%m%d}",
        f"{in_kanji}{written_in_kanji(day.month)}月{written_in_kanji(day.day)}日",
    ]
    serial = (day - date(1899, 12, 30)).days
    if 10_000 <= serial < 60_000:
        writings += [str(serial), f"{serial}.0"]
    assert {normal_date(writing) for writing in writings} == {day}


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("明治45年7月30日", date(1912, 7, 30)),
        ("大正元年7月30日", date(1912, 7, 30)),
        ("明治45年7月31日", None),
        ("大正元年7月29日", None),
        ("大正15年12月25日", date(1926, 12, 25)),
        ("昭和元年12月25日", date(1926, 12, 25)),
        ("昭和元年12月24日", None),
        ("昭和64年1月7日", date(1989, 1, 7)),
        ("昭和64年1月8日", None),
        ("平成31年4月30日", date(2019, 4, 30)),
        ("平成31年5月1日", None),
        ("令和元年4月30日", None),
        ("明治6年1月1日", date(1873, 1, 1)),
        ("明治5年12月2日", None),
        ("1872-12-31", None),
        ("1900-02-29", None),
        ("2000-02-29", date(2000, 2, 29)),
        ("昭和0年1月1日", None),
        ("9999", None),
        ("60000", None),
        ("", None),
    ],
)
def test_the_boundaries_of_eras_and_calendars(text: str, day: date | None) -> None:
    assert normal_date(text) == day


@given(st.text("0123456789SH昭和平成元年月日十./- ", max_size=12))
def test_a_date_form_is_idempotent_or_none(text: str) -> None:
    once = normal_date(text)
    if once is not None:
        assert normal_date(once.isoformat()) == once


# -- postal codes -----------------------------------------------------------------------------------------


@given(st.integers(0, 9_999_999))
def test_writings_of_one_postal_code(number: int) -> None:
    code = f"{number:07}"
    for writing in (code, f"{code[:3]}-{code[3:]}", f"〒{code[:3]}-{code[3:]}".translate(WIDE)):
        assert normal_postal_code(writing) == code
    if code[0] == "0" and code[1] != "0":
        assert normal_postal_code(code[1:]) == code


# -- addresses --------------------------------------------------------------------------------------------

PLACES = st.sampled_from(
    [
        "千代田区丸の内",
        "大津市栗原",
        "札幌市中央区北一条西",
        "八王子市三崎町",
        "四日市市一番町",
        "龍ヶ崎市霞が丘",
        "横手市十文字町",
    ]
)


@given(PLACES, st.integers(1, 99), st.integers(1, 99), st.integers(1, 999))
def test_writings_of_one_address(place: str, chome: int, block: int, number: int) -> None:
    writings = [
        f"{place}{chome}-{block}-{number}",
        f"{place}{chome}丁目{block}番{number}号",
        f"{place} {chome}丁目{block}番地{number}",
        f"{place}{chome}丁目{block}番地の{number}",
        f"{place}{chome}丁目{block}-{number}",
        f"{place}{chome}－{block}ー{number}".translate(WIDE),
        f"{place}{written_in_kanji(chome)}丁目{block}番{number}号",
        f"{place}{written_in_kanji(chome)}丁目{written_in_kanji(block)}番{written_in_kanji(number)}号",
        f"{place}{written_in_kanji(chome)}丁目{written_in_kanji(block)}番地の{written_in_kanji(number)}",
    ]
    assert len({normal_address(writing) for writing in writings}) == 1
    assert read_address("東京都" + writings[1]).spot == read_address(writings[0]).spot
    assert read_address(writings[0]).numbers == (chome, block, number)


@given(
    st.lists(st.integers(1, 9999), min_size=1, max_size=4),
    st.lists(st.integers(1, 9999), min_size=1, max_size=4),
)
def test_two_block_numbers_never_become_one(first: list[int], second: list[int]) -> None:
    a, b = ("港区六本木" + "-".join(map(str, numbers)) for numbers in (first, second))
    assert (normal_address(a) == normal_address(b)) == (first == second)


@pytest.mark.parametrize(
    ("writing", "form"),
    [
        ("岩手県盛岡市玉山第三地割12番地5", "岩手県盛岡市玉山第3地割12-5"),
        ("札幌市北区北七条西四丁目1-2", "北海道札幌市北区北7条西4-1-2"),
        ("東京都港区六本木6-10-1 森タワー33階", "東京都港区六本木6-10-1 森タワー33階"),
        ("金沢市十一屋町3-1", "石川県金沢市十一屋町3-1"),
        ("熊本県球磨郡あさぎり町免田東1199", "熊本県あさぎり町免田東1199"),
        ("大和郡山市筒井町1", "奈良県大和郡山市筒井町1"),
        ("郡上市八幡町島谷228", "岐阜県郡上市八幡町島谷228"),
        ("四街道市鹿渡無番地", "千葉県四街道市鹿渡無番地"),
        ("京都市中京区三条通烏丸東入1", "京都府京都市中京区三条通烏丸東入1"),
    ],
)
def test_what_a_place_keeps(writing: str, form: str) -> None:
    assert normal_address(writing) == form


@pytest.mark.parametrize(
    ("place", "prefecture"),
    [
        ("横浜市西区みなとみらい1-2", "神奈川県"),
        ("札幌市1-2", "北海道"),  # the ward is missing as well
        ("当別町5", "北海道"),  # and the county
        ("龍ヶ崎市1-2", "茨城県"),
        ("府中市宮町1-1", ""),  # there are two
        ("美郷町1-2", ""),
        ("中央区1-2", ""),  # of Tokyo, or of a city that was dropped
        ("日和市1-2", ""),
    ],
)
def test_a_dropped_prefecture_comes_back_where_there_is_only_one(place: str, prefecture: str) -> None:
    read = read_address(place)
    assert read.prefecture == prefecture
    assert read_address("東京都" + place).prefecture == "東京都"  # what is written stays
    if prefecture:
        assert normal_address(prefecture + place) == normal_address(place)


@given(PLACES, st.text("0123456789-丁目番地号の一二十大字ヶ階F 、ハイツ", max_size=14))
def test_an_address_form_is_idempotent(place: str, tail: str) -> None:
    once = normal_address(place + tail)
    assert normal_address(once) == once


# -- what the manual says that they cannot do -------------------------------------------------------------


@pytest.mark.parametrize("pair", [("太郎", "太朗"), ("大野", "OHNO"), ("畑", "畠"), ("堀", "掘")])
def test_names_that_no_form_joins(pair: tuple[str, str]) -> None:
    assert normal_name(pair[0]) != normal_name(pair[1])


@pytest.mark.parametrize("pair", [("オオノ", "オウノ"), ("オオノ", "オーノ"), ("ミヅキ", "ミズキ")])
def test_readings_that_no_form_joins(pair: tuple[str, str]) -> None:
    assert normal_kana(pair[0]) != normal_kana(pair[1])


@pytest.mark.parametrize(
    "pair",
    [
        ("横浜市西区1-2", "西区1-2"),
        ("新宿区四ッ谷1-2", "新宿区四谷1-2"),
        ("港区六本木1-2-3-201", "港区六本木1-2-3 ハイツ201"),
        ("京都市中京区三条通烏丸東入1", "京都市中京区梅忠町1"),
    ],
)
def test_addresses_that_no_form_joins(pair: tuple[str, str]) -> None:
    assert normal_address(pair[0]) != normal_address(pair[1])
