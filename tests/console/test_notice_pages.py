"""A checkpoint that writes to a real mail server: who is told when somebody leaves, is frozen, or when nobody cosigns;
and the pages on which addresses are set and deliveries are read."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from playwright.async_api import async_playwright, expect

from mail_under_test import MailServer, free_port, mail_server, text_of
from people.people_examples import add, administrators
from sekisho.console.viewer import SESSION_COOKIE
from sekisho.evidence.note import COSIGNATURE, NoteSigner
from sekisho.ledger import Ledger
from sekisho.notify.channels import Smtp
from sekisho.notify.notices import Notice, Notices
from sekisho.people.identity import Method, minted
from sekisho.people.sessions import Sessions
from sekisho.service.service import create_state, running
from sekisho.service.settings import Notify, Settings, Witness

pytestmark = pytest.mark.e2e
SHOTS = os.environ.get("SEKISHO_SHOTS", "")  # a folder, to look at the pages
AXE = Path(__file__).parents[2] / "build/front-end/node_modules/axe-core/axe.min.js"


@pytest.fixture(scope="module")
def mail() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@dataclass
class House:
    ledger: Ledger
    url: str

    async def cookie(self, person: str) -> str:
        _, token = await Sessions(self.ledger).open(minted(person, person, Method.PASSKEY, "test"))
        return token

    async def client(self, person: str) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            base_url=self.url,
            verify=False,
            cookies={SESSION_COOKIE: await self.cookie(person)},
            headers={"origin": self.url, "accept-language": "en"},
            timeout=30,
        )


@pytest.fixture
async def house(tmp_path: Path, mail: MailServer) -> AsyncIterator[House]:
    state = tmp_path / "state"
    witness = NoteSigner.generate("witness.example/never-there", COSIGNATURE)
    smtp = Smtp(host="localhost", port=mail.port, sender="sekisho@house.example", ca_file=str(mail.ca))
    settings = Settings(
        origin="c.example",
        postgres_listen="127.0.0.1:0",
        console_listen="127.0.0.1:0",
        notify=Notify(smtp=smtp, alarms=("mailto:soc-pages@house.example",)),
        witnesses=(Witness(url=f"http://127.0.0.1:{free_port()}/", key=str(witness.key)),),
        quorum=1,
    )
    create_state(state, settings)
    async with running(state, publish_seconds=0.05, watch_apart=False) as service:
        await administrators(service.ledger)
        await add(service.ledger, "sato", manager="mori", agency="Example Staffing")
        yield House(service.ledger, f"https://localhost:{service.console[1]}")


async def until(condition: Callable[[], object], ledger: Ledger) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await ledger.wait_turn(0.1)


async def post(client: httpx2.AsyncClient, page: str, action: str, **form: str) -> httpx2.Response:
    """As a person who fills in a form on a page."""
    text = (await client.get(page)).text
    csrf = text.partition('name="csrf" value="')[2].partition('"')[0]
    return await client.post(action, data={"csrf": csrf, **form})


async def test_whom_a_leaving_and_a_missing_quorum_reach(house: House, mail: MailServer) -> None:
    await until(lambda: mail.to("soc-pages@house.example"), house.ledger)
    [alarm] = mail.to("soc-pages@house.example")
    assert "too few witnesses sign" in str(alarm["Subject"])
    async with await house.client("kanri") as kanri:
        answer = await post(
            kanri,
            "/notices",
            "/notices/addresses",
            receiver="agency:Example Staffing",
            address="mailto:desk@agency.example",
        )
        assert answer.status_code == 303
        left = await post(kanri, "/people/sato", "/people/sato/leave", last_day="2026-11-20", reason="ended")
        assert left.status_code == 303
        await until(lambda: mail.to("desk@agency.example"), house.ledger)
        assert "sato 太郎 様" in text_of(mail.to("desk@agency.example")[0])
        async with asyncio.timeout(20):
            while "Handed over" not in (page := (await kanri.get("/notices")).text):
                await house.ledger.wait_turn(0.2)
    assert "End of work, to the agency" in page
    assert "desk@agency.example" not in page


async def test_who_sets_which_address(house: House) -> None:
    for person, receiver, status in (
        ("mori", "agency:Example Staffing", 403),
        ("kanri", "person:hogo", 422),
        ("kanri", "agency:Nobody", 400),
        ("kanri", "organisation:x", 400),
    ):
        async with await house.client(person) as client:
            answer = await post(
                client, "/me", "/notices/addresses", receiver=receiver, address="mailto:a@b.example"
            )
        assert answer.status_code == status, (person, receiver, answer.text)
    async with await house.client("hogo") as hogo:
        for address, status in (("mailto:hogo@house.example", 303), ("hogo@house.example", 400)):
            assert (await post(hogo, "/me", "/me/address", address=address)).status_code == status
    assert len(await house.ledger.facts(0, 9, names=["notify.address_set"])) == 1


async def test_nobody_reads_who_was_told_about_oneself(house: House) -> None:
    said = Notice("frozen", {"ja": "題", "en": "subject"}, {"ja": "文", "en": "body"}, person="kanta")
    await Notices(house.ledger).send(said, to=["person:hogo"])
    for person, seen in (("hogo", True), ("kanri", True), ("kanta", False)):
        async with await house.client(person) as client:
            assert ("Kill switch" in (await client.get("/notices")).text) is seen, person
    async with await house.client("mori") as mori:
        assert (await mori.get("/notices")).status_code == 403


@pytest.mark.parametrize(("language", "width"), [("en", 1280), ("ja", 390)])
async def test_the_pages_are_accessible(house: House, language: str, width: int) -> None:
    async with await house.client("kanri") as kanri:
        await post(
            kanri, "/notices", "/notices/addresses", receiver="agency:Example Staffing", address="mailto:a@b.example"
        )  # fmt: skip
        await post(kanri, "/people/mori", "/people/mori/freeze", reason="suspicion")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        context = await browser.new_context(
            ignore_https_errors=True,
            locale=language,
            viewport={"width": width, "height": 900},
            bypass_csp=True,
        )
        token = await house.cookie("kanri")
        cookie = {"name": SESSION_COOKIE, "value": token, "url": house.url}
        await context.add_cookies([{**cookie, "secure": True, "httpOnly": True, "sameSite": "Strict"}])  # type: ignore[typeddict-item]
        page = await context.new_page()
        for path in ("/notices", "/me"):
            await page.goto(house.url + path)
            await expect(page.locator("main h1")).to_be_visible()
            for closed in await page.locator("details:not([open]) > summary").all():
                if await closed.is_visible():
                    await closed.click()
            await page.add_script_tag(path=AXE)
            found = await page.evaluate("axe.run().then(r => r.violations.map(v => [v.id, v.nodes.length]))")
            assert found == [], (path, found)
            overflow = await page.evaluate("document.documentElement.scrollWidth")
            assert overflow <= width, path
            if SHOTS:
                await page.screenshot(path=f"{SHOTS}/{language}-{path.strip('/')}.png", full_page=True)
        await browser.close()
