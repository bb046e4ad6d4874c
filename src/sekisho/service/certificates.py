"""The checkpoint's own certificate authority, for the TLS of its doors and console.

An installation that has certificates of its own puts them in place of `server.pem` and `server.key`.
"""

import ipaddress
import os
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_CA_DAYS: Final = 3650
_SERVER_DAYS: Final = 397  # what browsers accept at most


class Certificates:
    """A folder with `ca.pem`, `server.pem` and `server.key` (0600); made at the first use, renewed when due.

    The authority's key is thrown away after signing: nobody can sign a second server with it. A renewal makes a
    new authority, whose certificate clients must be given again.
    """

    def __init__(self, folder: Path, names: tuple[str, ...] = ("localhost", "127.0.0.1", "::1")) -> None:
        self.ca = folder / "ca.pem"
        self.server = folder / "server.pem"
        self.key = folder / "server.key"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not (self.ca.exists() and self.server.exists() and self.key.exists()) or self._due():
            self._make(names)

    def server_context(self) -> ssl.SSLContext:
        """For doors and console: TLS 1.2 or newer, no compression, no renegotiation."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
        context.load_cert_chain(self.server, self.key)
        return context

    def server_der(self) -> bytes:
        """The server certificate, for SCRAM channel binding (RFC 5929 tls-server-end-point)."""
        return ssl.PEM_cert_to_DER_cert(self.server.read_text())

    def _due(self) -> bool:
        certificate = x509.load_pem_x509_certificate(self.server.read_bytes())
        return certificate.not_valid_after_utc < datetime.now(UTC) + timedelta(days=7)

    def _make(self, names: tuple[str, ...]) -> None:
        ca_key = ec.generate_private_key(ec.SECP256R1())
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Sekisho checkpoint authority")])
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        ca = (
            _builder(issuer, issuer, ca_key.public_key(), _CA_DAYS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False)
            .sign(ca_key, hashes.SHA256())
        )
        server = (
            _builder(subject, issuer, key.public_key(), _SERVER_DAYS)
            .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
            )
            .sign(ca_key, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        write_private(self.key, private)
        self.server.write_bytes(server.public_bytes(pem))
        self.ca.write_bytes(ca.public_bytes(pem))


def write_private(path: Path, content: bytes) -> None:
    """Write a file that nobody else can read, replacing what was there."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=days))
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
