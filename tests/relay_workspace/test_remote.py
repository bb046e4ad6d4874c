"""Files of a real OpenSSH server into a workspace."""

import asyncio
import hashlib
import itertools
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from checkpoint_under_test import limits
from console.test_browser import browser, visitor
from relay_workspace.workspace_scene import House, allow
from sekisho.demo.founding import add_person, appoint
from sekisho.faults import Fault, FaultKind
from sekisho.gate.facts import Bulk
from sekisho.gate.tickets import approve_ticket
from sekisho.people.identity import Method, minted
from sekisho.people.roles import Role
from sekisho.people.sessions import Sessions
from sekisho.people.tokens import Token
from sekisho.relay.faults import SESSION_ENDED
from sekisho.relay.terminal.scan import TextMeter
from sekisho.relay.workspace import faults, looks, remote
from sekisho.relay.workspace.facts import Pulled
from ssh_under_test import TARGET, SshCheckpoint, ssh_checkpoint

pytestmark = pytest.mark.e2e
__all__ = ["browser"]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with ssh_checkpoint(tmp_path) as made:
        await add_person(made.ledger, "moto", "moto", "Example Prime")
        await appoint(made.ledger, "moto", Role.PROCESSOR_MANAGER)
        await allow(made.ledger)
        yield House(made)


async def ticket(house: House, **most: int) -> str:
    made = house.checkpoint
    assert isinstance(made, SshCheckpoint)
    name = await made.ssh_ticket(bulk=Bulk(limits=limits(**most)))
    await approve_ticket(house.ledger, name, "moto")
    return name


async def pull(house: House, name: str, file: Path, to: str = "log.txt") -> Any:
    seat = Token(token="t-test", person="sato", ticket=name, target=TARGET, expires=0)
    begun = await house.rooms.pull(seat, "test", file=str(file), to=to)
    await begun.ended()
    return begun


async def refused(kind: FaultKind, act: Any) -> Fault:
    with pytest.raises(Fault) as caught:
        await act
    assert caught.value.kind is kind, caught.value
    return caught.value


def on_the_server(house: House, name: str, content: bytes) -> Path:
    made = house.checkpoint
    assert isinstance(made, SshCheckpoint)
    path = Path(made.server.folder) / name
    path.write_bytes(content)
    path.chmod(0o644)
    return path


async def pulled(house: House) -> list[Pulled]:
    facts = [one.typed() for one in await house.checkpoint.facts("workspace.pulled")]
    return [one for one in facts if isinstance(one, Pulled)]


async def test_a_file_lands_whole_counted_and_fingerprinted(house: House) -> None:
    content = b"".join(b"%d call 090-1234-%04d\n" % (n, n) for n in range(300)) + b"quiet line\n" * 50_000
    path = on_the_server(house, "app.log", content)
    name = await ticket(house)
    done = await pull(house, name, path)
    assert await house.content(name, "log.txt") == content
    assert done.sha256 == hashlib.sha256(content).hexdigest()
    [fact] = await pulled(house)
    assert (fact.source, fact.outcome, fact.bytes, fact.persons) == ("file", "complete", len(content), 300)
    assert fact.rows == content.count(b"\n")
    leaves = b"".join(one.leaf for one in await house.ledger.facts(0, 1000))
    assert b"app.log" not in leaves


async def test_the_allowance_bounds_a_file(house: House) -> None:
    content = b"".join(b"%d call 090-1234-%04d\n" % (n, n) for n in range(300))
    path = on_the_server(house, "app.log", content)
    name = await ticket(house, ticket_persons=100)
    with pytest.raises(Fault) as caught:
        await pull(house, name, path)
    assert "100" in caught.value.sentence("en")
    assert (await house.rooms.files(name))[0] == []


async def test_a_cut_file_goes_on_where_it_stopped(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"a line of no interest to anybody\n" * 100_000
    path = on_the_server(house, "big.log", content)
    name = await ticket(house)
    taken = 0
    text = looks.as_utf8

    def cut(block: bytes, to: str) -> bytes:
        nonlocal taken
        taken += len(block)
        if taken > 2_500_000:
            raise OSError("the line is cut")
        return text(block, to)

    monkeypatch.setattr(looks, "as_utf8", cut)
    await refused(faults.PULL_CUT, pull(house, name, path))
    kept = await house.content(name, "log.txt.part")
    assert kept == content[: len(kept)]
    assert len(kept) > 2_000_000
    fetched = 0

    def counted(block: bytes, to: str) -> bytes:
        nonlocal fetched
        fetched += len(block)
        return text(block, to)

    monkeypatch.setattr(looks, "as_utf8", counted)
    done = await pull(house, name, path)
    assert fetched == len(content) - len(kept)
    assert await house.content(name, "log.txt") == content
    assert done.sha256 == hashlib.sha256(content).hexdigest()
    assert [file.name for file in (await house.rooms.files(name))[0]] == ["log.txt"]
    # A remote file that changed meanwhile begins anew.
    monkeypatch.setattr(looks, "as_utf8", cut)
    await refused(faults.PULL_CUT, pull(house, name, path, "b.txt"))
    monkeypatch.setattr(looks, "as_utf8", counted)
    os.utime(path, (1_700_000_000, 1_700_000_000))
    fetched = 0
    await pull(house, name, path, "b.txt")
    assert fetched == len(content)


async def test_what_is_no_text_no_file_or_not_there_is_refused(house: House) -> None:
    name = await ticket(house)
    await refused(faults.NOT_TEXT, pull(house, name, on_the_server(house, "dump.gz", bytes(range(256)) * 50)))
    folder = on_the_server(house, "x", b"").parent
    await refused(faults.NO_REMOTE_FILES, pull(house, name, folder))
    await refused(faults.PULL_CUT, pull(house, name, folder / "missing"))
    assert (await house.rooms.files(name))[0] == []


async def test_the_form_shows_how_far_it_is_and_a_cut_file_goes_on(
    house: House, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In Japanese, on a telephone's width: a bar with a value, the cut in words, and one button to go on."""
    content = b"".join(b"%07d nothing to see in this line\n" % number for number in range(60_000))
    path = on_the_server(house, "long.log", content)
    name = await ticket(house)
    gate, spend, blocks = asyncio.Event(), TextMeter.spend, itertools.count()

    async def held(self: TextMeter, data: bytes) -> None:
        if next(blocks) == 2:
            await gate.wait()
        await spend(self, data)

    monkeypatch.setattr(TextMeter, "spend", held)
    url = f"https://localhost:{house.checkpoint.service.console[1]}"
    _, cookie = await Sessions(house.ledger).open(minted("sato", "sato", Method.PASSKEY, "test"))
    async with visitor(browser, url, cookie=cookie, width=390, language="ja") as window:
        page = window.page
        await page.goto(f"{url}/work/{name}/workspace")
        await window.fits()
        await page.fill("#remote", str(path))
        await page.fill("#to", "long.log")
        await page.click("form[action$='/pull'] button")
        bar = page.locator("progress[value]")
        await expect(bar).to_have_attribute("value", str(2 * remote._BLOCK))
        await expect(bar).to_have_attribute("max", str(len(content)))
        await window.fits()
        house.rooms.end_all(Fault(SESSION_ENDED, reason="x"), "x", ticket=name)
        gate.set()
        await expect(page.locator(".tag.warn")).to_have_text("中断")
        await window.fits()
        await page.get_by_role("button", name="続きから取得する").click()
        await expect(page.get_by_role("link", name="long.log", exact=True)).to_be_visible()
        await expect(page.get_by_role("button", name="続きから取得する")).to_have_count(0)
    assert await house.content(name, "long.log") == content
    first, second = await pulled(house)
    assert (first.outcome, second.outcome) == ("cut", "complete")
    assert second.rows < content.count(b"\n")  # the rest alone was fetched
