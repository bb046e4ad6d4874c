import copy
import json
import logging
import pickle

import msgspec
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from sekisho.text.mask import HIDDEN, PREFECTURES, Masked, mask_for

ITEMS = (
    *(
        "name",
        "kana",
        "address",
        "postal_code",
        "birth_date",
        "phone",
        "mobile_phone",
        "card",
        "customer_number",
    ),
    *("member_id", "email", "insurance_number", "individual_number", "free_text", "other", "no such item"),
)


@pytest.mark.parametrize(
    ("item", "value", "shown"),
    [
        ("name", "佐藤 太郎", "佐＊＊"),
        ("name", "佐藤", "佐＊＊"),
        ("name", "林", "＊＊＊"),
        ("name", "纐纈 一郎", "＊＊＊"),
        ("name", "Sato Taro", "＊＊＊"),
        ("name", "", "＊＊＊"),
        ("name", "佐      ", "＊＊＊"),
        ("name", "佐\u3000\u3000", "＊＊＊"),
        ("kana", "サトウ タロウ", "サ＊＊"),
        ("kana", "ｻﾄｳ ﾀﾛｳ", "ｻ＊＊"),
        ("kana", "さとう", "さ＊＊"),
        ("kana", "サ", "＊＊＊"),
        ("address", "東京都千代田区丸の内1-2-3", "東京都＊＊＊"),
        ("address", "神奈川県横浜市西区1", "神奈川県＊＊＊"),
        ("address", "神奈川区三ツ沢1", "＊＊＊"),
        ("address", "千代田区丸の内1-2-3", "＊＊＊"),
        ("address", "京都市中京区1", "＊＊＊"),
        ("address", "東京都", "＊＊＊"),
        ("address", "鹿児島県  ", "＊＊＊"),
        ("postal_code", "150-0001", "15＊＊＊＊＊"),
        ("postal_code", "1500001", "15＊＊＊＊＊"),
        ("postal_code", "600001", "＊＊＊"),
        ("postal_code", "150-00a1", "＊＊＊"),
        ("birth_date", "1984-03-01", "198＊-＊＊-＊＊"),
        ("birth_date", "1984/3/1", "198＊-＊＊-＊＊"),
        ("birth_date", "19840301", "198＊-＊＊-＊＊"),
        ("birth_date", "1919-03-01", "＊＊＊"),
        ("birth_date", "昭和59年3月1日", "＊＊＊"),
        ("birth_date", "03/01/1984", "＊＊＊"),
        ("phone", "090-1234-5678", "＊＊＊＊＊78"),
        ("phone", "9012345678", "＊＊＊＊＊78"),
        ("phone", "+81 90 1234 5678", "＊＊＊＊＊78"),
        ("phone", "03-1234-5678 内線12", "＊＊＊"),
        ("phone", "110", "＊＊＊"),
        ("phone", "０９０１２３４５６７８", "＊＊＊"),
        ("card", "4111 1111 1111 1111", "＊＊＊＊＊11"),
        ("card", "41111111111", "＊＊＊"),
        ("customer_number", "C-00012345", "＊＊＊＊＊45"),
        ("customer_number", "12345", "＊＊＊"),
        ("member_id", "a.b@example.jp", "＊＊＊"),
        ("email", "a.b@example.jp", "＊＊＊"),
        ("insurance_number", "12345678", "＊＊＊"),
        ("no such item", "佐藤 太郎", "＊＊＊"),
    ],
)
def test_what_each_form_shows(item: str, value: str, shown: str) -> None:
    assert mask_for(item)(value.encode()).decode() == shown


VALUES = st.one_of(
    st.binary(max_size=40),
    st.text(max_size=20).map(str.encode),
    st.text("0123456789-/ ", max_size=20).map(str.encode),
    st.text("佐藤林高ｻﾄサト ＊都", max_size=6).map(str.encode),
    st.builds(
        lambda prefecture, rest: prefecture.encode() + rest,
        st.sampled_from(PREFECTURES),
        st.binary(max_size=12),
    ),
    st.dates().map(lambda date: date.isoformat().encode()),
)


@given(st.sampled_from(ITEMS), VALUES)
def test_no_value_is_shown_whole_whatever_its_bytes(item: str, value: bytes) -> None:
    shown = mask_for(item)(value)
    kept = shown.decode().replace("＊", "").replace("-", "").encode()
    separators = b"-/. ()+_"
    assert kept in value.translate(None, separators)
    if kept:
        assert len(kept) < len(value.rstrip())
        assert value.rstrip() != kept


@given(st.sampled_from(ITEMS), VALUES)
def test_masking_twice_shows_the_same_or_less(item: str, value: bytes) -> None:
    mask = mask_for(item)
    once = mask(value)
    assert mask(once) in (once, HIDDEN)


@given(st.sampled_from(ITEMS), VALUES, VALUES)
def test_what_was_not_kept_changes_nothing(item: str, first: bytes, second: bytes) -> None:
    """Answers of one item are constants: all values of one kept part look alike, so lengths tell nothing."""
    a, b = (mask_for(item)(value).decode() for value in (first, second))
    assert a == b or a.replace("＊", "") != b.replace("＊", "")


@given(st.binary(min_size=1, max_size=30))
def test_another_encoding_is_hidden(tail: bytes) -> None:
    for item in ITEMS:
        assert mask_for(item)(b"\xff" + tail) == HIDDEN
        assert mask_for(item)("佐藤 太郎".encode("shift_jis") + tail) == HIDDEN


def test_a_masked_value_never_shows_itself(caplog: pytest.LogCaptureFixture) -> None:
    masked = Masked("佐藤 太郎")
    logging.getLogger("masked").warning("%s %r", masked, {"name": masked})
    shown = [repr(masked), str(masked), f"{masked}", f"{masked:>20}", f"{[masked]}", caplog.text]
    renderers = (structlog.processors.JSONRenderer(ensure_ascii=False), structlog.dev.ConsoleRenderer())
    shown += [str(renderer(None, "info", {"event": "looked_up", "name": masked})) for renderer in renderers]
    assert all("佐藤" not in text for text in shown)
    for way_out in (pickle.dumps, copy.copy, copy.deepcopy, json.dumps, msgspec.json.encode, vars):
        with pytest.raises(TypeError):
            way_out(masked)
    assert masked != Masked("佐藤 太郎")
    assert masked.reveal() == "佐藤 太郎"
