"""OpenID Connect against a provider of one's own on loopback: the real flow, and what a bad answer gets."""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import httpx2
import pyotp
import pytest
import uvicorn
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from people.people_examples import Clock, add
from sekisho.faults import Fault
from sekisho.ledger import Ledger
from sekisho.people.credentials import enrol
from sekisho.people.facts import CredentialSet, IdentityAsked
from sekisho.people.freeze import freeze
from sekisho.people.identity import Authenticated, Method, minted
from sekisho.people.login import LoginDesk
from sekisho.people.openid import (
    Claim,
    CodeWanted,
    OpenIdDesk,
    Provider,
    ask_identity,
    bind_identity,
    claim_identity,
    unbind_identity,
)

pytestmark = pytest.mark.e2e
CALLBACK = "http://127.0.0.1:1/callback"
CLIENT, SECRET = "sekisho", "s:cret/with+signs"
SUBJECT = "248289761001"


@dataclass
class ProviderApp:
    """A small real provider: it keeps codes, checks PKCE and the client's secret, and signs ID tokens.

    `bend` changes the claims, `sign` the header, key and algorithm, of the next tokens."""

    issuer: str = ""
    key: Any = field(default_factory=lambda: ECKey.generate_key("P-256", {"kid": "one", "use": "sig"}))
    bend: dict[str, Any] = field(default_factory=dict)
    sign: Callable[[dict[str, Any]], str] | None = None
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    key_reads: int = 0
    down: bool = False

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self.discovery),
                Route("/authorize", self.authorize),
                Route("/token", self.token, methods=["POST"]),
                Route("/keys", self.keys),
            ]
        )

    async def discovery(self, request: Request) -> Response:
        endpoints = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
        return JSONResponse(
            {"issuer": self.issuer, **{name: f"{self.issuer}/{path}" for name, path in endpoints.items()}},
            status_code=503 if self.down else 200,
        )

    async def authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        if (asked["response_type"], asked["code_challenge_method"]) != ("code", "S256"):
            return Response(status_code=400)
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        return RedirectResponse(
            f"{asked['redirect_uri']}?code={code}&state={asked['state']}&iss={self.issuer}"
        )

    async def token(self, request: Request) -> Response:
        kind, _, encoded = request.headers["authorization"].partition(" ")
        user, _, password = base64.b64decode(encoded).decode().partition(":")
        async with request.form() as form:
            sent = {name: str(value) for name, value in form.items()}
        asked = self.codes.pop(sent["code"], None)
        digest = hashlib.sha256(sent["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if (
            asked is None
            or (kind, unquote(user), unquote(password)) != ("Basic", CLIENT, SECRET)
            or asked["code_challenge"] != challenge
            or asked["redirect_uri"] != sent["redirect_uri"]
        ):
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        now = int(time.time())
        claims = {"iss": self.issuer, "sub": SUBJECT, "aud": CLIENT, "iat": now, "exp": now + 300}
        claims = {**claims, "nonce": asked["nonce"], **self.bend}
        claims = {name: value for name, value in claims.items() if value is not None}
        return JSONResponse({"access_token": "x", "token_type": "Bearer", "id_token": self.signed(claims)})

    def signed(self, claims: dict[str, Any]) -> str:
        if self.sign is not None:
            return self.sign(claims)
        return jwt.encode({"alg": "ES256", "kid": self.key.kid}, claims, self.key, algorithms=["ES256"])

    async def keys(self, request: Request) -> Response:
        self.key_reads += 1
        return JSONResponse({"keys": [self.key.as_dict(private=False)]})


@pytest.fixture
def provider() -> Iterator[ProviderApp]:
    app = ProviderApp()
    config = uvicorn.Config(app.app(), port=0, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    host, port = server.servers[0].sockets[0].getsockname()
    app.issuer = f"http://{host}:{port}"
    yield app
    server.should_exit = True
    thread.join()


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient() as client:
        yield client


@dataclass
class Browser:
    """What a person's browser does: goes to the provider, comes back with the answer."""

    desk: OpenIdDesk
    http: httpx2.AsyncClient
    cookie: str = ""

    async def visit(self) -> dict[str, str]:
        departure = await self.desk.begin()
        self.cookie = departure.browser
        response = await self.http.get(departure.url)
        assert response.status_code == 307
        return {
            name: values[0] for name, values in parse_qs(urlsplit(response.headers["location"]).query).items()
        }

    async def login(self, **change: str) -> Authenticated:
        answer = {**await self.visit(), **change}
        who = await self.desk.finish(answer, browser=self.cookie, peer="192.0.2.1")
        assert isinstance(who, Authenticated)
        return who

    async def refused(self, **change: str) -> str:
        with pytest.raises(Fault, match="SEK-PEOP-015") as caught:
            await self.login(**change)
        return str(caught.value.values["reason"])


@pytest.fixture
async def bound(house: Ledger, provider: ProviderApp) -> Ledger:
    """A house where sato is bound to the provider's subject."""
    await add(house, "sato")
    asked = IdentityAsked(person="sato", issuer=provider.issuer, subject=SUBJECT)
    recorded = await ask_identity(house, asked, by="kanri")
    await bind_identity(house, recorded.leaf_hash.hex(), by="mori")
    return house


@pytest.fixture
def settings(provider: ProviderApp) -> Provider:
    return Provider(provider.issuer, CLIENT, SECRET, CALLBACK)


@pytest.fixture
def browser(bound: Ledger, settings: Provider, http: httpx2.AsyncClient, clock: Clock) -> Browser:
    return Browser(OpenIdDesk(bound, settings, http, now=clock), http)


async def test_a_bound_identity_logs_its_person_in(browser: Browser) -> None:
    who = await browser.login()
    assert (who.account, who.person, who.method, who.peer) == ("sato", "sato", Method.OPENID, "192.0.2.1")


async def test_an_identity_that_nobody_bound_opens_nothing(
    bound: Ledger, provider: ProviderApp, browser: Browser
) -> None:
    provider.bend = {"sub": "another", "email": "sato@example.com", "preferred_username": "sato"}
    assert "bound" in await browser.refused()
    [failed] = await bound.facts(0, 9, names=["people.login_failed"])
    assert json.loads(failed.leaf)["data"]["claimed"] == ""


@pytest.mark.parametrize(
    "bend",
    [
        {"iss": "http://127.0.0.1:1"},
        {"aud": "another client"},
        {"aud": [CLIENT, "another client"]},
        {"aud": None},
        {"azp": "another client"},
        {"exp": 1_000_000_000},
        {"exp": None},
        {"exp": "soon"},
        {"iat": 4_000_000_000},
        {"iat": None},
        {"nonce": "another"},
        {"nonce": None},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
    ],
)
async def test_a_token_that_is_wrong_in_one_claim_is_refused(
    provider: ProviderApp, browser: Browser, bend: dict[str, Any]
) -> None:
    provider.bend = bend
    await browser.refused()


def _none(claims: dict[str, Any]) -> str:
    parts = [json.dumps({"alg": "none"}).encode(), json.dumps(claims).encode(), b""]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def _with_client_secret(claims: dict[str, Any]) -> str:
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(SECRET * 3), algorithms=["HS256"])


def _with_another_key(claims: dict[str, Any]) -> str:
    key = ECKey.generate_key("P-256", {"kid": "one"})
    return jwt.encode({"alg": "ES256", "kid": "one"}, claims, key, algorithms=["ES256"])


@pytest.mark.parametrize(
    "sign", [_none, _with_client_secret, _with_another_key, lambda claims: "a.b.c", lambda claims: ""]
)
async def test_a_token_that_the_provider_did_not_sign_is_refused(
    provider: ProviderApp, browser: Browser, sign: Callable[[dict[str, Any]], str]
) -> None:
    provider.sign = sign
    assert "identity token" in await browser.refused()


async def test_an_answer_to_another_browser_or_of_no_login_is_refused(browser: Browser) -> None:
    assert await browser.refused(state="made up") == "state"
    answer = await browser.visit()
    with pytest.raises(Fault, match="state"):
        await browser.desk.finish(answer, browser="another browser's", peer="test")


async def test_an_answer_counts_once(browser: Browser) -> None:
    answer = await browser.visit()
    await browser.desk.finish(answer, browser=browser.cookie, peer="test")
    with pytest.raises(Fault, match="state"):
        await browser.desk.finish(answer, browser=browser.cookie, peer="test")


async def test_a_code_of_another_login_is_refused_by_its_verifier(browser: Browser) -> None:
    stolen = await browser.visit()
    assert "not accepted" in await browser.refused(code=stolen["code"])


async def test_answers_of_another_issuer_and_errors_are_refused(browser: Browser) -> None:
    assert await browser.refused(iss="https://evil.test") == "another issuer"
    answer = await browser.visit()
    del answer["code"]
    with pytest.raises(Fault, match="access_denied"):
        await browser.desk.finish({**answer, "error": "access_denied"}, browser=browser.cookie, peer="test")


async def test_new_keys_of_the_provider_are_read_but_not_at_each_bad_token(
    provider: ProviderApp, browser: Browser, clock: Clock
) -> None:
    await browser.login()
    provider.key = RSAKey.generate_key(2048, {"kid": "two", "use": "sig"})
    key = provider.key
    provider.sign = lambda claims: jwt.encode(
        {"alg": "RS256", "kid": "two"}, claims, key, algorithms=["RS256"]
    )
    await browser.refused()
    assert provider.key_reads == 1
    clock.at += 61
    await browser.login()
    assert provider.key_reads == 2


async def test_a_provider_must_authenticate_as_strongly_as_required(
    bound: Ledger, provider: ProviderApp, settings: Provider, http: httpx2.AsyncClient
) -> None:
    strict = Provider(settings.issuer, CLIENT, SECRET, CALLBACK, frozenset({"mfa", "hwk"}))
    browser = Browser(OpenIdDesk(bound, strict, http), http)
    for methods in (None, ["pwd"], "mfa", [["mfa"]]):
        provider.bend = {"amr": methods}
        assert "strongly" in await browser.refused()
    provider.bend = {"amr": ["pwd", "mfa"]}
    await browser.login()


async def test_a_provider_that_is_down_or_another_is_said_to_be(
    provider: ProviderApp, browser: Browser, house: Ledger, settings: Provider, http: httpx2.AsyncClient
) -> None:
    provider.down = True
    with pytest.raises(Fault, match="SEK-PEOP-016"):
        await browser.desk.begin()
    provider.down = False
    alias = Provider(settings.issuer.replace("127.0.0.1", "localhost"), CLIENT, SECRET, CALLBACK)
    with pytest.raises(Fault, match="calls itself"):
        await OpenIdDesk(house, alias, http).begin()


def test_a_provider_is_reached_by_https_only(ledger: Ledger, http: httpx2.AsyncClient) -> None:
    with pytest.raises(ValueError, match="https"):
        OpenIdDesk(ledger, Provider("http://id.example", CLIENT, SECRET, CALLBACK), http)
    assert SECRET not in repr(Provider("https://id.example", CLIENT, SECRET, CALLBACK))


async def test_an_identity_is_bound_by_two_and_to_one_person(bound: Ledger, provider: ProviderApp) -> None:
    asked = IdentityAsked(person="mori", issuer=provider.issuer, subject="another")
    for by, code in (("mori", "007"), ("hogo", "009")):
        with pytest.raises(Fault, match=f"SEK-PEOP-{code}"):
            await ask_identity(bound, asked, by=by)
    request = (await ask_identity(bound, asked, by="kanri")).leaf_hash.hex()
    for by in ("kanri", "mori"):
        with pytest.raises(Fault, match="SEK-PEOP-007"):
            await bind_identity(bound, request, by=by)
    taken = IdentityAsked(person="mori", issuer=provider.issuer, subject=SUBJECT)
    request = (await ask_identity(bound, taken, by="kanri")).leaf_hash.hex()
    with pytest.raises(Fault, match="SEK-LEDG-006"):
        await bind_identity(bound, request, by="hogo")


async def test_a_frozen_person_and_an_unbound_identity_open_nothing(
    bound: Ledger, provider: ProviderApp, browser: Browser
) -> None:
    await freeze(bound, "sato", reason="suspicion", by="mori")
    await browser.refused()
    await unbind_identity(bound, provider.issuer, SUBJECT, person="sato", by="kanri")
    await browser.refused()


def second_factor(settings: Provider, **also: Any) -> Provider:
    return Provider(settings.issuer, CLIENT, SECRET, CALLBACK, local_code=True, **also)


async def with_app(ledger: Ledger, clock: Clock) -> tuple[LoginDesk, Callable[[], str]]:
    """sato has an authenticator app here; each call is its next code."""
    enrolment = enrol("sato", "correct horse battery")
    verifier = ledger.vault.seal("checkpoint", enrolment.credential)
    fact = CredentialSet(person="sato", verifier=verifier.commitment)
    await ledger.record(fact, by="sato", about="sato", parts=[verifier])

    def code() -> str:
        clock.at += 30
        return pyotp.TOTP(enrolment.totp_secret).at(int(clock.at))

    return LoginDesk(ledger, bytes(32), now=clock), code


async def test_our_code_is_the_second_factor_where_the_provider_proves_none(
    bound: Ledger, provider: ProviderApp, settings: Provider, http: httpx2.AsyncClient, clock: Clock
) -> None:
    """Fails when `local_code` is not asked for."""
    desk = OpenIdDesk(bound, second_factor(settings, required_amr=frozenset({"mfa"})), http, now=clock)
    codes, code = await with_app(bound, clock)
    browser = Browser(desk, http)
    provider.bend = {"amr": ["pwd", "mfa"]}
    await browser.login()
    provider.bend = {"amr": ["pwd"]}
    wanted = await desk.finish(await browser.visit(), browser=browser.cookie, peer="test")
    assert isinstance(wanted, CodeWanted)
    with pytest.raises(Fault, match="SEK-PEOP-001"):
        await desk.confirm(wanted.ticket, "000000", codes, peer="test")
    given = code()
    who = await desk.confirm(wanted.ticket, given, codes, peer="test")
    assert (who.account, who.method) == ("sato", Method.OPENID)
    with pytest.raises(Fault, match="too late"):  # answered once
        await desk.confirm(wanted.ticket, code(), codes, peer="test")
    again = await desk.finish(await browser.visit(), browser=browser.cookie, peer="test")
    assert isinstance(again, CodeWanted)
    with pytest.raises(Fault, match="SEK-PEOP-001"):  # a code is spent, whoever asked for it
        await desk.confirm(again.ticket, given, codes, peer="test")
    clock.at += 301
    with pytest.raises(Fault, match="too late"):
        await desk.confirm(again.ticket, code(), codes, peer="test")


async def test_our_code_is_asked_for_always_where_nothing_else_counts(
    bound: Ledger, provider: ProviderApp, settings: Provider, http: httpx2.AsyncClient, clock: Clock
) -> None:
    desk = OpenIdDesk(bound, second_factor(settings), http, now=clock)
    browser = Browser(desk, http)
    provider.bend = {"amr": ["mfa"], "acr": "high"}
    wanted = await desk.finish(await browser.visit(), browser=browser.cookie, peer="test")
    assert isinstance(wanted, CodeWanted)


async def test_a_class_of_authentication_will_do_as_well(
    bound: Ledger, provider: ProviderApp, settings: Provider, http: httpx2.AsyncClient, clock: Clock
) -> None:
    strict = Provider(settings.issuer, CLIENT, SECRET, CALLBACK, required_acr=frozenset({"high"}))
    browser = Browser(OpenIdDesk(bound, strict, http, now=clock), http)
    for acr in (None, "low", ["high"]):
        provider.bend = {"acr": acr}
        assert "strongly" in await browser.refused()
    provider.bend = {"acr": "high"}
    await browser.login()


async def test_a_claim_binds_nothing_before_an_administrator_agrees(
    house: Ledger, provider: ProviderApp, settings: Provider, http: httpx2.AsyncClient, clock: Clock
) -> None:
    await add(house, "sato")
    desk = OpenIdDesk(house, settings, http, now=clock)
    departure = await desk.begin(minted("sato", "sato", Method.PASSKEY, "test"))
    answer = (await http.get(departure.url)).headers["location"]
    query = {name: values[0] for name, values in parse_qs(urlsplit(answer).query).items()}
    claim = await desk.finish(query, browser=departure.browser, peer="test")
    assert claim == Claim(minted("sato", "sato", Method.PASSKEY, "test"), provider.issuer, SUBJECT)
    assert isinstance(claim, Claim)
    request = (await claim_identity(house, claim)).leaf_hash.hex()
    with pytest.raises(Fault, match="no person is bound"):
        await Browser(desk, http).login()
    for by, code in (("sato", "007"), ("mori", "009"), ("hogo", "009")):
        with pytest.raises(Fault, match=f"SEK-PEOP-{code}"):
            await bind_identity(house, request, by=by)
    await bind_identity(house, request, by="kanta")
    assert (await Browser(desk, http).login()).person == "sato"
    link = Claim(minted("sato", "sato", Method.LINK, "test"), provider.issuer, "another")
    with pytest.raises(Fault, match="SEK-PEOP-019"):
        await claim_identity(house, link)
