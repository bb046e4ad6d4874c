"""Every technique of the red-team lists that can be run here, once with its guards and once without.

With them it must end as it is declared to, and as `docs/what-we-do-not-stop.md` says. Without them it must end worse:
a guard that could be taken away unnoticed guards nothing.
"""

from typing import Any

import pytest

from redteam import channels, governance, outbound, terminal  # noqa: F401 (they declare the techniques)
from redteam.page import PAGE, note, row
from redteam.stage import Stage
from redteam.suite import GUARDS, TECHNIQUES, WORSE, judge

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

RUN = [one for one in TECHNIQUES.values() if one.run is not None]


def guarded() -> list[Any]:
    """Techniques with guards. Beyond the first of each set of guards they are for a long run."""
    seen: set[tuple[str, ...]] = set()
    made = []
    for one in RUN:
        if one.guards:
            made.append(pytest.param(one.id, marks=[pytest.mark.long] if one.guards in seen else []))
            seen.add(one.guards)
    return made


@pytest.mark.parametrize("name", [one.id for one in RUN])
async def test_it_ends_as_it_must(stage: Stage, name: str) -> None:
    one = TECHNIQUES[name]
    assert one.run is not None
    evidence = await one.run(stage)
    assert judge(evidence) is one.ends, evidence
    ended = note(one, evidence)
    for language in (0, 1):
        assert row(one, ended, language) in PAGE.read_text(encoding="utf-8"), (
            "PYTHONPATH=tests python -m redteam.page"
        )


@pytest.mark.parametrize("name", guarded())
async def test_without_its_guards_it_ends_worse(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    one = TECHNIQUES[name]
    assert one.run is not None
    for name in one.guards:
        GUARDS[name](monkeypatch)
    evidence = await one.run(stage)
    assert WORSE[judge(evidence)] > WORSE[one.ends], evidence
