"""Feature dimensions of MAP-Elites (Mouret & Clune 2015, "Illuminating search spaces by mapping elites")."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from adrs.errors import HouseError
from adrs.problem import Feature
from adrs.proposers.base import Candidate
from adrs.yaml_tree import suggest

CODE_SIZE = "code_size"  # a feature of every candidate, whatever the evaluator reports
Cell = tuple[int, ...]


class FeatureMap:
    """Maps a scored candidate to its cell.

    With declared features, each is a metric's mean over the train workloads, or `code_size`, cut into equal bins;
    values outside fall into the outermost ones. By default there are two dimensions: the size of the code in steps of
    a quarter octave relative to the seed's, and the train workload on which the candidate gains most over the seed,
    so that specialists survive beside generalists.
    """

    def __init__(self, features: Sequence[Feature]) -> None:
        self.features = features
        self._seed: Candidate | None = None

    def cell(self, candidate: Candidate) -> Cell:
        """The first candidate asked for must be the seed. Raises `HouseError` for a feature that is no metric."""
        if self._seed is None:
            self._seed = candidate
        if self.features:
            return tuple(_bin(feature, _value(feature, candidate)) for feature in self.features)
        size = round(4 * math.log2(max(candidate.code_size, 1) / max(self._seed.code_size, 1)))
        return (max(-6, min(6, size)), _strongest(candidate.scores, self._seed.scores))


def _value(feature: Feature, candidate: Candidate) -> float:
    if feature.name == CODE_SIZE:
        return candidate.code_size
    if feature.name not in candidate.metrics:
        raise HouseError("evaluator_error", no_metric(feature.name, candidate.metrics))
    return candidate.metrics[feature.name]


def no_metric(name: str, metrics: Iterable[str]) -> str:
    """The message about a feature that is neither a metric nor the size of the code."""
    return f"search.features: the evaluator reports no metric `{name}`; {suggest(name, [*metrics, CODE_SIZE])}"


def _bin(feature: Feature, value: float) -> int:
    share = (value - feature.low) / (feature.high - feature.low)
    return max(0, min(feature.bins - 1, int(share * feature.bins)))


def _strongest(scores: Mapping[str, float], seed: Mapping[str, float]) -> int:
    gains = [score - seed[name] for name, score in scores.items()]
    return max(range(len(gains)), key=lambda i: gains[i])
