"""The extract for a client's own report: its lines prove themselves, and its figures follow from them alone."""

import asyncio
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from console.console_scene import Scene
from sekisho.evidence.policy import Policy
from sekisho.evidence.verify import verify_bundle

pytestmark = pytest.mark.e2e


async def extract_of(house: Scene) -> dict[str, Any]:
    async with house.client("haruka") as haruka:
        async with asyncio.timeout(20):
            while True:
                answer = await haruka.get("/portal/extract")
                assert answer.status_code == 200, answer.text
                assert "attachment" in answer.headers["content-disposition"]
                found: dict[str, Any] = answer.json()
                if found["sessions"] and found["sessions"][0]["closed"] and not found["unproven"]:
                    return found
                await asyncio.sleep(0.05)


async def test_the_report_is_built_from_the_extract_alone(house: Scene, tmp_path: Path) -> None:
    ticket = await house.checkpoint.ticket()
    await house.checkpoint.psql(ticket, "SELECT name FROM minato.customers LIMIT 3")
    extract = await extract_of(house)
    [session] = extract["sessions"]
    assert (session["ticket"], session["dataset"], session["persons"]) == (ticket, "minato-customers", 3)
    assert session["who"]["person"]["id"] == "sato"
    assert session["who"]["employer"]
    assert session["responsible_unit"]
    assert (extract["persons"], extract["organisation"]["id"]) == (3, "minato")

    bundle = tmp_path / "extract.zip"
    with zipfile.ZipFile(bundle, "w", zipfile.ZIP_STORED) as archive:
        for line in extract["lines"]:
            archive.writestr(f"entries/{line['line']}.json", line["leaf"])
            archive.writestr(f"proofs/{line['line']}.tlog-proof", line["proof"])
    key = house.checkpoint.service.log_key
    assert extract["log_key"] == str(key)
    assert verify_bundle(bundle, policy=Policy.of_keys([key], [], 0)).ok

    leaves = {one["line"]: json.loads(one["leaf"]) for one in extract["lines"]}
    facts = {leaves[line]["fact"]: leaves[line] for line in session["lines"]}
    assert {"gate.ticket_requested", "gate.ticket_approved", "relay.session_opened"} <= set(facts)
    closed = facts["relay.session_closed"]
    assert (closed["data"]["persons"], closed["data"]["rows"]) == (session["persons"], session["rows"])
    assert facts["gate.ticket_requested"]["data"]["purpose"] == session["purpose"]
    reads = await house.checkpoint.facts("console.log_read")
    assert any(b'"portal.extract"' in one.leaf and one.by == "haruka" for one in reads)


async def test_a_client_extracts_its_own_data_only_and_a_sensible_span(house: Scene) -> None:
    ticket = await house.checkpoint.ticket()
    await house.checkpoint.psql(ticket, "SELECT name FROM minato.customers LIMIT 3")
    async with house.client("aoi") as aoi, house.client("kensa") as kensa:
        assert (await aoi.get("/portal/extract")).json()["sessions"] == []
        assert (await aoi.get("/portal/extract?organisation=minato")).status_code == 404
        assert (await kensa.get("/portal/extract")).status_code == 403
        for span in ("since=2999-01-01", "since=2001-01-01", "since=x"):
            assert (await aoi.get(f"/portal/extract?{span}")).status_code in (400, 422), span
        past = await aoi.get("/portal/extract?since=2020-01-01&until=2020-02-01")
        assert (past.status_code, past.json()["until"]) == (200, "2020-02-01")
