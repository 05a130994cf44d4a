"""What no placement can beat: a lower bound of every step's layer time, by relaxation.

Each sampled step is bounded by itself, as if a clairvoyant placement could be in force for that step alone and cost
nothing to get to, at the same number of slots. So the bound holds for any policy, and a policy that must keep one
placement for a whole interval cannot reach it in general.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from evaluators.moe.cost import CostModel
from evaluators.moe.trace import Floats, TokenTypes, Trace

Counts = npt.NDArray[np.int32]


def layer_seconds(cost: CostModel, trace: Trace, interval: int, slots: int) -> Floats:
    """Lower bound of the layer time of each sampled step of an interval, [steps, layers]."""
    counts = trace.counts[interval]
    gpus = cost.cluster.gpus
    largest = smallest_largest_replica(counts, slots)
    work = np.maximum.reduce(
        [
            cost.replica_seconds(counts).sum(axis=2) / gpus,  # perfectly divisible, each active expert read once
            cost.replica_seconds(largest),  # some GPU holds the largest replica
            -(-fewest_active(counts, slots) // gpus) * cost.read_seconds,  # replicas are whole
        ]
    )
    busiest = np.maximum(-(-counts.sum(axis=2) // gpus), largest)
    fixed = np.empty(busiest.shape)
    communication = np.empty(busiest.shape)
    for step, phase in enumerate(trace.phases):
        fixed[step] = cost.fixed_seconds(phase, trace.tokens[interval, step] / gpus)
        if phase == "decode":
            communication[step] = cost.low_latency_seconds(busiest[step])
        else:
            nodes = fewest_node_tokens(trace, interval, step, slots, cost.cluster.nodes)
            communication[step] = cost.normal_seconds(busiest[step], nodes)
    return np.asarray(work + communication + fixed)


def smallest_largest_replica(counts: Counts, slots: int) -> npt.NDArray[np.int64]:
    """Tokens of the largest replica when replica counts are chosen best for this step, [...] of counts [..., experts].

    The least t with sum over experts of max(1, ceil(tokens / t)) <= slots, by bisection; exact.
    """
    high = np.maximum(counts.max(axis=-1).astype(np.int64), 1)
    low = np.ones_like(high)
    while (low < high).any():
        middle = (low + high) // 2
        needed = np.maximum(-(-counts // middle[..., None]), 1).sum(axis=-1)
        fits = needed <= slots
        high = np.where(fits, middle, high)
        low = np.where(fits, low, middle + 1)
    return np.asarray(np.where(counts.max(axis=-1) > 0, high, 0))


def fewest_active(counts: Counts, slots: int) -> npt.NDArray[np.int64]:
    """Least replicas that receive tokens, [...] of counts [..., experts].

    Dealt in turn, min(tokens, replicas) of an expert's replicas are active. All slots must be filled, and the sum is
    concave in the replica counts, so the extra ones do least harm all on the coldest expert.
    """
    experts = counts.shape[-1]
    active = (counts > 0).sum(axis=-1)
    coldest = counts.min(axis=-1).astype(np.int64)
    extra = np.minimum(coldest, 1 + slots - experts) - 1
    return np.asarray(np.where(coldest > 0, active + extra, active))


def fewest_node_tokens(trace: Trace, interval: int, step: int, slots: int, nodes: int) -> Floats:
    """Lower bound of the tokens that reach the busiest node, [layers]; the busiest has at least the mean."""
    tokens = float(trace.tokens[interval, step])
    if nodes == 1:
        return np.full(trace.layers, tokens)
    if trace.types is None:  # the model of counts alone grows with a node's share of the copies, which is >= 1 / nodes
        per_token = trace.counts[interval, step].sum(axis=1) / max(tokens, 1.0)
        return np.asarray(tokens * (1 - (1 - 1 / nodes) ** per_token))
    types = trace.types
    reached = [
        fewest_nodes_per_token(types, layer, types.tokens[interval, step], trace.experts, slots // nodes)
        for layer in range(trace.layers)
    ]
    return np.asarray(np.maximum(np.array(reached), 1.0) * (tokens / nodes))


def fewest_nodes_per_token(
    types: TokenTypes, layer: int, tokens: npt.NDArray[np.int32], experts: int, node_slots: int
) -> float:
    """Lower bound of the mean number of nodes that a token's experts lie on.

    A token with x_d experts on node d reaches at least k^2 / sum x_d^2 nodes (Cauchy-Schwarz), where sum x_d^2 is k
    plus twice its co-located pairs; convex, so the mean is at least k^2 / (k + 2 mean pairs) (Jensen). An expert shares
    a node with at most node_slots - 1 others, so its co-located pairs are at most its heaviest node_slots - 1 ones;
    with replicas that choose independently the same holds for the expectation.
    """
    chosen = types.experts[layer].astype(np.int64)
    k = chosen.shape[1]
    first, second = np.triu_indices(k, 1)
    keys = (chosen[:, first] * experts + chosen[:, second]).ravel()
    one_way = np.bincount(keys, weights=np.repeat(tokens, len(first)), minlength=experts * experts)
    together = one_way.reshape(experts, experts).astype(np.float32)  # exact: token counts stay far below 2^24
    together = together + together.T
    partners = min(node_slots - 1, experts - 1)
    heaviest = np.partition(together, experts - partners, axis=1)[:, experts - partners :] if partners else np.zeros(1)
    pairs = float(heaviest.sum(dtype=np.float64)) / 2 / max(float(tokens.sum()), 1.0)
    return float(k * k / (k + 2 * pairs))
