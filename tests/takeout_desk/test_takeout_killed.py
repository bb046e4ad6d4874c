"""The checkpoint is killed (SIGKILL) on the way of a take-out: never a half one, never a second release."""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e


async def killed(folder: Path, kills: str) -> dict[str, int]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "takeout_desk.crash_driver", str(folder), kills,
        stdout=asyncio.subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip
    out, _ = await process.communicate()
    assert process.returncode == 0
    said: dict[str, int] = json.loads(out)
    return said


async def test_killed_once_on_the_way(tmp_path: Path) -> None:
    assert (await killed(tmp_path, "1"))["killed"] == 1


@pytest.mark.long
async def test_killed_just_before_and_just_after_each_step(tmp_path: Path) -> None:
    said = await killed(tmp_path, "all")
    assert said["killed"] >= said["events"] - 2
