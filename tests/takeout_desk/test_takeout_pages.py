"""The pages of take-outs in a real browser: from the worker's form to a signature by passkey on a phone."""

import json
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from console.test_browser import _VIOLATIONS, AXE, Visitor, authenticator, browser, visitor
from sekisho.people.facts import PasskeyAdded
from takeout_desk.desk_scene import RECIPIENT, Scene

pytestmark = pytest.mark.e2e
__all__ = ["browser"]


async def sound(window: Visitor) -> None:
    """As wide as the window at most, and axe finds nothing."""
    await window.fits()
    protocol = await window.page.context.new_cdp_session(window.page)
    order = {"expression": f"{AXE.read_text()}; {_VIOLATIONS}", "awaitPromise": True, "returnByValue": True}
    found = await protocol.send("Runtime.evaluate", order)
    assert found["result"].get("value") == "[]", (window.page.url, found)


async def register_passkey(scene: Scene, window: Visitor, person: str) -> None:
    """At the console's own page, as the person."""
    await authenticator(window.page)
    await window.open("/enrol")
    await window.page.locator("form[data-passkey='enrol'] button").click()
    await window.page.wait_for_url("**/me")


async def answers(page: Page) -> list[dict[str, Any]]:
    """What the page's script sends when it signs."""
    sent: list[dict[str, Any]] = []

    def keep(request: Any) -> None:
        if request.url.endswith("/passkey") and request.method == "POST" and "/takeouts/" in request.url:
            sent.append(json.loads(request.post_data))

    page.on("request", keep)
    return sent


async def test_from_the_form_to_a_signature_on_a_phone(scene: Scene, browser: Browser) -> None:
    ticket = await scene.file(40)
    async with visitor(browser, scene.url, cookie=await scene.cookie("sato"), language="ja") as sato:
        page = sato.page
        await sato.open(f"/work/{ticket}/workspace")
        await page.locator("a[href*='/takeout?']").click()
        await page.get_by_label("目的").fill("秋のカタログの宛名印刷")
        await page.get_by_label("法的根拠").fill("委託契約 第5条")
        await page.get_by_label("ファイル内の人数").fill("35")
        await expect(page.get_by_label("受取人")).to_contain_text(RECIPIENT)
        await page.get_by_label("ページ・サーバー").fill("受取ページ")
        await sound(sato)
        await page.get_by_role("button", name="検査して申請する").click()
        await expect(page.get_by_role("link", name="申請を見る")).to_be_visible(timeout=60_000)
        await sound(sato)
        await page.get_by_role("link", name="申請を見る").click()
        await expect(page.get_by_text("申告より 5 人多い")).to_be_visible()
        await sound(sato)
        await sato.open("/takeouts")
        await sound(sato)
    [recorded] = await scene.ledger.facts(0, 9, names=["takeout.requested"])
    takeout = recorded.about
    async with visitor(
        browser, scene.url, cookie=await scene.cookie("mori"), width=390, language="ja"
    ) as mori:
        page = mori.page
        await register_passkey(scene, mori, "mori")
        sent = await answers(page)
        await mori.open("/takeouts")
        await sound(mori)
        await page.get_by_role("link", name=f"{RECIPIENT} へ 40 人分").click()
        await expect(page.get_by_text("この受取人への持ち出しは初めてです。")).to_be_visible()
        await expect(page.get_by_text("佐＊＊").first).to_be_visible()
        assert "佐藤" not in await page.content()
        await sound(mori)
        await page.get_by_role("button", name="パスキーで署名").click()
        await expect(page.get_by_text("まだ必要な署名")).to_be_visible()
        await expect(page.get_by_role("button", name="パスキーで署名")).to_have_count(0)
        await sound(mori)
    [approved] = await scene.ledger.facts(0, 9, names=["takeout.approved"], about=takeout)
    assert approved.by == "mori"
    assert len(sent) == 1
    added = [one.typed() for one in await scene.ledger.facts(0, 9, names=["people.passkey_added"])]
    assert [one.person for one in added if isinstance(one, PasskeyAdded)] == ["mori"]
    # The client sees it in its own language of business; the administrator that it is, and nothing of what is inside.
    async with visitor(browser, scene.url, cookie=await scene.cookie("haruka")) as haruka:
        await haruka.open("/takeouts")
        await sound(haruka)
        await haruka.page.get_by_role("link", name=takeout).click()
        await expect(haruka.page.get_by_text("5 persons more than were spoken of")).to_be_visible()
        await expect(haruka.page.get_by_text("佐＊＊").first).to_be_visible()
        await sound(haruka)
    async with scene.client("kanri") as kanri:
        page_ = (await kanri.get(f"/takeouts/{takeout}")).text
        assert takeout in page_
        assert "佐＊＊" not in page_


@pytest.mark.parametrize(("language", "width"), [("ja", 390), ("en", 1280)])
async def test_refusals_and_recipients_fit(scene: Scene, browser: Browser, language: str, width: int) -> None:
    ticket = await scene.file(40)
    asking = await scene.ask(ticket, recipient="つばめ名簿センター", recipient_key="")
    assert asking.fault is not None
    cookie = await scene.cookie("sato")
    async with visitor(browser, scene.url, cookie=cookie, width=width, language=language) as sato:
        for path in ("/takeouts", f"/takeouts/{asking.takeout}"):
            await sato.open(path)
            await expect(sato.page.get_by_text("SEK-TAKE-015").first).to_be_visible()
            await sound(sato)
    cookie = await scene.cookie("moto")
    async with visitor(browser, scene.url, cookie=cookie, width=width, language=language) as moto:
        await moto.open("/takeouts/to/recipients")
        await expect(moto.page.get_by_text(RECIPIENT)).to_be_visible()
        await sound(moto)
        await moto.open("/takeouts")
        await sound(moto)
