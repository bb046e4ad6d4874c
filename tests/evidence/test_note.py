"""Signed notes: the example of the norm, another implementation, and everything that must be refused."""

import stat
from itertools import count
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from evidence.evidence_oracle import oracle
from sekisho.evidence import faults
from sekisho.evidence.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint
from sekisho.evidence.note import (
    COSIGNATURE,
    Note,
    NoteSigner,
    SignatureLine,
    VerifierKey,
    parse_key,
    parse_note,
    parse_signatures,
    sign_note,
    verify_note,
)
from sekisho.faults import Fault

# signed-note.md, "Note"
EXAMPLE = (
    "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n\n"
    "— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3Z"
    "ekRwNtIc=\n"
)
# golang.org/x/mod/sumdb/note, the package's own example of both key forms
GO_SECRET = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
GO_PUBLIC = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)

LOG = NoteSigner.generate("log.example/note")
WITNESS = NoteSigner.generate("witness.example/note", COSIGNATURE)
TEXT = Checkpoint("log.example/note", 5, bytes(32)).body()


def refused(kind: object, call: object, *arguments: object) -> None:
    assert callable(call)
    with pytest.raises(Fault) as raised:
        call(*arguments)
    assert raised.value.kind is kind


def test_the_example_of_the_norm_is_taken_apart() -> None:
    note = parse_note(EXAMPLE.encode())
    assert note.text.endswith("sole:\n\ned è subito sera.\n")
    assert [(line.name, line.key_id.hex()) for line in note.signatures] == [
        ("quasimodo.example/salvatore", "367ba04b")
    ]
    assert note.encode() == EXAMPLE.encode()


def test_the_keys_and_the_note_of_the_go_implementation() -> None:
    signer = NoteSigner.parse(GO_SECRET)
    assert str(signer.key) == GO_PUBLIC
    assert signer.secret_text() == GO_SECRET
    note = parse_note(GO_NOTE.encode())
    assert verify_note(note, [parse_key(GO_PUBLIC)]).signers == (signer.key,)
    assert sign_note(note.text, [signer]).encode() == GO_NOTE.encode()  # Ed25519 is deterministic


def test_keys_and_cosignatures_equal_the_other_implementation() -> None:
    private = Ed25519PrivateKey.generate()
    witness = NoteSigner("witness.example/both", private, COSIGNATURE)
    assert str(witness.key) == oracle.format_vkey(
        oracle.cosignature_vkey("witness.example/both", private.public_key())
    )
    note = sign_note(TEXT, [LOG]).with_signatures([witness.sign(TEXT, 1_800_000_000)])
    theirs = oracle.parse_note(note.encode())
    result = oracle.verify_checkpoint(
        theirs, oracle.parse_vkey(str(LOG.key)), [oracle.parse_vkey(str(witness.key))], 1
    )
    assert (result.ok, result.timestamps) == (True, {"witness.example/both": 1_800_000_000})
    assert verify_note(note, [witness.key]).cosigned_at == {witness.key: 1_800_000_000}


def test_unknown_keys_are_ignored_and_known_ones_must_hold() -> None:
    stranger = NoteSigner.generate("stranger.example")
    note = sign_note(TEXT, [stranger, LOG])
    assert verify_note(note, [LOG.key]).signers == (LOG.key,)
    refused(faults.SIGNATURE_MISSING, verify_note, sign_note(TEXT, [stranger]), [LOG.key])
    refused(faults.SIGNATURE_MISSING, verify_note, note, [])
    wrong = SignatureLine(WITNESS.key.name, WITNESS.key.key_id, bytes(72))
    # One bad signature of a known key refuses the note, although another known key's holds.
    refused(faults.SIGNATURE_WRONG, verify_note, note.with_signatures([wrong]), [LOG.key, WITNESS.key])
    short = SignatureLine(WITNESS.key.name, WITNESS.key.key_id, bytes(64))
    refused(faults.SIGNATURE_WRONG, verify_note, note.with_signatures([short]), [LOG.key, WITNESS.key])
    # Name and key ID must both fit; a name alone makes nobody known.
    same_name = NoteSigner.generate("log.example/note")
    refused(faults.SIGNATURE_MISSING, verify_note, sign_note(TEXT, [same_name]), [LOG.key])


def test_a_cosignature_binds_text_and_time() -> None:
    line = WITNESS.sign(TEXT, 1_800_000_000)
    assert WITNESS.key.holds(TEXT, line.signature)
    later = (1_800_000_001).to_bytes(8, "big") + line.signature[8:]
    assert not WITNESS.key.holds(TEXT, later)
    assert not WITNESS.key.holds(TEXT + "extension\n", line.signature)


def test_a_signature_of_one_type_is_none_of_the_other() -> None:
    private = Ed25519PrivateKey.generate()
    as_log, as_witness = NoteSigner("x.example", private), NoteSigner("x.example", private, COSIGNATURE)
    assert as_log.key.key_id != as_witness.key.key_id
    assert not as_witness.key.holds(TEXT, as_log.sign(TEXT).signature)
    assert not as_log.key.holds(TEXT, as_witness.sign(TEXT).signature)


def test_sixteen_signatures_and_more_are_read() -> None:
    signers = [NoteSigner.generate(f"signer.example/{index}") for index in range(40)]
    note = parse_note(sign_note(TEXT, signers).encode())
    assert len(verify_note(note, [signer.key for signer in signers]).signers) == 40


def test_a_newer_signature_of_the_same_key_replaces_the_older() -> None:
    note = sign_note(TEXT, [LOG]).with_signatures([WITNESS.sign(TEXT, 1)])
    again = note.with_signatures([WITNESS.sign(TEXT, 2)])
    assert len(again.signatures) == 2
    assert verify_note(again, [WITNESS.key]).cosigned_at == {WITNESS.key: 2}


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"text\n",
        b"text\n\n",
        b"text\n\n- log.example AAAAAAA=\n",
        "text\n\n— log.example AAAAAAA=".encode(),
        "text\n\n— log.example\n".encode(),
        "text\n\n— log.example AAAAAA==\n".encode(),
        "text\n\n— log.example AAAAAAB=\n".encode(),
        "text\n\n— log.example !!!!!!!=\n".encode(),
        "text\n\n— log+example AAAAAAA=\n".encode(),
        "text\n\n— log\u00a0example AAAAAAA=\n".encode(),
        "text\n\n—  AAAAAAA=\n".encode(),
        "text\t\n\n— log.example AAAAAAA=\n".encode(),
        "text\r\n\n— log.example AAAAAAA=\n".encode(),
        b"\xff\n\n",
        b"x" * (1 << 21),
    ],
)
def test_what_is_no_note(text: bytes) -> None:
    refused(faults.BAD_NOTE, parse_note, text)


@given(st.binary(max_size=80))
def test_any_bytes_are_a_note_or_a_fault(data: bytes) -> None:
    try:
        note = parse_note(data)
    except Fault:
        return
    assert parse_note(note.encode()) == note


def test_signature_lines_of_an_answer() -> None:
    line = WITNESS.sign(TEXT)
    assert parse_signatures(line.text() * 2) == (line, line)
    refused(faults.BAD_NOTE, parse_signatures, line.text().rstrip())
    refused(faults.BAD_NOTE, parse_signatures, "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name+00000000",
        "name+0000000+AAAA",
        "+" + str(LOG.key).partition("+")[2],
        str(LOG.key).replace(LOG.key.key_id.hex(), "00000000"),
        str(LOG.key) + "A",
        str(VerifierKey("x.example", 6, bytes(32))),  # type: ignore[arg-type]
        str(VerifierKey("x.example", 1, bytes(31))),
    ],
    ids=count(),  # the keys are new at each collection, and so would the names be
)
def test_what_is_no_key(text: str) -> None:
    refused(faults.BAD_KEY, parse_key, text)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "origin\n5\n",
        "origin\n05\n" + TEXT.split("\n")[2] + "\n",
        "origin\n-1\n" + TEXT.split("\n")[2] + "\n",
        "origin\n5\nAAAA\n",
        "\n5\n" + TEXT.split("\n")[2] + "\n",
        TEXT + "\n",
        TEXT.rstrip("\n"),
    ],
)
def test_what_is_no_checkpoint(body: str) -> None:
    refused(faults.BAD_CHECKPOINT, parse_checkpoint, body)


def test_a_checkpoint_with_extensions() -> None:
    checkpoint = parse_checkpoint(TEXT + "extension one\nextension two\n")
    assert checkpoint.extensions == ("extension one", "extension two")
    assert checkpoint.body() == TEXT + "extension one\nextension two\n"


def test_a_checkpoint_of_another_origin_is_refused() -> None:
    note = sign_note(Checkpoint("log.example/other", 5, bytes(32)).body(), [LOG])
    refused(faults.WRONG_ORIGIN, open_checkpoint, note.encode(), LOG.key)


def test_a_key_file_is_made_once_and_kept_private(tmp_path: Path) -> None:
    path = tmp_path / "log.key"
    signer = NoteSigner.load(path, "log.example/file")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert NoteSigner.load(path, "log.example/file").key == signer.key
    refused(faults.KEY_FILE, NoteSigner.load, path, "log.example/other")
    refused(faults.KEY_FILE, NoteSigner.load, path, "log.example/file", COSIGNATURE)
    path.chmod(0o644)
    refused(faults.KEY_FILE, NoteSigner.load, path, "log.example/file")
    path.chmod(0o600)
    path.write_text("nothing")
    refused(faults.KEY_FILE, NoteSigner.load, path, "log.example/file")
    refused(faults.KEY_FILE, NoteSigner.load, tmp_path / "none" / "log.key", "log.example/file")


def test_no_fault_repeats_a_secret() -> None:
    secret = NoteSigner.generate("log.example/secret").secret_text()
    with pytest.raises(Fault) as raised:
        NoteSigner.parse(secret[:-2] + "!!")
    assert secret[40:-4] not in str(raised.value)
    with pytest.raises(Fault) as raised:
        parse_key(secret)
    assert secret[40:-4] not in str(raised.value)


def test_a_note_can_hold_empty_lines_in_its_text() -> None:
    note = sign_note("one\n\ntwo\n", [LOG])
    assert parse_note(note.encode()) == note == Note("one\n\ntwo\n", (LOG.sign("one\n\ntwo\n"),))
