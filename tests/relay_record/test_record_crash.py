"""Killed at any point: every byte that a terminal received stands in the recovered recording."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from relay_record.record_examples import kinds, opened_ledger, shown
from sekisho.relay.record.facts import RecordRecovered, RecordSegment
from sekisho.relay.record.reading import recover
from sekisho.relay.record.recordings import path_of

DRIVER = Path(__file__).with_name("record_driver.py")
ENDLESS = 10**9
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(DRIVER.parents[1]), *sys.path])}


def killed_after(folder: Path, wanted: int, pieces: int = ENDLESS) -> tuple[str, bytes]:
    """(recording, what came out before the kill)."""
    with subprocess.Popen(
        [sys.executable, str(DRIVER), str(folder), str(pieces)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        recording = process.stderr.readline().decode().strip()
        received = b""
        while len(received) < wanted and (chunk := os.read(process.stdout.fileno(), 65536)):
            received += chunk
        if pieces < ENDLESS:
            assert process.stderr.readline() == b"a segment is durable\n"
        process.send_signal(signal.SIGKILL)
        while chunk := os.read(process.stdout.fileno(), 65536):  # what was on its way arrives too
            received += chunk
    return recording, received


@pytest.mark.parametrize("wanted", [1, 5_000, 300_000, 4_000_000])
async def test_nothing_that_reached_a_terminal_is_lost(tmp_path: Path, wanted: int) -> None:
    recording, received = await asyncio.to_thread(killed_after, tmp_path, wanted)
    folder = tmp_path / "recordings"
    async with opened_ledger(tmp_path) as ledger:
        before, report = await kinds(ledger, folder, recording)
        assert "unended" in before
        assert report.ok
        [recovered] = await recover(ledger, folder)
        assert await recover(ledger, folder) == []
        held = await shown(ledger, folder, recording)
        assert held.startswith(received)
        # At most one piece was written and had not been sent.
        assert len(held) - len(received) <= 9 * 701
        fact = recovered.typed()
        assert isinstance(fact, RecordRecovered)
        assert fact.length + fact.torn == path_of(folder, recording).stat().st_size
        after, report = await kinds(ledger, folder, recording)
        assert set(after) <= {"torn"}
        assert report.events == fact.events


async def test_what_is_cut_off_before_the_next_start_is_seen(tmp_path: Path) -> None:
    """Segments reach the ledger about once a second (here faster): behind the last one, a cut cannot be proven, and
    that is the second which a crash may lose. Before it, every byte is held to."""
    recording, _ = await asyncio.to_thread(killed_after, tmp_path, 1, 50)
    folder = tmp_path / "recordings"
    path = path_of(folder, recording)
    async with opened_ledger(tmp_path) as ledger:
        segments = await ledger.facts(0, 10_000, names=["record.segment"], about=recording)
        last = segments[-1].typed()
        assert isinstance(last, RecordSegment)
        os.truncate(path, last.offset + last.length - 1)
        assert "cut" in (await kinds(ledger, folder, recording))[0]
        await recover(ledger, folder)
        found, report = await kinds(ledger, folder, recording)
        # Recovery does not make damage right.
        assert "cut" in found
        assert not report.ok


async def test_a_frame_that_was_never_finished_is_told_apart(tmp_path: Path) -> None:
    recording, received = await asyncio.to_thread(killed_after, tmp_path, 20_000)
    folder = tmp_path / "recordings"
    path = path_of(folder, recording)
    with path.open("ab") as file:  # as a kill in the middle of write(2) leaves it
        file.write((500).to_bytes(4, "big") + bytes(100))
    async with opened_ledger(tmp_path) as ledger:
        [recovered] = await recover(ledger, folder)
        fact = recovered.typed()
        assert isinstance(fact, RecordRecovered)
        assert fact.torn == 104
        assert (await kinds(ledger, folder, recording))[0] == ["torn"]
        assert (await shown(ledger, folder, recording)).startswith(received)
