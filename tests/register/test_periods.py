import itertools
from datetime import date, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sekisho.faults import Fault
from sekisho.register.periods import (
    ERAS,
    Doubt,
    Interval,
    Period,
    Point,
    Standing,
    era_of,
    format_intervals,
    leading_period,
    parse_period,
    trailing_period,
)


def days(raw: str) -> list[tuple[str | None, str | None]]:
    return [
        (first.isoformat() if first else None, last.isoformat() if last else None)
        for first, last in ((interval.first(), interval.last()) for interval in parse_period(raw).intervals)
    ]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("2016年2月~2023年1月", [("2016-02-01", "2023-01-31")]),
        ("2015年12月7日~2016年10月18日", [("2015-12-07", "2016-10-18")]),
        ("2013年9月12日~27日", [("2013-09-12", "2013-09-27")]),
        ("2016年8月26日~12月28日まで", [("2016-08-26", "2016-12-28")]),
        ("2017年7月~9月", [("2017-07-01", "2017-09-30")]),
        ("2021年12月まで", [(None, "2021-12-31")]),
        ("2018年8月", [("2018-08-01", "2018-08-31")]),
        ("2020年2月", [("2020-02-01", "2020-02-29")]),
        ("2018年", [("2018-01-01", "2018-12-31")]),
        ("2015年度", [("2015-04-01", "2016-03-31")]),
        ("平成30年度", [("2018-04-01", "2019-03-31")]),
        ("平成 30 年度", [("2018-04-01", "2019-03-31")]),
        ("2017年年度", [("2017-04-01", "2018-03-31")]),
        ("2015~2017年度", [("2015-04-01", "2018-03-31")]),
        ("2013,2014年度", [("2013-04-01", "2014-03-31"), ("2014-04-01", "2015-03-31")]),
        ("2014年~16年", [("2014-01-01", "2016-12-31")]),
        ("2015年~2019年度、2021年度", [("2015-01-01", "2020-03-31"), ("2021-04-01", "2022-03-31")]),
        ("2016年、2017年度", [("2016-01-01", "2016-12-31"), ("2017-04-01", "2018-03-31")]),
        (
            "2013年~2015年、2017年、2018年",
            [("2013-01-01", "2015-12-31"), ("2017-01-01", "2017-12-31"), ("2018-01-01", "2018-12-31")],
        ),
        ("2016年9月、2021年9月", [("2016-09-01", "2016-09-30"), ("2021-09-01", "2021-09-30")]),
        ("令和元年5月1日", [("2019-05-01", "2019-05-01")]),
        ("平成元年度", [("1989-04-01", "1990-03-31")]),
        ("平成30年4月~31年3月", [("2018-04-01", "2019-03-31")]),
        ("平成30年4月1日～令和元年9月30日", [("2018-04-01", "2019-09-30")]),
        ("H30.4.1~R2.3.31", [("2018-04-01", "2020-03-31")]),
        ("２０１６年２月〜２０２３年１月", [("2016-02-01", "2023-01-31")]),
        ("2016-04-01~2017-03-31", [("2016-04-01", "2017-03-31")]),
        ("2016/4/1から", [("2016-04-01", None)]),
        ("2016年4月以降", [("2016-04-01", None)]),
        ("2016年4月~現在", [("2016-04-01", None)]),
        ("~2016年4月", [(None, "2016-04-30")]),
        ("不明", []),
        ("", []),
        ("記載なし", []),
    ],
)
def test_every_form_is_read_and_its_words_are_kept(
    raw: str, expected: list[tuple[str | None, str | None]]
) -> None:
    assert days(raw) == expected
    assert parse_period(raw).raw == raw


@pytest.mark.parametrize(
    ("raw", "doubts"),
    [
        ("2017年年度", (Doubt.DOUBLED_WORD,)),
        ("2015年~2019年度", (Doubt.MIXED_YEARS,)),
        ("2016年4月~2019年度", ()),  # a month is the same month in both counts
        ("平成32年3月", (Doubt.ERA_BOUNDS,)),
        ("平成31年度", ()),
        ("令和元年4月", (Doubt.ERA_BOUNDS,)),
        ("2015~2017年度", ()),
    ],
)
def test_a_reading_that_a_person_should_look_at_says_why(raw: str, doubts: tuple[Doubt, ...]) -> None:
    assert parse_period(raw).doubts == doubts


@pytest.mark.parametrize(
    "raw",
    ["2016年13月", "2017年2月29日", "2018年~2016年", "春ごろ", "2016年2月ごろ", "12月28日", "16年", "平成0年",
     "2016年2月~2023年1月委託", "2015年度、", "15日間", "0000年", "9999年度", "1" * 5000],
)  # fmt: skip
def test_what_is_not_understood_is_refused(raw: str) -> None:
    with pytest.raises(Fault) as refused:
        parse_period(raw)
    assert refused.value.code == "SEK-REG-101"
    assert raw in refused.value.sentence("ja")


def test_only_within_permits() -> None:
    period = parse_period("2016年9月、2021年9月")
    assert period.standing(date(2016, 8, 31)) is Standing.BEFORE
    assert period.standing(date(2016, 9, 1)) is Standing.WITHIN
    assert period.standing(date(2018, 1, 1)) is Standing.BETWEEN
    assert period.standing(date(2021, 9, 30)) is Standing.WITHIN
    assert period.standing(date(2021, 10, 1)) is Standing.AFTER
    assert period.ended(date(2021, 10, 1))
    unknown = parse_period("不明")
    assert unknown.standing(date(2020, 1, 1)) is Standing.UNKNOWN
    assert not unknown.contains(date(2020, 1, 1))
    assert not unknown.ended(date(2020, 1, 1))
    assert parse_period("2016年4月~").contains(date.max)
    assert parse_period("2021年12月まで").contains(date.min)


def test_the_period_of_a_business_stands_behind_its_name() -> None:
    def words(found: Period | None) -> str | None:
        return found.raw if found else None

    assert words(trailing_period("平成29年度電話業務 2017年年度")) == "2017年年度"
    assert words(trailing_period("一部の業務2021年12月まで")) == "2021年12月まで"
    assert words(trailing_period("「15日間無料体験」の業務 2018年6月まで")) == "2018年6月まで"
    assert trailing_period("「15日間無料体験」の業務") is None
    assert words(leading_period("平成 30 年度電話による業務")) == "平成 30 年度"
    assert leading_period("電話による業務 平成30年度") is None


def test_wareki() -> None:
    assert (
        format_intervals(parse_period("2016年2月~2023年1月").intervals, "wareki") == "平成28年2月~令和5年1月"
    )
    assert format_intervals(parse_period("2019年度").intervals, "wareki") == "令和元年度"
    assert format_intervals(parse_period("1989年1月7日").intervals, "wareki") == "昭和64年1月7日"
    assert format_intervals(parse_period("1989年1月8日").intervals, "wareki") == "平成元年1月8日"
    with pytest.raises(ValueError, match="明治"):
        era_of(date(1868, 10, 22))


def test_no_day_between_two_eras_is_lost() -> None:
    for earlier, later in itertools.pairwise(ERAS):
        assert earlier.last + timedelta(days=1) == later.first
        assert era_of(earlier.last) is earlier
        assert era_of(later.first) is later


def points() -> st.SearchStrategy[Point]:
    days_of = st.dates(date(1873, 1, 1), date(2099, 12, 31))
    return st.builds(
        lambda day, form: (
            Point(day.year, day.month, day.day),
            Point(day.year, day.month),
            Point(day.year),
            Point(day.year, fiscal=True),
        )[form],
        days_of,
        st.integers(0, 3),
    )


@st.composite
def intervals(draw: st.DrawFn) -> Interval:
    start, end = draw(points()), draw(points())
    if end.last() < start.first():
        start, end = end, start
    side = draw(st.integers(0, 3))
    if side == 0:
        return Interval(None, end)
    if side == 1:
        return Interval(start, None)
    return Interval(start, start) if side == 2 else Interval(start, end)


@given(st.lists(intervals(), min_size=1, max_size=4))
def test_what_is_written_is_read_back(written: list[Interval]) -> None:
    assert parse_period(format_intervals(written)).intervals == tuple(written)
    assert parse_period(format_intervals(written, "wareki")).intervals == tuple(written)


@given(st.lists(intervals(), min_size=1, max_size=3), st.dates(date(1870, 1, 1), date(2105, 1, 1)))
def test_a_day_stands_in_one_place(written: list[Interval], day: date) -> None:
    period = Period("", tuple(written))
    assert period.contains(day) == any(interval.contains(day) for interval in written)
    assert not (period.contains(day) and period.ended(day))
    if period.ended(day) and day < date.max:
        assert period.ended(day + timedelta(days=1))


@given(st.text("0123456789年度月日~、まで平成令和元HR./- ", max_size=30))
def test_any_text_is_read_or_refused(raw: str) -> None:
    try:
        period = parse_period(raw)
    except Fault:
        return
    assert period.raw == raw
    assume(period.intervals)
    assert parse_period(format_intervals(period.intervals)).intervals == period.intervals
