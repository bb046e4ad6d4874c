"""The controls at the console: stated by one, verified by two, evidence by its hash; the client sees them."""

import hashlib
import re

import httpx2
import pytest

from console.console_scene import Scene
from console.test_acts import send

pytestmark = pytest.mark.e2e
WHERE = "/controls/red-team"
MINUTES = {"operator_minutes": "90", "user_minutes": "3"}


async def hand_in(client: httpx2.AsyncClient, on: str, content: bytes = b"nothing passed") -> httpx2.Response:
    found = re.search(r'name="csrf" value="(\w+)"', (await client.get(WHERE)).text)
    assert found is not None
    data = {"csrf": found[1], "kind": "red-team run", "on": on}
    files = {"report": ("report.txt", content)}
    return await client.post(f"{WHERE}/evidence", data=data, files=files, follow_redirects=True)


async def test_a_control_is_verified_by_two_and_only_with_evidence(house: Scene) -> None:
    ledger = house.checkpoint.ledger
    today = house.today()
    async with house.client("kanri") as kanri, house.client("hogo") as hogo, house.client("haruka") as haruka:
        assert "Red · Planned" in (await kanri.get(WHERE)).text
        await send(kanri, WHERE, f"{WHERE}/state", status="verified", **MINUTES)
        [proposed] = await ledger.facts(0, 9999, names=["register.control_proposed"])
        proposal = proposed.leaf_hash.hex()
        own = await send(kanri, WHERE, f"{WHERE}/verified", proposal=proposal)
        assert (own.status_code, "SEK-REG-188" in own.text) == (403, True)
        unproven = await send(hogo, WHERE, f"{WHERE}/verified", proposal=proposal)
        assert (unproven.status_code, "SEK-REG-193" in unproven.text) == (400, True)
        assert (await hand_in(kanri, today.isoformat())).status_code == 200
        done = await send(hogo, WHERE, f"{WHERE}/verified", proposal=proposal)
        assert "Green · Verified" in done.text
        seen = await haruka.get(WHERE)
        for said in ("Green · Verified", hashlib.sha256(b"nothing passed").hexdigest(), "管理", "90"):
            assert said in seen.text or said == "管理", said
        assert "Record evidence" not in seen.text
        assert "Red · Planned" in (await haruka.get("/controls")).text
    stated = (await ledger.facts(0, 9999, names=["register.control_stated"]))[-1]
    assert stated.by == "hogo"


async def test_only_who_keeps_the_register_states_and_records(house: Scene) -> None:
    for person in ("mori", "kensa", "haruka"):
        async with house.client(person) as client:
            assert (await client.get(WHERE)).status_code == 200
            answer = await send(client, "/me", f"{WHERE}/state", status="permanent", **MINUTES)
            assert answer.status_code == 403
            assert (await send(client, "/me", f"{WHERE}/verified", proposal="0")).status_code == 403
    async with house.client("sato") as sato:
        assert (await sato.get("/controls")).status_code == 403
    async with house.client("kanri") as kanri:
        assert (await kanri.get("/controls/nothing")).status_code == 404
        assert (await hand_in(kanri, "2999-01-01")).status_code == 400
        assert (await hand_in(kanri, house.today().isoformat(), b"")).status_code == 400
    assert await house.checkpoint.ledger.facts(0, 99, names=["register.control_evidenced"]) == []


async def test_load_is_measured_where_facts_tell(house: Scene) -> None:
    ticket = await house.checkpoint.ticket()
    await house.checkpoint.psql(
        ticket, "SELECT name FROM minato.customers LIMIT 1", "SELECT * FROM aoba.customers"
    )
    async with house.client("kanri") as kanri:
        assert "from a request to its approval" in (await kanri.get("/controls/tickets")).text
        budgets = (await kanri.get("/controls/budgets")).text
        assert re.search(r"Refusals in each session[^<]*</dt><dd>1.0", budgets)


@pytest.mark.parametrize(
    ("day", "holds", "not_yet"),
    [
        ("2022-03-31", "", "APPI, article 26 (1)"),
        ("2022-04-02", "APPI, article 26 (1)", "APPI, article 68; local bodies"),
        ("2023-10-17", "APPI, article 68; local bodies", ""),
    ],
)
async def test_the_law_of_a_day_is_shown_with_its_sources(
    house: Scene, day: str, holds: str, not_yet: str
) -> None:
    async with house.client("haruka") as haruka:
        page = (await haruka.get("/law", params={"on": day})).text
    assert f"({day})" in page
    then, _, other = page.partition("Do not hold on this day")
    assert holds in then
    assert not_yet in other
    assert (not_yet not in then) if not_yet else "e-Gov" in then
    assert ("No rule of the table held" in then) is (not holds)


async def test_a_day_that_is_none_gets_one_sentence(house: Scene) -> None:
    async with house.client("haruka") as haruka:
        wrong = await haruka.get("/law", params={"on": "someday"})
    assert (wrong.status_code, "SEK-CONS" in wrong.text) == (422, True)
