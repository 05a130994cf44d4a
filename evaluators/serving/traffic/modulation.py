"""How the rate of arrivals varies: levels around 1, each for a while."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import exp, sqrt
from typing import Protocol

import numpy as np

FOR_EVER = 1e12  # seconds
STEPS = 10  # of a drift within its correlation time


class Modulation(Protocol):
    """A stationary level of mean 1 in the long run, or a given profile."""

    def levels(self, rng: np.random.Generator) -> Iterator[tuple[float, float]]:
        """(seconds, level) one after the other, without end."""


@dataclass(frozen=True)
class Steady:
    """No variation."""

    def levels(self, rng: np.random.Generator) -> Iterator[tuple[float, float]]:
        """See `Modulation`."""
        while True:
            yield FOR_EVER, 1.0


STEADY = Steady()


@dataclass(frozen=True)
class Profile:
    """Given levels, one after the other; the last one stays.

    Args:
        pieces: (seconds, level), such as ((60, 0.5), (30, 4.0), (60, 0.5)); the last level is positive.
    """

    pieces: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        """Refuse a profile after which nothing would ever arrive."""
        if not self.pieces or self.pieces[-1][1] <= 0.0:
            raise ValueError(f"a profile of rates ends with a positive level, not {self.pieces[-1:]}")

    def levels(self, rng: np.random.Generator) -> Iterator[tuple[float, float]]:
        """See `Modulation`."""
        yield from self.pieces
        while True:
            yield FOR_EVER, self.pieces[-1][1]


@dataclass(frozen=True)
class Drift:
    """The level's logarithm is an Ornstein-Uhlenbeck process, in steps of a tenth of its correlation time.

    Args:
        cv: Standard deviation of the level, whose mean is 1.
        seconds: Correlation time of the logarithm.
    """

    cv: float
    seconds: float

    def levels(self, rng: np.random.Generator) -> Iterator[tuple[float, float]]:
        """See `Modulation`."""
        variance = float(np.log1p(self.cv**2))
        keep = exp(-1.0 / STEPS)
        noise = sqrt(variance * (1.0 - keep * keep))
        step = self.seconds / STEPS
        value = sqrt(variance) * rng.standard_normal()
        while True:
            for shock in rng.standard_normal(64).tolist():
                yield step, exp(value - variance / 2.0)
                value = keep * value + noise * shock


@dataclass(frozen=True)
class Switching:
    """A Markov-modulated rate of two levels, low and high, each for exponential times; it starts in its long run.

    Args:
        share: Of the time at the high level.
        seconds: Mean time at the high level.
        low: The low level, 0 for silence; the high one follows, as the mean is 1.
    """

    share: float
    seconds: float
    low: float = 0.0

    @property
    def high(self) -> float:
        """The level within bursts."""
        return (1.0 - self.low * (1.0 - self.share)) / self.share

    def levels(self, rng: np.random.Generator) -> Iterator[tuple[float, float]]:
        """See `Modulation`."""
        busy = bool(rng.random() < self.share)
        lull = self.seconds * (1.0 - self.share) / self.share
        while True:
            yield float(rng.exponential(self.seconds if busy else lull)), self.high if busy else self.low
            busy = not busy


@dataclass(frozen=True)
class Product:
    """Two independent variations at once."""

    one: Modulation
    other: Modulation

    def levels(self, rng: np.random.Generator) -> Iterator[tuple[float, float]]:
        """See `Modulation`."""
        left, right = (part.levels(child) for part, child in zip((self.one, self.other), rng.spawn(2), strict=True))
        (first, level), (second, factor) = next(left), next(right)
        while True:
            step = min(first, second)
            yield step, level * factor
            first, second = first - step, second - step
            if first <= 0.0:
                first, level = next(left)
            if second <= 0.0:
                second, factor = next(right)
