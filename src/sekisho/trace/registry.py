"""The registry: of each dataset the parts of its lines, and of each session the records that it was shown.

A *record* is a data subject of one dataset. At the doors it is the number that `gate.budget.subject_id` makes of the
subject key: a set of such numbers is what `relay.session_closed` seals. The registry counts the same numbers through
as they first come, 0, 1, 2 …: the record's id in its dataset. So a session's 64-bit set becomes a 32-bit bitmap of
record ids, and record ids lead to parts. A number that no indexed line has is counted as unresolved: the dataset was
indexed before the record existed, the row had no subject key, or the door split one key into several persons.

A dataset must have one subject numbering. Where two of its tables number different things (customers from 1, orders
from 1), their numbers meet, here as in the budgets.

    registry.json                  what there is, with the SHA-256 of each file
    <dataset>.<edition>.lines      record id and exact parts (Arrow), sealed for the client organisation
    <dataset>.<edition>.loose      loose parts and date of birth of the same lines
    <dataset>.<edition>.subjects   subject numbers of the records that this edition met first
    <dataset>.<edition>.sessions   bitmaps

Each indexing run adds an edition that holds only lines that are new: who moved is found at either address.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyroaring import BitMap, BitMap64

from sekisho.faults import Fault
from sekisho.trace.faults import ALTERED, NO_REGISTRY, WRONG_KEY
from sekisho.trace.keys import TraceKeys
from sekisho.trace.parts import EXACT, LOOSE, Lines

LIST: Final = "registry.json"
_ODD: Final = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93,
               0xA0761D6478BD642F, 0xE7037ED1A0B428DB, 0x8EBC6AF09C88C6E3)  # fmt: skip


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    kind: str  # "lines", "loose", "subjects" or "sessions"
    sha256: str
    at: datetime


class Dataset(msgspec.Struct, forbid_unknown_fields=True):
    dataset: str
    organisation: str
    records: int = 0
    lines: int = 0
    files: list[File] = msgspec.field(default_factory=list)


class _List(msgspec.Struct, forbid_unknown_fields=True):
    mark: str
    version: int = 1
    datasets: list[Dataset] = msgspec.field(default_factory=list)


class Passed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one session was shown: a 32-bit roaring bitmap of record ids, and how many numbers had no record."""

    session: str
    bitmap: bytes
    records: int
    unresolved: int


@dataclass(frozen=True, slots=True)
class Added:
    records: int
    lines: int
    unchanged: int


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a lookup needs of the datasets that it examines. Record `i` of `names[d]` is `bases[d] + i` in `lines`."""

    lines: pa.Table  # rec (int32) and EXACT
    names: tuple[str, ...]
    organisations: tuple[str, ...]
    bases: npt.NDArray[np.int64]  # one more than names: the last is the number of all records
    sessions: Mapping[str, tuple[Passed, ...]]  # dataset -> its sessions
    erased: tuple[str, ...]  # datasets that could not be examined any more


@dataclass(frozen=True, slots=True)
class Outline:
    """What a registry says of itself without any key."""

    datasets: int
    records: int
    newest: datetime | None


def outline(folder: Path) -> Outline | None:
    """None where there is no registry that can be read."""
    try:
        listed = msgspec.json.decode((folder / LIST).read_bytes(), type=_List)
    except (OSError, msgspec.DecodeError):
        return None
    times = [file.at for one in listed.datasets for file in one.files]
    return Outline(
        len(listed.datasets), sum(one.records for one in listed.datasets), max(times, default=None)
    )


class Registry:
    """The files of one folder. One process at a time writes them."""

    def __init__(self, folder: Path, keys: TraceKeys, listed: _List) -> None:
        self._folder = folder
        self._keys = keys
        self._list = listed

    @classmethod
    def create(cls, folder: Path, keys: TraceKeys) -> "Registry":
        """Opens the folder's registry, or makes an empty one. Fault WRONG_KEY."""
        if (folder / LIST).exists():
            return cls.open(folder, keys)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        registry = cls(folder, keys, _List(mark=keys.mark))
        registry._save()
        return registry

    @classmethod
    def open(cls, folder: Path, keys: TraceKeys) -> "Registry":
        """Raises Fault NO_REGISTRY, ALTERED or WRONG_KEY."""
        path = folder / LIST
        try:
            listed = msgspec.json.decode(path.read_bytes(), type=_List)
        except OSError as error:
            raise Fault(NO_REGISTRY, path=folder) from error
        except msgspec.DecodeError as error:
            raise Fault(ALTERED, path=path) from error
        if listed.mark != keys.mark:
            raise Fault(WRONG_KEY, path=keys.folder)
        return cls(folder, keys, listed)

    @property
    def fingerprint_key(self) -> bytes:
        return self._keys.fingerprint

    @property
    def datasets(self) -> tuple[Dataset, ...]:
        return tuple(self._list.datasets)

    @property
    def digest(self) -> str:
        """SHA-256 of the list, and so of every file: what a case says it was looked up in."""
        return hashlib.sha256(msgspec.json.encode(self._list)).hexdigest()

    def add_lines(
        self, dataset: str, organisation: str, subjects: npt.NDArray[np.int64], lines: Lines, at: datetime
    ) -> Added:
        """Add an edition of a dataset: line i belongs to subject number `subjects[i]`. Lines that an earlier edition
        has are left out. Raises Fault ERASED when the organisation's key was destroyed."""
        entry = self._entry(dataset, organisation)
        known = self._subjects(entry)
        records, fresh = _numbered(known, subjects)
        wanted = np.ones(len(subjects), bool)
        if entry.lines:
            before = np.concatenate(
                [
                    _line_marks(_column(table, "rec"), {part: _column(table, part) for part in EXACT})
                    for table in self._tables(entry, "lines")
                ]
            )
            wanted &= ~np.isin(_line_marks(records, lines), before)
        marks = _line_marks(records, lines)
        _, first = np.unique(marks, return_index=True)  # the same line twice in one source is one line
        once = np.zeros(len(subjects), bool)
        once[first] = True
        wanted &= once
        # A line without any exact part is found by nothing; its record still counts.
        wanted &= (
            np.any([lines[part] != 0 for part in EXACT if part != "area"], axis=0)
            if len(subjects)
            else wanted
        )
        count = int(wanted.sum())
        if len(fresh):
            self._write(entry, "subjects", fresh.tobytes(), at)
        if count:
            kept = {part: digests[wanted] for part, digests in lines.items()}
            local = records[wanted].astype(np.int32)
            self._write(entry, "lines", _arrow({"rec": local, **{part: kept[part] for part in EXACT}}), at)
            self._write(
                entry, "loose", _arrow({"rec": local, **{part: kept[part] for part in (*LOOSE, "birth")}}), at
            )
        entry.records += len(fresh)
        entry.lines += count
        self._save()
        return Added(len(fresh), count, len(subjects) - count)

    def add_sessions(
        self, dataset: str, organisation: str, seen: Iterable[tuple[str, BitMap64]], at: datetime
    ) -> list[Passed]:
        """Add the sets of subject numbers that sessions were shown. A session that is there already stays as it is."""
        entry = self._entry(dataset, organisation)
        known = self._subjects(entry)
        order = np.argsort(known, kind="stable")
        ordered = known[order]
        there = {passed.session for passed in self._sessions(entry)}
        added: list[Passed] = []
        for session, numbers in seen:
            if session in there:
                continue
            wanted = np.fromiter(numbers, np.int64, len(numbers))
            places = np.minimum(np.searchsorted(ordered, wanted), max(len(ordered) - 1, 0))
            hit = ordered[places] == wanted if len(ordered) else np.zeros(len(wanted), bool)
            bitmap = BitMap(order[places[hit]].astype(np.uint32))
            bitmap.run_optimize()
            added.append(Passed(session, bitmap.serialize(), len(bitmap), len(wanted) - len(bitmap)))
        if added:
            self._write(entry, "sessions", msgspec.msgpack.encode(added), at)
            self._save()
        return added

    def sessions_of(self, dataset: str) -> tuple[Passed, ...]:
        """The sessions of a dataset; none when it is not indexed."""
        entry = next((one for one in self._list.datasets if one.dataset == dataset), None)
        return tuple(self._sessions(entry)) if entry else ()

    def loose(self, dataset: str) -> pa.Table:
        """Record ids (in the dataset), loose parts and date of birth of a dataset's lines."""
        entry = next(one for one in self._list.datasets if one.dataset == dataset)
        return pa.concat_tables(self._tables(entry, "loose"))

    def load(self, datasets: Iterable[str] | None = None) -> Loaded:
        """Everything that a lookup needs, in memory. `datasets` limits what is examined."""
        wanted = None if datasets is None else frozenset(datasets)
        chosen = [entry for entry in self._list.datasets if wanted is None or entry.dataset in wanted]
        there = [entry for entry in chosen if not self._keys.erased(entry.organisation)]
        bases = [0]
        tables: list[pa.Table] = []
        with ThreadPoolExecutor(os.cpu_count()) as pool:  # hashing and deciphering let the interpreter go
            contents = zip(
                there,
                pool.map(lambda entry: self._tables(entry, "lines"), there),
                pool.map(lambda entry: tuple(self._sessions(entry)), there),
                strict=True,
            )
            sessions: dict[str, tuple[Passed, ...]] = {}
            for entry, found, passed in contents:
                first = np.int32(bases[-1])
                tables += [
                    table.set_column(0, "rec", pa.array(_column(table, "rec") + first)) for table in found
                ]
                sessions[entry.dataset] = passed
                bases.append(bases[-1] + entry.records)
        lines = pa.concat_tables(tables) if tables else _empty()
        return Loaded(
            lines,
            tuple(entry.dataset for entry in there),
            tuple(entry.organisation for entry in there),
            np.array(bases, np.int64),
            sessions,
            tuple(entry.dataset for entry in chosen if entry not in there),
        )

    def erase(self, organisation: str) -> int:
        """Destroy the organisation's key and remove its files; the number of files. What backups hold is noise."""
        self._keys.erase(organisation)
        count = 0
        for entry in self._list.datasets:
            if entry.organisation == organisation:
                for file in entry.files:
                    (self._folder / file.name).unlink(missing_ok=True)
                    count += 1
                entry.files.clear()
        self._save()
        return count

    def _entry(self, dataset: str, organisation: str) -> Dataset:
        for entry in self._list.datasets:
            if entry.dataset == dataset:
                if entry.organisation != organisation:
                    raise ValueError(f"{dataset} belongs to {entry.organisation}")
                return entry
        entry = Dataset(dataset, organisation)
        self._list.datasets.append(entry)
        return entry

    def _subjects(self, entry: Dataset) -> npt.NDArray[np.int64]:
        found = [np.frombuffer(content, np.int64) for content in self._contents(entry, "subjects")]
        return np.concatenate(found) if found else np.zeros(0, np.int64)

    def _sessions(self, entry: Dataset) -> Iterator[Passed]:
        for content in self._contents(entry, "sessions"):
            yield from msgspec.msgpack.decode(content, type=list[Passed])

    def _tables(self, entry: Dataset, kind: str) -> list[pa.Table]:
        return [pa.ipc.open_file(content).read_all() for content in self._contents(entry, kind)]

    def _contents(self, entry: Dataset, kind: str) -> Iterator[bytes]:
        for file in entry.files:
            if file.kind != kind:
                continue
            path = self._folder / file.name
            try:
                sealed = path.read_bytes()
            except OSError as error:
                raise Fault(ALTERED, path=path) from error
            if hashlib.sha256(sealed).hexdigest() != file.sha256:
                raise Fault(ALTERED, path=path)
            yield self._keys.unseal(entry.organisation, sealed)

    def _write(self, entry: Dataset, kind: str, content: bytes, at: datetime) -> None:
        edition = sum(file.kind == kind for file in entry.files)
        name = f"{entry.dataset}.{edition:04d}.{kind}"
        sealed = self._keys.seal(entry.organisation, content)
        _replace(self._folder / name, sealed)
        entry.files.append(File(name, kind, hashlib.sha256(sealed).hexdigest(), at))

    def _save(self) -> None:
        # After a crash before this line, files that the list does not name are written over by the next run.
        _replace(self._folder / LIST, msgspec.json.format(msgspec.json.encode(self._list), indent=1))


def _numbered(
    known: npt.NDArray[np.int64], subjects: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The record id of each subject number, and the numbers that are new, in the order in which they came."""
    new, first = np.unique(subjects, return_index=True)
    unknown = ~np.isin(new, known, assume_unique=True)
    fresh = subjects[np.sort(first[unknown])]
    every = np.concatenate([known, fresh])
    order = np.argsort(every, kind="stable")
    return order[np.searchsorted(every[order], subjects)].astype(np.int64), fresh


def _line_marks(records: npt.NDArray[Any], lines: Lines) -> npt.NDArray[np.uint64]:
    """One number for a record with its exact parts. The digests are random already: mixing them is enough."""
    mark: npt.NDArray[np.uint64] = records.astype(np.uint64) * np.uint64(0x2545F4914F6CDD1D)
    for part, odd in zip(EXACT, _ODD, strict=True):
        mark = (mark ^ (mark >> np.uint64(29))) * np.uint64(odd) + lines[part].view(np.uint64)
    return mark


def _column(table: pa.Table, name: str) -> npt.NDArray[Any]:
    found: npt.NDArray[Any] = table.column(name).to_numpy()
    return found


def _arrow(columns: Mapping[str, npt.NDArray[Any]]) -> bytes:
    table = pa.table({name: pa.array(values) for name, values in columns.items()})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _empty() -> pa.Table:
    return pa.table({"rec": pa.array([], pa.int32()), **{part: pa.array([], pa.int64()) for part in EXACT}})


def _replace(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, durably."""
    temporary = path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
