"""Loss of power: what a fact claims is on the disk before the fact is. Read off the system calls, in their order.

No machine can be switched off in a test; what a disk holds after a loss of power follows from what was synchronised
before what (fsync(2)). strace tells it of the real recorder and the real ledger, all their threads.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from relay_record.test_record_crash import DRIVER, ENVIRONMENT

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed"),
]
_CALL = re.compile(r"^(?P<task>\d+) +(?P<name>\w+)\((?P<rest>.*)$")
_RESUMED = re.compile(r"^(?P<task>\d+) +<\.\.\. (?P<name>\w+) resumed>.*= (?P<result>-?\d+)")
_SEGMENT = re.compile(r'\{"seq":\d+,"fact":"record\.segment".*?"data":(?P<data>\{[^}]*\})')


def traced(folder: Path, *, tamper: str = "") -> list[tuple[str, str, str]]:
    """(system call, file, what it was given) in the order in which the calls ended, of a recorder that is killed."""
    log = folder / "calls"
    command = [
        "strace",
        "-f",
        "-y",
        "-s",
        "70000",
        "-e",
        "trace=write,pwrite64,fsync,fdatasync",
        "-o",
        str(log),
    ]
    driver = [sys.executable, "-c", f"{tamper}\nimport runpy, sys\nsys.argv = sys.argv[1:]\n"
              "runpy.run_path(sys.argv[0], run_name='__main__')", str(DRIVER), str(folder), "400"]  # fmt: skip
    with subprocess.Popen(
        [*command, *driver], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=ENVIRONMENT
    ) as process:
        assert process.stderr is not None
        for said in process.stderr:
            if b"a segment is durable" in said:
                break
        else:
            pytest.skip("strace may not trace here")
        process.kill()
    begun: dict[str, str] = {}
    ended: list[tuple[str, str, str]] = []
    for line in log.read_text(errors="replace").splitlines():
        if resumed := _RESUMED.match(line):
            call = begun.pop(resumed["task"], None)
            if call is not None and int(resumed["result"]) >= 0:
                ended.append((resumed["name"], *_given(call)))
        elif call_ := _CALL.match(line):
            if line.endswith("<unfinished ...>"):
                begun[call_["task"]] = call_["rest"]
            elif re.search(r"= \d+$", line):
                ended.append((call_["name"], *_given(call_["rest"])))
    return ended


def _given(rest: str) -> tuple[str, str]:
    path = re.match(r"\d+<([^>]*)>", rest)
    return Path(path[1]).name if path else "", rest


def unkept(calls: list[tuple[str, str, str]]) -> tuple[int, list[str]]:
    """(segments that were written to the ledger, what of them the disk did not hold by then)."""
    written = synchronised = segments = 0
    early = []
    for name, file, given in calls:
        if file.endswith(".rec"):
            if name == "write":
                size = re.search(r", (\d+)(?:\) = \d+| <unfinished \.\.\.>|$)", given)
                assert size is not None
                written += int(size[1])
            elif name in ("fsync", "fdatasync"):
                synchronised = written
        elif "-wal" in file and name == "pwrite64":
            text = given.replace('\\"', '"')
            for found in _SEGMENT.finditer(text):
                fact = json.loads(found["data"])
                segments += 1
                if fact["offset"] + fact["length"] > synchronised:
                    early.append(found["data"])
    return segments, early


def test_a_segment_is_on_the_disk_before_its_fact(tmp_path: Path) -> None:
    calls = traced(tmp_path)
    segments, early = unkept(calls)
    assert segments > 0
    assert not early
    # And the fact itself is synchronised: the ledger's file, after the last segment was written to it.
    last = max(at for at, (name, file, given) in enumerate(calls) if "record.segment" in given)
    assert any("-wal" in file and name in ("fsync", "fdatasync") for name, file, _ in calls[last:])


def test_this_would_notice_a_recorder_that_does_not_synchronise(tmp_path: Path) -> None:
    segments, early = unkept(traced(tmp_path, tamper="import os\nos.fdatasync = lambda descriptor: None"))
    assert segments > 0
    assert early
