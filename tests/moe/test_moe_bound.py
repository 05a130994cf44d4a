from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moe_cases import deployment, placements, random_placement, random_trace

from evaluators.moe.bound import (
    fewest_active,
    hottest_node_shares,
    layer_seconds,
    smallest_largest_replica,
)
from evaluators.moe.placement import Ints, Replicas
from evaluators.moe.routing import make_router
from evaluators.moe.shapes import SHAPES
from evaluators.moe.timeline import bound_throughput, simulate
from evaluators.moe.trace import Floats, Phase

PHASES: tuple[Phase, Phase] = ("prefill", "decode")


def replica_vectors(experts: int, slots: int) -> list[np.ndarray]:
    every = product(range(1, slots - experts + 2), repeat=experts)
    return [np.array(counts) for counts in every if sum(counts) == slots]


@given(st.lists(st.integers(0, 40), min_size=2, max_size=4), st.integers(0, 4))
def test_largest_replica_and_active_replicas_match_enumeration(loads: list[int], extra: int) -> None:
    counts = np.array(loads, dtype=np.int32)
    slots = len(loads) + extra
    largest = min(int(np.max(-(-counts // replicas))) for replicas in replica_vectors(len(loads), slots))
    active = min(int(np.minimum(counts, replicas).sum()) for replicas in replica_vectors(len(loads), slots))
    assert smallest_largest_replica(counts, slots) == largest
    assert fewest_active(counts, slots) == active


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize(
    ("slots", "nodes", "gpus", "traces"),
    [(4, 1, 2, 20), (6, 1, 2, 20), (6, 1, 3, 4), (4, 2, 1, 20), (6, 2, 1, 20), (8, 2, 2, 1)],
)
def test_bound_is_below_the_exhaustive_optimum_of_every_step(
    phase: Phase, slots: int, nodes: int, gpus: int, traces: int
) -> None:
    """Every placement of four experts; and the bound is not far off."""
    tightness = []
    for seed in range(traces):
        trace = random_trace(np.random.default_rng(seed), phase)
        case = deployment(trace, slots, nodes, gpus)
        best = np.min(
            [case.cost.times(trace, 0, placement).layer for placement in placements(4, slots, nodes * gpus)], axis=0
        )
        bound = layer_seconds(case.cost, trace, 0, slots)
        assert (bound <= best * (1 + 1e-12)).all()
        tightness.append(bound / best)
    assert np.mean(tightness) > 0.75


def test_bound_is_reached_where_a_step_divides_evenly() -> None:
    """Equal loads on as many GPUs: the initial placement is optimal and the bound says so."""
    trace = random_trace(np.random.default_rng(0), "decode")
    even = type(trace)(trace.windows, np.full_like(trace.counts, 700), trace.phases, np.full_like(trace.tokens, 1400))
    case = deployment(even, 4, 1, 4)
    assert layer_seconds(case.cost, even, 0, 4) == pytest.approx(case.cost.times(even, 0, case.initial).layer)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    phase=st.sampled_from(PHASES),
    asynchronous=st.booleans(),
    nodes=st.sampled_from([1, 2]),
    scale=st.sampled_from([3, 60, 3000]),
    extra=st.sampled_from([0, 4, 8]),
)
def test_no_policy_exceeds_the_bound(
    seed: int, phase: Phase, asynchronous: bool, nodes: int, scale: int, extra: int
) -> None:
    """Policies that answer anything at any time, at loads from idle replicas to far above the ridge."""
    rng = np.random.default_rng(seed)
    case = deployment(random_trace(rng, phase, scale=scale), 4 + extra, nodes, 2, asynchronous=asynchronous)

    def anything(_window: Floats, placement: Ints) -> Ints:
        return placement if rng.random() < 0.2 else random_placement(rng, 1, 4, 4 + extra)

    assert simulate(case, anything).throughput <= bound_throughput(case) * (1 + 1e-12)


@settings(deadline=None)
@given(seed=st.integers(0, 2**31), extra=st.integers(0, 4), nodes=st.sampled_from([2, 4]))
def test_hottest_node_bound_holds_for_every_placement(seed: int, extra: int, nodes: int) -> None:
    rng = np.random.default_rng(seed)
    experts, slots = 8, 8 + 4 * extra
    chosen = np.stack([rng.choice(experts, 3, replace=False) for _ in range(6)]).astype(np.int16)
    drawn = (100 * rng.random((2, 6)) ** 3).astype(np.int32) + np.int32(1)
    bounds = hottest_node_shares(chosen, drawn, experts, nodes)
    for _ in range(20):
        by_node = Replicas.of(random_placement(rng, 1, experts, slots), experts, nodes).by_node[0]
        reached = drawn @ (1 - np.prod(1 - by_node[chosen], axis=1)) / drawn.sum(axis=1, keepdims=True)
        assert (bounds <= reached.max(axis=1) + 1e-9).all()


def test_hottest_node_bound_by_hand() -> None:
    """Tokens whose experts come in pairs can stay on one of two nodes; those that mix all four cannot."""
    pairs = np.array([[0, 1], [2, 3]], dtype=np.int16)
    assert hottest_node_shares(pairs, np.array([[7, 7]], dtype=np.int32), 4, 2) == pytest.approx([1 / 2])
    ring = np.array([[0, 1], [1, 2], [2, 3], [0, 3]], dtype=np.int16)
    # eigenvalues 1, 0, 0, -1: any half of a ring is reached by three quarters of the tokens; the bound says 2/3
    shares = hottest_node_shares(ring, np.array([[5, 5, 5, 5]], dtype=np.int32), 4, 2)
    assert shares == pytest.approx([(2 / 2) / (1 + 0.103 + (1 - 0.103) / 2)])


def test_hottest_node_bound_is_not_far_from_what_placements_reach() -> None:
    """On a DeepSeek-V3 router the bound is above the trivial 1 / nodes by half and more."""
    router = make_router(np.random.default_rng(1), SHAPES["deepseek-v3"], 1, 4, 1.01)
    drawn = np.random.default_rng(2).multinomial(100_000, np.tile(router.frequency / 4, 4), size=3).astype(np.int32)
    for nodes in (4, 8):
        assert (hottest_node_shares(router.experts[0], drawn, 256, nodes) > 1.35 / nodes).all()
