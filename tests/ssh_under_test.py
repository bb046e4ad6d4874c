"""A checkpoint with the SSH door before a real OpenSSH server, its worker's key, and real OpenSSH clients.

For every test that goes through the SSH door, the red-team ones among them: `SshCheckpoint.run` runs an OpenSSH
program with `%s` of its arguments set; `shell` types into a terminal and returns what came.
"""

import asyncio
import contextlib
import os
import pty
import secrets
import termios
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh
import msgspec

from checkpoint_under_test import Checkpoint
from sekisho.demo.founding import (
    Holding,
    add_dataset,
    add_organisation,
    add_person,
    add_ssh_target,
    appoint,
    give_credential,
)
from sekisho.demo.servers import SshServer, ssh_server
from sekisho.ledger import Ledger
from sekisho.people.credentials import enrol
from sekisho.people.identity import Method, minted
from sekisho.people.roles import Role
from sekisho.people.ssh_keys import add_ssh_key
from sekisho.relay.ssh.authority import load_key, public_line
from sekisho.service.service import SSH_AUTHORITY, create_state, running
from sekisho.service.settings import Settings

TARGET = "batch"
PROMPT = "minato$ "


@dataclass
class Answer:
    """How a client program ended."""

    status: int
    output: str
    errors: str


@dataclass
class SshCheckpoint(Checkpoint):
    """A checkpoint whose worker `sato` has a key."""

    server: SshServer = None  # type: ignore[assignment]
    folder: Path = None  # type: ignore[assignment]

    async def told(self, name: str) -> list[dict[str, Any]]:
        """What the facts of this name say."""
        return [msgspec.to_builtins(recorded.typed()) for recorded in await self.facts(name)]

    async def ssh_ticket(self, **changes: Any) -> str:
        return await self.ticket(**{"target": TARGET, "door": "ssh", **changes})

    def options(self, ticket: str, *, key: bool = True) -> list[str]:
        """The options of an OpenSSH program that goes to the door as sato."""
        assert self.service.ssh is not None
        host, port = self.service.ssh
        identity = ["-o", "IdentitiesOnly=yes", "-i", str(self.folder / "id")] if key else []
        settings = {
            "UserKnownHostsFile": str(self.folder / "known_hosts"),
            "StrictHostKeyChecking": "yes",
            "User": f"sato.{ticket}",
            "HostName": host,
            "Port": str(port),
            "LogLevel": "INFO",
            "ConnectTimeout": "20",
            **({"BatchMode": "yes"} if key else {}),
        }
        return ["-F", "none", *identity, *(part for n, v in settings.items() for part in ("-o", f"{n}={v}"))]

    async def run(
        self, program: str, ticket: str, *arguments: str, data: bytes = b"", seconds: float = 30
    ) -> Answer:
        """Run `program OPTIONS ARGUMENTS` without a terminal. The host's name is "door"."""
        return await run([program, *self.options(ticket), *arguments], data=data, seconds=seconds)

    @contextlib.asynccontextmanager
    async def shell(
        self, ticket: str, *arguments: str, environment: dict[str, str] | None = None
    ) -> AsyncIterator["Shell"]:
        """ssh in a terminal of its own."""
        command = ["ssh", "-tt", *self.options(ticket), *arguments, "door"]
        shell = await Shell.start(command, **environment or {})
        try:
            yield shell
        finally:
            await shell.stop()

    async def typed(self, ticket: str, *commands: str) -> str:
        """Type commands into a terminal, then `exit`; everything that was shown."""
        async with self.shell(ticket) as shell:
            await shell.until(PROMPT)
            for command in commands:
                await shell.type(command + "\n")
            await shell.type("exit\n")
            await shell.ended()
            return shell.shown


async def run(command: list[str], *, data: bytes = b"", seconds: float = 30) -> Answer:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "SSH_AUTH_SOCK": ""},
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(seconds):
            output, errors = await process.communicate(data)
    except TimeoutError:
        process.kill()
        output, errors = await process.communicate()
        return Answer(-9, output.decode(errors="replace"), errors.decode(errors="replace"))
    status = process.returncode if process.returncode is not None else -1
    return Answer(status, output.decode(errors="replace"), errors.decode(errors="replace"))


class Shell:
    """A program in a pseudo-terminal: what it shows, and what a person types."""

    def __init__(self, process: asyncio.subprocess.Process, terminal: int) -> None:
        self._process = process
        self._terminal = terminal
        self._changed = asyncio.Event()
        self._over = False
        self.raw = b""
        asyncio.get_running_loop().add_reader(terminal, self._readable)

    @classmethod
    async def start(cls, command: list[str], **environment: str) -> "Shell":
        ours, theirs = pty.openpty()
        process = await asyncio.create_subprocess_exec(
            *("setsid", "--ctty", *command),  # ssh asks for a password at its controlling terminal
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "SSH_AUTH_SOCK": "", "TERM": "xterm-256color", **environment},
        )
        os.close(theirs)
        return cls(process, ours)

    @property
    def shown(self) -> str:
        return self.raw.decode(errors="replace")

    def _readable(self) -> None:
        try:
            data = os.read(self._terminal, 65536)
        except OSError:
            data = b""
        if data:
            self.raw += data
        else:
            asyncio.get_running_loop().remove_reader(self._terminal)
            self._over = True
        self._changed.set()

    async def type(self, text: str) -> None:
        data = text.encode()
        while data:
            data = data[os.write(self._terminal, data) :]

    async def more(self) -> None:
        """Return when more was shown. Raises EOFError at the end."""
        if self._over:
            raise EOFError(self.shown)
        self._changed.clear()
        await self._changed.wait()

    def resize(self, width: int, height: int) -> None:
        termios.tcsetwinsize(self._terminal, (height, width))

    async def until(self, text: str, *, seconds: float = 30, after: int = 0) -> None:
        """Return when `text` was shown (behind the first `after` characters); TimeoutError, or EOFError at the end."""
        async with asyncio.timeout(seconds):
            while text not in self.shown[after:]:
                await self.more()

    async def ended(self, *, seconds: float = 30) -> int:
        """The exit status, when the program has ended."""
        async with asyncio.timeout(seconds):
            while not self._over:
                self._changed.clear()
                await self._changed.wait()
            return await self._process.wait()

    async def stop(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        asyncio.get_running_loop().remove_reader(self._terminal)
        os.close(self._terminal)


@contextlib.contextmanager
def target_server(state: Path) -> Iterator[SshServer]:
    """An OpenSSH server that trusts the authority of a state folder, and nobody else."""
    (state / SSH_AUTHORITY).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority = load_key(state / SSH_AUTHORITY)
    # A quiet shell with a known prompt, whoever the server's user is.
    # A command that gets so far is run: a door that let it pass would be seen by what it brings out.
    sftp = "case $SSH_ORIGINAL_COMMAND in internal-sftp) exec /usr/lib/openssh/sftp-server;; ?*) "
    sftp += 'exec /bin/sh -c "$SSH_ORIGINAL_COMMAND";; esac; '
    settings = {"ForceCommand": f"{sftp}env -i PATH=/usr/bin:/bin TERM=xterm LC_ALL=C.UTF-8 PS1='{PROMPT}' "
                "HOME=/nonexistent /bin/bash --norc --noprofile -i"}  # fmt: skip
    with ssh_server(authority=public_line(authority, "sekisho"), settings=settings) as server:
        yield server


@contextlib.asynccontextmanager
async def ssh_checkpoint(folder: Path) -> AsyncIterator[SshCheckpoint]:
    state = folder / "state"
    settings = Settings(
        origin="checkpoint.example/test",
        postgres_listen="127.0.0.1:0",
        console_listen="127.0.0.1:0",
        ssh_listen="127.0.0.1:0",
    )
    create_state(state, settings)
    with target_server(state) as server:
        async with running(state, publish_seconds=0.05, watch_apart=False) as service:
            totp = await found(service.ledger, server)
            made = SshCheckpoint(service, totp, state / "tls" / "ca.pem", server=server, folder=folder)
            key = asyncssh.generate_private_key("ssh-ed25519")
            (folder / "id").write_bytes(key.export_private_key())
            (folder / "id").chmod(0o600)
            who = minted("sato", "sato", Method.PASSWORD, "test")
            await add_ssh_key(service.ledger, who, key.export_public_key().decode())
            assert service.ssh is not None
            host = load_key(state / "ssh" / "host_ed25519")
            (folder / "known_hosts").write_text(
                f"[{service.ssh[0]}]:{service.ssh[1]} {public_line(host, '')}\n"
            )
            yield made


async def found(ledger: Ledger, server: SshServer) -> str:
    """Register minato, its batch server, its worker, and the approver; the worker's one-time-code secret."""
    await add_organisation(ledger, "minato", "みなと養蜂園", "Minato Apiary")
    await add_ssh_target(ledger, TARGET, server, operator="outsourcing")
    held = Holding(
        dataset="minato-customers",
        organisation="minato",
        name="minato-customers",
        target=TARGET,
        operator="outsourcing",
        role=server.user,
        password="",
        tables=(),
        schema="minato",
    )
    await add_dataset(ledger, held)
    for person, manager in (("sato", "mori"), ("mori", ""), ("kanri", "")):
        await add_person(ledger, person, person, "Example Outsourcing", manager=manager)
    await appoint(ledger, "sato", Role.WORKER)
    await appoint(ledger, "mori", Role.OPERATOR_MANAGER)
    enrolment = enrol("sato", "correct horse")
    await give_credential(ledger, "sato", enrolment.credential)
    return enrolment.totp_secret


def token() -> str:
    """A word that stands nowhere else."""
    return f"needle{secrets.token_hex(6)}"
