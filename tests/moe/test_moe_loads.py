from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from moe_cases import policy

from evaluators.moe.placement import Replicas
from evaluators.moe.routing import TYPES, choose, make_router, sample_power_law
from evaluators.moe.shapes import SHAPES
from evaluators.moe.traffic import DOMAINS, Scenario, make_trace

SMALL = Scenario("qwen3-30b-a3b", 1, 8, 136, "decode", 1.01, "steady", 7, layers=2, intervals=3, steps=6)
DSV3 = SHAPES["deepseek-v3"]


@pytest.mark.parametrize(("alpha", "expected"), [(0.6, 3.3), (1.01, 8.3), (1.2, 15.5)])
def test_power_law_has_the_collectors_skew(alpha: float, expected: float) -> None:
    """Max over mean of 256 experts at 4,096 tokens, as published for NVIDIA's collector."""
    rng = np.random.default_rng(0)
    skew = [load.max() / load.mean() for load in (sample_power_law(rng, 256, alpha) for _ in range(300))]
    assert np.mean(skew) == pytest.approx(expected, rel=0.12)


def test_group_limited_choice_by_hand() -> None:
    """Two of four groups by the sum of their two best; the best expert of all is in a group that loses."""
    model = replace(DSV3, experts=8, top_k=2, groups=4, top_groups=2)
    affinities = np.array([[0.50, 0.01, 0.40, 0.39, 0.45, 0.30, 0.02, 0.03]])
    assert sorted(choose(np.log(affinities), model)[0].tolist()) == [2, 4]


def test_tokens_keep_to_their_groups_and_choose_distinct_experts() -> None:
    router = make_router(np.random.default_rng(5), DSV3, 2, 2, 1.01)
    tokens = router.experts.reshape(-1, 8)
    assert router.experts.shape == (2, 2 * TYPES, 8)
    assert all(len(set(row)) == 8 for row in tokens.tolist())
    assert max(len(set(row)) for row in (tokens // 32).tolist()) <= 4
    assert router.usage.sum(axis=2) == pytest.approx(np.full((2, 2), 8.0))


def test_domains_have_the_skew_and_layers_differ() -> None:
    usage = make_router(np.random.default_rng(5), DSV3, 6, 2, 1.01).usage
    skew = usage.max(axis=2) / usage.mean(axis=2)
    assert skew.mean() == pytest.approx(8.3, rel=0.2)
    assert skew[:, 0].std() > 0.1
    ranks = usage.argsort(axis=2).argsort(axis=2)
    between_domains = np.corrcoef(ranks[0])[0, 1]
    between_layers = np.corrcoef(ranks[:, 0])[0, 1]
    assert between_layers < 0.2 < between_domains < 0.6


@pytest.mark.parametrize("serving", ["prefill", "decode", "mixed"])
@pytest.mark.parametrize("model", ["qwen3-30b-a3b", "mixtral-8x7b", "deepseek-v3"])
def test_every_token_is_routed_top_k_times_in_every_layer(model: str, serving: str) -> None:
    trace = make_trace(replace(SMALL, model=model, serving=serving, decode_tokens=100))  # type: ignore[arg-type]
    top_k = SHAPES[model].top_k
    assert (trace.counts.sum(axis=3) == trace.tokens[:, :, None] * top_k).all()
    assert trace.types is not None
    assert (trace.types.tokens.sum(axis=2) == trace.tokens).all()
    per_gpu = {"prefill": 4096, "decode": 100}
    assert trace.tokens.tolist() == [[per_gpu[phase] * 8 for phase in trace.phases]] * 3
    assert set(trace.phases) == ({"prefill", "decode"} if serving == "mixed" else {serving})


def test_windows_hold_the_tokens_of_1000_steps() -> None:
    trace = make_trace(SMALL)
    assert trace.windows.sum(axis=2) == pytest.approx(np.full((3, 2), 1000 * 128 * 8 * 8.0))


def test_steady_windows_foretell_the_steps_and_shifted_ones_do_not() -> None:
    def surprise(drift: str) -> float:
        trace = make_trace(replace(SMALL, drift=drift, intervals=6))  # type: ignore[arg-type]
        steps = trace.counts.sum(axis=1).astype(float)
        forecast, actual = (loads / loads.sum(axis=2, keepdims=True) for loads in (trace.windows, steps))
        return float(np.abs(forecast - actual).sum(axis=2).mean())

    steady = surprise("steady")
    assert steady < 0.2
    assert surprise("recurring") > 2 * steady
    assert surprise("rotation") > 2 * steady
    assert surprise("burst") > steady


def test_recurring_traffic_returns_after_two_intervals() -> None:
    windows = make_trace(replace(SMALL, drift="recurring", intervals=4)).windows[:, 0]
    share = windows / windows.sum(axis=1, keepdims=True)
    assert np.abs(share[2] - share[0]).sum() < 0.5 * np.abs(share[1] - share[0]).sum()


def test_single_steps_are_less_balanced_than_the_window_that_a_placement_was_packed_for() -> None:
    """Why loads are simulated step by step: on the window greedy packing looks perfect."""
    trace = make_trace(replace(SMALL, model="deepseek-v3", nodes=4, slots=288))
    placement = policy("greedy").call("rebalance_experts", trace.windows[0], 288, 8, 4, 32, None)

    def balance(loads: np.ndarray) -> float:
        by_gpu = Replicas.of(placement, 256, 4).deal(loads).reshape(*loads.shape[:-1], 32, 9).sum(axis=-1)
        return float((by_gpu.mean(axis=-1) / by_gpu.max(axis=-1)).mean())

    assert balance(trace.windows[:1].astype(np.int32)) > 0.99
    assert balance(trace.counts[0]) < 0.95


def test_a_scenario_is_reproducible_and_its_seed_matters() -> None:
    first, again, other = make_trace(SMALL), make_trace(SMALL), make_trace(replace(SMALL, seed=8))
    assert np.array_equal(first.counts, again.counts)
    assert np.array_equal(first.windows, again.windows)
    assert not np.array_equal(first.counts, other.counts)
    assert first.types.experts.shape[1] == DOMAINS * TYPES if first.types else False
