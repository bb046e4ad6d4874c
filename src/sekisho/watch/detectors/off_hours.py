"""9. Hours that are not this human's: 48 bins of hour and weekend, judged against one's own rota, and summed."""

from typing import Final

import msgspec

from sekisho.watch.detector import Detector, Finding, Head, Memory, Value, Words, by_human
from sekisho.watch.known import Known
from sekisho.watch.observation import Observation
from sekisho.watch.tails import rarity

BINS: Final = 48
LEARNING: Final = 40  # active hours of one's own before any of them can be odd
ROLE_WEIGHT: Final = 12.0  # active hours that the unit's rota stands for
_FADE: Final = 0.5 ** (1 / 14)


class Rota(Memory):
    """`bins` counts active hours; `fortnight` sums what each odd hour was worth, decayed to half in 14 days."""

    bins: list[int] = msgspec.field(default_factory=lambda: [0] * BINS)
    total: int = 0
    hour: int = 0  # the last active hour, in hours since 1970
    day: int = 0
    fortnight: float = 0.0
    said: int = 0


def look(rota: Rota, o: Observation, known: Known) -> Finding | None:
    hour = o.at // 3_600_000_000
    if hour == rota.hour:
        return None  # an hour counts once
    rota.hour = hour
    slot = known.slot
    score = 0.0
    if rota.total >= LEARNING:
        # The mass of all bins at most as usual as this one and its neighbours: overtime begins beside working hours.
        mine = _near(rota.bins, slot)
        rare: float = sum(count for place, count in enumerate(rota.bins) if _near(rota.bins, place) <= mine)
        unit = known.rota()
        worked = sum(unit)
        rare += ROLE_WEIGHT * (_near(unit, slot) / 4) / worked if worked else 0.0
        score = rarity(rare, rota.total)
    rota.bins[slot] += 1
    rota.total += 1
    known.rota()[slot] += 1
    if rota.total > 4_000:  # about two years; the older half fades
        rota.bins = [count // 2 for count in rota.bins]
        rota.total = sum(rota.bins)
    if known.day != rota.day:
        rota.fortnight *= _FADE ** min(400, known.day - rota.day)
        rota.day = known.day
        rota.said = min(rota.said, int(2 * rota.fortnight) + 1)
    if score < 1.0:
        return None
    rota.fortnight += score - 0.8
    total = rota.fortnight + 0.5
    if int(2 * total) <= rota.said:
        return None
    rota.said = int(2 * total)
    at = f"{slot % 24:02}:00"
    values: dict[str, Value] = {
        "hour": at,
        "weekend": "+" if slot > 23 else "-",
        "often": rota.bins[slot] - 1,
        "hours": rota.total,
    }
    return Finding(min(total, 6.0), rota.fortnight, 1.0, values)


def _near(bins: list[int], slot: int) -> int:
    base, hour = slot - slot % 24, slot % 24
    return 2 * bins[slot] + bins[base + (hour - 1) % 24] + bins[base + (hour + 1) % 24]


DETECTOR: Final = Detector(
    number=9,
    name="off_hours",
    head=Head.TIME,
    kinds=("logon", "read", "file", "device", "media", "mail", "web", "command"),
    window="the hour, and 14 d",
    memory=Rota,
    key=by_human,
    reason=Words(
        "Who wants not to be seen comes when nobody is there.",
        "見られたくない人は、人のいない時間に来ます。",
    ),
    finding=Words(
        "{human} worked at {hour} (weekend: {weekend}), an hour seen {often} times in {hours} hours of work.",
        "{human} は {hour} に作業しました (週末: {weekend})。過去 {hours} 時間の作業中、この時間帯は {often} 回です。",
    ),
    look=look,
)
