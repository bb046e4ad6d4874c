"""A browser's terminal in front of what it is for: a real OpenSSH server, and a workspace's sandbox."""

from pathlib import Path

import pytest

from console.console_scene import Scene
from console.test_terminal_pages import ends, heard, hello, opening, passed
from relay_workspace.workspace_scene import House, allow
from sekisho.console.viewer import SESSION_COOKIE
from ssh_under_test import PROMPT, TARGET, ssh_checkpoint

pytestmark = pytest.mark.e2e


async def test_a_shell_on_a_target(tmp_path: Path) -> None:
    async with ssh_checkpoint(tmp_path) as checkpoint:
        house = Scene(checkpoint)
        ticket = await checkpoint.ssh_ticket()
        async with house.client("sato") as client:
            cookie = client.cookies[SESSION_COOKIE]
            async with opening(house, ticket, cookie) as socket:
                await socket.send(hello(await passed(house, client, ticket)))
                said = await heard(socket, PROMPT)
                await socket.send('{"width": 91, "height": 29}')
                await socket.send(b"echo from-$((40+2)); stty size\r")
                said += await heard(socket, "29 91")
                assert "from-42" in said
                await socket.send(b"exit\r")
                await heard(socket, '"ended":"target"')
        await ends(house)
        [opened] = await checkpoint.told("record.opened")
        [session] = await checkpoint.told("relay.session_opened")
        assert (opened["kind"], opened["session"]) == ("ssh", session["session"])
        assert (session["door"], session["client"], session["target"]) == ("ssh", "browser", TARGET)


async def test_a_shell_in_a_workspace(house: Scene) -> None:
    await allow(house.checkpoint.ledger)
    ticket = await House(house.checkpoint).ticket()
    async with house.client("sato") as client:
        cookie = client.cookies[SESSION_COOKIE]
        async with opening(house, ticket, cookie, path=f"/terminal/{ticket}/socket?door=workspace") as socket:
            await socket.send(hello(await passed(house, client, ticket, "workspace")))
            await heard(socket, '"opened"')
            await socket.send(b"echo inside-$((40+2))\r")
            await heard(socket, "inside-42")
        await ends(house)
    [opened] = await house.checkpoint.facts("record.opened")
    [closed] = await house.checkpoint.facts("record.closed")
    assert opened.about == closed.about
