"""Arrival processes and lengths against what is known of them in closed form."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from math import exp, gamma

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.serving.traffic.arrivals import POISSON, Exponential, Gamma, Gaps, Weibull, arrivals
from evaluators.serving.traffic.lengths import Fixed, Floats, Lengths, Lognormal, Quantiles, Zipf, endless
from evaluators.serving.traffic.modulation import Drift, Modulation, Product, Profile, Steady, Switching


def rng(seed: int = 0) -> np.random.Generator:
    """A stream of random numbers."""
    return np.random.default_rng(seed)


class Clockwork:
    """Gaps that are all 1."""

    def draw(self, count: int, rng: np.random.Generator) -> Floats:
        """See `Gaps`."""
        return np.ones(count)


def times(count: int, rate: float = 1.0, seed: int = 0, gaps: Gaps = POISSON, **more: Modulation) -> Floats:
    """The first arrivals."""
    return np.fromiter(islice(arrivals(rate, rng(seed), gaps, **more), count), np.float64)


def dispersion(arrived: Floats, window: float) -> float:
    """Variance over mean of the counts of windows: 1 for a Poisson process."""
    counts = np.bincount((arrived // window).astype(int))[:-1]
    return float(counts.var() / counts.mean())


@pytest.mark.parametrize(
    ("gaps", "cv"),
    [(Exponential(), 1.0), (Gamma(0.5), 0.5), (Gamma(3.0), 3.0), (Weibull(1.0), 1.0), (Weibull.of_cv(2.0), 2.0)],
    ids=str,
)
def test_gaps_have_mean_one_and_their_variation(gaps: Gaps, cv: float) -> None:
    drawn = gaps.draw(200_000, rng())
    assert drawn.min() >= 0.0
    assert drawn.mean() == pytest.approx(1.0, rel=0.03)
    assert drawn.std() == pytest.approx(cv, rel=0.05)


@given(st.floats(0.2, 20.0))
@settings(max_examples=30, derandomize=True, deadline=None)
def test_weibull_of_a_coefficient_of_variation(cv: float) -> None:
    shape = Weibull.of_cv(cv).shape
    assert gamma(1 + 2 / shape) / gamma(1 + 1 / shape) ** 2 - 1 == pytest.approx(cv * cv, rel=1e-6)


def test_poisson_arrivals_have_dispersion_one_in_every_window() -> None:
    arrived = times(60_000, rate=6.0)
    assert len(arrived) / arrived[-1] == pytest.approx(6.0, rel=0.02)
    for window in (0.5, 5.0, 30.0):
        assert dispersion(arrived, window) == pytest.approx(1.0, abs=0.2)


def test_gamma_gaps_disperse_long_windows_by_the_square_of_their_variation() -> None:
    """Counts of a renewal process tend to a variance of CV^2 times their mean (Cox, Renewal Theory, 1962)."""
    assert dispersion(times(60_000, gaps=Gamma(2.0)), 200.0) == pytest.approx(4.0, rel=0.25)


def test_a_profile_is_followed_exactly() -> None:
    """At rate 2, levels 1, 0 and 3 for 2.25, 5 and 1 seconds let pass 4.5, 0 and 6 arrivals; then 0.5 one a second."""
    profile = Profile(((2.25, 1.0), (5.0, 0.0), (1.0, 3.0), (1.0, 0.5)))
    arrived = times(13, rate=2.0, gaps=Clockwork(), modulation=profile)
    expected = [0.5, 1.0, 1.5, 2.0, *(7.25 + (np.arange(5, 11) - 4.5) / 6), 8.75, 9.75, 10.75]
    assert arrived == pytest.approx(expected)


@pytest.mark.parametrize("pieces", [(), ((5.0, 1.0), (1.0, 0.0))], ids=str)
def test_a_profile_after_which_nothing_arrives_is_refused(pieces: tuple[tuple[float, float], ...]) -> None:
    with pytest.raises(ValueError, match="positive level"):
        Profile(pieces)


def sampled(modulation: Modulation, step: float, count: int, seed: int = 0) -> Floats:
    """The level at evenly spaced moments."""
    levels: Iterator[tuple[float, float]] = modulation.levels(rng(seed))
    made = np.empty(count)
    end = 0.0
    level = 0.0
    for index in range(count):
        while end <= index * step:
            duration, level = next(levels)
            end += duration
        made[index] = level
    return made


def test_a_drift_has_its_mean_variation_and_memory() -> None:
    levels = sampled(Drift(cv=0.5, seconds=20.0), step=2.0, count=200_000)
    assert levels.mean() == pytest.approx(1.0, rel=0.03)
    assert levels.std() == pytest.approx(0.5, rel=0.06)
    logs = np.log(levels)
    assert np.corrcoef(logs[:-10], logs[10:])[0, 1] == pytest.approx(exp(-1.0), abs=0.03)


def test_switching_has_its_mean_share_and_silence() -> None:
    switching = Switching(share=0.25, seconds=10.0, low=0.2)
    levels = sampled(switching, step=1.0, count=200_000)
    assert set(levels) == {0.2, switching.high}
    assert np.mean(levels == switching.high) == pytest.approx(0.25, abs=0.02)
    assert levels.mean() == pytest.approx(1.0, rel=0.05)
    silent = times(20_000, rate=10.0, modulation=Switching(share=0.5, seconds=5.0))
    assert np.diff(silent).max() > 5.0
    assert len(silent) / silent[-1] == pytest.approx(10.0, rel=0.1)


def test_a_product_multiplies_levels_for_as_long_as_both_hold() -> None:
    product = Product(Profile(((1.0, 1.0), (2.0, 2.0), (9.0, 3.0))), Profile(((2.0, 1.0), (2.0, 10.0))))
    segments = list(islice(product.levels(rng()), 4))
    assert segments == [(1.0, 1.0), (1.0, 2.0), (1.0, 20.0), (1.0, 30.0)]


def test_a_process_is_the_same_for_a_seed_and_scales_with_its_rate() -> None:
    drift = Drift(0.4, 30.0)
    assert (times(500, seed=3, modulation=drift) == times(500, seed=3, modulation=drift)).all()
    assert (times(500, seed=3) != times(500, seed=4)).any()
    assert times(500, rate=4.0, seed=3) == pytest.approx(times(500, seed=3) / 4.0)
    assert (np.diff(times(5000, gaps=Gamma(5.0), modulation=drift)) >= 0.0).all()


def test_a_steady_rate_changes_nothing() -> None:
    assert (times(300, modulation=Steady()) == times(300)).all()


def test_rare_arrivals_come_without_an_age_of_drifting() -> None:
    assert times(1, rate=1e-5, modulation=Drift(1.0, 600.0))[0] > 1.0


@pytest.mark.parametrize(
    "lengths",
    [Fixed(7), Lognormal(300, 2.0, high=5000), Quantiles(((0.0, 1), (0.5, 40), (1.0, 900))), Zipf(1.1, 500)],
    ids=lambda lengths: type(lengths).__name__,
)
def test_lengths_are_whole_numbers_within_bounds(lengths: Lengths) -> None:
    drawn = lengths.draw(20_000, rng())
    assert drawn.dtype == np.int64
    assert drawn.min() >= 1
    assert drawn.max() <= 5000
    assert list(islice(endless(lengths, rng(1)), 3000)) == list(islice(endless(lengths, rng(1)), 3000))


def test_a_lognormal_has_its_median_and_spread() -> None:
    drawn = np.log(Lognormal(2000, 0.8).draw(100_000, rng()))
    assert np.median(drawn) == pytest.approx(np.log(2000), abs=0.02)
    assert drawn.std() == pytest.approx(0.8, rel=0.02)


@given(st.lists(st.integers(1, 5000), min_size=3, max_size=6, unique=True))
@settings(max_examples=25, derandomize=True, deadline=None)
def test_quantiles_are_met(tokens: list[int]) -> None:
    shares = np.linspace(0.0, 1.0, len(tokens))
    knots = tuple(zip(shares.tolist(), map(float, sorted(tokens)), strict=True))
    drawn = Quantiles(knots).draw(20_000, rng())
    assert drawn.min() >= min(tokens) and drawn.max() <= max(tokens)
    for share, value in knots[1:-1]:
        assert np.mean(drawn <= value) == pytest.approx(share, abs=0.02 + np.mean(drawn == value))


def test_zipf_has_the_frequencies_of_its_law() -> None:
    drawn = Zipf(1.1, 1000).draw(400_000, rng())
    counts = np.bincount(drawn)
    for n in (2, 4, 16):
        assert counts[1] / counts[n] == pytest.approx(n**1.1, rel=0.06)
