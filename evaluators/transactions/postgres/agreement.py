"""How far a prediction ranks contenders as PostgreSQL does, and PostgreSQL as itself on a second run."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean

import numpy as np

Correlation = Callable[[Sequence[float], Sequence[float]], float]
Columns = Sequence[Sequence[float]]  # figures above 0, [settings][contenders]


@dataclass(frozen=True)
class Agreement:
    """Rank correlations over contenders.

    `prediction` is the mean of those of the prediction with each session; `ceiling` the mean of those between the
    sessions. Both sides of the ceiling are noisy, a prediction is not: it may come out above, a perfect one at about
    the square root of the ceiling (Spearman's attenuation). NaN where either side tells no contender from another.
    """

    prediction: float
    ceiling: float


def agreement(predicted: Sequence[float], sessions: Columns, correlation: Correlation) -> Agreement:
    """Of one setting.

    Args:
        predicted: A figure a contender, larger where `sessions` are expected to be larger.
        sessions: [sessions][contenders], as measured.
    """
    return Agreement(
        _mean(correlation(predicted, measured) for measured in sessions),
        _mean(correlation(first, second) for first, second in combinations(sessions, 2)),
    )


def pooled(predicted: Columns, sessions: Sequence[Columns], correlation: Correlation) -> Agreement:
    """Over the contenders of all settings, each figure relative to the geometric mean of its setting.

    Without that the settings would be ranked, which differ most, and not the contenders.

    Args:
        predicted: [settings][contenders].
        sessions: [sessions][settings][contenders].
    """
    return agreement(_relative(predicted), [_relative(session) for session in sessions], correlation)


def mean_of(agreements: Sequence[Agreement]) -> Agreement:
    """Over the settings; those where a correlation is not defined are left out of it."""
    return Agreement(_mean(each.prediction for each in agreements), _mean(each.ceiling for each in agreements))


def _relative(columns: Columns) -> list[float]:
    logarithms = [np.log(np.asarray(column, dtype=float)) for column in columns]
    return [float(value) for column in logarithms for value in np.round(column - column.mean(), 12)]


def _mean(values: Iterable[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return fmean(known) if known else math.nan
