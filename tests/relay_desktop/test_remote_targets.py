"""Targets that draw, from inside a desktop: a real xrdp and a real VNC server, real viewers in a real annex."""

import asyncio
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from relay_desktop.eyes import BLUE, SECRET, Eyes, Remote, Seen, add_remote, desktop, remote, self_signed
from relay_workspace.conftest import database, house
from relay_workspace.workspace_scene import House, typed
from sekisho.faults import Fault
from sekisho.gate.tickets import close_ticket
from sekisho.relay.faults import SESSION_ENDED

pytestmark = pytest.mark.e2e
__all__ = ["database", "house"]
SHOWN = Seen(BLUE, 250_000)


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    with remote(tmp_path_factory.mktemp("remote")) as started:
        yield started


async def inside(house: House, ticket: str, *commands: str) -> str:
    """What somebody in the workspace can find out; no door would let this text out."""
    box = house.rooms._rooms[ticket].box
    assert box is not None
    terminal = await box.shell(("shell",), 200, 50)
    try:
        return await typed(terminal, "export DISPLAY=:1", *commands)
    finally:
        terminal.close()


async def sessions(house: House, name: str) -> list[dict[str, Any]]:
    return [json.loads(one.leaf)["data"] for one in await house.checkpoint.facts(name)]


async def selected(there: Remote, text: str) -> None:
    """Somebody at the remote desktop copies this."""
    process = await asyncio.create_subprocess_exec(
        *("xclip", "-selection", "clipboard", "-i"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        env={**os.environ, "DISPLAY": there.display},
    )
    await process.communicate(text.encode())


@pytest.mark.parametrize("protocol", ["rdp", "vnc"])
async def test_it_is_shown_and_its_password_and_clipboard_are_not(
    house: House, there: Remote, protocol: str
) -> None:
    port, certificate = (there.rdp, there.certificate) if protocol == "rdp" else (there.vnc, "")
    await add_remote(house, "win", protocol, port, tls_ca=certificate)
    ticket = await house.ticket(target="win", dataset="win-data", door="workspace")
    async with desktop(house, ticket, "win") as eyes:
        await eyes.until(SHOWN)
        opened = await sessions(house, "relay.session_opened")
        assert [(one["door"], one["client"], one["target"]) for one in opened] == [
            ("desktop", "", "win"),
            ("inner", "viewer", "win"),
        ]
        # Whoever works beside the viewer finds no password, no process of it, no way to the target but this picture.
        await selected(there, "copied-elsewhere")
        clip = "xclip -selection clipboard -o 2>&1; " if shutil.which("xclip") else ""
        said = await inside(
            house,
            ticket,
            f"grep -al '{SECRET[:3]}[-]{SECRET[4:]}' /proc/[0-9]*/cmdline /proc/[0-9]*/environ",
            "cat /proc/[0-9]*/cmdline | tr '\\0' '\\n' | grep -cE '^(xfreerdp|xtigervncviewer)'",
            "grep -c . /proc/net/tcp; ls /run/sekisho",
            f"exec 3<>/dev/tcp/127.0.0.1/{port}",
            f"{clip}xwininfo -root -tree | grep -c win; grep -c {SECRET[:3]} /proc/1/cmdline",
        )
        assert "/cmdline\n" not in said
        assert "/environ\n" not in said
        assert "copied-elsewhere" not in said
        assert "refused" in said  # there is nothing at that port: the loopback is the sandbox's own
        # It ends alone; the desktop stays.
        session = opened[1]["session"]
        assert house.rooms.end_session(session, Fault(SESSION_ENDED, reason="a test"), "killed")
        await eyes.until(lambda picture: not SHOWN(picture))
        async with asyncio.timeout(10):
            while not (closed := await sessions(house, "relay.session_closed")):
                await house.ledger.wait_turn(0.05)
        assert (closed[0]["session"], closed[0]["reason"]) == (session, SESSION_ENDED.code)
        assert closed[0]["bytes"] > 1000


async def test_another_server_than_was_registered_gets_no_password(
    house: House, there: Remote, tmp_path: Path
) -> None:
    other, _ = self_signed(tmp_path / "other")
    await add_remote(house, "win", "rdp", there.rdp, tls_ca=other.read_text())
    ticket = await house.ticket(target="win", dataset="win-data", door="workspace")
    async with desktop(house, ticket, "win") as eyes:
        async with asyncio.timeout(20):
            while not (closed := await sessions(house, "relay.session_closed")):
                await house.ledger.wait_turn(0.05)
        assert closed[0]["reason"] == "SEK-RLAY-009"
        await eyes.still()
        assert not SHOWN(eyes.picture)
    said = (await sessions(house, "relay.session_opened"))[1]
    assert said["door"] == "inner"


async def test_the_end_of_the_ticket_ends_it(house: House, there: Remote) -> None:
    await add_remote(house, "screen", "vnc", there.vnc)
    ticket = await house.ticket(target="screen", dataset="screen-data", door="workspace")
    async with desktop(house, ticket, "screen") as eyes:
        await eyes.until(SHOWN)
        await _typed_there(eyes)
        await close_ticket(house.ledger, ticket, by="sato", reason="done", how="done")
        await house.wiped(ticket)
    assert not house.rooms.annexes._open


async def _typed_there(eyes: Eyes) -> None:
    """Keys reach the target: what is typed stands on it, and changes its picture."""
    before = eyes.picture.copy()
    eyes.click(640, 200)
    eyes.line("SELECT everything")
    await eyes.until(lambda picture: int((picture != before).any(axis=2).sum()) > 300)
