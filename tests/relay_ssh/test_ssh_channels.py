"""Every way by which an SSH client could carry data past the terminal: refused with a sentence, and recorded.

Real OpenSSH programs, and a client of asyncssh's for what no program sends. A needle stands in a file on the target
and in what listens on the other side of a forwarding; it must never come out.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import asyncssh
import pytest
from asyncssh.constants import MSG_REQUEST_FAILURE, MSG_REQUEST_SUCCESS
from asyncssh.packet import String, UInt32

from ssh_under_test import PROMPT, SshCheckpoint, run, ssh_checkpoint, token

pytestmark = pytest.mark.e2e

SENTENCE = "SEK-RSSH-001"


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[SshCheckpoint]:
    async with ssh_checkpoint(tmp_path) as made:
        yield made


@pytest.fixture
def needle(door: SshCheckpoint) -> tuple[str, str]:
    """(the path of a file on the target, the word in it)."""
    word = token()
    path = door.server.folder / "secret.txt"
    path.write_text(word * 20 + "\n")
    path.chmod(0o644)
    return str(path), word


async def refusals(door: SshCheckpoint, *wanted: str) -> set[str]:
    """What was recorded as refused, once all that is wanted is among it, or ten seconds have passed."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(10):
            while not (found := {o["channel"] for o in await door.told("relay.ssh_channel_refused")}) >= set(
                wanted
            ):
                await door.ledger.wait_turn(0.1)
            return found
    return {one["channel"] for one in await door.told("relay.ssh_channel_refused")}


async def test_commands_and_copies_are_refused(door: SshCheckpoint, needle: tuple[str, str]) -> None:
    path, word = needle
    ticket = await door.ssh_ticket()
    local = door.folder / "copy"
    batch = door.folder / "batch"
    batch.write_text(f"get {path} {local}\n")
    ssh_line = " ".join(["ssh", *door.options(ticket)])
    attempts: dict[str, tuple[str, list[str], bytes]] = {
        "exec": ("ssh", ["door", f"cat {path}"], b""),
        "exec tar": ("ssh", ["door", f"tar c {path}"], b""),
        "exec with a terminal": ("ssh", ["-tt", "door", f"cat {path}"], b""),
        "exec base64": ("ssh", ["door", f"base64 {path}"], b""),
        "no terminal": ("ssh", ["-T", "door"], f"cat {path}\nexit\n".encode()),
        "scp": ("scp", [f"door:{path}", str(local)], b""),
        "scp -O": ("scp", ["-O", f"door:{path}", str(local)], b""),
        "scp -O up": ("scp", ["-O", str(batch), "door:/tmp/up"], b""),
        "sftp": ("sftp", ["-b", str(batch), "door"], b""),
        "sftp by hand": ("ssh", ["-s", "door", "sftp"], b"\x00\x00\x00\x05\x01\x00\x00\x00\x03"),
        "netconf": ("ssh", ["-s", "door", "netconf"], b""),
    }
    for name, (program, arguments, data) in attempts.items():
        answer = await door.run(program, ticket, *arguments, data=data)
        assert answer.status != 0, (name, answer)
        assert SENTENCE in answer.errors + answer.output, (name, answer)
        assert word not in answer.output + answer.errors, name
        assert not local.exists(), name
    answer = await run(["rsync", "-e", ssh_line, f"door:{path}", str(local)])
    assert answer.status != 0
    assert SENTENCE in answer.errors
    assert not local.exists()
    wanted = {
        "a command in place of a shell (exec, scp -O, rsync)",
        "a shell without a terminal",
        "the subsystem sftp (sftp, scp)",
        "the subsystem netconf (sftp, scp)",
    }
    assert await refusals(door, *wanted) == wanted
    assert not await door.facts("relay.session_opened")
    assert "Accepted" not in (door.server.folder / "log").read_text()


async def test_forwardings_are_refused(door: SshCheckpoint) -> None:
    word = token()
    reached = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal reached
        reached += 1
        writer.write(word.encode())
        await writer.drain()
        writer.close()

    inside = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = inside.sockets[0].getsockname()[1]
    ticket = await door.ssh_ticket()
    stdio = await door.run("ssh", ticket, "-W", f"127.0.0.1:{port}", "door")
    assert word not in stdio.output
    assert SENTENCE in stdio.errors

    local, remote = door.folder / "local.sock", door.folder / "remote.sock"
    arguments = [
        *("-L", f"{local}:127.0.0.1:{port}"),
        *("-D", f"{door.folder}/socks.sock"),
        *("-R", f"0:127.0.0.1:{port}"),
        *("-R", f"{remote}:127.0.0.1:{port}"),
        *("-o", "SetEnv=LESSOPEN=x"),
        "-Y",
        "-A",
    ]
    agent = door.folder / "agent.sock"
    running = await asyncio.create_subprocess_exec("ssh-agent", "-D", "-a", str(agent), stdout=-3)
    environment = {"SSH_AUTH_SOCK": str(agent), "DISPLAY": ":99"}
    async with door.shell(ticket, *arguments, environment=environment) as shell:
        await shell.until(PROMPT)
        # The sentence about -R, for which the protocol has no words, stands before the prompt.
        assert SENTENCE in shell.shown
        reader, writer = await asyncio.open_unix_connection(str(local))
        assert await reader.read() == b""
        writer.close()
        await shell.type("echo A${SSH_AUTH_SOCK}B${DISPLAY}C${LESSOPEN}D\n")
        await shell.until("ABCD")
        await shell.type("exit\n")
        await shell.ended()
    running.terminate()
    await running.wait()
    assert reached == 0
    assert not remote.exists()
    inside.close()
    await inside.wait_closed()
    wanted = {
        "local forwarding (-L, -D, -W, -J)",
        "remote forwarding (-R)",
        "remote forwarding of a socket (-R)",
        "agent forwarding",
        "X11 forwarding",
        "environment variables",
    }
    assert wanted <= await refusals(door, *wanted)


async def test_what_no_program_sends_is_refused_and_recorded(door: SshCheckpoint) -> None:
    ticket = await door.ssh_ticket()
    assert door.service.ssh is not None
    host, port = door.service.ssh
    async with asyncssh.connect(
        host, port, username=f"sato.{ticket}", client_keys=[str(door.folder / "id")], known_hosts=None,
        config=None, agent_path=None,
    ) as client:  # fmt: skip
        for request in (
            (b"tcpip-forward", String("localhost"), UInt32(0)),
            (b"streamlocal-forward@openssh.com", String("/run/x.sock")),
            (b"unheard-of@example.jp", String("x")),
        ):
            code, _ = await client._make_global_request(*request)
            assert code == MSG_REQUEST_FAILURE
        with pytest.raises(asyncssh.ChannelOpenError, match=SENTENCE):
            await client.open_unix_connection("/run/postgresql/.s.PGSQL.5432")
        with pytest.raises(asyncssh.ChannelOpenError, match=SENTENCE):
            await client.open_connection("127.0.0.1", 22)
        for opener in (client.create_tun, client.create_tap):
            with pytest.raises(asyncssh.ChannelOpenError, match=SENTENCE):
                await opener(asyncssh.SSHTunTapSession, None)
        channel = client.create_tcp_channel()
        with pytest.raises(asyncssh.ChannelOpenError):
            await channel._open(b"unheard-of@example.jp")
        process = await client.create_process(term_type="xterm", encoding=None)
        await process.stdout.read(1)
        result = await process.channel._make_request(b"unheard-of@example.jp")
        assert not result
        process.terminate()
        # A client that says it will ask for no other session is held to it.
        code, _ = await client._make_global_request(b"no-more-sessions@openssh.com")
        assert code == MSG_REQUEST_SUCCESS
        with pytest.raises(asyncssh.ChannelOpenError, match=SENTENCE):
            await client.create_process(term_type="xterm")
    wanted = {
        "an unknown channel",
        "an unknown global request",
        "an unknown request on a session",
        "local forwarding to a socket (-L)",
        "a tunnel device (-w)",
    }
    assert wanted <= await refusals(door, *wanted)


async def test_a_second_session_on_one_connection_is_admitted_of_its_own(
    door: SshCheckpoint, needle: tuple[str, str]
) -> None:
    path, word = needle
    ticket = await door.ssh_ticket()
    control = door.folder / "mux"
    shared = ["-o", f"ControlPath={control}"]
    async with door.shell(ticket, *shared, "-o", "ControlMaster=yes") as first:
        await first.until(PROMPT)
        async with door.shell(ticket, *shared) as second:
            await second.until(PROMPT)
            await second.type("exit\n")
            await second.ended()
        assert len(await door.facts("relay.session_opened")) == 2
        copied = await door.run("scp", ticket, *shared, f"door:{path}", str(door.folder / "copy"))
        assert copied.status != 0
        ran = await door.run("ssh", ticket, *shared, "door", f"cat {path}")
        assert ran.status != 0
        assert word not in ran.output
        await first.type("exit\n")
        await first.ended()
    assert len({str(p) for p in await door.told("relay.session_opened")}) == 2


async def test_uploads_by_the_terminal_programs_do_not_start(door: SshCheckpoint) -> None:
    ticket = await door.ssh_ticket()
    shown = await door.typed(ticket, r"printf '::TRZSZ:%s:S:1.1.6:01234567890123\n' TRANSFER", "echo done")
    assert "::TRZSZ:TRANSFER:" not in shown
