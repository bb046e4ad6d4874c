"""TileLog against an independent reader of tlog-tiles, and what it does with folders that are not as they were."""

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.evidence_oracle import oracle
from sekisho.evidence import faults
from sekisho.evidence.checkpoint import Checkpoint, open_checkpoint
from sekisho.evidence.log import TileLog
from sekisho.evidence.note import NoteSigner, sign_note
from sekisho.evidence.tiles import bundle_path, read_entries, tile_path, width_of
from sekisho.faults import Fault

ORIGIN = "log.example/checkpoint"
SIGNER = NoteSigner.generate(ORIGIN)


def entries(start: int, stop: int) -> list[bytes]:
    return [b'{"seq":%d,"fact":"test.entry"}' % index for index in range(start, stop)]


def open_log(folder: Path) -> TileLog:
    return TileLog.open(folder, SIGNER, origin=ORIGIN)


def fill(folder: Path, size: int) -> TileLog:
    log = open_log(folder)
    log.integrate(entries(log.size, size))
    log.publish(log.sign())
    return log


def test_the_paths_of_the_norm() -> None:
    assert tile_path(0, 1234067) == "tile/0/x001/x234/067"
    assert tile_path(2, 5, 17) == "tile/2/005.p/17"
    assert bundle_path(1000, 1) == "tile/entries/x001/000.p/1"


def test_the_tiles_of_a_tree_of_70000_as_the_norm_counts_them() -> None:
    assert [width_of(0, index, 70_000) for index in (0, 272, 273, 274)] == [256, 256, 112, 0]
    assert [width_of(1, 0, 70_000), width_of(1, 1, 70_000), width_of(2, 0, 70_000)] == [256, 17, 1]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.one_of(st.integers(1, 6), st.integers(250, 600)), min_size=1, max_size=6))
def test_every_size_equals_the_independent_reader(
    tmp_path_factory: pytest.TempPathFactory, steps: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("log")
    size = 0
    for step in steps:
        log = open_log(folder)
        assert log.size == size
        log.integrate(entries(size, size + step))
        log.publish(log.sign())
        size += step
        reader = oracle.FileSystemTileReader(folder)
        oracle.audit_tiles(reader, size, log.root)
        for index in {0, size // 3, size - 1}:
            assert oracle.inclusion_proof_from_tiles(reader, index, size) == log.inclusion(index)
            assert oracle.consistency_proof_from_tiles(reader, index + 1, size) == log.consistency(index + 1)
    assert list(read_entries(folder, 0, size)) == entries(0, size)


def test_a_tree_of_three_levels_equals_the_independent_reader(tmp_path: Path) -> None:
    log = fill(tmp_path, 66_000)
    oracle.audit_tiles(oracle.FileSystemTileReader(tmp_path), 66_000, log.root)
    assert list(read_entries(tmp_path, 65_530, 65_540)) == entries(65_530, 65_540)


def test_partial_tiles_go_once_the_full_tile_is_there(tmp_path: Path) -> None:
    fill(tmp_path, 255)
    assert (tmp_path / "tile/0/000.p/255").exists()
    fill(tmp_path, 257)
    assert not (tmp_path / "tile/0/000.p").exists()
    assert not (tmp_path / "tile/entries/000.p").exists()
    assert open_log(tmp_path).root_at(255) == oracle.MerkleTree(entries(0, 255)).root()


def test_the_published_checkpoint_verifies_elsewhere(tmp_path: Path) -> None:
    log = fill(tmp_path, 3)
    note = (tmp_path / "checkpoint").read_bytes()
    result = oracle.verify_checkpoint(oracle.parse_note(note), oracle.parse_vkey(str(SIGNER.key)))
    assert result.ok
    assert open_checkpoint(note, SIGNER.key) == Checkpoint(ORIGIN, 3, log.root) == log.published()


def test_nothing_is_added_when_one_entry_is_too_long(tmp_path: Path) -> None:
    log = fill(tmp_path, 2)
    with pytest.raises(Fault) as raised:
        log.integrate([b"short", b"x" * 65_536])
    assert raised.value.kind is faults.ENTRY_TOO_LONG
    assert raised.value.values["index"] == 3
    log.integrate([b"x" * 65_535])
    assert log.size == 3


def test_a_published_checkpoint_is_never_replaced_by_an_older_or_another_one(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.integrate(entries(0, 5))
    older = log.sign()
    log.integrate(entries(5, 9))
    log.publish(log.sign())
    with pytest.raises(Fault, match=faults.ROLLED_BACK.code):
        log.publish(older)
    contradiction = sign_note(Checkpoint(ORIGIN, 9, bytes(32)).body(), [SIGNER]).encode()
    with pytest.raises(Fault, match=faults.CONTRADICTION.code):
        log.publish(contradiction)
    ahead = sign_note(Checkpoint(ORIGIN, 10, bytes(32)).body(), [SIGNER]).encode()
    with pytest.raises(Fault, match=faults.ROLLED_BACK.code):
        log.publish(ahead)
    forged = sign_note(Checkpoint(ORIGIN, 9, log.root).body(), [NoteSigner.generate(ORIGIN)]).encode()
    with pytest.raises(Fault, match=faults.SIGNATURE_MISSING.code):
        log.publish(forged)
    assert log.published() == Checkpoint(ORIGIN, 9, log.root)


def test_tiles_older_than_the_checkpoint_are_refused_at_the_start(tmp_path: Path) -> None:
    fill(tmp_path / "log", 10)
    shutil.copytree(tmp_path / "log", tmp_path / "backup")
    fill(tmp_path / "log", 20)
    shutil.copy(tmp_path / "log" / "checkpoint", tmp_path / "backup" / "checkpoint")
    with pytest.raises(Fault, match=faults.ROLLED_BACK.code):
        open_log(tmp_path / "backup")


def test_a_changed_tile_or_entry_at_the_edge_is_refused_at_the_start(tmp_path: Path) -> None:
    for name in ("tile/0/001.p/44", "tile/entries/001.p/44", "tile/1/000.p/1"):
        fill(tmp_path / name, 300)
        file = tmp_path / name / name
        file.write_bytes(file.read_bytes()[:-1] + b"?")
        with pytest.raises(Fault, match=faults.TILES_DAMAGED.code):
            open_log(tmp_path / name)


def test_a_folder_of_another_log_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, 1)
    with pytest.raises(Fault, match=faults.WRONG_ORIGIN.code):
        TileLog.open(tmp_path, SIGNER, origin="log.example/other")
    with pytest.raises(Fault, match=faults.SIGNATURE_MISSING.code):
        TileLog.open(tmp_path, NoteSigner.generate(ORIGIN), origin=ORIGIN)


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    first, second = open_log(tmp_path), open_log(tmp_path)
    first.integrate(entries(0, 3))
    with pytest.raises(Fault, match=faults.ANOTHER_WRITER.code):
        second.integrate(entries(0, 3))
    with pytest.raises(Fault, match=faults.LOG_STOPPED.code):
        second.integrate(entries(0, 3))
    assert open_log(tmp_path).size == 3


def test_other_entries_over_tiles_that_are_there_are_refused(tmp_path: Path) -> None:
    fill(tmp_path / "one", 300)
    shutil.copytree(tmp_path / "one" / "tile", tmp_path / "two" / "tile")  # as after a crash before `.tree`
    log = open_log(tmp_path / "two")
    with pytest.raises(Fault, match=faults.TILE_CONFLICT.code):
        log.integrate([b"another past", *entries(1, 300)])
    again = open_log(tmp_path / "two")
    again.integrate(entries(0, 300))
    assert again.root == open_log(tmp_path / "one").root


def test_a_copy_of_what_is_served_can_be_resumed(tmp_path: Path) -> None:
    fill(tmp_path / "one", 300)
    shutil.copytree(tmp_path / "one", tmp_path / "two", ignore=shutil.ignore_patterns(".*"))
    assert fill(tmp_path / "two", 310).size == 310
