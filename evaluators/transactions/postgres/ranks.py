"""Rank correlations, ties included."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from evaluators.transactions.locking.outcome import Floats


def average_ranks(values: Sequence[float] | Floats) -> Floats:
    """Ranks from 1, float64 [values]; equal values share the mean of theirs."""
    _, where, counts = np.unique(np.asarray(values, dtype=float), return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[where]


def spearman(x: Sequence[float], y: Sequence[float]) -> float:
    """Spearman's rho: Pearson's correlation of the average ranks. NaN if either is constant or shorter than two."""
    first, second = (average_ranks(values) - (len(values) + 1) / 2 for values in (x, y))
    return _ratio(float(np.dot(first, second)), float(np.dot(first, first)), float(np.dot(second, second)))


def kendall(x: Sequence[float], y: Sequence[float]) -> float:
    """Kendall's tau-b: concordant less discordant pairs over the geometric mean of the pairs untied in x and in y.

    NaN if either is constant or shorter than two.
    """
    first, second = (np.sign(np.subtract.outer(values, values)) for values in (np.asarray(x), np.asarray(y)))
    return _ratio(float((first * second).sum()), float(np.abs(first).sum()), float(np.abs(second).sum()))


def _ratio(product: float, first: float, second: float) -> float:
    return product / math.sqrt(first * second) if first > 0 and second > 0 else math.nan
