"""Parents are the k best candidates of the whole run."""

from __future__ import annotations

import bisect
import random

from adrs.proposers.base import Candidate
from adrs.search.base import Ranked, RecentFailures, Selection, pick


class TopK:
    """Linear ranking over the k best; racing stops what cannot enter them."""

    def __init__(self, k: int = 16) -> None:
        self.k = k
        self._ranked: list[Ranked] = []
        self._failures = RecentFailures()

    def observe(self, candidate: Candidate) -> None:
        self._failures.observe(candidate)
        if candidate.score is not None:
            bisect.insort(self._ranked, Ranked.of(candidate), key=lambda ranked: ranked.key)
            del self._ranked[self.k :]

    def select(self, slot: int, rng: random.Random) -> Selection:
        parent = pick(self._ranked, rng)
        others = [ranked.id for ranked in self._ranked if ranked.id != parent.id]
        return Selection(
            parents=(parent.id, *rng.sample(others, min(1, len(others)))),
            inspirations=tuple(others[:2]),
            failures=self._failures.ids,
            threshold=self._ranked[-1].score if len(self._ranked) == self.k else None,
        )
