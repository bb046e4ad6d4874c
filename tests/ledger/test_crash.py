"""SIGKILL at every step of append, publish and cosign; see crash_driver for what is checked after each restart."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


def crash(folder: Path, mode: str, count: int, seconds: float) -> dict[str, int]:
    done = subprocess.run(
        [sys.executable, "-m", "ledger.crash_driver", folder, mode, str(count)],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    result: dict[str, int] = json.loads(done.stdout)
    return result


def test_killed_at_some_steps(tmp_path: Path) -> None:
    assert crash(tmp_path, "steps", 47, 120)["kills"] >= 5


def test_killed_at_some_times(tmp_path: Path) -> None:
    assert crash(tmp_path, "times", 5, 120)["kills"] == 5


@pytest.mark.long
def test_killed_at_every_step(tmp_path: Path) -> None:
    assert crash(tmp_path, "steps", 1, 1200)["kills"] >= 250


@pytest.mark.long
def test_killed_at_many_times(tmp_path: Path) -> None:
    assert crash(tmp_path, "times", 200, 1200)["kills"] == 200
