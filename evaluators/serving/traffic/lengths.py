"""How long prompts and answers are: distributions over whole numbers of tokens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
CHUNK = 1024  # draws at a time, at most


class Lengths(Protocol):
    """A distribution of token counts, each at least 1."""

    def draw(self, count: int, rng: np.random.Generator) -> Counts:
        """Independent draws: int64 [count]."""


@dataclass(frozen=True)
class Fixed:
    """Always the same."""

    tokens: int

    def draw(self, count: int, rng: np.random.Generator) -> Counts:
        """See `Lengths`."""
        return np.full(count, self.tokens, dtype=np.int64)


@dataclass(frozen=True)
class Lognormal:
    """Log-normal with the given median and standard deviation of the logarithm, clipped to low..high."""

    median: float
    sigma: float
    low: int = 1
    high: int = 1 << 20

    def draw(self, count: int, rng: np.random.Generator) -> Counts:
        """See `Lengths`."""
        return _whole(self.median * np.exp(self.sigma * rng.standard_normal(count)), self.low, self.high)


@dataclass(frozen=True)
class Quantiles:
    """A distribution known by its quantiles; between two of them the logarithm is uniform.

    Args:
        knots: (share of the draws at or below, tokens), both increasing; the shares begin with 0 and end with 1.
    """

    knots: tuple[tuple[float, float], ...]

    def draw(self, count: int, rng: np.random.Generator) -> Counts:
        """See `Lengths`."""
        tokens = np.exp(np.interp(rng.random(count), self._shares, self._logs))
        return _whole(tokens, 1, int(self.knots[-1][1]))

    @cached_property
    def _shares(self) -> Floats:
        return np.array([share for share, _ in self.knots])

    @cached_property
    def _logs(self) -> Floats:
        return np.log([tokens for _, tokens in self.knots])


@dataclass(frozen=True)
class Zipf:
    """Zipf's law over 1..high: P(n) proportional to n ** -exponent; the exponent may be below 1."""

    exponent: float
    high: int

    def draw(self, count: int, rng: np.random.Generator) -> Counts:
        """See `Lengths`."""
        return 1 + np.searchsorted(self._cumulated, rng.random(count), side="right").astype(np.int64)

    @cached_property
    def _cumulated(self) -> Floats:
        cumulated = np.cumsum(np.arange(1.0, self.high + 1.0) ** -self.exponent)
        cumulated /= cumulated[-1]
        return cumulated


def endless(lengths: Lengths, rng: np.random.Generator) -> Iterator[int]:
    """Draws one by one."""
    chunk = 16
    while True:
        yield from lengths.draw(chunk, rng).tolist()
        chunk = min(2 * chunk, CHUNK)


def _whole(tokens: Floats, low: int, high: int) -> Counts:
    return np.clip(np.rint(tokens), low, high).astype(np.int64)
