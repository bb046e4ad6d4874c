"""The SSH door with real OpenSSH programs before a real OpenSSH server."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ssh_under_test import SshCheckpoint, ssh_checkpoint

pytestmark = pytest.mark.e2e


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[SshCheckpoint]:
    async with ssh_checkpoint(tmp_path) as made:
        yield made


async def test_a_shell_works_and_is_recorded(door: SshCheckpoint) -> None:
    ticket = await door.ssh_ticket()
    shown = await door.typed(ticket, "echo $((40+2))", "tty; id -un")
    assert "42" in shown
    assert "/dev/pts/" in shown
    assert door.server.user in shown
    [opened] = await door.facts("relay.session_opened")
    fact = opened.typed()
    assert (fact.person, fact.ticket, fact.target, fact.door) == ("sato", ticket, "batch", "ssh")
