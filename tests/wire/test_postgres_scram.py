"""SCRAM against the vectors of RFC 7677 and RFC 4013, and what each side refuses."""

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.faults import Fault
from sekisho.wire.faults import SCRAM_BINDING, SCRAM_IMPOSTOR, SCRAM_MALFORMED, SCRAM_REFUSED
from sekisho.wire.postgres.scram import (
    PLAIN,
    PLUS,
    ScramClient,
    ScramServer,
    Verifier,
    certificate_hash,
    saslprep,
)

# RFC 7677 section 3.
CLIENT_FIRST = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
SERVER_FIRST = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
CLIENT_FINAL = (
    b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
)
SERVER_FINAL = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

VERIFIER = Verifier.of("pencil", salt=base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="))


def test_the_client_speaks_the_vector_of_rfc_7677() -> None:
    client = ScramClient("pencil", nonce="rOprNGfwEbeRWgbNEkqO")
    assert client.mechanism == PLAIN
    assert client.first("user") == CLIENT_FIRST
    assert client.final(SERVER_FIRST) == CLIENT_FINAL
    client.verify(SERVER_FINAL)


def test_the_server_speaks_the_vector_of_rfc_7677() -> None:
    server = ScramServer(VERIFIER, nonce="%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0")
    assert server.first(PLAIN, CLIENT_FIRST) == SERVER_FIRST
    assert server.final(CLIENT_FINAL) == SERVER_FINAL


def converse(client: ScramClient, server: ScramServer) -> None:
    first = server.first(client.mechanism, client.first())
    client.verify(server.final(client.final(first)))


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_any_password_agrees_with_its_verifier_and_with_no_other(password: str) -> None:
    verifier = Verifier.parse(Verifier.of(password, iterations=1).text())
    converse(ScramClient(password), ScramServer(verifier))
    with pytest.raises(Fault) as refused:
        converse(ScramClient(password + "x"), ScramServer(verifier))
    assert refused.value.kind is SCRAM_REFUSED


def test_channel_binding_holds_both_sides_to_one_certificate() -> None:
    here, there = (certificate_hash(der, "sha256") for der in (b"our certificate", b"another"))
    converse(ScramClient("pencil", channel=here), ScramServer(VERIFIER, channel=here))
    with pytest.raises(Fault) as refused:
        converse(ScramClient("pencil", channel=there), ScramServer(VERIFIER, channel=here))
    assert refused.value.kind is SCRAM_BINDING


def test_a_client_that_could_bind_but_was_not_offered_it_is_refused() -> None:
    with pytest.raises(Fault) as refused:
        ScramServer(VERIFIER, channel=b"x").first(PLAIN, ScramClient("pencil", tls=True).first())
    assert refused.value.kind is SCRAM_BINDING
    # Where no binding is possible on this side, the same client is welcome.
    converse(ScramClient("pencil", tls=True), ScramServer(VERIFIER))


def test_a_client_that_says_one_binding_and_uses_another_is_refused() -> None:
    client, server = ScramClient("pencil"), ScramServer(VERIFIER)
    final = client.final(server.first(PLAIN, client.first()))
    with pytest.raises(Fault) as refused:
        server.final(final.replace(b"c=biws", b"c=eSws"))  # "y,,"
    assert refused.value.kind is SCRAM_BINDING


def test_sha1_and_md5_certificates_are_bound_by_sha256() -> None:
    assert (
        certificate_hash(b"der", "SHA1") == certificate_hash(b"der", "md5") == hashlib.sha256(b"der").digest()
    )
    assert certificate_hash(b"der", "sha384") == hashlib.sha384(b"der").digest()


def test_a_server_that_does_not_know_the_password_is_an_impostor() -> None:
    client = ScramClient("pencil", nonce="rOprNGfwEbeRWgbNEkqO")
    client.first("user")
    client.final(SERVER_FIRST)
    with pytest.raises(Fault) as refused:
        client.verify(b"v=" + base64.b64encode(bytes(32)))
    assert refused.value.kind is SCRAM_IMPOSTOR


@pytest.mark.parametrize(
    "server_first",
    [
        b"r=another,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        b"r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        b"r=rOprNGfwEbeRWgbNEkqOx,s=W22Za,i=4096",
        b"r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=0",
        b"r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=99999999999999",
        b"r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=-1",
        b"m=x,r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        b"\xff",
        b"",
    ],
)
def test_a_malformed_server_is_refused_before_the_proof(server_first: bytes) -> None:
    client = ScramClient("pencil", nonce="rOprNGfwEbeRWgbNEkqO")
    client.first()
    with pytest.raises(Fault) as refused:
        client.final(server_first)
    assert refused.value.kind is SCRAM_MALFORMED


@pytest.mark.parametrize(
    ("mechanism", "client_first"),
    [
        (b"SCRAM-SHA-1", CLIENT_FIRST),
        (PLUS, b"p=tls-server-end-point,,n=,r=abc"),
        (PLAIN, None),
        (PLAIN, b""),
        (PLAIN, b"n,a=admin,n=user,r=abc"),
        (PLAIN, b"n,,n=user,r="),
        (PLAIN, b"n,,m=x,n=user,r=abc"),
        (PLAIN, b"p=tls-unique,,n=user,r=abc"),
        (PLAIN, b"n,,n=" + b"u" * 9000 + b",r=abc"),
    ],
)
def test_a_malformed_client_is_refused(mechanism: bytes, client_first: bytes | None) -> None:
    with pytest.raises(Fault) as refused:
        ScramServer(VERIFIER).first(mechanism, client_first)
    assert refused.value.kind is SCRAM_MALFORMED


def test_a_proof_cannot_be_replayed_or_retried() -> None:
    client, server = ScramClient("pencil"), ScramServer(VERIFIER)
    final = client.final(server.first(PLAIN, client.first()))
    server.final(final)
    with pytest.raises(Fault):
        server.final(final)
    again = ScramServer(VERIFIER)
    again.first(PLAIN, client._header + client._bare)
    with pytest.raises(Fault) as refused:
        again.final(final)
    assert refused.value.kind is SCRAM_MALFORMED


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_noise_is_refused_as_a_fault(first: bytes, final: bytes) -> None:
    server = ScramServer(VERIFIER)
    try:
        server.first(PLAIN, first)
    except Fault:
        server = ScramServer(VERIFIER)
        server.first(PLAIN, CLIENT_FIRST)
    with pytest.raises(Fault):
        server.final(final)
    with pytest.raises(Fault):
        Verifier.parse(final.decode("latin-1"))


@pytest.mark.parametrize(
    ("password", "prepared"),
    [  # RFC 4013 section 3; a prohibited password is used as it is, as PostgreSQL does
        ("I\u00adX", b"IX"),
        ("user", b"user"),
        ("USER", b"USER"),
        ("\u00aa", b"a"),
        ("\u2168", b"IX"),
        ("\u0007", b"\x07"),
        ("\u0627\u0031", "\u0627\u0031".encode()),
        ("a\u3000b", b"a b"),
        ("\u00ad", "\u00ad".encode()),
    ],
)
def test_passwords_are_prepared(password: str, prepared: bytes) -> None:
    assert saslprep(password) == prepared


def test_secrets_are_not_shown() -> None:
    assert "6rriTRBi" not in repr(VERIFIER) + repr(ScramClient("pencil"))
    assert "pencil" not in repr(ScramClient("pencil"))
