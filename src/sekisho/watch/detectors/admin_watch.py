"""25. The same eyes on those who watch: readings of one's own log, and rights changed often or for oneself."""

from typing import Final

from sekisho.watch.detector import Detector, Finding, Head, Memory, Words, by_human
from sekisho.watch.known import Known
from sekisho.watch.observation import Observation
from sekisho.watch.tails import count_surprise

USUAL: Final = 8.0  # acts of an administrator on a day, before anything is known
SHAPE: Final = 1.0
_FADE: Final = 0.97


class Acts(Memory):
    total: float = USUAL * 5
    days: float = 5.0
    day: int = 0
    today: int = 0
    said: int = 0


def look(acts: Acts, o: Observation, known: Known) -> Finding | None:
    if known.day != acts.day:
        if acts.day:
            acts.total = acts.total * _FADE + min(acts.today, 4 * acts.total / acts.days + 10)
            acts.days = acts.days * _FADE + 1.0
        acts.day, acts.today, acts.said = known.day, 0, 0
    acts.today += 1
    mine = known.accounts.get(o.other, o.other)
    if mine and mine == known.human:
        sign = "own log" if o.what == "log_read" else "for oneself"
        if acts.said >= 8:
            return None
        acts.said = 8
        score = 3.0 if o.what == "log_read" else 4.0
        return Finding(score, 1, 0, {"sign": sign, "what": o.what or "-", "count": acts.today})
    mean = acts.total / acts.days
    score = count_surprise(acts.today, mean, SHAPE)
    if score < 1.5 or int(score * 2) <= acts.said:
        return None
    acts.said = int(score * 2)
    return Finding(score, acts.today, mean, {"sign": "many", "what": o.what or "-", "count": acts.today})


DETECTOR: Final = Detector(
    number=25,
    name="admin_watch",
    head=Head.CONSENT,
    kinds=("admin",),
    window="day, against one's own",
    memory=Acts,
    key=by_human,
    reason=Words(
        "Who may watch others and is not watched is the next one.",
        "見張る人を誰も見張らなければ、次はその人です。",
    ),
    finding=Words(
        "{human}: {sign} ({what}), {count} such acts today.",
        "{human}: {sign} ({what})、本日 {count} 件です。",
    ),
    look=look,
)
