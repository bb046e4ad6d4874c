"""Lists of invented persons, and copies of them."""

import csv
import io
import random
from pathlib import Path

from sekisho.takeout.canaries import Contact
from sekisho.takeout.copies import Made, Plan, make_copy
from sekisho.takeout.manifest import About, unpack
from sekisho.takeout.watermark import copy_key

MASTER = b"m" * 32
FORMS = ("address:hyphen", "address:width", "kana:space", "name:space")
HEAD = ("顧客番号", "氏名", "フリガナ", "生年月日", "電話番号", "住所")
_FAMILY = ("佐藤", "鈴木", "高橋", "田中", "伊藤", "渡辺", "山本", "中村", "小林", "加藤")
_KANA = (
    "サトウ",
    "スズキ",
    "タカハシ",
    "タナカ",
    "イトウ",
    "ワタナベ",
    "ヤマモト",
    "ナカムラ",
    "コバヤシ",
    "カトウ",
)
_GIVEN = ("太郎", "花子", "一郎", "美咲", "健太", "陽子", "千尋", "誠", "恵子", "翔")


def people(count: int, seed: int = 1) -> list[tuple[str, ...]]:
    chance = random.Random(seed)
    found: list[tuple[str, ...]] = []
    for number in range(count):
        family = chance.randrange(10)
        middle = chance.choice("一二三四五六七八九十百千万") + chance.choice("本田山川谷")
        found.append(
            (
                f"C{number:08}",
                f"{_FAMILY[family]}{middle} {chance.choice(_GIVEN)}",
                f"{_KANA[family]} {chance.choice('アイウエオ')}{chance.choice('カキクケコ')}",
                f"{1930 + number % 80}-{number % 12 + 1:02}-{number % 28 + 1:02}",
                f"090-{chance.randrange(10_000):04}-{chance.randrange(10_000):04}",
                f"みさき市汐見町{chance.randrange(1, 50)}-{chance.randrange(1, 90)}-{chance.randrange(1, 20)}",
            )
        )
    return found


def listed(
    rows: list[tuple[str, ...]], encoding: str = "utf-8", *, quoted: bool = False, end: str = "\n"
) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL, lineterminator=end)
    writer.writerows([HEAD, *rows])
    return out.getvalue().encode(encoding)


def about(takeout: str, persons: int) -> About:
    return About(
        takeout=takeout,
        organisations=("minato",),
        purpose="print the autumn catalogue",
        basis="entrustment contract, article 5",
        recipient="Aoba Printing",
        expires=1_800_000_000_000_000,
        returns=1_900_000_000_000_000,
        persons=persons,
        items=("name", "address"),
    )


def contacts(count: int, start: int = 0) -> tuple[Contact, ...]:
    return tuple(
        Contact(phone=f"0120-000-{number:03}", address=f"みさき市港町{number}-1-1")
        for number in range(start, start + count)
    )


def plan(takeout: str, **changes: object) -> Plan:
    allowed: dict[str, object] = {"forms": FORMS, "reorder": True, **changes}
    return Plan(key=copy_key(MASTER, takeout), **allowed)  # type: ignore[arg-type]


def copy(
    folder: Path, takeout: str, content: bytes, rows: int, made_by: Plan | None = None
) -> tuple[Made, bytes]:
    """What was made, and the list as its recipient has it."""
    out = io.BytesIO()
    made = make_copy("list.csv", content, rows, made_by or plan(takeout), about(takeout, rows), out)
    place = folder / takeout
    place.mkdir()
    (place / "copy.zip").write_bytes(out.getvalue())
    opened = unpack(place / "copy.zip", place)
    assert opened.rows == made.rows
    assert opened.manifest_sha256 == made.manifest
    return made, opened.path.read_bytes()
