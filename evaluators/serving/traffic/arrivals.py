"""When requests arrive: a renewal process whose clock runs at a rate that may itself vary.

Two things make traffic bursty, and they show at different scales. The gaps between arrivals may be more irregular than
those of a Poisson process (`Gamma` and `Weibull` gaps), which shows in gaps that follow each other. Or the rate changes
(`modulation`), which shows in the counts of long windows. A process here has both: gaps of mean 1 are drawn, and time
passes at `rate` times the level that the modulation has at the moment (a time change, as in Lewis and Shedler,
"Simulation of nonhomogeneous Poisson processes by thinning", 1979).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import gamma
from typing import Protocol

import numpy as np

from evaluators.serving.traffic.lengths import CHUNK, Floats
from evaluators.serving.traffic.modulation import STEADY, Modulation


class Gaps(Protocol):
    """Independent positive gaps of mean 1."""

    def draw(self, count: int, rng: np.random.Generator) -> Floats:
        """float64 [count]."""


@dataclass(frozen=True)
class Exponential:
    """The gaps of a Poisson process."""

    def draw(self, count: int, rng: np.random.Generator) -> Floats:
        """See `Gaps`."""
        return rng.standard_exponential(count)


@dataclass(frozen=True)
class Gamma:
    """Gamma gaps with a coefficient of variation: 1 is Poisson, above it arrivals cluster."""

    cv: float

    def draw(self, count: int, rng: np.random.Generator) -> Floats:
        """See `Gaps`."""
        shape = self.cv**-2
        return rng.standard_gamma(shape, count) / shape


@dataclass(frozen=True)
class Weibull:
    """Weibull gaps: shape 1 is Poisson, below it arrivals cluster."""

    shape: float

    @classmethod
    def of_cv(cls, cv: float) -> Weibull:
        """The one with a coefficient of variation, of 0.1 to 100."""
        low, high = 0.1, 20.0
        for _ in range(60):
            shape = (low * high) ** 0.5
            square = gamma(1.0 + 2.0 / shape) / gamma(1.0 + 1.0 / shape) ** 2 - 1.0
            low, high = (shape, high) if square > cv * cv else (low, shape)
        return cls(shape)

    def draw(self, count: int, rng: np.random.Generator) -> Floats:
        """See `Gaps`."""
        return rng.weibull(self.shape, count) / gamma(1.0 + 1.0 / self.shape)


POISSON = Exponential()


def arrivals(
    rate: float, rng: np.random.Generator, gaps: Gaps = POISSON, modulation: Modulation = STEADY
) -> Iterator[float]:
    """Arrival times in seconds, without end, in bounded memory; `rate` a second in the long run."""
    clock = _Clock(rate, modulation.levels(rng.spawn(1)[0]))
    operational = 0.0  # time in which the rate is 1
    chunk = 1  # grows, since of a rare arrival the next one may be days ahead
    while True:
        epochs = operational + np.cumsum(gaps.draw(chunk, rng))
        operational = float(epochs[-1])
        yield from clock.invert(epochs).tolist()
        chunk = min(2 * chunk, CHUNK)


class _Clock:
    """The time change: seconds at which the integral of the rate reaches a value."""

    def __init__(self, rate: float, levels: Iterator[tuple[float, float]]) -> None:
        self._rate, self._levels = rate, levels
        self._seconds, self._integral = [0.0], [0.0]

    def invert(self, epochs: Floats) -> Floats:
        """Seconds of the epochs, which increase from call to call."""
        while self._integral[-1] <= epochs[-1]:
            duration, level = next(self._levels)
            self._seconds.append(self._seconds[-1] + duration)
            self._integral.append(self._integral[-1] + duration * level * self._rate)
        times = np.interp(epochs, self._integral, self._seconds)
        self._seconds, self._integral = self._seconds[-2:], self._integral[-2:]
        return times
