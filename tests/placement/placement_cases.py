"""Small clusters that tests can compute by hand or search exhaustively."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np

from adrs.testing.direct import DirectPolicy
from evaluators.placement.fleet import Fleet, Floats, Ints
from evaluators.placement.timeline import Cluster, Trace

ROOT = Path(__file__).parents[2]
SEEDS = ROOT / "seeds" / "model_placement"
BASELINES = (
    "never_move",
    "prism",
    "prism_pseudocode",
    "best_fit_decreasing",
    "static_optimum",
    "keep_until_it_hurts",
)


def policy(name: str) -> DirectPolicy:
    """A seed or baseline, or a file of tests/placement/policies, ready to be called."""
    path = SEEDS / f"{name}.py"
    if not path.exists():
        path = Path(__file__).parent / "policies" / f"{name}.py"
    return DirectPolicy.from_source(path.read_text(encoding="utf-8"))


def fleet(rng: np.random.Generator, models: int, memory: tuple[float, ...], per_gb: float = 0.3) -> Fleet:
    """Models of 2 to 12 GB with SLOs of 1 to 5 seconds."""
    weights = np.round(rng.uniform(2, 12, models), 1)
    return Fleet(rng.choice([1.0, 2.0, 5.0], models), weights, weights * per_gb, np.array(memory))


def placements(fleet: Fleet) -> Iterator[Ints]:
    """Every placement that fits."""
    for choice in product(range(fleet.gpus), repeat=fleet.models):
        placement = np.array(choice, dtype=np.int64)
        if fleet.fits(placement):
            yield placement


def random_placement(rng: np.random.Generator, fleet: Fleet) -> Ints:
    """A placement that fits, any of them; there must be many."""
    while True:
        placement = rng.integers(fleet.gpus, size=fleet.models)
        if fleet.fits(placement):
            return placement


def random_rates(rng: np.random.Generator, periods: int, stretches: int, models: int) -> Floats:
    """[1 + periods, stretches, models]: skewed, with idle stretches."""
    rates = rng.pareto(1.5, (1 + periods, 1, models)) * rng.gamma(0.5, 2.0, (1 + periods, stretches, models))
    return np.asarray(rates)


def random_cluster(seed: int, models: int = 6, gpus: int = 3, periods: int = 3, stretch: int = 10) -> Cluster:
    rng = np.random.default_rng(seed)
    made = fleet(rng, models, tuple(rng.choice([40.0, 72.0, 127.0], gpus)))
    trace = Trace(random_rates(rng, periods, 3, models), stretch)
    return Cluster(made, trace, random_placement(rng, made))
