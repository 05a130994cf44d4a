"""Uneven draws: Zipf, and TPC-C's NURand."""

from __future__ import annotations

import random
from bisect import bisect_right
from functools import lru_cache
from itertools import accumulate


class Zipf:
    """Ranks 0 .. items - 1, rank r with a probability proportional to 1 / (r + 1) ** theta; 0 is uniform."""

    def __init__(self, items: int, theta: float) -> None:
        self._cumulative = _cumulative(items, theta)

    def draw(self, rng: random.Random) -> int:
        """One rank."""
        return min(bisect_right(self._cumulative, rng.random()), len(self._cumulative) - 1)

    def draw_distinct(self, rng: random.Random, count: int) -> list[int]:
        """`count` different ranks in the order in which they came up; there must be that many."""
        drawn: dict[int, None] = {}
        while len(drawn) < count:
            drawn[self.draw(rng)] = None
        return list(drawn)


@lru_cache(maxsize=64)
def _cumulative(items: int, theta: float) -> list[float]:
    weights = [(rank + 1) ** -theta for rank in range(items)]
    total = sum(weights)
    return list(accumulate(weight / total for weight in weights))


def nurand(rng: random.Random, a: int, x: int, y: int, c: int) -> int:
    """A non-uniform number within [x, y] (TPC-C Standard Specification 5.11, clause 2.1.6)."""
    return (((rng.randint(0, a) | rng.randint(x, y)) + c) % (y - x + 1)) + x
