"""What an inspection finds in each form, and what it refuses to pass because it cannot look into it."""

import io
import json
import zipfile

import openpyxl  # type: ignore[import-untyped]
import pypdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sekisho.faults import Fault
from sekisho.takeout.inspection import differences, inspect

HEAD = ("氏名", "生年月日", "電話番号")
ROWS = [(f"田中 花子{n}", f"19{50 + n % 40}-03-0{n % 9 + 1}", f"090-1234-{n:04}") for n in range(40)]


def lines(separator: str = ",") -> str:
    return "\n".join(separator.join(row) for row in [HEAD, *ROWS]) + "\n"


def excel() -> bytes:
    book = openpyxl.Workbook()
    for row in [HEAD, *ROWS]:
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def refusal(name: str, content: bytes) -> str:
    with pytest.raises(Fault) as caught:
        inspect(name, content)
    assert caught.value.code == "SEK-TAKE-014"
    return str(caught.value.values["reason"])


FORMS = {
    **{
        f"csv-{encoding}": lines().encode(encoding)
        for encoding in ("utf-8", "utf-8-sig", "cp932", "euc_jp", "utf-16")
    },
    "tsv": lines("\t").encode(),
    "xlsx": excel(),
    "json": json.dumps([dict(zip(HEAD, row, strict=True)) for row in ROWS]).encode(),
    "fixed": "\n".join(f"{name:<12}{born:<12}{phone:<14}" for name, born, phone in ROWS).encode("cp932"),
    "zip": zipped(inner=zipped(deep=lines().encode("cp932"))),
    "zip-xlsx": zipped(book=excel()),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_tells_its_rows_and_persons(form: str) -> None:
    found = inspect("harmless.txt", FORMS[form])
    assert (found.rows, found.persons) == (40, 40)
    assert {"birth_date", "phone"} <= set(found.items)
    assert (found.cards, found.numbers) == (0, 0)
    assert "花子" not in repr(found.lists)
    assert "090-1234" not in repr(found.lists)


def test_a_person_in_two_rows_is_one_and_rows_that_tell_nobody_apart_are_all() -> None:
    double = lines() + "\n".join(",".join(row) for row in ROWS)
    found = inspect("list.csv", double.encode())
    assert (found.rows, found.persons) == (80, 40)
    found = inspect("list.csv", ("code,city\n" + "A,みさき\n" * 50).encode())
    assert (found.rows, found.persons) == (50, 50)


def test_persons_within_texts_are_counted() -> None:
    packed = "氏名,生年月日,メモ\n岬 一,1990-01-01," + " ".join(f"090-1234-{n:04}" for n in range(300)) + "\n"
    assert inspect("list.csv", packed.encode()).persons == 300


def test_what_stands_beside_the_table_is_counted_too() -> None:
    numbers = [f"090-1234-{n:04}" for n in range(30)]
    ragged = (
        "code,city\n"
        + "A,みさき\n" * 5
        + "".join(f"A,みさき,{number},4111111111111111\n" for number in numbers)
    )
    second = json.dumps({"first": [{"code": "A"}], "second": [{"phone": number} for number in numbers]})
    assert inspect("list.csv", ragged.encode()).cards == 30
    assert inspect("list.json", second.encode()).persons == 30


def test_cards_and_individual_numbers_count_wherever_they_stand() -> None:
    text = "memo,city\n番号は 4111 1111 1111 1111 です,a\n１２３４５６７８９０１８,b\n4111111111111112,c\n"
    found = inspect("memo.csv", text.encode())
    assert (found.cards, found.numbers) == (1, 1)
    assert {"card", "individual_number"} <= set(found.items)


def test_what_is_there_is_held_against_what_was_said() -> None:
    found = inspect("list.csv", lines().encode())
    told = differences(found, persons=10, items=("phone", "birth_date"))
    assert told.persons == 30
    assert not told.none
    assert differences(found, persons=40, items=found.items).none


def test_what_cannot_be_looked_into_is_refused() -> None:
    secret = bytearray(zipped(list=lines().encode()))
    for magic, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        secret[secret.index(magic) + place] |= 1
    assert refusal("a.zip", bytes(secret)) == "password"
    assert refusal("a.csv", zipped(inner=bytes(secret))) == "password"
    assert "password" in refusal("a.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
    writer = pypdf.PdfWriter()
    writer.add_blank_page(72, 72)
    writer.encrypt("secret", algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    assert refusal("a.pdf", out.getvalue()) == "password"
    assert "form" in refusal("a.csv", b"7z\xbc\xaf\x27\x1c\x00\x04" + bytes(64))
    assert "form" in refusal("a.csv", b"-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n")
    assert "form" in refusal("a.docx", zipped(**{"[Content_Types].xml": b"", "word/document.xml": b""}))
    deep = lines().encode()
    for _ in range(5):
        deep = zipped(inner=deep)
    assert "deep" in refusal("a.zip", deep)
    assert "large" in refusal("a.zip", zipped(**{f"m{n}": b"" for n in range(1_001)}))


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = zipped(**{f"m{n}": bytes(1 << 20) for n in range(4)})
    # The sizes in the directory are what is summed; one that says too little is caught by the checksum.
    grown = bytearray(bomb)
    start = -1
    while (start := grown.find(b"PK\x01\x02", start + 1)) >= 0:
        grown[start + 24 : start + 28] = (1 << 31).to_bytes(4, "little")
    assert "unpacks" in refusal("a.zip", bytes(grown))


@given(
    st.binary(max_size=400), st.sampled_from([b"", b"PK\x03\x04", b"%PDF-1.7", b"{", b"\xff\xfe", b"a,b\n"])
)
def test_hostile_bytes_are_read_or_refused(noise: bytes, magic: bytes) -> None:
    try:
        inspect("file", magic + noise)
    except Fault as fault:
        assert fault.code == "SEK-TAKE-014"  # noqa: PT017


EXTENDED = "氏名,住所,電話番号\n" + "".join(
    f"髙橋 ①郎{n},㈱みさき市汐見町{n}－1,090-1234-{n:04}\n" for n in range(30)
)


@pytest.mark.parametrize("encoding", ["cp932", "euc_jis_2004", "iso2022_jp_2004", "utf-16", "utf-8-sig"])
def test_extension_characters_hide_nobody(encoding: str) -> None:
    """Of Windows' Shift_JIS, of EUC-JP as Unix has it, and of ISO-2022-JP, which is ASCII to the eye."""
    text = EXTENDED if encoding in ("cp932", "utf-16", "utf-8-sig") else EXTENDED.replace("髙", "高")
    found = inspect("list.csv", text.encode(encoding))
    assert (found.rows, found.persons) == (30, 30)
    assert {"name", "phone", "address"} <= set(found.items)


def test_a_late_escape_hides_nobody_either() -> None:
    names = "\n".join(f"{name},x" for name, _, _ in ROWS)
    padded = b"a,b\n" + b"x,y\n" * 20_000 + names.encode("iso2022_jp")
    assert inspect("list.csv", padded).lists[0].encoding.startswith("iso2022")


def test_euc_jp_is_not_read_as_cp932() -> None:
    for count in (1, 2, 3, 7):
        text = "\n".join([",".join(HEAD), *(",".join(row) for row in ROWS[:count])])
        assert inspect("list.csv", text.encode("euc_jp")).lists[0].encoding == "euc_jp"


def test_a_file_that_grows_without_end_is_refused_by_its_ratio() -> None:
    assert "unpacks" in refusal("a.zip", zipped(zeros=b"0,1\n" * (8 << 20)))
    assert inspect("a.zip", zipped(dull=b"a,b\n" + b"0,1\n" * 10_000)).rows == 10_000


@pytest.mark.parametrize(
    "member",
    [
        "customers.csv",
        "xl/customers.csv",
        "xl/pivotCache/pivotCacheRecords1.xml",
        "xl/externalLinks/externalLink1.xml",
        "xl/embeddings/oleObject1.bin",
        "xl/comments1.xml",
        "xl/vbaProject.bin",
    ],
)
def test_an_excel_file_holds_nothing_beside_its_sheets(member: str) -> None:
    book = io.BytesIO(excel())
    with zipfile.ZipFile(book, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, lines())
    assert member in refusal("a.xlsx", book.getvalue())


def test_hidden_sheets_are_read() -> None:
    book = openpyxl.Workbook()
    book.active.append(["code", "city"])
    hidden = book.create_sheet("cache")
    hidden.sheet_state = "veryHidden"
    for row in [HEAD, *ROWS]:
        hidden.append(row)
    out = io.BytesIO()
    book.save(out)
    assert inspect("a.xlsx", out.getvalue()).persons >= 40


@pytest.mark.parametrize(
    "magic", [b"\x1f\x8b\x08", b"BZh91AY", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"Rar!\x1a\x07", b"\x1f\x9d\x90"]
)
def test_other_archives_are_refused_by_their_first_bytes(magic: bytes) -> None:
    assert "form" in refusal("list.csv", magic + b"abcdef" * 20)


@given(
    st.binary(max_size=200), st.integers(0, 4_000), st.sampled_from(["xlsx", "zip", "zip-xlsx", "csv-cp932"])
)
@settings(max_examples=120, deadline=None)
def test_a_damaged_file_is_read_or_refused(noise: bytes, place: int, form: str) -> None:
    whole = FORMS[form]
    start = place % len(whole)
    try:
        inspect("file", whole[:start] + noise + whole[start + len(noise) :])
    except Fault as fault:
        assert fault.code == "SEK-TAKE-014"  # noqa: PT017


@given(
    st.lists(st.lists(st.text(max_size=12), max_size=4), max_size=8), st.sampled_from([",", "\t", ";", "|"])
)
@settings(max_examples=80, deadline=None)
def test_whatever_texts_a_list_has_it_is_counted(rows: list[list[str]], separator: str) -> None:
    text = "\n".join(separator.join(row) for row in rows)
    try:
        found = inspect("file.csv", text.encode(errors="replace"))
    except Fault as fault:
        assert fault.code == "SEK-TAKE-014"  # noqa: PT017
    else:
        assert found.persons >= 0
