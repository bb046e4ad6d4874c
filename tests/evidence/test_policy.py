"""Trust policies: the example of the norm, quorums, and every line that must be refused."""

from itertools import count

import pytest

from sekisho.evidence import faults
from sekisho.evidence.checkpoint import Checkpoint
from sekisho.evidence.note import COSIGNATURE, NoteSigner, VerifierKey, sign_note
from sekisho.evidence.policy import Policy
from sekisho.faults import Fault

LOG = NoteSigner.generate("log.example/policy")
WITNESSES = {
    name: NoteSigner.generate(f"{name}.example", COSIGNATURE) for name in ("X1", "X2", "X3", "Y1", "Y2", "Y3")
}
KEYS = {name: signer.key for name, signer in WITNESSES.items()}
TEXT = Checkpoint("log.example/policy", 7, bytes(32)).body()

# tlog-policy, "Example policy"
EXAMPLE = f"""
log {LOG.key} https://log.example/

# the first organisation
witness X1 {KEYS["X1"]} https://x1.example/
witness\tX2  {KEYS["X2"]}
  witness X3 {KEYS["X3"]}
group X-witnesses 2 X1 X2 X3

witness Y1 {KEYS["Y1"]}
witness Y2 {KEYS["Y2"]}
witness Y3 {KEYS["Y3"]}
group Y-witnesses any Y1 Y2 Y3

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
"""


def cosigners(names: str) -> list[VerifierKey]:
    return [KEYS[name] for name in names.split()]


@pytest.mark.parametrize(
    ("names", "satisfied"),
    [
        ("", False),
        ("X1 X2", False),
        ("Y1 Y2 Y3", False),
        ("X1 Y1", False),
        ("X1 X2 Y3", True),
        ("X1 X2 X3 Y1 Y2 Y3", True),
    ],
)
def test_the_example_of_the_norm(names: str, satisfied: bool) -> None:
    assert Policy.parse(EXAMPLE.encode()).satisfied(cosigners(names)) is satisfied


def test_what_the_example_holds() -> None:
    policy = Policy.parse(EXAMPLE.encode())
    assert [(log.key, log.url) for log in policy.logs] == [(LOG.key, "https://log.example/")]
    assert [witness.name for witness in policy.witnesses] == ["X1", "X2", "X3", "Y1", "Y2", "Y3"]
    assert policy.witnesses[0].url == "https://x1.example/"


def test_a_checkpoint_is_accepted_with_its_cosigners() -> None:
    note = sign_note(TEXT, [LOG]).with_signatures(
        [WITNESSES[name].sign(TEXT, 5) for name in ("X1", "X3", "Y2")]
    )
    accepted = Policy.parse(EXAMPLE.encode()).accept(note.encode())
    assert (accepted.checkpoint.size, accepted.log) == (7, LOG.key)
    assert accepted.cosigned_at == dict.fromkeys(cosigners("X1 X3 Y2"), 5)


def test_a_checkpoint_without_quorum_log_or_valid_signature_is_refused() -> None:
    policy = Policy.parse(EXAMPLE.encode())
    signatures = [WITNESSES[name].sign(TEXT) for name in ("X1", "X2", "Y1")]
    for note, kind in (
        (sign_note(TEXT, [LOG]), faults.QUORUM_MISSING),
        (sign_note(TEXT, [LOG]).with_signatures(signatures[:2]), faults.QUORUM_MISSING),
        # One witness twice is one witness.
        (
            sign_note(TEXT, [LOG]).with_signatures([signatures[0], signatures[0], signatures[2]]),
            faults.QUORUM_MISSING,
        ),
        (
            sign_note(TEXT, [NoteSigner.generate(LOG.key.name)]).with_signatures(signatures),
            faults.SIGNATURE_MISSING,
        ),
        (sign_note(TEXT, [LOG]).with_signatures([WITNESSES["Y3"].sign("other\n")]), faults.SIGNATURE_WRONG),
    ):
        with pytest.raises(Fault) as raised:
            policy.accept(note.encode())
        assert raised.value.kind is kind


def test_no_quorum_and_any_of_several_logs() -> None:
    other = NoteSigner.generate("log.example/policy")
    policy = Policy.parse(f"log {other.key}\nlog {LOG.key}\nquorum none\n".encode())
    assert policy.accept(sign_note(TEXT, [LOG]).encode()).log == LOG.key


def test_of_keys() -> None:
    policy = Policy.of_keys([LOG.key], cosigners("X1 X2 X3"), 2)
    assert policy.describe_quorum() == "2/3"
    assert policy.satisfied(cosigners("X1 X3"))
    assert not policy.satisfied(cosigners("X1 Y1"))
    for quorum, witnesses in ((4, "X1 X2 X3"), (1, ""), (1, "X1 X1")):
        with pytest.raises(Fault, match=faults.BAD_POLICY.code):
            Policy.of_keys([LOG.key], cosigners(witnesses), quorum)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "no quorum"),
        ("quorum nobody", "not a line"),
        ("quorum none\nquorum none", "not a line"),
        ("rule none", "not a line"),
        ("log", "not a line"),
        (f"log {LOG.key}", "repeated"),
        (f"log {KEYS['X2']}", "type 4"),
        ("log nonsense", "not of the form"),
        (f"witness again {KEYS['X1']}", "repeated"),
        (f"witness X1 {KEYS['X2']}", "defined already"),
        (f"witness none {KEYS['X2']}", "defined already"),
        (f"witness L {NoteSigner.generate('l.example').key}", "type 1"),
        ("group g 1 later", "not defined"),
        ("group g 1", "not a line"),
        ("group g 0 X1", "threshold"),
        ("group g 2 X1", "threshold"),
        ("group g 01 X1", "threshold"),
        ("group g some X1", "threshold"),
        ("group g all X1 X1", "member already"),
        ("group g all X1\ngroup h all X1", "member already"),
        ("group X1 all X1", "defined already"),
        ("group g all none", "not defined"),
        ("# bell \x07", "control character"),
    ],
    ids=count(),  # the keys are new at each collection, and so would the names be
)
def test_lines_that_are_refused(line: str, reason: str) -> None:
    with pytest.raises(Fault) as raised:
        Policy.parse(f"log {LOG.key}\nwitness X1 {KEYS['X1']}\n{line}\n".encode())
    assert raised.value.kind is faults.BAD_POLICY
    assert reason in str(raised.value.values["reason"])


def test_names_are_opaque_octets() -> None:
    key = str(KEYS["X1"]).encode()
    assert Policy.parse(b"witness \xe2\x84\xaa " + key + b"\nquorum \xe2\x84\xaa\n").satisfied(
        cosigners("X1")
    )
    assert Policy.parse(b"witness \xff " + key + b"\nquorum \xff\n").satisfied(cosigners("X1"))
    with pytest.raises(Fault, match=faults.BAD_POLICY.code):
        Policy.parse(b"witness \xe2\x84\xaa " + key + b"\nquorum K\n")


def test_the_logs_own_key_is_no_witness() -> None:
    as_witness = VerifierKey("witness.example/same", COSIGNATURE, LOG.key.public)
    with pytest.raises(Fault, match="repeated"):
        Policy.of_keys([LOG.key], [as_witness], 1)
