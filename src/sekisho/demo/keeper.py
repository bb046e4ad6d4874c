"""The process that holds a server and outlives the program, so that the server does not.

Run as a script by `servers.py`, with the standard library only and without the package (`python -I -S`), in
a session of its own: Ctrl-C in the terminal reaches the program first. Its standard input is a pipe whose
other end only the program holds. The first line is the plan; after that nothing is written, and end of file
means that the program is gone, by exit or by SIGKILL. Then the server is stopped and its folder removed.

    plan      {"folder", "uid", "gid", "folders": [name], "files": {name: text}, "prepare": [command],
              "serve": command, "stop": [[signal name, seconds]]}
    answers   "serving", or "ended NUMBER-OF-THE-COMMAND STATUS" (the log stays until the program is gone)

What is left when this process itself is killed with SIGKILL: the server still stops (its parent-death signal,
set by `setpriv --pdeathsig`), the folder stays unless the program lives to remove it.
"""

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

LOG = "log"
_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
_LIFELINE = 0


class Keeper:
    """Owns one folder, which it made, and at most one running command at a time."""

    def __init__(self, plan: dict[str, Any], wakeup: int) -> None:
        self._plan = plan
        self._folder = Path(plan["folder"])
        self._wakeup = wakeup
        self._folder.mkdir(mode=0o700)  # fails when the name exists: nobody can prepare it for us

    def lay_out(self) -> None:
        for name in self._plan["folders"]:
            (self._folder / name).mkdir(mode=0o700)
            self._own(self._folder / name)
        for name, text in self._plan["files"].items():
            with os.fdopen(
                os.open(self._folder / name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w"
            ) as file:
                file.write(text)
            self._own(self._folder / name)
        (self._folder / LOG).touch(0o600)
        self._own(self._folder / LOG)
        self._own(self._folder)

    def _own(self, path: Path) -> None:
        if os.getuid() == 0:
            os.chown(path, self._plan["uid"], self._plan["gid"])

    def keep(self) -> None:
        """Run the commands one after the other, the last one for as long as the program lives."""
        commands = [*self._plan["prepare"], self._plan["serve"]]
        for number, command in enumerate(commands):
            with (self._folder / LOG).open("ab") as log:
                child = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=self._folder,
                    env=_environment(),
                )
            serving = number == len(commands) - 1
            if serving:
                _answer("serving")
            status = self._watch(child)
            if status is None:
                return
            if serving or status != 0:
                _answer(f"ended {number} {status}")
                self._watch(None)
                return

    def _watch(self, child: "subprocess.Popen[bytes] | None") -> int | None:
        """The child's status when it ends by itself; None when the program is gone or asked us to stop."""
        while True:
            if child is not None and (status := child.poll()) is not None:
                return status
            # SIGCHLD and SIGTERM arrive as bytes on the wake-up pipe: there is no polling interval.
            ready, _, _ = select.select([_LIFELINE, self._wakeup], [], [])
            if _LIFELINE in ready and not os.read(_LIFELINE, 4096):
                return None
            if self._wakeup in ready and signal.SIGTERM in os.read(self._wakeup, 4096):
                return None

    def clear(self) -> None:
        """Stop whatever runs below us, gently first, and remove the folder."""
        for name, seconds in self._plan["stop"]:
            if not (children := _children()):
                break
            for pid in children:
                _send(pid, getattr(signal, name))
            _reap_until(time.monotonic() + seconds)
        while children := _children():
            for pid in children:
                _send(pid, signal.SIGKILL)
            _reap_until(time.monotonic() + 1)
        shutil.rmtree(self._folder, ignore_errors=True)


def _children() -> list[int]:
    """Everything below us: as a subreaper we inherit the orphans of a server that was killed."""
    _reap()
    return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def _reap_until(deadline: float) -> None:
    while _children() and time.monotonic() < deadline:
        time.sleep(0.01)


def _send(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _environment() -> dict[str, str]:
    # Nothing of the user's settings (PGDATA, PGOPTIONS …) may reach the server.
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8"}


def _answer(line: str) -> None:
    # A broken pipe: the program is gone; end of file on the lifeline says so too.
    with contextlib.suppress(BrokenPipeError):
        os.write(1, line.encode() + b"\n")


def main() -> None:
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    # Handlers, not SIG_IGN, which the server would inherit through exec. Of these only SIGTERM means "stop".
    for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    line = b""
    while not line.endswith(b"\n"):
        if not (chunk := os.read(_LIFELINE, 65536)):
            return
        line += chunk
    keeper = Keeper(json.loads(line), readable)
    try:
        keeper.lay_out()
        keeper.keep()
    finally:
        keeper.clear()


if __name__ == "__main__":
    main()
