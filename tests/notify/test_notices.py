"""Who is told, what is never said, and that an address does not change unheard."""

import msgspec
import pytest
from sqlalchemy import select

from sekisho.faults import Fault
from sekisho.ledger import Ledger
from sekisho.notify import notices as notices_module
from sekisho.notify.addresses import parse_address, record_address
from sekisho.notify.facts import AddressSet, NoticeAsked
from sekisho.notify.notices import Notice, Notices, Text, Words
from sekisho.notify.rules import RULES
from sekisho.notify.tables import addresses
from sekisho.people.roles import Role

SAYS = Notice("test", {"ja": "題", "en": "subject"}, {"ja": "本文", "en": "body"})


def about(person: str) -> Notice:
    return Notice("test", SAYS.subject, SAYS.body, person=person)


async def asked(ledger: Ledger) -> list[NoticeAsked]:
    found = [recorded.typed() for recorded in await ledger.facts(0, 99, names=["notify.asked"])]
    return [fact for fact in found if isinstance(fact, NoticeAsked)]


async def words(ledger: Ledger, fact: NoticeAsked) -> Words:
    content = await ledger.content(fact.text)
    assert isinstance(content, bytes)
    return msgspec.json.decode(content, type=Words)


async def test_a_notice_about_a_person_never_reaches_that_persons_chain_alone(ledger: Ledger) -> None:
    notices = Notices(ledger, house=1)
    await notices.send(about("sato"), to=["person:mori"])
    await notices.send(about("mori"), to=["person:sato", "person:mori"])
    await notices.send(about("sato"), to=["person:mori", "person:kanri"])
    first, second, third = await asked(ledger)
    assert set(first.to) == {"person:mori", *OUTSIDE}
    assert set(second.to) == {"person:mori", "person:sato", *OUTSIDE}
    assert set(third.to) == {"person:mori", "person:kanri"}


OUTSIDE = {"person:hogo", "person:kensa", "person:kanri", "person:kanta", "house:1"}


async def test_roles_are_told_within_their_organisation_only(ledger: Ledger) -> None:
    notices = Notices(ledger, house=2)
    await notices.send(SAYS, roles={Role.CLIENT, Role.AUDITOR}, organisation="minato", loud=True)
    await notices.send(SAYS, roles={Role.CLIENT})
    first, second = await asked(ledger)
    assert first.to == ("house:1", "house:2", "person:haruka", "person:kensa")
    assert second.to == ()


async def test_a_name_is_asked_once(ledger: Ledger) -> None:
    notices = Notices(ledger)
    for _ in range(2):
        assert await notices.send(SAYS, to=["person:mori"], name="f-1") == "f-1"
    assert len(await asked(ledger)) == 1


async def test_what_looks_like_a_subjects_data_is_covered(ledger: Ledger) -> None:
    body: Text = {
        "ja": "電話 090-1234-5678 に連絡",
        "en": "write to hanako@customer.example or call 090-1234-5678",
    }
    await Notices(ledger).send(Notice("test", SAYS.subject, body), to=["person:mori"])
    [fact] = await asked(ledger)
    said = await words(ledger, fact)
    assert said.body == {"ja": "電話 ［伏］ に連絡", "en": "write to ［伏］ or call ［伏］"}


async def test_no_text_and_no_address_stands_in_a_leaf(ledger: Ledger) -> None:
    await record_address(ledger, "person:mori", "mailto:mori@house.example", by="mori")
    await Notices(ledger).send(SAYS, to=["person:mori"])
    leaves = b"".join(one.leaf for one in await ledger.facts(0, 999))
    assert b"house.example" not in leaves
    assert "本文".encode() not in leaves


@pytest.mark.parametrize("text", [{"ja": "題"}, {"ja": "題", "en": ""}, {"ja": "題", "en": "x" * 4001}])
async def test_a_text_that_cannot_be_sent_is_refused(ledger: Ledger, text: dict[str, str]) -> None:
    with pytest.raises(Fault, match="SEK-NOTE-005"):
        await Notices(ledger).send(Notice("test", SAYS.subject, text), to=["person:mori"])  # type: ignore[arg-type]
    assert await asked(ledger) == []


async def test_the_outbox_has_a_bound(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices_module, "_MOST_WAITING", 3)
    notices = Notices(ledger)
    await notices.send(SAYS, to=["person:mori", "person:hogo", "person:kanri"])
    with pytest.raises(Fault, match="SEK-NOTE-003"):
        await notices.send(SAYS, to=["person:mori"])


async def test_a_changed_address_is_told_to_the_former_one(ledger: Ledger) -> None:
    """Fails when addresses can be changed unheard: an alarm could be silenced first."""
    notices = Notices(ledger)
    await notices.set_address("person:hogo", "mailto:hogo@house.example", by="hogo")
    assert await asked(ledger) == []
    [former] = await ledger.facts(0, 9, names=["notify.address_set"])
    await notices.set_address("person:hogo", "mailto:elsewhere@house.example", by="kanri")
    await notices.set_address("person:hogo", "", by="kanri")
    changed, removed = await asked(ledger)
    fact = former.typed()
    assert isinstance(fact, AddressSet)
    assert changed.to == (f"address:{fact.address}",)
    assert "kanri" in (await words(ledger, changed)).body["en"]
    assert removed.to != changed.to
    async with ledger.read() as connection:
        assert (await connection.execute(select(addresses))).all() == []


@pytest.mark.parametrize(
    "receiver", ["person:nobody", "person:", "agency:Nobody", "organisation:x", "house:1", "", "person:\0"]
)
async def test_only_who_is_registered_has_an_address(ledger: Ledger, receiver: str) -> None:
    with pytest.raises(Fault, match="SEK-NOTE-002"):
        await Notices(ledger).set_address(receiver, "mailto:a@b.example", by="kanri")


@pytest.mark.parametrize(
    "receiver", ["agency:Example Staffing", "agency:Example Audit", "organisation:minato"]
)
async def test_agencies_employers_and_clients_have_addresses_too(ledger: Ledger, receiver: str) -> None:
    await Notices(ledger).set_address(receiver, "mailto:a@b.example", by="kanri")


@pytest.mark.parametrize(
    "address",
    [
        "someone@host.example",
        "mailto:",
        "mailto:a@b@c.example",
        "mailto:a@b.example\r\nBcc: c@d.example",
        "mailto:a@b.example,c@d.example",
        "https://host.example/hook",
        "https://host.example/hook#whsec_c2hvcnQ=",
        "http://host.example/hook#whsec_" + "A" * 44,
        "https:///x#whsec_" + "A" * 44,
        "file",
        "https://[::1/x",
        "",
        "x" * 2000,
    ],
)
def test_an_address_that_cannot_be_used_is_refused(address: str) -> None:
    with pytest.raises(Fault, match="SEK-NOTE-001"):
        parse_address(address)


def test_every_rule_speaks_both_languages_and_quotes_nothing_typed() -> None:
    for name, rule in RULES.items():
        assert set(rule.subject) == set(rule.body) == {"ja", "en"}, name
        text = " ".join([*rule.subject.values(), *rule.body.values()])
        assert not {"{purpose}", "{reason}", "{note}"} & set(text.split()), name
