"""Recordings of desktops in a real browser: replayed, searched, watched live, and whose picture a screenshot is."""

import asyncio
import base64
import io
import os
import random
from typing import Literal

import numpy as np
import pytest
from PIL import Image
from playwright.async_api import Browser, Page, expect

from console.conftest import database, house
from console.console_scene import Scene
from console.test_browser import browser, visitor
from console.test_terminal_pages import no_violation
from desktop_pictures import desktop
from sekisho.relay.desktop.imprint import mark_key
from sekisho.relay.desktop.mark import forms
from sekisho.relay.desktop.reel import ReelWriter
from sekisho.relay.desktop.screen import HEIGHT, WIDTH
from sekisho.relay.desktop.session import TITLE
from sekisho.relay.desktop.sighting import find
from sekisho.relay.desktop.watching import view_name
from sekisho.relay.record.facts import DESKTOP, Watched
from sekisho.relay.record.recordings import Recording
from sekisho.service.service import DOOR_SECRET
from sekisho.wire.rfb.messages import Pixels

pytestmark = pytest.mark.e2e
__all__ = ["browser", "database", "house"]
PICTURES = os.environ.get("SEKISHO_TEST_PICTURES", "")  # a folder for whoever wants to look
FIRST, SECOND = 5 << 10 | 20 << 5 | 6, 22 << 10 | 3 << 5 | 9


class Worker:
    """Works in a desktop that is not there: what a session records of it."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.screen = desktop(random.Random(1))
        self.reel = ReelWriter()
        recording.when_watched(self.whole)

    def whole(self) -> None:
        for piece in self.reel.whole(self.screen):
            self.recording.output(piece)

    def paint(self, colour: int) -> None:
        """A corner of the screen."""
        area = np.full((60, 100), colour, np.uint16)
        self.screen[:60, :100] = area
        for piece in self.reel.changes([Pixels(0, 0, 100, 60, area.tobytes())]):
            self.recording.output(piece)

    def later(self, seconds: float) -> None:
        self.recording._started -= round(seconds * 1e9)


async def works(house: Scene, session: str = "s-1") -> Worker:
    return Worker(
        await house.checkpoint.service.recordings.open(
            session, person="sato", ticket="T-1", organisation="minato", kind=DESKTOP, title="sato → callcentre",
            width=WIDTH, height=HEIGHT,
        )
    )  # fmt: skip


async def canvas(page: Page) -> Image.Image:
    png = await page.evaluate("document.querySelector('[data-screen] canvas').toDataURL('image/png')")
    return Image.open(io.BytesIO(base64.b64decode(png.partition(",")[2]))).convert("RGB")


async def shows(page: Page, colour: int) -> None:
    """The corner has this colour, in one of the forms that the faint mark gives it."""
    wanted = {tuple(int(part) for part in form) for form in forms()[:2, colour]}
    await expect(page.locator("[data-screen] canvas")).to_be_visible()
    async with asyncio.timeout(10):
        while (await canvas(page)).getpixel((30, 30)) not in wanted:
            await page.wait_for_timeout(50)


@pytest.mark.parametrize(("language", "width", "scheme"), [("ja", 390, "dark"), ("en", 1280, "light")])
async def test_a_desktop_is_replayed_searched_and_names_its_watcher(
    house: Scene, browser: Browser, language: str, width: int, scheme: Literal["dark", "light"]
) -> None:
    worker = await works(house)
    worker.paint(FIRST)
    worker.whole()
    worker.recording.mark(TITLE + "psql 架空の題名")
    for key in "SELECT 氏名\r":
        worker.recording.input(key.encode())
    worker.later(5)
    worker.paint(SECOND)
    worker.recording.mark("removed: clipboard")
    await worker.recording.close()
    name = worker.recording.recording
    ja = language == "ja"
    async with visitor(
        browser, house.url, cookie=await house.cookie("haruka"), width=width, language=language
    ) as haruka:
        page = haruka.page
        await page.emulate_media(color_scheme=scheme)
        await haruka.open(f"/recordings/{name}/play")
        await shows(page, FIRST)
        found = page.locator("[data-play=found] button")
        marks = page.locator("[data-play=marks] button")
        await expect(marks).to_have_text(["0:00 psql 架空の題名", "0:05 removed: clipboard"])
        await page.get_by_label("速度" if ja else "Speed").select_option("16")
        await page.get_by_role("button", name="再生" if ja else "Play").click()
        await shows(page, SECOND)
        await page.fill("#text", "氏名")
        await page.get_by_role("button", name="検索する" if ja else "Find", exact=True).click()
        await expect(found).to_have_text("0:00 SELECT 氏名")
        await found.click()
        await shows(page, FIRST)
        await marks.nth(1).click()  # a second before it
        await shows(page, FIRST)
        await page.evaluate(
            "const range = document.querySelector('[data-play=range]'); range.value = range.max;"
            "range.dispatchEvent(new Event('change'))"
        )
        await shows(page, SECOND)
        if PICTURES:
            await page.screenshot(path=f"{PICTURES}/replay-{language}.png", full_page=True)
        await haruka.fits()
        await no_violation(page)
        seen = await canvas(page)
    # The picture that came into the browser names this view.
    [watched] = await house.checkpoint.facts("record.watched")
    secret = mark_key((house.checkpoint.service.state / DOOR_SECRET).read_bytes())
    views = [view_name(number) for number in range(watched.seq - 200, watched.seq + 200)]
    assert find(seen, secret, views, (WIDTH, HEIGHT)).session == view_name(watched.seq)


async def test_a_desktop_is_watched_live_until_it_ends(house: Scene, browser: Browser) -> None:
    worker = await works(house)
    worker.paint(FIRST)
    async with (
        visitor(browser, house.url, cookie=await house.cookie("haruka")) as haruka,
        visitor(browser, house.url, cookie=await house.cookie("mori")) as mori,
    ):
        # Who commands the worker does not watch alone.
        await mori.page.goto(f"{house.url}/recordings/{worker.recording.recording}/play")
        await expect(mori.page.locator("[data-state]")).to_contain_text("SEK-RECD-006")
        assert await mori.page.locator("[data-screen] canvas").count() == 0
        await haruka.open(f"/recordings/{worker.recording.recording}/play")
        await shows(haruka.page, FIRST)
        worker.paint(SECOND)
        await shows(haruka.page, SECOND)
        worker.recording.mark(TITLE + "架空の題名")
        await expect(haruka.page.locator("[data-state]")).to_contain_text("架空の題名")
        # Keys of somebody who only looks go nowhere: there is no upstream to take them.
        await haruka.page.locator("[data-screen] canvas").click()
        await haruka.page.keyboard.type("x")
        await no_violation(haruka.page)
        await worker.recording.close()
        await expect(haruka.page.locator("[data-state]")).to_have_text("The session has ended.")
    [watched] = await house.checkpoint.facts("record.watched")
    assert watched.by == "haruka"
    fact = watched.typed()
    assert isinstance(fact, Watched)
    assert fact.live


async def test_no_view_of_text_plays_it(house: Scene) -> None:
    worker = await works(house)
    worker.paint(FIRST)
    await worker.recording.close()
    async with house.client("haruka", **{"content-type": "application/json"}) as client:
        answer = await client.get(f"/recordings/{worker.recording.recording}/cast")
    assert "SEK-RECD-009" in answer.text
    assert await house.checkpoint.facts("record.watched") == []
