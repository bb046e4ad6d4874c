"""A terminal in a real browser: typed into, watched by another, ended at will, replayed, searched."""

import asyncio
import fcntl
import json
import os
import pty
import signal
import ssl
import struct
import termios
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, Literal

import httpx2
import pytest
from playwright.async_api import Browser, async_playwright, expect
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from console.console_scene import Scene
from console.test_browser import _VIOLATIONS, AXE, visitor
from sekisho.console import viewer as viewers
from sekisho.console.faces import recordings
from sekisho.faults import Fault
from sekisho.gate.standing import Confirms
from sekisho.gate.tickets import require_standing
from sekisho.ledger import Recorded
from sekisho.people.freeze import freeze
from sekisho.relay.admission import Admission
from sekisho.relay.record import recordings as recorder
from sekisho.relay.record.facts import Watched
from sekisho.relay.record.faults import NEEDS_APPROVAL
from sekisho.relay.record.reading import read_account
from sekisho.relay.record.viewing import View, approve_watching, ask_to_watch, open_view
from sekisho.watch.facts import AlertRaised

pytestmark = pytest.mark.e2e


class Shell:
    """A shell of this machine at a pseudo-terminal: what a target or a sandbox stands for here."""

    def __init__(self, width: int, height: int) -> None:
        self.pid, self._master = pty.fork()
        if self.pid == 0:
            os.execve("/bin/sh", ["sh"], {"PS1": "$ ", "TERM": "xterm", "PATH": "/usr/bin:/bin"})  # noqa: S606
        os.set_blocking(self._master, False)
        self._closed = False
        self.resize(width, height)

    async def read(self) -> bytes:
        loop = asyncio.get_running_loop()
        while not self._closed:
            try:
                return os.read(self._master, 65536)
            except BlockingIOError:
                ready = asyncio.Event()
                loop.add_reader(self._master, ready.set)
                try:
                    await ready.wait()
                finally:
                    loop.remove_reader(self._master)
            except OSError:
                return b""
        return b""

    def write(self, data: bytes) -> None:
        os.write(self._master, data)

    async def drain(self) -> None:
        return

    def resize(self, width: int, height: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            os.close(self._master)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        await browser.close()


@pytest.fixture
async def shells(house: Scene) -> list[Shell]:
    """The shells that were opened through the browser's door."""
    opened: list[Shell] = []

    async def opener(admission: Admission, width: int, height: int) -> Shell:
        opened.append(Shell(width, height))
        return opened[-1]

    house.checkpoint.service.browser.openers["ssh"] = opener
    await house.checkpoint.move_target(protocol="ssh")
    return opened


async def screen(page: Any) -> str:
    return str(await page.locator(".xterm-rows").inner_text())


async def typed(page: Any, text: str) -> None:
    await page.locator("[data-screen]").click()
    await page.keyboard.type(text)
    await page.keyboard.press("Enter")


async def ends(house: Scene, count: int = 1) -> None:
    async with asyncio.timeout(10):
        while len(await house.checkpoint.facts("relay.session_closed")) < count:
            await house.checkpoint.ledger.wait_turn(0.1)


async def no_violation(page: Any) -> None:
    session = await page.context.new_cdp_session(page)
    script = f"{AXE.read_text()}; {_VIOLATIONS}"
    found = await session.send(
        "Runtime.evaluate", {"expression": script, "awaitPromise": True, "returnByValue": True}
    )
    assert found["result"].get("value") == "[]", (page.url, found)


async def test_typed_watched_ended_replayed_searched(
    house: Scene, browser: Browser, shells: list[Shell]
) -> None:
    checkpoint = house.checkpoint
    ticket = await checkpoint.ticket(door="ssh")
    async with (
        visitor(browser, house.url, cookie=await house.cookie("sato")) as sato,
        visitor(browser, house.url, cookie=await house.cookie("mori")) as mori,
        visitor(browser, house.url, cookie=await house.cookie("hogo")) as hogo,
    ):
        await sato.open(f"/terminal/{ticket}")
        await expect(sato.page.locator("[data-state]")).to_have_text("Open")
        await typed(sato.page, "echo shown-$((40+2)); printf '\\033[38;2;10;200;30mgreen\\033[0m\\n'")
        await expect(sato.page.locator(".xterm-rows")).to_contain_text("shown-42")
        await no_violation(sato.page)
        [opened] = await checkpoint.facts("record.opened")
        await typed(sato.page, "printf '\\033]52;c;c2VjcmV0\\007'; echo tried-$((1+1))")
        await expect(sato.page.locator(".xterm-rows")).to_contain_text("tried-2")

        # Nobody watches alone: mori asks, and cannot agree to it; hogo agrees.
        await mori.open(f"/recordings/{opened.about}")
        await expect(mori.page.get_by_role("link", name="Watch live")).to_have_count(0)
        await mori.page.get_by_label("Why you need to watch it").fill("an alert at 10:12")
        await mori.page.get_by_role("button", name="Ask to watch").click()
        await expect(mori.page.get_by_role("button", name="Let this person watch")).to_have_count(0)
        await hogo.open(f"/recordings/{opened.about}")
        await hogo.page.get_by_role("button", name="Let this person watch").click()
        await expect(hogo.page.get_by_role("link", name="Watch live")).to_have_count(0)

        await mori.page.reload()
        await no_violation(mori.page)
        await mori.page.get_by_role("link", name="Watch live").click()
        await expect(mori.page.locator(".xterm-rows")).to_contain_text("shown-42")  # from before
        await typed(sato.page, "echo later-$((6*7))")
        await expect(mori.page.locator(".xterm-rows")).to_contain_text("later-42")
        await no_violation(mori.page)
        await mori.page.get_by_label("Reason (the person sees it)").fill("wrong client")
        await mori.page.get_by_role("button", name="End the session").click()
        await expect(sato.page.locator(".xterm-rows")).to_contain_text("wrong client")
        await expect(sato.page.locator("[data-state]")).to_have_text("The session has ended.")
        await expect(sato.page.get_by_role("link", name="Open a new terminal")).to_be_visible()
        await ends(house)

        await mori.open(f"/recordings/{opened.about}")
        await expect(mori.page.get_by_text("to the last byte")).to_be_visible()
        await mori.page.get_by_role("link", name="Watch", exact=True).click()
        await expect(mori.page.locator("[data-state]")).to_have_text("That you watch is recorded.")
        await mori.page.get_by_label("Speed").select_option("16")
        await mori.page.get_by_role("button", name="Play").click()
        await expect(mori.page.locator(".xterm-rows")).to_contain_text("later-42", timeout=15_000)
        await mori.page.get_by_label("Text on the screen").fill("SHOWN-42")
        await mori.page.get_by_role("button", name="Find", exact=True).click()
        hit = mori.page.locator("[data-play=found] button").first
        await expect(hit).to_contain_text("shown-42")
        await hit.click()
        await expect(mori.page.locator(".xterm-rows")).to_contain_text("shown-42")
        await expect(mori.page.locator(".xterm-rows")).not_to_contain_text("later-42")
        await no_violation(mori.page)
        # Where a control string was removed is a mark to jump to.
        mark = mori.page.locator("[data-play=marks] button").filter(has_text="removed").first
        await mark.click()
        await expect(mori.page.locator(".xterm-rows")).not_to_contain_text("later-42")
        # What is selected does not come to the clipboard.
        await mori.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        await mori.page.evaluate("navigator.clipboard.writeText('before')")
        box = await mori.page.locator(".xterm-screen").bounding_box()
        assert box is not None
        await mori.page.mouse.dblclick(box["x"] + 40, box["y"] + 8)
        await mori.page.evaluate(
            "document.querySelector('.xterm-helper-textarea').focus(); document.execCommand('copy')"
        )
        assert await mori.page.evaluate("navigator.clipboard.readText()") == "before"
    watched = [one.typed() for one in await checkpoint.facts("record.watched")]
    assert [(one.person, one.live) for one in watched if isinstance(one, Watched)] == [
        ("mori", True),
        ("mori", False),
    ]
    [closed] = await checkpoint.facts("record.closed")
    assert closed.about == opened.about


@pytest.mark.parametrize(("language", "width", "scheme"), [("ja", 390, "dark"), ("en", 1280, "light")])
async def test_pages_of_recordings_fit_and_axe_finds_nothing(
    house: Scene, browser: Browser, language: str, width: int, scheme: Literal["dark", "light"]
) -> None:
    checkpoint = house.checkpoint
    recording = await checkpoint.service.recordings.open(
        "s-1", person="sato", ticket="T-1", organisation="minato", kind="ssh", title="x", width=80, height=24
    )
    recording.output("漢字 \x1b[31m赤\x1b[0m\r\n".encode())
    await recording.close()
    alert = AlertRaised(
        alert="a-1",
        detector="bulk",
        head="session",
        human="sato",
        organisation="minato",
        session="s-1",
        ticket="T-1",
        at=0,
        claim=9.0,
        score=9.0,
        observed=9.0,
        expected=1.0,
        values={},
        refs=(),
        certain=True,
        to=("mori",),
    )
    await checkpoint.ledger.record(alert, by="sekisho", about="a-1")
    name = recording.recording
    ticket = await checkpoint.ticket(door="ssh")
    pages = {
        "haruka": ("/recordings", f"/recordings/{name}", f"/recordings/{name}/play"),
        "sato": (f"/terminal/{ticket}",),
    }
    for person, paths in pages.items():
        async with visitor(
            browser, house.url, cookie=await house.cookie(person), width=width, language=language
        ) as window:
            await window.page.emulate_media(color_scheme=scheme)
            for path in paths:
                await window.open(path)
                if path.endswith("/play"):
                    await expect(window.page.locator("[data-play=marks] button")).to_have_text("0:00 ! bulk")
                    await window.page.get_by_role(
                        "button", name="再生" if language == "ja" else "Play"
                    ).click()
                    await expect(window.page.locator(".xterm-rows")).to_contain_text("漢字 赤")
                await window.fits()
                await no_violation(window.page)


async def passed(house: Scene, client: httpx2.AsyncClient, ticket: str, door: str = "ssh") -> str:
    page = (await client.get(f"/terminal/{ticket}?door={door}")).text
    csrf = page.split('name="csrf" value="')[1].split('"')[0]
    answer = await client.post(f"/terminal/{ticket}/pass?door={door}", data={"csrf": csrf})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["socket_pass"])


def opening(house: Scene, ticket: str, cookie: str, origin: str | None = None, *, path: str = "") -> connect:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return connect(
        house.url.replace("https", "wss") + (path or f"/terminal/{ticket}/socket?door=ssh"),
        origin=origin or house.url,  # type: ignore[arg-type]
        additional_headers={"cookie": f"{viewers.SESSION_COOKIE}={cookie}"},
        ssl=context,
        compression=None,
    )


def hello(given: str) -> str:
    return json.dumps({"pass": given, "width": 80, "height": 24})


async def heard(socket: Any, wanted: str) -> str:
    said = ""
    async with asyncio.timeout(10):
        while wanted not in said:
            message = await socket.recv()
            said += message if isinstance(message, str) else message.decode()
    return said


async def test_a_socket_opens_only_from_an_own_page_with_a_fresh_pass(
    house: Scene, shells: list[Shell]
) -> None:
    ticket = await house.checkpoint.ticket(door="ssh")
    async with house.client("sato") as client:
        cookie = client.cookies[viewers.SESSION_COOKIE]
        # Another origin, or no session: refused before anything is accepted.
        for origin, sent in (("https://elsewhere.example", cookie), (None, "made-up")):
            with pytest.raises(InvalidStatus):
                async with opening(house, ticket, sent, origin):
                    pass
        # A made-up pass, and another session's.
        async with house.client("sato") as other:
            foreign = await passed(house, other, ticket)
        for wrong in ("made-up", foreign):
            async with opening(house, ticket, cookie) as socket:
                await socket.send(hello(wrong))
                assert "SEK-CONS-030" in await heard(socket, "code")
                with pytest.raises(ConnectionClosed):
                    await socket.recv()
        assert shells == []
        mine = await passed(house, client, ticket)
        async with opening(house, ticket, cookie) as socket:
            await socket.send(hello(mine))
            await heard(socket, "opened")
            await socket.send('{"width": 100, "height": 30}')
            await socket.send(b"stty size\r")
            await heard(socket, "30 100")
        # Used once is used up.
        async with opening(house, ticket, cookie) as socket:
            await socket.send(hello(mine))
            assert "SEK-CONS-030" in await heard(socket, "code")
        assert len(shells) == 1
        # Somebody else's ticket is nobody's business.
        async with house.client("mori") as mori:
            assert (await mori.get(f"/terminal/{ticket}")).status_code in (403, 404)
    await ends(house)


async def test_the_door_decides_and_what_is_frozen_ends(house: Scene, shells: list[Shell]) -> None:
    checkpoint = house.checkpoint
    waiting = await checkpoint.ticket(door="ssh", approved=False)
    async with house.client("sato") as client:
        cookie = client.cookies[viewers.SESSION_COOKIE]
        async with opening(house, waiting, cookie) as socket:
            await socket.send(hello(await passed(house, client, waiting)))
            assert "SEK-GATE" in await heard(socket, "code")
        assert shells == []
        assert await checkpoint.facts("record.opened") == []
        ticket = await checkpoint.ticket(door="ssh")
        async with opening(house, ticket, cookie) as socket:
            await socket.send(hello(await passed(house, client, ticket)))
            await heard(socket, "opened")
            # The answer of the scanner's meter: a person on the screen is a person of the budget.
            await socket.send("printf '佐藤 花子 090-1234-5678\\n'\r".encode())
            await heard(socket, "090-1234-5678\r\n")
            await freeze(checkpoint.ledger, "sato", by="kanri", reason="test")
            await heard(socket, "ended")
    await ends(house)
    assert shells[0]._closed
    [closed] = await checkpoint.facts("relay.session_closed")
    assert closed.typed().persons == 1  # type: ignore[union-attr]


async def test_a_client_watches_its_own_and_an_administrator_nothing(
    house: Scene, shells: list[Shell]
) -> None:
    checkpoint = house.checkpoint
    ticket = await checkpoint.ticket(door="ssh")
    async with house.client("sato") as client:
        cookie = client.cookies[viewers.SESSION_COOKIE]
        async with opening(house, ticket, cookie) as socket:
            await socket.send(hello(await passed(house, client, ticket)))
            await heard(socket, "opened")
            await socket.send("printf '佐藤 花子 090-1234-5678\\n'; echo sec''ret-word\r".encode())
            await heard(socket, "secret-word")
    await ends(house)
    [opened] = await checkpoint.facts("record.opened")
    cast = f"/recordings/{opened.about}/cast"
    for person, status in (
        ("haruka", 200),  # the client whose data it is
        ("aoi", 404),  # another client
        ("mori", 403),  # supervises, and has no approval
        ("kensa", 403),  # audits, and has none
        ("hogo", 403),  # may approve, not watch
        ("kanri", 403),
        ("kura", 403),
        ("sato", 403),  # whom it is about
    ):
        async with house.client(person) as client:
            answer = await client.get(cast)
            assert answer.status_code == status, (person, answer.text)
            assert ("secret-word" in answer.text) == (status == 200)
            if status == 200:
                assert '"i"' not in answer.text  # what was typed is not in a replay
    watched = await checkpoint.facts("record.watched")
    assert [one.by for one in watched] == ["haruka"]


async def test_a_recorder_that_fails_ends_the_terminal(
    house: Scene, shells: list[Shell], monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = await house.checkpoint.ticket(door="ssh")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    async with house.client("sato") as client:
        cookie = client.cookies[viewers.SESSION_COOKIE]
        async with opening(house, ticket, cookie) as socket:
            await socket.send(hello(await passed(house, client, ticket)))
            await heard(socket, "opened")
            await heard(socket, "$ ")
            monkeypatch.setattr(recorder, "_write", full)
            await socket.send(b"echo un''recorded\r")
            said = await heard(socket, "SEK-RECD-001")
            assert "unrecorded" not in said
            monkeypatch.undo()
    await ends(house)
    [closed] = await house.checkpoint.facts("record.closed")
    assert closed.typed().code == "SEK-RECD-001"  # type: ignore[union-attr]
    assert shells[0]._closed


async def test_a_watcher_who_is_frozen_watches_no_more(
    house: Scene, shells: list[Shell], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recordings, "LOOK_AGAIN_SECONDS", 0.2)
    checkpoint = house.checkpoint
    running = await checkpoint.service.recordings.open(
        "s-1", person="sato", ticket="T-1", organisation="minato", kind="ssh", title="x", width=80, height=24
    )
    name = running.recording
    async with house.client("haruka") as client:
        page = (await client.get(f"/recordings/{name}")).text
        csrf = page.split('name="csrf" value="')[1].split('"')[0]
        leave = (await client.post(f"/recordings/{name}/pass", data={"csrf": csrf})).json()["socket_pass"]
        cookie = client.cookies[viewers.SESSION_COOKIE]
        running.output(b"before the view ")
        async with opening(house, "", cookie, path=f"/recordings/{name}/socket") as socket:
            await socket.send(hello(leave))
            await heard(socket, "before the view")
            running.output(b"while it is open")
            await heard(socket, "while it is open")
            await freeze(checkpoint.ledger, "haruka", by="kanri", reason="test")
            await heard(socket, '"ended":"right"')
    await running.close()


async def test_where_nobody_was_counted_one_person_is_enough(house: Scene, shells: list[Shell]) -> None:
    checkpoint = house.checkpoint
    ticket = await checkpoint.ticket(door="ssh")
    async with house.client("sato") as client:
        cookie = client.cookies[viewers.SESSION_COOKIE]
        async with opening(house, ticket, cookie) as socket:
            await socket.send(hello(await passed(house, client, ticket)))
            await heard(socket, "opened")
            await socket.send(b"uptime\r")
            await heard(socket, "load")
    await ends(house)
    [opened] = await checkpoint.facts("record.opened")
    for person, status in (("mori", 200), ("hogo", 403), ("sato", 403), ("kanri", 403)):
        async with house.client(person) as client:
            answer = await client.get(f"/recordings/{opened.about}/cast")
            assert answer.status_code == status, (person, answer.text)
    assert [one.by for one in await checkpoint.facts("record.watched")] == ["mori"]


async def test_a_right_to_watch_ends_after_an_hour(house: Scene, shells: list[Shell]) -> None:
    checkpoint = house.checkpoint
    recording = await checkpoint.service.recordings.open(
        "s-1", person="sato", ticket="T-1", organisation="minato", kind="ssh", title="x", width=80, height=24
    )
    recording.output(b"090-1234-5678")
    await recording.close()  # no session closed with it: nobody can say that it shows nobody
    account = await read_account(checkpoint.ledger, recording.recording)
    asked = await ask_to_watch(checkpoint.ledger, account.opened, "mori", "an alert")
    request = asked.leaf_hash.hex()
    for wrong in ("mori", "kanri", "kensa", "sato"):
        with pytest.raises(Fault):
            await approve_watching(checkpoint.ledger, account.opened, request, wrong)
    given = await approve_watching(checkpoint.ledger, account.opened, request, "hogo")
    actor = (await require_standing(checkpoint.ledger, "mori")).actor

    async def watch(minutes: int, confirms: Confirms | None = None) -> View:
        return await open_view(
            checkpoint.ledger,
            account,
            actor,
            now=given.at + timedelta(minutes=minutes),
            confirms=confirms,
            live=False,
            way="console",
        )

    assert (await watch(59)).request == request
    with pytest.raises(Fault) as late:
        await watch(60)
    assert late.value.kind is NEEDS_APPROVAL

    async def unpublished(recorded: Recorded) -> bool:
        return recorded.fact != "record.view_approved"

    with pytest.raises(Fault):  # an approval that only the database knows is none
        await watch(1, unpublished)
    with pytest.raises(TypeError):
        View(recording.recording, "mori", request, 0, None, object())
