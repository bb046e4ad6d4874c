"""Lists as they come: forms, encodings, columns without names, merged columns, plain text."""

import io
import json
from pathlib import Path

import openpyxl  # type: ignore[import-untyped]
import pytest

from sekisho.faults import Fault
from sekisho.trace.faults import NO_COLUMNS, UNREADABLE
from sekisho.trace.intake import batches, read_content, read_list

ROWS = [
    ("佐藤 花子", "サトウ ハナコ", "090-0000-0001", "愛知県日和市山手区旭町6-13-28", "1984-03-01"),
    ("鈴木 一郎", "スズキ イチロウ", "090-0000-0002", "静岡県日向野市末広町345番地25", "1951-12-30"),
    ("高橋 京子", "タカハシ キョウコ", "03-0000-0003", "愛知県日和市旭町1-2-3", "1970-07-07"),
]
HEADING = ("氏名", "フリガナ", "電話番号", "住所", "生年月日")
ITEMS = ["name", "kana", "phone", "address", "birth_date"]


def text(separator: str = ",", heading: tuple[str, ...] = HEADING) -> str:
    return "\r\n".join(separator.join(row) for row in ([heading, *ROWS] if heading else ROWS)) + "\r\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932", "euc_jp", "utf-16"])
@pytest.mark.parametrize("separator", [",", "\t", ";"])
def test_text_tables_in_any_encoding(encoding: str, separator: str) -> None:
    listing = read_content("list.txt", text(separator).encode(encoding))
    assert [column.item for column in listing.columns] == ITEMS
    assert listing.rows == 3
    assert listing.table.column(0).to_pylist() == [row[0] for row in ROWS]


def test_columns_are_recognised_by_what_they_hold() -> None:
    listing = read_content("list.csv", text(heading=()).encode())
    assert listing.rows == 3
    assert [column.item for column in listing.columns][:4] == ITEMS[:4]
    listing = read_content("list.csv", text(heading=("a", "b", "c", "d", "e")).encode())
    assert [column.item for column in listing.columns][:4] == ITEMS[:4]
    # A person may say otherwise, and then it is so.
    assert listing.confirmed({"b": ""}).columns[1].item == ""


def test_workbooks_and_json(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for sheet in (book.active, book.create_sheet("2")):
        assert sheet is not None
        sheet.append(list(HEADING))
        for row in ROWS:
            sheet.append([*row[:2], int(row[2].replace("-", "")), *row[3:]])
    out = io.BytesIO()
    book.save(out)
    (tmp_path / "list.xlsx").write_bytes(out.getvalue())
    listing = read_list(tmp_path / "list.xlsx")
    assert (listing.form, listing.rows) == ("xlsx", 6)
    assert [column.item for column in listing.columns] == ITEMS
    assert listing.table.column(2).to_pylist()[0] == "9000000001"
    found = read_content(
        "list.json", json.dumps([dict(zip(HEADING, row, strict=True)) for row in ROWS]).encode()
    )
    assert [column.item for column in found.columns] == ITEMS


def test_a_few_dictated_lines() -> None:
    lines = "電話で聞き取り\n氏名: 佐藤 花子さん 電話 090-0000-0001\n鈴木一郎様 090-0000-0002\n以上\n"
    listing = read_content("memo.txt", lines.encode())
    assert (listing.form, listing.rows) == ("text", 2)
    [(rows, batch)] = list(batches(listing))
    assert rows.tolist() == [0, 1]
    assert batch.column("phone").to_pylist() == ["090-0000-0001", "090-0000-0002"]


def test_names_and_addresses_in_several_columns_become_one() -> None:
    listing = read_content(
        "list.csv",
        "姓,名,住所1,住所2,電話番号,携帯電話番号\n佐藤,花子,愛知県日和市旭町,1-2-3,03-0000-0001,090-0000-0001\n"
        "鈴木,一郎,静岡県日向野市末広町,345-25,03-0000-0002,\n".encode(),
    )
    found = [(rows.tolist(), batch.to_pydict()) for rows, batch in batches(listing)]
    assert found[0][1]["name"] == ["佐藤 花子", "鈴木 一郎"]
    assert found[0][1]["address"] == ["愛知県日和市旭町 1-2-3", "静岡県日向野市末広町 345-25"]
    # The second telephone number of a row is a further line of it.
    assert found[1][0] == [0]
    assert found[1][1]["phone"] == ["090-0000-0001"]


def test_what_cannot_be_read_is_refused() -> None:
    with pytest.raises(Fault) as caught:
        read_content("list.xlsx", b"PK\x03\x04 and nothing")
    assert caught.value.kind is UNREADABLE
    with pytest.raises(Fault) as caught:
        list(batches(read_content("list.csv", "商品,数量\nりんご,3\nみかん,4\n".encode())))
    assert caught.value.kind is NO_COLUMNS


def test_broken_lines_do_not_hide_the_others() -> None:
    content = (
        text().encode("cp932")
        + b"\x81\xff\xfe,\xff\n"
        + "山田 太郎,ヤマダ タロウ,090-0000-0009,,\r\n".encode("cp932")
    )
    listing = read_content("list.csv", content)
    assert "山田 太郎" in listing.table.column(0).to_pylist()
