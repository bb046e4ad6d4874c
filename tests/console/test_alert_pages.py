"""From a theft with a real client to the page of an alert: who sees it, who may judge it, who may mute it."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

from checkpoint_under_test import limits
from console.console_scene import Scene
from sekisho.console.viewer import csrf_of
from sekisho.gate.restraints import RestraintKind, impose
from sekisho.ledger import values_of
from sekisho.relay.facts import Statement
from sekisho.watch.facts import AlertRaised
from sekisho.watch.ingest.sources import register_source, token_of

pytestmark = pytest.mark.e2e


async def theft(house: Scene) -> AlertRaised:
    """sato reads through the door under a ticket for fifty; then a door that was tampered with passes 5,000 more."""
    ticket = await house.checkpoint.ticket(limits=limits(ticket_persons=50))
    await house.checkpoint.psql(
        ticket, "SELECT customer_id, plan FROM minato.customers WHERE customer_id <= 9"
    )
    async with asyncio.timeout(30):
        while not await house.checkpoint.facts("relay.session_closed"):
            await house.checkpoint.ledger.wait_turn(0.2)
    [honest] = await house.checkpoint.facts("relay.statement")
    statement = honest.typed()
    assert isinstance(statement, Statement)
    more = Statement(**{**values_of(statement), "persons": 5_000, "rows": 5_000, "number": 99})
    await house.checkpoint.ledger.record(more, by="sato", about=honest.about)
    async with asyncio.timeout(30):
        while not (found := await house.checkpoint.facts("watch.alert_raised")):
            await house.checkpoint.ledger.wait_turn(0.2)
    raised = [one.typed() for one in found]
    return next(one for one in raised if isinstance(one, AlertRaised))


async def test_an_alert_is_seen_judged_and_muted_by_those_who_are_free_of_it(house: Scene) -> None:
    raised = await theft(house)
    assert "sato" not in raised.to
    assert "mori" not in raised.to  # commands sato
    page = f"/alerts/{raised.alert}"
    for person in ("sato", "haruka", "kura", "kanri"):
        async with house.client(person) as client:
            assert (await client.get("/alerts")).status_code == 403
    async with house.client("mori") as client:
        listed = await client.get("/alerts")
        assert listed.status_code == 200
        assert raised.alert not in listed.text
        assert "more concern you" in listed.text
        assert (await client.get(page)).status_code == 404
    async with house.client("hogo") as client:
        assert raised.alert in (await client.get("/alerts")).text
        shown = await client.get(page)
        assert shown.status_code == 200
        assert "sato" in shown.text
        csrf = csrf_of(client.cookies["__Host-sekisho"])
        until = (house.today() + timedelta(days=5)).isoformat()
        asked = await client.post(f"{page}/mute", data={"csrf": csrf, "until": until, "reason": "moving"})
        assert asked.status_code == 403  # the privacy officer agrees to a mute, and asks for none
        forged = await client.post(
            f"{page}/acknowledge", data={"csrf": "x", "verdict": "expected", "reason": "r"}
        )
        assert forged.status_code == 403
    async with house.client("haruka") as client:  # the client whose data it is
        seen = await client.get("/portal/alerts")
        assert "ticket T-0001" in seen.text
        assert f'href="{page}"' not in seen.text
    async with house.client("aoi") as client:
        assert "ticket T-0001" not in (await client.get("/portal/alerts")).text
    async with house.client("moto") as client:
        csrf = csrf_of(client.cookies["__Host-sekisho"])
        wrong = await client.post(
            f"{page}/acknowledge", data={"csrf": csrf, "verdict": "fine", "reason": "r"}
        )
        assert wrong.status_code == 422
        done = await client.post(
            f"{page}/acknowledge",
            data={"csrf": csrf, "verdict": "suspicious", "reason": "twice the same list"},
        )
        assert done.status_code == 303
        again = await client.get("/alerts", headers={"accept-language": "ja"})
        assert "疑わしい" in again.text
    assert len(await house.checkpoint.facts("watch.alert_acknowledged")) == 1
    assert (await house.checkpoint.facts("console.log_read"))[-1].by == "moto"


async def post(house: Scene, person: str, path: str, **fields: str) -> int:
    async with house.client(person) as client:
        csrf = csrf_of(client.cookies["__Host-sekisho"])
        return (await client.post(path, data={"csrf": csrf, **fields})).status_code


async def restrain(house: Scene, kind: RestraintKind, percent: int = 100) -> str:
    now = int(datetime.now(UTC).timestamp() * 1e6)
    done = await impose(
        house.checkpoint.ledger,
        "sato",
        kind,
        hours=1,
        percent=percent,
        reason="alert a-1",
        alert="a-1",
        now=now,
        by="sekisho",
    )
    return done.leaf_hash.hex()


async def test_a_restraint_holds_at_a_real_door_until_a_second_person_or_two_others_say_so(
    house: Scene,
) -> None:
    checkpoint = house.checkpoint
    ticket = await checkpoint.ticket(limits=limits(session_persons=40))
    ten = "SELECT customer_id, plan FROM minato.customers WHERE customer_id <= 10"
    async with checkpoint.connect(ticket) as connection:
        assert len(await connection.fetch(ten)) == 10
        name = await restrain(house, "approval")
        async with asyncio.timeout(20):  # the live session ends
            while not connection.is_closed():
                await checkpoint.ledger.wait_turn(0.1)
    refused = await checkpoint.psql(ticket, ten)
    assert "SEK-GATE-050" in refused.stderr
    path = f"/restraints/{name}"
    async with house.client("hogo") as client:
        listed = await client.get("/alerts", headers={"accept-language": "ja"})
        assert "制限中" in listed.text
        assert ticket in listed.text
    assert await post(house, "mori", f"{path}/second", ticket=ticket) == 400  # who approved it first
    assert (
        await post(house, "kensa", f"{path}/second", ticket=ticket) == 400
    )  # an auditor consents to nothing
    assert "SEK-GATE-050" in (await checkpoint.psql(ticket, ten)).stderr
    assert await post(house, "hogo", f"{path}/second", ticket=ticket) == 303
    assert (await checkpoint.psql(ticket, ten)).status == 0
    other = await checkpoint.ticket()
    assert "SEK-GATE-050" in (await checkpoint.psql(other, ten)).stderr
    assert await post(house, "mori", f"{path}/lift", reason="it was ordered") == 303
    assert await post(house, "mori", f"{path}/end") == 403
    assert await post(house, "hogo", f"{path}/end") == 303
    assert (await checkpoint.psql(other, ten)).status == 0
    await restrain(house, "budget", percent=10)
    cut = await checkpoint.psql(ticket, ten)  # four persons of forty
    assert "SEK-GATE-008" in cut.stderr


async def test_logs_come_in_signals_are_reported_and_the_page_says_what_is_heard(house: Scene) -> None:
    checkpoint = house.checkpoint
    ledger = checkpoint.ledger
    await register_source(ledger, "mail-1", "http", by="kanri", product="mail")
    token = token_of(checkpoint.secret, "mail-1", 1)
    row = {"at": datetime.now(UTC).isoformat(), "kind": "mail", "actor": "sato", "target": "x"}
    async with house.client() as client:
        url, held = "/api/logs/mail-1", {"authorization": f"Bearer {token}", "sekisho-first": "1"}
        for headers, status in (({}, 401), ({"authorization": "Bearer x"}, 401), (held, 200), (held, 200)):
            answer = await client.post(url, content=json.dumps(row).encode(), headers=headers)
            assert answer.status_code == status, answer.text
        assert answer.json() == {"rows": 0, "next": 2, "line": None}
        assert (await client.post(url, content=b"{", headers=held)).status_code == 400
    assert len(await checkpoint.facts("watch.events_received")) == 1
    async with house.client("hogo") as client:
        page = await client.get("/feeds", headers={"accept-language": "ja"})
        assert page.status_code == 200
        assert "mail-1" in page.text
        assert "受信中" in page.text
    async with house.client("sato") as client:
        assert (await client.get("/feeds")).status_code == 403
    said = {"organisation": "minato", "kind": "complaint", "note": "田中様から電話"}
    assert await post(house, "aoi", "/signals", **said) == 403  # another client
    assert await post(house, "sato", "/signals", **said) == 403
    assert await post(house, "haruka", "/signals", **said) == 303  # the client itself
    assert await post(house, "hogo", "/signals", **{**said, "kind": "canary"}) == 400  # which one?
    assert (
        await post(house, "hogo", "/signals", **{**said, "kind": "canary", "note": "letter"}, canary="c-7")
        == 303
    )
    [signal] = await checkpoint.facts("watch.signal_received")
    assert signal.by == "haruka"
    assert "田中".encode() not in signal.leaf
    assert len(await checkpoint.facts("watch.canary_met")) == 1
