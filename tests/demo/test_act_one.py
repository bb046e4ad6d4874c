"""`sekisho demo`, as a user runs it: it ends with a status, and is gone after Ctrl-C."""

import asyncio
import os
import re
import signal
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

SEKISHO = str(Path(sys.executable).parent / "sekisho")
ENVIRONMENT = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": os.environ.get("HOME", "/")}


async def test_every_step_ends_as_it_should() -> None:
    process = await asyncio.create_subprocess_exec(
        SEKISHO, "demo", "--once", "--persons", "100000", "--lang", "en",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env=ENVIRONMENT,
    )  # fmt: skip
    out, _ = await process.communicate()
    text = out.decode()
    assert process.returncode == 0, text
    steps = [int(number) for number in re.findall(r"✓ (\d+)\.", text)]
    assert steps == list(range(1, len(steps) + 1))
    assert len(steps) >= 16
    assert "✗" not in text
    assert text.count("→ fact #") == len(steps) - 1  # the way around the checkpoint leaves none
    assert "consistent with session s-" in text


async def test_the_demo_is_gone_after_ctrl_c(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        SEKISHO, "demo", "--persons", "100000", "--lang", "ja",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        env={**ENVIRONMENT, "TMPDIR": str(tmp_path)}, start_new_session=True,
    )  # fmt: skip
    tmp_path.chmod(0o755)
    assert process.stdout is not None
    async with asyncio.timeout(120):
        while b"Ctrl-C" not in await process.stdout.readline():
            pass
        os.killpg(process.pid, signal.SIGINT)
        await process.wait()
    assert process.returncode == 0
    assert list(tmp_path.iterdir()) == []
