"""When transactions arrive: evenly at random, or in bursts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from evaluators.transactions.locking.outcome import Floats
from evaluators.transactions.transaction import Transaction

HIGH, LOW = 4.0, 0.25  # rate within and between bursts, as multiples of the mean rate
BURST = 0.2  # share of the time: 0.2 x 4 + 0.8 x 0.25 = 1
ARRIVALS_A_BURST = 30.0  # mean number


def poisson(rate: float, count: int, rng: np.random.Generator) -> Floats:
    """Independent arrivals at a constant rate, the first at 0."""
    gaps = rng.exponential(1.0 / rate, count)
    gaps[0] = 0.0
    return np.cumsum(gaps)


def bursty(rate: float, count: int, rng: np.random.Generator) -> Floats:
    """A Poisson process whose rate switches between HIGH and LOW after exponential times, `rate` in the mean."""
    burst = ARRIVALS_A_BURST / (HIGH * rate)
    lull = burst * (1.0 - BURST) / BURST
    times: list[float] = []
    now, busy = 0.0, bool(rng.random() < BURST)
    while len(times) < count:
        end = now + rng.exponential(burst if busy else lull)
        now += rng.exponential(1.0 / (rate * (HIGH if busy else LOW)))
        while now < end:
            times.append(now)
            now += rng.exponential(1.0 / (rate * (HIGH if busy else LOW)))
        now, busy = end, not busy
    return np.array(times[:count]) - times[0]


Process = Literal["poisson", "bursty"]
PROCESSES = {"poisson": poisson, "bursty": bursty}


@dataclass(frozen=True)
class Traffic:
    """`load` is the share of the executors' time that the work would take if no transaction ever waited or aborted."""

    executors: int
    load: float
    arrivals: Process

    def arrivals_of(self, transactions: Sequence[Transaction], commit: float, seed: int) -> Floats:
        """When each arrives; an operation takes 1 and a commit as given."""
        mean = float(np.mean([len(transaction) for transaction in transactions])) + commit
        rng = np.random.default_rng([seed, len(transactions)])
        return PROCESSES[self.arrivals](self.load * self.executors / mean, len(transactions), rng)
