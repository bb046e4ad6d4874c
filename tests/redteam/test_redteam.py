"""Every technique of the red-team lists that can be run here, once with its guards and once without.

With them it must end as it is declared to, and as `docs/what-we-do-not-stop.md` says. Without them it must end worse:
a guard that could be taken away unnoticed guards nothing.
"""

import pytest

from redteam import channels, page, terminal  # noqa: F401 (they declare the techniques)
from redteam.stage import Stage
from redteam.suite import GUARDS, TECHNIQUES, WORSE, judge

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

RUN = [one for one in TECHNIQUES.values() if one.run is not None]
GUARDED = [one for one in RUN if one.guards]


@pytest.mark.parametrize("id", [one.id for one in RUN])
async def test_it_ends_as_it_must(stage: Stage, id: str) -> None:
    one = TECHNIQUES[id]
    assert one.run is not None
    evidence = await one.run(stage)
    assert judge(evidence) is one.ends, evidence
    page.note(one, evidence)


@pytest.mark.parametrize("id", [one.id for one in GUARDED])
async def test_without_its_guards_it_ends_worse(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, id: str
) -> None:
    one = TECHNIQUES[id]
    assert one.run is not None
    for name in one.guards:
        GUARDS[name](monkeypatch)
    evidence = await one.run(stage)
    assert WORSE[judge(evidence)] > WORSE[one.ends], evidence
