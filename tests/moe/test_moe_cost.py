from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moe_cases import TINY, random_placement, random_trace, token_trace

from evaluators.moe.cost import CostModel
from evaluators.moe.hardware import Cluster, Gpu
from evaluators.moe.shapes import SHAPES
from evaluators.moe.trace import Trace

NOMINAL = Gpu(memory_efficiency=1.0, compute_efficiency=1.0)


@pytest.mark.parametrize("model", ["deepseek-v3", "qwen3-30b-a3b", "mixtral-8x7b"])
def test_nominal_ridge_of_an_h100_is_295_tokens(model: str) -> None:
    assert CostModel(SHAPES[model], Cluster(1, 8, NOMINAL)).ridge == pytest.approx(295, abs=1)


@pytest.mark.parametrize(
    ("model", "gigabytes"),  # of all routed experts; the models' published parameter counts less the rest
    [("deepseek-v3", 653.9), ("qwen3-30b-a3b", 58.0), ("mixtral-8x7b", 90.2), ("qwen3-235b-a22b", 454.3)],
)
def test_expert_weights_add_up_to_the_models(model: str, gigabytes: float) -> None:
    shape = SHAPES[model]
    assert shape.expert_bytes * shape.experts * shape.layers / 1e9 == pytest.approx(gigabytes, rel=1e-3)


def one_step(chosen: list[list[int]], tokens: list[int], phase: str, experts: int = 4) -> Trace:
    assert phase in ("prefill", "decode")
    counts = np.array(tokens).reshape(1, 1, -1)
    return token_trace(np.array([chosen]), counts, "prefill" if phase == "prefill" else "decode", experts)


def test_layer_time_by_hand() -> None:
    """Decode on 2 GPUs of one node: 10 tokens use experts 0 and 1, 500 use 0 and 2; expert 3 is idle."""
    cost = CostModel(TINY, Cluster(1, 2))
    trace = one_step([[0, 1], [0, 2]], [10, 500], "decode")
    times = cost.times(trace, 0, np.array([[0, 1, 2, 3]]))
    read = 3 * 1024 * 2048 * 2 / (3.35e12 * 0.8)
    token = 6 * 1024 * 2048 / (989e12 * 0.5)
    assert times.experts[0, 0] == pytest.approx(510 * token + read)  # GPU 0: expert 0 computes, expert 1 is read
    received = 520 * (1024 * 2 + 1024 * 2)  # bytes there and back, half of them from the other GPU
    assert times.communication[0, 0] == pytest.approx(received / 2 / 250e9 + 2 * 13e-6)
    assert times.balance[0, 0] == pytest.approx((1020 / 2) / 520)
    kv = 255 * 2048 * 1024 / (3.35e12 * 0.8)
    dense = max(4e6 * 2 / (3.35e12 * 0.8), 2 * 4e6 * 255 / (989e12 * 0.5))
    assert times.fixed[0, 0] == pytest.approx(dense + kv)


def test_idle_replica_costs_nothing_and_a_busy_one_reads_its_weights() -> None:
    cost = CostModel(TINY, Cluster(1, 2))
    idle, one, few, many = cost.replica_seconds(np.array([0, 1, int(cost.ridge) - 1, int(cost.ridge * 10)]))
    assert idle == 0
    assert one == few == cost.read_seconds
    assert many == pytest.approx(10 * cost.read_seconds, rel=0.01)


def test_extra_replica_below_the_ridge_lengthens_decode_and_above_it_shortens() -> None:
    """2 GPUs; a second copy of expert 0 beside expert 2 rather than a copy of the idle expert 3."""
    cost = CostModel(TINY, Cluster(1, 2))
    without, extra = np.array([[0, 1, 3, 2, 3, 3]]), np.array([[0, 1, 3, 2, 0, 3]])
    below = one_step([[0, 2], [0, 1]], [40, 40], "decode")
    assert cost.times(below, 0, extra).experts[0, 0] == pytest.approx(2 * cost.read_seconds)
    lone = one_step([[0, 2]], [40], "decode")
    assert cost.times(lone, 0, without).experts[0, 0] == pytest.approx(cost.read_seconds)
    assert cost.times(lone, 0, extra).experts[0, 0] == pytest.approx(2 * cost.read_seconds)
    above = one_step([[0, 2], [0, 1]], [4000, 4000], "decode")
    assert cost.times(above, 0, extra).experts[0, 0] < cost.times(above, 0, without).experts[0, 0]


def test_prefill_sends_a_token_once_to_a_node() -> None:
    """2 nodes x 1 GPU: 1,000 tokens use experts 0 and 1, on one node or on two."""
    cost = CostModel(TINY, Cluster(2, 1))
    trace = one_step([[0, 1]], [1000], "prefill")
    message = 1024 * 2 + 1024 * 2
    together = cost.times(trace, 0, np.array([[0, 1, 2, 3]])).communication[0, 0]
    apart = cost.times(trace, 0, np.array([[0, 2, 1, 3]])).communication[0, 0]
    assert together == pytest.approx(1000 * 0.5 * message / 42e9 + 26e-6)  # node 0 gets each token of the other once
    assert apart == pytest.approx(together)  # two nodes get every token once, side by side
    both = one_step([[0, 1], [2, 3]], [1000, 1000], "prefill")
    grouped = cost.times(both, 0, np.array([[0, 1, 2, 3]])).communication[0, 0]
    crossed = cost.times(both, 0, np.array([[0, 2, 1, 3]])).communication[0, 0]
    assert grouped == pytest.approx(1000 * 0.5 * message / 42e9 + 26e-6)
    assert crossed == pytest.approx(2000 * 0.5 * message / 42e9 + 26e-6)


def test_decode_sends_a_token_once_to_each_expert() -> None:
    cost = CostModel(TINY, Cluster(2, 1))
    trace = one_step([[0, 1]], [1000], "decode")
    together = cost.times(trace, 0, np.array([[0, 1, 2, 3]])).communication[0, 0]
    apart = cost.times(trace, 0, np.array([[0, 2, 1, 3]])).communication[0, 0]
    assert together - 26e-6 == pytest.approx(2 * (apart - 26e-6))


def test_replicas_on_two_nodes_halve_a_nodes_chance() -> None:
    """Expert 0 on both nodes, 1 on node 1: node 0 is needed by half of the tokens, node 1 by all."""
    cost = CostModel(TINY, Cluster(2, 1))
    trace = one_step([[0, 1]], [1000], "prefill")
    times = cost.times(trace, 0, np.array([[0, 2, 3, 0, 1, 3]]))
    assert times.communication[0, 0] == pytest.approx(1000 * 0.5 * 4096 / 42e9 + 26e-6)


def test_node_tokens_match_simulated_replica_choices() -> None:
    """The closed form against tokens that draw their replicas one by one."""
    rng = np.random.default_rng(3)
    model = SHAPES["deepseek-v2-lite"]
    chosen = np.stack([rng.choice(64, 6, replace=False) for _ in range(20)])
    tokens = rng.integers(1, 400, size=20)
    trace = token_trace(chosen[None], tokens.reshape(1, 1, -1), "prefill", 64)
    placement = random_placement(rng, 1, 64, 80)
    cost = CostModel(model, Cluster(4, 2))
    wire = cost.times(trace, 0, placement).communication[0, 0] - 26e-6
    hits = np.zeros(4)
    for kind, count in enumerate(tokens):
        for _ in range(count):
            slots = [rng.choice(np.flatnonzero(placement[0] == expert)) for expert in chosen[kind]]
            hits[np.unique(np.array(slots) * 4 // 80)] += 1
    expected = hits.max() * cost.message_bytes * 0.75 / 2 / 42e9
    assert wire == pytest.approx(expected, rel=0.02)


@given(seed=st.integers(0, 2**31), prefill=st.booleans())
def test_order_of_slots_within_a_gpu_changes_nothing(seed: int, prefill: bool) -> None:
    rng = np.random.default_rng(seed)
    trace = random_trace(rng, "prefill" if prefill else "decode")
    cost = CostModel(TINY, Cluster(2, 1))
    placement = random_placement(rng, 1, 4, 6)
    permuted = rng.permuted(placement.reshape(2, 3), axis=1).reshape(1, 6)
    assert cost.times(trace, 0, permuted).layer == pytest.approx(cost.times(trace, 0, placement).layer, rel=1e-12)


@given(seed=st.integers(0, 2**31), prefill=st.booleans())
def test_more_tokens_never_take_less_time(seed: int, prefill: bool) -> None:
    rng = np.random.default_rng(seed)
    trace = random_trace(rng, "prefill" if prefill else "decode")
    assert trace.types is not None
    more = token_trace(trace.types.experts.astype(np.int64), trace.types.tokens + rng.integers(0, 50, 5),
                       trace.phases[0], 4)  # fmt: skip
    cost = CostModel(TINY, Cluster(2, 1))
    placement = random_placement(rng, 1, 4, 6)
    assert (cost.times(more, 0, placement).layer >= cost.times(trace, 0, placement).layer - 1e-15).all()


def test_counts_alone_estimate_node_tokens_by_independent_draws() -> None:
    cost = CostModel(TINY, Cluster(2, 1))
    counts = np.array([[[[500, 500, 500, 500]]]], dtype=np.int32)
    trace = Trace(counts.sum(axis=1).astype(float), counts, ("prefill",), np.array([[1000]]))
    wire = cost.times(trace, 0, np.array([[0, 1, 2, 3]])).communication[0, 0] - 26e-6
    assert wire == pytest.approx(1000 * (1 - 0.5**2) * 0.5 * 4096 / 42e9)
