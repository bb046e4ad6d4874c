from itertools import pairwise
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sekisho.text.detect import Scanner, Sighting, rules, scan
from sekisho.text.detect.japanese_names import FAMILY_NAMES, FAMILY_READINGS, GIVEN_NAMES, GIVEN_READINGS
from sekisho.text.detect.rules import find_in_line
from sekisho.text.items import ITEM_BY_ID
from sekisho.text.mask import _FIRST_KANA, _FIRST_KANJI


def seen(text: str) -> list[tuple[str, str]]:
    data = text.encode()
    return [(found.kind, data[found.start : found.end].decode()) for found in scan(data)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        # phones: every form, wide and narrow
        ("tel 090-1234-5678.", [("phone", "090-1234-5678")]),
        ("tel 09012345678", [("phone", "09012345678")]),
        ("０９０－１２３４－５６７８", [("phone", "０９０－１２３４－５６７８")]),
        ("電話090ー1234ー5678", [("phone", "090ー1234ー5678")]),
        ("(03)1234-5678", [("phone", "(03)1234-5678")]),
        ("03(1234)5678", [("phone", "03(1234)5678")]),
        ("03 1234 5678", [("phone", "03 1234 5678")]),
        ("0120-123-456", [("phone", "0120-123-456")]),
        ("+81-90-1234-5678", [("phone", "+81-90-1234-5678")]),
        ("電話 090\u200b-12\u200b34-5678", [("phone", "090\u200b-12\u200b34-5678")]),
        # mail, cards, numbers
        ("a.b+c@mail.example.co.jp に", [("email", "a.b+c@mail.example.co.jp")]),
        ("ａ＠ｅｘａｍｐｌｅ．ｊｐ", [("email", "ａ＠ｅｘａｍｐｌｅ．ｊｐ")]),
        ("4111 1111 1111 1111", [("card", "4111 1111 1111 1111")]),
        ("4111-1111-1111-1111", [("card", "4111-1111-1111-1111")]),
        ("378282246310005", [("card", "378282246310005")]),
        ("3782 822463 10005", [("card", "3782 822463 10005")]),
        ("個人番号：１２３４５６７８９０１８", [("individual_number", "１２３４５６７８９０１８")]),
        ("My Number 1234-5678-9018", [("individual_number", "1234-5678-9018")]),
        ("基礎年金番号1234-567890", [("pension_number", "1234-567890")]),
        # addresses
        ("東京都渋谷区神宮前一丁目2番3号", [("address", "東京都渋谷区神宮前一丁目2番3号")]),
        ("大阪市北区梅田３－１－３へ", [("address", "大阪市北区梅田３－１－３")]),
        ("滋賀県大津市栗原25", [("address", "滋賀県大津市栗原25")]),
        ("〒1500001", [("postal_code", "1500001")]),
        # names
        ("佐藤太郎", [("name", "佐藤太郎")]),
        ("髙橋　花子", [("name", "髙橋　花子")]),
        ("渡邉 煌星 です", [("name", "渡邉 煌星")]),
        ("山田様よりお電話", [("name", "山田")]),
        ("清水 トシ", [("name", "清水 トシ")]),
        ("中村さんへ", [("name", "中村")]),
        ("氏名：四月朔日 凜音", [("name", "四月朔日 凜音")]),
        ("サトウ タロウ", [("kana", "サトウ タロウ")]),
        ("ｽｽﾞｷ ﾊﾅｺ", [("kana", "ｽｽﾞｷ ﾊﾅｺ")]),
        # births
        ("生年月日：昭和59年3月1日", [("birth_date", "昭和59年3月1日")]),
        ("birth_date=1984-03-01", [("birth_date", "1984-03-01")]),
        ("1984年3月1日生まれ", [("birth_date", "1984年3月1日")]),
    ],
)
def test_what_is_found(text: str, found: list[tuple[str, str]]) -> None:
    assert seen(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-21 11:01:26,123 INFO [1234] GET /api/v1/users?id=1234567 200 1234 0.123",
        "2026-11-21T11:01:26.123456+0900 epoch 1700000000123 uuid 550e8400-e29b-41d4-a716-446655440000",
        "sha 0123456789abcdef0123456789abcdef ip 10.0.0.1 version 0.12.3456",
        "4111-1111-1111-1112",  # Luhn
        "1234 5678 9018",  # an individual number's check digit, and no word beside it
        "個人番号 1234 5678 9012",
        "お客様の仕様書について、皆様と同様です。",
        "市場規模は2-3倍、第3区1-2組",
        "江戸時代には幕府が各地に置いた。関所は街道に設けられた。",
        "サーバー エラー",
        "昭和59年3月1日に開業した。",
        "150-0001",
        "東京都港区",
        "鈴木は部品の名でもある",
    ],
)
def test_what_is_left_alone(text: str) -> None:
    assert seen(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "四月朔日凜音",  # neither part of the name is listed
        "佐藤",
        "さとう たろう",
        "Sato Taro",
        "佐藤太郎左衛門尉",
        "9012345678",
        "東京都渋谷区神宮前",
        "1984-03-01",
        "150-0001",
        "090-1234-\n5678",
        "保険証 記号 12345678",
    ],
)
def test_what_is_not_found_as_the_manual_says(text: str) -> None:
    assert seen(text) == []


def test_what_is_found_wrongly_as_the_manual_says() -> None:
    assert [kind for kind, _ in seen("0123456789 福島さん 山田 ガス")] == ["phone", "name", "name"]


def test_in_company_weak_forms_count() -> None:
    row = '"123","佐藤煌星","サトウコウセイ","150-0001","東京都渋谷区神宮前","090-1234-5678","1984-03-01"'
    assert seen(row) == [
        ("name", "佐藤煌星"),
        ("kana", "サトウコウセイ"),
        ("postal_code", "150-0001"),
        ("address", "東京都渋谷区神宮前"),
        ("phone", "090-1234-5678"),
        ("birth_date", "1984-03-01"),
    ]
    assert seen(row.replace("090-1234-5678", "")) == []
    assert seen(" 1 | 東 煌星       | アズマ コウセイ | 東京都渋谷区神宮前1-2-3 |")[:2] == [
        ("name", "東 煌星"),
        ("kana", "アズマ コウセイ"),
    ]


def test_kinds_are_data_items() -> None:
    assert set(get_args(rules.Kind)) <= set(ITEM_BY_ID)


def test_the_names_that_are_known() -> None:
    assert len(FAMILY_NAMES) > 500
    assert len(GIVEN_NAMES) > 500
    assert all(1 <= len(name) <= 3 for name in FAMILY_NAMES | GIVEN_NAMES)
    # What a masked name keeps begins two family names or more, so that it settles none.
    for kept, names in ((_FIRST_KANJI, FAMILY_NAMES), (_FIRST_KANA, FAMILY_READINGS)):
        for character in kept:
            assert sum(name.startswith(character) for name in names) > 1, character
    assert GIVEN_READINGS


PIECES = st.sampled_from(
    [
        *(
            "佐藤太郎",
            "山田様",
            "氏名",
            "東京都渋谷区神宮前1-2-3",
            "〒150-0001",
            "090-1234-5678",
            "０９０－１２３４－５６７８",
        ),
        *(
            "4111 1111 1111 1111",
            "a@example.jp",
            "生年月日1984-03-01",
            "ｻﾄｳ ﾀﾛｳ",
            "個人番号1234 5678 9018",
            "\u200b",
        ),
        *(
            "2026-11-21 11:01:26",
            "\n",
            "\r\n",
            "\r",
            ",",
            " ",
            "\t",
            "x",
            "あ",
            "市",
            "3",
            "-",
            '"',
            "x" * 600,
            "語" * 300,
        ),
    ]
)
TEXTS = st.lists(PIECES, max_size=40).map(lambda pieces: "".join(pieces).encode())


def in_chunks(data: bytes, cuts: list[int]) -> list[Sighting]:
    scanner = Scanner()
    found = []
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    for start, end in pairwise(edges):
        found += scanner.feed(data[start:end])
    return found + scanner.finish()


@settings(max_examples=200, deadline=None)
@given(TEXTS, st.lists(st.integers(0, 1 << 20), max_size=12))
def test_chunks_change_nothing(data: bytes, cuts: list[int]) -> None:
    assert in_chunks(data, cuts) == scan(data)


def test_each_byte_alone_changes_nothing() -> None:
    data = (
        "佐藤太郎,090-1234-5678\n" + "あ" * 1500 + "東京都渋谷区神宮前1-2-3" + "x" * 3000 + "a@example.jp"
    ).encode()
    assert in_chunks(data, list(range(len(data)))) == scan(data)
    assert [found.kind for found in scan(data)] == ["name", "phone", "address", "email"]


@settings(deadline=None)
@given(st.integers(0, 9000))
def test_a_value_is_found_wherever_it_stands_in_a_long_line(place: int) -> None:
    data = b"." * place + b" 090-1234-5678 " + b"." * 5000
    assert scan(data) == [Sighting("phone", place + 1, place + 14)]


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_the_quick_way_finds_what_reading_each_line_finds(data: bytes) -> None:
    """The byte anchors and wide patterns only skip: no line that a rule answers for is passed over."""
    found: list[Sighting] = []
    place = 0
    for line in data.replace(b"\r", b"\n").splitlines(keepends=True):
        found += find_in_line(line, place) if len(line) <= 4096 else []
        place += len(line)
    assert set(found) <= set(scan(data))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_and_places_are_within(data: bytes) -> None:
    assert all(0 <= found.start < found.end <= len(data) for found in scan(data))


def test_bytes_that_are_no_text_hide_nothing_behind_them() -> None:
    assert [found.kind for found in scan(b"\xff\xfe090-1234-5678\xff\n\xe4\xbd")] == ["phone"]


def test_a_scanner_keeps_little() -> None:
    scanner = Scanner()
    for _ in range(100):
        scanner.feed(b"x" * 1000)
        assert len(scanner._pending) <= 4096


def test_this_project_speaks_of_persons_without_holding_any() -> None:
    """A check on noise: the program's own text, in two languages, has hardly a sighting."""
    source = Path(rules.__file__).parent.parent.parent
    files = [*source.glob("evidence/*.py"), *source.glob("*.py")]
    data = b"\n".join(path.read_bytes() for path in files)
    assert len(scan(data)) < 5
