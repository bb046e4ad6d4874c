"""22. An account or a right that slept for months, and wakes."""

from typing import Final

import msgspec

from sekisho.watch.detector import Detector, Finding, Head, Memory, Words, by_account
from sekisho.watch.known import Known
from sekisho.watch.observation import DAY, Observation

DAYS: Final = 90


class Sleep(Memory):
    """When the account was last used, and on which day each client's data by it (by the client's number)."""

    last: int = 0
    clients: dict[int, int] = msgspec.field(default_factory=dict)


def look(sleep: Sleep, o: Observation, known: Known) -> Finding | None:
    idle = (o.at - sleep.last) // DAY if sleep.last else 0
    sleep.last = o.at
    what, away = o.actor, idle
    if o.client:
        number = known.number(o.client)
        used = sleep.clients.get(number)
        if used is not None and idle < DAYS:
            away, what = known.day - used, o.client
        sleep.clients[number] = known.day
    if away < DAYS:
        return None
    whole = what == o.actor
    score = (2.6 if away < 2 * DAYS else 3.4) if whole else (1.2 if away < 2 * DAYS else 1.6)
    return Finding(score, away, DAYS, {"what": what, "days": away})


DETECTOR: Final = Detector(
    number=22,
    name="dormant",
    head=Head.CONSENT,
    kinds=("logon",),
    window="90 d, 180 d",
    memory=Sleep,
    key=by_account,
    reason=Words(
        "Nobody misses what nobody uses; so nobody sees who uses it.",
        "誰も使わないものは誰も気にかけず、誰が使っても気付かれません。",
    ),
    finding=Words(
        "{human} used {what} after {days} days without.",
        "{human} が {days} 日ぶりに {what} を使いました。",
    ),
    look=look,
)
