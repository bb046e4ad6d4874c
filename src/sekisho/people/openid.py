"""OpenID Connect (authorization code flow with PKCE) for organisations that have a provider.

A provider says who somebody is at the provider. Who that is here, two people have said: an administrator asked and a
second person agreed, or the person proved it by logging in there (`Claim`) and an administrator agreed. Neither an
e-mail address nor a name binds anything; an identity that nobody bound opens nothing, and none is made on the fly.

    begin   -> the browser goes to the provider    finish   -> Authenticated: it proved two factors, or is trusted
                                                             -> CodeWanted: our own one-time code is the second
                                                             -> Claim: somebody who is logged in has proven an identity
"""

import base64
import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import httpx2
import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from sqlalchemy import select

from sekisho.faults import Fault
from sekisho.ledger import Ledger, Recorded
from sekisho.people import faults
from sekisho.people.accounts import find_holder, human_of, require_active
from sekisho.people.challenges import Challenges
from sekisho.people.consent import read_ask, require_role, require_second
from sekisho.people.facts import IdentityAsked, IdentityBound, IdentityUnbound
from sekisho.people.identity import Authenticated, Method, minted
from sekisho.people.login import LoginDesk
from sekisho.people.roles import CONSENTING, Role
from sekisho.people.tables import identities
from sekisho.people.throttle import Throttle, record_failure

# OpenID Connect Core 3.1.3.7 (7): never "none", and no secret shared with the provider signs.
ALGORITHMS: Final = ("RS256", "PS256", "ES256", "ES384", "EdDSA", "Ed25519")
_LEEWAY: Final = 60  # seconds that clocks may differ by
_KEYS_SECONDS: Final = 60.0  # a key that we do not know makes us ask again, at most this often
_LARGEST: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Provider:
    """What an administrator sets. `redirect_uri` is the console's callback.

    `required_amr` are authentication methods (RFC 8176), of which the provider must say that it used one, such as
    {"mfa"}; `required_acr` are classes of which one will do as well. What it does not prove so, our own one-time code
    proves where `local_code` is set (always, when nothing else is required); else the login is refused. With nothing
    set the provider's word is taken. `name` stands in addresses of the console, `label` on its button."""

    issuer: str
    client_id: str
    client_secret: str
    redirect_uri: str
    required_amr: frozenset[str] = frozenset()
    required_acr: frozenset[str] = frozenset()
    local_code: bool = False
    name: str = ""
    label: str = ""

    def __repr__(self) -> str:
        return f"Provider({self.issuer}, {self.client_id})"


class _Discovered(msgspec.Struct, frozen=True):
    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str


class _Tokens(msgspec.Struct, frozen=True):
    id_token: str


@dataclass(frozen=True, slots=True)
class _Begun:
    browser: str
    nonce: str
    verifier: str
    claimant: Authenticated | None


@dataclass(frozen=True, slots=True)
class CodeWanted:
    """The provider was answered for, and has not proven two factors: `OpenIdDesk.confirm` takes our code."""

    ticket: str


@dataclass(frozen=True, slots=True)
class Claim:
    """Somebody who had logged in here has logged in there as well."""

    who: Authenticated
    issuer: str
    subject: str


@dataclass(frozen=True, slots=True)
class Departure:
    """Where to send the browser, and what to keep in a cookie of it (HttpOnly, SameSite=Lax) until it is back."""

    url: str
    browser: str


class OpenIdDesk:
    """One per provider and process; the event loop's thread owns it. `http` is owned by the caller."""

    def __init__(
        self,
        ledger: Ledger,
        provider: Provider,
        http: httpx2.AsyncClient,
        *,
        now: Callable[[], float] = time.time,
        throttle: Throttle | None = None,
    ) -> None:
        """Raises ValueError when the issuer is neither https nor on a loopback address."""
        for url in (provider.issuer, provider.redirect_uri):
            require_safe(url)
        self._ledger = ledger
        self._provider = provider
        self._http = http
        self._now = now
        self._throttle = throttle or Throttle(now)
        self._begun: Challenges[_Begun] = Challenges(now)
        self._halfway: Challenges[Authenticated] = Challenges(now)
        self._discovered: _Discovered | None = None
        self._keys: KeySet | None = None
        self._keys_read = 0.0

    @property
    def provider(self) -> Provider:
        return self._provider

    async def begin(self, claimant: Authenticated | None = None) -> Departure:
        """Start a login, or the claim of somebody who is logged in here. Raises Fault OPENID_UNREACHABLE."""
        discovered = await self._discover()
        begun = _Begun(
            secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48), claimant
        )
        challenge = hashlib.sha256(begun.verifier.encode()).digest()
        query = {
            "response_type": "code",
            "client_id": self._provider.client_id,
            "redirect_uri": self._provider.redirect_uri,
            "scope": "openid",
            "state": self._begun.put(begun),
            "nonce": begun.nonce,
            "code_challenge": base64.urlsafe_b64encode(challenge).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        if self._provider.required_acr:
            query["acr_values"] = " ".join(sorted(self._provider.required_acr))
        joint = "&" if urlsplit(discovered.authorization_endpoint).query else "?"
        return Departure(discovered.authorization_endpoint + joint + urlencode(query), begun.browser)

    async def finish(
        self, answer: dict[str, str], *, browser: str, peer: str
    ) -> Authenticated | CodeWanted | Claim:
        """`answer` are the parameters of the callback, `browser` the cookie's value.

        Raises Fault OPENID_REFUSED (recorded), OPENID_UNREACHABLE or TOO_MANY_FAILURES."""
        self._throttle.hold_back("", peer)
        begun = self._begun.take(answer.get("state", ""))
        # Without the browser's own value, somebody else's login could be slipped into this browser.
        if begun is None or not secrets.compare_digest(
            begun.browser.encode(), browser.encode(errors="surrogatepass")
        ):
            raise await self._refused("state", peer)
        # RFC 9207: an answer that names another issuer was meant for somebody else.
        if answer.get("iss", self._provider.issuer) != self._provider.issuer:
            raise await self._refused("another issuer", peer)
        if "code" not in answer:
            raise await self._refused(f"the provider answered {answer.get('error', 'nothing')[:100]}", peer)
        claims = await self._claims(answer["code"], begun, peer)
        if begun.claimant is not None:
            return Claim(begun.claimant, self._provider.issuer, claims["sub"])
        proven = self._proven(claims)
        if not proven and not self._provider.local_code:
            raise await self._refused("the provider did not authenticate strongly enough", peer)
        async with self._ledger.read() as connection:
            query = select(identities).where(
                identities.c.issuer == self._provider.issuer, identities.c.subject == claims["sub"]
            )
            row = (await connection.execute(query)).one_or_none()
            holder = await find_holder(connection, row.person) if row else None
        if row is None or holder is None or not holder.honours_authenticator(row.bound):
            raise await self._refused(
                "no person is bound to this identity", peer, holder.account if holder else ""
            )
        who = minted(holder.account, holder.person, Method.OPENID, peer)
        return who if proven else CodeWanted(self._halfway.put(who))

    async def confirm(self, ticket: str, code: str, codes: LoginDesk, *, peer: str) -> Authenticated:
        """The second factor of a login that wanted one: our own one-time code, which is spent.

        Raises Fault OPENID_REFUSED (too late: begin anew), LOGIN_REFUSED or TOO_MANY_FAILURES, both recorded."""
        who = self._halfway.take(ticket)
        if who is None:
            raise await self._refused("the code came too late", peer)
        try:
            await codes.spend_code(who.account, code, peer=peer)
        except Fault:
            self._halfway.keep(ticket, who)  # a mistyped code: the throttle counts, not the provider
            raise
        return who

    def _proven(self, claims: dict[str, Any]) -> bool:
        """Whether the provider proved what is required of it; nothing required is taken at its word, unless our own
        code is to be the second factor."""
        amr, acr = self._provider.required_amr, self._provider.required_acr
        methods = claims.get("amr", [])
        if not amr and not acr:
            return not self._provider.local_code
        used = set(map(str, methods)) if isinstance(methods, list) else set()
        return not amr.isdisjoint(used) or (isinstance(claims.get("acr"), str) and claims["acr"] in acr)

    async def _claims(self, code: str, begun: _Begun, peer: str) -> dict[str, Any]:
        discovered = await self._discover()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._provider.redirect_uri,
            "code_verifier": begun.verifier,
        }
        # RFC 6749 2.3.1: both are form-encoded before they become a user name and password.
        names = (self._provider.client_id, self._provider.client_secret)
        secret = httpx2.BasicAuth(*(quote(name, safe="") for name in names))
        try:
            response = await self._http.post(discovered.token_endpoint, data=form, auth=secret)
        except httpx2.HTTPError as error:
            raise self._unreachable(str(error)) from error
        if response.status_code != httpx2.codes.OK:
            raise await self._refused(f"the code was not accepted ({response.status_code})", peer)
        try:
            id_token = msgspec.json.decode(response.content, type=_Tokens).id_token
            token = await self._decode(id_token)
        except (JoseError, msgspec.DecodeError, ValueError) as error:
            raise await self._refused(f"the identity token is not good: {error}", peer) from error
        reason = self._objection(token.claims, begun)
        if reason is not None:
            raise await self._refused(reason, peer)
        return token.claims

    async def _decode(self, id_token: str) -> jwt.Token:
        keys = await self._read_keys(fresh=False)
        try:
            return jwt.decode(id_token, keys, algorithms=list(ALGORITHMS))
        except (JoseError, ValueError):
            # The provider may have changed its keys since we read them.
            return jwt.decode(id_token, await self._read_keys(fresh=True), algorithms=list(ALGORITHMS))

    def _objection(self, claims: dict[str, Any], begun: _Begun) -> str | None:
        """OpenID Connect Core 3.1.3.7, in its order."""
        now = self._now()
        audience = claims.get("aud")
        audiences = [audience] if isinstance(audience, str) else audience
        mine = self._provider.client_id
        if claims.get("iss") != self._provider.issuer:
            return "another issuer"
        if not isinstance(audiences, list) or mine not in audiences:
            return "it is for somebody else"
        if claims.get("azp", mine) != mine or (len(audiences) > 1 and "azp" not in claims):
            return "it is for somebody else"
        expires, issued = claims.get("exp"), claims.get("iat")
        if not isinstance(expires, int | float) or now >= expires + _LEEWAY:
            return "it has expired"
        if not isinstance(issued, int | float) or issued > now + _LEEWAY:
            return "it was issued in the future"
        if not secrets.compare_digest(
            str(claims.get("nonce", "")).encode(errors="replace"), begun.nonce.encode()
        ):
            return "nonce"
        subject = claims.get("sub")
        # OpenID Connect Core 2: at most 255 ASCII characters.
        if not isinstance(subject, str) or not 0 < len(subject) < 256 or not subject.isascii():
            return "it names nobody"
        return None

    async def _discover(self) -> _Discovered:
        if self._discovered is None:
            url = f"{self._provider.issuer.rstrip('/')}/.well-known/openid-configuration"
            try:
                found = msgspec.json.decode(await self._get(url), type=_Discovered)
                if found.issuer != self._provider.issuer:
                    raise ValueError(f"it calls itself {found.issuer}")
                for endpoint in (found.authorization_endpoint, found.token_endpoint, found.jwks_uri):
                    require_safe(endpoint)
            except (msgspec.DecodeError, ValueError) as error:
                raise self._unreachable(str(error)) from error
            self._discovered = found
        return self._discovered

    async def _read_keys(self, *, fresh: bool) -> KeySet:
        age = self._now() - self._keys_read
        if self._keys is None or (fresh and age >= _KEYS_SECONDS):
            content = await self._get((await self._discover()).jwks_uri)
            try:
                self._keys = KeySet.import_key_set(msgspec.json.decode(content))
            except (JoseError, msgspec.DecodeError, ValueError, TypeError, KeyError) as error:
                raise self._unreachable(str(error)) from error
            self._keys_read = self._now()
        return self._keys

    async def _get(self, url: str) -> bytes:
        try:
            response = await self._http.get(url)
        except httpx2.HTTPError as error:
            raise self._unreachable(str(error)) from error
        if response.status_code != httpx2.codes.OK or len(response.content) > _LARGEST:
            raise self._unreachable(f"{url} answered {response.status_code}")
        return response.content

    def _unreachable(self, reason: str) -> Fault:
        return Fault(faults.OPENID_UNREACHABLE, issuer=self._provider.issuer, reason=reason[:200])

    async def _refused(self, reason: str, peer: str, account: str = "") -> Fault:
        self._throttle.failed("", peer)
        await record_failure(self._ledger, account=account, peer=peer, reason=f"openid: {reason}")
        return Fault(faults.OPENID_REFUSED, issuer=self._provider.issuer, reason=reason[:200])


def require_safe(url: str) -> None:
    """ValueError for what would carry a code or key in the clear over a network."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (
        parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost")
    ):
        raise ValueError(f"{url} is not https")


async def ask_identity(ledger: Ledger, asked: IdentityAsked, *, by: str) -> Recorded:
    """An administrator says whose identity this is; a second person must agree (`bind_identity`), since whoever
    owns the identity acts as that person. Raises Fault SECOND_PERSON, NEEDS_ROLE, NO_SUCH_PERSON, NOT_ACTIVE."""
    async with ledger.read() as connection:
        person = await human_of(connection, asked.person) or asked.person
        require_second(person, by, "")
        await require_role(connection, by, {Role.ADMINISTRATOR})
        await require_active(connection, person)
    return await ledger.record(asked, by=by, about=asked.person)


async def claim_identity(ledger: Ledger, claim: Claim) -> Recorded:
    """The person asks, who proved the identity by logging in there; an administrator must agree (`bind_identity`).

    Raises Fault ONLY_ENROLLING or NOT_ACTIVE."""
    if claim.who.enrolling:
        raise Fault(faults.ONLY_ENROLLING)
    async with ledger.read() as connection:
        await require_active(connection, claim.who.person)
    asked = IdentityAsked(person=claim.who.account, issuer=claim.issuer, subject=claim.subject)
    return await ledger.record(asked, by=claim.who.person, about=claim.who.account)


async def bind_identity(ledger: Ledger, request: str, *, by: str) -> Recorded:
    """The second person agrees; to what the person claimed, an administrator. Raises Fault NOT_OPEN, SECOND_PERSON,
    NEEDS_ROLE, NOT_ACTIVE, or the ledger's REFUSED when the identity is bound already."""
    asked, recorded = await read_ask(ledger, request, IdentityAsked)
    async with ledger.read() as connection:
        person = await human_of(connection, asked.person) or asked.person
        require_second(person, by, recorded.by)
        await require_role(connection, by, {Role.ADMINISTRATOR} if recorded.by == person else CONSENTING)
        await require_active(connection, person)
    bound = IdentityBound(person=asked.person, issuer=asked.issuer, subject=asked.subject, request=request)
    return await ledger.record(bound, by=by, about=asked.person)


async def unbind_identity(ledger: Ledger, issuer: str, subject: str, *, person: str, by: str) -> Recorded:
    return await ledger.record(IdentityUnbound(issuer=issuer, subject=subject), by=by, about=person)
