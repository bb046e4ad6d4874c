"""Pages in a real browser: first start-up, passkeys, a ticket's life, the kill switch, the client's view."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import asyncpg
import pytest
from playwright.async_api import Browser, BrowserContext, Locator, Page, async_playwright, expect

from console.console_scene import Scene
from sekisho.console.viewer import SESSION_COOKIE
from sekisho.evidence.policy import Policy
from sekisho.evidence.proof import parse_proof
from sekisho.evidence.verify import verify_bundle
from sekisho.people.facts import PersonAdded, PersonFrozen
from sekisho.people.links import LinkDesk
from sekisho.service.service import create_state, running
from sekisho.service.settings import Settings

pytestmark = pytest.mark.e2e

AXE = Path(__file__).parents[2] / "build/front-end/node_modules/axe-core/axe.min.js"


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        await browser.close()


@dataclass
class Visitor:
    """A browser window of one person, and what it complained of."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)

    async def open(self, path: str) -> None:
        answer = await self.page.goto(self.url + path)
        assert answer is not None
        assert answer.status == 200, (path, await self.page.content())

    async def fits(self) -> None:
        width = await self.page.evaluate("document.documentElement.scrollWidth")
        size = self.page.viewport_size
        assert size is not None
        assert width <= size["width"], self.page.url


@asynccontextmanager
async def visitor(
    browser: Browser, url: str, *, cookie: str = "", width: int = 1280, language: str = "en"
) -> AsyncIterator[Visitor]:
    context: BrowserContext = await browser.new_context(
        ignore_https_errors=True, locale=language, viewport={"width": width, "height": 900}
    )
    if cookie:
        await context.add_cookies(
            [
                {
                    "name": SESSION_COOKIE,
                    "value": cookie,
                    "url": url,
                    "secure": True,
                    "httpOnly": True,
                    "sameSite": "Strict",
                }
            ]
        )
    page = await context.new_page()
    made = Visitor(page, url)
    page.on("console", lambda message: made.complaints.append(message.text))
    page.on("pageerror", lambda error: made.complaints.append(str(error)))
    page.on("dialog", lambda dialog: dialog.accept())
    yield made
    await context.close()
    assert made.complaints == []


async def authenticator(page: Page) -> None:
    """A virtual authenticator: it holds passkeys and verifies its user."""
    session = await page.context.new_cdp_session(page)
    await session.send("WebAuthn.enable")
    options: dict[str, Any] = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    await session.send("WebAuthn.addVirtualAuthenticator", {"options": options})


async def become_administrator(browser: Browser, url: str, secret: str) -> Visitor:
    """Follow the one-time link, register a passkey, and log in with it."""
    context = await browser.new_context(ignore_https_errors=True, locale="en")
    page = await context.new_page()
    await authenticator(page)
    await page.goto(f"{url}/first#{secret}")
    await expect(page.get_by_label("The link's secret")).to_have_value(secret)
    assert "#" not in page.url  # nothing is left in the history
    await page.get_by_role("button", name="Use the link").click()
    await page.get_by_role("button", name="Register a passkey").click()
    await page.get_by_role("button", name="Log in with a passkey").click()
    await expect(page.get_by_role("heading", name="People", exact=True)).to_be_visible()
    return Visitor(page, url)


async def test_the_first_administrators_come_by_link_and_cannot_act_alone(
    tmp_path: Path, browser: Browser
) -> None:
    state = tmp_path / "state"
    create_state(
        state, Settings(origin="c.example", postgres_listen="127.0.0.1:0", console_listen="127.0.0.1:0")
    )
    async with running(state, publish_seconds=0.05, watch_apart=False) as service:
        url = f"https://localhost:{service.console[1]}"
        for person, name in (("ichiban", "一番 花"), ("niban", "二番 葉"), ("shinjin", "新人 空")):
            added = PersonAdded(person=person, name=name, employer="Example House", manager="", language="ja")
            await service.ledger.record(added, by="sekisho", about=person)
        links = LinkDesk(service.ledger)
        secrets = [await links.first_link(person) for person in ("ichiban", "niban")]
        first = await become_administrator(browser, url, secrets[0])

        page = first.page
        await page.goto(f"{url}/people/shinjin")
        await page.get_by_text("Give a role").click()
        await page.get_by_label("Role", exact=True).select_option("auditor")
        await page.locator("#role-reason").fill("joins the audit")
        await page.get_by_role("button", name="Ask a second administrator").click()
        await expect(page.get_by_text("somebody else has to agree")).to_be_visible()
        await expect(page.get_by_role("button", name="Agree")).to_have_count(0)
        # Nor by going around the page: the same form, sent by hand.
        csrf = await page.locator("input[name=csrf]").first.get_attribute("value")
        action = await page.locator("form[action^='/asks/']").get_attribute("action")
        answer = await page.request.post(
            url + str(action),
            form={"csrf": str(csrf), "act": "role", "person": "shinjin"},
            headers={"origin": url},
        )
        assert answer.status == 403
        assert "SEK-PEOP-007" in await answer.text()
        assert await service.ledger.facts(0, 9, names=["people.role_granted"], about="shinjin") == []

        second = await become_administrator(browser, url, secrets[1])
        await second.page.get_by_role("button", name="Agree").click()
        await expect(second.page.get_by_text("somebody else has to agree")).to_have_count(0)
        [granted] = await service.ledger.facts(0, 9, names=["people.role_granted"], about="shinjin")
        assert granted.by == "niban"

        # A link opens once.
        await page.goto(f"{url}/logout")
        await page.context.clear_cookies()
        await page.goto(f"{url}/first#{secrets[0]}")
        await page.get_by_role("button", name="Use the link").click()
        await expect(page.get_by_role("alert")).to_contain_text("SEK-PEOP-012")


async def fetch(window: Visitor, link: Locator) -> bytes:
    """What the link leads to, as this person."""
    answer = await window.page.request.get(window.url + str(await link.get_attribute("href")))
    assert answer.status == 200
    return await answer.body()


async def test_a_ticket_from_the_request_to_the_clients_proof(
    house: Scene, browser: Browser, tmp_path: Path
) -> None:
    checkpoint = house.checkpoint
    async with visitor(browser, house.url, cookie=await house.cookie("sato")) as sato:
        page = sato.page
        await sato.open("/work/request?dataset=minato-customers")
        await page.get_by_label("Purpose").fill("A customer was billed twice")
        await page.get_by_label("Persons whose data you need to see").fill("30")
        opens = await page.get_by_label("From (Japan)").input_value()
        await page.get_by_label("From (Japan)").fill(opens)
        await page.get_by_label("telephone number", exact=True).check()
        await page.locator("input[name='reason:phone']").fill("to call back")
        await page.get_by_role("button", name="Send the request").click()
        await expect(page.get_by_text("Waiting for approval")).to_be_visible()
    [asked] = await checkpoint.facts("gate.ticket_requested")
    ticket = asked.about

    # On a phone, in Japanese.
    async with visitor(
        browser, house.url, cookie=await house.cookie("mori"), width=390, language="ja"
    ) as mori:
        await mori.open("/queue")
        await expect(mori.page.get_by_text("比較の対象がありません")).to_be_visible()
        await expect(mori.page.get_by_text("to call back")).to_be_visible()
        await mori.fits()
        await mori.page.get_by_role("button", name="承認", exact=True).click()
        await expect(mori.page.get_by_text("承認待ちの申請はありません。")).to_be_visible()

    run = await checkpoint.psql(ticket, "SELECT name, phone FROM minato.customers LIMIT 7")
    assert "090-0000-" in run.stdout
    assert "佐藤 花子" not in run.stdout
    await asyncio.sleep(0.3)
    async with visitor(browser, house.url, cookie=await house.cookie("haruka")) as haruka:
        page = haruka.page
        await haruka.open("/portal")
        row = page.get_by_role("row").filter(has_text="A customer was billed twice")
        await expect(row).to_contain_text("7")
        await expect(row).to_contain_text("Example Outsourcing")
        proof = await fetch(haruka, row.locator("a[href^='/proof']").last)
        assert parse_proof(proof).index > 0
        await row.get_by_role("link").first.click()
        await expect(page.get_by_text("telephone number: to call back")).to_be_visible()
        await expect(page.get_by_text("みなと養蜂園 → outsourcing")).to_be_visible()
        bundle = tmp_path / "evidence.zip"
        bundle.write_bytes(await fetch(haruka, page.get_by_role("link", name="Take the evidence")))
        report = verify_bundle(bundle, policy=Policy.of_keys([checkpoint.service.log_key], [], 0))
        assert report.ok
        assert report.pinned
        assert report.entries >= 3
        await haruka.open("/portal/digest")
        digest = page.get_by_role("row").filter(has_text="A customer was billed twice").first
        await expect(digest).to_contain_text("7")
        await expect(page.get_by_role("row").filter(has_text=ticket)).to_be_visible()
    assert len(await checkpoint.facts("console.proof_taken")) >= 3


async def test_a_live_session_is_watched_and_ended(house: Scene, browser: Browser) -> None:
    checkpoint = house.checkpoint
    ticket = await checkpoint.ticket()
    async with checkpoint.connect(ticket) as connection:
        await connection.fetch("SELECT plan FROM minato.customers LIMIT 2")
        async with visitor(browser, house.url, cookie=await house.cookie("mori")) as mori:
            page = mori.page
            await mori.open("/live")
            await page.get_by_role("row").filter(has_text="In use").get_by_role("link").click()
            await expect(page.get_by_text("SELECT plan FROM minato.customers LIMIT 2")).to_be_visible()
            await connection.fetch("SELECT count(*) FROM minato.campaigns")
            # The list renews itself: an event, and htmx, under the strict policy.
            await expect(page.get_by_text("FROM minato.campaigns")).to_be_visible(timeout=8000)
            await page.get_by_label("Reason (the person sees it)").fill("wrong client")
            await page.get_by_role("button", name="End the session").click()
            await expect(page.get_by_text("Nobody is at a door.")).to_be_visible(timeout=8000)
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await connection.fetch("SELECT 1")
    [asked] = await checkpoint.facts("console.session_end_asked")
    [closed] = await checkpoint.facts("relay.session_closed")
    assert asked.by == "mori"
    assert asked.seq < closed.seq


@pytest.mark.parametrize("streams", [True, False])
async def test_a_live_list_hears_of_a_session_or_asks_for_it(
    house: Scene, browser: Browser, streams: bool
) -> None:
    checkpoint = house.checkpoint
    ticket = await checkpoint.ticket()
    async with visitor(browser, house.url, cookie=await house.cookie("mori")) as mori:
        page, asked = mori.page, []
        page.on("request", lambda request: asked.append(request.url.removeprefix(house.url)))
        if not streams:
            await page.route("**/live/events", lambda route: route.abort())
        await mori.open("/live")
        await expect(page.get_by_text("Nobody is at a door.")).to_be_visible()
        async with checkpoint.connect(ticket) as connection:
            await expect(page.get_by_text("In use").nth(1)).to_be_visible(timeout=8000)
            link = page.get_by_role("row").filter(has_text="In use").get_by_role("link")
            await link.focus()
            await connection.fetch("SELECT plan FROM minato.customers LIMIT 2")
            row = page.get_by_role("row").filter(has_text="In use")
            await expect(row.locator("td[data-label=Statements]")).to_have_text("1", timeout=8000)
            await expect(link).to_be_focused()  # the keyboard stays where it was
        await expect(page.get_by_text("Nobody is at a door.")).to_be_visible(timeout=8000)
        # A stream is asked for once, and nothing else while nothing happens.
        lists = asked.count("/live/list")
        await asyncio.sleep(2.5)
        assert (asked.count("/live/list") == lists) == streams
        if not streams:
            mori.complaints.clear()  # the browser notes the stream that was cut


async def test_a_stream_ends_with_the_session_of_its_viewer(
    house: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sekisho.console.events._STILL_SECONDS", 0.1)
    for path in ("/live/events", "/live/nowhere/events"):
        async with house.client("sato") as sato:
            assert (await sato.get(path)).status_code == 403
    async with house.client("mori") as mori, mori.stream("GET", "/live/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.aiter_lines()
        assert [await anext(lines) for _ in range(3)] == ["retry: 2000", "event: changed", "data:"]
        frozen = PersonFrozen(person="mori", reason="reported")
        await house.checkpoint.ledger.record(frozen, by="hogo", about="mori")
        async with asyncio.timeout(10):
            async for _ in lines:
                pass


async def test_the_kill_switch_ends_live_sessions_and_the_console(house: Scene, browser: Browser) -> None:
    checkpoint = house.checkpoint
    ticket = await checkpoint.ticket()
    async with (
        checkpoint.connect(ticket) as connection,
        visitor(browser, house.url, cookie=await house.cookie("mori")) as mori,
        house.client("sato") as sato,
    ):
        await connection.fetch("SELECT 1")
        assert (await sato.get("/work")).status_code == 200
        await mori.open("/people/sato")
        await mori.page.get_by_label("Reason").first.fill("reported by the client")
        await mori.page.get_by_role("button", name="Freeze now").click()
        await expect(mori.page.get_by_text("Frozen")).to_be_visible()
        for _ in range(30):
            if connection.is_closed():
                break
            await asyncio.sleep(0.1)
        assert connection.is_closed()
        assert (await sato.get("/work")).status_code == 401
        # One person froze; the same one cannot agree to the end of it.
        await mori.page.get_by_label("Reason").first.fill("cleared")
        await mori.page.get_by_role("button", name="Ask to end the freeze").click()
        await expect(mori.page.get_by_role("button", name="Agree")).to_have_count(0)
    async with visitor(browser, house.url, cookie=await house.cookie("hogo")) as hogo:
        await hogo.open("/people")
        await hogo.page.get_by_role("button", name="Agree").click()
        await expect(hogo.page.get_by_role("button", name="Agree")).to_have_count(0)
    assert len(await checkpoint.facts("people.person_unfrozen")) == 1


PAGES = {
    "": ("/login", "/first", "/join"),
    "sato": (
        "/work",
        "/work/request?dataset=minato-customers",
        "/work/request?emergency=true&dataset=minato-customers",
        "/me",
        "/enrol",
    ),
    "mori": (
        "/queue",
        "/live",
        "/recordings",
        "/tickets",
        "/refusals",
        "/reviews",
        "/people",
        "/people/sato",
        "/policy/propose",
    ),
    "haruka": ("/portal", "/portal/alerts", "/portal/digest", "/portal/duties"),
    "kensa": ("/facts", "/nowhere"),
    "kanri": ("/people/mori", "/register", "/register/minato-customers", "/policy", "/status"),
    "hogo": (
        "/register",
        "/register/edit/sheets/contracts",
        "/register/edit/sheets/contracts/row?row=c-minato-customers",
        "/register/edit/sheets/entrustments/row",
        "/register/edit/target?target=callcentre",
        "/register/edit/columns/minato-customers",
        "/register/edit/scan",
        "/alerts",
        "/feeds",
        "/controls",
        "/controls/red-team",
        "/law",
        "/notices",
    ),
}


_VIOLATIONS = """
    axe.run().then(found => JSON.stringify(found.violations.map(one => [one.id, one.nodes.map(node => node.html)])))
"""


@pytest.mark.parametrize(("language", "width", "scheme"), [("ja", 390, "dark"), ("en", 1280, "light")])
async def test_pages_fit_and_axe_finds_nothing(
    house: Scene, browser: Browser, language: str, width: int, scheme: Literal["dark", "light"]
) -> None:
    """Accessibility by axe-core, and no page wider than its window."""
    checkpoint = house.checkpoint
    ticket = await checkpoint.ticket()
    await checkpoint.psql(ticket, "SELECT name FROM minato.customers LIMIT 3", "SELECT * FROM aoba.customers")
    await house.ask()
    session = (await checkpoint.facts("relay.session_opened"))[0].about
    more = {"mori": (f"/live/{session}", f"/tickets/{ticket}"), "haruka": (f"/portal/sessions/{session}",)}
    axe = AXE.read_text()
    for person, pages in PAGES.items():
        cookie = await house.cookie(person) if person else ""
        async with visitor(browser, house.url, cookie=cookie, width=width, language=language) as window:
            for path in (*pages, *more.get(person, ())):
                await window.page.goto(house.url + path)
                await window.fits()
                session_ = await window.page.context.new_cdp_session(window.page)
                await window.page.emulate_media(color_scheme=scheme)
                # Over the debugging protocol, which the page's own policy does not bind.
                script = f"{axe}; {_VIOLATIONS}"
                found = await session_.send(
                    "Runtime.evaluate",
                    {"expression": script, "awaitPromise": True, "returnByValue": True},
                )
                assert found["result"].get("value") == "[]", (path, scheme, found)
            if "/nowhere" in pages:
                window.complaints.clear()  # the browser notes the 404


async def test_keyboard_reaches_the_content_first(house: Scene, browser: Browser) -> None:
    async with visitor(browser, house.url, cookie=await house.cookie("mori")) as mori:
        await mori.open("/queue")
        await mori.page.keyboard.press("Tab")
        await expect(mori.page.get_by_role("link", name="Skip to the content")).to_be_focused()
        await mori.page.keyboard.press("Enter")
        await expect(mori.page.locator("#main")).to_be_focused()
