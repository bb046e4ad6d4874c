"""The SSH door against OpenSSH alone: connecting, the echo of a key, a long output, idle sessions; and the scanner.

All sessions are shells in a terminal, for the door opens nothing else: the client is OpenSSH's `ssh -tt` in a terminal
of our own, with AES-128-GCM, on both ways. The scanner, the recording and the ledger are on, as they always are.

connect   until the prompt is shown. Peer: the same client through ProxyJump over a second OpenSSH server.
echo      one key to `cat`, until it is shown again, by turns through the door and directly. What is told is the
          difference of the 99th percentiles: on a busy machine both have theirs.
output    `cat` of sparse text (0.1 % of lines are rows of persons, all the same ten). Peer: directly. Also the
          processor time that the checkpoint takes for it.
idle      growth of the checkpoint's memory, by sessions of asyncssh's client that sit at their prompt.
scanner   `TextMeter`'s scanner on the same text in this process; processor time.
"""

import asyncio
import contextlib
import os
import pty
import random
import secrets
import select
import statistics
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import asyncssh

from bench.checkpoint import processor_time, resident, started
from bench.frame import Result, Scale, alternate, paired, percentile, spread
from sekisho.demo.founding import (
    Holding,
    add_dataset,
    add_organisation,
    add_person,
    add_ssh_target,
    appoint,
    ticket_request,
)
from sekisho.demo.servers import SshServer, ssh_server
from sekisho.gate.facts import Limits
from sekisho.gate.tickets import approve_ticket
from sekisho.ledger import Ledger
from sekisho.people.identity import Method, minted
from sekisho.people.roles import Role
from sekisho.people.ssh_keys import add_ssh_key
from sekisho.relay.ssh.authority import load_key, public_line
from sekisho.service.service import SSH_AUTHORITY, create_state, open_ledger
from sekisho.service.settings import Settings
from sekisho.text.detect import Scanner

_PROMPT = b"bench$ "
_SHELL = f"env -i PATH=/usr/bin:/bin TERM=xterm PS1='{_PROMPT.decode()}' /bin/bash --norc --noprofile -i"
_CIPHER = "aes128-gcm@openssh.com"


@dataclass(frozen=True, slots=True)
class Ways:
    """The commands that lead to the same shell, and the checkpoint's process."""

    direct: list[str]
    jump: list[str]
    door: list[str]
    pid: int
    address: tuple[str, int]
    key: Path
    text: Path
    size: int


async def run(scale: Scale) -> list[Result]:
    with tempfile.TemporaryDirectory(prefix="sekisho-bench-") as folder:
        async with _ways(Path(folder), scale) as ways:
            return [
                await _connecting(ways, scale),
                await _echo(ways, scale),
                *await _output(ways, scale),
                await _idle(ways, scale),
                _scanner(ways),
            ]


async def _connecting(ways: Ways, scale: Scale) -> Result:
    figures = await alternate(
        {
            "door": partial(_milliseconds_to_prompt, ways.door),
            "jump": partial(_milliseconds_to_prompt, ways.jump),
            "direct": partial(_milliseconds_to_prompt, ways.direct),
        },
        scale.pick(15, 1),
    )
    ratio = paired(figures, "door", "jump")
    return Result(
        "SSH: connect, log in, prompt",
        "1.0 of ProxyJump",
        spread(figures["door"], "ms"),
        f"ProxyJump: {spread(figures['jump'], 'ms')}; directly: {spread(figures['direct'], 'ms')}",
        ratio,
        ratio <= 1.0,
    )


async def _echo(ways: Ways, scale: Scale) -> Result:
    keys = scale.pick(500, 20)
    door: list[float] = []
    direct: list[float] = []
    added: list[float] = []
    for _ in range(scale.pick(3, 1)):
        theirs, ours = await asyncio.to_thread(_echoes, ways, keys)
        added.append(percentile(ours, 99) - percentile(theirs, 99))
        door.append(statistics.median(ours))
        direct.append(statistics.median(theirs))
    return Result(
        "SSH: added to the echo of a key, 99th percentile",
        "3 ms",
        spread(added, "ms", 2),
        f"median: {spread(door, 'ms', 2)}; directly: {spread(direct, 'ms', 2)}",
        None,
        statistics.median(added) < 3,
    )


async def _output(ways: Ways, scale: Scale) -> list[Result]:
    before = processor_time(ways.pid)
    runs = scale.pick(5, 1)
    figures = await alternate(
        {"door": partial(_rate, ways.door, ways), "direct": partial(_rate, ways.direct, ways)}, runs
    )
    used = processor_time(ways.pid) - before
    ratio = paired(figures, "door", "direct")
    return [
        Result(
            f"SSH: output of {ways.size >> 20} MiB in a terminal",
            "0.6 of direct",
            spread(figures["door"], "MB/s"),
            f"OpenSSH directly: {spread(figures['direct'], 'MB/s')}",
            ratio,
            ratio >= 0.6,
        ),
        Result(
            "SSH: processor time of the checkpoint for it",
            "",
            f"{1e3 * used / runs / (ways.size / 1e6):.0f} ms/MB",
            "",
        ),
    ]


async def _idle(ways: Ways, scale: Scale) -> Result:
    sessions = scale.pick(200, 3)
    async with contextlib.AsyncExitStack() as warm:
        await _open_many(warm, ways, 10)
    await asyncio.sleep(2)
    before = resident(ways.pid)
    async with contextlib.AsyncExitStack() as stack:
        await _open_many(stack, ways, sessions)
        await asyncio.sleep(2)
        grown = (resident(ways.pid) - before) / sessions / 1024
    return Result(
        f"SSH: memory of an idle session ({sessions} open)",
        "100 KiB",
        f"{grown:.0f} KiB",
        "",
        None,
        grown < 100,
    )


def _scanner(ways: Ways) -> Result:
    data = ways.text.read_bytes()[: 32 << 20].replace(b"\n", b"\r\n")
    rates = []
    for _ in range(3):
        scanner = Scanner()
        begun = time.process_time()
        for start in range(0, len(data), 65536):
            scanner.feed(data[start : start + 65536])
        rates.append(len(data) / 1e6 / (time.process_time() - begun))
    return Result(
        "scanner alone, sparse text",
        "100 MB/s",
        spread(rates, "MB/s"),
        "",
        None,
        statistics.median(rates) > 100,
    )


# -- clients ----------------------------------------------------------------------------------------------------


class _Terminal:
    """`ssh -tt` in a terminal of ours. Blocking."""

    def __init__(self, command: list[str]) -> None:
        self._ours, theirs = pty.openpty()
        self._process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL, start_new_session=True
        )
        os.close(theirs)

    def until(self, word: bytes, seconds: float = 60.0) -> int:
        """Read until `word` is shown; the bytes read. Raises TimeoutError."""
        tail, read, deadline = b"", 0, time.monotonic() + seconds
        while word not in tail:
            if not select.select([self._ours], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise TimeoutError(word)
            data = os.read(self._ours, 1 << 16)
            read += len(data)
            tail = (tail + data)[-(len(data) + len(word)) :]
        return read

    def type(self, text: bytes) -> None:
        os.write(self._ours, text)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ours)


@contextlib.contextmanager
def _terminal(command: list[str]) -> Iterator[_Terminal]:
    terminal = _Terminal(command)
    try:
        terminal.until(_PROMPT)
        yield terminal
    finally:
        terminal.close()


async def _milliseconds_to_prompt(command: list[str]) -> float:
    def once() -> float:
        begun = time.perf_counter()
        with _terminal(command):
            return (time.perf_counter() - begun) * 1e3

    return await asyncio.to_thread(once)


def _echoes(ways: Ways, keys: int) -> tuple[list[float], list[float]]:
    """Milliseconds of each key: directly, and through the door."""
    with _terminal(ways.direct) as direct, _terminal(ways.door) as door:
        for terminal in (direct, door):
            terminal.type(b"stty raw -echo; cat\n")
            terminal.until(b"cat")
        time.sleep(0.5)
        found: tuple[list[float], list[float]] = ([], [])
        for number in range(keys):
            key = b"%c" % (0x61 + number % 26)
            for terminal, times in zip((direct, door), found, strict=True):
                begun = time.perf_counter()
                terminal.type(key)
                terminal.until(key)
                times.append((time.perf_counter() - begun) * 1e3)
                time.sleep(0.005)  # as fast as nobody types, and slower than one packet follows another
        return found


async def _rate(command: list[str], ways: Ways) -> float:
    """Megabytes a second."""

    def once() -> float:
        with _terminal(command) as terminal:
            terminal.type(f"cat {ways.text}; echo E''ND\n".encode())
            begun = time.perf_counter()
            terminal.until(b"END", 300)
            return ways.size / 1e6 / (time.perf_counter() - begun)

    return await asyncio.to_thread(once)


async def _open_many(stack: contextlib.AsyncExitStack, ways: Ways, count: int) -> None:
    for _ in range(count):
        client = await stack.enter_async_context(
            asyncssh.connect(
                *ways.address, username="worker.T-1", client_keys=[str(ways.key)], known_hosts=None, config=None,
                agent_path=None,
            )
        )  # fmt: skip
        process = await client.create_process(term_type="xterm", encoding=None)
        await process.stdout.readuntil(_PROMPT)


# -- what they connect to ---------------------------------------------------------------------------------------


@asynccontextmanager
async def _ways(folder: Path, scale: Scale) -> AsyncIterator[Ways]:
    state = folder / "state"
    settings = Settings(
        origin="bench.example/log",
        postgres_listen="127.0.0.1:0",
        console_listen="127.0.0.1:0",
        ssh_listen="127.0.0.1:0",
    )
    create_state(state, settings)
    (state / SSH_AUTHORITY).parent.mkdir(mode=0o700)
    key = asyncssh.generate_private_key("ssh-ed25519")
    identity = folder / "id"
    identity.write_bytes(key.export_private_key())
    identity.chmod(0o600)
    public = key.export_public_key().decode()
    authority = public_line(load_key(state / SSH_AUTHORITY), "bench")
    with (
        ssh_server(authority=authority, authorized_keys=public, settings={"ForceCommand": _SHELL}) as server,
        ssh_server(authorized_keys=public) as jump,
    ):
        text = server.folder / "text"
        size = _write_text(text, scale.pick(64 << 20, 1 << 20))
        async with open_ledger(state, settings) as ledger:
            await _register(ledger, server, public)
        async with started(state, scale) as (process, address):
            own = [
                "-F",
                "none",
                "-i",
                str(identity),
                "-o",
                "StrictHostKeyChecking=no",
                "-o",
                "IdentitiesOnly=yes",
            ]
            own += ["-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
            ssh = ["ssh", "-tt", "-c", _CIPHER, *own]
            through = f"ssh {' '.join(own)} -p {jump.port} -W %h:%p {jump.user}@{jump.host}"
            yield Ways(
                direct=[*ssh, "-p", str(server.port), f"{server.user}@{server.host}"],
                jump=[
                    *ssh,
                    "-o",
                    f"ProxyCommand={through}",
                    "-p",
                    str(server.port),
                    f"{server.user}@{server.host}",
                ],
                door=[*ssh, "-p", address[3], f"worker.T-1@{address[2]}"],
                pid=process.pid,
                address=(address[2], int(address[3])),
                key=identity,
                text=text,
                size=size,
            )


def _write_text(path: Path, size: int) -> int:
    """Log lines, and one row of a person in a thousand; the bytes written."""
    chance = random.Random(1)
    lines = [
        f"2026-11-21 11:{chance.randint(10, 59)}:00,{chance.randint(100, 999)} INFO [{chance.randint(1000, 9999)}] "
        f"com.example.Orders - request={chance.randint(10**6, 10**7)} path=/api/v1/items/{chance.randint(1, 9999)} "
        f"status=200 took={chance.random():.4f}s bytes={chance.randint(100, 99999)}\n"
        for _ in range(9990)
    ]
    for number in range(10):
        row = f"{number},佐藤 煌星,150-0001,東京都渋谷区神宮前一丁目2番3号,090-1234-{number:04},a{number}@example.jp\n"
        lines.insert(1000 * number, row)
    block = "".join(lines).encode()
    with path.open("wb") as file:
        for _ in range(max(1, size // len(block))):
            file.write(block)
    path.chmod(0o644)
    return path.stat().st_size


async def _register(ledger: Ledger, server: SshServer, public: str) -> None:
    await add_organisation(ledger, "bench", "試験", "Bench")
    await add_ssh_target(ledger, "target", server, operator="outsourcing")
    held = Holding(
        dataset="bench", organisation="bench", name="bench", target="target", operator="outsourcing",
        role=server.user, password=secrets.token_hex(8), tables=(), schema="public",
    )  # fmt: skip
    await add_dataset(ledger, held)
    for person, manager in (("worker", "approver"), ("approver", "")):
        await add_person(ledger, person, person, "Bench", manager=manager)
    await appoint(ledger, "worker", Role.WORKER)
    await appoint(ledger, "approver", Role.OPERATOR_MANAGER)
    await add_ssh_key(ledger, minted("worker", "worker", Method.PASSWORD, "bench"), public)
    asked = ticket_request(
        "T-1", "worker", organisation="bench", dataset="bench", target="target", purpose="measure",
        limits=Limits(**dict.fromkeys(Limits.__struct_fields__, 1 << 50)), hours=24,
    )  # fmt: skip
    asked = type(asked)(**{name: getattr(asked, name) for name in asked.__struct_fields__} | {"door": "ssh"})
    await ledger.record(asked, by="worker", about="T-1")
    await approve_ticket(ledger, "T-1", "approver")
