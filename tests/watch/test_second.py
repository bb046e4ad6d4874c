"""The second opinion: the odd day stands out, and the same days give the same scores."""

from random import Random

from sekisho.watch.observation import Observation
from sekisho.watch.second import WINDOW, Day, HalfSpaceTrees


def day(persons: int, reads: int = 3) -> Day:
    made = Day()
    for _ in range(reads):
        made.add(Observation(at=0, kind="read", actor="w", client="c", persons=persons // reads), 10)
    return made


def test_the_odd_day_is_more_unusual_and_the_same_days_give_the_same_scores() -> None:
    scores = []
    for _ in range(2):
        random, trees = Random(2), HalfSpaceTrees()
        assert trees.score(day(9).point()) == 0.0
        for _ in range(2 * WINDOW):
            trees.learn(day(random.randrange(3, 40)).point())
        scores.append((trees.score(day(20).point()), trees.score(day(4_000, reads=30).point())))
    assert scores[0] == scores[1]
    assert scores[0][1] > scores[0][0]
