"""What people do at the console: each act is one room's, each leaves its fact, and none can be done by one human."""

import re
import time
from datetime import date, timedelta

import httpx2
import pyotp
import pytest

from console.console_scene import Scene
from sekisho.demo.clients import psql
from sekisho.gate.facts import PolicyProposed
from sekisho.register.erasure import certify
from sekisho.register.facts import ContractAdded, EntrustmentAdded
from sekisho.register.periods import parse_period

pytestmark = pytest.mark.e2e


async def send(client: httpx2.AsyncClient, page: str, action: str, **fields: str) -> httpx2.Response:
    """Open a page, and send one of its forms (or another one to the same place) with its token."""
    found = re.search(r'name="csrf" value="(\w+)"', (await client.get(page)).text)
    assert found is not None, page
    data = {"csrf": found[1], **fields}
    return await client.post(action, data=data, follow_redirects=True)


async def test_a_ticket_is_declined_with_a_reason_and_only_as_it_was_seen(house: Scene) -> None:
    ticket = await house.ask()
    async with house.client("mori") as mori:
        stale = await send(mori, "/queue", f"/queue/{ticket}", decision="approve", seen="0" * 64)
        assert "SEK-GATE-032" in stale.text
        no_reason = await send(mori, "/queue", f"/queue/{ticket}", decision="decline", seen="-")
        assert (no_reason.status_code, "SEK-CONS-007" in no_reason.text) == (400, True)
        await send(mori, "/queue", f"/queue/{ticket}", decision="decline", seen="-", reason="too wide")
    [closed] = await house.checkpoint.facts("gate.ticket_closed")
    assert closed.by == "mori"
    assert b'"how":"declined"' in closed.leaf
    assert await house.checkpoint.facts("gate.ticket_approved") == []
    async with house.client("sato") as sato:
        assert "Refused" in (await sato.get("/work")).text


async def test_nobody_approves_what_is_not_theirs_to_approve(house: Scene) -> None:
    ticket = await house.ask()
    for person in ("sato", "kanri", "kensa", "haruka", "hogo"):
        async with house.client(person) as client:
            answer = await send(client, "/me", f"/queue/{ticket}", decision="approve", seen="-")
            assert answer.status_code == 403, person
    async with house.client("moto") as moto:  # a part in bulk pulls, none in this ticket
        assert "Nothing waits for your approval" in (await moto.get("/queue")).text
        [request] = await house.checkpoint.facts("gate.ticket_requested")
        seen = request.leaf_hash.hex()
        await send(moto, "/queue", f"/queue/{ticket}", decision="approve", seen=seen)
    assert await house.checkpoint.facts("gate.ticket_approved") == []


async def test_a_policy_needs_two_and_the_second_sees_what_changes(house: Scene) -> None:
    fields = {
        "reason": "Doors close at night",
        "first_hour": "8",
        "last_hour": "20",
        "longest_hours": "12",
        "review_hours": "6",
        "break_glass_minutes": "30",
        "bulk_persons": "1000",
        "special_persons": "50",
        "courses": "privacy, security",
    }
    async with house.client("mori") as mori, house.client("hogo") as hogo, house.client("kanri") as kanri:
        await send(mori, "/policy/propose", "/policy", **fields)
        [proposed] = await house.checkpoint.facts("gate.policy_proposed")
        fact = proposed.typed()
        assert isinstance(fact, PolicyProposed)
        assert (fact.policy.sensitive_persons, fact.policy.special_persons) == (None, 50)
        assert (fact.policy.hours, fact.policy.courses) == ((8, 20), ("privacy", "security"))
        assert (await send(kanri, "/policy", "/policy", **fields)).status_code in (400, 403)
        own = await send(mori, "/policy", f"/policy/{fact.proposal}/approve")
        assert own.status_code in (400, 403)
        assert await house.checkpoint.facts("gate.policy_approved") == []
        page = (await hogo.get("/policy")).text
        assert "[0,24] → [8,20]" in page
        await send(hogo, "/policy", f"/policy/{fact.proposal}/approve")
        assert "8:00 – 20:00" in (await hogo.get("/policy")).text
    [given] = await house.checkpoint.facts("gate.policy_approved")
    assert given.by == "hogo"


async def test_an_emergency_access_opens_at_once_and_stays_open_at_the_client_until_two_looked(
    house: Scene,
) -> None:
    fields = {
        "dataset": "minato-customers",
        "purpose": "The hotline is down",
        "persons": "5",
        "opens": "2026-11-21T10:00",
        "hours": "0.5",
        "emergency": "true",
    }
    async with house.client("sato") as sato, house.client("haruka") as haruka:
        await send(sato, "/work/request?emergency=true", "/work/request", **fields)
        [opened] = await house.checkpoint.facts("gate.break_glass_opened")
        run = await house.checkpoint.psql(opened.about, "SELECT name FROM minato.customers LIMIT 2")
        assert run.status == 0, run.stderr
        assert "Review due" in (await haruka.get("/portal/duties")).text
        for person in ("hogo", "kensa"):
            async with house.client(person) as reviewer:
                note = {"finding": "justified", "note": "the outage is real"}
                answer = await send(reviewer, "/reviews", f"/reviews/{opened.about}", **note)
                assert answer.status_code == 200
        page = (await haruka.get("/portal/duties")).text
        assert "Review due" not in page
        assert "Justified" in page
        too_much = {**fields, "persons": "5000"}
        answer = await send(sato, "/work/request?emergency=true", "/work/request", **too_much)
        assert "SEK-GATE" in answer.text
    assert len(await house.checkpoint.facts("gate.break_glass_opened")) == 1


async def test_a_new_passkey_needs_two_who_vouch_each_with_a_half(house: Scene) -> None:
    halves = []
    async with house.client("mori") as mori, house.client("hogo") as hogo:
        page = await send(mori, "/people/sato", "/people/sato/vouch", reason="lost the device")
        halves.append(re.findall(r'id="half">([^<]+)<', page.text)[0])
        [asked] = await house.checkpoint.facts("people.enrolment_asked")
        request = asked.leaf_hash.hex()
        own = await send(mori, "/people", f"/asks/{request}", act="enrolment", person="sato")
        assert "SEK-PEOP-007" in own.text
        page = await send(hogo, "/people", f"/asks/{request}", act="enrolment", person="sato")
        halves.append(re.findall(r'id="half">([^<]+)<', page.text)[0])
    async with house.client() as sato:
        wrong = await sato.post("/join", data={"first": halves[1], "second": halves[0]})
        assert wrong.status_code == 401
        joined = await sato.post("/join", data={"first": halves[0], "second": halves[1]})
        assert joined.headers["location"] == "/enrol"
        assert (await sato.get("/enrol")).status_code == 200
        # This session may enrol, and do nothing else.
        assert (await sato.get("/work")).status_code == 401
        assert (await sato.get("/")).headers["location"] == "/enrol"


async def test_a_leaving_ends_everything_and_is_told(house: Scene) -> None:
    async with house.client("sato") as sato, house.client("mori") as mori, house.client("hogo") as hogo:
        fields = {"last_day": house.today().isoformat(), "reason": "contract ended"}
        refused = await send(hogo, "/people/sato", "/people/sato/leave", **fields)
        assert refused.status_code == 403
        await send(mori, "/people/sato", "/people/sato/leave", **fields)
        assert (await sato.get("/work")).status_code == 401
        assert "Left" in (await mori.get("/people/sato")).text
    for name in ("people.person_left", "people.looked_back", "people.agency_notified"):
        assert len(await house.checkpoint.facts(name)) == 1, name


async def test_the_client_approves_a_passing_on_and_countersigns_an_erasure(house: Scene) -> None:
    ledger = house.checkpoint.ledger
    today = house.today()
    hop = EntrustmentAdded(
        hop="hop-sub",
        client="minato",
        giver="outsourcing",
        receiver="subcontractor",
        datasets=("minato-customers",),
        began=today,
    )
    recorded = await ledger.record(hop, by="kanri", about=hop.hop)
    ended = EntrustmentAdded(
        hop="hop-old",
        client="minato",
        giver="minato",
        receiver="printer",
        datasets=("minato-letters",),
        began=date(2019, 4, 1),
    )
    await ledger.record(ended, by="kanri", about=ended.hop)
    last = today - timedelta(days=60)
    period = parse_period(f"2019年4月1日~{last.year}年{last.month}月{last.day}日")
    contract = ContractAdded(contract="c-old", hop="hop-old", kind="業務委託契約", period=period, clauses=())
    await ledger.record(contract, by="kanri", about="c-old")
    async with house.client("haruka") as haruka, house.client("aoi") as aoi:
        page = (await haruka.get("/portal/duties")).text
        assert "Overdue" in page
        assert "subcontractor" in page
        asked = {"organisation": "minato", "hop": "hop-sub", "entrustment": recorded.leaf_hash.hex()}
        other = await send(aoi, "/portal/duties", "/portal/duties/hops", **asked)
        assert other.status_code == 404
        await send(haruka, "/portal/duties", "/portal/duties/hops", **asked)
        [approved] = await house.checkpoint.facts("register.hop_approved")
        assert approved.by == "haruka"

        certified = await certify(
            ledger,
            "minato-letters",
            party="printer",
            by="kanri",
            on=today,
            method="overwritten",
            certificate=b"paper",
        )
        signed = {
            "organisation": "minato",
            "dataset": "minato-letters",
            "party": "printer",
            "certified": certified.leaf_hash.hex(),
        }
        assert "Countersign" in (await haruka.get("/portal/duties")).text
        await send(haruka, "/portal/duties", "/portal/duties/erasures", **signed)
        [countersigned] = await house.checkpoint.facts("register.erasure_countersigned")
        assert countersigned.by == "haruka"
        assert "Countersigned" in (await haruka.get("/portal/duties")).text


async def test_one_ends_ones_own_sessions_and_tokens_and_nobody_elses(house: Scene) -> None:
    async with house.client("mori") as mori, house.client("mori") as other, house.client("sato") as sato:
        sessions = {one.about for one in await house.checkpoint.facts("people.session_opened")}
        page = (await mori.get("/me")).text
        mine = set(re.findall(r'name="session" value="(c-\w+)"', page))
        assert mine < sessions
        answer = await send(sato, "/me", "/me/sessions/end", session=next(iter(mine)))
        assert answer.status_code == 404
        await send(mori, "/me", "/me/sessions/end", session=next(iter(mine)))
        assert (await other.get("/me")).status_code == 401
        await send(mori, "/me", "/me/tokens", label="one", scopes="me", days="1")
        token = re.findall(r'name="token" value="(a-\w+)"', (await mori.get("/me")).text)[0]
        answer = await send(sato, "/me", "/me/tokens/revoke", token=token)
        assert answer.status_code == 404
        await send(mori, "/me", "/me/tokens/revoke", token=token)
        assert token not in (await mori.get("/me")).text


async def test_a_worker_takes_a_doors_password_for_an_own_ticket(house: Scene) -> None:
    ticket = await house.checkpoint.ticket()
    async with house.client("sato") as sato, house.client("mori") as mori:
        page = (await send(sato, "/work", f"/work/tickets/{ticket}/token")).text
        user = re.findall(r'class="mono">([^<]+)<', page)[0]
        password = re.findall(r'id="password">([^<]+)<', page)[0]
        host, port = house.checkpoint.service.postgres
        run = await psql(host, port, user, password, "callcentre", "-Atc", "SELECT 1 + 1", sslmode="require")
        assert run.status == 0, run.stderr
        assert (await send(mori, "/me", f"/work/tickets/{ticket}/token")).status_code == 403
        assert (await send(sato, "/work", "/work/tickets/T-9999/token")).status_code == 404
    [issued] = await house.checkpoint.facts("people.token_issued")
    assert (issued.by, issued.about) == ("sato", ticket)
    assert password.encode() not in issued.leaf


async def test_a_password_counts_from_its_first_code_on(house: Scene) -> None:
    before = len(await house.checkpoint.facts("people.credential_set"))
    async with house.client("mori") as mori, house.client("sato") as sato:
        weak = await send(mori, "/enrol", "/enrol/password", password="short")
        assert "SEK-PEOP-017" in weak.text
        page = (await send(mori, "/enrol", "/enrol/password", password="correct battery staple")).text
        secret = re.findall(r'id="secret">([^<]+)<', page)[0]
        ticket = re.findall(r'name="ticket" value="([^"]+)"', page)[0]
        # Somebody else's confirmation is none, and spends it.
        code = pyotp.TOTP(secret).now()
        stolen = await send(sato, "/enrol", "/enrol/code", ticket=ticket, code=code)
        assert stolen.status_code == 403
        assert len(await house.checkpoint.facts("people.credential_set")) == before
        page = (await send(mori, "/enrol", "/enrol/password", password="correct battery staple")).text
        secret = re.findall(r'id="secret">([^<]+)<', page)[0]
        ticket = re.findall(r'name="ticket" value="([^"]+)"', page)[0]
        await send(mori, "/enrol", "/enrol/code", ticket=ticket, code=pyotp.TOTP(secret).now())
    [*_, kept] = await house.checkpoint.facts("people.credential_set")
    assert kept.by == "mori"
    async with house.client() as browser:
        code = pyotp.TOTP(secret).at(int(time.time()) + 30)  # the present one is spent
        data = {"person": "mori", "password": "correct battery staple", "code": code}
        assert (await browser.post("/login/password", data=data)).status_code == 303
        assert (await browser.get("/queue")).status_code == 200
