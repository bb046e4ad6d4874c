"""The log folder and the witness's record under SIGKILL at every system call, a full disk, and a failing fsync.

What a loss of power adds to a kill (writes that never left memory) cannot be made here; instead the order of
writes, fsyncs and renames that protects against it is checked.
"""

import errno
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sekisho.evidence import faults
from sekisho.evidence.checkpoint import Checkpoint, open_checkpoint
from sekisho.evidence.log import TileLog
from sekisho.evidence.note import COSIGNATURE, NoteSigner, parse_note, parse_signatures
from sekisho.evidence.policy import Policy
from sekisho.evidence.verify import verify_folder
from sekisho.evidence.witness import Witness, WitnessStore, origin_hash, request
from sekisho.faults import Fault

ORIGIN = "log.example/crash"
LOG = NoteSigner.generate(ORIGIN)
SIGNER = NoteSigner.generate("witness.example/crash", COSIGNATURE)
POLICY = Policy.of_keys([LOG.key], [SIGNER.key], 1)
CALLS = ("open", "write", "fsync", "replace", "mkdir", "unlink", "rmdir")

Before = Callable[[int, str, tuple[Any, ...]], None]


def watch(patch: pytest.MonkeyPatch, before: Before) -> None:
    """Number the system calls that change the folder."""
    count = iter(range(1 << 30))

    def wrap(name: str) -> None:
        real = getattr(os, name)

        def call(*arguments: Any, **named: Any) -> Any:
            before(next(count), name, arguments)
            return real(*arguments, **named)

        patch.setattr(os, name, call)

    for name in CALLS:
        wrap(name)


def entries(start: int, stop: int) -> list[bytes]:
    return [b'{"seq":%d,"fact":"test.entry"}' % index for index in range(start, stop)]


def open_log(home: Path) -> TileLog:
    return TileLog.open(home / "log", LOG, origin=ORIGIN)


def witness_of(home: Path) -> Witness:
    return Witness(WitnessStore(home / "witness"), SIGNER, [LOG.key])


def seen_by_witness(home: Path) -> Checkpoint | None:
    answer = witness_of(home).monitor(origin_hash(ORIGIN))
    return open_checkpoint(answer.body, LOG.key) if answer.status == 200 else None


def advance(home: Path, size: int, tell: Callable[[str], None]) -> None:
    """Integrate up to `size`, have it cosigned, publish it; and tell each step that was acknowledged."""
    log = open_log(home)
    if log.size < size:
        log.integrate(entries(log.size, size))
    tell(f"integrated {log.size}\n")
    seen = seen_by_witness(home)
    old = seen.size if seen else 0
    answer = witness_of(home).add_checkpoint(request(log.sign(), old, log.consistency(old)).encode())
    if answer.status != 200:
        raise RuntimeError(answer)
    tell(f"cosigned {log.size}\n")
    note = parse_note(log.sign())
    log.publish(note.with_signatures(parse_signatures(answer.body.decode())).encode())
    tell(f"published {log.size}\n")


def run_killed(home: Path, size: int, number: int, mode: str) -> tuple[dict[str, int], bool]:
    """Advance in a child that SIGKILLs itself at call `number`; what it had acknowledged, and whether it died."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        tell_real = os.write

        def die() -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        def before(at: int, name: str, arguments: tuple[Any, ...]) -> None:
            if at == number and mode == "before":
                die()
            if at == number and mode == "torn" and name == "write":
                tell_real(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
                die()

        try:
            watch(pytest.MonkeyPatch(), before)
            advance(home, size, lambda line: void(tell_real(writer, line.encode())))
            os._exit(0)
        except BaseException:  # nothing of pytest may run in the child
            os._exit(1)
    os.close(writer)
    with os.fdopen(reader) as told:
        acknowledged = {step: int(at) for step, at in (line.split() for line in told)}
    status = os.waitpid(child, 0)[1]
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    assert killed or os.waitstatus_to_exitcode(status) == 0
    return acknowledged, killed


def void(_: object) -> None:
    pass


def check(home: Path, acknowledged: dict[str, int], before: int) -> None:
    """Nothing acknowledged is lost; the published and the cosigned checkpoint are of one history."""
    log = open_log(home)
    assert log.size >= max(before, acknowledged.get("integrated", 0))
    published = log.published()
    assert (published.size if published else 0) >= max(before, acknowledged.get("published", 0))
    seen = seen_by_witness(home)
    assert (seen.size if seen else 0) >= max(before, acknowledged.get("cosigned", 0))
    if seen is not None:
        assert log.root_at(seen.size) == seen.root
    if published is not None:
        report = verify_folder(home / "log", policy=POLICY)
        assert report.ok, report.findings


def calls_of(home: Path, size: int) -> list[str]:
    names: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        watch(patch, lambda _, name, __: names.append(name))
        advance(home, size, void)
    return names


def kill_at_every_call(tmp_path: Path, start: int, size: int) -> int:
    template = tmp_path / "template"
    template.mkdir()
    if start:
        advance(template, start, void)
    whole = Path(shutil.copytree(template, tmp_path / "whole"))
    calls = calls_of(whole, size)
    # Just after one call is just before the next.
    points = [(number, "before") for number in range(len(calls))]
    points += [(number, "torn") for number, name in enumerate(calls) if name == "write"]
    for number, mode in points:
        home = Path(shutil.copytree(template, tmp_path / "home"))
        acknowledged, killed = run_killed(home, size, number, mode)
        assert killed
        check(home, acknowledged, start)
        advance(home, size, void)
        check(home, {"integrated": size, "cosigned": size, "published": size}, size)
        assert open_log(home).root == open_log(whole).root
        shutil.rmtree(home)
    return len(points)


def test_killed_at_every_call_where_a_tile_becomes_full(tmp_path: Path) -> None:
    assert kill_at_every_call(tmp_path, 254, 258) > 60


@pytest.mark.long
@pytest.mark.parametrize(("start", "size"), [(0, 1), (0, 300), (3, 9), (255, 256), (256, 257), (500, 1100)])
def test_killed_at_every_call(tmp_path: Path, start: int, size: int) -> None:
    assert kill_at_every_call(tmp_path, start, size) > 30


def failing(monkeypatch: pytest.MonkeyPatch, code: int, name: str, number: int) -> Callable[[], bool]:
    """Let the n-th call of this name fail; returns whether it came to that."""
    count, hit = iter(range(1 << 30)), []

    def before(_: int, called: str, __: tuple[Any, ...]) -> None:
        if called == name and next(count) == number:
            hit.append(True)
            raise OSError(code, os.strerror(code))

    watch(monkeypatch, before)
    return lambda: bool(hit)


@pytest.mark.parametrize(
    ("code", "name"),
    [(errno.ENOSPC, "write"), (errno.EIO, "fsync"), (errno.ENOSPC, "open"), (errno.ENOSPC, "mkdir")],
)
def test_a_full_or_failing_disk_loses_nothing_and_says_so(tmp_path: Path, code: int, name: str) -> None:
    template = tmp_path / "template"
    advance(template, 254, void)
    for number in range(200):
        home = tmp_path / "home"
        shutil.copytree(template, home)
        log = open_log(home)
        with pytest.MonkeyPatch.context() as patch:
            hit = failing(patch, code, name, number)
            try:
                log.integrate(entries(254, 700))
            except Fault as fault:
                said = (fault.kind, fault.values["reason"])
            patch.undo()
        if hit():
            assert said == (faults.CANNOT_WRITE, os.strerror(code))
            # An fsync error is reported once; going on could promise what is not on the disk.
            with pytest.raises(Fault, match=faults.LOG_STOPPED.code):
                log.integrate(entries(log.size, 700))
        check(home, {}, 254)
        advance(home, 700, void)
        check(home, {"integrated": 700}, 700)
        shutil.rmtree(home)
        if not hit():
            break
    assert number > (0 if name == "mkdir" else 5)


def test_a_write_may_take_only_a_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, bytes(data)[:1000]))
    advance(tmp_path, 300, void)
    monkeypatch.undo()
    check(tmp_path, {"published": 300}, 300)


def test_every_rename_follows_its_fsync_and_every_promise_the_directories(tmp_path: Path) -> None:
    synced: set[str] = set()
    unsettled: set[str] = set()
    promises = 0

    def path_of(descriptor: int) -> str:
        return str(Path(f"/proc/self/fd/{descriptor}").readlink())

    def before(_: int, name: str, arguments: tuple[Any, ...]) -> None:
        nonlocal promises
        match name:
            case "write":
                synced.discard(path_of(arguments[0]))
            case "fsync":
                synced.add(path_of(arguments[0]))
                unsettled.discard(path_of(arguments[0]))
            case "mkdir":
                unsettled.add(str(Path(arguments[0]).parent))
            case "replace":
                source, target = map(Path, arguments[:2])
                assert str(source) in synced, f"{target} renamed before its fsync"
                if target.name in (".tree", "checkpoint") or target.parent.name == "witness":
                    promises += 1
                    assert not unsettled, f"{target} promises what is not durable"
                unsettled.add(str(target.parent))

    with pytest.MonkeyPatch.context() as patch:
        watch(patch, before)
        for size in (1, 300, 1030):
            advance(tmp_path, size, void)
            assert not unsettled
    assert promises >= 9


@pytest.fixture(autouse=True)
def _no_child_returns() -> Iterator[None]:
    parent = os.getpid()
    yield
    if os.getpid() != parent:
        os._exit(1)
