"""SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677), both sides, as state machines without I/O.

The client proves a password or a pair of keys; the server side checks against a `Verifier`, which cannot log in
anywhere. Channel binding is tls-server-end-point (RFC 5929 section 4): the hash of the server's certificate as DER.

    client: first() -> server's first -> final(…) -> server's final -> verify(…)
    server: first(client's first) -> bytes -> final(client's final) -> bytes, and the client is who it says

Each state machine is used once; a step out of order raises Fault.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
import stringprep
import unicodedata
from collections.abc import Callable
from enum import Enum
from typing import Final

import msgspec

from sekisho.faults import Fault
from sekisho.wire.faults import SCRAM_BINDING, SCRAM_IMPOSTOR, SCRAM_MALFORMED, SCRAM_REFUSED

PLAIN: Final = b"SCRAM-SHA-256"
PLUS: Final = b"SCRAM-SHA-256-PLUS"
DEFAULT_ITERATIONS: Final = 4096

# A server names the count; a hostile one could keep the client's processor busy for hours. This many take about half
# a second, so a shell that meets more than the default runs `ScramClient.final` off its event loop.
MAXIMUM_ITERATIONS: Final = 1_000_000
_LONGEST: Final = 4096


class Verifier(msgspec.Struct, frozen=True):
    """What a server keeps of a password (RFC 5802 section 2.2)."""

    salt: bytes
    iterations: int
    stored_key: bytes
    server_key: bytes

    def __repr__(self) -> str:
        return "Verifier(…)"

    @classmethod
    def of(
        cls, password: str, *, salt: bytes | None = None, iterations: int = DEFAULT_ITERATIONS
    ) -> "Verifier":
        salt = secrets.token_bytes(16) if salt is None else salt
        keys = Keys.of(password, salt, iterations)
        return cls(salt, iterations, hashlib.sha256(keys.client_key).digest(), keys.server_key)

    @classmethod
    def parse(cls, text: str) -> "Verifier":
        """Read PostgreSQL's form (pg_authid.rolpassword). Raises Fault."""
        try:
            method, parameters, keys = text.split("$")
            iterations, salt = parameters.split(":")
            stored, server = keys.split(":")
            found = cls(_decoded(salt), int(iterations), _decoded(stored), _decoded(server))
        except ValueError as cause:
            raise Fault(SCRAM_MALFORMED, what="verifier") from cause
        if method != "SCRAM-SHA-256" or len(found.stored_key) != 32 or len(found.server_key) != 32:
            raise Fault(SCRAM_MALFORMED, what="verifier")
        return found

    def text(self) -> str:
        salt, stored, server = map(_encoded, (self.salt, self.stored_key, self.server_key))
        return f"SCRAM-SHA-256${self.iterations}:{salt}${stored}:{server}"


class Keys(msgspec.Struct, frozen=True):
    """What a client needs in place of the password, for one salt and iteration count."""

    client_key: bytes
    server_key: bytes

    def __repr__(self) -> str:
        return "Keys(…)"

    @classmethod
    def of(cls, password: str, salt: bytes, iterations: int) -> "Keys":
        salted = hashlib.pbkdf2_hmac("sha256", saslprep(password), salt, iterations)
        return cls(_hmac(salted, b"Client Key"), _hmac(salted, b"Server Key"))


def saslprep(password: str) -> bytes:
    """RFC 4013 as PostgreSQL applies it: a password that may not be prepared is used as it is (UTF-8)."""
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char
        for char in password
        if not stringprep.in_table_b1(char)
    )
    prepared = unicodedata.normalize("NFKC", mapped)
    if not prepared or any(prohibited(char) for char in prepared for prohibited in _PROHIBITED):
        return password.encode("utf-8", "surrogateescape")
    # RFC 3454 section 6: text with right-to-left characters has no left-to-right ones, and begins and ends so.
    if any(map(stringprep.in_table_d1, prepared)) and (
        any(map(stringprep.in_table_d2, prepared))
        or not (stringprep.in_table_d1(prepared[0]) and stringprep.in_table_d1(prepared[-1]))
    ):
        return password.encode("utf-8", "surrogateescape")
    return prepared.encode()


_PROHIBITED: Final[tuple[Callable[[str], bool], ...]] = (
    stringprep.in_table_a1, stringprep.in_table_c12, stringprep.in_table_c21_c22, stringprep.in_table_c3,
    stringprep.in_table_c4, stringprep.in_table_c5, stringprep.in_table_c6, stringprep.in_table_c7,
    stringprep.in_table_c8, stringprep.in_table_c9,
)  # fmt: skip


def certificate_hash(certificate: bytes, algorithm: str) -> bytes:
    """Channel-binding data for a certificate (DER) that was signed with `algorithm`, such as "sha256".

    RFC 5929 section 4.1: MD5 and SHA-1 are replaced by SHA-256. Raises ValueError for an unknown algorithm.
    """
    name = "sha256" if algorithm.lower() in ("md5", "sha1") else algorithm.lower()
    return hashlib.new(name, certificate).digest()


class _Turn(Enum):
    """Whose word comes next. The values are words for the person who reads a fault."""

    FIRST = "first message"
    FINAL = "final message"
    VERIFY = "verification"
    OVER = "nothing, it is over"


class _Conversation:
    def __init__(self) -> None:
        self._turn = _Turn.FIRST

    def _step(self, turn: _Turn, after: _Turn) -> None:
        if self._turn is not turn:
            raise Fault(SCRAM_MALFORMED, what=f"{turn.value} where {self._turn.value} is due")
        self._turn = after


class ScramClient(_Conversation):
    """`channel` is the channel-binding data; with it SCRAM-SHA-256-PLUS is spoken.

    Without it, `server_offers_plus` False and TLS up (`tls=True`) tells the server that binding was possible here:
    a man in the middle who removed PLUS from the server's offer is found out (RFC 5802 section 6, flag "y").
    """

    def __init__(
        self, password: str, *, channel: bytes | None = None, tls: bool = False, nonce: str | None = None
    ) -> None:
        super().__init__()
        self._password = password
        self._channel = channel
        if channel is None:
            self._header = b"y,," if tls else b"n,,"
        else:
            self._header = b"p=tls-server-end-point,,"
        self._nonce = secrets.token_urlsafe(18) if nonce is None else nonce
        self._bare = b""  # the client's first message without the binding header
        self._signature = b""  # what only a server that knows the password can say

    @property
    def mechanism(self) -> bytes:
        return PLAIN if self._channel is None else PLUS

    def first(self, user: str = "") -> bytes:
        # PostgreSQL 55.3.1: the user of the start-up message counts, the one here is ignored, and libpq leaves it out.
        self._step(_Turn.FIRST, _Turn.FINAL)
        self._bare = b"n=%b,r=%b" % (
            user.replace("=", "=3D").replace(",", "=2C").encode(),
            self._nonce.encode(),
        )
        return self._header + self._bare

    def final(self, server_first: bytes) -> bytes:
        self._step(_Turn.FINAL, _Turn.OVER)
        nonce, salt, count = _attributes(server_first, "server-first", "r", "s", "i")
        if not nonce.startswith(self._nonce) or len(nonce) == len(self._nonce):
            raise Fault(SCRAM_MALFORMED, what="nonce")
        if not count.isascii() or not count.isdigit() or not 1 <= int(count[:8]) <= MAXIMUM_ITERATIONS:
            raise Fault(SCRAM_MALFORMED, what="iteration count")
        try:
            keys = Keys.of(self._password, _decoded(salt), int(count))
        except ValueError as cause:
            raise Fault(SCRAM_MALFORMED, what="salt") from cause
        binding = _encoded(self._header + (self._channel or b""))
        without_proof = f"c={binding},r={nonce}".encode()
        auth_message = b",".join((self._bare, server_first, without_proof))
        stored = hashlib.sha256(keys.client_key).digest()
        proof = _xor(keys.client_key, _hmac(stored, auth_message))
        self._signature = _hmac(keys.server_key, auth_message)
        self._turn = _Turn.VERIFY
        return without_proof + b",p=" + _encoded(proof).encode()

    def verify(self, server_final: bytes) -> None:
        """Raises Fault unless the server knows the password too."""
        self._step(_Turn.VERIFY, _Turn.OVER)
        try:
            (value,) = _attributes(server_final, "server-final", "v")
            signature = _decoded(value)
        except ValueError as cause:
            raise Fault(SCRAM_MALFORMED, what="server-final") from cause
        if not hmac.compare_digest(signature, self._signature):
            raise Fault(SCRAM_IMPOSTOR)


class ScramServer(_Conversation):
    """Checks a client against `verifier`. `channel` is this side's channel-binding data, None without TLS.

    Where the user is unknown, give a verifier of a random password (`Verifier.of(secrets.token_hex())`, with a salt
    that stays the same for the same user), so that the refusal looks the same.
    """

    def __init__(self, verifier: Verifier, *, channel: bytes | None = None, nonce: str | None = None) -> None:
        super().__init__()
        self._verifier = verifier
        self._channel = channel
        self._added = secrets.token_urlsafe(18) if nonce is None else nonce
        self._header = b""
        self._nonce = ""  # the client's and ours
        self._conversation = b""  # both first messages

    @property
    def mechanisms(self) -> tuple[bytes, ...]:
        """What to offer, best first."""
        return (PLAIN,) if self._channel is None else (PLUS, PLAIN)

    def first(self, mechanism: bytes, client_first: bytes | None) -> bytes:
        self._step(_Turn.FIRST, _Turn.OVER)
        if mechanism not in self.mechanisms:
            raise Fault(SCRAM_MALFORMED, what="mechanism")
        if client_first is None or len(client_first) > _LONGEST:
            raise Fault(SCRAM_MALFORMED, what="client-first")
        flag, _, rest = client_first.partition(b",")
        authzid, comma, bare = rest.partition(b",")
        if authzid or not comma:  # acting as somebody else is not spoken here
            raise Fault(SCRAM_MALFORMED, what="client-first")
        if flag != (b"p=tls-server-end-point" if mechanism == PLUS else flag):
            raise Fault(SCRAM_MALFORMED, what="channel-binding type")
        if mechanism == PLAIN and flag not in (b"n", b"y"):
            raise Fault(SCRAM_MALFORMED, what="channel-binding type")
        if flag == b"y" and self._channel is not None:
            # RFC 5802 section 6: the client could bind and did not see our offer, so somebody removed it.
            raise Fault(SCRAM_BINDING)
        _, nonce = _attributes(bare, "client-first", "n", "r")
        if not nonce:
            raise Fault(SCRAM_MALFORMED, what="nonce")
        self._header = flag + b",,"
        self._nonce = nonce + self._added
        salt = _encoded(self._verifier.salt)
        first = f"r={self._nonce},s={salt},i={self._verifier.iterations}".encode()
        self._conversation = bare + b"," + first
        self._turn = _Turn.FINAL
        return first

    def final(self, client_final: bytes) -> bytes:
        """The server-final message; that it returns at all is the proof. Raises Fault otherwise."""
        self._step(_Turn.FINAL, _Turn.OVER)
        if len(client_final) > _LONGEST:
            raise Fault(SCRAM_MALFORMED, what="client-final")
        binding, nonce, proof_text = _attributes(client_final, "client-final", "c", "r", "p")
        try:
            bound, proof = _decoded(binding), _decoded(proof_text)
        except ValueError as cause:
            raise Fault(SCRAM_MALFORMED, what="client-final") from cause
        expected = self._header + (self._channel or b"" if self._header.startswith(b"p=") else b"")
        if not hmac.compare_digest(bound, expected):
            raise Fault(SCRAM_BINDING)
        if not hmac.compare_digest(nonce.encode(), self._nonce.encode()):
            raise Fault(SCRAM_MALFORMED, what="nonce")
        auth_message = self._conversation + b"," + client_final[: client_final.rindex(b",p=")]
        key = _xor(proof, _hmac(self._verifier.stored_key, auth_message)) if len(proof) == 32 else b""
        if not hmac.compare_digest(hashlib.sha256(key).digest(), self._verifier.stored_key):
            raise Fault(SCRAM_REFUSED)
        return b"v=" + _encoded(_hmac(self._verifier.server_key, auth_message)).encode()


def _attributes(message: bytes, what: str, *names: str) -> list[str]:
    """Exactly these attributes in this order. RFC 5802 section 5.1: "m" must be refused; other extensions are."""
    try:
        parts = message.decode("utf-8").split(",")
    except UnicodeDecodeError as cause:
        raise Fault(SCRAM_MALFORMED, what=what) from cause
    if len(parts) != len(names) or any(
        not part.startswith(f"{name}=") for part, name in zip(parts, names, strict=True)
    ):
        raise Fault(SCRAM_MALFORMED, what=what)
    return [part[2:] for part in parts]


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def _encoded(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _decoded(text: str) -> bytes:
    # binascii.Error is a ValueError.
    return binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
