"""24. A fictitious person was seen where nobody had business with it, or was called, or got a letter."""

from typing import Final

from sekisho.watch.detector import Detector, Finding, Head, Memory, Value, Words, by_client
from sekisho.watch.known import Known
from sekisho.watch.observation import Observation


class Hits(Memory):
    hits: int = 0


def look(hits: Hits, o: Observation, known: Known) -> Finding | None:
    hits.hits += 1
    values: dict[str, Value] = {"canary": o.target or "?", "how": o.what or "seen", "hits": hits.hits}
    return Finding(6.0, hits.hits, 0, values, certain=True)


DETECTOR: Final = Detector(
    number=24,
    name="canary",
    head=Head.CHAIN,
    kinds=("canary",),
    window="the event",
    memory=Hits,
    key=by_client,
    reason=Words(
        "A person who does not exist has no customers' business: only a list knows the name.",
        "実在しない人に用のある人はいません。その名前を知っているのは名簿だけです。",
    ),
    finding=Words(
        "The planted person {canary} of {client} was met ({how}); hit {hits}. Last acted: {human}.",
        "{client} の架空人物 {canary} に接触がありました ({how}、{hits} 回目)。最後の操作者: {human}。",
    ),
    look=look,
)
