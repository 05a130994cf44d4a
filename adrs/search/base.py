"""What a strategy is: it decides whom to mutate next."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass
from typing import Protocol

from adrs.proposers.base import Candidate


@dataclass(frozen=True)
class Selection:
    """Candidates by id. `parents[0]` is to be changed, further ones are mates for crossover."""

    parents: tuple[int, ...]
    inspirations: tuple[int, ...] = ()
    failures: tuple[int, ...] = ()
    threshold: float | None = None  # train score below which the child cannot matter; None: evaluate it whole


class Strategy(Protocol):
    """A fold over the committed prefix.

    `observe` is called once for each committed candidate in commit order, the seed (id 0) first, also for the prefix
    of a resumed run. `select` must depend on nothing but what was observed and `rng`.
    """

    def observe(self, candidate: Candidate) -> None: ...

    def select(self, slot: int, rng: random.Random) -> Selection: ...


@dataclass(frozen=True)
class Ranked:
    """A scored candidate, ordered best first: by score, then by less code, then by age."""

    score: float
    code_size: int
    id: int

    @classmethod
    def of(cls, candidate: Candidate) -> Ranked:
        """Raises ValueError for a candidate without a score."""
        if candidate.score is None:
            raise ValueError(f"candidate {candidate.id} has no score")
        return cls(candidate.score, candidate.code_size, candidate.id)

    @property
    def key(self) -> tuple[float, int, int]:
        return (-self.score, self.code_size, self.id)


class RecentFailures:
    """The latest failures whose messages are worth showing, one a message."""

    def __init__(self, keep: int = 3) -> None:
        self._recent: deque[tuple[str, int]] = deque(maxlen=keep)

    def observe(self, candidate: Candidate) -> None:
        if candidate.error and all(candidate.error != message for message, _ in self._recent):
            self._recent.append((candidate.error, candidate.id))

    @property
    def ids(self) -> tuple[int, ...]:
        return tuple(id for _, id in self._recent)


def pick(ranked: list[Ranked], rng: random.Random) -> Ranked:
    """Linear ranking selection: the best of n is n times as likely as the worst. `ranked` is sorted best first."""
    weights = range(len(ranked), 0, -1)
    return rng.choices(ranked, weights)[0]
