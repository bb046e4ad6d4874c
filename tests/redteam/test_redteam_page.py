"""The page is what the techniques say, and nothing else."""

import re

from redteam import channels, governance, outbound, page, terminal  # noqa: F401 (they declare the techniques)
from redteam.page import OUTCOMES, PAGE, render
from redteam.suite import GUARDS, TECHNIQUES, Outcome

RUN = [one for one in TECHNIQUES.values() if one.run is not None]


def test_the_page_is_as_it_is_written() -> None:
    """How each ended is read from the page, and held to the run by `test_redteam.py`; all else is held here."""
    words = {en: outcome.value for outcome, (en, _) in OUTCOMES.items()}
    ended = {}
    for line in PAGE.read_text(encoding="utf-8").partition("# 日本語")[0].splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == 7 and cells[1] in TECHNIQUES:
            ended[cells[1]] = words[cells[3]], tuple(re.findall(r"`([a-z_.]+)`", cells[4]))
    assert render(ended) == PAGE.read_text(encoding="utf-8")
    for one in RUN:
        assert ended[one.id][0] == one.ends.value, one.id


def test_what_is_blocked_or_counted_has_a_guard_and_each_guard_a_technique() -> None:
    for one in RUN:
        assert one.guards or one.ends is Outcome.NOT_STOPPED, one.id
    assert {name for one in RUN for name in one.guards} == set(GUARDS)
