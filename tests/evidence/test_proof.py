"""Offline proofs and bundles: what a third party can check, and what it must refuse."""

import hashlib
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from evidence.evidence_oracle import oracle
from sekisho.evidence import faults
from sekisho.evidence.log import TileLog
from sekisho.evidence.note import NoteSigner, parse_note, sign_note
from sekisho.evidence.policy import Policy
from sekisho.evidence.proof import Proof, make_bundle, parse_proof, prove, write_bundle
from sekisho.evidence.verify import Report, verify_bundle
from sekisho.faults import Fault

ORIGIN = "log.example/proof"
SIGNER = NoteSigner.generate(ORIGIN)
POLICY = Policy.of_keys([SIGNER.key], [], 0)
OPENING = b"s" * 32 + b"SELECT name FROM customer"
COMMITMENT = hashlib.sha256(OPENING).hexdigest()


def entry(index: int) -> bytes:
    return b'{"seq":%d,"fact":"test","about":"x","data":{"rows":3,"text":["%s"]}}' % (
        index,
        COMMITMENT.encode(),
    )


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> TileLog:
    log = TileLog.open(tmp_path_factory.mktemp("log"), SIGNER, origin=ORIGIN)
    log.integrate([entry(index) for index in range(300)])
    log.publish(log.sign())
    log.integrate([entry(index) for index in range(300, 310)])
    return log


@pytest.fixture
def note(log: TileLog) -> bytes:
    return (log.path / "checkpoint").read_bytes()


def verify(
    tmp_path: Path, data: bytes, policy: Policy | None = POLICY, seen: tuple[bytes, ...] = ()
) -> Report:
    write_bundle(tmp_path / "bundle.zip", data)
    return verify_bundle(tmp_path / "bundle.zip", policy=policy, seen=seen)


def rewrite(data: bytes, change: Callable[[str, bytes], bytes], compress: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", compress) as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return out.getvalue()


def test_a_proof_verifies_elsewhere(log: TileLog, note: bytes) -> None:
    for index in (0, 255, 256, 299):
        proof = prove(log.path, index, note)
        checkpoint, _ = oracle.parse_checkpoint(oracle.parse_note(proof.note).text), None
        assert oracle.verify_leaf_inclusion(entry(index), index, 300, list(proof.hashes), checkpoint.root)


def test_the_text_of_a_proof(log: TileLog, note: bytes) -> None:
    proof = prove(log.path, 299, note)
    lines = proof.encode().split(b"\n")
    assert lines[:2] == [b"c2sp.org/tlog-proof@v1", b"index 299"]
    assert proof.encode().endswith(b"\n\n" + note)
    assert parse_proof(proof.encode()) == proof
    extra = Proof(0, (), note, b"more")
    assert parse_proof(extra.encode()) == extra


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"c2sp.org/tlog-proof@v1\n\n",
        b"c2sp.org/tlog-proof@v2\nindex 0\n\nnote",
        b"c2sp.org/tlog-proof@v1\nindex 00\n\nnote",
        b"c2sp.org/tlog-proof@v1\nindex 0\nAAAA\n\nnote",
        b"c2sp.org/tlog-proof@v1\nextra AAAA\n\nnote",
        b"c2sp.org/tlog-proof@v1\nindex \xff\n\nnote",
    ],
)
def test_what_is_no_proof(text: bytes) -> None:
    with pytest.raises(Fault, match=faults.BAD_PROOF.code):
        parse_proof(text)


def test_an_entry_beyond_the_checkpoint_has_no_proof(log: TileLog, note: bytes) -> None:
    with pytest.raises(Fault, match=faults.NOT_COVERED.code):
        prove(log.path, 300, note)


def test_a_bundle_is_found_good(tmp_path: Path, log: TileLog, note: bytes) -> None:
    data = make_bundle(log.path, [7, 255, 299, 7], note, {COMMITMENT: OPENING})
    report = verify(tmp_path, data, seen=(note,))
    assert (report.ok, report.entries, [one.size for one in report.checkpoints]) == (True, 3, [300])
    assert [one.log for one in report.accepted] == [SIGNER.key]
    assert make_bundle(log.path, [299, 255, 7], note, {COMMITMENT: OPENING}) == data


def test_a_changed_entry_or_proof_is_found(tmp_path: Path, log: TileLog, note: bytes) -> None:
    data = make_bundle(log.path, [7, 8], note)
    edited = rewrite(
        data, lambda name, content: content.replace(b'"rows":3', b'"rows":4') if "8.j" in name else content
    )
    [finding] = verify(tmp_path, edited).findings
    assert (finding.kind, finding.first) == (faults.NOT_INCLUDED, 8)
    other = prove(log.path, 8, note).encode().replace(b"index 8", b"index 9")
    renumbered = rewrite(data, lambda name, content: other if name == "proofs/8.tlog-proof" else content)
    assert [one.first for one in verify(tmp_path, renumbered).findings] == [8]
    swapped = rewrite(data, lambda name, content: entry(15 - int(name[8])) if "entries" in name else content)
    assert [one.first for one in verify(tmp_path, swapped).findings] == [7, 8]


def test_a_proof_under_a_checkpoint_that_the_log_did_not_sign(
    tmp_path: Path, log: TileLog, note: bytes
) -> None:
    other = NoteSigner.generate(ORIGIN)
    resigned = sign_note(parse_note(note).text, [other]).encode()
    data = make_bundle(log.path, [7], resigned)
    assert [one.kind for one in verify(tmp_path, data).findings] == [faults.FOREIGN_SIGNATURE]
    assert verify(tmp_path, data, policy=None).ok
    assert not verify(tmp_path, data, policy=None).pinned


def test_an_entry_that_the_log_numbered_wrongly(tmp_path: Path) -> None:
    log = TileLog.open(tmp_path / "log", SIGNER, origin=ORIGIN)
    log.integrate([entry(5)])
    [finding] = verify(tmp_path, make_bundle(log.path, [0], log.sign())).findings
    assert (finding.kind, finding.first) == (faults.REORDERED, 0)


def test_two_roots_for_one_size(tmp_path: Path, log: TileLog, note: bytes) -> None:
    fork = TileLog.open(tmp_path / "fork", SIGNER, origin=ORIGIN)
    fork.integrate([entry(index + 1) for index in range(300)])
    report = verify(tmp_path, make_bundle(log.path, [7], note), seen=(fork.sign(),))
    assert [one.kind for one in report.findings] == [faults.SEEN_OTHERWISE]


def test_openings(tmp_path: Path, log: TileLog, note: bytes) -> None:
    def kinds(openings: dict[str, bytes]) -> list[object]:
        return [one.kind for one in verify(tmp_path, make_bundle(log.path, [7], note, openings)).findings]

    assert kinds({COMMITMENT: OPENING + b"!"}) == [faults.OPENING_WRONG]
    other = b"t" * 40
    assert kinds({hashlib.sha256(other).hexdigest(): other}) == [faults.OPENING_UNKNOWN]
    short = b"t" * 31  # no room for the salt
    assert kinds({hashlib.sha256(short).hexdigest(): short}) == [faults.OPENING_WRONG]


def test_what_is_no_bundle(tmp_path: Path, log: TileLog, note: bytes) -> None:
    data = make_bundle(log.path, [7], note)
    repeated = io.BytesIO(data)
    with zipfile.ZipFile(repeated, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("entries/7.json", entry(7))
    stray = io.BytesIO(data)
    with zipfile.ZipFile(stray, "a") as archive:
        archive.writestr("../7.json", b"")
    unpaired = io.BytesIO(data)
    with zipfile.ZipFile(unpaired, "a") as archive:
        archive.writestr("entries/8.json", entry(8))
    huge = io.BytesIO(data)
    with zipfile.ZipFile(huge, "a") as archive:
        archive.writestr("entries/8.json", b" " * 70_000)
    cases = [
        b"no zip",
        data[:-40],
        data.replace(b'"rows":3', b'"rows":9'),
        rewrite(data, lambda _, content: content, zipfile.ZIP_DEFLATED),
        repeated.getvalue(),
        stray.getvalue(),
        unpaired.getvalue(),
        huge.getvalue(),
    ]
    for case in cases:
        with pytest.raises(Fault, match=faults.BAD_BUNDLE.code):
            verify(tmp_path, case)
