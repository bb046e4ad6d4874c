"""The 58-row table, with every name invented: each row round-trips, and exactly the known slips are told."""

import re
import unicodedata
from collections import Counter
from datetime import date
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.faults import Fault
from sekisho.register import faults
from sekisho.register.affected import AffectedRow, AffectedTable, Body, Cells, Organisation, read_row
from sekisho.register.anomalies import Anomaly, ClaimedWindow, Claims, NamedBody, anomalies
from sekisho.register.counts import parse_counts
from sekisho.register.found import Day, Way, parse_found
from sekisho.register.leak_status import LeakStatus, parse_leak_status
from sekisho.register.periods import Point, parse_period

GOLDEN = Path(__file__).parent / "golden"


class Case(msgspec.Struct, forbid_unknown_fields=True):
    source: str
    as_of: date
    total: str
    attributed: str
    cards: str
    windows: list[dict[str, str]]
    named: list[NamedBody]

    def claims(self) -> Claims:
        return Claims(
            parse_counts(self.total),
            parse_counts(self.attributed),
            parse_counts(self.cards),
            tuple(
                ClaimedWindow(claim["organisation"], claim["source"], parse_period(claim["window"]))
                for claim in self.windows
            ),
            tuple(self.named),
        )


CELLS = msgspec.json.decode((GOLDEN / "affected.json").read_bytes(), type=list[Cells])
CASE = msgspec.json.decode((GOLDEN / "case.json").read_bytes(), type=Case)


def table(cells: list[Cells]) -> AffectedTable:
    return AffectedTable(CASE.source, CASE.as_of, tuple(read_row(row) for row in cells))


def without_blanks(text: str) -> str:
    return re.sub(r"\s", "", text)


def written_again(organisation: Organisation) -> str:
    def body(written: Body) -> str:
        return written.name + "".join(f"(第{report}報)" for report in written.reports)

    mark = "(指名停止措置)" if organisation.suspended_from_bids else ""
    members = "、".join(body(member) for member in organisation.members)
    return body(organisation.body) + mark + (f"{organisation.members_heading}:{members}" if members else "")


def items_written_again(row: AffectedRow) -> str:
    """The cell from its parts alone: nothing but blanks and the words of entrusting may be missing."""
    if len(row.items) > 1:
        return "".join(business.raw for business in row.businesses)
    businesses = "、".join(business.raw for business in row.businesses)
    return row.items[0].raw + (f"({businesses})" if businesses else "")


@pytest.mark.parametrize("cells", CELLS, ids=lambda cells: cells.org[:12])
def test_each_row_round_trips(cells: Cells) -> None:
    row = read_row(cells)
    assert row.cells() == cells
    assert without_blanks(written_again(row.organisation)) == without_blanks(cells.org)
    assert without_blanks(items_written_again(row)) == without_blanks(cells.items)
    if len(row.items) == 1:
        for business in row.businesses:
            rest = business.raw.replace(business.name, "", 1).replace(business.period.raw, "", 1).strip()
            assert rest in {"委託", "再委託", "を委託"}
    for items in row.items:
        assert items.named


def test_what_the_table_holds() -> None:
    rows = table(CELLS).rows
    assert len(rows) == 58
    later = [row for row in rows if row.organisation.body.reports]
    assert len(later) == 14
    assert max(report for row in later for report in row.organisation.body.reports) == 4
    assert sum(any(business.reentrusted for business in row.businesses) for row in rows) == 3
    assert sorted(len(row.organisation.members) for row in rows if row.organisation.members) == [9, 14, 27]
    assert sum(row.organisation.suspended_from_bids for row in rows) == 1
    assert sum(not row.counts.stated for row in rows) == 2
    # Without a reading of the one impossible 万 the 56 stated counts make 700,848,035.
    assert sum(row.counts.total() or 0 for row in rows) == 700_848_035
    assert [row.organisation.body.name for row in rows if any(items.unknown for items in row.items)] == [
        "橙原県水楯市"
    ]


def test_each_business_has_its_own_period_items_and_count() -> None:
    (row,) = [row for row in table(CELLS).rows if row.organisation.body.name == "ミナモ携帯"]
    assert [
        (business.name, business.period.raw, business.count and business.count.low)
        for business in row.businesses
    ] == [
        ("アウトバウンドテレマ業務", "2015年4月~2015年6月", 15_000),
        ("スマホ・光乗り換えサポート事務局業務", "2018年3月~2020年8月", 49_000),
        ("ミナモTVチューナー設置勧奨業務", "2019年12月~2020年1月", 5_000),
    ]
    assert [len(business.items.named) for business in row.businesses] == [6, 5, 7]


def test_when_it_was_found_out() -> None:
    found = [row.found for row in table(CELLS).rows]
    assert sum(one.way is Way.NOT_STATED for one in found) == 22
    assert sum(one.way is Way.REPORT_RECEIVED and not one.days for one in found) == 11
    assert sum(one.way is Way.OWN_CHECK for one in found) == 1
    assert Counter(str(day.not_after(CASE.as_of).first()) for one in found for day in one.days) == {
        "2023-08-01": 1,
        "2023-10-02": 2,
        "2023-10-11": 1,
        "2023-10-12": 3,
        "2023-10-13": 2,
        "2023-10-16": 12,
        "2023-10-18": 1,
        "2023-12-12": 1,
        "2023-12-13": 2,
    }
    assert Day(12, 20).not_after(CASE.as_of) == Point(2022, 12, 20)
    for raw in ("13月1日報告受領し判明", "2月30日報告受領し判明", "噂で判明", ""):
        with pytest.raises(Fault):
            parse_found(raw)


def told(found: list[Anomaly]) -> list[tuple[str, object]]:
    return [(one.kind.code, one.values.get("organisation")) for one in found]


def test_exactly_the_known_slips_are_told() -> None:
    found = anomalies(table(CELLS), CASE.claims())
    assert told(found) == [
        (faults.LEAK_BEFORE_CONTRACT.code, "みつばさ養蜂園"),
        (faults.DUPLICATE_ITEM.code, "リフィア堂"),
        (faults.DUPLICATE_ITEM.code, "汐見県鰹浦市"),
        (faults.ROW_ABOVE_TOTAL.code, "錦野府刃音市"),
        (faults.ROWS_AND_TOTAL.code, None),
        (faults.NAMED_ELSEWHERE.code, "散居野市"),
        (faults.NAMED_ELSEWHERE.code, "剣霧町"),
    ]
    assert found[4].values["total"] == 8_527_274
    for one in found:
        for language in ("en", "ja"):
            assert "{" not in one.sentence(language)


def test_a_clean_table_is_told_nothing_about() -> None:
    slips = {one.row for one in anomalies(table(CELLS), CASE.claims())}
    clean = [cells for place, cells in enumerate(CELLS) if place not in slips]
    claims = msgspec.structs.replace(CASE.claims(), attributed=None, cards=None, named=())
    assert anomalies(table(clean), claims) == []


CLEAN = Cells(
    "甲市",
    "約6.9万件 内訳: 架電 約1.5万件 受電 約4.9万件 設置 約0.5万件",
    "氏名、クレジットカード情報(67件) (架電業務 2016年2月~2017年1月委託)",
    "流出情報なし",
    "記載なし",
)


@pytest.mark.parametrize(
    ("change", "claims", "code"),
    [
        ({}, Claims(), None),
        ({}, Claims(total=parse_counts("6.9万件")), None),
        ({}, Claims(total=parse_counts("6.8万件")), faults.ROW_ABOVE_TOTAL.code),
        ({"count": "69,239万件"}, Claims(), faults.IMPLAUSIBLE_MYRIAD.code),
        ({"count": "69,239万件"}, Claims(total=parse_counts("900万件")), faults.ROW_ABOVE_TOTAL.code),
        ({"count": "約7.2万件 内訳: 架電 約1.5万件 受電 約4.9万件"}, Claims(), faults.PARTS_AND_SUM.code),
        ({"count": "約6.5万件 内訳: 架電 約1.5万件 受電 約4.9万件"}, Claims(), None),  # rounding
        ({"count": "65件 内訳: 架電 15件 受電 49件"}, Claims(), faults.PARTS_AND_SUM.code),
        ({}, Claims(cards=parse_counts("67件")), None),
        ({}, Claims(cards=parse_counts("81件")), faults.PARTS_AND_SUM.code),
        ({}, Claims(attributed=parse_counts("約6.9万件")), None),
        ({}, Claims(attributed=parse_counts("約8万件")), faults.ROWS_AND_TOTAL.code),
        ({"items": "氏名、電話番号、氏名"}, Claims(), faults.DUPLICATE_ITEM.code),
        ({}, Claims(named=(NamedBody("甲市", "答弁"),)), None),
        ({"org": "虹野県甲市"}, Claims(named=(NamedBody("甲市", "答弁"),)), None),
        ({"org": "連合会 対象団体:甲市、丙町"}, Claims(named=(NamedBody("丙町", "答弁"),)), None),
        ({}, Claims(named=(NamedBody("乙市", "答弁"),)), faults.NAMED_ELSEWHERE.code),
        (
            {},
            Claims(windows=(ClaimedWindow("甲市", "紙", parse_period("2016年1月~2017年1月")),)),
            faults.LEAK_BEFORE_CONTRACT.code,
        ),
        # Data that leaves after the contract is what happens when nobody erases; it contradicts nothing.
        ({}, Claims(windows=(ClaimedWindow("甲市", "紙", parse_period("2016年2月~2023年1月")),)), None),
        (
            {"items": "氏名 (架電業務 2017年1月まで委託)"},
            Claims(windows=(ClaimedWindow("甲市", "紙", parse_period("2013年~2014年")),)),
            None,
        ),
    ],
)
def test_one_slip_one_anomaly(change: dict[str, str], claims: Claims, code: str | None) -> None:
    found = anomalies(table([msgspec.structs.replace(CLEAN, **change)]), claims)
    assert [one.kind.code for one in found] == ([code] if code else [])


def test_no_misuse_known_is_never_shown_as_not_leaked() -> None:
    assert parse_leak_status("悪用情報なし").status is LeakStatus.NONE_KNOWN_MISUSE
    assert parse_leak_status("流出情報なし").status is LeakStatus.NONE_KNOWN_LEAK
    assert parse_leak_status("悪用情報なし 対象者特定されず").remarks == ("対象者特定されず",)
    assert parse_leak_status("流出あり/対象顧客の特定作業中").status is LeakStatus.CONFIRMED
    assert "says nothing about a leak" in LeakStatus.NONE_KNOWN_MISUSE.label("en")
    assert "流出の有無は示さない" in LeakStatus.NONE_KNOWN_MISUSE.label("ja")
    assert "not ruled out" in LeakStatus.NONE_KNOWN_LEAK.label("en")
    for raw in ("流出なし", "", "流出あり たぶん"):
        with pytest.raises(Fault):
            parse_leak_status(raw)


@pytest.mark.parametrize(
    "change",
    [
        {"org": "甲市(第x報)"},
        {"org": "(第2報)"},
        {"org": "連合会 対象団体:甲市、"},
        {"items": "氏名 (架電業務委託"},
        {"items": "架電業務:氏名(いつか委託)"},
        {"count": "たくさん"},
        {"leak": "大丈夫"},
        {"found": "たぶん"},
    ],
)
def test_a_cell_that_is_not_understood_refuses_the_row(change: dict[str, str]) -> None:
    with pytest.raises(Fault) as refused:
        read_row(msgspec.structs.replace(CLEAN, **change))
    assert refused.value.sentence("en") != refused.value.sentence("ja")


def test_wide_forms_read_like_narrow_ones() -> None:
    wide = Cells(
        "甲市（第２報）",
        "約６．９万件",
        "氏名、住所 （架電業務 ２０１６年２月～２０１７年１月委託）",
        "記載なし",
        "１０月１６日報告受領し判明",
    )
    row = read_row(wide)
    narrow = read_row(Cells(*(unicodedata.normalize("NFKC", cell) for cell in msgspec.structs.astuple(wide))))
    assert row.cells() == wide
    assert row.organisation.body == narrow.organisation.body
    assert row.businesses[0].period.intervals == narrow.businesses[0].period.intervals
    assert row.counts.total() == narrow.counts.total() == 69_000
    assert row.found.days == narrow.found.days == (Day(10, 16),)


@given(
    st.builds(
        Cells,
        org=st.text("甲市連合会第12報()指名停止措置 対象:、乙", max_size=20),
        count=st.just("5件"),
        items=st.text("氏名住所、()（）業務:2017年度3月~再委託等を ", max_size=30),
        leak=st.just("記載なし"),
        found=st.text("報告受領し判明10月2日、に記載なし", max_size=12),
    )
)
def test_any_row_is_read_to_the_letter_or_refused(cells: Cells) -> None:
    try:
        row = read_row(cells)
    except Fault:
        return
    assert row.cells() == cells
