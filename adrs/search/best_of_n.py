"""The honest control: every candidate is a child of the seed, so nothing is learned from one to the next."""

from __future__ import annotations

import random

from adrs.proposers.base import Candidate
from adrs.search.base import Ranked, Selection


class BestOfN:
    """Selects the seed, always; racing stops what cannot beat the best so far."""

    def __init__(self) -> None:
        self._best: Ranked | None = None

    def observe(self, candidate: Candidate) -> None:
        if candidate.score is not None:
            ranked = Ranked.of(candidate)
            if self._best is None or ranked.key < self._best.key:
                self._best = ranked

    def select(self, slot: int, rng: random.Random) -> Selection:
        return Selection((0,), threshold=None if self._best is None else self._best.score)
