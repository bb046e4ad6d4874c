"""The certification authority by which targets know the checkpoint, and SSH keys in files.

A target trusts the authority's public key (TrustedUserCAKeys) and no other way in. What it is shown is a certificate
of minutes for a key that exists only in memory: no account on a target has a secret that anybody could hand on.
"""

import secrets
import time
from pathlib import Path
from typing import Final

import asyncssh

from sekisho.faults import Fault
from sekisho.ledger.vault import write_once
from sekisho.relay.ssh.faults import BAD_KEY

GOOD_FOR_SECONDS: Final = 5 * 60
_CLOCKS_DIFFER_SECONDS: Final = 60


def load_key(path: Path) -> asyncssh.SSHKey:
    """The private key in a file (Ed25519, OpenSSH's form, 0600); made when there is none. Raises Fault BAD_KEY."""
    if not path.exists():
        write_once(path, asyncssh.generate_private_key("ssh-ed25519").export_private_key())
    try:
        if path.stat().st_mode & 0o077:
            raise Fault(BAD_KEY, path=path, reason="others may read it; it must have mode 0600")
        return asyncssh.import_private_key(path.read_bytes())
    except (OSError, asyncssh.KeyImportError) as error:
        raise Fault(BAD_KEY, path=path, reason=str(error)) from error


def public_line(key: asyncssh.SSHKey, comment: str) -> str:
    """The public half as OpenSSH writes it in one line."""
    return f"{key.export_public_key().decode().strip()} {comment}"


class TargetAuthority:
    """Signs a fresh key for one session on one target. `bind_source` writes the address from which the checkpoint
    connects into the certificate, so that it opens nothing from elsewhere; not behind address translation."""

    def __init__(self, key: asyncssh.SSHKey, *, bind_source: bool = True) -> None:
        self._key = key
        self._bind_source = bind_source

    def credential(
        self, principal: str, key_id: str, source: str
    ) -> tuple[asyncssh.SSHKey, asyncssh.SSHCertificate]:
        """A new key and its certificate. Of all extensions it has `permit-pty` alone (OpenSSH, PROTOCOL.certkeys)."""
        key = asyncssh.generate_private_key("ssh-ed25519")
        now = int(time.time())
        certificate = self._key.generate_user_certificate(
            key,
            key_id,
            serial=secrets.randbits(63),
            principals=[principal],
            valid_after=now - _CLOCKS_DIFFER_SECONDS,
            valid_before=now + GOOD_FOR_SECONDS,
            source_address=[source] if self._bind_source else None,
            permit_x11_forwarding=False,
            permit_agent_forwarding=False,
            permit_port_forwarding=False,
            permit_user_rc=False,
            permit_pty=True,
        )
        return key, certificate
