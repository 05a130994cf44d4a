"""The statistics against facts that do not come from them: enumeration, tables, and simulated coverage."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from adrs.errors import InputError
from adrs.evaluation import statistics
from adrs.evaluation.statistics import (
    bootstrap_interval,
    cluster_means,
    compare,
    holm,
    method,
    sign_flip_p,
    student_quantile,
)


def enumerated_p(values: np.ndarray) -> float:
    sums = [abs(float(np.dot(signs, values))) for signs in product((-1, 1), repeat=len(values))]
    return float(np.mean([total >= abs(values.sum()) - 1e-9 for total in sums]))


@pytest.mark.parametrize("n", [2, 3, 7, 10])
@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_exact_p_equals_brute_force(n: int, shift: float) -> None:
    rng = np.random.default_rng(n)
    values = rng.normal(shift, 1.0, n)
    assert sign_flip_p(values, rng) == pytest.approx(enumerated_p(values), abs=1e-15)


def test_exact_p_counts_ties_as_extreme() -> None:
    values = np.array([0.1, 0.2, 0.3, -0.1, 0.2, 0.1])
    assert sign_flip_p(values, np.random.default_rng(0)) == pytest.approx(enumerated_p(values), abs=1e-15)


def test_p_of_darwins_maize_pairs() -> None:
    """Fisher 1935, section 21: 863 of the 2^15 assignments lie above Darwin's sum of 314, and as many below; 835
    exceed it and 28 equal it."""
    eighths = np.array([49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48], dtype=float)
    assert eighths.sum() == 314
    assert sign_flip_p(eighths, np.random.default_rng(0)) == 2 * 863 / 2**15


def test_exact_p_for_24_clusters_of_one_sign() -> None:
    values = np.linspace(1.0, 2.0, 24)
    assert sign_flip_p(values, np.random.default_rng(0)) == 2.0 / 2**24


def test_sampled_p_is_near_the_exact_one(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(5).normal(0.7, 1.0, 24)
    exact = sign_flip_p(values, np.random.default_rng(0))
    monkeypatch.setattr(statistics, "EXACT", 10)
    sampled = sign_flip_p(values, np.random.default_rng(0))
    assert 0.01 < exact < 0.2
    assert sampled == pytest.approx(exact, abs=5 * np.sqrt(exact * (1 - exact) / statistics.FLIPS))
    assert sampled != exact


@pytest.mark.parametrize(("degrees", "tabulated"), [(1, 12.706), (4, 2.776), (19, 2.093), (23, 2.069), (120, 1.980)])
def test_student_quantile_equals_the_table(degrees: int, tabulated: float) -> None:
    assert student_quantile(degrees) == pytest.approx(tabulated, abs=6e-4)


def coverage(draw, mean: float, n: int = 24, trials: int = 400) -> tuple[float, float]:
    """Shares of the trials whose interval holds the mean: of the bootstrap, and of Student's."""
    rng = np.random.default_rng(11)
    reach = student_quantile(n - 1) / np.sqrt(n)
    held = [0, 0]
    for _ in range(trials):
        values = draw(rng, n)
        low, high = bootstrap_interval(values, rng)
        held[0] += low <= mean <= high
        held[1] += abs(values.mean() - mean) <= reach * values.std(ddof=1)
    return held[0] / trials, held[1] / trials


def test_coverage_on_normal_differences(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "RESAMPLES", 999)
    bootstrap, _ = coverage(lambda rng, n: rng.normal(0.2, 1.0, n), 0.2)
    assert 0.92 <= bootstrap <= 0.98  # 400 trials: standard error 0.011


def test_coverage_on_skewed_differences_is_better_than_students(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "RESAMPLES", 999)
    bootstrap, student = coverage(lambda rng, n: rng.lognormal(0.0, 1.0, n), float(np.exp(0.5)))
    assert bootstrap >= 0.90
    assert bootstrap > student + 0.02


def test_false_positives_stay_at_five_percent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "RESAMPLES", 499)
    rng = np.random.default_rng(3)
    found = [compare(rng.standard_t(3, 20), salt).significant for salt in range(400)]
    assert np.mean(found) <= 0.08


def test_a_plain_gain_is_found() -> None:
    result = compare(np.random.default_rng(1).normal(1.0, 0.5, 24), salt=7)
    assert result.significant
    assert 0.7 < result.ci_low < result.mean < result.ci_high < 1.3
    assert result.p < 1e-4
    worse = compare(-np.random.default_rng(1).normal(1.0, 0.5, 24), salt=7)
    assert worse.significant
    assert worse.mean == -result.mean


def test_same_salt_same_result() -> None:
    values = np.random.default_rng(2).normal(0.1, 1.0, 24)
    assert compare(values, 5) == compare(values, 5)
    assert compare(values, 5) != compare(values, 6)


def test_no_differences_at_all() -> None:
    result = compare([0.0] * 24, 1)
    assert (result.mean, result.ci_low, result.ci_high, result.p) == (0.0, 0.0, 0.0, 1.0)
    assert not result.significant


def test_identical_differences() -> None:
    result = compare([0.1] * 24, 1)
    assert result.mean == result.ci_low == result.ci_high == pytest.approx(0.1)
    assert result.p == 2.0 / 2**24
    assert result.significant


def test_one_cluster_in_which_anything_happened_proves_nothing() -> None:
    result = compare([0.0] * 23 + [1.0], 1)
    assert result.p == 1.0
    assert result.ci_low < 0 < result.ci_high < 1
    assert not result.significant


@pytest.mark.parametrize("values", [[], [0.3]])
def test_one_cluster_is_an_error(values: list[float]) -> None:
    with pytest.raises(InputError, match="at least two"):
        compare(values, 1)


def test_holm_textbook_examples() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_cluster_means_keep_order_and_weigh_clusters_equally() -> None:
    means = cluster_means([1.0, 5.0, 3.0, 0.0], ["b", "a", "b", "b"])
    assert means.tolist() == pytest.approx([4 / 3, 5.0])


def test_method_says_how_it_was_computed() -> None:
    assert "all sign flips" in method(24)
    assert "99,999 random sign flips" in method(60)
