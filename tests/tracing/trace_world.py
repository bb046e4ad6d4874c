"""A small world: two client organisations, sessions at a door, and lists that left through one of them."""

import csv
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyroaring import BitMap, BitMap64

from sekisho.demo.population import Organisation, customers, organisations
from sekisho.trace.keys import TraceKeys
from sekisho.trace.parts import fingerprint, joined
from sekisho.trace.registry import Registry

NOW = datetime(2026, 4, 1, tzinfo=UTC)
HEADING = ("氏名", "フリガナ", "電話番号", "住所", "生年月日")
ITEMS = ("name", "kana", "phone", "address", "birth_date")
PLACES = (1, 2, 5, 4, 6)
FIRST = 10_000_001


def parties() -> list[Organisation]:
    """Three organisations of some thousand persons; the second shares some with the first."""
    return organisations(40_000)[:3]


def people(
    party: Organisation, start: int = 0, stop: int | None = None, seed: int = 0
) -> list[tuple[str | None, ...]]:
    return [tuple(row[place] for place in PLACES) for row in customers(party, seed, start, stop)]


def make_registry(folder: Path) -> tuple[Registry, TraceKeys]:
    """The three organisations indexed; ten sessions each: runs, random ones, and the newest."""
    keys = TraceKeys.open(folder / "keys")
    registry = Registry.create(folder / "registry", keys)
    rng = np.random.default_rng(3)
    for party in parties():
        rows = people(party)
        columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
        batch = pa.RecordBatch.from_arrays(columns, names=list(ITEMS))
        lines = joined(fingerprint(keys.fingerprint, [batch], processes=1))
        registry.add_lines(party.id, party.id, FIRST + np.arange(len(rows)), lines, NOW)
        registry.add_sessions(party.id, party.id, _sessions(party, rng), NOW)
    return registry, keys


def _sessions(party: Organisation, rng: np.random.Generator) -> Iterable[tuple[str, BitMap64]]:
    for number in range(10):
        size = min(120 * (number + 1), party.persons // 3)
        if number % 2:
            start = int(rng.integers(0, party.persons - size))
            members = np.arange(start, start + size)
        else:
            members = rng.choice(party.persons, size, replace=False)
        yield f"s-{party.id}-{number}", BitMap64(FIRST + members)


def shown(registry: Registry, session: str) -> tuple[Organisation, list[int]]:
    """Whose session it is, and the numbers of the rows that it was shown."""
    for party in parties():
        for passed in registry.sessions_of(party.id):
            if passed.session == session:
                return party, list(BitMap.deserialize(passed.bitmap))
    raise KeyError(session)


def write_csv(path: Path, rows: Sequence[Sequence[str | None]], heading: Sequence[str] = HEADING) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(heading)
        writer.writerows([[cell or "" for cell in row] for row in rows])
    return path


def rows_of(
    registry: Registry, session: str, share: float = 1.0, seed: int = 1
) -> list[tuple[str | None, ...]]:
    """A part, at random, of what a session was shown."""
    party, members = shown(registry, session)
    rng = np.random.default_rng(seed)
    chosen = sorted(rng.choice(members, max(int(len(members) * share), 1), replace=False).tolist())
    every = people(party)
    return [every[number] for number in chosen]
