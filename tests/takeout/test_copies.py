"""A copy differs from every other one, stays the list that it is, and is named by a sample of it."""

import csv
import hashlib
import io
import json
import random
import unicodedata
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sekisho.faults import Fault
from sekisho.takeout.copies import Plan, Record, make_copy
from sekisho.takeout.manifest import NAME, unpack
from sekisho.takeout.naming import Candidate, compare
from sekisho.takeout.variants import KINDS, plain, read, write
from sekisho.takeout.watermark import copy_key, strength_of_choices, strength_of_order
from sekisho.trace.intake import read_content
from takeout.copy_examples import FORMS, HEAD, MASTER, about, contacts, copy, listed, people, plan

COPIES = [f"O-{number}" for number in range(1, 21)]
MARKED = Record(forms=FORMS, anchor="phone")


def asked(content: bytes, record: Record = MARKED) -> list[Candidate]:
    """Which of twenty copies the list comes from."""
    keys = {name: copy_key(MASTER, name) for name in COPIES}
    return list(compare(keys, dict.fromkeys(COPIES, record), read_content("found.csv", content), {}, {}))


def named(content: bytes, record: Record = MARKED) -> list[str]:
    return [one.takeout for one in asked(content, record) if one.named]


def sample(content: bytes, count: int, seed: int = 0, encoding: str = "utf-8") -> list[str]:
    """Some lines without the heading, in their order."""
    lines = content.decode(encoding).splitlines()[1:]
    return [lines[place] for place in sorted(random.Random(seed).sample(range(len(lines)), count))]


def joined(lines: list[str]) -> bytes:
    return "\n".join([",".join(HEAD), *lines]).encode()


def rows_of(content: bytes, encoding: str = "utf-8") -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(encoding), newline="")))[1:]


def test_two_copies_differ_and_both_are_the_list(tmp_path: Path) -> None:
    source = listed(people(300))
    _, one = copy(tmp_path, "O-1", source, 300)
    _, two = copy(tmp_path, "O-2", source, 300)
    assert one != two
    for found in (one, two):
        assert sorted([plain(cell) for cell in row] for row in rows_of(found)) == sorted(
            [plain(cell) for cell in row] for row in rows_of(source)
        )


@pytest.mark.parametrize("rows", [1_000, 10_000])
def test_one_row_in_a_hundred_names_the_copy(tmp_path: Path, rows: int) -> None:
    _, found = copy(tmp_path, "O-7", listed(people(rows)), rows)
    for seed in range(5):
        assert named(joined(sample(found, rows // 100, seed))) == ["O-7"]


def test_without_the_mark_the_same_sample_names_nobody(tmp_path: Path) -> None:
    _, found = copy(tmp_path, "O-7", listed(people(1_000)), 1_000, Plan(key=copy_key(MASTER, "O-7")))
    assert named(found) == []


def test_a_list_that_is_not_ours_names_nobody() -> None:
    for seed in range(10):
        assert named(listed(people(500, seed=100 + seed))) == []


def test_a_list_mixed_from_two_copies_names_both(tmp_path: Path) -> None:
    source = listed(people(2_000))
    _, one = copy(tmp_path, "O-1", source, 2_000)
    _, two = copy(tmp_path, "O-2", source, 2_000)
    lines = [*sample(one, 300, 1), *sample(two, 300, 2)]
    random.Random(3).shuffle(lines)
    assert sorted(named(joined(lines))) == ["O-1", "O-2"]


def test_values_written_anew_leave_the_order_and_sorting_leaves_the_values(tmp_path: Path) -> None:
    _, found = copy(tmp_path, "O-7", listed(people(2_000)), 2_000)
    lines = sample(found, 100)
    clean = [unicodedata.normalize("NFKC", line) for line in lines]
    assert named(joined(clean)) == ["O-7"]
    assert named(joined(sorted(lines))) == ["O-7"]
    assert named(joined(sorted(clean))) == []  # both: only canaries remain (docs/takeout.md)


def test_a_column_that_was_left_out_takes_its_own_mark_only(tmp_path: Path) -> None:
    _, found = copy(tmp_path, "O-7", listed(people(2_000)), 2_000)
    lines = [line.split(",") for line in sample(found, 100)]
    names = "\n".join(["氏名,住所", *(f"{cells[1]},{cells[5]}" for cells in lines)]).encode()
    assert named(names) == ["O-7"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932", "euc_jp"])
@pytest.mark.parametrize("quoted", [False, True])
def test_every_encoding_is_kept_and_read(tmp_path: Path, encoding: str, quoted: bool) -> None:
    source = listed(people(400), encoding, quoted=quoted, end="\r\n")
    made, found = copy(tmp_path, "O-3", source, 400)
    assert set(made.record.forms) == set(FORMS)
    assert found.startswith(b"\xef\xbb\xbf") == (encoding == "utf-8-sig")
    assert found.count(b"\r\n") == 401
    assert found.count(b'"') == source.count(b'"')
    assert named(found) == ["O-3"]


def test_nothing_but_what_the_client_allows_is_touched(tmp_path: Path) -> None:
    source = listed(people(200))
    made, found = copy(tmp_path, "O-1", source, 200, plan("O-1", forms=("name:space",), reorder=False))
    assert made.record == Record(forms=("name:space",), anchor="")
    for was, is_ in zip(rows_of(source), rows_of(found), strict=True):
        assert [*was[:1], *was[2:]] == [*is_[:1], *is_[2:]]
    made, found = copy(tmp_path, "O-2", source, 200, Plan(key=copy_key(MASTER, "O-2")))
    assert found == source
    assert made.sha256 == made.source == hashlib.sha256(source).hexdigest()


def test_canaries_look_like_their_neighbours_and_are_reached_at_the_client(tmp_path: Path) -> None:
    source = listed(people(500))
    made, found = copy(tmp_path, "O-1", source, 500, plan("O-1", contacts=contacts(4)))
    assert (made.source_rows, made.planted, made.rows) == (500, 4, 504)
    phones = {mark.phone for mark in made.marks}
    assert phones == {f"0120-000-{number:03}" for number in range(4)}
    rows = rows_of(found)
    planted = [row for row in rows if row[4] in phones]
    names = {plain(row[1]) for row in rows_of(source)}
    assert len(planted) == 4
    assert len({row[0] for row in rows}) == 504  # a number of its own: no sort shows them
    for row in planted:
        assert plain(row[1]) not in names
        assert row[0][0] == "C"
        assert row[3] in {one[3] for one in rows_of(source)}
    # Another copy has others, and none stands where it can be guessed.
    other, _ = copy(tmp_path, "O-2", source, 500, plan("O-2", contacts=contacts(4, 4)))
    assert {mark.name for mark in made.marks} != {mark.name for mark in other.marks}


def test_without_a_contact_for_each_column_there_is_no_canary(tmp_path: Path) -> None:
    half = tuple(one for one in contacts(3))
    rows = [(*row[:5], f"a{number}@example.com") for number, row in enumerate(people(50))]
    made, _ = copy(tmp_path, "O-1", listed(rows), 50, plan("O-1", contacts=half))
    assert made.planted == 0


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (json.dumps([{"氏名": "岬 千尋"}]).encode(), 1),
        (b"", 0),
        (b"a,b\n1,2\n3\n", 2),  # rows of two widths
        (listed(people(20)), 19),  # an inspection that counted otherwise
        ("氏名,住所\n岬 千尋,みさき市1-1\n".encode("utf-16"), 1),
        (b"PK\x03\x04rubbish", 1),
    ],
)
def test_what_is_no_plain_list_travels_as_it_is(tmp_path: Path, content: bytes, rows: int) -> None:
    made, found = copy(tmp_path, "O-1", content, rows)
    assert found == content
    assert made.record == Record(forms=(), anchor="")


def test_the_manifest_names_the_file_and_a_changed_one_is_not_kept(tmp_path: Path) -> None:
    out = io.BytesIO()
    source = listed(people(30))
    made = make_copy("a/b/list.csv", source, 30, plan("O-1"), about("O-1", 30), out)
    (tmp_path / "copy.zip").write_bytes(out.getvalue())
    with zipfile.ZipFile(tmp_path / "copy.zip") as archive:
        assert archive.testzip() is None
        manifest = json.loads(archive.read(NAME))
    assert manifest["file"] == "list.csv"
    assert hashlib.sha256(manifest["code"].encode()).hexdigest() == made.code
    assert manifest["code"] not in repr(made)
    changed = out.getvalue().replace(manifest["sha256"].encode(), b"0" * 64)
    damaged = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(out.getvalue())) as old, zipfile.ZipFile(damaged, "w") as new:
        new.writestr(NAME, old.read(NAME))
        new.writestr("list.csv", old.read("list.csv")[:-40] + b"\n")
    for bad in (changed, damaged.getvalue(), b"PK", out.getvalue()[:200]):
        (tmp_path / "bad.zip").write_bytes(bad)
        (tmp_path / "into").mkdir(exist_ok=True)
        with pytest.raises(Fault) as caught:
            unpack(tmp_path / "bad.zip", tmp_path / "into")
        assert caught.value.code == "SEK-TAKE-030"
        assert list((tmp_path / "into").iterdir()) == []


@pytest.mark.parametrize("file", ["../list.csv", "/etc/list.csv", "", "a/b"])
def test_a_manifest_cannot_write_elsewhere(tmp_path: Path, file: str) -> None:
    out = io.BytesIO()
    make_copy("list.csv", b"a,b\n", 0, plan("O-1"), about("O-1", 0), out)
    with zipfile.ZipFile(out) as archive:
        manifest = json.loads(archive.read(NAME)) | {"file": file}
    with zipfile.ZipFile(tmp_path / "copy.zip", "w") as made:
        made.writestr(NAME, json.dumps(manifest))
        made.writestr(file or "x", b"a,b\n")
    (tmp_path / "into").mkdir()
    with pytest.raises(Fault):
        unpack(tmp_path / "copy.zip", tmp_path / "into")
    assert {path.name for path in tmp_path.rglob("*")} == {"copy.zip", "into"}


@given(
    st.sampled_from(KINDS),
    st.text("岬千尋 　ab0-９－−1,", max_size=12),
    st.sampled_from([0, 1]),
    st.sampled_from(["utf-8", "cp932", "euc_jp"]),
)
def test_a_written_value_reads_back_and_means_the_same(
    kind: str, value: str, bit: int, encoding: str
) -> None:
    written = write(kind, value, bit, encoding)
    assert plain(written) == plain(value)
    assert written == value or read(kind, written) == bit
    if read(kind, value) is None:
        assert written == value


@given(st.binary(max_size=300), st.sampled_from(["", "氏名,住所\n", '"氏名","住所"\r\n', "a\tb\n"]))
@settings(max_examples=150)
def test_hostile_bytes_are_copied_whatever_they_are(noise: bytes, head: str) -> None:
    content = head.encode() + noise
    for rows in (0, 1, 2):
        out = io.BytesIO()
        made = make_copy("f", content, rows, plan("O-1", contacts=contacts(2)), about("O-1", rows), out)
        with zipfile.ZipFile(out) as archive:
            assert hashlib.sha256(archive.read("f")).hexdigest() == made.sha256
        assert made.rows == made.source_rows + made.planted


@given(st.integers(0, 60), st.integers(0, 60))
def test_a_wrong_copy_reaches_a_strength_as_rarely_as_is_said(agreed: int, others: int) -> None:
    """The mean of the likelihood ratio over all outcomes of fair coins is one, so Markov's bound holds."""
    of = agreed + others
    from math import comb

    mean = sum(comb(of, k) / 2**of * 10 ** strength_of_choices(k, of) for k in range(of + 1))
    assert mean == pytest.approx(1.0, rel=1e-6)


@pytest.mark.parametrize("rows", [2, 3, 5, 7])
def test_the_strength_of_an_order_has_mean_one_too(rows: int) -> None:
    from itertools import permutations

    orders = list(permutations(range(rows)))
    strengths = [
        10 ** strength_of_order(sum(a > b for place, a in enumerate(one) for b in one[place:]), rows)
        for one in orders
    ]
    assert sum(strengths) / len(orders) == pytest.approx(1.0, rel=1e-6)
