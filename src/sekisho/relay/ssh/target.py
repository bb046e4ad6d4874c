"""The connection to a target: opened for a Grant, as the dataset's role, by a certificate of minutes.

Nothing of the machine's own SSH settings is read: no agent, no configuration, no known hosts, no other key.
"""

import asyncio
import socket
from contextlib import suppress
from pathlib import Path
from typing import Final

import asyncssh

from sekisho.faults import Fault
from sekisho.ledger import Ledger
from sekisho.relay.admission import Admission
from sekisho.relay.faults import TARGET_DOWN
from sekisho.relay.ssh.authority import TargetAuthority
from sekisho.relay.ssh.facts import HostKeyRefused
from sekisho.relay.ssh.faults import HOST_KEY_REFUSED
from sekisho.relay.ssh.stream import connect

_OPEN_SECONDS: Final = 15.0


def _has_aes() -> bool:
    """Whether the processor computes AES itself: then AES-GCM is several times faster than ChaCha20 here."""
    with suppress(OSError):
        words = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split()
        return "aes" in words
    return False


_GCM: Final = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com")
_CHACHA: Final = ("chacha20-poly1305@openssh.com",)
# A client's own order decides, and OpenSSH puts AES-GCM last: it is offered alone where it is the fastest.
CLIENT_CIPHERS: Final = _GCM if _has_aes() else (*_CHACHA, *_GCM)
TARGET_CIPHERS: Final = (*_GCM, *_CHACHA, "aes256-ctr") if _has_aes() else (*_CHACHA, *_GCM, "aes256-ctr")
MACS: Final = ("hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com")
# RFC 8332: an RSA key signs with SHA-2 only.
_ALGORITHMS: Final = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}
_ALL: Final = (
    "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "rsa-sha2-512", "rsa-sha2-256",
)  # fmt: skip


class _Pinned(asyncssh.SSHClient):
    """Knows the target by its registered keys alone."""

    def __init__(self, keys: frozenset[bytes]) -> None:
        self._keys = keys
        self.found = ""

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        self.found = key.get_fingerprint()
        return key.public_data in self._keys


async def open_target(
    admission: Admission, authority: TargetAuthority, ledger: Ledger
) -> asyncssh.SSHClientConnection:
    """The connection of one admitted session, logged in as the dataset's role.

    Raises Fault TARGET_DOWN, or HOST_KEY_REFUSED after recording it."""
    target, grant = admission.catalogue.target, admission.grant
    if target.protocol != "ssh":
        raise Fault(TARGET_DOWN, target=target.target, reason=f"it is reached by {target.protocol}")
    try:
        keys = [asyncssh.import_public_key(line) for line in target.host_keys]
    except asyncssh.KeyImportError as error:
        raise Fault(TARGET_DOWN, target=target.target, reason="its registered host key is none") from error
    kinds = dict.fromkeys(key.get_algorithm() for key in keys)
    # The registered kinds first; the others follow, so that a server which has none of them is told by its key.
    algorithms = list(
        dict.fromkeys([*(one for kind in kinds for one in _ALGORITHMS.get(kind, (kind,))), *_ALL])
    )
    pinned = _Pinned(frozenset(key.public_data for key in keys))
    try:
        if not keys:
            raise asyncssh.HostKeyNotVerifiable("no host key is registered")
        async with asyncio.timeout(_OPEN_SECONDS):
            connected = await _connected(target.host, target.port)
            try:
                key, certificate = authority.credential(
                    admission.dataset.role,
                    f"{admission.session} {grant.person} {grant.ticket}",
                    connected.getsockname()[0],
                )
                options = await asyncssh.SSHClientConnectionOptions.construct(
                    client_factory=lambda: pinned,
                    host=target.host,
                    port=target.port,
                    config=None,
                    username=admission.dataset.role,
                    client_keys=[(key, certificate)],
                    agent_path=None,
                    known_hosts=([], [], []),
                    server_host_key_algs=algorithms,
                    x509_trusted_certs=None,
                    preferred_auth=["publickey"],
                    encryption_algs=list(TARGET_CIPHERS),
                    mac_algs=list(MACS),
                    compression_algs=["none"],
                    keepalive_interval=30,
                )
                return await connect(connected, options)
            except BaseException:
                connected.close()
                raise
    except (asyncssh.HostKeyNotVerifiable, asyncssh.KeyExchangeFailed) as error:
        fact = HostKeyRefused(
            session=admission.session,
            ticket=grant.ticket,
            organisation=grant.organisation,
            target=target.target,
            found=pinned.found,
        )
        await ledger.record(fact, by=grant.person, about=admission.session)
        raise Fault(HOST_KEY_REFUSED, target=target.target, found=pinned.found or "none") from error
    except TimeoutError as error:
        raise Fault(TARGET_DOWN, target=target.target, reason="no answer in time") from error
    except (OSError, asyncssh.Error) as error:
        # Of the reason only its kind: a target can put words into it.
        raise Fault(TARGET_DOWN, target=target.target, reason=type(error).__name__) from error


async def _connected(host: str, port: int) -> socket.socket:
    """A connected socket: its own address is known before the certificate is made. Raises OSError."""
    loop = asyncio.get_running_loop()
    failed: OSError | None = None
    for family, kind, protocol, _, address in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)
        try:
            await loop.sock_connect(made, address)
            return made
        except OSError as error:
            made.close()
            failed = error
        except BaseException:
            made.close()
            raise
    raise failed or OSError("the name has no address")
