"""The pages of a workspace in a real browser: they fit, axe finds nothing, and a pull shows its progress by itself."""

import pytest
from playwright.async_api import Browser, expect

from console.test_browser import _VIOLATIONS, AXE, browser, visitor
from relay_workspace.workspace_scene import House
from sekisho.people.identity import Method, minted
from sekisho.people.sessions import Sessions

pytestmark = pytest.mark.e2e
__all__ = ["browser"]
NAMES = "SELECT customer_id, name, plan FROM minato.customers ORDER BY customer_id"


@pytest.mark.parametrize(("language", "width"), [("ja", 390), ("en", 1280)])
async def test_the_pages_fit_and_axe_finds_nothing(
    house: House, browser: Browser, language: str, width: int
) -> None:
    ticket = await house.ticket(unmask=("name",))
    await house.rooms.upload(house.seat(ticket), "test", "memo.txt", "電話 090-1234-5678 です".encode())
    url = f"https://localhost:{house.checkpoint.service.console[1]}"
    path = f"{url}/work/{ticket}/workspace"
    _, cookie = await Sessions(house.ledger).open(minted("sato", "sato", Method.PASSKEY, "test"))
    async with visitor(browser, url, cookie=cookie, width=width, language=language) as window:
        page = window.page

        async def sound() -> None:
            await window.fits()
            protocol = await page.context.new_cdp_session(page)
            order = {
                "expression": f"{AXE.read_text()}; {_VIOLATIONS}",
                "awaitPromise": True,
                "returnByValue": True,
            }
            found = await protocol.send("Runtime.evaluate", order)
            assert found["result"].get("value") == "[]", (page.url, found)

        await page.goto(path)
        await page.fill("#query", NAMES + " LIMIT 40")
        await page.fill("#to", "letters.csv")
        await page.click("form[action$='/pull'] button")
        await expect(page.get_by_role("link", name="letters.csv")).to_be_visible()
        await sound()
        await page.get_by_role("link", name="letters.csv").click()
        await expect(page.get_by_text("佐＊＊").first).to_be_visible()
        await sound()
        await page.goto(path)
        await page.get_by_role("link", name="memo.txt").click()
        await expect(page.locator("pre")).to_contain_text("＊＊＊＊＊78")
        await sound()
        for other in ("/work", "/work/request?dataset=minato-customers"):
            await page.goto(url + other)
            await sound()
