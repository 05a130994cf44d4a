"""Seeds and baselines: true to their sources, valid everywhere, and improvable."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moe_cases import policy, random_placement

from adrs.testing.direct import DirectPolicy
from evaluators.moe import ExpertPlacement
from evaluators.moe.placement import check_placement, replica_counts
from evaluators.moe.traffic import make_trace
from evaluators.moe.workloads import scenario_of

# The example of github.com/deepseek-ai/EPLB (README, "Interface and Example").
README_WEIGHT = np.array(
    [
        [90, 132, 40, 61, 104, 165, 39, 4, 73, 56, 183, 86],
        [20, 107, 104, 64, 19, 197, 187, 157, 172, 86, 16, 27],
    ],
    dtype=np.float64,
)
README_ANSWER = [
    [5, 6, 5, 7, 8, 4, 3, 4, 10, 9, 10, 2, 0, 1, 11, 1],
    [7, 10, 6, 8, 6, 11, 8, 9, 2, 4, 5, 1, 5, 0, 3, 1],
]
ALL = ["greedy", "no_rebalancing", "deepseek_eplb_hierarchical", "deepseek_eplb_global", "forecasting"]


def gpu_loads(placement: np.ndarray, weight: np.ndarray, gpus: int) -> np.ndarray:
    share = weight / replica_counts(placement, weight.shape[1])
    return np.take_along_axis(share, placement, axis=1).reshape(len(weight), gpus, -1).sum(axis=2)


def test_hierarchical_eplb_gives_the_published_example() -> None:
    answer = policy("deepseek_eplb_hierarchical").call("rebalance_experts", README_WEIGHT, 16, 4, 2, 8)
    assert answer.tolist() == README_ANSWER


def test_global_eplb_by_hand() -> None:
    """Loads 9, 4, 3, 2 in six slots: 9 is tripled (9, 4.5 -> 3); the heaviest first to the lightest GPU with room."""
    answer = policy("deepseek_eplb_global").call("rebalance_experts", np.array([[9.0, 4.0, 3.0, 2.0]]), 6, 1, 1, 2)
    # in order: 4 -> GPU 0; 3 (0), 3 (2) -> GPU 1, GPU 1 would be 6; so 4 | 3, then 3 -> GPU 1, 3 -> GPU 0, 3, 2
    assert sorted(answer[0].tolist()) == [0, 0, 0, 1, 2, 3]
    assert gpu_loads(answer, np.array([[9.0, 4.0, 3.0, 2.0]]), 2).tolist() == [[9.0, 9.0]]


def test_eplb_falls_to_the_global_policy_when_groups_do_not_divide_among_nodes() -> None:
    weight = np.random.default_rng(0).random((3, 24))
    entry = policy("deepseek_eplb_hierarchical").call("rebalance_experts", weight, 32, 4, 8, 16)
    flat = policy("deepseek_eplb_global").call("rebalance_experts", weight, 32, 4, 8, 16)
    assert entry.tolist() == flat.tolist()


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**31))
def test_hierarchical_eplb_keeps_groups_on_nodes(seed: int) -> None:
    weight = np.random.default_rng(seed).pareto(1.0, (2, 32))
    answer = policy("deepseek_eplb_hierarchical").call("rebalance_experts", weight, 40, 8, 4, 8)
    for layer in answer.reshape(2, 4, 10):
        groups_by_node = [set((node // 4).tolist()) for node in layer]
        assert all(len(groups) == 2 for groups in groups_by_node)
        assert sum(len(groups) for groups in groups_by_node) == len(set.union(*groups_by_node))


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**31), name=st.sampled_from(ALL), extra=st.sampled_from([0, 8, 16]))
def test_every_policy_answers_with_placements(seed: int, name: str, extra: int) -> None:
    """Three calls in a row, idle experts and ties included."""
    rng = np.random.default_rng(seed)
    called = policy(name)
    placement = random_placement(rng, 2, 16, 16 + extra)
    for _ in range(3):
        weight = np.floor(rng.pareto(0.8, (2, 16)) * 10) + np.array([[0.0], [1.0]])
        weight[0, 0] += 1.0
        placement = check_placement(
            called.call("rebalance_experts", weight, 16 + extra, 4, 2, 8, placement), 2, 16, 16 + extra
        )


def test_seed_balances_as_eplb_global_does() -> None:
    weight = np.random.default_rng(2).pareto(1.2, (4, 64))
    loads = [
        gpu_loads(policy(name).call("rebalance_experts", weight, 72, 1, 1, 8, None), weight, 8)
        for name in ("greedy", "deepseek_eplb_global")
    ]
    assert loads[0].max(axis=1) == pytest.approx(loads[1].max(axis=1), rel=1e-5)


@pytest.mark.slow
def test_there_is_head_room_above_eplb() -> None:
    """A forecasting policy beats both EPLB policies on unseen workloads, one of each regime, in the mean."""
    evaluator = ExpertPlacement()
    rivals = ("deepseek_eplb_hierarchical", "deepseek_eplb_global")
    gains = []
    for workload in evaluator.workloads("test", 20_260)[::3]:
        score = evaluator.run(workload, policy("forecasting"))["gap_closed"]
        gains.append([score - evaluator.run(workload, policy(name))["gap_closed"] for name in rivals])
    assert np.mean(gains, axis=0).min() > 0.02


def test_knowing_the_next_interval_would_help() -> None:
    """Greedy packing told the loads to come: how much of the gap forecasting alone leaves open on train."""
    evaluator = ExpertPlacement()
    regained = []
    for workload in evaluator.workloads("train", 0)[1:5]:
        trace = make_trace(scenario_of(workload.parameters))
        coming = iter(trace.counts.sum(axis=1).astype(np.float64))
        greedy = policy("greedy")

        def told(
            _window: np.ndarray,
            *rest: object,
            coming: Iterator[np.ndarray] = coming,
            greedy: DirectPolicy = greedy,
        ) -> object:
            return greedy.call("rebalance_experts", next(coming), *rest)

        oracle = DirectPolicy({"rebalance_experts": told})
        regained.append(evaluator.run(workload, oracle)["gap_closed"] - evaluator.run(workload, greedy)["gap_closed"])
    assert np.mean(regained) > 0.04
