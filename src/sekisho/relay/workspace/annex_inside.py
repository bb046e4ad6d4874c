"""The first program in an annex. It runs on Debian's own python3, is handed over as text, and imports nothing of ours.

It makes the two sockets that the viewer will connect to, hands them out over file descriptor 0, is told what to run,
and ends with it, or with the checkpoint. The password comes over the same descriptor: it stands in no argument.
"""

import array
import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys

RUN = "/run/sekisho"
DISPLAY = "/tmp/.X11-unix/X1"  # noqa: S108 (in the annex)
TARGET = f"{RUN}/target.sock"


def main() -> None:
    control = socket.socket(fileno=os.dup(0))
    for name, (soft, hard) in json.loads(sys.argv[1])["limits"].items():
        resource.setrlimit(getattr(resource, name), (soft, hard))
    os.umask(0o077)
    sockets = [_listening(DISPLAY), _listening(TARGET)]
    rights = array.array("i", [one.fileno() for one in sockets])
    control.sendmsg([b"{}"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
    for one in sockets:
        one.close()
    order = json.loads(control.recv(1 << 16))
    wake, woken = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(woken)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    viewer = subprocess.Popen(
        order["argv"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=order["environment"],
        cwd="/tmp",  # noqa: S108
    )
    assert viewer.stdin is not None  # noqa: S101
    viewer.stdin.write(order["stdin"].encode())
    viewer.stdin.close()
    while viewer.poll() is None:
        ready, _, _ = select.select([control.fileno(), wake], [], [])
        if control.fileno() in ready:
            return  # the checkpoint is gone, or wants an end: with this program, everything here ends
        os.read(wake, 4096)
    control.send(json.dumps({"status": viewer.returncode}).encode())


def _listening(path: str) -> socket.socket:
    os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
    made = socket.socket(socket.AF_UNIX)
    made.bind(path)
    made.listen(16)
    return made


if __name__ == "__main__":
    main()
