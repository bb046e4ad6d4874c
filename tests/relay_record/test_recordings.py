"""Writing, reading back, and noticing what was done to a file."""

import asyncio
import os
from pathlib import Path

import pytest

from relay_record.record_examples import begin, kinds, shown
from sekisho.faults import Fault
from sekisho.ledger import Ledger
from sekisho.relay.record import recordings as module
from sekisho.relay.record.facts import RecordClosed, RecordSegment
from sekisho.relay.record.faults import FELL_BEHIND, KEY_ERASED, RECORDING_OVER
from sekisho.relay.record.frames import Sealer, header_of
from sekisho.relay.record.reading import (
    data_key,
    read_account,
    recover,
    stored_events,
    unknown_files,
    verify_recording,
)
from sekisho.relay.record.recordings import Recording, Recordings, path_of


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SEGMENT_SECONDS", 0.05)


async def segments_of(ledger: Ledger, recording: str) -> list[RecordSegment]:
    found = await ledger.facts(0, 1000, names=["record.segment"], about=recording)
    return [fact for one in found if isinstance(fact := one.typed(), RecordSegment)]


async def several_segments(recordings: Recordings, ledger: Ledger, count: int = 3) -> Recording:
    """A recording with `count` segments behind it."""
    made = await begin(recordings)
    for number in range(count):
        made.output(f"piece {number} 氏名 山田\r\n".encode())
        made.output(b"more of it\r\n")
        async with asyncio.timeout(10):
            while len(await segments_of(ledger, made.recording)) <= number:
                await ledger.wait_turn(0.05)
    return made


async def test_what_passes_is_stored_sealed_and_in_the_ledger(
    ledger: Ledger, recordings: Recordings, tmp_path: Path
) -> None:
    made = await several_segments(recordings, ledger)
    made.input(b"ls\r")
    made.resized(100, 30)
    made.mark("clipboard")
    await made.close()
    await made.close()
    account = await read_account(ledger, made.recording)
    key = await data_key(ledger, account.opened)
    path = path_of(recordings.folder, made.recording)
    events = list(stored_events(recordings.folder, made.recording, key, path.stat().st_size))
    assert [event.code for event in events] == ["o"] * 6 + ["i", "r", "m"]
    assert events[0].data == "piece 0 氏名 山田\r\n".encode()
    assert [event.data for event in events[6:]] == [b"ls\r", b"100x30", b"clipboard"]
    assert [event.at for event in events] == sorted(event.at for event in events)
    assert "山田".encode() not in path.read_bytes()
    assert path.stat().st_mode & 0o077 == 0
    ended = account.ended
    assert isinstance(ended, RecordClosed)
    assert (ended.events, ended.length, ended.code) == (9, path.stat().st_size, "")
    assert len(account.segments) == 4
    found, report = await kinds(ledger, recordings.folder, made.recording)
    assert found == []
    assert report.events == 9
    with pytest.raises(Fault) as over:
        made.output(b"x")
    assert over.value.kind is RECORDING_OVER
    # Nothing that was typed or shown stands in the log.
    for recorded in await ledger.facts(0, 100):
        assert "山田".encode() not in recorded.leaf


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        ("cut", "cut"),
        ("flip", "altered"),
        ("swap", "altered"),
        ("append", "appended"),
        ("remove", "missing"),
        ("other", "other"),
    ],
)
async def test_damage_is_noticed_and_named(
    ledger: Ledger, recordings: Recordings, damage: str, expected: str
) -> None:
    made, other = await several_segments(recordings, ledger), await several_segments(recordings, ledger, 1)
    await made.close()
    await other.close()
    path = path_of(recordings.folder, made.recording)
    stored = path.read_bytes()
    segment = (await segments_of(ledger, made.recording))[1]
    if damage == "cut":
        path.write_bytes(stored[: segment.offset + 5])
    elif damage == "flip":
        place = segment.offset + 20
        path.write_bytes(stored[:place] + bytes([stored[place] ^ 1]) + stored[place + 1 :])
    elif damage == "swap":  # the two frames of a segment change places
        start = segment.offset
        length = 4 + int.from_bytes(stored[start : start + 4], "big")
        end = start + segment.length
        path.write_bytes(
            stored[:start] + stored[start + length : end] + stored[start : start + length] + stored[end:]
        )
    elif damage == "append":
        path.write_bytes(stored + b"more")
    elif damage == "remove":
        path.unlink()
    else:
        path_of(recordings.folder, other.recording).replace(path)
    found, report = await kinds(ledger, recordings.folder, made.recording)
    assert expected in found
    assert not report.ok
    if damage == "flip":
        [altered] = [one for one in report.findings if one.kind == "altered"]
        assert altered.values["index"] == 1
        assert "frame" in found  # and which frame of it
        assert "セグメント 1" in altered.sentence("ja")
    if damage in ("cut", "flip", "swap"):
        # What stands before the damage is sound, and can still be shown.
        assert report.sound == segment.offset


async def test_an_insider_with_the_key_cannot_write_another_recording(
    ledger: Ledger, recordings: Recordings
) -> None:
    """Frames that open are not enough: the chain in the ledger is over the stored bytes."""
    made = await several_segments(recordings, ledger, 1)
    await made.close()
    account = await read_account(ledger, made.recording)
    key = await data_key(ledger, account.opened)
    sealer = Sealer(key, made.recording)
    path = path_of(recordings.folder, made.recording)
    stored = path.read_bytes()
    forged = header_of(made.recording) + sealer.seal(0, "o", b"nothing to see here !\r\n")
    path.write_bytes(forged + stored[len(forged) :])
    assert len(list(stored_events(recordings.folder, made.recording, key, len(stored)))) == 2  # each opens
    found, _ = await kinds(ledger, recordings.folder, made.recording)
    assert found == ["altered"]


async def test_facts_that_are_not_in_the_published_log_are_named(
    ledger: Ledger, recordings: Recordings
) -> None:
    made = await several_segments(recordings, ledger, 1)
    await made.close()

    async def confirms(recorded: object) -> bool:
        return False

    report = await verify_recording(ledger, recordings.folder, made.recording, confirms=confirms)
    assert [one.kind for one in report.findings] == ["unpublished", "unpublished"]


async def test_an_erased_key_leaves_the_hashes(ledger: Ledger, recordings: Recordings) -> None:
    made = await several_segments(recordings, ledger, 1)
    await made.close()
    await ledger.erase_owner("minato", by="kanri", reason="contract ended")
    account = await read_account(ledger, made.recording)
    with pytest.raises(Fault) as gone:
        await data_key(ledger, account.opened)
    assert gone.value.kind is KEY_ERASED
    found, report = await kinds(ledger, recordings.folder, made.recording)
    assert found == ["erased"]
    assert report.ok


async def test_a_file_that_no_fact_knows_is_named(ledger: Ledger, recordings: Recordings) -> None:
    made = await begin(recordings)
    await made.close()
    path_of(recordings.folder, "r-planted").write_bytes(b"SEKREC1\n")
    [finding] = unknown_files(recordings.folder, frozenset({made.recording}))
    assert (finding.recording, finding.kind) == ("r-planted", "unknown")


async def test_what_runs_is_left_alone_by_recovery(ledger: Ledger, recordings: Recordings) -> None:
    made = await several_segments(recordings, ledger, 1)
    assert await recover(ledger, recordings.folder) == []
    made.output(b"still here")
    await made.close()
    assert b"still here" in await shown(ledger, recordings.folder, made.recording)


async def test_a_live_view_begins_with_the_newest_and_follows(recordings: Recordings) -> None:
    made = await begin(recordings)
    made.output(b"before ")
    with made.watch() as watcher:
        history = made.history()
        made.output(b"after")
        assert [event.data for event in history] == [b"before "]
        assert (await anext(aiter(watcher))).data == b"after"
        await made.close()
        assert [event async for event in watcher] == []


async def test_history_of_a_long_session_is_its_end(recordings: Recordings) -> None:
    made = await begin(recordings)
    for number in range(64):
        made.output(number.to_bytes(4, "big") + os.urandom(32 << 10))
    history = made.history()
    assert 8 <= len(history) <= 20
    assert history[-1].data[:4] == (63).to_bytes(4, "big")
    await made.close()


async def test_a_view_that_falls_behind_ends_and_holds_nobody_up(recordings: Recordings) -> None:
    made = await begin(recordings)
    with made.watch() as watcher:
        for _ in range(10):
            made.output(bytes(1 << 20))
        with pytest.raises(Fault) as behind:
            await anext(aiter(watcher))
        assert behind.value.kind is FELL_BEHIND
    await made.close()


async def test_a_hundred_recordings_at_once(ledger: Ledger, recordings: Recordings) -> None:
    many = [await begin(recordings, f"s-{number}") for number in range(100)]
    for one in many:
        one.output(one.recording.encode())
    assert recordings.find(many[42].recording) is many[42]
    for one in many:
        await one.close()
    assert recordings.find(many[42].recording) is None
    for one in many[::10]:
        assert await shown(ledger, recordings.folder, one.recording) == one.recording.encode()
        assert (await kinds(ledger, recordings.folder, one.recording))[0] == []
