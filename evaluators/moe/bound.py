"""What no placement can beat: a lower bound of every step's layer time, by relaxation.

Each sampled step is bounded by itself, as if a clairvoyant placement could be in force for that step alone and cost
nothing to get to, at the same number of slots. So the bound holds for any policy, and a policy that must keep one
placement for a whole interval cannot reach it in general.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluators.moe.cost import CostModel
from evaluators.moe.trace import Floats, Trace

GUESSES = (1.03, 1.1, 1.2, 1.35, 1.6, 2.0)  # times the eigenvalue of the interval as a whole

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
    node_tokens = hottest_node_tokens(trace, interval, cost.cluster.nodes)
    fixed = np.empty(busiest.shape)
    communication = np.empty(busiest.shape)
    for step, phase in enumerate(trace.phases):
        fixed[step] = cost.fixed_seconds(phase, trace.tokens[interval, step] / gpus)
        if phase == "decode":
            communication[step] = cost.low_latency_seconds(busiest[step])
        else:
            communication[step] = cost.normal_seconds(busiest[step], node_tokens[step])
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


def hottest_node_tokens(trace: Trace, interval: int, nodes: int) -> Floats:
    """Lower bound of the tokens that reach the busiest node, [steps, layers]; prefill steps only, else 0."""
    least = np.zeros((trace.steps, trace.layers))
    steps = trace.of_phase("prefill")
    tokens = trace.tokens[interval, steps].astype(np.float64)[:, None]
    if not steps:
        return least
    if nodes == 1:
        least[steps] = tokens
    elif trace.types is None:  # grows with a node's share of the copies, and some node has 1 / nodes or more
        per_token = trace.counts[interval, steps].sum(axis=2) / np.maximum(tokens, 1.0)
        least[steps] = tokens * (1 - (1 - 1 / nodes) ** per_token)
    else:
        for layer in range(trace.layers):
            chosen, drawn = trace.types.experts[layer], trace.types.tokens[interval, steps]
            least[steps, layer] = tokens[:, 0] * hottest_node_shares(chosen, drawn, trace.experts, nodes)
    return least


def hottest_node_shares(
    chosen: npt.NDArray[np.int16], drawn: npt.NDArray[np.int32], experts: int, nodes: int
) -> Floats:
    """Lower bound of the share of a step's tokens that reach the busiest node, [steps].

    `chosen`: experts of each token type, [types, top_k]; `drawn`: tokens of each type, [steps, types].

    Let node d hold a share f_e of the replicas of expert e, n_e tokens use e, W_ab use both a and b. X = sum n_e f_e
    copies come to d, and by Cauchy-Schwarz at least X^2 / (X + f'Wf) tokens, k = top_k experts each. N^-1/2 W N^-1/2
    has the eigenvalue k - 1 in the direction of sqrt(n), where every node has its share of all copies; in the others it
    is at most its second eigenvalue, l, which says how well the experts fall into clusters. So
    f'Wf <= l X + (k - 1 - l) / k X^2 / tokens, for f^2 <= f; and some node has X >= k tokens / nodes.
    """
    k = chosen.shape[1]
    first, second = np.triu_indices(k, 1)
    pairs = (chosen[:, first].astype(np.int64) * experts + chosen[:, second]).ravel()
    guess = _normalised(pairs, chosen, drawn.sum(axis=0), experts).second_eigenvalue()
    clustering = np.array([_normalised(pairs, chosen, tokens, experts).above_second(guess) for tokens in drawn])
    return np.asarray((k / nodes) / (1 + clustering + (k - 1 - clustering) / nodes))


@dataclass(frozen=True)
class _Cooccurrence:
    """N^-1/2 W N^-1/2, and its first eigenvector, whose eigenvalue is k - 1."""

    matrix: Floats
    first: Floats
    top: float

    def second_eigenvalue(self) -> float:
        return max(float(np.linalg.eigvalsh(self.matrix)[-2]), 0.0)

    def above_second(self, guess: float) -> float:
        """A number certainly above the second eigenvalue and not negative: by Cholesky, ten times cheaper than it."""
        rest = self.top * np.outer(self.first, self.first) - self.matrix
        diagonal = rest.diagonal().copy()
        for factor in GUESSES:
            tried = factor * max(guess, 0.1)
            np.fill_diagonal(rest, diagonal + tried)
            if tried < self.top and _positive_definite(rest):
                return tried
        return self.top


def _normalised(
    pairs: npt.NDArray[np.int64], chosen: npt.NDArray[np.int16], tokens: npt.NDArray[np.integer], experts: int
) -> _Cooccurrence:
    k = chosen.shape[1]
    one_way = np.bincount(pairs, weights=np.repeat(tokens, k * (k - 1) // 2), minlength=experts * experts)
    uses = np.bincount(chosen.ravel(), weights=np.repeat(tokens, k), minlength=experts)
    together = one_way.reshape(experts, experts)
    together = together + together.T
    scale = 1 / np.sqrt(np.maximum(uses, 1.0))  # experts without tokens only add zeros
    return _Cooccurrence(together * scale * scale[:, None], np.sqrt(uses / uses.sum()), float(k - 1))


def _positive_definite(matrix: Floats) -> bool:
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        return False
    return True
