"""The first program in a sandbox. It runs on Debian's own python3, is handed over as text, and imports nothing of ours.

It takes orders on file descriptor 0, a SOCK_SEQPACKET socket of the checkpoint: one JSON object each way, answers carry
the order's "id", and descriptors travel beside them (unix(7), SCM_RIGHTS). It makes the sockets of the inner door here,
inside, and hands them out: no path outside leads to them. When the checkpoint goes away it ends, and everything in
the sandbox with it.

Nothing that it says is trusted outside: whoever works in the sandbox has the same user, and may have replaced it.
"""

import array
import contextlib
import fcntl
import json
import os
import resource
import select
import signal
import socket
import stat
import struct
import sys
import termios

WORK = "/work"
RUN = "/run/sekisho"
MOST_LISTED = 100  # files in one answer
MOST_WALKED = 20_000

PULL = """#!/usr/bin/python3 -I
'''pull QUERY --to FILE: one SELECT into this workspace, counted and fingerprinted.'''
import argparse, json, socket, sys
words = argparse.ArgumentParser(prog="pull")
words.add_argument("query"); words.add_argument("--to", required=True)
asked = words.parse_args()
line = socket.socket(socket.AF_UNIX)
line.connect("/run/sekisho/pull.sock")
line.sendall(json.dumps({"query": asked.query, "to": asked.to}).encode() + b"\\n")
for answer in line.makefile("r"):
    said = json.loads(answer)
    if "code" in said:
        sys.exit(f"pull: {said['code']}: {said['message']}")
    end = "\\n" if said.get("done") else "\\r"
    print(f"{said['rows']:,} rows, {said['persons']:,} persons, {said['bytes']:,} bytes", end=end, flush=True)
"""

TARGET = """#!/usr/bin/python3 -I
'''target: show the ticket's target, a remote desktop as a window.'''
import json, os, socket, sys
line = socket.socket(socket.AF_UNIX)
line.connect("/run/sekisho/target.sock")
for answer in line.makefile("r"):
    said = json.loads(answer)
    if "code" in said:
        text = f"{said['code']}: {said['message']}"
        if sys.stdout.isatty():
            sys.exit(text)
        os.execvp("xterm", ["xterm", "-u8", "-geometry", "90x6", "-e", "sh", "-c", 'echo "$0"; read x', text])
"""

# A menu that the window manager asks for each time: what lies in /work.
FILES = """#!/usr/bin/python3 -I
import os, shlex, shutil
from xml.sax.saxutils import escape, quoteattr
tables = (".csv", ".tsv", ".xlsx", ".xls", ".ods")
print("<openbox_pipe_menu>")
for name in sorted(one.name for one in os.scandir("/work") if one.is_file() and one.name[0] != ".")[:60]:
    fitting = ("gnumeric", "mousepad") if name.lower().endswith(tables) else ("mousepad",)
    program = next((one for one in fitting if shutil.which(one)), "xterm -u8 -e less")
    command = escape(f"{program} {shlex.quote('/work/' + name)}")
    print(f"<item label={quoteattr(name)}><action name='Execute'><execute>{command}</execute></action></item>")
print("</openbox_pipe_menu>")
"""


def main() -> None:
    order = json.loads(sys.argv[1])
    control = socket.socket(fileno=os.dup(0))
    nothing = os.open("/dev/null", os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    for name, (soft, hard) in order["limits"].items():
        resource.setrlimit(getattr(resource, name), (soft, hard))
    os.umask(0o077)
    os.environ.clear()
    os.environ.update(order["environment"])
    os.makedirs(RUN, exist_ok=True)  # noqa: PTH103
    own = {f"{RUN}/pull": PULL, f"{RUN}/target": TARGET, f"{RUN}/files": FILES}
    for path, text in {**order["files"], **own}.items():
        with open(path, "w") as file:  # noqa: PTH123 (nothing is imported that need not be)
            file.write(text)
        os.chmod(path, 0o755 if path.startswith(RUN) else 0o644)  # noqa: PTH101
    sockets = [_listening(f"{RUN}/{name}") for name in (".s.PGSQL.5432", "pull.sock", "target.sock")]
    _say(control, {"ready": True}, [one.fileno() for one in sockets])
    for one in sockets:
        one.close()
    os.chdir(WORK)
    wake, woken = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(woken)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    serve(control, wake)


def serve(control: socket.socket, wake: int) -> None:
    while True:
        ready, _, _ = select.select([control.fileno(), wake], [], [])
        if wake in ready:
            os.read(wake, 4096)
            _reap(control)
        if control.fileno() in ready:
            said = control.recv(1 << 18)
            if not said:
                return  # the checkpoint is gone
            order = json.loads(said)
            try:
                answer, descriptors = _obey(control, order)
            except (OSError, ValueError) as error:
                answer, descriptors = {"error": str(error)}, []
            _say(control, {**answer, "id": order["id"]}, descriptors)
            for descriptor in descriptors:
                os.close(descriptor)


def _obey(control: socket.socket, order: dict) -> "tuple[dict, list[int]]":  # type: ignore[type-arg]
    match order["op"]:
        case "spawn":
            pid, master = _spawn(order["argv"], order["width"], order["height"])
            return {"pid": pid}, [master]
        case "connect":
            made = socket.socket(socket.AF_UNIX)
            made.connect(order["path"])
            return {}, [made.detach()]
        case "open":
            return {}, [_open(order["path"], write=order["write"])]
        case "list":
            _list(control, order["id"])
            return {"end": True}, []
    raise ValueError(f"unknown order {order['op']!r}")


def _spawn(argv: "list[str]", width: int, height: int) -> "tuple[int, int]":
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
            for number in (0, 1, 2):
                os.dup2(slave, number)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:  # noqa: PTH123
                score.write(
                    "500"
                )  # when memory is short, what runs here goes before the program that holds it
            os.execvp(argv[0], argv)  # noqa: S606
        finally:
            os._exit(127)
    os.close(slave)
    return pid, master


def _open(path: str, *, write: bool) -> int:
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise ValueError("bad path")
    folder = os.open(WORK, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in parts[:-1]:
            if write:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, 0o700, dir_fd=folder)
            deeper = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = deeper
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC if write else os.O_RDONLY
        return os.open(parts[-1], flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600, dir_fd=folder)
    finally:
        os.close(folder)


def _list(control: socket.socket, number: int) -> None:
    """Regular files only: a link, a pipe or a device is not kept."""
    found: list[list[object]] = []
    left = [""]
    walked = 0
    while left:
        folder = left.pop()
        with os.scandir(f"{WORK}/{folder}") as entries:
            for entry in entries:
                walked += 1
                name = f"{folder}{entry.name}"
                status = entry.stat(follow_symlinks=False)
                if walked > MOST_WALKED:
                    raise ValueError("too many files")
                if stat.S_ISDIR(status.st_mode):
                    left.append(f"{name}/")
                elif stat.S_ISREG(status.st_mode):
                    found.append([name, status.st_size, status.st_mtime_ns, status.st_ino])
                if len(found) >= MOST_LISTED:
                    _say(control, {"id": number, "files": found}, [])
                    found = []
    _say(control, {"id": number, "files": found}, [])


def _reap(control: socket.socket) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        _say(control, {"ended": pid, "status": os.waitstatus_to_exitcode(status)}, [])


def _listening(path: str) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.bind(path)
    made.listen(16)
    return made


def _say(control: socket.socket, message: dict, descriptors: "list[int]") -> None:  # type: ignore[type-arg]
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
    control.sendmsg([json.dumps(message).encode()], rights)


if __name__ == "__main__":
    main()
