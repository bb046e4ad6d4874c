"""Attacks from inside: real bubblewrap, a real shell, and what must not be reached."""

import asyncio
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from relay_workspace.workspace_scene import typed
from sekisho.faults import Fault
from sekisho.relay.workspace import faults, sandbox
from sekisho.relay.workspace.sandbox import Sandbox, Seat, unencrypted_swap
from sekisho.relay.workspace.store import Store

pytestmark = pytest.mark.e2e
SEAT = Seat("sato.T-0001", "callcentre")
MIB = 1 << 20


def made(folder: Path, quota: int = 16 * MIB) -> Store:
    return Store.open(folder / "w", bytes(32), quota=quota)


async def run(store: Store, *commands: str) -> str:
    box = await Sandbox.start(store, SEAT)
    try:
        terminal = await box.shell(("shell",), 120, 40)
        said = await typed(terminal, *commands)
        await box.write_back()
        return said
    finally:
        await box.close()


async def test_it_has_a_user_a_terminal_and_nothing_else_of_the_host(tmp_path: Path) -> None:
    said = await run(
        made(tmp_path),
        "id -un; id -u; tty; pwd; grep -E '^(CapEff|CapBnd|NoNewPrivs)' /proc/self/status",
        "ls / | tr '\\n' ' '; ls -A /usr/local /root /home 2>&1; touch /x /usr/x /dev/x",
        "find /var -maxdepth 3 2>&1 | sort | tr '\\n' ' '",
        "env | grep -ciE 'secret|password|token'",
    )
    assert said.startswith("worker\n1000\n/dev/pts/0\n/work\n")
    assert "NoNewPrivs:\t1" in said
    assert said.count("0000000000000000") == 2
    assert re.search(r"bin dev etc lib lib64 proc run sbin tmp usr (var )?work", said)
    caches = {
        "/var",
        "/var/lib",
        "/var/lib/uim",
        "/var/cache",
        "/var/cache/fontconfig",
    }
    assert {one for one in re.findall(r"(/var\S*)", said) if one.count("/") <= 3} <= caches
    for folder in ("/root", "/home"):
        assert f"cannot access '{folder}'" in said
    assert said.count("Read-only file system") == 3
    assert said.rstrip().endswith("0")


async def test_it_reaches_no_network_and_no_socket_of_the_host(tmp_path: Path) -> None:
    outside = tmp_path / "host.sock"
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(outside))
        unix.listen()
        abstract = socket.socket(socket.AF_UNIX)
        abstract.bind("\0sekisho-test")
        abstract.listen()
        port = tcp.getsockname()[1]
        said = await run(
            made(tmp_path),
            f"python3 -c \"import socket; socket.create_connection(('127.0.0.1', {port}), 2)\" 2>&1 | tail -1",
            "python3 -c \"import socket; socket.create_connection(('192.0.2.1', 80), 2)\" 2>&1 | tail -1",
            f"python3 -c \"import socket; socket.socket(1).connect('{outside}')\" 2>&1 | tail -1",
            "python3 -c \"import socket; socket.socket(1).connect(chr(0) + 'sekisho-test')\" 2>&1 | tail -1",
            "ls /sys/class/net 2>&1; cat /proc/net/dev | tail -n +3 | cut -d: -f1; ls /tmp /run",
        )
        abstract.close()
    assert said.count("ConnectionRefusedError") == 2  # its own empty loopback, its own abstract sockets
    assert "Network is unreachable" in said
    assert "FileNotFoundError" in said
    assert "lo" in said
    assert "eth" not in said
    assert said.rstrip().endswith("/run:\nsekisho\n\n/tmp:")


async def test_these_tests_would_notice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one control of the command line switched off, what it stops goes through."""
    whole = sandbox.command_line
    connect = (
        "python3 -c \"import socket; socket.create_connection(('127.0.0.1', {}), 2); print('rea' + 'ched')\""
    )

    def without(word: str, *instead: str) -> None:
        def changed(store: Store, seat: Seat) -> list[str]:
            words = whole(store, seat)
            place = words.index(word)
            return [*words[:place], *instead, *words[place + 1 :]]

        monkeypatch.setattr(sandbox, "command_line", changed)

    with socket.create_server(("127.0.0.1", 0)) as tcp:
        attack = connect.format(tcp.getsockname()[1])
        assert "reached" not in await run(made(tmp_path), attack)
        without("--unshare-all", "--unshare-pid", "--unshare-ipc", "--unshare-uts")
        assert "reached" in await run(made(tmp_path), attack)
    without("--disable-userns")
    assert "nested 0" in await run(made(tmp_path), "unshare -Ur true; echo nested $?")
    monkeypatch.undo()
    monkeypatch.setattr(Store, "take", lambda self, size: None)
    store = made(tmp_path / "more", quota=1 * MIB)
    await run(store, "head -c 900000 /dev/zero > a; head -c 900000 /dev/zero > b")
    assert store.used > store.quota


async def test_it_sees_no_process_of_the_host_and_traces_none(tmp_path: Path) -> None:
    said = await run(
        made(tmp_path),
        "ls /proc | grep -cE '^[0-9]+$'",
        f"cat /proc/{os.getpid()}/environ 2>&1 | head -c 100",
        "python3 -c \"import ctypes; print('ptrace', ctypes.CDLL(None).ptrace(16, 1, 0, 0))\"",
        "ls /proc/1/root/root /proc/1/root/var 2>&1 | head -3",
        "unshare -Ur true 2>&1; mount -t tmpfs x /tmp 2>&1 | tail -1",
        "python3 -c \"import os; os.open('/dev/kmsg', 0)\" 2>&1 | tail -1; mknod /work/sda b 8 0 2>&1",
    )
    assert int(said.split()[0]) < 10
    assert "No such file or directory" in said
    assert "ptrace 0" not in said or "/root/root" in said
    assert "unshare: unshare failed" in said
    assert "Operation not permitted" in said or "must be superuser" in said
    assert "FileNotFoundError" in said


async def test_links_lead_nowhere_and_are_not_kept(tmp_path: Path) -> None:
    secret = tmp_path / "outside.txt"
    secret.write_text("of the host")
    store = made(tmp_path)
    said = await run(
        store,
        f"ln -s {secret} sym; ln -s / root; ln -s /proc/1/root/etc/shadow shadow; cat sym shadow 2>&1",
        "ln /usr/bin/python3 hard 2>&1; mkfifo pipe; mkdir -p d; ln -s .. d/up; echo real > d/file",
        "echo one > a; ln a b",
    )
    assert "of the host" not in said
    assert "Invalid cross-device link" in said or "Operation not permitted" in said
    assert set(store.files) == {"d/file", "a", "b"}


async def test_a_fork_bomb_ends_at_its_limit_and_the_sandbox_answers_afterwards(tmp_path: Path) -> None:
    store = made(tmp_path)
    box = await Sandbox.start(store, SEAT)
    try:
        bomb = await box.shell(("shell",), 80, 24)
        bomb.write(b"b() { b | b & }; b 2>/dev/null\n")
        await asyncio.sleep(0.5)
        inside = [
            path for path in Path("/proc").glob("[0-9]*/ns/pid") if _namespace(path) == _inside(box.pid)
        ]
        assert 10 < len(inside) <= 70
        bomb.close()
        await box.write_back()
    finally:
        await box.close()
    assert box.ended.done()


def _namespace(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:
        return ""


def _inside(pid: int) -> str:
    """The PID namespace of the sandbox: that of bubblewrap's child."""
    child = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0]
    return _namespace(Path(f"/proc/{child}/ns/pid"))


async def test_more_than_the_quota_is_neither_held_nor_kept(tmp_path: Path) -> None:
    store = made(tmp_path, quota=2 * MIB)
    said = await run(
        store,
        "for name in a b c d; do head -c 1500000 /dev/zero > $name; done",
        "for name in $(seq 20); do head -c 1500000 /dev/zero > /tmp/$name || break; done",
        "for name in $(seq 20); do head -c 1500000 /dev/zero > /dev/shm/$name || break; done",
        "head -c 3000000 /dev/zero > /tmp/1",
    )
    assert said.count("No space left on device") == 5  # c and d in /work, and each of the small ones
    assert store.used <= 2 * MIB
    assert max(file.size for file in store.files.values()) == 1_500_000


async def test_a_subverted_inside_cannot_make_the_checkpoint_read_a_pipe_or_write_outside(
    tmp_path: Path,
) -> None:
    """The program inside hands out descriptors; whoever replaced it may hand out anything."""
    store = made(tmp_path)
    box = await Sandbox.start(store, SEAT)
    try:

        async def lie(op: str, **order: object) -> tuple[dict[str, object], list[int]]:
            return {}, [os.pipe()[0]]

        ask, box._ask = box._ask, lie  # type: ignore[method-assign]
        with pytest.raises(Fault) as caught:
            await box._open("a", write=False)
        assert caught.value.kind is faults.SANDBOX_FAILED
        box._ask = ask  # type: ignore[method-assign]
        for path in ("../x", "/etc/passwd", "a/../../x"):
            with pytest.raises(Fault):
                await box._open(path, write=True)
    finally:
        await box.close()


async def test_only_known_commands_run(tmp_path: Path) -> None:
    box = await Sandbox.start(made(tmp_path), SEAT)
    try:
        for argv in (("/bin/sh",), (), ("shell -c", "id")):
            with pytest.raises(Fault) as caught:
                await box.shell(argv, 80, 24)
            assert caught.value.kind is faults.NOT_ALLOWED_COMMAND
        python = await box.shell(("python", "-c", "print(6 * 7)"), 80, 24)
        said = b""
        while chunk := await python.read():
            said += chunk
        assert said == b"42\r\n"
        python.close()
    finally:
        await box.close()


async def test_it_never_runs_as_root(tmp_path: Path) -> None:
    box = await Sandbox.start(made(tmp_path), SEAT)
    try:
        child = Path(f"/proc/{box.pid}/task/{box.pid}/children").read_text().split()[0]
        for pid in (str(box.pid), child):
            status = Path(f"/proc/{pid}/status").read_text()
            [line] = [line for line in status.splitlines() if line.startswith("Uid:")]
            wanted = os.getuid() or sandbox._USERS
            assert min(map(int, line.split()[1:])) >= wanted
            assert "NoNewPrivs:\t1" in status
    finally:
        await box.close()


ORDINARY = """
import asyncio, sys
from pathlib import Path
from sekisho.relay.workspace.sandbox import Sandbox, Seat
from sekisho.relay.workspace.store import Store

async def main():
    box = await Sandbox.start(Store.open(Path(sys.argv[1]), bytes(32), quota=1 << 20), Seat("sato.T-1", "callcentre"))
    terminal = await box.shell(("python", "-c", "open('x', 'w').write('kept'); print(6 * 7)"), 80, 24)
    said = b""
    while chunk := await terminal.read():
        said += chunk
    await box.write_back()
    print(said.strip().decode(), *box._store.files)
    await box.close()

asyncio.run(main())
"""


@pytest.mark.skipif(os.getuid() != 0, reason="the other tests show it when they do not run as root")
def test_it_runs_for_an_ordinary_user_too() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o777)
        user = ["setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups", "--"]
        environment = {
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": os.pathsep.join(sys.path),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        readable = subprocess.run([*user, "test", "-r", sandbox.__file__], check=False).returncode == 0
        if not readable:
            pytest.skip("an ordinary user cannot read this checkout")
        done = subprocess.run(
            [*user, "/usr/bin/python3", "-c", ORDINARY, f"{folder}/w"],
            capture_output=True, text=True, env=environment, cwd="/", check=False,
        )  # fmt: skip
        assert done.stdout == "42 x\n", done.stderr[-2000:]


def test_clear_swap_is_told_from_encrypted_and_compressed(tmp_path: Path) -> None:
    swaps, blocks = tmp_path / "swaps", tmp_path / "block"
    head = "Filename Type Size Used Priority\n"
    for name, uuid in (("dm-0", "CRYPT-LUKS2-1"), ("dm-1", "LVM-x")):
        (blocks / name / "dm").mkdir(parents=True)
        (blocks / name / "dm" / "uuid").write_text(uuid)
    swaps.write_text(head)
    assert unencrypted_swap(swaps, blocks) == []
    rows = [f"/dev/{name} partition 1 0 -2\n" for name in ("dm-0", "dm-1", "zram0", "sda2")]
    swaps.write_text(head + "".join(rows) + "/swapfile file 1 0 -2\n")
    assert unencrypted_swap(swaps, blocks) == ["/dev/dm-1", "/dev/sda2", "/swapfile"]


async def test_where_swap_is_clear_nothing_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "unencrypted_swap", lambda: ["/dev/sda2"])
    with pytest.raises(Fault) as caught:
        await Sandbox.start(made(tmp_path), SEAT)
    assert caught.value.kind is faults.CLEAR_SWAP


KILLED = """
import asyncio, os, sys
from pathlib import Path
from sekisho.relay.workspace.sandbox import Sandbox, Seat
from sekisho.relay.workspace.store import Store

async def main():
    store = Store.open(Path(sys.argv[1]), bytes(32), quota=16 << 20)
    box = await Sandbox.start(store, Seat("sato.T-1", "callcentre"))
    terminal = await box.shell(("shell",), 80, 24)
    terminal.write(b"echo PLANTED-''VALUE-4711 > kept; sleep 600 & echo rea''dy\\n")
    said = b""
    while b"ready" not in said:
        said += await terminal.read()
    await box.write_back()
    print(box.pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


def test_a_kill_leaves_no_process_and_no_clear_byte_and_what_was_written_back(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    folder = tmp_path / "w"
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(folder)], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    process.kill()
    process.wait()
    process.stdout.close()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not Path(f"/proc/{pid}").exists()
    assert subprocess.run(["grep", "-rq", "PLANTED-VALUE", str(tmp_path)], check=False).returncode == 1
    store = Store.open(folder, bytes(32), quota=16 << 20)
    assert b"".join(store.read(store.find("kept"))) == b"PLANTED-VALUE-4711\n"
