"""What came of a simulation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Outcome:
    """Arrays are indexed by transaction, in the order in which they were given.

    Attributes:
        arrived, committed: float64 [transactions], times.
        order: Transactions in the order of their commits.
        granted: Of each transaction, the time at which each operation of the committed attempt had its lock.
        aborts: int64 [transactions]. Aborted attempts of each; every one was retried.
        deadlocks: Aborts that broke a deadlock; the others lost to a first updater.
        work: Time spent in operations and commits, those of aborted attempts included.
        wasted: The part of it that was spent in aborted attempts.
        blocked: Time that executors spent waiting for locks.
    """

    arrived: Floats
    committed: Floats
    order: tuple[int, ...]
    granted: tuple[tuple[float, ...], ...]
    aborts: npt.NDArray[np.int64]
    deadlocks: int
    work: float
    wasted: float
    blocked: float

    @property
    def latency(self) -> Floats:
        """From arrival to commit, float64 [transactions]."""
        return self.committed - self.arrived

    @property
    def makespan(self) -> float:
        """From the first arrival to the last commit."""
        return float(self.committed.max() - self.arrived.min())

    @property
    def throughput(self) -> float:
        """Commits per unit of time."""
        return len(self.committed) / self.makespan
