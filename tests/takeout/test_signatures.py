"""Signatures of OpenSSH's own program, of a token's key, and what is none; the canonical text."""

import base64
import hashlib
import json
import struct
import subprocess
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from sekisho.takeout.canonical import canonical
from sekisho.takeout.signatures import NAMESPACE, Relying, passkey_signed, ssh_signed

TEXT = b'{"a":1}'
SK = b"sk-ssh-ed25519@openssh.com"


def string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def armoured(blob: bytes) -> str:
    body = base64.b64encode(blob).decode()
    return f"-----BEGIN SSH SIGNATURE-----\n{body}\n-----END SSH SIGNATURE-----\n"


def token_signature(key: Ed25519PrivateKey, flags: int) -> tuple[str, str]:
    """(public key, signature) as a FIDO token makes them (PROTOCOL.u2f)."""
    public = string(SK) + string(key.public_key().public_bytes_raw()) + string(b"ssh:")
    signed = b"SSHSIG" + string(NAMESPACE.encode()) + string(b"") + string(b"sha512")
    signed += string(hashlib.sha512(TEXT).digest())
    tail = struct.pack(">BI", flags, 7)
    made = key.sign(hashlib.sha256(b"ssh:").digest() + tail + hashlib.sha256(signed).digest())
    inner = string(SK) + string(made) + tail
    blob = b"SSHSIG" + struct.pack(">I", 1) + string(public) + string(NAMESPACE.encode()) + string(b"")
    blob += string(b"sha512") + string(inner)
    return f"{SK.decode()} {base64.b64encode(public).decode()}", armoured(blob)


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_what_ssh_keygen_signs_is_recognised_in_its_namespace_only(tmp_path: Path, kind: str) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(key)], check=True)
    public = (tmp_path / "key.pub").read_text().strip()

    def sign(namespace: str) -> str:
        command = ["ssh-keygen", "-q", "-Y", "sign", "-n", namespace, "-f", str(key)]
        return subprocess.run(command, input=TEXT, capture_output=True, check=True).stdout.decode()

    good = sign(NAMESPACE)
    assert ssh_signed(TEXT, good, public)
    assert not ssh_signed(TEXT + b" ", good, public)
    assert not ssh_signed(TEXT, sign("git"), public)
    other, _ = token_signature(Ed25519PrivateKey.generate(), 1)
    assert not ssh_signed(TEXT, good, other)


def test_a_tokens_key_counts_only_when_somebody_touched_it() -> None:
    key = Ed25519PrivateKey.generate()
    assert ssh_signed(TEXT, token_signature(key, 1)[1], token_signature(key, 1)[0])
    assert ssh_signed(TEXT, token_signature(key, 5)[1], token_signature(key, 5)[0])
    assert not ssh_signed(TEXT, token_signature(key, 0)[1], token_signature(key, 0)[0])


@given(st.binary(max_size=300), st.booleans())
def test_what_is_no_signature_is_refused_without_a_crash(noise: bytes, armour: bool) -> None:
    public, good = token_signature(Ed25519PrivateKey.from_private_bytes(bytes(32)), 1)
    broken = base64.b64decode("".join(good.splitlines()[1:-1]))[: len(noise)] + noise
    for blob in (noise, broken):
        text = armoured(blob) if armour else blob.decode("latin-1")
        assert not ssh_signed(TEXT, text, public)
        assert not passkey_signed(bytes(32), text, "x", "AAAA", Relying("checkpoint.example"))
    for answer in ("", "[]", "{}", '{"id":"x"}', '{"id":"x","response":{}}'):
        assert not passkey_signed(bytes(32), answer, "x", "AAAA", Relying("checkpoint.example"))


SCALARS = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text()
KEYS = st.text('ab\x01"\\z')


@given(st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=20))
def test_canonical_text_is_one_for_one_value(value: object) -> None:
    written = canonical(value)
    assert json.loads(written) == value
    assert canonical(json.loads(json.dumps(value, indent=2))) == written
    assert canonical(msgspec.json.decode(msgspec.json.encode(value))) == written


def test_canonical_text_as_in_rfc_8785() -> None:
    assert canonical({"b": [True, None, 10], "a": '€$\x0f\nA\'B"\\\\"/'}) == (
        '{"a":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/","b":[true,null,10]}'.encode()
    )


@pytest.mark.parametrize("value", [1.5, 2**53, {"é": 1}, {1: 2}, "\ud800", b""])
def test_what_has_no_canonical_text_here_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"canonical|surrogate"):
        canonical(value)
