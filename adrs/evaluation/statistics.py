"""Paired comparison of two policies over clusters of workloads: an interval, a test, and Holm's correction.

The observation is one difference a cluster (policies meet the same workloads, so that what is common to both cancels).
Clusters are independent, the workloads inside of one are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adrs.errors import InputError

Floats = NDArray[np.float64]

RESAMPLES = 9_999  # of the bootstrap
FLIPS = 99_999  # of the Monte Carlo test, beyond EXACT clusters
EXACT = 40  # clusters whose 2^n sign assignments are all counted: two sorted halves of 2^20 sums
LEVEL = 0.95
DEGENERATE = 0.001  # share of resamples without spread from which on the bootstrap cannot be studentised
TIE = 1e-10  # sums of differences closer than this share of their size are equal: rounding


@dataclass(frozen=True)
class Comparison:
    """Mean difference over clusters, its 95 % interval, and the two-sided p-value of "no difference"."""

    mean: float
    ci_low: float
    ci_high: float
    p: float

    @property
    def significant(self) -> bool:
        """Test and interval agree that the difference is not zero, at 5 %, in either direction."""
        return self.p < 1 - LEVEL and self.excludes_zero

    @property
    def excludes_zero(self) -> bool:
        return self.ci_low > 0 or self.ci_high < 0


def cluster_means(values: Sequence[float], clusters: Sequence[str]) -> Floats:
    """Mean of the values in each cluster, shape [clusters], in order of first appearance."""
    order = {name: index for index, name in enumerate(dict.fromkeys(clusters))}
    where = np.array([order[name] for name in clusters])
    return np.bincount(where, weights=np.asarray(values, dtype=float)) / np.bincount(where)


def compare(differences: Sequence[float] | Floats, salt: int) -> Comparison:
    """Compare by the differences of the clusters, shape [clusters]; `salt` seeds what is drawn.

    Raises:
        InputError: fewer than two clusters.
    """
    values = np.asarray(differences, dtype=float)
    if len(values) < 2:
        raise InputError(f"{len(values)} cluster of workloads cannot be compared; an interval needs at least two")
    rng = np.random.default_rng([salt, len(values)])
    low, high = bootstrap_interval(values, rng)
    return Comparison(float(values.mean()), low, high, sign_flip_p(values, rng))


def method(clusters: int) -> str:
    """What `compare` does for that many clusters, in words."""
    test = "all sign flips" if clusters <= EXACT else f"{FLIPS:,} random sign flips"
    return f"paired over {clusters} clusters: bootstrap-t interval ({RESAMPLES:,} resamples), permutation test ({test})"


def bootstrap_interval(values: Floats, rng: np.random.Generator) -> tuple[float, float]:
    """95 % interval of the mean by the studentised bootstrap (Efron and Tibshirani 1993, section 12.5).

    It follows skewed differences, where Student's interval is off to one side. Where many resamples have no spread
    (nearly all differences are equal), they cannot be studentised, and Student's interval is what remains.
    """
    n = len(values)
    mean, error = float(values.mean()), _standard_error(values)
    if error <= TIE * abs(mean):
        return mean, mean
    resamples = values[rng.integers(0, n, size=(RESAMPLES, n))]
    means = resamples.mean(axis=1)
    errors = resamples.std(axis=1, ddof=1) / np.sqrt(n)
    flat = errors <= TIE * error
    if flat.mean() > DEGENERATE:
        reach = student_quantile(n - 1) * error
        return mean - reach, mean + reach
    pivots = (means[~flat] - mean) / errors[~flat]
    tail = (1 - LEVEL) / 2
    lower, upper = np.quantile(pivots, [tail, 1 - tail])
    return mean - float(upper) * error, mean - float(lower) * error


def student_quantile(degrees: int) -> float:
    """The t that a Student variable exceeds in size with probability 5 %.

    With t = sqrt(degrees) tan(a), the density is proportional to cos(a)^(degrees - 1).
    """
    angles = np.linspace(0, np.pi / 2, 200_001)
    density = np.cos(angles) ** (degrees - 1)
    mass = np.concatenate([[0.0], np.cumsum(density[1:] + density[:-1])])
    angle = float(np.interp(LEVEL, mass / mass[-1], angles))
    return float(np.sqrt(degrees) * np.tan(angle))


def sign_flip_p(values: Floats, rng: np.random.Generator) -> float:
    """Two-sided p of the sign-flip permutation test (Fisher 1935, section 21) for a mean difference of zero.

    Under the null hypothesis each difference is as likely to have the other sign. Up to 40 clusters every one of the
    2^n assignments is counted; beyond, the p-value is that of a sample which holds the observed assignment.
    """
    sizes = np.abs(values)
    threshold = abs(float(values.sum())) - TIE * float(sizes.sum())
    if len(values) <= EXACT:
        return _count_extreme(sizes, threshold) / 2.0 ** len(values)
    extreme = 1
    for start in range(0, FLIPS, 1_000):
        signs = rng.integers(0, 2, size=(min(1_000, FLIPS - start), len(values))) * 2 - 1
        extreme += int((np.abs(signs @ sizes) >= threshold).sum())
    return extreme / (FLIPS + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values that control the family-wise error (Holm 1979), in the order given."""
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda index: p_values[index])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def _standard_error(values: Floats) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values)))


def _count_extreme(sizes: Floats, threshold: float) -> int:
    """How many of the 2^n signed sums are at least `threshold` in size: each half summed, one sorted, then searched."""
    if threshold <= 0:
        return int(2 ** len(sizes))
    half = len(sizes) // 2
    left, right = _signed_sums(sizes[:half]), np.sort(_signed_sums(sizes[half:]))
    above = len(right) * len(left) - int(np.searchsorted(right, threshold - left, side="left").sum())
    below = int(np.searchsorted(right, -threshold - left, side="right").sum())
    return above + below


def _signed_sums(sizes: Floats) -> Floats:
    sums = np.zeros(1)
    for size in sizes:
        sums = np.concatenate([sums - size, sums + size])
    return sums
