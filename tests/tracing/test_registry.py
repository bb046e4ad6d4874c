"""The registry: keyed, sealed for each organisation, erasable; record ids and the doors' subject numbers."""

import os
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyroaring import BitMap, BitMap64

from sekisho.faults import Fault
from sekisho.gate.budget import subject_id, subject_key
from sekisho.trace.faults import ALTERED, ERASED, NO_REGISTRY, WRONG_KEY
from sekisho.trace.indexing import subjects_of
from sekisho.trace.keys import TraceKeys
from sekisho.trace.parts import EXACT, Fingerprinter, Lines
from sekisho.trace.registry import LIST, Registry

NOW = datetime(2026, 4, 1, tzinfo=UTC)


def lines(keys: TraceKeys, names: list[str], phones: list[str]) -> Lines:
    batch = pa.RecordBatch.from_arrays([pa.array(names), pa.array(phones)], names=["name", "phone"])
    return Fingerprinter(keys.fingerprint).lines(batch)


@pytest.fixture
def keys(tmp_path: Path) -> TraceKeys:
    return TraceKeys.open(tmp_path / "keys")


@pytest.fixture
def registry(tmp_path: Path, keys: TraceKeys) -> Registry:
    return Registry.create(tmp_path / "registry", keys)


PEOPLE = (["山田 太郎", "佐藤 花子", "鈴木 一郎"], ["090-0000-0001", "090-0000-0002", "090-0000-0003"])


def test_the_numbers_of_the_doors_become_record_ids(registry: Registry, keys: TraceKeys) -> None:
    """Customer numbers, and keys that are no numbers: a session's set finds the same records."""
    key = subject_key(b"s" * 32, "org-a")
    subjects = subjects_of(["500", "7", "kaiin-9"], key)
    assert subjects.tolist() == [500, 7, subject_id(b"kaiin-9", key)]
    registry.add_lines("d-a", "org-a", subjects, lines(keys, *PEOPLE), NOW)
    seen = BitMap64([7, subject_id(b"kaiin-9", key), 12345])
    [passed] = registry.add_sessions("d-a", "org-a", [("s-1", seen)], NOW)
    assert BitMap.deserialize(passed.bitmap) == BitMap([1, 2])
    assert (passed.records, passed.unresolved) == (2, 1)
    assert registry.add_sessions("d-a", "org-a", [("s-1", BitMap64([500]))], NOW) == []
    assert registry.sessions_of("d-a") == (passed,)


def test_the_next_edition_holds_what_is_new(registry: Registry, keys: TraceKeys) -> None:
    subjects = np.array([1, 2, 3])
    assert registry.add_lines("d-a", "org-a", subjects, lines(keys, *PEOPLE), NOW).lines == 3
    again = registry.add_lines("d-a", "org-a", subjects, lines(keys, *PEOPLE), NOW)
    assert (again.records, again.lines, again.unchanged) == (0, 0, 3)
    moved = lines(keys, [*PEOPLE[0], "高橋 次郎"], ["090-0000-0009", *PEOPLE[1][1:], "090-0000-0004"])
    added = registry.add_lines("d-a", "org-a", np.array([1, 2, 3, 4]), moved, NOW)
    assert (added.records, added.lines) == (1, 2)
    loaded = registry.load()
    # Who has a new number is found at either.
    assert sorted(loaded.lines.column("rec").to_pylist()) == [0, 0, 1, 2, 3]
    assert loaded.bases.tolist() == [0, 4]


def test_a_registry_can_be_opened_with_its_own_key_only(
    registry: Registry, keys: TraceKeys, tmp_path: Path
) -> None:
    registry.add_lines("d-a", "org-a", np.array([1, 2, 3]), lines(keys, *PEOPLE), NOW)
    again = Registry.open(tmp_path / "registry", TraceKeys.open(tmp_path / "keys"))
    assert again.load().lines.equals(registry.load().lines)
    assert again.digest == registry.digest
    with pytest.raises(Fault) as caught:
        Registry.open(tmp_path / "registry", TraceKeys.open(tmp_path / "others"))
    assert caught.value.kind is WRONG_KEY
    with pytest.raises(Fault) as caught:
        Registry.open(tmp_path / "nowhere", keys)
    assert caught.value.kind is NO_REGISTRY


def test_files_show_nothing_and_cannot_be_changed(
    registry: Registry, keys: TraceKeys, tmp_path: Path
) -> None:
    made = lines(keys, *PEOPLE)
    registry.add_lines("d-a", "org-a", np.array([1, 2, 3]), made, NOW)
    files = sorted((tmp_path / "registry").iterdir())
    for file in files:
        content = file.read_bytes()
        assert file.stat().st_mode & 0o077 == 0
        assert made["name"].tobytes()[:8] not in content
        assert "山田".encode() not in content
    [sealed] = [file for file in files if file.suffix == ".lines"]
    changed = bytearray(sealed.read_bytes())
    changed[len(changed) // 2] ^= 1
    sealed.write_bytes(changed)
    with pytest.raises(Fault) as caught:
        registry.load()
    assert caught.value.kind is ALTERED


def test_another_key_makes_other_fingerprints(keys: TraceKeys, tmp_path: Path) -> None:
    other = TraceKeys.open(tmp_path / "others")
    mine, theirs = lines(keys, *PEOPLE), lines(other, *PEOPLE)
    assert all((mine[part] != theirs[part]).all() for part in ("name", "phone", "family", "last4"))
    assert keys.mark != other.mark


def test_erasing_an_organisation_leaves_noise_and_the_others(
    registry: Registry, keys: TraceKeys, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        registry.add_lines(f"d-{name}", f"org-{name}", np.array([1, 2, 3]), lines(keys, *PEOPLE), NOW)
    backup = {file.name: file.read_bytes() for file in (tmp_path / "registry").iterdir()}
    assert registry.erase("org-a") == 3
    loaded = registry.load()
    assert (loaded.names, loaded.erased) == (("d-b",), ("d-a",))
    # A backup of the files does not bring it back.
    for name, content in backup.items():
        (tmp_path / "registry" / name).write_bytes(content)
    restored = Registry.open(tmp_path / "registry", TraceKeys.open(tmp_path / "keys")).load()
    assert (restored.names, restored.erased) == (("d-b",), ("d-a",))
    with pytest.raises(Fault):
        keys.unseal("org-a", backup["d-a.0000.lines"])
    with pytest.raises(Fault) as caught:
        registry.add_lines("d-a2", "org-a", np.array([1, 2, 3]), lines(keys, *PEOPLE), NOW)
    assert caught.value.kind is ERASED


def test_a_crash_before_the_list_is_written_changes_nothing(
    registry: Registry, keys: TraceKeys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.add_lines("d-a", "org-a", np.array([1, 2, 3]), lines(keys, *PEOPLE), NOW)
    before = (tmp_path / "registry" / LIST).read_bytes()

    def crash(self: Registry) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Registry, "_save", crash)
    moved = lines(keys, ["高橋 次郎"], ["090-0000-0004"])
    with pytest.raises(KeyboardInterrupt):
        registry.add_lines("d-a", "org-a", np.array([4]), moved, NOW)
    monkeypatch.undo()
    assert (tmp_path / "registry" / LIST).read_bytes() == before
    again = Registry.open(tmp_path / "registry", keys)
    assert len(again.load().lines) == 3
    assert again.add_lines("d-a", "org-a", np.array([4]), moved, NOW).records == 1
    assert len(again.load().lines) == 4


def test_writings_of_one_person_make_the_same_parts(keys: TraceKeys) -> None:
    fingerprinter = Fingerprinter(keys.fingerprint)

    def parts(**items: str) -> dict[str, int]:
        batch = pa.RecordBatch.from_arrays([pa.array([text]) for text in items.values()], names=list(items))
        return {part: int(digests[0]) for part, digests in fingerprinter.lines(batch).items()}

    one = parts(
        name="渡邉　太郎",
        kana="ﾜﾀﾅﾍﾞ ﾀﾛｳ",
        phone="9000000001",
        address="愛知県日和市山手区旭町六丁目１３番２８号",
        birth_date="昭和59年3月1日",
    )
    other = parts(
        name="渡辺太郎様",
        kana="わたなべ たろう",
        phone="090-0000-0001",
        address="日和市山手区旭町6-13-28 メゾン若葉504",
        birth_date="1984/3/1",
    )
    assert {part: one[part] == other[part] for part in EXACT if part not in ("area", "email")} == {
        "name": True,
        "kana": True,
        "phone": True,
        "spot": True,
        "birth": True,
    }
    assert one["area"] != 0
    assert other["area"] == 0
    assert parts(name="", phone="", address="")["name"] == 0


def test_keys_are_private(tmp_path: Path) -> None:
    TraceKeys.open(tmp_path / "keys")
    for file in (tmp_path / "keys").iterdir():
        assert file.stat().st_mode & 0o077 == 0
    os.chmod(tmp_path / "keys" / "master.key", 0o644)  # noqa: PTH101
    with pytest.raises(Fault):
        TraceKeys.open(tmp_path / "keys")
