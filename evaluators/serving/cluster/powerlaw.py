"""The lengths of Llumnix's generated traces: power laws with many short and a few very long requests.

Sun et al., "Llumnix", OSDI 2024, table 1: Short, Medium and Long have means of 128, 256 and 512 tokens, and at most
6,144. The published artifact draws a rank from 1 to twice the mean with a probability proportional to rank ** -exponent
and scales it to the mean; its exponents give the quantiles of the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from evaluators.serving.traffic.lengths import Counts, Zipf

LONGEST = 6144


@dataclass(frozen=True)
class PowerLaw:
    """Token counts of a mean, before they are cut to the longest; see `Lengths`."""

    mean: int
    exponent: float
    longest: int = LONGEST

    def draw(self, count: int, rng: np.random.Generator) -> Counts:
        """See `Lengths`."""
        tokens = np.ceil(Zipf(self.exponent, self._ranks).draw(count, rng) * self._scale)
        return np.asarray(np.minimum(tokens, self.longest), dtype=np.int64)

    @property
    def _ranks(self) -> int:
        return 2 * self.mean - 1

    @cached_property
    def _scale(self) -> float:
        ranks = np.arange(1.0, self._ranks + 1.0)
        weights = ranks**-self.exponent
        return float(self.mean * weights.sum() / (ranks * weights).sum())


SHORT = PowerLaw(128, 2.0)
MEDIUM = PowerLaw(256, 1.5)
LONG = PowerLaw(512, 1.15)
