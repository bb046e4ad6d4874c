"""The trace: the invented population indexed as a registry, lists that left through known sessions, and lists
that did not.

The population is `sekisho.demo.population` at its full 9,280,000 rows of 69 clients; 2,000 sessions of 100 to 400,000
records, at random, in runs, or the newest. A list takes a part of the records of twelve sessions (at random, or the
first so many), adds 5 % strangers (the population of another seed), and is written anew and damaged by `found_list`,
which shares nothing with the normaliser. What is timed begins with the CSV file and ends with the answer.
"""

import csv
import os
import random
import resource
import shutil
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from pyroaring import BitMap, BitMap64

from bench.found_list import Row, damaged, rewritten
from bench.frame import Result, Scale
from sekisho.demo.population import Organisation, customers, organisations
from sekisho.trace.attribution import Verdict, attribute
from sekisho.trace.intake import read_list
from sekisho.trace.keys import TraceKeys
from sekisho.trace.lookup import trace
from sekisho.trace.match import TIERS, match
from sekisho.trace.parts import EXACT, fingerprint, joined
from sekisho.trace.registry import Registry

_COLUMNS = ("name", "kana", "phone", "address", "birth_date", "email")
_PLACES = (1, 2, 5, 4, 6, 8)  # of these in a customer's row
_PIECE = 100_000
_HEADING = ("氏名", "フリガナ", "電話番号", "住所", "生年月日", "メールアドレス")


@dataclass
class _Stage:
    folder: Path
    organisations: list[Organisation]
    registry: Registry
    keys: TraceKeys


def _said(result: Result) -> Result:
    print(result.measure, "|", result.figure, "|", result.peer, flush=True)
    return result


async def run(scale: Scale) -> list[Result]:
    persons = int(os.environ.get("SEKISHO_BENCH_PERSONS", scale.pick(9_280_000, 60_000)))
    sessions = scale.pick(2_000, 100)
    kept = os.environ.get("SEKISHO_BENCH_FOLDER")
    folder = Path(kept) if kept else Path(tempfile.mkdtemp(prefix="sekisho-trace-"))
    try:
        return [_said(one) for one in _measures(folder, persons, sessions, scale)]
    finally:
        if not kept:
            shutil.rmtree(folder)


def _measures(folder: Path, persons: int, sessions: int, scale: Scale) -> Iterator[Result]:
    population = folder / f"population-{persons}"
    parties = organisations(persons)
    _generate(population, parties)
    keys = TraceKeys.open(folder / "keys")
    place = folder / f"registry-{persons}"
    shutil.rmtree(place, ignore_errors=True)
    registry = Registry.create(place, keys)
    began, busy = time.perf_counter(), _busy()
    _index(registry, population, parties)
    took, busy = time.perf_counter() - began, _busy() - busy
    peak = (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        + resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (os.cpu_count() or 1)
    ) / (1 << 20)
    size = sum(path.stat().st_size for path in place.iterdir()) / (1 << 20)
    yield Result(
        f"index of {persons:,} rows of {len(parties)} clients",
        "5 min, 4 GB",
        f"{took:,.0f} s ({busy:,.0f} s of processors); at most {peak:.1f} GiB (this process and its workers); "
        f"{size:,.0f} MiB of files",
        f"{persons / took:,.0f} rows/s",
        met=took < 300 and peak < 4,
    )
    _sessions(registry, parties, sessions, persons)
    stage = _Stage(folder, parties, registry, keys)
    size = sum(path.stat().st_size for path in place.glob("*.sessions")) / (1 << 20)
    shown = sum(one.records for party in parties for one in registry.sessions_of(party.id))
    yield Result(f"bitmaps of {sessions:,} sessions", "", f"{size:.1f} MiB", f"{shown:,} records shown")
    rows = scale.pick(1_000_000, 4_000)
    for seed, (damage, part, but) in enumerate(
        (
            (0.05, "random", ""),
            (0.2, "random", ""),
            (0.5, "random", ""),
            (0.05, "random", "phone"),
            (0.05, "first", ""),
        )
    ):
        yield _leak(stage, 100 + seed, rows, damage, part, but)
    yield _controls(stage, scale.pick(30, 6), scale.pick(500_000, 4_000))


def _generate(folder: Path, parties: list[Organisation]) -> None:
    """The population as Parquet files, made once."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [party for party in parties if not (folder / f"{party.id}.parquet").exists()]
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        list(pool.map(_write_party, [folder] * len(wanted), wanted))


def _write_party(folder: Path, party: Organisation) -> None:
    path = folder / f"{party.id}.parquet"
    schema = pa.schema([("customer_id", pa.int64()), *((name, pa.string()) for name in _COLUMNS)])
    with pq.ParquetWriter(path.with_suffix(".new"), schema) as writer:
        for start in range(0, party.persons, _PIECE):
            rows = list(customers(party, 0, start, start + _PIECE))
            columns = [pa.array([int(row[0] or 0) for row in rows], pa.int64())]
            columns += [pa.array([row[place] for row in rows], pa.string()) for place in _PLACES]
            writer.write_table(pa.table(columns, schema=schema))
    path.with_suffix(".new").rename(path)


def _index(registry: Registry, folder: Path, parties: list[Organisation]) -> None:
    now = datetime.now(UTC)
    sizes = [pq.ParquetFile(folder / f"{party.id}.parquet").metadata.num_rows for party in parties]

    def every() -> Iterator[pa.RecordBatch]:
        for party in parties:
            yield from pq.ParquetFile(folder / f"{party.id}.parquet").iter_batches(
                _PIECE, columns=list(_COLUMNS)
            )

    found = fingerprint(registry.fingerprint_key, every())
    for party, size in zip(parties, sizes, strict=True):
        lines, count = [], 0
        while count < size:
            lines.append(next(found))
            count += len(lines[-1]["name"])
        subjects = pq.read_table(folder / f"{party.id}.parquet", columns=["customer_id"])[
            "customer_id"
        ].to_numpy()
        registry.add_lines(party.id, party.id, subjects, joined(lines), now)


def _sessions(registry: Registry, parties: list[Organisation], count: int, persons: int) -> None:
    rng = np.random.default_rng(7)
    weights = np.array([party.persons for party in parties], float) ** 0.7
    largest = max(np.log10(400_000 * persons / 9_280_000), 2.2)
    of: dict[str, list[tuple[str, BitMap64]]] = {}
    for number in range(count):
        party = parties[rng.choice(len(parties), p=weights / weights.sum())]
        size = int(min(10 ** rng.uniform(2, largest), party.persons * rng.uniform(0.3, 0.9) + 1))
        kind = rng.integers(3)
        if kind == 0:
            members = rng.choice(party.persons, size, replace=False)
        elif kind == 1:
            start = rng.integers(0, party.persons - size + 1)
            members = np.arange(start, start + size)
        else:
            members = np.arange(party.persons - size, party.persons)
        of.setdefault(party.id, []).append((f"s-{number:05d}", BitMap64(10_000_001 + members)))
    now = datetime.now(UTC)
    for party in parties:
        registry.add_sessions(party.id, party.id, of.get(party.id, []), now)


def _leak(stage: _Stage, seed: int, rows: int, damage: float, part: str, but: str) -> Result:
    rng, words = np.random.default_rng(seed), random.Random(seed)
    sessions = [
        (party.id, passed) for party in stage.organisations for passed in stage.registry.sessions_of(party.id)
    ]
    found: list[Row] = []
    truth: set[str] = set()
    copied: dict[str, BitMap] = {}
    places: dict[str, str] = {}
    order = rng.permutation(len(sessions))
    for place in order:
        if len(truth) >= 12 or len(found) >= rows * 0.95:
            break
        party, passed = sessions[place]
        members = np.asarray(BitMap.deserialize(passed.bitmap).to_array())
        room = int(rows * 0.95) - len(found)
        # The last ones have to fill the list: small sessions alone would make a small list.
        if len(truth) >= 6 and len(members) < min(room / 8, 100_000):
            continue
        size = min(max(int(len(members) * rng.choice((1.0, 0.6, 0.3))), min(len(members), 200)), room)
        chosen = members[:size] if part == "first" else np.sort(rng.choice(members, size, replace=False))
        table = pq.read_table(
            stage.folder / f"population-{_all(stage)}" / f"{party}.parquet", columns=list(_COLUMNS)
        )
        found += zip(*(column.to_pylist() for column in table.take(chosen).columns), strict=True)
        truth.add(passed.session)
        copied[passed.session], places[passed.session] = BitMap(chosen.astype(np.uint32)), party
    # A session whose every copied record was copied through another one as well leaves no trace of its own.
    hidden = {
        name
        for name, mine in copied.items()
        if len(
            mine
            - BitMap.union(
                BitMap(), *(copied[one] for one in truth if one != name and places[one] == places[name])
            )
        )
        < 5
    }
    own = len(found)
    strangers = [
        tuple(row[place] for place in _PLACES) for row in customers(stage.organisations[0], 99, 0, own // 19)
    ]
    labelled = [(True, row) for row in found] + [(False, row) for row in strangers]
    words.shuffle(labelled)
    style = seed % 3
    path = stage.folder / f"list-{seed}.csv"
    missing = _COLUMNS.index(but) if but else -1
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([heading for place, heading in enumerate(_HEADING) if place != missing])
        for _, row in labelled:
            row = rewritten(row, words, style)
            if words.random() < damage:
                row = damaged(row, words)
            writer.writerow([cell or "" for place, cell in enumerate(row) if place != missing])
    began, busy = time.perf_counter(), _busy()
    answer = trace(read_list(path), stage.registry, stage.registry.load())
    took, busy = time.perf_counter() - began, _busy() - busy
    fits = answer.attribution.fits.values()
    accused = {one.session for fit in fits for one in fit.findings}
    named = [{one.session, *one.ties} for fit in fits for one in fit.findings]
    tied = set().union(*named) - accused
    ours = np.array([mine for mine, _ in labelled])
    lost = (answer.attribution.organisation_of_row == -1) & ours
    telling = np.zeros(len(labelled), bool)
    pairs = answer.attribution.pairs
    telling[pairs.row[~np.array([tier.weak for tier in TIERS])[pairs.tier]]] = True
    claimed = telling & ~ours
    right, false = truth & accused, [names for names in named if not names & truth]
    path.unlink()
    least = min((one.log10_lr for fit in fits for one in fit.findings), default=0.0)
    rejected = max((one.log10_lr for fit in fits for one in fit.rejected), default=0.0)
    print(took, "missed", truth - accused - tied, "false", false, flush=True)
    return Result(
        f"list of {len(labelled):,} rows from {len(truth)} sessions ({part} part), {damage:.0%} of the rows damaged"
        + (f", without {but}" if but else ""),
        "all found, none false, 20 s" + ("; < 1 % lost" if damage == 0.05 and not but else ""),
        f"{len(right)} found, {len(truth - accused - tied - hidden)} missed, "
        f"{len(hidden - accused)} all of whose records another one leaked, "
        f"{len((truth - accused) & tied)} only as a tie, "
        f"{len(false)} false; {took:.1f} s ({busy:.1f} s of processors); "
        f"{lost.sum() / max(own, 1):.2%} of own rows not attributed "
        f"before the fuzzy pass, which adds {sum(answer.fuzzy.values()):,}; "
        f"{claimed.sum() / max(len(strangers), 1):.1%} of strangers taken for ours by telling parts",
        f"least accepted log10 ratio {least:,.0f}, highest rejected {rejected:,.0f}",
        met=truth <= accused | tied | hidden and not false and took < 20,
    )


def _busy() -> float:
    """Processor seconds of this process and of its workers that ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _all(stage: _Stage) -> int:
    return sum(party.persons for party in stage.organisations)


def _controls(stage: _Stage, count: int, rows: int) -> Result:
    """Lists that left through no session, straight as parts: writing and damage only take hits away."""
    loaded = stage.registry.load()
    total, accused, took, verdicts = int(loaded.bases[-1]), 0, 0.0, []
    columns = {part: loaded.lines.column(part).to_numpy() for part in EXACT}
    sizes = np.diff(loaded.bases)
    age = np.concatenate([np.arange(size) / size for size in sizes])
    for number in range(count):
        rng = np.random.default_rng(500 + number)
        kind = ("random", "recent", "regional", "competitor")[number % 4]
        weight: npt.NDArray[Any] = np.ones(total)
        if kind == "recent":
            weight = age ** rng.choice((2, 4, 8))
        elif kind == "regional":
            areas = np.unique(columns["area"])
            weight = np.isin(columns["area"], rng.choice(areas, 4, replace=False)) + 0.01
        wanted = total // 2 if kind == "competitor" else min(rows, total // 10)
        chance = np.minimum(weight / weight.sum() * wanted, 1.0)
        chosen = np.flatnonzero(rng.random(total) < chance)
        began = time.perf_counter()
        lines = {part: digests[chosen] for part, digests in columns.items()}
        pairs = match(np.arange(len(chosen)), lines, loaded.lines)
        answer = attribute(pairs, len(chosen), loaded, area=columns["area"])
        took = max(took, time.perf_counter() - began)
        found = [
            (one.session, one.log10_lr, one.lift) for fit in answer.fits.values() for one in fit.findings
        ]
        verdicts.append(answer.verdict)
        accused += bool(found)
        print(kind, len(chosen), answer.verdict, found, f"{took:.1f} s", flush=True)
    return Result(
        f"{count} lists that left through no session: random, recent, regional, half of everybody",
        "none accused",
        f"{accused} lists accuse a session; {sum(one is Verdict.NOT_HERE for one in verdicts)} say: not here",
        f"the slowest took {took:.0f} s from its parts on",
        met=accused == 0,
    )
