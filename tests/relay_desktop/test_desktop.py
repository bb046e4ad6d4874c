"""A desktop in a real browser, with a real X server in a real sandbox before a real PostgreSQL."""

import asyncio
import base64
import io
from datetime import UTC, datetime

import numpy as np
import pytest
from PIL import Image
from playwright.async_api import Browser, Page, expect

from console.test_browser import browser, visitor
from relay_workspace.conftest import database, house
from relay_workspace.workspace_scene import House, allow
from sekisho.faults import Fault
from sekisho.gate.tickets import close_ticket, require_standing
from sekisho.people.identity import Method, minted
from sekisho.people.sessions import Sessions
from sekisho.relay.desktop import imprint
from sekisho.relay.desktop.mark import Mark
from sekisho.relay.desktop.picture import Picture
from sekisho.relay.desktop.reel import ReelReader
from sekisho.relay.desktop.screen import HEIGHT, WIDTH
from sekisho.relay.desktop.session import TITLE, mark_text
from sekisho.relay.record.facts import DESKTOP
from sekisho.relay.record.reading import data_key, read_account, stored_events
from sekisho.relay.record.recordings import path_of
from sekisho.relay.record.viewing import open_view, shows_personal_data
from sekisho.service.service import DOOR_SECRET

pytestmark = pytest.mark.e2e
__all__ = ["browser", "database", "house"]
QUERY = (
    "SELECT customer_id, name AS 氏名, plan FROM minato.customers ORDER BY customer_id LIMIT 3"
    " \\g (format=csv) rows.csv"
)


async def entered(house: House) -> tuple[str, str]:
    _, cookie = await Sessions(house.ledger).open(minted("sato", "sato", Method.PASSKEY, "test"))
    return f"https://localhost:{house.checkpoint.service.console[1]}", cookie


def key_of(house: House) -> bytes:
    return imprint.mark_key((house.checkpoint.service.state / DOOR_SECRET).read_bytes())


async def typed(page: Page, line: str) -> None:
    """Through the page's own line, as whoever has a Japanese keyboard does, then Enter in the desktop."""
    await page.fill("#line", line)
    await page.click("[data-line] button")
    await page.locator("[data-screen] canvas").click()
    await page.keyboard.press("Enter")


async def picture(page: Page) -> bytes:
    """The canvas: red, green, blue."""
    png = await page.evaluate("document.querySelector('[data-screen] canvas').toDataURL('image/png')")
    return Image.open(io.BytesIO(base64.b64decode(png.partition(",")[2]))).convert("RGB").tobytes()


async def drawn(page: Page) -> None:
    """The desktop is open, and its terminal is there: brighter than the marks on black."""
    await expect(page.locator("[data-state]")).to_have_text("Open", timeout=20_000)
    async with asyncio.timeout(20):
        while np.count_nonzero(np.frombuffer(await picture(page), np.uint8) >= 200) < 5_000:  # a title bar
            await page.wait_for_timeout(100)
    await still(page)  # a window is there before its shell takes keys


async def still(page: Page) -> bytes:
    """The picture, once it stays as it is."""
    before = b""
    async with asyncio.timeout(15):
        while (now := await picture(page)) != before:
            before = now
            await page.wait_for_timeout(300)
    return before


async def nothing_comes_out_or_in(page: Page) -> None:
    """Clipboard, drag, download, print. A copy of the canvas, which a page cannot forbid to its own user, has the
    marks: the test goes on to hold it against the recording."""
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.evaluate("navigator.clipboard.writeText('before')")
    canvas = page.locator("[data-screen] canvas")
    box = await canvas.bounding_box()
    assert box is not None
    # Selected in the terminal with the mouse, and copied with the keys of both worlds.
    await page.mouse.dblclick(box["x"] + 60, box["y"] + 80)
    for keys in ("Control+c", "Control+Insert", "Control+Shift+C"):
        await page.keyboard.press(keys)
    assert await page.evaluate("navigator.clipboard.readText()") == "before"
    # What is in the clipboard of the terminal is not pasted: the page has no event for it, the wire no message.
    stopped = await page.evaluate(
        """["copy", "cut", "paste", "dragstart", "contextmenu"].map((name) => {
          const event = new Event(name, { bubbles: true, cancelable: true });
          document.querySelector("[data-screen] canvas").dispatchEvent(event);
          return event.defaultPrevented;
        })"""
    )
    assert stopped == [True] * 5
    # Nothing in the page is a file, or leads to one.
    assert await page.locator("main a[download], main a[href^='blob:'], main input[type=file]").count() == 0
    # On paper there is no screen.
    await page.emulate_media(media="print")
    await expect(canvas).to_be_hidden()
    await page.emulate_media(media="screen")
    await expect(canvas).to_be_visible()


async def test_a_query_in_japanese_a_lost_page_the_recording_and_the_end(
    house: House, browser: Browser
) -> None:
    ticket = await house.ticket()
    url, cookie = await entered(house)
    async with visitor(browser, url, cookie=cookie, width=1400) as window:
        page = window.page
        await page.goto(f"{url}/work/{ticket}/workspace")
        await page.get_by_role("link", name="Open the desktop").click()
        await drawn(page)
        await typed(page, "psql -X")
        await typed(page, QUERY)
        rows = (await house.saved(ticket, "rows.csv")).decode()
        assert rows.startswith("customer_id,氏名,plan\n")
        assert rows.count("佐＊＊") == 3
        await nothing_comes_out_or_in(page)
        # What the browser holds is what was recorded, the mark in it.
        canvas = await still(page)
        [opened] = await house.checkpoint.facts("record.opened")
        folder = house.checkpoint.service.state / "recordings"
        account = await read_account(house.ledger, opened.about)
        assert account.opened.kind == DESKTOP
        name, key = account.opened.recording, await data_key(house.ledger, account.opened)
        events = list(stored_events(folder, name, key, path_of(folder, name).stat().st_size))
        signs = imprint.drawn(key_of(house), account.opened.session, WIDTH, HEIGHT)
        text = mark_text("sato", account.opening.at, account.opened.session)
        mark = Mark(WIDTH, HEIGHT, text, signs)
        reel, seen = ReelReader(WIDTH, HEIGHT), Picture(WIDTH, HEIGHT, mark)
        for event in events:
            if event.code == "o":
                seen.apply(reel.feed(event.data))
        assert mark.draw(seen.content, 0, 0).tobytes() == canvas
        typed_text = b"".join(event.data for event in events if event.code == "i").decode()
        assert "AS 氏名" in typed_text
        titles = [event.data.decode() for event in events if event.code == "m"]
        assert any(title.startswith(TITLE) for title in titles)
        # The page is lost; the shell goes on, and another page takes it up.
        await typed(page, "\\q")
        await typed(page, "same=desktop")
        await page.reload()
        await drawn(page)
        await typed(page, "echo $same > kept.txt")
        assert await house.saved(ticket, "kept.txt") == b"desktop\n"
        # Ended from outside: told here, and nothing of it is left.
        [held] = [room.box for room in house.rooms._rooms.values()]
        assert held is not None
        await close_ticket(house.ledger, ticket, by="sato", reason="done", how="done")
        await expect(page.locator("[data-state]")).to_contain_text("SEK-")
        await house.wiped(ticket)
        assert held.ended.done()
        # Nobody counted what it showed: it counts as showing somebody, and the worker does not watch himself.
        async with asyncio.timeout(10):
            while not await house.checkpoint.facts("record.closed"):
                await house.ledger.wait_turn(0.1)
        account = await read_account(house.ledger, name)
        assert await shows_personal_data(house.ledger, account, None)
        sato = (await require_standing(house.ledger, "sato")).actor
        with pytest.raises(Fault):
            await open_view(
                house.ledger, account, sato, now=datetime.now(UTC), confirms=None, live=False, way="test"
            )


async def test_without_the_policy_there_is_no_desktop(house: House, browser: Browser) -> None:
    await allow(house.ledger, desktops=False)
    ticket = await house.ticket()
    url, cookie = await entered(house)
    async with visitor(browser, url, cookie=cookie) as window:
        page = window.page
        await page.goto(f"{url}/work/{ticket}/workspace")
        await expect(page.get_by_role("link", name="Open a shell")).to_be_visible()
        await expect(page.get_by_role("link", name="Open the desktop")).to_have_count(0)
        await page.goto(f"{url}/desktop/{ticket}")
        await expect(page.locator("[data-state]")).to_contain_text("SEK-GATE-020")
        assert await house.checkpoint.facts("gate.access_refused")
