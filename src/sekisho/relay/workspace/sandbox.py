"""The sandbox of one open workspace: bubblewrap, and in it a working copy of the files, in memory only.

    network      none: a namespace of its own with nothing but a loopback; the inner door is a unix socket made inside
    files        /usr read-only (without /usr/local), a handful of /etc; never `/`, no socket, no device of the host
    /work        a tmpfs as large as the quota: a working copy, written back to the sealed store about once a second
    user         one of its own; as root, privileges are dropped before bubblewrap starts, for its --uid alone leaves
                 root's files readable
    limits       memory and processes of all together (`share.py`); memory of each, open files, file size; no
                 capability, no new user namespace

Nothing of a workspace is ever on the disk in clear: when this process is killed, the kernel ends the sandbox with it
(PR_SET_PDEATHSIG, and the end of its PID namespace), and the memory is gone. Where swap would keep it, nothing starts.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import stat
import struct
import termios
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sekisho.faults import Fault
from sekisho.relay.desktop import screen
from sekisho.relay.workspace import faults, inside
from sekisho.relay.workspace.share import Share, shares
from sekisho.relay.workspace.store import CHUNK, Store, check_name

COMMANDS: Final = {
    "shell": ("/bin/bash", "--norc", "--noprofile"),
    "psql": ("psql", "-X"),
    "python": ("/usr/bin/python3", "-q"),
}
MOST_TERMINALS: Final = 8
_PROCESSES: Final = 64
_RLIMIT_PROCESSES: Final = _PROCESSES  # also where there is no share
_OURS: Final = 16  # tasks: bubblewrap's own, and those of the program inside
MEMORY: Final = 2 << 30  # of all programs together, and of each
_SMALL: Final = 16 << 20  # /tmp and /dev/shm
_START_SECONDS: Final = 10.0
_ANSWER_SECONDS: Final = 20.0
_LARGEST_MESSAGE: Final = 1 << 18
_USERS: Final = 1_900_000_000  # far above what anybody hands out: such a user owns nothing
_ETC: Final = (
    "ld.so.cache",
    "alternatives",
    "localtime",
    "terminfo",
    "fonts",
    "xdg/openbox",
    "X11/app-defaults",
    "anthy",
)
# Without the first, a desktop reads every font at its start; the second lists the input methods.
_FONTS: Final = ("/var/cache/fontconfig", f"{screen.CACHE}/fontconfig")
_INPUT: Final = ("/var/lib/uim", "/var/lib/uim")


@dataclass(frozen=True, slots=True)
class Seat:
    """Who works in the sandbox and where its inner door leads, as the environment of psql says it."""

    login: str
    target: str


class Sandbox:
    """Made by `start`. Owned by the event loop's thread; files are copied in worker threads, one pass at a time.

    `door`, `pulls` and `shows` listen inside the sandbox: whoever connects to them is in it."""

    def __init__(
        self, store: Store, share: Share, process: asyncio.subprocess.Process, control: socket.socket
    ) -> None:
        self._store = store
        self._share = share
        self._process = process
        self._control = control
        self._loop = asyncio.get_running_loop()
        self._orders = 0
        self._answers: dict[int, asyncio.Future[tuple[dict[str, Any], list[int]]]] = {}
        self._lists: dict[int, list[list[Any]]] = {}
        self._known: dict[str, tuple[int, int, int]] = {}  # name -> size, mtime, inode as last written back
        self._pass = asyncio.Lock()
        self._terminals: dict[int, PtyUpstream] = {}
        self._ready: asyncio.Future[list[int]] = self._loop.create_future()
        self.unsaved: dict[str, Fault] = {}  # what the store refused
        self.limits_met: dict[str, int] = {}  # told at the end: how often one of the share's was
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self.door: socket.socket
        self.pulls: socket.socket
        self.shows: socket.socket

    @classmethod
    async def start(cls, store: Store, seat: Seat, *, memory: int = MEMORY) -> "Sandbox":
        """Start, and unpack the files; `memory` is what the programs in it may take together, in bytes, beside the
        files. Raises Fault SANDBOX_FAILED, CLEAR_SWAP, NO_PROGRAM, DAMAGED."""
        if devices := unencrypted_swap():
            raise Fault(faults.CLEAR_SWAP, devices=", ".join(devices))
        command = command_line(store, seat)
        try:
            share = shares().take(memory=memory + _room(store) + 2 * _SMALL, processes=_PROCESSES + _OURS)
        except OSError as error:
            raise Fault(faults.SANDBOX_FAILED, reason=f"its limits: {error.strerror or error}") from error
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs:
                ours.setblocking(False)
                process = await asyncio.create_subprocess_exec(
                    *share.words(),
                    *command,
                    stdin=theirs.fileno(),
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=asyncio.subprocess.PIPE,
                    cwd="/",
                    env={"PATH": "/usr/bin:/bin"},
                )
        except BaseException:
            share.remove()
            raise
        sandbox = cls(store, share, process, ours)
        sandbox._loop.add_reader(ours.fileno(), sandbox._heard)
        try:
            async with asyncio.timeout(_START_SECONDS):
                descriptors = await sandbox._ready
            if len(descriptors) != 3:
                raise Fault(faults.SANDBOX_FAILED, reason="it answered out of turn")
            sandbox.door, sandbox.pulls, sandbox.shows = (listener(one) for one in descriptors)
            await sandbox._unpack()
        except (TimeoutError, Fault) as error:
            await sandbox.close()
            if isinstance(error, Fault) and error.kind is not faults.SANDBOX_FAILED:
                raise
            raise Fault(faults.SANDBOX_FAILED, reason=await sandbox._last_words()) from error
        except BaseException:
            await sandbox.close()
            raise
        return sandbox

    @property
    def pid(self) -> int:
        return self._process.pid

    async def shell(self, argv: tuple[str, ...], width: int, height: int) -> "PtyUpstream":
        """Run one of COMMANDS, with further arguments, on a terminal. Raises Fault."""
        known = COMMANDS.get(argv[0]) if argv else None
        if known is None:
            raise Fault(faults.NOT_ALLOWED_COMMAND, command=repr(argv[:1]), known=", ".join(COMMANDS))
        return await self._spawn([*known, *argv[1:]], width, height)

    async def desktop(self, start: str) -> "PtyUpstream":
        """Run the X server and what it shows (`screen.starting`); the returned terminal holds them, and shows nothing.
        Raises Fault."""
        for program, package in screen.PROGRAMS:
            if shutil.which(program) is None:
                raise Fault(faults.NO_PROGRAM, program=program, package=package)
        return await self._spawn(["/bin/sh", "-c", start], 80, 24)

    async def connect(self, path: str) -> socket.socket | None:
        """A connection to a socket that listens inside; None while nothing does. Raises Fault."""
        _, descriptors = await self._ask("connect", path=path)
        if len(descriptors) != 1:
            _close_all(descriptors)
            return None
        made = socket.socket(fileno=descriptors[0])
        if made.family != socket.AF_UNIX or made.type != socket.SOCK_STREAM:
            made.close()
            raise Fault(faults.SANDBOX_FAILED, reason="it answered out of turn")
        made.setblocking(False)
        return made

    async def _spawn(self, argv: list[str], width: int, height: int) -> "PtyUpstream":
        if len(self._terminals) >= MOST_TERMINALS:
            raise Fault(faults.BUSY, limit=MOST_TERMINALS)
        answer, descriptors = await self._ask("spawn", argv=argv, width=width, height=height)
        if len(descriptors) != 1 or not isinstance(answer.get("pid"), int):
            _close_all(descriptors)
            raise Fault(faults.SANDBOX_FAILED, reason=str(answer.get("error", "no terminal"))[:200])
        pid = answer["pid"]
        made = PtyUpstream(descriptors[0], lambda: self._terminals.pop(pid, None))
        self._terminals[pid] = made
        return made

    async def put(self, name: str) -> None:
        """Copy a stored file into the sandbox. Raises Fault."""
        async with self._pass:
            await self._put(name)

    async def write_back(self) -> None:
        """Take what changed in the sandbox into the store. Raises Fault DISK; other refusals stand in `unsaved`."""
        async with self._pass:
            found = await self._list()
            for name in self._store.files.keys() - found.keys():
                if name in self._known:
                    del self._known[name]
                    await asyncio.to_thread(self._store.remove, name)
            self.unsaved = {name: fault for name, fault in self.unsaved.items() if name in found}
            for name, place in found.items():
                if self._known.get(name) != place:
                    await self._take(name, place)

    async def close(self) -> None:
        """End everything in the sandbox; what was not written back is gone. Idempotent."""
        for terminal in list(self._terminals.values()):
            terminal.close()
        if not self.ended.done():
            self._end("closed")
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                # bubblewrap's own end ends its PID namespace, and with it everything inside.
                self._process.send_signal(signal.SIGKILL)
        await self._process.wait()
        self.limits_met = self._share.refusals() or self.limits_met
        await self._share.close()
        for one in (getattr(self, name, None) for name in ("door", "pulls", "shows")):
            if one is not None:
                one.close()

    # -- the working copy ---------------------------------------------------------------------------------------

    async def _unpack(self) -> None:
        for name in self._store.files:
            await self._put(name)
        # What was just put is what the store has.
        files = self._store.files
        self._known = {
            name: place for name, place in (await self._list()).items() if place[0] == files[name].size
        }

    async def _put(self, name: str) -> None:
        file = self._store.find(name)
        descriptor = await self._open(name, write=True)

        def copy() -> None:
            try:
                for chunk in self._store.read(file):
                    view = memoryview(chunk)
                    while view:
                        view = view[os.write(descriptor, view) :]
            except OSError as error:
                raise Fault(faults.SANDBOX_FAILED, reason=error.strerror or "a copy failed") from error
            finally:
                os.close(descriptor)

        await asyncio.to_thread(copy)

    async def _take(self, name: str, place: tuple[int, int, int]) -> None:
        try:
            check_name(name)
            descriptor = await self._open(name, write=False)
            await asyncio.to_thread(_copy_in, self._store, name, descriptor)
        except Fault as fault:
            if fault.kind is faults.DISK:
                raise
            if fault.kind is faults.SANDBOX_FAILED:
                return  # removed or replaced meanwhile: the next pass sees what there is
            self.unsaved[name] = fault
        else:
            self.unsaved.pop(name, None)
        self._known[name] = place

    async def _list(self) -> dict[str, tuple[int, int, int]]:
        number = self._orders + 1
        self._lists[number] = []
        try:
            answer, descriptors = await self._ask("list")
            _close_all(descriptors)
            if "end" not in answer:
                raise Fault(faults.SANDBOX_FAILED, reason=str(answer.get("error", "no list"))[:200])
            return {
                str(name): (int(size), int(mtime), int(inode))
                for name, size, mtime, inode in self._lists[number]
            }
        except (TypeError, ValueError) as error:
            raise Fault(faults.SANDBOX_FAILED, reason="it answered out of turn") from error
        finally:
            del self._lists[number]

    async def _open(self, name: str, *, write: bool) -> int:
        """A regular file of the sandbox: reading anything else could hang, and writing do worse."""
        answer, descriptors = await self._ask("open", path=name, write=write)
        if len(descriptors) != 1 or not stat.S_ISREG(os.fstat(descriptors[0]).st_mode):
            _close_all(descriptors)
            raise Fault(faults.SANDBOX_FAILED, reason=str(answer.get("error", "no file"))[:200])
        return descriptors[0]

    # -- orders and answers -------------------------------------------------------------------------------------

    async def _ask(self, op: str, **order: object) -> tuple[dict[str, Any], list[int]]:
        if self.ended.done():
            raise Fault(faults.SANDBOX_FAILED, reason="it has ended")
        self._orders += 1
        number = self._orders
        answer = self._answers[number] = self._loop.create_future()
        try:
            self._control.send(json.dumps({"op": op, "id": number, **order}).encode())
            async with asyncio.timeout(_ANSWER_SECONDS):
                found: tuple[dict[str, Any], list[int]] = await answer
                return found
        except (OSError, TimeoutError) as error:
            self._end("it does not answer")
            raise Fault(faults.SANDBOX_FAILED, reason="it does not answer") from error
        finally:
            self._answers.pop(number, None)

    def _heard(self) -> None:
        try:
            said, descriptors, _, _ = socket.recv_fds(self._control, _LARGEST_MESSAGE, 4)
        except BlockingIOError:
            return
        except OSError:
            said, descriptors = b"", []
        if not said:
            _close_all(descriptors)
            self._end("it ended")
            return
        try:
            message = json.loads(said)
            number, listed = message.get("id"), message.get("files")
        except (ValueError, AttributeError):
            _close_all(descriptors)
            self._end("it answered out of turn")
            return
        if not self._ready.done():
            self._ready.set_result(descriptors)
        elif isinstance(listed, list) and number in self._lists:
            self._lists[number] += listed[: max(0, 20_000 - len(self._lists[number]))]
            _close_all(descriptors)
        elif number in self._answers and not self._answers[number].done():
            self._answers[number].set_result((message, descriptors))
        else:
            _close_all(descriptors)  # news of a process that ended: its terminal tells that too

    def _end(self, reason: str) -> None:
        if self.ended.done():
            return
        self.ended.set_result(None)
        self._loop.remove_reader(self._control.fileno())
        self._control.close()
        fault = Fault(faults.SANDBOX_FAILED, reason=reason)
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(fault)
        if not self._ready.done():
            self._ready.set_exception(fault)

    async def _last_words(self) -> str:
        stderr = self._process.stderr
        said = await stderr.read(4096) if stderr else b""
        return said.decode(errors="replace").strip().rpartition("\n")[2][:200] or "it does not start"


class PtyUpstream:
    """A terminal inside, as `TerminalSession` uses it. Owned by the event loop's thread."""

    def __init__(self, descriptor: int, closed: Callable[[], object]) -> None:
        self._descriptor = descriptor
        self._closed = closed
        self._loop = asyncio.get_running_loop()
        self._waiting = bytearray()
        self._drained = asyncio.Event()
        self._drained.set()
        self._open = True
        self._told: Callable[[], object] = lambda: None
        os.set_blocking(descriptor, False)

    def on_closed(self, told: Callable[[], object]) -> None:
        """Call `told` once, when the terminal is closed."""
        self._told = told

    async def read(self) -> bytes:
        """What the program wrote; empty when it has ended."""
        while self._open:
            try:
                return os.read(self._descriptor, 65_536)
            except BlockingIOError:
                await self._readable()
            except OSError:  # EIO: the last program has closed the terminal
                return b""
        return b""

    def write(self, data: bytes) -> None:
        """Type; what comes after the end is dropped."""
        if self._open:
            self._waiting += data
            self._send()

    async def drain(self) -> None:
        await self._drained.wait()

    def resize(self, width: int, height: int) -> None:
        if self._open:
            size = struct.pack("HHHH", height & 0xFFFF, width & 0xFFFF, 0, 0)
            with contextlib.suppress(OSError):
                fcntl.ioctl(self._descriptor, termios.TIOCSWINSZ, size)

    def close(self) -> None:
        """Hang up: the program gets SIGHUP. Idempotent."""
        if self._open:
            self._open = False
            self._loop.remove_reader(self._descriptor)
            self._loop.remove_writer(self._descriptor)
            os.close(self._descriptor)
            self._drained.set()
            self._closed()
            self._told()

    async def _readable(self) -> None:
        ready: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_reader(self._descriptor, _wake, ready)
        try:
            while not ready.done() and self._open:
                await asyncio.wait([ready], timeout=1)  # `close` takes the reader away without a word
        finally:
            if self._open:
                self._loop.remove_reader(self._descriptor)

    def _send(self) -> None:
        try:
            while self._waiting:
                del self._waiting[: os.write(self._descriptor, self._waiting[:65_536])]
        except BlockingIOError:
            self._drained.clear()
            self._loop.add_writer(self._descriptor, self._send)
            return
        except OSError:
            self._waiting.clear()
        self._loop.remove_writer(self._descriptor)
        self._drained.set()


def command_line(store: Store, seat: Seat) -> list[str]:
    """Everything between this process and the program inside. Raises Fault NO_PROGRAM."""
    return [
        *walls("workspace", "--size", str(_room(store)), "--tmpfs", "/work", "--chdir", "/work"),
        *("/usr/bin/python3", "-I", "-S", "-c", Path(inside.__file__).read_text(encoding="utf-8")),
        json.dumps(_order(store, seat)),
    ]


def walls(name: str, *of_its_own: str) -> list[str]:
    """bubblewrap's words, up to the program: nothing of the host but programs. Raises Fault NO_PROGRAM."""
    for program, package in (
        ("bwrap", "bubblewrap"),
        ("setpriv", "util-linux"),
        ("/usr/bin/python3", "python3"),
    ):
        if shutil.which(program) is None:
            raise Fault(faults.NO_PROGRAM, program=program, package=package)
    dropped: list[str] = []
    if os.geteuid() == 0:
        user = str(_USERS + int.from_bytes(os.urandom(3), "big"))
        dropped = ["setpriv", "--reuid", user, "--regid", user, "--clear-groups", "--no-new-privs", "--"]
    return [
        *dropped,
        "bwrap",
        *("--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session"),
        *("--cap-drop", "ALL", "--clearenv", "--uid", "1000", "--gid", "1000", "--hostname", name),
        *("--ro-bind", "/usr", "/usr", "--tmpfs", "/usr/local", "--remount-ro", "/usr/local"),
        *(word for name in ("bin", "sbin", "lib", "lib64") for word in ("--symlink", f"usr/{name}", f"/{name}")),
        *("--size", "65536", "--tmpfs", "/etc"),
        *(word for name in _ETC for word in ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")),
        *("--ro-bind-try", *_FONTS, "--ro-bind-try", *_INPUT, "--proc", "/proc", "--dev", "/dev"),
        *("--size", str(_SMALL), "--tmpfs", "/dev/shm", "--remount-ro", "/dev"),  # noqa: S108
        *("--size", str(_SMALL), "--tmpfs", "/tmp", "--size", "65536", "--tmpfs", "/run"),  # noqa: S108
        *(*of_its_own, "--remount-ro", "/", "--"),
    ]  # fmt: skip


def _room(store: Store) -> int:
    """Bytes of /work: of files, and of their names."""
    return store.quota + 4096 * (len(store.files) + 256)


def _order(store: Store, seat: Seat) -> dict[str, object]:
    postgres = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    path = [inside.RUN, *(str(found) for found in postgres[-1:]), "/usr/bin", "/bin"]
    return {
        "limits": {
            "RLIMIT_NPROC": (_RLIMIT_PROCESSES, _RLIMIT_PROCESSES),
            "RLIMIT_AS": (MEMORY, MEMORY),
            "RLIMIT_FSIZE": (store.quota, store.quota),
            "RLIMIT_NOFILE": (256, 256),
            "RLIMIT_CORE": (0, 0),
        },
        "environment": {
            "PATH": ":".join(path),
            "HOME": inside.WORK,
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "PS1": f"{seat.login} \\w $ ",
            "PGHOST": inside.RUN,
            "PGUSER": seat.login,
            "PGDATABASE": seat.target,
            "HISTFILE": "/dev/null",
            "PSQL_HISTORY": "/dev/null",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        "files": {
            "/etc/passwd": "worker:x:1000:1000:worker:/work:/bin/bash\n",
            "/etc/group": "worker:x:1000:\n",
            "/etc/hosts": "127.0.0.1 localhost\n",
            "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
        },
    }


def unencrypted_swap(swaps: Path = Path("/proc/swaps"), blocks: Path = Path("/sys/block")) -> list[str]:
    """Swap devices that would keep memory in clear: all but zram, and dm-crypt volumes."""
    found = []
    for line in _lines(swaps)[1:]:
        device = line.split()[0]
        name = Path(device).resolve().name
        encrypted = any(text.startswith("CRYPT-") for text in _lines(blocks / name / "dm" / "uuid"))
        if not encrypted and not re.fullmatch(r"zram[0-9]+", name):
            found.append(device)
    return found


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []


def _copy_in(store: Store, name: str, descriptor: int) -> None:
    """A file of the sandbox into the store, unless the store has just this. Closes the descriptor. Raises Fault."""
    try:
        former = store.files.get(name)
        writing = store.write(name, replaces=True)
        try:
            for chunk in _chunks(descriptor):
                writing.add(chunk)
            if former is not None and writing.is_same(former):
                writing.abandon()
                return
            writing.finish(changed=os.fstat(descriptor).st_mtime)
        except BaseException:
            writing.abandon()
            raise
    except OSError as error:
        raise Fault(faults.SANDBOX_FAILED, reason=error.strerror or "a copy failed") from error
    finally:
        os.close(descriptor)


def _chunks(descriptor: int) -> Iterator[bytes]:
    while chunk := os.read(descriptor, CHUNK):
        yield chunk


def listener(descriptor: int) -> socket.socket:
    """A socket that listens inside. Raises Fault when it is something else: it might be one of the host's."""
    made = socket.socket(fileno=descriptor)
    listens = made.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if made.family != socket.AF_UNIX or made.type != socket.SOCK_STREAM or not listens:
        made.close()
        raise Fault(faults.SANDBOX_FAILED, reason="it answered out of turn")
    made.setblocking(False)
    return made


def _wake(ready: "asyncio.Future[None]") -> None:
    if not ready.done():
        ready.set_result(None)


def _close_all(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
