"""From the release to the recipient and back, over the pages of a running checkpoint."""

import asyncio
import hashlib
import io
import os
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.async_api import Browser, expect

from console.test_browser import browser, visitor
from sekisho.takeout.copies import FORMS
from sekisho.takeout.custody import allow_marking
from sekisho.takeout.manifest import receipt, unpack
from sekisho.takeout.parcel import Parcel
from sekisho.takeout.sealing import open_package, open_shares, read_identity
from takeout_desk.desk_scene import Scene
from takeout_desk.test_takeout_pages import sound

pytestmark = pytest.mark.e2e
__all__ = ["browser"]


async def released(scene: Scene, **changes: Any) -> str:
    """A list of forty persons, marked as its client allows, sealed, signed and released."""
    asking = await scene.ask(await scene.file(40), **changes)
    assert asking.fault is None
    asked = await scene.asked(asking.takeout)
    await scene.approve(asked, "mori", "moto")
    await scene.checkpoint.service.takeouts.release(asked.takeout, by="moto")
    return asked.takeout


def opened(scene: Scene, content: bytes, folder: Path) -> tuple[str, Path]:
    """What the recipient does with a download: (receipt, the list)."""
    folder.mkdir()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(folder)
    [package] = folder.glob("*.age")
    identity = read_identity(str(scene.identity).encode())
    shares = [
        share for path in folder.glob("*-share-*.txt") for share in open_shares(path.read_text(), identity)
    ]
    open_package(package, folder / "copy.zip", shares)
    (folder / "list").mkdir()
    found = unpack(folder / "copy.zip", folder / "list")
    text = receipt(found, hashlib.sha256(package.read_bytes()).hexdigest(), 1_900_000_000_000_000)
    return text, found.path


async def test_a_download_a_receipt_and_a_certificate(scene: Scene, browser: Browser, tmp_path: Path) -> None:
    await allow_marking(
        scene.ledger, "minato", forms=FORMS, reorder=True, canaries=0, contacts=(), by="haruka"
    )
    takeout = await released(scene)
    shots = os.environ.get("SEKISHO_SHOTS")
    async with visitor(browser, scene.url, cookie=await scene.cookie("sato"), language="ja") as sato:
        page = sato.page
        await sato.open("/custody")
        await sound(sato)
        await page.get_by_role("link", name=takeout).click()
        await page.wait_for_url(f"**/custody/{takeout}")
        await sound(sato)
        if shots:
            await page.screenshot(path=f"{shots}/copy.png", full_page=True)
        await page.get_by_role("button", name="リンクを作る").click()
        await expect(page.get_by_text("この表示は一度だけです")).to_be_visible()
        await sound(sato)
        if shots:
            await page.screenshot(path=f"{shots}/link.png", full_page=True)
        url, code = [await one.inner_text() for one in await page.locator("pre").all()]
    # The recipient: no account, another browser, a telephone.
    async with visitor(browser, scene.url, width=390, language="ja") as recipient:
        page = recipient.page
        link = url.removeprefix(scene.url)
        await recipient.open(link)
        await sound(recipient)
        if shots:
            await page.screenshot(path=f"{shots}/parcel.png", full_page=True)
        wrong = f"{(int(code.replace(' ', '')) + 1) % 10**8:08}"
        await page.get_by_label("コード").fill(wrong)
        await page.get_by_role("button", name="ダウンロード").click()
        await expect(page.get_by_role("alert")).to_contain_text("残り 4 回")
        await sound(recipient)
        recipient.complaints.clear()  # the browser says 403
        await page.get_by_label("コード").fill(code)
        async with page.expect_download() as coming:
            await page.get_by_role("button", name="ダウンロード").click()
        content = Path(await (await coming.value).path()).read_bytes()
        text, path = opened(scene, content, tmp_path / "got")
        lines = path.read_text().splitlines()
        assert len(lines) == 41
        assert any("０" in line for line in lines)  # as its client allows
        await recipient.open("/receipt")
        await sound(recipient)
        await page.get_by_label("受領証").fill(text)
        await page.get_by_role("button", name="提出する").click()
        await expect(page.get_by_text("受領を記録しました")).to_be_visible()
        await sound(recipient)
        if shots:
            await page.screenshot(path=f"{shots}/received.png", full_page=True)
    async with scene.client("sato") as sato_:
        page_ = await sato_.get(f"/custody/{takeout}")
        csrf = re.search(r'name="csrf" value="([^"]+)"', page_.text)
        assert csrf is not None
        answer = await sato_.post(
            f"/custody/{takeout}/destroyed",
            data={"csrf": csrf[1]},
            files={"certificate": ("certificate.pdf", b"%PDF certificate", "application/pdf")},
        )
        assert answer.status_code == 303
    async with visitor(
        browser, scene.url, cookie=await scene.cookie("haruka"), width=390, language="ja"
    ) as client:
        await client.open("/custody")
        await expect(client.page.get_by_text("廃棄済み")).to_be_visible()
        await sound(client)
        if shots:
            await client.page.screenshot(path=f"{shots}/custody.png", full_page=True)
    assert [one.fact for one in await scene.ledger.facts(0, 1_000, names=STEPS)] == [
        "takeout.copy_made",
        "takeout.link_made",
        "takeout.link_tried",
        "takeout.delivery_begun",
        "takeout.handed_over",
        "takeout.received",
        "takeout.destroyed",
    ]


STEPS = [
    "takeout.copy_made",
    "takeout.link_made",
    "takeout.link_tried",
    "takeout.delivery_begun",
    "takeout.delivery_failed",
    "takeout.handed_over",
    "takeout.received",
    "takeout.destroyed",
    "takeout.custody_alarmed",
]


async def test_what_others_do_at_the_pages(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's link, somebody else's take-out, a connection that goes away, a receipt that proves nothing."""
    takeout = await released(scene)
    async with scene.client("kensa") as auditor:
        page = await auditor.get(f"/custody/{takeout}")
        csrf = re.search(r'name="csrf" value="([^"]+)"', page.text)
        assert csrf is not None
        made = await auditor.post(f"/custody/{takeout}/link", data={"csrf": csrf[1]})
        assert "SEK-TAKE-043" in made.text
        pushed = await auditor.post(f"/custody/{takeout}/push", data={"csrf": csrf[1]})
        assert "SEK-TAKE-036" in pushed.text
    parcels = scene.checkpoint.service.parcels
    link = await parcels.make(takeout, by="sato")
    headers = {"origin": scene.url}
    async with httpx2.AsyncClient(base_url=scene.url, verify=False, headers=headers) as nobody:
        for path in (f"/parcel/{link.token}", "/parcel/made-up"):
            answer = await nobody.get(path)
            assert answer.status_code == 200
            assert takeout not in answer.text
        assert (await nobody.post("/parcel/made-up", data={"code": link.code})).status_code == 403
        foreign = {"origin": "https://elsewhere.example"}
        answer = await nobody.post(f"/parcel/{link.token}", data={"code": link.code}, headers=foreign)
        assert answer.status_code == 403
        for text in ("{}", '{"takeout":"' + takeout + '"}'):
            assert "SEK-TAKE-038" in (await nobody.post("/receipt", data={"receipt": text})).text
        with monkeypatch.context() as patch:
            patch.setattr(Parcel, "archive", _endless)
            async with nobody.stream("POST", f"/parcel/{link.token}", data={"code": link.code}) as answer:
                assert answer.status_code == 200
                await anext(answer.aiter_raw())
            await until_told(scene, "takeout.delivery_failed")
        assert (await nobody.post(f"/parcel/{link.token}", data={"code": link.code})).status_code == 403
        link = await parcels.make(takeout, by="sato")
        answer = await nobody.post(f"/parcel/{link.token}", data={"code": link.code})
        assert zipfile.is_zipfile(io.BytesIO(answer.content))
    facts = [one.fact for one in await scene.ledger.facts(0, 1_000, names=STEPS)]
    assert facts[-5:] == [
        "takeout.delivery_begun",
        "takeout.delivery_failed",
        "takeout.link_made",
        "takeout.delivery_begun",
        "takeout.handed_over",
    ]


def _endless(parcel: Parcel) -> Iterator[bytes]:
    while True:
        yield bytes(1 << 16)


async def until_told(scene: Scene, name: str) -> None:
    async with asyncio.timeout(20):
        while not await scene.ledger.facts(0, 1_000, names=[name]):
            await scene.ledger.wait_turn(0.2)
