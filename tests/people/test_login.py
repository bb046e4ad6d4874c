"""Password and one-time code; what a login buys; and how all of it ends."""

import json
from collections.abc import Awaitable, Callable
from datetime import date, timedelta

import pyotp
import pytest

from people.people_examples import Clock, add
from sekisho.faults import Fault
from sekisho.ledger import Ledger
from sekisho.people.accounts import add_account, switch_account
from sekisho.people.api_tokens import ApiTokens
from sekisho.people.credentials import Enrolment, begin_password, confirm_password
from sekisho.people.facts import AccountAdded
from sekisho.people.freeze import ask_unfreeze, freeze, unfreeze
from sekisho.people.identity import Authenticated, Method, minted
from sekisho.people.leaving import leave
from sekisho.people.links import LinkDesk
from sekisho.people.login import LoginDesk
from sekisho.people.notice import NOTICE, NOTICE_ID
from sekisho.people.sessions import ABSOLUTE, ENROLLING, IDLE, Sessions
from sekisho.people.throttle import ACCOUNT_FAILURES, ADDRESS_FAILURES, Throttle
from sekisho.people.tokens import find_token

PASSWORD = "correct horse battery"
KEY = bytes(32)
SATO = minted("sato", "sato", Method.LINK, "test")


@pytest.fixture
async def enrolled(house: Ledger, clock: Clock) -> Enrolment:
    """sato, with a password and a one-time-code app."""
    await add(house, "sato")
    enrolment = await begin_password(SATO, PASSWORD)
    code = pyotp.TOTP(enrolment.totp_secret).at(int(clock.at))
    await confirm_password(house, SATO, enrolment, code, now=clock.at)
    clock.at += 31
    return enrolment


@pytest.fixture
def desk(house: Ledger, clock: Clock) -> LoginDesk:
    return LoginDesk(house, KEY, now=clock)


class Sato:
    """sato at the login desk; each attempt has a code of its own."""

    def __init__(self, desk: LoginDesk, enrolled: Enrolment, clock: Clock) -> None:
        self.desk, self.enrolled, self.clock = desk, enrolled, clock

    def code(self) -> str:
        self.clock.at += 31
        return pyotp.TOTP(self.enrolled.totp_secret).at(int(self.clock.at))

    async def login(self, *, person: str = "sato", password: str = PASSWORD, code: str = "") -> Authenticated:
        return await self.desk.verify(
            person=person, password=password, code=code or self.code(), peer="192.0.2.1"
        )

    async def refused(self, **what: str) -> None:
        with pytest.raises(Fault, match="SEK-PEOP-001"):
            await self.login(**what)


@pytest.fixture
def sato(desk: LoginDesk, enrolled: Enrolment, clock: Clock) -> Sato:
    return Sato(desk, enrolled, clock)


# -- password and one-time code -------------------------------------------------------------------------------------


async def test_password_and_code_together_log_in(sato: Sato) -> None:
    who = await sato.login()
    assert (who.account, who.person, who.method, who.enrolling) == ("sato", "sato", Method.PASSWORD, False)


async def test_one_of_the_two_is_not_enough(house: Ledger, sato: Sato) -> None:
    await sato.refused(password="wrong horse battery")
    await sato.refused(code="000000")
    await sato.refused(person="nobody")
    failed = [json.loads(one.leaf)["data"] for one in await house.facts(0, 99, names=["people.login_failed"])]
    assert [one["claimed"] for one in failed] == ["sato", "sato", ""]
    assert {one["reason"] for one in failed} == {"credential"}


@pytest.mark.parametrize("typed", ["\ud800", "sato\0", "x" * 100_000, "' OR 1=1 --"])
async def test_whatever_is_typed_for_a_name_is_a_refusal(sato: Sato, typed: str) -> None:
    await sato.refused(person=typed)
    with pytest.raises(Fault, match="SEK-PEOP-012"):
        await LinkDesk(sato.desk._ledger).use_enrolment(typed, typed, "test")
    assert await Sessions(sato.desk._ledger).find(typed, peer="") is None


async def test_a_code_opens_once(sato: Sato) -> None:
    code = sato.code()
    await sato.login(code=code)
    await sato.refused(code=code)


async def test_the_code_that_confirmed_the_enrolment_is_spent(
    house: Ledger, desk: LoginDesk, clock: Clock
) -> None:
    await add(house, "sato")
    enrolment = await begin_password(SATO, PASSWORD)
    code = pyotp.TOTP(enrolment.totp_secret).at(int(clock.at))
    await confirm_password(house, SATO, enrolment, code, now=clock.at)
    with pytest.raises(Fault, match="SEK-PEOP-001"):
        await desk.verify(person="sato", password=PASSWORD, code=code, peer="test")


async def test_a_credential_whose_code_was_not_shown_is_not_kept(house: Ledger, clock: Clock) -> None:
    await add(house, "sato")
    with pytest.raises(Fault, match="SEK-PEOP-018"):
        await confirm_password(house, SATO, await begin_password(SATO, PASSWORD), "000000", now=clock.at)
    assert not await house.facts(0, 9, names=["people.credential_set"])


@pytest.mark.parametrize("password", ["short", "x" * 1025, "my name is sato 2026", "SATO-SATO-SATO"])
async def test_a_weak_password_is_refused(password: str) -> None:
    with pytest.raises(Fault, match="SEK-PEOP-017"):
        await begin_password(SATO, password)


async def test_neither_password_nor_its_hash_is_in_the_log(house: Ledger, sato: Sato) -> None:
    await sato.login()
    log = b"".join(recorded.leaf for recorded in await house.facts(0, 1000))
    for secret in (PASSWORD.encode(), b"argon2", sato.enrolled.totp_secret.encode()):
        assert secret not in log


# -- rate limits ----------------------------------------------------------------------------------------------------


async def test_an_account_waits_after_failures_and_a_stranger_alike(sato: Sato, clock: Clock) -> None:
    for person in ("sato", "nobody"):
        for _ in range(ACCOUNT_FAILURES):
            clock.at -= 31  # `code` moves the clock; all this happens within a second
            await sato.refused(person=person, password="wrong")
        with pytest.raises(Fault, match="SEK-PEOP-002"):
            await sato.login(person=person)
        clock.at -= 31
    clock.at += 61
    await sato.login()


def test_an_address_waits_across_accounts_and_is_not_forgiven_by_one_login() -> None:
    clock = Clock(0.0)
    throttle = Throttle(clock)
    for number in range(ADDRESS_FAILURES):
        throttle.hold_back(f"p{number}", "192.0.2.1")
        throttle.failed(f"p{number}", "192.0.2.1")
    throttle.passed("p0")
    with pytest.raises(Fault, match="SEK-PEOP-002"):
        throttle.hold_back("fresh", "192.0.2.1")
    throttle.hold_back("fresh", "192.0.2.2")
    clock.at = 60.0
    throttle.hold_back("fresh", "192.0.2.1")


def test_made_up_names_do_not_fill_the_memory() -> None:
    throttle = Throttle(lambda: 0.0)
    for number in range(12_000):
        throttle.failed(f"p{number}", f"address {number}")
    assert len(throttle._failures) == 10_000


# -- console sessions -----------------------------------------------------------------------------------------------


async def test_a_session_is_found_by_its_token_alone(house: Ledger, sato: Sato, clock: Clock) -> None:
    sessions = Sessions(house, now=clock)
    session, token = await sessions.open(await sato.login())
    found = await sessions.find(token, peer="198.51.100.7")
    assert found is not None
    assert (found.session, found.who.person, found.who.method) == (session, "sato", Method.PASSWORD)
    assert (found.name, found.language) == ("sato 太郎", "ja")
    assert await sessions.find(token + "x", peer="") is None
    assert await sessions.find("", peer="") is None
    [opened] = await house.facts(0, 9, names=["people.session_opened"], about=session)
    assert token.encode() not in opened.leaf
    assert NOTICE_ID.encode() in opened.leaf  # that the notice was shown is part of the record
    assert set(NOTICE) == {"en", "ja"}


async def test_a_session_ends_by_logout(house: Ledger, sato: Sato, clock: Clock) -> None:
    sessions = Sessions(house, now=clock)
    session, token = await sessions.open(await sato.login())
    async with house.read() as connection:
        [live] = await sessions.live(connection)
    assert (live.session, live.person, live.peer) == (session, "sato", "192.0.2.1")
    await sessions.close(session, by="sato")
    assert await sessions.find(token, peer="") is None
    async with house.read() as connection:
        assert await sessions.live(connection) == []


async def test_a_session_ends_when_idle_and_after_its_time(house: Ledger, clock: Clock) -> None:
    await add(house, "sato")
    sessions = Sessions(house, now=clock)
    _, token = await sessions.open(minted("sato", "sato", Method.PASSKEY, "test"))
    start = clock.at
    clock.at += IDLE.total_seconds() - 30
    assert await sessions.find(token, peer="") is not None
    [used] = await house.facts(0, 9, names=["people.session_used"])
    # The ledger's clock is the real one: what it recorded as use is `start`.
    assert abs(used.at.timestamp() - start) < 10
    clock.at = start + IDLE.total_seconds() + 10
    assert await sessions.find(token, peer="") is None


async def test_a_session_has_an_absolute_end(
    house: Ledger, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sekisho.people.sessions.IDLE", ABSOLUTE * 2)
    await add(house, "sato")
    sessions = Sessions(house, now=clock)
    _, token = await sessions.open(minted("sato", "sato", Method.PASSKEY, "test"))
    clock.at += ABSOLUTE.total_seconds() - 1
    assert await sessions.find(token, peer="") is not None
    clock.at += 1
    assert await sessions.find(token, peer="") is None


async def test_the_session_of_a_link_is_short_and_only_enrols(
    house: Ledger, desk: LoginDesk, clock: Clock
) -> None:
    await add(house, "sato")
    sessions = Sessions(house, now=clock)
    _, token = await sessions.open(SATO)
    found = await sessions.find(token, peer="")
    assert found is not None
    assert found.who.enrolling
    assert found.expires.timestamp() == pytest.approx(clock.at + ENROLLING.total_seconds())
    with pytest.raises(Fault, match="SEK-PEOP-019"):
        await desk.token(found.who, ticket="T-1", target="callcentre")
    with pytest.raises(Fault, match="SEK-PEOP-019"):
        await ApiTokens(house, ["tickets:read"]).issue(found.who, label="x", scopes=["tickets:read"])


# -- API tokens -----------------------------------------------------------------------------------------------------


async def test_an_api_token_has_its_scopes_and_its_end(house: Ledger, sato: Sato, clock: Clock) -> None:
    tokens = ApiTokens(house, ["tickets:read", "log:read"], now=clock)
    who = await sato.login()
    with pytest.raises(Fault, match="SEK-PEOP-021"):
        await tokens.issue(who, label="x", scopes=["everything"])
    token, secret = await tokens.issue(who, label="reports", scopes=["log:read"], lasts=timedelta(days=7))
    caller = await tokens.find(secret)
    assert caller is not None
    assert (caller.person, caller.scopes) == ("sato", frozenset({"log:read"}))
    assert await tokens.find(secret[:-1]) is None
    # A version without the scope does not grant it.
    narrower = await ApiTokens(house, ["tickets:read"], now=clock).find(secret)
    assert narrower is not None
    assert narrower.scopes == frozenset()
    clock.at += 7 * 86_400
    assert await tokens.find(secret) is None
    log = b"".join(recorded.leaf for recorded in await house.facts(0, 1000))
    assert secret.encode() not in log
    assert token.encode() in log


async def test_an_api_token_lasts_ninety_days_at_most_and_can_be_revoked(
    house: Ledger, sato: Sato, clock: Clock
) -> None:
    tokens = ApiTokens(house, ["log:read"], now=clock)
    who = await sato.login()
    token, secret = await tokens.issue(who, label="x", scopes=["log:read"], lasts=timedelta(days=9_999))
    clock.at += 89 * 86_400
    assert await tokens.find(secret) is not None
    await tokens.revoke(token, by="sato", reason="not needed")
    assert await tokens.find(secret) is None


# -- how it all ends ------------------------------------------------------------------------------------------------


async def _freeze(house: Ledger) -> None:
    await freeze(house, "sato", reason="suspicion", by="mori")


async def _freeze_and_undo(house: Ledger) -> None:
    await freeze(house, "sato", reason="suspicion", by="mori")
    asked = await ask_unfreeze(house, "sato", reason="nothing found", by="mori")
    await unfreeze(house, asked.leaf_hash.hex(), by="hogo")


async def _leave(house: Ledger) -> None:
    await leave(house, "sato", last_day=date(2026, 11, 21), reason="contract ended", by="mori")


async def _recover(house: Ledger) -> None:
    desk = LinkDesk(house)
    first = await desk.ask_enrolment("sato", reason="lost the phone", by="mori")
    second = await desk.allow_enrolment(first.request, by="hogo")
    await desk.use_enrolment(first.secret, second.secret, "test")


@pytest.mark.parametrize(
    ("end", "may_log_in_again"),
    [(_freeze, False), (_freeze_and_undo, True), (_leave, False), (_recover, False)],
)
async def test_one_fact_ends_sessions_and_tokens_of_every_kind(
    house: Ledger,
    sato: Sato,
    clock: Clock,
    end: Callable[[Ledger], Awaitable[None]],
    may_log_in_again: bool,
) -> None:
    sessions, api = Sessions(house, now=clock), ApiTokens(house, ["log:read"], now=clock)
    who = await sato.login()
    _, cookie = await sessions.open(who)
    _, secret = await api.issue(who, label="x", scopes=["log:read"])
    await sato.desk.token(who, ticket="T-1", target="callcentre")
    async with house.read() as connection:
        assert await find_token(connection, "sato", "T-1", "callcentre") is not None
    await end(house)
    assert await sessions.find(cookie, peer="") is None
    assert await api.find(secret) is None
    async with house.read() as connection:
        assert await find_token(connection, "sato", "T-1", "callcentre") is None
        assert await sessions.live(connection) == []
    if may_log_in_again:
        await sessions.open(await sato.login())
    else:
        await sato.refused()


async def test_a_login_that_was_proven_before_the_freeze_opens_no_session(house: Ledger, sato: Sato) -> None:
    who = await sato.login()
    await _freeze(house)
    with pytest.raises(Fault, match="SEK-PEOP-006"):
        await Sessions(house).open(who)


async def test_a_second_account_logs_in_as_the_same_human(
    house: Ledger, desk: LoginDesk, clock: Clock
) -> None:
    await add(house, "sato")
    await add_account(house, AccountAdded(account="old-admin", person="sato", reason="an old id"), by="kanri")
    async with house.read() as connection:
        other = await switch_account(connection, SATO, "old-admin")
        with pytest.raises(Fault, match="SEK-PEOP-004"):
            await switch_account(connection, SATO, "mori")
    enrolment = await begin_password(other, PASSWORD)
    await confirm_password(
        house, other, enrolment, pyotp.TOTP(enrolment.totp_secret).at(int(clock.at)), now=clock.at
    )
    sato = Sato(desk, enrolment, clock)
    who = await sato.login(person="old-admin")
    assert (who.account, who.person) == ("old-admin", "sato")
    await _freeze(house)
    await sato.refused(person="old-admin")


def test_nobody_else_can_make_the_proof_of_a_login() -> None:
    with pytest.raises(TypeError):
        Authenticated("sato", "sato", Method.PASSKEY, "test", object())
