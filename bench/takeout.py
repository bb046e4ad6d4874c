"""How fast a package is sealed, or a list of a million rows inspected, and what memory that takes; how often a sample
of a copy names it.

`python bench/takeout.py [MiB]`, `python bench/takeout.py --inspect`, `python bench/takeout.py --name [lists]`"""

import csv
import io
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import unicodedata
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast

import pyrage  # type: ignore[import-untyped]

from sekisho.demo.population.names import FAMILIES, given_names
from sekisho.takeout.canaries import Contact
from sekisho.takeout.copies import Made, Plan, make_copy
from sekisho.takeout.inspection import inspect
from sekisho.takeout.manifest import About
from sekisho.takeout.naming import compare
from sekisho.takeout.sealing import Holder, Seat, open_package, open_shares, seal
from sekisho.takeout.variants import plain
from sekisho.takeout.watermark import copy_key
from sekisho.trace.intake import read_content


class Zeros(io.RawIOBase):
    """A file of so many bytes that is nowhere."""

    def __init__(self, size: int) -> None:
        self._left = size

    def read(self, size: int = -1) -> bytes:
        some = min(size if size >= 0 else self._left, self._left)
        self._left -= some
        return bytes(some)


def million() -> bytes:
    """A list of invented persons, in CP932."""
    lines = ["顧客番号,氏名,生年月日,電話番号,住所"]
    lines += [
        f"C{n:08},岬{n % 97}山 千尋,{1930 + n % 80}-{n % 12 + 1:02}-{n % 28 + 1:02},"
        f"090-{n // 10_000:04}-{n % 10_000:04},みさき市汐見町{n % 50}-{n % 17}"
        for n in range(1_000_000)
    ]
    return "\n".join(lines).encode("cp932")


def inspected() -> None:
    path = Path(tempfile.gettempdir()) / "sekisho-takeout-bench.csv"
    subprocess.run([sys.executable, __file__, "--write", str(path)], check=True)  # its memory is not ours
    content = path.read_bytes()
    path.unlink()
    before = time.perf_counter()
    found = inspect("list.csv", content)
    took = time.perf_counter() - before
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(f"inspected {found.rows:,} rows, {found.persons:,} persons, in {took:.1f} s; {memory} MiB at most")


HEAD = ("顧客番号", "氏名", "フリガナ", "生年月日", "電話番号", "住所")
COPIES = [f"O-{number}" for number in range(100)]  # that are asked about every sample
MASTER = bytes(32)
ALLOWED = ("address:hyphen", "address:width", "name:space")
CANARIES = 5  # of a thousand rows


def persons(count: int, chance: random.Random) -> list[list[str]]:
    """Invented ones. Names repeat, as they do; a telephone number is one person's."""
    made = []
    for number in chance.sample(range(50_000_000), count):
        family, given = chance.choice(FAMILIES), chance.choice(given_names(1970, "女"))
        made.append(
            [
                f"C{number:08}",
                f"{family.written} {given.written}",
                f"{family.kana} {given.kana}",
                f"{chance.randrange(1930, 2010)}-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}",
                f"090-{number // 10_000 + 1000:04}-{number % 10_000:04}",
                f"みさき市汐見町{chance.randrange(1, 60)}-{chance.randrange(1, 40)}-{chance.randrange(1, 20)}",
            ]
        )
    return made


def text_of(rows: list[list[str]]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows([HEAD, *rows])
    return out.getvalue().encode()


def copied(content: bytes, rows: int, name: str, reorder: bool) -> tuple[Made, list[list[str]]]:
    """A copy with every mark that is measured here, and its rows."""
    contacts = tuple(
        Contact(phone=f"0120-{number // 1000:03}-{number % 1000:03}", address=f"みさき市港町{number}-1-1")
        for number in range(-(-rows * CANARIES // 1000))
    )
    plan = Plan(key=copy_key(MASTER, name), forms=ALLOWED, reorder=reorder, contacts=contacts)
    about = About(
        takeout=name, organisations=("minato",), purpose="", basis="", recipient="", expires=0, returns=0,
        persons=rows, items=(),
    )  # fmt: skip
    out = io.BytesIO()
    made = make_copy("list.csv", content, rows, plan, about, out)
    with zipfile.ZipFile(out) as archive:
        text = archive.read("list.csv").decode()
    return made, list(csv.reader(io.StringIO(text, newline="")))[1:]


def normalised(rows: list[list[str]]) -> list[list[str]]:
    """What whoever knows of marks does to every value."""
    return [
        [unicodedata.normalize("NFKC", cell).strip().replace("\u2212", "-") for cell in row] for row in rows
    ]


def in_order(rows: list[list[str]]) -> list[list[str]]:
    return sorted(rows, key=lambda row: row[0])


# What may have been done to a sample before it is found.
DONE: dict[str, Callable[[list[list[str]]], list[list[str]]]] = {
    "as it is": lambda rows: rows,
    "sorted": in_order,
    "normalised": normalised,
    "names and telephones only": lambda rows: [["", row[1], "", "", row[4], ""] for row in rows],
    "normalised and sorted": lambda rows: in_order(normalised(rows)),
}


def named(lists: int) -> None:
    """Samples of copies, each held against a hundred copies' keys: named right, wrong, or not at all."""
    keys = {name: copy_key(MASTER, name) for name in COPIES}
    print(f"{lists} copies each; right / wrong / not named, of which by canary alone")
    for rows in (1_000, 10_000, 100_000):
        tally = {(share, done): [0, 0, 0, 0] for share in (0.001, 0.01, 0.1) for done in DONE}
        for number in range(max(lists * 1_000 // rows, 3)):
            chance = random.Random(f"{rows} {number}")
            name = chance.choice(COPIES)
            made, copy = copied(text_of(persons(rows, chance)), rows, name, True)
            records = dict.fromkeys(COPIES, made.record)
            marks = {(plain(one.name), plain(one.phone)) for one in made.marks}
            for share, done in tally:
                places = sorted(chance.sample(range(len(copy)), max(round(len(copy) * share), 1)))
                sample = DONE[done]([copy[place] for place in places])
                listing = read_content("found.csv", text_of(sample))
                # As trace.canaries finds them, by name and telephone number, which takes longer.
                met = sum((plain(row[1]), plain(row[4])) in marks for row in sample)
                hits = {name: (met, len(marks))} if met else {}
                found = compare(keys, records, listing, hits, {})
                told = {one.takeout for one in found if one.named}
                by_mark = {one.takeout for one in found if one.named and not one.canaries}
                count = tally[share, done]
                count[0] += told == {name}
                count[1] += bool(told - {name})
                count[2] += not told
                count[3] += told == {name} and name not in by_mark and found[0].strength < 6
        for (share, done), count in tally.items():
            print(
                f"{rows:>8,} rows {share:>6.1%}  {done:<26} {count[0]:>4} / {count[1]} / {count[2]:<4} {count[3]}"
            )


def age_speed(size: int) -> float | None:
    """MB/s of Debian's age, where it is installed."""
    if shutil.which("age") is None or shutil.which("age-keygen") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "plain"
        plain.write_bytes(bytes(size))
        key = str(pyrage.x25519.Identity.generate().to_public())
        before = time.perf_counter()
        subprocess.run(["age", "-r", key, "-o", f"{folder}/sealed", str(plain)], check=True)
        return size / (time.perf_counter() - before) / 1e6


def bare_speed(size: int) -> float:
    """MB/s of the cipher alone: the same library, nothing hashed, nothing written."""

    class Nowhere(io.RawIOBase):
        def write(self, data: bytes) -> int:  # type: ignore[override]
            return len(data)

    before = time.perf_counter()
    key = pyrage.x25519.Identity.generate().to_public()
    pyrage.encrypt_io(Zeros(size), Nowhere(), [key])
    return size / (time.perf_counter() - before) / 1e6


def main() -> None:
    if sys.argv[1:2] == ["--name"]:
        named(int(sys.argv[2]) if len(sys.argv) > 2 else 100)
        return
    if sys.argv[1:2] == ["--write"]:
        Path(sys.argv[2]).write_bytes(million())
        return
    if sys.argv[1:2] == ["--inspect"]:
        inspected()
        return
    size = int(sys.argv[1] if len(sys.argv) > 1 else 512) << 20
    keys = [pyrage.x25519.Identity.generate() for _ in range(3)]
    seats = [
        Seat(str(n), "minato", (Holder(f"a{n}", f"k{n}", str(key.to_public())),))
        for n, key in enumerate(keys)
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "package"
        before, worked = time.perf_counter(), time.process_time()
        package = seal("O-1", cast(BinaryIO, Zeros(size)), path, seats)
        sealed, work = time.perf_counter() - before, time.process_time() - worked
        shares = [
            share for text, key in zip(package.shares, keys, strict=True) for share in open_shares(text, key)
        ]
        before = time.perf_counter()
        open_package(path, Path(folder) / "plain", shares)
        opened = time.perf_counter() - before
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    bare, age = bare_speed(size), age_speed(size)
    print(f"sealed {size / sealed / 1e6:,.0f} MB/s ({size / work / 1e6:,.0f} MB/s of processor time)")
    told = f"{size / sealed / 1e6 / bare:.2f} of the cipher alone ({bare:,.0f} MB/s)"
    print(told if age is None else f"{told}, {size / sealed / 1e6 / age:.2f} of age ({age:,.0f} MB/s)")
    print(f"opened {size / opened / 1e6:,.0f} MB/s; {memory} MiB at most")


if __name__ == "__main__":
    main()
