"""A house with people in it, and the devices they log in with."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, encode_cbor

from sekisho.ledger import Ledger
from sekisho.people.accounts import add_person
from sekisho.people.consent import ask_role, grant_role
from sekisho.people.facts import PersonAdded
from sekisho.people.links import LinkDesk
from sekisho.people.roles import Role

START = date(2008, 6, 1)


@dataclass
class Clock:
    at: float

    def __call__(self) -> float:
        return self.at


async def add(ledger: Ledger, person: str, **also: Any) -> None:
    names = {"name": f"{person} 太郎", "employer": "Example Outsourcing", "manager": "", "language": "ja"}
    await add_person(ledger, PersonAdded(person=person, **{**names, **also}), by="sekisho")


async def administrators(ledger: Ledger) -> None:
    """kanri and kanta, brought in by one-time links; then mori (manager) and hogo (privacy officer)."""
    desk = LinkDesk(ledger)
    for person in ("kanri", "kanta"):
        await add(ledger, person)
        await desk.use_first_link(await desk.first_link(person), "test")
    await add(ledger, "mori")
    await add(ledger, "hogo")
    await give(ledger, "mori", Role.OPERATOR_MANAGER)
    await give(ledger, "hogo", Role.PRIVACY_OFFICER)


async def give(ledger: Ledger, person: str, role: Role, organisation: str = "", since: date = START) -> None:
    asked = await ask_role(
        ledger, person=person, role=role, organisation=organisation, since=since, reason="test", by="kanri"
    )
    await grant_role(ledger, asked.leaf_hash.hex(), by="kanta")


@dataclass
class SoftwareAuthenticator:
    """A passkey device (ES256). Each attribute is something that a bad device or page could get wrong."""

    origin: str = "https://checkpoint.example"
    rp_id: str = "checkpoint.example"
    verifies_user: bool = True
    count: int = 0
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    credential: bytes = field(default_factory=lambda: b"software authenticator credential " + bytes(2))
    handle: bytes | None = None

    def create(self, options: dict[str, Any]) -> dict[str, Any]:
        """What `navigator.credentials.create()` returns, as JSON."""
        self.handle = base64url_to_bytes(options["user"]["id"])
        numbers = self.key.public_key().public_numbers()
        cose = encode_cbor(
            {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        )
        attested = bytes(16) + len(self.credential).to_bytes(2, "big") + self.credential + cose
        data = self._authenticator_data(0x40) + attested
        attestation = encode_cbor({"fmt": "none", "attStmt": {}, "authData": data})
        client = self._client_data("webauthn.create", options["challenge"])
        return self._answer(clientDataJSON=client, attestationObject=attestation)

    def get(self, options: dict[str, Any]) -> dict[str, Any]:
        """What `navigator.credentials.get()` returns, as JSON."""
        self.count += 1
        data = self._authenticator_data(0)
        client = self._client_data("webauthn.get", options["challenge"])
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        handle = {} if self.handle is None else {"userHandle": self.handle}
        return self._answer(clientDataJSON=client, authenticatorData=data, signature=signature, **handle)

    def _authenticator_data(self, flags: int) -> bytes:
        flags |= 0x01 | (0x04 if self.verifies_user else 0)
        return hashlib.sha256(self.rp_id.encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big")

    def _client_data(self, kind: str, challenge: str) -> bytes:
        data = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        return json.dumps(data).encode()

    def _answer(self, **response: bytes) -> dict[str, Any]:
        name = bytes_to_base64url(self.credential)
        parts = {key: bytes_to_base64url(value) for key, value in response.items()}
        return {
            "id": name,
            "rawId": name,
            "type": "public-key",
            "response": parts,
            "clientExtensionResults": {},
        }
