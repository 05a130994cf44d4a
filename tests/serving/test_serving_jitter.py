"""The benchmark's jitter: one factor an iteration, whatever its parts, of mean 1; without it, the exact engine."""

from __future__ import annotations

import random
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from serving_cases import ToyCost

from evaluators.serving.cost.batch import Batch
from evaluators.serving.engine.timing import Part, duration

PARTS = [Part(0.25, Batch(600, 3, 1, 1200, 40, 2, 90)), Part(0.75, Batch(2, 2, 2, 0, 0, 2, 90))]


@pytest.fixture
def jitter(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    import serving_jitter

    return serving_jitter


def factors(jitter: ModuleType, sigma: float, count: int) -> list[float]:
    """By how much iterations of two groups of layers take longer."""
    cost = jitter.Jittered(ToyCost(), sigma, random.Random(1))
    exact = duration(ToyCost(), PARTS[0].batch, PARTS)
    ratios = []
    for _ in range(count):
        ratios.append(duration(cost, PARTS[0].batch, PARTS) / exact)
        assert ratios[-1] == pytest.approx(cost.factor)
    return ratios


def test_factors_have_mean_one_and_the_deviation_asked_for(jitter: ModuleType) -> None:
    drawn = np.array(factors(jitter, 0.2, 4000))
    assert drawn.mean() == pytest.approx(1.0, abs=0.01)
    assert np.log(drawn).std() == pytest.approx(0.2, rel=0.05)
    assert len(set(drawn.tolist())) == len(drawn)


def test_no_jitter_is_the_exact_time(jitter: ModuleType) -> None:
    assert set(factors(jitter, 0.0, 3)) == {1.0}
