"""Files at rest: whole or absent after a crash, bounded by the quota, and nothing of them readable without the key."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.faults import Fault
from sekisho.relay.workspace import faults, store
from sekisho.relay.workspace.store import CHUNK, Store, check_name, remove_folder

KEY = bytes(range(32))
PLANTED = "090-1234-5678 佐藤 花子".encode()


def opened(folder: Path, quota: int = 8 * CHUNK, key: bytes = KEY) -> Store:
    return Store.open(folder, key, quota=quota)


def put(made: Store, name: str, *pieces: bytes, replaces: bool = False) -> None:
    writing = made.write(name, replaces=replaces)
    for piece in pieces:
        writing.add(piece)
    writing.finish()


def content(made: Store, name: str) -> bytes:
    return b"".join(made.read(made.find(name)))


def raises(kind: object, act: object, *arguments: object) -> None:
    with pytest.raises(Fault) as caught:
        act(*arguments)  # type: ignore[operator]
    assert caught.value.kind is kind


def test_what_was_finished_is_there_after_opening_anew(tmp_path: Path) -> None:
    made = opened(tmp_path / "w")
    put(made, "a/list.csv", PLANTED * 100_000)
    put(made, "b.txt", b"")
    again = opened(tmp_path / "w")
    assert content(again, "a/list.csv") == PLANTED * 100_000
    assert content(again, "b.txt") == b""
    assert (again.used, len(again.files)) == (len(PLANTED) * 100_000, 2)


@given(st.lists(st.binary(max_size=3000), max_size=5), st.integers(0, 9000), st.integers(0, 9000))
def test_any_part_reads_as_it_was_written(pieces: list[bytes], start: int, stop: int) -> None:
    import tempfile
    from unittest import mock

    with tempfile.TemporaryDirectory() as folder, mock.patch.object(store, "CHUNK", 1024):
        made = opened(Path(folder) / "w", quota=1 << 20)
        put(made, "x", *pieces)
        whole = b"".join(pieces)
        file = made.find("x")
        assert b"".join(made.read(file, start, stop)) == whole[start:stop]


def test_nothing_on_the_disk_tells_content_name_or_size(tmp_path: Path) -> None:
    made = opened(tmp_path / "w")
    put(made, "顧客一覧-2026.csv", PLANTED * 1000)
    for path in (tmp_path / "w").iterdir():
        raw = path.read_bytes()
        assert PLANTED[:13] not in raw
        assert "顧客".encode() not in raw
        assert path.stat().st_mode & 0o077 == 0
        assert path.name == "index" or len(path.name) == 32
    raises(faults.DAMAGED, opened, tmp_path / "w", 8 * CHUNK, bytes(32))


def test_a_changed_or_swapped_chunk_is_noticed(tmp_path: Path) -> None:
    made = opened(tmp_path / "w")
    put(made, "one", b"1" * 100)
    put(made, "two", b"2" * 100)
    [one], [two] = made.find("one").chunks, made.find("two").chunks
    sealed = (tmp_path / "w" / one).read_bytes()
    (tmp_path / "w" / one).write_bytes((tmp_path / "w" / two).read_bytes())
    raises(faults.DAMAGED, content, made, "one")
    (tmp_path / "w" / one).write_bytes(sealed[:-1] + bytes([sealed[-1] ^ 1]))
    raises(faults.DAMAGED, content, made, "one")
    (tmp_path / "w" / one).write_bytes(sealed)
    assert content(made, "one") == b"1" * 100
    (tmp_path / "w").rename(tmp_path / "other")  # another workspace's folder is another workspace
    raises(faults.DAMAGED, opened, tmp_path / "other")


def test_the_quota_is_held_before_a_byte_is_kept_and_given_back(tmp_path: Path) -> None:
    made = opened(tmp_path / "w", quota=1000)
    put(made, "a", b"x" * 600)
    writing = made.write("b")
    writing.add(b"y" * 400)
    raises(faults.QUOTA, writing.add, b"z")
    raises(faults.QUOTA, made.write("c").add, b"z")  # what is on its way counts as well
    writing.abandon()
    put(made, "b", b"y" * 400)
    put(made, "a", b"x" * 600, replaces=True)  # the former version is not counted twice
    made.remove("a")
    put(made, "c", b"z" * 600)
    assert made.used == 1000


def test_chunks_that_did_not_change_are_not_written_again(tmp_path: Path) -> None:
    made = opened(tmp_path / "w")
    put(made, "log", b"a" * CHUNK, b"b" * CHUNK, b"c")
    before = made.find("log").chunks
    put(made, "log", b"a" * CHUNK, b"b" * CHUNK, b"c", b"d", replaces=True)
    after = made.find("log").chunks
    assert after[:2] == before[:2]
    assert after[2] != before[2]
    assert not (tmp_path / "w" / before[2]).exists()
    assert content(opened(tmp_path / "w"), "log") == b"a" * CHUNK + b"b" * CHUNK + b"cd"


def test_a_stop_before_or_after_each_write_leaves_the_old_file_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program ends at each write and at each rename, just before and just after it."""

    class Stopped(BaseException):
        pass

    write, replace = store._write, Path.replace

    def run(stop_at: int, after: bool) -> bool:
        folder = tmp_path / f"w-{stop_at}-{after}"
        made = opened(folder)
        put(made, "kept", b"k" * 10)
        put(made, "file", b"old" * 10)
        left = stop_at

        def counted(do: object) -> object:
            def act(*arguments: object, **named: object) -> object:
                nonlocal left
                left -= 1
                if left == 0 and not after:
                    raise Stopped
                result = do(*arguments, **named)  # type: ignore[operator]
                if left == 0:
                    raise Stopped
                return result

            return act

        with monkeypatch.context() as patch:
            patch.setattr(store, "_write", counted(write))
            patch.setattr(Path, "replace", counted(replace))
            try:
                put(made, "file", b"new" * (CHUNK // 2), replaces=True)
                finished = True
            except Stopped:
                finished = False
        again = opened(folder)
        assert content(again, "kept") == b"k" * 10
        found = content(again, "file")
        assert found in (b"old" * 10, b"new" * (CHUNK // 2))
        if finished:
            assert found == b"new" * (CHUNK // 2)
        named = {chunk for file in again.files.values() for chunk in file.chunks} | {"index"}
        assert {path.name for path in folder.iterdir()} == named  # nothing else is left
        return finished

    for after in (False, True):
        steps = next(step for step in range(1, 20) if run(step, after))
        assert steps == 5  # two chunks, the index, its rename; the fifth never comes


def test_a_full_disk_leaves_what_there_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = opened(tmp_path / "w")
    put(made, "a", b"kept")

    def full(descriptor: int, data: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    raises(faults.DISK, put, made, "b", b"x" * CHUNK)
    writing = made.write("a", replaces=True)
    writing.add(b"short")
    raises(faults.DISK, writing.finish)
    monkeypatch.undo()
    assert content(made, "a") == b"kept"
    again = opened(tmp_path / "w")
    assert set(again.files) == {"a"}


@pytest.mark.parametrize(
    "name",
    ["", "/etc/passwd", "../x", "a/../b", "a//b", ".", "a/.", "a\nb", "a\x1b[0m", "x" * 256, "a/" * 600],
)
def test_a_name_is_a_plain_relative_path(name: str) -> None:
    raises(faults.BAD_NAME, check_name, name)


def test_removing_is_whole_and_may_be_repeated(tmp_path: Path) -> None:
    made = opened(tmp_path / "w")
    put(made, "a", b"x" * (2 * CHUNK))
    remove_folder(tmp_path / "w")
    assert not (tmp_path / "w").exists()
    remove_folder(tmp_path / "w")
