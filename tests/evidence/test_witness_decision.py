"""What a witness answers: every status of tlog-witness, its record, and that no race or crash splits it."""

import hashlib
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sekisho.evidence import faults
from sekisho.evidence.checkpoint import Checkpoint
from sekisho.evidence.merkle import EMPTY_ROOT, Frontier, consistency_proof, leaf_hash
from sekisho.evidence.note import (
    COSIGNATURE,
    NoteSigner,
    encode64,
    parse_note,
    parse_signatures,
    sign_note,
    verify_note,
)
from sekisho.evidence.witness import SIZE_TYPE, Answer, Witness, WitnessStore, parse_request, request
from sekisho.faults import Fault

ORIGIN = "log.example/witnessed"
LOG = NoteSigner.generate(ORIGIN)
SIGNER = NoteSigner.generate("witness.example/decision", COSIGNATURE)


def subtree(start: int, end: int, history: bytes = b"") -> bytes:
    frontier = Frontier()
    for index in range(start, end):
        frontier.append(leaf_hash(history + b"%d" % index))
    return frontier.root()


def note_of(size: int, signer: NoteSigner = LOG, origin: str = ORIGIN, history: bytes = b"") -> bytes:
    return sign_note(Checkpoint(origin, size, subtree(0, size, history)).body(), [signer]).encode()


def body(old: int, size: int, note: bytes | None = None, proof: list[bytes] | None = None) -> bytes:
    proof = consistency_proof(old, max(old, size), subtree) if proof is None else proof
    lines = "".join(f"{encode64(hash_)}\n" for hash_ in proof)
    return f"old {old}\n{lines}\n".encode() + (note_of(size) if note is None else note)


class Clock:
    now = 1_800_000_000.9

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def witness(tmp_path: Path, clock: Clock) -> Witness:
    return Witness(WitnessStore(tmp_path), SIGNER, [LOG.key], clock)


def cosigned(answer: Answer, size: int) -> int:
    """The time of a valid cosignature over this size."""
    assert answer.status == 200, answer
    lines = parse_signatures(answer.body.decode())
    verified = verify_note(parse_note(note_of(size)).with_signatures(lines), [SIGNER.key])
    return verified.cosigned_at[SIGNER.key]


def test_a_log_that_grows_is_cosigned(witness: Witness) -> None:
    assert cosigned(witness.add_checkpoint(body(0, 3)), 3) == 1_800_000_000
    assert cosigned(witness.add_checkpoint(body(3, 9)), 9) == 1_800_000_000
    assert cosigned(witness.add_checkpoint(body(9, 9)), 9) == 1_800_000_000


def test_the_record_outlives_the_program(witness: Witness, tmp_path: Path) -> None:
    witness.add_checkpoint(body(0, 3))
    again = Witness(WitnessStore(tmp_path), SIGNER, [LOG.key])
    assert again.add_checkpoint(body(0, 5)) == Answer(409, b"3\n", SIZE_TYPE)
    assert again.add_checkpoint(body(3, 5)).status == 200


def test_malformed_requests(witness: Witness) -> None:
    good = body(0, 3)
    for bad in (
        b"",
        good.replace(b"old 0", b"old 00"),
        good.replace(b"old 0", b"old -1"),
        good.replace(b"old 0\n", b"old 0\nAAAA\n"),
        good.replace(b"old 0\n", b"old 0\n" + f"{encode64(bytes(32))}\n".encode() * 64),
        good.replace(b"old 0\n\n", b"old 0\n"),
        good.replace(b"\n3\n", b"\n3 \n"),
        b"old 0\n\n" + b"x" * 300_000,
    ):
        assert witness.add_checkpoint(bad).status == 400
    assert witness.add_checkpoint(body(5, 3, proof=[])).status == 400


def test_an_unknown_origin(witness: Witness) -> None:
    stranger = NoteSigner.generate("log.example/stranger")
    assert witness.add_checkpoint(body(0, 3, note_of(3, stranger, stranger.key.name))).status == 404


def test_a_checkpoint_that_the_log_did_not_sign(witness: Witness) -> None:
    assert witness.add_checkpoint(body(0, 3, note_of(3, NoteSigner.generate(ORIGIN)))).status == 403
    forged = note_of(3).replace(b"\n3\n", b"\n4\n")
    assert witness.add_checkpoint(body(0, 3, forged)).status == 403
    as_witness = NoteSigner.generate(ORIGIN, COSIGNATURE)
    assert witness.add_checkpoint(body(0, 3, note_of(3, as_witness))).status == 403


def test_a_stale_old_size(witness: Witness) -> None:
    witness.add_checkpoint(body(0, 9))
    for old in (0, 3, 10):
        answer = witness.add_checkpoint(body(old, 12))
        assert (answer.status, answer.body, answer.content_type) == (409, b"9\n", SIZE_TYPE)


def test_another_history_is_never_cosigned(witness: Witness) -> None:
    witness.add_checkpoint(body(0, 9))
    fork = note_of(12, history=b"fork")
    assert witness.add_checkpoint(body(9, 12, fork)).status == 422
    assert witness.add_checkpoint(body(9, 12, proof=[])).status == 422
    assert witness.add_checkpoint(body(9, 9, note_of(9, history=b"fork"))).status == 422
    assert cosigned(witness.add_checkpoint(body(9, 12)), 12)


def test_the_empty_tree(witness: Witness) -> None:
    wrong = sign_note(Checkpoint(ORIGIN, 0, bytes(32)).body(), [LOG]).encode()
    assert witness.add_checkpoint(body(0, 0, wrong)).status == 422
    assert Checkpoint(ORIGIN, 0, EMPTY_ROOT).body() == parse_note(note_of(0)).text
    assert cosigned(witness.add_checkpoint(body(0, 0)), 0)
    assert witness.add_checkpoint(body(0, 3, proof=[bytes(32)])).status == 422


def test_a_clock_set_back_does_not_date_a_cosignature_before_the_last(witness: Witness, clock: Clock) -> None:
    witness.add_checkpoint(body(0, 3))
    clock.now -= 3600
    assert cosigned(witness.add_checkpoint(body(3, 5)), 5) == 1_800_000_000


def test_monitors_see_the_last_cosigned_checkpoint(witness: Witness) -> None:
    name = hashlib.sha256(ORIGIN.encode()).hexdigest()
    assert witness.monitor(name).status == 404
    assert witness.monitor("../" + name).status == 404
    stranger = NoteSigner.generate("stranger.example")
    both = parse_note(note_of(3)).with_signatures([stranger.sign(parse_note(note_of(3)).text)])
    witness.add_checkpoint(body(0, 3, both.encode()))
    answer = witness.monitor(name)
    note = parse_note(answer.body)
    assert answer.status == 200
    assert [line.name for line in note.signatures] == [ORIGIN, SIGNER.key.name]
    verify_note(note, [LOG.key])
    verify_note(note, [SIGNER.key])


@pytest.mark.parametrize("damage", [b"", b"nonsense", note_of(2)])
def test_a_damaged_record_stops_cosigning(witness: Witness, tmp_path: Path, damage: bytes) -> None:
    witness.add_checkpoint(body(0, 3))
    (tmp_path / hashlib.sha256(ORIGIN.encode()).hexdigest()).write_bytes(damage)
    with pytest.raises(Fault) as raised:
        witness.add_checkpoint(body(3, 5))
    assert raised.value.kind is faults.WITNESS_STATE


def test_of_two_histories_asked_at_once_one_is_cosigned(tmp_path: Path) -> None:
    answers: list[tuple[int, int]] = []
    start = threading.Barrier(8)

    def ask(number: int) -> None:
        # Each thread has its own store, as a second program on the same folder would.
        witness = Witness(WitnessStore(tmp_path), SIGNER, [LOG.key])
        history = b"%d" % (number % 2)
        start.wait()
        answer = witness.add_checkpoint(body(0, 5, note_of(5, history=history), proof=[]))
        answers.append((number % 2, answer.status))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(status for _, status in answers) == [200, *[409] * 7]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12), st.booleans()), max_size=12))
def test_whatever_is_asked_all_cosigned_checkpoints_are_one_history(
    tmp_path_factory: pytest.TempPathFactory, requests: list[tuple[int, int, bool]]
) -> None:
    witness = Witness(WitnessStore(tmp_path_factory.mktemp("w")), SIGNER, [LOG.key])
    last, forked = 0, None
    for old, size, fork in requests:
        history = b"fork" if fork else b""

        def of_history(start: int, end: int, history: bytes = history) -> bytes:
            return subtree(start, end, history)

        proof = consistency_proof(old, max(old, size), of_history)
        answer = witness.add_checkpoint(body(old, size, note_of(size, history=history), proof=proof))
        if answer.status == 200:
            assert old == last <= size
            assert size == 0 or forked in (None, fork)
            last, forked = size, (fork if size else forked)


def test_a_request_survives_its_wire_form() -> None:
    asked = request(note_of(9), 3, consistency_proof(3, 9, subtree))
    assert asked.encode() == body(3, 9)
    assert parse_request(asked.encode()) == asked
