"""12. The hand behind the account: the mix of commands or statements, own against everybody's (Schonlau log-ratio)."""

from math import log
from typing import Final
from zlib import crc32

import msgspec

from sekisho.watch.detector import Detector, Finding, Head, Memory, Words, by_human
from sekisho.watch.known import Known
from sekisho.watch.observation import Observation
from sekisho.watch.tails import MOST as MOST_BITS

BLOCK: Final = 100
LEARNING: Final = 5  # blocks
TEMPLATES: Final = 48


class Hand(Memory):
    """`mine` counts templates (hashes); a block's mean log-ratio is held against those of earlier ones."""

    mine: dict[int, int] = msgspec.field(default_factory=dict)
    total: int = 0
    count: int = 0
    sum: float = 0.0
    blocks: int = 0
    mean: float = 0.0
    spread: float = 0.0


def look(hand: Hand, o: Observation, known: Known) -> Finding | None:
    if o.kind == "read":
        if not o.tables:
            return None
        template = crc32(" ".join(o.tables).encode())
    elif o.what:
        template = crc32(o.what.encode())
    else:
        return None
    mine = hand.mine
    seen = mine.get(template, 0)
    # Laplace over the templates that are remembered: what was never seen is rare, not impossible.
    hand.sum -= log((seen + 0.5) / (hand.total + 0.5 * TEMPLATES))
    if not seen and len(mine) >= TEMPLATES:
        least = min(mine, key=lambda one: (mine[one], one))
        hand.total -= mine.pop(least)
    mine[template] = seen + 1
    hand.total += 1
    hand.count += 1
    if hand.count < BLOCK:
        return None
    value = hand.sum / BLOCK
    hand.count, hand.sum = 0, 0.0
    if hand.total > 20 * BLOCK:
        hand.mine = {one: (count + 1) // 2 for one, count in mine.items()}
        hand.total = sum(hand.mine.values())
    return _judge(hand, value)


def _judge(hand: Hand, value: float) -> Finding | None:
    away = value - hand.mean
    deviation = (hand.spread + 0.02) ** 0.5
    usual = hand.mean
    hand.blocks += 1
    weight = max(1 / hand.blocks, 0.05)
    if hand.blocks <= LEARNING or away < 3 * deviation:  # an alarm does not teach
        hand.mean += weight * away
        hand.spread += weight * (away * away - hand.spread)
    if hand.blocks <= LEARNING or away <= 2.5 * deviation:
        return None
    z = away / deviation
    score = min(MOST_BITS, z * z / 2 / log(10) * 0.6)
    return Finding(score, value, usual, {"block": BLOCK, "value": round(value, 2), "usual": round(usual, 2)})


DETECTOR: Final = Detector(
    number=12,
    name="masquerade",
    head=Head.STYLE,
    kinds=("read", "command"),
    window="100 commands",
    memory=Hand,
    key=by_human,
    reason=Words(
        "An account can be lent; the habits of a hand cannot.",
        "アカウントは貸せますが、手の癖は貸せません。",
    ),
    finding=Words(
        "The last {block} statements under {human}'s account are unlike {human}'s: surprise {value}, usually {usual}.",
        "{human} のアカウントの直近 {block} 文はふだんと異なります: 意外さ {value} (ふだん {usual})。",
    ),
    look=look,
)
