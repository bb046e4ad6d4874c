"""Every measure runs to its end on small data; the figures of such a run mean nothing and are not looked at."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]


_SLOW = ["lookups", "bulk", "console", "recording", "watch"]


@pytest.mark.e2e
@pytest.mark.parametrize(
    "measure",
    ["facts", "verify", "idle", *(pytest.param(measure, marks=pytest.mark.long) for measure in _SLOW)],
)
def test_a_measure_runs_and_prints_its_table(measure: str) -> None:
    written = _ROOT / "bench" / "README.md"
    before = written.stat().st_mtime_ns if written.exists() else None

    run = subprocess.run(
        [sys.executable, "-m", "bench", "--quick", measure],
        cwd=_ROOT,
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert run.returncode == 0, run.stderr
    assert "| measure | reach | figure | peer | ratio | reached |" in run.stdout
    # A measure that was only tried is not published.
    assert (written.stat().st_mtime_ns if written.exists() else None) == before
