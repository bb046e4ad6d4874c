"""A target's output is the same however it comes in: taken together or by the packet, across new keys, cut anywhere."""

import asyncio
import hashlib
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncssh
import pytest

from sekisho.relay.ssh.ends import Inbox
from sekisho.relay.ssh.stream import TargetConnection, connect

SIZE = 6 << 20


class _Server(asyncssh.SSHServer):
    def begin_auth(self, username: str) -> bool:
        return False


async def _speak(process: "asyncssh.SSHServerProcess[bytes]") -> None:
    """Pieces of all sizes, now and then on the other stream, and requests between them."""
    chance = random.Random(7)
    sent, digest = 0, hashlib.sha256()
    while sent < SIZE:
        piece = chance.randbytes(chance.choice((1, 40, 4000, 16_000, 32_768)))
        if chance.random() < 0.02:
            process.stderr.write(b"e" * 50)
        process.stdout.write(piece)
        sent += len(piece)
        digest.update(piece)
        await process.stdout.drain()
    process.stdout.write(digest.digest())
    process.exit(7)


@asynccontextmanager
async def target(cipher: str) -> AsyncIterator[int]:
    server = await asyncssh.listen(
        "127.0.0.1", 0, server_factory=_Server, process_factory=_speak, encoding=None, rekey_bytes=1 << 20,
        server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")], encryption_algs=[cipher], config=None,
    )  # fmt: skip
    async with server:
        yield server.get_port()


async def opened(port: int) -> TargetConnection:
    connected = socket.create_connection(("127.0.0.1", port))
    connected.setblocking(False)
    options = await asyncssh.SSHClientConnectionOptions.construct(
        host="127.0.0.1", username="u", known_hosts=None, config=None, agent_path=None, client_keys=None,
        rekey_bytes=1 << 20,
    )  # fmt: skip
    return await connect(connected, options)


async def heard(port: int) -> tuple[bytes, bytes, int | None, int]:
    """Standard output, the other stream, the status, packets that were taken together."""
    connection = await opened(port)
    async with connection:
        done = await connection.run("speak", encoding=None)
        out, err = done.stdout, done.stderr
    assert isinstance(out, bytes)
    assert isinstance(err, bytes)
    return out, err, done.exit_status, connection.taken


@pytest.mark.parametrize("cipher", ["aes128-gcm@openssh.com", "aes256-gcm@openssh.com"])
async def test_what_comes_in_long_is_taken_together_and_nothing_is_lost(cipher: str) -> None:
    async with target(cipher) as port:
        out, err, status, taken = await heard(port)
    assert hashlib.sha256(out[:-32]).digest() == out[-32:]
    assert set(err) == {ord("e")}
    assert status == 7
    assert taken > 200  # else an asyncssh of another shape: everything works, slower


@pytest.mark.parametrize("seed", range(3))
async def test_cut_anywhere_it_is_the_same(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(seed)
    whole = TargetConnection.data_received

    def in_pieces(self: TargetConnection, data: bytes, datatype: asyncssh.DataType = None) -> None:
        while data:
            cut = chance.choice((1, 3, 15, 17, 500, 2048, 5000, 70_000))
            whole(self, data[:cut], datatype)
            data = data[cut:]

    monkeypatch.setattr(TargetConnection, "data_received", in_pieces)
    async with target("aes128-gcm@openssh.com") as port:
        out, _, status, taken = await heard(port)
    assert hashlib.sha256(out[:-32]).digest() == out[-32:]
    assert status == 7
    assert taken > 0


async def test_other_ciphers_are_left_to_asyncssh() -> None:
    async with target("aes256-ctr") as port:
        out, _, _, taken = await heard(port)
    assert hashlib.sha256(out[:-32]).digest() == out[-32:]
    assert taken == 0


async def test_a_changed_byte_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = TargetConnection.data_received
    changed = 0

    def falsified(self: TargetConnection, data: bytes, datatype: asyncssh.DataType = None) -> None:
        nonlocal changed
        if self.taken > 50 and len(data) > 8192 and not changed:
            changed += 1
            data = data[:4100] + bytes([data[4100] ^ 1]) + data[4101:]
        whole(self, data, datatype)

    monkeypatch.setattr(TargetConnection, "data_received", falsified)
    async with target("aes128-gcm@openssh.com") as port:
        connection = await opened(port)
        done = await connection.run("speak", encoding=None)
        await asyncio.wait_for(connection.wait_closed(), 10)
    assert changed == 1
    assert done.exit_status != 7
    assert isinstance(done.stdout, bytes)
    assert len(done.stdout) < SIZE


async def test_more_than_the_window_is_refused() -> None:
    """As asyncssh does: what overruns is not taken."""
    async with target("aes128-gcm@openssh.com") as port:
        connection = await opened(port)
        process = await connection.create_process("speak", encoding=None)
        process.channel._recv_window = 100  # the target was told of more
        process.channel._init_recv_window = 0
        await asyncio.wait_for(connection.wait_closed(), 10)
    assert connection.taken == 0


async def test_one_session_leaves_the_loop_to_the_others_between_pieces() -> None:
    inbox, turns = Inbox(), 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    inbox.put(b"a" * 1_000_000)
    inbox.put(b"b")
    inbox.end()
    async with asyncio.TaskGroup() as group:
        beside = group.create_task(other())
        got = b"".join([piece async for piece in _pieces(inbox)])
        beside.cancel()
    assert got == b"a" * 1_000_000 + b"b"
    assert turns >= 7


async def _pieces(inbox: Inbox) -> AsyncIterator[bytes]:
    while piece := await inbox.get():
        assert len(piece) <= 128 << 10
        yield piece
