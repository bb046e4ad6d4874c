"""Login through a provider of OpenID Connect that is a process of its own, in Chromium: the whole flow."""

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx2
import pyotp
import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from mail_under_test import free_port
from openid_provider import CLIENT, PASSWORD, SECRET
from people.people_examples import add, administrators, give
from sekisho.console.viewer import SESSION_COOKIE
from sekisho.faults import Fault
from sekisho.ledger import Ledger
from sekisho.people.credentials import enrol
from sekisho.people.facts import CredentialSet
from sekisho.people.identity import Method, minted
from sekisho.people.roles import Role
from sekisho.people.sessions import Sessions
from sekisho.service.service import create_state, running
from sekisho.service.settings import OpenId, Settings, read_settings, write_settings

pytestmark = pytest.mark.e2e
AXE = Path(__file__).parents[2] / "build/front-end/node_modules/axe-core/axe.min.js"


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    port = free_port()
    process = subprocess.Popen([sys.executable, Path(__file__).parents[1] / "openid_provider.py", str(port)])
    deadline = time.monotonic() + 30
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            break
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("the provider does not start")
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(10)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        await browser.close()


@dataclass
class House:
    ledger: Ledger
    url: str
    totp: str

    async def cookie(self, person: str) -> str:
        _, token = await Sessions(self.ledger).open(minted(person, person, Method.PASSKEY, "test"))
        return token

    def code(self) -> str:
        return pyotp.TOTP(self.totp).at(int(time.time()))

    async def page(self, browser: Browser, person: str = "", language: str = "en") -> Page:
        context = await browser.new_context(ignore_https_errors=True, locale=language)
        if person:
            cookie = {"name": SESSION_COOKIE, "value": await self.cookie(person), "url": self.url}
            await context.add_cookies([{**cookie, "secure": True, "httpOnly": True, "sameSite": "Strict"}])  # type: ignore[typeddict-item]
        page = await context.new_page()
        page.on("dialog", lambda dialog: dialog.accept())
        return page


Factor = Literal["local", "provider", "either"]


@pytest.fixture
async def house(tmp_path: Path, issuer: str, request: pytest.FixtureRequest) -> AsyncIterator[House]:
    state = tmp_path / "state"
    factor: Factor = getattr(request, "param", "either")
    openid = OpenId(
        name="corp",
        issuer=issuer,
        client_id=CLIENT,
        secret_file="openid.secret",
        label="Example Identity",
        second_factor=factor,
    )
    create_state(
        state,
        Settings(
            origin="c.example",
            postgres_listen="127.0.0.1:0",
            console_listen="127.0.0.1:0",
            openid=(openid,),
        ),
    )
    (state / "openid.secret").write_text(SECRET + "\n")
    async with running(state, publish_seconds=0.05, watch_apart=False) as service:
        await administrators(service.ledger)
        await add(service.ledger, "sato")
        await give(service.ledger, "sato", Role.WORKER)
        enrolment = await asyncio.to_thread(enrol, "sato", "correct horse battery")
        verifier = service.ledger.vault.seal("checkpoint", enrolment.credential)
        fact = CredentialSet(person="sato", verifier=verifier.commitment)
        await service.ledger.record(fact, by="sato", about="sato", parts=[verifier])
        url = f"https://localhost:{service.console[1]}"
        yield House(service.ledger, url, enrolment.totp_secret)


async def sign_in(page: Page, user: str) -> None:
    await page.get_by_label("Name").fill(user)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()


async def accessible(page: Page) -> None:
    await page.wait_for_load_state()
    await page.add_script_tag(path=AXE)
    found = await page.evaluate("axe.run().then(r => r.violations.map(v => v.id))")
    assert found == [], page.url


async def link(house: House, browser: Browser, person: str, user: str) -> None:
    """The person shows that the account is theirs, and an administrator agrees."""
    page = await house.page(browser, person)
    await page.goto(f"{house.url}/me")
    await page.get_by_role("button", name="Link my account at Example Identity").click()
    await page.get_by_role("link", name="Go to Example Identity").click()
    await sign_in(page, user)
    await page.wait_for_url(f"{house.url}/me")
    await page.context.close()
    [asked] = await house.ledger.facts(0, 9, names=["people.identity_asked"])
    assert asked.by == person
    assert await house.ledger.facts(0, 9, names=["people.identity_bound"]) == []
    admin = await house.page(browser, "kanri")
    await admin.goto(f"{house.url}/people")
    await expect(admin.get_by_text("sub-000")).to_be_visible()
    await admin.get_by_role("button", name="Agree").click()
    await expect(admin.get_by_role("button", name="Agree")).to_have_count(0)
    await admin.context.close()
    [bound] = await house.ledger.facts(0, 9, names=["people.identity_bound"])
    assert bound.by == "kanri"


async def test_a_person_links_an_account_and_logs_in_with_it_and_a_code(
    house: House, browser: Browser
) -> None:
    await link(house, browser, "sato", "sato")
    page = await house.page(browser)
    await page.goto(f"{house.url}/login")
    await page.get_by_role("link", name="Log in with Example Identity").click()
    await sign_in(page, "sato")
    # The provider said "pwd" only: our own code is the second factor.
    await expect(page.get_by_role("heading", name="One more step")).to_be_visible()
    await page.get_by_label("One-time code (6 digits)").fill("000000")
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_role("alert")).to_contain_text("The login was refused")
    await page.get_by_label("One-time code (6 digits)").fill(house.code())
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_role("heading", name="My work")).to_be_visible()
    opened = [one.typed() for one in await house.ledger.facts(0, 99, names=["people.session_opened"])]
    assert [getattr(one, "method", "") for one in opened][-1] == "openid"
    await page.context.close()


async def test_a_provider_that_proves_two_factors_is_enough_and_the_session_is_there_at_once(
    house: House, browser: Browser
) -> None:
    """Fails when the callback answers with a redirect: the strict cookie would not go with it."""
    await link(house, browser, "mori", "mori")
    page = await house.page(browser, language="ja")
    await page.goto(f"{house.url}/login")
    await page.get_by_role("link", name="Example Identity でログイン").click()
    await sign_in(page, "mori")
    await page.wait_for_url(f"{house.url}/queue")
    await expect(page.get_by_text("mori 太郎").first).to_be_visible()
    cookies = {one["name"] for one in await page.context.cookies()}
    assert "__Host-sekisho-openid" not in cookies
    await page.goto(f"{house.url}/me")
    await page.locator("form[action='/me/openid']").get_by_role("button").click()
    await expect(page.get_by_text("結び付けたアカウントはありません。")).to_be_visible()
    await page.context.close()


async def test_who_is_not_linked_or_refuses_gets_in_nowhere(house: House, browser: Browser) -> None:
    """The provider says that the stranger's e-mail address is sato's: that binds nothing."""
    await link(house, browser, "sato", "sato")
    page = await house.page(browser)
    for user in ("stranger", "nobody"):
        await page.goto(f"{house.url}/login/openid/corp")
        await sign_in(page, user)
        await expect(page.get_by_role("alert")).to_contain_text("SEK-PEOP-015")
    await page.goto(f"{house.url}/me")
    await expect(page.get_by_role("alert")).to_contain_text("SEK-CONS-001")
    await page.context.close()


@pytest.mark.parametrize("house", ["provider"], indirect=True)
async def test_a_provider_that_must_prove_two_factors_and_does_not_is_refused(
    house: House, browser: Browser
) -> None:
    await link(house, browser, "sato", "sato")
    page = await house.page(browser)
    await page.goto(f"{house.url}/login/openid/corp")
    await sign_in(page, "sato")
    await expect(page.get_by_role("alert")).to_contain_text("strongly enough")
    await page.context.close()


@pytest.mark.parametrize("house", ["local"], indirect=True)
async def test_our_own_code_is_asked_for_whatever_the_provider_says(house: House, browser: Browser) -> None:
    await link(house, browser, "mori", "mori")
    context = await browser.new_context(ignore_https_errors=True, locale="en", bypass_csp=True)
    page = await context.new_page()
    await page.goto(f"{house.url}/login")
    await accessible(page)
    await page.get_by_role("link", name="Log in with Example Identity").click()
    await sign_in(page, "mori")
    await accessible(page)
    await page.get_by_label("One-time code (6 digits)").fill("123456")  # mori has no authenticator app
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_role("alert")).to_contain_text("The login was refused")
    await page.context.close()


async def test_an_administrator_names_an_account_and_a_second_person_agrees(
    house: House, browser: Browser
) -> None:
    page = await house.page(browser, "kanri")
    await page.goto(f"{house.url}/people/sato")
    await page.locator("summary", has_text="Link an account").click()
    await page.get_by_label("Subject identifier there").fill("sub-0001")
    await page.get_by_role("button", name="Ask a second person").click()
    await expect(page.get_by_text("somebody else has to agree")).to_be_visible()
    await page.context.close()
    hogo = await house.page(browser, "hogo")
    await hogo.goto(f"{house.url}/people")
    await hogo.get_by_role("button", name="Agree").click()
    await expect(hogo.get_by_role("button", name="Agree")).to_have_count(0)
    await hogo.context.close()
    [bound] = await house.ledger.facts(0, 9, names=["people.identity_bound"])
    assert (bound.by, bound.about) == ("hogo", "sato")
    page = await house.page(browser, "kanri")
    await page.goto(f"{house.url}/people/sato")
    await page.locator("form[action$=unbind]").get_by_role("button").click()
    await expect(page.get_by_text("No account linked.")).to_be_visible()
    await page.context.close()


async def test_only_an_administrator_agrees_to_what_a_person_claims(house: House, browser: Browser) -> None:
    page = await house.page(browser, "sato")
    await page.goto(f"{house.url}/me")
    await page.get_by_role("button", name="Link my account").click()
    await page.get_by_role("link", name="Go to Example Identity").click()
    await sign_in(page, "sato")
    await page.wait_for_url(f"{house.url}/me")
    await page.context.close()
    hogo = await house.page(browser, "hogo")
    await hogo.goto(f"{house.url}/people")
    await hogo.get_by_role("button", name="Agree").click()
    await expect(hogo.get_by_role("alert")).to_contain_text("SEK-PEOP-009")
    await hogo.context.close()
    assert await house.ledger.facts(0, 9, names=["people.identity_bound"]) == []


async def test_an_answer_to_another_browser_opens_nothing(house: House, issuer: str) -> None:
    """Fails when the state is not bound to the browser: somebody else's login could be slipped into this one."""
    async with httpx2.AsyncClient(verify=False) as theirs, httpx2.AsyncClient(verify=False) as mine:
        left = await theirs.get(f"{house.url}/login/openid/corp")
        assert left.status_code == 303
        cookie = left.headers["set-cookie"].lower()
        assert all(word in cookie for word in ("__host-", "httponly", "secure", "samesite=lax"))
        state = httpx2.URL(left.headers["location"]).params["state"]
        answer = await mine.get(
            f"{house.url}/login/openid/corp/callback", params={"state": state, "code": "x", "iss": issuer}
        )
    assert "SEK-PEOP-015" in answer.text
    assert SESSION_COOKIE not in answer.headers.get("set-cookie", "")


@pytest.mark.parametrize("name", ["nobody", "corp/extra", "%00"])
async def test_a_provider_that_is_not_set_is_not_found(house: House, name: str) -> None:
    async with httpx2.AsyncClient(verify=False) as client:
        assert (await client.get(f"{house.url}/login/openid/{name}")).status_code == 404


GOOD = OpenId(
    name="corp", issuer="https://id.example", client_id="c", secret_file="s", label="Example", amr=("mfa",)
)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "Corp"}, "small letters"),
        ({"name": "../corp"}, "small letters"),
        ({"issuer": "http://id.example"}, "https"),
        ({"label": " "}, "label"),
        ({"client_id": ""}, "client_id"),
        ({"second_factor": "provider", "amr": ()}, "needs amr or acr"),
        ({"second_factor": "none"}, "second_factor"),
    ],
)
def test_settings_that_cannot_work_stop_the_start(
    tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    values = {name: getattr(GOOD, name) for name in GOOD.__struct_fields__}
    write_settings(tmp_path, Settings(origin="c.example", openid=(OpenId(**{**values, **changes}),)))
    with pytest.raises(Fault, match=said):
        read_settings(tmp_path)
    write_settings(tmp_path, Settings(origin="c.example", openid=(GOOD, GOOD)))
    with pytest.raises(Fault, match="each name once"):
        read_settings(tmp_path)


async def test_a_secret_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    settings = Settings(
        origin="c.example", postgres_listen="127.0.0.1:0", console_listen="127.0.0.1:0", openid=(GOOD,)
    )
    create_state(tmp_path / "state", settings)
    with pytest.raises(Fault, match="SEK-SERV-002"):
        async with running(tmp_path / "state", watch_apart=False):
            pass
