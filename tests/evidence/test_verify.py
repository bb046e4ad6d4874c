"""Every way of tampering with a log folder that we can think of, and that the finding names the right entry."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sekisho.evidence import faults
from sekisho.evidence.checkpoint import Checkpoint
from sekisho.evidence.log import TileLog
from sekisho.evidence.note import COSIGNATURE, NoteSigner, parse_note, sign_note
from sekisho.evidence.policy import Policy
from sekisho.evidence.tiles import bundle_path, pack_entry, read_entries, tile_path
from sekisho.evidence.verify import Report, verify_folder
from sekisho.faults import Fault

ORIGIN = "log.example/verify"
SIGNER = NoteSigner.generate(ORIGIN)
WITNESS = NoteSigner.generate("witness.example/one", COSIGNATURE)
POLICY = Policy.of_keys([SIGNER.key], [], 0)
SIZE = 700

Found = list[tuple[str, int | None, int | None]]


def entries(start: int, stop: int) -> list[bytes]:
    return [b'{"seq":%d,"fact":"test.entry","data":{}}' % index for index in range(start, stop)]


def write_log(folder: Path, content: Sequence[bytes], signer: NoteSigner = SIGNER) -> TileLog:
    log = TileLog.open(folder, signer, origin=ORIGIN)
    log.integrate(content)
    log.publish(log.sign())
    return log


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pristine")
    write_log(folder, entries(0, SIZE))
    return folder


@pytest.fixture
def folder(pristine: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pristine, tmp_path / "log"))


def found(report: Report) -> Found:
    return [(finding.kind.code, finding.first, finding.last) for finding in report.findings]


def put_bundles(folder: Path, content: Sequence[bytes], size: int = SIZE) -> None:
    """Write these entries into the bundles that a tree of `size` has, and touch nothing else."""
    for first in range(0, size, 256):
        width = min(256, size - first)
        part = content[first : first + width]
        (folder / bundle_path(first // 256, width)).write_bytes(b"".join(map(pack_entry, part)))


def rebuild(folder: Path, content: Sequence[bytes], signer: NoteSigner | None) -> None:
    """Everything anew over these entries; with the old checkpoint when there is no signer."""
    note = (folder / "checkpoint").read_bytes()
    shutil.rmtree(folder)
    write_log(folder, content, signer or SIGNER)
    if signer is None:
        (folder / "checkpoint").write_bytes(note)


def test_an_untouched_log_is_found_good(folder: Path) -> None:
    steps: list[tuple[int, int]] = []
    report = verify_folder(folder, policy=POLICY, progress=lambda done, total: steps.append((done, total)))
    assert (report.ok, report.entries, report.uncovered, report.pinned) == (True, SIZE, 0, True)
    assert [one.log for one in report.accepted] == [SIGNER.key]
    assert steps[-1] == (SIZE, SIZE)
    assert not verify_folder(folder).pinned


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 512, 65_537])
def test_logs_of_every_shape_are_found_good(tmp_path: Path, size: int) -> None:
    log = TileLog.open(tmp_path, SIGNER, origin=ORIGIN)
    log.integrate(entries(0, size // 2))
    seen = log.sign()
    log.publish(seen)
    log.integrate(entries(size // 2, size))
    log.publish(log.sign())
    assert found(verify_folder(tmp_path, policy=POLICY, seen=[seen])) == []


EDITS: dict[str, tuple[Callable[[list[bytes]], object], Found]] = {
    "edited": (lambda e: e.__setitem__(17, e[17].replace(b"test", b"fake")), [("SEK-EVID-101", 17, 17)]),
    "several edited": (
        lambda e: [e.__setitem__(i, e[i].replace(b"test", b"fake")) for i in (17, 18, 19, 500)],
        [("SEK-EVID-101", 17, 19), ("SEK-EVID-101", 500, 500)],
    ),
    "edited at a bundle's edge": (
        lambda e: e.__setitem__(255, b'{"seq":255,"fact":"other"}'),
        [("SEK-EVID-101", 255, 255)],
    ),
    "the last edited": (lambda e: e.__setitem__(699, b'{"seq":699,}'), [("SEK-EVID-101", 699, 699)]),
    "deleted": (lambda e: e.pop(300), [("SEK-EVID-102", 300, 300)]),
    "several deleted": (lambda e: e.__delitem__(slice(100, 400)), [("SEK-EVID-102", 100, 399)]),
    "deleted before a bundle's edge": (lambda e: e.pop(255), [("SEK-EVID-102", 255, 255)]),
    "inserted": (lambda e: e.insert(5, b'{"seq":5,"fact":"invented"}'), [("SEK-EVID-103", 5, 5)]),
    "moved": (lambda e: e.insert(40, e.pop(20)), [("SEK-EVID-104", 20, 20)]),
}


@pytest.mark.parametrize("name", EDITS)
def test_bundles_changed_behind_the_tiles(folder: Path, name: str) -> None:
    content = entries(0, SIZE)
    change, expected = EDITS[name]
    change(content)
    put_bundles(folder, content)
    # An entry inserted pushes the last one out of the tree.
    pushed_out: Found = [("SEK-EVID-105", 699, 699)] if name == "inserted" else []
    assert found(verify_folder(folder, policy=POLICY))[: len(expected)] == expected
    rest = found(verify_folder(folder, policy=POLICY))[len(expected) :]
    assert rest in (pushed_out, [*pushed_out, ("SEK-EVID-107", 0, 699)])


def test_two_entries_exchanged(folder: Path) -> None:
    content = entries(0, SIZE)
    content[30], content[31] = content[31], content[30]
    put_bundles(folder, content)
    [first, *_] = found(verify_folder(folder, policy=POLICY))
    assert first[0] == faults.REORDERED.code
    assert first[1] in (30, 31)


@pytest.mark.parametrize(
    "name", ["deleted", "several deleted", "deleted before a bundle's edge", "inserted", "moved"]
)
@pytest.mark.parametrize(
    "signer", [None, NoteSigner.generate(ORIGIN), SIGNER], ids=["unsigned", "other", "own"]
)
def test_everything_recomputed_is_told_by_the_numbers(
    folder: Path, name: str, signer: NoteSigner | None
) -> None:
    seen = (folder / "checkpoint").read_bytes()
    content = entries(0, SIZE)
    change, expected = EDITS[name]
    change(content)
    rebuild(folder, content, signer)
    report = verify_folder(folder, policy=POLICY, seen=[seen])
    codes = {finding.kind for finding in report.findings}
    assert [one for one in found(report) if one in expected] == expected
    if signer is None:
        assert codes & {faults.ROOT_WRONG, faults.TRUNCATED}
    elif signer is SIGNER:
        assert codes & {faults.SEEN_OTHERWISE, faults.SEEN_LARGER}
    else:
        assert faults.FOREIGN_SIGNATURE in codes


def test_an_edit_recomputed_and_signed_by_the_log_itself_is_told_by_what_was_seen(folder: Path) -> None:
    log = TileLog.open(folder, SIGNER, origin=ORIGIN)
    seen = [(folder / "checkpoint").read_bytes()]
    log.integrate(entries(SIZE, 900))
    seen.append(log.sign())
    log.integrate(entries(900, 1000))
    seen.append(log.sign())
    content = entries(0, 1000)
    content[800] = b'{"seq":800,"fact":"rewritten"}'
    rebuild(folder, content, SIGNER)
    assert found(verify_folder(folder, policy=POLICY)) == []  # nothing offline can tell, without a witness
    assert found(verify_folder(folder, policy=POLICY, seen=seen)) == [("SEK-EVID-113", 700, 899)]
    assert found(verify_folder(folder, policy=POLICY, seen=seen[:1])) == []


def test_an_edit_with_its_tile_is_told_by_the_tile_above(folder: Path) -> None:
    content = entries(0, SIZE)
    content[300] = b'{"seq":300,"fact":"rewritten"}'
    other = folder.with_name("other")
    write_log(other, content)
    for name in (bundle_path(1), tile_path(0, 1)):
        shutil.copy(other / name, folder / name)
    assert found(verify_folder(folder, policy=POLICY)) == [
        ("SEK-EVID-106", 256, 511),
        ("SEK-EVID-107", 0, 699),
    ]


def test_a_damaged_tile_is_not_taken_for_a_damaged_entry(folder: Path) -> None:
    for name in (tile_path(0, 1), tile_path(0, 2, 188), tile_path(1, 0, 2)):
        file = folder / name
        file.write_bytes(b"?" * len(file.read_bytes()))
    assert found(verify_folder(folder, policy=POLICY)) == [
        ("SEK-EVID-108", 256, 511),
        ("SEK-EVID-108", 512, 699),
        ("SEK-EVID-108", 0, 511),
    ]
    (folder / tile_path(0, 1)).unlink()
    assert ("SEK-EVID-108", 256, 511) in found(verify_folder(folder, policy=POLICY))


def test_a_bundle_removed(folder: Path) -> None:
    (folder / bundle_path(1)).unlink()
    assert found(verify_folder(folder, policy=POLICY)) == [("SEK-EVID-102", 256, 511)]
    (folder / tile_path(0, 1)).unlink()
    assert found(verify_folder(folder, policy=POLICY))[0] == ("SEK-EVID-102", 256, 511)


def test_a_bundle_cut_off(folder: Path) -> None:
    file = folder / bundle_path(2, 188)
    file.write_bytes(file.read_bytes()[:-1])
    assert found(verify_folder(folder, policy=POLICY)) == [("SEK-EVID-105", 699, 699)]
    file = folder / bundle_path(0)
    file.write_bytes(file.read_bytes() + pack_entry(b"one more"))
    assert found(verify_folder(folder, policy=POLICY))[0] == ("SEK-EVID-103", 256, 256)


def test_the_tail_removed(folder: Path) -> None:
    shutil.rmtree(folder / "tile/entries/002.p")
    shutil.rmtree(folder / "tile/0/002.p")
    assert found(verify_folder(folder, policy=POLICY))[0] == ("SEK-EVID-105", 512, 699)


def test_the_tail_removed_with_an_older_checkpoint_put_back(folder: Path, tmp_path: Path) -> None:
    newer = (folder / "checkpoint").read_bytes()
    write_log(tmp_path / "older", entries(0, 600))
    assert found(verify_folder(tmp_path / "older", policy=POLICY)) == []
    assert found(verify_folder(tmp_path / "older", policy=POLICY, seen=[newer])) == [
        ("SEK-EVID-112", 600, 699)
    ]


def test_a_checkpoint_that_claims_an_absurd_size_is_judged_at_once(folder: Path) -> None:
    size = 10**18
    (folder / "checkpoint").write_bytes(
        sign_note(Checkpoint(ORIGIN, size, bytes(32)).body(), [SIGNER]).encode()
    )
    assert ("SEK-EVID-105", 700, size - 1) in found(verify_folder(folder, policy=POLICY))


def test_entries_beyond_the_checkpoint_are_said_to_be_unsigned(folder: Path) -> None:
    TileLog.open(folder, SIGNER, origin=ORIGIN).integrate(entries(SIZE, 800))
    report = verify_folder(folder, policy=POLICY)
    assert (report.ok, report.entries, report.uncovered) == (True, SIZE, 100)


def test_a_checkpoint_edited_or_signed_by_another(folder: Path) -> None:
    note = parse_note((folder / "checkpoint").read_bytes())
    (folder / "checkpoint").write_bytes(note.encode().replace(b"\n700\n", b"\n699\n"))
    assert found(verify_folder(folder, policy=POLICY))[0][0] == faults.FORGED_SIGNATURE.code
    (folder / "checkpoint").write_bytes(sign_note(note.text, [NoteSigner.generate(ORIGIN)]).encode())
    assert [one[0] for one in found(verify_folder(folder, policy=POLICY))] == [faults.FOREIGN_SIGNATURE.code]
    assert verify_folder(folder).ok
    # A key of the same type under another name signs for another log.
    elsewhere = NoteSigner.generate("log.example/elsewhere")
    (folder / "checkpoint").write_bytes(sign_note(note.text, [elsewhere]).encode())
    policy = Policy.of_keys([elsewhere.key], [], 0)
    assert [one[0] for one in found(verify_folder(folder, policy=policy))] == [faults.FOREIGN_SIGNATURE.code]


def test_missing_and_forged_cosignatures(folder: Path) -> None:
    policy = Policy.of_keys([SIGNER.key], [WITNESS.key], 1)
    assert found(verify_folder(folder, policy=policy))[0][0] == faults.QUORUM_SHORT.code
    note = parse_note((folder / "checkpoint").read_bytes())
    cosigned = note.with_signatures([WITNESS.sign(note.text, 1_800_000_000)])
    (folder / "checkpoint").write_bytes(cosigned.encode())
    [accepted] = verify_folder(folder, policy=policy).accepted
    assert accepted.cosigned_at == {WITNESS.key: 1_800_000_000}
    other = WITNESS.sign(Checkpoint(ORIGIN, 1, bytes(32)).body())
    (folder / "checkpoint").write_bytes(note.with_signatures([other]).encode())
    assert found(verify_folder(folder, policy=policy))[0][0] == faults.FORGED_SIGNATURE.code


def test_what_was_seen_must_be_of_this_log_and_signed(folder: Path) -> None:
    elsewhere = sign_note(Checkpoint("log.example/other", 3, bytes(32)).body(), [SIGNER]).encode()
    with pytest.raises(Fault, match=faults.WRONG_ORIGIN.code):
        verify_folder(folder, policy=POLICY, seen=[elsewhere])
    unsigned = sign_note(Checkpoint(ORIGIN, 3, bytes(32)).body(), [NoteSigner.generate(ORIGIN)]).encode()
    with pytest.raises(Fault, match=faults.SIGNATURE_MISSING.code):
        verify_folder(folder, policy=POLICY, seen=[unsigned])


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_byte_changed_anywhere_is_found(pristine: Path, data: st.DataObject) -> None:
    files = sorted(file for file in pristine.rglob("*") if file.is_file() and not file.name.startswith("."))
    file = data.draw(st.sampled_from(files))
    content = file.read_bytes()
    position = data.draw(st.integers(0, len(content) - 1))
    changed = bytearray(content)
    changed[position] ^= 1 << data.draw(st.integers(0, 7))
    try:
        file.write_bytes(changed)
        try:
            assert not verify_folder(pristine, policy=POLICY).ok
        except Fault:
            if file.name != "checkpoint":  # it may be no note any more
                raise
    finally:
        file.write_bytes(content)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_rearrangement_of_the_entries_is_found(
    pristine: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content = list(read_entries(pristine, 0, SIZE))
    for _ in range(data.draw(st.integers(1, 4))):
        index = data.draw(st.integers(0, len(content) - 1))
        match data.draw(st.sampled_from(["delete", "insert", "edit", "swap"])):
            case "delete":
                del content[index]
            case "insert":
                content.insert(index, data.draw(st.binary(max_size=9)))
            case "edit":
                content[index] += b" "
            case _:
                other = data.draw(st.integers(0, len(content) - 1))
                content[index], content[other] = content[other], content[index]
    folder = Path(shutil.copytree(pristine, tmp_path_factory.mktemp("any") / "log"))
    put_bundles(folder, content)
    report = verify_folder(folder, policy=POLICY)
    assert report.ok == (content[:SIZE] == entries(0, SIZE))
    wrong = next((i for i, (a, b) in enumerate(zip(content, entries(0, SIZE), strict=False)) if a != b), SIZE)
    if not report.ok:
        firsts = [finding.first for finding in report.findings if finding.first is not None]
        # An entry that was moved forward is named by its own number: it stands where the first wrong place is.
        due = entries(0, SIZE)
        there = due.index(content[wrong]) if wrong < len(content) and content[wrong] in due else wrong
        assert min(firsts) <= max(wrong, there)
    shutil.rmtree(folder.parent)
