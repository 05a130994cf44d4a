"""What a watcher of a run keeps count of: no drawing here."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

from adrs.evolution import Progress

LATEST = 4  # improvements that are remembered
RATE_WINDOW = 60.0  # seconds over which the rate is taken
FEWEST = 4  # commits that make a rate


@dataclass(frozen=True)
class Improvement:
    id: int
    score: float
    gain: float  # over the best before
    operator: str


@dataclass(frozen=True)
class Spent:
    """One budget of the run: `used` of `limit`, in its own unit."""

    name: str
    used: float
    limit: float

    @property
    def share(self) -> float:
        return min(1.0, max(0.0, self.used / self.limit))


class Tracker:
    """Follows one session; `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.began = clock()
        self.progress: Progress | None = None
        self.outcomes: Counter[str] = Counter()
        self.improvements: deque[Improvement] = deque(maxlen=LATEST)
        self._best_since = 0  # candidates committed when the best score was reached
        self._commits: deque[float] = deque()

    @property
    def elapsed(self) -> float:
        return self.clock() - self.began

    @property
    def stale(self) -> int:
        """Candidates since the best score was reached."""
        return 0 if self.progress is None else self.progress.committed - self._best_since

    def observe(self, progress: Progress) -> bool:
        """Take in a commit. True when it brought a better score."""
        before, self.progress = self.progress, progress
        self.outcomes[progress.candidate.status] += 1
        self._commits.append(self.clock())
        best, score = progress.best, progress.best.score
        if before is None:
            self._best_since = min(best.id, progress.committed)
        base = progress.seed_score if before is None else before.best.score
        if score is None or base is None or score <= base or progress.candidate.id != best.id:
            return False
        self._best_since = progress.committed
        self.improvements.appendleft(Improvement(best.id, score, score - base, best.operator))
        return True

    def rate(self) -> float | None:
        """Candidates a minute, lately; None before there are enough to tell."""
        now = self.clock()
        while self._commits and self._commits[0] < now - RATE_WINDOW:
            self._commits.popleft()
        if len(self._commits) < FEWEST:
            return None
        return 60 * (len(self._commits) - 1) / max(now - self._commits[0], 1e-3)

    def budgets(self) -> list[Spent]:
        """Every budget of the run, the one nearest to its end first."""
        if self.progress is None:
            return []
        now, budget = self.progress, self.progress.budget
        gain = (now.best.score or 0.0) - now.seed_score
        goal = None if budget.target is None else budget.target - now.seed_score
        limits = [
            ("candidates", now.committed, budget.candidates),
            ("minutes", self.elapsed / 60, budget.minutes),
            ("tokens", now.llm.tokens, budget.tokens),
            ("usd", now.llm.usd, budget.usd),
            ("stagnation", self.stale, budget.stagnation),
            ("target", gain, goal if goal is None or goal > 0 else None),
        ]
        spent = [Spent(name, used, limit) for name, used, limit in limits if limit is not None]
        return sorted(spent, key=lambda one: -one.share)

    def seconds_left(self) -> float | None:
        """Until candidates or minutes run out, whichever comes first; None when neither is limited or known."""
        rate = self.rate()
        left = []
        for spent in self.budgets():
            if spent.name == "minutes":
                left.append(60 * (spent.limit - spent.used))
            elif spent.name == "candidates" and rate:
                left.append(60 * (spent.limit - spent.used) / rate)
        return max(0.0, min(left)) if left else None
