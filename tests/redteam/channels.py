"""S1: ways past the terminal. Each is after a file on the target, or after what listens beside it."""

import asyncio
import contextlib
import shlex
from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncssh
import pytest
from asyncssh.channel import SSHServerChannel
from asyncssh.constants import MSG_REQUEST_FAILURE
from asyncssh.packet import String, UInt32

from redteam.stage import Stage
from redteam.suite import Evidence, Outcome, attack, guard
from sekisho.relay.admission import Totals
from sekisho.relay.ssh.channel import Channel, ClientSession
from sekisho.relay.ssh.client import Client, Connection
from sekisho.relay.ssh.door import SshDoor
from sekisho.relay.ssh.target import open_target
from ssh_under_test import PROMPT, run

# -- the guards ---------------------------------------------------------------------------------------------------


def _raw_sessions(patch: pytest.MonkeyPatch) -> None:
    """A door that serves commands and subsystems as other relays do: bytes through, nothing read."""
    inside = SshDoor._run

    async def through(self: SshDoor, live: Any, session: Any, recording: Any) -> Totals:
        asked = getattr(session, "asked", None)
        if asked is None:
            return await inside(self, live, session, recording)
        connection = await open_target(live.admission, self._authority, self._ledger)
        process = await connection.create_process(**asked, encoding=None)

        async def up() -> None:
            while data := await session.read():
                process.stdin.write(data)
            process.stdin.write_eof()

        pumping = asyncio.ensure_future(up())  # noqa: TID251 (what it replaces is no product)
        while data := await process.stdout.read(65536):
            session.write(data)
        pumping.cancel()
        session.status = lambda: process.returncode or 0
        connection.close()
        return Totals("target", 0, 0)

    patch.setattr(SshDoor, "_run", through)
    patch.setattr(ClientSession, "eof_received", lambda self: self._inbox.end() or True)


@guard("ClientSession.exec_requested")
def _exec_off(patch: pytest.MonkeyPatch) -> None:
    _raw_sessions(patch)

    def exec_requested(self: Any, command: str) -> bool:
        self.asked = {"command": command}
        return True

    patch.setattr(ClientSession, "exec_requested", exec_requested)


@guard("ClientSession.subsystem_requested")
def _subsystem_off(patch: pytest.MonkeyPatch) -> None:
    _raw_sessions(patch)

    def subsystem_requested(self: Any, subsystem: str) -> bool:
        self.asked = {"subsystem": subsystem}
        return True

    patch.setattr(ClientSession, "subsystem_requested", subsystem_requested)


@guard("ClientSession.shell_requested")
def _shell_off(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ClientSession, "shell_requested", lambda self: True)


def _client_guard(name: str, answer: Callable[..., Any]) -> None:
    guard(f"Client.{name}")(lambda patch: patch.setattr(Client, name, answer))


_client_guard("connection_requested", lambda self, *_: True)
_client_guard("unix_connection_requested", lambda self, *_: True)
_client_guard("server_requested", lambda self, *_: True)
_client_guard("unix_server_requested", lambda self, *_: True)
_client_guard("tun_requested", lambda self, *_: asyncssh.SSHTunTapSession())


@guard("Channel._process_auth_agent_req_at_openssh_dot_com_request")
def _agent_off(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Channel, "_process_auth_agent_req_at_openssh_dot_com_request", lambda self, packet: True)


@guard("Channel._process_x11_req_request")
def _x11_off(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Channel, "_process_x11_req_request", lambda self, packet: True)


@guard("Channel._process_env_request")
def _env_off(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Channel, "_process_env_request", SSHServerChannel._process_env_request)


# -- files and commands --------------------------------------------------------------------------------------------

EXEC = ("ClientSession.exec_requested",)
SUBSYSTEM = ("ClientSession.subsystem_requested",)


@attack("S1-01", "sftp (the subsystem)", "sftp（サブシステム）", guards=SUBSYSTEM)
async def sftp(stage: Stage) -> Evidence:
    batch = stage.door.folder / "batch"
    batch.write_text(f"get {stage.secret} {stage.door.folder}/copy\n")
    return await stage.client("sftp", "-b", str(batch), "door")


@attack("S1-02", "scp (over sftp, as OpenSSH 9 does)", "scp（sftp 経由）", guards=SUBSYSTEM)
async def scp(stage: Stage) -> Evidence:
    return await stage.client("scp", f"door:{stage.secret}", f"{stage.door.folder}/copy")


@attack("S1-03", "scp -O (the old protocol)", "scp -O（旧プロトコル）", guards=EXEC)
async def scp_old(stage: Stage) -> Evidence:
    return await stage.client("scp", "-O", f"door:{stage.secret}", f"{stage.door.folder}/copy")


@attack("S1-04", "scp by its absolute path, started by hand", "絶対パスで起動した scp", guards=EXEC)
async def scp_absolute(stage: Stage) -> Evidence:
    return await stage.client("ssh", "door", f"/usr/bin/scp -f {stage.secret}", data=b"\0" * 4)


@attack("S1-05", "rsync over ssh", "rsync（ssh 経由）", guards=EXEC)
async def rsync(stage: Stage) -> Evidence:
    ticket = await stage.ticket()
    (stage.door.folder / "copy").unlink(missing_ok=True)
    line = " ".join(["ssh", *stage.door.options(ticket)])
    answer = await run(["rsync", "-e", line, f"door:{stage.secret}", f"{stage.door.folder}/copy"], seconds=8)
    return await stage.evidence(ticket, stage.found(answer))


def _command(name: str, en: str, ja: str, command: str, *options: str, decode: str = "") -> None:
    @attack(name, en, ja, guards=EXEC)
    async def one(stage: Stage) -> Evidence:
        ticket = await stage.ticket()
        answer = await stage.door.run(
            "ssh", ticket, *options, "door", command.format(stage.secret), seconds=8
        )
        text = answer.output
        if decode:
            text = (await run(decode.split(), data=text.encode(), seconds=8)).output
        return await stage.evidence(ticket, text.count(stage.word))


_command("S1-06", "ssh host cat", "ssh host cat", "cat {}")
_command("S1-07", "ssh host tar", "ssh host tar", "tar cP {}")
_command("S1-08", "ssh host base64", "ssh host base64", "base64 {}", decode="base64 -d")
_command("S1-09", "ssh host xxd", "ssh host xxd", "xxd -p {}", decode="xxd -r -p")
_command("S1-10", "a command with a terminal (-tt)", "端末付きのコマンド（-tt）", "cat {}", "-tt")


@attack(
    "S1-11",
    "a shell without a terminal (ssh host < script)",
    "端末なしのシェル（ssh host < script）",
    guards=("ClientSession.shell_requested",),
)
async def no_terminal(stage: Stage) -> Evidence:
    return await stage.client("ssh", "-T", "door", data=f"cat {stage.secret}\nexit\n".encode())


@attack("S1-12", "a subsystem of any other name", "その他のサブシステム", guards=SUBSYSTEM)
async def subsystem(stage: Stage) -> Evidence:
    # The target takes a subsystem that it knows; one that it does not know would end there.
    ticket = await stage.ticket()
    async with _raw(stage, ticket) as client:
        try:
            process = await client.create_process(subsystem="sftp", encoding=None)
            process.stdin.write(b"\x00\x00\x00\x05\x01\x00\x00\x00\x03")
            async with asyncio.timeout(5):
                answer = await process.stdout.read(9)
        except (asyncssh.Error, OSError, TimeoutError):
            answer = b""
    return await stage.evidence(ticket, int(answer[4:5] == b"\x02"))


@attack(
    "S1-13",
    "scp and a command over a connection that is open already (ControlMaster)",
    "開いた接続の相乗り（ControlMaster）での scp とコマンド",
    guards=EXEC,
)
async def control_master(stage: Stage) -> Evidence:
    ticket = await stage.ticket()
    (stage.door.folder / "copy").unlink(missing_ok=True)
    shared = ["-o", f"ControlPath={stage.door.folder}/mux"]
    async with stage.door.shell(ticket, *shared, "-o", "ControlMaster=yes") as first:
        await first.until(PROMPT)
        copied = await stage.door.run(
            "scp", ticket, "-O", *shared, f"door:{stage.secret}", f"{stage.door.folder}/copy", seconds=8
        )
        ran = await stage.door.run("ssh", ticket, *shared, "door", f"cat {stage.secret}", seconds=8)
        await first.type("exit\n")
        await first.ended()
    return await stage.evidence(ticket, stage.found(copied) + stage.found(ran))


@attack(
    "S1-14",
    "a second shell on one connection, to read past the budget",
    "一つの接続で二つ目のシェルを開き、上限を超えて読む",
    ends=Outcome.COUNTED,
    guards=("TextMeter.spend",),
    why=(
        "a second shell is allowed: it is decided, recorded and metered by itself, from the same ticket",
        "二つ目のシェルは認めるが、別に判定・記録され、同じチケットの上限から数える",
    ),
)
async def second_shell(stage: Stage) -> Evidence:
    ticket = await stage.ticket()
    shared = ["-o", f"ControlPath={stage.door.folder}/mux2"]
    async with stage.door.shell(ticket, *shared, "-o", "ControlMaster=yes") as first:
        await first.until(PROMPT)
        async with stage.door.shell(ticket, *shared) as second:
            await second.until(PROMPT)
            for shell, part in ((first, "head -20"), (second, "tail -20")):
                await shell.type(f"{part} {stage.customers}; exit\n")
                if shell is second:
                    await second.ended()
        await first.ended()
        out = stage.phones_in(first.shown) + stage.phones_in(second.shown)
    return await stage.evidence(ticket, out, least=out)


# -- forwardings ---------------------------------------------------------------------------------------------------


class Inside:
    """A service that only the other side reaches; it gives the secret to whoever comes."""

    def __init__(self, word: str) -> None:
        self.word = word
        self.reached = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reached += 1
        writer.write(self.word.encode())
        with contextlib.suppress(OSError):
            await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def _inside(stage: Stage) -> AsyncIterator[tuple[Inside, int]]:
    inside = Inside(stage.word)
    server = await asyncio.start_server(inside.answer, "127.0.0.1", 0)
    try:
        yield inside, server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


@contextlib.asynccontextmanager
async def _raw(stage: Stage, ticket: str) -> AsyncIterator[asyncssh.SSHClientConnection]:
    """A client that asks for what no program asks."""
    assert stage.door.service.ssh is not None
    host, port = stage.door.service.ssh
    async with asyncssh.connect(
        host, port, username=f"sato.{ticket}", client_keys=[str(stage.door.folder / "id")], known_hosts=None,
        config=None, agent_path=None,
    ) as client:  # fmt: skip
        yield client


@attack(
    "S1-15",
    "local forwarding: -W, and as -J uses it",
    "ローカル転送（-W、-J）",
    guards=("Client.connection_requested",),
)
async def stdio_forward(stage: Stage) -> Evidence:
    ticket = await stage.ticket()
    async with _inside(stage) as (_, port):
        command = ["ssh", *stage.door.options(ticket), "-W", f"127.0.0.1:{port}", "door"]
        # ssh hangs up when its input ends, also when the answer is still on its way; and not when the other side does.
        answer = await run(["sh", "-c", f"sleep 3 | timeout 6 {shlex.join(command)}"], seconds=20)
    return await stage.evidence(ticket, stage.found(answer))


def _through_shell(name: str, en: str, ja: str, guard_name: str, option: str) -> None:
    """A forwarding that stands beside a shell: with -L and -D we connect here, with -R from the other side."""

    @attack(name, en, ja, guards=(guard_name,))
    async def one(stage: Stage) -> Evidence:
        ticket = await stage.ticket()
        local = stage.door.folder / f"{name}.sock"
        local.unlink(missing_ok=True)
        async with _inside(stage) as (inside, port):
            if option == "-D":
                # A port of loopback: OpenSSH takes no socket for it.
                with contextlib.closing(await asyncio.start_server(inside.answer, "127.0.0.1", 0)) as free:
                    number = free.sockets[0].getsockname()[1]
                arguments = ["-D", f"127.0.0.1:{number}"]
            else:
                arguments = ["-L", f"{local}:127.0.0.1:{port}"]
            async with stage.door.shell(ticket, *arguments) as shell:
                await shell.until(PROMPT)
                if option == "-D":
                    host = ["curl", "-s", "-m", "5", "--http0.9", "--socks5", f"127.0.0.1:{number}"]
                    got = (await run([*host, f"http://127.0.0.1:{port}/"], seconds=8)).output
                else:
                    reader, writer = await asyncio.open_unix_connection(str(local))
                    got = (await reader.read()).decode()
                    writer.close()
                await shell.type("exit\n")
                await shell.ended()
        return await stage.evidence(ticket, got.count(stage.word))


_through_shell("S1-16", "local forwarding: -L", "ローカル転送（-L）", "Client.connection_requested", "-L")
_through_shell("S1-17", "dynamic forwarding: -D", "動的転送（-D）", "Client.connection_requested", "-D")


@attack("S1-18", "remote forwarding: -R", "リモート転送（-R）", guards=("Client.server_requested",))
async def remote_forward(stage: Stage) -> Evidence:
    ticket = await stage.ticket()
    async with _raw(stage, ticket) as client:
        code, _ = await client._make_global_request(b"tcpip-forward", String("localhost"), UInt32(0))
    return await stage.evidence(ticket, int(code != MSG_REQUEST_FAILURE))


@attack(
    "S1-19",
    "forwarding of a unix socket, to the other side",
    "UNIX ソケットの転送（-L）",
    guards=("Client.unix_connection_requested",),
)
async def unix_forward(stage: Stage) -> Evidence:
    ticket = await stage.ticket()
    path, local = stage.door.folder / "inside.sock", stage.door.folder / "S1-19.sock"
    path.unlink(missing_ok=True)
    local.unlink(missing_ok=True)
    inside = Inside(stage.word)
    async with (
        await asyncio.start_unix_server(inside.answer, str(path)),
        stage.door.shell(ticket, "-L", f"{local}:{path}") as shell,
    ):
        await shell.until(PROMPT)
        reader, writer = await asyncio.open_unix_connection(str(local))
        got = await reader.read()
        writer.close()
        await shell.type("exit\n")
        await shell.ended()
    return await stage.evidence(ticket, got.decode().count(stage.word))


@attack(
    "S1-20",
    "forwarding of a unix socket, from the other side",
    "UNIX ソケットの転送（-R）",
    guards=("Client.unix_server_requested",),
)
async def unix_remote(stage: Stage) -> Evidence:
    ticket = await stage.ticket()
    path = stage.door.folder / "remote.sock"
    path.unlink(missing_ok=True)
    async with stage.door.shell(ticket, "-R", f"{path}:/nowhere") as shell:
        await shell.until(PROMPT)
        there = path.exists()
        await shell.type("exit\n")
        await shell.ended()
    return await stage.evidence(ticket, int(there))


@attack("S1-21", "a tunnel device (-w)", "トンネル（-w）", guards=("Client.tun_requested",))
async def tunnel(stage: Stage) -> Evidence:
    ticket = await stage.ticket()
    opened = 0
    async with _raw(stage, ticket) as client:
        with contextlib.suppress(asyncssh.ChannelOpenError):
            await client.create_tun(asyncssh.SSHTunTapSession, None)
            opened = 1
    return await stage.evidence(ticket, opened)


def _request(name: str, en: str, ja: str, guard_name: str, request: bytes, *parts: bytes) -> None:
    """A request on a session, which the door may say yes or no to."""

    @attack(name, en, ja, guards=(guard_name,) if guard_name else ())
    async def one(stage: Stage) -> Evidence:
        ticket = await stage.ticket()
        async with _raw(stage, ticket) as client:
            process = await client.create_process(term_type="xterm", encoding=None)
            await process.stdout.read(1)
            yes = bool(await process.channel._make_request(request, *parts))
            process.terminate()
        return await stage.evidence(ticket, int(yes))


_request(
    "S1-22",
    "agent forwarding (-A)",
    "エージェント転送（-A）",
    "Channel._process_auth_agent_req_at_openssh_dot_com_request",
    b"auth-agent-req@openssh.com",
)
_request(
    "S1-23",
    "X11 forwarding (-X)",
    "X11 転送（-X）",
    "Channel._process_x11_req_request",
    b"x11-req",
    b"\0",
    String("MIT-MAGIC-COOKIE-1"),
    String("00" * 16),
    UInt32(0),
)
_request(
    "S1-24",
    "environment variables (SetEnv=LESSOPEN=…)",
    "環境変数の注入（SetEnv=LESSOPEN=…）",
    "Channel._process_env_request",
    b"env",
    String("LESSOPEN"),
    String("|cat %s"),
)


@guard("Connection.__getattr__")
def _unknown_off(patch: pytest.MonkeyPatch) -> None:
    def say_yes(self: Any, name: str) -> Any:
        if name.endswith("_global_request"):
            return lambda packet: self._report_global_response(True)
        raise AttributeError(name)

    patch.setattr(Connection, "__getattr__", say_yes)


@guard("Channel.__getattr__")
def _unknown_request_off(patch: pytest.MonkeyPatch) -> None:
    def say_yes(self: Any, name: str) -> Any:
        if name.startswith("_process_") and name.endswith("_request"):
            return lambda packet: True
        raise AttributeError(name)

    patch.setattr(Channel, "__getattr__", say_yes)


_request(
    "S1-25",
    "a request on a session that nobody knows",
    "未知のセッション要求",
    "Channel.__getattr__",
    b"unheard-of@example.jp",
)


@attack(
    "S1-26",
    "channels and global requests that nobody knows",
    "未知のチャネルと全体要求",
    guards=("Connection.__getattr__",),
)
async def unknown(stage: Stage) -> Evidence:
    ticket = await stage.ticket()
    opened = 0
    async with _raw(stage, ticket) as client:
        with contextlib.suppress(asyncssh.ChannelOpenError):
            await client.create_tcp_channel()._open(b"unheard-of@example.jp")
            opened += 1
        code, _ = await client._make_global_request(b"unheard-of@example.jp", String("x"))
        opened += code != MSG_REQUEST_FAILURE
    return await stage.evidence(ticket, int(opened))
