"""How surprising a number is. Pure, and never too large: where it is not exact, it is a lower bound of the surprise."""

from math import comb, log
from typing import Final

_LN10: Final = log(10)
MOST: Final = 12.0


def count_surprise(k: float, mean: float, shape: float) -> float:
    """−log10 of a bound on the chance to see `k` or more where `mean` is usual.

    The count is Poisson with a gamma-distributed rate (negative binomial) of this shape: 10 means that the true rate
    of such a thing is known to about a third. The bound is Chernoff's.
    """
    if k <= mean or k <= 0:
        return 0.0
    mean = max(mean, 1e-9)
    nats = k * log(k / mean) - (k + shape) * log((k + shape) / (mean + shape))
    return min(MOST, nats / _LN10) if nats > 0 else 0.0


def share_surprise(k: int, n: int, share: float) -> float:
    """−log10 of the chance of `k` or more of `n` where this share is usual (binomial, summed: for small n)."""
    if k <= n * share:
        return 0.0
    chance = sum(comb(n, one) * share**one * (1 - share) ** (n - one) for one in range(k, n + 1))
    return min(MOST, -log(max(chance, 1e-300)) / _LN10)


def rarity(seen: float, of: float, *, prior: float = 1.0, weight: float = 2.0) -> float:
    """−log10 of the chance of something that was seen `seen` times in `of` occasions."""
    return max(0.0, -log((seen + prior) / (of + prior + weight)) / _LN10)


def ratio_surprise(observed: float, expected: float, *, per_doubling: float) -> float:
    """So many bits for each doubling above what was expected."""
    if observed <= expected:
        return 0.0
    return min(MOST, per_doubling * log(observed / max(expected, 1.0)) / log(2))
