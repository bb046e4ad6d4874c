"""10. One account, two places at once or within the hour: a human has one body."""

from typing import Final

import msgspec

from sekisho.watch.detector import Detector, Finding, Head, Memory, Value, Words, by_account
from sekisho.watch.known import Known
from sekisho.watch.observation import HOUR, Observation
from sekisho.watch.tails import rarity


class Places(Memory):
    """`open` lists sessions and their places; `last` is where and when the account last logged on."""

    open: list[tuple[str, str]] = msgspec.field(default_factory=list)
    place: str = ""
    at: int = 0
    days: int = 0
    shared: float = 0.0  # decayed count of days on which this happened
    day: int = 0
    said: int = 0


def look(places: Places, o: Observation, known: Known) -> Finding | None:
    if o.kind == "logoff":
        places.open = [one for one in places.open if one[0] != o.session]
        return None
    if not o.place:
        return None
    if known.day != places.day:
        places.day = known.day
        places.days += 1
        places.shared *= 0.98
    together = sorted({place for _, place in places.open if place != o.place})
    hop = places.place not in ("", o.place) and o.at - places.at < HOUR
    before = places.place
    if o.session:
        places.open = [*places.open[-7:], (o.session, o.place)]
    places.place, places.at = o.place, o.at
    if not together and not hop:
        return None
    if places.said == known.day:
        return None
    places.said = known.day
    # Who always works with two machines is known for it after some weeks.
    score = rarity(places.shared, min(places.days, 50)) + (1.5 if together else 0.7)
    places.shared += 1
    values: dict[str, Value] = {
        "account": o.actor,
        "place": o.place,
        "other": together[0] if together else before,
    }
    return Finding(score, 2, 1, values)


DETECTOR: Final = Detector(
    number=10,
    name="shared_account",
    head=Head.PLACE,
    kinds=("logon", "logoff"),
    window="1 h, 30 d",
    memory=Places,
    key=by_account,
    reason=Words(
        "A shared account has no owner who answers for it.",
        "共有されたアカウントには、責任を負う人がいません。",
    ),
    finding=Words(
        "The account {account} was used at {place} and at {other} at the same time or within an hour.",
        "アカウント {account} が {place} と {other} で同時に、または1時間以内に使われました。",
    ),
    look=look,
)
