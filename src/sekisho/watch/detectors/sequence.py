"""13. Query, export, pack, out, wipe: the steps of a theft in order, joined by content hash or by time."""

from typing import Final

import msgspec

from sekisho.watch.detector import Detector, Finding, Head, Memory, Value, Words, by_human
from sekisho.watch.known import Known
from sekisho.watch.observation import DAY, Observation

STEPS: Final = {
    "read": 0,
    "pull": 1,
    "file": 1,
    "archive": 2,
    "device": 3,
    "media": 4,
    "mail": 4,
    "web": 4,
    "print": 4,
    "delete": 5,
}
LEAST: Final = 30  # persons that a read must have shown to start a chain
_LINEAGES: Final = 24


class Chain(Memory):
    """When each step was last taken, and its ref; `lineages` maps a content hash to [step, time] for thirty days."""

    at: list[int] = msgspec.field(default_factory=lambda: [0] * 6)
    refs: list[int] = msgspec.field(default_factory=lambda: [0] * 6)
    lineages: dict[str, list[int]] = msgspec.field(default_factory=dict)
    said: int = 0


def look(chain: Chain, o: Observation, known: Known) -> Finding | None:
    step = STEPS[o.kind]
    if step == 0:
        if o.persons >= LEAST:
            chain.at[0], chain.refs[0] = o.at, o.ref
        return None
    if o.kind == "web" and o.what not in ("upload", "WWW Upload"):
        return None
    chain.at[step], chain.refs[step] = o.at, o.ref
    joined = _joined(chain, o, step)
    if step < 4:
        return None
    recent = [place for place in range(step + 1) if chain.at[place] and o.at - chain.at[place] <= DAY]
    # Steps must come in their order: an old archive before today's query belongs to something else.
    ordered = [place for place in recent if all(chain.at[p] <= chain.at[place] for p in recent if p < place)]
    steps = len(ordered)
    if 0 not in ordered and not joined:
        return None
    if steps < 2 and not joined:
        return None
    if chain.said == known.day and step != 5:
        return None
    chain.said = known.day
    score = 1.6 + 0.7 * steps + (1.0 if joined else 0.0)
    refs = tuple(sorted({chain.refs[place] for place in ordered}))
    values: dict[str, Value] = {"steps": steps, "out": o.kind, "joined": "+" if joined else "-"}
    return Finding(min(score, 6.0), steps, 1, values, refs=refs)


def _joined(chain: Chain, o: Observation, step: int) -> bool:
    if not o.lineage:
        return False
    found = chain.lineages.get(o.lineage)
    if found is None:
        if len(chain.lineages) >= _LINEAGES:
            del chain.lineages[min(chain.lineages, key=lambda name: (chain.lineages[name][1], name))]
        chain.lineages[o.lineage] = [step, o.at]
        return False
    return step >= 4 and found[0] < step and o.at - found[1] <= 30 * DAY


DETECTOR: Final = Detector(
    number=13,
    name="sequence",
    head=Head.CHAIN,
    kinds=tuple(STEPS),
    window="24 h; 30 d where the content is the same",
    memory=Chain,
    key=by_human,
    reason=Words(
        "Each step has honest reasons; all of them in this order seldom have.",
        "一つ一つの操作には正当な理由があり得ますが、この順番でそろうことはまれです。",
    ),
    finding=Words(
        "{human} went through {steps} steps of a take-out in order, ending with {out} (same content: {joined}).",
        "{human} は持ち出しの {steps} 段階を順に行い、{out} に至りました (同一内容: {joined})。",
    ),
    look=look,
)
