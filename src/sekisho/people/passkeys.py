"""Passkeys (WebAuthn Level 3): two ceremonies, each begun by a challenge of ours that is answered once.

Both require user verification: the device asks for a PIN, finger or face, so that a passkey alone is two factors.
"""

import base64
import json
import re
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import webauthn
from sqlalchemy import select
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from sekisho.faults import Fault
from sekisho.ledger import Ledger, Recorded
from sekisho.people import faults
from sekisho.people.accounts import find_holder
from sekisho.people.challenges import Challenges
from sekisho.people.facts import PasskeyAdded, PasskeyRemoved, PasskeyUsed
from sekisho.people.identity import Authenticated, Method, minted
from sekisho.people.tables import passkeys
from sekisho.people.throttle import Throttle, record_failure

_LOGIN: Final = ""  # what a login's challenge is kept for: no account is known yet
_CREDENTIAL: Final = re.compile(r"[A-Za-z0-9_-]{1,1364}")  # WebAuthn 4: an id has at most 1023 bytes
# What the library raises on answers that are no answers, beside its own.
_REFUSALS: Final = (WebAuthnException, ValueError, TypeError, KeyError, IndexError, AttributeError)


class PasskeyDesk:
    """One per process; the event loop's thread owns it.

    `rp_id` is the console's host name and `origins` the addresses under which browsers see it.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        rp_id: str,
        origins: Sequence[str],
        now: Callable[[], float] = time.time,
        throttle: Throttle | None = None,
    ) -> None:
        self._ledger = ledger
        self._rp_id = rp_id
        self._origins = list(origins)
        self._throttle = throttle or Throttle(now)
        self._challenges: Challenges[str] = Challenges(now)

    async def begin_registration(self, who: Authenticated) -> dict[str, Any]:
        """The options for `navigator.credentials.create()`, in the JSON form that browsers parse."""
        async with self._ledger.read() as connection:
            holder = await find_holder(connection, who.account)
            query = select(passkeys.c.credential).where(passkeys.c.person == who.account)
            mine = list(await connection.scalars(query))
        challenge = self._challenges.put(who.account)
        options = webauthn.generate_registration_options(
            rp_id=self._rp_id,
            rp_name="Sekisho",
            user_id=who.account.encode(),
            user_name=who.account,
            user_display_name=holder.name if holder else who.account,
            challenge=base64url_to_bytes(challenge),
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=[PublicKeyCredentialDescriptor(id=base64url_to_bytes(one)) for one in mine],
        )
        return _as_json(options)

    async def finish_registration(
        self, who: Authenticated, answer: dict[str, Any], *, label: str
    ) -> Recorded:
        """Check what the browser made, and keep the public key. Raises Fault PASSKEY_REFUSED (recorded)."""
        challenge = _challenge_of(answer)
        if self._challenges.take(challenge) != who.account:
            raise await self._refused("challenge", who.account, who.peer)
        try:
            verified = webauthn.verify_registration_response(
                credential=answer,
                expected_challenge=base64url_to_bytes(challenge),
                expected_rp_id=self._rp_id,
                expected_origin=self._origins,
                require_user_verification=True,
            )
        except _REFUSALS as error:
            raise await self._refused(str(error), who.account, who.peer) from error
        added = PasskeyAdded(
            credential=bytes_to_base64url(verified.credential_id),
            person=who.account,
            public_key=bytes_to_base64url(verified.credential_public_key),
            sign_count=verified.sign_count,
            label=label,
        )
        return await self._ledger.record(added, by=who.person, about=who.account)

    def begin_login(self) -> dict[str, Any]:
        """The options for `navigator.credentials.get()`: the authenticator knows whose passkey it holds."""
        challenge = self._challenges.put(_LOGIN)
        options = webauthn.generate_authentication_options(
            rp_id=self._rp_id,
            challenge=base64url_to_bytes(challenge),
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return _as_json(options)

    async def finish_login(self, answer: dict[str, Any], *, peer: str) -> Authenticated:
        """Check the browser's answer. Raises Fault PASSKEY_REFUSED (recorded) or TOO_MANY_FAILURES."""
        self._throttle.hold_back("", peer)
        challenge, credential = _challenge_of(answer), str(answer.get("id", ""))
        if not _CREDENTIAL.fullmatch(credential):
            raise await self._refused("malformed answer", "", peer)
        async with self._ledger.read() as connection:
            query = select(passkeys).where(passkeys.c.credential == credential)
            row = (await connection.execute(query)).one_or_none()
            holder = await find_holder(connection, row.person) if row else None
        account = holder.account if holder else ""
        if self._challenges.take(challenge) != _LOGIN:
            raise await self._refused("challenge", account, peer)
        # WebAuthn 7.2 step 6: the user handle, if any, must be that of the passkey's owner.
        handle = _handle_of(answer)
        mine = holder is not None and handle in (None, bytes_to_base64url(holder.account.encode()))
        if row is None or holder is None or not mine or not holder.honours_authenticator(row.added):
            raise await self._refused("unknown passkey", account, peer)
        try:
            verified = webauthn.verify_authentication_response(
                credential=answer,
                expected_challenge=base64url_to_bytes(challenge),
                expected_rp_id=self._rp_id,
                expected_origin=self._origins,
                credential_public_key=base64url_to_bytes(row.public_key),
                # WebAuthn 7.2 step 22: a counter that does not rise tells of a copied authenticator.
                credential_current_sign_count=row.sign_count,
                require_user_verification=True,
            )
        except _REFUSALS as error:
            raise await self._refused(str(error), account, peer) from error
        used = PasskeyUsed(credential=credential, sign_count=verified.new_sign_count)
        await self._ledger.record(used, by=holder.person, about=account)
        return minted(account, holder.person, Method.PASSKEY, peer)

    async def remove(self, credential: str, *, person: str, by: str, reason: str) -> Recorded:
        """Forget a passkey of an account."""
        removed = PasskeyRemoved(credential=credential, reason=reason)
        return await self._ledger.record(removed, by=by, about=person)

    async def _refused(self, reason: str, account: str, peer: str) -> Fault:
        self._throttle.failed("", peer)
        await record_failure(self._ledger, account=account, peer=peer, reason=f"passkey: {reason}")
        return Fault(faults.PASSKEY_REFUSED, reason=reason[:200])


def _as_json(options: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(webauthn.options_to_json(options))
    return found


def _challenge_of(answer: dict[str, Any]) -> str:
    """The challenge that the browser says it answers, which names ours; "" when there is none. The library then
    holds the answer against it."""
    try:
        text = str(answer["response"]["clientDataJSON"])
        data = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        return str(data["challenge"]).rstrip("=")
    except (KeyError, TypeError, ValueError):
        return ""


def _handle_of(answer: dict[str, Any]) -> str | None:
    response = answer.get("response")
    handle = response.get("userHandle") if isinstance(response, dict) else None
    return None if handle is None else str(handle).rstrip("=")
