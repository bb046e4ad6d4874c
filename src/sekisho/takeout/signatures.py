"""Is this a signature over the request by this key? OpenSSH's form (PROTOCOL.sshsig) and WebAuthn's.

The libraries do the cryptography; here stands what must hold beside it. A signature for something else made with the
same key (a Git commit, a login) has another namespace or challenge, and is none.
"""

import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import asyncssh
import webauthn
from asyncssh.packet import PacketDecodeError, SSHPacket
from asyncssh.sshsig import import_allowed_signers, validate_sshsig
from webauthn.helpers import base64url_to_bytes
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import PublicKeyCredentialDescriptor, UserVerificationRequirement

NAMESPACE: Final = "sekisho-take-out"
_BEGIN: Final = "-----BEGIN SSH SIGNATURE-----"
_END: Final = "-----END SSH SIGNATURE-----"
LONGEST: Final = 16_384  # characters of a signature
# What the library raises on answers that are no answers, beside its own.
_REFUSALS: Final = (WebAuthnException, ValueError, TypeError, KeyError, IndexError, AttributeError)


@dataclass(frozen=True, slots=True)
class Relying:
    """The console as browsers know it: its host name, and the addresses under which they see it."""

    rp_id: str
    origins: Sequence[str] = ()


def ssh_signed(document: bytes, signature: str, public_key: str, namespace: str = NAMESPACE) -> bool:
    """Whether `ssh-keygen -Y sign -n NAMESPACE` made this with this key; a token's key only when touched."""
    if len(signature) > LONGEST or not signature.isascii():
        return False
    try:
        blob = _unarmoured(signature)
        allowed = import_allowed_signers(f'signer namespaces="{namespace}" {public_key}\n')
        good = validate_sshsig(document, blob, "signer", allowed)
        return good and (not public_key.startswith("sk-") or _touched(blob))
    except (ValueError, asyncssh.Error, PacketDecodeError):  # unreadable, or a hash or key that is not spoken
        return False


def _unarmoured(signature: str) -> bytes:
    lines = signature.strip().splitlines()
    if len(lines) < 3 or (lines[0], lines[-1]) != (_BEGIN, _END):
        raise ValueError("not an SSH signature")
    return binascii.a2b_base64("".join(lines[1:-1]))


def _touched(blob: bytes) -> bool:
    """PROTOCOL.u2f: behind a token's signature stand its flags, of which the lowest says that somebody was there. The
    library leaves it to its caller."""
    packet = SSHPacket(blob[10:])  # PROTOCOL.sshsig: "SSHSIG" and a version of four bytes
    for _ in ("public key", "namespace", "reserved", "hash"):
        packet.get_string()
    made = SSHPacket(packet.get_string())
    if not made.get_string().startswith(b"sk-"):
        return False
    made.get_string()
    return bool(made.get_byte() & 1)


def signing_options(digest: bytes, credentials: Sequence[str], relying: Relying) -> dict[str, Any]:
    """What `navigator.credentials.get()` needs for a signature over a request by one of these passkeys."""
    options = webauthn.generate_authentication_options(
        rp_id=relying.rp_id,
        challenge=digest,
        allow_credentials=[PublicKeyCredentialDescriptor(id=base64url_to_bytes(one)) for one in credentials],
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    found: dict[str, Any] = json.loads(webauthn.options_to_json(options))
    return found


def passkey_signed(digest: bytes, answer: str, credential: str, public_key: str, relying: Relying) -> bool:
    """Whether the passkey answered the challenge `digest`, after its person's PIN, finger or face."""
    if len(answer) > LONGEST:
        return False
    try:
        read = json.loads(answer)
        if read["id"] != credential:
            return False
        webauthn.verify_authentication_response(
            credential=read,
            expected_challenge=digest,
            expected_rp_id=relying.rp_id,
            expected_origin=list(relying.origins),
            credential_public_key=base64url_to_bytes(public_key),
            # A copied answer is refused because it names this request; the counter belongs to logins.
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    except _REFUSALS:
        return False
    return True
