"""The distribution of the time between tokens, in bounded memory."""

from __future__ import annotations

from array import array

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_SMALLEST = 1e-5  # seconds; shorter gaps count as this
_RATIO = 1.005  # of neighbouring bins: quantiles are right to 0.25 %
_BINS = 4096  # up to 7,400 s
_PENDING = 4096
_LOG_RATIO = float(np.log(_RATIO))


class Gaps:
    """A histogram in bins of constant ratio.

    Entries are ranges: `count` gaps spread evenly so that they add up to `total` and the largest is `largest`, each
    made by `sequences` sequences.
    """

    def __init__(self) -> None:
        self._counts = np.zeros(_BINS)
        self._total = 0.0
        self._pending: array[float] = array("d")

    def add(self, gap: float, sequences: int = 1) -> None:
        """A gap in seconds, of so many sequences."""
        self.add_range(gap, gap, 1, sequences)

    def add_range(self, total: float, largest: float, count: int, sequences: int) -> None:
        """Gaps that grow evenly."""
        self._total += total * sequences
        self._pending.extend((total, largest, count, sequences))
        if len(self._pending) >= 4 * _PENDING:
            self._settle()

    @property
    def count(self) -> int:
        """Gaps in all."""
        self._settle()
        return int(self._counts.sum())

    @property
    def mean(self) -> float:
        """Seconds; 0 if there is none."""
        count = self.count
        return self._total / count if count else 0.0

    def quantile(self, share: float) -> float:
        """Seconds that this share of the gaps does not exceed; 0 if there is none."""
        self._settle()
        cumulated = np.cumsum(self._counts)
        if not cumulated[-1]:
            return 0.0
        place = int(np.searchsorted(cumulated, share * cumulated[-1]))
        return float(_SMALLEST * _RATIO ** (min(place, _BINS - 1) + 0.5))

    def _settle(self) -> None:
        """Put what is pending into the bins."""
        total, largest, count, sequences = np.array(self._pending).reshape(-1, 4).T
        self._pending = array("d")
        if not total.size:
            return
        counts = count.astype(np.int64)
        mean = total / count
        step = np.where(count > 1, 2 * (largest - mean) / np.maximum(count - 1, 1), 0.0)
        index = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        smallest = 2 * mean - largest
        gaps = np.repeat(np.where(count > 1, smallest, largest), counts) + index * np.repeat(step, counts)
        bins = np.floor(np.log(np.maximum(gaps, _SMALLEST) / _SMALLEST) / _LOG_RATIO).astype(np.int64)
        self._counts += np.bincount(np.minimum(bins, _BINS - 1), np.repeat(sequences, counts), _BINS)
