"""Does a second opinion help? Half-space trees over human-days, beside the heads, on the incident of `bench.incident`.

For each seed the threshold of the trees is set on the clean run so that it cries as often in vain as the heads do: what
is asked is whether it finds a style earlier for as many false alarms again. That threshold has seen the clean run of
its own seed, which favours the trees. A hit is a day of the thief, after the first theft, whose score reaches the
threshold and did not in the clean run. `python -m bench.second [SEEDS]` prints the worst of the seeds.
"""

import sys
import time
from collections.abc import Iterator

from bench.incident import MONTHS, STYLES, TUNED, clean, days_of, stolen
from sekisho.watch.engine import Sensitivity
from sekisho.watch.second import SecondOpinion


def scored(seed: int, months: int, style: str = "") -> Iterator[tuple[int, str, float, bool]]:
    """(day, human, score, whether anything was stolen by then) of each human-day, in order."""
    opinion, stealing = SecondOpinion(9 * 3600), False
    for number, (found, _, thief) in enumerate(days_of(seed, months, style)):
        for one in found:
            if one.actor.startswith("w"):
                opinion.add(one, one.actor)
        stealing = stealing or bool(thief and thief.stolen)
        for human, score in opinion.close().items():
            yield number, human, score, stealing


def main(seeds: list[int], months: int = MONTHS) -> None:
    heads: dict[str, list[float]] = {style: [] for style in STYLES}
    trees: dict[str, list[float]] = {style: [] for style in STYLES}
    seconds, days, crying = 0.0, 0, 0.0
    for seed in seeds:
        base = clean(seed, months, Sensitivity())
        before = time.process_time()
        usual = list(scored(seed, months))
        seconds += time.process_time() - before
        days += len(usual)
        crying += base.weekly
        budget = min(len(base.alarms), len(usual) - 1)
        threshold = sorted((score for _, _, score, _ in usual), reverse=True)[budget]
        cried = {(number, human) for number, human, score, _ in usual if score >= threshold}
        known = {alarm.alarm for alarm in base.alarms}
        for style in STYLES:
            outcome = stolen(seed, months, style, known, Sensitivity())
            heads[style].append(months * 30 if outcome.days is None else outcome.days)
            trees[style].append(_first(seed, months, style, threshold, cried))
    print(f"days to the first alarm, worst of seeds {', '.join(map(str, seeds))}; as many false alarms again")
    print(f"({crying / len(seeds):.2f} a week), {days / seconds:,.0f} human-days a CPU second")
    for style in STYLES:
        print(f"  {style:9} trees {max(trees[style]):>6,.0f}   heads {max(heads[style]):>6,.1f}")


def _first(seed: int, months: int, style: str, threshold: float, cried: set[tuple[int, str]]) -> float:
    """Days from the first theft to the first hit; the whole time when there is none."""
    thieves = {"w0", "w1"} if style == "borrowed" else {"w0"}
    began = -1
    for number, human, score, stealing in scored(seed, months, style):
        if not stealing:
            continue
        began = number if began < 0 else began
        if human in thieves and score >= threshold and (number, human) not in cried:
            return float(number - began)
    return months * 365 / 12


if __name__ == "__main__":
    main([int(one) for one in sys.argv[1:]] or list(TUNED))
