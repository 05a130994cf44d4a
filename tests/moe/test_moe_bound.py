from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moe_cases import deployment, placements, random_placement, random_trace

from evaluators.moe.bound import (
    fewest_active,
    fewest_nodes_per_token,
    layer_seconds,
    smallest_largest_replica,
)
from evaluators.moe.placement import Ints, Replicas
from evaluators.moe.timeline import bound_throughput, simulate
from evaluators.moe.trace import Floats, Phase, TokenTypes

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
@given(seed=st.integers(0, 2**31), extra=st.integers(0, 4))
def test_nodes_per_token_bound_holds_for_every_placement(seed: int, extra: int) -> None:
    rng = np.random.default_rng(seed)
    experts, nodes, slots = 8, 2, 8 + 2 * extra
    types = TokenTypes(
        np.stack([rng.choice(experts, 3, replace=False) for _ in range(6)])[None].astype(np.int16), np.zeros((1, 1, 6))
    )
    tokens = rng.integers(1, 100, size=6).astype(np.int32)
    bound = fewest_nodes_per_token(types, 0, tokens, experts, slots // nodes)
    for _ in range(20):
        by_node = Replicas.of(random_placement(rng, 1, experts, slots), experts, nodes).by_node[0]
        reached = (1 - np.prod(1 - by_node[types.experts[0]], axis=1)).sum(axis=1)
        assert bound <= (reached * tokens).sum() / tokens.sum() + 1e-9


def test_nodes_per_token_bound_is_exact_for_disjoint_groups() -> None:
    """Types {0,1} and {2,3} fit on two nodes of two slots; a type of three experts cannot stay on one."""
    pair = TokenTypes(np.array([[[0, 1], [2, 3]]], dtype=np.int16), np.zeros((1, 1, 2), dtype=np.int32))
    assert fewest_nodes_per_token(pair, 0, np.array([5, 9], dtype=np.int32), 4, 2) == pytest.approx(1.0)
    triple = TokenTypes(np.array([[[0, 1, 2]]], dtype=np.int16), np.zeros((1, 1, 1), dtype=np.int32))
    assert fewest_nodes_per_token(triple, 0, np.array([5], dtype=np.int32), 4, 2) == pytest.approx(9 / 6)
    assert fewest_nodes_per_token(triple, 0, np.array([5], dtype=np.int32), 4, 1) == pytest.approx(3.0)
