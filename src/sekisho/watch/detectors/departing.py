"""17. Near the end of the work, or after it: the risk is higher, and what is used afterwards is an alarm by itself."""

from typing import Final

from sekisho.watch.detector import Detector, Finding, Head, Memory, Words, by_human
from sekisho.watch.known import Known
from sekisho.watch.observation import Observation
from sekisho.watch.tails import ratio_surprise

DAYS: Final = 90


class Leaving(Memory):
    """Persons seen on days before the last ninety, and in them."""

    before: float = 0.0
    before_days: int = 0
    day: int = 0
    today: int = 0
    said: int = 0


def look(leaving: Leaving, o: Observation, known: Known) -> Finding | None:
    who = known.humans.get(known.human)
    if known.day != leaving.day:
        if leaving.today:
            leaving.before += (leaving.today - leaving.before) * max(0.02, 1 / (leaving.before_days + 1))
            leaving.before_days += 1
        leaving.day, leaving.today, leaving.said = known.day, 0, 0
    leaving.today += o.persons
    if who is None or not who.until:
        return None
    if o.at > who.until or who.left:
        if leaving.said:
            return None
        leaving.said = 99
        days = (o.at - who.until) // 86_400_000_000
        return Finding(6.0, days, 0, {"days": int(days), "persons": o.persons}, certain=True)
    if not known.departing(known.human, o.at) or leaving.before_days < 10:
        return None
    score = ratio_surprise(leaving.today, 3 * leaving.before + 20, per_doubling=1.2) + 1.5
    if leaving.today <= 3 * leaving.before + 20 or int(score * 2) <= leaving.said:
        return None
    leaving.said = int(score * 2)
    days = (o.at - who.until) // 86_400_000_000
    return Finding(
        min(score, 6.0), leaving.today, leaving.before, {"days": int(days), "persons": leaving.today}
    )


DETECTOR: Final = Detector(
    number=17,
    name="departing",
    head=Head.CONSENT,
    kinds=("logon", "read", "pull", "command", "admin"),
    window="90 d before the end, and any time after it",
    memory=Leaving,
    key=by_human,
    reason=Words(
        "Much of what is taken is taken in the last weeks, or with an account that nobody closed.",
        "持ち出しの多くは退職前の数週間か、閉じ忘れたアカウントで起こります。",
    ),
    finding=Words(
        "{human} was active {days} days from the end of the work (after it when positive), with {persons} persons.",
        "{human} は業務終了日から {days} 日 (正は終了後) の時点で活動し、{persons} 人分を見ました。",
    ),
    look=look,
)
