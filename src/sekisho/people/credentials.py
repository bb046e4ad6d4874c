"""Password and one-time code, checked together: a failure never says which of the two was wrong."""

import asyncio
import secrets
from dataclasses import dataclass
from typing import Final

import argon2
import msgspec
import pyotp

from sekisho.faults import Fault
from sekisho.ledger import Ledger
from sekisho.people import faults
from sekisho.people.facts import CodeUsed, CredentialSet
from sekisho.people.identity import Authenticated

_HASHER = argon2.PasswordHasher()  # the library's defaults follow RFC 9106's low-memory profile
# Spent on an unknown person, so that an answer's delay does not tell who exists.
_DECOY = _HASHER.hash(secrets.token_hex(16))

STEP_SECONDS = 30
SHORTEST: Final = 12
_LONGEST: Final = 1024  # argon2 hashes whatever it is given


class Credential(msgspec.Struct, frozen=True):
    """A confidential part: `password` is an argon2id hash, `totp` a base32 secret (RFC 6238, SHA-1, 6 digits,
    30 s)."""

    password: str
    totp: str


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What a person is given once: the credential to keep, and the address for an authenticator app."""

    credential: bytes
    totp_secret: str
    totp_uri: str


def enrol(person: str, password: str, *, totp_secret: str | None = None) -> Enrolment:
    """Make a new credential; blocks for tens of milliseconds by design (argon2)."""
    secret = totp_secret or pyotp.random_base32()
    credential = Credential(password=_HASHER.hash(password), totp=secret)
    uri = pyotp.TOTP(secret).provisioning_uri(name=person, issuer_name="Sekisho")
    return Enrolment(msgspec.json.encode(credential), secret, uri)


def check(credential: bytes | None, password: str, code: str, *, now: float, last_step: int) -> int | None:
    """The step (30-second steps since 1970) of the accepted code, or None.

    A code of the step before or after is accepted for clocks that differ, and none at or before `last_step`:
    a code seen over a shoulder is spent. Blocks for tens of milliseconds (argon2): call it in a thread.
    """
    known = msgspec.json.decode(credential, type=Credential) if credential is not None else None
    try:
        _HASHER.verify(known.password if known else _DECOY, password)
    except argon2.exceptions.VerifyMismatchError:
        return None
    if known is None:
        return None
    return _unspent(known, code, now, last_step)


def check_code(credential: bytes | None, code: str, *, now: float, last_step: int) -> int | None:
    """As `check`, of the one-time code alone: for a login whose first factor somebody else has checked."""
    if credential is None:
        return None
    return _unspent(msgspec.json.decode(credential, type=Credential), code, now, last_step)


def _unspent(known: Credential, code: str, now: float, last_step: int) -> int | None:
    step = _step_of(known.totp, code, now)
    return step if step is not None and step > last_step else None


def _step_of(secret: str, code: str, now: float) -> int | None:
    """The step, among the present one and its neighbours, whose code this is."""
    totp = pyotp.TOTP(secret)
    current = int(now // STEP_SECONDS)
    for step in (current, current - 1, current + 1):
        if pyotp.utils.strings_equal(code, totp.generate_otp(step)):
            return step
    return None


async def begin_password(who: Authenticated, password: str) -> Enrolment:
    """A new password and a fresh one-time-code secret, to be shown once; nothing is kept before
    `confirm_password`. Raises Fault WEAK_PASSWORD."""
    if not SHORTEST <= len(password) <= _LONGEST or who.account in password.casefold():
        raise Fault(faults.WEAK_PASSWORD, length=SHORTEST)
    return await asyncio.to_thread(enrol, who.account, password)


async def confirm_password(
    ledger: Ledger, who: Authenticated, enrolment: Enrolment, code: str, *, now: float
) -> None:
    """Keep the new credential, once the authenticator app shows its codes. Raises Fault WRONG_CODE."""
    step = _step_of(enrolment.totp_secret, code, now)
    if step is None:
        raise Fault(faults.WRONG_CODE)
    sealed = ledger.vault.seal("checkpoint", enrolment.credential)
    spent = CodeUsed(person=who.account, step=step)
    await ledger.record(spent, by=who.person, about=who.account)
    changed = CredentialSet(person=who.account, verifier=sealed.commitment)
    await ledger.record(changed, by=who.person, about=who.account, parts=[sealed])
