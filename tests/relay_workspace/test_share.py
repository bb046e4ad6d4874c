"""What a sandbox may take as a whole: real control groups where the machine has them, and how they are found."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from relay_workspace.workspace_scene import typed
from sekisho.cli import serve
from sekisho.relay.workspace import sandbox, share
from sekisho.relay.workspace.sandbox import Sandbox, Seat
from sekisho.relay.workspace.share import Shares, find, shares
from sekisho.relay.workspace.store import Store
from sekisho.service.service import create_state
from sekisho.service.settings import Settings

SEAT = Seat("sato.T-0001", "callcentre")
MIB = 1 << 20
bounded = pytest.mark.skipif(
    {"memory", "pids"} & set(shares().lacking) != set(), reason="this machine lets no group be divided"
)
HOG = (
    "python3 -c \"import time; x = bytearray(b'x') * (40 << 20); print('ho' + 'lds', flush=True); "
    'time.sleep(60)"'
)


def made(folder: Path) -> Store:
    return Store.open(folder, bytes(32), quota=4 * MIB)


async def holding(folder: Path) -> tuple[int, dict[str, int]]:
    """How many of four programs got 40 MiB each in a sandbox for 100, and what was met; another sandbox works on."""
    box, other = await asyncio.gather(
        Sandbox.start(made(folder / "a"), SEAT, memory=100 * MIB), Sandbox.start(made(folder / "b"), SEAT)
    )
    try:
        terminals = [await box.shell(("shell",), 80, 24) for _ in range(4)]
        said = await asyncio.gather(*(_until_told(one, HOG) for one in terminals))
        beside = await other.shell(("shell",), 80, 24)
        assert await typed(beside, "echo 6 times 7") == "6 times 7\n"
        await box.write_back()  # it still answers
        return said.count("holds"), box._share.refusals()
    finally:
        await box.close()
        await other.close()


async def _until_told(terminal: sandbox.PtyUpstream, command: str) -> str:
    terminal.write(f"{command}\n".encode())
    said = b""
    async with asyncio.timeout(30):
        while b"holds" not in said and b"Killed" not in said:
            said += await terminal.read()
    return "holds" if b"holds" in said else "killed"


@bounded
@pytest.mark.e2e
async def test_a_memory_hog_is_ended_within_its_own_sandbox(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, met = await holding(tmp_path / "on")
    assert met["memory"] >= 1  # perhaps one that had said that it holds them
    # Without the group, all four hold: the limit of each program alone does not see their sum.
    monkeypatch.setattr(sandbox, "shares", lambda: Shares([]))
    assert await holding(tmp_path / "off") == (4, {})


@bounded
@pytest.mark.e2e
async def test_a_fork_bomb_is_held_by_the_group_where_nothing_else_holds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "_RLIMIT_PROCESSES", 4096)
    box, other = await asyncio.gather(
        Sandbox.start(made(tmp_path / "a"), SEAT), Sandbox.start(made(tmp_path / "b"), SEAT)
    )
    [folder] = [one for one in box._share.folders if (one / "pids.current").exists()]
    try:
        bomb = await box.shell(("shell",), 80, 24)
        bomb.write(b"b() { b | b & }; b 2>/dev/null\n")
        async with asyncio.timeout(20):
            while "processes" not in box._share.refusals():  # noqa: ASYNC110 (the kernel tells nobody)
                await asyncio.sleep(0.02)
        assert int((folder / "pids.current").read_text()) <= sandbox._PROCESSES + sandbox._OURS
        beside = await other.shell(("shell",), 80, 24)
        assert await typed(beside, "echo 6 times 7") == "6 times 7\n"
    finally:
        await box.close()
        await other.close()
    assert box.limits_met["processes"] > 0
    assert not folder.exists()


@bounded
def test_what_a_killed_checkpoint_left_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = shares().take(memory=MIB, processes=1)
    [first, *_] = taken.folders
    nobody = 2**22 + 1  # above the largest process number
    left = first.with_name(f"sekisho-{nobody}-1")
    left.mkdir()
    find(Path("/proc"))
    assert not left.exists()
    assert first.exists()
    assert taken.remove()


def machine(folder: Path, groups: str, mounts: list[tuple[str, str, str]]) -> Path:
    """A /proc that tells of such groups: (place, type, options) of each mount."""
    proc = folder / "proc"
    (proc / "self").mkdir(parents=True)
    (proc / "self/cgroup").write_text(groups)
    lines = [
        f"{number} 1 0:{number} / {folder / place} rw,nosuid - {kind} {kind} {options}\n"
        for number, (place, kind, options) in enumerate(mounts)
    ]
    (proc / "self/mountinfo").write_text("1 0 8:1 / / rw - ext4 /dev/vda rw\n" + "".join(lines))
    return proc


def delegated(folder: Path, on: str = "") -> Path:
    own = folder / "cgroup/system.slice/sekisho.service"
    own.mkdir(parents=True)
    for name, text in (
        ("cgroup.controllers", "cpu io memory pids\n"), ("cgroup.subtree_control", on),
        ("cgroup.procs", f"{os.getpid()}\n"),
    ):  # fmt: skip
        (own / name).write_text(text)
    return own


def test_version_2_is_divided_after_leaving_for_a_leaf(tmp_path: Path) -> None:
    own = delegated(tmp_path)
    proc = machine(tmp_path, "0::/system.slice/sekisho.service\n", [("cgroup", "cgroup2", "rw")])
    (own / "checkpoint").mkdir()
    made = Shares(find(proc))
    assert made.lacking == ()
    assert (own / "checkpoint/cgroup.procs").read_text() == "0"
    assert (own / "cgroup.subtree_control").read_text() == "+cpu +memory +pids"
    [parent] = made._parents
    limits = dict(share._limits(parent, 7 * MIB, 80))
    assert limits == {
        "memory.max": str(7 * MIB), "memory.swap.max": "0", "pids.max": "80", "cpu.weight": "50",
    }  # fmt: skip
    taken = made.take(memory=7 * MIB, processes=80)
    assert [one.parent for one in taken.folders] == [own]
    (taken.folders[0] / "memory.events").write_text("low 0\noom 3\noom_kill 2\n")
    assert taken.refusals() == {"memory": 2}


def test_version_2_from_the_leaf_divides_the_group_above(tmp_path: Path) -> None:
    own = delegated(tmp_path, on="cpu memory pids")
    (own / "checkpoint").mkdir()
    groups = "0::/system.slice/sekisho.service/checkpoint\n"
    [parent] = find(machine(tmp_path, groups, [("cgroup", "cgroup2", "rw")]))
    assert parent.folder == own


def test_what_is_not_ours_is_lacking_and_the_command_runs_without_it(tmp_path: Path) -> None:
    proc = machine(tmp_path, "0::/\n", [("cgroup", "cgroup2", "rw")])  # no such folder
    made = Shares(find(proc))
    assert made.lacking == ("memory", "pids", "cpu")
    assert made.take(memory=1, processes=1).words() == []


def test_version_1_is_used_where_it_is_mounted(tmp_path: Path) -> None:
    for name in ("memory/jobs", "pids"):
        (tmp_path / name).mkdir(parents=True)
    proc = machine(
        tmp_path,
        "4:memory:/jobs\n3:pids:/\n1:name=systemd:/\n0::/\n",
        [("memory", "cgroup", "rw,memory"), ("pids", "cgroup", "rw,pids"), ("unified", "cgroup2", "rw")],
    )
    made = Shares(find(proc))
    assert made.lacking == ("cpu",)
    assert [parent.folder for parent in made._parents] == [tmp_path / "memory/jobs", tmp_path / "pids"]


@pytest.mark.e2e
async def test_what_cannot_be_bounded_is_said_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(
        origin="checkpoint.example/test", postgres_listen="127.0.0.1:0", console_listen="127.0.0.1:0"
    )
    create_state(tmp_path / "state", settings)
    monkeypatch.setattr(serve, "shares", lambda: Shares([]))
    said = ""
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        serving = group.create_task(serve._serve(tmp_path / "state"))
        while "SEK-WORK-022" not in said:
            assert not serving.done()
            said += capsys.readouterr().err
            await asyncio.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)  # as a service manager ends it
    assert "memory, pids, cpu" in said
