"""docs/what-we-do-not-stop.md, written from how the techniques ended.

A run notes what it found in build/redteam.json; `python -m redteam.page` (with PYTHONPATH=tests) writes the page from
that. No line of the page's tables is written by hand: each test holds its own line to what it has just found, and
`test_redteam_page.py` the rest.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from redteam.suite import TECHNIQUES, Evidence, Outcome, Technique, judge

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "what-we-do-not-stop.md"
NOTES: Final = ROOT / "build" / "redteam.json"

# How it ended, and which facts said so.
Found = tuple[str, tuple[str, ...]]

LISTS: Final = {
    "S1": ("Channels of SSH", "SSH の経路"),
    "S2": ("The terminal", "端末"),
    "S3": ("From inside to somewhere else", "内から外へ"),
    "S6": ("Governance", "統制"),
}
OUTCOMES: Final = {
    Outcome.BLOCKED: ("blocked", "止める"),
    Outcome.COUNTED: ("counted", "数えて知らせる"),
    Outcome.NOT_STOPPED: ("**not stopped**", "**止めない**"),
    Outcome.NOT_RUN: ("not run", "試験なし"),
}
_HEAD: Final = (
    """## What this page is

The techniques of the red-team lists for shells, terminals, workspaces and governance, and how each of them ended
when it was tried with real clients against a running checkpoint. `python -m redteam.page` writes the page from the
outcome of `tests/redteam/`; a test fails when it says something else than the run. Each guard that stops or counts
something is switched off once, and the technique must then end worse.

- *blocked*: nothing came out, or no door opened.
- *counted*: it came out; the persons it showed were spent from the ticket's budget, which ends the session, and the
  facts named say so. Of coded text the number is estimated by its length: compressed, it holds more persons than are
  counted; and where no person can be told, the volume alone is raised.
- *not stopped*: it came out, and was not counted.
- *not run*: no test here can try it, or another one does.

What the doors of PostgreSQL and the other rooms do not stop stands in their own pages and in
[what one dishonest person can do](dishonest.md).
""",
    """## このページについて

シェル、端末、作業領域、統制についての攻撃手法の一覧と、動いている関所に実際のクライアントで試した結果。
`python -m redteam.page` が `tests/redteam/` の結果から書き出す。実行結果と食い違えば試験が落ちる。
止める・数える仕組みは一つずつ切って試し、切れば結果が悪くなることを確かめている。

- *止める*: 何も出なかった。または開かなかった。
- *数えて知らせる*: 出たが、見えた人数をチケットの上限から引き（上限で接続を終える）、記載の事実として残した。
  符号化された文字は長さから見積もるため、圧縮されていれば数えた人数より多くを含む。
  人数が分からない場合は、量だけを知らせる。
- *止めない*: 出て、数えもしなかった。
- *試験なし*: ここでは試せない。または別の試験で確かめている。

PostgreSQL の入口などが止めないものは、それぞれのページと[一人の不正でできること](dishonest.md)にある。
""",
)
_OPEN: Final = ("## Not stopped, or only counted", "## 止めないもの、数えるだけのもの")
_ALL: Final = ("## All techniques", "## すべての手法")
_COLUMNS: Final = (
    "| | technique | ended | said by | guarded by |\n|---|---|---|---|---|",
    "| | 手法 | 結果 | 残る事実 | 仕組み |\n|---|---|---|---|---|",
)
_REASONS: Final = (
    "| | technique | ended | why |\n|---|---|---|---|",
    "| | 手法 | 結果 | 理由 |\n|---|---|---|---|",
)


def found(evidence: Evidence) -> Found:
    return judge(evidence).value, evidence.told


def note(one: Technique, evidence: Evidence) -> Found:
    """Remember how a technique ended, for `main`."""
    noted = read_notes()
    noted[one.id] = found(evidence)
    NOTES.parent.mkdir(exist_ok=True)
    NOTES.write_text(json.dumps(noted, indent=1, sort_keys=True) + "\n")
    return noted[one.id]


def read_notes() -> dict[str, Found]:
    if not NOTES.exists():
        return {}
    return {name: (outcome, tuple(told)) for name, (outcome, told) in json.loads(NOTES.read_text()).items()}


def row(one: Technique, ended: Found, language: int) -> str:
    """The line of a technique in the table of all."""
    outcome, told = ended
    facts = ", ".join(f"`{name}`" for name in told)
    guards = ", ".join(f"`{name}`" for name in one.guards)
    cells = one.id, (one.en, one.ja)[language], OUTCOMES[Outcome(outcome)][language], facts, guards
    return f"| {' | '.join(cells)} |"


def render(ended: Mapping[str, Found]) -> str:
    """The whole page. `ended` has every technique that is run."""
    parts = ["# What we do not stop\n\n[日本語](#日本語)\n"]
    for language in (0, 1):
        if language:
            parts.append("# 日本語\n")
        parts += [_HEAD[language], _OPEN[language] + "\n", _REASONS[language]]
        lines = sorted(TECHNIQUES.values(), key=lambda one: one.id)
        for one in lines:
            outcome = Outcome(ended[one.id][0]) if one.run else Outcome.NOT_RUN
            if outcome is not Outcome.BLOCKED:
                shown = one.id, (one.en, one.ja)[language], OUTCOMES[outcome][language], one.why[language]
                parts.append(f"| {' | '.join(shown)} |")
        parts.append("\n" + _ALL[language])
        for name, titles in LISTS.items():
            parts += [f"\n### {name}: {titles[language]}\n", _COLUMNS[language]]
            parts += [row(one, ended[one.id], language) for one in lines if one.list == name and one.run]
        parts.append("")
    return "\n".join(parts).rstrip() + "\n"


def main() -> int:
    from redteam import channels, governance, outbound, terminal  # noqa: F401 (they declare)

    ended = read_notes()
    missing = sorted(one.id for one in TECHNIQUES.values() if one.run and one.id not in ended)
    if missing:
        print(f"Not run yet: {', '.join(missing)}. Run pytest tests/redteam first.", file=sys.stderr)
        return 1
    PAGE.write_text(render(ended), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
