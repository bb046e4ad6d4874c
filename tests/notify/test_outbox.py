"""Delivery to real servers: a mail server with TLS, a webhook's receiver, apprise; failures, and crashes."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any

import httpx2
import pytest

from mail_under_test import MailServer, free_port, mail_server, text_of
from notify.conftest import SECRET, Hook
from sekisho.faults import Fault
from sekisho.gate.facts import BreakGlassOpened, TicketRequested
from sekisho.gate.limits import Limits
from sekisho.ledger import Ledger
from sekisho.ledger.batch import Aside
from sekisho.ledger.facts import LEDGER, QuorumMissing
from sekisho.ledger.tables import OFFSETS
from sekisho.notify.addresses import parse_address
from sekisho.notify.channels import Channels, Smtp
from sekisho.notify.notices import Notice, Notices
from sekisho.notify.outbox import SUBSCRIPTION, Outbox
from sekisho.people.freeze import freeze
from sekisho.people.leaving import leave
from sekisho.service.certificates import Certificates

pytestmark = pytest.mark.e2e
SAYS = Notice("test", {"ja": "題", "en": "subject"}, {"ja": "本文", "en": "body"}, link="/reviews")
HOUSE = "mailto:soc@house.example"


def smtp_of(server: MailServer, **changes: Any) -> Smtp:
    given = {
        "host": "localhost",
        "port": server.port,
        "sender": "sekisho@house.example",
        "ca_file": str(server.ca),
    }
    return Smtp(**{**given, **changes})


@asynccontextmanager
async def delivering(
    ledger: Ledger, smtp: Smtp | None, http: httpx2.AsyncClient, **also: Any
) -> AsyncIterator[Notices]:
    notices = Notices(ledger, house=1)
    outbox = Outbox(
        ledger,
        notices,
        Channels(smtp, http),
        house=[parse_address(HOUSE)],
        console="https://checkpoint.example",
        origin="checkpoint.example/notices",
        first_wait=0.05,
        **also,
    )
    async with asyncio.TaskGroup() as group:
        running = group.create_task(outbox.run())
        try:
            yield notices
        finally:
            running.cancel()


async def until(condition: Callable[[], Any], ledger: Ledger) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await ledger.wait_turn(0.05)


async def facts(ledger: Ledger, name: str) -> list[Any]:
    return [recorded.typed() for recorded in await ledger.facts(0, 999, names=[f"notify.{name}"])]


async def wait_for_facts(ledger: Ledger, name: str, count: int) -> list[Any]:
    async with asyncio.timeout(20):
        while len(found := await facts(ledger, name)) < count:
            await ledger.wait_turn(0.05)
    return found


async def test_the_agency_is_written_to_when_somebody_leaves(
    ledger: Ledger, mail: MailServer, http: httpx2.AsyncClient
) -> None:
    await leave(ledger, "sato", last_day=date(2026, 11, 20), reason="contract ended", by="kanri")
    async with delivering(ledger, smtp_of(mail), http) as notices:
        await notices.set_address("agency:Example Staffing", "mailto:staff@agency.example", by="kanri")
        await until(lambda: mail.to("staff@agency.example"), ledger)
        [sent] = await wait_for_facts(ledger, "sent", 1)
    [letter] = mail.to("staff@agency.example")
    assert letter["From"] == "sekisho@house.example"
    assert letter["Subject"] == "業務終了のお知らせ(sato) / End of work of sato"
    assert letter["Message-ID"] == f"<{sent.message}>"
    assert letter["Auto-Submitted"] == "auto-generated"
    text = text_of(letter)
    assert "sato 太郎 様(担当者ID sato)の業務は 2026-11-20 をもって終了" in text
    assert "send an updated list of your people" in text
    assert text.count("send an updated list") == 1  # the fact's text is in both languages already


async def test_the_kill_switch_tells_others_in_their_language(
    ledger: Ledger, mail: MailServer, http: httpx2.AsyncClient
) -> None:
    async with delivering(ledger, smtp_of(mail), http) as notices:
        for person in ("sato", "mori", "hogo", "kanri"):
            await notices.set_address(f"person:{person}", f"mailto:{person}-1@house.example", by=person)
        await freeze(ledger, "sato", reason="called 090-1234-5678", by="mori")
        await until(lambda: mail.to("kanri-1@house.example") and mail.to("hogo-1@house.example"), ledger)
        await until(lambda: mail.to("soc@house.example"), ledger)
    assert mail.to("sato-1@house.example") == []
    [letter] = mail.to("hogo-1@house.example")
    assert letter["Subject"] == "【凍結】sato のアクセスを停止しました"
    assert text_of(letter).endswith("\n\nhttps://checkpoint.example/people\n")
    assert "090" not in text_of(letter)
    assert "Kill switch" in str(mail.to("soc@house.example")[0]["Subject"])


def glass(purpose: str) -> BreakGlassOpened:
    now = int(time.time() * 1e6)
    asked = TicketRequested(
        ticket="T-9",
        person="sato",
        organisation="minato",
        dataset="customers",
        target="callcentre",
        door="postgres",
        purpose=purpose,
        opens=now,
        closes=now + 60_000_000,
        limits=Limits(**dict.fromkeys(Limits.__struct_fields__, 5)),
    )
    return BreakGlassOpened(asked=asked, review_by=now + 3_600_000_000)


async def test_an_emergency_is_told_to_the_client_and_not_to_another_one(
    ledger: Ledger, mail: MailServer, http: httpx2.AsyncClient
) -> None:
    async with delivering(ledger, smtp_of(mail), http) as notices:
        for person in ("haruka", "aoi", "kensa", "sato"):
            await notices.set_address(f"person:{person}", f"mailto:{person}-2@house.example", by=person)
        await ledger.record(glass("Hanako Yamada was billed twice"), by="sato", about="T-9")
        await until(lambda: mail.to("haruka-2@house.example") and mail.to("kensa-2@house.example"), ledger)
    [letter] = mail.to("haruka-2@house.example")
    assert letter["Subject"] == "Emergency access by sato to data of minato"
    assert "Hanako" not in text_of(letter)
    assert mail.to("aoi-2@house.example") == mail.to("sato-2@house.example") == []


async def test_a_missing_quorum_is_told(ledger: Ledger, mail: MailServer, http: httpx2.AsyncClient) -> None:
    async with delivering(ledger, smtp_of(mail), http) as notices:
        await notices.set_address("person:kanta", "mailto:kanta-3@house.example", by="kanta")
        await ledger.record(QuorumMissing(size=7, codes=["SEK-EVID-031"]), by=LEDGER, about=LEDGER)
        await until(lambda: mail.to("kanta-3@house.example"), ledger)
    assert "SEK-EVID-031" in text_of(mail.to("kanta-3@house.example")[0])


async def test_mail_goes_to_the_server_whose_certificate_is_good_only(
    ledger: Ledger, mail: MailServer, http: httpx2.AsyncClient, tmp_path: Path
) -> None:
    """Fails when certificates are not checked."""
    other = Certificates(tmp_path / "other")
    async with delivering(ledger, smtp_of(mail, ca_file=str(other.ca)), http) as notices:
        await notices.set_address("person:mori", "mailto:mori-4@house.example", by="mori")
        await notices.send(SAYS, to=["person:mori"])
        [failed, *_] = await wait_for_facts(ledger, "failed", 1)
    assert failed.reason == "SSLCertVerificationError"
    assert mail.to("mori-4@house.example") == []


async def test_mail_that_cannot_be_encrypted_is_not_sent(ledger: Ledger, http: httpx2.AsyncClient) -> None:
    with mail_server(tls=False) as server:
        async with delivering(ledger, smtp_of(server), http) as notices:
            await notices.set_address("person:mori", "mailto:mori@house.example", by="mori")
            await notices.send(SAYS, to=["person:mori"])
            [failed, *_] = await wait_for_facts(ledger, "failed", 1)
        assert failed.reason == "SMTPNotSupportedError"
        assert server.mails() == []


async def test_a_server_that_was_down_gets_it_later_and_under_the_same_id(
    ledger: Ledger, http: httpx2.AsyncClient
) -> None:
    port = free_port()
    smtp = Smtp(host="127.0.0.1", port=port, sender="sekisho@house.example", security="none")
    async with delivering(ledger, smtp, http) as notices:
        await notices.set_address("person:mori", "mailto:mori@house.example", by="mori")
        await notices.send(SAYS, to=["person:mori"])
        failed = await wait_for_facts(ledger, "failed", 3)
        assert [one.attempt for one in failed[:3]] == [1, 2, 3]
        assert all(one.again for one in failed)
        with mail_server(tls=False, port=port) as server:
            await until(lambda: server.mails(), ledger)
            [sent] = await wait_for_facts(ledger, "sent", 1)
            [letter] = server.mails()
    assert letter["Message-ID"] == f"<{sent.message}>"


async def test_an_address_that_the_server_refuses_is_given_up(
    ledger: Ledger, mail: MailServer, http: httpx2.AsyncClient
) -> None:
    async with delivering(ledger, smtp_of(mail), http) as notices:
        await notices.set_address("person:mori", "mailto:nobody-here@house.example", by="mori")
        await notices.send(SAYS, to=["person:mori"])
        [failed] = await wait_for_facts(ledger, "failed", 1)
    assert (failed.reason, failed.again) == ("SMTP 550", 0)


async def test_who_has_no_address_is_told_when_one_is_given(
    ledger: Ledger, mail: MailServer, http: httpx2.AsyncClient
) -> None:
    late = 0.0
    async with delivering(ledger, smtp_of(mail), http, now=lambda: time.time() + late) as notices:
        await notices.send(SAYS, to=["person:mori"])
        [failed] = await wait_for_facts(ledger, "failed", 1)
        assert failed.reason == "no address"
        await notices.set_address("person:mori", "mailto:mori-5@house.example", by="mori")
        late = 60.0
        await until(lambda: mail.to("mori-5@house.example"), ledger)


def signed(headers: dict[str, str], body: bytes, secret: str) -> bool:
    content = b".".join((headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body))
    mac = base64.b64encode(hmac.digest(base64.b64decode(secret), content, hashlib.sha256)).decode()
    return headers["webhook-signature"] == f"v1,{mac}"


async def test_a_webhook_is_signed_and_tried_again(
    ledger: Ledger, http: httpx2.AsyncClient, hook: Hook
) -> None:
    hook.answers = [500, 302]
    async with delivering(ledger, None, http) as notices:
        await notices.set_address("person:mori", f"{hook.url}#whsec_{SECRET}", by="mori")
        await notices.send(SAYS, to=["person:mori"])
        await wait_for_facts(ledger, "sent", 1)
    failed = await facts(ledger, "failed")
    assert [one.reason for one in failed] == ["HTTP 500", "HTTP 302"]
    assert len(hook.got) == 3
    assert len({headers["webhook-id"] for headers, _ in hook.got}) == 1
    headers, body = hook.got[-1]
    assert signed(headers, body, SECRET)
    assert not signed(headers, body, base64.b64encode(bytes(32)).decode())
    assert not signed(headers, body.replace("本文".encode(), "変更".encode()), SECRET)
    said = json.loads(body)
    assert (said["subject"], said["body"], said["link"]) == (
        "題",
        "本文",
        "https://checkpoint.example/reviews",
    )


async def test_what_apprise_knows_is_told_by_apprise(
    ledger: Ledger, http: httpx2.AsyncClient, hook: Hook
) -> None:
    address = hook.url.replace("http://", "json://")
    async with delivering(ledger, None, http) as notices:
        await notices.set_address("person:mori", address, by="mori")
        await notices.set_address("person:hogo", "nothing://of-that-name", by="hogo")
        await notices.send(SAYS, to=["person:mori", "person:hogo"])
        await wait_for_facts(ledger, "sent", 1)
        [failed] = await wait_for_facts(ledger, "failed", 1)
    assert (failed.receiver, failed.reason, failed.again) == ("person:hogo", "apprise", 0)
    [(_, body)] = hook.got
    assert json.loads(body)["title"] == "題"


async def test_a_fact_that_comes_twice_is_told_once(
    ledger: Ledger, http: httpx2.AsyncClient, hook: Hook
) -> None:
    """As after a crash between asking and acknowledging."""
    async with delivering(ledger, None, http) as notices:
        await notices.set_address("agency:Example Staffing", f"{hook.url}#whsec_{SECRET}", by="kanri")
        await leave(ledger, "sato", last_day=date(2026, 11, 20), reason="x", by="kanri")
        await wait_for_facts(ledger, "sent", 1)
    await ledger.remember(Aside(OFFSETS, {"name": SUBSCRIPTION}, {"next_seq": 0}))
    async with delivering(ledger, None, http):
        async with asyncio.timeout(10):
            while await ledger.offset(SUBSCRIPTION) == 0:
                await ledger.wait_turn(0.05)
    assert len([one for one in await facts(ledger, "asked") if one.kind == "agency"]) == 1
    assert len(hook.got) == 1


async def test_nobody_is_written_to_about_last_year(ledger: Ledger, http: httpx2.AsyncClient) -> None:
    await freeze(ledger, "sato", reason="x", by="mori")
    async with delivering(ledger, None, http, now=lambda: time.time() + 8 * 86400):
        async with asyncio.timeout(10):
            while await ledger.offset(SUBSCRIPTION) == 0:
                await ledger.wait_turn(0.05)
    assert await facts(ledger, "asked") == []


async def test_a_sealed_text_that_was_altered_or_erased_is_given_up(
    ledger: Ledger, http: httpx2.AsyncClient, hook: Hook
) -> None:
    notices = Notices(ledger)
    await notices.set_address("person:mori", f"{hook.url}#whsec_{SECRET}", by="mori")
    await notices.send(SAYS, to=["person:mori"])
    [asked] = await facts(ledger, "asked")
    await ledger.erase(asked.text, by="kanri", reason="test")
    async with delivering(ledger, None, http):
        [failed] = await wait_for_facts(ledger, "failed", 1)
    assert (failed.reason, failed.again) == ("erased", 0)
    assert hook.got == []


async def test_mail_that_cannot_work_as_set_stops_the_start(http: httpx2.AsyncClient, tmp_path: Path) -> None:
    for changes in (
        {"host": "mail.example", "security": "none"},
        {"host": "mail.example", "sender": "nobody"},
        {"host": "mail.example", "ca_file": str(tmp_path / "missing")},
        {"host": "mail.example", "user": "x", "password_file": str(tmp_path / "missing")},
    ):
        with pytest.raises(Fault, match="SEK-NOTE-004"):
            Channels(Smtp(**{"sender": "a@b.example", **changes}), http)  # type: ignore[arg-type]
