"""problem.yaml -> Problem."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from adrs.evaluation.executor import EvaluatorSpec
from adrs.evaluation.outcome import Limits

MINIMUM_CLUSTERS = 20  # an interval over fewer clusters is not worth printing


@dataclass(frozen=True)
class Objective:
    """The score of a workload is one metric, its sign flipped when it is to be minimised."""

    metric: str
    direction: Literal["maximize", "minimize"] = "maximize"
    aggregate: Literal["mean", "worst"] = "mean"

    def score(self, metrics: Mapping[str, float]) -> float:
        """Score of one workload; higher is better. Raises KeyError when the metric is absent."""
        value = metrics[self.metric]
        return value if self.direction == "maximize" else -value

    def bound(self, bounds: Mapping[str, float]) -> float | None:
        """The score that no policy can exceed, or None when the evaluator knows none."""
        return self.score(bounds) if self.metric in bounds else None

    def combine(self, scores: list[float]) -> float:
        """Score of a candidate from those of its workloads (not empty)."""
        return min(scores) if self.aggregate == "worst" else sum(scores) / len(scores)


@dataclass(frozen=True)
class Feature:
    """One MAP-Elites dimension: a metric's mean (or `code_size`, AST nodes) cut into `bins` between low and high."""

    name: str
    low: float
    high: float
    bins: int = 8


@dataclass(frozen=True)
class Search:
    strategy: Literal["islands", "topk", "best_of_n"] = "islands"
    islands: int = 4
    features: tuple[Feature, ...] = ()


@dataclass(frozen=True)
class Budget:
    """The first that is reached ends the run. `candidates` does not count the seed (candidate 0)."""

    candidates: int | None = None
    minutes: float | None = None
    tokens: int | None = None
    usd: float | None = None
    target: float | None = None  # train score
    stagnation: int | None = None  # candidates without a better train score


@dataclass(frozen=True)
class Verify:
    """What `adrs verify` holds a winner to, named beforehand."""

    comparator: str = "seed"  # a baseline's name, or "seed"
    minimum_effect: float = 0.0
    clusters: int = 24


@dataclass(frozen=True)
class Problem:
    """A validated problem. Holds texts, not paths, so that a run's snapshot is complete."""

    name: str
    title: str
    description: str
    evaluator: EvaluatorSpec
    objective: Objective
    seed: str  # source text
    baselines: Mapping[str, str] = field(default_factory=dict)  # name -> source text
    limits: Limits = field(default_factory=Limits)
    search: Search = field(default_factory=Search)
    budget: Budget = field(default_factory=Budget)
    verify: Verify = field(default_factory=Verify)
    timed: bool = False
    path: Path | None = None  # where it was read from
    overrides: tuple[str, ...] = ()  # `key=value` given beside it
    files: Mapping[str, str] = field(default_factory=dict)  # "seed" or baseline -> its file, for messages

    @property
    def options(self) -> dict[str, Any]:
        options: dict[str, Any] = json.loads(self.evaluator.options_json)
        return options
