"""Heads: each family of detectors has its own calibration, and they are never added up.

A detector claims how rare a thing is; how often such claims were made about *other* humans corrects it. What the
claim itself is worth is as much as `TRUST` days of experience, so a house of four people has usable scores on its
first day, and after some months the scores of a head that cries often have come down. One's own days never count:
nobody can teach the watch, by being odd every day, that he is usual.
"""

from math import log10
from typing import Final

import msgspec

TRUST: Final = 400.0  # human-days
_STEP: Final = 0.5
_BINS: Final = 26
_FADE: Final = 0.5 ** (1 / 14)
_USUAL: Final = 0.8  # the score that a day has anyway


class Tally(msgspec.Struct, array_like=True):
    """Days by the highest claim made on them, in steps of half a bit; of all humans, and of each."""

    all: list[int] = msgspec.field(default_factory=lambda: [0] * _BINS)
    own: dict[str, list[int]] = {}


class DayScore(msgspec.Struct, frozen=True):
    """A human's day, ranked by its highest head. `heads` are calibrated scores."""

    day: int
    human: str
    score: float
    heads: dict[str, float]


class Heads(msgspec.Struct):
    """`today` maps "head|human" to the highest raw claim of the day; `fortnight` sums the odd days, fading."""

    tallies: dict[str, Tally] = {}
    today: dict[str, float] = {}
    fortnight: dict[str, float] = {}
    day: int = 0

    def note(self, head: str, human: str, claim: float) -> None:
        key = f"{head}|{human}"
        if claim > self.today.get(key, 0.0):
            self.today[key] = claim

    def calibrated(self, head: str, human: str, claim: float, days: int) -> float:
        """The claim, corrected by how often it was made about others in `days` human-days of theirs."""
        tally = self.tallies.get(head)
        if tally is None or days <= 0:
            return claim
        place = min(_BINS - 1, int(claim / _STEP))
        above = sum(tally.all[place:])
        mine = tally.own.get(human)
        if mine is not None:
            above -= sum(mine[place:])
        return -log10((TRUST * 10.0**-claim + above) / (TRUST + days))

    def close_day(self, day: int, active: dict[str, int], total: int) -> list[DayScore]:
        """Take the finished day into the tallies. `active` maps who was active to that human's days so far."""
        scores: dict[str, dict[str, float]] = {human: {} for human in active}
        fade = _FADE ** min(60, day - self.day)
        self.fortnight = {key: value * fade for key, value in self.fortnight.items() if value * fade > 0.05}
        for key, claim in sorted(self.today.items()):
            head, _, human = key.partition("|")
            score = self.calibrated(head, human, claim, total - active.get(human, 0))
            self.fortnight[key] = self.fortnight.get(key, 0.0) + max(0.0, score - _USUAL)
        for key, summed in sorted(self.fortnight.items()):
            head, _, human = key.partition("|")
            if human in scores:
                today = self.today.get(key, 0.0)
                now = self.calibrated(head, human, today, total - active.get(human, 0)) if today else 0.0
                scores[human][head] = round(max(now, 0.6 * summed), 6)
        for key, claim in self.today.items():
            head, _, human = key.partition("|")
            tally = self.tallies.get(head)
            if tally is None:
                tally = self.tallies[head] = Tally()
            own = tally.own.setdefault(human, [0] * _BINS)
            place = min(_BINS - 1, int(claim / _STEP))
            own[place] += 1
            tally.all[place] += 1
        finished, self.day, self.today = self.day, day, {}
        return [
            DayScore(finished, human, max(heads.values(), default=0.0), heads)
            for human, heads in sorted(scores.items())
        ]
