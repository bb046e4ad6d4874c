"""Found lists at the console: two persons' shares, a list brought to the page, the answer, the client's part."""

import json
import os
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.async_api import async_playwright, expect
from pyroaring import BitMap64

from console.console_scene import Scene
from console.test_api import tokens_of
from console.test_browser import _VIOLATIONS, AXE, visitor
from sekisho.demo.founding import add_person, appoint
from sekisho.evidence.policy import Policy
from sekisho.evidence.verify import verify_bundle
from sekisho.people.roles import Role
from sekisho.relay.facts import SessionClosed, SessionOpened
from sekisho.service.service import TRACE, TRACE_KEYS
from sekisho.trace.keys import TraceKeys
from sekisho.trace.parts import fingerprint, joined
from sekisho.trace.registry import Registry
from sekisho.trace.release import record_split
from tracing.trace_world import HEADING, ITEMS, parties, people

pytestmark = pytest.mark.e2e
SHOTS = os.environ.get("SEKISHO_SHOTS", "")


async def stock(scene: Scene) -> tuple[dict[str, str], bytes]:
    """The client's customers in the registry, sessions that were shown some, the key among holders; and a list."""
    import pyarrow as pa

    ledger, state = scene.checkpoint.ledger, scene.checkpoint.service.state
    master = os.urandom(32)
    rows = people(parties()[0], 0, 1500)
    keys = TraceKeys.open(state / TRACE_KEYS, master=master)
    registry = Registry.create(state / TRACE, keys)
    columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
    batch = pa.RecordBatch.from_arrays(columns, names=list(ITEMS))
    lines = joined(fingerprint(keys.fingerprint, [batch], processes=1))
    numbers = pa.array(range(1, 1501)).to_numpy()
    registry.add_lines("minato-customers", "minato", numbers, lines, datetime.now(UTC))
    await add_person(ledger, "chosa", "調 真帆", "Example Forensics", language="ja")
    await appoint(ledger, "chosa", Role.INVESTIGATOR, first="first", second="second")
    for number, shown in enumerate(
        (range(1, 900, 3), range(600, 1000), range(300, 1500, 7), range(900, 1400))
    ):
        session = f"s-{number}"
        opened = SessionOpened(
            session=session,
            person="sato",
            ticket="T-1",
            organisation="minato",
            dataset="minato-customers",
            target="callcentre",
            door="postgres",
            peer="",
            tls="",
            client="",
        )
        await ledger.record(opened, by="sato", about=session)
        part = ledger.vault.seal("minato", BitMap64(shown).serialize())
        closed = SessionClosed(
            session=session,
            reason="",
            statements=1,
            rows=len(shown),
            persons=len(shown),
            bytes=0,
            seen=part.commitment,
        )
        await ledger.record(closed, by="sekisho", about=session, parts=[part])
    shares = await record_split(ledger, state / TRACE_KEYS, master, ["hogo", "kensa", "haruka"], by="kanri")
    sold = [HEADING, *rows[599:999], *people(parties()[2], 0, 40)]
    text = "\n".join(",".join((cell or "").replace(",", " ") for cell in row) for row in sold)
    return shares, text.encode("cp932")


@pytest.fixture
async def browser() -> AsyncIterator[Any]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        await browser.close()


async def csrf(client: httpx2.AsyncClient, path: str = "/trace") -> str:
    found = re.search(r'name="csrf" value="([0-9a-f]+)"', (await client.get(path)).text)
    assert found is not None
    return found[1]


async def open_key(scene: Scene, shares: dict[str, str]) -> None:
    async with scene.client("moto") as client:
        form = {"csrf": await csrf(client), "reason": "offered", "minutes": "30", "lookups": "3"}
        assert (await client.post("/trace/key", data=form)).status_code == 303
        [release] = re.findall(r"release-[0-9a-f]{12}", str(scene.checkpoint.service.traces.key.waiting()))
        # Whoever asked holds no share; and one holder alone opens nothing.
        wrong = {"csrf": form["csrf"], "share": shares["hogo"]}
        assert "SEK-TRACE-015" in (await client.post(f"/trace/key/{release}", data=wrong)).text
    for person, page in (("hogo", "/trace"), ("haruka", "/portal/trace")):
        assert scene.checkpoint.service.traces.key.lease is None
        async with scene.client(person) as client:
            given = {"csrf": await csrf(client, page), "share": shares[person]}
            answer = await client.post(f"/trace/key/{release}", data=given)
            assert answer.headers["location"] == page
    assert scene.checkpoint.service.traces.key.lease is not None


async def test_a_list_is_dropped_on_the_page_and_names_its_session(
    house: Scene, browser: Any, tmp_path: Path
) -> None:
    shares, content = await stock(house)
    await open_key(house, shares)
    path = tmp_path / "買い取った名簿.csv"
    path.write_bytes(content)
    case = ""
    for language, width in (("ja", 1280), ("en", 390)):
        cookie = await house.cookie("moto")
        async with visitor(browser, house.url, cookie=cookie, width=width, language=language) as window:
            page = window.page
            await window.open("/trace")
            await window.fits()
            if SHOTS:
                await page.screenshot(path=f"{SHOTS}/traces-{language}.png", full_page=True)
            if not case:
                await page.locator("#list").set_input_files(path)
                await page.get_by_role("button", name="読み取る").click()
                await expect(page.get_by_role("heading", name="リストの列", exact=True)).to_be_visible(
                    timeout=30_000
                )
                shown = await page.content()
                assert "買い取った名簿.csv" in shown
                first = people(parties()[0], 599, 600)[0]
                assert first[0] is not None
                assert first[0] not in shown  # values are masked
                await window.fits()
                if SHOTS:
                    await page.screenshot(path=f"{SHOTS}/columns-{language}.png", full_page=True)
                await page.locator("#reason").fill("業者から提供")
                await page.get_by_role("button", name="照会する").click()
                await expect(page.get_by_role("heading", name="流出リスト", exact=True)).to_be_visible(
                    timeout=60_000
                )
                case = page.url.rpartition("/")[2]
            await window.open(f"/trace/{case}")
            consistent = (
                "このリストは 1 件のセッションと整合します。"
                if language == "ja"
                else "consistent with 1 session"
            )
            await expect(page.get_by_text(consistent)).to_be_visible()
            await expect(page.locator(".plot canvas")).to_be_visible()
            await window.fits()
            if SHOTS:
                await page.screenshot(path=f"{SHOTS}/case-{language}.png", full_page=True)
            assert await axe(page) == []
    tokens = await tokens_of(house, "chosa", "sato")
    async with house.client() as client:
        for person, status in (("chosa", 200), ("sato", 403)):
            bearer = {"authorization": f"Bearer {tokens[person]}"}
            told = await client.get(f"/api/v1/trace/cases/{case}", headers=bearer)
            assert told.status_code == status, person
            assert (told.json().get("case") == case) is (status == 200)
    async with house.client("chosa") as client:
        token = await csrf(client, f"/trace/{case}")
        form = {"csrf": token, "judgement": "confirmed", "reason": "read it"}
        assert (await client.post(f"/trace/{case}/judge", data=form)).status_code == 303
    async with house.client("moto") as client:
        assert "Confirmed" in (await client.get(f"/trace/{case}")).text
        form["csrf"] = await csrf(client, f"/trace/{case}")
        assert (await client.post(f"/trace/{case}/judge", data=form)).status_code in (400, 403)
        assert (await client.post(f"/trace/{case}/repeat", data={"csrf": form["csrf"]})).status_code == 303
        assert "the same, byte for byte" in (await client.get(f"/trace/{case}")).text
        assert (await client.get(f"/trace/{case}/papers/report.pdf")).content[:5] == b"%PDF-"
        bundle = tmp_path / "evidence.zip"
        bundle.write_bytes((await client.get(f"/trace/{case}/papers/evidence.zip")).content)
    report = verify_bundle(bundle, policy=Policy.of_keys([house.checkpoint.service.log_key], [], 0))
    assert report.ok, report
    # The client sees its own part, and takes note of it; another client sees nothing.
    async with house.client("haruka") as client:
        answer = (await client.get("/portal/trace")).text
        assert "s-1" in answer
        form = {"csrf": await csrf(client, "/portal/trace"), "organisation": "minato"}
        assert (await client.post(f"/portal/trace/{case}", data=form)).status_code == 303
        assert "noted by us" in (await client.get("/portal/trace")).text
        assert (await client.get(f"/trace/{case}")).status_code == 403
    async with house.client("aoi") as client:
        assert case not in (await client.get("/portal/trace")).text
        form = {"csrf": await csrf(client, "/portal/trace"), "organisation": "aoba"}
        assert (await client.post(f"/portal/trace/{case}", data=form)).status_code in (400, 404)


async def axe(page: Any) -> list[str]:
    """What axe-core finds wrong; it runs beside the page's own policy."""
    session = await page.context.new_cdp_session(page)
    script = f"{AXE.read_text('utf-8')}; {_VIOLATIONS}"
    found = await session.send(
        "Runtime.evaluate", {"expression": script, "awaitPromise": True, "returnByValue": True}
    )
    return [f"{name}: {nodes}" for name, nodes in json.loads(found["result"]["value"])]


async def test_who_may_not_bring_a_list_brings_none(house: Scene) -> None:
    await stock(house)
    for person, status in (("sato", 403), ("haruka", 403), ("kanri", 403), ("kura", 403)):
        async with house.client(person) as client:
            assert (await client.get("/trace")).status_code == status, person
    async with house.client("moto") as client:
        token = await csrf_of_page(client)
        body = {"name": "x.csv", "size": 3}
        assert (await client.post("/trace/lists", json=body)).status_code == 403
        answer = await client.post("/trace/lists", json=body, headers={"x-sekisho-form": token})
        to = answer.json()["to"]
        await client.post(f"{to}?offset=0", content=b"a,b", headers={"x-sekisho-form": token})
        async with house.client("hogo") as other:
            assert "SEK-TRACE-019" in (await other.get(to)).text
        form = {"csrf": token, "reason": "because"}
        answer = await client.post(f"{to}/look", data=form)
        assert "SEK-TRACE-013" in answer.text  # the key is closed


async def csrf_of_page(client: httpx2.AsyncClient) -> str:
    found = re.search(r'data-csrf="([0-9a-f]+)"', (await client.get("/trace")).text)
    assert found is not None
    return found[1]
