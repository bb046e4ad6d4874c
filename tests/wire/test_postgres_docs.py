"""docs/wire-postgres.md says what the tables say."""

from pathlib import Path

from sekisho.faults import FAULT_KINDS
from sekisho.wire.postgres.decode import ANSWERED, CLIENT_MESSAGES, OPENING
from sekisho.wire.postgres.exchange import STEPS
from sekisho.wire.postgres.frame import Limits

DOC = Path(__file__).parents[2] / "docs" / "wire-postgres.md"


def phases_table() -> str:
    lines = [
        f"| {before.name} | {message.__name__} | {after.name} |"
        for (before, message), after in OPENING.items()
    ]
    lines += [
        f"| {before.name} | (the answer goes out) | {after.name} |" for before, after in ANSWERED.items()
    ]
    lines += [
        f"| {phase.name} | {', '.join(message.__name__ for message in messages)} | |"
        for phase, messages in CLIENT_MESSAGES.items()
    ]
    return "\n".join(lines)


def steps_table() -> str:
    return "\n".join(
        f"| {step.name} | "
        + ", ".join(f"{answer.__name__} → {after.name}" for answer, after in row.items())
        + " |"
        for step, row in STEPS.items()
    )


def test_the_tables_are_printed_as_they_are() -> None:
    text = DOC.read_text()
    assert phases_table() in text
    assert steps_table() in text


def test_every_fault_and_limit_is_explained() -> None:
    text = DOC.read_text()
    assert not [code for code in FAULT_KINDS if code.startswith("SEK-WIRE-") and code not in text]
    for name in Limits.__struct_fields__:
        assert f"| `{name}` | {getattr(Limits(), name):,} |" in text
