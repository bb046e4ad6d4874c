"""Passkeys, against a device of software: what a good one gets, and each thing that a bad one or a bad page tries."""

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url

from people.people_examples import Clock, SoftwareAuthenticator, add
from sekisho.faults import Fault
from sekisho.ledger import Ledger
from sekisho.people.challenges import CHALLENGE_SECONDS, Challenges
from sekisho.people.freeze import freeze
from sekisho.people.identity import Authenticated, Method, minted
from sekisho.people.passkeys import PasskeyDesk, _challenge_of
from sekisho.people.tables import passkeys

ORIGIN = "https://checkpoint.example"


@pytest.fixture
async def sato(house: Ledger) -> Authenticated:
    await add(house, "sato")
    return minted("sato", "sato", Method.LINK, "test")


@pytest.fixture
def desk(house: Ledger, clock: Clock) -> PasskeyDesk:
    return PasskeyDesk(house, rp_id="checkpoint.example", origins=[ORIGIN], now=clock)


@pytest.fixture
async def device(desk: PasskeyDesk, sato: Authenticated) -> SoftwareAuthenticator:
    """sato's device, registered."""
    device = SoftwareAuthenticator()
    await desk.finish_registration(sato, device.create(await desk.begin_registration(sato)), label="laptop")
    return device


async def refusal(desk: PasskeyDesk, answer: dict[str, Any]) -> str:
    with pytest.raises(Fault) as caught:
        await desk.finish_login(answer, peer="test")
    assert caught.value.code == "SEK-PEOP-014"
    return str(caught.value.values["reason"])


async def test_a_registered_device_logs_its_person_in(
    house: Ledger, desk: PasskeyDesk, device: SoftwareAuthenticator
) -> None:
    who = await desk.finish_login(device.get(desk.begin_login()), peer="192.0.2.1")
    assert (who.account, who.person, who.method, who.peer) == ("sato", "sato", Method.PASSKEY, "192.0.2.1")
    assert not who.enrolling
    async with house.read() as connection:
        row = (await connection.execute(select(passkeys))).one()
    assert (row.person, row.sign_count, row.label) == ("sato", 1, "laptop")
    assert row.used is not None


async def test_options_ask_for_user_verification_and_exclude_known_devices(
    desk: PasskeyDesk, device: SoftwareAuthenticator, sato: Authenticated
) -> None:
    options = await desk.begin_registration(sato)
    assert options["authenticatorSelection"]["userVerification"] == "required"
    assert [one["id"] for one in options["excludeCredentials"]] == [bytes_to_base64url(device.credential)]
    assert len(base64url_to_bytes(options["challenge"])) == 32
    assert desk.begin_login()["userVerification"] == "required"


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"origin": "https://checkpoint.example.evil.test"}, "origin"),
        ({"origin": "http://checkpoint.example"}, "origin"),
        ({"rp_id": "evil.test"}, "RP ID"),
        ({"verifies_user": False}, "verif"),
        ({"handle": b"mori"}, "unknown passkey"),
        ({"credential": b"another credential"}, "unknown passkey"),
    ],
)
async def test_a_login_that_is_wrong_in_one_thing_is_refused_and_recorded(
    house: Ledger, desk: PasskeyDesk, device: SoftwareAuthenticator, change: dict[str, Any], word: str
) -> None:
    reason = await refusal(desk, dataclasses.replace(device, **change).get(desk.begin_login()))
    assert word in reason
    [failed] = await house.facts(0, 10, names=["people.login_failed"])
    assert reason[:20] in json.loads(failed.leaf)["data"]["reason"]


@pytest.mark.parametrize(
    "change", [{"origin": "https://evil.test"}, {"rp_id": "evil.test"}, {"verifies_user": False}]
)
async def test_a_registration_that_is_wrong_in_one_thing_is_refused(
    house: Ledger, desk: PasskeyDesk, sato: Authenticated, change: dict[str, Any]
) -> None:
    device = SoftwareAuthenticator(**change)
    with pytest.raises(Fault, match="SEK-PEOP-014"):
        await desk.finish_registration(sato, device.create(await desk.begin_registration(sato)), label="x")
    assert not await house.facts(0, 10, names=["people.passkey_added"])


async def test_a_challenge_is_answered_once(desk: PasskeyDesk, device: SoftwareAuthenticator) -> None:
    answer = device.get(desk.begin_login())
    await desk.finish_login(answer, peer="test")
    assert await refusal(desk, answer) == "challenge"


async def test_a_challenge_expires(desk: PasskeyDesk, device: SoftwareAuthenticator, clock: Clock) -> None:
    answer = device.get(desk.begin_login())
    clock.at += CHALLENGE_SECONDS
    assert await refusal(desk, answer) == "challenge"


async def test_a_challenge_that_we_did_not_make_is_refused(
    desk: PasskeyDesk, device: SoftwareAuthenticator
) -> None:
    assert await refusal(desk, device.get({"challenge": bytes_to_base64url(bytes(32))})) == "challenge"


async def test_a_login_cannot_answer_the_challenge_of_a_registration(
    desk: PasskeyDesk, device: SoftwareAuthenticator, sato: Authenticated
) -> None:
    options = await desk.begin_registration(sato)
    assert await refusal(desk, device.get(options)) == "challenge"


async def test_a_registration_cannot_answer_the_challenge_of_another_person(
    house: Ledger, desk: PasskeyDesk, sato: Authenticated
) -> None:
    options = await desk.begin_registration(minted("mori", "mori", Method.PASSKEY, "test"))
    with pytest.raises(Fault, match="challenge"):
        await desk.finish_registration(sato, SoftwareAuthenticator().create(options), label="x")


async def test_a_counter_that_does_not_rise_is_refused(
    desk: PasskeyDesk, device: SoftwareAuthenticator
) -> None:
    clone = dataclasses.replace(device)
    await desk.finish_login(device.get(desk.begin_login()), peer="test")
    await desk.finish_login(device.get(desk.begin_login()), peer="test")
    assert "sign count" in await refusal(desk, clone.get(desk.begin_login()))


async def test_a_counter_that_stays_zero_is_that_of_a_synced_passkey(
    desk: PasskeyDesk, device: SoftwareAuthenticator
) -> None:
    for _ in range(2):
        device.count = -1  # `get` makes it 0
        await desk.finish_login(device.get(desk.begin_login()), peer="test")


async def test_a_signature_by_another_key_is_refused(
    desk: PasskeyDesk, device: SoftwareAuthenticator
) -> None:
    forged = dataclasses.replace(device, key=SoftwareAuthenticator().key)
    assert "signature" in await refusal(desk, forged.get(desk.begin_login()))


async def test_the_passkey_of_somebody_frozen_opens_nothing(
    house: Ledger, desk: PasskeyDesk, device: SoftwareAuthenticator
) -> None:
    await freeze(house, "sato", reason="suspicion", by="mori")
    assert await refusal(desk, device.get(desk.begin_login())) == "unknown passkey"


async def test_a_removed_passkey_opens_nothing(desk: PasskeyDesk, device: SoftwareAuthenticator) -> None:
    name = bytes_to_base64url(device.credential)
    await desk.remove(name, person="sato", by="sato", reason="lost")
    assert await refusal(desk, device.get(desk.begin_login())) == "unknown passkey"


async def test_a_credential_belongs_to_one_account(desk: PasskeyDesk, device: SoftwareAuthenticator) -> None:
    mori = minted("mori", "mori", Method.PASSKEY, "test")
    answer = SoftwareAuthenticator(credential=device.credential).create(await desk.begin_registration(mori))
    with pytest.raises(Fault, match="SEK-LEDG-006"):
        await desk.finish_registration(mori, answer, label="mine now")


async def test_an_address_that_fails_often_waits(desk: PasskeyDesk, clock: Clock) -> None:
    for _ in range(30):
        await refusal(desk, {})
    with pytest.raises(Fault, match="SEK-PEOP-002"):
        await desk.finish_login({}, peer="test")
    await desk_answers_elsewhere(desk)
    clock.at += 61
    await refusal(desk, {})


async def desk_answers_elsewhere(desk: PasskeyDesk) -> None:
    with pytest.raises(Fault, match="SEK-PEOP-014"):
        await desk.finish_login({}, peer="elsewhere")


@pytest.mark.parametrize(
    "break_answer",
    [
        lambda answer: answer.pop("rawId"),
        lambda answer: answer.update(type="password"),
        lambda answer: answer["response"].update(authenticatorData="AA"),
        lambda answer: answer["response"].update(signature=""),
        lambda answer: answer["response"].update(signature=7),
        lambda answer: answer["response"].pop("signature"),
        lambda answer: answer["response"].update(userHandle=["sato"]),
        lambda answer: answer.update(id=None),
        lambda answer: answer.update(id="\ud800"),
        lambda answer: answer.update(rawId="\ud800"),
        lambda answer: answer["response"].update(userHandle="\ud800"),
        lambda answer: answer.update(response=[]),
        lambda answer: answer.update(response=None),
    ],
)
async def test_a_malformed_answer_is_refused_and_not_an_error(
    desk: PasskeyDesk, device: SoftwareAuthenticator, break_answer: Any
) -> None:
    answer = device.get(desk.begin_login())
    break_answer(answer)
    await refusal(desk, answer)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(st.sampled_from(["id", "rawId", "response"]), json_values)
    | st.fixed_dictionaries({"response": st.fixed_dictionaries({"clientDataJSON": st.text()})})
)
def test_any_json_has_a_challenge_or_none(answer: dict[str, Any]) -> None:
    assert isinstance(_challenge_of(answer), str)


def test_challenges_are_bounded_and_single_use() -> None:
    kept: Challenges[int] = Challenges(lambda: 0.0)
    first = kept.put(1)
    names = [kept.put(number) for number in range(10_000)]
    assert kept.take(first) is None
    assert kept.take(names[-1]) == 9_999
    assert kept.take(names[-1]) is None
