"""When the recorder, the disk or the ledger fails, nothing more passes, and the session is told to end."""

import asyncio
import hashlib
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from relay_record.record_examples import begin, kinds, opened_ledger, shown
from relay_record.test_record_crash import DRIVER, ENVIRONMENT
from sekisho.faults import Fault
from sekisho.ledger import Ledger
from sekisho.relay.record import recordings as module
from sekisho.relay.record.facts import RecordClosed
from sekisho.relay.record.faults import RECORDER_FAILED
from sekisho.relay.record.reading import read_account
from sekisho.relay.record.recordings import Recordings

LARGEST = 24 << 20
SMALL = 6 << 20  # for a process that writes little pieces
PIECE = 500_000


@pytest.fixture
def full_disk() -> Iterator[None]:
    """No file of this process grows beyond LARGEST: the kernel itself refuses the rest (setrlimit(2)). The files of the
    ledger stay far below."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def noise(number: int) -> bytes:
    return hashlib.shake_256(number.to_bytes(4, "big")).digest(PIECE)


async def test_a_full_disk_stops_the_terminal_and_keeps_what_passed(
    ledger: Ledger, recordings: Recordings, full_disk: None
) -> None:
    made = await begin(recordings)
    sent = b""
    number = 0
    while len(sent) + PIECE + 10_000 < LARGEST:
        made.output(noise(number))
        sent += noise(number)
        number += 1
    with pytest.raises(Fault) as failed:
        made.output(noise(number))
    assert failed.value.kind is RECORDER_FAILED
    async with asyncio.timeout(5):
        assert (await made.wait_failed()).kind is RECORDER_FAILED
    for passing in (made.output, made.input):
        with pytest.raises(Fault):
            passing(b"x")
    assert LARGEST - 2 * PIECE < len(sent) < LARGEST
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await made.close()
    account = await read_account(ledger, made.recording)
    assert isinstance(account.ended, RecordClosed)
    assert account.ended.code == "SEK-RECD-001"
    assert await shown(ledger, recordings.folder, made.recording) == sent
    assert (await kinds(ledger, recordings.folder, made.recording))[0] == []


async def test_no_recording_begins_on_a_full_disk(
    ledger: Ledger, recordings: Recordings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_write", full)
    with pytest.raises(Fault) as failed:
        await begin(recordings)
    assert failed.value.kind is RECORDER_FAILED
    assert await ledger.facts(0, 9, names=["record.opened"]) == []


async def test_a_ledger_that_fails_ends_every_recording(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_SEGMENT_SECONDS", 0.02)
        async with opened_ledger(tmp_path) as ledger:
            recordings = Recordings(ledger, tmp_path / "recordings")
            many = [await begin(recordings, f"s-{number}") for number in range(3)]
            with sqlite3.connect(tmp_path / "ledger.db") as raw:
                raw.execute("DROP TABLE facts")
            many[0].output(b"this will become a segment")
            async with asyncio.timeout(10):
                for one in many:
                    await one.wait_failed()
            for one in many:
                with pytest.raises(Fault):
                    one.output(b"nothing more")
                with pytest.raises(Fault):
                    await one.close()
            with pytest.raises(Fault):
                await begin(recordings)


async def test_a_disk_that_cannot_sync_ends_the_session(
    recordings: Recordings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(module, "_SEGMENT_SECONDS", 0.02)
    monkeypatch.setattr(module, "_settle", broken)
    made = await begin(recordings)
    made.output(b"x")
    async with asyncio.timeout(5):
        assert (await made.wait_failed()).kind is RECORDER_FAILED
    with pytest.raises(Fault):
        await made.close()


def test_a_process_whose_disk_fills_sends_nothing_unrecorded(tmp_path: Path) -> None:
    """The whole way, in a process of its own: what came out is in the file."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (SMALL, SMALL))

    run = subprocess.run(
        [sys.executable, str(DRIVER), str(tmp_path), "1000000"],
        capture_output=True,
        env=ENVIRONMENT,
        preexec_fn=limit,
        timeout=60,
        check=False,
    )
    assert run.returncode == 1
    assert b"SEK-" in run.stderr
    recording = run.stderr.split(b"\n")[0].decode()

    async def check() -> None:
        async with opened_ledger(tmp_path) as ledger:
            held = await shown(ledger, tmp_path / "recordings", recording)
            assert held.startswith(run.stdout)
            assert len(run.stdout) > SMALL // 4

    asyncio.run(check())
