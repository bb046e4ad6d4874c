"""From a theft with a real client to the page of an alert: who sees it, who may judge it, who may mute it."""

import asyncio
from datetime import timedelta

import pytest

from checkpoint_under_test import limits
from console.console_scene import Scene
from sekisho.console.viewer import csrf_of
from sekisho.ledger import values_of
from sekisho.relay.facts import Statement
from sekisho.watch.facts import AlertRaised

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
