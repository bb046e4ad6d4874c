"""The page about dishonest people names every role, and each bound of it is a test that exists."""

import re
from pathlib import Path

from sekisho.people.roles import Role

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "dishonest.md").read_text(encoding="utf-8")


def test_every_role_is_walked() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("|")][2:]
    assert {role.value for role in Role} <= {row.split("|")[1].strip(" `") for row in rows}
    for row in rows:
        assert all(cell.strip() for cell in row.split("|")[1:5]), row


def test_every_bound_is_a_test() -> None:
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", PAGE)
    assert len(named) > 15
    for file, test in named:
        assert any(f"def {test}(" in path.read_text() for path in (ROOT / "tests").rglob(file)), (file, test)
