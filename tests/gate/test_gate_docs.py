"""docs/gate.md says what the gate does."""

import re
from pathlib import Path

import msgspec

from sekisho.gate.decide import RULES
from sekisho.gate.duties import DUTIES_TABLE
from sekisho.gate.policy import Policy
from sekisho.gate.state import RESTRICTING
from sekisho.ledger.leaf import FACTS_BY_NAME

DOC = (Path(__file__).parents[2] / "docs" / "gate.md").read_text(encoding="utf-8")


def test_the_matrix_of_the_docs_is_the_matrix() -> None:
    rows = [re.sub(r" *\| *", "|", line.strip()) for line in DUTIES_TABLE.strip().splitlines()]
    for row in rows:
        assert f"| {row.replace('|', ' | ')} |" in DOC


def test_every_rule_is_told_in_order() -> None:
    told = re.findall(r"^\| `([a-z-]+)` \| (.+) \|$", DOC, re.MULTILINE)
    assert [(rule.name, rule.en) for rule in RULES] == told[: len(RULES)]


def test_every_setting_is_told() -> None:
    for field in msgspec.structs.fields(Policy):
        assert f"`{field.name}`" in DOC


def test_restricting_facts_exist() -> None:
    assert set(FACTS_BY_NAME) >= RESTRICTING
