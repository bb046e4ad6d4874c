"""The checkpoint is killed while a target's output streams: every byte that the client got is in the recording."""

import asyncio
import signal
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import asyncssh
import pytest

from sekisho.people.identity import Method, minted
from sekisho.people.ssh_keys import add_ssh_key
from sekisho.relay.record.reading import data_key, read_account, recover, stored_events
from sekisho.relay.ssh.authority import load_key, public_line
from sekisho.service.service import RECORDINGS, SSH_HOST_KEY, create_state, open_ledger
from sekisho.service.settings import Settings
from ssh_under_test import PROMPT, Shell, SshCheckpoint, found, target_server

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("wanted", [200, 700_000])
async def test_a_killed_checkpoint_has_every_byte_that_passed(tmp_path: Path, wanted: int) -> None:
    state = tmp_path / "state"
    settings = Settings(
        origin="checkpoint.example/test",
        postgres_listen="127.0.0.1:0",
        console_listen="127.0.0.1:0",
        ssh_listen="127.0.0.1:0",
    )
    create_state(state, settings)
    key = asyncssh.generate_private_key("ssh-ed25519")
    (tmp_path / "id").write_bytes(key.export_private_key())
    (tmp_path / "id").chmod(0o600)
    with target_server(state) as server:
        (server.folder / "text").write_text("a line of a log that says nothing about anybody\n" * 200_000)
        (server.folder / "text").chmod(0o644)
        async with open_ledger(state, settings) as ledger:
            totp = await found(ledger, server)
            await add_ssh_key(
                ledger, minted("sato", "sato", Method.PASSWORD, "test"), key.export_public_key().decode()
            )
            service = SimpleNamespace(ledger=ledger, state=state)
            ticket = await SshCheckpoint(cast(Any, service), totp, tmp_path, server=server).ssh_ticket()
        program = [
            sys.executable,
            "-c",
            "from sekisho.cli import main; main()",
            "serve",
            "--state",
            str(state),
        ]
        process = await asyncio.create_subprocess_exec(
            *program, stdout=asyncio.subprocess.PIPE, env={"LANG": "C", "PATH": "/usr/bin:/bin"}
        )
        assert process.stdout is not None
        try:
            async with asyncio.timeout(60):
                await process.stdout.readline()
                said = (await process.stdout.readline()).decode()
            host, port = said.split()[-1].split(":")
            service = SimpleNamespace(ssh=(host, int(port)))
            door = SshCheckpoint(cast(Any, service), totp, tmp_path, server=server, folder=tmp_path)
            known = f"[{host}]:{port} {public_line(load_key(state / SSH_HOST_KEY), '')}\n"
            (tmp_path / "known_hosts").write_text(known)
            # What `ssh` itself says at the end stands behind what passed.
            shell = await Shell.start(["ssh", "-tt", "-o", "LogLevel=QUIET", *door.options(ticket), "door"])
            try:
                await shell.until(PROMPT)
                await shell.type(f"cat {server.folder}/text\n")
                async with asyncio.timeout(60):
                    while len(shell.raw) < wanted:
                        await shell.more()
                process.send_signal(signal.SIGKILL)
                await shell.ended()
                received = shell.raw.partition(b"Connection to ")[0]
            finally:
                await shell.stop()
        finally:
            if process.returncode is None:
                process.kill()
            await process.stdout.read()  # to its end, or the pipe outlives the loop
            await process.wait()
    assert len(received) >= wanted
    async with open_ledger(state, settings) as ledger:
        [recovered] = await recover(ledger, state / RECORDINGS)
        account = await read_account(ledger, recovered.about)
        secret = await data_key(ledger, account.opened)
        events = stored_events(state / RECORDINGS, recovered.about, secret, 1 << 40)
        held = b"".join(event.data for event in events if event.code == "o")
    assert held.startswith(received)
