"""What every measure shares: a result, runs that alternate, and the table that is printed."""

import os
import platform
import sqlite3
import statistics
import subprocess
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import sekisho


@dataclass(frozen=True, slots=True)
class Scale:
    """How much to do. `profile` is a folder for cProfile files of the checkpoint; profiled figures are slower."""

    quick: bool = False
    profile: Path | None = None

    def pick(self, full: int, quick: int) -> int:
        return quick if self.quick else full


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the table. `met` is None where the line has no reach of its own."""

    measure: str
    reach: str
    figure: str
    peer: str
    ratio: float | None = None
    met: bool | None = None


Run = Callable[[], Awaitable[float]]
Measure = Callable[[Scale], Coroutine[None, None, list[Result]]]


async def alternate(contestants: Mapping[str, Run], runs: int) -> dict[str, list[float]]:
    """Run each contestant in turn, `runs` times: what disturbs the machine disturbs them all."""
    figures: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(runs):
        for name, run in contestants.items():
            figures[name].append(await run())
    return figures


def paired(figures: Mapping[str, Sequence[float]], one: str, other: str) -> float:
    """The median over the rounds of one's figure divided by the other's in the same round."""
    return statistics.median(a / b for a, b in zip(figures[one], figures[other], strict=True))


def percentile(values: Sequence[float], hundredths: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * hundredths // 100)]


def spread(values: Sequence[float], unit: str, digits: int = 0) -> str:
    """ "12,345 (11,900-12,800) /s": the median, and the range of the runs."""
    middle = statistics.median(values)
    return f"{middle:,.{digits}f} ({min(values):,.{digits}f}-{max(values):,.{digits}f}) {unit}"


def table(results: Sequence[Result]) -> str:
    lines = ["| measure | reach | figure | peer | ratio | reached |", "|---|---|---|---|---|---|"]
    for one in results:
        ratio = "" if one.ratio is None else f"{one.ratio:.2f}"
        met = {None: "", True: "yes", False: "no"}[one.met]
        lines.append(f"| {one.measure} | {one.reach} | {one.figure} | {one.peer} | {ratio} | {met} |")
    return "\n".join(lines) + "\n"


def machine() -> str:
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory = next(
        line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal")
    )
    gibibytes = int(memory.split()[1]) / (1 << 20)
    return (
        f"{os.cpu_count()} x {model}, {gibibytes:.0f} GiB, Linux {platform.release()}, "
        f"{platform.python_implementation()} {platform.python_version()}, SQLite {sqlite3.sqlite_version}, "
        f"{_version('psql')}, {_version('/usr/sbin/pgbouncer')}, sekisho {sekisho.__version__}"
    )


def _version(program: str) -> str:
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return f"no {program}"
    return said.splitlines()[0].strip()
