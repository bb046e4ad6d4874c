"""The way of a take-out, and each way around it: what is tried fails, and leaves a fact."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from webauthn.helpers import bytes_to_base64url, encode_cbor

from people.people_examples import SoftwareAuthenticator
from sekisho.cli import cli
from sekisho.evidence.policy import Policy
from sekisho.faults import Fault
from sekisho.ledger import Level
from sekisho.people import standing
from sekisho.people.facts import EnrolmentUsed, PasskeyAdded, RoleRevoked, SshKeyRevoked
from sekisho.people.roles import Role
from sekisho.takeout.canonical import digest
from sekisho.takeout.desk import Released, TakeoutDesk, read_log
from sekisho.takeout.facts import TakeoutApproved, TakeoutReleased, TakeoutRequested
from sekisho.takeout.history import NAMES
from sekisho.takeout.judge import verify_release
from takeout.takeout_examples import RELYING, House


async def refused(house: House, asked: TakeoutRequested | str) -> str:
    name = asked if isinstance(asked, str) else asked.takeout
    with pytest.raises(Fault) as caught:
        await house.desk.release(name, by="hara")
    assert (await house.refusals())[-1] == f"release:{caught.value.code}"
    return caught.value.code


async def not_approved(house: House, given: TakeoutApproved) -> str:
    with pytest.raises(Fault) as caught:
        await house.desk.approve(given)
    assert (await house.refusals())[-1] == f"approve:{caught.value.code}"
    return caught.value.code


async def verdict_code(house: House, name: str = "O-1") -> str:
    """What the published log alone says."""
    await house.ledger.reached(await house.ledger.size() - 1, Level.PUBLISHED, 10)
    history = read_log(house.log, Policy.of_keys([house.signer.key], [], 0), name)
    verdict = verify_release(history, name, RELYING)
    return "" if verdict.ok else verdict.against[0].kind.code


async def test_two_signatures_release_once_and_the_log_alone_says_so(house: House) -> None:
    asked = await house.request()
    await house.approve(asked, "mori", "hara")
    released = await house.desk.release("O-1", by="hara")
    assert released.asked == asked
    assert await verdict_code(house) == ""
    assert await refused(house, asked) == "SEK-TAKE-006"
    run = CliRunner().invoke(
        cli, ["take-out", "verify", str(house.log), "O-1", "--log-key", str(house.signer.key)]
    )
    assert (run.exit_code, run.output.count("approved")) == (0, 2)
    run = CliRunner().invoke(
        cli, ["take-out", "verify", str(house.log), "O-2", "--log-key", str(house.signer.key)]
    )
    assert run.exit_code == 1
    assert "SEK-TAKE-001" in run.output


async def test_of_two_releases_at_one_moment_one_succeeds(house: House) -> None:
    asked = await house.request()
    await house.approve(asked, "mori", "hara")
    both = await asyncio.gather(
        house.desk.release("O-1", by="hara"), house.desk.release("O-1", by="mori"), return_exceptions=True
    )
    assert sorted(isinstance(one, Released) for one in both) == [False, True]
    assert len(await house.ledger.facts(0, 10, names=["takeout.released"])) == 1


async def test_who_has_no_part_in_it_releases_nothing(house: House) -> None:
    asked = await house.request()
    await house.approve(asked, "mori", "hara")
    for somebody in ("ono", "nobody"):
        with pytest.raises(Fault) as caught:
            await house.desk.release("O-1", by=somebody)
        assert (await house.refusals())[-1] == f"release:{caught.value.code}" == "release:SEK-GATE-011"
    await house.desk.release("O-1", by="sato")


async def test_nobody_or_one_approver_releases_nothing(house: House) -> None:
    asked = await house.request()
    assert await refused(house, asked) == "SEK-TAKE-007"
    await house.approve(asked, "mori")
    assert await refused(house, asked) == "SEK-TAKE-007"


async def test_a_human_with_two_accounts_counts_once(house: House) -> None:
    asked = await house.request()
    await house.second_account("mori", "mori-night")
    await house.approve(asked, "mori")
    assert await not_approved(house, house.signed(asked, "mori-night")) == "SEK-GATE-014"
    assert await refused(house, asked) == "SEK-TAKE-007"


@pytest.mark.parametrize("account", ["sato", "sato-night", "kato"])
async def test_requester_and_whom_the_requester_commands_approve_nothing(house: House, account: str) -> None:
    await house.second_account("sato", "sato-night")
    asked = await house.request()
    await house.approve(asked, "hara")
    await not_approved(house, house.signed(asked, account))
    assert await refused(house, asked) == "SEK-TAKE-007"


async def test_approvers_of_one_chain_of_command_do_not_both_count(house: House) -> None:
    asked = await house.request()
    await house.approve(asked, "mori")
    assert await not_approved(house, house.signed(asked, "mine")) == "SEK-GATE-014"


async def test_an_approval_is_not_replayed(house: House) -> None:
    asked = await house.request()
    given = house.signed(asked, "mori")
    await house.desk.approve(given)
    await not_approved(house, given)
    other = await house.request("O-2")
    moved = msgspec.structs.replace(given, takeout="O-2")
    assert await not_approved(house, moved) == "SEK-TAKE-004"
    moved = msgspec.structs.replace(given, takeout="O-2", digest=digest(other).hex())
    assert await not_approved(house, moved) == "SEK-TAKE-003"


@pytest.mark.parametrize(
    "change",
    [
        {"content": "11" * 32},
        {"recipient": "Another"},
        {"expires": 1},
        {"package": "11" * 32},
        {"medium": "usb"},
    ],
)
async def test_a_signature_over_anything_else_does_not_count(house: House, change: dict[str, object]) -> None:
    asked = await house.request()
    other = msgspec.structs.replace(asked, **change)
    assert await not_approved(house, house.signed(other, "mori")) == "SEK-TAKE-004"
    claimed = house.signed(other, "mori", digest=digest(asked).hex())
    assert await not_approved(house, claimed) == "SEK-TAKE-003"


async def test_above_the_limit_the_client_approves_too(house: House) -> None:
    asked = await house.request(persons=1_001, rows=1_001)
    await house.approve(asked, "mori", "hara")
    assert await refused(house, asked) == "SEK-TAKE-007"
    await house.approve(asked, "tani")
    await house.desk.release("O-1", by="hara")


@pytest.mark.parametrize("inside", [{"cards": 1}, {"numbers": 1}])
async def test_with_one_card_or_individual_number_inside_the_client_approves_too(
    house: House, inside: dict[str, Any]
) -> None:
    asked = await house.request(**inside)
    await house.approve(asked, "mori", "hara")
    assert await refused(house, asked) == "SEK-TAKE-007"


async def test_above_a_limit_one_employer_is_not_enough(house: House) -> None:
    few = await house.request("O-1", persons=100)
    await house.approve(few, "mori", "hori")
    await house.desk.release("O-1", by="hara")
    many = await house.request("O-2", persons=101)
    await house.approve(many, "mori", "hori")
    assert await refused(house, many) == "SEK-TAKE-008"


async def test_an_unanswered_request_lapses(house: House) -> None:
    asked = await house.request()
    await house.approve(asked, "mori", "hara")
    late = house.now + timedelta(hours=24, seconds=1)
    desk = TakeoutDesk(house.ledger, house.log, house.signer.key, RELYING, now=lambda: late)
    with pytest.raises(Fault) as caught:
        await desk.release("O-1", by="hara")
    assert caught.value.code == "SEK-TAKE-005"
    assert await desk.lapse() == ["O-1"]
    assert await desk.lapse() == []
    assert await refused(house, asked) == "SEK-TAKE-006"


async def test_a_request_that_was_withdrawn_or_declined_is_over(house: House) -> None:
    asked = await house.request()
    with pytest.raises(Fault):
        await house.desk.close("O-1", by="hara", how="withdrawn", reason="")
    with pytest.raises(Fault):
        await house.desk.close("O-1", by="sato", how="declined", reason="")
    assert [one.partition(":")[0] for one in await house.refusals()] == ["close", "close"]
    await house.approve(asked, "mori")
    await house.desk.close("O-1", by="hara", how="declined", reason="the purpose is not the contract's")
    assert await not_approved(house, house.signed(asked, "hara")) == "SEK-TAKE-006"
    assert await refused(house, asked) == "SEK-TAKE-006"


async def test_a_key_that_was_revoked_or_voided_or_set_by_another_signs_nothing(house: House) -> None:
    asked = await house.request()
    await house.approve(asked, "mori", "hara")
    # Revoked after it signed: stolen keys are revoked late.
    given = house.signed(asked, "hara")
    await house.ledger.record(SshKeyRevoked(key=given.key, reason="lost"), by="hara", about=given.key)
    assert await refused(house, asked) == "SEK-TAKE-007"
    other = await house.request("O-2")
    await house.ledger.record(EnrolmentUsed(person="mori", request="00"), by="mori", about="mori")
    assert await not_approved(house, house.signed(other, "mori")) == "SEK-TAKE-003"
    await house.give_key("tani", "tani", by="kanri")
    assert await not_approved(house, house.signed(other, "tani")) == "SEK-TAKE-003"


async def test_an_approver_who_lost_the_role_before_the_release_does_not_count(house: House) -> None:
    asked = await house.request()
    await house.approve(asked, "mori", "hara")
    revoked = RoleRevoked(person="hara", role=Role.PROCESSOR_MANAGER, organisation="", reason="moved")
    await house.ledger.record(revoked, by="kanri", about="hara")
    assert await refused(house, asked) == "SEK-TAKE-007"


async def test_facts_that_somebody_recorded_without_a_signature_count_for_nothing(house: House) -> None:
    """As who holds the ledger's keys could: approvals and even the release, in the log, by nobody's hand."""
    asked = await house.request()
    for account in ("mori", "hara"):
        forged = house.signed(asked, account, signature="")
        await house.ledger.record(forged, by=account, about="O-1")
    assert await refused(house, asked) == "SEK-TAKE-007"
    made = TakeoutReleased(takeout="O-1", digest=digest(asked).hex(), size=1)
    await house.ledger.record(made, by="hara", about="O-1")
    assert await verdict_code(house) == "SEK-TAKE-007"


async def test_rows_edited_by_hand_release_nothing(house: House) -> None:
    asked = await house.request(persons=5_000)
    await house.approve(asked, "mori", "hara")
    await house.ledger.reached(await house.ledger.size() - 1, Level.PUBLISHED, 10)
    # Fewer persons, in the fact itself and in the table: the client's approval would no longer be needed.
    house.tamper("UPDATE takeouts SET persons = 10, state = 'asked'")
    house.tamper(
        "UPDATE facts SET leaf = CAST(replace(leaf, '\"persons\":5000', '\"persons\":10') AS BLOB) "
        "WHERE fact = 'takeout.requested'"
    )
    assert await refused(house, asked) == "SEK-TAKE-007"


async def test_an_edited_log_releases_nothing(house: House) -> None:
    asked = await house.request(persons=5_000)
    await house.approve(asked, "mori", "hara")
    await house.ledger.reached(await house.ledger.size() - 1, Level.PUBLISHED, 10)
    for path in (house.log / "tile" / "entries").rglob("*"):
        if path.is_file() and b'"persons":5000' in path.read_bytes():
            path.write_bytes(path.read_bytes().replace(b'"persons":5000', b'"persons":0010'))
    assert await refused(house, asked) == "SEK-TAKE-009"


async def test_a_passkey_signs_the_digest_as_its_challenge(house: House) -> None:
    device = SoftwareAuthenticator()
    await house.ledger.record(_passkey_of(device), by="mori", about="mori")
    asked = await house.request()
    good = device.get({"challenge": bytes_to_base64url(digest(asked))})
    given = house.signed(asked, "mori", method="passkey", key=good["id"], signature=json.dumps(good))
    login = device.get({"challenge": bytes_to_base64url(bytes(32))})
    for wrong in (login, {**good, "id": "another"}):
        bad = msgspec.structs.replace(given, signature=json.dumps(wrong))
        assert await not_approved(house, bad) == "SEK-TAKE-003"
    device.verifies_user = False
    careless = device.get({"challenge": bytes_to_base64url(digest(asked))})
    assert (
        await not_approved(house, msgspec.structs.replace(given, signature=json.dumps(careless)))
        == "SEK-TAKE-003"
    )
    await house.desk.approve(given)
    await house.approve(asked, "hara")
    await house.desk.release("O-1", by="hara")


def _passkey_of(device: SoftwareAuthenticator) -> PasskeyAdded:
    numbers = device.key.public_key().public_numbers()
    cose = encode_cbor(
        {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
    )
    return PasskeyAdded(
        credential=bytes_to_base64url(device.credential),
        person="mori",
        public_key=bytes_to_base64url(cose),
        sign_count=0,
        label="",
    )


async def test_an_incomplete_request_is_refused(house: House) -> None:
    for change in (
        {"purpose": " "},
        {"organisations": ()},
        {"channel": "mail"},
        {"returns": 5},
        {"stated": -1},
    ):
        with pytest.raises(Fault) as caught:
            await house.request(**change)
        assert caught.value.code == "SEK-TAKE-002"
    with pytest.raises(Fault) as caught:
        await house.request(person="mori")
    assert caught.value.code == "SEK-GATE-011"
    assert await house.ledger.facts(0, 10, names=["takeout.requested"]) == []


def test_every_fact_that_makes_a_standing_is_read_offline() -> None:
    assert set(standing._NAMES) <= set(NAMES)
