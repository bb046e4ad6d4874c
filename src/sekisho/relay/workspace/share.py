"""What one sandbox may take of the machine, as a whole: a control group of its own (cgroups(7)).

RLIMITs (`sandbox.py`) bound a process, or a user; only a group bounds a sum. Each sandbox is started in a group below
the checkpoint's own, and leaves it with nothing behind. Version 2 needs the checkpoint's group to be its own to divide
(systemd: `Delegate=cpu memory pids`); version 1 is used where a machine still mounts it. What a machine does not let
be bounded is named in `Shares.lacking`, and said at the start: then the RLIMITs are all there is.
"""

import asyncio
import contextlib
import errno
import functools
import itertools
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CONTROLLERS: Final = ("memory", "pids", "cpu")
_CPU: Final = (
    50  # hundredths of what a group weighs by default: however many spin in it, the checkpoint goes first
)
_OWN: Final = (
    "checkpoint"  # the leaf that the checkpoint itself moves to (version 2: no processes beside children)
)
_CLOSE_TRIES: Final = 100
_NAME: Final = re.compile(r"sekisho-(\d+)-\d+")
_GROUP: Final = re.compile(r"^\d+:(?P<controllers>[^:]*):(?P<path>.*)$")
_MOUNT: Final = re.compile(
    r"^\d+ \d+ \S+ (?P<root>\S+) (?P<place>\S+) .* - (?P<type>cgroup2?) \S+ (?P<options>\S+)$"
)
# It puts itself into the groups that it is told, then becomes the command: what it starts was never outside.
_ENTER: Final = (
    'while [ "$1" != -- ]; do echo 0 > "$1/cgroup.procs" || exit 97; shift; done; shift; exec "$@"'
)


@dataclass(frozen=True, slots=True)
class _Parent:
    """A folder below which groups can be made that bound `controllers`."""

    folder: Path
    version: int
    controllers: frozenset[str]


class Shares:
    """What this process can divide among its sandboxes. See `shares`."""

    def __init__(self, parents: list[_Parent]) -> None:
        self._parents = parents
        self._numbers = itertools.count(1)
        held = frozenset[str]().union(*(parent.controllers for parent in parents))
        self.lacking: Final = tuple(name for name in CONTROLLERS if name not in held)

    def take(self, *, memory: int, processes: int) -> "Share":
        """A group that holds at most so many bytes (of processes and of files in memory) and tasks. Raises OSError."""
        made = Share()
        name = f"sekisho-{os.getpid()}-{next(self._numbers)}"
        try:
            for parent in self._parents:
                folder = parent.folder / name
                folder.mkdir()
                made.folders.append(folder)
                for file, value in _limits(parent, memory, processes):
                    # What a kernel was built without (the account of swap) has no file.
                    if (folder / file).exists():
                        (folder / file).write_text(value)
        except OSError:
            made.remove()
            raise
        return made


class Share:
    """One sandbox's. Made by `Shares.take`."""

    def __init__(self) -> None:
        self.folders: list[Path] = []

    def words(self) -> list[str]:
        """Before a command: it runs within the share from its first instruction on."""
        return ["/bin/sh", "-c", _ENTER, "sh", *map(str, self.folders), "--"] if self.folders else []

    def refusals(self) -> dict[str, int]:
        """How often a limit was met: processes killed for memory, tasks not begun."""
        found = {}
        for file, key, said in (
            ("memory.events", "oom_kill", "memory"), ("memory.oom_control", "oom_kill", "memory"),
            ("pids.events", "max", "processes"),
        ):  # fmt: skip
            for folder in self.folders:
                for line in _lines(folder / file):
                    name, _, count = line.partition(" ")
                    if name == key and int(count):
                        found[said] = int(count)
        return found

    async def close(self) -> None:
        """End what is left in it, and remove it. The kernel takes a moment to end a PID namespace."""
        for folder in self.folders:
            with contextlib.suppress(OSError):  # version 1 has no such file: there, bubblewrap's end ends all
                (folder / "cgroup.kill").write_text("1")
        for _ in range(_CLOSE_TRIES):
            if self.remove():
                return
            await asyncio.sleep(0.02)

    def remove(self) -> bool:
        """Whether nothing is left of it."""
        self.folders = [folder for folder in self.folders if not _removed(folder)]
        return not self.folders


@functools.cache
def shares() -> Shares:
    """This process's, found once: a process divides only its own group."""
    return Shares(find(Path("/proc")))


def find(proc: Path) -> list[_Parent]:
    """Where groups can be made, as /proc/self tells it; what is not ours to divide is left out."""
    parents: list[_Parent] = []
    groups = [match for line in _lines(proc / "self/cgroup") if (match := _GROUP.match(line))]
    for line in _lines(proc / "self/mountinfo"):
        if not (mount := _MOUNT.match(line)):
            continue
        version = 2 if mount["type"] == "cgroup2" else 1
        mounted = {""} if version == 2 else set(mount["options"].split(","))
        for group in groups:
            if not mounted & set(group["controllers"].split(",")) or not group["path"].startswith(
                mount["root"]
            ):
                continue
            own = Path(mount["place"]) / group["path"][len(mount["root"]) :].lstrip("/")
            wanted = {name for name in CONTROLLERS if name in mounted}
            parent = _of_version_2(own) if version == 2 else _Parent(own, 1, frozenset(wanted))
            if parent.controllers and _makes_groups(parent.folder):
                parents.append(parent)
    return parents


def _of_version_2(own: Path) -> _Parent:
    """The group to divide: our own, which we leave for a leaf of it, for no group has processes and divided children
    (Documentation/admin-guide/cgroup-v2.rst, "No Internal Process Constraint")."""
    folder = own.parent if own.name == _OWN else own
    there = set(_words(folder / "cgroup.controllers")) & set(CONTROLLERS)
    on = set(_words(folder / "cgroup.subtree_control"))
    try:
        if there - on:
            leaf = folder / _OWN
            if own == folder and os.getpid() in map(int, _words(folder / "cgroup.procs")):
                leaf.mkdir(exist_ok=True)
                (leaf / "cgroup.procs").write_text("0")
            (folder / "cgroup.subtree_control").write_text(
                " ".join(f"+{name}" for name in sorted(there - on))
            )
    except OSError:
        there &= on  # the group is another's, or has other processes
    return _Parent(folder, 2, frozenset(there))


def _makes_groups(folder: Path) -> bool:
    """Whether groups can be made here; what a checkpoint that was killed left behind goes."""
    with contextlib.suppress(OSError):
        for old in folder.iterdir():
            if (name := _NAME.fullmatch(old.name)) and not Path(f"/proc/{name[1]}").exists():
                _removed(old)
    tried = folder / f"sekisho-{os.getpid()}-0"
    try:
        tried.mkdir()
        tried.rmdir()
    except OSError:
        return False
    return True


def _limits(parent: _Parent, memory: int, processes: int) -> list[tuple[str, str]]:
    """(file, value), in the order in which they must be written."""
    if parent.version == 2:
        of_memory = [("memory.max", str(memory)), ("memory.swap.max", "0")]
        of_cpu = [("cpu.weight", str(_CPU))]
    else:  # there, the second is the sum of both
        of_memory = [("memory.limit_in_bytes", str(memory)), ("memory.memsw.limit_in_bytes", str(memory))]
        of_cpu = [("cpu.shares", str(1024 * _CPU // 100))]
    known = {"memory": of_memory, "pids": [("pids.max", str(processes))], "cpu": of_cpu}
    return [pair for name in CONTROLLERS if name in parent.controllers for pair in known[name]]


def _removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except OSError as error:
        return error.errno == errno.ENOENT
    return True


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []


def _words(path: Path) -> list[str]:
    return " ".join(_lines(path)).split()
