import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.faults import Fault
from sekisho.register.counts import Count, Unit, format_count, parse_counts


@pytest.mark.parametrize(
    ("raw", "value", "unit", "approximate", "step"),
    [
        ("516,185件", 516_185, Unit.RECORDS, False, 1),
        ("約400万件", 4_000_000, Unit.RECORDS, True, 10_000),
        ("約7千件", 7_000, Unit.RECORDS, True, 1_000),
        ("3千件", 3_000, Unit.RECORDS, False, 1_000),
        ("約1.2万件", 12_000, Unit.RECORDS, True, 1_000),
        ("約1万7,500件", 17_500, Unit.RECORDS, True, 100),
        ("約2,400件", 2_400, Unit.RECORDS, True, 100),
        ("4,376 件", 4_376, Unit.RECORDS, False, 1),
        ("1億2,000万件", 120_000_000, Unit.RECORDS, False, 10_000),
        ("４，３７６人", 4_376, Unit.PERSONS, False, 1),
        ("1,074人分", 1_074, Unit.PERSONS, False, 1),
        ("最大延べ約48.3万件", 483_000, Unit.CUMULATIVE, True, 1_000),
        ("延1,909件", 1_909, Unit.CUMULATIVE, False, 1),
    ],
)
def test_one_count(raw: str, value: int, unit: Unit, approximate: bool, step: int) -> None:
    cell = parse_counts(raw)
    (count,) = cell.addends
    assert (count.low, count.high, count.unit, count.approximate, count.step) == (
        value, value, unit, approximate, step,
    )  # fmt: skip
    assert cell.total() == value
    assert cell.raw == raw


def test_a_sum_is_kept_as_its_addends() -> None:
    cell = parse_counts("133,655件+29,173件")
    assert [count.low for count in cell.addends] == [133_655, 29_173]
    assert cell.total() == 162_828


def test_persons_stand_beside_records_and_replace_nothing() -> None:
    cell = parse_counts("延1,909件(1,074人分)")
    assert (cell.addends[0].low, cell.addends[0].unit) == (1_909, Unit.CUMULATIVE)
    assert (cell.beside[0].low, cell.beside[0].unit) == (1_074, Unit.PERSONS)
    merged = parse_counts("約3万件 (電話番号での名寄せで1万件)")
    assert (merged.total(), merged.beside[0].low, merged.beside[0].unit) == (30_000, 10_000, Unit.MERGED)
    assert merged.beside[0].merged_by == "電話番号"


def test_parts_by_brand_and_by_business() -> None:
    brands = parse_counts("甲顧客 1528件 乙顧客 3455件")
    assert [(part.label, part.count.low) for part in brands.parts] == [("甲顧客", 1528), ("乙顧客", 3455)]
    assert brands.total() == 4_983
    assert not brands.addends
    businesses = parse_counts(
        "約6.9万件 内訳: 架電業務 約1.5万件 乗り換え・光業務 約4.9万件 設置業務 約0.5万件"
    )
    assert businesses.total() == 69_000
    assert sum(part.count.low for part in businesses.parts) == 69_000


def test_what_a_count_says_about_itself() -> None:
    assert parse_counts("約23万件(重複含む)").duplicates
    assert parse_counts("3,192件(重複あり)").duplicates
    assert parse_counts("1,334件(死亡者、転出者含む)").includes == ("死亡者", "転出者")
    assert parse_counts("最大延べ約48.3万件").addends[0].at_most
    ranged = parse_counts("約3万~4万件").addends[0]
    assert (ranged.low, ranged.high) == (30_000, 40_000)


def test_none_stated_is_not_zero() -> None:
    cell = parse_counts("記載なし(調査中)")
    assert cell.total() is None
    assert cell.under_investigation
    assert not parse_counts("記載なし").under_investigation
    assert parse_counts("0件").total() == 0


def test_a_myriad_behind_five_digits_is_marked_and_not_corrected() -> None:
    count = parse_counts("69,239万件").addends[0]
    assert count.low == 692_390_000
    assert count.without_myriad == 69_239
    assert parse_counts("928万件").addends[0].without_myriad is None


@pytest.mark.parametrize(
    "raw",
    [
        "多数",
        "約件",
        "5件 6件",
        "5件(およそ半分)",
        "5",
        "5件+",
        "内訳:",
        "(5件",
        "9" * 6000 + "件",
        "5件です",
    ],
)
def test_what_is_not_understood_is_refused(raw: str) -> None:
    with pytest.raises(Fault) as refused:
        parse_counts(raw)
    assert refused.value.code == "SEK-REG-102"


@given(
    low=st.integers(0, 10**10),
    more=st.integers(0, 10**6),
    unit=st.sampled_from(Unit),
    approximate=st.booleans(),
    at_most=st.booleans(),
)
def test_what_is_written_is_read_back(
    low: int, more: int, unit: Unit, approximate: bool, at_most: bool
) -> None:
    merged_by = "電話番号" if unit is Unit.MERGED else None
    written = Count("", low, low + more, unit, approximate, at_most and merged_by is None, 1, merged_by)
    text = format_count(written)
    cell = parse_counts(f"1件({text})") if merged_by else parse_counts(text)
    count = cell.beside[0] if merged_by else cell.addends[0]
    assert (count.low, count.high, count.unit) == (written.low, written.high, written.unit)
    assert (count.approximate, count.at_most, count.merged_by) == (approximate, written.at_most, merged_by)


@given(st.text("0123456789,.万千億約延べ件人最大(重複含む)+~ 内訳:", max_size=30))
def test_any_text_is_read_or_refused(raw: str) -> None:
    try:
        cell = parse_counts(raw)
    except Fault:
        return
    assert cell.raw == raw
